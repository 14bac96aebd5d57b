"""What is quoted of methods is what was stored, and what is stored comes out again."""

import inspect
import re
from dataclasses import replace

import pytest
import trials

import causalnet.estimators
from causalnet.discovery.methods import METHODS
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual
from causalnet.interventions import Edge, attribution_patch, integrated_gradients
from causalnet.interventions.techniques.measured import ON_TRIAL, on_trial
from tests.house.tree import ROOT
from tests.toys import net, word_pairs

STORED = (ROOT / "bench" / "figures" / "trials.txt").read_text(encoding="utf-8")
SHORT = dict(re.findall(r"^## (\w+),.*?^  in short: (.*?)$", STORED, re.DOTALL | re.MULTILINE))


def in_a_line(text: str | None) -> str:
    return " ".join((text or "").split())


def test_quotes_are_the_stored_figures() -> None:
    assert SHORT == ON_TRIAL
    assert set(SHORT) == {entry.method for entry in trials.ENTRIES}
    assert set(METHODS) - set(SHORT) == {"greedy_search", "screen_then_verify"}


@pytest.mark.parametrize("name", ON_TRIAL)
def test_docstrings_quote_them(name: str) -> None:
    assert ON_TRIAL[name] in in_a_line(inspect.getdoc(METHODS[name].run))


def test_estimators_and_queries_quote_them() -> None:
    for name, function in (("eap", "eap"), ("eap_ig_inputs", "eap_ig"), ("atp_star", "atp_star")):
        assert ON_TRIAL[name] in in_a_line(inspect.getdoc(getattr(causalnet.estimators, function)))
    edge = Edge("L0.H1", "logits")
    assert attribution_patch(edge).error.endswith(on_trial("eap"))
    assert integrated_gradients(edge).error.endswith(on_trial("eap_ig_inputs"))


def test_scores_show_them() -> None:
    question = Question(net("llama"), word_pairs(2, seed=5), counterfactual(), grain="heads")
    for name in ("eap", "exact_patching"):
        scores = METHODS[name].run(question)
        assert on_trial(name) in repr(scores) and on_trial(name) in str(scores.method)


@pytest.mark.parametrize("name", ["exact_patching", "eap"])
def test_trials_come_out_again(name: str) -> None:
    """The first 20 of the 200 sets: means within 4 standard errors of 20 of those stored."""
    (entry,) = (entry for entry in trials.ENTRIES if entry.method == name)
    found = trials.trial_of(entry, 20)
    part = STORED[STORED.index(f"## {name},") :]
    for row in found.rows:
        match = re.search(rf"^  {row.head} +{row.kind} +(\S+) +(\S+) +(\S+)", part, re.MULTILINE)
        assert match is not None and row.bias is not None
        effect, bias, spread = map(float, match.groups())
        assert row.effect == pytest.approx(effect, abs=0.001)
        assert row.bias == pytest.approx(bias, abs=4 * spread / 20**0.5 + 0.001)


def test_gradients_are_biased_as_stated() -> None:
    """Oracle: arithmetic.  No slope where saturated; a conjunction's slope is its whole move."""
    (entry,) = (entry for entry in trials.ENTRIES if entry.method == "eap")
    found = trials.trial_of(replace(entry, share=1.0), 10)
    (saturated,) = found.of("saturated")
    assert saturated.bias == pytest.approx(1 / 3) and saturated.power == 0.0
    first, second = found.of("backup")
    assert first.bias == pytest.approx(0.0, abs=1e-12) and second.power == 1.0
