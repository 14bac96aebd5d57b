"""The table of conventions: a row for each, a column for each claim, in the verdict's colour."""

import math

from causalnet.report.drawing import line, text
from causalnet.report.evidence import ConventionCell, ConventionRow, ConventionTable
from causalnet.report.markup import Markup, join, tag
from causalnet.report.palette import VERDICT_SIGNS, variable
from causalnet.report.scale import Scale
from causalnet.report.size_curve import share_words

__all__ = ["cell_words", "convention_table_svg"]

_LEFT, _TOP, _ROW, _COLUMN = 236.0, 62.0, 40.0, 232.0
_GAP = 8.0


def convention_table_svg(table: ConventionTable) -> str:
    """Draw the table as a piece of SVG: estimate, interval and the claimed bound in every cell."""
    width = _LEFT + len(table.rows) * _COLUMN + 10
    height = _TOP + len(table.conventions) * _ROW + 10
    return tag(
        "svg",
        *(_name(table, index) for index in range(len(table.conventions))),
        *(_column(row, index) for index, row in enumerate(table.rows)),
        viewBox=f"0 0 {max(width, 940.0):g} {height:g}",
        class_="cn-figure cn-conventions",
        role="img",
        aria_label=f"Claims under {len(table.conventions)} conventions",
        font_family="system-ui, sans-serif",
        xmlns="http://www.w3.org/2000/svg",
    )


def cell_words(cell: ConventionCell) -> str:
    """Return what a cell says: its sign, estimate and interval.

    >>> cell_words(ConventionCell("SUPPORTED", 0.93, 0.88, 0.97))
    '✓ 0.93 [0.88, 0.97]'
    >>> cell_words(ConventionCell("NOT RUN", why="Lengths differ."))
    'not run'
    """
    if cell.state == "NOT RUN":
        return "not run"
    if cell.estimate is None:
        return f"{VERDICT_SIGNS[cell.state]} {cell.state.lower()}"
    number = f"{VERDICT_SIGNS[cell.state]} {share_words(cell.estimate)}"
    if cell.low is None or cell.high is None:
        return number
    return f"{number} [{share_words(cell.low)}, {share_words(cell.high)}]"


def _name(table: ConventionTable, index: int) -> Markup:
    y = _TOP + index * _ROW + _ROW / 2
    is_own = index == table.own
    name = f"{table.conventions[index]}{' · own' if is_own else ''}"
    source = table.sources[index] if index < len(table.sources) else ""
    label = text(
        _LEFT - 14,
        y + 4,
        name,
        text_anchor="end",
        font_size="13",
        opacity="1",
        font_weight="700" if is_own else "500",
    )
    return _titled(source, label)


def _column(row: ConventionRow, index: int) -> Markup:
    left = _LEFT + index * _COLUMN
    middle = left + (_COLUMN - _GAP) / 2
    head = join(
        text(middle, 20, _cut(row.claim, 28), font_size="13", font_weight="700", opacity="1"),
        text(middle, 38, _cut(f"{row.number} {row.claimed}", 36), font_size="12"),
    )
    scale = _scale(row, left)
    cells = (_cell(row, cell, left, _TOP + at * _ROW, scale) for at, cell in enumerate(row.cells))
    return join(head, *cells)


def _scale(row: ConventionRow, left: float) -> Scale:
    """Return the places of numbers in a column: from 0 to 1, further where estimates are."""
    shown = [0.0, 1.0, *row.bounds]
    shown += [one.estimate for one in row.cells if one.estimate is not None]
    low, high = max(min(shown), -1.0), min(max(shown), 2.0)
    return Scale(low - 0.05, high + 0.05, left + 8, left + _COLUMN - _GAP - 8)


def _cell(
    row: ConventionRow, cell: ConventionCell, left: float, top: float, scale: Scale
) -> Markup:
    colour = variable("undefined" if cell.state == "NOT RUN" else cell.state.lower())
    box = tag(
        "rect",
        x=left,
        y=top + 2,
        width=_COLUMN - _GAP,
        height=_ROW - 4,
        rx=5.0,
        fill=colour,
        fill_opacity="0.06" if cell.state == "NOT RUN" else "0.17",
    )
    label = text(
        left + (_COLUMN - _GAP) / 2,
        top + 18,
        cell_words(cell),
        font_size="12.5",
        opacity="0.62" if cell.state == "NOT RUN" else "1",
        font_weight="560",
    )
    why = f"{row.claim}: {cell.why}" if cell.why else ""
    return _titled(why, box, label, _line(row, cell, top + _ROW - 11, scale))


def _titled(words: str, *parts: Markup | None) -> Markup:
    """Return a group; where there are words, the page shows them over it."""
    if not words:
        return tag("g", *parts)
    return tag("g", tag("title", words), *parts, class_="cn-cell")


def _line(row: ConventionRow, cell: ConventionCell, y: float, scale: Scale) -> Markup | None:
    """Draw where the number lies between 0 and 1, beside what is claimed."""
    if cell.estimate is None or not math.isfinite(cell.estimate):
        return None
    colour = variable(cell.state.lower())
    low = cell.estimate if cell.low is None else cell.low
    high = cell.estimate if cell.high is None else cell.high
    bounds = (
        line(scale(bound), y - 6, scale(bound), y + 6, stroke_width="1.6", stroke_dasharray="3 2")
        for bound in row.bounds
    )
    return join(
        line(scale(0.0), y, scale(1.0), y, stroke_opacity="0.22"),
        *bounds,
        line(scale(low), y, scale(high), y, stroke=colour, stroke_width="4", stroke_opacity="0.55"),
        tag("circle", cx=scale(cell.estimate), cy=y, r=4.0, fill=colour),
    )


def _cut(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"
