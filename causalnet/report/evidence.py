"""What a report shows beside verdicts: other conventions, sizes, chance, fields and grades.

| value | what it is |
|---|---|
| `ConventionTable`, `ConventionRow`, `ConventionCell` | numbers under every convention |
| `SizeCurveView`, `SizePoint` | faithfulness over circuit size |
| `ChanceView` | a circuit's gap to the model beside those of random circuits |
| `GradeView`, `GradeItem` | a circuit, how far the evidence goes, and what is lacking |
| `FieldsView`, `FieldView` | fields of a report, each filled or with the reason why not |
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

__all__ = [
    "CellState",
    "ChanceView",
    "ConventionCell",
    "ConventionRow",
    "ConventionTable",
    "FieldView",
    "FieldsView",
    "GradeItem",
    "GradeView",
    "Number",
    "SizeCurveView",
    "SizePoint",
    "Words",
]

_WORDS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def _without_words(value: object) -> object:
    """JSON has no infinities: `to_json` writes them as words."""
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _encodable(value: object) -> object:
    """A file's name may hold bytes that are no text, which Python keeps as lone surrogates."""
    return re.sub("[\ud800-\udfff]", "�", value) if isinstance(value, str) else value


Number = Annotated[float, BeforeValidator(_without_words)]
Words = Annotated[str, BeforeValidator(_encodable)]
CellState = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "UNDEFINED", "NOT RUN"]


@dataclass(frozen=True, slots=True)
class ConventionCell:
    """A number under one convention, compared with what is claimed of it.

    Args:
        state: A verdict, or that it was not run.
        estimate: The number; `None` where there is none.
        low: Lower end of its interval.
        high: Upper end.
        why: Why there is no number, if there is none.
    """

    state: CellState
    estimate: Number | None = None
    low: Number | None = None
    high: Number | None = None
    why: Words = ""


@dataclass(frozen=True, slots=True)
class ConventionRow:
    """One claim under every convention.

    Args:
        claim: Its id.
        number: What is measured, such as "faithfulness".
        claimed: What is claimed of it, such as "at least 0.8".
        cells: One for each convention.
        bounds: The claimed bounds, one or two.
        sentence: What it amounts to, in words.
    """

    claim: Words
    number: Words
    claimed: Words
    cells: tuple[ConventionCell, ...]
    bounds: tuple[Number, ...] = ()
    sentence: Words = ""


@dataclass(frozen=True, slots=True)
class ConventionTable:
    """Claims under a list of conventions.

    Args:
        conventions: Names of the conventions.
        rows: The claims.
        prompts: On how many prompts.
        own: Which convention is the claims' own, by index; `None` for none.
        level: Level of the intervals, one by one.
        sources: For each convention which reference prompts it takes; "" for none.
        skipped: Why nothing was measured; "" where something was.
    """

    conventions: tuple[Words, ...] = ()
    rows: tuple[ConventionRow, ...] = ()
    prompts: int = 0
    own: int | None = None
    level: Number = 0.9
    sources: tuple[Words, ...] = ()
    skipped: Words = ""


@dataclass(frozen=True, slots=True)
class SizePoint:
    """The faithfulness of a circuit of some size; `name` for one that a claim is about."""

    size: int
    estimate: Number | None = None
    low: Number | None = None
    high: Number | None = None
    name: Words = ""


@dataclass(frozen=True, slots=True)
class SizeCurveView:
    """Faithfulness of the k strongest units for growing k, beside the claims' circuits.

    Args:
        points: The curve.
        marks: The claims' circuits.
        universe: How many units there are.
        prompts: On how many prompts.
        level: Level of the intervals, one by one.
        ranking: What units are ranked by.
        not_done: Why there is no curve; "" where there is one.
    """

    points: tuple[SizePoint, ...] = ()
    marks: tuple[SizePoint, ...] = ()
    universe: int = 0
    prompts: int = 0
    level: Number = 0.9
    ranking: Words = ""
    not_done: Words = ""


@dataclass(frozen=True, slots=True)
class ChanceView:
    """Gaps of random circuits to the whole model, and the claimed circuit's own.

    Args:
        claim: Id of the claim.
        gaps: One for each random circuit.
        own: The circuit's.
        unit: Of the gaps.
        p_value: The permutation p-value; `None` where it was not computed.
        drawn: How random circuits are drawn, in words.
    """

    claim: Words
    gaps: tuple[Number, ...]
    own: Number
    unit: Words = ""
    p_value: Number | None = None
    drawn: Words = ""


@dataclass(frozen=True, slots=True)
class GradeItem:
    """An item of evidence: where it comes from, or why it is lacking."""

    name: Words
    is_there: bool
    said: Words


@dataclass(frozen=True, slots=True)
class GradeView:
    """A circuit, and how far the evidence for it goes.

    Args:
        circuit: Its members, in words.
        claims: Ids of the claims about it.
        grade: The step in words, from "rejected" to "verified".
        step: The step as a number, 0 for "rejected".
        items: What a grade asks for.
        lacking: What the next step lacks, in words.
    """

    circuit: Words
    claims: tuple[Words, ...]
    grade: Words
    step: int
    items: tuple[GradeItem, ...] = ()
    lacking: Words = ""


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field of a report: its value, or why it was not done."""

    name: Words
    said: Words
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class FieldsView:
    """Fields under one heading."""

    title: Words
    fields: tuple[FieldView, ...]
