"""A circuit as one picture: nodes by layer upwards, edges by sign and strength.

What is drawn is plain values, so that a circuit of any source can be drawn.
"""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from causalnet.errors import CausalNetError, ParameterError
from causalnet.report.palette import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CircuitPicture", "DrawnEdge", "DrawnNode", "write_circuit_png"]

MOST_EDGES = 60
MOST_NODES = 90
_INK, _MUTED, _GROUND, _LINE = "#1b1d23", "#5a606b", "#ffffff", "#dfddd7"
_WIDTH, _HEAD, _FOOT, _ROW, _LEAST = 12.0, 1.05, 0.7, 0.9, 3.0  # inches
_FILLS = {"input": "#eceae4", "head": "#e3ecf7", "mlp": "#f7ecdf", "kv": "#ffffff"}
_APART = {"q": -0.16, "v": 0.16}  # edges between the same nodes, and where they are named
_ALONG = {"q": 0.5, "k": 0.42, "v": 0.5}
_STAGGER = 0.05  # by which rows of one or two nodes stand aside, so that lines pass them
_SETTINGS: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "axes.unicode_minus": True,
}

NodeKind = Literal["input", "head", "mlp", "kv"]


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node of a picture.

    Attributes:
        name: What is written in it.
        kind: `input` for embeddings and logits, `head`, `mlp`, or `kv` for shared keys and values.
        stage: Its row: the larger, the later it writes.
        value: Its own score; None where edges were scored.
    """

    name: str
    kind: NodeKind
    stage: int
    value: float | None = None


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge of a picture.

    Attributes:
        sender: The name of a node.
        receiver: The name of a node.
        channel: What it reads: `q`, `k`, `v`, or nothing.
        value: Its score; None for a line that only says what belongs together.
    """

    sender: str
    receiver: str
    channel: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class CircuitPicture:
    """What is drawn.

    Attributes:
        title: The heading.
        words: What a reader must know to read it: method, ablation, prompts.
        nodes: The nodes.
        edges: The edges.
        unit: The unit of the values.
        is_signed: Whether the values are effects (patched - unpatched) and not magnitudes.
        notes: What is not drawn, and why.
    """

    title: str
    words: str
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...] = ()
    unit: str = ""
    is_signed: bool = True
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse edges to nodes that are not there.

        Raises:
            ParameterError: No node, or such an edge.
        """
        known = {node.name for node in self.nodes}
        odd = [one for one in self.edges if not {one.sender, one.receiver} <= known]
        if odd or not self.nodes:
            raise ParameterError(
                f"A picture with {len(self.nodes)} nodes and the edge {odd[0]}."
                if odd
                else "A picture of no nodes.",
                "Edges join nodes of the picture.",
                "Give the nodes of every edge.",
            )


def drawn(picture: CircuitPicture) -> CircuitPicture:
    """Return what there is room for: the strongest edges and nodes, with a note on the rest.

    >>> one = [DrawnNode(f"L0.H{i}", "head", 1, i / 100) for i in range(200)]
    >>> drawn(CircuitPicture("t", "", tuple(one))).notes
    ('90 of 200 nodes are drawn, the strongest.',)
    """
    scored = sorted(
        (one for one in picture.edges if one.value is not None),
        key=lambda one: -abs(one.value or 0),
    )
    edges, notes = scored[:MOST_EDGES], list(picture.notes)
    nodes = picture.nodes
    if len(scored) > MOST_EDGES:
        notes.append(f"{MOST_EDGES} of {len(scored):,} edges are drawn, the strongest.")
        ends = {name for one in edges for name in (one.sender, one.receiver)}
        nodes = tuple(node for node in nodes if node.name in ends or node.value is not None)
    if len(nodes) > MOST_NODES:
        order = sorted(nodes, key=lambda one: -abs(one.value or 0.0))[:MOST_NODES]
        notes.append(f"{MOST_NODES} of {len(nodes):,} nodes are drawn, the strongest.")
        nodes = tuple(node for node in nodes if node in order)
    names = {node.name for node in nodes}
    ties = [one for one in picture.edges if one.value is None]
    kept = [one for one in (*edges, *ties) if {one.sender, one.receiver} <= names]
    return CircuitPicture(
        picture.title,
        picture.words,
        nodes,
        tuple(kept),
        picture.unit,
        picture.is_signed,
        tuple(notes),
    )


def places(picture: CircuitPicture) -> dict[str, tuple[float, float]]:
    """Return x and y of every node: a row for each stage that has nodes, embeddings lowest.

    In a row, nodes stand in the order of the mean place of their neighbours, so that few edges
    cross; rows are as wide as the widest.
    """
    rows: dict[int, list[str]] = defaultdict(list)
    for node in picture.nodes:
        rows[node.stage].append(node.name)
    order = [rows[stage] for stage in sorted(rows)]
    near = _neighbours(picture.edges)
    for sweep in range(4):
        for row in order if sweep % 2 == 0 else order[::-1]:
            x = _across(order)
            means = {
                name: sum(x[other] for other in near[name]) / len(near[name])
                if near[name]
                else x[name]
                for name in row
            }
            row.sort(key=lambda name: (means[name], name))
    x = _across(order)
    return {
        name: (x[name] + (_aside(y, len(row), len(order)) if picture.edges else 0.0), float(y))
        for y, row in enumerate(order)
        for name in row
    }


def _aside(y: int, nodes: int, rows: int) -> float:
    """Move every second narrow row to the left and the others to the right."""
    return 0.0 if nodes > 2 or y in (0, rows - 1) else _STAGGER * (-1) ** y


def _neighbours(edges: Iterable[DrawnEdge]) -> Mapping[str, list[str]]:
    near: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        near[edge.sender].append(edge.receiver)
        near[edge.receiver].append(edge.sender)
    return near


def _across(order: list[list[str]]) -> dict[str, float]:
    """Spread each row evenly between 0 and 1."""
    return {name: (place + 1) / (len(row) + 1) for row in order for place, name in enumerate(row)}


def write_circuit_png(picture: CircuitPicture, path: str | Path, *, dpi: int = 150) -> Path:
    """Draw a circuit and return the path.

    Args:
        picture: What to draw; of many edges the strongest are drawn, and the picture says so.
        path: Where to write; missing folders are made.
        dpi: Dots per inch; the picture is 12 inches wide.

    Raises:
        CausalNetError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise CausalNetError(
            "matplotlib is not installed.",
            "The picture of a circuit needs it; its claims and JSON do not.",
            "Run: pip install 'causalnet-lab[plots]'",
        ) from None
    shown = drawn(picture)
    where = places(shown)
    rows = int(max(y for _, y in where.values())) + 1
    tall = max(_LEAST, _ROW * rows)
    height = _HEAD + tall + _FOOT
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, height), facecolor=_GROUND)
        axes = figure.add_axes((0.03, _FOOT / height, 0.94, tall / height))
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.6, rows - 0.4)
        axes.axis("off")
        _edges(axes, shown, where)
        _nodes(axes, shown, where)
        _words(figure, shown, height)
        figure.savefig(place, format="png", dpi=dpi)
    return place


def _edges(axes: "Axes", picture: CircuitPicture, where: Mapping[str, tuple[float, float]]) -> None:
    from matplotlib.patches import FancyArrowPatch

    largest = max((abs(one.value or 0.0) for one in picture.edges), default=0.0) or 1.0
    beside = Counter((one.sender, one.receiver) for one in picture.edges)
    for edge in sorted(picture.edges, key=lambda one: abs(one.value or 0.0)):
        start, end = where[edge.sender], where[edge.receiver]
        share = abs(edge.value or 0.0) / largest
        # Edges that skip rows bend, so that they do not run through the nodes between.
        bend = min(0.42, 0.13 * (end[1] - start[1] - 1)) * (1 if end[0] <= start[0] else -1)
        if beside[edge.sender, edge.receiver] > 1:
            bend += _APART.get(edge.channel, 0.0)
        axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                connectionstyle=f"arc3,rad={bend:.3f}",
                arrowstyle="-" if edge.value is None else "-|>",
                mutation_scale=10 + 4 * share,
                shrinkA=13,
                shrinkB=13,
                linewidth=0.8 if edge.value is None else 0.8 + 3.6 * share,
                linestyle="-" if edge.value else ":",
                color=_colour(edge.value, picture.is_signed) if edge.value else _MUTED,
                alpha=0.4 + 0.55 * share if edge.value else 0.6,
                zorder=1 + share,
            )
        )
        if edge.channel:
            _channel(axes, edge.channel, start, end, bend)


def _channel(
    axes: "Axes",
    channel: str,
    start: tuple[float, float],
    end: tuple[float, float],
    bend: float,
) -> None:
    """Write what is read near the arrow's head, on the arc that matplotlib draws."""
    (x1, y1), (x2, y2) = axes.transData.transform([start, end])
    middle = ((x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1))
    t = _ALONG.get(channel, 0.5)
    parts = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
    place = [
        sum(part * at for part, at in zip(parts, along, strict=True))
        for along in ((x1, middle[0], x2), (y1, middle[1], y2))
    ]
    x, y = axes.transData.inverted().transform(place)
    axes.text(
        x,
        y,
        channel,
        size=7.5,
        color=_INK,
        ha="center",
        va="center",
        zorder=3,
        bbox={"boxstyle": "round,pad=0.12", "facecolor": _GROUND, "edgecolor": "none"},
    )


def _nodes(axes: "Axes", picture: CircuitPicture, where: Mapping[str, tuple[float, float]]) -> None:
    largest = max((abs(one.value or 0.0) for one in picture.nodes), default=0.0) or 1.0
    widest = max(map(len, _rows_of(where).values()))
    size = 9.5 if widest <= 12 else 8.0 if widest <= 16 else 6.5
    for node in picture.nodes:
        x, y = where[node.name]
        fill, ink = _FILLS[node.kind], _INK
        label = _flat(node.name)
        if node.value is not None:
            fill, ink = _mixed(node.value, abs(node.value) / largest, picture.is_signed)
            label = f"{label}\n{node.value:+.2g}" if picture.is_signed else label
        axes.text(
            x,
            y,
            label,
            size=size,
            color=ink,
            ha="center",
            va="center",
            zorder=4,
            linespacing=1.25,
            bbox={
                "boxstyle": "round,pad=0.35" if node.kind != "mlp" else "square,pad=0.4",
                "facecolor": fill,
                "edgecolor": _MUTED,
                "linewidth": 0.8,
            },
        )


def _rows_of(where: Mapping[str, tuple[float, float]]) -> Mapping[float, list[str]]:
    rows: dict[float, list[str]] = defaultdict(list)
    for name, (_, y) in where.items():
        rows[y].append(name)
    return rows


def _colour(value: float, is_signed: bool) -> str:
    if not is_signed:
        return _INK
    return LIGHT["negative" if value < 0 else "positive"]


def _mixed(value: float, share: float, is_signed: bool) -> tuple[str, str]:
    """Return a fill between white and the pole's colour, and an ink that is read on it."""
    pole = _colour(value, is_signed)
    strength = 0.12 + 0.78 * share
    parts = [int(pole[at : at + 2], 16) * strength + 255 * (1 - strength) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part):02x}" for part in parts), (
        "#ffffff" if strength > 0.6 else _INK
    )


def _words(figure: Any, picture: CircuitPicture, height: float) -> None:
    place: dict[str, Any] = {"ha": "left", "va": "top"}
    title = _flat(picture.title)
    figure.text(
        0.35 / _WIDTH, 1 - 0.25 / height, title[:100], size=14, weight="bold", color=_INK, **place
    )
    words = "\n".join(textwrap.wrap(_flat(picture.words), 165, max_lines=3, placeholder=" …"))
    figure.text(0.35 / _WIDTH, 1 - 0.58 / height, words, size=8.5, color=_MUTED, **place)
    meaning = (
        "effect = patched − unpatched; blue: removing it lowers the outcome, orange: raises it; "
        f"dotted: 0; thicker and darker: larger{f', in {picture.unit}' if picture.unit else ''}"
        if picture.is_signed
        else "thicker and darker: a larger score, which has no sign"
    )
    lines = textwrap.wrap(". ".join([meaning, *(note.rstrip(".") for note in picture.notes)]), 165)
    figure.text(
        0.35 / _WIDTH,
        (_FOOT - 0.1) / height,
        "\n".join(_flat(each) for each in lines[:3]),
        size=8.5,
        color=_MUTED,
        **place,
    )


def _flat(text: str) -> str:
    """Put a box for what matplotlib's font lacks, and one space for any white space."""
    from matplotlib.font_manager import findfont, get_font

    font: Any = get_font(findfont("DejaVu Sans"))
    known = font.get_charmap()
    return "".join(
        letter if ord(letter) in known else "\u25a1" for letter in " ".join(text.split())
    )
