"""The table of contents of a safetensors file, read and checked without torch.

The format: eight bytes with the header's length, the header as JSON, then the tensors' bytes
(<https://huggingface.co/docs/safetensors>).
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from causalnet.errors import ModelFileError
from causalnet.models.sources import readable

__all__ = ["SafetensorsEntry", "read_entries"]

#: The format's own limit on the header, in bytes.
_LONGEST_HEADER = 100_000_000

_WIDTHS = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SafetensorsEntry:
    """One tensor: its name, number format, shape, and the bytes `start:end` of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_entries(path: Path) -> tuple[SafetensorsEntry, ...]:
    """Read the header and check every tensor's extent against the file's size.

    Raises:
        ModelFileError: the file is not safetensors, its header is damaged, bytes are missing, or
            the system refuses to read it.
    """
    with readable(path), path.open("rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_LONGEST_HEADER, size - 8):
            raise _damaged(path, f"has {size:,} bytes, too few for a header of {length:,} bytes")
        text = file.read(length)
    try:
        table = json.loads(text)
        entries = tuple(
            _entry(name, fields, 8 + length)
            for name, fields in table.items()
            if name != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError) as mistake:
        raise _damaged(path, f"has a header that cannot be read ({mistake})") from None
    for entry in sorted(entries, key=lambda entry: -entry.end):  # the last one names all bytes
        _check_extent(path, entry, size)
    return entries


def _entry(name: str, fields: dict[str, object], data_start: int) -> SafetensorsEntry:
    """Make one entry from the header's JSON."""
    start, end = (int(offset) for offset in fields["data_offsets"])  # type: ignore[attr-defined]  # JSON: a wrong type raises TypeError, which the caller catches
    shape = tuple(int(extent) for extent in fields["shape"])  # type: ignore[attr-defined]  # as above
    return SafetensorsEntry(name, str(fields["dtype"]), shape, data_start + start, data_start + end)


def _check_extent(path: Path, entry: SafetensorsEntry, size: int) -> None:
    """Refuse a tensor whose bytes are not all there or do not fit its shape."""
    if entry.end > size:
        raise _damaged(
            path,
            f"has {size:,} bytes, but its tensor {entry.name!r} ends at byte {entry.end:,}: "
            f"{entry.end - size:,} bytes are missing",
        )
    expected = _WIDTHS.get(entry.dtype, 0) * math.prod(entry.shape)
    if entry.dtype in _WIDTHS and entry.end - entry.start != expected:
        raise _damaged(
            path,
            f"gives its tensor {entry.name!r} {entry.end - entry.start:,} bytes where "
            f"{entry.dtype} {list(entry.shape)} takes {expected:,}",
        )


def _damaged(path: Path, what: str) -> ModelFileError:
    """Return the error for a file that is truncated or altered."""
    return ModelFileError(
        came=f"The model file {str(path)!r} {what}.",
        possible="It is truncated or altered, or no safetensors file.",
        write="Fetch or copy it again and compare its size with the original's.",
    )
