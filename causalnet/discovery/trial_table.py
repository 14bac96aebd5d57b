"""Methods on trial: how well they rank the edges of networks whose circuits are known.

Against two truths: the structural one, which the weights connect, and the live one, which some
output depends on under an ablation on these prompts.  A method is only obliged to find the latter.

Conventions, by which published figures are made again: 16 prompts of seed 0; `counterfactual` is
the paired prompt, `mean` the mean at each position of the same prompts; outcomes are read where
`outcome_of_task` says; edges are ranked by the size of their mean score, ties at mid-ranks.
Exact effects below rounding are 0; scores by gradients are products, not differences, and are
ranked as they are: under hard attention they tell edges apart by scores such as 1e-22.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from causalnet.discovery.live_truth import LiveTruth, live_truth
from causalnet.discovery.methods import discover
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.discovery.scoring import score_ranking
from causalnet.effects import counterfactual, mean_per_position, zero
from causalnet.errors import ParameterError
from causalnet.interventions import ReadOut, logit_diff, logit_distance, loss
from causalnet.known_circuits import known_circuit
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import make

__all__ = [
    "ABLATIONS",
    "TRIALS",
    "Ranked",
    "RankingRow",
    "RankingTrial",
    "outcome_of_task",
    "ranking_row",
    "trial_question",
    "truth_of",
]

ABLATIONS = ("counterfactual", "mean", "zero")
TAUS = tuple(10 ** (-power / 2) for power in range(-1, 9))
"""Thresholds of a distance, of which the squares are 10 to 1e-8."""
NO_ANSWER = ("proportion", "brackets", "sort", "sort_soft")
"""Networks of which every token's output counts, and none is the one right answer."""


def outcome_of_task(network: str) -> ReadOut:
    """Return the outcome by which a known circuit is scored.

    The logit difference where a prompt has one right answer; elsewhere the loss at all tokens: what
    is linear in the logits has a mean effect of 0 under the mean ablation.
    """
    return replace(loss, at="all") if network in NO_ANSWER else logit_diff


def _of_last_token(network: str) -> ReadOut:
    return logit_diff if network.startswith("sort") else outcome_of_task(network)


def _distance(network: str) -> ReadOut:
    return replace(logit_distance, at="all")


@dataclass(frozen=True, slots=True)
class RankingTrial:
    """A column of the table.

    Attributes:
        name: What it is called.
        method: A method of `discover`.
        options: Its options.
        outcome: From a network's name to the outcome that is scored.
        resolved: Whether scores below rounding are 0.
        ablations: The ablations that the method takes.
    """

    name: str
    method: str
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    outcome: Callable[[str], ReadOut] = outcome_of_task
    resolved: bool = False
    ablations: tuple[str, ...] = ABLATIONS

    def scores(self, network: str, question: Question) -> Scores:
        """Return the scores of a question, with the outcome of this trial."""
        asked = replace(question, readout=self.outcome(network))
        options: dict[str, Any] = dict(self.options)
        return discover(asked, self.method, **options)


TRIALS = (
    RankingTrial("exact", "exact_patching", outcome=_of_last_token, resolved=True),
    RankingTrial("exact by distance", "exact_patching", outcome=_distance, resolved=True),
    RankingTrial("EAP", "eap"),
    RankingTrial("EAP-IG inputs", "eap_ig_inputs", ablations=("counterfactual",)),
    RankingTrial("EAP-IG activations", "eap_ig_activations"),
    RankingTrial("mask-IG", "mask_ig"),
    RankingTrial("ACDC", "acdc", MappingProxyType({"tau": TAUS}), outcome=_distance),
)
"""The columns, in order; others can be put behind them."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One cell: areas under the ROC curve.

    Attributes:
        structural: Against the edges that the weights connect.
        live: Against those that some output depends on.
    """

    structural: float
    live: float

    def __str__(self) -> str:
        """Return `0.64 / 1.00`."""
        return f"{self.structural:.2f} / {self.live:.2f}"


@dataclass(frozen=True, slots=True)
class RankingRow:
    """One network under one ablation.

    Attributes:
        network: Its name.
        ablation: The ablation's name.
        edges: How many there are.
        structural: How many the weights connect.
        live: How many are live.
        cells: By the name of the trial; None where the method does not take the ablation.
    """

    network: str
    ablation: str
    edges: int
    structural: int
    live: int
    cells: Mapping[str, Ranked | None]

    def __str__(self) -> str:
        """Return one line of a table."""
        shown = " | ".join("-" if cell is None else str(cell) for cell in self.cells.values())
        counts = f"{self.edges} | {self.structural} | {self.live}"
        return f"| {self.network} | {self.ablation} | {counts} | {shown} |"


def ranking_row(
    network: str,
    ablation: str,
    trials: Sequence[RankingTrial] = TRIALS,
    *,
    prompts: int = 16,
    seed: int = 0,
) -> RankingRow:
    """Return one row of the table.

    Raises:
        ModelNotFoundError: No such network.
        ParameterError: No such ablation.

    >>> row = ranking_row("induction", "counterfactual", TRIALS[2:3])
    >>> print(row)
    | induction | counterfactual | 106 | 7 | 2 | 0.64 / 1.00 |
    """
    question = trial_question(network, ablation, prompts, seed)
    truth = truth_of(question, network)
    cells = {
        trial.name: _ranked(trial, network, question, truth)
        if ablation in trial.ablations
        else None
        for trial in trials
    }
    counts = len(question.units), len(truth.structural), len(truth.live)
    return RankingRow(network, ablation, *counts, MappingProxyType(cells))


def trial_question(
    network: str, ablation: str = "counterfactual", prompts: int = 16, seed: int = 0
) -> Question:
    """Return what the methods are asked of a known circuit.

    Raises:
        ModelNotFoundError: No such network.
        ParameterError: No such ablation.
    """
    if ablation not in ABLATIONS:
        raise ParameterError(
            f"The ablation {ablation!r}.",
            f"There are {', '.join(ABLATIONS)}.",
            f"Write {ABLATIONS[0]!r}.",
        )
    net = _net(network)
    pairs = make(f"known:{network}", net.model.tokenizer, n=prompts, seed=seed)
    made = {
        "counterfactual": (counterfactual(), None),
        "mean": (mean_per_position(pairs.base), pairs.base),
        "zero": (zero(), None),
    }
    chosen, reference = made[ablation]
    return Question(net, pairs, chosen, outcome_of_task(network), reference=reference)


def truth_of(question: Question, network: str) -> LiveTruth:
    """Return the edges of a known circuit, and which of them are live for a question."""
    return live_truth(question, known_circuit(network).truth)


def _ranked(trial: RankingTrial, network: str, question: Question, truth: LiveTruth) -> Ranked:
    scores = trial.scores(network, question)
    ranked = scores.ranking() if trial.resolved else np.abs(scores.values)
    by_name = dict(zip(scores.question.units.names, ranked.tolist(), strict=True))
    areas = (
        score_ranking(by_name, members, convention="absolute").auroc
        for members in (truth.structural, truth.live)
    )
    return Ranked(*areas)


@cache
def _net(network: str) -> LiftedNetwork:
    return lift(load(f"known:{network}"))
