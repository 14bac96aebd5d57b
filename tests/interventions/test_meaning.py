"""Worlds mean what the interpreter computes: textbook values, then the axioms they must obey."""

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from causalnet.graphs import Kind, Mediator
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
    joint,
    nde,
    nie,
    tde,
    te,
    tie,
)
from tests.interventions.interpreter import Get, Inputs, Model, effect, value_of

BASE, SOURCE = Base("base"), Base("source")

TOY: Model = {
    "M": lambda get: get("X"),
    "Z": lambda get: get("M"),
    "Y": lambda get: 2 * get("M") + 3 * get("Z") * get("X"),
}
TOY_INPUTS: Inputs = {"base": {"X": 0.0}, "source": {"X": 1.0}}
M, Z = Mediator("M", Kind.MLP), Mediator("Z", Kind.MLP)
BOTH = joint("both", M, Z)
TWO = Handle("two", "2")


def toy(query: Query) -> list[float]:
    return [effect(contrast, "Y", TOY, TOY_INPUTS, {TWO: 2.0}) for _, contrast in query.contrasts]


def y_in(world: World) -> float:
    return value_of("Y", world, TOY, TOY_INPUTS, {TWO: 2.0})


def test_effects_of_the_worked_toy() -> None:
    """X in {0, 1}, M = X, Z = M, Y = 2M + 3ZX, from x = 0 to x' = 1."""
    assert (y_in(BASE), y_in(SOURCE)) == (0, 5)
    assert toy(te()) == [5]
    assert toy(nie([M, Z, BOTH])) == [2, 0, 2]  # from x = 0 the product is 0
    assert toy(nde([M, Z, BOTH])) == [0, 2, 0]
    assert toy(tie([M, Z, BOTH])) == [5, 3, 5]
    assert toy(tde([M, Z, BOTH])) == [3, 5, 3]


def test_direct_and_indirect_effects_leave_the_interaction() -> None:
    """TE = NDE + NIE + MI with MI = Y(x') - Y(x', M(x)) - Y(x, M(x')) + Y(x)."""
    [total], [direct], [indirect] = toy(te()), toy(nde(M)), toy(nie(M))
    swapped = Do(SOURCE, ((Node("M"), At("M", BASE)),)), Do(BASE, ((Node("M"), At("M", SOURCE)),))
    interaction = y_in(SOURCE) - y_in(swapped[0]) - y_in(swapped[1]) + y_in(BASE)
    assert interaction == 3
    assert total == direct + indirect + interaction


def test_controlled_effects_hold_the_mediator_in_both_worlds() -> None:
    held = [Do(world, ((Node("M"), Const(TWO)),)) for world in (BASE, SOURCE)]
    assert [y_in(world) for world in held] == [4, 10]


def test_self_is_the_value_after_the_layers_below() -> None:
    ablated = Do(SOURCE, ((Node("M"), Const()),))
    add_two = Op("add", (Self(), Const(TWO)))
    assert value_of("M", ablated, TOY, TOY_INPUTS) == 0
    assert y_in(Do(ablated, ((Node("M"), add_two),))) == 4 + 6  # M = 0 + 2, Z follows
    assert y_in(Do(SOURCE, ((Node("M"), add_two),))) == 6 + 9  # M = 1 + 2
    twice = Do(Do(SOURCE, ((Node("M"), add_two),)), ((Node("M"), add_two),))
    assert value_of("M", twice, TOY, TOY_INPUTS, {TWO: 2.0}) == 5


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
    assert toy(ablation_effect([M, Z], zero, direction="denoising")) == [-5, -3]
    assert toy(ablation_effect([M, Z], zero)) == [0, 0]
    assert toy(ablation_effect(M, steer)) == [2]  # M = 0 + 0.5 * 2
    assert toy(ablation_effect(M, steer, direction="denoising")) == [4 + 6 - 5]
    assert toy(ablation_effect(M, Ablation(AblationKind.CONSTANT, vector=TWO))) == [4]


NAMES = tuple(f"V{i}" for i in range(7))
INPUT, OUTCOME = NAMES[0], NAMES[-1]
Parents: TypeAlias = dict[str, tuple[str, ...]]


def quadratic(parents: tuple[str, ...], weights: tuple[int, ...]) -> Callable[[Get], float]:
    """A mechanism with an interaction of every pair of parents; whole numbers stay exact."""

    def mechanism(get: Get) -> float:
        inside = [get(parent) for parent in parents]
        linear = sum(w * v for w, v in zip(weights, inside, strict=True))
        return linear + sum(a * b for a, b in combinations(inside, 2)) % 7

    return mechanism


@st.composite
def networks(draw: st.DrawFn) -> tuple[Model, Parents, Inputs]:
    """Random networks of whole numbers, the parents of every node, and two inputs."""
    parents: Parents = {}
    model: dict[str, Callable[[Get], float]] = {}
    for i, name in enumerate(NAMES[1:], start=1):
        chosen = st.lists(st.sampled_from(NAMES[:i]), unique=True, min_size=1, max_size=3)
        parents[name] = tuple(draw(chosen))
        weights = draw(st.tuples(*(st.integers(-3, 3) for _ in parents[name])))
        model[name] = quadratic(parents[name], weights)
    base, source = draw(st.tuples(st.integers(-5, 5), st.integers(-5, 5)))
    return model, parents, {"base": {INPUT: float(base)}, "source": {INPUT: float(source)}}


def mediators(names: Iterable[str]) -> tuple[Mediator, ...]:
    return tuple(Mediator(name, Kind.MLP) for name in names)


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
def test_composition(network: tuple[Model, Parents, Inputs], world: World, node: str) -> None:
    """Setting a node to the value that it has changes nothing."""
    model, _, inputs = network
    for same in (At(node, world), Self()):
        again = Do(world, ((Node(node), same),))
        for name in NAMES:
            assert value_of(name, again, model, inputs) == value_of(name, world, model, inputs)


@given(networks(), worlds(), worlds(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_effectiveness(
    network: tuple[Model, Parents, Inputs], world: World, other: World, node: str, read: str
) -> None:
    """A node that is set has the value that it is set to."""
    model, _, inputs = network
    patched = Do(world, ((Node(node), At(read, other)),))
    assert value_of(node, patched, model, inputs) == value_of(read, other, model, inputs)


@given(networks(), worlds(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_exclusion(
    network: tuple[Model, Parents, Inputs], world: World, node: str, outcome: str
) -> None:
    """Setting a node changes only what it is an ancestor of."""
    model, parents, inputs = network
    patched = Do(world, ((Node(node), Const(TWO)),))
    if node not in ancestors(outcome, parents):
        assert value_of(outcome, patched, model, inputs, {TWO: 2.0}) == value_of(
            outcome, world, model, inputs
        )


def effects_of(network: tuple[Model, Parents, Inputs], query: Query) -> float:
    model, _, inputs = network
    [(_, contrast)] = query.contrasts
    return effect(contrast, OUTCOME, model, inputs)


@given(networks(), sets_between())
def test_effects_add_up(network: tuple[Model, Parents, Inputs], treated: MediatorSet) -> None:
    total = effects_of(network, te())
    direct, indirect = effects_of(network, nde(treated)), effects_of(network, nie(treated))
    assert total == direct + effects_of(network, tie(treated))
    assert total == indirect + effects_of(network, tde(treated))


@given(networks())
def test_a_full_cut_mediates_everything(network: tuple[Model, Parents, Inputs]) -> None:
    _, parents, _ = network
    for cut in ({INPUT}, set(parents[OUTCOME])):
        treated = joint("cut", *mediators(sorted(cut)))
        assert effects_of(network, nie(treated)) == effects_of(network, te())
        assert effects_of(network, tie(treated)) == effects_of(network, te())
        assert effects_of(network, nde(treated)) == effects_of(network, tde(treated)) == 0


@given(networks())
def test_what_is_not_an_ancestor_mediates_nothing(
    network: tuple[Model, Parents, Inputs],
) -> None:
    _, parents, _ = network
    for treated in mediators(set(NAMES) - ancestors(OUTCOME, parents)):
        assert effects_of(network, nie(treated)) == effects_of(network, tie(treated)) == 0
        assert effects_of(network, nde(treated)) == effects_of(network, te())
