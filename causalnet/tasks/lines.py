"""The lines of a JSON Lines or CSV file, numbered, each as a mapping."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from causalnet.errors import PromptError

__all__ = ["MOST_BYTES", "MOST_ROWS", "Line", "file_content", "file_lines"]

MOST_BYTES = 64 * 2**20
MOST_ROWS = 100_000

Line = tuple[int, Mapping[str, object]]
"""The number of a line, from 1, and its fields."""


def file_content(file: Path) -> bytes:
    """Return the bytes of a file that is named, sized and encoded as it has to be.

    Raises:
        PromptError: If it is not.
    """
    if file.suffix not in (".jsonl", ".csv"):
        raise PromptError(
            came=f"{file.name!r} as prompt pairs.",
            possible="A .jsonl or .csv file.",
            write="Name such a file, for example pairs.jsonl.",
        )
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
        raise PromptError(
            came=f"{file} cannot be read: {error.strerror}.",
            possible="A .jsonl or .csv file that you may read.",
            write="Check its name and folder; those in a claim file are relative to it.",
        ) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PromptError(
            came=f"{file.name}:{line}: not UTF-8.",
            possible="Text in UTF-8.",
            write="Save the file as UTF-8.",
        ) from None
    return content


def file_lines(file: Path, content: bytes) -> list[Line]:
    """Return the rows of a file with their line numbers.

    Raises:
        PromptError: For what is not JSON Lines or CSV, naming file and line, or too many rows.
    """
    read = _json_lines if file.suffix == ".jsonl" else _csv_lines
    lines = []
    for line in read(file, content.decode("utf-8-sig")):
        lines.append(line)
        if len(lines) > MOST_ROWS + 1:
            raise PromptError(
                came=f"{file.name} has more than {MOST_ROWS} rows.",
                possible=f"At most {MOST_ROWS} rows.",
                write="Split it.",
            )
    return lines


def _json_lines(file: Path, text: str) -> Iterator[Line]:
    # Not splitlines: a JSON text may hold U+2028 and its like.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{file.name}:{number}"
        plain = _json(line, where)
        if not isinstance(plain, dict):
            raise PromptError(
                came=f"{where}: {line[:40]!r} is not an object.",
                possible="One JSON object per line.",
                write='Write for example {"base": …, "source": …, "answer": …, "foil": …}.',
            )
        yield number, plain


def _json(text: str, where: str) -> object:
    """Read one JSON value, without NaN, infinity and names that are given twice."""

    def refuse(constant: str) -> object:
        raise PromptError(
            came=f"{where}: {constant}.",
            possible="Numbers that are finite.",
            write="Write a number, or leave the field out.",
        )

    def fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
        (name, times), *_ = [*Counter(name for name, _ in pairs).most_common(1), ("", 0)]
        if times > 1:
            raise PromptError(
                came=f"{where}: the field {name!r} is given twice.",
                possible="Each field once.",
                write="Delete one of the two.",
            )
        return dict(pairs)

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=fields)
    except json.JSONDecodeError as error:
        raise PromptError(
            came=f"{where}: not JSON at column {error.colno}: {error.msg}.",
            possible="One JSON object per line.",
            write="Write texts and names in double quotes, and no comma behind the last field.",
        ) from None
    except ValueError:  # Python refuses integers of more than 4300 digits
        raise PromptError(
            came=f"{where}: a number of too many digits.",
            possible="Token ids and places in a text.",
            write="Write a shorter number.",
        ) from None
    except RecursionError:
        raise PromptError(
            came=f"{where}: nested too deeply.",
            possible="An object of texts, numbers and lists.",
            write='Write for example {"base": …, "source": …, "answer": …, "foil": …}.',
        ) from None


def _csv_lines(file: Path, text: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    before = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise PromptError(
                came=f"{file.name}:{before + 1}: not CSV: {error}.",
                possible="Cells between commas, with double quotes around those that hold one.",
                write='Close the quotes, and write " in a cell as "".',
            ) from None
        if cells is None:
            return
        number, before = before + 1, reader.line_num
        where = f"{file.name}:{number}"
        if names is None:
            names = _column_names(cells, where)
        elif len(cells) > len(names):
            raise PromptError(
                came=f"{where}: {len(cells)} cells for {len(names)} columns.",
                possible="A cell for each column of the first line.",
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
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise PromptError(
            came=f"{where}: two columns are named {name!r}.",
            possible="Each name once.",
            write="Delete or rename one of the two.",
        )
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
