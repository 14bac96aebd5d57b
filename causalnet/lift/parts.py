"""What is needed to compute a network from its graph: sizes, constants, and where weights are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

import torch
from torch import nn

from causalnet.errors import LiftError
from causalnet.graphs import MediatorGraph, TransformerShape, transformer_graph
from causalnet.lift.adapter import Adapter
from causalnet.lift.places import Places, find_places, parameter
from causalnet.lift.silence import check_silent, declared_silent

__all__ = ["Constants", "Parts", "take_apart"]


@dataclass(frozen=True, slots=True)
class Constants:
    """The numbers of a network that are not weights, as its checkpoint declares them.

    Attributes:
        norm_eps: What norms add to the variance; None without norms.
        rope_theta: The base of the rotary frequencies; None without rotation.
        activation: Name of the MLP's activation.
        rope_scaling: How the rotary frequencies are scaled; empty where they are not.
    """

    norm_eps: float | None
    rope_theta: float | None
    activation: str
    rope_scaling: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A network taken apart: its graph, and what computes every node of it.

    Attributes:
        graph: The mediator graph.
        adapter: Where this architecture keeps its parts.
        places: The modules found there.
        constants: Numbers that are not weights.
    """

    graph: MediatorGraph
    adapter: Adapter
    places: Places
    constants: Constants


def take_apart(module: nn.Module, adapter: Adapter, declared: Mapping[str, object]) -> Parts:
    """Find every part of a module and lay out its graph.

    Sizes are those of the weights and must be those that the checkpoint declares.

    Raises:
        LiftError: A part or a fact is missing, sizes differ, a formula is declared that is not
            rebuilt, or weights that are declared to be tied differ.
    """
    facts = {**dict(adapter.declared), **declared}
    places = find_places(module, adapter)
    _check_formulas(facts)
    _check_layers(places)
    _check_tied(places, facts)
    shape, scaling = _shape(places, adapter, facts), facts.get("rope_scaling")
    check_silent(places, adapter, shape)
    constants = Constants(
        norm_eps=None if adapter.norm == "none" else _number(facts, "norm_eps"),
        rope_theta=_number(facts, "rope_theta") if adapter.positions == "rotary" else None,
        activation=adapter.activation or str(_fact(facts, "activation")),
        rope_scaling=scaling if isinstance(scaling, Mapping) else {},
    )
    return Parts(transformer_graph(shape), adapter, places, constants)


def _check_formulas(facts: Mapping[str, object]) -> None:
    """Refuse what a few short prompts may not show."""
    for name in ("attention_softcap", "logit_softcap"):
        if facts.get(name):
            raise LiftError(
                f"The checkpoint declares {name}={facts[name]}.",
                "Scores and logits are rebuilt as they are, without a cap.",
                "Lift a model without one; small scores would hide the difference.",
            )
    if facts.get("window"):
        window, positions = int(_number(facts, "window")), facts.get("positions")
        if positions is None or _number(facts, "positions") > window:
            raise LiftError(
                f"The checkpoint declares a sliding window of {window} tokens, and positions="
                f"{positions}.",
                f"The graph attends to all earlier tokens: the same for prompts up to {window}.",
                f"Set config.max_position_embeddings={window}; longer prompts are then refused.",
            )


def _check_tied(places: Places, facts: Mapping[str, object]) -> None:
    if facts.get("tied") is not True:
        return
    read, written = (parameter(each, "weight") for each in (places.tokens, places.unembedding))
    if read.data_ptr() != written.data_ptr() and not torch.equal(read, written):
        raise LiftError(
            "The checkpoint declares the embedding and the unembedding tied, and their weights "
            "differ.",
            "The logits would be read by weights that are not the checkpoint's.",
            "Write module.tie_weights(), or config.tie_word_embeddings=False if both are its own.",
        )


def _shape(places: Places, adapter: Adapter, facts: Mapping[str, object]) -> TransformerShape:
    vocabulary, width = parameter(places.unembedding, "weight").shape
    heads = int(_number(facts, "heads"))
    query, key = places.queries[0], places.keys[0]
    d_head, left = divmod(query.stop - query.start, heads)
    kv_heads, left_kv = divmod(key.stop - key.start, max(d_head, 1))
    if left or left_kv:
        raise LiftError(
            f"{query.stop - query.start} query and {key.stop - key.start} key columns cannot be "
            f"shared out among {heads} heads."
        )
    into = parameter(places.mlp_in[0], "weight").shape
    sizes = {
        "layers": len(places.blocks),
        "heads": heads,
        "kv_heads": kv_heads,
        "width": int(width),
        "head_width": d_head,
        "mlp_width": int(into[0] if adapter.layout == "out_in" else into[1]),
        "vocabulary": int(vocabulary),
    }
    _compare(sizes, facts)
    bias = "bias" in dict(places.mixers[0].named_parameters(recurse=False))
    return TransformerShape(
        layers=sizes["layers"],
        heads=heads,
        kv_heads=kv_heads,
        d_model=sizes["width"],
        d_head=d_head,
        d_mlp=sizes["mlp_width"],
        vocabulary=sizes["vocabulary"],
        attention_bias=bias,
        normed=adapter.norm != "none",
        silent=declared_silent(facts),
        positions_apart=adapter.positions_apart,
        causal=_causal(facts),
    )


def _causal(facts: Mapping[str, object]) -> bool:
    causal = facts.get("causal", True)
    if not isinstance(causal, bool):
        raise LiftError(f"The model declares causal={causal!r}.", "It is True or False.")
    return causal


def _check_layers(places: Places) -> None:
    """Refuse layers of different sizes: a graph has as many heads in each, as wide."""
    columns = {"query": places.queries, "key": places.keys, "value": places.values}
    widths = {
        f"{name} columns": [side.stop - side.start for side in each]
        for name, each in columns.items()
    }
    for name, modules in (("output", places.mixers), ("MLP input", places.mlp_in)):
        shapes = [tuple(parameter(module, "weight").shape) for module in modules]
        widths[f"{name} weights"] = [width for _, width in shapes]
        widths[f"rows of {name} weights"] = [width for width, _ in shapes]
    for name, found in widths.items():
        odd = [layer for layer, width in enumerate(found) if width != found[0]]
        if odd:
            raise LiftError(
                f"Layer {odd[0]} has {found[odd[0]]} {name}, layer 0 has {found[0]}.",
                "All layers of a lifted model have one shape.",
                "Lift it by tracing: causalnet.lift.lift_module(module, ...).",
            )


def _compare(sizes: Mapping[str, int], facts: Mapping[str, object]) -> None:
    for name, size in sizes.items():
        if facts.get(name) is not None and _number(facts, name) != size:
            raise LiftError(
                f"The checkpoint declares {name}={facts[name]}, its weights have {size}.",
                write="Load a checkpoint whose configuration belongs to its weights.",
            )


def _fact(facts: Mapping[str, object], name: str) -> object:
    if facts.get(name) is None:
        raise LiftError(
            f"The model does not declare {name!r}.",
            f"It declares {', '.join(sorted(facts)) or 'nothing'}.",
            f"Give it in the adapter: declared=(({name!r}, ...),).",
        )
    return facts[name]


def _number(facts: Mapping[str, object], name: str) -> float:
    value = _fact(facts, name)
    if not isinstance(value, Real):  # numpy's numbers, which GGUF files give, included
        raise LiftError(f"The model declares {name}={value!r}.", "It is a number.")
    return float(value)
