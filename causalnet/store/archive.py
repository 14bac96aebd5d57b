"""One file for a result: named arrays, and everything else as JSON, in the safetensors format.

The file holds no code and cannot run any.  Its JSON is in the header's metadata, with a digest
over arrays and JSON, so that an altered file is refused.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Archive", "open_archive", "save_archive"]

_SCHEMA = 1
_INTEGERS = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u"))
_DTYPES = ("bool", *_INTEGERS, "float16", "float32", "float64", "complex64")


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """What a file holds.

    Attributes:
        kind: What the content is: `effect table`.
        content: Anything JSON can say.
        arrays: Named arrays.
    """

    kind: str
    content: Mapping[str, Any]
    arrays: "Mapping[str, NDArray[Any]]"

    def digest(self) -> str:
        """Return a sha256 over kind, content and arrays.

        Raises:
            FormatError: Content that JSON cannot say, a dtype or a name that no file can hold.
        """
        described = json.dumps([self.kind, _as_json(self.content)], sort_keys=True)
        hashed = hashlib.sha256(described.encode())
        for name, array in sorted(self.arrays.items()):
            stored = _as_stored(name, array)
            hashed.update(f"{name}|{stored.dtype}|{stored.shape}".encode())
            hashed.update(stored.tobytes())
        return hashed.hexdigest()


def _as_json(content: Mapping[str, Any]) -> Any:
    """Return content as it will be read: tuples are lists, keys are strings."""
    try:
        return json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(
            f"The content cannot be written as JSON: {error}.",
            "It holds strings, finite numbers, booleans, None, lists and mappings.",
            "Put NaN and infinity into arrays.",
        ) from None


def _as_stored(name: str, array: "NDArray[Any]") -> "NDArray[Any]":
    """Return an array as it will be read: in rows, with the machine's byte order."""
    import numpy as np

    stored = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
    if stored.dtype.name not in _DTYPES:
        raise FormatError(
            f"The array {name!r} has dtype {array.dtype}.", f"Stored are {', '.join(_DTYPES)}."
        )
    if name == "__metadata__" or not name.isprintable():
        raise FormatError(f"An array cannot be called {name!r}.")
    return stored


def save_archive(archive: Archive, path: str | Path) -> Path:
    """Write an archive to one file; the file appears whole or not at all.

    Raises:
        FormatError: The folder is not there or cannot be written to, or the archive holds what no
            file can.
    """
    from safetensors.numpy import save

    target = Path(path)
    if not target.parent.is_dir():
        raise FormatError(f"There is no folder {str(target.parent)!r}.", "", "Make it first.")
    header = {
        "schema": _SCHEMA,
        "kind": archive.kind,
        "content": _as_json(archive.content),
        "digest": archive.digest(),
    }
    arrays = {name: _as_stored(name, array) for name, array in archive.arrays.items()}
    payload = save(arrays, metadata={"causalnet": json.dumps(header, sort_keys=True)})
    try:
        _replace(target, payload)
    except OSError as error:
        raise FormatError(f"{str(target)!r} cannot be written: {error.strerror}.") from None
    return target


def _replace(target: Path, payload: bytes) -> None:
    """Write beside the target, then rename: a reader sees the old file or the new one."""
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(payload)
        os.replace(partial, target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def open_archive(path: str | Path) -> Archive:
    """Read an archive.

    Raises:
        FormatError: No such file, not one of ours, of a newer schema, truncated or altered.
    """
    from safetensors import SafetensorError, safe_open

    source = Path(path)
    if not source.is_file():
        raise FormatError(f"There is no file {str(source)!r}.")
    try:
        with safe_open(source, framework="numpy") as opened:
            header = _header(source, opened.metadata() or {})
            arrays = {name: _array(source, opened, name) for name in opened.keys()}
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{str(source)!r} cannot be read: {error}.") from None
    archive = Archive(header["kind"], header["content"], arrays)
    if archive.digest() != header["digest"]:
        raise FormatError(
            f"{str(source)!r} was altered: its content does not match its digest.",
            "",
            "Compute it again.",
        )
    return archive


def _array(source: Path, opened: Any, name: str) -> "NDArray[Any]":
    try:
        tensor: NDArray[Any] = opened.get_tensor(name)
    except (TypeError, AttributeError):  # what numpy says to bfloat16 and to 8-bit floats
        raise FormatError(f"{str(source)!r} has an array {name!r} of an unknown dtype.") from None
    return tensor


def _header(source: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    ours = metadata.get("causalnet")
    if ours is None:
        raise FormatError(f"{str(source)!r} was not written by causalnet.", "", "See table.save().")
    try:
        header = json.loads(ours)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{str(source)!r} has a broken header: {error}.") from None
    if not isinstance(header, dict) or type(header.get("schema")) is not int:
        raise FormatError(f"{str(source)!r} has a broken header.", "It names its schema.")
    if header["schema"] != _SCHEMA:  # before the fields, which a later schema may rename
        raise FormatError(
            f"{str(source)!r} has schema {header['schema']}.",
            f"This version reads schema {_SCHEMA}.",
            "Use a newer causalnet.",
        )
    wanted = {"schema": int, "kind": str, "content": dict, "digest": str}
    if {name: type(value) for name, value in header.items()} != wanted:
        raise FormatError(f"{str(source)!r} has a broken header.", f"It has {sorted(wanted)}.")
    return header
