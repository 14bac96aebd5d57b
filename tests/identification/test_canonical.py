"""The canonical form: a law for each thing that it does not depend on."""

import random

import pytest
from hypothesis import given, settings

from causalnet.graphs import ADMG
from causalnet.identification.expressions import (
    ONE,
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    fold,
    product,
    rebuilt,
)
from causalnet.identification.formulas.canonical import canonical
from causalnet.identification.reading.parsing import parse_expression
from causalnet.identification.renaming import renamed
from causalnet.identification.values import Value, symbol
from tests.graphs.random_admgs import SEEDS, admgs
from tests.identification.random_formulas import (
    TOLERANCE,
    disagreement,
    random_formula,
    random_model,
)


def disguised(expression: Expression, draw: random.Random) -> Expression:
    """The same with other bound symbols, and with factors in another order and other groups."""

    def visit(node: Expression, below: tuple[Expression, ...]) -> Expression:
        match node:
            case Sum(bound, _):
                names = {v: symbol(v.variable, draw.randrange(4, 9)) for v in bound}
                if len(set(names.values())) < len(bound) or below[0].free & set(names.values()):
                    return Sum(bound, below[0])
                return Sum(tuple(names.values()), renamed(below[0], names))
            case Product():
                mixed = draw.sample(below, len(below))
                if len(mixed) > 2 and draw.random() < 0.5:
                    mixed = [Product((mixed[0], mixed[1])), *mixed[2:]]
                if draw.random() < 0.3:
                    mixed.insert(draw.randrange(len(mixed)), ONE)
                return Product(tuple(mixed))
            case _:
                return rebuilt(node, below)

    return fold(expression, visit)


@settings(max_examples=150)
@given(admgs(2, 4), SEEDS)
def test_bound_symbols_and_order_do_not_matter(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    formula = random_formula(graph, draw)
    found = canonical(formula)
    assert canonical(found) == found
    assert canonical(disguised(formula, draw)) == found
    assert found.free <= formula.free


@settings(max_examples=100)
@given(admgs(2, 4), SEEDS)
def test_the_value_is_the_same(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    formula = random_formula(graph, draw)
    model = random_model(graph, draw)
    assert disagreement(formula, canonical(formula), model) < TOLERANCE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum[z](P(z|x) * sum[x](P(y|x,z) * P(x)))", "sum[z](P(z|x) * sum[x'](P(x') * P(y|x',z)))"),
        ("sum[x''](P(y|x''))", "sum[x](P(y|x))"),
        ("sum[x](sum[x](P(x) * P(y)))", "sum[x,x'](P(x') * P(y))"),
        ("P(a) * (P(b|a) / P(c)) / (P(d) / P(e))", "(P(a) * P(b|a) * P(e)) / (P(c) * P(d))"),
        ("(P(a) * P(b)) / (P(c) * P(a))", "P(b) / P(c)"),
        ("sum[x](P(x)) / sum[x'](P(x'))", "1"),
        ("P(x) / P(x) * sum[x'](P(y|x'))", "sum[x](P(y|x))"),
        ("1 * P(x) * 1", "P(x)"),
        ("0 * (P(x) / P(y))", "0"),
        ("P(y|x) - (P(x) / P(x) - 1)", "P(y|x)"),
        ("sum[z](P(x))", "sum[z](P(x))"),
        ("P(x) / 0", "P(x) / 0"),
        ("sum[Smoking=s](P(y|Smoking=s))", "sum[smoking](P(y|smoking))"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    variables = ["A", "B", "C", "D", "E", "Smoking", "X", "Y", "Z"]
    assert str(canonical(parse_expression(text, variables))).replace("Smoking=", "") == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sum[x,x'](P(y|x) * P(z|x') * P(w|x'))", "sum[x,x'](P(y|x') * P(z|x) * P(w|x))"),
        ("sum[x,x'](P(y|x) * P(y|x'))", "sum[x,x'](P(y|x') * P(y|x))"),
        (
            "sum[x,x',x''](P(a|x) * P(b|x') * P(c|x'') * P(d|x''))",
            "sum[x,x',x''](P(d|x) * P(c|x) * P(b|x'') * P(a|x'))",
        ),
        (
            "sum[x,x'](P(a|x) * sum[z,z'](P(x|z) * P(x'|z') * P(b|z)))",
            "sum[x,x'](P(a|x') * sum[z,z'](P(x'|z') * P(x|z) * P(b|z')))",
        ),
    ],
)
def test_several_symbols_of_one_variable(one: str, other: str) -> None:
    assert canonical(parse_expression(one)) == canonical(parse_expression(other))


def test_what_differs_stays_different() -> None:
    texts = [
        "sum[x,x'](P(y|x) * P(z|x'))",
        "sum[x](P(y|x) * P(z|x))",
        "sum[x](P(y|x)) * P(z|x)",
        "P(y|x) * P(z|x)",
        "P(y|x) * P(z|x')",
    ]
    assert len({canonical(parse_expression(text)) for text in texts}) == len(texts)


def test_nothing_recurses() -> None:
    x, y = symbol("X"), symbol("Y")
    chain: Expression = Prob((y,), (x,))
    for k in range(900):
        kind = k % 3
        if kind == 0:
            chain = Product((Prob((Value(f"A{k}", "a"),)), chain))
        elif kind == 1:
            chain = Ratio(Prob((Value(f"B{k}", "b"),)), chain)
        else:
            chain = Sum((Value(f"A{k - 2}", "a"),), Difference(chain, Const(2)))
    found = canonical(chain)
    assert canonical(found) == found


def test_shared_parts_are_looked_at_once() -> None:
    part: Expression = Prob((symbol("Y"),), (symbol("X"),))
    for k in range(25):  # written out, these are 2 ** 25 probabilities
        part = Difference(Sum((symbol("X"),), part), product([part, Prob((symbol("Z", k % 3),))]))
    assert canonical(canonical(part)) == canonical(part)
