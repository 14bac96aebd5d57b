"""Claims that a circuit is better than random ones: what is drawn, kept and said."""

from collections.abc import Iterator

import numpy as np
import pytest

from causalnet.claims import ClaimFile, ClaimResult, verify
from causalnet.effects import zero
from causalnet.faithfulness import EdgeCircuitScorer, Regime, Wanted, random_circuits_like
from causalnet.interventions import READOUTS, Edge
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import make

TRUE = [
    "embed -> L0.H0.v", "embed -> L1.H0.q", "embed -> L1.H0.v", "pos_embed -> L0.H0.q",
    "pos_embed -> L0.H0.k", "L0.H0 -> L1.H0.k", "L1.H0 -> logits",
]  # fmt: skip
LOOSE = ["embed -> L0.H0.v", "L0.H1 -> L1.H0.k", "L1.H0 -> logits"]


@pytest.fixture(scope="module")
def net() -> Iterator[LiftedNetwork]:
    yield lift(load("known:induction"))


def heard(net: LiftedNetwork, circuit: list[str], **claim: object) -> ClaimResult:
    settings = {"id": "special", "kind": "better_than_random", "statement": "It is special."}
    file = ClaimFile.model_validate(
        {
            "schema": 1,
            "model": {"source": "known:induction", "dtype": "float64"},
            "task": {"name": "known:induction", "n": 48, "seed": 3},
            "circuit": circuit,
            "found": {"method": "given", "note": "written by hand"},
            "ablation": {"kind": "zero", "ablate": "edges"},
            "range": [-20, 20],
            "claims": [{**settings, "prompts": 8, **claim}],
        }
    )
    return verify(file, net=net)["special"]


def test_the_circuit_of_a_known_network_beats_random_circuits(net: LiftedNetwork) -> None:
    found = heard(net, TRUE)
    assert found.decision.verdict == "SUPPORTED"
    said = found.evidence
    assert said["way"] == "swaps" and "connected circuits" in said["drawn"]
    assert said["circuits"] == len(said["gaps"]) == len(said["faithfulness"]) >= 36
    assert said["at_least_as_close"] == 0
    # Each of the four heads of either layer can take the circuit's place: 15 others, no more.
    assert said["different"] == said["p_value_of"] == 15
    assert said["p_value"] == 1 / 16
    assert "Only 15 different circuits came up" in str(found.decision)
    assert said["faithfulness_of_circuit"] == pytest.approx(1, abs=1e-6)


def test_gaps_and_faithfulness_are_those_of_the_circuits_that_are_drawn(net: LiftedNetwork) -> None:
    """Oracle: the same numbers drawn again and scored by hand."""
    found = heard(net, TRUE, max_circuits=10).evidence
    pairs = make("known:induction", net.model.tokenizer, n=48, seed=3).rows(range(8))
    ends = (one.split(" -> ") for one in TRUE)
    circuit = tuple(Edge(sender, receiver) for sender, receiver in ends)
    random = random_circuits_like(net.graph, circuit, seed=(3, 0))
    scorer = EdgeCircuitScorer(net, READOUTS["logit_difference"], zero())
    wanted: list[Wanted] = [(Regime.MODEL, ()), (Regime.EMPTY, ())]
    wanted += [(Regime.KEPT, random.draw(number)) for number in range(10)]
    read = scorer.read(pairs, wanted).values
    model, empty, *drawn = (read[one] for one in wanted)
    for gap, share, one in zip(found["gaps"], found["faithfulness"], drawn, strict=True):
        assert gap == pytest.approx(float(np.abs(one - model).mean()), abs=1e-9)
        assert share == pytest.approx((one - empty).mean() / (model - empty).mean(), abs=1e-9)


def test_a_loose_circuit_is_compared_with_unions_of_paths_and_says_so(net: LiftedNetwork) -> None:
    found = heard(net, LOOSE)
    assert found.decision.verdict == "REFUTED"
    assert found.evidence["way"] == "paths"
    assert "L0.H1 -> L1.H0.k" in found.evidence["connected"]
    assert found.evidence["p_value"] > 0.2


def test_a_claim_is_heard_twice_the_same(net: LiftedNetwork) -> None:
    assert heard(net, TRUE, max_circuits=8) == heard(net, TRUE, max_circuits=8)


def test_one_edge_can_be_necessary_though_it_is_no_path(net: LiftedNetwork) -> None:
    claim = {"id": "special", "kind": "necessary", "at_least": 0.25}
    content = {
        "schema": 1,
        "model": {"source": "known:induction", "dtype": "float64"},
        "task": {"name": "known:induction", "n": 48, "seed": 3},
        "circuit": ["embed -> L1.H0.v"],
        "found": {"method": "given", "note": "written by hand"},
        "ablation": {"kind": "counterfactual", "ablate": "edges"},
        "range": [-12, 12],
        "claims": [{**claim, "statement": "It is needed."}],
    }
    found = verify(ClaimFile.model_validate(content), net=net)["special"]
    assert found.decision.verdict == "SUPPORTED"
