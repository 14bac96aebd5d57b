"""Is a model in a condition to be lifted: whole, in one place and one type, switched to evaluation?

Each of these would be found later as well, as an error of torch's or a difference that is blamed
on the adapter.
"""

import torch
from torch import nn

from causalnet.errors import LiftError

__all__ = ["check_condition"]

WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "module",
}
"""Classes that stand around a model, and where they keep it."""


def check_condition(module: nn.Module) -> None:
    """Check that a module can be looked into, and that its weights are numbers that are there.

    Raises:
        LiftError: The model is wrapped or compiled, in training mode, on several devices or none,
            quantised, or of several types; the first module or weight is named.

    >>> check_condition(nn.Linear(2, 2).eval())
    >>> check_condition(nn.Linear(2, 2))
    Traceback (most recent call last):
    ...
    causalnet.errors.LiftError: The model is in training mode. Dropout would draw other values in \
each run. Write model.module.eval().
    """
    for path, part in module.named_modules():
        _check_wrapping(path or "The model", part)
    for path, part in module.named_modules():
        if part.training:
            raise LiftError(
                f"{path or 'The model'} is in training mode.",
                "Dropout would draw other values in each run.",
                "Write model.module.eval().",
            )
    _check_devices(module)
    _check_types(module)


def _check_wrapping(named: str, part: nn.Module) -> None:
    kind = type(part).__name__
    if kind in WRAPPERS:
        raise LiftError(
            f"{named} is wrapped in a {kind}.",
            "Its modules are reached and hooked without a wrapper.",
            f"Take the wrapped module out of it: .{WRAPPERS[kind]}.",
        )
    if part._compiled_call_impl is not None:
        raise LiftError(
            f"{named} is compiled (.compile() was called).",
            "Compiled code may leave out the hooks that read and set values.",
            "Load the model again and lift it before it is compiled.",
        )


def _check_devices(module: nn.Module) -> None:
    first: dict[torch.device, str] = {}
    for path, weight in module.named_parameters():
        first.setdefault(weight.device, path)
    for device, path in first.items():
        if device.type == "meta":
            raise LiftError(
                f"{path} is on the device 'meta': it has no values.",
                "Every weight must have been read from the checkpoint.",
                "Load the model without init_empty_weights and with all of its files.",
            )
    if len(first) > 1:
        told = ", ".join(f"{device} from {path} on" for device, path in first.items())
        raise LiftError(
            f"The weights are on {len(first)} devices: {told}.",
            "A lifted model is on one.",
            "Write module.to('cpu'), or load it with one device= and no device_map.",
        )


def _check_types(module: nn.Module) -> None:
    counts: dict[torch.dtype, int] = {}
    first: dict[torch.dtype, str] = {}
    for path, weight in module.named_parameters():
        if not weight.is_floating_point():
            raise LiftError(
                f"{path} holds {_name(weight.dtype)}: the model is quantised.",
                "Weights are floating-point numbers, with which the graph computes.",
                "Load the model dequantised (a GGUF file is dequantised by cn.load).",
            )
        counts[weight.dtype] = counts.get(weight.dtype, 0) + 1
        first.setdefault(weight.dtype, path)
    if len(counts) > 1:
        rarest = min(counts, key=lambda dtype: counts[dtype])
        told = " and ".join(f"{count} of {_name(dtype)}" for dtype, count in counts.items())
        raise LiftError(
            f"The weights are of several types, {told}: the first of the fewest is "
            f"{first[rarest]} in {_name(rarest)}.",
            "A lifted model is of one type, in which its rounding is measured.",
            "Convert all of it: cn.load(module, dtype='float32').",
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
