"""The sizes of a decoder-only transformer."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import index

from causalnet.errors import CausalNetError
from causalnet.graphs.arguments import check_whole, listed, quoted

__all__ = ["TransformerShape"]

_FLAGS = ("attention_bias", "normed", "positions_apart", "causal")


@dataclass(frozen=True, slots=True, repr=False)
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
        silent: Heads and MLPs that write nothing, `L0.H2` and `L1.mlp`, in the order of the graph,
            which leaves them out.
        positions_apart: Whether learned positions are a writer of their own, `pos_embed`, and not
            a part of `embed`.
        causal: Whether a token attends to earlier ones and itself alone.

    Raises:
        CausalNetError: A size below 1, K/V groups that do not divide the heads, or a silent node
            that is none.

    >>> TransformerShape(30, 9, 3, 576, 64, 1536, 49152).heads_per_group
    3
    >>> shape = TransformerShape(2, 2, 2, 8, 4, 16, 11, silent=("L1.mlp", "L0.H1"))
    >>> shape.silent, shape.heads_of(0), shape.has_mlp(1), shape.is_regular
    (('L0.H1', 'L1.mlp'), (0,), False, False)
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
    silent: tuple[str, ...] = ()
    positions_apart: bool = False
    causal: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that no transformer has."""
        others = (*_FLAGS, "silent")
        sizes = {name: getattr(self, name) for name in self.__slots__ if name not in others}
        for name, size in sizes.items():
            check_whole(size, name, least=1)
            object.__setattr__(self, name, index(size))  # equal shapes print alike
        for name in _FLAGS:
            object.__setattr__(self, name, bool(getattr(self, name)))
        object.__setattr__(self, "silent", self._in_order(self.silent))
        if self.heads % self.kv_heads:
            raise CausalNetError(
                f"{self.heads} heads cannot share {self.kv_heads} K/V groups.",
                "The number of groups divides the number of heads.",
            )

    def _in_order(self, silent: Iterable[str]) -> tuple[str, ...]:
        """Return silent nodes once each, in the order of the graph; refuse what is none."""
        given = listed(silent, "silent nodes", "Write silent=('L0.H2', 'L1.mlp').")
        if not given:
            return ()
        wanted = set(map(str, given))
        known = [
            f"L{layer}.{node}"
            for layer in range(self.layers)
            for node in (*(f"H{head}" for head in range(self.heads)), "mlp")
        ]
        strangers = sorted(wanted - set(known))
        if strangers:
            raise CausalNetError(
                f"The silent node {quoted(strangers[0])} is no head or MLP.",
                f"There are L0..L{self.layers - 1} with H0..H{self.heads - 1} and mlp.",
                "Write silent=('L0.H2', 'L1.mlp').",
            )
        return tuple(name for name in known if name in wanted)

    def __repr__(self) -> str:
        """Return it as it is written; what few shapes have is told where it is there."""
        rare = ("silent", "positions_apart", "causal")
        told = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if field.name not in rare or getattr(self, field.name) != field.default
        ]
        return f"TransformerShape({', '.join(told)})"

    @property
    def is_regular(self) -> bool:
        """Whether every layer has all of its nodes, `embed` holds positions, attention is causal.

        The wavefront and the passes written by hand are for regular shapes; hooks run any.
        """
        return not self.silent and not self.positions_apart and self.causal

    @property
    def irregularity(self) -> str:
        """What keeps a shape from being regular, in words; empty where it is.

        >>> TransformerShape(1, 1, 1, 4, 4, 8, 5, silent=("L0.mlp",), causal=False).irregularity
        'silent nodes (L0.mlp), attention to later tokens'
        """
        told = []
        if self.silent:
            few = self.silent[:3] + ("...",) * (len(self.silent) > 3)
            told.append(f"silent nodes ({', '.join(few)})")
        if self.positions_apart:
            told.append("positions as a writer of their own")
        if not self.causal:
            told.append("attention to later tokens")
        return ", ".join(told)

    def heads_of(self, layer: int) -> tuple[int, ...]:
        """Return the query heads of a layer that are in the graph."""
        heads = range(self.heads)
        if not self.silent:
            return tuple(heads)
        return tuple(head for head in heads if f"L{layer}.H{head}" not in self.silent)

    def groups_of(self, layer: int) -> tuple[int, ...]:
        """Return the K/V groups of a layer that some head in the graph reads."""
        if not self.silent:
            return tuple(range(self.kv_heads))
        return tuple(dict.fromkeys(map(self.group_of, self.heads_of(layer))))

    def has_mlp(self, layer: int) -> bool:
        """Whether a layer's MLP is in the graph."""
        return f"L{layer}.mlp" not in self.silent

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
