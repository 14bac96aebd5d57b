"""What a mediator is: a named node of the graph, or a named cut of the residual stream."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Kind", "Mediator"]


class Kind(StrEnum):
    """The kinds of mediators."""

    EMBED = "embed"
    POSITIONS = "position embedding"
    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    PATTERN = "pattern"
    Z = "z"
    HEAD = "head"
    ATTENTION_BIAS = "attention bias"
    MLP = "mlp"
    RESIDUAL = "residual"
    LOGITS = "logits"
    SCALE = "norm scale"
    ATTENTION = "attention"
    NEURON = "neuron"
    FEATURE = "feature"
    ERROR = "reconstruction error"
    CLUSTER = "cluster"
    VARIABLE = "variable"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Mediator:
    """A named place in the network that an intervention can be about.

    Attributes:
        name: The canonical name, `L9.H6`, `L9.KV2.k`, `L9.mlp`, `embed`.
        kind: What sort of place it is.
        layer: The layer from 0, or None for `embed`, `pos_embed` and `logits`.
        index: The head, K/V group, neuron or feature within the layer; None where there is one
            only.
        position: The token position from 0 in a graph of positions; None for a whole sequence.

    >>> str(Mediator("L9.H6", Kind.HEAD, 9, 6))
    'L9.H6'
    """

    name: str
    kind: Kind
    layer: int | None = None
    index: int | None = None
    position: int | None = None

    def __str__(self) -> str:
        """Return the canonical name."""
        return self.name
