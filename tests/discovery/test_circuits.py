"""Circuits of scores: sizes, thresholds, connection, and what they do by the hook executor."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from causalnet.discovery.circuits import circuit_above, circuit_of, circuit_of_size
from causalnet.discovery.evaluation import faithfulness_curve, overlap, ranking_score, stability
from causalnet.discovery.exact import exact_patching
from causalnet.discovery.methods import discover
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores, Sign
from causalnet.effects import counterfactual, run, zero
from causalnet.errors import (
    AlignmentError,
    ParameterError,
    PromptError,
    UnknownMediatorError,
)
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import Base, Direction, ablation_effect, kl, logit_diff
from causalnet.lift import raised_casts
from tests.toys import net, word_pairs

EXACT = 1e-10
PAIRS = word_pairs(6, seed=5)


@cache
def scored(grain: str, model: str = "llama") -> Scores:
    return exact_patching(Question(net(model), PAIRS, counterfactual(), grain=grain))


@pytest.mark.parametrize("grain", ["nodes", "heads"])
def test_exact_patching_of_nodes_is_their_effect_by_hooks(grain: str) -> None:
    found = scored(grain)
    mediators = [found.question.net[name] for name in found.question.units.names]
    with raised_casts(found.question.net.model.module):
        query = ablation_effect(mediators, counterfactual())
        table = run(query, found.question.net, PAIRS, executor="hooks")
    assert found.per_prompt is not None
    np.testing.assert_allclose(found.per_prompt, table.values, atol=EXACT, rtol=0)


@pytest.mark.parametrize("model", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["counterfactual", "zero"])
def test_units_at_positions_are_nodes_set_at_these_tokens(model: str, kind: str) -> None:
    ablation = counterfactual() if kind == "counterfactual" else zero()
    places = (2, "end")
    question = Question(net(model), PAIRS, ablation, grain="positions", at=places)
    found = exact_patching(question)
    assert found.per_prompt is not None
    with raised_casts(question.net.model.module):
        for place in places:
            names = [n for n in question.units.names if n.endswith(f"[{place}]")]
            mediators = [question.net[n.partition("[")[0]] for n in names]
            query = ablation_effect(mediators, ablation, at=place)
            table = run(query, question.net, PAIRS, executor="hooks")
            rows = [question.units.index(name) for name in names]
            np.testing.assert_allclose(found.per_prompt[rows], table.values, atol=EXACT, rtol=0)


def test_units_at_all_tokens_together_are_the_nodes() -> None:
    places = tuple(range(6))
    apart = Question(net("llama"), PAIRS, counterfactual(), grain="positions", at=places)
    nodes = Question(net("llama"), PAIRS, counterfactual(), grain="nodes")
    for direction in ("noising", "denoising"):
        members = [f"L0.H1[{place}]" for place in places]
        by_token = circuit_of(replace(apart, direction=direction), members).scores()
        whole = circuit_of(replace(nodes, direction=direction), ["L0.H1"]).scores()
        for part in ("model", "kept", "empty", "knocked_out"):
            ours, theirs = getattr(by_token, part), getattr(whole, part)
            np.testing.assert_allclose(ours, theirs, atol=EXACT, rtol=0)


def test_questions_that_differ_have_digests_that_differ() -> None:
    against = replace(kl, reference=Base("source"))
    one = Question(net("llama"), PAIRS, zero(), kl, "heads")
    other = Question(net("llama"), PAIRS, zero(), against, "heads")
    assert one.digest() != other.digest()
    renamed = ("another",) * len(PAIRS)
    base, source = (replace(each, templates=renamed) for each in (PAIRS.base, PAIRS.source))
    moved = replace(PAIRS, base=base, source=source)
    assert one.digest() != replace(one, pairs=moved).digest()
    named = {**PAIRS.base.positions, "S": (1,) * len(PAIRS)}
    there = replace(PAIRS, base=replace(PAIRS.base, positions=named))
    assert one.digest() != replace(one, pairs=there).digest()


def test_two_names_of_one_token_are_refused() -> None:
    question = Question(net("llama"), PAIRS, counterfactual(), grain="positions", at=(5, "end"))
    with pytest.raises(AlignmentError, match="one token of a prompt"):
        exact_patching(question)


@pytest.mark.parametrize("direction", ["noising", "denoising"])
@pytest.mark.parametrize("kind", ["counterfactual", "zero"])
def test_circuits_of_nodes_score_as_by_hooks(direction: Direction, kind: str) -> None:
    ablation = counterfactual() if kind == "counterfactual" else zero()
    if direction == "denoising" and kind == "zero":
        return
    question = Question(net("llama"), PAIRS, ablation, grain="nodes", direction=direction)
    circuit = circuit_of(question, ["L0.H1", "L1.H2", "L1.mlp"])
    universe = tuple(question.net[name] for name in question.units.names)
    members = tuple(question.net[name] for name in circuit.names)
    with raised_casts(question.net.model.module):
        scorer = CircuitScorer(question.net, logit_diff, ablation, universe, direction=direction)
        wanted = scorer.score(PAIRS, members)
    found = circuit.scores()
    for part in ("model", "kept", "empty", "knocked_out"):
        theirs = getattr(wanted, part)
        np.testing.assert_allclose(getattr(found, part), theirs, atol=EXACT, rtol=0)


def test_denoising_restores_what_noising_removes() -> None:
    question = Question(net("llama"), PAIRS, counterfactual(), grain="edges", direction="denoising")
    whole = circuit_of(question, question.units.names)
    both = Question(net("llama"), PAIRS, counterfactual(), grain="edges")
    assert whole.scores().model == pytest.approx(circuit_of(both, both.units.names).scores().model)


def test_a_size_takes_the_largest_and_says_how_many_were_dropped() -> None:
    scores = scored("edges")
    loose = circuit_of_size(scores, 12)
    order = np.argsort(-np.abs(scores.values), kind="stable")[:12]
    assert loose.kept == tuple(sorted(order.tolist()))
    pruned = circuit_of_size(scores, 12, connect="prune")
    grown = circuit_of_size(scores, 12, connect="greedy")
    assert set(pruned.kept) <= set(loose.kept) and pruned.before == 12
    assert len(grown) <= 12
    assert "connected" in pruned.rule and "grown from the logits" in grown.rule


def test_a_threshold_takes_what_is_above() -> None:
    scores = scored("edges")
    middle = float(np.median(np.abs(scores.values)))
    assert circuit_above(scores, middle).kept == tuple(
        np.flatnonzero(np.abs(scores.values) > middle).tolist()
    )


def test_ranking_by_what_helps_has_the_sign_of_the_total_effect() -> None:
    scores = scored("nodes")
    helps = -scores.values if scores.total < 0 else scores.values
    assert circuit_of_size(scores, 1, by="signed").kept == (int(np.argmax(helps)),)


def test_the_whole_circuit_is_faithful() -> None:
    scores = exact_patching(Question(net("llama"), PAIRS, counterfactual(), kl))
    curve = faithfulness_curve(scores, word_pairs(8, seed=9), sizes=[0.1, 0.5, 1.0])
    assert curve.score.faithfulness[-1] == pytest.approx(1.0, abs=EXACT)
    assert curve.counts[-1] == len(scores)
    assert "F +1.000" in str(curve)


def test_a_ranking_is_scored_against_names_of_units() -> None:
    scores = scored("nodes")
    best = scores.top(1)[0][0]
    assert ranking_score(scores, [best]).auroc == 1.0


@pytest.mark.parametrize("sign", ["effect", "magnitude", "survival"])
def test_stability_ranks_as_circuits_do(sign: Sign) -> None:
    scores = replace(scored("nodes"), sign=sign, total=-1.0)
    full = stability(scores, 3, by="signed", resamples=3).full
    assert full == circuit_of_size(scores, 3, by="signed").kept
    with pytest.raises(ParameterError, match="a circuit has one at least"):
        stability(scores, -1)


def test_a_share_of_nothing_is_undefined() -> None:
    same = replace(PAIRS, source=PAIRS.base)
    circuit = circuit_of(Question(net("llama"), same, counterfactual(), grain="nodes"), ["L0.H1"])
    with pytest.raises(ParameterError, match="undefined"):
        circuit.scores().faithfulness  # noqa: B018
    scores = exact_patching(circuit.question)
    assert "score 0" in circuit_of_size(scores, 4).rule


def test_stability_is_that_of_circuits_of_resampled_prompts() -> None:
    found = stability(scored("nodes"), 3, resamples=20, seed=1)
    assert 0 < found.jaccard <= 1 and found.resamples == 20


@pytest.mark.parametrize("size", [0, -1, 10_000])
def test_a_size_beyond_the_graph_is_refused(size: int) -> None:
    with pytest.raises(ParameterError, match=r"The graph has \d+, and a circuit has one at least"):
        circuit_of_size(scored("edges"), size)


def test_a_threshold_that_nothing_passes_is_refused_with_the_largest() -> None:
    scores = scored("edges")
    with pytest.raises(ParameterError, match=f"of {scores.top(1)[0][0]}"):
        circuit_above(scores, 1e9)


def test_connection_is_a_matter_of_edges() -> None:
    with pytest.raises(ParameterError, match="Nodes are connected by all edges"):
        circuit_of_size(scored("nodes"), 3, connect="prune")


def test_an_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(UnknownMediatorError, match=r"L0\.H1"):
        circuit_of(scored("nodes").question, ["L0.H10"])


def test_an_unknown_grain_is_refused() -> None:
    with pytest.raises(ParameterError, match="edges, nodes, heads, receivers"):
        Question(net("llama"), PAIRS, counterfactual(), grain="neurons")


def test_a_behaviour_that_is_not_there_has_no_faithfulness() -> None:
    rows = word_pairs(6, seed=5)
    same = type(rows)(
        base=rows.base,
        source=rows.base,
        answers=rows.answers,
        foils=rows.foils,
        answer_texts=rows.answer_texts,
        foil_texts=rows.foil_texts,
        reduction=rows.reduction,
        labels=rows.labels,
        record=rows.record,
    )
    with pytest.raises(ParameterError, match="clearly there"):
        faithfulness_curve(scored("edges"), same)


def test_distances_are_effects_that_are_not_negative() -> None:
    found = exact_patching(Question(net("llama"), PAIRS, counterfactual(), kl, grain="nodes"))
    assert (found.values >= -EXACT).all() and found.total > 0


def test_a_question_prints_in_one_line_and_takes_one_position() -> None:
    question = Question(net("llama"), PAIRS, counterfactual(), grain="nodes", at="end")
    assert question.positions == ("end",)
    assert len(repr(question)) < 250 and "end positions" in repr(question)
    with pytest.raises(PromptError, match="Unknown position 'S2'"):
        Question(net("llama"), PAIRS, counterfactual(), at="S2")


def test_what_is_no_question_is_told_in_words() -> None:
    given: Any = net("llama").model
    with pytest.raises(ParameterError, match="given as the network"):
        Question(given, PAIRS, counterfactual())
    name: Any = "zero"
    with pytest.raises(ParameterError, match=r"Write cn\.counterfactual"):
        Question(net("llama"), PAIRS, name)
    with pytest.raises(ParameterError, match="given as the question"):
        discover(given, "eap")
    size: Any = 2.5
    with pytest.raises(ParameterError, match="whole number from 1"):
        circuit_of_size(scored("nodes"), size)


def test_a_task_that_is_not_done_is_noted() -> None:
    found = discover(scored("nodes").question, "eap")
    assert any("does not do this task" in note for note in found.notes)


def test_scores_overlap_with_themselves() -> None:
    sweep = overlap(scored("nodes"), scored("nodes"), thresholds=(2, 4), match_layers=True)
    assert all(row.overlap.jaccard == 1.0 for row in sweep.rows)
    with pytest.raises(ParameterError, match="an edge has two"):
        overlap(scored("edges"), scored("edges"), match_layers=True)
