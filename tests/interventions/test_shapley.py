"""Interactions and Shapley values: the axioms that define them, on random games."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import plain_graph
from causalnet.interventions import (
    Base,
    Query,
    Read,
    interaction,
    interactions,
    joint,
    logit_diff,
    nie,
    shapley,
    te,
    value_of,
)
from causalnet.interventions.interpreter import SCM

Y = value_of("Y")


def game(worths: list[float]) -> SCM:
    """Players with no common causes, whose joint worth is a table: source is 1, base is 0."""
    count = len(worths).bit_length() - 1
    players = [f"P{i}" for i in range(count)]

    def worth(slots: dict[str, int]) -> float:
        return worths[sum(slots[name] << i for i, name in enumerate(players))]

    graph = plain_graph({**{name: () for name in players}, "Y": tuple(players)})
    inputs = {"base": dict.fromkeys(players, 0), "source": dict.fromkeys(players, 1)}
    return SCM(graph, {"Y": worth}, inputs)  # type: ignore[dict-item]  # slots are of any mapping


GAMES = st.integers(1, 4).flatmap(
    lambda count: st.lists(st.integers(-20, 20).map(float), min_size=2**count, max_size=2**count)
)


def values(query: Query, model: SCM) -> list[float]:
    return [float(model.scalar(contrast)) for _, contrast in query.contrasts]


def players_of(model: SCM) -> list[str]:
    return [name for name in model.graph.names() if name != "Y"]


def shapley_values(model: SCM, permutations: int = 0, seed: int = 0) -> list[float]:
    players = [model.graph.find(name) for name in players_of(model)]
    query = shapley(players, outcome=Y, permutations=permutations, seed=seed)
    return values(query, model)


@given(GAMES)
def test_interactions_are_the_mobius_transform(worths: list[float]) -> None:
    """The interactions of the subsets of S add up to the effect of patching S."""
    model = game(worths)
    players = [model.graph.find(name) for name in players_of(model)]
    query = interactions(players, order=len(players), outcome=Y)
    found = dict(zip(query.treated, values(query, model), strict=True))
    for size in range(1, len(players) + 1):
        for chosen in combinations(players, size):
            inside = sum(value for group, value in found.items() if set(group) <= set(chosen))
            [patched] = values(nie(joint("S", *chosen), outcome=Y), model)
            assert inside == patched
    assert values(interaction(*players, outcome=Y), model) == [found[tuple(players)]]


@given(GAMES)
def test_shapley_values_share_out_the_total_effect(worths: list[float]) -> None:
    """Efficiency; and each value is the interactions shared out equally."""
    model = game(worths)
    players = [model.graph.find(name) for name in players_of(model)]
    shared = shapley_values(model)
    np.testing.assert_allclose(sum(shared), values(te(Y), model)[0], atol=1e-9)
    query = interactions(players, order=len(players), outcome=Y)
    by_group = list(zip(query.treated, values(query, model), strict=True))
    for player, share in zip(players, shared, strict=True):
        parts = sum(value / len(group) for group, value in by_group if player in group)
        np.testing.assert_allclose(share, parts, atol=1e-9)


@given(GAMES, GAMES)
def test_a_dummy_gets_what_it_adds_and_twins_get_the_same(
    worths: list[float], more: list[float]
) -> None:
    alone = more[0]
    with_dummy = [*worths, *(worth + alone for worth in worths)]  # the last player adds a constant
    *others, dummy = shapley_values(game(with_dummy))
    np.testing.assert_allclose(dummy, alone, atol=1e-9)
    np.testing.assert_allclose(others, shapley_values(game(worths)), atol=1e-9)
    # Twins: the worth depends on how many of the last two play.
    twins = [*worths, *(w + alone for w in worths), *(w + alone for w in worths)]
    twins += [w * alone for w in worths]
    *_, first, second = shapley_values(game(twins))
    np.testing.assert_allclose(first, second, atol=1e-9)


@given(GAMES, st.integers(0, 3))
def test_sampled_values_share_out_the_total_effect_too(worths: list[float], seed: int) -> None:
    model = game(worths)
    sampled = shapley_values(model, permutations=3, seed=seed)
    np.testing.assert_allclose(sum(sampled), values(te(Y), model)[0], atol=1e-9)


def test_sampled_values_approach_the_exact_ones() -> None:
    rng = np.random.default_rng(0)
    model = game(rng.normal(size=16).tolist())
    exact = np.array(shapley_values(model))
    errors = [
        np.abs(np.array(shapley_values(model, permutations=count)) - exact).max()
        for count in (10, 4000)
    ]
    assert errors[1] < 0.05 < errors[0]
    few = shapley([model.graph.find(name) for name in players_of(model)], permutations=10, seed=7)
    assert few.estimator == "10 permutations, seed 7"
    assert "unbiased" in few.error
    assert few != shapley(
        [model.graph.find(name) for name in players_of(model)], permutations=10, seed=8
    )


def test_every_coalition_is_one_world() -> None:
    graph = plain_graph({f"P{i}": () for i in range(12)} | {"Y": ("P0",)})
    players = [graph.find(f"P{i}") for i in range(12)]
    assert len(shapley(players, outcome=Y).reads) == 2**12
    assert shapley(players, outcome=Y).estimator == "exact"
    pairs = interactions(players, order=2, outcome=Y)
    assert len(pairs.contrasts) == 12 + 66
    assert len(pairs.reads) == 1 + 12 + 66
    assert pairs.contrasts[-1][0] == "P10 & P11"


def test_the_interaction_of_the_worked_toy() -> None:
    """X, M = X, Z = M, Y = 2M + 3ZX: restoring Z undoes nothing more where M is restored."""
    graph = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("M", "Z", "X")})
    rules = {
        "M": lambda slots: slots["X"],
        "Z": lambda slots: slots["M"],
        "Y": lambda slots: 2 * slots["M"] + 3 * slots["Z"] * slots["X"],
    }
    model = SCM(graph, rules, {"base": {"X": 0}, "source": {"X": 1}})
    x, m, z = (graph.find(name) for name in "XMZ")
    both = interactions([m, z], order=2, outcome=Y)
    assert [label for label, _ in both.contrasts] == ["M", "Z", "M & Z"]
    assert values(both, model) == [2, 0, 0]
    denoised = interactions([m, z], order=2, outcome=Y, direction="denoising")
    assert values(denoised, model) == [-5, -3, 3]
    assert values(shapley([m, z], outcome=Y), model) == [2, 0]
    assert values(interactions([x, z], order=2, outcome=Y), model) == [5, 0, 0]


def test_joint_sets_are_players() -> None:
    model = game([0.0, 1.0, 2.0, 8.0, 0.0, 0.0, 0.0, 11.0])
    first, second, third = (model.graph.find(name) for name in players_of(model))
    query = shapley([joint("pair", first, second), third], outcome=Y)
    assert [label for label, _ in query.contrasts] == ["pair", "P2"]
    assert values(query, model) == [(8 + 11) / 2, (0 + 3) / 2]


def test_games_that_cannot_be_played_are_refused() -> None:
    graph = plain_graph({f"P{i}": () for i in range(13)} | {"Y": ("P0",)})
    players = [graph.find(f"P{i}") for i in range(13)]
    with pytest.raises(TermError, match=r"13 players.*permutations=200"):
        shapley(players)
    with pytest.raises(TermError, match="13 players"):
        interaction(*players)
    with pytest.raises(TermError, match=r"0 is exact"):
        shapley(players, permutations=-1)
    with pytest.raises(TermError, match=r"order 14.*orders 1\.\.13"):
        interactions(players, order=14)
    with pytest.raises(TermError, match="P0 belongs to two players"):
        shapley([players[0], joint("pair", players[0], players[1])])
    with pytest.raises(TermError, match="No mediator was given"):
        shapley([])
    assert len(shapley(players, permutations=2).contrasts) == 13
    assert Read(logit_diff, Base("base")) in shapley(players, permutations=2).reads
