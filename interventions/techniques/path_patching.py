"""Path patching in both published conventions, and the step of ACDC.

`receiver-only` (Goldowsky-Dill et al. 2023): what the sender sends to the receivers is that of the
other input, and nothing else changes on the way.

`heads-frozen` (Wang et al. 2023, IOI): the receivers have the values that they get when the sender
is patched, all heads are frozen, and the rest, the MLPs, is recomputed: paths through MLPs count as
direct.

In both, everything after the receivers is recomputed.  Freezing the MLPs as well turns the second
into the first.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import Kind, Mediator
from causalnet.interventions.contrasts import INTERCHANGE, patch
from causalnet.interventions.queries import (
    BASE,
    SOURCE,
    Direction,
    MediatorSet,
    Patched,
    Query,
    Treated,
    effects,
    positions_of,
    rows_of,
    worlds_of,
)
from causalnet.interventions.readouts import ReadOut, kl, logit_diff
from causalnet.interventions.techniques.holding import hold
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import At, Do, Edge, Node, World

__all__ = ["PathConvention", "acdc_step", "path_patch", "without_edge"]

PathConvention: TypeAlias = Literal["receiver-only", "heads-frozen"]


def path_patch(
    senders: Treated | Sequence[Treated],
    receivers: Mediator | Sequence[Mediator],
    *,
    convention: PathConvention = "receiver-only",
    frozen: Sequence[Mediator] = (),
    at: Position | Sequence[Position] = (),
    receiver_at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of what senders send to receivers: patched - unpatched.

    Args:
        senders: One row for each mediator or joint set.
        receivers: Where the paths lead, all at once: queries, keys, values, MLPs, `logits`.
        convention: `receiver-only` or `heads-frozen`; see the text of this module.
        frozen: What is held at its unpatched value; for `heads-frozen` all heads of the network,
            `net.heads()`.
        at: Positions of the senders that are patched.
        receiver_at: For `heads-frozen`, positions of the receivers that are set.
        outcome: The read-out.
        direction: Which input's world is patched.

    Raises:
        TermError: No receiver, a head as a receiver (its query, key or value receives), an unknown
            convention, or `heads-frozen` with nothing frozen.
    """
    ends = (receivers,) if isinstance(receivers, Mediator | str) else tuple(receivers)
    _check(ends, convention, frozen, positions_of(receiver_at))
    below, other = worlds_of(direction)
    rows = []
    for row in rows_of(senders):
        if convention == "receiver-only":
            edges = _edges(row, ends, positions_of(at))
            layer = tuple((edge, At(edge.sender, other)) for edge in edges)
            world: World = Do(hold(below, frozen, below), layer)
        else:
            hidden = patch(hold(below, frozen, below), row.members, INTERCHANGE, other, at)
            set_at = positions_of(receiver_at)
            sites = (Node(receiver.name, set_at) for receiver in ends)
            world = Do(below, tuple((site, At(site.mediator, hidden)) for site in sites))
        rows.append(Patched(row.label, row.members, (world,)))
    names = ", ".join(receiver.name for receiver in ends)
    told = f"{convention}, into {names}"
    return effects("PATH", rows, outcome, at=positions_of(at), direction=direction, convention=told)


def _edges(row: MediatorSet, receivers: Sequence[Mediator], at: tuple[Position, ...]) -> list[Edge]:
    return [
        Edge(sender.name, receiver.name, at) for sender in row.members for receiver in receivers
    ]


def _check(
    receivers: Sequence[Mediator],
    convention: str,
    frozen: Sequence[Mediator],
    receiver_at: tuple[Position, ...],
) -> None:
    if convention not in ("receiver-only", "heads-frozen"):
        raise TermError(
            f"The convention {convention!r}.", "There are 'receiver-only' and 'heads-frozen'."
        )
    named = [receiver for receiver in receivers if not isinstance(receiver, Mediator)]
    if named or not receivers:
        raise TermError(
            f"{named[0]!r} is not a mediator of a graph." if named else "No receiver was given.",
            "Receivers are queries, keys, values, MLPs or the logits.",
            "Write for example net['L20.H0.q'].",
        )
    heads = [receiver for receiver in receivers if receiver.kind is Kind.HEAD]
    if heads:
        raise TermError(
            f"The head {heads[0]} does not read the residual stream itself.",
            "Its query, and the key and value of its group, do.",
            f"Write net['{heads[0]}.q'].",
        )
    if convention == "heads-frozen" and not frozen:
        raise TermError(
            "The convention 'heads-frozen' with nothing frozen.",
            "It holds all heads but the sender at their unpatched values.",
            "Write frozen=net.heads().",
        )
    if convention == "receiver-only" and receiver_at:
        raise TermError(
            f"Positions {', '.join(map(str, receiver_at))} of receivers in 'receiver-only'.",
            "An edge is cut down to positions of its sender.",
            "Write at=...",
        )


def without_edge(kept: World, edge: Edge) -> Do:
    """Return a world with one more edge removed: it carries the value of the source."""
    return Do(kept, ((edge, At(edge.sender, SOURCE)),))


def acdc_step(edges: Sequence[Edge], kept: World = BASE, *, outcome: ReadOut = kl) -> Query:
    """Return what removing each edge adds to the divergence from the base (Conmy et al. 2023).

    One step of ACDC looks at an edge on top of the world in which earlier edges are removed, and
    removes it too where the divergence grows by less than a threshold: `without_edge(kept, edge)`.

    Args:
        edges: One row for each.
        kept: The world after the steps before; the base at first.
        outcome: What is compared; by default KL(base || world).

    Raises:
        TermError: No edge, one twice, or something that is none.

    >>> step = acdc_step([Edge("L0.H1", "logits")])
    >>> print(step.contrasts[0][1])
    kl(<base> + {L0.H1 -> logits := L0.H1 in <source>}) - kl(<base>)
    """
    wrong = [edge for edge in edges if not isinstance(edge, Edge)]
    if wrong:
        raise TermError(
            f"{wrong[0]!r} is not an edge.", "", "Write for example Edge('L9.H6', 'L20.H0.q')."
        )
    rows = [Patched(str(edge), (), (without_edge(kept, edge),)) for edge in edges]
    below = () if kept == BASE else (kept,)
    return effects("ACDC", rows, outcome, below=below)
