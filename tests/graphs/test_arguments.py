"""What is of another type is refused at every public door, and never fails inside."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from causalnet.errors import CausalNetError
from causalnet.graphs import (
    ADMG,
    Copy,
    Event,
    MediatorGraph,
    PathSet,
    TransformerShape,
    ambiguity_at,
    at_positions,
    canonical,
    check_paths,
    cluster_graph,
    coarsen,
    counterfactual_graph,
    example,
    first_edges,
    is_m_separated,
    is_open_walk,
    latent_projection,
    m_separated,
    minimal_separator,
    nearest,
    parallel_worlds,
    plain_graph,
    project,
    read_graph,
    recanting_district,
    recanting_witnesses,
    refine,
    restrict,
    split_positions,
    transformer_graph,
    twin_network,
    write_graph,
)
from causalnet.graphs.formats import GraphFile, cantor_pair, cantor_unpair

GRAPH = ADMG.of([("X", "M"), ("M", "Y"), ("X", "Y")], [("X", "Y")])
PATHS = PathSet.all_paths(GRAPH, "X", "Y")
PLAIN = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
HEADS = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11), "heads")
WORLDS = parallel_worlds(GRAPH, [{}, {"X": "x"}])

# A public door, and arguments with which it opens; None where it takes anything.
DOORS: dict[str, tuple[Callable[..., object], tuple[Any, ...]]] = {
    "ADMG.of": (ADMG.of, ([("A", "B")], [("A", "B")], ["C"])),
    "ADMG.from_arrays": (ADMG.from_arrays, (["A", "B"], [0], [1], [0], [1])),
    "ADMG.index": (GRAPH.index, ("X",)),
    "ADMG.names_of": (GRAPH.names_of, ([0],)),
    "ADMG.ancestors": (GRAPH.ancestors, ("X",)),
    "ADMG.cut_in": (GRAPH.cut_in, ("X",)),
    "m_separated": (m_separated, (GRAPH, "X", "Y", "M")),
    "is_m_separated": (is_m_separated, (GRAPH, "X", "Y", "M")),
    "minimal_separator": (minimal_separator, (GRAPH, "X", "Y", "M", ["M"])),
    "is_open_walk": (is_open_walk, (GRAPH, m_separated(GRAPH, "X", "Y"))),
    "latent_projection": (latent_projection, (GRAPH, ["X"])),
    "restrict": (restrict, (GRAPH, ["X", "Y"], None)),
    "project": (project, (GRAPH, ["X", "Y"])),
    "parallel_worlds": (parallel_worlds, (GRAPH, [{"X": "x"}])),
    "ParallelWorlds.is_separated": (WORLDS.is_separated, ("X", "Y", "M")),
    "twin_network": (twin_network, (GRAPH, {"X": "x"})),
    "Copy.of": (Copy.of, (None, {"X": "x"})),
    "counterfactual_graph": (counterfactual_graph, (GRAPH, [Event.of("Y", "y")])),
    "Event.variable": (lambda v: counterfactual_graph(GRAPH, [Event.of(v, "y")]), ("Y",)),
    "Event.value": (lambda v: counterfactual_graph(GRAPH, [Event.of("Y", v)]), ("y",)),
    "PathSet.all_paths": (PathSet.all_paths, (GRAPH, "X", "Y")),
    "PathSet.direct": (PathSet.direct, (GRAPH, "X", "Y")),
    "PathSet.along": (PathSet.along, (GRAPH, "X", "Y", [("X", "Y")])),
    "PathSet.through": (PathSet.through, (GRAPH, "X", "Y", ["M"])),
    "PathSet.through_each": (PathSet.through_each, (GRAPH, "X", "Y", ["M"])),
    "PathSet.listed": (PathSet.listed, (GRAPH, [("X", "Y")], "X", "Y")),
    "PathSet.paths": (PATHS.paths, (10,)),
    "PathSet |": (lambda other: PATHS | other, (PATHS,)),
    "PathSet <=": (lambda other: PATHS <= other, (PATHS,)),
    "check_paths": (check_paths, (PATHS, 10)),
    "first_edges": (first_edges, (PATHS,)),
    "recanting_district": (recanting_district, (PATHS,)),
    "recanting_witnesses": (recanting_witnesses, (PATHS,)),
    "ambiguity_at": (ambiguity_at, (PATHS, {"block": ["M"]})),
    "example": (example, ("front-door",)),
    "split_positions": (split_positions, ("L9.H6[end]",)),
    "canonical": (canonical, ("L9.H6",)),
    "nearest": (nearest, ("a", ["a"])),
    "plain_graph": (plain_graph, ({"X": ()}, ["X"])),
    "plain_graph parents": (lambda parents: plain_graph({"X": parents}), ((),)),
    "transformer_graph": (transformer_graph, (HEADS.shape, "heads")),
    "tokens": (lambda tokens: transformer_graph(HEADS.shape, tokens=tokens), (2,)),
    "dictionaries": (
        lambda sizes: transformer_graph(HEADS.shape, "features", dictionaries=sizes),
        ({0: 2},),
    ),
    "TransformerShape": (TransformerShape, (2, 2, 1, 8, 4, 16, 11)),
    "refine": (refine, (HEADS, "channels")),
    "coarsen": (coarsen, (HEADS, "heads")),
    "cluster_graph": (cluster_graph, (PLAIN, {"block": ["M"]})),
    "Coarsening.image": (cluster_graph(PLAIN, {"block": ["M"]}).image, (["M"],)),
    "at_positions": (at_positions, (HEADS, 2)),
    "MediatorGraph": (MediatorGraph, (PLAIN.nodes, (), ())),
    "MediatorGraph.find": (PLAIN.find, ("M",)),
    "MediatorGraph.heads": (HEADS.heads, (1,)),
    "MediatorGraph.edge": (PLAIN.edge, ("X", "Y", "X")),
    "MediatorGraph.edges": (PLAIN.edges, (10,)),
    "MediatorGraph.to_dot": (PLAIN.to_dot, (10,)),
    "MediatorGraph.to_admg": (PLAIN.to_admg, (10,)),
    "MediatorGraph.from_json": (MediatorGraph.from_json, (PLAIN.to_json(),)),
    "read_graph": (read_graph, ("dag { X -> Y }", "dagitty")),
    "write_graph": (write_graph, (GRAPH, "no/such/folder/graph.gml", "gml")),
    "GraphFile.of": (
        lambda graph, roles: GraphFile.of(graph, exposures=roles, latents=roles),
        (GRAPH, ["X"]),
    ),
    "attributes": (lambda given: GraphFile.of(GRAPH, node_attributes=given), ({"X": {}},)),
    "cantor_pair": (cantor_pair, (3, 4)),
    "cantor_unpair": (cantor_unpair, (7,)),
}
STRANGE: tuple[Any, ...] = (
    3.5,
    -1,
    None,
    object(),
    lambda name: name,
    [object()],
    [[["X"]]],
    ["no such node"],
    {"X": object()},
    {"X": [[]]},
    Event.of("Y", "y"),
    "x" * 100_000,
    "L0.H" + "9" * 5_000 + ".k",
)


@pytest.mark.parametrize("door", DOORS)
def test_strange_arguments_are_refused(door: str) -> None:
    action, arguments = DOORS[door]
    places = [place for place, usual in enumerate(arguments) if usual is not None]
    for place, strange in product(places, STRANGE):
        given = [*arguments]
        given[place] = strange
        try:
            action(*given)  # what is not refused has a meaning: the bare text of a list, say
        except CausalNetError as refused:
            assert len(str(refused)) < 1_500, "what came is cut short"
            assert refused.came
            assert refused.possible or refused.write


DOORS_OF_ADMGS = [name for name, (_, given) in DOORS.items() if given[0] is GRAPH]


@pytest.mark.parametrize("door", DOORS_OF_ADMGS)
def test_another_graph_is_told_how_to_become_an_admg(door: str) -> None:
    action, arguments = DOORS[door]
    with pytest.raises(CausalNetError, match=r"Mediator.* Write ADMG\.of.*graph\.to_admg\(\)"):
        action(PLAIN, *arguments[1:])
