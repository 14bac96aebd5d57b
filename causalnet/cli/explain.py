"""`causalnet explain`: what a claim file or a query means, would run, and would cost."""

from pathlib import Path
from typing import Any

from causalnet.claims import explain_claims
from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal

__all__ = ["run_explain"]


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

    What is no file and has a parenthesis is a query.
    """
    if "(" in target and not Path(target).exists():
        text, result = _explain_query(target, model, rows)
    else:
        explanation = explain_claims(Path(target), seed=seed, device=device, dtype=dtype)
        text, result = str(explanation), explanation.to_json()
    terminal.say(text)
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
    lines = [
        f"QUERY     {str(query).splitlines()[0]}",
        f"MODEL     {model}",
        f"          {graph!r}",
        *terms.lines(),
        f"ESTIMATOR {query.estimator}{error}",
        f"FORWARDS  {len(runs)} on each batch of prompts: one for each world as it is written",
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
