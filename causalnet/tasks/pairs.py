"""Prompt pairs: a base and a source prompt, answers and foils, row by row."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from causalnet.errors import PromptError
from causalnet.tasks.build import BuiltRow, build_row
from causalnet.tasks.display import pairs_html, pairs_line
from causalnet.tasks.encoding import Encoder, Encoding
from causalnet.tasks.prompts import Prompts, chosen_rows
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow, parse_row
from causalnet.tasks.writing import write_pairs

__all__ = ["PromptPairs", "Reduction", "assemble"]

Reduction = Literal["mean", "logsumexp"]


@dataclass(frozen=True, slots=True, repr=False)
class PromptPairs:
    """Pairs of prompts that an effect is measured on.

    The base is the prompt whose answer is `answers`; the source is the alternative that values
    are taken from.

    Args:
        base: The base prompts.
        source: The source prompts, row by row.
        answers: Token ids that are right behind the base prompt, per row.
        foils: Token ids that the answers are compared with, per row.
        answer_texts: Their texts.
        foil_texts: Their texts.
        reduction: How the logits of a token set become one number.
        labels: A name for each pair.
        record: Where the pairs come from.
        dropped: How many drawn pairs were left out.
        drop_reasons: Why, counted.
    """

    base: Prompts
    source: Prompts
    answers: tuple[tuple[int, ...], ...]
    foils: tuple[tuple[int, ...], ...]
    answer_texts: tuple[tuple[str, ...], ...]
    foil_texts: tuple[tuple[str, ...], ...]
    reduction: Reduction
    labels: tuple[str, ...]
    record: TaskRecord
    dropped: int = 0
    drop_reasons: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that there is one entry per row, of one template, and no label given twice."""
        columns = (self.source, self.answers, self.foils, self.answer_texts, self.foil_texts)
        if any(len(column) != len(self.base) for column in (*columns, self.labels)):
            raise PromptError(
                came="The columns of these pairs have different numbers of rows.",
                possible=f"As many as base: {len(self.base)}.",
                write="Build pairs with PromptPairs.build(tokenizer, rows).",
            )
        for row, (ours, theirs) in enumerate(
            zip(self.base.templates, self.source.templates, strict=True)
        ):
            if ours != theirs:
                raise PromptError(
                    came=f"Row {row} has a base of template {ours[:40]!r} and a source of "
                    f"template {theirs[:40]!r}.",
                    possible="Both prompts of a pair are of one template.",
                    write="Give the sources in the order of the bases: pairs.rows(...) keeps both.",
                )
        if self.reduction not in ("mean", "logsumexp"):
            raise PromptError(
                came=f"Unknown reduction {self.reduction!r}.",
                possible="mean or logsumexp.",
                write="Write reduction='mean'.",
            )
        first: dict[str, int] = {}
        for row, label in enumerate(self.labels):
            if label in first:
                raise PromptError(
                    came=f"Rows {first[label]} and {row} both have the label {label!r}.",
                    possible="Labels that are unique.",
                    write="Give each pair a label of its own, and each row once.",
                )
            first[label] = row
        object.__setattr__(self, "drop_reasons", dict(self.drop_reasons))

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.base)

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self.digest())

    def __repr__(self) -> str:
        """Return one line."""
        return pairs_line(self)

    def _repr_html_(self) -> str:
        return pairs_html(self)

    @classmethod
    def build(
        cls,
        tokenizer: Any,
        rows: Iterable[Mapping[str, object]],
        *,
        reduction: Reduction = "mean",
        bos: bool = False,
        chat_template: bool = False,
        align: bool = True,
        name: str = "rows",
    ) -> "PromptPairs":
        """Make pairs from texts or token ids.

        Args:
            tokenizer: A Hugging Face tokenizer.
            rows: One mapping per pair with the fields of `causalnet.tasks.FIELDS`; `base`,
                `source`, `answer` and `foil` are texts, token ids or lists of them.
            reduction: How the logits of a token set become one number.
            bos: Put the beginning-of-sequence token in front.
            chat_template: Wrap each prompt as a user's message.
            align: Ask base and source for equal lengths and equal positions.
            name: What the record calls these pairs.

        Raises:
            PromptError: For a field that is missing, unknown or wrong, an empty prompt, a label
                given twice, a position that cannot be found.
            AnswerError: For an answer or foil that is not one token.
            AlignmentError: For prompts that do not align.
        """
        encoder = Encoder(tokenizer, bos, chat_template)
        given = [(f"Row {at}", parse_row(row, f"Row {at}")) for at, row in enumerate(rows)]
        built = [build_row(encoder, row, where, align=align) for where, row in given]
        record = TaskRecord(
            name=name,
            n=len(built),
            bos=bos,
            chat_template=chat_template,
            options={} if align else {"align": False},
        )
        return assemble(built, [row for _, row in given], reduction=reduction, record=record)

    @property
    def is_aligned(self) -> bool:
        """Whether base and source have equal lengths and equal positions in every row."""
        return (
            self.base.lengths == self.source.lengths
            and self.base.positions == self.source.positions
        )

    def rows(self, indices: Iterable[int]) -> "PromptPairs":
        """Return the pairs with these indices, in this order; the record keeps which they are.

        Raises:
            PromptError: For an index that is not there or is given twice.
        """
        kept = chosen_rows(indices, len(self))
        before = self.record.rows if self.record.rows is not None else tuple(range(len(self)))
        return PromptPairs(
            base=self.base.rows(kept),
            source=self.source.rows(kept),
            answers=tuple(self.answers[row] for row in kept),
            foils=tuple(self.foils[row] for row in kept),
            answer_texts=tuple(self.answer_texts[row] for row in kept),
            foil_texts=tuple(self.foil_texts[row] for row in kept),
            reduction=self.reduction,
            labels=tuple(self.labels[row] for row in kept),
            record=replace(self.record, rows=tuple(before[row] for row in kept)),
            dropped=self.dropped,
            drop_reasons=self.drop_reasons,
        )

    def digest(self) -> str:
        """Return the sha256 of everything a model reads and is asked: ids, answers, foils."""
        asked = [self.base.ids, self.source.ids, self.answers, self.foils, self.reduction]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    def prompt_digests(self) -> tuple[str, ...]:
        """Return the sha256 of each base prompt's ids, to find prompts that two sets share."""
        return tuple(hashlib.sha256(json.dumps(ids).encode()).hexdigest() for ids in self.base.ids)

    def to_jsonl(self, path: str | Path) -> None:
        """Write the pairs as JSON Lines, which `read_pairs` reads back to an equal object."""
        write_pairs(self, Path(path))


def assemble(
    built: Sequence[BuiltRow],
    given: Sequence[PairRow],
    *,
    reduction: Reduction,
    record: TaskRecord,
    drop_reasons: Mapping[str, int] | None = None,
) -> PromptPairs:
    """Put encoded rows together.

    Raises:
        PromptError: If there is no row, rows name different positions, or a label is there twice.
    """
    if not built:
        raise PromptError(
            came="There are no pairs.",
            possible="One row for each pair.",
            write="Give at least one row.",
        )
    names = set(built[0].base_positions)
    for at, row in enumerate(built):
        if set(row.base_positions) != names:
            odd = sorted(set(row.base_positions) ^ names)
            raise PromptError(
                came=f"Row {at} and row 0 do not name the same positions: {', '.join(odd)}.",
                possible="One set of positions for all rows.",
                write="Name the same positions in every row.",
            )
    templates = tuple(row.template for row in built)
    prefix = record.name if record.seed is None else f"{record.name}-{record.seed}"
    return PromptPairs(
        base=_side([row.base for row in built], [row.base_positions for row in built], templates),
        source=_side(
            [row.source for row in built], [row.source_positions for row in built], templates
        ),
        answers=tuple(row.answers for row in built),
        foils=tuple(row.foils for row in built),
        answer_texts=tuple(row.answer_texts for row in built),
        foil_texts=tuple(row.foil_texts for row in built),
        reduction=reduction,
        labels=tuple(
            row.label if row.label is not None else f"{prefix}-{at}" for at, row in enumerate(given)
        ),
        record=record,
        dropped=sum((drop_reasons or {}).values()),
        drop_reasons=drop_reasons or {},
    )


def _side(
    encodings: Sequence[Encoding],
    positions: Sequence[Mapping[str, int]],
    templates: tuple[str, ...],
) -> Prompts:
    return Prompts(
        texts=tuple(one.text for one in encodings),
        ids=tuple(one.ids for one in encodings),
        tokens=tuple(one.tokens for one in encodings),
        positions={name: tuple(one[name] for one in positions) for name in positions[0]},
        templates=templates,
    )
