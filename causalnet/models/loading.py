"""`load`: from a source to a network, its tokenizer and its provenance."""

import gc
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.errors import CausalNetError, ModelFileError
from causalnet.models.conversion import converted_folder
from causalnet.models.declared import declared_by_config
from causalnet.models.device import check_attention, resolve_device, resolve_dtype
from causalnet.models.folders import check_folder, folder_module, folder_tokenizer, weight_files
from causalnet.models.hashing import module_sha256, safetensors_sha256, tokenizer_sha256
from causalnet.models.hub import find_hub_folder
from causalnet.models.language_model import LanguageModel
from causalnet.models.provenance import ModelKind, ModelProvenance, library_versions
from causalnet.models.sources import (
    FolderSource,
    GGUFSource,
    HubSource,
    KnownSource,
    find_source,
)

if TYPE_CHECKING:
    import torch

__all__ = ["load"]


def load(
    source: "str | Path | torch.nn.Module",
    *,
    tokenizer: Any = None,
    device: "str | torch.device | None" = None,
    dtype: "str | torch.dtype | None" = None,
    attention: str | None = None,
) -> LanguageModel:
    """Load a language model; a GGUF file is converted the first time and kept.

    Code that comes with a model is never run, and pickles are never read.

    Args:
        source: `package://PACKAGE/FILE.gguf` (the package is found, not imported), a GGUF file, a
            Hugging Face folder, a hub name (local files first), a network, or `known:NAME` (see
            `causalnet.known_circuits`).
        tokenizer: Replaces the source's own; a network in memory has none otherwise.
        device: Such as `"cpu"` or `"cuda:0"`; default `"cpu"`, and where it is for a network.
        dtype: `"float32"`, `"float64"`, `"bfloat16"`; default `"float32"`, and as it is for a
            network, which is float64 for a known circuit.  A network in memory is converted in
            place.
        attention: `"sdpa"` or `"eager"`; default `"sdpa"`, and as it is for a network.  A known
            circuit has one form, which is recorded as `"eager"`, whichever is asked for.

    Raises:
        ModelNotFoundError: no such package, file, folder, hub model or known circuit.
        ModelFileError: a file that is truncated, altered, or a pickle.
        UnsupportedArchitectureError: a model with its own code, or one that cannot be read.
        DeviceError: a device that this machine does not have.
        CausalNetError: another number format or attention implementation.
    """
    if attention is not None:
        check_attention(attention)
    if isinstance(source, str | Path):
        found = find_source(source)  # before torch is imported: a mistyped name is told at once
        with collection_paused():
            if isinstance(found, KnownSource):
                return _known(found.name, tokenizer, device, dtype)
            resolved = resolve_device(device or "cpu"), resolve_dtype(dtype or "float32")
            checkpoint = _checkpoint(str(source), found)
            return _loaded(checkpoint, tokenizer, *resolved, attention or "sdpa")
    return _adopted(source, "", tokenizer, device, dtype, attention)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collector of cyclic garbage.

    Importing torch and transformers makes about a million objects that stay; a collector that
    looks through them again and again takes a quarter of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """A checked folder, and what is known of it before it is loaded."""

    source: str
    kind: ModelKind
    folder: Path
    declared: Mapping[str, object]
    config: Mapping[str, object]
    manifest: Mapping[str, Any]  # empty for a folder that causalnet did not write


def _checkpoint(source: str, found: GGUFSource | FolderSource | HubSource) -> _Checkpoint:
    """Bring a source to a checked local folder."""
    match found:
        case GGUFSource(path):
            folder, made = converted_folder(path)
            check_folder(folder)
            return _Checkpoint(source, "gguf", folder, made["declared"], made["metadata"], made)
        case HubSource(name):
            return _of_folder(source, "hub", find_hub_folder(name))
        case FolderSource(path):
            return _of_folder(source, "folder", path)


def _of_folder(source: str, kind: ModelKind, folder: Path) -> _Checkpoint:
    """Check a Hugging Face folder."""
    config = check_folder(folder)
    return _Checkpoint(source, kind, folder, declared_by_config(config), config, {})


def _loaded(
    checkpoint: _Checkpoint,
    tokenizer: Any,
    device: "torch.device",
    dtype: "torch.dtype",
    attention: str,
) -> LanguageModel:
    """Load a checked folder."""
    own = folder_tokenizer(checkpoint.folder) if tokenizer is None else tokenizer
    stamps = _stamps(checkpoint.folder)
    module = folder_module(checkpoint.folder, dtype, attention)
    _check_reading(checkpoint, module)
    module = module.to(device)

    def provenance() -> ModelProvenance:
        return ModelProvenance(
            source=checkpoint.source,
            kind=checkpoint.kind,
            weights_sha256=_weights_sha256(checkpoint, stamps),
            tokenizer_sha256=tokenizer_sha256(own),
            file_sha256=checkpoint.manifest.get("file_sha256"),
            config=checkpoint.config,
            versions=library_versions(),
            dtype=str(dtype).removeprefix("torch."),
            device=str(next(module.parameters()).device),
            attention=attention,
        )

    return LanguageModel(module, own, checkpoint.declared, provenance)


def _stamps(folder: Path) -> list[tuple[int, int]]:
    """Return size and time of change of each weight file."""
    statuses = [path.stat() for path in weight_files(folder)]
    return [(status.st_size, status.st_mtime_ns) for status in statuses]


def _weights_sha256(checkpoint: _Checkpoint, stamps: list[tuple[int, int]]) -> str:
    """Hash the weight files, which must be those that were loaded."""
    found = safetensors_sha256(weight_files(checkpoint.folder))
    recorded = checkpoint.manifest.get("weights_sha256", found)
    if found == recorded and stamps == _stamps(checkpoint.folder):
        return found
    raise ModelFileError(
        came=f"The weights in {str(checkpoint.folder)!r} were altered"
        f"{' since they were loaded' if found == recorded else ''}.",
        possible=f"Their SHA-256 is {found[:12]}…; recorded is {recorded[:12]}….",
        write=f"Delete {str(checkpoint.folder)!r} and load the GGUF file again."
        if checkpoint.manifest
        else "Load the model again.",
    )


def _check_reading(checkpoint: _Checkpoint, module: "torch.nn.Module") -> None:
    """Refuse when transformers reads a fact of the file differently from what the file states."""
    read = _declared_in_memory(module)
    for name, stated in checkpoint.declared.items():
        if name not in read or _is_equal(stated, read[name]):
            continue
        raise ModelFileError(
            came=f"The file states {name} = {stated!r}, and transformers "
            f"{library_versions().get('transformers')} reads it as {read[name]!r}.",
            possible="The model would compute something else than it was trained to.",
            write="Install another release of transformers; constraints.txt names a tested one.",
        )


def _is_equal(stated: object, read: object) -> bool:
    """Compare two facts, numbers to float32's precision (GGUF keeps epsilons in it)."""
    if isinstance(stated, int | float) and isinstance(read, int | float):
        return math.isclose(stated, read, rel_tol=1e-6)
    return stated == read or isinstance(stated, dict)  # rope_scaling: the lift's matter


def _declared_in_memory(module: "torch.nn.Module") -> dict[str, object]:
    """Return the facts of a network's own configuration, none if it has no such thing."""
    config = getattr(module, "config", None)
    as_dict = getattr(config, "to_dict", None)
    return declared_by_config(as_dict()) if callable(as_dict) else {}


def _known(
    name: str,
    tokenizer: Any,
    device: "str | torch.device | None",
    dtype: "str | torch.dtype | None",
) -> LanguageModel:
    """Build a network whose circuit is known, with its tokenizer."""
    from causalnet.known_circuits import known_circuit

    circuit = known_circuit(name)
    own = circuit.tokenizer() if tokenizer is None else tokenizer
    return _adopted(circuit.module(), f"known:{name}", own, device, dtype, None)


def _adopted(
    module: "torch.nn.Module",
    source: str,
    tokenizer: Any,
    device: "str | torch.device | None",
    dtype: "str | torch.dtype | None",
    attention: str | None,
) -> LanguageModel:
    """Take over a network that is in memory; a source is named where it is a known circuit."""
    import torch

    if not isinstance(module, torch.nn.Module) or not any(True for _ in module.parameters()):
        raise CausalNetError(
            came=f"A {type(module).__name__} cannot be loaded as a model.",
            possible="A source is text, a path, or a torch.nn.Module with parameters.",
            write="Write for example load('FOLDER') or load(network, tokenizer=tokenizer).",
        )
    if device is not None or dtype is not None:
        module = module.to(
            device=None if device is None else resolve_device(device),
            dtype=None if dtype is None else resolve_dtype(dtype),
        )
    if attention is not None:
        _set_attention(module, attention)
    model = LanguageModel(
        module, tokenizer, _declared_in_memory(module), lambda: _provenance_in_memory(model, source)
    )
    return model


def _set_attention(module: "torch.nn.Module", attention: str) -> None:
    """Change the attention implementation of a Hugging Face network."""
    change = getattr(module, "set_attn_implementation", None)
    if not callable(change):
        raise CausalNetError(
            came=f"A {type(module).__name__} has no attention implementation to choose.",
            write="Leave attention= out.",
        )
    change(attention)


def _provenance_in_memory(model: LanguageModel, source: str) -> ModelProvenance:
    """Describe a network that was given in memory, or built as a known circuit."""
    config = getattr(model.module, "config", None)
    as_dict = getattr(config, "to_dict", dict)
    return ModelProvenance(
        source=source
        or f"{type(model.module).__module__}.{type(model.module).__qualname__} in memory",
        kind="known" if source else "module",
        weights_sha256=module_sha256(model.module),
        tokenizer_sha256=tokenizer_sha256(model.tokenizer),
        file_sha256=None,
        config=json.loads(json.dumps(as_dict(), default=str)),  # as it is read back
        versions=library_versions(),
        dtype=str(model.dtype).removeprefix("torch."),
        device=str(model.device),
        attention="eager" if source else str(getattr(config, "_attn_implementation", "unknown")),
    )
