"""What of a network its cost depends on: its sizes, its formulas, and the bytes of a number."""

from dataclasses import dataclass

from causalnet.graphs import TransformerShape

__all__ = ["Sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that work on a network is priced by; no weights.

    Attributes:
        shape: The sizes of its parts.
        gated: Whether the MLP has a gate projection beside its input and output.
        norm: `rms`, `layer` or `none`.
        positions: `rotary`, `learned` or `none`.
        number: Bytes of one number: 4 for float32.

    >>> Sizes(TransformerShape(30, 9, 3, 576, 64, 1536, 49152)).layer
    7077888
    """

    shape: TransformerShape
    gated: bool = True
    norm: str = "rms"
    positions: str = "rotary"
    number: int = 4

    @property
    def queries(self) -> int:
        """The width of all queries together, and of all heads' outputs z."""
        return self.shape.heads * self.shape.d_head

    @property
    def keys(self) -> int:
        """The width of all keys together, and of all values."""
        return self.shape.kv_heads * self.shape.d_head

    @property
    def mlp(self) -> int:
        """FLOPs of an MLP on one token."""
        return 2 * (3 if self.gated else 2) * self.shape.d_model * self.shape.d_mlp

    @property
    def projections(self) -> int:
        """FLOPs of the projections of attention on one token."""
        return 2 * self.shape.d_model * (2 * self.queries + 2 * self.keys)

    @property
    def layer(self) -> int:
        """FLOPs of a layer on one token, without scores."""
        return self.projections + self.mlp

    @property
    def unembedding(self) -> int:
        """FLOPs of all logits of one token."""
        return 2 * self.shape.d_model * self.shape.vocabulary

    @property
    def parameters(self) -> int:
        """Weights that every token is multiplied with, the unembedding included."""
        return (self.shape.layers * self.layer + self.unembedding) // 2

    def scores(self, queries: int, attended: int) -> int:
        """Return the FLOPs of scores and of what they weigh, of all heads.

        Args:
            queries: How many tokens attend.
            attended: How many each attends to, masked ones included.
        """
        return 4 * queries * attended * self.queries
