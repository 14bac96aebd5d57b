"""Claims about networks whose circuits are known: truth, claims, and the verdicts on a sample."""

from collections import Counter
from dataclasses import replace
from functools import cache

import known_variants as bench
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_pass import PlainPass

from causalnet.effects import counterfactual, mean
from causalnet.faithfulness import EdgeCircuitScorer, Regime
from causalnet.interventions import READOUTS, Edge
from causalnet.known_circuits import known_circuit
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import make
from tests.known_circuits.kept_edges import kept_logits

SMALL = ("induction", "sort", "proportion")


@cache
def plain(network: str, ablation: str) -> PlainPass:
    return PlainPass.of(known_circuit(network), ablation, n=8, seed=4)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(SMALL), st.data())
def test_the_plain_pass_with_zeros_is_that_of_the_networks_own_tests(
    network: str, data: st.DataObject
) -> None:
    """Tolerance 1e-12: the same sums in another order."""
    one = plain(network, "zero")
    kept = data.draw(st.frozensets(st.sampled_from(sorted(one.edges))))
    pairs = {(edge.split(" -> ")[0], edge.split(" -> ")[1]) for edge in kept}
    logits = kept_logits(one.module, one.ids, pairs)[:, -1]
    rows = torch.arange(len(logits))
    expected = logits[rows, one.answers] - logits[rows, one.foils]
    np.testing.assert_allclose(one.differences(kept), expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("ablation", ["counterfactual", "mean"])
def test_the_plain_pass_and_masked_runs_agree(ablation: str) -> None:
    """Two writings of the same definition, on random edges; tolerance 1e-9."""
    net = lift(load("known:induction"))
    one = plain("induction", ablation)
    pairs = make("known:induction", net.model.tokenizer, n=8, seed=4)
    reference = make("known:induction", net.model.tokenizer, n=64, seed=800_000).source
    made = counterfactual() if ablation == "counterfactual" else mean(reference)
    other = None if ablation == "counterfactual" else reference
    scorer = EdgeCircuitScorer(net, READOUTS["logit_difference"], made, reference=other)
    rng = np.random.default_rng(0)
    for share in (0.3, 0.7, 0.9):
        names = sorted(one.edges)
        kept = frozenset(name for name in names if rng.random() < share)
        circuit = tuple(Edge(*edge.split(" -> ")[:2]) for edge in sorted(kept))  # type: ignore[arg-type]
        (found,) = scorer.read(pairs, [(Regime.KEPT, circuit)]).values.values()
        np.testing.assert_allclose(found, one.differences(kept), atol=1e-9)


def test_variants_are_what_they_say() -> None:
    for one in bench.variants(14, seed=2, networks=SMALL):
        truth = bench.truth_of(one.network, one.ablation)
        circuit = frozenset(one.circuit)
        assert (one.edge in truth.true) == ("live" in one.change and bool(one.edge))
        if "missing" in one.change:
            assert circuit == truth.true - {one.edge}
        if one.kind == "necessary":
            assert circuit == {one.edge}
        false = circuit - truth.true
        assert false == ({one.edge} if "false" in one.change else set())
        if one.kind == "minimal":
            assert false <= one.idle
            assert (one.expected == "REFUTED") == bool(one.idle)
        if one.kind == "faithful" and "missing" not in one.change:
            assert one.number == pytest.approx(1, abs=1e-6)
            assert one.expected == "SUPPORTED"
        assert one.file().claims[0].kind == one.kind


def test_a_sample_of_variants_is_judged_right() -> None:
    outcomes = [bench.heard(one) for one in bench.variants(14, seed=1, networks=SMALL)]
    states = Counter(one.state for one in outcomes)
    assert states["wrong"] == 0, bench.report(outcomes)
    assert states["right"] >= 13, bench.report(outcomes)
    assert {one.variant.expected for one in outcomes} == {"SUPPORTED", "REFUTED"}
    counted = [line for line in bench.report(outcomes).splitlines() if line.startswith("all ")]
    assert len(counted) == 4
    assert all(line.split()[1:4] == ["14", str(states["right"]), "0"] for line in counted)


@settings(max_examples=40)
@given(
    st.sampled_from(["SUPPORTED", "REFUTED", "INCONCLUSIVE", "UNDEFINED"]),
    st.sampled_from(["SUPPORTED", "REFUTED"]),
    st.frozensets(st.sampled_from("abc")),
    st.frozensets(st.sampled_from("abc")),
)
def test_only_a_verdict_can_be_wrong(
    verdict: str, expected: str, named: frozenset[str], idle: frozenset[str]
) -> None:
    (variant,) = bench.variants(1, networks=("induction",))
    one = bench.Outcome(replace(variant, expected=expected, idle=idle), verdict, "", named, 1, 0.0)
    assert (one.state == "undecided") == (verdict in ("INCONCLUSIVE", "UNDEFINED"))
    if one.state == "right":
        assert verdict == expected and not named - idle
