"""GGUF files, converted once to a folder that loads in a fraction of the time.

The folder lies in the user's own folder for such files (`CAUSALNET_CACHE`, else
`XDG_CACHE_HOME/causalnet`, else `~/.cache/causalnet`), under the SHA-256 of the GGUF file, so an
altered file is another model.  It holds what `save_pretrained` writes, and `causalnet.json`: the
facts that the GGUF file states, its hash, the converted weights' hash and the releases that
converted it.
"""

import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.errors import CausalNetError, ModelFileError, UnsupportedArchitectureError
from causalnet.models.declared import declared_by_gguf
from causalnet.models.folders import folder_module, read_json
from causalnet.models.gguf_header import GGUFHeader, read_gguf_header
from causalnet.models.hashing import file_sha256, safetensors_sha256, stored_tensors
from causalnet.models.provenance import library_versions
from causalnet.models.sources import readable
from causalnet.store import user_folder

if TYPE_CHECKING:
    import torch

__all__ = ["MANIFEST", "converted_folder"]

MANIFEST = "causalnet.json"

#: Counts up when the conversion changes, so that folders of an earlier one are not used.
_FORMAT = 1

_WEIGHTS = "model.safetensors"
_PARTIAL = ".partial-"
_DAY = 86_400  # seconds


def converted_folder(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return the converted folder of a GGUF file and its manifest, converting it if need be.

    Args:
        path: The GGUF file.

    Raises:
        ModelFileError: the file is truncated, altered, or no GGUF file.
        UnsupportedArchitectureError: transformers cannot read this architecture from GGUF.
    """
    sha256 = file_sha256(path)
    folder = user_folder() / "models" / f"gguf{_FORMAT}-{sha256}"
    manifest = _usable_manifest(folder)
    if manifest is None:
        header = read_gguf_header(path)
        with _one_process_at_a_time(folder.with_suffix(".lock")):
            manifest = _usable_manifest(folder)  # another process may have been first
            if manifest is None:
                _put_aside(folder)
                _convert(path, header, sha256, folder)
                manifest = read_json(folder / MANIFEST)
    return folder, manifest


def _usable_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest, or None where the folder is not there or was altered.

    The configuration and the tokenizer are hashed each time.  The weights are hashed here only
    when the file's size or time is not the recorded one; the full hash follows when the model's
    provenance is asked for.
    """
    with readable(folder):
        if not (folder / MANIFEST).is_file():
            return None
    try:
        manifest = read_json(folder / MANIFEST)
        if manifest["files"] != {path.name: file_sha256(path) for path in _small_files(folder)}:
            return None
        if manifest["stamp"] == _stamp(folder / _WEIGHTS):
            return manifest
        weights_sha256 = safetensors_sha256([folder / _WEIGHTS])
    except (ModelFileError, KeyError, FileNotFoundError):
        return None
    return manifest if manifest["weights_sha256"] == weights_sha256 else None


def _put_aside(folder: Path) -> None:
    """Remove an altered folder, for the GGUF file itself is at hand, and say so.

    What conversions that were killed left behind a day ago goes as well.
    """
    if folder.exists():
        warnings.warn(
            f"The converted model in {str(folder)!r} was altered or is incomplete; it is "
            "converted again from its GGUF file.",
            stacklevel=2,
        )
        try:
            shutil.rmtree(folder)
        except OSError as refusal:
            raise _unwritable(refusal) from None
    for partial_folder in folder.parent.glob(f"{_PARTIAL}*"):
        if time.time() - partial_folder.stat().st_mtime > _DAY:
            shutil.rmtree(partial_folder, ignore_errors=True)


def _small_files(folder: Path) -> list[Path]:
    """Return the configuration and the tokenizer's files."""
    with readable(folder):
        return sorted(path for path in folder.iterdir() if path.name not in (MANIFEST, _WEIGHTS))


def _stamp(path: Path) -> list[int]:
    """Return a file's size and time of change, in nanoseconds."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


@contextmanager
def _one_process_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock file while converting, so that two processes do not do it twice.

    Only work is saved by it: the folder itself appears in one step.  Where there is no flock
    (Windows) both processes convert, and the second finds the first one's folder.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as refusal:
        raise _unwritable(refusal) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unwritable(refusal: OSError) -> CausalNetError:
    """Return the error for a folder that cannot be written."""
    return CausalNetError(
        came=f"A converted model cannot be written to {str(user_folder())!r} ({refusal}).",
        write="Set CAUSALNET_CACHE to a folder with room in it that you may write to.",
    )


def _convert(path: Path, header: GGUFHeader, sha256: str, folder: Path) -> None:
    """Convert into a folder beside the final one and move it there in one step."""
    _check_architecture(path, header)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
    except OSError as refusal:
        raise _unwritable(refusal) from None
    try:
        _write_folder(path, header, sha256, partial)
        partial.rename(folder)
    except OSError as refusal:
        if not (folder / MANIFEST).is_file():  # else another process was first: the same folder
            raise _unwritable(refusal) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_architecture(path: Path, header: GGUFHeader) -> None:
    """Refuse what transformers cannot read from GGUF, or reads without a word of what it drops."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if header.architecture not in GGUF_SUPPORTED_ARCHITECTURES:
        raise UnsupportedArchitectureError(
            came=f"{str(path)!r} holds the architecture {header.architecture!r}.",
            possible=f"From GGUF there is {', '.join(sorted(GGUF_SUPPORTED_ARCHITECTURES))}.",
            write="Give the Hugging Face folder of the model.",
        )
    if "rope_scaling" in declared_by_gguf(header):
        raise UnsupportedArchitectureError(
            came=f"{str(path)!r} scales its rotary frequencies.",
            possible="transformers drops the scaling when it reads a GGUF file, and the model "
            "would compute something else.",
            write="Give the Hugging Face folder of the model.",
        )


def _write_folder(path: Path, header: GGUFHeader, sha256: str, folder: Path) -> None:
    """Write the weights, configuration, tokenizer and manifest of a GGUF file."""
    import torch
    from transformers import AutoTokenizer

    with _conversion_bar_off():
        module = folder_module(path.parent, torch.float32, "sdpa", gguf_file=path.name)
    _write_weights(path, module, folder / _WEIGHTS)
    _write_config(module, folder)
    AutoTokenizer.from_pretrained(
        str(path.parent), gguf_file=path.name, local_files_only=True
    ).save_pretrained(str(folder))
    manifest = {
        "format": _FORMAT,
        "file": path.name,
        "file_sha256": sha256,
        "weights_sha256": safetensors_sha256([folder / _WEIGHTS]),
        "files": {path.name: file_sha256(path) for path in _small_files(folder)},
        "declared": declared_by_gguf(header),
        "metadata": _short_metadata(header),
        "versions": dict(library_versions()),
        "stamp": _stamp(folder / _WEIGHTS),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


@contextmanager
def _conversion_bar_off() -> Iterator[None]:
    """Silence the bar of the conversion, which transformers' own switch does not reach."""
    reader: Any = import_module("transformers.modeling_gguf_pytorch_utils")
    bar = reader.tqdm
    reader.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        reader.tqdm = bar


def _write_weights(path: Path, module: "torch.nn.Module", target: Path) -> None:
    """Write the network's tensors, tied ones once; refuse what is not a number."""
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in stored_tensors(module).items()}
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ModelFileError(
                came=f"The tensor {name!r} of {str(path)!r} has NaN or infinite values.",
                possible="The file is altered.",
                write="Fetch or copy it again.",
            )
    save_file(tensors, target, metadata={"format": "pt"})


def _write_config(module: "torch.nn.Module", folder: Path) -> None:
    """Write config.json without the mark that the weights were once quantised."""
    config: Mapping[str, Any] = module.config.to_dict()  # type: ignore[union-attr, operator]  # a PreTrainedModel
    kept = {key: value for key, value in config.items() if key != "quantization_config"}
    kept["architectures"] = [type(module).__name__]
    (folder / "config.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")


def _short_metadata(header: GGUFHeader) -> dict[str, object]:
    """Return the metadata that describes the model, without the tokenizer's arrays."""
    return {
        key: value
        for key, value in header.metadata.items()
        if not key.startswith("tokenizer.") or not isinstance(value, list)
    }
