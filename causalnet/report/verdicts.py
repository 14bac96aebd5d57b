"""Drawings of a verdict: the interval against the threshold, and the sequence that decided it."""

import math

from causalnet.report.drawing import line, text
from causalnet.report.markup import Markup, join, tag
from causalnet.report.numbers import measured, precise, ticks
from causalnet.report.palette import variable
from causalnet.report.scale import Scale
from causalnet.report.view import TracePoint, VerdictRow

__all__ = ["axis_range", "claimed_words", "sequence_svg", "verdict_svg"]

_WIDTH, _HEIGHT, _MARGIN = 560.0, 128.0, 18.0
_FUNNEL_WIDTH, _FUNNEL_HEIGHT = 430.0, 148.0


def verdict_svg(row: VerdictRow) -> str:
    """Draw the estimate, its interval and the threshold on one axis, as a piece of SVG.

    The side of the threshold on which the claim holds is shaded.
    """
    low, high = axis_range(row)
    scale = Scale(low, high, _MARGIN, _WIDTH - _MARGIN)
    base = _HEIGHT - 30
    return tag(
        "svg",
        _shade(row, scale, 20.0, base),
        _axis(scale, base, row.unit),
        _threshold(row, scale, base),
        _interval(row, scale, (20 + base) / 2 + 8),
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        class_="cn-figure",
        role="img",
        aria_label=_spoken(row),
        font_family="system-ui, sans-serif",
        xmlns="http://www.w3.org/2000/svg",
    )


def sequence_svg(row: VerdictRow) -> str:
    """Draw the confidence sequence over what was looked at, as a piece of SVG.

    Empty when the row has no point.  A single one, a verdict at the first look, is drawn as a bar.
    """
    points = [point for point in row.trace if not math.isnan(point.estimate)]
    if not points:
        return Markup("")
    low, high = axis_range(row, points)
    across = Scale(0, points[-1].n * (1.06 if len(points) == 1 else 1), 44, _FUNNEL_WIDTH - 14)
    up = Scale(low, high, _FUNNEL_HEIGHT - 34, 10)
    return tag(
        "svg",
        _funnel_shade(row, across, up),
        _funnel_axes(across, up, row.counted),
        _funnel(row, points, across, up),
        _funnel_threshold(row, across, up),
        viewBox=f"0 0 {_FUNNEL_WIDTH:g} {_FUNNEL_HEIGHT:g}",
        class_="cn-figure",
        role="img",
        aria_label=f"Confidence sequence over {points[-1].n} {row.counted}",
        font_family="system-ui, sans-serif",
        xmlns="http://www.w3.org/2000/svg",
    )


def axis_range(row: VerdictRow, points: list[TracePoint] | None = None) -> tuple[float, float]:
    """Return what the axis must show, in the claim's unit; a wide early band may run out of it."""
    shown = [row.estimate, row.low, row.high, row.threshold, row.upper]
    if row.estimate is None:
        shown += [0.0, 1.0]  # nothing was measured: show where it could have been
    shown += [point.estimate for point in points or ()]
    finite = [value for value in shown if value is not None and math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    span = _span(low, high) or max(abs(high), 1.0) * 0.5
    if low > 0 >= low - 0.8 * span:
        low = 0.0  # zero is worth seeing where it is near
    if high < 0 <= high + 0.8 * span:
        high = 0.0
    if points:
        reach = [
            value
            for point in points[max(1, len(points) // 8) :]
            for value in (point.low, point.high)
        ]
        low = max(min([low, *reach]), low - 1.2 * span)
        high = min(max([high, *reach]), high + 1.2 * span)
    span = _span(low, high) or span
    return low - 0.09 * span, high + 0.09 * span


def _span(low: float, high: float) -> float:
    """Return the width of a range; 0 where it is too narrow to be told from a point."""
    width = high - low
    return width if width > 1e-9 * max(1.0, abs(low), abs(high)) else 0.0


def _colour(row: VerdictRow) -> str:
    return variable(row.verdict.lower())


def _spoken(row: VerdictRow) -> str:
    parts: list[str] = [row.verdict]
    estimate, interval = measured(row.estimate, row.low, row.high, row.threshold)
    if estimate:
        parts.append(f"estimate {estimate}")
    if interval:
        parts.append(f"interval {interval}")
    if row.threshold is not None:
        parts.append(f"threshold {claimed_words(row)}")
    return ", ".join(parts)


def _relation(row: VerdictRow) -> str:
    return "≤" if row.direction == "at_most" else "≥"


def claimed_words(row: VerdictRow) -> str:
    """Return what is claimed, with a sign for the relation."""
    if row.upper is not None:
        return f"{precise(row.threshold or 0.0)} to {precise(row.upper)}"
    return f"{_relation(row)} {precise(row.threshold or 0.0)}"


def _claimed(row: VerdictRow, scale: Scale) -> tuple[float, float]:
    """Return the places between which the claim holds, the end of smaller values first."""
    at = scale(row.threshold or 0.0)
    if row.direction == "at_most":
        return scale.start, at
    return at, scale.end if row.upper is None else scale(row.upper)


def _shade(row: VerdictRow, scale: Scale, top: float, base: float) -> Markup | None:
    if row.threshold is None:
        return None
    left, right = _claimed(row, scale)
    return tag(
        "rect",
        x=left,
        y=top,
        width=right - left,
        height=base - top,
        fill=variable("supported"),
        fill_opacity="0.11",
    )


def _axis(scale: Scale, base: float, unit: str) -> Markup:
    marks = [
        join(
            line(scale(value), base, scale(value), base + 5, stroke_opacity="0.5"),
            text(scale(value), base + 18, _tick(value)),
        )
        for value in ticks(scale.low, scale.high, 6)
    ]
    zero = None
    if scale.low < 0 < scale.high:
        zero = line(scale(0), 20, scale(0), base, stroke_opacity="0.18")
    name = text(scale.end, base + 29, unit, text_anchor="end", font_size="11") if unit else None
    return join(zero, line(scale.start, base, scale.end, base, stroke_opacity="0.5"), *marks, name)


def _tick(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _threshold(row: VerdictRow, scale: Scale, base: float) -> Markup | None:
    if row.threshold is None:
        return None
    at = scale(row.threshold)
    right = at < (scale.start + scale.end) / 2
    other = None if row.upper is None else scale(row.upper)
    return join(
        line(at, 6, at, base, stroke_width="2", stroke_dasharray="5 4"),
        None
        if other is None
        else line(other, 6, other, base, stroke_width="2", stroke_dasharray="5 4"),
        text(
            at + (6 if right else -6),
            14,
            f"claimed {claimed_words(row)}",
            text_anchor="start" if right else "end",
            opacity="1",
            font_weight="600",
        ),
    )


def _interval(row: VerdictRow, scale: Scale, y: float) -> Markup:
    colour, parts = _colour(row), list[Markup]()
    if row.low is not None and row.high is not None:
        left, right = scale(row.low), scale(row.high)
        parts.append(
            line(left, y, right, y, stroke=colour, stroke_width="7", stroke_opacity="0.45")
        )
        parts += [
            line(end, y - 9, end, y + 9, stroke=colour, stroke_width="3")
            for end, value in ((left, row.low), (right, row.high))
            if math.isfinite(value)
        ]
    if row.estimate is None or not math.isfinite(row.estimate):
        middle = (scale.start + scale.end) / 2
        parts.append(text(middle, y - 16, "no estimate", font_style="italic"))
        return join(*parts)
    at = scale(row.estimate)
    parts.append(tag("circle", cx=at, cy=y, r=7.5, fill=colour))
    label = min(max(at, scale.start + 18), scale.end - 18)
    parts.append(
        text(
            label,
            y - 15,
            measured(row.estimate, row.low, row.high, row.threshold)[0],
            fill=colour,
            font_size="17",
            font_weight="700",
            opacity="1",
        )
    )
    return join(*parts)


def _funnel_shade(row: VerdictRow, across: Scale, up: Scale) -> Markup | None:
    if row.threshold is None:
        return None
    bottom, top = _claimed(row, up)
    return tag(
        "rect",
        x=across.start,
        y=top,
        width=across.end - across.start,
        height=bottom - top,
        fill=variable("supported"),
        fill_opacity="0.11",
    )


def _funnel_axes(across: Scale, up: Scale, counted: str) -> Markup:
    rows = [
        join(
            line(across.start, up(value), across.end, up(value), stroke_opacity="0.12"),
            text(across.start - 6, up(value) + 4, _tick(value), text_anchor="end"),
        )
        for value in ticks(up.low, up.high, 4)
    ]
    columns = [
        text(across(value), up.start + 16, _tick(value)) for value in ticks(0, across.high, 5)
    ]
    name = text((across.start + across.end) / 2, up.start + 31, f"{counted} looked at")
    floor = line(across.start, up.start, across.end, up.start, stroke_opacity="0.5")
    return join(*rows, *columns, floor, name)


def _funnel(row: VerdictRow, points: list[TracePoint], across: Scale, up: Scale) -> Markup:
    colour = _colour(row)
    if len(points) == 1:
        return _only_look(points[0], colour, across, up)
    upper = [(across(point.n), up(point.high)) for point in points]
    lower = [(across(point.n), up(point.low)) for point in points]
    middle = [(across(point.n), up(point.estimate)) for point in points]
    return join(
        tag("polygon", points=_path(upper + lower[::-1]), fill=colour, fill_opacity="0.22"),
        _curve(upper, colour, "1.4"),
        _curve(lower, colour, "1.4"),
        _curve(middle, colour, "2.4"),
        tag("circle", cx=middle[-1][0], cy=middle[-1][1], r=4.5, fill=colour),
    )


def _only_look(point: TracePoint, colour: str, across: Scale, up: Scale) -> Markup:
    x, low, high = across(point.n), up(point.low), up(point.high)
    ends = [
        line(x - 7, y, x + 7, y, stroke=colour, stroke_width="2.4")
        for y, value in ((low, point.low), (high, point.high))
        if math.isfinite(value)
    ]
    return join(
        line(x, low, x, high, stroke=colour, stroke_width="6", stroke_opacity="0.45"),
        *ends,
        tag("circle", cx=x, cy=up(point.estimate), r=5, fill=colour),
        text(x - 14, up(point.estimate) + 4, "decided at the first look", text_anchor="end"),
    )


def _funnel_threshold(row: VerdictRow, across: Scale, up: Scale) -> Markup | None:
    if row.threshold is None:
        return None
    ends = [up(value) for value in (row.threshold, row.upper) if value is not None]
    return join(
        *(
            line(across.start, at, across.end, at, stroke_width="1.8", stroke_dasharray="5 4")
            for at in ends
        )
    )


def _path(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _curve(points: list[tuple[float, float]], colour: str, width: str) -> Markup:
    return tag("polyline", points=_path(points), fill="none", stroke=colour, stroke_width=width)
