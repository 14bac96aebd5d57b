"""The baselines, written on the Hugging Face model without anything of ours.

*naive*: for every world one full forward of the model, with plain torch hooks.
*resume*: what the best other planner does: every world alone at full batch, started from the base
run's stored input of the first block that is patched, logits at the last token only.  It knows
neither positions nor that worlds can share a matrix product.

For models of the Llama family, and prompts of one length.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["ByHand", "Patch", "Recorded", "Send", "Set"]

HEAD = re.compile(r"L(\d+)\.H(\d+)$")
STREAM = re.compile(r"L(\d+)\.resid_pre$")
CHANNEL = re.compile(r"L(\d+)\.(?:H|KV)(\d+)\.([qkv])$")
MLP = re.compile(r"L(\d+)\.mlp$")


@dataclass(frozen=True)
class Set:
    """A head `L9.H6` or the stream into a block `L9.resid_pre` has its value of the source.

    Attributes:
        node: Its name.
        at: Token indices; none means all.
    """

    node: str
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Send:
    """What a writer sends to one receiver is that of the source.

    Attributes:
        sender: `embed`, `L9.H6` or `L9.mlp`.
        receiver: `L20.H0.q`, `L20.KV1.k`, `L20.KV1.v`, `L20.mlp` or `logits`.
        at: Token indices of the sender; none means all.
    """

    sender: str
    receiver: str
    at: tuple[int, ...] = ()


Patch: TypeAlias = Set | Send


@dataclass(frozen=True)
class Recorded:
    """What one plain forward leaves for patches.

    Attributes:
        z: What goes into each output projection, [B, T, heads * d_head].
        mlp: What each MLP writes, [B, T, d].
        into: What goes into each block, and out of the last, [B, T, d].
        logits: At the last token, [B, V].
    """

    z: tuple[Tensor, ...]
    mlp: tuple[Tensor, ...]
    into: tuple[Tensor, ...]
    logits: Tensor


class ByHand:
    """Patches of one batch on a model of the Llama family."""

    def __init__(self, module: Any, base_ids: Tensor, source_ids: Tensor) -> None:
        """Keep the model and the token ids, [B, T] each, without padding."""
        self.module, self.blocks = module, list(module.model.layers)
        self.base_ids, self.source_ids = base_ids, source_ids
        self.width: int = self.blocks[0].self_attn.head_dim
        self.base: Recorded
        self.source: Recorded

    def record(self) -> None:
        """Run base and source, and keep what patches and resumed forwards need."""
        self.base, self.source = (self._recorded(ids) for ids in (self.base_ids, self.source_ids))

    def naive(self, patches: Sequence[Patch], strength: Tensor | None = None) -> Tensor:
        """Return the last token's logits [B, V] of one full forward with hooks.

        `strength` [B] scales what `Send` patches add; 1 where it is not given.
        """
        with self._patched(patches, strength):
            logits: Tensor = self.module(self.base_ids, use_cache=False).logits
        return logits[:, -1]

    def resumed(self, patches: Sequence[Patch]) -> Tensor:
        """Return the same from the base's input of the first block that is patched."""
        start = self.first_block(patches)
        hidden = self.base.into[start]
        places = torch.arange(hidden.shape[1], device=hidden.device)[None]
        angles = self.module.model.rotary_emb(hidden, position_ids=places)
        with self._patched(patches):
            for block in self.blocks[start:]:
                hidden = block(hidden, position_ids=places, position_embeddings=angles)
            last = self.module.model.norm(hidden)[:, -1]
            logits: Tensor = self.module.lm_head(last)
        return logits

    def first_block(self, patches: Sequence[Patch]) -> int:
        """Return the first block that a world patches; the number of blocks for the logits."""
        return min(self._block(patch) for patch in patches)

    def _block(self, patch: Patch) -> int:
        name = patch.node if isinstance(patch, Set) else patch.receiver
        return len(self.blocks) if name == "logits" else int(name[1:].split(".")[0])

    def _recorded(self, ids: Tensor) -> Recorded:
        z: list[Tensor] = []
        mlp: list[Tensor] = []
        into: list[Tensor] = []
        with ExitStack() as hooks:
            for block in self.blocks:
                for hook in (
                    block.register_forward_pre_hook(lambda _, args: into.append(args[0])),
                    block.self_attn.o_proj.register_forward_pre_hook(
                        lambda _, args: z.append(args[0])
                    ),
                    block.mlp.register_forward_hook(lambda _, args, output: mlp.append(output)),
                ):
                    hooks.callback(hook.remove)
            final = self.module.model.norm
            hook = final.register_forward_pre_hook(lambda _, args: into.append(args[0]))
            hooks.callback(hook.remove)
            logits = self.module(ids, use_cache=False, logits_to_keep=1).logits
        return Recorded(tuple(z), tuple(mlp), tuple(into), logits[:, -1])

    @contextmanager
    def _patched(self, patches: Sequence[Patch], strength: Tensor | None = None) -> Iterator[None]:
        with ExitStack() as hooks:
            for patch in patches:
                placed = self._set(patch) if isinstance(patch, Set) else self._send(patch, strength)
                for hook in placed:
                    hooks.callback(hook.remove)
            yield

    def _set(self, patch: Set) -> list[Any]:
        at = list(patch.at) or slice(None)
        if stream := STREAM.match(patch.node):
            layer, columns = int(stream[1]), slice(None)
            module, source = self.blocks[layer], self.source.into[layer]
        elif head := HEAD.match(patch.node):
            layer, columns = int(head[1]), self._columns(int(head[2]))
            module, source = self.blocks[layer].self_attn.o_proj, self.source.z[layer]
        else:
            raise ValueError(f"{patch.node} is neither a head nor a stream into a block.")

        def put(_: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            value = args[0].clone()
            value[:, at, columns] = source[:, at, columns]
            return (value, *args[1:])

        return [module.register_forward_pre_hook(put)]

    def _send(self, patch: Send, strength: Tensor | None) -> list[Any]:
        added = self._difference(patch.sender, patch.at)
        if strength is not None:
            added = strength[:, None, None] * added
        if channel := CHANNEL.match(patch.receiver):
            return self._into_channel(int(channel[1]), int(channel[2]), channel[3], added)
        if receiver := MLP.match(patch.receiver):
            norm = self.blocks[int(receiver[1])].post_attention_layernorm
        elif patch.receiver == "logits":
            norm = self.module.model.norm
        else:
            raise ValueError(f"{patch.receiver} is not a receiver of the stream.")
        return [norm.register_forward_pre_hook(lambda _, args: (args[0] + added,))]

    def _into_channel(self, layer: int, number: int, which: str, added: Tensor) -> list[Any]:
        """One head's query, or one group's key or value, reads another stream."""
        block, columns = self.blocks[layer], self._columns(number)
        norm, projection = block.input_layernorm, getattr(block.self_attn, f"{which}_proj")
        read: list[Tensor] = []

        def norm_anew(_: Any, args: tuple[Tensor, ...]) -> None:
            read[:] = [norm.forward(args[0] + added)]

        def put(_: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            bias = None if projection.bias is None else projection.bias[columns]
            value = output.clone()
            value[..., columns] = torch.nn.functional.linear(
                read[0], projection.weight[columns], bias
            )
            return value

        return [norm.register_forward_pre_hook(norm_anew), projection.register_forward_hook(put)]

    def _difference(self, sender: str, at: tuple[int, ...]) -> Tensor:
        """What the sender writes in the source minus in the base, 0 at other tokens, [B, T, d]."""
        if sender == "embed":
            whole = self.source.into[0] - self.base.into[0]
        elif mlp := MLP.match(sender):
            whole = self.source.mlp[int(mlp[1])] - self.base.mlp[int(mlp[1])]
        elif head := HEAD.match(sender):
            layer, columns = int(head[1]), self._columns(int(head[2]))
            z = self.source.z[layer][..., columns] - self.base.z[layer][..., columns]
            whole = z @ self.blocks[layer].self_attn.o_proj.weight[:, columns].T
        else:
            raise ValueError(f"{sender} does not write to the stream.")
        if not at:
            return whole
        kept = torch.zeros_like(whole)
        kept[:, list(at)] = whole[:, list(at)]
        return kept

    def _columns(self, head: int) -> slice:
        return slice(head * self.width, (head + 1) * self.width)
