"""Scrubbed worlds, by the wavefront and by hooks, against a scrubber that knows no worlds."""

from itertools import product

import numpy as np
import pytest
import torch

from causalnet.abstraction.interpretation import (
    Feature,
    Interpretation,
    InterpretationNode,
    anything,
    nothing,
)
from causalnet.abstraction.scrubbing import scrub
from causalnet.abstraction.scrubbing_draws import Resampling
from causalnet.abstraction.scrubbing_worlds import scrubbed_network
from causalnet.execute import Executor
from causalnet.interventions import Hypothesis, Interpreted, causal_scrubbing, logit_diff
from causalnet.lift import raised_casts
from causalnet.tasks import PromptPairs
from tests.abstraction.scrubbing_by_hand import ByHand
from tests.toys import WORDS, net, words

EXECUTORS: tuple[Executor, ...] = ("wavefront", "hooks")
PARITY = Feature("the first word is even", lambda datum: datum.token(0) % 2)
HALF = Feature("the last word is late", lambda datum: datum.token(-1) > 32)


def placed_pairs(n: int, seed: int = 0) -> PromptPairs:
    """Random words, with a position that differs from row to row."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in range(n):
        chosen = [WORDS[number] for number in rng.integers(0, 60, 6)]
        answer, foil = rng.choice(60, 2, replace=False)
        rows.append(
            {
                "base": " ".join(chosen),
                "source": " ".join(chosen[::-1]),
                "answer": f" {WORDS[answer]}",
                "foil": f" {WORDS[foil]}",
                "positions": {"spot": 1 + row % 3},
            }
        )
    return PromptPairs.build(words(), rows)


def node(name: str, *mediators: str, **options: object) -> InterpretationNode:
    return InterpretationNode(name, mediators, options.pop("feature", PARITY), **options)  # type: ignore[arg-type]


HYPOTHESES = {
    "nothing": nothing(),
    "one head": Interpretation((node("out", "logits", parents=("a",)), node("a", "L1.H1"))),
    "two readers of one": Interpretation(
        (
            node("out", "logits", parents=("late", "early")),
            node("late", "L1.H1", "L1.H2", parents=("early",), feature=HALF),
            node("early", "L0.H0", parents=("words",)),
            node("words", "embed", feature=HALF),
        )
    ),
    "positions and receivers": Interpretation(
        (
            node("out", "logits", parents=("late", "mlp")),
            node("late", "L1.H3", parents=("early",), enters=("L1.H3.q",), at=("end",)),
            node("early", "L0.H1", at=("spot",), feature=HALF),
            node("mlp", "L1.mlp", parents=("early",), rest="own"),
        )
    ),
    "random leaves": Interpretation(
        (
            node("out", "logits", parents=("a",), rest="own"),
            node("a", "L1.mlp", rest="random", feature=anything),
        )
    ),
}


@pytest.mark.parametrize("name", HYPOTHESES)
def test_scrubbed_outcomes_are_those_added_up_by_hand(name: str) -> None:
    network, pairs, hypothesis = net("small"), placed_pairs(4), HYPOTHESES[name]
    module = network.model.module
    data = [
        dict(zip(pairs.base.positions, row, strict=True))
        for row in zip(*pairs.base.positions.values(), strict=True)
    ]
    for unimportant, sharing in product(("jointly", "independently"), ("per path", "per node")):
        variant = Resampling(unimportant, sharing, draws=2)  # type: ignore[arg-type]
        found = scrub(network, hypothesis, pairs, resampling=variant, seed=3)
        for draw, row in product(range(2), range(len(pairs))):
            drawn = {key: int(rows[draw, row]) for key, rows in found.drawn.items()}
            by_hand = ByHand(
                module,
                hypothesis,
                pairs.base.ids,
                data,
                drawn,
                per_node=sharing == "per node",
                apart=unimportant == "independently",
            )
            with torch.no_grad():
                logits = by_hand.logits()
            expected = float(logits[pairs.answers[row][0]] - logits[pairs.foils[row][0]])
            assert found.scrubbed[draw, row] == pytest.approx(expected, abs=1e-9)


def test_terms_are_those_of_the_language() -> None:
    """One datum for each path, the rest jointly: the technique of the term language."""
    network = net("small")
    hypothesis = Interpretation(
        (
            node("out", "logits", parents=("late", "early")),
            node("late", "L1.H1", parents=("early",), enters=("L1.H1.q",)),
            node("early", "L0.H0"),
        )
    )
    technique = Hypothesis(
        (
            Interpreted("out", "logits", "", ("late", "early")),
            Interpreted("late", "L1.H1", "", ("early",), ("L1.H1.q",)),
            Interpreted("early", "L0.H0", ""),
        )
    )
    made = scrubbed_network(network.graph, hypothesis, Resampling(), logit_diff)
    query = causal_scrubbing(technique)
    assert made.world == query.contrasts[0][1].terms[0][1].world  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("name", HYPOTHESES)
def test_the_wavefront_computes_what_hooks_do(name: str, kind: str) -> None:
    hypothesis, pairs = HYPOTHESES[name], placed_pairs(4)
    variant = Resampling("independently" if kind == "llama" else "jointly")
    network = net(kind)
    with raised_casts(network.model.module):
        by_waves, by_hooks = (
            scrub(network, hypothesis, pairs, resampling=variant, executor=executor).scrubbed
            for executor in EXECUTORS
        )
    assert np.ptp(by_hooks) > 0
    np.testing.assert_allclose(by_waves, by_hooks, atol=1e-9)
