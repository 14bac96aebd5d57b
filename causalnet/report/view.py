"""What a report shows, as plain values that know no tensors and go to JSON and back.

| value | what it is |
|---|---|
| `ReportView` | the whole report |
| `VerdictRow`, `TracePoint` | one claim, its verdict and the sequence that decided it |
| `Heatmap`, `HeatCell` | effects by layer and head |
| `Circuit`, `Member` | the mediators that a claim is about |
| `EffectRow` | a line of the table of largest effects |
| `ProvenanceGroup` | hashes, versions, seed, command |

What is shown beside verdicts is in `causalnet.report.evidence`.

Effects are patched − unpatched everywhere.

>>> view = ReportView(title="Indirect object", task="64 pairs", model="SmolLM2-135M-Instruct")
>>> ReportView.from_json(view.to_json()) == view
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from causalnet.errors import FormatError
from causalnet.report.evidence import (
    ChanceView,
    ConventionTable,
    FieldsView,
    GradeView,
    Number,
    SizeCurveView,
    Words,
)

__all__ = [
    "Circuit",
    "EffectRow",
    "HeatCell",
    "Heatmap",
    "Member",
    "ProvenanceGroup",
    "ReportView",
    "TracePoint",
    "VerdictName",
    "VerdictRow",
]

VerdictName = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "UNDEFINED"]

# Infinities are real bounds (a one-sided interval), so they must survive JSON.
_PLAIN = ConfigDict(
    strict=True, extra="forbid", revalidate_instances="always", ser_json_inf_nan="strings"
)


@dataclass(frozen=True, slots=True)
class TracePoint:
    """The confidence sequence after `n` prompts: estimate and bounds, in the claim's unit."""

    n: int
    estimate: Number
    low: Number
    high: Number


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One claim and what came of it.

    Args:
        statement: The claim in words.
        kind: Which sort of claim, such as "faithful".
        verdict: One of the four verdicts.
        reason: Why, in one sentence.
        estimate: The final estimate; `None` where it is not defined.
        low: Lower end of the interval at `level`; `None` where there is no interval.
        high: Upper end.
        level: Simultaneous level of the interval, such as 0.95.
        threshold: The number that the claim compares with; `None` where it compares with none.
        direction: Whether the claim says at least or at most `threshold`, or within a band.
        alpha: Error rate of the verdict.
        n: How many of `counted` were looked at.
        unit: Unit of estimate, interval and threshold; empty for a ratio.
        trace: The sequence that decided, batch after batch.
        conventions: Choices that the number depends on, such as ablation and positions.
        expected: The verdict that the claim file expects, if it says so.
        counted: What `n` counts, such as "prompts" or "random circuits".
        guarantee: Whether `alpha` holds at every sample size or in the limit of large ones.
        upper: Of a band its upper end, `threshold` being the lower; `None` otherwise.
        grade: How far the evidence for the claim's circuit goes, in words; "" for none.
    """

    statement: Words
    kind: Words
    verdict: VerdictName
    reason: Words
    estimate: Number | None = None
    low: Number | None = None
    high: Number | None = None
    level: Number | None = None
    threshold: Number | None = None
    direction: Literal["at_least", "at_most", "within"] = "at_least"
    alpha: Number | None = None
    n: int = 0
    unit: Words = ""
    trace: tuple[TracePoint, ...] = ()
    conventions: tuple[tuple[Words, Words], ...] = ()
    expected: VerdictName | None = None
    counted: Words = "prompts"
    guarantee: Literal["exact", "asymptotic"] = "asymptotic"
    upper: Number | None = None
    grade: Words = ""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Mean effect of one head (or of a layer's MLP, where `head` is `None`)."""

    mediator: Words
    layer: int
    head: int | None
    effect: Number
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Mean effects by layer and head, with what a reader must know to read them.

    Args:
        layers: Layers of the model.
        heads: Query heads per layer.
        cells: The measured effects; what is not listed is drawn empty.
        unit: Unit of the effects, such as "logits".
        estimand: Name of the effect, such as "natural indirect effect".
        outcome: The read-out, such as "logit difference".
        method: How the numbers came about, such as "exact, 8 pairs".
        prompts: Number of prompt pairs averaged.
        level: Level of each cell's interval, taken one by one.
        at: Positions that were patched.
    """

    layers: int
    heads: int
    cells: tuple[HeatCell, ...]
    unit: Words = "logits"
    estimand: Words = "natural indirect effect"
    outcome: Words = "logit difference"
    method: Words = ""
    prompts: int = 0
    level: Number | None = None
    at: Words = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A mediator of the circuit, with its mean effect where that was measured.

    `head` is `None` for what is not a head; `is_mlp` tells an MLP from anything else.
    """

    mediator: Words
    layer: int
    head: int | None = None
    is_mlp: bool = False
    effect: Number | None = None
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """The mediators that the claims are about, inside a model of `layers` × `heads` heads.

    `kv_heads` is the number of K/V groups per layer, `None` where it is not known.
    """

    layers: int
    heads: int
    members: tuple[Member, ...]
    kv_heads: int | None = None
    unit: Words = "logits"


@dataclass(frozen=True, slots=True)
class EffectRow:
    """A line of the table of largest effects."""

    mediator: Words
    effect: Number
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True, slots=True)
class ProvenanceGroup:
    """Ordered facts under one heading, such as the versions of libraries."""

    title: Words
    rows: tuple[tuple[Words, Words], ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything that a report shows.

    Args:
        title: Heading.
        task: What the model is asked to do, and on how many prompts.
        model: One line about the model.
        verdicts: The claims.
        heatmap: Effects by layer and head.
        circuit: The circuit that the claims are about.
        effects: Largest effects, in the order to be shown.
        provenance: What is needed to make the report again.
        notes: Further sentences for the reader.
        conventions: The claims under other conventions.
        curve: Faithfulness over circuit size.
        chance: Circuits beside random ones.
        grades: Circuits and how far the evidence goes.
        fields: What a report has to say, field by field.
    """

    title: Words
    task: Words = ""
    model: Words = ""
    verdicts: tuple[VerdictRow, ...] = ()
    heatmap: Heatmap | None = None
    circuit: Circuit | None = None
    effects: tuple[EffectRow, ...] = ()
    provenance: tuple[ProvenanceGroup, ...] = ()
    notes: tuple[Words, ...] = ()
    conventions: ConventionTable | None = None
    curve: SizeCurveView | None = None
    chance: tuple[ChanceView, ...] = ()
    grades: tuple[GradeView, ...] = ()
    fields: tuple[FieldsView, ...] = ()

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    def checked(self) -> "ReportView":
        """Return an equal view whose every field was found to have its declared type.

        Raises:
            FormatError: A field holds something else; names the first one.
        """
        try:
            return _adapter().validate_python(self)
        except ValidationError as error:
            raise _wrong_field(error) from error

    def to_json(self) -> str:
        """Return the view as JSON text; infinities become strings, which `from_json` reads."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "ReportView":
        """Read what `to_json` wrote.

        Raises:
            FormatError: The text is not such JSON; names the first field that is wrong.
        """
        try:
            return _adapter().validate_json(text)
        except ValidationError as error:
            raise _wrong_field(error) from error


@cache
def _adapter() -> TypeAdapter[ReportView]:
    return TypeAdapter(ReportView)


def _wrong_field(error: ValidationError) -> FormatError:
    first: Mapping[str, object] = dict(error.errors(include_url=False)[0])
    where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the whole"
    return FormatError(
        came=f"The report's field {where!r} holds {first['input']!r:.80}.",
        possible=f"{first['msg']}.",
        write="Build it from ReportView and its parts, or read it with ReportView.from_json.",
    )
