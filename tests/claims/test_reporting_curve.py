"""Faithfulness over circuit size, on a small random network."""

import json
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims.circuits import universe
from causalnet.claims.hearing import Hearing
from causalnet.claims.reporting_curve import size_curve
from causalnet.claims.reporting_curve_values import SizeCurve
from causalnet.effects import counterfactual
from causalnet.errors import FormatError
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork
from tests.claims.small_case import claim_file, small_net, write_pairs


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curve")
    write_pairs(path / "pairs.jsonl", net, 24)
    write_pairs(path / "others.jsonl", net, 8, seed=77)
    return path


def heard(net: LiftedNetwork, folder: Path, **changes: Any) -> Hearing:
    found = {"method": "by hand", "task": {"file": "others.jsonl"}}
    file = claim_file(folder, found=found, **changes)
    return Hearing(file, net, tuple(universe(file, net.graph).values()), 0, None, lambda _: None)


def test_points_are_the_faithfulness_of_the_largest_single_effects(
    net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the circuits scored by themselves."""
    hearing = heard(net, folder)
    curve = size_curve(hearing, prompts=12)
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    find, test = hearing.pairs("find"), hearing.pairs("test").rows(range(12))
    single = {
        head: float((s.knocked_out - s.model).mean())
        for head in net.heads()
        for s in [scorer.score(find, (head,))]
    }
    ranked = sorted(net.heads(), key=lambda head: -abs(single[head]))
    assert [one.size for one in curve.points] == [1, 2, 3, 5] and curve.universe == 8
    # Waves take norms in float64, this model's own modules in float32.
    for point in curve.points:
        top = tuple(head for head in net.heads() if head in ranked[: point.size])
        assert point.estimate == pytest.approx(scorer.score(test, top).faithfulness, abs=1e-6)
        assert point.low is not None and point.low <= float(point.estimate or 0.0)
    (mark,) = curve.marks
    circuit = tuple(map(net.graph.find, ("L0.H0", "L0.H1", "L1.H0", "L1.H2", "L1.H3")))
    assert (mark.size, mark.name) == (5, "enough, needed")
    assert mark.estimate == pytest.approx(scorer.score(test, circuit).faithfulness, abs=1e-6)
    assert "on 8 of the prompts that found the circuit" in curve.ranking
    assert SizeCurve.from_json(json.loads(json.dumps(curve.to_json()))) == curve


def test_no_curve_where_every_unit_would_be_learned_for(net: LiftedNetwork, folder: Path) -> None:
    reference = {"file": "pairs.jsonl"}
    hearing = heard(net, folder, ablation={"kind": "optimal", "reference": reference})
    curve = size_curve(hearing)
    assert curve.not_done and not curve.points and hearing.meter.forwards == 0
    with pytest.raises(FormatError, match="curve cannot be read"):
        SizeCurve.from_json({"points": []})
