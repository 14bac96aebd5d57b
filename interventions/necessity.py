"""Probabilities of causation: necessity, sufficiency, and both (Pearl 1999; 2009, ch. 9).

The event is that the outcome is positive: `accuracy` is 1, or the answer's logit is above the
foil's.  The treatment is the base input, under which the behaviour is expected, and the control is
the source input; with mediators, only these carry treatment and control, and the rest of the
network stays on the input that was observed.

| name | definition, E(w) the event in world w | with mediators M |
|---|---|---|
| PN | P(not E(control), given E(treated)) | P(not E(treated, M := M(control)), given E(treated)) |
| PS | P(E(treated), given not E(control)) | P(E(control, M := M(treated)), given not E(control)) |
| PNS | P(E(treated) and not E(control)) | P(E(treated) and not E(treated, M := M(control))) |

Each is a proportion over prompts.  Where there is exogenous noise, treated and control share it if
and only if they carry one noise key (twin networks, Balke and Pearl 1994); give them as
`Base("base", "u")` and `Base("source", "u")`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.contrasts import INTERCHANGE, patch
from causalnet.interventions.queries import (
    BASE,
    SOURCE,
    Direction,
    Query,
    Treated,
    positions_of,
    rows_of,
)
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.scalars import Apply, Read, Scalar
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import World

__all__ = ["Twins", "event", "pn", "pns", "ps"]


@dataclass(frozen=True, slots=True)
class Twins:
    """The two worlds that are compared for one unit.

    Attributes:
        treated: Where the behaviour is expected.
        control: Where it is not.
    """

    treated: World = BASE
    control: World = SOURCE


def event(outcome: ReadOut, world: World) -> Apply:
    """Return 1 for prompts whose outcome in a world is above 0, else 0.

    >>> print(event(logit_diff, BASE))
    positive(logit_difference(<base>))
    """
    return Apply("positive", (Read(outcome, world),))


def pn(
    mediators: Treated | Sequence[Treated] = (),
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    twins: Twins = Twins(),
) -> Query:
    """Return probabilities of necessity: would the behaviour go without the treatment?

    Args:
        mediators: What carries treatment and control; none means the whole input.
        at: Positions at which mediators are set.
        outcome: The read-out whose sign is the event.
        twins: The worlds of treatment and control, with their noise keys.
    """
    rows = _counterfactuals(mediators, twins.treated, twins.control, at)
    lost = [(row, members, _no(event(outcome, world))) for row, members, world in rows]
    given = event(outcome, twins.treated)
    return _query("PN", lost, given, at, outcome, twins.treated, "noising")


def ps(
    mediators: Treated | Sequence[Treated] = (),
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    twins: Twins = Twins(),
) -> Query:
    """Return probabilities of sufficiency: would the treatment bring the behaviour about?

    Args:
        mediators: What carries treatment and control; none means the whole input.
        at: Positions at which mediators are set.
        outcome: The read-out whose sign is the event.
        twins: The worlds of treatment and control, with their noise keys.
    """
    rows = _counterfactuals(mediators, twins.control, twins.treated, at)
    gained = [(row, members, event(outcome, world)) for row, members, world in rows]
    given = _no(event(outcome, twins.control))
    return _query("PS", gained, given, at, outcome, twins.control, "denoising")


def pns(
    mediators: Treated | Sequence[Treated] = (),
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    twins: Twins = Twins(),
    direction: Direction = "noising",
) -> Query:
    """Return probabilities of necessity and sufficiency: with the treatment, and only with it.

    Args:
        mediators: What carries treatment and control; none means the whole input.
        at: Positions at which mediators are set.
        outcome: The read-out whose sign is the event.
        twins: The worlds of treatment and control, with their noise keys.
        direction: Where mediators carry the treatment, whether the rest of the network is that of
            the treated (noising) or of the control (denoising).
    """
    treated, control = twins.treated, twins.control
    scalars: list[tuple[str, tuple[Mediator, ...], Scalar]] = []
    if direction == "noising":
        for row, members, world in _counterfactuals(mediators, treated, control, at):
            both = (event(outcome, treated), _no(event(outcome, world)))
            scalars.append((row, members, Apply("and", both)))
    else:
        for row, members, world in _counterfactuals(mediators, control, treated, at):
            both = (event(outcome, world), _no(event(outcome, control)))
            scalars.append((row, members, Apply("and", both)))
    below = treated if direction == "noising" else control
    return _query("PNS", scalars, None, at, outcome, below, direction)


def _no(scalar: Scalar) -> Apply:
    return Apply("not", (scalar,))


def _counterfactuals(
    mediators: Treated | Sequence[Treated],
    observed: World,
    other: World,
    at: Position | Sequence[Position],
) -> list[tuple[str, tuple[Mediator, ...], World]]:
    """Return, row by row, the observed world with its mediators as in the other world."""
    if isinstance(mediators, Sequence) and not isinstance(mediators, str) and not mediators:
        if positions_of(at):
            raise TermError("Positions without mediators.", "", "Name the mediators that are set.")
        return [("input", (), other)]
    return [
        (row.label, row.members, patch(observed, row.members, INTERCHANGE, other, at))
        for row in rows_of(mediators)
    ]


def _query(
    estimand: str,
    rows: Sequence[tuple[str, tuple[Mediator, ...], Scalar]],
    given: Scalar | None,
    at: Position | Sequence[Position],
    outcome: ReadOut,
    below: World,
    direction: Direction,
) -> Query:
    return Query(
        estimand,
        tuple((label, scalar) for label, _, scalar in rows),
        tuple(members for _, members, _ in rows),
        outcome,
        positions_of(at),
        INTERCHANGE if any(members for _, members, _ in rows) else None,
        direction,
        given=given,
        below=() if below in (BASE, SOURCE) else (below,),
    )
