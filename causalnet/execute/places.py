"""Where the value of a node is found in the running model.

A place is the input or output of one module of the model.  Several nodes may share a place: the
heads of a layer share the input of its mixer.
"""

from dataclasses import dataclass
from enum import Enum

from causalnet.errors import InternalError
from causalnet.graphs import Kind, Mediator, MediatorGraph

__all__ = ["Place", "Port", "place_of"]


class Port(Enum):
    """The sides of modules at which values are read and set, in the order of execution."""

    EMBEDDING_OUT = 0
    BLOCK_IN = 1
    MIXER_IN = 2
    MIXER_OUT = 3
    MLP_NORM_IN = 4
    MLP_OUT = 5
    BLOCK_OUT = 6


@dataclass(frozen=True, slots=True)
class Place:
    """One port of one layer (layer 0 for the embedding)."""

    port: Port
    layer: int


_PORTS = {
    Kind.EMBED: Port.EMBEDDING_OUT,
    Kind.Z: Port.MIXER_IN,
    Kind.HEAD: Port.MIXER_OUT,
    Kind.MLP: Port.MLP_OUT,
}


def place_of(name: str, graph: MediatorGraph) -> tuple[Place, Mediator]:
    """Return the place of a node or residual cut, and the mediator.

    Raises:
        UnknownMediatorError: No such mediator.
        InternalError: A kind that has no place (terms are checked before).
    """
    mediator = graph.find(name)
    if mediator.kind is Kind.RESIDUAL:
        return _place_of_cut(mediator, graph), mediator
    if mediator.kind not in _PORTS:
        raise InternalError(f"{mediator} has no place in the hook executor.")
    return Place(_PORTS[mediator.kind], mediator.layer or 0), mediator


def _place_of_cut(cut: Mediator, graph: MediatorGraph) -> Place:
    """Return one place for both names of a cut, so that the order of layers of Do decides.

    What leaves a block is what enters the next.  What enters the first is read from the embedding,
    but is not the embedding: a value set there is set downstream of it.
    """
    layer, which = cut.layer or 0, cut.name.split(".")[1]
    if which == "resid_mid":
        return Place(Port.MLP_NORM_IN, layer)
    entered = layer if which == "resid_pre" else layer + 1
    if entered == graph.shape.layers:
        return Place(Port.BLOCK_OUT, layer)
    return Place(Port.BLOCK_IN, entered)
