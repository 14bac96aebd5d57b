"""Path-specific effects: against the definition by tree unrolling, and textbook cases."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph, TransformerShape, plain_graph, transformer_graph
from causalnet.graphs.admg import ADMG
from causalnet.graphs.paths import PathSet
from causalnet.interventions import (
    Base,
    Contrast,
    Query,
    Read,
    World,
    causal_diagram,
    joint,
    lens,
    logit_diff,
    nie,
    path_worlds,
    pse,
    te,
    value_of,
)
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.random_models import hash_scm

BASE, SOURCE = Base("base"), Base("source")
TRANSFORMER = transformer_graph(TransformerShape(2, 2, 1, 4, 2, 4, 5))

DAGS: st.SearchStrategy[MediatorGraph] = st.integers(3, 6).flatmap(
    lambda count: st.lists(st.booleans(), min_size=15, max_size=15).map(
        lambda coins: plain_graph(
            {
                f"V{i}": tuple(f"V{j}" for j in range(i) if coins[i * (i - 1) // 2 + j])
                for i in range(count)
            }
        )
    )
)


@st.composite
def path_sets(draw: st.DrawFn) -> tuple[MediatorGraph, PathSet]:
    """A graph, and some of the paths from its first or second node to its last."""
    graph = draw(DAGS)
    diagram, last = causal_diagram(graph), f"V{len(graph.nodes) - 1}"
    treatments = draw(st.sampled_from([("V0",), ("V1",), ("V0", "V1")]))
    every = PathSet.all_paths(diagram, treatments, last)
    paths = every.paths()
    chosen = [path for path in paths if draw(st.booleans())]
    return graph, PathSet.listed(diagram, chosen, treatments, last)


def unrolled(model: SCM, paths: PathSet) -> Any:
    """The outcome by definition: every chain of readers up to a treatment is looked up."""
    chosen = set(paths.paths())

    def value(node: str, readers: tuple[str, ...]) -> Any:
        if (node, *readers) in chosen:
            return model.value(node, SOURCE)
        slots = model.graph.node(node).slots
        if node in paths.treatments or not slots:
            return model.value(node, BASE)
        return model.mechanisms[node](
            {slot.name: value(slot.parents[0], (node, *readers)) for slot in slots}
        )

    return value(paths.outcome, ())


def outcome_in(world: World, model: SCM, paths: PathSet) -> Any:
    return model.value(paths.outcome, world)


@settings(max_examples=300)
@given(path_sets(), st.integers(0, 5))
def test_worlds_give_the_value_of_the_unrolled_tree(
    drawn: tuple[MediatorGraph, PathSet], seed: int
) -> None:
    graph, paths = drawn
    model = hash_scm(graph, seed)
    expected = unrolled(model, paths)
    assert np.array_equal(outcome_in(path_worlds(paths, BASE, SOURCE)[-1], model, paths), expected)


@settings(max_examples=150)
@given(path_sets())
def test_one_world_is_enough_exactly_for_edge_consistent_sets(
    drawn: tuple[MediatorGraph, PathSet],
) -> None:
    _, paths = drawn
    along = PathSet.along(paths.graph, paths.treatments, paths.outcome, paths.edges())
    is_edge_consistent = along == paths
    assert (len(path_worlds(paths, BASE, SOURCE)) == 1) == is_edge_consistent


@given(DAGS, st.integers(0, 5))
def test_all_paths_are_the_total_effect_and_none_is_none(graph: MediatorGraph, seed: int) -> None:
    model, diagram = hash_scm(graph, seed), causal_diagram(graph)
    last = f"V{len(graph.nodes) - 1}"
    inputs = [node.mediator.name for node in graph.nodes if not node.slots]
    if last in inputs:
        return
    every = PathSet.all_paths(diagram, inputs, last)
    world = path_worlds(every, BASE, SOURCE)[-1]
    assert np.array_equal(model.value(last, world), model.value(last, SOURCE))
    assert path_worlds(every - every, BASE, SOURCE) == (BASE,)


@settings(max_examples=150)
@given(DAGS, st.integers(0, 5), st.data())
def test_effects_via_mediators_are_those_of_the_paths_through_them(
    graph: MediatorGraph, seed: int, data: st.DataObject
) -> None:
    names = list(graph.names())
    last, start = names[-1], data.draw(st.sampled_from(names[:-1]))
    between = names[names.index(start) + 1 : -1]
    if not between:
        return
    chosen = data.draw(st.lists(st.sampled_from(between), unique=True, min_size=1))
    chosen.sort(key=names.index)
    model, diagram = hash_scm(graph, seed), causal_diagram(graph)
    outcome = value_of(last)
    mediators = [graph.find(name) for name in chosen]
    in_turn = nie(graph.find(start), via=mediators, outcome=outcome)
    through_each = pse(PathSet.through_each(diagram, start, last, chosen), outcome)
    any_of = nie(graph.find(start), via=joint("any", *mediators), outcome=outcome)
    through = pse(PathSet.through(diagram, start, last, chosen), outcome)
    for one, other in ((in_turn, through_each), (any_of, through)):
        assert np.array_equal(patched(one, model), patched(other, model))


def patched(query: Query, model: SCM) -> Any:
    [(_, contrast)] = query.contrasts
    assert isinstance(contrast, Contrast)
    (weight, read), (minus, below) = contrast.terms
    assert isinstance(read, Read)
    assert (weight, minus, below) == (1, -1, query.unpatched)
    return model.scalar(read)


@pytest.mark.parametrize("receiver", ["L1.H0.q", "L1.KV0.k", "L1.mlp"])
def test_effects_via_a_receiver_in_a_residual_network(receiver: str) -> None:
    """Streams, groups and norm scales: the same number by nodes and by some hundred edges."""
    model, diagram = hash_scm(TRANSFORMER, 3), causal_diagram(TRANSFORMER)
    outcome = value_of("logits")
    by_nodes = nie(TRANSFORMER.find("L0.H1"), via=TRANSFORMER.find(receiver), outcome=outcome)
    paths = PathSet.through_each(diagram, "L0.H1.z", "logits", [receiver])
    assert np.array_equal(patched(by_nodes, model), patched(pse(paths, outcome), model))
    plain = nie(TRANSFORMER.find("L0.H1"), outcome=outcome)
    assert not np.array_equal(patched(by_nodes, model), patched(plain, model))


def test_norm_scales_are_no_nodes_of_a_causal_diagram() -> None:
    diagram = causal_diagram(TRANSFORMER)
    assert not [name for name in diagram.nodes if name.endswith(".scale")]
    assert set(diagram.parents("L1.mlp")) == set(TRANSFORMER.writers_before("L1.mlp"))


TOY = ADMG.of(directed=[("X", "M"), ("M", "Z"), ("M", "Y"), ("Z", "Y"), ("X", "Y")])


def toy() -> SCM:
    """X in {0, 1}, M = X, Z = M, Y = 2M + 3ZX."""
    rules: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
        "M": lambda slots: slots["X"],
        "Z": lambda slots: slots["M"],
        "Y": lambda slots: 2 * slots["M"] + 3 * slots["Z"] * slots["X"],
    }
    graph = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("M", "Z", "X")})
    return SCM(graph, rules, {"base": {"X": 0}, "source": {"X": 1}})


@pytest.mark.parametrize(
    ("paths", "from_base", "from_source"),
    [
        ([("X", "M", "Y")], 2, -2),
        ([("X", "M", "Z", "Y")], 0, -3),
        ([("X", "M", "Y"), ("X", "M", "Z", "Y")], 2, -5),
        ([("X", "Y")], 0, -3),
        ([("X", "M", "Z", "Y"), ("X", "Y")], 3, -3),
        ([("X", "M", "Y"), ("X", "M", "Z", "Y"), ("X", "Y")], 5, -5),
    ],
)
def test_paths_of_the_worked_toy(
    paths: list[tuple[str, ...]], from_base: int, from_source: int
) -> None:
    listed = PathSet.listed(TOY, paths)
    [(_, noised)] = pse(listed, value_of("Y")).contrasts
    [(_, restored)] = pse(listed, value_of("Y"), direction="denoising").contrasts
    assert toy().scalar(noised) == from_base
    assert toy().scalar(restored) == from_source


def test_direct_and_indirect_paths_are_natural_effects() -> None:
    [(_, direct)] = pse(PathSet.direct(TOY, "X", "Y"), value_of("Y")).contrasts
    assert toy().scalar(direct) == 0
    through = PathSet.through(TOY, "X", "Y", "M")
    [(_, indirect)] = pse(through, value_of("Y")).contrasts
    assert toy().scalar(indirect) == 2
    [(_, total)] = te(value_of("Y")).contrasts
    assert toy().scalar(total) == 5


def test_node_interventions_cannot_tell_recanting_models_apart() -> None:
    """X -> W -> Z -> Y and W -> Y; both models agree on do(W), not on the path X -> W -> Y."""
    graph = plain_graph({"X": (), "W": ("X",), "Z": ("W",), "Y": ("W", "Z")})
    inputs = {"base": {"X": 0}, "source": {"X": 1}}
    rules = {"W": itemgetter("X"), "Z": itemgetter("W")}
    product = SCM(graph, {**rules, "Y": lambda slots: slots["W"] * slots["Z"]}, inputs)
    first = SCM(graph, {**rules, "Y": itemgetter("W")}, inputs)
    outcome = value_of("Y")
    paths = PathSet.listed(causal_diagram(graph), [("X", "W", "Y")])
    [(_, effect)] = pse(paths, outcome).contrasts
    assert (product.scalar(effect), first.scalar(effect)) == (0, 1)
    [(_, of_node)] = nie(graph.find("W"), outcome=outcome).contrasts
    assert product.scalar(of_node) == first.scalar(of_node) == 1


def test_a_recanting_witness_needs_a_world_more() -> None:
    """Two of four paths through a shared node: its value is active on one, natural on the other."""
    edges = [("X", "A"), ("X", "B"), ("A", "W"), ("B", "W"), ("W", "C"), ("W", "D")]
    graph = ADMG.of(directed=[*edges, ("C", "Y"), ("D", "Y")])
    crossed = PathSet.listed(graph, [("X", "A", "W", "C", "Y"), ("X", "B", "W", "D", "Y")])
    assert len(path_worlds(crossed, BASE, SOURCE)) == 2
    assert len(path_worlds(PathSet.through(graph, "X", "Y", "A"), BASE, SOURCE)) == 1


def test_rows_have_labels_and_name_what_they_are() -> None:
    sets = {"direct": PathSet.direct(TOY, "X", "Y"), "all": PathSet.all_paths(TOY, "X", "Y")}
    query = pse(sets, value_of("Y"))
    assert [label for label, _ in query.contrasts] == ["direct", "all"]
    assert str(query).startswith("PSE/v1 on value{Y}; ")
    [(label, _)] = pse(sets["direct"], value_of("Y")).contrasts
    assert label == "X -> Y"
    through = nie(TRANSFORMER.find("L0.H1"), via=TRANSFORMER.find("L1.H0.q"))
    assert (through.estimand, through.convention) == ("PSE", "paths through L1.H0.q")


def test_paths_end_where_the_outcome_is_read() -> None:
    with pytest.raises(TermError, match=r"paths end at Y and logit_difference reads logits"):
        pse(PathSet.direct(TOY, "X", "Y"), logit_diff)
    assert pse(PathSet.direct(TOY, "X", "Y"), lens(logit_diff, "Y"))
    with pytest.raises(TermError, match="is no set of paths"):
        pse([("X", "Y")], value_of("Y"))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TermError, match="'M' is not a mediator"):
        nie(TRANSFORMER.find("L0.H1"), via="M")  # type: ignore[arg-type]  # the mistake
