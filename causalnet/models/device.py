"""Which device, number format and attention a model is loaded with."""

from typing import TYPE_CHECKING, Literal, get_args

from causalnet.errors import CausalNetError, DeviceError

if TYPE_CHECKING:
    import torch

__all__ = ["Attention", "check_attention", "resolve_device", "resolve_dtype"]

Attention = Literal["sdpa", "eager"]

_DTYPES = ("float32", "float64", "bfloat16")


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, as `load` takes them.

    >>> available_devices()[0]
    'cpu'
    """
    import torch

    cuda = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return ("cpu", *cuda, *(("mps",) if torch.backends.mps.is_available() else ()))


def resolve_device(device: "str | torch.device") -> "torch.device":
    """Return the device, or say which there are.

    Args:
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or a `torch.device`.

    Raises:
        DeviceError: no such device on this machine.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    import torch

    available = available_devices()
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        found = None
    if found is not None:
        kind = found.type if found.index is None else f"{found.type}:{found.index}"
        if any(kind in (name, name.split(":")[0]) for name in available) or kind == "cpu:0":
            return found
    raise DeviceError(
        came=f"There is no device {str(device)!r} on this machine.",
        possible=f"There is {', '.join(available)}.",
        write=f"Write device={available[-1]!r}.",
    )


def resolve_dtype(dtype: "str | torch.dtype") -> "torch.dtype":
    """Return the number format.

    Raises:
        CausalNetError: another than float32, float64, bfloat16.

    >>> resolve_dtype("float64")
    torch.float64
    """
    import torch

    formats: dict[str, torch.dtype] = {name: getattr(torch, name) for name in _DTYPES}
    name = str(dtype).removeprefix("torch.")
    if name in formats:
        return formats[name]
    raise CausalNetError(
        came=f"The number format {str(dtype)!r} is not one that models are loaded in.",
        possible=f"There is {', '.join(_DTYPES)}.",
        write="Write dtype='float32'.",
    )


def check_attention(attention: str) -> None:
    """Refuse an attention implementation whose values cannot be looked into.

    Raises:
        CausalNetError: another than sdpa, eager.
    """
    if attention not in get_args(Attention):
        raise CausalNetError(
            came=f"The attention implementation {attention!r} is not one that models load with.",
            possible=f"There is {' and '.join(get_args(Attention))}.",
            write="Write attention='sdpa', or 'eager' to have the patterns themselves.",
        )
