"""Drawing a mediator graph: as text that fits a terminal, and as DOT."""

from collections.abc import Iterable, Iterator

from causalnet.errors import TermError
from causalnet.graphs.arguments import check_whole
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.nodes import Node, Slot

__all__ = ["draw", "to_dot"]

_LISTED = 40  # nodes that are drawn one by one
_NAMED = 6  # parents that are written out
_SHAPES = {
    Kind.NOISE: "diamond",
    Kind.SCALE: "point",
    Kind.EMBED: "box",
    Kind.POSITIONS: "box",
    Kind.LOGITS: "box",
}


def draw(graph: MediatorGraph) -> str:
    """Return a graph as text: node by node, or layer by layer where it has more than 40 nodes.

    Layers with the same parts are one line.

    >>> from causalnet.graphs import TransformerShape, plain_graph, transformer_graph
    >>> print(draw(plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})))
    MediatorGraph(3 nodes, 3 edges)
    X
    M <- X
    Y <- X, M
    >>> print(draw(transformer_graph(TransformerShape(30, 9, 3, 576, 64, 1536, 49152))))
    MediatorGraph(30 layers x 9 heads, 3 K/V groups, 1773 nodes, 70651 residual edges)
    embed
    L0..L29  KV0..2.k  KV0..2.v  H0..8.q  H0..8.pattern  H0..8.z  H0..8  mlp
    logits
    stream resid of 301 writers, 90 cuts
    481 norm scales, one for each receiver
    """
    if len(graph.nodes) <= _LISTED:
        return "\n".join([repr(graph), *(_line(graph, node) for node in graph.nodes)])
    return "\n".join([repr(graph), *_layers(graph), *_streams(graph)])


def _line(graph: MediatorGraph, node: Node) -> str:
    read = ", ".join(_inputs(graph, slot) for slot in node.slots)
    return f"{node.mediator} <- {read}" if read else str(node.mediator)


def _inputs(graph: MediatorGraph, slot: Slot) -> str:
    """Return what enters a slot: `X`, or `resid: A + B + ... + Z`."""
    names = graph.senders(slot)
    if len(names) == 1 and names[0] == slot.name:
        return names[0]
    shown = [*names[: _NAMED - 1], "...", names[-1]] if len(names) > _NAMED else [*names]
    joined = (" + " if slot.merge.value == "sum" else " | ").join(shown) or "0"
    return f"{slot.name}: {joined}"


def _layers(graph: MediatorGraph) -> Iterator[str]:
    """Yield a line for each run of layers with the same parts, and for what is in no layer."""
    runs: list[tuple[list[int], str]] = []
    for layer, nodes in _by_layer(graph):
        line = "  ".join(_parts(nodes))
        if layer is None:
            runs.append(([], line))
        elif runs and runs[-1][0] and runs[-1][1] == line:
            runs[-1][0].append(layer)
        else:
            runs.append(([layer], line))
    for layers, line in runs:
        ends = f"L{layers[0]}" + (f"..L{layers[-1]}" if len(layers) > 1 else "") if layers else ""
        yield f"{ends}  {line}" if ends else line


def _by_layer(graph: MediatorGraph) -> Iterator[tuple[int | None, list[Mediator]]]:
    layer: int | None = None
    run: list[Mediator] = []
    for mediator in (node.mediator for node in graph.nodes):
        if mediator.kind is Kind.SCALE:
            continue
        if run and mediator.layer != layer:
            yield layer, run
            run = []
        layer = mediator.layer
        run.append(mediator)
    if run:
        yield layer, run


def _parts(mediators: Iterable[Mediator]) -> Iterator[str]:
    """Yield the names of a layer, numbered ones as one: `H0..8.q`, and with positions `[0..4]`."""
    alike: dict[str, list[Mediator]] = {}
    for mediator in mediators:
        alike.setdefault(_pattern(mediator), []).append(mediator)
    for pattern, group in [*alike.items()][:_LISTED]:
        indices = [each.index for each in group if each.index is not None]
        places = [each.position for each in group if each.position is not None]
        yield pattern.replace("#", _range(indices)).replace("@", _range(places))
    if len(alike) > _LISTED:
        yield f"... and {len(alike) - _LISTED} more"


def _pattern(mediator: Mediator) -> str:
    """Return a name in its layer, with `#` for the index and `@` for the position."""
    name = mediator.name
    if mediator.position is not None:
        name = name.removesuffix(f"[{mediator.position}]") + "[@]"
    if mediator.layer is not None:
        name = name.removeprefix(f"L{mediator.layer}.")
        if mediator.index is not None:
            name = name.replace(str(mediator.index), "#", 1)
    return name


def _range(numbers: list[int]) -> str:
    """Return `0..8`, or `0,3..8` where some are missing."""
    runs: list[list[int]] = []
    for number in sorted({*numbers} or {0}):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _streams(graph: MediatorGraph) -> Iterator[str]:
    if graph.streams:
        first = graph.streams[0]
        cuts = sum(cut.stream == first.name for cut in graph.cuts)
        more = f", and {len(graph.streams) - 1} more streams" if len(graph.streams) > 1 else ""
        yield f"stream {first.name} of {len(first.writers)} writers, {cuts} cuts{more}"
    scales = sum(node.mediator.kind is Kind.SCALE for node in graph.nodes)
    if scales:
        yield f"{scales} norm scales, one for each receiver"


def to_dot(graph: MediatorGraph, at_most: int = 10_000, sums: bool = False) -> str:
    """Return a graph in the DOT language, edges labelled by the slots that they enter.

    Args:
        graph: The graph.
        at_most: How many edges are written.
        sums: Whether streams are drawn as a line of partial sums, which writers enter and readers
            leave, instead of an edge from each writer into each reader.

    Raises:
        TermError: More edges than `at_most`.

    >>> from causalnet.graphs import plain_graph
    >>> print(to_dot(plain_graph({"X": (), "Y": ("X",)})))
    digraph "mediators" {
      rankdir=BT;
      "X" [shape=ellipse];
      "Y" [shape=ellipse];
      "X" -> "Y";
    }
    """
    edges = _drawn_edges(graph, sums)
    check_whole(at_most, "at_most")
    lines = [f"  {_quoted(node.mediator.name)} [{_look(node)}];" for node in graph.nodes]
    points = [*_partial_sums(graph)] if sums else []
    lines += [f"  {_quoted(point)} [shape=point];" for point in points]
    start = len(lines)
    for tail, head, label in edges:
        if len(lines) - start >= at_most:
            raise TermError(
                f"The graph has more than {at_most} edges.",
                f"At most {at_most} are drawn.",
                "Write to_dot(sums=True), which draws partial sums of streams, draw a coarser "
                "graph, or raise at_most.",
            )
        shown = f" [label={_quoted(label)}]" if label not in ("", tail) else ""
        lines.append(f"  {_quoted(tail)} -> {_quoted(head)}{shown};")
    return "\n".join(['digraph "mediators" {', "  rankdir=BT;", *lines, "}"])


def _look(node: Node) -> str:
    return f"shape={_SHAPES.get(node.mediator.kind, 'ellipse')}"


def _point(stream: str, count: int) -> str:
    return f"{stream} after {count} writers"


def _partial_sums(graph: MediatorGraph) -> Iterator[str]:
    for stream in graph.streams:
        yield from (_point(stream.name, count + 1) for count in range(len(stream.writers)))


def _drawn_edges(graph: MediatorGraph, sums: bool) -> Iterator[tuple[str, str, str]]:
    """Yield (tail, head, label) of every edge that is drawn."""
    if sums:
        for stream in graph.streams:
            for count, writer in enumerate(stream.writers):
                if count:
                    yield _point(stream.name, count), _point(stream.name, count + 1), ""
                yield writer, _point(stream.name, count + 1), ""
    for node in graph.nodes:
        for slot in node.slots:
            senders: Iterable[str] = graph.senders(slot)
            if sums and slot.stream:
                senders = [_point(slot.stream, slot.writers_before)] if slot.writers_before else []
            yield from ((sender, node.mediator.name, slot.name) for sender in senders)


def _quoted(text: str) -> str:
    """Return a DOT string: quotes, backslashes and line ends escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ")
    return '"' + escaped.replace("\n", "\\n") + '"'
