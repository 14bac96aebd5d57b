"""First orders and path integrals of effects, direct effects, and what is held."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import (
    Mediator,
    MediatorGraph,
    TransformerShape,
    plain_graph,
    transformer_graph,
)
from causalnet.interventions import (
    At,
    Const,
    Do,
    Edge,
    MediatorSet,
    Node,
    Op,
    Read,
    Self,
    attention_knockout,
    attention_redirect,
    attribution_patch,
    denoising,
    direct_logit_attribution,
    held,
    integrated_gradients,
    joint,
    logit_diff,
    logit_lens,
    nie,
    noising,
    nonlinear,
    path_patch,
    per_total_effect,
    te,
    transcoder_edge,
    undifferentiated_attention,
    value_of,
)
from causalnet.interventions.interpreter import SCM
from tests.interventions.technique_cases import (
    BASE,
    DIAMOND,
    HEAD,
    INNER,
    MLP,
    NET,
    SOURCE,
    Rule,
    linear,
    patched_world,
    values,
)


def test_attention_is_changed_on_the_pattern() -> None:
    world = patched_world(attention_knockout(HEAD, ("S2", 0), at="end"))
    masked = Op("mask_pattern", (Self(),), (("keys", "S2,0"),))
    assert world == Do(BASE, ((Node("L0.H1.pattern", ("end",)), masked),))
    pattern = NET.find("L0.H1.pattern")
    assert patched_world(attention_knockout(pattern, ("S2", 0), at="end")) == world
    assert "keys='S1,S2'; weights='0.25,0.75'" in str(
        attention_redirect(HEAD, ("S1", "S2"), weights=(0.25, 0.75))
    )
    with pytest.raises(TermError, match="mlp and has no attention pattern"):
        undifferentiated_attention(MLP)
    with pytest.raises(TermError, match="No key was given"):
        attention_knockout(HEAD, ())
    with pytest.raises(TermError, match="add up to 1"):
        attention_redirect(HEAD, ("S1", "S2"), weights=(0.5, 0.6))


def test_holding_patterns_leaves_what_goes_through_values() -> None:
    """Y = P V with P and V functions of X: held, the effect of X is that through V alone."""
    graph = plain_graph({"X": (), "P": ("X",), "V": ("X",), "Y": ("P", "V")})
    rules: dict[str, Rule] = {
        "P": lambda slots: 1 + slots["X"],
        "V": lambda slots: 3 * slots["X"],
        "Y": lambda slots: slots["P"] * slots["V"],
    }
    model = SCM(graph, rules, {"base": {"X": 1.0}, "source": {"X": 2.0}})
    plain, pattern = nie(graph.find("X"), outcome=value_of("Y")), graph.find("P")
    assert values(plain, model) == [3 * 6 - 2 * 3]
    assert values(held(plain, [pattern]), model) == [2 * 6 - 2 * 3]
    slope = attribution_patch(graph.find("X"), outcome=value_of("Y"))
    assert values(slope, model) == [1 * 3 + 2 * 3]
    assert values(held(slope, [pattern]), model) == [2 * 3]
    assert held(plain, [pattern]).convention == "held: P"
    assert held(per_total_effect(plain, "prompt by prompt"), [pattern]) != plain


@given(st.integers(0, 10**6))
def test_first_order_is_exact_in_linear_networks(seed: int) -> None:
    model, outcome = linear(DIAMOND, seed), value_of("Y")
    edges = [(u, v) for v in DIAMOND.names() for u in DIAMOND.parents(v)]
    sites = [Edge(*edge) for edge in edges]
    exact = [Do(BASE, ((site, At(site.sender, SOURCE)),)) for site in sites]
    expected = [model.value("Y", world) - model.value("Y", BASE) for world in exact]
    first = values(attribution_patch(sites, outcome=outcome), model)
    averaged = integrated_gradients(sites, inputs=("X", "W"), outcome=outcome)
    for estimate in (first, values(averaged, model)):
        np.testing.assert_allclose(estimate, expected, atol=1e-9)
    patched = values(noising(INNER, outcome=outcome), model)
    np.testing.assert_allclose(
        values(attribution_patch(INNER, outcome=outcome), model), patched, atol=1e-9
    )
    by_sender = [
        sum(value for (sender, _), value in zip(edges, first, strict=True) if sender == node.name)
        for node in INNER
    ]
    np.testing.assert_allclose(by_sender, patched, atol=1e-9)  # out-edges of a node are the node
    restored = attribution_patch(INNER, outcome=outcome, direction="denoising")
    np.testing.assert_allclose(
        values(restored, model), values(denoising(INNER, outcome=outcome), model), atol=1e-9
    )


def smooth(graph: MediatorGraph, seed: int) -> SCM:
    model = linear(graph, seed)
    bent = {name: partial(_bent, rule) for name, rule in model.mechanisms.items()}
    return SCM(graph, bent, model.inputs)


def _bent(rule: Rule, slots: Mapping[str, Any]) -> Any:
    return np.tanh(rule(slots)) + 0.3 * rule(slots) ** 2


@pytest.mark.parametrize("seed", range(4))
def test_integrated_gradients_are_complete(seed: int) -> None:
    """Attributions of all inputs add up to the total effect; the error falls with its square."""
    model, outcome = smooth(DIAMOND, seed), value_of("Y")
    inputs = [DIAMOND.find("X"), DIAMOND.find("W")]
    [total] = values(te(outcome), model)

    def error(steps: int, rule: Literal["midpoint", "right"] = "midpoint") -> float:
        query = integrated_gradients(
            inputs, steps=steps, rule=rule, inputs=("X", "W"), outcome=outcome
        )
        return float(abs(sum(values(query, model)) - total))

    assert error(200) < 1e-3 * max(1, abs(total))
    assert error(200) < error(20) / 50  # the midpoint rule: 100 times smaller
    assert error(200) < error(200, "right")
    assert abs(sum(values(attribution_patch(inputs, outcome=outcome), model)) - total) > 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_gradients_along_activations_tend_to_the_exact_effect(seed: int) -> None:
    model, outcome = smooth(DIAMOND, seed), value_of("Y")
    both = joint("A and B", DIAMOND.find("A"), DIAMOND.find("B"))
    rows: list[Mediator | MediatorSet] = [
        *INNER,
        both,
        joint("X and A", DIAMOND.find("X"), DIAMOND.find("A")),
    ]
    exact = values(noising(rows, outcome=outcome), model)
    along = integrated_gradients(rows, along="activations", steps=300, outcome=outcome)
    np.testing.assert_allclose(values(along, model), exact, atol=2e-3)
    edge = Edge("A", "C")
    [patched] = values(path_patch(DIAMOND.find("A"), DIAMOND.find("C"), outcome=outcome), model)
    one = integrated_gradients(edge, along="activations", steps=300, outcome=outcome)
    np.testing.assert_allclose(values(one, model), [patched], atol=2e-3)
    assert one.estimator == "integrated gradients along activations, 300 steps, midpoint rule"


def test_attributions_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(TermError, match="At least one step"):
        integrated_gradients(HEAD, steps=0)
    with pytest.raises(TermError, match=r"'L0\.H1' is not a mediator"):
        attribution_patch("L0.H1")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TermError, match="their labels differ"):
        attribution_patch([HEAD, HEAD])


TINY = transformer_graph(TransformerShape(1, 2, 2, 3, 2, 3, 2))


def tiny() -> SCM:
    """A one-layer network with an RMS norm before the logits; every value is a row."""
    rng = np.random.default_rng(5)
    drawn = {node.mediator.name: rng.normal(size=(3, 3)) for node in TINY.nodes}
    rules: dict[str, Rule] = {}
    for node in TINY.nodes:
        name = node.mediator.name
        if name.endswith(".scale"):
            rules[name] = lambda slots: np.sqrt(np.mean(slots["resid"] ** 2) + 0.1)
        elif node.slots:
            rules[name] = partial(_read, drawn[name])
    inputs = {name: {"embed": rng.normal(size=(1, 3))} for name in ("base", "source")}
    difference = {"logit_difference": lambda _, value, __: value[0, 0] - value[0, 1]}
    return SCM(TINY, rules, inputs, readouts=difference)


def _read(weight: Any, slots: Mapping[str, Any]) -> Any:
    scale = slots.get("scale", 1.0)
    return sum((value / scale) @ weight for name, value in slots.items() if name != "scale")


def test_frozen_attributions_add_up_and_recomputed_ones_are_exact() -> None:
    model = tiny()
    writers = [TINY.find(name) for name in TINY.writers]
    frozen = direct_logit_attribution(writers, norm="frozen")
    [of_base] = [model.scalar(Read(logit_diff, BASE))]
    np.testing.assert_allclose(sum(values(frozen, model)), of_base)
    recomputed = values(direct_logit_attribution(writers, norm="recomputed"), model)
    by_hand = []
    for writer in writers:
        cut = Do(BASE, ((Edge(writer.name, "logits"), Const()),))
        by_hand.append(of_base - model.scalar(Read(logit_diff, cut)))
    np.testing.assert_allclose(recomputed, by_hand)
    assert abs(sum(recomputed) - of_base) > 1e-3
    assert frozen.sign == "importance"
    with pytest.raises(TermError, match="'frozen' or 'recomputed'"):
        direct_logit_attribution(writers, norm="none")  # type: ignore[arg-type]  # the mistake


def test_with_the_final_norm_held_direct_effects_add_up() -> None:
    model, logits_node, scale = tiny(), TINY.find("logits"), TINY.find("logits.scale")
    writers = [TINY.find(name) for name in TINY.writers]
    everything = joint("all", *writers)
    held_scale = path_patch([*writers, everything], logits_node, frozen=[scale])
    *singles, together = values(held_scale, model)
    np.testing.assert_allclose(sum(singles), together)
    *free, all_free = values(path_patch([*writers, everything], logits_node), model)
    assert abs(sum(free) - all_free) > 1e-3
    [total] = values(te(), model)
    np.testing.assert_allclose(all_free, total)  # every edge into the logits is the whole effect


def test_a_transcoder_edge_is_activation_times_weights() -> None:
    """A feature writes act * dec; a head moves it by its pattern; the next feature reads enc."""
    graph = plain_graph(
        {"X": (), "F": ("X",), "D": ("F",), "S": ("D",), "P": ("D",), "G": ("D", "S", "P")}
    )
    decoder, encoder = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.2, -1.0])
    rules: dict[str, Rule] = {
        "F": lambda slots: slots["X"],
        "D": lambda slots: slots["F"] * decoder,
        "S": lambda slots: np.sqrt(np.sum(slots["D"] ** 2) + 1),
        "P": lambda slots: 1 / (1 + np.exp(-np.sum(slots["D"]))),
        "G": lambda slots: slots["P"] * (slots["D"] @ encoder) / slots["S"],
    }
    model = SCM(graph, rules, {"base": {"X": 0.7}})
    scale, pattern = model.value("S", BASE), model.value("P", BASE)
    held_nodes = [graph.find("S"), graph.find("P")]
    edge = transcoder_edge(graph.find("F"), graph.find("G"), held=held_nodes)
    expected = 0.7 * (decoder @ encoder) * pattern / scale
    np.testing.assert_allclose(values(edge, model), [expected])
    np.testing.assert_allclose(values(edge, model), [model.value("G", BASE)])  # it is linear so
    [free] = values(transcoder_edge(graph.find("F"), graph.find("G"), held=()), model)
    assert abs(free - expected) > 1e-3
    assert len(nonlinear(TINY)) == 2 + 7 + 1  # two patterns; scales of q, k, v, the MLP, logits


def test_the_lens_reads_and_does_not_intervene() -> None:
    query = logit_lens([NET.find("L1.resid_post")])
    [(label, read)] = query.contrasts
    assert label == "L1.resid_post"
    assert isinstance(read, Read)
    assert (read.world, read.readout.node) == (BASE, "L1.resid_post")
    assert "nothing is set and nothing subtracted" in str(query)
    with pytest.raises(TermError, match="One node is read at a time"):
        logit_lens(joint("two", HEAD, MLP))
