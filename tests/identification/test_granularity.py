"""Coarse path queries: what they mean on the fine graph, and how far meanings are apart."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise, product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from causalnet.effects import run
from causalnet.errors import GraphError, ParameterError, TermError
from causalnet.graphs import plain_graph
from causalnet.graphs.admg import ADMG
from causalnet.graphs.path_checks import EdgeConsistent, NeedsContexts
from causalnet.graphs.paths import PathSet
from causalnet.identification.networks.granularity import (
    ManyRefinements,
    check_grain,
    coarse_diagram,
    refinement_interval,
)
from causalnet.interventions import Base, Const, Do, Handle, Node, Query, logit_diff, value_of
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.path_effects import causal_diagram
from tests.graphs.random_admgs import SEEDS, admgs
from tests.toys import net, word_pairs

FINE = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
BLOCK = {"block": ["W", "Z"]}
LEVELS = {Handle(str(level), str(level)): level for level in (0, 1)}


def scm(times: bool) -> SCM:
    """Y = W Z, or Y = W; Z = W in both."""
    parents = {"X": (), "W": ("X",), "Z": ("W",), "Y": ("W", "Z")}
    mechanisms: dict[str, Any] = {
        "W": lambda slots: slots["X"],
        "Z": lambda slots: slots["W"],
        "Y": lambda slots: slots["W"] * slots["Z"] if times else slots["W"],
    }
    inputs = {"base": {"X": 0}, "source": {"X": 1}}
    return SCM(plain_graph(parents), mechanisms, inputs, LEVELS)


def values_in(model: SCM) -> Any:
    def evaluate(query: Query) -> list[float]:
        return [float(model.scalar(scalar)) for _, scalar in query.contrasts]

    return evaluate


def test_two_models_that_agree_on_every_block_differ_on_paths_within() -> None:
    """Y = W Z and Y = W with Z = W: one coarse graph, one answer to every coarse intervention."""
    models = {"product": scm(True), "direct": scm(False)}
    for level in LEVELS:
        block = Do(Base("base"), ((Node("W"), Const(level)), (Node("Z"), Const(level))))
        values = {name: model.value("Y", block) for name, model in models.items()}
        assert len(set(values.values())) == 1
    coarse = coarse_diagram(FINE, BLOCK)
    found = check_grain(PathSet.all_paths(coarse, "X", "Y"), FINE, BLOCK)
    assert isinstance(found, ManyRefinements) and found.is_exhaustive
    assert found.crossing == ((("block", "Y"), (("W", "Y"), ("Z", "Y"))),)
    told = {
        name: refinement_interval(found, values_in(model), value_of("Y"))
        for name, model in models.items()
    }
    assert dict(told["product"].values) == {"W -> Y": 0, "Z -> Y": 0, "W -> Y, Z -> Y": 1}
    assert dict(told["direct"].values) == {"W -> Y": 1, "Z -> Y": 0, "W -> Y, Z -> Y": 1}
    assert told["product"].lowest[1] == 0 and told["direct"].highest == ("W -> Y", 1)
    assert str(told["direct"]).startswith("[0, 1] over 3 refinements: lowest by Z -> Y")


def test_the_recanting_witness_between_grains_is_shown() -> None:
    coarse = coarse_diagram(FINE, BLOCK)
    found = check_grain(PathSet.all_paths(coarse, "X", "Y"), FINE, BLOCK)
    assert isinstance(found, ManyRefinements) and found.recanting is not None
    one = dict(found.refinements)["W -> Y"]
    assert found.recanting.image == ("X", "block", "Y")
    assert found.recanting.active in one and found.recanting.inactive not in one


def test_without_several_crossing_edges_the_fine_query_is_the_answer() -> None:
    fine = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("X", "Y")])
    clusters = {"block": ["W", "Z"]}
    coarse = coarse_diagram(fine, clusters)
    found = check_grain(PathSet.direct(coarse, "X", "Y"), fine, clusters)
    assert found == EdgeConsistent(frozenset({("X", "Y")}), ())


def test_sets_that_edges_cannot_tell_stay_so() -> None:
    edges = [("X", "A"), ("X", "B"), ("A", "W"), ("B", "W"), ("W", "C"), ("W", "D")]
    fine = ADMG.of(directed=[*edges, ("C", "Y"), ("D", "Y")])
    paths = PathSet.listed(fine, [("X", "A", "W", "C", "Y"), ("X", "B", "W", "D", "Y")])
    assert isinstance(check_grain(paths, fine, {}), NeedsContexts)


# -- laws ----------------------------------------------------------------------------------------


def random_clusters(graph: ADMG, seed: int) -> dict[str, list[str]]:
    """Clusters of neighbours in a topological order: those never form a cycle."""
    order, random = graph.topological_order(), Random(seed)
    clusters: dict[str, list[str]] = {}
    for at, node in enumerate(order[:-1]):
        if at and random.random() < 0.6 and clusters:
            clusters[[*clusters][-1]].append(node)
        else:
            clusters[f"c{at}"] = [node]
    return clusters


@given(admgs(3, 6, bidirected=False), SEEDS)
def test_refinements_are_the_choices_of_crossing_edges_path_by_path(graph: ADMG, seed: int) -> None:
    clusters = random_clusters(graph, seed)
    home = {node: name for name, members in clusters.items() for node in members}
    last = graph.topological_order()[-1]
    first = home[graph.topological_order()[0]]
    coarse = coarse_diagram(graph, clusters)
    paths = PathSet.all_paths(coarse, first, last)
    found = check_grain(paths, graph, clusters)
    starts = [
        node for node in clusters[first] if any(home.get(c) != first for c in graph.children(node))
    ]
    every = fine_paths(graph, starts or clusters[first], last)
    if not isinstance(found, ManyRefinements):
        edges = found.edges if isinstance(found, EdgeConsistent) else frozenset()
        assert edges == {edge for path in every for edge in steps(path)}
        return
    open_edges = {edge for _, fine in found.crossing for edge in fine}
    if not found.is_exhaustive:
        assert [len(each.paths()) for _, each in found.refinements] == [0, len(every)]
        return
    expected = set()
    for chosen in product((False, True), repeat=len(open_edges)):
        carrying = {e for e, taken in zip(sorted(open_edges), chosen, strict=True) if taken}
        kept = {path for path in every if not (set(steps(path)) & open_edges) - carrying}
        used = {edge for path in kept for edge in steps(path)}
        if carrying <= used and all(carrying & set(fine) for _, fine in found.crossing):
            expected.add(frozenset(kept))
    assert {frozenset(each.paths()) for _, each in found.refinements} == expected


def steps(path: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(path))


def fine_paths(graph: ADMG, starts: Sequence[str], end: str) -> set[tuple[str, ...]]:
    """Every proper path, by brute force."""
    found: set[tuple[str, ...]] = set()
    waiting: list[tuple[str, ...]] = [(start,) for start in starts]
    while waiting:
        path = waiting.pop()
        if path[-1] == end:
            found.add(path)
            continue
        waiting += [(*path, c) for c in graph.children(path[-1]) if c not in starts]
    return found


# -- a layer of attention as one node ------------------------------------------------------------


def test_attention_as_one_node_against_its_heads() -> None:
    """An edge from a layer's attention stands for one edge from each head, which interact."""
    llama = net("llama", 3)
    fine = causal_diagram(llama.graph)
    attention = [name for name in fine.nodes if name.startswith("L0.") and name != "L0.mlp"]
    coarse = coarse_diagram(fine, {"attention": attention})
    onwards = [edge for edge in coarse.directed if edge[0] != "attention"]
    paths = PathSet.along(coarse, "attention", "logits", [("attention", "L0.mlp"), *onwards])
    found = check_grain(paths, fine, {"attention": attention})
    assert isinstance(found, ManyRefinements) and found.is_exhaustive
    assert found.crossing[0] == (
        ("attention", "L0.mlp"),
        tuple((f"L0.H{head}", "L0.mlp") for head in range(4)),
    )
    assert len(found.refinements) == 2**4 - 1
    effects = partial(run, net=llama, pairs=word_pairs())
    told = refinement_interval(found, lambda query: effects(query).means(), logit_diff)
    values = dict(told.values)
    single = [values[f"L0.H{head} -> L0.mlp"] for head in range(4)]
    whole = values[", ".join(f"L0.H{head} -> L0.mlp" for head in range(4))]
    assert abs(whole - sum(single)) > 1e-3  # the sum of single effects is not that of the block
    assert told.lowest[1] <= min(single) and told.highest[1] >= max(single)
    assert len({round(value, 9) for value in single}) == 4


# -- extremes and refusals -----------------------------------------------------------------------


def test_many_crossing_edges_are_taken_at_their_extremes() -> None:
    heads = [f"H{at}" for at in range(13)]
    edges = [*(("X", h) for h in heads), *((h, "Y") for h in heads)]
    fine = ADMG.of(directed=edges)
    clusters = {"attention": heads}
    coarse = coarse_diagram(fine, clusters)
    found = check_grain(PathSet.all_paths(coarse, "X", "Y"), fine, clusters)
    assert isinstance(found, ManyRefinements) and not found.is_exhaustive
    assert [len(each.paths()) for _, each in found.refinements] == [0, 13]
    told = refinement_interval(found, lambda query: np.array([0.0, 2.0]), value_of("Y"))
    assert "of two extremes only" in str(told) and "two extremes" in str(found)
    with pytest.raises(ParameterError, match="3 values for 2 refinements"):
        refinement_interval(found, lambda query: [1.0, 2.0, 3.0], value_of("Y"))


def test_bad_clusters_are_refused() -> None:
    coarse = coarse_diagram(FINE, BLOCK)
    with pytest.raises(GraphError):
        coarse_diagram(FINE, {"cycle": ["X", "Z"]})
    with pytest.raises(ParameterError, match="in the clusters"):
        coarse_diagram(FINE, {"a": ["W"], "b": ["W"]})
    with pytest.raises(ParameterError, match="name of a node outside"):
        coarse_diagram(FINE, {"X": ["W"]})
    with pytest.raises(TermError, match="another graph"):
        check_grain(PathSet.all_paths(FINE, "X", "Y"), FINE, BLOCK)
    ends = {"end": ["Z", "Y"]}
    with pytest.raises(TermError, match="holds 2 nodes"):
        check_grain(PathSet.all_paths(coarse_diagram(FINE, ends), "X", "end"), FINE, ends)
    assert coarse.nodes == ("X", "block", "Y")
