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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import FormatError

__all__ = ["Archive", "open_archive", "save_archive"]

_SCHEMA = 1


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
    arrays: Mapping[str, NDArray[Any]]

    def digest(self) -> str:
        """Return a sha256 over kind, content and arrays."""
        hashed = hashlib.sha256(json.dumps([self.kind, self.content], sort_keys=True).encode())
        for name, array in sorted(self.arrays.items()):
            hashed.update(f"{name}|{array.dtype}|{array.shape}".encode())
            hashed.update(np.ascontiguousarray(array).tobytes())
        return hashed.hexdigest()


def save_archive(archive: Archive, path: str | Path) -> Path:
    """Write an archive to one file; the file appears whole or not at all.

    Raises:
        FormatError: The folder is not there.
    """
    from safetensors.numpy import save

    target = Path(path)
    if not target.parent.is_dir():
        raise FormatError(f"There is no folder {str(target.parent)!r}.", "", "Make it first.")
    header = {
        "schema": _SCHEMA,
        "kind": archive.kind,
        "content": archive.content,
        "digest": archive.digest(),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in archive.arrays.items()}
    payload = save(arrays, metadata={"causalnet": json.dumps(header, sort_keys=True)})
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(payload)
        os.replace(partial, target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return target


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
            metadata = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}
    except SafetensorError as error:
        raise FormatError(f"{str(source)!r} cannot be read: {error}.") from None
    header = _header(source, metadata)
    archive = Archive(header["kind"], header["content"], arrays)
    if archive.digest() != header["digest"]:
        raise FormatError(
            f"{str(source)!r} was altered: its content does not match its digest.",
            "",
            "Compute it again.",
        )
    return archive


def _header(source: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    ours = metadata.get("causalnet")
    if ours is None:
        raise FormatError(f"{str(source)!r} was not written by causalnet.", "", "See table.save().")
    try:
        header = json.loads(ours)
    except json.JSONDecodeError as error:
        raise FormatError(f"{str(source)!r} has a broken header: {error}.") from None
    wanted = {"schema", "kind", "content", "digest"}
    if not isinstance(header, dict) or set(header) != wanted:
        raise FormatError(f"{str(source)!r} has a broken header.", f"It has {sorted(wanted)}.")
    if header["schema"] != _SCHEMA:
        raise FormatError(
            f"{str(source)!r} has schema {header['schema']}.",
            f"This version reads schema {_SCHEMA}.",
            "Use a newer causalnet.",
        )
    return header
