"""Where each mediator of a circuit is drawn: layers upwards, heads across, logits on top.

Positions are computed here, so that the page only draws.  Layers without members are squeezed
together: the eye should find the circuit, not the distance.
"""

import json
import math
from collections import defaultdict
from itertools import pairwise

from causalnet.report.numbers import measured
from causalnet.report.view import Circuit, Member

__all__ = ["circuit_json", "stage"]

_COLUMN, _NARROW_COLUMN = 72.0, 12.0
_ROW, _MLP_ROW, _EMPTY_ROW = 46.0, 32.0, 9.0
_FAINT_LIMIT = 1600  # beyond this the faint dots of other heads say nothing and cost time
_SHOWN_LINES = 80
_LONGEST_LABEL = 14


def stage(member: Member) -> int:
    """Return the member's place in the order of writing; it may write into every later stage.

    >>> stage(Member("L2.H1", 2, 1)) < stage(Member("L2.mlp", 2, is_mlp=True))
    True
    """
    return 2 * member.layer + (1 if member.is_mlp else 0)


def circuit_json(circuit: Circuit) -> str:
    """Return nodes with positions, the lines drawn at first, and layer labels, as JSON."""
    columns = _columns(circuit)
    rows = _rows(circuit)
    nodes = [_end("embed", "embed", -1, rows[-1], columns)]
    nodes += _members(circuit, columns, rows)
    nodes.append(_end("logits", "logits", 2 * circuit.layers, rows[circuit.layers], columns))
    picture = {
        "nodes": nodes,
        "faint": _faint(circuit, columns, rows),
        "layers": _layer_labels(circuit, rows),
        "lines": _first_lines(nodes),
        "left": columns[0] - 74,
    }
    return json.dumps(picture, allow_nan=False)


def _columns(circuit: Circuit) -> list[float]:
    """Return the x of each head, and of the MLPs last."""
    used = {member.head for member in circuit.members if member.head is not None}
    all_wide = circuit.heads <= 16
    x, places = 0.0, []
    for head in range(circuit.heads):
        width = _COLUMN if all_wide or head in used else _NARROW_COLUMN
        places.append(x + width / 2)
        x += width
    return [*places, x + _COLUMN * 0.9]


def _rows(circuit: Circuit) -> dict[int, float]:
    """Return the y of each layer's heads; -1 is the embedding and `layers` the logits."""
    with_heads = {member.layer for member in circuit.members if not member.is_mlp}
    with_mlps = {member.layer for member in circuit.members if member.is_mlp}
    y, rows = 0.0, {-1: 0.0}
    before = _ROW
    for layer in range(circuit.layers):
        height = _EMPTY_ROW
        if layer in with_heads:
            height = _ROW
        elif layer in with_mlps:
            height = _MLP_ROW
        y -= max(before, height) if max(before, height) == _ROW else (before + height) / 2
        rows[layer] = y
        before = height
    rows[circuit.layers] = y - _ROW
    return rows


def _end(name: str, label: str, order: int, y: float, columns: list[float]) -> dict[str, object]:
    middle = (columns[0] + columns[-1]) / 2
    return {
        "id": name,
        "name": name,
        "label": label,
        "kind": "end",
        "stage": order,
        "x": middle,
        "y": y,
        "where": "the model's input" if order < 0 else "the model's output",
    }


def _members(
    circuit: Circuit, columns: list[float], rows: dict[int, float]
) -> list[dict[str, object]]:
    largest = _largest(circuit)
    taken: dict[tuple[float, float], int] = defaultdict(int)
    nodes: list[dict[str, object]] = []
    for index, member in enumerate(sorted(circuit.members, key=stage)):
        x, y = _place(circuit, member, columns, rows)
        repeat = taken[x, y]
        taken[x, y] += 1
        nodes.append(
            {
                "id": f"m{index}",
                "name": member.mediator,
                "label": _short(member.mediator),
                "kind": "mlp" if member.is_mlp else "head",
                "stage": stage(member),
                "x": x + 9 * repeat,
                "y": y + 19 * repeat,
                "where": _where(circuit, member),
                "group": _group(circuit, member.head),
                **_effect(member, circuit.unit, largest),
            }
        )
    return nodes


def _place(
    circuit: Circuit, member: Member, columns: list[float], rows: dict[int, float]
) -> tuple[float, float]:
    layer = min(max(member.layer, -1), circuit.layers)
    if member.is_mlp or member.head is None:
        return columns[-1], rows[layer] - (11 if member.is_mlp else 0)
    return columns[min(max(member.head, 0), circuit.heads - 1)], rows[layer]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _where(circuit: Circuit, member: Member) -> str:
    what = "MLP" if member.is_mlp else "node" if member.head is None else f"head {member.head}"
    return f"layer {member.layer} of {circuit.layers - 1}, {what}"


def _group(circuit: Circuit, head: int | None) -> str | None:
    """Return the name of the K/V group that a head reads, where heads share one."""
    if head is None or not circuit.kv_heads or circuit.kv_heads == circuit.heads:
        return None
    size = circuit.heads // circuit.kv_heads
    first = head // size * size
    return f"KV{head // size} (shared by H{first}–H{first + size - 1})"


def _largest(circuit: Circuit) -> float:
    known = [abs(member.effect) for member in circuit.members if member.effect is not None]
    return max((size for size in known if math.isfinite(size)), default=0.0)


def _effect(member: Member, unit: str, largest: float) -> dict[str, object]:
    if member.effect is None or not math.isfinite(member.effect):
        return {"effect": None, "share": 0.0}
    effect, interval = measured(member.effect, member.low, member.high, sign=True)
    text = " ".join(part for part in (effect, unit, interval) if part)
    return {"effect": text, "share": member.effect / largest if largest else 0.0}


def _faint(
    circuit: Circuit, columns: list[float], rows: dict[int, float]
) -> list[dict[str, object]]:
    if circuit.layers * circuit.heads > _FAINT_LIMIT:
        return []
    taken = {(member.layer, member.head) for member in circuit.members}
    return [
        {"id": f"f{layer}.{head}", "x": columns[head], "y": rows[layer]}
        for layer in range(circuit.layers)
        for head in range(circuit.heads)
        if (layer, head) not in taken
    ]


def _layer_labels(circuit: Circuit, rows: dict[int, float]) -> list[dict[str, object]]:
    """Name each layer with members, and each squeezed run of layers once, in its middle."""
    used = {member.layer for member in circuit.members}
    labels: list[dict[str, object]] = []
    run: list[int] = []
    for layer in range(circuit.layers + 1):
        if layer < circuit.layers and layer not in used:
            run.append(layer)
            continue
        if run:
            name = f"L{run[0]}" if len(run) == 1 else f"L{run[0]}–L{run[-1]}"
            middle = (rows[run[0]] + rows[run[-1]]) / 2
            labels.append({"id": f"r{run[0]}", "label": name, "y": middle, "used": False})
            run = []
        if layer < circuit.layers:
            labels.append({"id": f"r{layer}", "label": f"L{layer}", "y": rows[layer], "used": True})
    return labels


def _first_lines(nodes: list[dict[str, object]]) -> list[tuple[str, str]]:
    """Join neighbouring stages: the fewest lines that still show the order of writing."""
    by_stage: dict[int, list[str]] = defaultdict(list)
    for node in nodes:
        by_stage[int(str(node["stage"]))].append(str(node["id"]))
    order = sorted(by_stage)
    lines = [
        (earlier, later)
        for before, after in pairwise(order)
        for earlier in by_stage[before]
        for later in by_stage[after]
    ]
    return lines if len(lines) <= _SHOWN_LINES else []
