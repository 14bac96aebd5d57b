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
_CUTS = {"resid_pre": Port.BLOCK_IN, "resid_mid": Port.MLP_NORM_IN, "resid_post": Port.BLOCK_OUT}


def place_of(name: str, graph: MediatorGraph) -> tuple[Place, Mediator]:
    """Return the place of a node or residual cut, and the mediator.

    Raises:
        UnknownMediatorError: No such mediator.
        InternalError: A kind that has no place (terms are checked before).
    """
    mediator = graph.find(name)
    if mediator.kind is Kind.RESIDUAL:
        port = _CUTS[mediator.name.split(".")[1]]
    elif mediator.kind in _PORTS:
        port = _PORTS[mediator.kind]
    else:
        raise InternalError(f"{mediator} has no place in the hook executor.")
    return Place(port, mediator.layer or 0), mediator
