"""`causalnet explain`: what a claim file or a query means, would run, and would cost."""

from pathlib import Path
from typing import Any

from causalnet.claims import explain_claims
from causalnet.cli.folding import folded, terminal_width
from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal
from causalnet.errors import TermError

__all__ = ["run_explain"]

_SUFFIXES = (".yaml", ".yml", ".json")
_EXAMPLE = "Write for example causalnet explain 'nie(L20.H0; at=end)'."


def run_explain(
    target: str,
    model: str,
    rows: int,
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
        text, result = _explain_query(target, model, rows)
    elif path.exists() or path.suffix in _SUFFIXES:
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


def _explain_query(text: str, model: str, rows: int) -> tuple[str, dict[str, Any]]:
    from causalnet.graphs import transformer_graph
    from causalnet.interventions import explain_terms, parse_query, runs_of
    from causalnet.models.shapes import shape_of

    graph = transformer_graph(shape_of(model))
    query = parse_query(text, graph)
    terms = explain_terms(query, graph, rows=max(rows, 1))
    runs = runs_of(query.leaves)
    error = f"; {query.error}" if query.error else ""
    unit = query.unit if query.unit.startswith("of ") else f"in {query.unit}"
    first = str(query).splitlines()[0].partition("  # ")[0]
    lines = [
        f"QUERY     {first}",
        f"NUMBER    {query.sign} = {query.subtraction}, {unit}",
        f"MODEL     {model}",
        f"          {graph!r}",
        *terms.lines(),
        f"ESTIMATOR {query.estimator}{error}",
        f"FORWARDS  {len(runs)} on each batch of prompts: one for each world as it is written",
        "          (nothing was run: cn.run(query, net, pairs) does)",
    ]
    result = {
        "query": str(query),
        "model": model,
        "graph": repr(graph),
        "estimator": query.estimator,
        "forwards_per_batch": len(runs),
        **terms.to_json(),
    }
    return "\n".join(lines), result
