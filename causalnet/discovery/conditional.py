"""Conditional co-ablation: which units begin to matter once others are gone.

A backup waits: removing what it stands in for changes nothing, and neither does removing the
backup.  After the first is removed the second has an effect, and the interaction of both is what
neither shows alone.  It wakes only under an ablation that removes what holds it back: a
counterfactual may leave that in place, as both prompts have it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.exact import (
    AT_ONCE,
    Progress,
    by_first_stage,
    exact_patching,
    total_effect,
)
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Cost, Scores
from causalnet.errors import ParameterError
from causalnet.estimators.methods import Method

__all__ = ["CONDITIONAL", "CoAblation", "co_ablation", "conditional_patching"]

SHARE = 0.05  # of the total effect: the least effect of a unit that is said to matter

CONDITIONAL = Method(
    name="conditional-patching/v1",
    formula="outcome with the unit and the given ones removed - outcome with the given ones "
    "removed",
    gradient_at="none",
    approximates="nothing: it is the effect of removing the unit after the given ones",
    error="none but rounding",
    fails=(
        "backups of other units than the given ones",
        "backups that wait for several to be gone",
    ),
    source="Wang et al. 2023, section 3.3; McGrath et al. 2023",
)


@dataclass(frozen=True, slots=True, eq=False)
class CoAblation:
    """The effects of units alone, and after given ones are removed.

    Attributes:
        given: The names of those that are removed first.
        alone: Effects of removing each unit with nothing else removed.
        after: The same with the given ones removed.
        by_given: Mean effect of removing the given ones together.
    """

    given: tuple[str, ...]
    alone: Scores
    after: Scores
    by_given: float

    @property
    def interaction(self) -> NDArray[np.float64]:
        """Conditional less unconditional effect, mean over prompts, [units]; 0 for the given."""
        found = self.after.values - self.alone.values
        found[[self.alone.question.units.index(name) for name in self.given]] = 0.0
        return found

    def woken(self, least: float | None = None) -> tuple[tuple[str, float], ...]:
        """Return units that have no effect alone and one after, with that; the largest first.

        Args:
            least: The size of a mean effect that counts; by default 5 % of the total effect.
        """
        bound = SHARE * abs(self.alone.total) if least is None else least
        bound = max(bound, self.alone.rounding)
        names = self.alone.question.units.names
        found = [
            (name, float(after))
            for name, alone, after in zip(names, self.alone.values, self.after.values, strict=True)
            if abs(alone) <= bound < abs(after) and name not in self.given
        ]
        return tuple(sorted(found, key=lambda each: -abs(each[1])))

    def __str__(self) -> str:
        """Return what removing the given ones does, and who stands in for them."""
        unit = self.alone.question.readout.unit
        lines = [
            f"without {', '.join(self.given)}: {self.by_given:+.3g} {unit} "
            f"of {self.alone.total:+.3g}"
        ]
        lines += [
            f"  wakes up: {name}, {value:+.3g} {unit} and {self.alone[name]:+.3g} alone"
            for name, value in self.woken()
        ]
        return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing wakes up"])


def conditional_patching(
    question: Question, given: Sequence[str], *, progress: Progress | None = None
) -> Scores:
    """Return the exact effect of removing each unit after given ones are removed.

    Args:
        question: What is asked; any grain, ablation and direction.
        given: Names of units; their own scores are 0.
        progress: Told after every group of units.

    Raises:
        UnknownMediatorError: No such unit.
        ParameterError: No unit is given.
    """
    units, members = question.units, _numbers(question, given)
    base = question.outcomes(_kept(question, [members]))[0]
    found = np.zeros((len(units), len(question.pairs)))
    done, forwards, stages = 0, 0.0, len(question.runs.layout.stages)
    for first, chosen in _chunks(question, members):
        kept = _kept(question, [[*members, number] for number in chosen])
        found[chosen] = question.outcomes(kept, first) - base
        done, forwards = done + len(chosen), forwards + len(chosen) * (1 - first / stages)
        if progress is not None:
            progress(done, len(units))
    found[members] = 0.0
    everything = total_effect(question)
    unpatched = question.outcomes(_kept(question, [[]]))[0]
    return Scores(
        question,
        CONDITIONAL,
        found.mean(1),
        found,
        "effect",
        question.readout.unit,
        everything - float((base - unpatched).mean()),
        settings={"given": " + ".join(given)},
        cost=Cost(forwards=forwards, looked_at=len(units)),
    )


def co_ablation(
    question: Question,
    given: Sequence[str],
    alone: Scores | None = None,
    *,
    progress: Progress | None = None,
) -> CoAblation:
    """Return the effects of units alone and after given ones are removed.

    Args:
        question: What is asked; any grain, ablation and direction.
        given: Names of units.
        alone: Exact effects of the same question, where they are known.
        progress: Told after every group of units of each half.

    Raises:
        UnknownMediatorError: No such unit.
        ParameterError: No unit is given.
    """
    after = conditional_patching(question, given, progress=progress)
    single = exact_patching(question, progress=progress) if alone is None else alone
    by_given = single.total - after.total
    return CoAblation(tuple(given), single, after, by_given)


def _numbers(question: Question, given: Sequence[str]) -> list[int]:
    if isinstance(given, str) or not given:
        raise ParameterError(
            f"given={given!r}.",
            "Names of units that are removed first, one at least.",
            f"Write given=[{question.units.names[-1]!r}].",
        )
    return sorted({question.units.index(name) for name in given})


def _kept(question: Question, removed: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return the circuits in which some units are removed, or restored where that is asked."""
    kept = np.ones((len(removed), len(question.units)))
    for row, members in zip(kept, removed, strict=True):
        row[list(members)] = 0.0
    return kept if question.direction == "noising" else 1.0 - kept


def _chunks(question: Question, members: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield units with the first stage that they or the given ones change."""
    groups = by_first_stage(question)
    start = min(first for first, each in groups if np.isin(each, members).any())
    for first, each in groups:
        for begin in range(0, len(each), AT_ONCE):
            yield min(first, start), each[begin : begin + AT_ONCE]
