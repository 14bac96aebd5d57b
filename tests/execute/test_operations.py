"""Bodies of operations, by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from causalnet.effects.vectors import vector
from causalnet.errors import TermError
from causalnet.execute import (
    Answers,
    Bindings,
    Matrix,
    Setting,
    evaluate,
    record,
    register_operation,
)
from causalnet.execute.bindings import Constant
from causalnet.execute.operations import OPERATIONS
from causalnet.interventions import (
    OPERATIONS as DESCRIBED,
)
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Handle,
    Node,
    Op,
    Operation,
    Read,
    ReadOut,
    Self,
    Site,
    Value,
    World,
    accuracy,
    lens,
    logit_diff,
    value_of,
)
from causalnet.interventions.techniques import Dictionary, sae_feature_patch
from tests.toys import fresh_net, net, taken_as_it_is, word_pairs

BASE, SOURCE = Base("base"), Base("source")


def reading(
    world: World, bound: dict[Handle, Constant] | None = None, name: str = "llama"
) -> torch.Tensor:
    read = Read(logit_diff, world)
    return evaluate([read], net(name), Bindings.of(word_pairs(3), bound or {})).values[read]


def at(site: Site, value: Value) -> Do:
    return Do(BASE, ((site, value),))


def test_every_operation_that_is_described_has_a_body() -> None:
    assert set(DESCRIBED) == set(OPERATIONS)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_masked_key_is_a_score_of_minus_infinity(kind: str) -> None:
    """Masking the pattern equals masking the scores: the rest of the row keeps its proportions."""
    network = net(kind)
    masked = Node("L1.H0.pattern", ("end",)), Op("mask_pattern", (Self(),), (("keys", "2,4"),))
    seen: list[torch.Tensor] = []
    hook = network.places.mixers[1].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0][:, -1, :8].clone())
    )
    try:
        for world in (Do(BASE, ((Node("L1.H0.pattern"), Self()),)), Do(BASE, (masked,))):
            read = Read(logit_diff, world)
            evaluate([read], taken_as_it_is(network), Bindings.of(word_pairs(3)))
    finally:
        hook.remove()
    patterns: dict[str, torch.Tensor] = {}
    owner = "KV0" if network.graph.shape.shares_keys else "H0"
    names = ("L1.H0.pattern", f"L1.{owner}.v")
    record(names, network, word_pairs(3).base, lambda _, values: patterns.update(values))
    scores = patterns["L1.H0.pattern"][:, -1].log()
    scores[:, [2, 4]] = -torch.inf
    by_hand = torch.einsum("bs,bsd->bd", scores.softmax(-1), patterns[f"L1.{owner}.v"])
    torch.testing.assert_close(seen[1], by_hand, atol=1e-6, rtol=0)
    assert float((seen[0] - seen[1]).abs().max()) > 1e-4


def test_redirect_sends_all_attention_to_the_keys() -> None:
    """With all of it on one key, z is that key's value vector."""
    site = Node("L1.H0.pattern", ("end",))
    redirected = at(site, Op("redirect", (Self(),), (("keys", "1"),)))
    value = torch.zeros(3, 8)
    pairs = word_pairs(3)
    seen: dict[str, torch.Tensor] = {}
    record(("L1.KV0.v",), net(), pairs.base, lambda _, values: seen.update(values))
    value = seen["L1.KV0.v"][:, 1]
    for row in range(3):
        handle, bound = vector(f"v{row}", value[row])
        direct = reading(at(Node("L1.H0.z", ("end",)), Const(handle)), {handle: bound})
        assert float(direct[row]) == pytest.approx(float(reading(redirected)[row]), abs=1e-6)
    weights = (("keys", "1,3"), ("weights", "0.25,0.75"))
    mixed = at(site, Op("redirect", (Self(),), weights))
    one = (("keys", "1"),), (("keys", "3"),)
    sides = [Op("redirect", (Self(),), keys) for keys in one]
    by_hand = at(site, Op("lerp", (sides[0], sides[1]), (("factor", 0.75),)))
    torch.testing.assert_close(reading(mixed), reading(by_hand), atol=1e-12, rtol=0)


def test_redirect_to_a_later_key_is_refused() -> None:
    site = Node("L1.H0.pattern", (1, "end"))
    with pytest.raises(TermError, match=r"sends token 1 of .* to a key after it \(3\)"):
        reading(at(site, Op("redirect", (Self(),), (("keys", "3"),))))
    weights = (("keys", "0,1"), ("weights", "1"))
    with pytest.raises(TermError, match="2 keys and 1 weights"):
        reading(at(Node("L1.H0.pattern", ("end",)), Op("redirect", (Self(),), weights)))


def dictionary(activation: str) -> tuple[Dictionary, dict[Handle, Constant]]:
    generator = torch.Generator().manual_seed(4)
    shapes = {"encoder": (32, 12), "decoder": (12, 32), "bias": (12,), "centre": (32,)}
    tensors = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }
    tensors["threshold"] = torch.full((12,), 2.0, dtype=torch.float64)
    handles = {name: Handle(name, f"{name}/1") for name in tensors}
    bound: dict[Handle, Constant] = {handles[name]: Matrix(tensors[name]) for name in tensors}
    return (
        Dictionary(
            handles["encoder"],
            handles["decoder"],
            handles["bias"],
            handles["centre"],
            activation,
            handles["threshold"] if activation == "jumprelu" else None,
            3 if activation == "topk" else None,
        ),
        bound,
    )


@pytest.mark.parametrize("activation", ["relu", "jumprelu", "topk"])
def test_a_feature_patch_by_hand(activation: str) -> None:
    described, bound = dictionary(activation)
    tensors = {handle.label: value.values for handle, value in bound.items()}  # type: ignore[union-attr]  # matrices
    query = sae_feature_patch(net()["L0.mlp"], described, (1, 5, 7), at=(2,))
    (leaf, _) = query.leaves
    seen: dict[str, torch.Tensor] = {}
    sides = {}
    for name in ("base", "source"):
        prompts = Bindings.of(word_pairs(3)).inputs[name]
        record(("L0.mlp",), net(), prompts, lambda _, values: seen.update(values))
        sides[name] = seen["L0.mlp"][:, 2]
    before = {
        name: (side - tensors["centre"]) @ tensors["encoder"] + tensors["bias"]
        for name, side in sides.items()
    }
    active = {}
    for name, pre in before.items():
        kept = pre.relu()
        if activation == "jumprelu":
            kept = pre * (pre > 2.0)
        if activation == "topk":
            kept = kept * (pre >= pre.sort(-1).values[:, -3:-2])
        active[name] = kept
    change = (active["source"] - active["base"])[:, [1, 5, 7]] @ tensors["decoder"][[1, 5, 7]]
    found = evaluate([leaf], net(), Bindings.of(word_pairs(3), bound)).values[leaf]
    for row in range(3):
        handle, value = vector(f"by hand {row}", sides["base"][row] + change[row])
        by_hand = reading(at(Node("L0.mlp", (2,)), Const(handle)), {handle: value})
        assert float(found[row]) == pytest.approx(float(by_hand[row]), abs=1e-6)
    plain = reading(BASE)
    assert float((plain - found).abs().max()) > 1e-3


def test_a_dictionary_that_does_not_fit() -> None:
    described, bound = dictionary("relu")
    wrong = {**bound, described.decoder: Matrix(torch.zeros(5, 32, dtype=torch.float64))}
    query = sae_feature_patch(net()["L0.mlp"], described, (1,))
    with pytest.raises(TermError, match=r"decoder \[5, 32\].*\[32, k\] and \[k, 32\]"):
        evaluate(query.leaves, net(), Bindings.of(word_pairs(2), wrong))
    late = sae_feature_patch(net()["L0.mlp"], described, (12,))
    with pytest.raises(TermError, match=r"no feature 12.*0\.\.11"):
        evaluate(late.leaves, net(), Bindings.of(word_pairs(2), bound))


def clipped(arguments: tuple[torch.Tensor, ...], parameters: object, _: Setting) -> torch.Tensor:
    return arguments[0].clamp(-1.0, 1.0)


def test_an_operation_of_your_own() -> None:
    described = Operation("clip", 1, "the value, each entry between -1 and 1")
    world = at(Node("L0.mlp"), Op("clip", (Self(),)))
    with pytest.raises(TermError, match="No operation clip/v1"):
        reading(world)
    register_operation(described, clipped)
    try:
        register_operation(described, clipped)  # the same again is no change
        once = reading(world)
        assert not torch.equal(once, reading(BASE))
        assert torch.equal(once, reading(Do(world, ((Node("L0.mlp"), Op("clip", (Self(),))),))))
        with pytest.raises(TermError, match="clip/v1 has another body"):
            register_operation(described, lambda arguments, _, __: arguments[0])
        with pytest.raises(TermError, match="clip/v1 means something else"):
            register_operation(Operation("clip", 2, "another"), clipped)
    finally:
        del OPERATIONS["clip", 1], DESCRIBED["clip", 1]


def test_deeply_nested_operations() -> None:
    value: Value = Self()
    for _ in range(3000):
        value = Op("scale", (value,), (("factor", 1.0),))
    assert torch.equal(reading(at(Node("L0.mlp"), value)), reading(BASE))


def test_answers_under_other_names() -> None:
    pairs = word_pairs(3)
    swapped = Answers(pairs.foils, pairs.answers, "mean")
    plain, other = Read(logit_diff, BASE), Read(named("swapped"), BASE)
    bindings = Bindings.of(pairs)
    bound = Bindings(bindings.inputs, bindings.answers, {}, {"swapped": swapped})
    values = evaluate([plain, other], net(), bound).values
    assert torch.equal(values[plain], -values[other])
    with pytest.raises(TermError, match=r"'swapped' are not bound.*answers"):
        evaluate([other], net(), bindings)


def named(answers: str) -> ReadOut:
    return replace(logit_diff, answers=answers)


def test_lens_of_the_last_cut_is_the_read_out() -> None:
    for kind in ("llama", "gpt2", "linear"):
        network = net(kind)
        reads = [Read(logit_diff, BASE), Read(lens(logit_diff, "L1.resid_post"), BASE)]
        values = evaluate(reads, network, Bindings.of(word_pairs(3))).values
        torch.testing.assert_close(values[reads[0]], values[reads[1]], atol=1e-12, rtol=0)
    narrow = Read(lens(accuracy, "L0.H1.z"), BASE)
    with pytest.raises(TermError, match="resid"):
        evaluate([narrow], net(), Bindings.of(word_pairs(3)))
    with pytest.raises(TermError, match="one number"):
        evaluate([Read(value_of("L0.mlp"), BASE)], net(), Bindings.of(word_pairs(3)))


def test_models_that_do_not_look_their_attention_up_are_refused_at_patterns_only() -> None:
    network = net("linear")
    bindings = Bindings.of(word_pairs(3))
    q = Read(logit_diff, Do(BASE, ((Node("L0.H1.v"), At("L0.H1.v", SOURCE)),)))
    z = Read(logit_diff, Do(BASE, ((Node("L0.H1.z"), At("L0.H1.z", SOURCE)),)))
    values = evaluate([q, z], network, bindings).values  # the pattern is uniform, whatever q and k
    torch.testing.assert_close(values[q], values[z], atol=1e-10, rtol=0)
    broken = Read(logit_diff, Do(BASE, ((Node("L0.H1.pattern"), Self()),)))
    with pytest.raises(TermError, match="LinearNetwork cannot be read or set"):
        evaluate([broken], network, bindings)


def test_attention_is_the_models_own_again_after_patterns_were_set() -> None:
    network = fresh_net()
    config: Any = network.model.module.config
    before = config._attn_implementation
    read = Read(logit_diff, BASE)
    bindings = Bindings.of(word_pairs(3))
    plain = evaluate([read], network, bindings).values[read]
    broken = at(Node("L0.H1.pattern", ("end",)), Op("redirect", (Self(),), (("keys", "9"),)))
    with pytest.raises(Exception, match="9"):
        evaluate([Read(logit_diff, broken)], network, bindings)
    assert config._attn_implementation == before
    assert torch.equal(evaluate([read], network, bindings).values[read], plain)
