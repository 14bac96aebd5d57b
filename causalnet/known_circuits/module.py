"""A small transformer without norms, whose weights are written by hand or trained in minutes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from causalnet.errors import CausalNetError

__all__ = ["SmallShape", "SmallTransformer"]


@dataclass(frozen=True, slots=True)
class SmallShape:
    """The sizes of a small transformer, which are those of all its layers.

    Attributes:
        vocabulary: Number of tokens, read and written.
        length: Number of positions that are learned.
        width: Width of the residual stream.
        layers: Number of blocks.
        heads: Heads in a block.
        head_width: Width of a head; scores are not divided by its root.
        mlp_width: Width of the MLPs' hidden layer (relu).
        causal: Whether a token attends to earlier ones and itself alone.
        silent: Nodes that write nothing, by name: `L0.H2`, `L1.mlp`.  The weights with which they
            write are zero, and a lifted graph leaves them out.
    """

    vocabulary: int
    length: int
    width: int
    layers: int
    heads: int
    head_width: int
    mlp_width: int = 1
    causal: bool = True
    silent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a silent node that is not there."""
        heads = {f"L{n}.H{h}" for n in range(self.layers) for h in range(self.heads)}
        known = heads | {f"L{layer}.mlp" for layer in range(self.layers)}
        strangers = sorted(set(self.silent) - known)
        if strangers:
            raise CausalNetError(
                f"The silent node {strangers[0]!r}.",
                f"There are L0..L{self.layers - 1} with H0..H{self.heads - 1} and mlp.",
                "Write for example silent=('L0.mlp',).",
            )

    def to_dict(self) -> Mapping[str, object]:
        """Return what a configuration file states, in the spellings that `load` reads."""
        facts = asdict(self)
        return {
            "model_type": "small_transformer",
            "vocab_size": facts["vocabulary"],
            "max_position_embeddings": facts["length"],
            "hidden_size": facts["width"],
            "num_hidden_layers": facts["layers"],
            "num_attention_heads": facts["heads"],
            "head_dim": facts["head_width"],
            "intermediate_size": facts["mlp_width"],
            "hidden_act": "relu",
            "tie_word_embeddings": False,
            "causal": facts["causal"],
            "silent": list(facts["silent"]),
        }


class SmallMixing(nn.Module):
    """Softmax of scores that are not scaled; a module of its own, so that patterns can be seen."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
        """Return the heads' values, mixed [B, heads, T, d], each token's of what it sees."""
        return self.pattern(q, k, seen) @ v

    def pattern(self, q: Tensor, k: Tensor, seen: Tensor) -> Tensor:
        """Return where each token looks, [B, heads, T, T]."""
        # The lowest number, not -inf: a row with nothing to attend to stays finite.
        return (q @ k.mT).masked_fill(~seen, torch.finfo(q.dtype).min).softmax(-1)


class SmallAttention(nn.Module):
    """Attention of several heads, scores not scaled, no bias."""

    def __init__(self, shape: SmallShape) -> None:
        """Make the four projections."""
        super().__init__()
        self.heads, self.causal = shape.heads, shape.causal
        wide = shape.heads * shape.head_width
        self.query, self.key, self.value = (
            nn.Linear(shape.width, wide, bias=False) for _ in range(3)
        )
        self.mixing = SmallMixing()
        self.output = nn.Linear(wide, shape.width, bias=False)

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        """Return what all heads write, [B, T, width] of [B, T, width]."""
        q, k, v = (self._heads(side(x)) for side in (self.query, self.key, self.value))
        z = self.mixing(q, k, v, self._seen(attention_mask))
        written: Tensor = self.output(z.transpose(1, 2).flatten(2))
        return written

    def pattern(self, x: Tensor, y: Tensor, attention_mask: Tensor) -> Tensor:
        """Return where each token looks, [B, heads, T, T], queries of x and keys of y."""
        q, k = self._heads(self.query(x)), self._heads(self.key(y))
        return self.mixing.pattern(q, k, self._seen(attention_mask))

    def _seen(self, attention_mask: Tensor) -> Tensor:
        """Return who sees whom, [B, 1, T, T]."""
        seen = attention_mask.bool()[:, None, None].expand(-1, 1, attention_mask.shape[1], -1)
        return seen.tril() if self.causal else seen

    def mixed(self, x: Tensor, pattern: Tensor) -> Tensor:
        """Return what heads fetch from x before the output, [B, heads, T, head width]."""
        return pattern @ self._heads(self.value(x))

    def _heads(self, side: Tensor) -> Tensor:
        """Return [B, heads, T, head width] of [B, T, heads * head width]."""
        return torch.unflatten(side, -1, (self.heads, -1)).transpose(1, 2)


class SmallMlp(nn.Module):
    """out(relu(into(x))), each with a bias."""

    def __init__(self, shape: SmallShape) -> None:
        """Make the two projections."""
        super().__init__()
        self.into = nn.Linear(shape.width, shape.mlp_width)
        self.out = nn.Linear(shape.mlp_width, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the MLP writes, [B, T, width] of [B, T, width]."""
        written: Tensor = self.out(torch.relu(self.into(x)))
        return written


class SmallBlock(nn.Module):
    """Attention, then an MLP, each adding to the stream."""

    def __init__(self, shape: SmallShape) -> None:
        """Make both."""
        super().__init__()
        self.attention, self.mlp = SmallAttention(shape), SmallMlp(shape)

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the stream after the block, [B, T, width]."""
        x = x + self.attention(x, attention_mask)
        after: Tensor = x + self.mlp(x)
        return after


class SmallTransformer(nn.Module):
    """A decoder (or, not causal, an encoder) without norms, its positions learned.

    Token and position embedding are writers of their own in its lifted graph.

    >>> shape = SmallShape(vocabulary=5, length=4, width=8, layers=1, heads=2, head_width=4)
    >>> SmallTransformer(shape)(torch.zeros(3, 4, dtype=torch.long)).shape
    torch.Size([3, 4, 5])
    """

    def __init__(self, shape: SmallShape) -> None:
        """Make all parts, the weights with which silent nodes write zero."""
        super().__init__()
        self.config = shape
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Embedding(shape.length, shape.width)
        self.stream = nn.Identity()  # where the stream begins: tokens and positions added
        self.blocks = nn.ModuleList(SmallBlock(shape) for _ in range(shape.layers))
        self.unembedding = nn.Linear(shape.width, shape.vocabulary, bias=False)
        self.silence()

    @torch.no_grad()
    def silence(self) -> None:
        """Set the weights with which silent nodes write to zero."""
        for name in self.config.silent:
            layer, node = name.removeprefix("L").split(".")
            block = self.blocks[int(layer)]
            assert isinstance(block, SmallBlock)
            if node == "mlp":
                block.mlp.out.weight.zero_()
                block.mlp.out.bias.zero_()
            else:
                width, head = self.config.head_width, int(node.removeprefix("H"))
                block.attention.output.weight[:, head * width : (head + 1) * width] = 0

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, vocabulary] of ids [B, T]."""
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
        places = places if position_ids is None else position_ids
        x = self.stream(self.tokens(ids) + self.positions(places))
        for block in self.blocks:
            x = block(x, mask)
        logits: Tensor = self.unembedding(x)
        return logits
