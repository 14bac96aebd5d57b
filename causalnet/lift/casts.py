"""Computing a model in float64 all the way: its internal float32 casts raised, its weights widened.

Hugging Face models compute RMSNorm, rotary tables and eager softmax in float32 whatever the type of
their weights.  In a float64 model that costs some 1e-5 of the output, which hides real differences.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

__all__ = ["float64_copy", "raised_casts"]


class _RaisedCasts(TorchFunctionMode):
    """Reads every request for float32 as one for float64."""

    def __torch_function__(  # torch's own signature
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        raised = {name: _raise(value) for name, value in (kwargs or {}).items()}
        return func(*map(_raise, args), **raised)


def _raise(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def raised_casts(module: nn.Module) -> Iterator[None]:
    """Let a float64 model compute in float64 throughout, in this thread, until the block ends.

    Casts to float32 inside any torch call become casts to float64, and rotary frequencies that a
    model computed from its configuration in float32 are computed again.  Frequencies that are not
    those of the configuration stay as they are: they are a difference, not a rounding.
    """
    replaced: list[tuple[nn.Module, torch.Tensor]] = []
    with _RaisedCasts():
        try:
            for table in module.modules():
                exact = _exact_frequencies(table)
                if exact is not None:
                    replaced.append((table, table.get_buffer("inv_freq")))
                    table.register_buffer("inv_freq", exact, persistent=False)
            yield
        finally:
            for table, original in replaced:
                table.register_buffer("inv_freq", original, persistent=False)


def _exact_frequencies(table: nn.Module) -> torch.Tensor | None:
    """Return a rotary module's frequencies in float64, or None where nothing is to be raised."""
    buffers = dict(table.named_buffers(recurse=False))
    config = getattr(table, "config", None)
    if "inv_freq" not in buffers or config is None:
        return None
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    kind = str(getattr(table, "rope_type", "default"))
    compute = ROPE_INIT_FUNCTIONS.get(kind, getattr(table, "compute_default_rope_parameters", None))
    if compute is None:
        return None
    exact = compute(config)[0].to(buffers["inv_freq"].device)
    own = buffers["inv_freq"]
    rounding = max(1e-6, 2 * torch.finfo(own.dtype).eps)  # a float64 table holds float32 numbers
    is_same = own.shape == exact.shape and torch.allclose(own.double(), exact, rounding, 0.0)
    return exact if is_same else None


def float64_copy(module: nn.Module, blocks: Sequence[nn.Module]) -> nn.Module:
    """Return a copy of a model that computes in float64; run it under `raised_casts`.

    The weights of `blocks` are shared with the original and widened one block at a time while it
    runs, so that the copy needs the memory of everything else and of one block.
    """
    shared = {id(p): p for block in blocks for p in block.parameters()}
    memo: dict[int, Any] = dict(shared)
    for parameter in module.parameters():
        if id(parameter) not in shared:
            memo[id(parameter)] = nn.Parameter(parameter.double(), requires_grad=False)
    paths = {id(part): path for path, part in module.named_modules()}
    twin = copy.deepcopy(module, memo)
    for part in twin.modules():
        for name, buffer in list(part.named_buffers(recurse=False)):
            # Rotary tables keep their type, which tells `raised_casts` how coarse they are.
            if buffer.is_floating_point() and not name.endswith("inv_freq"):
                setattr(part, name, buffer.double())
    for block in blocks:
        _widen_while_running(twin.get_submodule(paths[id(block)]))
    return twin


def _widen_while_running(block: nn.Module) -> None:
    narrow: list[tuple[nn.Module, str, nn.Parameter]] = []

    def widen(*_: Any) -> None:
        for part in block.modules():
            for name, parameter in list(part.named_parameters(recurse=False)):
                narrow.append((part, name, parameter))
                setattr(part, name, nn.Parameter(parameter.double(), requires_grad=False))

    def put_back(*_: Any) -> None:
        while narrow:
            part, name, parameter = narrow.pop()
            setattr(part, name, parameter)

    block.register_forward_pre_hook(widen)
    block.register_forward_hook(put_back)
