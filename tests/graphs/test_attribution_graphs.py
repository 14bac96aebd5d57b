"""Attribution graphs: what real files hold, and the traps in them."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, FormatError, GraphError, ParameterError
from causalnet.graphs.formats import (
    AttributionGraph,
    AttributionLink,
    AttributionNode,
    FrozenMapping,
    GraphFormat,
    cantor_pair,
    cantor_unpair,
    graph_text,
    read_graph,
)
from causalnet.graphs.formats.values import frozen_mapping

FIXTURE = Path(__file__).parent / "fixtures" / "attribution.json"
METADATA: dict[str, object] = {
    "slug": "s",
    "scan": "gemma-2-2b",
    "prompt_tokens": ["a", "b"],
    "prompt": "a b",
    "schema_version": 1,
}


def fixture() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FIXTURE.read_text())
    return content


def read(content: dict[str, Any]) -> AttributionGraph:
    return read_graph(json.dumps(content), "attribution")


@given(st.integers(0, 10**40), st.integers(0, 10**40))
def test_pairs_of_numbers_are_one_number_and_back(layer: int, index: int) -> None:
    assert cantor_unpair(cantor_pair(layer, index)) == (layer, index)
    assert cantor_pair(*cantor_unpair(index)) == index


def test_negative_numbers_are_no_features() -> None:
    with pytest.raises(ParameterError):
        cantor_unpair(-1)
    with pytest.raises(ParameterError):
        cantor_pair(-1, 0)


def test_a_real_file_is_read_and_written_with_every_field() -> None:
    graph = read_graph(FIXTURE)
    assert isinstance(graph, AttributionGraph)
    expected = fixture()
    expected["nodes"][3]["node_id"] = "err_7_4"  # the one id that is not kept
    expected["links"][2]["source"] = "err_7_4"
    expected["qParams"]["pinnedIds"][1] = "err_7_4"
    expected["qParams"]["supernodes"][0][2] = "err_7_4"
    assert json.loads(graph_text(graph, "attribution")) == expected
    assert read_graph(graph_text(graph, "attribution"), "attribution") == graph
    assert graph.notes == ("1 error nodes have ids that no feature has.",)


def test_nodes_are_what_they_are() -> None:
    graph = read(fixture())
    features = [node for node in graph.nodes if node.may_have_sources and node.may_have_targets]
    assert [graph.feature_index(node) for node in features] == [(0, 12), (3, 1007)]
    assert [node.layer_number for node in graph.nodes] == [-1, 0, 3, 7, 27]
    for node in graph.nodes:
        if node not in features:
            with pytest.raises(ParameterError, match="Features have a layer"):
                graph.feature_index(node)
    made = (
        AttributionNode.of_embedding(5, 0),
        AttributionNode.of_feature(3, 1007, 4),
        AttributionNode.of_error(7, 4),
        AttributionNode.of_logit(99, 4, layers=26, text=" Mary", probability=0.25),
    )
    told = ("node_id", "feature_type", "layer", "ctx_idx", "feature", "js_node_id")
    read_back = [node for node in graph.nodes if node.node_id != "0_12_4"]
    for ours, theirs in zip(made, read_back, strict=True):
        for name in told:
            assert getattr(ours, name) == getattr(theirs, name)
    assert made[3].label == graph.nodes[4].label


def collision(*, target_layer: int) -> dict[str, Any]:
    """Feature 7 of layer 0 and the error of layer 7, both called `0_7_4`, with one link."""
    content = fixture()
    target = AttributionNode.of_feature(target_layer, 1, 4)
    content["nodes"] = [
        {**node_fields(AttributionNode.of_feature(0, 7, 4))},
        {**node_fields(AttributionNode.of_error(7, 4)), "node_id": "0_7_4"},
        node_fields(target),
        node_fields(AttributionNode.of_embedding(5, 0)),
    ]
    content["links"] = [
        {"source": "0_7_4", "target": target.node_id, "weight": 0.5},
        {"source": "E_5_0", "target": "0_7_4", "weight": 0.25},
    ]
    content["qParams"] = {"pinnedIds": ["0_7_4"]}
    return content


def node_fields(node: AttributionNode) -> dict[str, object]:
    return {
        "node_id": node.node_id,
        "feature": node.feature,
        "layer": node.layer,
        "ctx_idx": node.ctx_idx,
        "feature_type": node.feature_type,
        "jsNodeId": node.js_node_id,
        "clerp": node.label,
    }


@pytest.mark.parametrize("target_layer", [1, 7])
def test_links_out_of_a_shared_id_come_from_the_earlier_layer(target_layer: int) -> None:
    graph = read(collision(target_layer=target_layer))
    ends = [(link.source, link.target) for link in graph.links]
    assert ends == [("0_7_4", f"{target_layer}_1_4"), ("E_5_0", "0_7_4")]
    assert [node.node_id for node in graph.nodes][:2] == ["0_7_4", "err_7_4"]
    assert graph.ambiguous_links == ()
    assert graph.q_params["pinnedIds"] == ("0_7_4",)


def test_a_link_that_may_come_from_either_is_kept_apart() -> None:
    graph = read(collision(target_layer=8))
    (link,) = graph.ambiguous_links
    assert (link.sources, link.target, link.weight) == (("0_7_4", "err_7_4"), "8_1_4", 0.5)
    assert [one.source for one in graph.links] == ["E_5_0"]
    assert "1 links may come from either of two nodes." in graph.notes
    assert not graph.admg().has_edge("0_7_4", "8_1_4")
    assert read_graph(graph_text(graph, "attribution"), "attribution") == graph
    with pytest.raises(GraphError, match="either of two nodes"):
        graph.graph_file()


def test_old_files_number_features_otherwise() -> None:
    content = fixture()
    del content["metadata"]["schema_version"]
    content["nodes"][2] |= {"feature": 301007}
    graph = read(content)
    assert graph.feature_index(graph.nodes[2]) == (3, 1007)
    content["metadata"]["scan"] = "another"
    content["nodes"][2] |= {"feature": 5}
    graph = read(content)
    assert graph.feature_index(graph.nodes[2]) == (3, 1007)  # from the id
    content["nodes"][2] |= {"node_id": "elsewhere"}
    content["links"] = []
    graph = read(content)
    with pytest.raises(ParameterError):
        graph.feature_index(graph.nodes[2])


def test_other_formats_carry_direct_effects_under_their_own_name() -> None:
    graph = read(fixture())
    file = graph.graph_file()
    assert file.graph.nodes == tuple(node.node_id for node in graph.nodes)
    assert file.outcomes == {"27_99_4"}
    assert file.edge_attributes["3_1007_4", "->", "27_99_4"] == {
        "direct_effect": -1.5,
        "method": "attribution (linearised)",
    }
    for format in get_args(GraphFormat):
        assert read_graph(graph_text(file, format), format) == file


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no metadata": ({"metadata": None}, "/metadata"),
    "slug": ({"metadata": {"slug": 3}}, "slug"),
    "tokens": ({"metadata": METADATA | {"prompt_tokens": [1]}}, "prompt_tokens"),
    "nodes": ({"nodes": {}}, "/nodes: "),
    "node": ({"nodes": [3]}, "/nodes/0"),
    "no id": ({"nodes": [{}]}, "/nodes/0/node_id: It is missing"),
    "links": ({"links": 3}, "/links: "),
    "dangling": ({"links": [{"source": "x", "target": "y", "weight": 1}]}, "/links/0/target"),
    "no weight": ({"links": [{"source": "x", "target": "y"}]}, "/links/0/weight"),
    "truth": ({"links": [{"source": "x", "target": "y", "weight": True}]}, "/links/0/weight"),
    "own": ({"causalnet_ambiguous_links": [{"sources": 3, "target": "a", "weight": 1}]}, "sources"),
    "own end": (
        {"causalnet_ambiguous_links": [{"sources": ["a", "b"], "target": "a", "weight": 1}]},
        "which is no node",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_with_their_place(name: str) -> None:
    change, place = MISTAKES[name]
    with pytest.raises(FormatError, match=place):
        read(fixture() | change)


@pytest.mark.parametrize("part", ["metadata", "qParams", "nodes", "links"])
def test_parts_that_are_missing_are_named(part: str) -> None:
    content = fixture()
    del content[part]
    with pytest.raises(FormatError, match=f"/{part}: It is missing"):
        read(content)


@pytest.mark.parametrize(
    ("source", "target"), [("E_5_0", "err_7_4"), ("27_99_4", "3_1007_4"), ("3_1007_4", "E_5_0")]
)
def test_nothing_leads_into_inputs_or_out_of_logits(source: str, target: str) -> None:
    graph = read(fixture())
    with pytest.raises(GraphError, match="Nothing leads into"):
        AttributionGraph(graph.metadata, graph.nodes, (AttributionLink(source, target, 1.0),))


def test_graphs_are_checked_when_they_are_made() -> None:
    graph = read(fixture())
    twice = (AttributionLink("0_12_4", "3_1007_4", 1.0),) * 2
    for nodes, links in (
        (graph.nodes * 2, ()),
        (graph.nodes, twice),
        (graph.nodes, (AttributionLink("0_12_4", "3_1007_4", float("nan")),)),
        (graph.nodes, (AttributionLink("0_12_4", "nowhere", 1.0),)),
    ):
        with pytest.raises(GraphError):
            AttributionGraph(graph.metadata, nodes, links)
    error = AttributionNode("0_7_4", "mlp reconstruction error", "7", 4, -1, "7_4-0")
    with pytest.raises(GraphError, match="err_7_4"):
        AttributionGraph(graph.metadata, (error,), ())


def test_labels_that_stop_the_viewer_are_not_written() -> None:
    content = fixture()
    content["nodes"][4]["clerp"] = "Mary"
    with pytest.raises(FormatError, match="probability"):
        graph_text(read(content), "attribution")


labels = st.text(st.characters(codec="utf-8"), max_size=4)
nodes = st.one_of(
    st.builds(
        AttributionNode.of_feature,
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(0, 3),
        activation=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        label=labels,
    ),
    st.builds(AttributionNode.of_error, st.integers(0, 9), st.integers(0, 3)),
    st.builds(AttributionNode.of_embedding, st.integers(0, 9), st.integers(0, 3)),
    st.builds(
        AttributionNode.of_logit,
        st.integers(0, 9),
        st.integers(0, 3),
        layers=st.just(9),
        text=labels,
        probability=st.floats(0, 1),
    ),
)


@st.composite
def attribution_graphs(draw: st.DrawFn) -> AttributionGraph:
    found = draw(st.lists(nodes, unique_by=lambda node: node.node_id, max_size=8))
    pairs = [
        (a.node_id, b.node_id)
        for a in found
        for b in found
        if a is not b and a.may_have_targets and b.may_have_sources
    ]
    ends = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    weight = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3)
    extra = draw(st.dictionaries(st.text(max_size=3), st.none() | st.integers(), max_size=2))
    return AttributionGraph(
        frozen_mapping(METADATA),
        tuple(found),
        tuple(AttributionLink(a, b, draw(weight), frozen_mapping(extra)) for a, b in ends)
        if not extra.keys() & {"source", "target", "weight"}
        else (),
        FrozenMapping({"pinnedIds": tuple(node.node_id for node in found[:2])}),
        extra=frozen_mapping({"other": extra}),
    )


@settings(max_examples=150)
@given(attribution_graphs())
def test_what_is_written_is_read_back(graph: AttributionGraph) -> None:
    assert read_graph(graph_text(graph, "attribution"), "attribution") == graph


@settings(max_examples=300)
@given(st.data())
def test_broken_files_end_in_our_errors(data: st.DataObject) -> None:
    text = FIXTURE.read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    piece = data.draw(st.sampled_from(["", "null", "{}", "[]", '"', "1e999", "-1", "\\ud800", ","]))
    try:
        graph = read_graph(text[:start] + piece + text[end:], "attribution")
        graph_text(graph, "attribution")
        graph.admg()
    except CausalNetError as error:
        assert str(error)


def test_a_link_into_an_embedding_is_told_by_its_name() -> None:
    content = fixture()
    embedding = content["nodes"][0]["node_id"]
    content["links"].append({"source": "3_1007_4", "target": embedding, "weight": 1})
    with pytest.raises(FormatError, match=f"/links/4/target: The target '{embedding}' is"):
        read(content)
