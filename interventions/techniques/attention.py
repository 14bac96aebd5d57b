"""Interventions on attention patterns: knock-out, redirect, undifferentiated attention.

All act on the pattern, after the softmax: a knocked-out key's weight becomes 0 and the row is
scaled to sum to 1 again, which is what a score of minus infinity does.  Values are not touched.
"""

from collections.abc import Sequence

from causalnet.errors import TermError
from causalnet.graphs import Kind, Mediator
from causalnet.interventions.queries import (
    Direction,
    Patched,
    Query,
    Treated,
    effects,
    positions_of,
    rows_of,
    worlds_of,
)
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Do, Node, Op, Self

__all__ = ["attention_knockout", "attention_redirect", "undifferentiated_attention"]

Parameters = tuple[tuple[str, str], ...]


def attention_knockout(
    heads: Treated | Sequence[Treated],
    keys: Position | Sequence[Position],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of keeping heads from attending to keys (Geva et al. 2023).

    Args:
        heads: One row for each head (or its pattern) or joint set, such as a window of layers.
        keys: Positions that are not attended to.
        at: Query positions at which they are not.
        outcome: The read-out.
        direction: Which input's world is changed.

    Raises:
        TermError: No key, or a mediator that has no pattern.
    """
    named = _listed(keys)
    told = f"keys {named} masked, the rest renormalised"
    parameters = (("keys", named),)
    return _on_patterns("mask_pattern", parameters, told, heads, at, outcome, direction)


def attention_redirect(
    heads: Treated | Sequence[Treated],
    keys: Position | Sequence[Position],
    *,
    weights: Sequence[float] = (),
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of making heads attend to keys and nothing else (Merullo et al. 2024).

    Args:
        heads: One row for each head (or its pattern) or joint set.
        keys: Positions that get all the attention.
        weights: One for each key, adding up to 1; default equal.
        at: Query positions at which attention is redirected.
        outcome: The read-out.
        direction: Which input's world is changed.

    Raises:
        TermError: No key, weights that do not fit the keys, or a mediator that has no pattern.
    """
    named, count = _listed(keys), len(positions_of(keys))
    parameters: Parameters = (("keys", named),)
    if weights:
        if len(weights) != count or min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
            raise TermError(
                f"The weights {tuple(weights)} of {count} keys.",
                "There is one for each key, none is negative, and they add up to 1.",
            )
        parameters += (("weights", ",".join(repr(float(weight)) for weight in weights)),)
    told = f"all attention on {named}"
    return _on_patterns("redirect", parameters, told, heads, at, outcome, direction)


def undifferentiated_attention(
    heads: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of equal attention on every visible position (Zhou et al. 2025).

    It is the limit of scaling queries or keys to nothing.

    Args:
        heads: One row for each head (or its pattern) or joint set.
        at: Query positions at which attention is made equal.
        outcome: The read-out.
        direction: Which input's world is changed.

    Raises:
        TermError: A mediator that has no pattern.
    """
    told = "attention equal on every visible position"
    return _on_patterns("uniform_pattern", (), told, heads, at, outcome, direction)


def _listed(keys: Position | Sequence[Position]) -> str:
    named = positions_of(keys)
    if not named:
        raise TermError("No key was given.", "", "Write for example keys='S2'.")
    return ",".join(map(str, named))


def _pattern(head: Mediator) -> str:
    if head.kind is Kind.HEAD:
        return f"{head.name}.pattern"
    if head.kind is Kind.PATTERN:
        return head.name
    raise TermError(
        f"{head} is a {head.kind.value} and has no attention pattern.",
        "Heads have.",
        "Write for example net['L9.H6'].",
    )


def _on_patterns(
    operation: str,
    parameters: Parameters,
    told: str,
    heads: Treated | Sequence[Treated],
    at: Position | Sequence[Position],
    outcome: ReadOut,
    direction: Direction,
) -> Query:
    positions, below = positions_of(at), worlds_of(direction)[0]
    value = Op(operation, (Self(),), parameters)
    rows = []
    for row in rows_of(heads):
        sites = (Node(_pattern(head), positions) for head in row.members)
        rows.append(Patched(row.label, row.members, (Do(below, tuple((s, value) for s in sites)),)))
    return effects("AE", rows, outcome, at=positions, direction=direction, convention=told)
