"""Estimands of the gallery, held to models in which the answer is counted."""

import random
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from causalnet.graphs.gallery import EXAMPLES
from causalnet.graphs.textbook import EffectQuery, EventsQuery, Example, PathQuery

Values = dict[str, int]
_TOKEN = re.compile(r"sum\[([^\]]*)\]\(|P\(([^)|]*)(?:\|([^)]*))?\)|[()*/]")


class Model:
    """A random model of binary variables: all its units, equally likely."""

    def __init__(self, case: Example, seed: int) -> None:
        draw = random.Random(seed)
        graph = case.graph
        self.order = graph.topological_order()
        self.parents = {v: graph.parents(v) for v in self.order}
        self.shared = {v: [e for e in graph.bidirected if v in e] for v in self.order}
        self.tables: dict[str, dict[tuple[int, ...], int]] = {
            v: {
                (*inputs, level): value
                for inputs in product((0, 1), repeat=len(self.parents[v]) + len(self.shared[v]))
                for level, value in enumerate(draw.choice([(0, 0, 1), (0, 1, 1), (1, 0, 0)]))
            }
            for v in self.order
        }
        noise = [*self.order, *graph.bidirected]
        levels = [range(3) if isinstance(each, str) else range(2) for each in noise]
        self.units: list[Any] = [dict(zip(noise, u, strict=True)) for u in product(*levels)]
        self.actual = [self.world(unit, {}) for unit in self.units]

    def value(self, v: str, unit: Any, read: Mapping[str, int]) -> int:
        hidden = [unit[edge] for edge in self.shared[v]]
        return self.tables[v][(*(read[p] for p in self.parents[v]), *hidden, unit[v])]

    def world(self, unit: Any, do: Mapping[str, int]) -> Values:
        found: Values = {}
        for v in self.order:
            found[v] = do[v] if v in do else self.value(v, unit, found)
        return found

    def along(self, unit: Any, query: PathQuery, free: Values) -> int:
        """The outcome with the active values along some edges and the baseline along others."""
        active = {x: free[x.lower()] for x in query.treatments}
        baseline = self.world(unit, {x: free[f"{x.lower()}'"] for x in query.treatments})
        found = dict(active)
        for v in self.order:
            if v not in found:
                read = {
                    p: found[p] if (p, v) in query.edges else baseline[p] for p in self.parents[v]
                }
                found[v] = self.value(v, unit, read)
        return found[query.outcome]

    def probability(self, event: Values, given: Values) -> Fraction:
        among = [w for w in self.actual if all(w[v] == x for v, x in given.items())]
        hits = sum(all(w[v] == x for v, x in event.items()) for w in among)
        return Fraction(hits, len(among))


def evaluated(text: str, model: Model, free: Values) -> Fraction:
    """The value of `sum[z](P(y|x,z) * P(z))`; a symbol is of the variable with its letter."""
    tokens = list(_TOKEN.finditer(text))

    def settings(names: str | None, bound: Values) -> Values:
        symbols = (names or "").split(",") if names else []
        return {symbol.strip().rstrip("'").upper(): bound[symbol.strip()] for symbol in symbols}

    def read(at: int, bound: Values) -> tuple[Fraction, int]:
        total, divide = Fraction(1), False
        while at < len(tokens) and tokens[at][0] != ")":
            token = tokens[at]
            if token[0] in "*/":
                divide, at = token[0] == "/", at + 1
                continue
            if token[0].startswith("P("):
                part = model.probability(settings(token[2], bound), settings(token[3], bound))
                at += 1
            else:
                symbols = [each.strip() for each in (token[1] or "").split(",") if each]
                part, start = Fraction(0), at + 1
                for chosen in product((0, 1), repeat=len(symbols)):
                    inner, at = read(start, bound | dict(zip(symbols, chosen, strict=True)))
                    part += inner
                at += 1
            total = total / part if divide else total * part
        return total, at

    return read(0, free)[0]


def answers(case: Example, model: Model, free: Values) -> Fraction:
    """The share of units in which what is asked for happens."""

    def happens(unit: Any, events: Any) -> bool:
        return all(
            model.world(unit, {v: free[x] for v, x in event.copy.do})[event.copy.variable]
            == free[event.value]
            for event in events
        )

    match case.query:
        case EffectQuery(treatments, outcomes, _):
            do = {x: free[x.lower()] for x in treatments}
            worlds = (model.world(unit, do) for unit in model.units)
            told = [all(w[y] == free[y.lower()] for y in outcomes) for w in worlds]
        case PathQuery(_, outcome, _):
            wanted = free[outcome.lower()]
            told = [model.along(unit, case.query, free) == wanted for unit in model.units]
        case EventsQuery(events, given):
            told = [happens(u, events) for u in model.units if happens(u, given)]
    return Fraction(sum(told), len(told))


def symbols(case: Example) -> Iterator[Values]:
    """Values of the symbols that are free; x and x' are different."""
    names = [v.lower() for v in case.graph.nodes]
    for chosen in product((0, 1), repeat=len(names)):
        values = dict(zip(names, chosen, strict=True))
        yield values | {f"{name}'": 1 - value for name, value in values.items()}


WRITTEN = [case for case in EXAMPLES if case.estimand is not None]


@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: case.name)
def test_estimands_are_the_answers(case: Example) -> None:
    model = Model(case, seed=len(case.name))
    for free in random.Random(0).sample([*symbols(case)], 4):
        assert case.estimand is not None
        assert evaluated(case.estimand, model, free) == answers(case, model, free)


def test_the_answers_are_not_what_is_observed() -> None:
    case = next(case for case in WRITTEN if case.name == "front-door")
    free = {"x": 1, "x'": 0, "y": 1, "y'": 0, "z": 1, "z'": 0}
    models = [Model(case, seed) for seed in range(20)]
    assert any(evaluated("P(y|x)", m, free) != answers(case, m, free) for m in models)


def test_every_identified_answer_is_written_down() -> None:
    assert all((case.estimand is not None) == case.identifiable for case in EXAMPLES)
