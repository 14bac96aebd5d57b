"""The prompts of all inputs as tensors of one width, and what a schedule must know of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from causalnet.compiler import Program, Signature
from causalnet.execute.batch import TokenBatch, make_batch
from causalnet.execute.bindings import Bindings
from causalnet.interventions import Position

__all__ = ["Batches", "make_batches"]


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Some rows of every input, padded on the left to one width, so that ends are in one column.

    Attributes:
        by_input: Input to its tokens, [B, T] all.
        rows: Which rows.
    """

    by_input: Mapping[str, TokenBatch]
    rows: Sequence[int]
    _columns: dict[tuple[str, Position], tuple[int, ...]] = field(default_factory=dict)
    _padded: dict[str, bool] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """The common number of columns."""
        return int(next(iter(self.by_input.values())).ids.shape[1])

    def __getitem__(self, name: str) -> TokenBatch:
        """Return the tokens of an input."""
        return self.by_input[name]

    def is_padded(self, name: str) -> bool:
        """Return whether any row of an input has padding."""
        if name not in self._padded:
            self._padded[name] = self.by_input[name].is_padded
        return self._padded[name]

    def columns(self, name: str, at: Position) -> tuple[int, ...]:
        """Return the column of a position in every row."""
        key = (name, at)
        if key not in self._columns:
            self._columns[key] = self.by_input[name].listed(at)
        return self._columns[key]

    def signature(self, program: Program) -> Signature:
        """Return what the schedule of a program depends on."""
        names = sorted(self.by_input)
        places = {place: self.columns(*place) for place in _places(program)}
        aligned = {
            (first, second, at)
            for (first, at), columns in places.items()
            for second in names
            if places.get((second, at)) == columns
        }
        different = tuple(
            (first, second, self._first_different(first, second))
            for index, first in enumerate(names)
            for second in names[index + 1 :]
        )
        tokens = [min(batch.starts) for batch in self.by_input.values()]
        listed = tuple(
            (name, at, min(columns), max(columns))
            for (name, at), columns in sorted(places.items(), key=lambda item: str(item[0]))
        )
        return Signature(
            len(self.rows), self.width, min(tokens), different, listed, frozenset(aligned)
        )

    def _first_different(self, first: str, second: str) -> int:
        """Return the first column at which any row's tokens, padding or positions differ."""
        one, other = self.by_input[first], self.by_input[second]
        pairs = zip(one.prompts.ids, other.prompts.ids, one.starts, other.starts, strict=True)
        return min((self._apart(*pair) for pair in pairs), default=self.width)

    def _apart(self, one: tuple[int, ...], other: tuple[int, ...], first: int, second: int) -> int:
        if first != second:
            return min(first, second)
        tokens = enumerate(zip(one, other, strict=True), start=first)
        return next((column for column, (x, y) in tokens if x != y), self.width)


def _places(program: Program) -> set[tuple[str, Position]]:
    """Return the positions that a program sets or reads, with the input that has them."""
    found = {(read.input, read.readout.at) for read in program.reads}
    found |= {(r.reference_input, r.readout.at) for r in program.reads if r.reference_input}
    for version in program.versions:
        for write in version.writes:
            for at in write.site.at:
                found.add((version.input, at))
                found |= {(ref.input, at) for ref in write.refs}
    return found


def make_batches(
    bindings: Bindings, names: Sequence[str], rows: Sequence[int], device: torch.device
) -> Batches:
    """Return some rows of some inputs."""
    made = {name: make_batch(bindings.prompts(name), rows, device, "left") for name in names}
    width = max(int(batch.ids.shape[1]) for batch in made.values())
    return Batches({name: _widened(batch, width) for name, batch in made.items()}, tuple(rows))


def _widened(batch: TokenBatch, width: int) -> TokenBatch:
    missing = width - int(batch.ids.shape[1])
    if not missing:
        return batch

    def wider(tensor: Tensor) -> Tensor:
        return pad(tensor, (missing, 0))

    return TokenBatch(
        batch.prompts,
        wider(batch.ids),
        wider(batch.mask),
        wider(batch.position_ids),
        tuple(start + missing for start in batch.starts),
    )
