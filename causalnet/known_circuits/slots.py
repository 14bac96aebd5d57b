"""Transformers written down slot by slot: a residual stream of named slots, heads, MLPs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import final

import torch
from torch import Tensor

from causalnet.known_circuits.module import SmallBlock, SmallShape, SmallTransformer

__all__ = ["Blocks", "Layer", "Match", "Move", "Slots", "Units", "WrittenHead", "write_transformer"]

Blocks = Mapping[str, Tensor]
"""Slot -> the block of a matrix that reads it, [slot, columns], or writes it, [columns, slot]."""


@final
class Slots:
    """The residual stream as named slots side by side.

    Args:
        widths: Slot -> its width, in the order in which the slots lie.

    >>> Slots({"token": 3, "out": 2}).reads({"out": torch.ones(2, 1, dtype=torch.float64)}).T
    tensor([[0., 0., 0., 1., 1.]], dtype=torch.float64)
    """

    __slots__ = ("_spans", "width")

    def __init__(self, widths: Mapping[str, int]) -> None:
        """Lay the slots out."""
        stops = list(accumulate(widths.values()))
        spans = {
            name: slice(stop - width, stop)
            for (name, width), stop in zip(widths.items(), stops, strict=True)
        }
        self.width = stops[-1]
        self._spans = MappingProxyType(spans)

    def size(self, name: str) -> int:
        """Return the width of a slot."""
        return self._spans[name].stop - self._spans[name].start

    def reads(self, blocks: Blocks) -> Tensor:
        """Return the matrix [width, columns] that reads slots, each by its block."""
        columns = next(iter(blocks.values())).shape[1]
        matrix = torch.zeros(self.width, columns, dtype=torch.float64)
        for name, block in blocks.items():
            matrix[self._spans[name]] = block
        return matrix

    def writes(self, blocks: Blocks) -> Tensor:
        """Return the matrix [columns, width] that writes slots, each by its block."""
        return self.reads({name: block.T for name, block in blocks.items()}).T


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A term of a head's score: what the query asks for, in the words of what a key offers.

    Args:
        query: What the asking position is read by, into as many columns as the key.
        key: What the position that is looked at is read by.
    """

    query: Blocks
    key: Blocks


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Something that a head brings from where it looks.

    Args:
        read: What is taken there.
        write: Where it is put, out of as many columns.
    """

    read: Blocks
    write: Blocks


@dataclass(frozen=True, slots=True, eq=False)
class WrittenHead:
    """A head: scores are the sum of its matches, times its sharpness.

    Args:
        role: What it is for, in words.
        matches: The terms of the score; none for uniform attention.
        moves: What it brings.
        sharpness: Multiplies the scores: 20 and more picks one position, 2 to 6 prefers it.
    """

    role: str
    matches: tuple[Match, ...]
    moves: tuple[Move, ...]
    sharpness: float = 1.0

    def query(self, slots: Slots) -> Tensor:
        """Return its query's weights [width, columns], the sharpness in them."""
        return self.sharpness * _beside(slots, [slots.reads(one.query) for one in self.matches])

    def key(self, slots: Slots) -> Tensor:
        """Return its key's weights [width, columns]."""
        return _beside(slots, [slots.reads(one.key) for one in self.matches])

    def value(self, slots: Slots) -> Tensor:
        """Return its value's weights [width, columns]."""
        return _beside(slots, [slots.reads(one.read) for one in self.moves])

    def output(self, slots: Slots) -> Tensor:
        """Return its output's weights [columns, width]."""
        return torch.cat([slots.writes(one.write) for one in self.moves])


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """An MLP: relu(read + bias), written.

    Args:
        role: What it is for, in words.
        read: Slot -> [slot, units].
        bias: [units].
        write: Slot -> [units, slot].
    """

    role: str
    read: Blocks
    bias: Tensor
    write: Blocks


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Heads side by side, then an MLP where there is one."""

    heads: tuple[WrittenHead, ...]
    mlp: Units | None = None


def write_transformer(
    slots: Slots,
    tokens: Blocks,
    positions: Blocks,
    layers: Sequence[Layer],
    unembedding: Blocks,
    *,
    causal: bool = True,
) -> SmallTransformer:
    """Write weights down, in float64.

    Heads are padded with zeros to the widest of them, and layers to the one with most heads: the
    nodes that a layer lacks are silent.

    Args:
        slots: The residual stream.
        tokens: Slot -> what each token writes there, [vocabulary, slot].
        positions: Slot -> what each position writes there, [length, slot].
        layers: The blocks, the first one first.
        unembedding: Slot -> [slot, columns]; tokens beyond the columns have logits of 0.
        causal: Whether a token attends to earlier ones and itself alone.
    """
    table, places = slots.writes(tokens), slots.writes(positions)
    sides = [
        (head.query(slots).shape[1], head.value(slots).shape[1])
        for layer in layers
        for head in layer.heads
    ]
    most = max(len(layer.heads) for layer in layers)
    shape = SmallShape(
        vocabulary=len(table),
        length=len(places),
        width=slots.width,
        layers=len(layers),
        heads=most,
        head_width=max(max(pair) for pair in sides),
        mlp_width=max((len(layer.mlp.bias) for layer in layers if layer.mlp), default=1),
        causal=causal,
        silent=tuple(name for at, layer in enumerate(layers) for name in _missing(at, layer, most)),
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # new layers draw weights
        module = SmallTransformer(shape).double()
        for parameter in module.parameters():
            parameter.zero_()
        module.tokens.weight.copy_(table)
        module.positions.weight.copy_(places)
        _put(module.unembedding.weight, slots.reads(unembedding).T, 0, 0)
        for block, layer in zip(module.blocks, layers, strict=True):
            assert isinstance(block, SmallBlock)
            _write_layer(block, layer, slots, shape.head_width)
    return module.eval()


def _missing(at: int, layer: Layer, most: int) -> list[str]:
    """Return the names of the nodes that a layer lacks."""
    heads = [f"L{at}.H{head}" for head in range(len(layer.heads), most)]
    return heads if layer.mlp else [*heads, f"L{at}.mlp"]


def _write_layer(block: SmallBlock, layer: Layer, slots: Slots, width: int) -> None:
    """Write the heads and the MLP of a layer into weights that are zero."""
    attention = block.attention
    for at, head in enumerate(layer.heads):
        _put(attention.query.weight, head.query(slots).T, at * width, 0)
        _put(attention.key.weight, head.key(slots).T, at * width, 0)
        _put(attention.value.weight, head.value(slots).T, at * width, 0)
        _put(attention.output.weight, head.output(slots).T, 0, at * width)
    if layer.mlp is not None:
        _put(block.mlp.into.weight, slots.reads(layer.mlp.read).T, 0, 0)
        block.mlp.into.bias[: len(layer.mlp.bias)] = layer.mlp.bias
        _put(block.mlp.out.weight, slots.writes(layer.mlp.write).T, 0, 0)


def _put(weight: Tensor, block: Tensor, row: int, column: int) -> None:
    """Put a block into a larger matrix, its corner at a row and a column."""
    weight[row : row + block.shape[0], column : column + block.shape[1]] = block


def _beside(slots: Slots, matrices: Sequence[Tensor]) -> Tensor:
    """Return matrices [width, columns] side by side."""
    return torch.cat([torch.zeros(slots.width, 0, dtype=torch.float64), *matrices], 1)
