"""Counting what a piece of code does: FLOPs of matrix products, and the most memory of tensors."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["PeakMemory", "flop_counter"]


def flop_counter() -> FlopCounterMode:
    """Return torch's counter of FLOPs, with the kernels that it leaves out.

    Those are the fused attention on a CPU (the one on a GPU is counted), products that are added in
    place, and products by oneDNN.
    """
    return FlopCounterMode(display=False, custom_mapping=_LEFT_OUT)


def _fused(query: Any, key: Any, *_: Any, **__: Any) -> int:
    prompts, heads, queries, width = query
    return int(4 * prompts * heads * queries * key[2] * width)


def _added(_: Any, left: Any, right: Any, *__: Any, **___: Any) -> int:
    batch, rows, inner = left
    return int(2 * batch * rows * inner * right[2])


def _linear(x: Any, weight: Any, *_: Any, **__: Any) -> int:
    rows, inner = x
    return int(2 * rows * inner * weight[0])


_LEFT_OUT: dict[Any, Callable[..., int]] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _fused,
    torch.ops.aten.baddbmm_: _added,
}
if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
    _LEFT_OUT[torch.ops.mkldnn._linear_pointwise] = _linear


class PeakMemory(TorchDispatchMode):
    """The most bytes that tensors made inside a `with` block held at one time.

    What a kernel takes for itself and gives back before it ends is not seen.

    >>> with PeakMemory() as memory:
    ...     _ = torch.ones(1000) + torch.ones(1000)
    >>> memory.peak
    12000
    """

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.held = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation and note the storages that are new."""
        given = {
            self._key(leaf)
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and self._key(leaf) not in given | self._known:
                self._note(leaf.untyped_storage())
        return result

    @staticmethod
    def _key(tensor: torch.Tensor) -> int:
        return int(tensor.untyped_storage()._cdata)

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.held -= size
