"""What an interchange accuracy came to: rates by kind of pair, controls, and the worst pair."""

from dataclasses import dataclass

from causalnet.abstraction.controls import Unavailable
from causalnet.abstraction.measuring import Criterion
from causalnet.abstraction.rates import PairedWins, Rate

__all__ = ["ControlResult", "InterchangeAccuracy", "WorstPair"]


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
