"""The evidence beside verdicts, made by hand, with numbers from a seeded generator."""

from collections.abc import Callable
from typing import Any

import numpy as np

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
from causalnet.report.evidence import CellState

NAMES = (
    "counterfactual noising", "counterfactual denoising", "resample noising (16)",
    "resample noising (64)", "resample denoising (16)", "resample denoising (64)",
    "mean_per_position (16)", "mean_per_position (64)", "mean (16)", "mean (64)", "zero",
)  # fmt: skip


def cell(estimate: float, bound: float, half: float = 0.06) -> ConventionCell:
    low, high = estimate - half, estimate + half
    state: CellState = "SUPPORTED" if low > bound else "REFUTED" if high < bound else "INCONCLUSIVE"
    return ConventionCell(state, estimate, low, high)


def convention_table() -> ConventionTable:
    shares = (0.93, 0.9, 0.83, 0.84, 0.97, 0.78, None, 1.02, -0.43, 0.1, -0.15)
    cells = tuple(
        ConventionCell("NOT RUN", why="Prompts have unequal lengths.")
        if share is None
        else cell(share, 0.8)
        for share in shares
    )
    necessity = tuple(cell(0.4 + 0.05 * at, 0.5) for at in range(10))
    absent = ConventionCell("UNDEFINED", why="the whole model less everything ablated is -1")
    return ConventionTable(
        NAMES,
        (
            ConventionRow("circuit-suffices", "faithfulness", "at least 0.8", cells, (0.8,),
                          "On the first 16 prompts it holds in 5 of 11 conventions."),
            ConventionRow("needed", "necessity", "within [0.5, 1.1]", (*necessity, absent),
                          (0.5, 1.1)),
        ),
        16, 0, 0.9, ("",) * 10 + ("16 source prompts of ioi, seed 6",),
    )  # fmt: skip


def size_curve() -> SizeCurveView:
    random = np.random.default_rng(3)
    sizes = (1, 2, 3, 5, 8, 13, 21, 34, 55, 90, 146, 237)
    points = []
    for size in sizes:
        share = float(1 - np.exp(-size / 12) + 0.05 * random.normal())
        points.append(SizePoint(size, share, share - 0.1, share + 0.1))
    marks = (
        SizePoint(20, 0.93, 0.88, 0.97, "circuit-suffices"),
        SizePoint(2, 0.21, 0.12, 0.3, "two-heads-suffice"),
        SizePoint(40, None, name="undefined here"),
    )
    ranking = "absolute effect of knocking out each by itself, on 8 of the prompts that found it"
    return SizeCurveView(tuple(points), marks, 270, 16, 0.9, ranking)


def chance() -> ChanceView:
    gaps = tuple(map(float, np.random.default_rng(5).normal(4.0, 0.5, 60)))
    return ChanceView("better-than-chance", gaps, 0.44, "logits", 1 / 61, "as many in every layer")


def grades() -> tuple[GradeView, ...]:
    there = GradeItem("necessity", True, "needed SUPPORTED (0.62)")
    lacking = GradeItem("control tasks", False, "no claim of kind specific is about it")
    return (
        GradeView("20 members: L18.H2, L19.H2", ("circuit-suffices",), "supported", 3,
                  (there, lacking), "For “triangulated”: control tasks."),
        GradeView("2 members: L20.H0, L19.H2", ("two-heads-suffice",), "rejected", 0, (there,),
                  "Refuted: two-heads-suffice."),
    )  # fmt: skip


def fields() -> tuple[FieldsView, ...]:
    return (
        FieldsView("Model", (FieldView("name", "SmolLM2"), FieldView("licence",
                   "not done: weights are read without their licence", False))),
        FieldsView("Limits", (FieldView("scope", "ioi"),)),
    )  # fmt: skip


def evidence() -> dict[str, Any]:
    """The fields of a view."""
    return {
        "conventions": convention_table(),
        "curve": size_curve(),
        "chance": (chance(),),
        "grades": grades(),
        "fields": fields(),
    }


def evidence_of_strings(take: Callable[[], str], count: int) -> dict[str, Any]:
    """The same with a string in every field that holds text."""
    row = ConventionRow(
        take(), take(), take(), tuple(ConventionCell("NOT RUN", why=take()) for _ in range(count)),
        (0.5,), take(),
    )  # fmt: skip
    names = tuple(take() for _ in range(count))
    return {
        "conventions": ConventionTable(
            names, (row,), 16, 0, 0.9, tuple(take() for _ in range(count))
        ),
        "curve": SizeCurveView(
            (SizePoint(1, 0.2, 0.1, 0.3), SizePoint(2, 0.5, 0.4, 0.6)),
            tuple(SizePoint(1, 0.3, 0.2, 0.4, take()) for _ in range(count)),
            4, 16, 0.9, take(),
        ),
        "chance": tuple(
            ChanceView(take(), (1.0, 2.0), 0.5, take(), 0.3, take()) for _ in range(count)
        ),
        "grades": tuple(
            GradeView(take(), (take(),), take(), 1, (GradeItem(take(), True, take()),), take())
            for _ in range(count)
        ),
        "fields": (FieldsView(take(), tuple(FieldView(take(), take()) for _ in range(count))),),
    }  # fmt: skip
