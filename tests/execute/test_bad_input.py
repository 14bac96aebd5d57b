"""What the executor refuses, and what it says."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from causalnet.effects import mean, run, vector
from causalnet.errors import (
    AlignmentError,
    AnswerError,
    FireCountError,
    NumericalError,
    OutOfMemoryError,
    ParameterError,
    PromptError,
    TermError,
)
from causalnet.execute import Answers, Bindings, evaluate, schedule
from causalnet.interventions import (
    Ablation,
    AblationKind,
    At,
    Base,
    Const,
    Do,
    Edge,
    Node,
    Op,
    Read,
    Self,
    World,
    ablation_effect,
    logit_diff,
    nie,
    te,
)
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from tests.small_models import tiny_llama
from tests.toys import fresh_net, net, taken_as_it_is, word_pairs, words

BASE = Base("base")


def hugging_face(network: LiftedNetwork) -> Any:
    return network.model.module


def test_unequal_prompts_at_all_positions() -> None:
    pairs = word_pairs(3, align=False, extra=2)
    with pytest.raises(AlignmentError, match=r"Row 0: .* 6 tokens .* 8\..*equal length.*at='end'"):
        run(nie(net()["L0.H1"]), net(), pairs)


def test_unknown_position() -> None:
    with pytest.raises(PromptError, match="S2"):
        run(nie(net()["L0.H1"], at="S2"), net(), word_pairs(2))


def test_unbound_constant_and_input() -> None:
    handle, _ = vector("lost", torch.zeros(32))
    world = Do(BASE, ((Node("L0.mlp"), Const(handle)),))
    bindings = Bindings.of(word_pairs(2))
    with pytest.raises(TermError, match="'lost' is not bound"):
        evaluate([Read(logit_diff, world)], net(), bindings)
    with pytest.raises(TermError, match=r"'elsewhere' is not bound. Bound are base, source"):
        evaluate([Read(logit_diff, Base("elsewhere"))], net(), bindings)


def test_vector_of_another_width() -> None:
    handle, bound = vector("narrow", torch.zeros(5))
    query = ablation_effect(net()["L0.mlp"], Ablation(AblationKind.STEER, vector=handle))
    with pytest.raises(TermError, match=r"width 5 .* 32 wide"):
        run(query, net(), word_pairs(2), vectors={handle: bound})


def test_operation_without_a_body() -> None:
    world = Do(BASE, ((Node("L0.mlp"), Op("rotate", (Self(),))),))
    with pytest.raises(TermError, match=r"rotate/v1.*add/v1"):
        evaluate([Read(logit_diff, world)], net(), Bindings.of(word_pairs(2)))


def test_answer_outside_the_vocabulary() -> None:
    pairs = word_pairs(1)
    bindings = Bindings({"base": pairs.base}, Answers(((999,),), ((1,),), "mean"))
    with pytest.raises(AnswerError, match=r"999.*tokens 0\.\.63"):
        evaluate([Read(logit_diff, BASE)], net(), bindings)


@pytest.mark.parametrize(
    ("weight", "named"),
    [
        ("model.embed_tokens", "embed"),
        ("model.layers.0.self_attn.k_proj", "L0.KV0.k"),
        ("model.layers.1.self_attn.v_proj", "L1.KV0.v"),
        ("model.layers.1.mlp.down_proj", "L1.mlp"),
    ],
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_weight_names_mediator_and_prompt(weight: str, named: str, bad: float) -> None:
    network, pairs = fresh_net(), word_pairs(3)
    broken = hugging_face(network).get_submodule(weight).weight
    with torch.no_grad():
        row = pairs.base.ids[1][2] if named == "embed" else 0
        broken[row] = bad
    network = taken_as_it_is(network)
    text = pairs.base.texts[1 if named == "embed" else 0]
    with pytest.raises(NumericalError, match=f"^{named} holds NaN.*{text}"):
        evaluate([Read(logit_diff, BASE)], network, Bindings.of(pairs), batch_size=2)


def test_non_finite_constant_is_named() -> None:
    handle, bound = vector("broken", torch.full((32,), float("nan"), dtype=torch.float64))
    query = ablation_effect(net()["L0.mlp"], Ablation(AblationKind.CONSTANT, vector=handle))
    with pytest.raises(NumericalError, match=r"value set at L0\.mlp"):
        run(query, net(), word_pairs(2), vectors={handle: bound})


class Skipping(nn.Module):
    """An attention output that is projected twice."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        once: torch.Tensor = self.inner(value)
        twice: torch.Tensor = self.inner(value)
        return 0.5 * (once + twice)


def test_an_intervention_that_fires_twice_is_an_error() -> None:
    network = fresh_net()
    attention = hugging_face(network).model.layers[0].self_attn
    attention.o_proj = Skipping(attention.o_proj)
    network = taken_as_it_is(network)
    with pytest.raises(FireCountError, match=r"L0\.H1\.z fired 2 times .* must fire 1 times"):
        run(nie(network["L0.H1"]), network, word_pairs(2), executor="hooks")


def test_an_intervention_that_never_fires_is_an_error() -> None:
    network = fresh_net()
    block = hugging_face(network).model.layers[1]
    block.mlp.forward = nn.Identity().forward
    block.mlp = nn.Identity()
    network = taken_as_it_is(network)
    with pytest.raises(FireCountError, match=r"L1\.mlp fired 0 times"):
        run(nie(network["L1.mlp"]), network, word_pairs(2), executor="hooks")


class Unattentive(nn.Module):
    """Attention that asks no function by name: every token keeps to itself."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        for side in (self.inner.q_proj, self.inner.k_proj):
            side(hidden_states)
        value = self.inner.v_proj(hidden_states)
        return self.inner.o_proj(value.repeat(1, 1, 2)), None


def test_attention_that_is_never_asked_for_is_an_error() -> None:
    network = fresh_net()
    block = hugging_face(network).model.layers[1]
    block.self_attn = Unattentive(block.self_attn)
    network = taken_as_it_is(network)
    world = Do(BASE, ((Node("L1.H0.pattern"), Self()),))
    with pytest.raises(FireCountError, match=r"L1\.H0\.pattern fired 0 times"):
        evaluate([Read(logit_diff, world)], network, Bindings.of(word_pairs(2)))
    outside = Do(BASE, ((Node("L0.H0.pattern"), Self()),))
    evaluate([Read(logit_diff, outside)], network, Bindings.of(word_pairs(2)))


@pytest.mark.parametrize(
    ("site", "named"),
    [
        (Edge("L0.mlp", "L1.H1.q"), r"L0\.mlp -> L1\.H1\.q"),
        (Node("L1.mlp.scale"), r"L1\.mlp\.scale"),
        (Node("L0.H1.pattern", ("end",)), r"L0\.H1\.pattern\[end\]"),
    ],
)
def test_what_was_set_is_named_where_it_is_not_finite(site: Edge | Node, named: str) -> None:
    huge = Op("scale", (Self(),), (("factor", float("inf")),))
    read = Read(logit_diff, Do(BASE, ((site, huge),)))
    with pytest.raises(NumericalError, match=f"^the value set at {named} holds NaN"):
        evaluate([read], net(), Bindings.of(word_pairs(2)))


def test_a_scale_of_zero_is_told() -> None:
    read = Read(logit_diff, Do(BASE, ((Node("L1.mlp.scale"), Const()),)))
    with pytest.raises(NumericalError, match=r"L1\.resid_post of the patched run"):
        evaluate([read], net(), Bindings.of(word_pairs(2)))


def test_one_vector_is_no_attention_pattern() -> None:
    handle, bound = vector("row", torch.ones(6, dtype=torch.float64))
    read = Read(logit_diff, Do(BASE, ((Node("L0.H1.pattern"), Const(handle)),)))
    with pytest.raises(TermError, match=r"attention pattern.*mask_pattern"):
        evaluate([read], net(), Bindings.of(word_pairs(2), {handle: bound}))
    query = ablation_effect(net()["L0.H1.pattern"], mean(word_pairs(2).base))
    with pytest.raises(TermError, match=r"mean of L0\.H1\.pattern"):
        run(query, net(), word_pairs(2), reference=word_pairs(2).base)


def test_worlds_in_worlds_in_worlds() -> None:
    """Ten thousand worlds, each reading the one before, are put in order without recursion."""
    world: World = BASE
    for _ in range(10_000):
        world = Do(BASE, ((Node("L0.mlp"), At("L0.mlp", world)),))
    steps = schedule([Read(logit_diff, world)])
    assert len(steps) == 10_001
    assert steps[0].world == BASE and steps[-1].world == world


class Greedy(nn.Module):
    """An embedding that asks for more memory than there is for more than `rows` prompts."""

    def __init__(self, inner: nn.Module, rows: int) -> None:
        super().__init__()
        self.inner, self.rows = inner, rows

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if len(ids) > self.rows:
            torch.empty(1 << 50)
        value: torch.Tensor = self.inner(ids)
        return value


@pytest.mark.parametrize(("rows", "size", "halvings"), [(2, 2, 2), (1, 1, 3), (100, 8, 0)])
def test_out_of_memory_halves_the_batch(rows: int, size: int, halvings: int) -> None:
    network, pairs = fresh_net(), word_pairs(9)
    expected = run(nie(network.heads(0)), network, pairs, executor="hooks").values
    model = hugging_face(network).model
    model.embed_tokens = Greedy(model.embed_tokens, rows)
    network = taken_as_it_is(network)
    table = run(nie(network.heads(0)), network, pairs, batch_size=8, executor="hooks")
    assert table.provenance["batch_size"] == size
    assert table.provenance["halvings"] == halvings
    np.testing.assert_allclose(table.values, expected, atol=1e-10)


def test_out_of_memory_with_one_prompt() -> None:
    network = fresh_net()
    model = hugging_face(network).model
    model.embed_tokens = Greedy(model.embed_tokens, 0)
    network = taken_as_it_is(network)
    with pytest.raises(OutOfMemoryError, match="batch of one prompt"):
        run(te(), network, word_pairs(4), executor="hooks")


@pytest.mark.parametrize(
    ("weight", "named"),
    [("lm_head", "logits"), ("model.norm", "logits"), ("model.layers.1.mlp.up_proj", "L1.mlp")],
)
def test_non_finite_logits_are_named(weight: str, named: str) -> None:
    network, pairs = fresh_net(), word_pairs(2)
    broken = hugging_face(network).get_submodule(weight).weight
    with torch.no_grad():
        broken.view(-1)[0] = float("inf")
    network = taken_as_it_is(network)
    with pytest.raises(NumericalError, match=f"^{named} holds NaN"):
        evaluate([Read(logit_diff, BASE)], network, Bindings.of(pairs))


def test_a_value_that_a_norm_cannot_square_is_refused() -> None:
    """In float32 a norm of 1e20 is 0, without a NaN."""
    network = lift(load(tiny_llama(dtype=torch.float32), tokenizer=words()))
    handle, bound = vector("huge", torch.full((32,), 1e20))
    query = ablation_effect(network["L0.mlp"], Ablation(AblationKind.STEER, vector=handle))
    with pytest.raises(NumericalError, match=r"value set at L0\.mlp .*too large to be squared"):
        run(query, network, word_pairs(2), vectors={handle: bound})


def test_positions_that_are_one_token_in_some_row() -> None:
    pairs = word_pairs(3, lengths=(6, 4))
    world = Do(BASE, ((Node("L0.H0.z", ("end",)), Const()), (Node("L0.H0.z", (3,)), Self())))
    with pytest.raises(TermError, match=r"L0.H0.z\[end\] and L0.H0.z\[3\] .* in row 1"):
        evaluate([Read(logit_diff, world)], net(), Bindings.of(pairs))
    apart = Do(BASE, ((Node("L0.H0.z", ("end",)), Const()), (Node("L0.H0.z", (0,)), Self())))
    evaluate([Read(logit_diff, apart)], net(), Bindings.of(pairs))


def test_a_prompt_longer_than_the_model_has_positions() -> None:
    pairs = word_pairs(2, lengths=(6, 140))
    for kind in ("llama", "gpt2"):
        with pytest.raises(PromptError, match=r"Row 1 has 140 tokens.*made for 128 positions"):
            run(te(), net(kind), pairs)


def test_out_of_memory_in_means_halves_the_batch() -> None:
    network, pairs = fresh_net(), word_pairs(9)
    query = ablation_effect(network.heads(0), mean(pairs.base))
    expected = run(query, network, pairs, reference=pairs.base).values
    model = hugging_face(network).model
    model.embed_tokens = Greedy(model.embed_tokens, 2)
    network = taken_as_it_is(network)
    table = run(query, network, pairs, reference=pairs.base)
    np.testing.assert_allclose(table.values, expected, atol=1e-10)


def test_small_mistakes_are_told() -> None:
    network, pairs = net(), word_pairs(2)
    with pytest.raises(TermError, match=r"'L1.H0' is not a mediator.*net\['L1.H0'\]"):
        nie("L1.H0")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TermError, match=r"net\['L1.H0'\]"):
        nie(["L1.H0"])  # type: ignore[list-item]  # the mistake
    with pytest.raises(TermError, match=r"2\.5 is not a position"):
        nie(network["L1.H0"], at=(2.5,))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ParameterError, match="batch_size is 0"):
        run(te(), network, pairs, batch_size=0)
    handle, bound = vector("one", torch.zeros(32))
    _, other = vector("other", torch.ones(32))
    query = ablation_effect(network["L0.mlp"], Ablation(AblationKind.STEER, vector=handle))
    with pytest.raises(TermError, match="not the one that its handle names"):
        run(query, network, pairs, vectors={handle: other})
    assert run(query, network, pairs, vectors={handle: bound}).values == pytest.approx(0)
