"""Random formulas and questions, with names that are hard to read back."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from causalnet.graphs.admg import ADMG
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from causalnet.identification.queries import (
    Causation,
    Contrasted,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Probability,
    Question,
)
from causalnet.identification.values import Value, fresh, symbol

# No two are alike but for case and primes: then a short symbol is of one of them only.
NAMES = (
    "X", "Y", "Z1", "Smoking", "lower", "L24.H4", "L24.H4[end]", "a b", 'q"uote', "back\\slash",
    "\\", "dot.", "7", "new\nline", "ünï", "_u", "M'", "P", "SUM", "DO", "ALONG", "NO", "VIA",
    "<->",
)  # fmt: skip
NODES = tuple(name for name in NAMES if name != "7")  # the symbol of 7 is a level
SYMBOLS = ("s", "t'", "sum", "P", "0", "1", "12", "odd symbol", '"', "x''", "do")
CONTRASTS: tuple[Contrasted, ...] = ("TE", "CDE", "NDE", "NIE")
PROBABILITIES: tuple[Probability, ...] = ("PN", "PS", "PNS")
Made = TypeVar("Made")


def of_seeds(make: Callable[[random.Random], Made]) -> st.SearchStrategy[Made]:
    """What a function makes of a generator: all of it comes from one seed."""
    return st.integers(0, 2**32).map(lambda seed: make(random.Random(seed)))


def value(generator: random.Random, variable: str, level: bool = True, odd: bool = True) -> Value:
    """A symbol of a variable, its own or an odd one, or a level."""
    named = [name for name in SYMBOLS if level or not name.isdecimal()]
    own = symbol(variable, generator.choice((0, 0, 0, 1, 2)))
    kept = own if level or own.level is None else Value(variable, "s")
    return kept if not odd or generator.random() < 0.7 else Value(variable, generator.choice(named))


def some(generator: random.Random, names: Sequence[str], least: int, most: int) -> list[str]:
    """A few of the names, in any order."""
    return generator.sample(names, min(len(names), generator.randint(least, most)))


def probability(generator: random.Random, names: Sequence[str], odd: bool) -> Prob:
    """A probability of one value at least."""
    values = [value(generator, name, odd=odd) for name in some(generator, names, 1, 5)]
    cuts = sorted(generator.randint(1, len(values)) for _ in range(2))
    domain = generator.choice(("", "", "a", "far away", "'", "7") if odd else ("", "a"))
    return Prob(
        tuple(values[: cuts[0]]), tuple(values[cuts[0] : cuts[1]]), tuple(values[cuts[1] :]), domain
    )


def expression(
    generator: random.Random, depth: int = 4, names: Sequence[str] = NAMES, odd: bool = True
) -> Expression:
    """A formula, not simplified in any way."""
    if depth == 0 or generator.random() < 0.15:
        if generator.random() < 0.15:
            return Const(generator.choice((0, 1, -1, 12)))
        return probability(generator, names, odd)
    parts = [expression(generator, depth - 1, names, odd) for _ in range(generator.randint(2, 3))]
    match generator.randrange(4):
        case 0:
            return Product(tuple(parts))
        case 1:
            bound = [value(generator, name, False, odd) for name in some(generator, names, 1, 3)]
            return Sum(tuple(bound), parts[0])
        case 2:
            return Ratio(parts[0], parts[1])
        case _:
            return Difference(parts[0], parts[1])


def graph(generator: random.Random) -> ADMG:
    """A graph of four to seven nodes, the first of which leads to the second."""
    nodes = generator.sample(NODES, generator.randint(4, 7))
    pairs = [(a, b) for at, a in enumerate(nodes) for b in nodes[at + 1 :]]
    directed = [pair for pair in pairs if pair == pairs[0] or generator.random() < 0.5]
    arcs = [pair for pair in pairs if generator.random() < 0.3]
    return ADMG.of(directed, arcs, generator.sample(nodes, len(nodes)))


def potential(generator: random.Random, nodes: Sequence[str], depth: int, least: int) -> Potential:
    """A variable in a world of worlds."""
    do: dict[str, Value | Potential] = {}
    for name in some(generator, nodes, least, 2):
        if depth and generator.random() < 0.4:
            others = [node for node in nodes if node != name]
            inner = potential(generator, others, depth - 1, 1)
            do[name] = Potential(name, inner.do)
        else:
            do[name] = value(generator, name)
    return Potential.of(generator.choice(nodes), do)


def fact(generator: random.Random, nodes: Sequence[str], least: int = 0) -> Fact:
    """An event in a world."""
    world = potential(generator, nodes, 3, least)
    return Fact(world, value(generator, world.variable))


def effect(generator: random.Random, on: ADMG) -> Effect:
    names = some(generator, on.nodes, 1, 5)
    values = [value(generator, name) for name in names]
    cuts = sorted(generator.randint(1, len(values)) for _ in range(2))
    return Effect(
        tuple(values[: cuts[0]]), tuple(values[cuts[0] : cuts[1]]), tuple(values[cuts[1] :])
    )


def counterfactual(generator: random.Random, on: ADMG) -> Counterfactual:
    """Events of which the first has a world: without worlds it would read as an effect."""
    facts = [fact(generator, on.nodes, least=at == 0) for at in range(generator.randint(1, 3))]
    given = [fact(generator, on.nodes) for _ in range(generator.randint(0, 2))]
    return Counterfactual(tuple(facts), tuple(given))


def two_values(generator: random.Random, name: str) -> tuple[Value, Value]:
    one = value(generator, name)
    other = value(generator, name)
    return one, other if other != one else fresh(name, {one})


def path_specific(generator: random.Random, on: ADMG) -> PathSpecific:
    outcome, *treatments = some(generator, on.nodes, 2, 3)
    pairs = [two_values(generator, name) for name in treatments]
    edges = [edge for edge in on.directed if generator.random() < 0.5]
    generator.shuffle(edges)
    return PathSpecific(
        (value(generator, outcome),),
        tuple(one for one, _ in pairs),
        tuple(other for _, other in pairs),
        tuple(edges),
    )


def mediation(generator: random.Random, on: ADMG) -> Mediation:
    outcome, mediator, treatment, *more = generator.sample(on.nodes, 4)
    kind = generator.choice(CONTRASTS)
    pairs = [two_values(generator, name) for name in [treatment, *more][: generator.randint(1, 2)]]
    mediators = () if kind == "TE" else (mediator,)
    held = tuple(value(generator, name) for name in mediators) if kind == "CDE" else ()
    active, baseline = tuple(one for one, _ in pairs), tuple(other for _, other in pairs)
    return Mediation(kind, (value(generator, outcome),), active, baseline, mediators, held)


def causation(generator: random.Random, on: ADMG) -> Causation:
    outcome, treatment = (two_values(generator, name) for name in generator.sample(on.nodes, 2))
    kind = generator.choice(PROBABILITIES)
    return Causation(kind, outcome[0], treatment[0], outcome[1], treatment[1])


KINDS: tuple[Callable[[random.Random, ADMG], Question], ...] = (
    effect,
    counterfactual,
    path_specific,
    mediation,
    causation,
)


def asked(generator: random.Random) -> tuple[ADMG, Question]:
    """A graph and a question about it."""
    on = graph(generator)
    return on, generator.choice(KINDS)(generator, on)
