"""Running the model itself, and seeing its own parts as it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from causalnet.errors import CausalNetError
from causalnet.lift.adapter import Adapter
from causalnet.lift.parts import Parts
from causalnet.lift.places import Columns, Places
from causalnet.lift.rebuild import positions_of

__all__ = ["observed", "run_module"]


def run_module(
    module: nn.Module,
    adapter: Adapter,
    ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Run a model on token ids [batch, pos] and return its logits [batch, pos, vocabulary].

    Positions do not count padding.

    Raises:
        CausalNetError: Padded prompts for a model whose forward takes no mask.
    """
    mask = torch.ones_like(ids) if attention_mask is None else attention_mask
    if "attention_mask" not in adapter.accepts and not bool(mask.all()):
        raise CausalNetError(
            f"{adapter.module_class} takes no attention mask, and the prompts are padded.",
            f"Its adapter accepts {', '.join(adapter.accepts) or 'nothing but ids'}.",
            "Give prompts of one length, or name attention_mask and position_ids in `accepts`.",
        )
    offered = {
        "attention_mask": mask,
        "position_ids": positions_of(ids, attention_mask),
        "use_cache": False,
    }
    keywords = {name: offered[name] for name in adapter.accepts}
    output = module(ids, **keywords)
    logits: torch.Tensor = output if isinstance(output, torch.Tensor) else output.logits
    return logits


@contextmanager
def observed(places: Places, parts: Parts) -> Iterator[dict[str, torch.Tensor]]:
    """Collect a model's own parts by name while it runs, in the order of the computation.

    Names: `embed`, `L0.attention_norm`, `L0.q`, `L0.k`, `L0.v` and `L0.z` [batch, pos, heads or
    groups, d_head], `L0.attention`, `L0.resid_mid`, `L0.mlp_norm`, `L0.mlp`, `L0.resid_post`,
    `final_norm`, `logits`.
    """
    observer = _Observer(parts)
    observer.watch(places)
    try:
        yield observer.seen
    finally:
        for handle in observer.handles:
            handle.remove()


class _Observer:
    """Puts hooks on the places of a model; `seen` is what they saw."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.shape = parts, parts.graph.shape
        self.seen: dict[str, torch.Tensor] = {}
        self.handles: list[torch.utils.hooks.RemovableHandle] = []

    def watch(self, places: Places) -> None:
        shape = self.shape
        self.output("embed", places.embedding)
        for layer in range(shape.layers):
            if places.attention_norms:
                self.output(f"L{layer}.attention_norm", places.attention_norms[layer])
            self.columns(f"L{layer}.q", places.queries[layer], shape.heads)
            self.columns(f"L{layer}.k", places.keys[layer], shape.kv_heads)
            self.columns(f"L{layer}.v", places.values[layer], shape.kv_heads)
            self.input(f"L{layer}.z", places.mixers[layer], shape.heads)
            self.output(f"L{layer}.attention", places.mixers[layer])
            self.input(f"L{layer}.resid_mid", places.mlp_norms[layer])
            if self.parts.adapter.norm != "none":
                self.output(f"L{layer}.mlp_norm", places.mlp_norms[layer])
            self.output(f"L{layer}.mlp", places.mlps[layer])
            self.output(f"L{layer}.resid_post", places.blocks[layer])
        if places.final_norm is not None:
            self.output("final_norm", places.final_norm)
        self.output("logits", places.unembedding)

    def keep(self, name: str, value: Any) -> None:
        """Keep a tensor, or the first of several, as it is at this moment."""
        self.seen[name] = (value if isinstance(value, torch.Tensor) else value[0]).detach()

    def output(self, name: str, module: nn.Module) -> None:
        self.handles.append(
            module.register_forward_hook(lambda _module, _args, out: self.keep(name, out))
        )

    def input(self, name: str, module: nn.Module, heads: int | None = None) -> None:
        def hook(_module: nn.Module, args: tuple[Any, ...]) -> None:
            self.keep(name, args[0] if heads is None else _by_head(args[0], heads))

        self.handles.append(module.register_forward_pre_hook(hook))

    def columns(self, name: str, columns: Columns, heads: int) -> None:
        def hook(_module: nn.Module, _args: Any, out: torch.Tensor) -> None:
            self.keep(name, _by_head(out[..., columns.start : columns.stop], heads))

        self.handles.append(columns.module.register_forward_hook(hook))


def _by_head(side_by_side: torch.Tensor, heads: int) -> torch.Tensor:
    return side_by_side.reshape(*side_by_side.shape[:-1], heads, -1)
