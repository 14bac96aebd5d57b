"""Attention patterns: an attention function of ours, in the model's place for one forward pass.

transformers computes attention by a function that it looks up by name; another model may have a
module for it, which its adapter names.  Ours computes each head in plain steps (scores, mask,
softmax, weighted values) and lets a world set the pattern, and what the pattern and the weighted
sum read.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from causalnet.errors import InternalError, TermError
from causalnet.execute.batch import TokenBatch
from causalnet.execute.flow import Flow
from causalnet.execute.places import Port, projected
from causalnet.execute.schedule import Step
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import Edge, Site, layers_of
from causalnet.lift import LiftedNetwork
from causalnet.lift.rotary import frequencies, rotate

__all__ = [
    "attended",
    "can_be_opened",
    "opened_attention",
    "touches_attention",
    "touches_logits",
]

NAME = "causalnet"
Attend: TypeAlias = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor, float], Tensor]
_ATTEND: ContextVar[Attend] = ContextVar("the attention of the forward pass in this thread")


def touches_attention(step: Step, graph: MediatorGraph) -> bool:
    """Return whether a step sets or reads a pattern, or an edge into a pattern or a z."""
    sites = _sites(step)
    inside = {Kind.PATTERN, Kind.Z}
    if any(isinstance(site, Edge) and graph.find(site.receiver).kind in inside for site in sites):
        return True
    touched = (*step.record, *(site.read_from for site in sites))
    return any(graph.find(name).kind is Kind.PATTERN for name in touched)


def touches_logits(step: Step, graph: MediatorGraph) -> bool:
    """Return whether a step sets the logits, or another world reads them."""
    touched = (*step.record, *(site.read_from for site in _sites(step)))
    return any(graph.find(name).kind is Kind.LOGITS for name in touched)


def _sites(step: Step) -> list[Site]:
    _, layers = layers_of(step.world)
    return [site for layer in layers for site, _ in layer] + [grad.site for grad in step.grads]


def can_be_opened(net: LiftedNetwork) -> bool:
    """Return whether the model looks its attention up by name, or has a module for it."""
    return bool(net.places.mixings) or _looks_up(net)


def _looks_up(net: LiftedNetwork) -> bool:
    from transformers import PreTrainedModel

    return isinstance(net.model.module, PreTrainedModel)


@contextmanager
def opened_attention(net: LiftedNetwork, attend: Attend) -> Iterator[None]:
    """Let a function of ours compute the model's attention until the block ends.

    Args:
        net: The lifted network.
        attend: From the attention module, queries [B, heads, T, d], keys and values
            [B, K/V groups, T, d], the mask to add [B, 1, T, T] and the factor of the scores to the
            heads' z, [B, T, heads, d].

    Raises:
        TermError: The model does not look its attention up by name, and its adapter names no
            module for it.
    """
    if net.places.mixings:
        with _replaced_mixings(net, attend):
            yield
        return
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    module = net.model.module
    if not _looks_up(net):
        raise TermError(
            f"The attention patterns of {type(module).__name__} cannot be read or set.",
            "That needs a model of transformers, whose attention is looked up by name, or an "
            "adapter that names its `mixing`.",
            "Set z, or q, k and v, which need no such function.",
        )
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    config: Any = module.config
    before, token = config._attn_implementation, _ATTEND.set(attend)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
        _ATTEND.reset(token)


@contextmanager
def _replaced_mixings(net: LiftedNetwork, attend: Attend) -> Iterator[None]:
    """Let a function of ours give what the modules that mix values give."""
    scaled = net.adapter.scale == "rsqrt_head_width"
    factor = net.graph.shape.d_head**-0.5 if scaled else 1.0

    def hook(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> Tensor:
        query, key, value, seen = given
        added = torch.zeros_like(seen, dtype=query.dtype)
        added = added.masked_fill(~seen, torch.finfo(query.dtype).min)
        return attend(module, query, key, value, added, factor).transpose(1, 2)

    with ExitStack() as stack:
        for module in net.places.mixings:
            stack.callback(module.register_forward_hook(hook).remove)
        yield


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return the heads' z and no weights, as transformers asks for."""
    if attention_mask is None:
        raise InternalError("transformers gave our attention function no mask.")
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _ATTEND.get()(module, query, key, value, attention_mask, factor), None


def attended(
    flow: Flow,
    batch: TokenBatch,
    layer: int,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    factor: float,
) -> Tensor:
    """Return the z of all heads of a layer, head by head, [B, T, heads, d].

    Args:
        flow: What the world sets, with the layer's q, k and v settled.
        batch: The prompts.
        layer: The layer.
        query: Queries after rotation, [B, heads, T, d].
        key: Keys after rotation, [B, groups, T, d].
        value: Values, [B, groups, T, d].
        mask: What is added to the scores, [B, 1, T, T].
        factor: What the scores are multiplied by.
    """
    graph = flow.graph
    owners = [projected(port, layer, graph) for port in (Port.KEY_OUT, Port.VALUE_OUT)]
    outputs = []
    for head in range(graph.shape.heads):
        group, name = graph.shape.group_of(head), f"L{layer}.H{head}"
        k_name, v_name = (names[group] for names in owners)
        pattern_name, z_name = f"{name}.pattern", f"{name}.z"
        q = query[:, head] + _turned_change(flow, batch, f"{name}.q", pattern_name)
        k = key[:, group] + _turned_change(flow, batch, k_name, pattern_name)
        scores = q @ k.mT * factor + mask[:, 0]
        wide = torch.promote_types(q.dtype, torch.float32)
        natural = torch.softmax(scores, dim=-1, dtype=wide).to(q.dtype)
        pattern = flow.carried(pattern_name, z_name, flow.settle(pattern_name, natural))
        outputs.append(pattern @ flow.carried(v_name, z_name, value[:, group]))
    return torch.stack(outputs, dim=2)


def _turned_change(flow: Flow, batch: TokenBatch, sender: str, receiver: str) -> Tensor | float:
    """Return by how much an edge changes a query or key after rotation, which is linear."""
    if (sender, receiver) not in flow.edges:
        return 0.0
    value = flow.values[sender]
    change = flow.carried(sender, receiver, value) - value
    constants = flow.net.parts.constants
    if constants.rope_theta is None:
        return change
    speeds = frequencies(constants.rope_theta, change.shape[-1], constants.rope_scaling)
    return rotate(change[:, :, None], batch.position_ids, speeds)[:, :, 0]
