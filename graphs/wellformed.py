"""What makes nodes, streams and cuts a graph: names that differ, and parents that come first."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from causalnet.errors import GraphError
from causalnet.graphs.arguments import check_type, listed, quoted
from causalnet.graphs.nodes import Cut, Merge, Node, Slot, Stream

__all__ = ["all_of", "check_graph", "check_size"]

_MOST_NODES = 10_000_000  # about a kilobyte each

T = TypeVar("T")


def all_of(parts: Iterable[T], kind: type[T]) -> tuple[T, ...]:
    """Return parts as a tuple, all of one type.

    Raises:
        ParameterError: Something else among them.
    """
    write = f"Write ({kind.__name__}(...),), or () for none."
    found = listed(parts, f"{kind.__name__.lower()}s", write)
    for part in found:
        check_type(part, kind, write)
    return found


def check_graph(
    nodes: Sequence[Node],
    streams: Sequence[Stream],
    cuts: Sequence[Cut],
    order: Mapping[str, int],
) -> None:
    """Refuse what is not a graph in topological order, in time linear in nodes and slots.

    Args:
        nodes: The nodes.
        streams: The streams.
        cuts: The cuts.
        order: Each node's place, by name.

    Raises:
        GraphError: A name twice, a parent that does not come before its child, a slot that is both
            named parents and a stream, a property of a slot that is not there, writers of a stream
            that are not in order, or a cut that is not one.
    """
    _check_names([*(node.mediator.name for node in nodes), *(cut.name for cut in cuts)])
    _check_names([stream.name for stream in streams])
    ranks = {stream.name: [order.get(name, -1) for name in stream.writers] for stream in streams}
    for name, entered in ranks.items():
        if -1 in entered or any(b <= a for a, b in pairwise(entered)):
            raise GraphError(
                f"The writers of stream {name!r} are not distinct nodes in the graph's order."
            )
    for index, node in enumerate(nodes):
        for slot in node.slots:
            _check_slot(node, slot, index, order, ranks)
        known = {slot.name for slot in node.slots}
        unknown = {*node.linear_in, *node.additive} - known
        if len(known) != len(node.slots) or unknown:
            raise GraphError(
                f"{node.mediator} has the slots {', '.join(slot.name for slot in node.slots)}"
                + (f" and a property of {min(unknown)!r}." if unknown else "."),
                "Slots have names of their own, and properties are of slots.",
            )
    for cut in cuts:
        if not 0 <= cut.writers_before <= len(ranks.get(cut.stream, ())) or cut.stream not in ranks:
            raise GraphError(
                f"Cut {cut.name!r} lies after {cut.writers_before} writers of stream "
                f"{cut.stream!r}, which has {len(ranks.get(cut.stream, ()))}."
            )


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise GraphError(
                "A mediator or stream has no name.", "A name is text that is not empty."
            )
        if name in seen:
            raise GraphError(
                f"Two mediators or streams are called {quoted(name)}.", "Names differ."
            )
        seen.add(name)


def _check_slot(
    node: Node,
    slot: Slot,
    index: int,
    order: Mapping[str, int],
    ranks: Mapping[str, Sequence[int]],
) -> None:
    if slot.merge is Merge.PLAIN and (len(slot.parents) != 1 or slot.stream):
        raise GraphError(
            f"The plain slot {slot.name!r} of {node.mediator} reads "
            f"{', '.join(slot.parents) or slot.stream or 'nothing'}.",
            "A plain slot has one parent; several are a sum or are concatenated.",
        )
    mixed = slot.parents or slot.merge is not Merge.SUM if slot.stream else slot.writers_before
    if mixed or (slot.owner and slot.owner not in order):
        raise GraphError(
            f"Slot {slot.name!r} of {node.mediator} is not well formed.",
            "It has named parents or is the sum over a stream, and its owner is a node.",
        )
    late = next((name for name in slot.parents if order.get(name, index) >= index), None)
    entered, before = ranks.get(slot.stream, ()), slot.writers_before
    if slot.stream and (slot.stream not in ranks or not 0 <= before <= len(entered)):
        late = f"{before} writers of stream {slot.stream!r}"
    elif before and slot.stream and entered[before - 1] >= index:
        late = f"writer {before} of stream {slot.stream!r}"
    if late is not None:
        raise GraphError(
            f"{node.mediator} reads {late}, which does not come before it.",
            "Nodes are listed parents first, and a graph has no cycle.",
        )


def check_size(count: int) -> None:
    """Refuse to lay out more nodes than memory holds, before it is tried.

    Raises:
        GraphError: More than that.
    """
    if count > _MOST_NODES:
        raise GraphError(
            f"The graph would have {count:,} nodes or more.",
            f"At most {_MOST_NODES:,} are laid out.",
            "Choose a coarser grain, fewer features or fewer positions.",
        )
