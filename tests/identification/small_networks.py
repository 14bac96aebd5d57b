"""Small networks without noise of their own, run on every prompt: an oracle for logs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs import MediatorGraph, plain_graph
from causalnet.identification.evaluation import Table
from causalnet.interventions import Const, Do, Handle, Node, Op, Self, World
from causalnet.interventions.interpreter import OPERATIONS, SCM
from causalnet.interventions.worlds import Base, Site

ONE = Handle("one", "1")


@dataclass(frozen=True)
class State:
    """One prompt with one draw of the noise."""

    chance: float
    model: SCM


@dataclass(frozen=True)
class SmallNetwork:
    """A network of binary variables, with all that it can be run on."""

    graph: MediatorGraph
    states: tuple[State, ...]

    @staticmethod
    def of(parents: Mapping[str, Sequence[str]], noise: Sequence[str], seed: int) -> "SmallNetwork":
        """Draw mechanisms, and how four prompts set the inputs."""
        draw = np.random.default_rng(seed)
        graph = plain_graph(parents, noise)
        tables = {name: draw.integers(0, 2, (2,) * len(above)) for name, above in parents.items()}
        for name, above in parents.items():
            if above and tables[name].min() == tables[name].max():
                tables[name].flat[int(draw.integers(tables[name].size))] ^= 1

        def mechanism(name: str) -> Any:
            order = parents[name]
            return lambda slots: int(tables[name][tuple(int(slots[each]) for each in order)])

        mechanisms = {name: mechanism(name) for name, above in parents.items() if above}
        inputs = [name for name, above in parents.items() if not above and name not in noise]
        prompts = draw.dirichlet(np.ones(4))
        values = draw.integers(0, 2, (4, len(inputs)))
        chances = draw.uniform(0.25, 0.75, len(noise))
        states = []
        for prompt, bits in product(range(4), product((0, 1), repeat=len(noise))):
            chance = prompts[prompt]
            for bit, one in zip(bits, chances, strict=True):
                chance *= one if bit else 1 - one
            given = dict(zip(inputs, values[prompt], strict=True))
            known = dict(zip(noise, bits, strict=True))
            model = SCM(
                graph,
                mechanisms,
                {"base": given},
                {ONE: 1},
                {**OPERATIONS, "flip": lambda arguments, parameters: 1 - arguments[0]},
                noise=_reader(known),
                zero=lambda like: 0,
                mix=lambda site, new, below: new,
            )
            states.append(State(float(chance), model))
        return SmallNetwork(graph, tuple(states))

    def table(self, observed: Sequence[str]) -> Table:
        """Return the distribution of what was recorded."""
        array = np.zeros((2,) * len(observed))
        for state in self.states:
            array[tuple(state.model.value(name, Base("base")) for name in observed)] += state.chance
        return Table(tuple(observed), array)

    def outcome(
        self, node: str, world: World, given: Mapping[str, int] | None = None
    ) -> NDArray[np.float64]:
        """Return the distribution of a node in a world, among runs with values left alone."""
        found = np.zeros(2)
        for state in self.states:
            known = (given or {}).items()
            if all(state.model.value(name, Base("base")) == level for name, level in known):
                found[state.model.value(node, world)] += state.chance
        with np.errstate(invalid="ignore"):
            return np.asarray(found / found.sum())


def _reader(known: Mapping[str, int]) -> Any:
    """Return the noise of a state, by the name of the noise node."""
    return lambda key, name: known[name]


def set_to(site: Site, level: int) -> World:
    """Return the world in which a site is set to a level."""
    return Do(Base("base"), ((site, Const(ONE) if level else Const()),))


def flipped(node: str) -> World:
    """Return the world in which a node is steered to its other level."""
    return Do(Base("base"), ((Node(node), Op("flip", (Self(),))),))


def random_parents(random: Random, count: int) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return a random network, some of whose nodes have noise."""
    names = [f"V{at}" for at in range(count)]
    parents = {
        name: tuple(other for other in names[:at] if random.random() < 0.5)
        for at, name in enumerate(names)
    }
    noise = []
    for name in names:
        if parents[name] and random.random() < 0.6:
            noise.append(f"N{name}")
            parents[name] = (*parents[name], f"N{name}")
    return {**{name: () for name in noise}, **parents}, noise
