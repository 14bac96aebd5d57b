"""Random formulas in the shapes that rules look for, and their values in random models."""

import random

import numpy as np

from causalnet.graphs import ADMG
from causalnet.identification.evaluation import Evaluated, evaluate
from causalnet.identification.expressions import (
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    difference,
    product,
)
from causalnet.identification.oracle import RandomModel
from causalnet.identification.values import Value, symbol

TOLERANCE = 1e-9
KINDS = ("sum", "sum", "sum", "product", "ratio", "normalised", "difference")


def random_model(graph: ADMG, draw: random.Random) -> RandomModel:
    """A model with two or three levels each, and a domain `a` where some mechanisms differ."""
    levels = {name: draw.choice([2, 2, 3]) for name in graph.nodes}
    differs = {"a": [name for name in graph.nodes if draw.random() < 0.4]}
    return RandomModel.of(graph, draw.randrange(2**32), cardinalities=levels, differs=differs)


def random_factors(graph: ADMG, draw: random.Random, primes: float = 0.1) -> list[Expression]:
    """Conditional probabilities, many of which fit together by the chain rule.

    The order is one of causes, mostly; conditions are parents, all that comes before, or some.
    Some factors have several variables, some an experiment or a domain.
    """
    order = list(graph.topological_order())
    if draw.random() < 0.3:
        draw.shuffle(order)
    do = [draw.choice(order)] if draw.random() < 0.2 else []
    domain = draw.choice(["", "", "", "a"])
    order = [name for name in order if name not in do and draw.random() < 0.9] or order[:1]
    do = [name for name in do if name not in order]
    found: list[Expression] = []
    before: list[str] = []
    waiting = list(order)
    while waiting:
        size = draw.choice([1, 1, 1, 2, 3])
        of, waiting = waiting[:size], waiting[size:]
        chosen = [name for name in before if draw.random() < draw.choice([0.3, 0.7, 1.0])]
        if draw.random() < 0.3:
            chosen = [name for name in before if name in {p for v in of for p in graph.parents(v)}]
        under = do if draw.random() < 0.8 else []
        chosen = [name for name in chosen if name not in under]
        left, given, set_ = (
            tuple(_value(name, draw, primes) for name in part) for part in (of, chosen, under)
        )
        found.append(Prob(left, given, set_, domain))
        before += of
    return [each for each in found if draw.random() < 0.85] or found


def _value(name: str, draw: random.Random, primes: float) -> Value:
    if draw.random() < 0.03:
        return Value(name, draw.choice("01"))
    return symbol(name, 1 if draw.random() < primes else 0)


def random_formula(
    graph: ADMG, draw: random.Random, depth: int = 3, kinds: tuple[str, ...] = KINDS
) -> Expression:
    """Sums, products, ratios and differences of such factors; no difference is divided by."""
    if depth == 0 or draw.random() < 0.25:
        return product(random_factors(graph, draw))
    kind = draw.choice(kinds)
    divisible = tuple(kind for kind in kinds if kind != "difference")
    match kind:
        case "sum":
            return random_sum(random_formula(graph, draw, depth - 1, kinds), draw)
        case "product":
            parts = [random_formula(graph, draw, depth - 1, kinds) for _ in range(2)]
            return Product(tuple(parts))
        case "ratio":
            above = random_formula(graph, draw, depth - 1, kinds)
            return Ratio(above, random_formula(graph, draw, depth - 1, divisible))
        case "normalised":
            body = random_formula(graph, draw, depth - 1, divisible)
            return Ratio(random_sum(body, draw), random_sum(body, draw))
        case _:
            one, other = (random_formula(graph, draw, depth - 1, kinds) for _ in range(2))
            return difference(one, other)


def random_sum(body: Expression, draw: random.Random) -> Expression:
    """A sum over some free symbols, and rarely over one that is not free."""
    bound = [value for value in sorted(body.free) if draw.random() < draw.choice([0.3, 0.6])]
    if body.free and draw.random() < 0.05:
        bound.append(Value(draw.choice(sorted(body.free)).variable, "other"))
    return Sum(tuple(bound), body) if bound else body


def disagreement(before: Expression, after: Expression, model: RandomModel) -> float:
    """The largest difference, relative where numbers are large; nothing where there is no value."""
    return numeric_disagreement(evaluate(before, model.table), evaluate(after, model.table))


def numeric_disagreement(one: Evaluated, other: Evaluated) -> float:
    """The same for what was evaluated; the second may depend on fewer symbols."""
    told = np.broadcast_to(other.aligned(one.axes), one.array.shape)
    there = np.isfinite(one.array)
    if not np.all(np.isfinite(told[there])):
        return float("inf")
    gaps = np.abs(told - one.array)[there] / np.maximum(1.0, np.abs(one.array))[there]
    return float(gaps.max(initial=0.0))
