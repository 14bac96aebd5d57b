"""A model of the Hugging Face hub: local files first, then the network, once and at once."""

import sys
from pathlib import Path

from causalnet.errors import ModelFileError, ModelNotFoundError
from causalnet.models.folders import has_tokenizer, weight_files

__all__ = ["find_hub_folder"]

#: Only these are fetched: no pickles, no programs.
_WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.jinja")

_PATIENCE = 5.0  # seconds for the hub's first answer


def find_hub_folder(name: str) -> Path:
    """Return the local folder of a hub model, fetching it when the network answers.

    Args:
        name: Such as `"HuggingFaceTB/SmolLM2-135M-Instruct"`.

    Raises:
        ModelNotFoundError: the name is not among the local files, and the hub does not have it,
            does not answer, or may not be asked (`HF_HUB_OFFLINE`).
    """
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        raise _absent(name, "and it is no name that the hub could have") from None
    if isinstance(config, str) and _is_complete(Path(config).parent):
        return Path(config).parent
    if constants.is_offline_mode():
        raise _absent(name, "and HF_HUB_OFFLINE forbids asking the hub")
    return _fetch(name)


def _is_complete(folder: Path) -> bool:
    """Say whether a snapshot was fetched far enough to be loaded."""
    try:
        return bool(weight_files(folder)) and has_tokenizer(folder)
    except ModelFileError:
        return False


def _fetch(name: str) -> Path:
    """Ask the hub whether it has the model, one request without retries, and fetch it if so.

    `snapshot_download` alone asks again and again when no network answers; one question
    beforehand makes that an error at once.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]  # public, though not listed

    # The hub's client speaks through httpx or a successor of it, as its release has it.
    transport = sys.modules[type(get_session()).__module__.partition(".")[0]]
    silence: type[Exception] = getattr(transport, "HTTPError", OSError)
    try:
        HfApi().model_info(name, timeout=_PATIENCE)
        return Path(snapshot_download(name, allow_patterns=list(_WANTED)))
    except RepositoryNotFoundError:
        raise _absent(name, "nor on the hub (or it is private)") from None
    except HfHubHTTPError as refusal:
        raise _absent(name, f"and the hub refused: {str(refusal).splitlines()[0]}") from None
    except (silence, OSError, ValueError) as failure:  # ValueError: the answer was no JSON
        raise _absent(name, f"and the hub does not answer ({type(failure).__name__})") from None


def _absent(name: str, why: str) -> ModelNotFoundError:
    """Return the error for a model that is nowhere."""
    from huggingface_hub import constants

    return ModelNotFoundError(
        came=f"There is no model {name!r} among the local files, {why}.",
        possible=f"Local files lie in {constants.HF_HUB_CACHE!r}.",
        write="Give a folder or a GGUF file, or run `hf download` where there is a network.",
    )
