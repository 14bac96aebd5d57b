"""A small transformer of which some edges are kept and the others carry zero, written plainly."""

from collections.abc import Collection

import torch
from torch import Tensor

from causalnet.known_circuits.module import SmallBlock, SmallTransformer
from tests.known_circuits.written_truths import Edge


def all_edges(module: SmallTransformer) -> frozenset[Edge]:
    """Every edge between nodes that are not silent."""
    found: set[Edge] = set()
    kept_logits(module, torch.zeros(1, 1, dtype=torch.long), None, found)
    return frozenset(found)


@torch.no_grad()
def kept_logits(
    module: SmallTransformer,
    ids: Tensor,
    kept: Collection[Edge] | None,
    asked: set[Edge] | None = None,
) -> Tensor:
    """Return logits [B, T, vocabulary]; `None` keeps all edges, `asked` collects them."""
    shape, width = module.config, module.config.head_width
    places = torch.arange(ids.shape[1]).expand(ids.shape)
    wrote = {"embed": module.tokens(ids), "pos_embed": module.positions(places)}

    def enters(receiver: str) -> Tensor:
        total = torch.zeros(*ids.shape, shape.width, dtype=torch.float64)
        for sender, value in wrote.items():
            if asked is not None:
                asked.add((sender, receiver))
            if kept is None or (sender, receiver) in kept:
                total = total + value
        return total

    for layer, block in enumerate(module.blocks):
        assert isinstance(block, SmallBlock)
        heads = {}
        for head in range(shape.heads):
            name, span = f"L{layer}.H{head}", slice(head * width, (head + 1) * width)
            if name in shape.silent:
                continue
            query, key, value = (
                enters(f"{name}.{channel}") @ side.weight[span].T
                for channel, side in zip(
                    "qkv",
                    (block.attention.query, block.attention.key, block.attention.value),
                    strict=True,
                )
            )
            scores = query @ key.mT
            if shape.causal:
                unseen = torch.ones_like(scores).triu(1).bool()
                scores = scores.masked_fill(unseen, float("-inf"))
            heads[name] = scores.softmax(-1) @ value @ block.attention.output.weight[:, span].T
        wrote |= heads
        if (name := f"L{layer}.mlp") not in shape.silent:
            wrote[name] = block.mlp(enters(name))
    return enters("logits") @ module.unembedding.weight.T
