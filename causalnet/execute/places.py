"""Where the value of a node is found in the running model.

A place is the input or output of one module of the model.  Several nodes may share a place: the
heads of a layer share the input of its mixer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from causalnet.errors import InternalError
from causalnet.graphs import Kind, Mediator, MediatorGraph

__all__ = ["Place", "Port", "place_of", "projected", "receiver_of", "with_needed"]


class Port(Enum):
    """The sides of modules at which values are read and set, in the order of execution."""

    EMBEDDING_OUT = 0
    POSITIONS_OUT = 1
    BLOCK_IN = 2
    QUERY_OUT = 3
    KEY_OUT = 4
    VALUE_OUT = 5
    ATTENTION = 6
    MIXER_IN = 7
    MIXER_OUT = 8
    MLP_NORM_IN = 9
    MLP_IN = 10
    MLP_OUT = 11
    BLOCK_OUT = 12
    UNEMBEDDING_IN = 13
    UNEMBEDDING_OUT = 14


@dataclass(frozen=True, slots=True)
class Place:
    """One port of one layer (layer 0 for the embedding, the last for the unembedding)."""

    port: Port
    layer: int


_PORTS = {
    Kind.EMBED: Port.EMBEDDING_OUT,
    Kind.POSITIONS: Port.POSITIONS_OUT,
    Kind.QUERY: Port.QUERY_OUT,
    Kind.KEY: Port.KEY_OUT,
    Kind.VALUE: Port.VALUE_OUT,
    Kind.PATTERN: Port.ATTENTION,
    Kind.Z: Port.MIXER_IN,
    Kind.HEAD: Port.MIXER_OUT,
    Kind.ATTENTION_BIAS: Port.MIXER_OUT,
    Kind.MLP: Port.MLP_OUT,
    Kind.LOGITS: Port.UNEMBEDDING_OUT,
}

# Where a receiver takes in the stream, after its norm.
_INTO = {
    Kind.QUERY: Port.QUERY_OUT,
    Kind.KEY: Port.KEY_OUT,
    Kind.VALUE: Port.VALUE_OUT,
    Kind.PATTERN: Port.ATTENTION,
    Kind.Z: Port.ATTENTION,
    Kind.HEAD: Port.MIXER_IN,
    Kind.MLP: Port.MLP_IN,
    Kind.LOGITS: Port.UNEMBEDDING_IN,
}

# What must have been seen in the same layer for a place to be served.
_NEEDED = {
    Port.QUERY_OUT: (Port.BLOCK_IN,),
    Port.KEY_OUT: (Port.BLOCK_IN,),
    Port.VALUE_OUT: (Port.BLOCK_IN,),
    Port.ATTENTION: (Port.QUERY_OUT, Port.KEY_OUT, Port.VALUE_OUT),
    Port.MIXER_OUT: (Port.MIXER_IN,),  # a head's output is computed from its z
    Port.MLP_NORM_IN: (Port.MLP_OUT,),  # the block adds its MLP to the value set here
    Port.MLP_IN: (Port.MLP_NORM_IN,),
    Port.UNEMBEDDING_IN: (Port.BLOCK_OUT,),
}


def place_of(name: str, graph: MediatorGraph) -> Place:
    """Return the place at which a node or residual cut is read and set.

    Raises:
        UnknownMediatorError: No such mediator.
        InternalError: A kind that has no place (terms are checked before).
    """
    mediator = graph.find(name)
    if mediator.kind is Kind.RESIDUAL:
        return _place_of_cut(mediator, graph)
    if mediator.kind is Kind.SCALE:
        return receiver_of(graph.find(mediator.name.removesuffix(".scale")), graph)
    if mediator.kind not in _PORTS:
        raise InternalError(f"{mediator} has no place in the hook executor.")
    return Place(_PORTS[mediator.kind], _layer(mediator, graph))


def receiver_of(receiver: Mediator, graph: MediatorGraph) -> Place:
    """Return the place at which a receiver takes in what is sent to it.

    Raises:
        InternalError: A mediator that receives nothing.
    """
    if receiver.kind not in _INTO:
        raise InternalError(f"{receiver} receives nothing in the hook executor.")
    return Place(_INTO[receiver.kind], _layer(receiver, graph))


def _layer(mediator: Mediator, graph: MediatorGraph) -> int:
    return graph.shape.layers - 1 if mediator.kind is Kind.LOGITS else mediator.layer or 0


def _place_of_cut(cut: Mediator, graph: MediatorGraph) -> Place:
    """Return one place for all names of a cut, so that the order of layers of Do decides.

    What leaves a block is what enters the next, and no silent node changes what it passes.  What
    enters the first is read from the embedding, but is not the embedding: a value set there is set
    downstream of it.
    """
    same = graph.cut(cut)
    first = next(
        each.name
        for each in graph.cuts
        if (each.stream, each.writers_before) == (same.stream, same.writers_before)
    )
    number, _, which = first.removeprefix("L").partition(".")
    layer = int(number)
    if which == "resid_mid":
        return Place(Port.MLP_NORM_IN, layer)
    entered = layer if which == "resid_pre" else layer + 1
    if entered == graph.shape.layers:
        return Place(Port.BLOCK_OUT, layer)
    return Place(Port.BLOCK_IN, entered)


def with_needed(places: Iterable[Place]) -> frozenset[Place]:
    """Return places and all that must be seen for them to be served."""
    found: set[Place] = set()
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += [Place(port, place.layer) for port in _NEEDED.get(place.port, ())]
    return frozenset(found)


def projected(port: Port, layer: int, graph: MediatorGraph) -> tuple[str, ...]:
    """Return the queries, keys or values that come out of a projection, in column order."""
    shape = graph.shape
    if port is Port.QUERY_OUT:
        return tuple(f"L{layer}.H{head}.q" for head in range(shape.heads))
    owner, letter = "KV" if shape.shares_keys else "H", "k" if port is Port.KEY_OUT else "v"
    return tuple(f"L{layer}.{owner}{group}.{letter}" for group in range(shape.kv_heads))
