"""Methods by name, and screens that are verified: what is exact is exact; float64."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalnet.discovery.circuits import circuit_of
from causalnet.discovery.evaluation import faithfulness_curve
from causalnet.discovery.exact import EXACT as EXACT_PATCHING
from causalnet.discovery.exact import exact_effects, exact_patching
from causalnet.discovery.journal import Journal, log_of
from causalnet.discovery.methods import METHODS, discover, method_of
from causalnet.discovery.options import check_option
from causalnet.discovery.question import Question
from causalnet.discovery.units import CircuitGrain
from causalnet.effects import counterfactual, optimal, zero
from causalnet.errors import ParameterError
from causalnet.interventions import Direction, Learning
from causalnet.known_circuits import known_circuit
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs

EXACT = 1e-10
SEARCHES = ("exact_patching", "acdc", "subnetwork_probing", "edge_pruning", "greedy_search")
QUICK = [name for name in METHODS if name not in SEARCHES]
PAIRS = word_pairs(3, seed=6, lengths=(4,))


def asked(grain: str = "edges", model: str = "gpt2", direction: Direction = "noising") -> Question:
    return Question(net(model), PAIRS, counterfactual(), grain=grain, direction=direction)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_says_of_itself_is_so(name: str) -> None:
    method = METHODS[name]
    taken = list(inspect.signature(method.run).parameters)
    assert taken[0] == "question" and "progress" in taken
    assert ("journal" in taken) == method.keeps_journal
    assert set(taken) - {"question", "progress", "journal"} == set(method.options)


@pytest.mark.parametrize("name", QUICK)
def test_methods_know_the_grains_that_they_say(name: str) -> None:
    for grain in CircuitGrain:
        if grain in METHODS[name].grains:
            found = discover(asked(grain), name)
            assert found.values.shape == (len(found.question.units),)
            assert found.values.any()
        elif grain is not CircuitGrain.POSITIONS:
            with pytest.raises(ParameterError, match=f"at the grain '{grain.value}'"):
                discover(asked(grain), name)


@pytest.mark.parametrize("name", ["eap", "information_flow"])
def test_nodes_at_positions_are_not_scored_by_edges(name: str) -> None:
    question = Question(net("gpt2"), PAIRS, counterfactual(), grain="positions", at=("end",))
    with pytest.raises(ParameterError, match="grain 'positions'"):
        discover(question, name)
    with pytest.raises(ParameterError, match=r"grain 'positions'.*exact_patching"):
        METHODS[name].run(question)


def test_methods_know_the_ablations_that_they_say() -> None:
    question = Question(net("gpt2"), PAIRS, zero(), grain="nodes")
    for name in QUICK:
        if METHODS[name].any_ablation:
            assert discover(question, name).values.any()
        else:
            with pytest.raises(ParameterError, match="ablation zero"):
                discover(question, name)


def test_names_that_are_none_meet_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"'epa'.*exact_patching.*Did you mean 'eap'"):
        discover(asked(), "epa")
    with pytest.raises(ParameterError, match=r"no option 'step'.*Did you mean 'steps'"):
        discover(asked(), "mask_ig", step=3)
    with pytest.raises(ParameterError, match=r"no option 'steps'.*Its options: none"):
        discover(asked(), "eap", steps=3)
    with pytest.raises(ParameterError, match="runs in one go"):
        discover(asked("nodes"), "atp_star", journal=Journal("never"))
    assert not Path("never").exists()
    assert str(method_of("mask_ig")).endswith("receivers; any ablation; options steps")


@pytest.mark.parametrize("direction", ["noising", "denoising"])
def test_what_was_run_is_exact_and_the_rest_estimated(direction: Direction) -> None:
    question = asked(direction=direction)
    exact, estimate = exact_patching(question), discover(question, "eap")
    found = discover(question, "screen_then_verify", by="eap", k=6, control=4, seed=2)
    run = np.flatnonzero(np.abs(found.values - estimate.values) > EXACT)
    assert set(estimate.order()[:6].tolist()) <= set(
        np.flatnonzero(np.abs(found.values - exact.values) <= EXACT).tolist()
    )
    np.testing.assert_allclose(found.values[run], exact.values[run], atol=EXACT, rtol=0)
    assert len(run) <= 10 and found.cost.looked_at == 10
    assert found.per_prompt is not None and exact.per_prompt is not None
    np.testing.assert_allclose(found.per_prompt[run], exact.per_prompt[run], atol=EXACT, rtol=0)
    high, drawn, bound, *errors = found.notes
    assert high.count("->") == 6 and drawn.count("->") == 4
    assert f"{len(found) - 10} units were not run exactly" in bound and len(errors) >= 2


def test_all_units_verified_are_exact_patching() -> None:
    question = asked("nodes", "small")
    found = discover(question, "screen_then_verify", by="hisp", k=100)
    np.testing.assert_allclose(found.values, exact_patching(question).values, atol=EXACT, rtol=0)
    assert "Every unit was run exactly." in found.notes


def test_what_only_ranks_has_no_estimate() -> None:
    found = discover(asked(), "screen_then_verify", by="information_flow", k=3, control=2)
    assert np.count_nonzero(found.values) <= 5 and found.per_prompt is None
    assert any("has no estimate" in note for note in found.notes)
    shares = discover(
        asked("nodes"),
        "screen_then_verify",
        by="hisp",
        by_options={"normalised": True},
        k=2,
        control=2,
    )
    assert np.count_nonzero(shares.values) <= 4 and shares.per_prompt is None


def test_the_bound_counts_what_the_screen_missed() -> None:
    question = asked()
    exact = np.abs(exact_patching(question).values)
    for seed in range(3):
        found = discover(
            question, "screen_then_verify", by="information_flow", k=5, control=60, seed=seed
        )
        bound = next(note for note in found.notes if "confidence" in note)
        at_most = int(bound.split("at most ")[1].split()[0])
        unrun = found.values == 0
        threshold = float(bound.split("larger in size than ")[1].split(";")[0])
        assert (exact[unrun] > threshold * 1.01).sum() <= at_most


def test_bad_screens_are_refused() -> None:
    with pytest.raises(ParameterError, match="cheaper than what it screens for"):
        discover(asked(), "screen_then_verify", by="exact_patching")
    with pytest.raises(ParameterError, match="k is 0"):
        discover(asked(), "screen_then_verify", k=0)
    with pytest.raises(ParameterError, match="control is 0"):
        discover(asked(), "screen_then_verify", control=0)
    with pytest.raises(ParameterError, match="no option 'steps'"):
        discover(asked(), "screen_then_verify", by="eap", by_options={"steps": 3})


def test_verification_goes_on_where_it_stopped(tmp_path: Path) -> None:
    question, journal = asked("receivers"), Journal(tmp_path / "search")
    chosen, count = np.arange(0, len(question.units), 3), []

    def stop(done: int, of: int) -> None:
        count.append(done)
        if len(count) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exact_effects(question, chosen, log_of(journal, question, EXACT_PATCHING, {}), stop)
    again, _ = exact_effects(question, chosen, log_of(journal, question, EXACT_PATCHING, {}))
    whole, _ = exact_effects(question, chosen, log_of(None, question, EXACT_PATCHING, {}))
    assert np.array_equal(again, whole)


@pytest.mark.parametrize(
    ("method", "option", "value"),
    [
        ("acdc", "tau", "abc"),
        ("acdc", "tau", float("nan")),
        ("acdc", "at_once", 1.5),
        ("hisp", "normalised", "abc"),
        ("atp_star", "grad_drop", "abc"),
        ("mask_ig", "steps", True),
        ("greedy_search", "candidates", 3),
        ("greedy_search", "size", "abc"),
        ("subnetwork_probing", "strength", float("inf")),
        ("screen_then_verify", "seed", []),
        ("screen_then_verify", "k", float("inf")),
        ("screen_then_verify", "by_options", 1),
    ],
)
def test_an_option_of_another_type_is_told_in_words(method: str, option: str, value: Any) -> None:
    grain = METHODS[method].grains[0]
    with pytest.raises(ParameterError, match=f"was given {option}="):
        discover(asked(str(grain)), method, **{option: value})


def test_every_option_of_every_method_has_a_kind() -> None:
    for name, method in METHODS.items():
        for option in method.options:
            with pytest.raises(ParameterError, match="Write for example"):
                check_option(name, option, object())


def test_two_searches_at_once_write_over_nothing(tmp_path: Path) -> None:
    question = asked("nodes")
    one, two = (log_of(Journal(tmp_path / "j"), question, EXACT_PATCHING, {}) for _ in range(2))
    one.append({"v": 1})
    one.append({"v": 2})
    with pytest.raises(ParameterError, match="written to by another search"):
        two.append({"w": 9})
    again = log_of(Journal(tmp_path / "j"), question, EXACT_PATCHING, {})
    assert [entry["v"] for entry in again.entries] == [1, 2]


def test_under_optimal_ablation_a_circuit_has_constants_of_its_own() -> None:
    known = known_circuit("proportion")
    network = lift(load(known.module(), tokenizer=known.tokenizer()))
    pairs = PromptPairs.build(network.model.tokenizer, known.rows(8, 0))
    ablation = optimal(pairs, Learning(steps=20))
    question = Question(network, pairs, ablation, reference=pairs)
    truth = circuit_of(question, [f"{sender} -> {receiver}" for sender, receiver in known.truth])
    assert truth.scores().faithfulness == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ParameterError, match="for each circuit by itself"):
        faithfulness_curve(exact_patching(question))
