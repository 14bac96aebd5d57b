"""Approximate abstraction, and whether a feature leaves other attributes alone."""

import json
from typing import Any

import pytest

from causalnet.abstraction import (
    AlignedSite,
    Alignment,
    Basis,
    Interchanges,
    aligned,
    approximate_abstraction,
    disentangle,
    interchange_accuracy,
)
from causalnet.errors import GraphError, ParameterError
from tests.abstraction.entities import TRUE, examples, model, network, slot_basis

WAIVE = {"random": "few heads are left"}


def test_the_truth_is_exact_alone_and_together() -> None:
    found = approximate_abstraction(
        network(), model(), aligned(TRUE), examples(), n=40, waive=WAIVE, within="question"
    )
    assert found.eps == {"colour": 0.0, "shape": 0.0, "colour+shape": 0.0}
    assert found.is_above_controls and found.others is None
    assert found.worst_pair.gap > 0
    assert json.loads(json.dumps(found.to_json()))["worst_pair"]["logit_gap"] > 0


def test_the_worst_intervention_and_its_worst_pair_are_told() -> None:
    wrong = aligned({"colour": "L0.H0", "shape": "L0.H2"})
    found = approximate_abstraction(
        network(), model(), wrong, examples(), [["colour"], ["shape"]], 40, waive=WAIVE
    )
    assert found.eps["colour"] == 0.0 < found.eps["shape"]
    assert found.worst.variables == ("shape",)
    pair = found.worst_pair
    assert pair.is_cause and pair.base.endswith("shape") and pair.gap < 0
    assert pair.predicted != pair.answered and pair.answered.startswith("s")
    assert "worst pair" in str(found)


def test_others_stay_where_the_aligned_nodes_do_the_work() -> None:
    """With the MLP among the aligned, nothing else is read; without it, it is swapped as well."""
    whole = aligned({**TRUE, "answer": "L0.mlp"})
    found = approximate_abstraction(
        network(), model(), whole, examples(), [["colour"]], 30, waive=WAIVE, others=True
    )
    assert found.others is not None and found.others.estimate == 1.0
    part = approximate_abstraction(
        network(), model(), aligned(TRUE), examples(), [["colour"]], 30, waive=WAIVE, others=True
    )
    assert part.others is not None and part.others.estimate < 0.5
    assert "everything else swapped" in str(part)


@pytest.mark.parametrize(("attribute", "head"), TRUE.items())
def test_a_feature_of_its_own_is_disentangled(attribute: str, head: str) -> None:
    found = disentangle(
        network(), model(), aligned({attribute: head}), examples(), attribute, 40, waive=WAIVE
    )
    other = ({*TRUE} - {attribute}).pop()
    assert found.score == 1.0 and set(found.isolate) == {other}
    assert found.cause.n == 20 and found.isolate[other].n == 20
    # Doing nothing keeps all and causes nothing; swapping everything may do the opposite.
    assert found.controls["no intervention"] == 0.5
    assert all(0.0 <= score <= 1.0 for score in found.controls.values())


def test_a_feature_of_everything_is_not() -> None:
    both = aligned({"colour": ["L0.H0", "L0.H1"]})
    found = disentangle(network(), model(), both, examples(), "colour", 200, waive=WAIVE)
    assert found.cause.estimate == 1.0 and found.isolate["shape"].estimate < 0.5
    assert 0.5 <= found.score < 0.75


def test_a_subspace_of_the_stream_is_told_from_the_whole_of_it() -> None:
    def at(basis: Basis | None) -> Alignment:
        return Alignment({"colour": (AlignedSite("L0.resid_mid", ("end",), basis),)})

    own = at(Basis(slot_basis("colour"), "colour slot"))
    other = at(Basis(slot_basis("shape"), "shape slot"))
    scores = [
        disentangle(network(), model(), each, examples(), "colour", 40).score
        for each in (own, other)
    ]
    assert scores[0] == 1.0 and scores[1] < 0.5


def test_what_would_leak_is_among_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources may be asked for something else; what leaks answers the base's question."""
    drawn: list[Interchanges] = []

    def measured(net: Any, pairs: Interchanges, *rest: Any, **options: Any) -> Any:
        drawn.append(pairs)
        return interchange_accuracy(net, pairs, *rest, **options)

    monkeypatch.setattr("causalnet.abstraction.pairs.MOST_OUTPUTS", 1)
    monkeypatch.setattr("causalnet.abstraction.ravel.interchange_accuracy", measured)
    disentangle(network(), model(), aligned({"colour": "L0.H0"}), examples(), "colour", 40)
    (pairs,) = drawn
    for at, (base, (source,)) in enumerate(zip(pairs.base, pairs.sources, strict=True)):
        asked = str(examples().inputs["question"][base])
        assert pairs.predictor.values[source][asked] in pairs.candidates[at]


def test_held_out_entities_are_neither_bases_nor_sources() -> None:
    seen = {"entity": {"e0", "e1", "e8"}}
    found = disentangle(
        network(),
        model(),
        aligned({"colour": "L0.H0"}),
        examples(),
        "colour",
        40,
        seen=seen,
        waive=WAIVE,
    )
    assert found.held_out == (("entity", 3),) and found.score == 1.0
    assert "40 pairs of 12 examples" in found.accuracy.distribution
    assert found.to_json()["held_out"] == {"entity": 3}
    assert "3 values of entity held out" in str(found)


def test_mistakes() -> None:
    alone = examples().without({"question": {"shape"}})
    with pytest.raises(ParameterError, match="others for another attribute"):
        disentangle(network(), model(), aligned({"colour": "L0.H0"}), alone, "colour")
    with pytest.raises(GraphError, match="no variable 'size'"):
        disentangle(network(), model(), aligned({"size": "L0.H0"}), examples(), "size")
    same = examples().without({"entity": {f"e{at}" for at in range(9) if at % 3}})
    with pytest.raises(ParameterError, match="0 of 50 pairs of 'cause' were found"):
        disentangle(network(), model(), aligned({"colour": "L0.H0"}), same, "colour")
