"""How far the evidence for a circuit goes: a grade, computed from what a report holds.

| grade | evidence |
|---|---|
| rejected | a claim about the circuit is refuted |
| proposed | none of the following |
| causally suggestive | necessity: knocking the circuit out takes behaviour away |
| supported | and sufficiency, each with an interval, and better than random circuits |
| triangulated | and a second way of ablating, control tasks, and a second set of prompts |
| verified | and thresholds written down before, on prompts that did not find the circuit, and a \
run from the report that gives the same numbers |

The steps are nested: more evidence never lowers a grade, except for a refutation, which is
evidence of another sort.

Source: the reporting items of MI-CLAIM-GEN (2024) and of clinical evaluations of explanations;
the names of the steps are ours.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, final

__all__ = ["Evidence", "EvidenceItem", "Grade", "grade_of", "missing_for"]


@final
class Grade(IntEnum):
    """The steps, in order."""

    REJECTED = 0
    PROPOSED = 1
    CAUSALLY_SUGGESTIVE = 2
    SUPPORTED = 3
    TRIANGULATED = 4
    VERIFIED = 5

    def __str__(self) -> str:
        """Return the name in words.

        >>> str(Grade.CAUSALLY_SUGGESTIVE)
        'causally suggestive'
        """
        return self.name.lower().replace("_", " ")


@final
class EvidenceItem(StrEnum):
    """What a grade asks for."""

    NECESSITY = "necessity"
    INTERVAL = "intervals"
    SUFFICIENCY = "sufficiency"
    RANDOM_BASELINE = "better than random circuits"
    SECOND_ESTIMATOR = "a second way of ablating"
    SELECTIVITY = "control tasks"
    SECOND_DISTRIBUTION = "a second set of prompts"
    HELD_OUT = "prompts that did not find it"
    REGISTERED = "thresholds written down before"
    REPRODUCED = "a second run with the same numbers"


_ASKED: Mapping[Grade, tuple[EvidenceItem, ...]] = {
    Grade.CAUSALLY_SUGGESTIVE: (EvidenceItem.NECESSITY,),
    Grade.SUPPORTED: (
        EvidenceItem.INTERVAL,
        EvidenceItem.SUFFICIENCY,
        EvidenceItem.RANDOM_BASELINE,
    ),
    Grade.TRIANGULATED: (
        EvidenceItem.SECOND_ESTIMATOR,
        EvidenceItem.SELECTIVITY,
        EvidenceItem.SECOND_DISTRIBUTION,
    ),
    Grade.VERIFIED: (
        EvidenceItem.HELD_OUT,
        EvidenceItem.REGISTERED,
        EvidenceItem.REPRODUCED,
    ),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one circuit.

    Attributes:
        found: Items that are there, each with where it comes from.
        lacking: Items that are not, each with why.
        refuted: Ids of claims about the circuit that are refuted.
    """

    found: Mapping[EvidenceItem, str] = field(default_factory=dict)
    lacking: Mapping[EvidenceItem, str] = field(default_factory=dict)
    refuted: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give JSON values, the grade among them."""
        return {**asdict(self), "grade": str(grade_of(self))}


def grade_of(evidence: Evidence) -> Grade:
    """Return the highest step whose items, and those of all steps below, are there.

    >>> items = {EvidenceItem.NECESSITY: "G = 0.8 [0.7, 0.9]"}
    >>> grade_of(Evidence(items))
    <Grade.CAUSALLY_SUGGESTIVE: 2>
    >>> grade_of(Evidence(items, refuted=("mover",)))
    <Grade.REJECTED: 0>
    """
    if evidence.refuted:
        return Grade.REJECTED
    reached = Grade.PROPOSED
    for grade, asked in _ASKED.items():
        if not all(item in evidence.found for item in asked):
            break
        reached = grade
    return reached


def missing_for(evidence: Evidence) -> tuple[Grade, tuple[EvidenceItem, ...]] | None:
    """Return the next step and what it lacks; None for a circuit that is rejected or verified."""
    grade = grade_of(evidence)
    if grade in (Grade.REJECTED, Grade.VERIFIED):
        return None
    after = Grade(grade + 1)
    return after, tuple(item for item in _ASKED[after] if item not in evidence.found)
