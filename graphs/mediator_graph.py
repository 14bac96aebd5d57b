"""The mediator graph: typed nodes, slots, and implicit edges.

A network is a deterministic causal model: every node is a function of its slots.  In a residual
network a receiver's slot is the sum of all earlier writers, so the edges into it are a prefix of
one ordered list of writers.  Edges are kept as that prefix, never as a list, so that graphs of
neurons and positions stay possible.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.names import canonical, nearest
from causalnet.graphs.shape import TransformerShape

__all__ = ["Axis", "MediatorGraph", "Merge", "Node", "Role", "Slot"]


class Role(StrEnum):
    """How a value depends on its parents along an axis."""

    BATCH = "batch"
    CAUSAL = "causal"  # the value at p depends on its parents at positions up to p only
    FREE = "free"


class Merge(StrEnum):
    """How the parents of a slot make one value."""

    SUM = "sum"
    PLAIN = "plain"


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
        parents: Named parents of a plain slot.
        writers_before: For a sum, the length of the prefix of the graph's writers that enters.
    """

    name: str
    merge: Merge
    parents: tuple[str, ...] = ()
    writers_before: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A mediator with the axes of its value and the slots of its mechanism."""

    mediator: Mediator
    axes: tuple[Axis, ...]
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class MediatorGraph:
    """An immutable typed graph of mediators in topological order.

    Attributes:
        shape: The sizes of the network.
        nodes: Every node, parents first.
        writers: Names of the nodes that write into the residual stream, in order.
        cuts: Names of the residual cuts and how many writers lie before each.
    """

    shape: TransformerShape
    nodes: tuple[Node, ...]
    writers: tuple[str, ...]
    cuts: tuple[tuple[str, int], ...]
    _index: Mapping[str, Node] = field(init=False, repr=False, compare=False, hash=False)
    _cut: Mapping[str, int] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        """Index the nodes by name."""
        object.__setattr__(self, "_index", {node.mediator.name: node for node in self.nodes})
        object.__setattr__(self, "_cut", dict(self.cuts))

    def __repr__(self) -> str:
        """Return one line."""
        shape = self.shape
        sharing = f", {shape.kv_heads} K/V groups" if shape.shares_keys else ""
        return (
            f"MediatorGraph({shape.layers} layers x {shape.heads} heads{sharing}, "
            f"{len(self.nodes)} nodes, {self.count_edges()} residual edges)"
        )

    def find(self, name: str | Mediator) -> Mediator:
        """Return the mediator of a name; other libraries' spellings are understood.

        Raises:
            UnknownMediatorError: No such mediator (nearest names are given), or a key or value
                asked of a head that shares it (the group is named).
        """
        wanted = canonical(str(name))
        if wanted in self._index:
            return self._index[wanted].mediator
        if wanted in self._cut:
            return Mediator(wanted, Kind.RESIDUAL, int(wanted[1:].split(".")[0]))
        raise self._unknown(wanted)

    def _unknown(self, name: str) -> UnknownMediatorError:
        shape = self.shape
        parts = name.split(".")
        head = parts[1][1:] if len(parts) == 3 and parts[1].startswith("H") else ""
        shared = head.isdigit() and parts[2] in ("k", "v")
        if shared and f"{parts[0]}.{parts[1]}" in self._index:
            group, size = shape.group_of(int(head)), shape.heads_per_group
            names = ", ".join(f"H{h}" for h in range(group * size, (group + 1) * size))
            return UnknownMediatorError(
                f"Unknown mediator {name!r}.",
                f"{names} of layer {parts[0][1:]} share keys and values, which belong to their "
                "K/V group.",
                f"Write '{parts[0]}.KV{group}.{parts[2]}'.",
            )
        close = nearest(name, self.names())
        suggestion = f"Nearest: {', '.join(map(repr, close))}." if close else ""
        return UnknownMediatorError(
            f"Unknown mediator {name!r}.",
            f"Layers are 0..{shape.layers - 1}, heads 0..{shape.heads - 1}, "
            f"K/V groups 0..{shape.kv_heads - 1}. {suggestion}".rstrip(),
            "List them with net.heads(layer=...), net.mlps() or net.graph.names().",
        )

    def names(self) -> tuple[str, ...]:
        """Return every name that `find` accepts, nodes first, then residual cuts."""
        return (*self._index, *self._cut)

    def node(self, name: str | Mediator) -> Node:
        """Return the node of a name; a residual cut is not a node.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: A residual cut.
        """
        mediator = self.find(name)
        if mediator.kind is Kind.RESIDUAL:
            raise TermError(
                f"{mediator.name!r} is a cut of the residual stream, not a node.",
                "It stands for all earlier writers into all later receivers.",
            )
        return self._index[mediator.name]

    def heads(self, layer: int | None = None) -> tuple[Mediator, ...]:
        """Return all heads, or those of one layer, in order.

        Raises:
            UnknownMediatorError: A layer that is not there.
        """
        return self._of_kind(Kind.HEAD, layer)

    def mlps(self, layer: int | None = None) -> tuple[Mediator, ...]:
        """Return all MLPs, or that of one layer, in order.

        Raises:
            UnknownMediatorError: A layer that is not there.
        """
        return self._of_kind(Kind.MLP, layer)

    def _of_kind(self, kind: Kind, layer: int | None) -> tuple[Mediator, ...]:
        if layer is not None and not 0 <= layer < self.shape.layers:
            raise UnknownMediatorError(
                f"No layer {layer}.", f"Layers are 0..{self.shape.layers - 1}."
            )
        return tuple(
            node.mediator
            for node in self.nodes
            if node.mediator.kind is kind and layer in (None, node.mediator.layer)
        )

    def writers_before(self, name: str | Mediator) -> tuple[str, ...]:
        """Return the writers whose sum a receiver or a residual cut reads.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        mediator = self.find(name)
        if mediator.kind is Kind.RESIDUAL:
            return self.writers[: self._cut[mediator.name]]
        before = [slot.writers_before for slot in self._index[mediator.name].slots]
        return self.writers[: max(before, default=0)]

    def parents(self, name: str | Mediator) -> tuple[str, ...]:
        """Return the direct parents of a node, slot by slot.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        found: dict[str, None] = {}
        for slot in self.node(name).slots:
            names = (
                slot.parents if slot.merge is Merge.PLAIN else self.writers[: slot.writers_before]
            )
            found.update(dict.fromkeys(names))
        return tuple(found)

    def ancestors(self, name: str | Mediator) -> frozenset[str]:
        """Return the node and all its ancestors, in time linear in their number.

        Those of a residual cut are the writers before it and their ancestors; cuts are not nodes
        and are never among them.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        mediator = self.find(name)
        seen: set[str] = set()
        entered = 0  # writers[:entered] are on the stack or done
        stack: list[str] = [mediator.name]
        if mediator.kind is Kind.RESIDUAL:
            entered = self._cut[mediator.name]
            stack = list(self.writers[:entered])
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            for slot in self._index[current].slots:
                stack.extend(slot.parents)
                stack.extend(self.writers[entered : slot.writers_before])
                entered = max(entered, slot.writers_before)
        return frozenset(seen)

    def is_ancestor(self, earlier: str | Mediator, later: str | Mediator) -> bool:
        """Return whether a directed path leads from one mediator to another, or they are equal.

        From a residual cut a path leads through a receiver that reads past it; into a cut, through
        a writer before it.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        start, end = self.find(earlier), self.find(later)
        if start == end:
            return True
        if start.kind is not Kind.RESIDUAL:
            return start.name in self.ancestors(end)
        # A cut acts on the receivers after it: some receiver on the way to `end` must read past it.
        before = self._cut[start.name]
        if end.kind is Kind.RESIDUAL:
            return before <= self._cut[end.name]
        reads = (self._index[name].slots for name in self.ancestors(end))
        return any(slot.writers_before >= before for slots in reads for slot in slots)

    def count_edges(self) -> int:
        """Return the number of edges from writers into receivers, without making them."""
        return sum(
            slot.writers_before
            for node in self.nodes
            for slot in node.slots
            if slot.merge is Merge.SUM
        )

    def edges(self, at_most: int = 100_000) -> tuple[tuple[str, str], ...]:
        """Return the residual edges (writer, receiver), which are otherwise implicit.

        Raises:
            TermError: More edges than `at_most`.
        """
        count = self.count_edges()
        if count > at_most:
            raise TermError(
                f"The graph has {count} residual edges.",
                f"At most {at_most} are listed.",
                f"Write edges(at_most={count}).",
            )
        return tuple(islice(self._edges(), count))

    def _edges(self) -> Iterator[tuple[str, str]]:
        for node in self.nodes:
            for slot in node.slots:
                for writer in self.writers[: slot.writers_before]:
                    yield writer, node.mediator.name

    def fingerprint(self) -> str:
        """Return a sha256 of the graph's content; equal graphs have equal fingerprints."""
        content = repr((self.shape, self.nodes, self.writers, self.cuts))
        return hashlib.sha256(content.encode()).hexdigest()
