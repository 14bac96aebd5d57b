"""Worlds mean what the interpreter computes: textbook values, then the axioms they must obey."""

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from causalnet.graphs import Mediator, plain_graph
from causalnet.interventions import (
    Ablation,
    AblationKind,
    At,
    Base,
    Const,
    Do,
    Handle,
    MediatorSet,
    Node,
    Op,
    Query,
    Self,
    World,
    ablation_effect,
    cde,
    joint,
    mi,
    nde,
    nie,
    tde,
    te,
    tie,
    value_of,
)
from causalnet.interventions.interpreter import SCM

BASE, SOURCE = Base("base"), Base("source")

TWO = Handle("two", "2")
OF_Y = value_of("Y")
GRAPH = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("M", "Z", "X")})
TOY = SCM(
    GRAPH,
    {
        "M": lambda slots: slots["X"],
        "Z": lambda slots: slots["M"],
        "Y": lambda slots: 2 * slots["M"] + 3 * slots["Z"] * slots["X"],
    },
    {"base": {"X": 0.0}, "source": {"X": 1.0}},
    {TWO: 2.0},
)
M, Z = GRAPH.find("M"), GRAPH.find("Z")
BOTH = joint("both", M, Z)


def toy(query: Query) -> list[float]:
    return [TOY.scalar(contrast) for _, contrast in query.contrasts]


def y_in(world: World) -> float:
    return float(TOY.value("Y", world))


def test_effects_of_the_worked_toy() -> None:
    """X in {0, 1}, M = X, Z = M, Y = 2M + 3ZX, from x = 0 to x' = 1."""
    assert (y_in(BASE), y_in(SOURCE)) == (0, 5)
    assert toy(te(OF_Y)) == [5]
    assert toy(nie([M, Z, BOTH], outcome=OF_Y)) == [2, 0, 2]  # from x = 0 the product is 0
    assert toy(nde([M, Z, BOTH], outcome=OF_Y)) == [0, 2, 0]
    assert toy(tie([M, Z, BOTH], outcome=OF_Y)) == [5, 3, 5]
    assert toy(tde([M, Z, BOTH], outcome=OF_Y)) == [3, 5, 3]
    assert toy(mi([M, Z, BOTH], outcome=OF_Y)) == [3, 3, 3]


def test_controlled_effects_hold_the_mediator_in_both_worlds() -> None:
    level = Ablation(AblationKind.CONSTANT, vector=TWO)
    assert toy(cde(M, level, outcome=OF_Y)) == [10 - 4]
    assert toy(cde(M, Ablation(AblationKind.ZERO), outcome=OF_Y)) == [0]


def test_self_is_the_value_after_the_layers_below() -> None:
    ablated = Do(SOURCE, ((Node("M"), Const()),))
    add_two = Op("add", (Self(), Const(TWO)))
    assert TOY.value("M", ablated) == 0
    assert y_in(Do(ablated, ((Node("M"), add_two),))) == 4 + 6  # M = 0 + 2, Z follows
    assert y_in(Do(SOURCE, ((Node("M"), add_two),))) == 6 + 9  # M = 1 + 2
    twice = Do(Do(SOURCE, ((Node("M"), add_two),)), ((Node("M"), add_two),))
    assert TOY.value("M", twice) == 5


def test_the_later_layer_wins() -> None:
    two_then_zero = Do(Do(BASE, ((Node("M"), Const(TWO)),)), ((Node("M"), Const()),))
    zero_then_two = Do(Do(BASE, ((Node("M"), Const()),)), ((Node("M"), Const(TWO)),))
    assert (y_in(two_then_zero), y_in(zero_then_two)) == (0, 4)


def test_a_site_below_an_upper_layer_still_acts_elsewhere() -> None:
    """Z, set in the lower layer, keeps its value although M changes in the upper one."""
    frozen = Do(SOURCE, ((Node("Z"), At("Z", BASE)),))
    assert y_in(Do(frozen, ((Node("M"), Const(TWO)),))) == 4
    assert y_in(Do(SOURCE, ((Node("M"), Const(TWO)),))) == 10


def test_nested_counterfactuals() -> None:
    """Z as it would be under M of the source, in a network that runs on the base input."""
    inner = Do(BASE, ((Node("M"), At("M", SOURCE)),))
    world = Do(BASE, ((Node("X"), Const(TWO)), (Node("Z"), At("Z", inner))))
    assert y_in(world) == 2 * 2 + 3 * 1 * 2
    one_path_only = Do(SOURCE, ((Node("M"), At("M", BASE)), (Node("Z"), At("Z", SOURCE))))
    assert y_in(one_path_only) == 3


def test_ablations_of_the_toy() -> None:
    zero, steer = Ablation(AblationKind.ZERO), Ablation(AblationKind.STEER, vector=TWO, factor=0.5)
    assert toy(ablation_effect([M, Z], zero, direction="denoising", outcome=OF_Y)) == [-5, -3]
    assert toy(ablation_effect([M, Z], zero, outcome=OF_Y)) == [0, 0]
    assert toy(ablation_effect(M, steer, outcome=OF_Y)) == [2]  # M = 0 + 0.5 * 2
    assert toy(ablation_effect(M, steer, direction="denoising", outcome=OF_Y)) == [4 + 6 - 5]
    constant = Ablation(AblationKind.CONSTANT, vector=TWO)
    assert toy(ablation_effect(M, constant, outcome=OF_Y)) == [4]


NAMES = tuple(f"V{i}" for i in range(7))
INPUT, OUTCOME = NAMES[0], NAMES[-1]
Parents: TypeAlias = dict[str, tuple[str, ...]]
Network: TypeAlias = tuple[SCM, Parents]


def quadratic(weights: tuple[int, ...]) -> Callable[[Mapping[str, Any]], float]:
    """A mechanism with an interaction of every pair of parents; whole numbers stay exact."""

    def mechanism(slots: Mapping[str, Any]) -> float:
        inside = tuple(slots.values())
        linear = sum(w * v for w, v in zip(weights, inside, strict=True))
        return float(linear + sum(a * b for a, b in combinations(inside, 2)) % 7)

    return mechanism


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Random networks of whole numbers with two inputs, and the parents of every node."""
    parents: Parents = {INPUT: ()}
    rules: dict[str, Callable[[Mapping[str, Any]], float]] = {}
    for i, name in enumerate(NAMES[1:], start=1):
        chosen = st.lists(st.sampled_from(NAMES[:i]), unique=True, min_size=1, max_size=3)
        parents[name] = tuple(draw(chosen))
        rules[name] = quadratic(draw(st.tuples(*(st.integers(-3, 3) for _ in parents[name]))))
    base, source = draw(st.tuples(st.integers(-5, 5), st.integers(-5, 5)))
    inputs = {"base": {INPUT: float(base)}, "source": {INPUT: float(source)}}
    return SCM(plain_graph(parents), rules, inputs, {TWO: 2.0}), parents


def mediators(names: Iterable[str]) -> tuple[Mediator, ...]:
    graph = plain_graph({name: () for name in NAMES})
    return tuple(graph.find(name) for name in names)


def sets_between() -> st.SearchStrategy[MediatorSet]:
    names = st.lists(st.sampled_from(NAMES[:-1]), unique=True, min_size=1, max_size=4)
    return names.map(lambda chosen: joint("set", *mediators(chosen)))


def worlds() -> st.SearchStrategy[World]:
    """Worlds with up to three layers, which read one another."""

    def layered(inner: st.SearchStrategy[World]) -> st.SearchStrategy[World]:
        reads = st.builds(At, st.sampled_from(NAMES), inner)
        sums = st.builds(Op, st.just("add"), st.tuples(st.just(Self()), reads))
        values = st.one_of(st.just(Const()), st.just(Self()), reads, sums)
        sites = st.sampled_from(NAMES).map(Node)
        assignment = st.tuples(sites, values)
        layers = st.lists(assignment, min_size=1, max_size=2, unique_by=lambda pair: pair[0])
        return st.builds(Do, inner, layers.map(tuple))

    return st.recursive(st.sampled_from((BASE, SOURCE)), layered, max_leaves=3)


def ancestors(node: str, parents: Parents) -> set[str]:
    return {node}.union(*(ancestors(parent, parents) for parent in parents.get(node, ())))


@given(networks(), worlds(), st.sampled_from(NAMES))
def test_composition(network: Network, world: World, node: str) -> None:
    """Setting a node to the value that it has changes nothing."""
    model, _ = network
    for same in (At(node, world), Self()):
        again = Do(world, ((Node(node), same),))
        for name in NAMES:
            assert model.value(name, again) == model.value(name, world)


@given(networks(), worlds(), worlds(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_effectiveness(network: Network, world: World, other: World, node: str, read: str) -> None:
    """A node that is set has the value that it is set to."""
    model, _ = network
    patched = Do(world, ((Node(node), At(read, other)),))
    assert model.value(node, patched) == model.value(read, other)


@given(networks(), worlds(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_exclusion(network: Network, world: World, node: str, outcome: str) -> None:
    """Setting a node changes only what it is an ancestor of."""
    model, parents = network
    patched = Do(world, ((Node(node), Const(TWO)),))
    if node not in ancestors(outcome, parents):
        assert model.value(outcome, patched) == model.value(outcome, world)


def effects_of(network: Network, query: Callable[..., Query], *treated: MediatorSet) -> float:
    model, _ = network
    [(_, contrast)] = query(*treated, outcome=value_of(OUTCOME)).contrasts
    return float(model.scalar(contrast))


@given(networks(), sets_between())
def test_effects_add_up(network: Network, treated: MediatorSet) -> None:
    total = effects_of(network, te)
    direct, indirect = effects_of(network, nde, treated), effects_of(network, nie, treated)
    assert total == direct + effects_of(network, tie, treated)
    assert total == indirect + effects_of(network, tde, treated)
    assert total == direct + indirect + effects_of(network, mi, treated)


@given(networks())
def test_a_full_cut_mediates_everything(network: Network) -> None:
    _, parents = network
    for cut in ({INPUT}, set(parents[OUTCOME])):
        treated = joint("cut", *mediators(sorted(cut)))
        assert effects_of(network, nie, treated) == effects_of(network, te)
        assert effects_of(network, tie, treated) == effects_of(network, te)
        assert effects_of(network, nde, treated) == effects_of(network, tde, treated) == 0


@given(networks())
def test_what_is_not_an_ancestor_mediates_nothing(
    network: Network,
) -> None:
    _, parents = network
    for mediator in mediators(sorted(set(NAMES) - ancestors(OUTCOME, parents))):
        treated = joint("apart", mediator)
        assert effects_of(network, nie, treated) == effects_of(network, tie, treated) == 0
        assert effects_of(network, nde, treated) == effects_of(network, te)
