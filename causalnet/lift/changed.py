"""Which mechanisms of a lifted network another checkpoint changes: weights, node by node."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from causalnet.errors import ParameterError
from causalnet.lift.network import LiftedNetwork
from causalnet.lift.places import Columns

__all__ = ["changed_mechanisms", "changed_weights"]

_Part: TypeAlias = tuple[nn.Module, str, tuple[slice, ...]]  # a module, its parameter, entries
_ALL = (slice(None),)


def changed_weights(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the names of the tensors that differ between two states, in the order of the first.

    Raises:
        ParameterError: States with other names or shapes.

    >>> state = nn.Linear(2, 1).state_dict()
    >>> changed_weights(state, {**state, "bias": state["bias"] + 1})
    ('bias',)
    """
    extra = [name for name in other if name not in one]
    missing = [name for name in one if name not in other]
    if extra or missing:
        name, side = (extra[0], "first") if extra else (missing[0], "second")
        raise ParameterError(
            f"The {side} state has no {name!r}.",
            "Both are states of one architecture, with the same names.",
            "Merge adapters into the weights first (peft: merge_and_unload).",
        )
    for name, tensor in one.items():
        if tensor.shape != other[name].shape:
            raise ParameterError(
                f"{name!r} has the shape {tuple(tensor.shape)}, and {tuple(other[name].shape)} in "
                "the other state.",
                "Both are states of one architecture.",
            )
    return tuple(name for name, tensor in one.items() if not _same(tensor, other[name]))


def changed_mechanisms(net: LiftedNetwork, other: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the nodes whose mechanism uses a weight that another checkpoint has otherwise.

    Heads that share a projection are told apart by their rows.  A head's z and pattern, and the
    scales of norms, have no weights.

    Args:
        net: The lifted network.
        other: The state of the other checkpoint: `module.state_dict()`.

    Raises:
        ParameterError: States with other names or shapes, a difference in a tensor that no node
            uses, or a node that is silent here and writes there.
    """
    own = net.model.module.state_dict(keep_vars=True)
    left = {*changed_weights(own, other)}
    if not left:
        return ()
    names: dict[int, list[str]] = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    found: dict[str, None] = {}
    used: set[str] = set()
    for node, (module, weight, entries) in _parts(net):
        for name in names[id(dict(module.named_parameters(recurse=False))[weight])]:
            used.add(name)
            if name in left and not _same(own[name][entries], other[name][entries]):
                _check_silent(net, node, module, other[name][entries])
                found[node] = None
    if unused := sorted(left - used):
        raise ParameterError(
            f"{unused[0]!r} differs, and no node of the graph is known to use it.",
            "Differences are assigned to nodes by the weights that their mechanisms use.",
            "Lift both networks and compare their values instead.",
        )
    return tuple(node.mediator.name for node in net.graph.nodes if node.mediator.name in found)


def _check_silent(net: LiftedNetwork, node: str, module: nn.Module, written: Tensor) -> None:
    """Refuse a node that the graph leaves out, and that another checkpoint lets write."""
    writes = module in (*net.places.mixers, *net.places.mlp_out)
    if node in net.graph.shape.silent and writes and bool(written.any()):
        raise ParameterError(
            f"{node} is silent in the lifted network, and writes with the other weights.",
            "The graph leaves silent nodes out, so the other network has another graph.",
            "Lift both networks, and compare their graphs and values.",
        )


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one.detach(), other.detach().to(one.device))


def _parts(net: LiftedNetwork) -> Iterator[tuple[str, _Part]]:
    """Yield each node with each of the weights that its mechanism uses."""
    places, shape = net.places, net.graph.shape
    positions = "pos_embed" if shape.positions_apart else "embed"
    for node, module in (("embed", places.tokens), (positions, places.learned_positions)):
        if module is not None:
            yield from _whole(node, module)
    for layer in range(shape.layers):
        yield from _attention(net, layer)
        mlp = [places.mlp_norms[layer], places.mlp_in[layer], places.mlp_out[layer]]
        mlp += [places.mlp_gates[layer]] if places.mlp_gates else []
        for module in mlp:
            yield from _whole(f"L{layer}.mlp", module)
    for module in (places.final_norm, places.unembedding):
        if module is not None:
            yield from _whole("logits", module)


def _attention(net: LiftedNetwork, layer: int) -> Iterator[tuple[str, _Part]]:
    places, shape = net.places, net.graph.shape
    owner = "KV" if shape.shares_keys else "H"
    channels = [
        *((f"L{layer}.H{at}.q", places.queries[layer], at) for at in range(shape.heads)),
        *((f"L{layer}.{owner}{at}.k", places.keys[layer], at) for at in range(shape.kv_heads)),
        *((f"L{layer}.{owner}{at}.v", places.values[layer], at) for at in range(shape.kv_heads)),
    ]
    for node, columns, at in channels:
        yield from _columns(node, columns, at * shape.d_head, shape.d_head, net.adapter.layout)
        if places.attention_norms:
            yield from _whole(node, places.attention_norms[layer])
    mixer, width = places.mixers[layer], shape.d_head
    for head in range(shape.heads):
        read = slice(head * width, (head + 1) * width)
        entries = (slice(None), read) if net.adapter.layout == "out_in" else (read,)
        yield f"L{layer}.H{head}", (mixer, "weight", entries)
    if shape.attention_bias:
        yield f"L{layer}.attn_bias", (mixer, "bias", _ALL)


def _columns(
    node: str, columns: Columns, start: int, width: int, layout: str
) -> Iterator[tuple[str, _Part]]:
    written = slice(columns.start + start, columns.start + start + width)
    entries = (written,) if layout == "out_in" else (slice(None), written)
    yield node, (columns.module, "weight", entries)
    if "bias" in dict(columns.module.named_parameters(recurse=False)):
        yield node, (columns.module, "bias", (written,))


def _whole(node: str, module: nn.Module) -> Iterator[tuple[str, _Part]]:
    for name, _ in module.named_parameters(recurse=False):
        yield node, (module, name, _ALL)
