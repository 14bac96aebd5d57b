"""The granularity ladder: how finely a transformer is taken apart."""

from enum import StrEnum

from causalnet.errors import GraphError
from causalnet.graphs.arguments import quoted

__all__ = ["Grain", "read_grain"]


class Grain(StrEnum):
    """What the nodes of a transformer's graph are, beside the embedding and the logits.

    Blocks and heads are two views of channels, and neither refines the other: blocks keep z, with
    all heads on one axis, where heads have no inside.
    """

    BLOCKS = "blocks"  # L9.z with a head axis, L9.attn, L9.mlp
    HEADS = "heads"  # L9.H6, L9.mlp
    CHANNELS = "channels"  # L9.H6.q, pattern, z; L9.KV2.k, v; a scale for each norm
    NEURONS = "neurons"  # also L9.mlp.n137
    FEATURES = "features"  # also L9.mlp.f12 and L9.mlp.err

    def refines(self, coarser: "Grain") -> bool:
        """Return whether every node at this grain lies in nodes of a coarser one, or of this.

        >>> Grain.CHANNELS.refines(Grain.HEADS), Grain.HEADS.refines(Grain.BLOCKS)
        (True, False)
        """
        return self is coarser or coarser in _COARSER[self]


_COARSER = {
    Grain.BLOCKS: (),
    Grain.HEADS: (),
    Grain.CHANNELS: (Grain.BLOCKS, Grain.HEADS),
    Grain.NEURONS: (Grain.BLOCKS, Grain.HEADS, Grain.CHANNELS),
    Grain.FEATURES: (Grain.BLOCKS, Grain.HEADS, Grain.CHANNELS),
}


def read_grain(name: str) -> Grain:
    """Return the grain of a name.

    Raises:
        GraphError: No such grain.
    """
    try:
        return Grain(name)
    except ValueError:
        raise GraphError(
            f"No grain {quoted(name)}.", f"There are {', '.join(grain.value for grain in Grain)}."
        ) from None
