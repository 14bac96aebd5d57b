"""The heat map of effects: layers across, heads down, one colour for each sign."""

import math
from collections.abc import Collection

from causalnet.report.drawing import text
from causalnet.report.markup import Markup, join, tag
from causalnet.report.numbers import brief, measured, signed
from causalnet.report.palette import variable
from causalnet.report.view import HeatCell, Heatmap

__all__ = ["cell_text", "heatmap_svg", "strength"]

_LEFT, _TOP, _LEGEND = 62.0, 26.0, 66.0
_LEGEND_STEPS = 41
_LEAST_WIDTH = 660.0  # the words beside the legend need it, however few the layers are


def heatmap_svg(heatmap: Heatmap, members: Collection[str] = ()) -> str:
    """Draw the heat map as a piece of SVG that stands alone or in a page.

    Args:
        heatmap: What to draw.
        members: Names of mediators to be ringed, such as the circuit's.
    """
    size = _cell_size(heatmap)
    has_mlps = any(cell.head is None for cell in heatmap.cells)
    rows = heatmap.heads + (1.5 if has_mlps else 0)
    width = max(_LEFT + heatmap.layers * size + 14, _LEAST_WIDTH)
    bottom = _TOP + rows * size
    height = bottom + 34 + _LEGEND
    scale = _largest(heatmap)
    return tag(
        "svg",
        _grid(heatmap, size, has_mlps),
        _labels(heatmap, size, has_mlps, bottom),
        *(_cell(heatmap, cell, size, scale, cell.mediator in members) for cell in heatmap.cells),
        _legend(heatmap, scale, bottom + 46),
        viewBox=f"0 0 {width:g} {height:g}",
        class_="cn-figure cn-heatmap",
        role="img",
        aria_label=f"{heatmap.estimand} by layer and head, {heatmap.unit}",
        font_family="system-ui, sans-serif",
        xmlns="http://www.w3.org/2000/svg",
    )


def cell_text(cell: HeatCell, heatmap: Heatmap) -> str:
    """Return the line that a reader sees over a cell.

    >>> cell = HeatCell("L9.H6", 9, 6, -0.42, -0.6, -0.24)
    >>> cell_text(cell, Heatmap(layers=30, heads=9, cells=(cell,)))
    'L9.H6: −0.420 logits [−0.600, −0.240]'
    """
    effect, interval = measured(cell.effect, cell.low, cell.high, sign=True)
    return " ".join(part for part in (f"{cell.mediator}: {effect}", heatmap.unit, interval) if part)


def strength(effect: float, largest: float) -> float:
    """Return how strongly a cell is coloured, 0 to 1; the legend uses the same curve.

    The power below 1 lets small effects be seen beside one large one.
    """
    return (abs(effect) / largest) ** 0.75 if largest > 0 else 0.0


def _largest(heatmap: Heatmap) -> float:
    sizes = [abs(cell.effect) for cell in heatmap.cells if math.isfinite(cell.effect)]
    return max(sizes, default=0.0)


def _cell_size(heatmap: Heatmap) -> float:
    across, down = 1000 / max(heatmap.layers, 1), 760 / max(heatmap.heads + 2, 1)
    return round(min(across, down, 42.0), 1)


def _place(heatmap: Heatmap, cell: HeatCell, size: float) -> tuple[float, float]:
    row = heatmap.heads + 0.5 if cell.head is None else float(cell.head)
    return _LEFT + cell.layer * size, _TOP + row * size


def _cell(heatmap: Heatmap, cell: HeatCell, size: float, scale: float, ringed: bool) -> Markup:
    x, y = _place(heatmap, cell, size)
    title = tag("title", cell_text(cell, heatmap) + (" · in the circuit" if ringed else ""))
    if not math.isfinite(cell.effect):
        cross = text(x + size / 2, y + size / 2 + 4, "×", font_size="11")
        return tag("g", title, cross, class_="cn-cell")
    strong = strength(cell.effect, scale)
    box = tag(
        "rect",
        x=x + 0.5,
        y=y + 0.5,
        width=size - 1,
        height=size - 1,
        rx=2.0,
        fill=variable("negative" if cell.effect < 0 else "positive"),
        fill_opacity=f"{strong:.3f}",
        stroke="currentColor" if ringed else None,
        stroke_width="2" if ringed else None,
    )
    label = None
    if strong > 0.45 and size >= 22:
        label = text(
            x + size / 2,
            y + size / 2 + 3.6,
            brief(cell.effect),
            font_size=f"{size * 0.32:.1f}",
            font_weight="600",
            fill=variable("on-strong") if strong > 0.72 else "currentColor",
            opacity="1",
        )
    return tag("g", title, box, label, class_="cn-cell")


def _grid(heatmap: Heatmap, size: float, has_mlps: bool) -> Markup:
    def frame(top: float, rows: int) -> Markup:
        return tag(
            "rect",
            x=_LEFT,
            y=top,
            width=heatmap.layers * size,
            height=rows * size,
            fill="currentColor",
            fill_opacity="0.035",
            stroke="currentColor",
            stroke_opacity="0.22",
        )

    mlp_top = _TOP + (heatmap.heads + 0.5) * size
    return join(frame(_TOP, heatmap.heads), frame(mlp_top, 1) if has_mlps else None)


def _labels(heatmap: Heatmap, size: float, has_mlps: bool, bottom: float) -> Markup:
    every_layer = max(1, math.ceil(22 / size))
    every_head = max(1, math.ceil(13 / size))
    columns = [
        text(_LEFT + (layer + 0.5) * size, bottom + 15, str(layer))
        for layer in range(0, heatmap.layers, every_layer)
    ]
    rows = [
        text(_LEFT - 7, _TOP + (head + 0.5) * size + 4, f"H{head}", text_anchor="end")
        for head in range(0, heatmap.heads, every_head)
    ]
    if has_mlps:
        middle = _TOP + (heatmap.heads + 1) * size + 4
        rows.append(text(_LEFT - 7, middle, "MLP", text_anchor="end"))
    axis = text(_LEFT - 7, bottom + 15, "layer", text_anchor="end")
    return join(*columns, *rows, axis)


def _legend(heatmap: Heatmap, scale: float, top: float) -> Markup:
    width, height = 200.0, 11.0
    step = width / _LEGEND_STEPS
    half = _LEGEND_STEPS // 2
    bars = [
        tag(
            "rect",
            x=_LEFT + index * step,
            y=top,
            width=step + 0.3,
            height=height,
            fill=variable("negative" if index < half else "positive"),
            fill_opacity=f"{strength(index - half, half):.3f}",
        )
        for index in range(_LEGEND_STEPS)
    ]
    ends = [
        text(_LEFT + share * width, top + height + 14, signed(value), font_size="11")
        for share, value in ((0.0, -scale), (0.5, 0.0), (1.0, scale))
    ]
    beside = _LEFT + width + 30
    words = (
        f"{heatmap.unit}; effect = patched − unpatched".lstrip("; "),
        "blue: patching lowers the outcome · orange: raises it",
    )
    lines = [
        text(beside, top + 9 + 16 * index, line, text_anchor="start")
        for index, line in enumerate(words)
    ]
    return join(*bars, *ends, *lines)
