"""What to say of a name or an edge that a graph does not have."""

import re
from collections.abc import Iterable, Iterator, Sequence

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs.arguments import quoted
from causalnet.graphs.grains import Grain
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.names import nearest
from causalnet.graphs.nodes import Node
from causalnet.graphs.shape import TransformerShape

__all__ = ["no_edge", "unknown_mediator"]

_HEAD = re.compile(r"[0-9]{1,9}")
_COMPARED = 2_000  # names among which the nearest are sought


def unknown_mediator(
    name: str,
    names: Iterable[str],
    count: int,
    sizes: TransformerShape | None,
    grain: Grain | None,
) -> UnknownMediatorError:
    """Return the error for a name: the nearest names, the ranges, or whose key it is.

    Args:
        name: What was asked for, in the canonical spelling.
        names: Every name that the graph has.
        count: How many nodes it has.
        sizes: The sizes of the transformer, if it is one.
        grain: Its grain, if it has one.
    """
    known = dict.fromkeys(names)
    silent = None if sizes is None else _silent(name, sizes)
    if silent is not None:
        return silent
    shared = None if sizes is None else _shared(name, known, sizes)
    if shared is not None:
        return shared
    close = nearest(name, _comparable(name, known))
    suggestion = f"Nearest: {', '.join(map(repr, close))}." if close else ""
    if sizes is None:
        return UnknownMediatorError(
            f"Unknown mediator {quoted(name)}.",
            suggestion or f"The graph has {count} nodes.",
            "List them with graph.names().",
        )
    coarse = grain is not None and not grain.refines(Grain.CHANNELS)
    level = f"At the grain of {grain}, mediators have no q, k, v or pattern. " if coarse else ""
    return UnknownMediatorError(
        f"Unknown mediator {quoted(name)}.",
        f"{level}Layers are 0..{sizes.layers - 1}, heads 0..{sizes.heads - 1}, "
        f"K/V groups 0..{sizes.kv_heads - 1}. {suggestion}".rstrip(),
        "List them with net.heads(layer=...), net.mlps() or net.graph.names().",
    )


def _comparable(name: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the names to compare: in a large graph those of the same layer, and not for ever."""
    known = [*names]
    if len(known) > _COMPARED:
        layer = name.partition(".")[0].casefold()
        same = [each for each in known if each.partition(".")[0].casefold() == layer]
        known = same or known
    return iter(known[:_COMPARED])


def _silent(name: str, shape: TransformerShape) -> UnknownMediatorError | None:
    """Return what to say of a head or MLP that is silent, or of what is inside of it."""
    node = ".".join(name.partition("[")[0].split(".")[:2])
    if node not in shape.silent:
        return None
    return UnknownMediatorError(
        f"Unknown mediator {quoted(name)}.",
        f"{node} is silent: the weights with which it writes are zero, and the graph leaves it "
        "out.",
        "List what is there with net.heads(layer=...), net.mlps() or net.graph.names().",
    )


def _shared(
    name: str, known: Iterable[str], shape: TransformerShape
) -> UnknownMediatorError | None:
    """Return what to say of a key or value that is asked of a head that shares it."""
    parts = name.split(".")
    head = parts[1][1:] if len(parts) >= 3 and parts[1].startswith("H") else ""
    if not _HEAD.fullmatch(head) or int(head) >= shape.heads:
        return None
    group, size = shape.group_of(int(head)), shape.heads_per_group
    owner = f"{parts[0]}.KV{group}.{'.'.join(parts[2:])}"
    if f"{parts[0]}.{parts[1]}" not in known or owner not in known:
        return None
    heads = ", ".join(f"H{h}" for h in range(group * size, (group + 1) * size))
    return UnknownMediatorError(
        f"Unknown mediator {quoted(name)}.",
        f"{heads} of layer {parts[0][1:]} share keys and values, which belong to their K/V group.",
        f"Write '{owner}'.",
    )


def no_edge(
    sender: Mediator, receiver: Node, slot: str | None, senders: Sequence[str]
) -> TermError:
    """Return the error for an edge, or for an edge into one slot.

    Args:
        sender: Where it would begin.
        receiver: Where it would end.
        slot: The slot that was asked for, if any.
        senders: What does send to the receiver.
    """
    own = [each.name for each in receiver.slots if not each.owner]
    if slot is not None and slot not in own:
        return TermError(
            f"{receiver.mediator} has no slot {quoted(slot)} of its own.",
            f"Its slots: {', '.join(own) or 'none'}.",
            "Leave the slot out for every slot that the sender enters.",
        )
    some = ", ".join(senders[:3]) + (", ..." if len(senders) > 3 else "")
    into = f"slot {slot!r} of {receiver.mediator}" if slot else str(receiver.mediator)
    listed = f"List them with graph.parents({receiver.mediator.name!r})."
    writes = sender.kind in (Kind.HEAD, Kind.MLP, Kind.EMBED, Kind.POSITIONS, Kind.ATTENTION_BIAS)
    if (
        writes
        and receiver.mediator.kind is Kind.HEAD
        and tuple(senders) == (f"{receiver.mediator}.z",)
    ):
        listed = (
            f"A head reads the stream by its channels: write '{sender} -> {receiver.mediator}.q', "
            "or the k or v of its K/V group."
        )
    return TermError(
        f"There is no edge {sender} -> {into}.",
        f"{len(senders)} mediator{'s' if len(senders) > 1 else ''} "
        f"send{'s' if len(senders) == 1 else ''} to {receiver.mediator}: {some}."
        if senders
        else f"{receiver.mediator} reads nothing.",
        listed,
    )
