"""What a report holds about a circuit: the items that a grade asks for, each with its source."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from causalnet.claims.conventions import describe_task
from causalnet.claims.grades import Evidence, EvidenceItem
from causalnet.claims.robustness_grid import Bounds, Grid, GridNumber
from causalnet.claims.robustness_verdict import grid_number
from causalnet.claims.task_spec import TaskSpec
from causalnet.statistics import Verdict

if TYPE_CHECKING:
    from causalnet.claims.results import ClaimResult, VerificationReport

__all__ = ["circuits_of", "evidence_of", "kinds_of", "rerun_differences"]

Found: TypeAlias = tuple[str, str]
"""Where an item comes from, and, where it is lacking, why: one of the two is empty."""

TOLERANCE = 1e-3
"""Of a number, relative to its size, or to 1 where that is smaller: float32 on other machines."""


def circuits_of(
    report: "VerificationReport",
) -> "dict[tuple[str, ...], tuple[ClaimResult, ...]]":
    """Return the circuits that claims are about, with the results of those claims."""
    found: dict[tuple[str, ...], tuple[ClaimResult, ...]] = {}
    for one in report.results:
        if one.circuit:
            found[one.circuit] = (*found.get(one.circuit, ()), one)
    return found


def kinds_of(report: "VerificationReport", kinds: Sequence[str]) -> Found:
    """Say how claims of some kinds came out, or that there is none."""
    said = [_verdict(one) for one in report.results if one.claim.kind in kinds]
    return ", ".join(said), "" if said else "no claim of the file is about it"


def evidence_of(
    report: "VerificationReport",
    circuit: Sequence[str],
    again: "VerificationReport | None" = None,
) -> Evidence:
    """Return what a report holds about a circuit.

    Args:
        report: What was verified.
        circuit: Names of members.
        again: The same claims, verified once more.
    """
    results = tuple(one for one in report.results if frozenset(one.circuit) == frozenset(circuit))
    sources: dict[EvidenceItem, Callable[[], Found]] = {
        EvidenceItem.NECESSITY: lambda: _necessity(report.grid, circuit, results),
        EvidenceItem.INTERVAL: lambda: _intervals(results),
        EvidenceItem.SUFFICIENCY: lambda: _claimed(results, ("faithful",), "at_least"),
        EvidenceItem.RANDOM_BASELINE: lambda: _claimed(results, ("better_than_random",)),
        EvidenceItem.SECOND_ESTIMATOR: lambda: _second(report.grid, results),
        EvidenceItem.SELECTIVITY: lambda: _claimed(results, ("specific", "selective")),
        EvidenceItem.SECOND_DISTRIBUTION: lambda: _distributions(report),
        EvidenceItem.HELD_OUT: lambda: _held_out(report),
        EvidenceItem.REGISTERED: lambda: _registered(report),
        EvidenceItem.REPRODUCED: lambda: _reproduced(report, again),
    }
    answers = {item: source() for item, source in sources.items()}
    return Evidence(
        {item: said for item, (said, _) in answers.items() if said},
        {item: why for item, (said, why) in answers.items() if not said},
        tuple(one.claim.id for one in results if one.decision.verdict is Verdict.REFUTED),
    )


def _verdict(result: "ClaimResult") -> str:
    decision = result.decision
    number = "" if math.isnan(decision.estimate) else f" ({decision.estimate:.3g})"
    return f"{result.claim.id} {decision.verdict.value}{number}"


def _claimed(results: "Iterable[ClaimResult]", kinds: Sequence[str], direction: str = "") -> Found:
    """Return a supported claim of some kinds; one that a number is small shows nothing here."""
    asked = [one for one in results if one.claim.kind in kinds]
    wrong_way = {"at_least": "at_most"}.get(direction)
    for one in asked:
        if one.decision.verdict is Verdict.SUPPORTED and one.decision.direction != wrong_way:
            return _verdict(one), ""
    if not asked:
        return "", f"no claim of kind {' or '.join(kinds)} is about it"
    return "", ", ".join(map(_verdict, asked))


def _necessity(
    grid: Grid | None, circuit: Sequence[str], results: "Sequence[ClaimResult]"
) -> Found:
    """Return a supported claim, or a number above 0 under the file's own convention."""
    said, why = _claimed(results, ("necessary", "specific", "selective"), "at_least")
    if said or grid is None:
        return said, why
    wanted = frozenset(circuit)
    for number in grid.numbers:
        if (number.quantity, frozenset(number.circuit)) != ("necessity", wanted):
            continue
        for cell in grid.cells(number):
            if cell.is_own and cell.interval is not None and cell.interval.low > 0:
                shown = cell.interval.estimate_written(cell.estimate)
                written = f"{shown} {cell.interval.written()}"
                return f"knocking it out takes {written} of the behaviour, n = {grid.n}", ""
    return "", why


def _intervals(results: "Sequence[ClaimResult]") -> Found:
    supported = [one for one in results if one.decision.verdict is Verdict.SUPPORTED]
    lacking = [one.claim.id for one in supported if one.decision.interval is None]
    if supported and not lacking:
        return f"{len(supported)} supported claims, each with an interval", ""
    return "", f"{', '.join(lacking)} without one" if lacking else "no claim about it is supported"


def _second(grid: Grid | None, results: "Sequence[ClaimResult]") -> Found:
    """Return another kind of ablation under which every supported share of it holds too."""
    declared, _ = _claimed(results, ("robust",))
    if declared:
        return declared, ""
    if grid is None:
        return "", "no other convention was measured"
    asked: list[tuple[GridNumber, Bounds, float]] = []
    for one in results:
        number = grid_number(grid, one.claim, one.circuit)
        if number is not None and one.decision.verdict is Verdict.SUPPORTED:
            asked.append((number, Bounds.of(one.decision), one.decision.alpha))
    if not asked:
        return "", "no share of it is supported"
    own = {one.ablation for one in grid.conventions if one.is_own}
    for index, convention in enumerate(grid.conventions):
        if convention.ablation in own:
            continue
        if all(
            grid.cell(number, index, alpha).verdict(bounds) is Verdict.SUPPORTED
            for number, bounds, alpha in asked
        ):
            return f"holds under {convention.name} too, n = {grid.n}", ""
    return "", "it holds under no other kind of ablation that was measured"


def _distributions(report: "VerificationReport") -> Found:
    """Return that the circuit was found on prompts of another kind than those that test it."""
    found, test = report.claim_file.found.task, report.claim_file.task
    if found is None:
        return "", "the file does not name the prompts that found it"

    def kind(spec: TaskSpec) -> tuple[object, ...]:
        return spec.name, spec.file, spec.corruption, spec.templates, sorted(spec.options.items())

    if kind(found) == kind(test):
        return "", "it was found and tested on prompts of one kind: the same task and templates"
    return f"found on {describe_task(found)}, tested on {describe_task(test)}", ""


def _held_out(report: "VerificationReport") -> Found:
    overlap = report.provenance["overlap"]
    if overlap == 0:
        return "no test prompt found the circuit", ""
    if overlap is None:
        return "", "the file does not name the prompts that found it"
    return "", f"{overlap} test prompts also found it"


def _registered(report: "VerificationReport") -> Found:
    known = report.provenance.get("claim_file")
    if not known:
        return "", "the claims were built in Python: no file was there before"
    return f"thresholds stood in the file {known['sha256'][:12]}… before anything was run", ""


def _reproduced(report: "VerificationReport", again: "VerificationReport | None") -> Found:
    if again is None:
        return "", "no second run was compared"
    differences = rerun_differences(report, again)
    if differences:
        return "", "; ".join(differences[:3])
    return f"{len(report.results)} verdicts and their numbers came out again", ""


def rerun_differences(
    first: "VerificationReport", second: "VerificationReport", tolerance: float = TOLERANCE
) -> tuple[str, ...]:
    """Say in what two runs of the same claims differ; nothing where they agree.

    Args:
        first: One run.
        second: Another.
        tolerance: How far estimates and ends of intervals may be apart, relative to their size, or
            to 1 where that is smaller.
    """
    pairs = {one.claim.id: one for one in second.results}
    differences = []
    if first.claim_file.model_dump() != second.claim_file.model_dump():
        differences.append("the claim files differ")
    for one in first.results:
        other = pairs.get(one.claim.id)
        if other is None:
            differences.append(f"{one.claim.id} was not run again")
        elif one.decision.verdict is not other.decision.verdict:
            differences.append(
                f"{one.claim.id} came out {one.decision.verdict.value} and "
                f"{other.decision.verdict.value}"
            )
        elif not _equal(_numbers(one), _numbers(other), tolerance):
            differences.append(f"the numbers of {one.claim.id} differ")
    return tuple(differences)


def _numbers(result: "ClaimResult") -> tuple[float, ...]:
    interval = result.decision.interval
    ends = (math.nan, math.nan) if interval is None else (interval.low, interval.high)
    return (result.decision.estimate, *ends)


def _equal(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    def near(a: float, b: float) -> bool:
        if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
            return a == b or (math.isnan(a) and math.isnan(b))
        return abs(a - b) <= tolerance * max(1.0, abs(a))

    return all(near(a, b) for a, b in zip(one, other, strict=True))
