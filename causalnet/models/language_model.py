"""A loaded language model: the network itself, its tokenizer, and where both came from."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

from causalnet.models.provenance import ModelProvenance

if TYPE_CHECKING:
    import torch

__all__ = ["LanguageModel"]


@final
class LanguageModel:
    """A network in evaluation mode with frozen weights, its tokenizer and its provenance.

    Args:
        module: The Hugging Face model, or the user's own module; it is put into evaluation mode
            and its parameters are frozen (`requires_grad` is False).
        tokenizer: A `transformers` tokenizer, or None for a network that is only fed ids.
        declared: Facts that the checkpoint's own file states, read without `transformers`: keys
            rope_theta, norm_eps, layers, heads, kv_heads, width, head_width, mlp_width,
            vocabulary, activation, tied (those that apply).
        provenance: The record, or a function that makes it when it is first asked for: hashing
            the weights takes as long as several forwards, so it need not come before them.
    """

    __slots__ = ("_provenance", "declared", "module", "tokenizer")

    module: "torch.nn.Module"
    tokenizer: Any
    declared: Mapping[str, object]
    _provenance: Callable[[], ModelProvenance]

    def __init__(
        self,
        module: "torch.nn.Module",
        tokenizer: Any,
        declared: Mapping[str, object],
        provenance: ModelProvenance | Callable[[], ModelProvenance],
    ) -> None:
        """Freeze the module and keep the rest."""
        made: Callable[[], ModelProvenance] = (
            cache(provenance) if callable(provenance) else lambda: provenance
        )
        fields = {
            "module": module.eval().requires_grad_(False),
            "tokenizer": tokenizer,
            "declared": MappingProxyType(dict(declared)),
            "_provenance": made,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a loaded model is a value."""
        raise AttributeError(f"LanguageModel is frozen: cannot set {name!r}. Call causalnet.load.")

    @property
    def provenance(self) -> ModelProvenance:
        """Where the weights came from; hashes them the first time it is asked for.

        Raises:
            ModelFileError: the files changed since they were read.
        """
        return self._provenance()

    @property
    def device(self) -> "torch.device":
        """The device of the weights."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> "torch.dtype":
        """The number format of the weights."""
        return next(self.module.parameters()).dtype

    def __repr__(self) -> str:
        """Return one line: class, size, number format, device, attention."""
        count = sum(parameter.numel() for parameter in self.module.parameters())
        layers = self.declared.get("layers")
        shape = f"{layers} layers, " if layers is not None else ""
        dtype = str(self.dtype).removeprefix("torch.")
        name = type(self.module).__name__
        return f"LanguageModel({name}, {shape}{count:,} parameters, {dtype} on {self.device})"
