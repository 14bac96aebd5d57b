"""One side of a set of prompt pairs: texts, token ids, named positions."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from causalnet.errors import PromptError

__all__ = ["PaddedPrompts", "Prompts", "chosen_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class PaddedPrompts:
    """A rectangle of token ids with its mask, as a model's forward takes it.

    Args:
        ids: Token ids, `[rows, width]`, int64; the padding id outside the mask.
        mask: 1 where a token is real, `[rows, width]`, int64.
        position_ids: 0, 1, 2 … over the real tokens of each row, `[rows, width]`, int64.
        positions: Named position -> column in `ids`, `[rows]`.
    """

    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]
    position_ids: npt.NDArray[np.int64]
    positions: Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts as a model reads them, with named token positions.

    Args:
        texts: The text of each row, any chat template applied, without a beginning-of-sequence
            token that was put in front.
        ids: The token ids of each row: no padding, exactly what the model reads.
        tokens: The text of each token, for ledgers.
        positions: Named position -> index into `ids`, per row; always has `end`, the last token.
        templates: The template of each row; "" where there is none.
    """

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    tokens: tuple[tuple[str, ...], ...]
    positions: Mapping[str, tuple[int, ...]]
    templates: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that the columns have one entry per row and that positions lie in the prompt."""
        columns: dict[str, Sequence[object]] = {
            "ids": self.ids,
            "tokens": self.tokens,
            "templates": self.templates,
        }
        columns |= {f"positions[{name!r}]": rows for name, rows in self.positions.items()}
        for name, column in columns.items():
            if len(column) != len(self.texts):
                raise PromptError(
                    came=f"{name} has {len(column)} rows for {len(self.texts)} texts.",
                    possible="As many rows as texts.",
                    write="Give one entry per prompt.",
                )
        lengths = [len(row) for row in self.ids]
        if "end" not in self.positions or self.positions["end"] != tuple(n - 1 for n in lengths):
            raise PromptError(
                came="The position 'end' is missing or is not the last token of every prompt.",
                possible="Every prompt has it, at its last token.",
                write="Set positions['end'] to len(ids) - 1, row by row.",
            )
        for name, places in self.positions.items():
            for row, (place, length) in enumerate(zip(places, lengths, strict=True)):
                if not 0 <= place < length:
                    raise PromptError(
                        came=f"Row {row} has position {name!r} at token {place}.",
                        possible=f"Its prompt has tokens 0..{length - 1}.",
                        write="Give one of these.",
                    )
        object.__setattr__(self, "positions", dict(self.positions))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.texts)

    def __hash__(self) -> int:
        """Hash by value."""
        return hash((self.texts, self.ids, tuple(sorted(self.positions.items()))))

    def __repr__(self) -> str:
        """Return one line."""
        names = ", ".join(self.positions)
        return f"Prompts({len(self)} rows, {_range(self.lengths)} tokens, positions {names})"

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of tokens of each row."""
        return tuple(len(row) for row in self.ids)

    def at(self, position: str | int) -> tuple[int, ...]:
        """Return the token index of a position in every row.

        Args:
            position: A name (`S2`, `end`; `END` reads as `end`) or an index, which may count
                from the end as in Python.

        Raises:
            PromptError: If there is no such position.
        """
        if isinstance(position, int):
            return tuple(self._index(row, position) for row in range(len(self)))
        name = "end" if position == "END" and "END" not in self.positions else position
        if name in self.positions:
            return self.positions[name]
        near = difflib.get_close_matches(name, self.positions, n=3, cutoff=0.3)
        raise PromptError(
            came=f"Unknown position {position!r}.",
            possible=f"These prompts have {', '.join(self.positions)}.",
            write=f"Nearest: {', '.join(near)}." if near else "Or give a token index.",
        )

    def _index(self, row: int, index: int) -> int:
        length = len(self.ids[row])
        if -length <= index < length:
            return index % length
        raise PromptError(
            came=f"Row {row} has no token {index}.",
            possible=f"Its prompt has tokens 0..{length - 1}, or {-length}..-1 from the end.",
            write="Give one of these.",
        )

    def rows(self, indices: Iterable[int]) -> "Prompts":
        """Return the rows with these indices, in this order."""
        kept = chosen_rows(indices, len(self))
        return Prompts(
            texts=_take(self.texts, kept),
            ids=_take(self.ids, kept),
            tokens=_take(self.tokens, kept),
            positions={name: _take(places, kept) for name, places in self.positions.items()},
            templates=_take(self.templates, kept),
        )

    def padded(
        self, side: Literal["left", "right"] = "right", *, pad_id: int = 0, width: int | None = None
    ) -> PaddedPrompts:
        """Return the prompts as one rectangle with its attention mask.

        Args:
            side: Where the padding goes.
            pad_id: The id written there; a model that heeds the mask never sees it.
            width: Columns; the longest row by default.

        Raises:
            PromptError: If a row is wider than `width`, or `side` is neither left nor right.
        """
        if side not in ("left", "right"):
            raise PromptError(
                came=f"Padding on side {side!r}.",
                possible="left or right.",
                write="Write side='right'.",
            )
        longest = max(self.lengths, default=0)
        width = longest if width is None else width
        if longest > width:
            raise PromptError(
                came=f"A prompt of {longest} tokens does not fit in {width} columns.",
                possible=f"At least {longest} columns.",
                write=f"Give width={longest} or more.",
            )
        ids = np.full((len(self), width), pad_id, dtype=np.int64)
        mask = np.zeros((len(self), width), dtype=np.int64)
        first = np.zeros(len(self), dtype=np.int64)
        for row, tokens in enumerate(self.ids):
            first[row] = width - len(tokens) if side == "left" else 0
            real = slice(first[row], first[row] + len(tokens))
            ids[row, real] = tokens
            mask[row, real] = 1
        return PaddedPrompts(
            ids=ids,
            mask=mask,
            # Padding gets 0: it must be a valid index into learned positions.
            position_ids=np.maximum(np.cumsum(mask, axis=1) - 1, 0) * mask,
            positions={
                name: np.asarray(places, dtype=np.int64) + first
                for name, places in self.positions.items()
            },
        )


def chosen_rows(indices: Iterable[int], n: int) -> tuple[int, ...]:
    """Return row indices counted from 0, refusing what is not one of `n` rows."""
    if isinstance(indices, (int, str)):
        raise PromptError(
            came=f"rows({indices!r}).", possible="A list of indices.", write=f"rows([{indices}])."
        )
    kept = tuple(int(index) for index in indices)
    wrong = [index for index in kept if not -n <= index < n]
    if wrong:
        raise PromptError(
            came=f"There is no row {wrong[0]}.",
            possible=f"Rows are 0..{n - 1}.",
            write="Give indices of these.",
        )
    return tuple(index % n for index in kept)


def _take(column: Sequence[Any], kept: Iterable[int]) -> tuple[Any, ...]:
    return tuple(column[index] for index in kept)


def _range(numbers: Sequence[int]) -> str:
    """Write the least and the greatest of some numbers: `14` or `14..18`."""
    if not numbers:
        return "0"
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}..{high}"
