"""The evidence beside verdicts as parts of a picture: conventions, sizes, chance."""

from typing import TYPE_CHECKING, Any

from causalnet.report.convention_table import cell_words
from causalnet.report.evidence import ChanceView, ConventionTable, SizeCurveView, SizePoint
from causalnet.report.numbers import precise
from causalnet.report.palette import LIGHT
from causalnet.report.picture_text import cut, drawable
from causalnet.report.size_curve import bins_of, curve_range, share_words, size_ticks
from causalnet.report.view import ReportView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_chance", "draw_conventions", "draw_curve", "evidence_heights"]

INK, MUTED, LINE = "#1b1d23", "#5a606b", "#dfddd7"
ROW, TITLE, CURVE = 0.27, 0.85, 3.1  # inches
MOST_COLUMNS = 4


def evidence_heights(view: ReportView) -> tuple[float, float]:
    """Return the inches of the table of conventions, and of the drawings below it."""
    table = view.conventions
    has_table = table is not None and table.rows
    drawn = view.chance or (view.curve is not None and view.curve.points)
    return (
        TITLE + ROW * len(table.conventions) if has_table and table is not None else 0.0,
        CURVE + 0.35 if drawn else 0.0,
    )


def draw_conventions(axes: "Axes", table: ConventionTable) -> None:
    """Draw the table: a row for each convention, a column for each of the first claims."""
    from matplotlib.patches import Rectangle

    rows = table.rows[:MOST_COLUMNS]
    axes.set_xlim(-1.05, max(len(rows), 2))
    axes.set_ylim(len(table.conventions), -0.9)
    axes.axis("off")
    place: dict[str, Any] = {"va": "center", "size": 8.5, "color": INK}
    for at, name in enumerate(table.conventions):
        own = at == table.own
        words = f"{name} · own" if own else name
        weight = "bold" if own else "normal"
        axes.text(-0.06, at + 0.5, drawable(words), ha="right", weight=weight, **place)
    for column, row in enumerate(rows):
        head = f"{cut(row.claim, 30)}: {row.claimed}"
        axes.text(column + 0.48, -0.45, drawable(head), ha="center", weight="bold", **place)
        for at, cell in enumerate(row.cells):
            tone = "undefined" if cell.state == "NOT RUN" else cell.state.lower()
            axes.add_patch(
                Rectangle(
                    (column, at + 0.06), 0.96, 0.88, color=LIGHT[tone], alpha=0.2, linewidth=0
                )
            )
            axes.text(column + 0.48, at + 0.52, drawable(cell_words(cell)), ha="center", **place)
    more = f"; the first {len(rows)} of {len(table.rows)} claims" if table.rows[len(rows) :] else ""
    title = f"Under other conventions, on {table.prompts} prompts{more}"
    axes.set_title(title, loc="left", size=11.5, weight="bold", color=INK, pad=6)


def draw_curve(axes: "Axes", curve: SizeCurveView) -> None:
    """Draw faithfulness over circuit size, the claims' circuits as diamonds."""
    known = [one for one in curve.points if one.estimate is not None]
    sizes = [one.size for one in known]
    colour = LIGHT["negative"]
    with_ends = [one for one in known if one.low is not None and one.high is not None]
    axes.fill_between(
        [one.size for one in with_ends],
        [float(one.low or 0.0) for one in with_ends],
        [float(one.high or 0.0) for one in with_ends],
        color=colour,
        alpha=0.16,
        linewidth=0,
    )
    axes.plot(sizes, [float(one.estimate or 0.0) for one in known], "o-", color=colour, ms=3.5)
    for mark in curve.marks:
        _mark(axes, mark)
    axes.axhline(1.0, color=MUTED, lw=0.8, alpha=0.6)
    axes.set_xscale("log")
    largest = max([2, *(one.size for one in (*curve.points, *curve.marks))])
    axes.set_xlim(0.9, largest * 1.15)
    axes.set_ylim(*curve_range(curve))
    axes.set_xticks(size_ticks(largest), [str(size) for size in size_ticks(largest)])
    axes.minorticks_off()
    _frame(axes, f"units kept, of {curve.universe:,}", "faithfulness")
    axes.set_title("Faithfulness over circuit size", loc="left", size=11.5, weight="bold")


def _mark(axes: "Axes", mark: SizePoint) -> None:
    if mark.estimate is None:
        return
    colour = LIGHT["positive"]
    axes.plot([mark.size], [mark.estimate], "D", color=colour, ms=7)
    if mark.low is not None and mark.high is not None:
        axes.plot([mark.size] * 2, [mark.low, mark.high], color=colour, lw=2)
    axes.annotate(
        drawable(f"{cut(mark.name, 34)} {share_words(mark.estimate)}"),
        (mark.size, mark.estimate),
        xytext=(8, -12) if mark.estimate > 0.3 else (8, 5),
        textcoords="offset points",
        size=8,
        color=colour,
        weight="bold",
    )


def draw_chance(axes: "Axes", chance: ChanceView) -> None:
    """Draw the gaps of random circuits, and the circuit's own."""
    from matplotlib.ticker import MaxNLocator

    for low, high, count in bins_of(chance.gaps, chance.own):
        axes.bar(low, count, width=high - low, align="edge", color=LIGHT["negative"], alpha=0.55)
    axes.axvline(chance.own, color=LIGHT["positive"], lw=2.4)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    p_value = "" if chance.p_value is None else f", p = {precise(chance.p_value, 2)}"
    name = cut(chance.claim, 30)
    title = f"{name}: beside {len(chance.gaps)} random circuits{p_value}"
    axes.set_title(drawable(title), loc="left", size=11.5, weight="bold", color=INK)
    unit = f", {chance.unit}" if chance.unit else ""
    _frame(axes, drawable(f"mean absolute gap to the model{unit}; orange: the circuit"), "circuits")


def _frame(axes: "Axes", across: str, up: str) -> None:
    axes.set_xlabel(across, size=9, color=MUTED)
    axes.set_ylabel(up, size=9, color=MUTED)
    axes.tick_params(labelsize=8, colors=MUTED, length=3)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("bottom", "left"))
        spine.set_color(LINE)
