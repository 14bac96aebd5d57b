"""Answers counted with fractions, unit by unit and assignment by assignment: slow, and plain."""

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from causalnet.identification.evaluation import Table
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
)
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value

Levels = dict[str, int]
Assignment = Mapping[Value, int]


def assignments(values: Sequence[Value], levels: Mapping[str, int]) -> Iterator[dict[Value, int]]:
    """All assignments of levels to symbols."""
    for chosen in product(*(range(levels[value.variable]) for value in values)):
        yield dict(zip(values, chosen, strict=True))


def level_of(value: Value, free: Assignment) -> int:
    return value.level if value.level is not None else free[value]


class CountedModel:
    """The units of a random model, each with its weight, and what happens to each."""

    def __init__(self, model: RandomModel, domain: str = "") -> None:
        self.order = model.graph.topological_order()
        self.mechanisms = {v: model.mechanism(v, domain) for v in self.order}
        chances = [*model.hidden, *(self.mechanisms[v].noise for v in self.order)]
        exact = [[Fraction(float(p)) for p in each] for each in chances]
        self.units: list[tuple[Fraction, tuple[int, ...], Levels]] = []
        hidden = len(model.hidden)
        for state in product(*(range(len(each)) for each in exact)):
            weight = Fraction(1)
            for each, level in zip(exact, state, strict=True):
                weight *= each[level]
            noise = dict(zip(self.order, state[hidden:], strict=True))
            self.units.append((weight, state[:hidden], noise))
        self.total = sum((weight for weight, _, _ in self.units), Fraction(0))

    def made(self, v: str, unit: Any, read: Mapping[str, int]) -> int:
        _, hidden, noise = unit
        mechanism = self.mechanisms[v]
        at = [*(read[p] for p in mechanism.parents), *(hidden[e] for e in mechanism.hidden)]
        return int(mechanism.table[(*at, noise[v])])

    def world(self, unit: Any, do: Mapping[str, int]) -> Levels:
        found: Levels = {}
        for v in self.order:
            found[v] = do[v] if v in do else self.made(v, unit, found)
        return found

    def value(self, potential: Potential, unit: Any, free: Assignment) -> int:
        do = {
            name: level_of(each, free) if isinstance(each, Value) else self.value(each, unit, free)
            for name, each in potential.do
        }
        return self.world(unit, do)[potential.variable]

    def share(self, happens: Any, among: Any = lambda unit: True) -> Fraction | None:
        units = [unit for unit in self.units if among(unit)]
        below = sum((unit[0] for unit in units), Fraction(0))
        return (
            sum((unit[0] for unit in units if happens(unit)), Fraction(0)) / below
            if below
            else None
        )

    def answer(self, question: Any, free: Assignment) -> Fraction | None:
        """The truth at one assignment; None where it is not defined."""

        def all_of(facts: Sequence[Fact]) -> Any:
            return lambda unit: all(
                self.value(fact.potential, unit, free) == level_of(fact.value, free)
                for fact in facts
            )

        match question:
            case Effect(outcomes, treatments, given):
                do = {v.variable: v for v in treatments}
                facts, known = (
                    tuple(Fact(Potential.of(v.variable, do), v) for v in part)
                    for part in (outcomes, given)
                )
                return self.share(all_of(facts), all_of(known))
            case Counterfactual(facts, known):
                return self.share(all_of(facts), all_of(known))
            case Causation():
                return self.answer(question.counterfactual(), free)
            case PathSpecific():
                return self.share(lambda unit: self.along(unit, question, free))
            case Mediation(kind, outcomes, active, baseline, mediators, held):
                do, other = ({v.variable: v for v in part} for part in (active, baseline))
                fixed = {v.variable: v for v in held}
                after: dict[str, dict[str, Any]] = {
                    "TE": do,
                    "CDE": do | fixed,
                    "NDE": do | {m: Potential.of(m, other) for m in mediators},
                    "NIE": other | {m: Potential.of(m, do) for m in mediators},
                }

                def told(world: Any) -> Fraction:
                    facts = tuple(Fact(Potential.of(y.variable, world), y) for y in outcomes)
                    found = self.share(all_of(facts))
                    assert found is not None
                    return found

                return told(after[kind]) - told(other | fixed)
        raise AssertionError(question)

    def along(self, unit: Any, question: PathSpecific, free: Assignment) -> bool:
        """Whether the outcomes happen when each edge is asked whether it is active, recursively."""
        active = {v.variable: level_of(v, free) for v in question.active}
        base = self.world(unit, {v.variable: level_of(v, free) for v in question.baseline})

        def act(v: str) -> int:
            if v in active:
                return active[v]
            parents = self.mechanisms[v].parents
            return self.made(
                v, unit, {p: act(p) if (p, v) in question.edges else base[p] for p in parents}
            )

        return all(act(y.variable) == level_of(y, free) for y in question.outcomes)


def value_of(
    expression: Expression, tables: Mapping[Distribution, Table], free: Assignment
) -> Fraction | None:
    """The value of an expression at one assignment, by recursion; None where it has none."""
    match expression:
        case Const(number):
            return Fraction(number)
        case Prob(of, given, do, domain):
            table = tables[Distribution(tuple(v.variable for v in do), domain)]
            over = _share(table, (*of, *given, *do), free)
            return _ratio(over, _share(table, (*given, *do), free) if given else Fraction(1))
        case Product(factors):
            found = [value_of(factor, tables, free) for factor in factors]
            if any(each == 0 for each in found):
                return Fraction(0)
            total = Fraction(1)
            for each in found:
                if each is None:
                    return None
                total *= each
            return total
        case Sum(bound, body):
            levels = {v: t.levels(v) for t in tables.values() for v in t.variables}
            total = Fraction(0)
            for chosen in assignments(bound, levels):
                part = value_of(body, tables, {**free, **chosen})
                if part is None:
                    return None
                total += part
            return total
        case Ratio(one, other):
            return _ratio(value_of(one, tables, free), value_of(other, tables, free))
        case Difference(one, other):
            left, right = value_of(one, tables, free), value_of(other, tables, free)
            return None if left is None or right is None else left - right


def _share(table: Table, values: Sequence[Value], free: Assignment) -> Fraction:
    held = {value.variable: level_of(value, free) for value in values}
    shape = [range(size) for size in table.array.shape]
    return sum(
        (
            Fraction(float(table.array[at]))
            for at in product(*shape)
            if all(
                held.get(v, level) == level for v, level in zip(table.variables, at, strict=True)
            )
        ),
        Fraction(0),
    )


def _ratio(over: Fraction | None, under: Fraction | None) -> Fraction | None:
    return None if over is None or not under else over / under


def random_difference(draw: random.Random, variables: Sequence[str], depth: int) -> Expression:
    """A random expression, or a difference of two; there are none within sums or ratios.

    A difference that is 0 but for rounding would be 0 to one arithmetic and not to the other.
    """
    one = random_expression(draw, variables, depth)
    if draw.random() < 0.8:
        return one
    return Difference(one, random_expression(draw, variables, depth))


def random_expression(draw: random.Random, variables: Sequence[str], depth: int) -> Expression:
    """An expression of some variables, with symbols bound, free, shadowed, and levels."""

    def some_value(variable: str) -> Value:
        return Value(variable, draw.choice([variable.lower()] * 3 + [variable.lower() + "'", "1"]))

    if depth == 0 or draw.random() < 0.15:
        if draw.random() < 0.1:
            return Const(draw.choice((0, 1)))
        chosen = draw.sample(list(variables), draw.randint(1, len(variables)))
        cut = draw.randint(1, len(chosen))
        do = tuple(some_value(v) for v in chosen if v == "A") if draw.random() < 0.5 else ()
        rest = [v for v in chosen if not do or v != "A"] or ["B"]
        of, given = rest[:cut], rest[cut:]
        return Prob(tuple(map(some_value, of)), tuple(map(some_value, given)), do)
    below = [random_expression(draw, variables, depth - 1) for _ in range(3)]
    kind = draw.choice(["sum", "sum", "product", "product", "ratio"])
    if kind == "sum":
        names = draw.sample(list(variables), draw.randint(1, 2))
        return Sum(tuple(Value(v, v.lower() + draw.choice(["", "'"])) for v in names), below[0])
    if kind == "product":
        return Product(tuple(below[: draw.randint(2, 3)]))
    return Ratio(below[0], below[1])
