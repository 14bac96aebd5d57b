"""A user's own prompt pairs, from JSON Lines or CSV."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from causalnet.errors import PromptError
from causalnet.tasks.build import build_row
from causalnet.tasks.encoding import Encoder
from causalnet.tasks.pairs import PromptPairs, Reduction, assemble
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow, parse_row
from causalnet.tasks.writing import HEADER

__all__ = ["MOST_BYTES", "MOST_ROWS", "read_pairs"]

MOST_BYTES = 64 * 2**20
MOST_ROWS = 100_000

_Line = tuple[int, Mapping[str, object]]


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
    content = _content(file)
    lines = _lines(file, content.decode("utf-8-sig"))
    header, rows = _header(file, lines)
    said: dict[str, object] = {
        "reduction": reduction,
        "bos": bos,
        "chat_template": chat_template,
        "align": align,
    }
    wanted = _policies(file, header, said)
    record = _record(file, content, header, wanted, len(rows))
    encoder = Encoder(tokenizer, record.bos, record.chat_template)
    given: list[PairRow] = []
    built = []
    for line, plain in rows:
        where = f"{file.name}:{line}"
        given.append(parse_row(plain, where))
        built.append(build_row(encoder, given[-1], where, align=bool(wanted["align"])))
    if not built:
        raise PromptError(came=f"{file.name} holds no pairs.", write="Give at least one row.")
    return assemble(
        built,
        given,
        reduction=cast(Reduction, wanted["reduction"]),
        record=record,
        drop_reasons=_drop_reasons(file, header),
    )


def _content(file: Path) -> bytes:
    if file.suffix not in (".jsonl", ".csv"):
        raise PromptError(came=f"{file.name!r} as prompt pairs.", possible="A .jsonl or .csv file.")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise PromptError(
                came=f"{file.name} has {file.stat().st_size} bytes.",
                possible=f"At most {MOST_BYTES} bytes.",
                write="Split it.",
            )
        content = file.read_bytes()
        content.decode("utf-8-sig")
    except OSError as error:
        raise PromptError(came=f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PromptError(
            came=f"{file.name}:{line}: not UTF-8.", write="Save the file as UTF-8."
        ) from None
    return content


def _lines(file: Path, text: str) -> list[_Line]:
    read = _json_lines if file.suffix == ".jsonl" else _csv_lines
    lines = []
    for line in read(file, text):
        lines.append(line)
        if len(lines) > MOST_ROWS + 1:
            raise PromptError(
                came=f"{file.name} has more than {MOST_ROWS} rows.", write="Split it."
            )
    return lines


def _json_lines(file: Path, text: str) -> Iterator[_Line]:
    # Not splitlines: a JSON text may hold U+2028 and its like.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{file.name}:{number}"
        plain = _json(line, where)
        if not isinstance(plain, dict):
            raise PromptError(
                came=f"{where}: {line[:40]!r} is not an object.",
                possible='One JSON object per line, as {"base": …, "source": …}.',
            )
        yield number, plain


def _json(text: str, where: str) -> object:
    """Read one JSON value, without NaN, infinity and names that are given twice."""

    def refuse(constant: str) -> object:
        raise PromptError(came=f"{where}: {constant}.", possible="Numbers that are finite.")

    def fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        doubled = [name for name in names if names.count(name) > 1]
        if doubled:
            raise PromptError(
                came=f"{where}: the field {doubled[0]!r} is given twice.", write="Give it once."
            )
        return dict(pairs)

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=fields)
    except json.JSONDecodeError as error:
        raise PromptError(
            came=f"{where}: not JSON at column {error.colno}: {error.msg}.",
            possible="One JSON object per line.",
        ) from None
    except RecursionError:
        raise PromptError(came=f"{where}: nested too deeply.") from None


def _csv_lines(file: Path, text: str) -> Iterator[_Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    before = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise PromptError(came=f"{file.name}:{before + 1}: not CSV: {error}.") from None
        if cells is None:
            return
        number, before = before + 1, reader.line_num
        where = f"{file.name}:{number}"
        if names is None:
            names = _column_names(cells, where)
        elif len(cells) > len(names):
            raise PromptError(
                came=f"{where}: {len(cells)} cells for {len(names)} columns.",
                write="Put a cell that holds a comma in double quotes.",
            )
        elif any(cells):
            yield (
                number,
                {
                    name: _cell(name, cell, where)
                    for name, cell in zip(names, cells, strict=False)
                    if cell
                },
            )


def _column_names(cells: list[str], where: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise PromptError(came=f"{where}: two columns are named {doubled[0]!r}.")
    return names


def _cell(name: str, cell: str, where: str) -> object:
    """Read a CSV cell: lists and mappings are JSON, positions have a short form."""
    where = f"{where}, field {name!r}"
    if name.startswith("positions."):
        return _position_cell(cell, where)
    if name == "positions" or name.endswith("_ids"):
        return _json(cell, where)
    if name in ("answer", "answers", "foil", "foils") and cell.startswith("["):
        return _json(cell, where)
    return cell


def _position_cell(cell: str, where: str) -> object:
    if re.fullmatch(r"-?[0-9]{1,9}", cell):
        return int(cell)
    span = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", cell)
    if span:
        return [int(span[1]), int(span[2])]
    return _json(cell, where) if cell.startswith("{") else cell


def _header(file: Path, lines: list[_Line]) -> tuple[Mapping[str, object], list[_Line]]:
    """Take the line apart that `to_jsonl` writes first."""
    if not lines or HEADER not in lines[0][1]:
        return {}, lines
    header = lines[0][1]
    if header[HEADER] != 1 or not isinstance(header.get("record"), dict):
        raise PromptError(
            came=f"{file.name}:1: a header of format {header[HEADER]!r}.",
            possible="Format 1, with a record.",
            write="Write the file with this version's pairs.to_jsonl(path).",
        )
    return header, lines[1:]


def _policies(
    file: Path, header: Mapping[str, object], said: Mapping[str, object]
) -> dict[str, object]:
    """Settle the policies: the file's own where it has a header, else the caller's."""
    default = {"reduction": "mean", "bos": False, "chat_template": False, "align": True}
    if not header:
        return {name: default[name] if said[name] is None else said[name] for name in default}
    record = cast(Mapping[str, Any], header["record"])
    kept = {
        "reduction": header.get("reduction", "mean"),
        "bos": record.get("bos", False),
        "chat_template": record.get("chat_template", False),
        "align": (record.get("options") or {}).get("align", True),
    }
    for name, value in said.items():
        if value is not None and value != kept[name]:
            raise PromptError(
                came=f"{name}={value!r}, but {file.name} was written with {kept[name]!r}.",
                write=f"Leave {name} out, or take the file's first line out.",
            )
    return kept


def _record(
    file: Path,
    content: bytes,
    header: Mapping[str, object],
    wanted: Mapping[str, object],
    n: int,
) -> TaskRecord:
    if header:
        return TaskRecord.from_json(cast(Mapping[str, object], header["record"]))
    options: dict[str, object] = {
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if not wanted["align"]:
        options["align"] = False
    return TaskRecord(
        name="file",
        n=n,
        bos=bool(wanted["bos"]),
        chat_template=bool(wanted["chat_template"]),
        options=options,
    )


def _drop_reasons(file: Path, header: Mapping[str, object]) -> dict[str, int]:
    reasons = header.get("drop_reasons") or {}
    if not isinstance(reasons, dict) or not all(
        isinstance(times, int) and not isinstance(times, bool) and times >= 0
        for times in reasons.values()
    ):
        raise PromptError(came=f"{file.name}:1: wrong drop_reasons.")
    return reasons
