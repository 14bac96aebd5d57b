"""Reading a Hugging Face folder: checked first, then loaded, never running code from it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.errors import ModelFileError, UnsupportedArchitectureError
from causalnet.models.safetensors_header import read_entries
from causalnet.models.sources import pickled, readable

if TYPE_CHECKING:
    import torch

__all__ = [
    "check_folder",
    "folder_module",
    "folder_tokenizer",
    "has_tokenizer",
    "read_json",
    "weight_files",
]

_INDEX = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelFileError: no such file, no JSON object in it, or the system refuses to read it.
    """
    try:
        with readable(path):
            value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = sorted(entry.name for entry in path.parent.iterdir())[:8]
        raise ModelFileError(
            came=f"The folder {str(path.parent)!r} has no {path.name}.",
            possible=f"It has {', '.join(there) or 'nothing'}.",
            write="Give the folder that a model was saved in with save_pretrained.",
        ) from None
    except ValueError as mistake:
        value = mistake
    if not isinstance(value, dict):
        raise ModelFileError(
            came=f"{str(path)!r} is not a JSON object: {str(value)[:80]}.",
            possible="It is truncated or altered.",
            write="Fetch or copy it again.",
        )
    return value


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files that hold a folder's weights.

    Raises:
        ModelFileError: there are none, only pickles, or a shard of the index is missing.
    """
    if (folder / _INDEX).is_file():
        shards = sorted(set(read_json(folder / _INDEX).get("weight_map", {}).values()))
        missing = [name for name in shards if not (folder / name).is_file()]
        if missing or not shards:
            raise ModelFileError(
                came=f"The folder {str(folder)!r} lacks the shards {', '.join(missing) or '(all)'}"
                f" that {_INDEX} names.",
                write="Fetch or copy the folder again.",
            )
        return tuple(folder / name for name in shards)
    if (folder / "model.safetensors").is_file():
        return (folder / "model.safetensors",)
    pickles = sorted(path for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise pickled(pickles[0])
    raise ModelFileError(
        came=f"The folder {str(folder)!r} has no weights.",
        possible=f"They lie in model.safetensors, or in the shards that {_INDEX} names.",
        write="Give the folder that a model was saved in with save_pretrained.",
    )


def check_folder(folder: Path) -> dict[str, Any]:
    """Check a folder before anything in it is loaded, and return its raw config.json.

    Raises:
        ModelFileError: damaged, truncated or missing files.
        UnsupportedArchitectureError: the model brings its own code, or quantised weights.
    """
    config = read_json(folder / "config.json")
    for path in (folder / "config.json", folder / "tokenizer_config.json"):
        if path.is_file() and "auto_map" in read_json(path):
            raise UnsupportedArchitectureError(
                came=f"{str(path)!r} asks for code of its own (its key 'auto_map').",
                possible="Code that comes with a model is never run.",
                write="Use a model of an architecture that transformers itself has.",
            )
    if "quantization_config" in config:
        raise UnsupportedArchitectureError(
            came=f"The weights in {str(folder)!r} are quantised (key 'quantization_config').",
            possible="Folders hold float32, float16 or bfloat16 weights; GGUF files may be "
            "quantised.",
            write="Give the folder of the original model, or a GGUF file.",
        )
    for path in weight_files(folder):
        read_entries(path)
    _check_model_type(folder, str(config.get("model_type")))
    return config


def _check_model_type(folder: Path, model_type: str) -> None:
    """Refuse what transformers has no language model for."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as known

    if model_type not in known:
        near = get_close_matches(model_type, known, n=3)
        raise UnsupportedArchitectureError(
            came=f"The model in {str(folder)!r} has the model_type {model_type!r}.",
            possible=f"transformers has {len(known)} kinds of causal language models"
            f"{', such as ' + ', '.join(near) if near else ''}.",
            write="Give a model of the Llama family or GPT-2.",
        )


@contextmanager
def _told_by_us(what: str, folder: Path) -> Iterator[None]:
    """Silence transformers while it loads, and make its refusals ours.

    Its bars say nothing that a user can act on and fill logs.  Its warnings here are about
    tensors that are missing, unknown or of another shape, which are errors for us.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers.utils import logging

    had_bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers' own
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # as above
    try:
        yield
    except Exception as refusal:
        # tokenizers raises bare `Exception` for a damaged file, so there is no narrower class
        known = isinstance(
            refusal, OSError | ValueError | TypeError | KeyError | StrictDataclassError
        )
        if not known and type(refusal) is not Exception:
            raise
        raise ModelFileError(
            came=f"The {what} in {str(folder)!r} cannot be read: {str(refusal).strip()[:300]}",
            possible="A file there is truncated, altered, of a later format, or not for this "
            "user to read.",
            write="Fetch or copy it again.",
        ) from refusal
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # transformers' own


def folder_module(
    folder: Path, dtype: "torch.dtype", attention: str, **options: str
) -> "torch.nn.Module":
    """Load the network of a checked folder.

    Args:
        folder: Where the files lie.
        dtype: The number format to compute in.
        attention: `"sdpa"` or `"eager"`.
        **options: For the conversion of a GGUF file: `gguf_file`.

    Raises:
        ModelFileError: the file lacks tensors of the network (they would be random), or has
            tensors that the network does not know or that have another shape.
    """
    from transformers import AutoModelForCausalLM

    with _told_by_us("model", folder):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation=attention,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # else a RuntimeError without the names
            output_loading_info=True,
            **options,
        )
    module, report = loaded  # two values, because of output_loading_info
    _check_report(folder, report)
    found: torch.nn.Module = module
    return found


def _check_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Refuse what transformers only warns about: it fills missing tensors with random numbers."""
    wrong = {
        "lacks": report["missing_keys"],
        "has, unknown to the network,": report["unexpected_keys"],
        "has in another shape": [key[0] for key in report["mismatched_keys"]],
    }
    for what, names in wrong.items():
        if names:
            shown = sorted(str(name) for name in names)
            raise ModelFileError(
                came=f"The model in {str(folder)!r} {what} {len(shown)} tensors: "
                f"{', '.join(shown[:3])}{' …' if len(shown) > 3 else ''}.",
                possible="Its config.json and its weights do not belong together.",
                write="Fetch or copy the folder again, or correct its config.json.",
            )


def has_tokenizer(folder: Path) -> bool:
    """Say whether a folder holds a tokenizer."""
    return any((folder / name).is_file() for name in _TOKENIZERS)


def folder_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder.

    Raises:
        ModelFileError: the folder has none.
    """
    from transformers import AutoTokenizer

    if not has_tokenizer(folder):
        raise ModelFileError(
            came=f"The folder {str(folder)!r} has no tokenizer.",
            possible=f"It lies in one of {', '.join(_TOKENIZERS)}.",
            write="Save one there with save_pretrained, or give tokenizer=.",
        )
    with _told_by_us("tokenizer", folder):
        return AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
