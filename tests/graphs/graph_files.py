"""Random graph files: any names, any attributes, any roles."""

import json

from hypothesis import strategies as st

from causalnet.graphs.admg import ADMG
from causalnet.graphs.formats import EdgeKey, GraphFile, edge_keys
from causalnet.graphs.formats.values import Json, json_text

AWKWARD = [
    "X", "x y", '"', '\\"', "a\\b", "a\nb", "\\n", "<b>&amp;</b>", "ünï→", "😀", "graph_", "node",
    "digraph", "0", "-1.5", "007", "true", "a:b", "[x]", "{", "}", "->", "//", "/*", "#", "&#34;",
    "label", "id", "key", "e", "U(X, x y)", " ", "\u2028", "'", "]]>", "%", "=", "+", ";", ",",
]  # fmt: skip
# What every format can express in a name; see `test_names_that_a_format_lacks_are_refused`.
names = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
        min_size=1,
        max_size=6,
    ),
).filter(lambda name: "\n" not in name and not name.endswith("\\"))
texts = st.one_of(st.sampled_from([*AWKWARD, ""]), st.text(max_size=8))
numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**63, -(2**63), 10**200, 1e-7, 1e300, -0.0, 5e-324, -2.5]),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.one_of(texts, numbers, st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)),
    max_leaves=4,
)
keys = st.one_of(
    st.sampled_from(
        "label pos dir id key name type source target latent weight observed node edge graph "
        "directed bb title subgraph o".split()
    ),
    texts,
)
attributes = st.dictionaries(keys.filter(lambda key: not key.startswith("causalnet_")), values)


@st.composite
def graph_files(draw: st.DrawFn) -> GraphFile:
    nodes = draw(st.lists(names, unique=True, max_size=6))
    pairs = [(a, b) for place, a in enumerate(nodes) for b in nodes[place + 1 :]]
    some = st.lists(st.sampled_from(pairs), unique=True, max_size=6) if pairs else st.just([])
    shown = draw(st.permutations(nodes))
    graph = ADMG.of(directed=draw(some), bidirected=draw(some), nodes=shown)
    members = st.lists(st.sampled_from(nodes), unique=True, max_size=2) if nodes else st.just([])
    edges = edge_keys(graph)
    latents = draw(members)
    of_nodes: dict[str, dict[str, object]] = {}
    for name in draw(members):
        of_nodes[name] = draw(attributes)
        if name in latents or of_nodes[name].get("observed") == "no":
            of_nodes[name].pop("observed", None)
    of_edges: dict[EdgeKey, dict[str, object]] = {}
    for edge in draw(st.lists(st.sampled_from(edges), unique=True, max_size=2)) if edges else ():
        of_edges[edge] = draw(attributes)
    return GraphFile.of(
        graph,
        exposures=draw(members),
        outcomes=draw(members),
        latents=latents,
        adjusted=draw(members),
        graph_attributes=draw(attributes),
        node_attributes=of_nodes,
        edge_attributes=of_edges,
        extra=draw(st.dictionaries(st.sampled_from(["version", "ünï", '"']), values, max_size=1)),
    )


def exact(file: GraphFile) -> object:
    """Everything a file says, so that True is not 1, 1 is not 1.0 and the order of nodes counts."""

    return (
        file.graph.nodes,
        file.graph.directed,
        file.graph.bidirected,
        *map(sorted, (file.exposures, file.outcomes, file.latents, file.adjusted)),
        *map(sorted_json, (file.graph_attributes, file.extra)),
        *(
            sorted((repr(key), sorted_json(value)) for key, value in mapping.items())
            for mapping in (file.node_attributes, file.edge_attributes)
        ),
    )


def sorted_json(value: Json) -> str:
    return json.dumps(json.loads(json_text(value)), sort_keys=True)
