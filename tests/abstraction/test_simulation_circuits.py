"""Circuits as simulators, on networks whose circuits are known."""

from functools import cache

import pytest

from causalnet.abstraction.simulation import simulatability
from causalnet.abstraction.simulation_circuits import (
    CircuitSimulator,
    MemberIntervention,
    draw_interventions,
)
from causalnet.effects import counterfactual, mean, resample, zero
from causalnet.errors import ParameterError, TermError
from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer
from causalnet.graphs import Mediator
from causalnet.interventions import Ablation, logit_diff
from causalnet.known_circuits import known_circuit
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import PromptPairs, make
from tests.toys import net, word_pairs

TRUE = ("L0.H0", "L1.H0", "L2.H0")


@cache
def known(seed: int, n: int = 32) -> tuple[LiftedNetwork, PromptPairs]:
    network = lift(load("known:indirect_object"))
    return network, make("known:indirect_object", network.model.tokenizer, n=n, seed=seed)


def nodes(network: LiftedNetwork, *names: str) -> tuple[Mediator, ...]:
    return tuple(network[name] for name in names)


def simulator(ablation: Ablation | None = None, **options: object) -> CircuitSimulator:
    network, pairs = known(1)
    names = options.pop("names", TRUE)
    scorer = CircuitScorer(
        network,
        logit_diff,
        ablation or counterfactual(),
        network.heads(),
        reference=pairs.base if ablation is not None and ablation != zero() else None,
    )
    circuit = nodes(network, *names)  # type: ignore[misc]
    used = draw_interventions(network.heads(), circuit, 4, seed=1)
    held_out = draw_interventions(network.heads(), circuit, 15, seed=2, excluding=used)
    return CircuitSimulator(scorer, circuit, held_out, used, **options)  # type: ignore[arg-type]


def test_a_true_circuit_foretells_ablations_and_others_do_not() -> None:
    pairs = known(1)[1]
    claim, wrong = simulator(), simulator(names=("L0.H1", "L1.H0", "L2.H1"))
    rival = CircuitSimulator(claim.scorer, wrong.circuit, claim.held_out, claim.used)
    found = simulatability(claim, known(2)[1], pairs, rivals={"three other heads": rival})
    assert found.counterfactual is not None
    assert found.counterfactual.claim.balanced == 1
    assert len(found.counterfactual.strata) > 1
    without = {score.name: score.balanced for score in found.counterfactual.without}
    assert set(without) == {
        "unchanged",
        "the source's",
        "majority",
        "regression on inputs",
        "three other heads",
    }
    assert without["unchanged"] == pytest.approx(0.5)
    assert found.counterfactual.effect.interval.low > 0


def test_with_one_outcome_a_guess_is_as_good() -> None:
    """The hand-built network is always right: forward questions say nothing, and it is told."""
    found = simulatability(simulator(), known(2)[1], known(1)[1])
    assert found.forward.claim.balanced == 1
    assert found.forward.effect.value == 0
    assert found.forward.effect.interval.low < 0 < found.forward.effect.interval.high
    assert "one outcome" in found.warnings[0]


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample", "counterfactual"])
def test_interchanges_are_foretold_by_the_circuit_alone(ablation: str) -> None:
    reference = known(1)[1].base
    kind = {
        "zero": zero(),
        "mean": mean(reference),
        "resample": resample(reference),
        "counterfactual": counterfactual(),
    }[ablation]
    claim = simulator(None if ablation == "counterfactual" else kind, by="interchange")
    questions = claim.ask(known(2)[1], "counterfactual", True)
    assert questions is not None
    assert questions.actual == questions.claimed
    assert len(set(questions.actual)) == 2
    outside = [at for at, each in enumerate(questions.interventions) if "outside" in each]
    assert {questions.actual[at] for at in outside} == {"above"}


def test_a_circuit_of_all_is_the_model() -> None:
    """The law of a simulator that leaves nothing out: it is never wrong, trained or not."""
    network, pairs = net("llama"), word_pairs(6)
    heads = network.heads()
    sets = tuple(MemberIntervention(str(head), (head,)) for head in heads[::3])
    for by in ("ablation", "interchange"):
        scorer = CircuitScorer(network, logit_diff, counterfactual(), heads)
        claim = CircuitSimulator(scorer, heads, sets, by=by)
        found = simulatability(claim, pairs, replicates=100)
        assert found.counterfactual is not None
        assert found.forward.claim.accuracy == found.counterfactual.claim.accuracy == 1


def test_edges_foretell_too() -> None:
    network, pairs = known(2, 10)
    scorer = EdgeCircuitScorer(network, logit_diff, counterfactual())
    found = {(edge.sender, edge.receiver): edge for edge in scorer.universe}
    circuit = tuple(
        edge for key, edge in found.items() if key in known_circuit("indirect_object").truth
    )
    sets = draw_interventions(scorer.universe, circuit, 6, seed=0)
    claim = CircuitSimulator(scorer, circuit, sets)
    scores = simulatability(claim, pairs).counterfactual
    assert scores is not None and scores.claim.balanced == 1


def test_prompts_of_the_claim_are_left_out() -> None:
    claim, (_, finding) = simulator(), known(1)
    test = known(2)[1]
    assert not set(finding.base.ids) >= set(test.base.ids)
    shared = [row for row, ids in enumerate(test.base.ids) if ids in set(finding.base.ids)]
    found = simulatability(claim, test, finding, replicates=100)
    assert found.left_out == len(shared)
    assert found.forward.questions == len(test) - len(shared)
    with pytest.raises(ParameterError, match="among the finding prompts"):
        simulatability(claim, finding, finding)


def test_what_cannot_be_asked_is_refused() -> None:
    network, pairs = known(1)
    claim = simulator()
    with pytest.raises(ParameterError, match="is held out, and was used"):
        CircuitSimulator(claim.scorer, claim.circuit, claim.used, claim.used)
    with pytest.raises(ParameterError, match="not among what the scorer ablates"):
        CircuitSimulator(claim.scorer, (network["embed"],))
    with pytest.raises(ParameterError, match="members on both sides"):
        draw_interventions(network.heads(), network.heads(), 4)
    with pytest.raises(ParameterError, match="different sets were found"):
        draw_interventions(network.heads()[:3], network.heads()[:1], 40)
    scorer = EdgeCircuitScorer(network, logit_diff, counterfactual())
    with pytest.raises(TermError, match="one of nodes"):
        CircuitSimulator(scorer, scorer.universe[:2], by="interchange")
    rival = CircuitSimulator(claim.scorer, claim.circuit, claim.held_out[:3])
    with pytest.raises(ParameterError, match="asked other questions"):
        simulatability(claim, known(2)[1], pairs, rivals={"other": rival})
