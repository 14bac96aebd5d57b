"""Simulatability: does a claim help to predict what the model does?

Hase and Bansal 2020, with the claim's own causal graph, a program, in place of people: a circuit
run alone, or a high-level model.  `Forward`: what does the model answer on held-out prompts?
`Counterfactual`: what does it answer after interventions that the claim was not made from?  The
same questions are asked of predictors without the claim; the effect is with - without.  Prompts
that the claim was made from are left out of the test, outcomes are balanced, and every question
gets a prediction.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from causalnet.abstraction.simulation_baselines import predictions_without
from causalnet.abstraction.simulation_scores import (
    Balance,
    Effect,
    Kind,
    Questions,
    Score,
    Weights,
    strata_of,
)
from causalnet.errors import ParameterError
from causalnet.statistics.samples import check_level

__all__ = ["KindScores", "Simulatability", "Simulator", "compare_predictions", "simulatability"]

Data = TypeVar("Data", contravariant=True)


class Simulator(Protocol[Data]):
    """A claim that predicts, beside the model that it is about."""

    @property
    def conventions(self) -> Mapping[str, str]:
        """What its predictions depend on, by name."""

    def ask(self, data: Data, kind: Kind, held_out: bool) -> Questions | None:
        """Return questions about prompts, with outcomes and predictions.

        Args:
            data: The prompts.
            kind: Which questions.
            held_out: Whether interventions are those that the claim was not made from; else those
                it was, None where there are none.
        """

    def seen(self, data: Data) -> Sequence[Hashable]:
        """Return what tells prompts apart, row by row."""

    def only(self, data: Data, rows: Sequence[int]) -> Any:
        """Return some rows of prompts."""


@dataclass(frozen=True, slots=True)
class KindScores:
    """How well one kind of question is answered, with the claim and without.

    Attributes:
        kind: `forward` or `counterfactual`.
        questions: How many.
        prompts: On how many prompts.
        interventions: Under how many interventions.
        strata: How many questions each stratum has, by its name.
        claim: The claim's score.
        without: Scores of the predictors without it.
        effects: What the claim adds to each.
    """

    kind: Kind
    questions: int
    prompts: int
    interventions: int
    strata: Mapping[str, int]
    claim: Score
    without: tuple[Score, ...]
    effects: tuple[Effect, ...]

    @property
    def effect(self) -> Effect:
        """What the claim adds to the best predictor without it, as found on these questions.

        Raises:
            ParameterError: There is no predictor without it.
        """
        if not self.effects:
            raise ParameterError(
                came="There is no predictor without the claim.",
                possible="One is learned on finding prompts.",
                write="Give `finding`.",
            )
        return min(self.effects, key=lambda each: each.value)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "kind": self.kind,
            "questions": self.questions,
            "prompts": self.prompts,
            "interventions": self.interventions,
            "strata": dict(self.strata),
            "claim": {"accuracy": self.claim.accuracy, "balanced": self.claim.balanced},
            "without": {
                each.name: {"accuracy": each.accuracy, "balanced": each.balanced}
                for each in self.without
            },
            "effects": [each.to_json() for each in self.effects],
        }

    def __str__(self) -> str:
        """Return a line for the claim and one for each predictor without it."""
        head = (
            f"{self.kind}: {self.questions} questions, {self.prompts} prompts, "
            f"{self.interventions} interventions"
        )
        lines = [head, f"  the claim{'':22} {self.claim.balanced:.3f}"]
        for score, effect in zip(self.without, self.effects, strict=True):
            added = effect.interval.written(0.0, sign=True)
            lines.append(f"  {score.name:31} {score.balanced:.3f}  the claim adds {added}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Simulatability:
    """What a claim adds to predictions of a model.

    Attributes:
        forward: On held-out prompts.
        counterfactual: Under held-out interventions; None where there are none.
        left_out: Test prompts that were left out, for the claim was made from them.
        conventions: What the numbers depend on, by name.
    """

    forward: KindScores
    counterfactual: KindScores | None
    left_out: int
    conventions: Mapping[str, str] = field(hash=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why scores may mislead, in sentences."""
        told = []
        for scores in (self.forward, self.counterfactual):
            if scores is not None and len(scores.strata) == 1:
                told.append(
                    f"{scores.kind}: there is one outcome on all questions, so that a guess is as "
                    "good as a claim."
                )
        if self.left_out:
            told.append(
                f"{self.left_out} test prompts were left out: the claim was made from them."
            )
        return tuple(told)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        counterfactual = self.counterfactual
        return {
            "forward": self.forward.to_json(),
            "counterfactual": None if counterfactual is None else counterfactual.to_json(),
            "left_out": self.left_out,
            "conventions": dict(self.conventions),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        """Return the scores and the warnings."""
        told = [str(each) for each in (self.forward, self.counterfactual) if each is not None]
        return "\n".join((*told, *self.warnings))


def simulatability(
    claim: Simulator[Data],
    test: Data,
    finding: Data | None = None,
    *,
    rivals: Mapping[str, Simulator[Data]] | None = None,
    balance: Balance = "output",
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Simulatability:
    """Return how much a claim helps to predict a model.

    Args:
        claim: The claim as a program: `CircuitSimulator`, `ProgramSimulator`.
        test: Held-out prompts; those that are among the finding prompts are left out.
        finding: The prompts that the claim was made from; predictors without the claim learn from
            the model's outcomes on them.  None: such predictors are left out.
        rivals: Other claims, by name, compared as predictors without this one: a random circuit
            of the same size, say.
        balance: Whether every outcome counts alike.
        level: Coverage of intervals.
        replicates: Draws of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ParameterError: No test prompt is left, or numbers that are none.
    """
    check_level(level)
    kept, left_out = _held_out(claim, test, finding)
    scores: dict[Kind, KindScores | None] = {}
    kinds: tuple[Kind, ...] = ("forward", "counterfactual")
    for kind in kinds:
        asked = claim.ask(kept, kind, True)
        if asked is None:
            scores[kind] = None
            continue
        learned = None if finding is None else claim.ask(finding, kind, False)
        predictions = predictions_without(asked, learned)
        for name, rival in (rivals or {}).items():
            other = rival.ask(kept, kind, True)
            if other is None or other.actual != asked.actual:
                raise ParameterError(
                    came=f"The rival {name!r} is asked other questions than the claim.",
                    possible="Rivals predict the same outcomes under the same interventions.",
                    write="Make it with the claim's interventions, scorer and prompts.",
                )
            predictions[name] = other.claimed
        scores[kind] = compare_predictions(
            asked, predictions, balance=balance, level=level, replicates=replicates, seed=seed
        )
    forward = scores["forward"]
    assert forward is not None  # there are prompts
    conventions = {
        **claim.conventions,
        "balance": "every outcome counts alike" if balance == "output" else "none",
        "interval": f"{100 * level:.6g} %, {replicates} bootstrap draws, seed {seed}",
        "test prompts": f"{len(claim.seen(kept))}, none of them among the finding prompts",
    }
    return Simulatability(forward, scores["counterfactual"], left_out, conventions)


def compare_predictions(
    questions: Questions,
    without: Mapping[str, Sequence[Hashable]],
    *,
    balance: Balance = "output",
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> KindScores:
    """Score a claim's predictions and those of others on the same questions.

    Args:
        questions: What came out, and what the claim predicts.
        without: Predictions without the claim, by name, [m] each.
        balance: Whether every outcome counts alike.
        level: Coverage of intervals.
        replicates: Draws of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ParameterError: Predictions that are missing, no replicate, another balance.

    >>> said = ("yes", "yes", "no", "no") * 10
    >>> asked = Questions("forward", tuple(range(40)), ("",) * 40, said, said)
    >>> print(compare_predictions(asked, {"always yes": ("yes",) * 40}))
    forward: 40 questions, 40 prompts, 1 interventions
      the claim                       1.000
      always yes                      0.500  the claim adds [+0.332, +0.668] (95 %)
    """
    _check(questions, without, balance, replicates)
    weights = Weights.of(questions, balance, replicates, seed)
    claimed = _right(questions.claimed, questions.actual)
    scores, effects = [], []
    for name, predicted in without.items():
        right = _right(predicted, questions.actual)
        scores.append(Score(name, float(right.mean()), weights.balanced(right)))
        effects.append(weights.effect(claimed, right, name, level))
    strata: dict[str, int] = {}
    for stratum in strata_of(questions, balance):
        name = _named(stratum, questions.kind)
        strata[name] = strata.get(name, 0) + 1
    return KindScores(
        questions.kind,
        len(questions),
        len(set(questions.prompts)),
        len(set(questions.interventions)),
        strata,
        Score("the claim", float(claimed.mean()), weights.balanced(claimed)),
        tuple(scores),
        tuple(effects),
    )


def _named(stratum: Hashable, kind: Kind) -> str:
    if kind == "counterfactual" and isinstance(stratum, tuple):
        return f"{stratum[0]}, {'changed' if stratum[1] else 'not changed'}"
    return str(stratum)


def _right(predicted: Sequence[Hashable], actual: Sequence[Hashable]) -> np.ndarray[Any, Any]:
    return np.array([a == b for a, b in zip(predicted, actual, strict=True)], dtype=np.float64)


def _held_out(claim: Simulator[Data], test: Data, finding: Data | None) -> tuple[Any, int]:
    if finding is None:
        return test, 0
    known, asked = set(claim.seen(finding)), claim.seen(test)
    rows = [row for row, each in enumerate(asked) if each not in known]
    if not rows:
        raise ParameterError(
            came=f"All {len(asked)} test prompts are among the finding prompts.",
            possible="A claim is tested on prompts that it was not made from.",
            write="Draw test prompts with another seed, or split the prompts.",
        )
    return (test if len(rows) == len(asked) else claim.only(test, rows)), len(asked) - len(rows)


def _check(
    questions: Questions,
    without: Mapping[str, Sequence[Hashable]],
    balance: str,
    replicates: int,
) -> None:
    short = [name for name, column in without.items() if len(column) != len(questions)]
    if short:
        raise ParameterError(
            came=f"{short[0]!r} predicts {len(without[short[0]])} of {len(questions)} questions.",
            possible="Every predictor answers every question.",
            write="Force a prediction where there is none.",
        )
    if balance not in ("output", "none"):
        raise ParameterError(
            came=f"balance={balance!r}.", possible="output or none.", write="Write 'output'."
        )
    if isinstance(replicates, bool) or not isinstance(replicates, int) or replicates < 100:
        raise ParameterError(
            came=f"replicates={replicates!r}.",
            possible="A whole number from 100 on.",
            write="Write replicates=2000.",
        )
