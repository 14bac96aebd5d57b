"""The whole idea of causalnet in one file: read it before the rest.

A network is a deterministic causal model.  A *world* is an input with layers of interventions; an
intervention sets a node or an edge to a constant, to its own value, or to what a node is in another
world, so that nested counterfactuals need nothing more.  The *normal form* of a read is found by
giving equal computations equal numbers: two reads with one number are equal in every model, and a
contrast whose sides have one number is zero, proved without running anything.  What remains to be
run is each distinct number, once.

The names are those of the library; what it adds is arrays, transformers, views, statistics.
Run it: python examples/mini_causalnet.py
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

# -- The graph: every node with its parents, parents first ----------------------------------------

Graph: TypeAlias = Mapping[str, tuple[str, ...]]

INDIRECT_OBJECT: Graph = {  # a network in miniature: duplicate token, inhibition, name mover heads
    "tokens": (),
    "duplicate": ("tokens",),
    "inhibition": ("tokens", "duplicate"),
    "mover": ("tokens", "inhibition"),
    "backup": ("tokens", "inhibition", "mover"),
    "logits": ("mover", "backup", "tokens"),
}


# -- Terms ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    """The network run on an input."""

    input: str


@dataclass(frozen=True)
class Node:
    """A node site."""

    mediator: str


@dataclass(frozen=True)
class Edge:
    """An edge site: what one node sends to one other."""

    sender: str
    receiver: str


@dataclass(frozen=True)
class Const:
    """A constant, known by name."""

    name: str = "0"


@dataclass(frozen=True)
class At:
    """What a node is in another world."""

    mediator: str
    world: "World"


@dataclass(frozen=True)
class Self:
    """What the site is in this world, after the layers below."""


@dataclass(frozen=True)
class Do:
    """A layer of interventions on top of a world."""

    world: "World"
    assignments: tuple[tuple["Site", "Value"], ...]


Site: TypeAlias = Node | Edge
Value: TypeAlias = Const | At | Self
World: TypeAlias = Base | Do
Contrast: TypeAlias = tuple[tuple[float, World], ...]  # weights of a read-out's value in worlds


def layers_of(world: World) -> tuple[Base, list[tuple[tuple[Site, Value], ...]]]:
    """Return a world's base, and its layers, the bottom one first."""
    layers = []
    while isinstance(world, Do):
        layers.append(world.assignments)
        world = world.world
    return world, layers[::-1]


# -- Meaning: one recursive definition ------------------------------------------------------------

Model: TypeAlias = Mapping[str, Callable[..., Any]]  # a mechanism for every node with parents


def value_of(
    node: str,
    world: World,
    graph: Graph,
    model: Model,
    inputs: Mapping[str, Mapping[str, Any]],
    constants: Mapping[str, Any],
) -> Any:
    """Return what a node is in a world: its mechanism, then the layers that set it."""
    base, layers = layers_of(world)

    def fold(site: Site, value: Any) -> Any:
        for layer in layers:
            for target, new in layer:
                if target == site:
                    value = assigned(new, value)
        return value

    def assigned(new: Value, below: Any) -> Any:
        match new:
            case Const(name):
                return constants[name]
            case Self():
                return below
            case At(mediator, other):
                return value_of(mediator, other, graph, model, inputs, constants)

    if not graph[node]:
        return fold(Node(node), inputs[base.input][node])
    sent = [
        fold(Edge(parent, node), value_of(parent, world, graph, model, inputs, constants))
        for parent in graph[node]
    ]
    return fold(Node(node), model[node](*sent))


# -- Normal form: equal computations get equal numbers ---------------------------------------------


class NormalForm:
    """Numbers every distinct call of a mechanism, node by node, over any number of worlds."""

    def __init__(self, graph: Graph) -> None:
        """Start with an empty table."""
        self.graph = graph
        self.numbers: dict[tuple[Any, ...], int] = {}
        self.keys: list[tuple[Any, ...]] = []
        self.known: dict[tuple[str, World], int] = {}

    def number(self, *key: Any) -> int:
        """Return the number of a computation, a new one if it was not seen before."""
        if key not in self.numbers:
            self.numbers[key] = len(self.keys)
            self.keys.append(key)
        return self.numbers[key]

    def read(self, node: str, world: World) -> int:
        """Return the number of a node's value in a world.

        Pearl's axioms are not rules here but consequences: setting a node to the value that it has
        gives the number it has (composition); what does not lead to the node is never looked at
        (exclusion); worlds meet again wherever their parents' numbers do.
        """
        if (node, world) not in self.known:
            base, layers = layers_of(world)
            if not self.graph[node]:
                natural = self.number("input", node, base.input)
            else:
                sent = (
                    self.fold(Edge(parent, node), self.read(parent, world), layers)
                    for parent in self.graph[node]
                )
                natural = self.number("call", node, *sent)
            self.known[node, world] = self.fold(Node(node), natural, layers)
        return self.known[node, world]

    def fold(self, site: Site, number: int, layers: list[tuple[tuple[Site, Value], ...]]) -> int:
        """Apply the layers that set a site."""
        for layer in layers:
            for target, new in layer:
                if target == site and not isinstance(new, Self):
                    number = (
                        self.read(new.mediator, new.world)
                        if isinstance(new, At)
                        else self.number("constant", new.name)
                    )
        return number

    def live(self, roots: list[int]) -> list[int]:
        """Return the numbers that some roots are made of, arguments first."""
        seen: set[int] = set()
        waiting = list(roots)
        while waiting:
            number = waiting.pop()
            if number not in seen:
                seen.add(number)
                waiting += self.keys[number][2:] if self.keys[number][0] == "call" else ()
        return sorted(seen)  # an argument is numbered before the call that it enters


# -- Compile and run: each distinct call once ------------------------------------------------------


def run(
    contrast: Contrast,
    outcome: str,
    graph: Graph,
    model: Model,
    inputs: Mapping[str, Mapping[str, Any]],
    constants: Mapping[str, Any] | None = None,
) -> tuple[float, str]:
    """Compute a contrast with one call for each distinct live computation, and say how."""
    form = NormalForm(graph)
    weights: dict[int, float] = {}
    for weight, world in contrast:
        number = form.read(outcome, world)
        weights[number] = weights.get(number, 0.0) + weight
    wanted = {number: weight for number, weight in weights.items() if weight}
    if not wanted:
        return 0.0, f"zero, proved: {outcome} is one and the same in all its worlds"
    values: dict[int, Any] = {}
    calls = 0
    for number in form.live([*wanted]):
        match form.keys[number]:
            case ("input", node, name):
                values[number] = inputs[name][node]
            case ("constant", name):
                values[number] = (constants or {"0": 0.0})[name]
            case ("call", node, *arguments):
                values[number] = model[node](*(values[argument] for argument in arguments))
                calls += 1
    total = sum(weight * values[number] for number, weight in wanted.items())
    naive = len({world for _, world in form.known}) * sum(map(bool, graph.values()))
    return total, f"{calls} calls, {naive} world by world"


# -- Effects are terms: patched minus unpatched, always --------------------------------------------

BASE, SOURCE = Base("base"), Base("source")


def natural_indirect_effect(*mediators: str) -> Contrast:
    """NIE: mediators as they are on the source, all else on the base (activation patching)."""
    patched = Do(BASE, tuple((Node(name), At(name, SOURCE)) for name in mediators))
    return ((1.0, patched), (-1.0, BASE))


def natural_direct_effect(*mediators: str) -> Contrast:
    """NDE: the source, with mediators as they are on the base."""
    held = Do(SOURCE, tuple((Node(name), At(name, BASE)) for name in mediators))
    return ((1.0, held), (-1.0, BASE))


def path_effect(sender: str, receiver: str) -> Contrast:
    """PSE: only what one node sends to one other is as on the source (path patching)."""
    patched = Do(BASE, ((Edge(sender, receiver), At(sender, SOURCE)),))
    return ((1.0, patched), (-1.0, BASE))


def main() -> None:
    """Run the effects of the miniature network and print them."""
    model: Model = {
        "duplicate": lambda tokens: 2 * tokens,
        "inhibition": lambda tokens, duplicate: max(0, duplicate - tokens),
        "mover": lambda tokens, inhibition: 3 - 2 * inhibition + tokens,
        "backup": lambda tokens, inhibition, mover: max(0, 2 - mover),
        "logits": lambda mover, backup, tokens: mover + backup - tokens,
    }
    inputs = {"base": {"tokens": 0}, "source": {"tokens": 1}}
    inhibited = Do(BASE, ((Node("inhibition"), At("inhibition", SOURCE)),))
    nested = Do(BASE, ((Node("mover"), At("mover", inhibited)),))
    queries: dict[str, Contrast] = {
        "TE": ((1.0, SOURCE), (-1.0, BASE)),
        "NIE of inhibition": natural_indirect_effect("inhibition"),
        "NDE of inhibition": natural_direct_effect("inhibition"),
        "PSE inhibition -> mover": path_effect("inhibition", "mover"),
        "the same, nested": ((1.0, nested), (-1.0, BASE)),
        "inhibition, mover held": (
            (1.0, Do(inhibited, ((Node("mover"), At("mover", BASE)),))),
            (-1.0, BASE),
        ),
        "NIE after a full restore": (
            (1.0, Do(inhibited, tuple((Node(v), At(v, BASE)) for v in ("inhibition", "mover")))),
            (-1.0, BASE),
        ),
    }
    for name, contrast in queries.items():
        value, how = run(contrast, "logits", INDIRECT_OBJECT, model, inputs)
        print(f"{name:26} {value:+5.1f}   {how}")


if __name__ == "__main__":
    main()
