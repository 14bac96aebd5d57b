"""The models that claim files are about: which, and loading them."""

from pathlib import Path
from typing import TYPE_CHECKING

from causalnet.claims.progress import ProgressReport, Report
from causalnet.claims.schema import ClaimFile

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["load_network", "network_key"]


def network_key(
    file: ClaimFile, device: str | None = None, dtype: str | None = None
) -> tuple[str, str, str, str]:
    """Return what tells models apart without loading them: equal keys are one network.

    Args:
        file: A claim file.
        device: Where the model runs, in place of the CPU.
        dtype: Its number type, in place of the file's.
    """
    source = _source(file)
    place = Path(source)
    name = str(place.resolve()) if place.exists() else source
    return name, dtype or file.model.dtype, file.model.attention, device or ""


def load_network(
    file: ClaimFile,
    device: str | None = None,
    dtype: str | None = None,
    tell: Report = lambda _: None,
) -> "LiftedNetwork":
    """Load and lift the model of a claim file.

    Args:
        file: The claim file; a model that lies beside it is found there.
        device: Where the model runs, such as `cuda:0`.
        dtype: Replaces the file's number type.
        tell: Told where it stands.

    Raises:
        ModelNotFoundError, ModelFileError, LiftError, DeviceError: A model that cannot be used.
    """
    from causalnet.lift import lift
    from causalnet.models import load

    tell(ProgressReport("load the model"))
    spec = file.model
    model = load(_source(file), device=device, dtype=dtype or spec.dtype, attention=spec.attention)
    tell(ProgressReport("lift the model"))  # whose self-check runs the first forwards
    return lift(model)


def _source(file: ClaimFile) -> str:
    spec = file.model
    beside = None if file.source is None else Path(file.source.path).parent / spec.source
    return str(beside) if beside is not None and beside.exists() else spec.source
