"""The header of a GGUF file, read and checked without any other library.

The format: `GGUF`, a version, the counts of tensors and of metadata entries, the entries, one
line per tensor, padding, the tensors' blocks (ggml's docs/gguf.md).  Every length is checked
against the file's size before it is used, so that a damaged header is an error and never a crash.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from causalnet.errors import CausalNetError, ModelFileError
from causalnet.models.sources import readable

__all__ = ["GGUFHeader", "GGUFTensor", "read_gguf_header"]

#: The value types that are one number, as `struct` spells them.
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_LONGEST_STRING = 1 << 24  # bytes; the longest real one is a chat template
_KEPT_ITEMS = 4096  # longer arrays (the vocabulary) are walked and not kept
_MOST_DIMENSIONS = 4  # ggml's own limit


@dataclass(frozen=True, slots=True)
class GGUFTensor:
    """One tensor: its name, shape (row-major, as torch has it), ggml type and bytes `start:end`."""

    name: str
    shape: tuple[int, ...]
    type_code: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """The metadata and the table of tensors.

    Args:
        version: 2 or 3.
        metadata: Key to value; an array of more than 4,096 items is given as its length.
        tensors: In the file's order.
    """

    version: int
    metadata: Mapping[str, object]
    tensors: tuple[GGUFTensor, ...]

    @property
    def architecture(self) -> str:
        """The value of `general.architecture`, such as `"llama"`."""
        return str(self.metadata.get("general.architecture", ""))


def read_gguf_header(path: Path) -> GGUFHeader:
    """Read a GGUF file's header and check every tensor's extent against the file's size.

    Raises:
        ModelFileError: no GGUF file, a damaged header, bytes missing at the end, or a file that
            the system refuses to read.
    """
    with readable(path):
        size = path.stat().st_size
        if size < 24:
            raise _damaged(path, f"has {size:,} bytes, fewer than the shortest GGUF header's 24")
        return _header_of(path)


def _header_of(path: Path) -> GGUFHeader:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Reader(path, data).header()


class _Reader:
    """Reads values one after the other, never past the end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        """Start at the first byte."""
        self.path, self.data, self.at = path, data, 0

    def header(self) -> GGUFHeader:
        """Read the whole header."""
        magic = self.take(4, "the magic number")
        if magic != b"GGUF":
            raise _damaged(self.path, f"begins with {magic!r} and not with b'GGUF'")
        version = self.number("I", "the version")
        if version not in (2, 3):
            raise _damaged(self.path, f"says GGUF version {version}; versions 2 and 3 can be read")
        tensor_count, entry_count = self.number("Q", "the tensors"), self.number("Q", "the entries")
        metadata: dict[str, object] = {}
        for _ in range(entry_count):
            key = self.string("a metadata key")
            metadata[key] = self.value(self.number("I", f"the type of {key!r}"), key)
        rows = [self.tensor_row() for _ in range(tensor_count)]
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise _damaged(self.path, f"says an alignment of {alignment!r}")
        start = -(-self.at // alignment) * alignment
        tensors = tuple(self.placed(row, start, alignment) for row in rows)
        self.check_end(tensors)
        return GGUFHeader(version, MappingProxyType(metadata), tensors)

    def take(self, count: int, what: str) -> bytes:
        """Return the next bytes."""
        end = self.at + count
        if end > len(self.data):
            raise _damaged(
                self.path,
                f"has {len(self.data):,} bytes and ends inside its header: {what} needs "
                f"bytes {self.at:,} to {end:,}",
            )
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def number(self, code: str, what: str) -> int:
        """Return one little-endian number."""
        (found,) = struct.unpack("<" + code, self.take(struct.calcsize("<" + code), what))
        return found  # type: ignore[no-any-return]  # struct gives Any; the caller knows the code

    def string(self, what: str) -> str:
        """Return one string."""
        place, length = self.at, self.number("Q", f"the length of {what}")
        if length > _LONGEST_STRING:
            raise _damaged(self.path, f"says at byte {place:,} that {what} has {length:,} bytes")
        try:
            return self.take(length, what).decode()
        except UnicodeDecodeError:
            raise _damaged(self.path, f"has no UTF-8 text at byte {place:,} for {what}") from None

    def value(self, type_code: int, key: str) -> object:
        """Return one metadata value."""
        if type_code in _SCALARS:
            return self.number(_SCALARS[type_code], f"the value of {key!r}")
        if type_code == _STRING:
            return self.string(f"the value of {key!r}")
        if type_code != _ARRAY:
            raise _damaged(self.path, f"gives {key!r} the unknown value type {type_code}")
        item_type, length = self.number("I", f"{key!r}"), self.number("Q", f"{key!r}")
        if length > len(self.data):
            raise _damaged(self.path, f"says that {key!r} has {length:,} items")
        items = [self.value(item_type, key) for _ in range(length)]
        return items if length <= _KEPT_ITEMS else length

    def tensor_row(self) -> tuple[str, tuple[int, ...], int, int]:
        """Return a tensor's name, shape, type and offset."""
        name = self.string("a tensor's name")
        dimensions = self.number("I", f"the dimensions of {name!r}")
        if dimensions > _MOST_DIMENSIONS:
            raise _damaged(self.path, f"gives its tensor {name!r} {dimensions:,} dimensions")
        shape = tuple(self.number("Q", f"the shape of {name!r}") for _ in range(dimensions))
        type_code, offset = self.number("I", f"{name!r}"), self.number("Q", f"{name!r}")
        return name, shape[::-1], type_code, offset  # ggml writes the fastest axis first

    def placed(
        self, row: tuple[str, tuple[int, ...], int, int], data_start: int, alignment: int
    ) -> GGUFTensor:
        """Work out where a tensor's bytes lie."""
        name, shape, type_code, offset = row
        start = data_start + offset
        end = start + _byte_count(self.path, name, shape, type_code)
        if offset % alignment:
            raise _damaged(self.path, f"puts its tensor {name!r} at the odd offset {offset:,}")
        return GGUFTensor(name, shape, type_code, start, end)

    def check_end(self, tensors: tuple[GGUFTensor, ...]) -> None:
        """Check that every tensor's bytes are there; the last tensor says how many are not."""
        last = max(tensors, key=lambda tensor: tensor.end, default=None)
        if last is not None and last.end > len(self.data):
            raise _damaged(
                self.path,
                f"has {len(self.data):,} bytes, but its tensor {last.name!r} ends at byte "
                f"{last.end:,}: {last.end - len(self.data):,} bytes are missing",
            )


def _byte_count(path: Path, name: str, shape: tuple[int, ...], type_code: int) -> int:
    """Return how many bytes a tensor takes in its ggml type."""
    quantizations = _block_sizes()
    if type_code not in quantizations:
        raise _damaged(path, f"gives its tensor {name!r} the unknown ggml type {type_code}")
    block, width = quantizations[type_code]
    count = 1
    for extent in shape:
        count *= extent
    if count % block:
        raise _damaged(path, f"gives its tensor {name!r} {count:,} values in blocks of {block}")
    return count // block * width


def _block_sizes() -> Mapping[int, tuple[int, int]]:
    """Return values per block and bytes per block for each ggml type."""
    try:
        from gguf.constants import GGML_QUANT_SIZES
    except ImportError:
        raise CausalNetError(
            came="Reading a GGUF file takes the package 'gguf', which is not installed.",
            write="Run: pip install 'causalnet-lab[gguf]'",
        ) from None
    return {
        int(code): (int(block), int(width)) for code, (block, width) in GGML_QUANT_SIZES.items()
    }


def _damaged(path: Path, what: str) -> ModelFileError:
    """Return the error for a file that is truncated or altered."""
    return ModelFileError(
        came=f"The model file {str(path)!r} {what}.",
        possible="It is truncated or altered, or no GGUF file.",
        write="Fetch or copy it again and compare its size with the original's.",
    )
