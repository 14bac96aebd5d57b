"""What a mediator graph is made of: nodes with typed values, slots, streams and cuts."""

from dataclasses import dataclass
from enum import StrEnum

from causalnet.graphs.mediators import Mediator

__all__ = ["Axis", "Cut", "MediatorEdge", "Merge", "Node", "Regime", "Role", "Slot", "Stream"]


class Role(StrEnum):
    """How a value depends on its parents along an axis."""

    BATCH = "batch"
    CAUSAL = "causal"  # the value at p depends on its parents at positions up to p only
    POSITION = "position"  # there are positions, and the value at p may depend on all of them
    FREE = "free"


class Merge(StrEnum):
    """How the parents of a slot make one value."""

    SUM = "sum"
    CONCAT = "concat"
    PLAIN = "plain"


class Regime(StrEnum):
    """What becomes of a value in a world that changes what it is computed from."""

    RECOMPUTED = "recomputed"
    FROZEN = "frozen"  # at its value in the base world


@dataclass(frozen=True, slots=True)
class Axis:
    """One named axis of a node's value; `size` is None where the prompts decide it."""

    name: str
    role: Role
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of a mechanism.

    Attributes:
        name: What the mechanism calls it: `resid`, `q`, `k`.
        merge: How its parents become one value.
        parents: Named parents, in order; a plain slot has one.
        stream: For a sum over a stream, the stream's name; such a slot has no named parents.
        writers_before: For a sum over a stream, the length of the prefix of the stream's writers
            that enters.
        owner: The node whose slot this is, where a node reads what another node reads: a norm scale
            reads its receiver's slot, so that an edge into the receiver reaches both.  Empty for a
            slot of the node's own.
        pointwise: Axes along which the value at an index depends on this slot there only, besides
            those of the whole node: an attention pattern reads `q` at its own position and `k` at
            all positions up to it.
    """

    name: str
    merge: Merge
    parents: tuple[str, ...] = ()
    stream: str = ""
    writers_before: int = 0
    owner: str = ""
    pointwise: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A mediator with the type of its value, the slots of its mechanism and what is known of it.

    Attributes:
        mediator: Its name and kind.
        axes: The axes of its value.
        slots: The inputs of its mechanism; a node without slots is an input (or noise).
        linear_in: Slots in which the mechanism is affine, the other slots held.
        additive: Slots of which the mechanism is a sum of one function of each.
        pointwise: Axes along which the value at an index depends on its parents there only.
        pure: Whether the value is a function of the slots alone.
        regimes: What a query must choose from for this node; empty where a world that does not
            mention the node recomputes it.  The reconstruction error of a feature dictionary is
            recomputed or frozen, and neither goes without saying.
    """

    mediator: Mediator
    axes: tuple[Axis, ...] = ()
    slots: tuple[Slot, ...] = ()
    linear_in: tuple[str, ...] = ()
    additive: tuple[str, ...] = ()
    pointwise: tuple[str, ...] = ()
    pure: bool = True
    regimes: tuple[Regime, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An ordered list of writers whose running sum receivers read: the residual stream."""

    name: str
    writers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A named point of a stream: the sum of the writers before it, for every receiver after it.

    Attributes:
        name: `L9.resid_pre`.
        stream: The stream's name.
        writers_before: How many writers lie before it.  Two cuts with the same number are one
            place under two names.
    """

    name: str
    stream: str
    writers_before: int


@dataclass(frozen=True, slots=True)
class MediatorEdge:
    """An edge of the graph: a sender, and the slots of a receiver that it enters.

    >>> from causalnet.graphs import plain_graph
    >>> str(plain_graph({"X": (), "Y": ("X",)}).edge("X", "Y"))
    'X -> Y'
    """

    sender: Mediator
    receiver: Mediator
    slots: tuple[Slot, ...]

    def __str__(self) -> str:
        """Return it as it is written in a query."""
        return f"{self.sender} -> {self.receiver}"
