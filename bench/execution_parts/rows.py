"""The rows of the table: every world as a term, and as patches for the baselines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Literal, TypeAlias

from torch import Tensor

from causalnet.execute import Bindings
from causalnet.graphs import Mediator
from causalnet.interventions import (
    Base,
    Contrast,
    Leaf,
    Query,
    Read,
    Scalar,
    joint,
    logit_diff,
    nie,
    path_patch,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs
from execution_parts.by_hand import Patch, Send, Set

__all__ = [
    "ROWS",
    "Case",
    "Goal",
    "Row",
    "Setting",
    "heads_at_end",
    "leaves_of",
    "most_important",
]

BASE = Base("base")

Kind: TypeAlias = Literal["worlds", "attribution", "screening", "planning"]


@dataclass(frozen=True)
class Setting:
    """What every row is measured on.

    Attributes:
        net: The lifted network.
        pairs: Prompt pairs, all of one length.
        largest: The heads with the largest effects at the last token; for one row only.
    """

    net: LiftedNetwork
    pairs: PromptPairs
    largest: tuple[str, ...] = ()

    @property
    def bindings(self) -> Bindings:
        """The pairs as executors take them."""
        return Bindings.of(self.pairs)

    @property
    def tokens(self) -> int:
        """The length of every prompt."""
        return self.pairs.base.lengths[0]

    @property
    def receiver_layer(self) -> int:
        """Layer 20 of 30; two thirds up in other networks."""
        return 2 * self.net.n_layers // 3


@dataclass(frozen=True)
class Case:
    """One world of a row.

    Attributes:
        label: The row of the query.
        read: The read-out in the patched world.
        patches: The same world for the baselines, written out independently.
    """

    label: str
    read: Read
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class Goal:
    """What a row should cost at most, in the row's unit."""

    reach: float
    stretch: float


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: How it is asked for.
        title: What is computed.
        cases: Its worlds.
        goals: By the number of pairs; CPU seconds for planning, else forward-equivalents.
        kind: How it is measured.
        peer: The best figure measured of another library on 8 pairs.
        at_least: How many times cheaper than `resume` it should be; None where nothing is asked.
        needs_largest: Whether its worlds depend on the largest effects.
    """

    name: str
    title: str
    cases: Callable[[Setting], list[Case]]
    goals: Mapping[int, Goal]
    kind: Kind = "worlds"
    peer: float | None = None
    at_least: float | None = None
    needs_largest: bool = False


def leaves_of(cases: Sequence[Case]) -> list[Leaf]:
    """Return what an executor is asked for: the unpatched read-out and every patched one."""
    return [Read(logit_diff, BASE), *(case.read for case in cases)]


def _cases(query: Query, patches: Callable[[str], Sequence[Patch]], suffix: str = "") -> list[Case]:
    """Return a query's rows as cases, each with the patches of its label."""
    found = []
    for label, scalar in query.contrasts:
        found.append(Case(f"{label}{suffix}", _patched_read(scalar), tuple(patches(label))))
    return found


def _patched_read(scalar: Scalar) -> Read:
    """Return the read-out in the patched world of patched - unpatched."""
    if not isinstance(scalar, Contrast) or not isinstance(scalar.terms[0][1], Read):
        raise TypeError(f"{scalar} is not patched - unpatched.")
    return scalar.terms[0][1]


def _set(label: str, at: tuple[int, ...] = ()) -> tuple[Patch, ...]:
    """Return the patches of a mediator, or of several with `and` between them."""
    return tuple(Set(name, at) for name in label.split(" and "))


def _send(receiver: str, label: str, at: tuple[int, ...] = ()) -> tuple[Patch, ...]:
    return (Send(label, receiver, at),)


def heads_everywhere(setting: Setting) -> list[Case]:
    return _cases(nie(setting.net.heads()), _set)


def heads_at_end(setting: Setting) -> list[Case]:
    last = (setting.tokens - 1,)
    return _cases(nie(setting.net.heads(), at="end"), partial(_set, at=last))


def heads_by_position(setting: Setting) -> list[Case]:
    return _by_position(setting, setting.net.heads())


def stream_by_position(setting: Setting) -> list[Case]:
    net = setting.net
    return _by_position(setting, [net[f"L{layer}.resid_pre"] for layer in range(net.n_layers)])


def _by_position(setting: Setting, mediators: Sequence[Mediator]) -> list[Case]:
    found = []
    for position in range(setting.tokens):
        query = nie(mediators, at=position)
        found += _cases(query, partial(_set, at=(position,)), f"[{position}]")
    return found


def senders_to_query(setting: Setting) -> list[Case]:
    net, last = setting.net, (setting.tokens - 1,)
    receiver = net[f"L{setting.receiver_layer}.H0.q"]
    senders = [head for layer in range(setting.receiver_layer) for head in net.heads(layer)]
    query = path_patch(senders, receiver, at="end")
    return _cases(query, partial(_send, receiver.name, at=last))


def singles_and_pairs(setting: Setting) -> list[Case]:
    net, last = setting.net, (setting.tokens - 1,)
    chosen = [*((name,) for name in setting.largest), *combinations(setting.largest, 2)]
    sets = [joint(" and ".join(names), *(net[name] for name in names)) for names in chosen]
    return _cases(nie(sets, at="end"), partial(_set, at=last))


def direct_to_logits(setting: Setting) -> list[Case]:
    net = setting.net
    query = path_patch(net.heads(), net["logits"])
    return _cases(query, partial(_send, "logits"))


def edges_into_layer(setting: Setting) -> list[Case]:
    """Every edge into the queries, keys, values and the MLP of one layer."""
    return _edges(setting, f"L{setting.receiver_layer}.")


def every_edge(setting: Setting) -> list[Case]:
    """Every edge of the stream."""
    return _edges(setting, "")


def _edges(setting: Setting, into: str) -> list[Case]:
    net, by_receiver = setting.net, dict[str, list[Mediator]]()
    for sender, receiver in net.graph.edges():
        if receiver.startswith(into):
            by_receiver.setdefault(receiver, []).append(net[sender])
    found = []
    for receiver, senders in by_receiver.items():
        query = path_patch(senders, net[receiver])
        found += _cases(query, partial(_send, receiver), f" -> {receiver}")
    return found


def most_important(values: Mapping[Leaf, Tensor], cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the heads with the 24 largest mean effects, largest first.

    Args:
        values: What an executor found for the cases, [n] each.
        cases: One for each head.
    """
    base = values[Read(logit_diff, BASE)]
    sizes = {case.label: abs(float((values[case.read] - base).mean())) for case in cases}
    return tuple(sorted(sizes, key=lambda label: (-sizes[label], label))[:24])


# For 8 pairs of 16 tokens, and for 16 pairs of 14: figures of a plan's worlds alone plus 1.6 for
# the passes over base and source.
ROWS = (
    Row(
        "heads",
        "all heads, all positions",
        heads_everywhere,
        {8: Goal(34, 28), 16: Goal(41.6, 32.6)},
        peer=212,
        at_least=3.5,
    ),
    Row(
        "heads_end",
        "all heads, END only",
        heads_at_end,
        {8: Goal(8, 6.5), 16: Goal(9.1, 7.7)},
        peer=212,
        at_least=4,
    ),
    Row(
        "cells",
        "heads x positions",
        heads_by_position,
        {8: Goal(100, 85), 16: Goal(116.6, 91.6)},
        peer=3990,
        at_least=4,
    ),
    Row(
        "stream",
        "residual layer x position",
        stream_by_position,
        {8: Goal(16, 12)},
        peer=454,
    ),
    Row(
        "senders",
        "senders -> q of one head, END",
        senders_to_query,
        {8: Goal(4, 3.4), 16: Goal(4.6, 3.6)},
        peer=172,
        at_least=4,
    ),
    Row(
        "pairs",
        "singles and pairs of 24 heads, END",
        singles_and_pairs,
        {8: Goal(5, 3.5), 16: Goal(5.6, 4.1)},
        peer=300,
        at_least=4,
        needs_largest=True,
    ),
    Row(
        "direct",
        "direct path of all heads to logits",
        direct_to_logits,
        {8: Goal(1.8, 1.3), 16: Goal(1.7, 1.65)},
        peer=270,
    ),
    Row(
        "eap",
        "EAP, every edge",
        every_edge,
        {8: Goal(6.6, 5)},
        kind="attribution",
        peer=51,
    ),
    Row(
        "edges",
        "exact effect of every edge into a layer",
        edges_into_layer,
        {8: Goal(340, 285)},
    ),
    Row(
        "screen",
        "all heads END, screened, top 40 verified",
        heads_at_end,
        {8: Goal(4, 3), 16: Goal(5.6, 4.6)},
        kind="screening",
    ),
    Row(
        "planner",
        "planner alone, 4,000 heads x positions",
        heads_by_position,
        {8: Goal(0.5, 0.1), 16: Goal(0.3, 0.05)},
        kind="planning",
    ),
)
