"""Where the mediators are in a module: the concrete modules that an adapter's paths name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from causalnet.errors import LiftError
from causalnet.lift.adapter import Adapter

__all__ = ["Columns", "Places", "find_places", "parameter"]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Some columns of a projection's output: `module(x)[..., start:stop]`."""

    module: nn.Module
    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The modules of a model at which mediators can be read and set.

    Attributes:
        embedding: Its output is `embed`.
        tokens: Holds the token embedding.
        learned_positions: Holds the position embedding, if there is one.
        blocks: The output of block l is `L{l}.resid_post`, its input `L{l}.resid_pre`.
        attention_norms: The norm in front of q, k and v of each block; none with norm "none".
        queries: Where the queries of each block come out, heads side by side, before rotation.
        keys: Where the keys of each block come out, K/V groups side by side, before rotation.
        values: Where the values of each block come out, K/V groups side by side.
        mixers: The attention's output projections: input is the heads' z side by side
            [batch, pos, heads * d_head], output the sum of all heads and the bias.
        mlp_norms: The modules whose input is `L{l}.resid_mid`: the norm in front of each MLP, or
            with norm "none" the MLP itself.
        mlps: The output is `L{l}.mlp`.
        mlp_in: The MLPs' input projections.
        mlp_gates: The MLPs' gate projections; none where the MLP is plain.
        mlp_out: The MLPs' output projections.
        final_norm: The norm in front of the unembedding, or None.
        unembedding: The output is `logits`.
        rotary: The module with the model's rotary table, or None.
        stream: The module whose output is `L0.resid_pre`, or None.
        mixings: The modules that make z of q, k and v; none where the adapter names none.
    """

    embedding: nn.Module
    tokens: nn.Module
    learned_positions: nn.Module | None
    blocks: tuple[nn.Module, ...]
    attention_norms: tuple[nn.Module, ...]
    queries: tuple[Columns, ...]
    keys: tuple[Columns, ...]
    values: tuple[Columns, ...]
    mixers: tuple[nn.Module, ...]
    mlp_norms: tuple[nn.Module, ...]
    mlps: tuple[nn.Module, ...]
    mlp_in: tuple[nn.Module, ...]
    mlp_gates: tuple[nn.Module, ...]
    mlp_out: tuple[nn.Module, ...]
    final_norm: nn.Module | None
    unembedding: nn.Module
    rotary: nn.Module | None
    stream: nn.Module | None = None
    mixings: tuple[nn.Module, ...] = ()


def find_places(module: nn.Module, adapter: Adapter) -> Places:
    """Look up every path of an adapter.

    Raises:
        LiftError: A path that leads nowhere.
    """
    # `children` leaves out a block that is there twice, which is a mistake to be told.
    listed = _at(module, adapter.blocks, adapter)._modules.values()
    blocks = tuple(block for block in listed if block is not None)

    def each(path: str) -> tuple[nn.Module, ...]:
        return tuple(_at(block, path, adapter) for block in blocks) if path else ()

    _check_weights(module, blocks, adapter)

    def one(path: str) -> nn.Module | None:
        return _at(module, path, adapter) if path else None

    queries, keys, values = _projections(each, adapter)
    return Places(
        embedding=_at(module, adapter.embedding, adapter),
        tokens=_at(module, adapter.tokens, adapter),
        learned_positions=one(adapter.learned_positions),
        blocks=blocks,
        attention_norms=each(adapter.attention_norm),
        queries=queries,
        keys=keys,
        values=values,
        mixers=each(adapter.mixer),
        mlp_norms=each(adapter.mlp_norm or adapter.mlp),
        mlps=each(adapter.mlp),
        mlp_in=each(adapter.mlp_in),
        mlp_gates=each(adapter.mlp_gate),
        mlp_out=each(adapter.mlp_out),
        final_norm=one(adapter.final_norm),
        unembedding=_at(module, adapter.unembedding, adapter),
        rotary=one(adapter.rotary),
        stream=one(adapter.stream),
        mixings=each(adapter.mixing),
    )


def _check_weights(module: nn.Module, blocks: tuple[nn.Module, ...], adapter: Adapter) -> None:
    """Refuse a path that leads to a module without weights where a projection is expected."""
    own = {adapter.tokens: module, adapter.unembedding: module}
    inside = (adapter.query, adapter.key, adapter.value, adapter.fused, adapter.mixer)
    mlp = (adapter.mlp_in, adapter.mlp_gate, adapter.mlp_out)
    places = [*own.items(), *((path, block) for block in blocks for path in (*inside, *mlp))]
    for path, root in places:
        found = _at(root, path, adapter) if path else None
        if found is not None and "weight" not in dict(found.named_parameters(recurse=False)):
            where = f"{adapter.blocks}.{blocks.index(root)}.{path}" if root in blocks else path
            raise LiftError(
                f"{where} is a {type(found).__name__} that has no 'weight'.",
                f"The adapter of {adapter.module_class} takes it for a projection or an embedding.",
                "Name the module in the adapter that holds the weights.",
            )


def _at(root: nn.Module, path: str, adapter: Adapter) -> nn.Module:
    try:
        return root.get_submodule(path)
    except AttributeError as absent:
        raise LiftError(
            f"{type(root).__name__} has no {path!r}, which the adapter of {adapter.module_class} "
            f"names ({absent}).",
            f"Its parts are {', '.join(name for name, _ in root.named_children())}.",
        ) from None


def _projections(
    each: Callable[[str], tuple[nn.Module, ...]], adapter: Adapter
) -> tuple[tuple[Columns, ...], tuple[Columns, ...], tuple[Columns, ...]]:
    if not adapter.fused:
        paths = (adapter.query, adapter.key, adapter.value)
        queries, keys, values = (
            tuple(Columns(module, 0, _width(module, adapter, "out")) for module in each(path))
            for path in paths
        )
        return queries, keys, values
    triples = [
        _split(fused, _width(mixer, adapter, "in"), _width(fused, adapter, "out"))
        for fused, mixer in zip(each(adapter.fused), each(adapter.mixer), strict=True)
    ]
    queries, keys, values = (tuple(triple[i] for triple in triples) for i in range(3))
    return queries, keys, values


def _split(fused: nn.Module, queries: int, total: int) -> tuple[Columns, Columns, Columns]:
    """Return queries, keys and values of a projection; keys and values share what is left."""
    middle = queries + (total - queries) // 2
    return (
        Columns(fused, 0, queries),
        Columns(fused, queries, middle),
        Columns(fused, middle, total),
    )


def _width(module: nn.Module, adapter: Adapter, side: str) -> int:
    """Return how many numbers a projection reads ("in") or writes ("out")."""
    first, second = parameter(module, "weight").shape
    return int(first if (adapter.layout == "out_in") == (side == "out") else second)


def parameter(module: nn.Module, name: str) -> torch.Tensor:
    """Return a parameter that a module must have.

    Raises:
        LiftError: It has none of that name.
    """
    own = dict(module.named_parameters(recurse=False))
    if name not in own:
        raise LiftError(
            f"A {type(module).__name__} where a projection is expected has no {name!r}.",
            f"Its own parameters are {', '.join(own) or 'none'}.",
        )
    return own[name]
