"""What came of a claim file: verdicts with their evidence, and everything to make them again."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from causalnet.claims.reporting_curve_values import SizeCurve
from causalnet.claims.robustness_grid import Grid
from causalnet.claims.schema import Claim, ClaimFile
from causalnet.errors import FormatError
from causalnet.statistics import Decision, Verdict

if TYPE_CHECKING:
    from causalnet.effects import EffectTable

_OF_THE_RUN: Mapping[str, Any] = {"command": [], "time": ""}
"""What of the provenance differs from run to run, and what it is where it is not known."""

_OF_THE_PROMPTS = ("prompts", "prompts_declared")
"""What of the cost does not."""

_NO_COST = {
    "forwards": 0,
    "batch_size": 0,
    "halvings": 0,
    "wall_seconds": 0.0,
    "cpu_seconds": 0.0,
}

_NODE = re.compile(r"L\d+\.(?:H\d+|mlp)")

__all__ = [
    "ClaimResult",
    "Cost",
    "VerificationReport",
    "effects_json",
    "effects_of",
    "exit_status_of",
]


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One claim and what came of it.

    Attributes:
        claim: The claim as it stands in the file.
        decision: Verdict, estimate, interval, and the sequence behind them.
        circuit: The mediators or edges that the claim is about; none for `exists`.
        conventions: Everything that the number depends on, by name.
        means: Mean read-outs of the parts that were compared.
        evidence: What else belongs to the verdict, as JSON values by name.
        readout_unit: The unit of `means`.
        unit: The unit of the number that is judged; "" for shares of a behaviour and rates.
        robustness: Under which other conventions it holds, in words; "" where none was measured.
    """

    claim: Claim
    decision: Decision
    circuit: tuple[str, ...]
    conventions: Mapping[str, str]
    means: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    readout_unit: str = ""
    unit: str = ""
    robustness: str = ""

    @property
    def expected(self) -> Verdict | None:
        """The verdict that the file expects, if it says so."""
        return None if self.claim.expected is None else Verdict(self.claim.expected)

    @property
    def is_expected(self) -> bool:
        """Whether the verdict is the expected one; true where the file expects none."""
        return self.expected in (None, self.decision.verdict)

    @property
    def why(self) -> str:
        """Why the verdict came out, in words, with the mean read-outs behind it."""
        parts = (
            f"{name.replace('_', ' ')} {mean:.3g}"
            for name, mean in self.means.items()
            if math.isfinite(mean)
        )
        means = f"Means in {self.readout_unit}: {', '.join(parts)}." if self.means else ""
        return " ".join(filter(None, (self.decision.sentence, means, self.robustness)))

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "id": self.claim.id,
            "kind": self.claim.kind,
            "statement": self.claim.statement,
            "expected": None if self.expected is None else self.expected.value,
            "decision": self.decision.to_json(),
            "why": self.why,
            "circuit": list(self.circuit),
            "conventions": dict(self.conventions),
            "means": {name: _or_null(mean) for name, mean in self.means.items()},
            "evidence": json.loads(json.dumps(dict(self.evidence))),
            "readout_unit": self.readout_unit,
            "unit": self.unit,
            "robustness": self.robustness,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What a verification took.

    Attributes:
        forwards: Forward passes, each over one batch, those that a ledger had included.
        prompts: Prompt pairs that were used.
        prompts_declared: Prompt pairs that the file allows.
        batch_size: Prompts in a batch at the end.
        halvings: How often memory ran out and the batch was halved.
        wall_seconds: Time on the clock, from the loaded model on.
        cpu_seconds: Time of the processor, from the loaded model on.
        reused: Forward passes that came from a ledger and were not run.
    """

    forwards: int
    prompts: int
    prompts_declared: int
    batch_size: int
    halvings: int
    wall_seconds: float
    cpu_seconds: float
    reused: int = 0


def exit_status_of(results: tuple[ClaimResult, ...]) -> int:
    """Return 0 when all claims are supported, 1 when any is refuted, else 2."""
    verdicts = {result.decision.verdict for result in results}
    if Verdict.REFUTED in verdicts:
        return 1
    return 0 if verdicts == {Verdict.SUPPORTED} else 2


@dataclass(frozen=True, slots=True, eq=False)
class VerificationReport:
    """The verdicts of a claim file.

    Attributes:
        claim_file: The file, as it was read.
        results: One for each claim, in the file's order.
        circuit: The file's circuit, spelt canonically.
        provenance: Hashes, versions, seed, command, prompts, self-check.
        cost: Forwards, prompts, batch size, time.
        effects: Effects of single heads for the heat map, if they were asked for.
        notes: Sentences that a reader should see: an overlap of prompts, halved batches.
        grid: The circuits' numbers under other conventions; None where they were not asked for.
        curve: Faithfulness over circuit size, if it was asked for.
        run_id: Under which a ledger keeps the report; "" without a ledger.
    """

    claim_file: ClaimFile
    results: tuple[ClaimResult, ...]
    circuit: tuple[str, ...]
    provenance: Mapping[str, Any]
    cost: Cost
    effects: "EffectTable | None" = None
    notes: tuple[str, ...] = ()
    run_id: str = ""
    grid: Grid | None = None
    curve: SizeCurve | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The heads and MLPs of the file's circuit; those that its edges join."""
        ends = (end for one in self.circuit for end in one.split(" -> "))
        found = (_NODE.match(end) for end in ends)
        return tuple(dict.fromkeys(one[0] for one in found if one is not None))

    @property
    def exit_status(self) -> int:
        """0 when all claims are supported, 1 when any is refuted, else 2."""
        return exit_status_of(self.results)

    @property
    def is_expected(self) -> bool:
        """Whether every claim came out as the file expects."""
        return all(result.is_expected for result in self.results)

    def __getitem__(self, claim_id: str) -> ClaimResult:
        """Return the result of a claim by its id."""
        for result in self.results:
            if result.claim.id == claim_id:
                return result
        known = ", ".join(result.claim.id for result in self.results)
        raise FormatError(
            f"There is no claim {claim_id!r}.",
            f"There are {known}.",
            f"Write report[{self.results[0].claim.id!r}].",
        )

    def __repr__(self) -> str:
        """Return one line for each claim."""
        lines = (f"  {one.claim.id}: {one.decision.verdict.value}" for one in self.results)
        return "\n".join((f"VerificationReport({self.claim_file.title!r})", *lines))

    def to_json(self, *, run: bool = True) -> dict[str, Any]:
        """Return everything as JSON values; `from_json` reads it back.

        What differs from one run to the next stands under the key `run`; the rest is the same for
        the same file, model and machine, however often it was interrupted.

        Args:
            run: Whether `run` is there: time, command, forwards, seconds.
        """
        from causalnet.claims.reporting import reporting_of

        known = json.loads(json.dumps(dict(self.provenance)))
        told = {name: known.pop(name) for name in _OF_THE_RUN if name in known}
        cost = asdict(self.cost)
        prompts = {name: cost.pop(name) for name in _OF_THE_PROMPTS}
        plain = {
            "report": 1,
            "exit_status": self.exit_status,
            "claim_file": self.claim_file.model_dump(mode="json", by_alias=True, exclude_none=True),
            "results": [result.to_json() for result in self.results],
            "circuit": list(self.circuit),
            "provenance": known,
            "prompts": prompts,
            "effects": None if self.effects is None else effects_json(self.effects),
            "notes": list(self.notes),
            "grid": None if self.grid is None else self.grid.to_json(),
            "curve": None if self.curve is None else self.curve.to_json(),
            "reporting": reporting_of(self).to_json(),
        }
        return {**plain, "run": {"id": self.run_id, **told, "cost": cost}} if run else plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "VerificationReport":
        """Read what `to_json` gave, also without `run`, whose numbers are then 0.

        Raises:
            FormatError: Anything else.
        """
        if plain.get("report") != 1:
            raise FormatError(
                "This is no report of claims.",
                "Its key 'report' is 1.",
                "Give what `causalnet verify FILE --json` printed.",
            )
        try:
            claim_file = ClaimFile.model_validate(plain["claim_file"])
            claims = {claim.id: claim for claim in claim_file.claims}
            run = plain.get("run", {})
            told = {name: run.get(name, default) for name, default in _OF_THE_RUN.items()}
            return cls(
                claim_file=claim_file,
                results=tuple(_result(claims[one["id"]], one) for one in plain["results"]),
                circuit=tuple(plain["circuit"]),
                provenance={**plain["provenance"], **told},
                cost=Cost(**{**_NO_COST, **run.get("cost", {}), **plain["prompts"]}),
                effects=None if plain["effects"] is None else effects_of(plain["effects"]),
                notes=tuple(plain["notes"]),
                run_id=str(run.get("id", "")),
                grid=None if plain["grid"] is None else Grid.from_json(plain["grid"]),
                curve=None if plain["curve"] is None else SizeCurve.from_json(plain["curve"]),
            )
        except (KeyError, TypeError, ValidationError) as error:
            raise FormatError(
                f"The report cannot be read: {type(error).__name__}: {error}.",
                "It is what `causalnet verify --json` printed.",
                "Write it again with the version of causalnet that is installed.",
            ) from error


def _result(claim: Claim, plain: Mapping[str, Any]) -> ClaimResult:
    return ClaimResult(
        claim=claim,
        decision=Decision.from_json(plain["decision"]),
        circuit=tuple(plain["circuit"]),
        conventions=dict(plain["conventions"]),
        means={
            name: math.nan if mean is None else float(mean) for name, mean in plain["means"].items()
        },
        evidence=dict(plain["evidence"]),
        readout_unit=plain["readout_unit"],
        unit=plain["unit"],
        robustness=plain["robustness"],
    )


def _or_null(value: float) -> float | None:
    """JSON has no number that is not finite."""
    return value if math.isfinite(value) else None


def effects_json(table: "EffectTable") -> dict[str, Any]:
    """Return a table of effects as JSON values; NaN stays."""
    return {
        "rows": list(table.rows),
        "prompts": list(table.prompts),
        "values": table.values.tolist(),
        "unpatched": table.unpatched.tolist(),
        "conventions": table.conventions.to_json(),
        "excluded": [asdict(entry) for entry in table.excluded],
        "ledger": [asdict(entry) for entry in table.ledger],
        "provenance": json.loads(json.dumps(dict(table.provenance))),
        "denominators": None if table.denominators is None else table.denominators.tolist(),
    }


def effects_of(plain: Mapping[str, Any]) -> "EffectTable":
    """Read what `effects_json` gave."""
    import numpy as np

    from causalnet.effects import Conventions, EffectTable, Excluded, LedgerEntry

    lower = plain.get("denominators")
    return EffectTable(
        values=np.array(plain["values"], dtype=np.float64),
        rows=tuple(plain["rows"]),
        prompts=tuple(plain["prompts"]),
        conventions=Conventions.from_json(plain["conventions"]),
        unpatched=np.array(plain["unpatched"], dtype=np.float64),
        excluded=tuple(Excluded(**entry) for entry in plain["excluded"]),
        ledger=tuple(LedgerEntry(**entry) for entry in plain["ledger"]),
        provenance=plain["provenance"],
        denominators=None if lower is None else np.array(lower, dtype=np.float64),
    )
