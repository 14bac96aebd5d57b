"""The miniature means what the library means: random nested terms, read by both."""

import random
from typing import Any

import pytest

import causalnet.interventions as real
from causalnet.examples import mini_causalnet as mini
from causalnet.graphs import plain_graph
from causalnet.interventions.interpreter import SCM

ZERO = real.Handle("0", "0")
INPUTS = {"base": 3, "source": 5}


def random_graph(rng: random.Random) -> dict[str, tuple[str, ...]]:
    names = [f"V{i}" for i in range(rng.randint(4, 7))]
    return {
        name: tuple(parent for parent in names[:i] if rng.random() < 0.5)
        for i, name in enumerate(names)
    }


def random_world(graph: mini.Graph, rng: random.Random, depth: int) -> mini.World:
    world: mini.World = mini.Base(rng.choice(["base", "source"]))
    for _ in range(rng.randint(0, 2) if depth else 0):
        chosen: dict[mini.Site, mini.Value] = {}
        for node in rng.sample([*graph], rng.randint(1, 3)):
            parents = graph[node]
            site = mini.Edge(rng.choice(parents), node) if parents and rng.random() < 0.5 else None
            read = site.sender if site else node
            value: mini.Value = mini.At(read, random_world(graph, rng, depth - 1))
            value = rng.choice([value, value, value, mini.Const(), mini.Self()])
            chosen[site or mini.Node(node)] = value
        world = mini.Do(world, tuple(chosen.items()))
    return world


def as_real(world: mini.World) -> real.World:
    base, layers = mini.layers_of(world)
    result: real.World = real.Base(base.input)
    for layer in layers:
        result = real.Do(result, tuple((site_as_real(s), value_as_real(v)) for s, v in layer))
    return result


def site_as_real(site: mini.Site) -> real.Site:
    match site:
        case mini.Node(mediator):
            return real.Node(mediator)
        case mini.Edge(sender, receiver):
            return real.Edge(sender, receiver)


def value_as_real(value: mini.Value) -> real.Value:
    match value:
        case mini.At(mediator, world):
            return real.At(mediator, as_real(world))
        case mini.Const():
            return real.Const(ZERO)
        case mini.Self():
            return real.Self()


def mixing(name: str) -> Any:
    """A mechanism without accidental equalities."""
    return lambda *arguments: hash((name, arguments))


def by_slot(mechanism: Any, parents: tuple[str, ...]) -> Any:
    return lambda slots: mechanism(*(slots[parent] for parent in parents))


@pytest.mark.parametrize("seed", range(150))
def test_both_give_a_world_the_same_value(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng)
    worlds = [random_world(graph, rng, 2) for _ in range(3)]
    outcome = [*graph][-1]
    inputs = {
        name: {node: (node, start) for node, parents in graph.items() if not parents}
        for name, start in INPUTS.items()
    }
    model = {node: mixing(node) for node, parents in graph.items() if parents}
    scm = SCM(
        plain_graph(graph),
        {node: by_slot(model[node], graph[node]) for node in model},
        inputs,
        {ZERO: "zero"},
    )
    form = mini.NormalForm(graph)
    ours = [mini.value_of(outcome, world, graph, model, inputs, {"0": "zero"}) for world in worlds]
    assert ours == [scm.value(outcome, as_real(world)) for world in worlds]
    numbers = [form.read(outcome, world) for world in worlds]
    reads = [real.Read(real.value_of(outcome), as_real(world)) for world in worlds]
    for i in range(3):
        for j in range(i):
            equal = numbers[i] == numbers[j]
            assert equal == (ours[i] == ours[j])
            assert equal == real.are_equal(reads[i], reads[j], plain_graph(graph))


def test_the_miniature_runs(capsys: pytest.CaptureFixture[str]) -> None:
    mini.main()
    lines = capsys.readouterr().out.splitlines()
    values = {line[:26].strip(): float(line[26:32]) for line in lines}
    assert values["TE"] == -2 and values["NIE of inhibition"] == -1
    assert values["the same, nested"] == values["PSE inhibition -> mover"] == -1
    assert "zero, proved" in lines[-1]


def test_the_miniature_is_one_short_file() -> None:
    with open(mini.__file__, encoding="utf-8") as source:
        assert len(source.readlines()) <= 300
