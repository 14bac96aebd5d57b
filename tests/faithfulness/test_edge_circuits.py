"""Circuits of edges against circuits of nodes, whose outgoing edges are kept or cut together."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import counterfactual, mean, noise, optimal, resample, zero
from causalnet.errors import OutOfMemoryError, ParameterError, TermError
from causalnet.faithfulness import (
    CircuitScorer,
    EdgeCircuitScorer,
    Regime,
    Wanted,
    partial_faithfulness,
)
from causalnet.interventions import Ablation, Edge, Learning, kl, logit_diff, te
from causalnet.lift import raised_casts
from causalnet.masked import EdgeRuns
from tests.toys import net, word_pairs

REFERENCE = word_pairs(8, seed=4)


@pytest.fixture(autouse=True)
def in_float64_throughout() -> Iterator[None]:
    with raised_casts(net().model.module), raised_casts(net("gpt2").model.module):
        yield


def ablation_of(name: str, kind: str) -> Ablation:
    made = {
        "zero": zero(),
        "counterfactual": counterfactual(),
        "mean": mean(REFERENCE.base),
        "noise": noise(net(kind), 1.0, draws=2),
        "resample": resample(REFERENCE.base),
    }
    return made[name]


@settings(max_examples=8)
@given(st.data())
def test_a_circuit_of_nodes_is_that_of_all_their_edges(data: st.DataObject) -> None:
    """Masked runs against the hook executor; 1e-9."""
    kind = data.draw(st.sampled_from(["llama", "gpt2"]))
    network, pairs = net(kind), word_pairs(3)
    name = data.draw(st.sampled_from(["zero", "counterfactual", "mean", "noise"]))
    direction: Literal["noising", "denoising"] = "noising"
    if name == "counterfactual":
        direction = data.draw(st.sampled_from(["noising", "denoising"]))
    at: Any = data.draw(st.sampled_from([(), ("end",)]))
    given = REFERENCE.base if name == "mean" else None
    ablation = ablation_of(name, kind)
    universe = (*network.heads(), *network.mlps(), network["embed"])
    circuit = data.draw(st.lists(st.sampled_from(universe), unique=True, max_size=8))
    nodes = CircuitScorer(network, logit_diff, ablation, universe, at, direction, given)
    edges = EdgeCircuitScorer(network, logit_diff, ablation, at, direction, given, batch_size=2)
    ablated = {one.name for one in universe} - {one.name for one in circuit}
    # What is in no universe of nodes, the constants of attention, is never touched there.
    others = {edge.sender for edge in edges.universe} - {one.name for one in universe}
    kept = [edge for edge in edges.universe if edge.sender not in ablated]
    gone = [edge for edge in kept if edge.sender not in others]
    free = [edge for edge in edges.universe if edge.sender in others]
    with raised_casts(network.model.module):
        expected = nodes.score(pairs, circuit)
    wanted: list[Wanted] = [
        (Regime.MODEL, ()),
        (Regime.KEPT, tuple(kept)),
        (Regime.KEPT, tuple(free)),
        (Regime.KNOCKED_OUT, tuple(gone)),
    ]
    found = edges.read(pairs, wanted).values
    parts = (expected.model, expected.kept, expected.empty, expected.knocked_out)
    for one, theirs in zip(wanted, parts, strict=True):
        np.testing.assert_allclose(found[one], theirs, atol=1e-9)


def test_fewer_paths_are_open_than_between_nodes() -> None:
    network, pairs = net(), word_pairs(3)
    scorer = EdgeCircuitScorer(network, logit_diff, counterfactual())
    thin = scorer.score(pairs, [Edge("embed", "L0.KV0.v"), Edge("L0.H1", "logits")])
    names = {"embed", "L0.H1"}
    thick = scorer.score(pairs, [edge for edge in scorer.universe if edge.sender in names])
    assert np.abs(thin.kept - thick.kept).max() > 1e-3
    assert thin.conventions["level"] == "edges: a circuit is a set of edges of the residual stream"
    assert thin.conventions["universe"] == f"{len(scorer.universe)} edges"


@pytest.mark.parametrize("name", ["mean", "resample"])
def test_batches_change_nothing(name: str) -> None:
    """The parts of a set of pairs in one go and in two; means are taken once."""
    network, pairs = net(), word_pairs(4)
    ablation = ablation_of(name, "llama")
    circuit = (Edge("embed", "L0.KV0.v"), Edge("L0.H1", "logits"), Edge("embed", "logits"))

    def scorer(size: int) -> EdgeCircuitScorer:
        return EdgeCircuitScorer(
            network, logit_diff, ablation, reference=REFERENCE.base, batch_size=size
        )

    whole, small = scorer(4).score(pairs, circuit), scorer(1).score(pairs, circuit)
    np.testing.assert_allclose(whole.kept, small.kept, atol=1e-10)
    if name == "mean":
        one = scorer(4)
        halves = [one.score(pairs.rows(rows), circuit).kept for rows in ((0, 1), (2, 3))]
        np.testing.assert_allclose(np.concatenate(halves), whole.kept, atol=1e-10)


def test_memory_that_runs_out_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    network, pairs = net(), word_pairs(4)
    real, most = EdgeRuns.outcomes, [2]

    def limited(self: EdgeRuns, *given: Any, **named: Any) -> Any:
        if self.batch_size > most[0]:
            raise torch.OutOfMemoryError("Tried to allocate 1 TiB.")
        return real(self, *given, **named)

    scorer = EdgeCircuitScorer(network, logit_diff, zero(), batch_size=4)
    wanted: Any = [(Regime.EMPTY, ()), te().contrasts[0][1]]
    expected = scorer.read(pairs, wanted)
    monkeypatch.setattr(EdgeRuns, "outcomes", limited)
    told: list[int] = []
    found = scorer.read(pairs, wanted, progress=lambda done, total: told.append(done))
    assert (found.batch_size, found.halvings, expected.halvings) == (2, 1, 0)
    assert told == list(range(1, found.forwards + 1))
    for one in wanted:
        np.testing.assert_allclose(found.values[one], expected.values[one], atol=1e-10)
    most[0] = 0
    with pytest.raises(OutOfMemoryError, match="batch of one prompt"):
        scorer.read(pairs, wanted)


def test_learned_constants_are_of_each_part() -> None:
    network, training = net(), word_pairs(4, seed=8)
    ablation = optimal(training, Learning(steps=4, rate=0.2, batch=4))
    scorer = EdgeCircuitScorer(network, kl, ablation, reference=training)
    circuit = scorer.universe[::2]
    scores = scorer.score(training, circuit)
    told = scorer.learned
    kept, empty = (one["loss"] for one in told[:2])
    assert [one["kept_edges"] for one in told] == [
        len(circuit),
        0,
        len(scorer.universe) - len(circuit),
    ]
    np.testing.assert_allclose([scores.kept.mean(), scores.empty.mean()], [kept, empty], atol=1e-9)
    means = EdgeCircuitScorer(network, kl, mean(training.base), reference=training.base)
    assert scores.kept.mean() <= means.score(training, circuit).kept.mean() + 1e-9


def test_refusals() -> None:
    network, pairs = net(), word_pairs(2)
    scorer = EdgeCircuitScorer(network, logit_diff, counterfactual())
    with pytest.raises(TermError, match=r"L1\.H0 -> L0\.H1\.q cannot be kept"):
        scorer.score(pairs, [Edge("L1.H0", "L0.H1.q")])
    back = EdgeCircuitScorer(network, logit_diff, zero(), direction="denoising")
    with pytest.raises(TermError, match="Denoising with the ablation zero"):
        back.score(pairs, scorer.universe[:3])
    with pytest.raises(TermError, match="Masked runs take pairs"):
        EdgeCircuitScorer(network, kl, optimal(pairs.base), reference=pairs.base)


def test_restored_at_a_position_the_whole_model_is_the_base_run() -> None:
    """As for nodes: every edge out of them, at the last token; hooks at 1e-9."""
    network = net()
    pairs = word_pairs(4, seed=6)
    nodes = tuple(each for each in (*network.heads(), *network.mlps()))
    by_nodes = CircuitScorer(
        network, logit_diff, counterfactual(), nodes, at=("end",), direction="denoising"
    ).score(pairs, nodes[:3])
    edges = EdgeCircuitScorer(
        network, logit_diff, counterfactual(), at=("end",), direction="denoising"
    )
    names = {node.name for node in nodes[:3]}
    members = tuple(edge for edge in edges.universe if edge.sender in names)
    found = edges.score(pairs, members)
    np.testing.assert_allclose(found.model, by_nodes.model, atol=1e-9, rtol=0)
    np.testing.assert_allclose(found.kept, by_nodes.kept, atol=1e-9, rtol=0)


def test_a_curve_of_nothing_is_undefined() -> None:
    network, pairs = net("llama"), word_pairs(4, seed=6)
    scorer = EdgeCircuitScorer(network, logit_diff, counterfactual())
    with pytest.raises(ParameterError, match="undefined"):
        partial_faithfulness(scorer, replace(pairs, source=pairs.base), scorer.universe[:3])
