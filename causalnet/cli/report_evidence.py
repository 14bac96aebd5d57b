"""From what `verify` gives to what a report shows beside the verdicts."""

from collections.abc import Iterator

from causalnet.claims import ClaimResult, VerificationReport
from causalnet.claims.grades import missing_for
from causalnet.claims.reporting import GradedCircuit, Reporting
from causalnet.claims.reporting_curve_values import CurvePoint, SizeCurve
from causalnet.claims.robustness_grid import Bounds, Grid, GridCell
from causalnet.claims.robustness_verdict import grid_number
from causalnet.report import (
    ChanceView,
    ConventionCell,
    ConventionRow,
    ConventionTable,
    FieldsView,
    FieldView,
    GradeItem,
    GradeView,
    SizeCurveView,
    SizePoint,
)

__all__ = [
    "chance_views",
    "convention_table",
    "field_views",
    "grade_of_result",
    "grade_views",
    "size_curve_view",
]


def convention_table(report: VerificationReport) -> ConventionTable | None:
    """Return the claims under every convention; None where the file has no claim about one."""
    grid = report.grid
    if grid is None:
        return None
    rows = tuple(_rows(report, grid))
    if not rows:
        return ConventionTable(skipped=grid.skipped) if grid.skipped else None
    own = next((at for at, one in enumerate(grid.conventions) if one.is_own), None)
    return ConventionTable(
        conventions=tuple(one.name for one in grid.conventions),
        rows=rows,
        prompts=grid.n,
        own=own,
        level=1 - 2 * report.claim_file.alpha,
        sources=tuple(one.source for one in grid.conventions),
    )


def _rows(report: VerificationReport, grid: Grid) -> Iterator[ConventionRow]:
    for result in report.results:
        number = grid_number(grid, result.claim, result.circuit)
        if number is None:
            continue
        bounds = Bounds.of(result.decision)
        cells = grid.cells(number, result.decision.alpha)
        yield ConventionRow(
            claim=result.claim.id,
            number=number.quantity,
            claimed=str(bounds),
            cells=tuple(_cell(one, bounds) for one in cells),
            bounds=tuple(one for one in (bounds.low, bounds.high) if one is not None),
            sentence=result.robustness,
        )


def _cell(cell: GridCell, bounds: Bounds) -> ConventionCell:
    verdict = cell.verdict(bounds)
    if verdict is None:
        return ConventionCell("NOT RUN", why=cell.failed)
    if cell.interval is None:
        return ConventionCell(verdict.value, why=cell.undefined)
    return ConventionCell(verdict.value, cell.estimate, cell.interval.low, cell.interval.high)


def size_curve_view(curve: SizeCurve | None) -> SizeCurveView | None:
    """Return the curve over sizes, if there is one."""
    if curve is None:
        return None
    return SizeCurveView(
        points=tuple(map(_point, curve.points)),
        marks=tuple(map(_point, curve.marks)),
        universe=curve.universe,
        prompts=curve.n,
        level=curve.level,
        ranking=curve.ranking,
        not_done=curve.not_done,
    )


def _point(point: CurvePoint) -> SizePoint:
    return SizePoint(point.size, point.estimate, point.low, point.high, point.name)


def chance_views(report: VerificationReport) -> Iterator[ChanceView]:
    """Yield every comparison with random circuits that was made."""
    for result in report.results:
        known = result.evidence
        if result.claim.kind != "better_than_random" or not known.get("gaps"):
            continue
        yield ChanceView(
            claim=result.claim.id,
            gaps=tuple(map(float, known["gaps"])),
            own=float(known["gap_of_circuit"]),
            unit=result.readout_unit,
            p_value=None if known.get("p_value") is None else float(known["p_value"]),
            drawn=str(known.get("drawn", "")),
        )


def grade_views(reporting: Reporting) -> tuple[GradeView, ...]:
    """Return every circuit with its grade."""
    return tuple(map(_grade, reporting.circuits))


def _grade(graded: GradedCircuit) -> GradeView:
    evidence = graded.evidence
    items = [GradeItem(item.value, True, said) for item, said in evidence.found.items()]
    items += [GradeItem(item.value, False, why) for item, why in evidence.lacking.items()]
    after = missing_for(evidence)
    lacking = ""
    if after is not None:
        lacking = f"For “{after[0]}”: {', '.join(item.value for item in after[1])}."
    elif evidence.refuted:
        lacking = f"Refuted: {', '.join(evidence.refuted)}."
    size = len(graded.circuit)
    return GradeView(
        circuit=f"{size} member{'' if size == 1 else 's'}: {_short(graded.circuit)}",
        claims=graded.claims,
        grade=str(graded.grade),
        step=int(graded.grade),
        items=tuple(items),
        lacking=lacking,
    )


def _short(circuit: tuple[str, ...], most: int = 24) -> str:
    shown = ", ".join(circuit[:most])
    return shown if len(circuit) <= most else f"{shown} and {len(circuit) - most} more"


def field_views(reporting: Reporting) -> tuple[FieldsView, ...]:
    """Return the fields of a report, heading by heading."""
    return tuple(
        FieldsView(
            group.title,
            tuple(FieldView(one.name, str(one), bool(one.value)) for one in group.fields),
        )
        for group in reporting.groups
    )


def grade_of_result(reporting: Reporting, result: ClaimResult) -> str:
    """Return the grade of a claim's circuit in words; "" for a claim about none."""
    for one in reporting.circuits:
        if result.claim.id in one.claims:
            return str(one.grade)
    return ""
