"""Running the model itself, and seeing its own parts as it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import nn

from causalnet.errors import CausalNetError, LiftError
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
        CausalNetError: Padded prompts for a model whose forward takes no mask, or padding on the
            left for one with learned positions whose forward takes no positions.
    """
    mask = torch.ones_like(ids) if attention_mask is None else attention_mask
    if "attention_mask" not in adapter.accepts and not bool(mask.all()):
        raise CausalNetError(
            f"{adapter.module_class} takes no attention mask, and the prompts are padded.",
            f"Its adapter accepts {', '.join(adapter.accepts) or 'nothing but ids'}.",
            "Give prompts of one length, or name attention_mask and position_ids in `accepts`.",
        )
    positions = positions_of(ids, attention_mask)
    if adapter.positions == "learned" and "position_ids" not in adapter.accepts:
        _check_counted(adapter, positions, mask)
    offered = {
        "attention_mask": mask,
        "position_ids": positions,
        "use_cache": False,
    }
    keywords = {name: offered[name] for name in adapter.accepts}
    output = module(ids, **keywords)
    logits: torch.Tensor = output if isinstance(output, torch.Tensor) else output.logits
    return logits


def _check_counted(adapter: Adapter, positions: torch.Tensor, mask: torch.Tensor) -> None:
    """Refuse padding in front of a prompt where the model counts it as positions."""
    columns = torch.arange(positions.shape[1], device=positions.device)
    moved = ((positions != columns) & mask.bool()).any(1)
    if moved.any():
        raise CausalNetError(
            f"Row {int(moved.nonzero()[0])} is padded on the left, and {adapter.module_class} "
            "takes no positions: it would read its tokens at other learned positions.",
            f"Its adapter accepts {', '.join(adapter.accepts) or 'nothing but ids'}.",
            "Write padding='right', or name position_ids in `accepts`.",
        )


@contextmanager
def observed(places: Places, parts: Parts) -> Iterator[dict[str, torch.Tensor]]:
    """Collect a model's own parts by name while it runs, in the order of the computation.

    Names: `embed`, `pos_embed` and `L0.resid_pre` where positions are apart, `L0.attention_norm`,
    `L0.q`, `L0.k`, `L0.v` and `L0.z` [batch, pos, heads or groups that are in the graph, d_head],
    `L0.attention`, `L0.resid_mid`, `L0.mlp_norm`, `L0.mlp`, `L0.resid_post`, `final_norm`,
    `logits`.

    Raises:
        LiftError: A module that ran twice, whose output is no tensor, or whose output the model
            edits in place afterwards.
    """
    observer = _Observer(parts)
    observer.watch(places)
    try:
        yield observer.seen
    finally:
        for handle in observer.handles:
            handle.remove()
    observer.check_kept()


_Heads: TypeAlias = tuple[int, tuple[int, ...]]  # how many there are, and which are in the graph


class _Observer:
    """Puts hooks on the places of a model; `seen` is what they saw."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.shape = parts, parts.graph.shape
        self.seen: dict[str, torch.Tensor] = {}
        self.edits: dict[str, int] = {}  # torch's count of edits in place, when a value was seen
        self.handles: list[torch.utils.hooks.RemovableHandle] = []

    def watch(self, places: Places) -> None:
        shape = self.shape
        self.output("embed", places.embedding)
        if shape.positions_apart and places.learned_positions is not None:
            self.output("pos_embed", places.learned_positions)
        if places.stream is not None:
            self.output("L0.resid_pre", places.stream)
        for layer in range(shape.layers):
            if places.attention_norms:
                self.output(f"L{layer}.attention_norm", places.attention_norms[layer])
            heads = shape.heads, shape.heads_of(layer)
            groups = shape.kv_heads, shape.groups_of(layer)
            if heads[1]:
                self.columns(f"L{layer}.q", places.queries[layer], heads)
                self.columns(f"L{layer}.k", places.keys[layer], groups)
                self.columns(f"L{layer}.v", places.values[layer], groups)
                self.input(f"L{layer}.z", places.mixers[layer], heads)
            self.output(f"L{layer}.attention", places.mixers[layer])
            self.input(f"L{layer}.resid_mid", places.mlp_norms[layer])
            if self.parts.adapter.norm != "none":
                self.output(f"L{layer}.mlp_norm", places.mlp_norms[layer])
            self.output(f"L{layer}.mlp", places.mlps[layer])
            self.output(f"L{layer}.resid_post", places.blocks[layer])
        if places.final_norm is not None:
            self.output("final_norm", places.final_norm)
        self.output("logits", places.unembedding)

    def keep(self, name: str, value: torch.Tensor) -> None:
        """Keep a value; a second one of that name is refused."""
        if name in self.seen:
            raise LiftError(
                f"The model ran the module of {name} twice in one forward pass.",
                "A mediator is one value: one module is one layer's, and runs once.",
                "Give each layer a module of its own, or write an adapter that names other ones.",
            )
        self.seen[name] = value.detach()
        self.edits[name] = value._version

    def check_kept(self) -> None:
        """Check that every value still is what it was when it was seen."""
        for name, value in self.seen.items():
            if value._version != self.edits[name]:
                raise LiftError(
                    f"The model edits {name} in place after its module gave it.",
                    "A value that is read or set must stay as it was.",
                    "Write x = x + y in the model, in place of x += y.",
                )

    def output(self, name: str, module: nn.Module) -> None:
        self.handles.append(
            module.register_forward_hook(
                lambda _module, _args, out: self.keep(name, _first(out, name))
            )
        )

    def input(self, name: str, module: nn.Module, heads: _Heads | None = None) -> None:
        def hook(_module: nn.Module, args: tuple[Any, ...]) -> None:
            value = _first(args, name)
            self.keep(name, value if heads is None else _by_head(value, heads))

        self.handles.append(module.register_forward_pre_hook(hook))

    def columns(self, name: str, columns: Columns, heads: _Heads) -> None:
        def hook(_module: nn.Module, _args: Any, out: Any) -> None:
            own = _first(out, name)[..., columns.start : columns.stop]
            self.keep(name, _by_head(own, heads))

        self.handles.append(columns.module.register_forward_hook(hook))


def _first(value: Any, name: str) -> torch.Tensor:
    """Return a tensor, or the first of several."""
    if isinstance(value, tuple | list) and value:
        value = value[0]
    if not isinstance(value, torch.Tensor):
        raise LiftError(
            f"The module of {name} has a {type(value).__name__} where its value is expected.",
            "It is a tensor, or the first of a tuple.",
            "Name a module in the adapter whose output is the value.",
        )
    return value


def _by_head(side_by_side: torch.Tensor, heads: _Heads) -> torch.Tensor:
    count, present = heads
    each = side_by_side.reshape(*side_by_side.shape[:-1], count, -1)
    return each if len(present) == count else each[..., list(present), :]
