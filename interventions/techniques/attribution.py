"""Attribution patching: first orders of patch effects, at nodes and edges, and along paths.

| name | what is averaged | source |
|---|---|---|
| AtP | the derivative in the base world | Nanda 2023; Kramár et al. 2024 |
| EAP | the same, at edges | Syed et al. 2024 |
| EAP-IG, inputs | derivatives with the inputs on the way from base to source | Hanna et al. 2024 |
| IG, activations | derivatives with the site itself on that way | Sundararajan et al. 2017 |

Every derivative is taken along (value in the other world) - (value in the patched world), so rows
estimate patched - unpatched, with the sign of the exact effect.  None is exact: each query names
its estimator and says what is known of its error.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.contrasts import INTERCHANGE
from causalnet.interventions.queries import (
    Direction,
    MediatorSet,
    Query,
    Treated,
    positions_of,
    rows_of,
    worlds_of,
)
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.scalars import Contrast, Grad, Read
from causalnet.interventions.techniques.measured import on_trial
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import At, Do, Edge, Node, Op, Site, World

__all__ = ["attribution_patch", "integrated_gradients"]

Attributed: TypeAlias = Treated | Edge
Along: TypeAlias = Literal["inputs", "activations"]
Rule: TypeAlias = Literal["midpoint", "right"]
Row: TypeAlias = tuple[str, tuple[Mediator, ...], tuple[Site, ...]]

_FIRST_ORDER = (
    "exact where the outcome is linear in the site along the patch, otherwise unbounded, and large "
    "where attention is saturated; compare a random subset with exact effects; " + on_trial("eap")
)
_ALONG_INPUTS = (
    "first order in the site, averaged along the inputs' path; for the inputs themselves the rows "
    "add up to the total effect as steps grow; " + on_trial("eap_ig_inputs")
)
_ALONG_ACTIVATIONS = (
    "tends to the exact effect as steps grow; the midpoint rule errs by the square of the step "
    "where the outcome is smooth"
)


def attribution_patch(
    sites: Attributed | Sequence[Attributed],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return first orders of patch effects: of mediators (AtP), or of edges (EAP).

    Args:
        sites: One row for each mediator, joint set or edge.
        at: Positions at which mediators are patched; edges carry their own.
        outcome: The read-out.
        direction: Which input's world is patched.

    Raises:
        TermError: No site, or something that is neither a mediator nor an edge.

    >>> print(attribution_patch(Edge("L0.H1", "logits")).contrasts[0][1])
    grad(logit_difference(<base>); L0.H1 -> logits; subtract(L0.H1 in <source>, L0.H1 in <base>))
    """
    below, other = worlds_of(direction)
    rows, read = _rows(sites, positions_of(at)), Read(outcome, below)
    contrasts = [
        (label, _summed([(1.0, Grad(read, site, _move(site, below, other))) for site in parts]))
        for label, _, parts in rows
    ]
    return replace(
        _query("ATP", rows, contrasts, outcome, at, direction),
        estimator="attribution patching (first order)",
        error=_FIRST_ORDER,
    )


def integrated_gradients(
    sites: Attributed | Sequence[Attributed],
    *,
    along: Along = "inputs",
    steps: int = 5,
    rule: Rule = "midpoint",
    inputs: Sequence[str] = ("embed",),
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return path integrals of first orders of patch effects (EAP-IG for edges).

    Args:
        sites: One row for each mediator, joint set or edge.
        along: What goes from the patched world's value to the other's: the `inputs`, or the
            `activations` at the row's own sites, all together.
        steps: Number of points on the way.
        rule: Points (j - 1/2)/steps (`midpoint`) or j/steps (`right`, as first published).
        inputs: The nodes that are interpolated with `inputs`.
        at: Positions at which mediators are patched; edges carry their own.
        outcome: The read-out.
        direction: Which input's world is patched.

    Raises:
        TermError: No step, an unknown path or rule, no site, or something that is neither a
            mediator nor an edge.
    """
    if steps < 1 or along not in ("inputs", "activations") or rule not in ("midpoint", "right"):
        raise TermError(
            f"{steps} steps along {along!r} by the rule {rule!r}.",
            "At least one step, along 'inputs' or 'activations', by 'midpoint' or 'right'.",
        )
    below, other = worlds_of(direction)
    shift = 0.5 if rule == "midpoint" else 0.0
    factors = [(step - shift) / steps for step in range(1, steps + 1)]
    rows = _rows(sites, positions_of(at))
    over_inputs = tuple(Node(name) for name in inputs)
    shared = [_between(below, other, over_inputs, factor) for factor in factors]
    contrasts = []
    for label, _, parts in rows:
        own = along == "activations"
        worlds = [_between(below, other, parts, factor) for factor in factors] if own else shared
        moves = [(site, _move(site, below, other)) for site in parts]
        terms = [
            (1 / steps, Grad(Read(outcome, world), site, move))
            for world in worlds
            for site, move in moves
        ]
        contrasts.append((label, _summed(terms)))
    return replace(
        _query("IG", rows, contrasts, outcome, at, direction),
        estimator=f"integrated gradients along {along}, {steps} steps, {rule} rule",
        error=_ALONG_INPUTS if along == "inputs" else _ALONG_ACTIVATIONS,
    )


def _rows(sites: Attributed | Sequence[Attributed], at: tuple[Position, ...]) -> list[Row]:
    """Return label, mediators and sites of each row."""
    listed = (sites,) if isinstance(sites, Mediator | MediatorSet | Edge | str) else tuple(sites)
    made: list[Row] = []
    for each in listed:
        if isinstance(each, Edge):
            made.append((str(each), (), (each,)))
        else:
            [row] = rows_of(each)
            nodes = tuple(Node(INTERCHANGE.site(member), at) for member in row.members)
            made.append((row.label, row.members, nodes))
    if not made or len({label for label, _, _ in made}) != len(made):
        raise TermError(f"{len(made)} rows.", "There is at least one, and their labels differ.")
    return made


def _move(site: Site, below: World, other: World) -> Op:
    """Return the difference of what goes through a site in two worlds."""
    return Op("subtract", (At(site.read_from, other), At(site.read_from, below)))


def _between(below: World, other: World, sites: Sequence[Site], factor: float) -> Do:
    """Return the world whose sites are on the way from one world's values to another's."""
    parameters = (("factor", factor),)
    return Do(
        below,
        tuple(
            (site, Op("lerp", (At(site.read_from, below), At(site.read_from, other)), parameters))
            for site in sites
        ),
    )


def _summed(terms: Sequence[tuple[float, Grad]]) -> Contrast | Grad:
    return terms[0][1] if len(terms) == 1 else Contrast(tuple(terms))


def _query(
    estimand: str,
    rows: Sequence[Row],
    contrasts: Sequence[tuple[str, Contrast | Grad]],
    outcome: ReadOut,
    at: Position | Sequence[Position],
    direction: Direction,
) -> Query:
    return Query(
        estimand,
        tuple(contrasts),
        tuple(members for _, members, _ in rows),
        outcome,
        positions_of(at),
        INTERCHANGE,
        direction,
    )
