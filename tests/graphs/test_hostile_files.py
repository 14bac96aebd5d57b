"""Hostile and large files: refused after linear work, or read in linear time."""

import functools
import sys
from collections import Counter
from types import FrameType
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, FormatError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.formats import GraphFile, GraphFormat, graph_text, read_graph
from tests.graphs.graph_files import exact

FORMATS = get_args(GraphFormat)

BOMBS: dict[str, tuple[GraphFormat, str]] = {
    "doctype": (
        "graphml",
        '<!DOCTYPE g [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><graphml>&b;</graphml>',
    ),
    "elements": ("graphml", "<graphml>" + "<a>" * 100_000),
    "foreign elements": ("graphml", "<graphml xmlns:y='z'>" + "<y:a>" * 100_000),
    "defaults": (
        "graphml",
        "<graphml>"
        + "".join(f"<key id='k{i}'><default>x</default></key>" for i in range(3000))
        + "<graph>"
        + "".join(f"<node id='n{i}'/>" for i in range(3000))
        + "</graph></graphml>",
    ),
    "json lists": ("node-link", "[" * 200_000),
    "json objects": ("node-link", '{"a":' * 100_000),
    "json escapes": ("node-link", '{"' + '\\"' * 200_000),
    "json digits": ("node-link", '{"a": ' + "9" * 200_000 + "}"),
    "dot braces": ("dot", "digraph {" + "{" * 200_000),
    "dot groups": (
        "dot",
        "digraph { {" + " ".join(f"a{i}" for i in range(3000)) + "} -> {"
        + " ".join(f"b{i}" for i in range(3000)) + "} }",
    ),
    "dot attributes": (
        "dot",
        "digraph { " + " -> ".join(f"a{i}" for i in range(3000)) + " ["
        + " ".join(f"k{i}=1" for i in range(3000)) + "] }",
    ),
    "dot quotes": ("dot", "digraph { " + '\\"' * 100_000),
    "dot open quote": ("dot", 'digraph { "' + '\\"' * 100_000),
    "dot open comment": ("dot", "digraph { /*" + "*" * 200_000),
    "dot html": ("dot", "digraph { a [x=" + "<" * 100_000),
    "dagitty open quote": ("dagitty", 'dag { "' + '\\"' * 100_000),
    "dagitty braces": ("dagitty", "dag {" + "{" * 200_000),
    "gml lists": ("gml", "graph [ directed 1 " + "a [ " * 100_000),
    "gml open quote": ("gml", 'graph [ directed 1 a "' + "&#" * 100_000),
    "gml digits": ("gml", "graph [ directed 1 a " + "9" * 100_000 + " ]"),
}  # fmt: skip


def counted_calls(read_it: Any) -> int:
    calls = Counter[str]()

    def count(frame: FrameType, event: str, argument: object) -> None:
        calls[event] += 1

    sys.setprofile(count)
    try:
        read_it()
    finally:
        sys.setprofile(None)
    return calls["call"] + calls["c_call"]


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_after_work_that_is_linear_in_the_text(name: str) -> None:
    format, text = BOMBS[name]

    def refused() -> None:
        with pytest.raises(FormatError):
            read_graph(text, format)

    spread = 3_000_000 if name in ("defaults", "dot attributes") else 30_000  # their own bounds
    assert counted_calls(refused) < 8 * len(text) + spread


def ladder(count: int) -> ADMG:
    """Edges from each node to the next two, and a few bidirected ones."""
    names = [f"n{i}" for i in range(count)]
    tails, heads = [*range(count - 1), *range(count - 2)], [*range(1, count), *range(2, count)]
    return ADMG.from_arrays(names, tails, heads, range(0, count - 9, 5), range(9, count, 5))


@pytest.mark.parametrize("format", FORMATS)
def test_four_times_the_edges_are_four_times_the_work(format: GraphFormat) -> None:
    work = []
    for count in (500, 2_000):
        graph = ladder(count)
        text = graph_text(graph, format)
        assert read_graph(text, format).graph == graph
        work.append(counted_calls(functools.partial(read_graph, text, format)))
    assert work[1] < 4.2 * work[0]


def test_a_hundred_thousand_edges() -> None:
    graph = ladder(50_000)
    assert read_graph(graph_text(graph, "dot"), "dot").graph == graph


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=120)
@given(data=st.data())
def test_broken_files_end_in_our_errors(format: GraphFormat, data: st.DataObject) -> None:
    text = TEXTS[format]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)) | st.just(len(text)))
    pieces = ['"', "{", "}", "[", "]", "<", ">", "&", "->", "1e999", "-", "\\", "\0", "é", "\n"]
    piece = data.draw(st.sampled_from([*pieces, "", "null", "&#xd800;", "\\ud800", ","]))
    broken = text[:start] + piece + text[min(end, start + 12) if piece else end :]
    try:
        file = read_graph(broken + "\n", format)
        again = read_graph(graph_text(file, format), format)
        assert exact(again) == exact(file)
    except CausalNetError as error:
        assert str(error)


RICH = GraphFile.of(
    ADMG.of(directed=[("X", "M"), ("M", "Y y")], bidirected=[("X", "Y y")], nodes=["alone"]),
    exposures="X",
    outcomes="Y y",
    latents="M",
    adjusted="alone",
    graph_attributes={"name": "g", "list": [1, None]},
    node_attributes={"X": {"label": 'a "b" <c>', "pos": "0,1", "w": -0.5, "at": {"x": 1}}},
    edge_attributes={("X", "->", "M"): {"beta": 1e-7, "kept": True}},
    extra={"version": 3},
)
TEXTS = {format: graph_text(RICH, format) for format in FORMATS}
