import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import FormatError
from causalnet.graphs import Grain, MediatorGraph, cluster_graph, plain_graph, transformer_graph
from tests.graphs.test_coarsening import plain_graphs
from tests.graphs.test_ladder import SMALL, laid_out
from tests.graphs.textbook import SMOLLM2

GRAPHS = plain_graphs() | st.sampled_from(Grain).flatmap(laid_out)
SMALLEST = transformer_graph(SMALL, "features", dictionaries={1: 2})


@settings(max_examples=40)
@given(GRAPHS)
def test_json_round_trips(graph: MediatorGraph) -> None:
    again = MediatorGraph.from_json(graph.to_json())
    assert again == graph
    assert (again.sizes, again.grain, again.tokens) == (graph.sizes, graph.grain, graph.tokens)
    assert again.to_json() == graph.to_json()


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_any_names_round_trip(one: str, other: str) -> None:
    graph = plain_graph({one: (), f"{other}.": (one,)}, noise=[one])
    assert MediatorGraph.from_json(graph.to_json()) == graph


def test_clusters_and_noise_round_trip() -> None:
    noisy = plain_graph({"U": (), "X": ("U",), "Y": ("U", "X")}, noise=["U"])
    for graph in (noisy, cluster_graph(SMALLEST, {"M": ["L0.H0", "L0.H1"]}).coarse):
        assert MediatorGraph.from_json(graph.to_json()) == graph


def test_edges_of_streams_stay_implicit() -> None:
    text = transformer_graph(SMOLLM2).to_json()
    assert len(text) < 400_000  # 70,651 edges by name would be over two million characters
    content = json.loads(text)
    assert content["causalnet_graph"] == 1
    assert len(content["axes"]) < 10 < len(content["nodes"])


def changed(path: tuple[Any, ...], value: Any) -> str:
    """The smallest graph's JSON with another value at a path, `...` for nothing at all."""
    content = json.loads(SMALLEST.to_json())
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(content)


NODES = {node["name"]: place for place, node in enumerate(json.loads(SMALLEST.to_json())["nodes"])}
ERR, QUERY = NODES["L1.mlp.err"], NODES["L1.H2.q"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("causalnet_graph",), 2, r"'causalnet_graph' is 2"),
        (("causalnet_graph",), ..., r"'causalnet_graph' is None"),
        (("causalnet_graph",), True, r"'causalnet_graph' is True"),
        (("nodes",), ..., r"The content has no 'nodes'"),
        (("edges",), [], r"The content has a key 'edges'"),
        (("nodes",), {}, r"nodes is \{\}\. It is a list"),
        (("nodes", 3), "L0.H0", r'nodes\[3\] is "L0.H0"\. It is an object'),
        (("nodes", 3, "name"), 7, r"nodes\[3\].name is 7. It is text"),
        (("nodes", 3, "kind"), "haed", r'nodes\[3\].kind is "haed"\. It is one of embed, '),
        (("nodes", 3, "layer"), -1, r"nodes\[3\].layer is -1. It is a whole number from 0"),
        (("nodes", 3, "axes"), 99, r"nodes\[3\].axes is 99. It is the place of a row"),
        (("nodes", 3, "axes"), True, r"nodes\[3\].axes is true"),
        (("nodes", 3, "colour"), "red", r"nodes\[3\] has a key 'colour'"),
        (("nodes", QUERY, "slots", 0, "merge"), "max", rf"nodes\[{QUERY}\]\.slots\[0\]\.merge is"),
        (("nodes", QUERY, "slots", 0, "stream"), "rsid", r"reads 6 writers of stream 'rsid'"),
        (("nodes", QUERY, "slots", 0, "writers_before"), 11, "L1.H2.q reads writer 11 of stream"),
        (("nodes", QUERY, "slots", 0, "writers_before"), 99, "L1.H2.q reads 99 writers of stream"),
        (("nodes", QUERY, "slots", 0, "parents"), ["embed"], r"slots\[0\] has a key 'parents'"),
        (("nodes", QUERY, "slots", 1, "parents"), ["logits"], "L1.H2.q reads logits, which does"),
        (
            ("nodes", QUERY, "slots", 1, "parents"),
            [],
            "plain slot 'scale' of L1.H2.q reads not",
        ),
        (("nodes", QUERY, "slots", 1, "name"), "resid", "L1.H2.q has the slots resid, resid"),
        (("nodes", QUERY, "linear_in"), ["z"], "a property of 'z'"),
        (("nodes", QUERY, "name"), "embed", "are called 'embed'"),
        (("nodes", ERR, "regimes"), ["thawed"], rf"nodes\[{ERR}\]\.regimes\[0\] is \"thawed\""),
        (("nodes", ERR, "pure"), "yes", rf"nodes\[{ERR}\]\.pure is \"yes\". It is true or false"),
        (("nodes", ERR - 1, "slots", 0, "owner"), "nobody", "its owner is a node"),
        (("axes", 0, 0), ["pos", "causal"], r"axes\[0\]\[0\] is .*It is \[name, role, size"),
        (("axes", 0, 0, 1), "Causal", r"axes\[0\]\[0\]\[1\] is \"Causal\""),
        (("streams", 0, "writers", 1), "L1.mlp", "not distinct nodes in the graph's order"),
        (("streams", 0, "writers", 1), "L9.mlp", "not distinct nodes in the graph's order"),
        (("cuts", 0, "stream"), "rsid", "of stream 'rsid', which has 0"),
        (("cuts", 0, "writers_before"), 99, "lies after 99 writers of stream 'resid', which has"),
        (("cuts", 0, "name"), "embed", "are called 'embed'"),
        (("sizes", "kv_heads"), 3, "sizes: 4 heads cannot share 3"),
        (("sizes", "normed"), 1, "sizes.normed is 1. It is true or false"),
        (("grain",), "heads ", r'grain is "heads "\. It is one of blocks, heads'),
    ],
)
def test_what_is_malformed_is_named(path: tuple[Any, ...], value: Any, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        MediatorGraph.from_json(changed(path, value))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 100_000, "1" * 10_000, '{"axes":[],"axes":[]}', "NaN"],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        MediatorGraph.from_json(text)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a JSON value is."""
    if not isinstance(value, dict | list):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [path] * bool(path) + [each for key, item in items for each in paths(item, (*path, key))]


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 3, 1.5, "", "embed", [], ["embed"], {}, [[]], ...]
)


@settings(max_examples=200)
@given(st.sampled_from(paths(json.loads(SMALLEST.to_json()))), JUNK)
def test_any_change_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    """Never an error of another kind; what is read is written back as it was read."""
    try:
        graph = MediatorGraph.from_json(changed(path, value))
    except FormatError as refused:
        assert refused.came
    else:
        assert MediatorGraph.from_json(graph.to_json()) == graph
