"""Which true edges are live depends on ablation and prompts; distances find them, effects may not.

Oracle: counts and areas published with the first form of these networks (16 prompts of seed 0).
"""

from dataclasses import replace
from functools import cache

import pytest

from causalnet.discovery.evaluation import ranking_score
from causalnet.discovery.exact import exact_patching
from causalnet.discovery.live_truth import LiveTruth, live_truth
from causalnet.discovery.methods import discover
from causalnet.discovery.question import Question
from causalnet.discovery.trial_table import ABLATIONS, trial_question, truth_of
from causalnet.effects import counterfactual
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.interventions import logit_diff, logit_distance
from causalnet.known_circuits import KNOWN, known_circuit
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.toys import net as net_of
from tests.toys import word_pairs

LIVE = {  # counterfactual, mean per position, zero
    "induction": (2, 5, 7),
    "induction_soft": (5, 5, 7),
    "proportion": (3, 3, 3),
    "sort": (7, 7, 8),
    "sort_soft": (7, 7, 8),
    "brackets": (6, 6, 6),
    "indirect_object": (5, 8, 13),
    "indirect_object_soft": (8, 8, 14),
    "indirect_object_backup_negative": (8, 12, 20),
}


@cache
def found(name: str, ablation: str) -> tuple[Question, LiveTruth]:
    question = trial_question(name, ablation)
    return question, truth_of(question, name)


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", KNOWN)
def test_live_edges_are_as_many_as_published_and_distances_find_them(
    name: str, ablation: str
) -> None:
    question, truth = found(name, ablation)
    assert len(truth.live) == LIVE[name][ABLATIONS.index(ablation)]
    assert truth.live <= truth.structural and truth.distance < 1e-9
    assert len(truth.structural) == len(known_circuit(name).truth)
    by_distance = replace(question, readout=replace(logit_distance, at="all"))
    scored = ranking_score(exact_patching(by_distance), truth.live)
    assert scored.auroc == pytest.approx(1.0, abs=0.005)


def test_the_logit_difference_does_not_see_what_moves_other_logits() -> None:
    question, truth = found("induction_soft", "counterfactual")
    exact = exact_patching(replace(question, readout=logit_diff))
    assert ranking_score(exact, truth.live).auroc == pytest.approx(0.70, abs=0.005)
    unseen = [name for name in truth.live if abs(exact[name]) <= exact.rounding]
    changes = dict(truth.changes)
    assert len(unseen) == 3 and max(changes[name] for name in unseen) < 0.02


def test_the_counterfactual_leaves_alive_what_carries_the_copied_token() -> None:
    _, truth = found("induction", "counterfactual")
    assert truth.live == {"embed -> L1.H0.v", "L1.H0 -> logits"}
    assert "2 of 7 true edges are live under counterfactual on 16 prompts" in str(truth)
    assert "not live: L0.H0 -> L1.H0.k" in str(truth)


def test_a_waiting_backup_is_no_part_of_the_intact_network() -> None:
    circuit = known_circuit("indirect_object_backup_negative")
    assert len(circuit.truth) == 25 and len(circuit.active) == 19
    waiting = {f"{a} -> {b}" for a, b in circuit.truth - circuit.active}
    question, _ = found(circuit.name, "zero")
    exact = exact_patching(question)
    assert all("L3.H0" in name for name in waiting)
    holding = {"L2.H0 -> L3.H0.q", "embed -> L3.H0.k"}  # who is done, and where the backup rests
    assert holding < waiting and len(waiting) == 6
    assert max(abs(exact[name]) for name in waiting - holding) < 1e-6
    assert min(abs(exact[name]) for name in holding) > 1.0


def test_edges_that_are_none_are_refused() -> None:
    question, _ = found("induction", "counterfactual")
    with pytest.raises(ParameterError, match="no edges"):
        live_truth(question, [])
    with pytest.raises(UnknownMediatorError, match=r"No unit 'L0\.H9"):
        live_truth(question, [("L0.H9", "logits")])


def test_rounding_in_float32_is_not_live() -> None:
    known = known_circuit("indirect_object_soft")
    net = lift(load(known.module(), tokenizer=known.tokenizer(), dtype="float32"))
    pairs = PromptPairs.build(net.model.tokenizer, known.rows(12, 0))
    assert len(live_truth(Question(net, pairs, counterfactual()), known.truth).live) == 8


def test_a_pair_that_does_not_differ_spoils_no_gradient_of_a_distance() -> None:
    pairs = word_pairs(4, seed=3)
    ids = [pairs.base.ids[0], *pairs.source.ids[1:]]
    same = replace(pairs, source=replace(pairs.source, ids=tuple(ids)))
    question = Question(net_of("llama"), same, counterfactual(), logit_distance)
    found = discover(question, "eap_ig_activations", steps=2)
    assert found.per_prompt is not None
    assert (found.per_prompt[:, 0] == 0).all() and (found.per_prompt[:, 1] != 0).any()
