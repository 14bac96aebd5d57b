"""The report as one picture: heat map, verdicts with their intervals, and what lies beside them."""

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.errors import CausalNetError
from causalnet.report.heatmap import strength
from causalnet.report.numbers import brief, measured
from causalnet.report.palette import LIGHT, VERDICT_SIGNS
from causalnet.report.picture_evidence import (
    draw_chance,
    draw_conventions,
    draw_curve,
    evidence_heights,
)
from causalnet.report.picture_text import cut, drawable
from causalnet.report.verdicts import axis_range, claimed_words
from causalnet.report.view import Circuit, Heatmap, ReportView, VerdictRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_png"]

_INK, _MUTED, _GROUND, _LINE = "#1b1d23", "#5a606b", "#ffffff", "#dfddd7"
_WIDTH, _HEAD, _HEATMAP, _ROW, _FOOT = 13.0, 1.2, 4.35, 1.25, 0.2  # inches
# A reader's own matplotlibrc must not change the picture, nor send its strings to LaTeX.
_SETTINGS: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "svg.fonttype": "path",
    "axes.unicode_minus": True,
}


def write_png(report: ReportView, path: str | Path, *, dpi: int = 160) -> Path:
    """Write heat map, verdicts and the evidence beside them as one picture; return its path.

    Args:
        report: What to show.
        path: Where to write; missing folders are made.
        dpi: Dots per inch; the picture is 13 inches wide.

    Raises:
        CausalNetError: matplotlib is not installed.
        FormatError: A field of the report is not of its declared type.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise CausalNetError(
            came="matplotlib is not installed.",
            possible="The picture of a report needs it; the HTML report does not.",
            write="Run: pip install 'causalnet-lab[plots]'",
        ) from None
    view = report.checked()
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, _height(view)), facecolor=_GROUND)
        _draw(figure, view)
        figure.savefig(place, format="png", dpi=dpi)
    return place


def _height(view: ReportView) -> float:
    heatmap = _HEATMAP if view.heatmap else 0.0
    return _HEAD + heatmap + _ROW * len(view.verdicts) + sum(evidence_heights(view)) + _FOOT


def _draw(figure: "Figure", view: ReportView) -> None:
    height = _height(view)

    def axes(left: float, top: float, width: float, tall: float) -> "Axes":
        """Place axes by inches from the top left corner."""
        return figure.add_axes(
            (left / _WIDTH, 1 - (top + tall) / height, width / _WIDTH, tall / height)
        )

    _heading(figure, view, height)
    top = _HEAD
    if view.heatmap:
        _heatmap(figure, axes(0.9, top + 0.35, 10.8, 3.2), view.heatmap, view.circuit)
        top += _HEATMAP
    for row in view.verdicts:
        _verdict_words(figure, row, 1 - (top + 0.1) / height, height)
        _verdict_axes(axes(7.3, top + 0.18, 5.3, 0.62), row)
        top += _ROW
    table, drawings = evidence_heights(view)
    if table and view.conventions is not None:
        draw_conventions(axes(0.4, top + 0.4, 12.2, table - 0.5), view.conventions)
        top += table
    if drawings:
        width = 5.2 if view.chance else 11.6
        if view.curve is not None and view.curve.points:
            draw_curve(axes(0.95, top + 0.5, width, drawings - 1.2), view.curve)
        if view.chance:
            draw_chance(axes(7.4, top + 0.5, 5.2, drawings - 1.2), view.chance[0])


def _heading(figure: "Figure", view: ReportView, height: float) -> None:
    title, line = (
        drawable(view.title),
        drawable(" · ".join(filter(None, (view.task, view.model)))),
    )
    place: dict[str, Any] = {"ha": "left", "va": "top"}
    figure.text(
        0.4 / _WIDTH, 1 - 0.3 / height, cut(title, 88), size=17, weight="bold", color=_INK, **place
    )
    words = "\n".join(textwrap.wrap(cut(line, 290), 160))
    figure.text(0.4 / _WIDTH, 1 - 0.68 / height, words, size=9.5, color=_MUTED, **place)


def _heatmap(figure: "Figure", axes: "Axes", heatmap: Heatmap, circuit: Circuit | None) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.patches import Rectangle

    known = [cell for cell in heatmap.cells if math.isfinite(cell.effect)]
    largest = max((abs(cell.effect) for cell in known), default=0.0) or 1.0
    stops = [index / 100 for index in range(-100, 101)]
    colours = LinearSegmentedColormap.from_list(
        "causalnet", [_mixed(stop, strength(stop, 1.0)) for stop in stops]
    )
    scale = Normalize(-largest, largest)
    members = {member.mediator for member in circuit.members} if circuit else set()
    has_mlps = any(cell.head is None for cell in heatmap.cells)
    for cell in sorted(known, key=lambda cell: cell.mediator in members):
        row = heatmap.heads + 0.5 if cell.head is None else cell.head
        ringed = cell.mediator in members
        axes.add_patch(
            Rectangle(
                (cell.layer - 0.48, row - 0.48),
                0.96,
                0.96,
                facecolor=colours(scale(cell.effect)),
                edgecolor=_INK if ringed else "none",
                linewidth=1.6 if ringed else 0,
            )
        )
        strong = strength(cell.effect, largest)
        if strong > 0.45 and heatmap.layers <= 40:
            axes.text(
                cell.layer,
                row,
                brief(cell.effect),
                color="#ffffff" if strong > 0.72 else _INK,
                size=7.5,
                weight="bold",
                ha="center",
                va="center",
            )
    _heatmap_frame(axes, heatmap, has_mlps, bool(members))
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, fraction=0.025, pad=0.015)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=_MUTED, length=0)
    bar.set_label(drawable(heatmap.unit), color=_MUTED, size=9)


def _heatmap_frame(axes: "Axes", heatmap: Heatmap, has_mlps: bool, ringed: bool) -> None:
    axes.set_xlim(-0.6, heatmap.layers - 0.4)
    axes.set_ylim(heatmap.heads + (1.1 if has_mlps else -0.4), -0.6)
    step = math.ceil(heatmap.layers / 40)
    axes.set_xticks(range(0, heatmap.layers, step))
    every = math.ceil(heatmap.heads / 20)
    names = {head: f"H{head}" for head in range(0, heatmap.heads, every)}
    if has_mlps:
        names[heatmap.heads + 0.5] = "MLP"  # type: ignore[index]  # the row after a gap
    axes.set_yticks(list(names), list(names.values()))
    axes.tick_params(length=0, labelsize=8.5, colors=_MUTED)
    axes.set_xlabel("layer", color=_MUTED, size=9)
    for spine in axes.spines.values():
        spine.set_color(_LINE)
    how = ", ".join(filter(None, (heatmap.at and f"at {heatmap.at}", heatmap.method)))
    title = f"{heatmap.estimand.capitalize()} on the {heatmap.outcome}" + (
        f" ({how})" if how else ""
    )
    axes.set_title(
        cut(drawable(title), 120), loc="left", size=11.5, weight="bold", color=_INK, pad=20
    )
    sign = "effect = patched − unpatched; blue: patching lowers the outcome, orange: raises it"
    axes.text(
        0,
        1.025,
        sign + ("; ringed: in the circuit" if ringed else ""),
        transform=axes.transAxes,
        size=9,
        color=_MUTED,
    )


def _mixed(sign: float, share: float) -> tuple[float, ...]:
    """Mix a pole's colour with white."""
    pole = LIGHT["negative" if sign < 0 else "positive"]
    parts = [int(pole[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return tuple(share * part + 1 - share for part in parts)


def _verdict_words(figure: "Figure", row: VerdictRow, top: float, height: float) -> None:
    colour = LIGHT[row.verdict.lower()]
    place: dict[str, Any] = {"ha": "left", "va": "top"}
    badge: dict[str, Any] = {
        "boxstyle": "round,pad=0.4,rounding_size=0.9",
        "facecolor": colour,
        "edgecolor": "none",
    }
    figure.text(
        0.52 / _WIDTH,
        top - 0.04 / height,
        f"{VERDICT_SIGNS[row.verdict]} {row.verdict}",
        size=9,
        weight="bold",
        color="#ffffff",
        bbox=badge,
        **place,
    )
    statement = "\n".join(textwrap.wrap(cut(drawable(row.statement), 96), 50))
    figure.text(2.15 / _WIDTH, top, statement, size=11, weight="bold", color=_INK, **place)
    lines = statement.count("\n") + 1
    why = "\n".join(textwrap.wrap(drawable(row.reason), 78, max_lines=5 - lines, placeholder=" …"))
    figure.text(
        2.15 / _WIDTH, top - (0.06 + 0.2 * lines) / height, why, size=8.5, color=_MUTED, **place
    )


def _verdict_axes(axes: "Axes", row: VerdictRow) -> None:
    low, high = axis_range(row)
    colour = LIGHT[row.verdict.lower()]
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.tick_params(labelsize=8, colors=_MUTED, length=3)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(_MUTED)
    if row.threshold is not None:
        _threshold(axes, row, low, high)
    if row.low is not None and row.high is not None:
        left, right = max(row.low, low), min(row.high, high)
        axes.plot([left, right], [0.42] * 2, color=colour, alpha=0.45, lw=5, solid_capstyle="butt")
        ends = [end for end in (row.low, row.high) if math.isfinite(end)]
        axes.plot(ends, [0.42] * len(ends), "|", color=colour, ms=13, mew=2.2)
    if row.estimate is None or not math.isfinite(row.estimate):
        axes.text(0.02, 0.42, "no estimate", transform=axes.transAxes, size=9, color=_MUTED)
    else:
        axes.plot([row.estimate], [0.42], "o", color=colour, ms=9)
        axes.text(
            row.estimate,
            0.72,
            _numbers(row),
            ha=_side(row.estimate, low, high),
            size=9,
            weight="bold",
            color=colour,
        )
    if row.unit:
        axes.set_xlabel(drawable(row.unit), size=8, color=_MUTED, labelpad=1)


def _threshold(axes: "Axes", row: VerdictRow, low: float, high: float) -> None:
    at = float(row.threshold or 0.0)
    top = high if row.upper is None else row.upper
    holds = (low, at) if row.direction == "at_most" else (at, top)
    axes.axvspan(*holds, color=LIGHT["supported"], alpha=0.1, lw=0)
    for bound in (at, row.upper):
        if bound is not None:
            axes.axvline(bound, color=_INK, lw=1.6, ls=(0, (4, 3)))
    words = f"claimed {claimed_words(row)}"
    axes.text(at, 1.04, words, ha=_side(at, low, high), size=8.5, weight="bold", color=_INK)


def _numbers(row: VerdictRow) -> str:
    return " ".join(measured(row.estimate or 0.0, row.low, row.high, row.threshold)).strip()


def _side(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low)
    return "left" if share < 0.25 else "right" if share > 0.75 else "center"
