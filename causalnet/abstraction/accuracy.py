"""Interchange intervention accuracy, with the controls without which it says little.

Geiger et al. 2021: the share of pairs on which the network, with the aligned nodes of a variable
set to their values on a source, gives the answer that the high-level model gives with the variable
set to its value on that source.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.alignment import Alignment
from causalnet.abstraction.controls import CONTROLS, Arm, Unavailable, arms_of, check_waivers
from causalnet.abstraction.measuring import ArmScores, Criterion, base_hits, measure_arms
from causalnet.abstraction.pairs import Interchanges
from causalnet.abstraction.rates import PairedWins, Rate
from causalnet.abstraction.recalling import Recall
from causalnet.errors import ParameterError
from causalnet.execute import Executor, Progress
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork
from causalnet.statistics.samples import check_alpha

__all__ = ["ControlResult", "InterchangeAccuracy", "WorstPair", "interchange_accuracy"]


@dataclass(frozen=True, slots=True)
class WorstPair:
    """The pair on which the network is furthest from what is predicted.

    Attributes:
        base: The base prompt.
        sources: The source of each variable.
        is_cause: Whether the answer should change.
        is_right: Whether the predicted answer was given all the same.
        predicted: The answer of the high-level model.
        answered: The network's most likely answer of the pair's candidates; "another token"
            where a token beyond them is more likely.
        gap: Logit of the predicted answer minus the largest other candidate's.
    """

    base: str
    sources: tuple[str, ...]
    is_cause: bool
    is_right: bool
    predicted: str
    answered: str
    gap: float

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return {
            "base": self.base,
            "sources": list(self.sources),
            "kind": "cause" if self.is_cause else "isolate",
            "is_right": self.is_right,
            "predicted": self.predicted,
            "answered": self.answered,
            "logit_gap": self.gap,
        }

    def __str__(self) -> str:
        """Return one line."""
        sources = ", ".join(map(repr, self.sources))
        return (
            f"{self.base!r} from {sources}: {self.predicted!r} predicted, {self.answered!r} "
            f"answered, {self.gap:+.2f} logits"
        )


@dataclass(frozen=True, slots=True)
class ControlResult:
    """One control beside the hypothesis.

    Attributes:
        control: Which of `CONTROLS`.
        label: Its name; of several draws with a number.
        text: What was done.
        cause: Accuracy on cause pairs: how often the predicted answer is given all the same.
        isolate: Accuracy on isolate pairs.
        classes: Accuracy on each class of pairs.
        paired: Hypothesis against control on the same cause pairs.
        expected: The control's accuracy on cause pairs if the hypothesis is right; None where it
            does not say.
    """

    control: str
    label: str
    text: str
    cause: Rate
    isolate: Rate
    classes: tuple[tuple[str, Rate], ...]
    paired: PairedWins
    expected: float | None

    @property
    def can_tell(self) -> bool:
        """Whether the control can differ: not where the hypothesis itself predicts the same."""
        return self.expected != 1.0

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return {
            "control": self.control,
            "label": self.label,
            "does": self.text,
            "cause": self.cause.to_json(),
            "isolate": self.isolate.to_json(),
            "paired_on_cause": self.paired.to_json(),
            "expected_on_cause": self.expected,
        }


@dataclass(frozen=True, slots=True)
class InterchangeAccuracy:
    """How often interchanges do what a high-level model says, and what else does the same.

    Attributes:
        model: The high-level model's name.
        variables: Interchanged together.
        alignment: Where they are said to be.
        distribution: Of which pairs the rates are, in words.
        criterion: When an answer is the predicted one, `top` or `candidates`.
        cause: Accuracy on pairs whose answer should change.
        isolate: Accuracy on pairs whose answer should stay.
        overall: Accuracy on all of them, which are as many of both kinds.
        classes: Accuracy on each class of pairs: `cause`, `isolate`, or finer ones.
        strata: The same, by template where there are several.
        base: How often the bases themselves are answered as the high-level model says.
        controls: The controls that were run.
        unavailable: The controls that there cannot be, with the reason.
        waived: The controls that were left out, with the reason given.
        worst: The pair furthest from what is predicted.
        forwards: Forward passes that were run.
    """

    model: str
    variables: tuple[str, ...]
    alignment: str
    distribution: str
    criterion: Criterion
    cause: Rate
    isolate: Rate
    overall: Rate
    classes: tuple[tuple[str, Rate], ...]
    strata: tuple[tuple[str, Rate], ...]
    base: Rate
    controls: tuple[ControlResult, ...]
    unavailable: tuple[Unavailable, ...]
    waived: tuple[tuple[str, str], ...]
    worst: WorstPair
    forwards: int

    @property
    def eps(self) -> float:
        """1 - accuracy: the model is an eps-abstraction on this distribution of pairs."""
        return 1.0 - self.overall.estimate

    @property
    def worst_stratum(self) -> tuple[str, Rate]:
        """The stratum with the smallest accuracy."""
        return min(self.strata, key=lambda each: each[1].estimate)

    @property
    def not_beaten(self) -> tuple[str, ...]:
        """Controls that the hypothesis is not shown to do better than on cause pairs.

        Controls that cannot be run are among them, those that cannot tell and those that were
        waived are not.
        """
        told = (each for each in self.controls if each.can_tell and not each.paired.is_above)
        return (*(each.label for each in told), *(each.control for each in self.unavailable))

    @property
    def is_above_controls(self) -> bool:
        """Whether the hypothesis does better than every control that can tell, on cause pairs.

        Each comparison is at its own alpha: all have to succeed, so that no correction is needed
        (an intersection-union test).
        """
        return not self.not_beaten and any(each.can_tell for each in self.controls)

    def to_json(self) -> dict[str, object]:
        """Return everything, as JSON values."""
        return {
            "model": self.model,
            "variables": list(self.variables),
            "alignment": self.alignment,
            "distribution": self.distribution,
            "criterion": self.criterion,
            "cause": self.cause.to_json(),
            "isolate": self.isolate.to_json(),
            "overall": self.overall.to_json(),
            "eps": self.eps,
            "classes": {name: rate.to_json() for name, rate in self.classes},
            "strata": {name: rate.to_json() for name, rate in self.strata},
            "worst_stratum": self.worst_stratum[0],
            "base_accuracy": self.base.to_json(),
            "controls": [each.to_json() for each in self.controls],
            "unavailable": {each.control: each.reason for each in self.unavailable},
            "waived": dict(self.waived),
            "not_beaten": list(self.not_beaten),
            "is_above_controls": self.is_above_controls,
            "worst_pair": self.worst.to_json(),
        }

    def __str__(self) -> str:
        """Return a table."""
        head = f"{self.model}: {' and '.join(self.variables)} at {self.alignment}"
        name, rate = self.worst_stratum
        lines = [
            head,
            f"  {self.distribution}",
            f"  cause {self.cause}; isolate {self.isolate}",
            f"  overall {self.overall.estimate:.3f}, worst stratum {name} {rate.estimate:.3f}, "
            f"bases {self.base.estimate:.3f}",
        ]
        lines += [_control_line(each) for each in self.controls]
        lines += [f"  {each.control}: not run, {each.reason}" for each in self.unavailable]
        lines += [f"  {name}: waived, {why}" for name, why in self.waived]
        lines.append(f"  worst: {self.worst}")
        return "\n".join(lines)


def _control_line(each: ControlResult) -> str:
    said = "" if each.expected is None else f", {each.expected:.3f} expected"
    beaten = "beaten" if each.paired.is_above else "not beaten"
    verdict = beaten if each.can_tell else "cannot tell: the hypothesis predicts the same"
    return f"  {each.label}: cause {each.cause.estimate:.3f}{said}, {each.paired} ({verdict})"


def interchange_accuracy(
    net: LiftedNetwork,
    pairs: Interchanges,
    alignment: Alignment,
    *,
    criterion: Criterion = "top",
    draws: int = 5,
    waive: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
    progress: Progress | None = None,
    recall: Recall | None = None,
) -> InterchangeAccuracy:
    """Measure how often interchanges give the answer of the high-level model, with four controls.

    Args:
        net: The lifted network.
        pairs: What is interchanged, and what is predicted: `draw_interchanges`.
        alignment: Where the variables are said to be.
        criterion: `top`, the predicted token is the most likely of the vocabulary; `candidates`,
            the most likely of the answers that the interchange could have given.
        draws: How many random alignments.
        waive: Controls that are left out, with the reason; it stands in the result.
        alpha: Error probability of each end of intervals and of each comparison.
        at: Where the answer is read.
        executor: `wavefront`, `hooks` or `auto`.
        batch_size: Most pairs in a batch.
        progress: Told about every pass.
        recall: Where what was run before is found; None to run it.

    Returns:
        Rates with exact confidence sequences, controls, and the worst pair.

    Raises:
        ParameterError: No such control or criterion, a waiver without a reason, no draw, alpha
            outside (0, 0.5).
        TermError: A variable that is not aligned, or sites that overlap.
        UnknownMediatorError: A node that the network does not have.
        AnswerError: An answer that is not one token.
        AlignmentError: Prompts of unequal length where nodes are swapped at all positions; draw
            pairs `within="length"`.
    """
    waived, alpha = check_waivers(waive or {}), check_alpha(alpha)
    _check(criterion, draws)
    own = alignment.of(pairs.variables)
    arms, missing = arms_of(own, net.graph, draws=draws, seed=pairs.seed, waive=waived)
    # The bases' own accuracy needs the untouched network, control or not.
    plain = Arm("no intervention", "no intervention", None, "nothing is swapped")
    needed = arms if "no intervention" not in waived else [*arms, plain]
    scores, forwards = measure_arms(
        net,
        pairs,
        needed,
        at=at,
        executor=executor,
        batch_size=batch_size,
        progress=progress,
        recall=recall,
    )
    return judged(pairs, arms, missing, scores, criterion, waived, alpha, forwards)


def judged(
    pairs: Interchanges,
    arms: Sequence[Arm],
    missing: Iterable[Unavailable],
    scores: Mapping[str, ArmScores],
    criterion: Criterion,
    waived: Mapping[str, str],
    alpha: float,
    forwards: int,
) -> InterchangeAccuracy:
    """Return the rates of what was measured; no network is run."""
    cause = pairs.is_cause
    hypothesis = scores["hypothesis"].hits(criterion)
    right = base_hits(pairs, scores["no intervention"], criterion)
    controls = [
        ControlResult(
            arm.control,
            arm.label,
            arm.text,
            Rate.of(hits[cause], alpha),
            Rate.of(hits[~cause], alpha),
            _rates(pairs.labels, hits, alpha),
            PairedWins.of(hypothesis[cause], hits[cause], alpha),
            _expected(pairs, arm),
        )
        for arm in arms
        if arm.control
        for hits in (scores[arm.label].hits(criterion),)
    ]
    return InterchangeAccuracy(
        pairs.model.name,
        pairs.variables,
        arms[0].text,
        pairs.distribution(),
        criterion,
        Rate.of(hypothesis[cause], alpha),
        Rate.of(hypothesis[~cause], alpha),
        Rate.of(hypothesis, alpha),
        _rates(pairs.labels, hypothesis, alpha),
        _rates(_strata(pairs), hypothesis, alpha),
        Rate.of(right, alpha),
        tuple(controls),
        tuple(missing),
        tuple(waived.items()),
        _worst(pairs, scores["hypothesis"], hypothesis),
        forwards,
    )


def _expected(pairs: Interchanges, arm: Arm) -> float | None:
    """Return a control's accuracy on cause pairs if the hypothesis is right."""
    match arm.control:
        case "no intervention":
            given = pairs.before
        case "full swap" if len(pairs.variables) == 1:
            given = pairs.of_sources
        case "shuffled source":
            given = pairs.predicted_with(pairs.shuffled())
        case _:
            return None
    agree = np.array([one == other for one, other in zip(given, pairs.predicted, strict=True)])
    return float(agree[pairs.is_cause].mean()) if pairs.is_cause.any() else None


def _strata(pairs: Interchanges) -> tuple[str, ...]:
    """Return the class of each pair, with the template of its base where there are several."""
    templates = pairs.examples.prompts.templates
    of_pair = [templates[row] for row in pairs.base.tolist()]
    if len(set(of_pair)) == 1:
        return pairs.labels
    return tuple(f"{label}, {text}" for label, text in zip(pairs.labels, of_pair, strict=True))


def _rates(
    labels: Sequence[str], hits: NDArray[np.bool_], alpha: float
) -> tuple[tuple[str, Rate], ...]:
    classes = np.array(labels)
    names = dict.fromkeys(labels)
    return tuple((name, Rate.of(hits[classes == name], alpha)) for name in names)


def _worst(pairs: Interchanges, scores: ArmScores, hits: NDArray[np.bool_]) -> WorstPair:
    gaps = scores.gaps()
    among = np.flatnonzero(~hits) if not hits.all() else np.arange(len(hits))
    row = int(among[np.argmin(gaps[among])])
    texts = pairs.examples.prompts.texts
    answered = scores.answered(row, pairs.candidates[row])
    return WorstPair(
        texts[int(pairs.base[row])],
        tuple(texts[source] for source in pairs.sources[row].tolist()),
        bool(pairs.is_cause[row]),
        bool(hits[row]),
        str(pairs.predicted[row]),
        "another token" if answered is None else str(answered),
        float(gaps[row]),
    )


def _check(criterion: str, draws: int) -> None:
    if criterion not in ("top", "candidates"):
        raise ParameterError(
            f"The criterion {criterion!r}.",
            "There are 'top' and 'candidates'.",
            "Leave it out for 'top'.",
        )
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise ParameterError(
            f"draws={draws!r}.",
            "A whole number from 1 on of random alignments.",
            f"Write draws=5, or waive={{{CONTROLS[2]!r}: why}} for none.",
        )
