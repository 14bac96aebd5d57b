"""Scores of predictions: balanced over outcomes, compared question by question, with intervals."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.statistics import Interval

__all__ = ["Balance", "Effect", "Kind", "Questions", "Score", "Weights", "strata_of"]

Kind: TypeAlias = Literal["forward", "counterfactual"]
"""`forward`: what does the model answer?  `counterfactual`: what does it after an intervention?"""

Balance: TypeAlias = Literal["output", "none"]
"""`output`: every outcome counts alike, and of counterfactuals those that change it as much as
those that do not, so that guessing does not help; `none`: every question counts alike."""

Numbers = NDArray[np.float64]
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Questions about a model, with what came out and what was predicted.

    Attributes:
        kind: `forward` or `counterfactual`.
        prompts: Which prompt each is about, [m].
        interventions: Which intervention; "" for none, [m].
        actual: The model's outcome, [m].
        claimed: What the claim predicts, [m].
        inputs: What a predictor without the claim sees of each, by name, [m]: tokens, what is
            intervened on, the outcome before.
        naive: Predictions that need no claim and no training, by name, [m].
        before: The outcome before the intervention; none for forward questions.
        drawn: Whether interventions are a random draw, so that the interval is about others of
            their kind too.

    Raises:
        ParameterError: No question, or columns of other lengths.
    """

    kind: Kind
    prompts: tuple[int, ...]
    interventions: tuple[str, ...]
    actual: tuple[Hashable, ...]
    claimed: tuple[Hashable, ...]
    inputs: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    naive: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    before: tuple[Hashable, ...] = ()
    drawn: bool = False

    def __post_init__(self) -> None:
        """Check the lengths."""
        columns: dict[str, Sequence[object]] = {
            "interventions": self.interventions,
            "actual": self.actual,
            "claimed": self.claimed,
            **{f"inputs[{name!r}]": column for name, column in self.inputs.items()},
            **{f"naive[{name!r}]": column for name, column in self.naive.items()},
        }
        if self.kind == "counterfactual":
            columns["before"] = self.before
        wrong = {name: len(column) for name, column in columns.items()}
        odd = [name for name, size in wrong.items() if size != len(self.prompts)]
        if odd or not self.prompts:
            raise ParameterError(
                came=f"{len(self.prompts)} questions, and {odd[0]} has {wrong[odd[0]]}."
                if odd
                else "No question.",
                possible="One entry per question, and at least one question.",
                write="Give every prediction: each question has one, forced.",
            )

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self.prompts)


def strata_of(questions: Questions, balance: Balance) -> tuple[Hashable, ...]:
    """Return the stratum of each question: its outcome, and whether that changed, [m]."""
    if balance == "none":
        return ("all",) * len(questions)
    if questions.kind == "forward":
        return questions.actual
    pairs = zip(questions.before, questions.actual, strict=True)
    return tuple((after, before != after) for before, after in pairs)


@dataclass(frozen=True, slots=True)
class Score:
    """How often one predictor is right.

    Attributes:
        name: The predictor.
        accuracy: Share of all questions.
        balanced: Mean over strata of the share in each.
    """

    name: str
    accuracy: float
    balanced: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What the claim adds to a predictor without it: the difference of balanced scores.

    Attributes:
        over: The predictor without the claim.
        value: With - without.
        interval: By bootstrap over prompts, and over interventions where they are drawn.
    """

    over: str
    value: float
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"over": self.over, "value": self.value, "interval": self.interval.to_json()}


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Questions in strata, as they are and as bootstrap draws them.

    Attributes:
        strata: The stratum of each question, by number, [m].
        prompts: Their prompts, by number, [m].
        interventions: Their interventions, by number, [m].
        drawn: Whether interventions are drawn again too.
        replicates: How many draws.
        seed: Of the draws.
    """

    strata: NDArray[np.int64]
    prompts: NDArray[np.int64]
    interventions: NDArray[np.int64]
    drawn: bool
    replicates: int
    seed: int

    @classmethod
    def of(cls, questions: Questions, balance: Balance, replicates: int, seed: int) -> "Weights":
        """Number strata, prompts and interventions."""
        strata, prompts, interventions = (
            _numbered(column)
            for column in (
                strata_of(questions, balance),
                questions.prompts,
                questions.interventions,
            )
        )
        return cls(strata, prompts, interventions, questions.drawn, replicates, seed)

    def balanced(self, right: Numbers) -> float:
        """Return the mean over strata of the mean in each, of numbers [m]."""
        counts = np.bincount(self.strata)
        return float((np.bincount(self.strata, right) / counts).mean())

    def effect(self, right: Numbers, other: Numbers, over: str, level: float) -> Effect:
        """Return the difference of two predictors' balanced scores, paired.

        Prompts are drawn with replacement, and interventions too where they are drawn (crossed:
        Owen 2007).  Where no draw differs, nothing tells of the spread: the interval is then as
        wide as misses that were not seen may be (Clopper and Pearson 1934), in every stratum.

        Args:
            right: Whether the claim's predictions are right, [m].
            other: Whether the other's are, [m].
            over: The other's name.
            level: Coverage.
        """
        difference = right - other
        value = self.balanced(difference)
        tail = (1 - level) / 2
        values = self._replicated(difference)
        low, high = (float(end) for end in np.quantile(values, [tail, 1 - tail]))
        if np.ptp(values) < 1e-12:
            unseen = float(np.mean([1 - tail ** (1 / n) for n in self._prompts_of_strata()]))
            ends = max(-1.0, value - unseen), min(1.0, value + unseen)
            return Effect(over, value, Interval(*ends, level, "clopper_pearson_unseen"))
        ends = min(low, value), max(high, value)
        return Effect(over, value, Interval(*ends, level, "bootstrap_percentile"))

    def _prompts_of_strata(self) -> list[int]:
        count = int(self.strata.max()) + 1
        return [len(np.unique(self.prompts[self.strata == each])) for each in range(count)]

    def _replicated(self, difference: Numbers) -> Numbers:
        rng = np.random.default_rng(self.seed)
        members = np.eye(int(self.strata.max()) + 1)[self.strata]  # [m, strata]
        weighted = members * difference[:, None]
        found: list[Numbers] = []
        for first in range(0, self.replicates, _AT_ONCE):
            size = min(_AT_ONCE, self.replicates - first)
            weights = _again(rng, int(self.prompts.max()) + 1, size)[:, self.prompts]
            if self.drawn:
                weights = (
                    weights
                    * _again(rng, int(self.interventions.max()) + 1, size)[:, self.interventions]
                )
            counts = weights @ members
            means = (weights @ weighted) / np.where(counts > 0, counts, 1)
            there = (counts > 0).sum(1)
            found.append(means.sum(1)[there > 0] / there[there > 0])
        return np.concatenate(found)


def _again(rng: np.random.Generator, n: int, size: int) -> Numbers:
    """Return how often each of `n` is drawn when `n` are, [size, n]."""
    return rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def _numbered(column: Sequence[Hashable]) -> NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(each, len(numbers)) for each in column], dtype=np.int64)
