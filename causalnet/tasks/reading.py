"""A user's own prompt pairs, from JSON Lines or CSV."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from causalnet.errors import PromptError
from causalnet.tasks.build import build_row
from causalnet.tasks.encoding import Encoder
from causalnet.tasks.lines import Line, file_content, file_lines
from causalnet.tasks.pairs import PromptPairs, Reduction, assemble
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow, parse_row
from causalnet.tasks.writing import HEADER

__all__ = ["read_pairs"]


def read_pairs(
    path: str | Path,
    tokenizer: Any,
    *,
    reduction: Reduction | None = None,
    bos: bool | None = None,
    chat_template: bool | None = None,
    align: bool | None = None,
) -> PromptPairs:
    """Read prompt pairs from a `.jsonl` or `.csv` file.

    Fields: `causalnet.tasks.FIELDS`, and `positions.NAME` for one position.  In a CSV file a list
    is written as JSON (`[" Mary", " Anna"]`), a position as `7` (token), `4:8` (characters) or a
    piece of the text.  A file that `PromptPairs.to_jsonl` wrote is read back to an equal object.

    Args:
        path: The file; at most 64 MiB and 100,000 pairs.
        tokenizer: A Hugging Face tokenizer.
        reduction: How the logits of a token set become one number; `mean` by default.
        bos: Put the beginning-of-sequence token in front of texts; no by default.
        chat_template: Wrap texts as a user's message; no by default.
        align: Ask base and source for equal lengths and equal positions; yes by default.

    Raises:
        PromptError: If the file cannot be read, naming file, line and field.
        AnswerError: For an answer or foil that is not one token.
        AlignmentError: For prompts that do not align.
    """
    file = Path(path)
    content = file_content(file)
    header, rows = _header(file, file_lines(file, content))
    given = {"reduction": reduction, "bos": bos, "chat_template": chat_template, "align": align}
    wanted = _policies(file, header, given)
    encoder = Encoder(tokenizer, bool(wanted["bos"]), bool(wanted["chat_template"]))
    parsed: list[PairRow] = []
    built = []
    for line, plain in rows:
        where = f"{file.name}:{line}"
        parsed.append(parse_row(plain, where))
        built.append(build_row(encoder, parsed[-1], where, align=bool(wanted["align"])))
    if not built:
        raise PromptError(
            came=f"{file.name} holds no pairs.",
            possible="One pair in each line.",
            write="Give at least one row.",
        )
    return assemble(
        built,
        parsed,
        reduction=cast(Reduction, wanted["reduction"]),
        record=header.record if header else _record(file, content, wanted, len(rows)),
        drop_reasons=header.drop_reasons if header else {},
    )


@dataclass(frozen=True, slots=True)
class _Header:
    """What `to_jsonl` writes first."""

    record: TaskRecord
    reduction: object
    drop_reasons: Mapping[str, int]


def _header(file: Path, lines: list[Line]) -> tuple[_Header | None, list[Line]]:
    """Take the line apart that `to_jsonl` writes first, if there is one."""
    if not lines or HEADER not in lines[0][1]:
        return None, lines
    plain = lines[0][1]
    record, reasons = plain.get("record"), plain.get("drop_reasons", {})
    if plain[HEADER] != 1 or not isinstance(record, dict) or not _are_counts(reasons):
        raise PromptError(
            came=f"{file.name}:1: a header that is not of format 1.",
            possible=f"{HEADER}: 1, with a record, a reduction and drop_reasons.",
            write="Write the file with this version's pairs.to_jsonl(path).",
        )
    counts = cast(Mapping[str, int], reasons)
    return _Header(TaskRecord.from_json(record), plain.get("reduction"), counts), lines[1:]


def _are_counts(reasons: object) -> bool:
    return isinstance(reasons, dict) and all(
        isinstance(times, int) and not isinstance(times, bool) and times >= 0
        for times in reasons.values()
    )


def _policies(file: Path, header: _Header | None, given: Mapping[str, object]) -> dict[str, object]:
    """Settle the policies: the file's own where it has a header, else the caller's."""
    if header is None:
        default = {"reduction": "mean", "bos": False, "chat_template": False, "align": True}
        return {name: default[name] if given[name] is None else given[name] for name in default}
    kept = {
        "reduction": header.reduction,
        "bos": header.record.bos,
        "chat_template": header.record.chat_template,
        "align": header.record.options.get("align", True),
    }
    for name, value in given.items():
        if value is not None and value != kept[name]:
            raise PromptError(
                came=f"{name} is {value!r}, but {file.name} was written with {kept[name]!r}.",
                possible="The file's first line says how its prompts are read.",
                write=f"Give {name} as {kept[name]!r}, or take that line out.",
            )
    return kept


def _record(file: Path, content: bytes, wanted: Mapping[str, object], n: int) -> TaskRecord:
    options = {"file": file.name, "sha256": hashlib.sha256(content).hexdigest()}
    return TaskRecord(
        name="file",
        n=n,
        bos=bool(wanted["bos"]),
        chat_template=bool(wanted["chat_template"]),
        options=options if wanted["align"] else {**options, "align": False},
    )
