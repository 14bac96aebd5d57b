"""Files as other programs write them, what is refused of them, and what other programs read."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any, get_args

import networkx as nx
import pytest
from hypothesis import given, settings

from causalnet.errors import FormatError, GraphError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.formats import (
    AttributionGraph,
    Format,
    GraphFile,
    GraphFormat,
    graph_text,
    read_graph,
    write_graph,
)
from causalnet.graphs.formats import source as source_module
from causalnet.graphs.formats.values import frozen_mapping
from tests.graphs.graph_files import exact, graph_files

FIXTURES = Path(__file__).parent / "fixtures"
FORMATS = get_args(GraphFormat)


def read(name: str) -> GraphFile:
    file = read_graph(FIXTURES / name)
    assert isinstance(file, GraphFile)
    return file


# Files as they are found.


def test_dagitty_text() -> None:
    file = read("smoking.dagitty")
    assert file.graph == ADMG.of(
        directed=[
            ("genotype", "smoking"),
            ("genotype", "lung cancer"),
            ("smoking", "tar"),
            ("tar", "lung cancer"),
            ("age", "tar"),
            ("U", "age"),
            ("U", "tar"),
        ],
        bidirected=[("age", "smoking")],
    )
    assert file.exposures == {"smoking"}
    assert file.outcomes == {"lung cancer"}
    assert file.latents == {"genotype"}
    assert file.adjusted == {"age"}
    assert file.graph_attributes == {"name": "smoking", "bb": "-2,-2,2,2"}
    assert file.node_attributes["tar"] == {"pos": "0,0"}
    assert file.edge_attributes == {
        ("smoking", "->", "tar"): {"beta": 0.5},
        ("tar", "->", "lung cancer"): {"beta": 0.5},
        ("smoking", "<->", "age"): {"pos": "-1,1"},
    }
    assert file.notes == ("The mark 'selected' is not kept.",)


def test_dot() -> None:
    file = read("circuit.dot")
    assert file.graph == ADMG.of(
        directed=[
            ("embed", "L0_H1"),
            ("embed", "L0_H2"),
            ("L0_H1", "logits"),
            ("L0_H2", "logits"),
        ],
        bidirected=[("L0_H1", "L0_H2")],
        nodes=["other"],
    )
    assert file.graph_attributes == {
        "name": "a circuit",
        "rankdir": "BT",
        "node": {"shape": "box", "fontsize": 10},
    }
    assert file.node_attributes == {"L0_H2": {"label": 'head "2"\nof 4', "penwidth": 1.5}}
    assert file.edge_attributes == {
        ("embed", "->", "L0_H1"): {"color": "#ff0000"},
        ("embed", "->", "L0_H2"): {"color": "#ff0000"},
        ("L0_H1", "->", "logits"): {"tailport": "e", "headport": "n:w"},
        ("L0_H1", "<->", "L0_H2"): {"why": "shared input"},
    }
    assert set(file.notes) == {
        "Names of groups are not kept.",
        "Attributes of groups are not kept.",
    }


def test_gml_for_dowhy() -> None:
    file = read("dowhy.gml")
    y = 'café "Y" & more'
    assert file.graph.nodes == ("Z", "X", y, "Unobserved Confounders")
    assert file.latents == {"Unobserved Confounders"}
    assert file.graph_attributes == {"name": "study"}
    assert file.node_attributes == {
        "X": {"graphics": {"x": 1.5, "y": -2, "fill": "#ffffff"}},
        y: {"tag": ("a", "b")},
    }
    assert file.edge_attributes == {("X", "->", y): {"weight": 0.25}}
    assert file.notes == ("'Creator' outside the graph is not kept.",)


def test_graphml_with_extensions() -> None:
    file = read("yed.graphml")
    assert file.graph == ADMG.of(directed=[("n0", "n1")])
    assert file.node_attributes == {"n0": {"layer": 0}, "n1": {"layer": 9, "kept": True}}
    assert file.edge_attributes == {("n0", "->", "n1"): {"effect": -0.0015, "id": "e0"}}
    assert file.graph_attributes == {"name": "G"}
    assert set(file.notes) == {
        "Elements of other namespaces are not kept.",
        "Elements <desc> are not kept.",
    }


def test_node_link_json() -> None:
    file = read("networkx.json")
    assert file.graph == ADMG.of(directed=[("2", "X")])
    assert file.latents == {"2"}
    assert file.extra == frozen_mapping({"exported_by": {"tool": "t"}})
    assert file.node_attributes == {"X": {"pos": (0, 1)}}
    assert file.notes == ("Names that were numbers are text.",)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "name", ["smoking.dagitty", "circuit.dot", "dowhy.gml", "yed.graphml", "networkx.json"]
)
def test_any_file_goes_through_any_format(name: str, format: GraphFormat) -> None:
    file = read(name)
    assert exact(read_graph(graph_text(file, format), format)) == exact(file)


# What other programs read.


@settings(max_examples=40)
@given(file=graph_files())
def test_networkx_reads_node_link_json(file: GraphFile) -> None:
    text = graph_text(file, "node-link")
    graph = nx.node_link_graph(json.loads(text), edges="links")
    expected = file.graph.to_networkx()
    assert set(graph.nodes) == set(expected.nodes)
    assert set(graph.edges(keys=True)) == set(expected.edges(keys=True))
    told = json.dumps(nx.node_link_data(expected, edges="links"))
    assert read_graph(told, "node-link").graph == file.graph


@settings(max_examples=40)
@given(file=graph_files())
def test_networkx_reads_graphml_and_gml(file: GraphFile) -> None:
    graph = nx.parse_graphml(graph_text(file, "graphml"))
    assert set(graph.nodes) == set(file.graph.nodes)
    pairs = [*file.graph.directed, *file.graph.bidirected]
    assert sorted(graph.edges()) == sorted(pairs)
    # DoWhy joins the lines before networkx sees them.
    dowhy = nx.parse_gml(graph_text(file, "gml").replace("\n", " "))
    added = set(dowhy.nodes) - set(file.graph.nodes)
    assert len(added) == len(file.graph.bidirected)
    latent = {node for node, told in dowhy.nodes(data="observed") if told == "no"}
    assert latent == added | file.latents
    assert set(dowhy.subgraph(file.graph.nodes).edges) == set(file.graph.directed)
    assert {tuple(sorted(dowhy.successors(node))) for node in added} == {
        tuple(sorted(pair)) for pair in file.graph.bidirected
    }


def test_what_networkx_writes_is_read(tmp_path: Path) -> None:
    graph = nx.DiGraph([("X", "M"), ("M", "Y")])
    graph.add_node("X", weight=0.5, layer=3, kept=True, title='a "b" & c')
    nx.write_graphml(graph, tmp_path / "g.graphml")
    nx.write_gml(graph, tmp_path / "g.gml")
    for name, kept in (("g.graphml", True), ("g.gml", 1)):
        file = read_graph(tmp_path / name)
        assert isinstance(file, GraphFile)
        assert file.graph == ADMG.of(directed=[("X", "M"), ("M", "Y")])
        assert file.node_attributes["X"] == {
            "weight": 0.5,
            "layer": 3,
            "kept": kept,
            "title": 'a "b" & c',
        }
    mixed = ADMG.of(directed=[("X", "Y")], bidirected=[("Y", "X")]).to_networkx()
    told = "\n".join(nx.generate_graphml(mixed))
    with pytest.raises(FormatError, match="is there twice"):  # once from each end: say it once
        read_graph(told, "graphml")


# What is refused, and where.

MISTAKES: list[tuple[Format, str, str]] = [
    ("dot", "digraph {\n a -- b }", ":2: An edge '--'"),
    ("dot", "digraph {\n a -> b [dir=none] }", ":2: An edge with dir='none'"),
    ("dot", "digraph {\n\n a -> a }", ":3: The edge a -> a leads from a node to itself"),
    ("dot", "digraph { a -> b\n a -> b }", ":2: The edge a -> b is there twice"),
    ("dot", "digraph { a -> b -> c -> a }", "cycle: a -> b -> c -> a"),
    ("dot", 'digraph { a [label="x }', ":1: "),
    ("dot", "digraph { a \n 1abc }", ":2: '1abc }' is not DOT"),
    ("dot", "digraph { a [x=] }", "A name or a value"),
    ("dot", "digraph { a } b", "Found 'b'. The text ends with the graph"),
    ("dot", "digraph { a ", "The text ends. Braces are closed"),
    ("dot", "digraph { edge [causalnet_json=x] }", "as a default"),
    ("dot", 'digraph { "" }', "A node without a name"),
    ("dot", "digraph { a [causalnet_json=x] }", "'causalnet_json' is 'x'|not JSON"),
    ("dot", 'digraph { a [causalnet_role="x"] }', "The role 'x' is unknown"),
    ("dot", 'digraph { a [causalnet_other="x"] }', "'causalnet_other'"),
    ("dot", 'digraph { a [x=1, causalnet_json="{\\"x\\": 2}"] }', "The attribute 'x' is 1, and 2"),
    ("dot", "flowchart { a }", "begins with one of digraph, graph"),
    ("dagitty", "dag { a\n a -- b }", ":2: An edge '--'"),
    ("dagitty", "pag { a\n a o-> b }", ":2: An edge 'o->'"),
    ("dagitty", "pag { a\n a @-> b }", ":2: An edge '@->'"),
    ("dagitty", "dag { a -> {b c\n", ":2: The text ends"),
    ("dagitty", "dag { a [beta=0.5 }", "A name or a value"),
    ("dagitty", "dag { ! }", "is not dagitty text"),
    ("gml", "graph [ directed 1\n node [ id 0 ] node [ id 0 ] ]", ":2: A second node with id 0"),
    ("gml", 'graph [ directed 1 node [id 0 label "X"] node [id 1 label "X"] ]', "node 'X'"),
    (
        "gml",
        "graph [ directed 1 node [ id 0 ]\n edge [source 0 target 5] ]",
        ":2: There is no node",
    ),
    ("gml", "graph [ directed 1 node [ ] ]", "There are 0 values of 'id'"),
    ("gml", "graph [ directed 1 node 3 ]", "A node that is 3"),
    ("gml", "graph [ node [ id 0 ] ]", "not directed"),
    ("gml", "graph [ directed 1\n", ":2: The text ends too early"),
    ("gml", "graph [ directed ]", "Found ']' after 'directed'"),
    ("gml", "graph [ 1 ]", "Found '1'"),
    ("gml", 'graph [ directed 1 name "x ]', "is not GML"),
    ("gml", "graph [ directed 1 x 1.2.3 ]", "The number 1.2.3"),
    ("gml", 'graph [ directed 1 x "&#55296;" ]', "surrogate"),
    ("gml", "directed 1\n", "There are 0 values of 'graph'"),
    (
        "gml",
        'graph [ directed 1 node [ id 0 causalnet_edge "bidirected" ] ]',
        "stands for a bidirected edge has 0 edges",
    ),
    ("node-link", '{"nodes": [{"id": "a"}]}', "/links: The list is missing"),
    ("node-link", '{"nodes": [{}], "links": []}', "/nodes/0/id: The name is missing"),
    ("node-link", '{"nodes": [{"id": null}], "links": []}', "/nodes/0/id"),
    ("node-link", '{"nodes": [{"id": true}], "links": []}', "/nodes/0/id: The name is True"),
    ("node-link", '{"nodes": [], "links": [{"source": "a"}]}', "/links/0/source: There is no node"),
    ("node-link", '{"nodes": [], "links": [], "edges": []}', "/edges: Both"),
    ("node-link", '{"directed": false, "nodes": [], "links": []}', "/directed"),
    ("node-link", '{"nodes": [], "nodes": []}', "The key 'nodes' appears twice"),
    ("node-link", '{"nodes":\n [}', ":2: This is not JSON"),
    ("node-link", '{"nodes": [NaN]}', "The number NaN"),
    ("node-link", '{"nodes": [1e999]}', "The number 1e999"),
    ("node-link", '{"nodes": ["\\ud800"]}', "surrogate"),
    ("node-link", "[]", "An object stands here"),
    ("graphml", "<graphml>\n<graph></graphml>", ":2: This is not XML"),
    ("graphml", "<graphml/>", "There is no <graph>"),
    ("graphml", "<html>\n</html>", ":1: <html> stands at the top"),
    ("graphml", "<graphml><graph/>\n<graph/></graphml>", ":2: A second <graph>"),
    ("graphml", "<graphml><graph><node/></graph></graphml>", "<node> has no 'id'"),
    (
        "graphml",
        "<graphml><graph><node id='a'>\n<graph/></node></graph></graphml>",
        ":2: <graph> stands inside <node>",
    ),
    ("graphml", "<graphml><graph><hyperedge/></graph></graphml>", "<hyperedge> stands inside"),
    (
        "graphml",
        "<graphml><graph><node id='a'/>\n<edge source='a' target='b'/></graph></graphml>",
        ":2: There is no node 'b'",
    ),
    (
        "graphml",
        "<graphml><graph edgedefault='undirected'><node id='a'/><node id='b'/>"
        "\n<edge source='a' target='b'/></graph></graphml>",
        ":2: An undirected edge",
    ),
    (
        "graphml",
        "<graphml><graph><node id='a'>\n<data key='d'>1</data></node></graph></graphml>",
        ":2: The key 'd' is not declared",
    ),
    (
        "graphml",
        "<graphml><key id='d' attr.type='int'/><graph>\n<data key='d'>x</data></graph></graphml>",
        ":2: 'x' is the value of 'd'",
    ),
    ("graphml", "<graphml><key id='d' attr.type='list'/></graphml>", "is of type 'list'"),
]


@pytest.mark.parametrize(("format", "text", "message"), MISTAKES)
def test_mistakes_are_refused_with_their_place(format: Format, text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_graph(text, format)
    assert any(part in str(caught.value) for part in message.split("|")), str(caught.value)
    assert caught.value.possible and caught.value.write


def test_names_that_a_format_lacks_are_refused() -> None:
    for name, lacking in (
        ("a\0b", ("graphml", "dot", "dagitty")),
        ("a\x01b", ("graphml", "dagitty")),
        ("a\nb", ("dagitty",)),
        ("a\\", ("dagitty",)),
        ("graph", ("dagitty",)),
        ("\uffff", ("graphml",)),
    ):
        file = GraphFile(ADMG.of(nodes=[name]))
        for format in FORMATS:
            if format in lacking:
                with pytest.raises(FormatError, match="Rename the node"):
                    graph_text(file, format)
            else:
                assert read_graph(graph_text(file, format), format) == file


def test_graph_files_are_checked_when_they_are_made() -> None:
    graph = ADMG.of(directed=[("X", "Y")])
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    for given_, message in (
        ({"latents": ["Z"]}, "'Z', which is not a node"),
        ({"node_attributes": {"Z": {"a": 1}}}, "'Z', which is not a node"),
        ({"edge_attributes": {("Y", "->", "X"): {"a": 1}}}, "not an edge of the graph"),
        ({"edge_attributes": {("Y", "X"): {"a": 1}}}, "is not an edge"),
        ({"node_attributes": {"X": {"observed": "no"}}}, "latents="),
        ({"graph_attributes": {"causalnet_json": "x"}}, "kept for the formats"),
        ({"graph_attributes": {"x": float("nan")}}, "finite"),
        ({"graph_attributes": {"x": 2**2000}}, "bits"),
        ({"graph_attributes": {"x": deep}}, "nest deeper"),
        ({"graph_attributes": {"x": "\ud800"}}, "surrogate"),
        ({"graph_attributes": {"x": object()}}, "hold"),
        ({"graph_attributes": {3: "x"}}, "Names of attributes are text"),
    ):
        with pytest.raises(GraphError, match=message):
            GraphFile.of(graph, **given_)
    with pytest.raises(GraphError, match="surrogate"):
        GraphFile(ADMG.of(nodes=["\ud800"]))


def test_graph_files_can_be_copied_and_hashed() -> None:
    file = read("smoking.dagitty")
    assert pickle.loads(pickle.dumps(file)) == copy.deepcopy(file) == file
    assert hash(file) == hash(read("smoking.dagitty"))
    assert hash(file.graph_attributes) == hash(copy.copy(file.graph_attributes))
    assert repr(file).startswith("GraphFile(ADMG(")


# Files and formats.


@pytest.mark.parametrize("suffix", ["graphml", "dot", "gv", "json", "dagitty", "txt", "gml"])
def test_the_suffix_tells_the_format(suffix: str, tmp_path: Path) -> None:
    file = GraphFile.of(ADMG.of(directed=[("X", "é\r")], bidirected=[("X", "é\r")]), latents="X")
    if suffix in ("dagitty", "txt"):
        file = GraphFile.of(ADMG.of(directed=[("X", "é")], bidirected=[("X", "é")]), latents="X")
    path = tmp_path / f"g.{suffix}"
    write_graph(file, path)
    assert read_graph(path) == read_graph(str(path)) == file
    assert read_graph(path.read_bytes().decode()) == file  # as its text alone
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # with a byte order mark
    assert read_graph(path) == file
    assert list(tmp_path.iterdir()) == [path]


def test_json_tells_attribution_graphs_from_others(tmp_path: Path) -> None:
    graph = read_graph(FIXTURES / "attribution.json")
    assert isinstance(graph, AttributionGraph)
    write_graph(graph, tmp_path / "g.json")
    assert read_graph(tmp_path / "g.json") == graph
    for format in FORMATS:
        with pytest.raises(FormatError, match="graph_file"):
            graph_text(graph, format)
    with pytest.raises(FormatError, match="other graphs in the other formats"):
        graph_text(ADMG.of(nodes="X"), "attribution")


def test_files_that_cannot_be_read_or_written(tmp_path: Path, monkeypatch: Any) -> None:
    bad = tmp_path / "bad.dot"
    bad.write_bytes(b"digraph {\n\xff }")
    unknown = tmp_path / "g.pkl"
    unknown.write_text("x")
    for path, message in (
        (tmp_path / "none.dot", "is not a file"),
        (tmp_path, "is not a file"),
        (bad, "bad.dot:2: The byte 0xff is not UTF-8"),
        (unknown, "tells no format"),
        ("no\0name", "cannot be read|is not a file"),
    ):
        with pytest.raises(FormatError, match=message):
            read_graph(path)
    for target, message in (
        (tmp_path / "g.pkl", "tells no format"),
        (tmp_path / "none" / "g.dot", "cannot be written"),
        (tmp_path / "no\0name.dot", "cannot be written"),
    ):
        with pytest.raises(FormatError, match=message):
            write_graph(ADMG.of(nodes="X"), target)
    with pytest.raises(FormatError, match="is unknown"):
        read_graph("{}", "gexf")  # type: ignore[call-overload]  # wrong on purpose
    monkeypatch.setattr(source_module, "MAX_BYTES", 30)
    big = tmp_path / "big.dot"
    big.write_text("digraph {" + " " * 30 + "}")
    for source in (big, big.read_text()):
        with pytest.raises(FormatError, match="At most 30 are read"):
            read_graph(source)
