"""Conditional co-ablation finds backups that single ablations cannot show."""

import numpy as np
import pytest
import torch

from causalnet.discovery.conditional import co_ablation, conditional_patching
from causalnet.discovery.exact import exact_patching
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual, zero
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.interventions import Direction
from causalnet.known_circuits.planted import Mechanism, MechanismKind, plant
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import PromptPairs, make
from tests.toys import net, word_pairs

BACKUP = lift(load("known:indirect_object_backup_negative"))
PAIRS = make("known:indirect_object_backup_negative", BACKUP.model.tokenizer, n=16, seed=0)
MOVER, WAITING = "L2.H0", "L3.H0"


def test_the_mover_alone_changes_nothing_and_the_backup_wakes_up() -> None:
    """The mover's zero raises the flag that the backup waits for; by arithmetic it makes up."""
    question = Question(BACKUP, PAIRS, zero(), grain="heads")
    found = co_ablation(question, [MOVER])
    assert question.runs.outcomes(torch.ones(1, 282)).mean() == pytest.approx(7.5, abs=1e-6)
    for name in (MOVER, WAITING):
        assert found.alone[name] == pytest.approx(0, abs=1e-6)
    assert found.by_given == pytest.approx(0, abs=1e-6)
    assert [name for name, _ in found.woken()] == [WAITING]
    assert found.after[WAITING] == pytest.approx(-10.0, abs=1e-6)
    assert found.interaction[question.units.index(WAITING)] == pytest.approx(-10.0, abs=1e-6)
    assert "wakes up: L3.H0" in str(found)


def test_a_counterfactual_leaves_the_backup_asleep() -> None:
    """The other prompt's mover is done as well: it brings its own name, and nobody stands in."""
    found = co_ablation(Question(BACKUP, PAIRS, counterfactual(), grain="heads"), [MOVER])
    assert found.alone[MOVER] == pytest.approx(-20.0, abs=1e-6) and not found.woken()
    assert "nothing wakes up" in str(found)


def test_planted_backups_wake_up_by_their_known_effect() -> None:
    planted = plant(
        [
            Mechanism(MechanismKind.BACKUP, 2.0),
            Mechanism(MechanismKind.BACKUP, 1.0),
            Mechanism(MechanismKind.ADDITIVE, 1.0),
        ]
    )
    circuit = planted.circuit
    network = lift(load(circuit.module(), tokenizer=circuit.tokenizer()))
    pairs = PromptPairs.build(network.model.tokenizer, circuit.rows(400, 0))
    question = Question(network, pairs, counterfactual(), grain="heads", batch_size=256)
    found = co_ablation(question, ["L0.H0"])
    assert [name for name, _ in found.woken()] == ["L0.H1"]
    known = planted.effect(["L0.H0", "L0.H1"]) - planted.effect(["L0.H0"])
    assert found.after.per_prompt is not None
    spread = found.after.per_prompt[question.units.index("L0.H1")].std() / 20
    assert found.after["L0.H1"] == pytest.approx(known, abs=4 * spread)
    assert np.abs(found.interaction[2:]).max() < 1e-9


@pytest.mark.parametrize("direction", ["noising", "denoising"])
@pytest.mark.parametrize("grain", ["edges", "nodes"])
def test_conditional_effects_are_differences_of_outcomes(direction: Direction, grain: str) -> None:
    """Oracle: both circuits run whole, one by one; tolerance 1e-10."""
    network, pairs = net("llama"), word_pairs(3, seed=8)
    question = Question(network, pairs, counterfactual(), grain=grain, direction=direction)
    names = question.units.names
    given = [names[1], names[-2]]
    found = conditional_patching(question, given)
    removed = np.zeros(len(names))
    removed[[1, -2]] = 1.0
    for number in range(0, len(names), max(1, len(names) // 6)):
        both = removed.copy()
        both[number] = 1.0
        kept = np.stack([removed, both])
        kept = 1 - kept if direction == "noising" else kept
        before, after = question.outcomes(kept)
        assert found.per_prompt is not None
        np.testing.assert_allclose(found.per_prompt[number], after - before, atol=1e-10)


def test_the_total_is_what_is_left() -> None:
    question = Question(net("llama"), word_pairs(3, seed=8), counterfactual(), grain="heads")
    alone = exact_patching(question)
    found = co_ablation(question, ["L0.H1"], alone)
    assert found.by_given == pytest.approx(alone["L0.H1"], abs=1e-10)
    assert found.after.total + found.by_given == pytest.approx(alone.total, abs=1e-10)


def test_no_unit_and_strangers_are_refused() -> None:
    question = Question(net("llama"), word_pairs(3, seed=8), counterfactual(), grain="heads")
    with pytest.raises(ParameterError, match="one at least"):
        conditional_patching(question, [])
    with pytest.raises(UnknownMediatorError):
        conditional_patching(question, ["L9.H9"])
