"""The SHA-256 of a model's weights, from the file or from the network, without copying them.

What is hashed: for every tensor, in the order of its name, the line `name dtype shape` and then
its bytes, little-endian and row-major.  `dtype` is spelled as safetensors spells it (`F32`).
Tied tensors are hashed once, under the name that comes first in the network, as safetensors
stores them; so a folder and the network loaded from it in the same number format agree.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from causalnet.models.safetensors_header import SafetensorsEntry, read_entries
from causalnet.models.sources import readable

if TYPE_CHECKING:
    import torch

__all__ = [
    "file_sha256",
    "module_sha256",
    "safetensors_sha256",
    "stored_tensors",
    "tokenizer_sha256",
]

_CHUNK = 1 << 20  # bytes read at once

_DTYPE_CODES = {
    "torch.float64": "F64",
    "torch.float32": "F32",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.int64": "I64",
    "torch.int32": "I32",
    "torch.int16": "I16",
    "torch.int8": "I8",
    "torch.uint8": "U8",
    "torch.bool": "BOOL",
}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces.

    Raises:
        ModelFileError: the system refuses to read it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "x").write_bytes(b"abc")
    ...     file_sha256(Path(folder) / "x")[:16]
    'ba7816bf8f01cfea'
    """
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def safetensors_sha256(paths: Sequence[Path]) -> str:
    """Return the weight hash of one or several safetensors files.

    Args:
        paths: The shards, in any order.

    Raises:
        ModelFileError: a file is not safetensors, or is truncated.
    """
    entries = sorted(
        ((entry, path) for path in paths for entry in read_entries(path)),
        key=lambda pair: pair[0].name,
    )
    files = {path: path.open("rb") for path in paths}
    digest = hashlib.sha256()
    try:
        for entry, path in entries:
            digest.update(_label(entry.name, entry.dtype, entry.shape))
            for piece in _pieces(files[path], entry):
                digest.update(piece)
    finally:
        for file in files.values():
            file.close()
    return digest.hexdigest()


def _pieces(file: BinaryIO, entry: SafetensorsEntry) -> Iterator[memoryview]:
    """Yield one tensor's bytes, a chunk at a time, in one buffer that is used again."""
    buffer = memoryview(bytearray(min(_CHUNK, entry.end - entry.start)))
    file.seek(entry.start)
    left = entry.end - entry.start
    while left:
        count = file.readinto(buffer[: min(left, len(buffer))])  # type: ignore[attr-defined]  # BufferedReader has it, typeshed's BinaryIO has not
        yield buffer[:count]
        left -= count


def module_sha256(module: "torch.nn.Module") -> str:
    """Return the weight hash of a network in memory: its parameters and saved buffers.

    A tensor on the CPU is hashed where it lies; one on another device is brought over, one at a
    time.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(stored_tensors(module).items()):
        code = _DTYPE_CODES.get(str(tensor.dtype), str(tensor.dtype))
        digest.update(_label(name, code, tuple(tensor.shape)))
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def stored_tensors(module: "torch.nn.Module") -> "dict[str, torch.Tensor]":
    """Return the state dict without the second names of tied tensors."""
    seen: set[tuple[int, tuple[int, ...]]] = set()
    stored: dict[str, torch.Tensor] = {}
    for name, tensor in module.state_dict().items():
        place = (tensor.data_ptr(), tuple(tensor.shape))
        if tensor.numel() == 0 or place not in seen:
            seen.add(place)
            stored[name] = tensor
    return stored


def _bytes_of(tensor: "torch.Tensor") -> memoryview:
    """Return a tensor's bytes, row-major, without a copy where it lies so on the CPU."""
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def _label(name: str, dtype: str, shape: Sequence[int]) -> bytes:
    """Return the line that frames one tensor."""
    return f"{json.dumps(name)} {dtype} {list(shape)}\n".encode()


def tokenizer_sha256(tokenizer: Any) -> str:
    """Return the SHA-256 of a tokenizer's own JSON text, `""` for no tokenizer.

    A tokenizer without a fast backend has no such text; its vocabulary is hashed.
    """
    if tokenizer is None:
        return ""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = (
        json.dumps(tokenizer.get_vocab(), sort_keys=True) if backend is None else backend.to_str()
    )
    return hashlib.sha256(text.encode()).hexdigest()
