"""ACDC against a loop over one candidate after the other, by masks and by hooks; float64."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from causalnet.discovery.acdc import Senders, acdc, acdc_cost
from causalnet.discovery.exact import outcome_of
from causalnet.discovery.journal import Journal
from causalnet.discovery.live_truth import live_truth
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.effects import counterfactual, zero
from causalnet.errors import CausalNetError, ParameterError
from causalnet.interventions import kl, logit_diff, logit_distance
from causalnet.known_circuits import known_circuit
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.masked.test_edge_runs import PAIRS, by_hooks
from tests.toys import net, word_pairs

READOUTS = {each.name: each for each in (kl, logit_diff, logit_distance)}


def question_of(
    model: str, readout: str, ablation: str = "counterfactual", grain: str = "edges", n: int = 5
) -> Question:
    chosen = counterfactual() if ablation == "counterfactual" else zero()
    pairs = PAIRS if n == 5 else word_pairs(n, seed=4)
    return Question(net(model), pairs, chosen, READOUTS[readout], grain, batch_size=n)


def order_of(question: Question, senders: Senders) -> list[int]:
    """The order of the search, said again: receivers backwards, their senders as asked."""
    if question.grain != "edges":
        return list(range(len(question.units)))[::-1]
    sites = question.runs.sites
    blocks = [list(range(len(sites)))[sites.into(name)] for name in reversed(sites.receivers)]
    return [edge for block in blocks for edge in (block if senders == "early" else block[::-1])]


def distances(question: Question) -> Callable[[NDArray[np.float64]], float]:
    if question.is_distance:
        return lambda outcomes: float(outcomes.mean())
    intact = outcome_of(question, np.ones((1, len(question.units))))[0]
    return lambda outcomes: float(np.abs(outcomes - intact).mean())


def one_at_a_time(question: Question, tau: float, senders: Senders = "early") -> list[int]:
    """Conmy et al. 2023, algorithm 1, every candidate run alone."""
    kept, distance_of = np.ones(len(question.units)), distances(question)
    before = distance_of(outcome_of(question, kept[None])[0])
    for unit in order_of(question, senders):
        kept[unit] = 0
        after = distance_of(outcome_of(question, kept[None])[0])
        if after - before < tau:
            before = after
        else:
            kept[unit] = 1
    return np.flatnonzero(kept).tolist()


@settings(max_examples=6)
@given(
    model=st.sampled_from(["llama", "gpt2"]),
    readout=st.sampled_from(sorted(READOUTS)),
    ablation=st.sampled_from(["counterfactual", "zero"]),
    tau=st.floats(-7, 0).map(lambda power: 10**power),
    senders=st.sampled_from(["early", "late"]),
    at_once=st.sampled_from([1, 3, 256]),
    grain=st.sampled_from(["edges", "edges", "nodes", "heads", "receivers"]),
)
def test_many_at_once_decide_as_one_at_a_time(
    model: str,
    readout: str,
    ablation: str,
    tau: float,
    senders: Senders,
    at_once: int,
    grain: str,
) -> None:
    question = question_of(model, readout, ablation, grain)
    found = acdc(question, tau, senders=senders, at_once=at_once)
    if grain != "edges":
        senders = "early"
    assert np.flatnonzero(found.values).tolist() == one_at_a_time(question, tau, senders)
    assert found.cost.forwards <= acdc_cost(question)


@pytest.mark.parametrize(("model", "readout"), [("llama", "kl")])
def test_the_same_by_hooks(model: str, readout: str) -> None:
    question = question_of(model, readout)
    distance_of = distances(question)
    tau, removed = 1e-2, list[int]()

    def distance(edges: list[int]) -> float:
        outcomes = by_hooks("counterfactual", question.runs, edges, question.readout)
        return distance_of(outcomes)

    before = distance([])
    for edge in order_of(question, "early"):
        after = distance([*removed, edge])
        if after - before < tau:
            removed, before = [*removed, edge], after
    found = acdc(question, tau)
    assert np.flatnonzero(found.values == 0).tolist() == sorted(removed)
    assert 0 < len(removed) < len(question.units)


def test_a_sweep_scores_the_largest_threshold_of_survival() -> None:
    question = question_of("llama", "kl")
    taus = (1e-4, 1e-2)
    swept = acdc(question, taus)
    alone = np.stack([acdc(question, tau).values * tau for tau in taus])
    np.testing.assert_array_equal(swept.values, alone.max(0))
    assert swept.cost.forwards <= acdc_cost(question, len(taus))


def test_progress_ends_with_all_candidates() -> None:
    question, told = question_of("gpt2", "kl"), list[tuple[int, int]]()
    acdc(question, 1e-2, progress=lambda *at: told.append(at))
    assert told == sorted(told) and told[-1] == (len(question.units), len(question.units))


def test_unheard_receivers_are_decided_without_a_run() -> None:
    """Above every growth the logits lose all edges, and then nothing else is heard."""
    question = question_of("llama", "kl")
    found = acdc(question, 1e9)
    assert not found.values.any()
    last = question.runs.layout.stages[-1].parents
    assert (found.cost.looked_at, found.cost.skipped) == (last, len(question.units) - last)


class Stopped(Exception):
    pass


@cache
def swept() -> Scores:
    return acdc(question_of("gpt2", "kl"), (1e-3, 1e-2))


@pytest.mark.parametrize(("seed", "error"), [(0, Stopped), (1, KeyboardInterrupt)])
def test_a_search_goes_on_bit_by_bit(tmp_path: Path, seed: int, error: type[BaseException]) -> None:
    question, journal = question_of("gpt2", "kl"), Journal(tmp_path / "search")
    for left in np.random.default_rng(seed).integers(1, 40, size=3).tolist():
        told = itertools.count(1)

        def stop(done: int, total: int, told: Iterator[int] = told, left: int = left) -> None:
            if next(told) == left:
                raise error

        with suppress(error):
            acdc(question, (1e-3, 1e-2), progress=stop, journal=journal)
    found = acdc(question, (1e-3, 1e-2), journal=journal)
    np.testing.assert_array_equal(found.values, swept().values)
    assert found.cost == swept().cost
    before = Path(journal.path).read_bytes()
    with pytest.raises(ParameterError, match="another search"):
        acdc(question, 1e-3, journal=journal)
    assert Path(journal.path).read_bytes() == before


def test_early_decisions_are_those_of_all_prompts_where_effects_are_clear() -> None:
    question = Question(net("llama"), word_pairs(32, seed=2), counterfactual(), kl, batch_size=8)
    exact, early = acdc(question, 1e-2), acdc(question, 1e-2, early=0.05)
    assert early.cost.forwards < exact.cost.forwards
    assert np.mean(exact.values == early.values) > 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau": 0.0}, "above 0"),
        ({"tau": ()}, "above 0"),
        ({"tau": float("nan")}, "above 0"),
        ({"senders": "first"}, "'early' and 'late'"),
        ({"early": 0.7}, "between 0 and 0.5"),
        ({"at_once": 0}, "At least 1"),
    ],
)
def test_what_cannot_be_asked(options: dict[str, object], words: str) -> None:
    with pytest.raises(CausalNetError, match=words):
        acdc(question_of("llama", "kl"), **options)  # type: ignore[arg-type]  # wrong on purpose


def test_denoising_is_refused() -> None:
    question = Question(net("llama"), PAIRS, counterfactual(), kl, direction="denoising")
    with pytest.raises(ParameterError, match="noising"):
        acdc(question)


#: Name -> AUROC against the structural and the live truth under counterfactuals; measured on 16
#: items by an implementation of its own, +-0.03.
ANCHORS = {
    "induction_soft": (0.86, 1.00),
    "indirect_object": (0.64, 0.90),
    "indirect_object_soft": (0.75, 0.94),
}


@pytest.mark.parametrize("name", sorted(ANCHORS))
def test_known_circuits_are_found_as_far_as_they_were_elsewhere(name: str) -> None:
    """Its failures included: of two edges that back each other up, the first in the order goes."""
    circuit = known_circuit(name)
    tokenizer = circuit.tokenizer()
    network = lift(load(circuit.module(), tokenizer=tokenizer, dtype="float64"))
    pairs = PromptPairs.build(tokenizer, list(circuit.rows(16)))
    everywhere = replace(logit_distance, at="all")
    question = Question(network, pairs, counterfactual(), everywhere)
    found = acdc(question, (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0))
    truths = live_truth(question, circuit.truth)
    for truth, anchor in zip((truths.structural, truths.live), ANCHORS[name], strict=True):
        assert auroc_of(found.values, question.units.names, truth) == pytest.approx(
            anchor, abs=0.03
        )


def auroc_of(values: NDArray[np.float64], names: tuple[str, ...], truth: frozenset[str]) -> float:
    """The share of pairs of a true edge and another that are ranked right, ties half."""
    is_true = np.array([name in truth for name in names])
    ours, others = values[is_true][:, None], values[~is_true][None]
    return float(((ours > others) + 0.5 * (ours == others)).mean())
