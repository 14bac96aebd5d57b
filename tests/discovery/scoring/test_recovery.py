import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from causalnet.discovery.scoring import compare_with_truth
from causalnet.discovery.scoring.wording import probability, share, some
from causalnet.errors import ParameterError

SITES = [f"L{i // 3}.H{i % 3}" for i in range(12)]
circuits = st.frozensets(st.sampled_from(SITES))


@settings(max_examples=50)
@given(circuits, circuits.filter(bool))
def test_shares_are_those_of_scikit_learn(found: frozenset[str], truth: frozenset[str]) -> None:
    recovery = compare_with_truth(found, truth, SITES)
    labels = [[site in circuit for site in SITES] for circuit in (truth, found)]
    precision, recall, f1, _ = precision_recall_fscore_support(
        *labels, average="binary", zero_division=0
    )
    assert recovery.precision == (pytest.approx(precision, abs=1e-12) if found else None)
    assert (recovery.recall, recovery.f1) == pytest.approx((recall, f1), abs=1e-12)


@settings(max_examples=50)
@given(circuits, circuits.filter(bool))
def test_names_are_the_differences(found: frozenset[str], truth: frozenset[str]) -> None:
    recovery = compare_with_truth(found, truth, SITES)
    assert recovery.false == tuple(sorted(found - truth))
    assert recovery.missed == tuple(sorted(truth - found))
    assert recovery.is_exact == (found == truth)
    assert (recovery.f1 == 1) == (found == truth)
    assert json.loads(json.dumps(recovery.to_json(), allow_nan=False)) == recovery.to_json()


def test_an_empty_circuit_has_no_precision() -> None:
    recovery = compare_with_truth([], SITES[:8], SITES)
    assert (recovery.precision, recovery.recall, recovery.f1) == (None, 0, 0)
    assert str(recovery) == (
        "precision undefined, recall 0.000, F1 0.000: 0 of 8 true sites among 0 found, of 12\n"
        "missed (8): L0.H0, L0.H1, L0.H2, L1.H0, L1.H1, L1.H2 and 2 more"
    )


def test_any_hashable_site_will_do() -> None:
    recovery = compare_with_truth([(0, 1), (1, 2)], [(0, 1)], [(0, 1), (1, 2), (2, 3)])
    assert recovery.false == ("(1, 2)",)


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        (["L9.H9"], ["L0.H0"], "found circuit are unknown: 'L9.H9'"),
        (["L0.H0"], ["L0.H0.z"], "known circuit are unknown: 'L0.H0.z'"),
        (["L0.H0"], [], "known circuit is empty"),
    ],
)
def test_names_of_other_graphs_are_refused(
    found: list[str], truth: list[str], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        compare_with_truth(found, truth, SITES)


@settings(max_examples=50)
@given(st.floats(0, 1))
def test_nothing_is_rounded_onto_the_ends(value: float) -> None:
    for written in (share(value), probability(value)):
        assert (float(written) == 1) == (value == 1)
        assert (float(written) == 0) == (value == 0)
        assert float(written) == pytest.approx(value, abs=5e-4)


def test_a_few_names_are_named() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some([]) == ""
