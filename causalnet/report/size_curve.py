"""Two drawings: faithfulness over circuit size, and a circuit among random ones."""

import math
from collections.abc import Iterator, Sequence

from causalnet.report.drawing import line, text
from causalnet.report.evidence import ChanceView, SizeCurveView, SizePoint
from causalnet.report.markup import Markup, join, tag
from causalnet.report.numbers import precise, ticks
from causalnet.report.palette import variable
from causalnet.report.scale import LogScale, Scale

__all__ = ["bins_of", "chance_svg", "curve_range", "share_words", "size_curve_svg", "size_ticks"]

_WIDTH, _HEIGHT = 760.0, 300.0
_CHANCE_WIDTH, _CHANCE_HEIGHT = 560.0, 190.0


def size_curve_svg(curve: SizeCurveView) -> str:
    """Draw faithfulness over circuit size, the claims' circuits as diamonds."""
    low, high = curve_range(curve)
    sizes = [point.size for point in (*curve.points, *curve.marks)]
    across = LogScale(1.0, float(max([2, *sizes])), 52, _WIDTH - 24)
    up = Scale(low, high, _HEIGHT - 46, 14)
    return tag(
        "svg",
        _axes(curve, across, up),
        _band(curve.points, across, up),
        *(_mark(mark, across, up) for mark in curve.marks),
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        class_="cn-figure",
        role="img",
        aria_label="Faithfulness over circuit size",
        font_family="system-ui, sans-serif",
        xmlns="http://www.w3.org/2000/svg",
    )


def curve_range(curve: SizeCurveView) -> tuple[float, float]:
    """Return which faithfulness the axis shows: 0 to 1, and further where estimates are."""
    shown = [0.0, 1.0]
    shown += [one.estimate for one in (*curve.points, *curve.marks) if one.estimate is not None]
    low, high = max(min(shown), -2.0), min(max(shown), 3.0)
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def size_ticks(largest: int) -> tuple[int, ...]:
    """Return sizes at which the axis has a number.

    >>> size_ticks(237)
    (1, 2, 5, 10, 20, 50, 100, 200)
    """
    steps = (factor * 10**power for power in range(7) for factor in (1, 2, 5))
    return tuple(size for size in steps if size <= largest)


def _axes(curve: SizeCurveView, across: LogScale, up: Scale) -> Markup:
    rows = [
        join(
            line(across.start, up(value), across.end, up(value), stroke_opacity="0.12"),
            text(across.start - 8, up(value) + 4, f"{value:g}".replace("-", "−"),
                 text_anchor="end"),
        )
        for value in ticks(up.low, up.high, 6)
    ]  # fmt: skip
    columns = [
        text(across(size), up.start + 17, str(size)) for size in size_ticks(round(across.high))
    ]
    whole = line(across.start, up(1.0), across.end, up(1.0), stroke_opacity="0.45")
    name = text(
        (across.start + across.end) / 2,
        up.start + 36,
        f"units kept, of {curve.universe:,}; each doubling as far as the one before",
    )
    return join(*rows, whole, *columns, name)


def _band(points: Sequence[SizePoint], across: LogScale, up: Scale) -> Markup:
    colour = variable("negative")
    drawn = [one for one in points if one.estimate is not None]
    spots = [(across(one.size), up(one.estimate or 0.0)) for one in drawn]
    upper = [(across(one.size), up(one.high)) for one in drawn if one.high is not None]
    lower = [(across(one.size), up(one.low)) for one in drawn if one.low is not None]
    band = tag("polygon", points=_path(upper + lower[::-1]), fill=colour, fill_opacity="0.17")
    return join(
        band if len(upper) > 1 else None,
        tag("polyline", points=_path(spots), fill="none", stroke=colour, stroke_width="2.2"),
        *(
            tag("g", tag("title", point_words(one)),
                tag("circle", cx=x, cy=y, r=3.6, fill=colour), class_="cn-cell")
            for one, (x, y) in zip(drawn, spots, strict=True)
        ),
    )  # fmt: skip


def point_words(point: SizePoint) -> str:
    """Return what a point says.

    >>> point_words(SizePoint(20, 0.91, 0.88, 0.94, "enough"))
    'enough: 20 units, faithfulness 0.91'
    """
    name = f"{point.name}: " if point.name else ""
    number = "undefined" if point.estimate is None else share_words(point.estimate)
    return f"{name}{point.size} units, faithfulness {number}"


def share_words(value: float) -> str:
    """Write a share with two decimals.

    >>> share_words(-0.0004), share_words(0.897)
    ('0.00', '0.90')
    """
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _mark(mark: SizePoint, across: LogScale, up: Scale) -> Markup | None:
    if mark.estimate is None:
        return None
    colour, x, y = variable("positive"), across(mark.size), up(mark.estimate)
    corners = [(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y)]
    right = x < (across.start + across.end) / 2
    whisker = None
    if mark.low is not None and mark.high is not None:
        whisker = line(x, up(mark.low), x, up(mark.high), stroke=colour, stroke_width="2.4")
    name = mark.name if len(mark.name) <= 40 else mark.name[:39] + "…"
    label = text(
        x + (13 if right else -13),
        y + (18 if y < up.start - 30 else -10),  # the curve is rarely below a claimed circuit
        f"{name}: {share_words(mark.estimate)}",
        text_anchor="start" if right else "end",
        font_weight="650",
        opacity="1",
        fill=colour,
    )
    diamond = tag("polygon", points=_path(corners), fill=colour)
    return tag("g", tag("title", point_words(mark)), whisker, diamond, label, class_="cn-cell")


def bins_of(values: Sequence[float], own: float, count: int = 16) -> list[tuple[float, float, int]]:
    """Return bins that hold every value and the circuit's own: low end, high end, how many.

    >>> bins_of([1.0, 2.0, 2.0], 0.0, 2)
    [(0.0, 1.0, 0), (1.0, 2.0, 3)]
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([*finite, own]), max([*finite, own])
    width = (high - low) / count or 1.0
    counts = [0] * count
    for value in finite:
        counts[min(int((value - low) / width), count - 1)] += 1
    return [(low + at * width, low + (at + 1) * width, n) for at, n in enumerate(counts)]


def chance_svg(chance: ChanceView) -> str:
    """Draw the gaps of random circuits as a histogram, and the circuit's own beside them."""
    bins = bins_of(chance.gaps, chance.own)
    most = max(n for *_, n in bins) or 1
    low, high = bins[0][0], bins[-1][1]
    across = Scale(low - 0.03 * (high - low), high + 0.03 * (high - low), 20, _CHANCE_WIDTH - 20)
    up = Scale(0.0, float(most), _CHANCE_HEIGHT - 46, 30)
    at = across(chance.own)
    right = at < (across.start + across.end) / 2
    own = join(
        line(at, 14, at, up.start, stroke=variable("positive"), stroke_width="3"),
        text(
            at + (8 if right else -8),
            22,
            f"the circuit: {precise(chance.own, 3)}",
            text_anchor="start" if right else "end",
            font_weight="650",
            opacity="1",
            fill=variable("positive"),
        ),
    )
    return tag(
        "svg",
        *_bars(bins, across, up),
        line(across.start, up.start, across.end, up.start, stroke_opacity="0.5"),
        *(
            text(across(value), up.start + 17, f"{value:g}")
            for value in ticks(across.low, across.high, 6)
        ),
        text(
            (across.start + across.end) / 2,
            up.start + 36,
            f"mean absolute gap to the whole model{', ' + chance.unit if chance.unit else ''}",
        ),
        own,
        viewBox=f"0 0 {_CHANCE_WIDTH:g} {_CHANCE_HEIGHT:g}",
        class_="cn-figure",
        role="img",
        aria_label=f"Gaps of {len(chance.gaps)} random circuits",
        font_family="system-ui, sans-serif",
        xmlns="http://www.w3.org/2000/svg",
    )


def _bars(bins: Sequence[tuple[float, float, int]], across: Scale, up: Scale) -> Iterator[Markup]:
    for low, high, count in bins:
        if count:
            yield tag(
                "g",
                tag("title", f"{count} between {precise(low, 3)} and {precise(high, 3)}"),
                tag(
                    "rect",
                    x=across(low) + 1,
                    y=up(count),
                    width=across(high) - across(low) - 2,
                    height=up.start - up(count),
                    fill=variable("negative"),
                    fill_opacity="0.55",
                ),
                class_="cn-cell",
            )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
