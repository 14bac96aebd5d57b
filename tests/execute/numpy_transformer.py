"""A transformer in plain numpy formulas, node by node, as a model for the brute-force interpreter.

Nothing is shared with the executor: weights are read from the modules, every node of the graph has
its formula, and the interpreter does the rest.  Formulas accept complex numbers, so that
derivatives can be taken by a complex step.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from causalnet.execute import Bindings, Matrix, Pooled
from causalnet.interventions import Handle, ReadOut, Site
from causalnet.interventions.interpreter import OPERATIONS, SCM, array_mix
from causalnet.lift import LiftedNetwork

Array: TypeAlias = Any
Slots: TypeAlias = Mapping[str, Array]
Function: TypeAlias = Callable[[Array], Array]


def numbers(tensor: Any) -> Array:
    return tensor.detach().double().numpy()


class Weights:
    """The weights of a network, projections as [in, out] with their biases."""

    def __init__(self, net: LiftedNetwork) -> None:
        self.net, self.shape, self.places = net, net.graph.shape, net.places
        self.layout, self.norm = net.adapter.layout, net.adapter.norm
        self.eps, self.theta = net.parts.constants.norm_eps, net.parts.constants.rope_theta
        self.activation = net.parts.constants.activation
        self.sharpness = 1.0 if net.adapter.scale == "one" else self.shape.d_head**-0.5

    def affine(self, module: Any, columns: slice = slice(None), layout: str = "") -> Function:
        weight = numbers(module.weight)
        into = weight.T if (layout or self.layout) == "out_in" else weight
        bias = getattr(module, "bias", None)
        shift = 0.0 if bias is None else numbers(bias)[columns]
        return lambda x: x @ into[:, columns] + shift

    def centred(self, x: Array) -> Array:
        return x - x.mean(-1, keepdims=True) if self.norm == "layer" else x

    def scale(self, x: Array) -> Array:
        return np.sqrt((self.centred(x) ** 2).mean(-1, keepdims=True) + self.eps)

    def seen(self, length: int) -> Array:
        everything = np.ones((length, length))
        return np.tril(everything) if self.shape.causal else everything

    def normed(self, module: Any, x: Array, scale: Array) -> Array:
        bias = getattr(module, "bias", None)
        return self.centred(x) / scale * numbers(module.weight) + (
            0.0 if bias is None else numbers(bias)
        )

    def act(self, x: Array) -> Array:
        if self.activation == "relu":
            return np.where(x.real > 0, x, 0)
        if self.activation == "silu":
            return x / (1 + np.exp(-x))
        assert self.activation == "gelu_new"
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def turned(self, x: Array) -> Array:
        """Rotate each position's pairs (i, i + half) by position times theta^(-2i/width)."""
        if self.theta is None:
            return x
        half = x.shape[-1] // 2
        angles = np.arange(len(x))[:, None] * self.theta ** (-np.arange(half) / half)
        first, second = x[:, :half], x[:, half:]
        return np.concatenate(
            [
                first * np.cos(angles) - second * np.sin(angles),
                second * np.cos(angles) + first * np.sin(angles),
            ],
            axis=-1,
        )


def mechanisms(net: LiftedNetwork, length: int) -> dict[str, Callable[[Slots], Array]]:
    """The formula of every node but the embeddings, for prompts of one length."""
    weights, shape, places = Weights(net), net.graph.shape, net.places
    rules: dict[str, Callable[[Slots], Array]] = {}

    def receiver(name: str, norm: Any, after: Function) -> None:
        if weights.norm == "none":
            rules[name] = lambda slots: after(slots["resid"])
            return
        rules[f"{name}.scale"] = lambda slots: weights.scale(slots["resid"])
        rules[name] = lambda slots: after(weights.normed(norm, slots["resid"], slots["scale"]))

    def mlp(layer: int) -> Function:
        into, out = (weights.affine(side[layer]) for side in (places.mlp_in, places.mlp_out))
        if not places.mlp_gates:
            return lambda x: out(weights.act(into(x)))
        gate = weights.affine(places.mlp_gates[layer])
        return lambda x: out(weights.act(gate(x)) * into(x))

    def projection(columns: Any, index: int) -> Function:
        start = columns.start + index * shape.d_head
        return weights.affine(columns.module, slice(start, start + shape.d_head))

    def pattern(slots: Slots) -> Array:
        q, k = weights.turned(slots["q"]), weights.turned(slots["k"])
        scores = q @ k.T * weights.sharpness
        seen = weights.seen(length)
        grown = np.exp(scores - np.where(seen > 0, scores.real, -np.inf).max(-1, keepdims=True))
        kept = np.where(seen > 0, grown, 0.0)
        return kept / kept.sum(-1, keepdims=True)

    def repeated(constant: Array, _: Slots) -> Array:
        return np.repeat(constant, length, axis=0)

    def output(own: slice, mixer: Function, constant: Array, slots: Slots) -> Array:
        """What one head's z adds to the stream: the mixer on it alone, without the bias."""
        wide = np.zeros((length, shape.heads * shape.d_head), slots["z"].dtype)
        wide[:, own] = slots["z"]
        return mixer(wide) - constant

    for layer in range(shape.layers):
        norm = places.attention_norms[layer] if places.attention_norms else None
        owner = "KV" if shape.shares_keys else "H"
        for group in range(shape.kv_heads):
            for letter, columns in (("k", places.keys), ("v", places.values)):
                receiver(
                    f"L{layer}.{owner}{group}.{letter}", norm, projection(columns[layer], group)
                )
        mixer = weights.affine(places.mixers[layer])
        constant = mixer(np.zeros((1, shape.heads * shape.d_head)))
        for head in range(shape.heads):
            name = f"L{layer}.H{head}"
            own = slice(head * shape.d_head, (head + 1) * shape.d_head)
            receiver(f"{name}.q", norm, projection(places.queries[layer], head))
            rules[f"{name}.pattern"] = pattern
            rules[f"{name}.z"] = lambda slots: slots["pattern"] @ slots["v"]
            rules[name] = partial(output, own, mixer, constant)
        if shape.attention_bias:
            rules[f"L{layer}.attn_bias"] = partial(repeated, constant)
        receiver(f"L{layer}.mlp", places.mlp_norms[layer], mlp(layer))
    receiver("logits", places.final_norm, weights.affine(places.unembedding, layout="out_in"))
    present = {node.mediator.name for node in net.graph.nodes}
    return {name: rule for name, rule in rules.items() if name in present}


def embedded(net: LiftedNetwork, name: str, ids: tuple[int, ...]) -> Array:
    value = numbers(net.places.tokens.weight)[list(ids)]
    learned = net.places.learned_positions
    if learned is None:
        return value
    positions = numbers(learned.weight)[: len(ids)]
    if "pos_embed" not in net.graph.names():
        return value + positions
    return {"embed": value, "pos_embed": positions}[name]


def noise(key: str, row: int, like: Array) -> Array:
    digest = hashlib.sha256(f"{key}|{row}".encode()).digest()[:16]
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    return generator.standard_normal(like.shape)


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.real.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def model_of_row(net: LiftedNetwork, bindings: Bindings, row: int) -> SCM:
    """The network on one prompt of each input, as a model that the interpreter reads."""
    prompts = bindings.inputs["base"]
    ids = {name: prompts.ids[row] for name, prompts in bindings.inputs.items()}
    length, weights = len(ids["base"]), Weights(net)
    unembed = weights.affine(net.places.unembedding, layout="out_in")

    def column(position: int | str) -> int:
        return prompts.at(position)[row]

    def constant(handle: Handle) -> Array:
        match bindings.constants[handle]:
            case Pooled(vector):
                return np.broadcast_to(numbers(vector), (length, len(vector)))
            case Matrix(values):
                return numbers(values)
            case other:
                raise AssertionError(other)

    def mix(site: Site, new: Array, below: Array) -> Array:
        placed = replace(site, at=tuple(column(position) for position in site.at))
        return array_mix(placed, new, below, constant)

    def masked(arguments: tuple[Array, ...], parameters: Mapping[str, Any]) -> Array:
        kept = np.ones(length)
        for key in parameters["keys"].split(","):
            kept[column(int(key) if key.isdigit() else key)] = 0
        left = arguments[0] * kept
        total = left.sum(-1, keepdims=True)
        return np.where(total == 0, 0, left / np.where(total == 0, 1, total))

    def uniform(arguments: tuple[Array, ...], _: Mapping[str, Any]) -> Array:
        seen = weights.seen(length)
        return seen / seen.sum(-1, keepdims=True)

    def scored(readout: ReadOut, value: Array) -> Array:
        if readout.node != "logits":
            if weights.norm != "none":
                value = weights.normed(net.places.final_norm, value, weights.scale(value))
            value = unembed(value)
        return value[column(readout.at)]

    def over(scores: Array, tokens: tuple[int, ...]) -> Array:
        return scores[list(tokens)].mean()

    def difference(readout: ReadOut, value: Array, _: Array) -> Array:
        named = bindings.answers_named(readout.answers)
        logits = scored(readout, value)
        return over(logits, named.answers[row]) - over(logits, named.foils[row])

    def probability(readout: ReadOut, value: Array, _: Array) -> Array:
        named = bindings.answers_named(readout.answers)
        return np.exp(log_softmax(scored(readout, value)))[list(named.answers[row])].sum()

    def hit(readout: ReadOut, value: Array, _: Array) -> Array:
        named = bindings.answers_named(readout.answers)
        return float(scored(readout, value).real.argmax() in named.answers[row])

    def divergence(readout: ReadOut, value: Array, reference: Array) -> Array:
        theirs, ours = log_softmax(scored(readout, reference)), log_softmax(scored(readout, value))
        return (np.exp(theirs) * (theirs - ours)).sum()

    def distance(readout: ReadOut, value: Array, reference: Array) -> Array:
        gaps = scored(readout, reference) - scored(readout, value)
        return np.sqrt((gaps**2).mean())

    return SCM(
        net.graph,
        mechanisms(net, length),
        lambda node, name: embedded(net, node, ids[name]),
        constant,
        {**OPERATIONS, "mask_pattern": masked, "uniform_pattern": uniform},
        lambda key, like: noise(key, row, like),
        {
            "logit_difference": difference,
            "probability": probability,
            "loss": lambda readout, value, _: -np.log(probability(readout, value, _)),
            "accuracy": hit,
            "kl": divergence,
            "logit_distance": distance,
            "value": lambda readout, value, _: value[column(readout.at), 0],
        },
        mix,
    )
