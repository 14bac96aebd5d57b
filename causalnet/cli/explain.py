"""`causalnet explain`: what a claim file or a query means, would run, and would cost."""

import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from causalnet.cli.folding import folded, terminal_width
from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal
from causalnet.errors import TermError

__all__ = ["Assumed", "run_explain"]

_SUFFIXES = (".yaml", ".yml", ".json")
_EXAMPLE = "Write for example causalnet explain 'nie(L20.H0; at=end)'."
_BYTES = {"float64": 8, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is asked of a query, and what is assumed of prompts that are not there.

    Attributes:
        rows: How many rows are written out.
        prompts: How many prompts.
        tokens: How many tokens each has.
        first_different: The first token at which base and source differ.
        budget: The memory there is, as text; None for half of what the machine has left.
    """

    rows: int = 1
    prompts: int = 16
    tokens: int = 16
    first_different: int = 0
    budget: str | None = None


def run_explain(
    target: str,
    model: str,
    assumed: Assumed,
    seed: int | None,
    device: str | None,
    dtype: str | None,
    terminal: Terminal,
) -> Status:
    """Print what a claim file or a query means and would run; no forward is run, no weights read.

    What has a parenthesis, is no file, and is not called like one is a query.
    """
    if not target.strip():
        raise TermError("Nothing was asked.", "A claim file or a query is explained.", _EXAMPLE)
    path = Path(target)
    if "(" in target and path.suffix not in _SUFFIXES and not path.exists():
        text, result = _explain_query(target, model, assumed, dtype, terminal.json)
    elif path.exists() or path.suffix in _SUFFIXES:
        from causalnet.claims import explain_claims  # a query does without it

        explanation = explain_claims(path, seed=seed, device=device, dtype=dtype)
        text, result = str(explanation), explanation.to_json()
    else:
        raise TermError(
            f"{target!r} is neither a file nor a query.",
            "A claim file is a YAML or JSON file that is there; a query has parentheses.",
            _EXAMPLE,
        )
    terminal.say(folded(text, terminal_width()))
    terminal.result(result)
    return Status.SUPPORTED


def _explain_query(
    text: str, model: str, assumed: Assumed, dtype: str | None, in_full: bool
) -> tuple[str, dict[str, Any]]:
    # The graph of a large model is many small objects that live to the end: looking for garbage
    # among them again and again is a third of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _explained(text, model, assumed, dtype, in_full)
    finally:
        if was_enabled:
            gc.enable()


def _explained(
    text: str, model: str, assumed: Assumed, dtype: str | None, in_full: bool
) -> tuple[str, dict[str, Any]]:
    from causalnet.compiler.assuming import assumed_signature
    from causalnet.compiler.budget import Budget
    from causalnet.compiler.query_report import explain_query
    from causalnet.graphs import transformer_graph
    from causalnet.interventions import parse_query, runs_of
    from causalnet.models.shapes import sizes_of

    sizes = sizes_of(model, _BYTES.get(str(dtype), 4))
    graph = transformer_graph(sizes.shape)
    query = parse_query(text, graph)
    report = explain_query(
        query,
        graph,
        sizes,
        lambda program: assumed_signature(
            program, assumed.prompts, assumed.tokens, assumed.first_different
        ),
        budget=Budget.of(assumed.budget),
        rows=max(assumed.rows, 1),
    )
    runs = runs_of(query.leaves)
    unit = query.unit if query.unit.startswith("of ") else f"in {query.unit}"
    head = replace(query, contrasts=query.contrasts[:1], treated=query.treated[:1])
    first = str(head).splitlines()[0].partition("  # ")[0]
    lines = [
        f"QUERY     {first}",
        f"NUMBER    {query.sign} = {query.subtraction}, {unit}",
        f"MODEL     {model}",
        f"          {graph!r}",
        f"PROMPTS   {assumed.prompts} of {assumed.tokens} tokens each are assumed, base and source "
        f"differing from token {assumed.first_different} on",
        *report.lines(),
        *report.executor_lines(len(runs)),
        "          nothing was run; cn.run(query, net, pairs) does",
    ]
    if not in_full:  # thousands of rows take as long to write as to plan
        return "\n".join(lines), {}
    result = {
        "query": str(query),
        "model": model,
        "graph": repr(graph),
        "estimator": query.estimator,
        "forwards_by_hooks": len(runs),
        **report.to_json(),
    }
    return "\n".join(lines), result
