"""LaTeX of formulas, questions and answers; matplotlib sets what is written, odd names as well."""

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import EXAMPLES
from causalnet.graphs.admg import ADMG
from causalnet.identification.answers import Bounds, Derivation, Hedge, Identified, NotIdentified
from causalnet.identification.expressions import Expression, Prob, Product
from causalnet.identification.formulas.latex import to_latex
from causalnet.identification.queries import Counterfactual, Effect, Fact, Potential
from causalnet.identification.reading.parsing import parse_expression, parse_question
from causalnet.identification.values import Value, symbol
from tests.identification.random_terms import asked, expression

BOW = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
EFFECT = Effect((symbol("Y"),), (symbol("X"),))


@cache
def parser() -> Any:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("path")


def set_in_type(latex: str) -> None:
    """Let matplotlib read it; what is not valid raises."""
    parser().parse(f"${latex}$")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("P(y|x,z)", r"P\left(y \mid x, z\right)"),
        ("P[x](y|z)", r"P\left(y \mid \operatorname{do}\left(x\right), z\right)"),
        ("P{a}[x](y)", r"P^{\mathrm{a}}\left(y \mid \operatorname{do}\left(x\right)\right)"),
        ("P(x1''|Y=1)", r"P\left(x_{1}'' \mid Y = 1\right)"),
        ("P(y) / P(x)", r"\frac{P\left(y\right)}{P\left(x\right)}"),
        ("sum[x',z](P(z))", r"\sum_{x', z} P\left(z\right)"),
        (
            "P(x) - (P(y) - P(z))",
            r"P\left(x\right) - \left(P\left(y\right) - P\left(z\right)\right)",
        ),
        ("1 - P(x)", r"1 - P\left(x\right)"),
        ("2 * P(x)", r"2 \cdot P\left(x\right)"),
        ("P(x) * -1", r"P\left(x\right) \cdot \left(-1\right)"),
        ("P(x) * P(y)", r"P\left(x\right) \, P\left(y\right)"),
        (
            "sum[z](P(z)) * P(x)",
            r"\left(\sum_{z} P\left(z\right)\right) \, P\left(x\right)",
        ),
        ("P(x) * sum[z](P(z))", r"P\left(x\right) \, \sum_{z} P\left(z\right)"),
        (
            "(P(x) * sum[z](P(z))) * P(y)",
            r"\left(P\left(x\right) \, \sum_{z} P\left(z\right)\right) \, P\left(y\right)",
        ),
        (
            "sum[z](P(x) - P(z))",
            r"\sum_{z} \left(P\left(x\right) - P\left(z\right)\right)",
        ),
    ],
)
def test_formulas(text: str, latex: str) -> None:
    assert to_latex(parse_expression(text)) == latex
    set_in_type(latex)


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("P(Y | do(X), Z)", r"P\left(y \mid \operatorname{do}\left(x\right), z\right)"),
        ("P(y{x, M{x'}} | x')", r"P\left(y_{M_{x'}, x} \mid x'\right)"),
        ("P(Y=1{x, Z=3})", r"P\left(Y_{x, Z = 3} = 1\right)"),
        (
            "P(y | do(x along X -> M -> Y))",
            r"P\left(y \mid \operatorname{do}\left(x\ \mathrm{along}\ X \to M, M \to Y;\ x'\right)"
            r"\right)",
        ),
        (
            "P(y | do(x along no edge))",
            r"P\left(y \mid \operatorname{do}\left(x\ \mathrm{along}\ \mathrm{no\ edge};\ x'\right)"
            r"\right)",
        ),
        ("nde(X -> Y; via M)", r"\operatorname{NDE}\left(x, x' \to y;\ \mathrm{via}\ M\right)"),
        ("cde(X -> Y; M=1)", r"\operatorname{CDE}\left(x, x' \to y;\ M = 1\right)"),
        ("te(X -> Y)", r"\operatorname{TE}\left(x, x' \to y\right)"),
        ("pns(X -> Y)", r"\operatorname{PNS}\left(x, x' \to y, y'\right)"),
    ],
)
def test_questions(text: str, latex: str) -> None:
    graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("Z", "Y")])
    assert to_latex(parse_question(text, graph)) == latex
    set_in_type(latex)


def test_indices_of_numbered_symbols_are_in_braces() -> None:
    graph = ADMG.of(directed=[("X1", "Y1"), ("X1", "M2"), ("M2", "Y1")])
    latex = to_latex(parse_question("P(y1'{x1, M2{x1'}})", graph))
    assert latex == r"P\left({y_{1}'}_{{M_{2}}_{x_{1}'}, x_{1}}\right)"
    set_in_type(latex)


def test_names() -> None:
    assert to_latex(Prob((Value("Smoking", "smoking'"),))) == r"P\left(\mathrm{smoking}'\right)"
    assert to_latex(Prob((Value("X", "low"),))) == r"P\left(X = \mathrm{low}\right)"
    assert to_latex(Prob((symbol("L9.H6[end]"),))) == r"P\left(\mathrm{l9.h6[end]}\right)"
    odd = to_latex(Prob((Value("X", 'a_b%c#d$e&f{g}\\^~-"` h\n'),)))
    assert odd == (
        r"P\left(X = \mathrm{a{\_}b{\%}c{\#}d{\$}e{\&}f{\{}g{\}}{\backslash}{\wedge}{\sim}{-}{''}"
        r"{\grave{\ }}\ h\ }\right)"
    )
    set_in_type(odd.replace(r"{\&}", ""))  # LaTeX's own escape, which matplotlib does not know


def test_variables_that_differ_in_case_are_told_apart() -> None:
    both = Prob((symbol("X"),), (symbol("x"), symbol("Y")))
    assert to_latex(both) == r"P\left(X = x \mid y, x = x\right)"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_is_written_is_valid(seed: int) -> None:
    generator = random.Random(seed)
    set_in_type(to_latex(expression(generator, 2)))
    set_in_type(to_latex(asked(generator)[1]))


def test_what_is_known_of_the_gallery_is_valid() -> None:
    for known in EXAMPLES:
        query = parse_question(str(known.query), known.graph)
        set_in_type(to_latex(query))
        if known.estimand:
            formula = parse_expression(known.estimand, known.graph.nodes)
            answer = Identified(query, known.graph, formula, Derivation())
            assert to_latex(answer) == f"{to_latex(query)} = {to_latex(formula)}"
            set_in_type(to_latex(answer))


def test_other_answers() -> None:
    hedge = Hedge(frozenset("XY"), frozenset("Y"), frozenset("Y"))
    refused = to_latex(NotIdentified(EFFECT, BOW, hedge))
    assert refused.endswith(r"\ \mathrm{is\ not\ identified}")
    low, high, one = (parse_expression(text) for text in ("P(x,y)", "1 - P(x)", "1"))
    query = to_latex(EFFECT)
    bounded = to_latex(Bounds(EFFECT, BOW, (low,), (high, one)))
    assert bounded == (
        rf"P\left(x, y\right) \leq {query} \leq \min\left\{{1 - P\left(x\right), 1\right\}}"
    )
    assert to_latex(Bounds(EFFECT, BOW, (), (one,))) == rf"{query} \leq 1"
    for latex in (refused, bounded):
        set_in_type(latex)


def test_what_is_shared_is_refused_before_it_fills_the_memory() -> None:
    formula: Expression = Prob((symbol("X"),))
    for _ in range(40):
        formula = Product((formula, formula))
    with pytest.raises(TermError, match="more than 50000000 characters"):
        to_latex(formula)


def test_worlds_in_worlds() -> None:
    world: Potential = Potential("A")
    for at in range(99):
        world = Potential("AB"[at % 2], ((world.variable, world),))
    fact = Fact(world, symbol(world.variable))
    assert to_latex(Counterfactual((fact,))).count("_{") == 99
