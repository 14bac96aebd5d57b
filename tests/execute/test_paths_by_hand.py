"""Edges, patterns and scales against hooks written by hand, each prompt alone, without padding."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

from causalnet.execute import Bindings, evaluate
from causalnet.execute.batch import Padding
from causalnet.interventions import At, Base, Do, Edge, Node, Op, Read, Self, World, logit_diff
from causalnet.lift import raised_casts
from tests.toys import fresh_net, net, taken_as_it_is, word_pairs

BASE, SOURCE = Base("base"), Base("source")
Hook: TypeAlias = tuple[Any, bool, Callable[[Tensor], Tensor]]
Values: TypeAlias = Mapping[str, Tensor]


class ByHand:
    """The modules of a model of two layers, found without the adapters."""

    def __init__(self, kind: str) -> None:
        self.model: Any = net(kind).model.module
        self.llama = kind == "llama"
        inner: Any = self.model.model if self.llama else self.model.transformer
        self.blocks: Any = inner.layers if self.llama else inner.h
        self.final: Any = inner.norm if self.llama else inner.ln_f
        self.width, self.shared = 8, 2 if self.llama else 1

    def norm(self, layer: int) -> Any:
        block = self.blocks[layer]
        return block.input_layernorm if self.llama else block.ln_1

    def out(self, layer: int) -> Any:
        block = self.blocks[layer]
        return block.self_attn.o_proj if self.llama else block.attn.c_proj

    def read(self, layer: int, letter: str) -> tuple[Any, int]:
        if self.llama:
            return getattr(self.blocks[layer].self_attn, f"{letter}_proj"), 0
        return self.blocks[layer].attn.c_attn, "qkv".index(letter) * 32

    def own(self, index: int, start: int = 0) -> slice:
        return slice(start + index * self.width, start + (index + 1) * self.width)

    def head(self, values: Values, layer: int, head: int) -> Tensor:
        weight = self.out(layer).weight.T if self.llama else self.out(layer).weight
        made: Tensor = values[f"z{layer}"][..., self.own(head)] @ weight[self.own(head)]
        return made

    def run(self, ids: tuple[int, ...], *hooks: Hook) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits at the end, and what the modules read and give."""
        kept: dict[str, Tensor] = {}
        with ExitStack() as stack:
            for module, is_input, change in (*hooks, *self.recording(kept)):
                stack.callback(_hook(module, is_input, change).remove)
            logits: Tensor = self.model(torch.tensor([ids])).logits[0, -1]
        return logits, kept

    def recording(self, kept: dict[str, Tensor]) -> list[Hook]:
        def keep(name: str) -> Callable[[Tensor], Tensor]:
            return lambda value: kept.setdefault(name, value)

        hooks: list[Hook] = [(self.final, True, keep("final"))]
        for layer, block in enumerate(self.blocks):
            middle = block.post_attention_layernorm if self.llama else block.ln_2
            hooks += [(block, True, keep(f"x{layer}")), (middle, True, keep(f"m{layer}"))]
            hooks += [(self.out(layer), True, keep(f"z{layer}"))]
            hooks += [(block.mlp, False, keep(f"mlp{layer}"))]
            hooks += [
                (self.read(layer, letter)[0], False, keep(f"{letter}{layer}")) for letter in "qkv"
            ]
        return hooks

    def pattern(self, query: Tensor, key: Tensor) -> Tensor:
        turned = (self.turned(query), self.turned(key))
        scores = turned[0] @ turned[1].T * self.width**-0.5
        seen = torch.ones_like(scores).bool().tril()
        weights: Tensor = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        return weights

    def turned(self, value: Tensor) -> Tensor:
        """Rotate each pair (i, i + 4) of a position's entries by position / 10000^(i / 4)."""
        if not self.llama:
            return value
        speeds = 10_000.0 ** (-torch.arange(4, dtype=torch.float64) / 4)
        angles = torch.arange(len(value))[:, None] * speeds
        first, second = value[:, :4], value[:, 4:]
        return torch.cat(
            [
                first * angles.cos() - second * angles.sin(),
                second * angles.cos() + first * angles.sin(),
            ],
            dim=1,
        )

    def channel(self, values: Values, letter: str, layer: int, head: int) -> Tensor:
        index = head if letter == "q" else head // self.shared
        return values[f"{letter}{layer}"][0, :, self.own(index, self.read(layer, letter)[1])]


def _hook(module: Any, is_input: bool, change: Callable[[Tensor], Tensor]) -> Any:
    if is_input:
        return module.register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]))
    return module.register_forward_hook(lambda _, __, out: change(out))


def putting(columns: slice, value: Tensor) -> Callable[[Tensor], Tensor]:
    def change(whole: Tensor) -> Tensor:
        fresh = whole.clone()
        fresh[..., columns] = value
        return fresh

    return change


def head_to_query(by: ByHand, base: Values, source: Values) -> Hook:
    stream = base["x1"] + by.head(source, 0, 1) - by.head(base, 0, 1)
    module, start = by.read(1, "q")
    own = by.own(2, start)
    return module, False, putting(own, module.forward(by.norm(1).forward(stream))[..., own])


def mlp_to_keys(by: ByHand, base: Values, source: Values) -> Hook:
    stream = base["x1"] + source["mlp0"] - base["mlp0"]
    module, start = by.read(1, "k")
    own = by.own(1, start)
    return module, False, putting(own, module.forward(by.norm(1).forward(stream))[..., own])


def head_to_mlp(by: ByHand, base: Values, source: Values) -> Hook:
    change = by.head(source, 0, 3) - by.head(base, 0, 3)
    stream = base["m1"].clone()
    stream[:, [1, -1]] += change[:, [1, -1]]
    block = by.blocks[1]
    norm = block.post_attention_layernorm if by.llama else block.ln_2
    read = norm.forward(stream)
    return block.mlp, True, lambda _: read


def mlp_to_logits(by: ByHand, base: Values, source: Values) -> Hook:
    return by.final, True, lambda stream: stream + source["mlp0"] - base["mlp0"]


def key_to_one_pattern(by: ByHand, base: Values, source: Values) -> Hook:
    pattern = by.pattern(by.channel(base, "q", 1, 3), by.channel(source, "k", 1, 3))
    z = pattern @ by.channel(base, "v", 1, 3)
    return by.out(1), True, putting(by.own(3), z)


def knocked_out(by: ByHand, base: Values, _: Values) -> Hook:
    pattern = by.pattern(by.channel(base, "q", 0, 2), by.channel(base, "k", 0, 2))
    pattern[-1, 1] = 0.0
    pattern[-1] /= pattern[-1].sum()
    return by.out(0), True, putting(by.own(2), pattern @ by.channel(base, "v", 0, 2))


def scale_of_source(by: ByHand, base: Values, source: Values) -> Hook:
    """The norm of the base's last stream, divided by the source's scale."""
    centred = [
        values["final"] if by.llama else values["final"] - values["final"].mean(-1, keepdim=True)
        for values in (base, source)
    ]
    own, other = ((part.square().mean(-1, keepdim=True) + 1e-5).sqrt() for part in centred)
    bias = 0.0 if by.llama else by.final.bias
    return by.final, False, lambda normed: (normed - bias) * own / other + bias


def _from_source(site: Node | Edge) -> Do:
    return Do(BASE, ((site, At(site.read_from, SOURCE)),))


MASKED = Op("mask_pattern", (Self(),), (("keys", "1"),))
CASES: tuple[tuple[Callable[[str], World], Callable[[ByHand, Values, Values], Hook]], ...] = (
    (lambda _: _from_source(Edge("L0.H1", "L1.H2.q")), head_to_query),
    (lambda group: _from_source(Edge("L0.mlp", f"L1.{group}1.k")), mlp_to_keys),
    (lambda _: _from_source(Edge("L0.H3", "L1.mlp", ("end", 1))), head_to_mlp),
    (lambda _: _from_source(Edge("L0.mlp", "logits")), mlp_to_logits),
    (
        lambda group: _from_source(
            Edge(f"L1.{group}{1 if group == 'KV' else 3}.k", "L1.H3.pattern")
        ),
        key_to_one_pattern,
    ),
    (lambda _: Do(BASE, ((Node("L0.H2.pattern", ("end",)), MASKED),)), knocked_out),
    (lambda _: _from_source(Node("logits.scale")), scale_of_source),
)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize(("term", "by_hand"), CASES, ids=[by_hand.__name__ for _, by_hand in CASES])
def test_a_path_is_what_hooks_by_hand_make_it(
    kind: str,
    term: Callable[[str], World],
    by_hand: Callable[[ByHand, Values, Values], Hook],
) -> None:
    pairs, by = word_pairs(3, lengths=(6, 4, 5)), ByHand(kind)
    read = Read(logit_diff, term("KV" if kind == "llama" else "H"))
    expected: list[float] = []
    plain: list[float] = []
    with torch.no_grad(), raised_casts(net(kind).model.module):
        for row in range(3):
            _, source = by.run(pairs.source.ids[row])
            logits, base = by.run(pairs.base.ids[row])
            patched, _ = by.run(pairs.base.ids[row], by_hand(by, base, source))
            for found, one in ((plain, logits), (expected, patched)):
                answers, foils = list(pairs.answers[row]), list(pairs.foils[row])
                found.append(float(one[answers].mean() - one[foils].mean()))
        sides: tuple[Padding, ...] = ("left", "right")
        for padding in sides:
            values = evaluate(
                [read], net(kind), Bindings.of(pairs), batch_size=2, padding=padding
            ).values[read]
            assert values.tolist() == pytest.approx(expected, abs=1e-10)
    assert max(abs(a - b) for a, b in zip(expected, plain, strict=True)) > 1e-6


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_an_error_within_a_forward_leaves_nothing_behind(kind: str) -> None:
    network = fresh_net(kind)
    module: Any = network.model.module
    attention = module.config._attn_implementation

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    failing = network.places.mlps[1].register_forward_pre_hook(broken)
    read = Read(logit_diff, _from_source(Node("L1.H2.pattern")))
    with pytest.raises(ZeroDivisionError):
        evaluate([read], taken_as_it_is(network), Bindings.of(word_pairs(2)))
    failing.remove()
    left = [part for part in module.modules() if part._forward_hooks or part._forward_pre_hooks]
    assert left == [] and module.config._attn_implementation == attention
