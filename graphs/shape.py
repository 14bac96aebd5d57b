"""The sizes of a decoder-only transformer."""

from dataclasses import dataclass
from operator import index

from causalnet.errors import CausalNetError
from causalnet.graphs.arguments import check_whole

__all__ = ["TransformerShape"]


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """The sizes from which a mediator graph is laid out; no weights.

    Attributes:
        layers: Number of blocks.
        heads: Query heads in a block.
        kv_heads: Key/value groups in a block; divides `heads`.
        d_model: Width of the residual stream.
        d_head: Width of one head.
        d_mlp: Width of the MLP's hidden layer.
        vocabulary: Number of tokens that the logits score.
        attention_bias: Whether attention adds a constant of its own to the stream (GPT-2 does).
        normed: Whether receivers norm what they read; each norm has a scale then.

    Raises:
        CausalNetError: A size below 1, or K/V groups that do not divide the heads.

    >>> TransformerShape(30, 9, 3, 576, 64, 1536, 49152).heads_per_group
    3
    """

    layers: int
    heads: int
    kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    vocabulary: int
    attention_bias: bool = False
    normed: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that no transformer has."""
        flags = ("attention_bias", "normed")
        sizes = {name: getattr(self, name) for name in self.__slots__ if name not in flags}
        for name, size in sizes.items():
            check_whole(size, name, least=1)
            object.__setattr__(self, name, index(size))  # equal shapes print alike
        for name in flags:
            object.__setattr__(self, name, bool(getattr(self, name)))
        if self.heads % self.kv_heads:
            raise CausalNetError(
                f"{self.heads} heads cannot share {self.kv_heads} K/V groups.",
                "The number of groups divides the number of heads.",
            )

    @property
    def heads_per_group(self) -> int:
        """How many query heads share one K/V group."""
        return self.heads // self.kv_heads

    @property
    def shares_keys(self) -> bool:
        """Whether several heads share keys and values (grouped-query attention)."""
        return self.heads != self.kv_heads

    def group_of(self, head: int) -> int:
        """Return the K/V group that a query head reads."""
        return head // self.heads_per_group
