"""What is printed is read back as the same; what cannot be read is refused with its place."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import EXAMPLES
from causalnet.graphs.admg import ADMG
from causalnet.identification.expressions import Const, Difference, Expression, Prob, Product, Ratio
from causalnet.identification.queries import Counterfactual, Effect, Fact, Potential, Question
from causalnet.identification.reading.parsing import parse_expression, parse_question
from causalnet.identification.showing.short_text import shortened
from causalnet.identification.values import Value, symbol
from tests.identification.random_terms import (
    KINDS,
    NAMES,
    NODES,
    asked,
    expression,
    graph,
    of_seeds,
)

TRIANGLE = ADMG.of(
    directed=[("X", "M"), ("M", "Y"), ("X", "Y"), ("Z", "X")], bidirected=[("X", "Y")]
)
x, y, m, z = map(symbol, "XYMZ")


# -- laws ----------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(of_seeds(expression))
def test_a_formula_is_read_back(formula: Expression) -> None:
    assert parse_expression(str(formula)) == formula
    assert parse_expression(str(formula), NAMES) == formula


@settings(max_examples=100)
@given(of_seeds(expression), st.sampled_from((" ", "\n", "\t ")))
def test_space_between_words_does_not_matter(formula: Expression, space: str) -> None:
    spread = str(formula)
    if '"' not in spread:
        for mark in "()[]{}|,*/":
            spread = spread.replace(mark, f"{space}{mark}{space}")
    assert parse_expression(spread) == formula


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
@settings(max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_a_question_is_read_back(
    kind: Callable[[random.Random, ADMG], Question], seed: int
) -> None:
    generator = random.Random(seed)
    on = graph(generator)
    question = kind(generator, on)
    assert parse_question(str(question), on) == question


@settings(max_examples=300)
@given(of_seeds(asked))
def test_a_short_question_is_read_as_the_same(drawn: tuple[ADMG, Question]) -> None:
    on, question = drawn
    assert parse_question(shortened(str(question), on), on) == question


@settings(max_examples=200)
@given(of_seeds(expression))
def test_a_short_formula_is_read_as_the_same(formula: Expression) -> None:
    on = ADMG.of(nodes=NAMES)
    assert parse_expression(shortened(str(formula), on), NAMES) == formula


def test_symbols_of_two_variables_are_not_shortened() -> None:
    assert shortened("P(x=x|x, Y=y)", ADMG.of(nodes=["x", "X", "Y"])) == "P(x=x|x, y)"
    assert shortened('P("a=a", "b c"="b c")', ADMG.of(nodes=["a=a", "b c"])) == 'P("a=a", "b c")'


def test_what_the_gallery_prints_is_read() -> None:
    for known in EXAMPLES:
        question = parse_question(str(known.query), known.graph)
        assert parse_question(str(question), known.graph) == question
        if known.estimand:
            formula = parse_expression(known.estimand, known.graph.nodes)
            assert parse_expression(str(formula)) == formula


# -- short forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("P(Y | do(X), Z)", "P(y | do(x), z)"),
        ("P(y|z,do(x))", "P(y | do(x), z)"),
        ("P(Y | do(X), do(M))", "P(y | do(x, m))"),
        ("P(Y' | X'')", "P(y' | x'')"),
        ("P(y=1 | do(X = 0))", "P(Y=1 | do(X=0))"),
        ('P("Y" | do("x"))', "P(y | do(x))"),
        ("nde(X -> Y; via M)", "nde(x, x' -> y; via M)"),
        ("NIE(x' -> y; via m)", "nie(x', x -> y; via M)"),
        ("te(X, M -> Y)", "te(x, m, x', m' -> y)"),
        ("cde(X -> Y; M=3)", "cde(x, x' -> y; M=3)"),
        ("cde(X -> Y; via M)", "cde(x, x' -> y; m)"),
        ("pn(X -> Y)", "pn(x, x' -> y, y')"),
        ("ps(X=1, X=0 -> Y)", "ps(X=1, X=0 -> y, y')"),
        ("PNS(x' -> y')", "pns(x', x -> y', y)"),
        (
            "P(y | do(x along X -> M -> Y, X -> Y))",
            "P(y | do(x along X -> M, M -> Y, X -> Y; x'))",
        ),
        (
            "P(y | do(x along X -> M -> Y, X -> M; x''))",
            "P(y | do(x along X -> M, M -> Y; x''))",
        ),
        ("P(Y | X active along X -> M -> Y)", "P(y | do(x along X -> M, M -> Y; x'))"),
        ("P(Y | X active along no edge)", "P(y | do(x along no edge; x'))"),
        ("P(Y{X=x} = y | X = x')", "P(y{x} | x')"),
        ("P(Y{x, m{x'}})", "P(y{M{x'}, x})"),
        ("P(Y=1{X=0}, M{X=1} = 0)", "P(Y=1{X=0}, M=0{X=1})"),
    ],
)
def test_short_forms(short: str, full: str) -> None:
    assert str(parse_question(short, TRIANGLE)) == full


def test_events_of_the_world_as_it_is_are_an_effect_without_treatments() -> None:
    facts = (Fact(Potential("X"), x), Fact(Potential("Y"), y))
    assert parse_question(str(Counterfactual(facts)), TRIANGLE) == Effect((x, y))
    assert parse_question("P(x{}, y{} | z{})", TRIANGLE) == Effect((x, y), (), (z,))


def test_nothing_in_braces_is_the_value_that_a_variable_has_by_itself() -> None:
    outcome = Potential.of("Y", {"X": x, "M": Potential("M")})
    assert parse_question("P(y{x, M{}})", TRIANGLE) == Counterfactual((Fact(outcome, y),))


def test_two_values_of_one_variable_are_an_event_that_is_judged_elsewhere() -> None:
    asked_ = parse_question("P(y{x}, y'{x})", TRIANGLE)
    assert isinstance(asked_, Counterfactual)
    assert [fact.value for fact in asked_.facts] == [y, symbol("Y", 1)]


def test_formulas_are_read_as_a_person_writes_them() -> None:
    a, b, c = (Prob((symbol(name),)) for name in "ABC")
    assert parse_expression("P(a) * P(b) / P(c)") == Ratio(Product((a, b)), c)
    assert parse_expression("P(a) / P(b) * P(c)") == Product((Ratio(a, b), c))
    assert parse_expression("P(a) - P(b) - P(c)") == Difference(Difference(a, b), c)
    assert parse_expression("((P(a)) - (P(b) - (P(c))))") == Difference(a, Difference(b, c))
    assert parse_expression("1 - P(a) * -1") == Difference(Const(1), Product((a, Const(-1))))
    assert parse_expression("P(Y | do(X), Z)") == Prob((y,), (z,), (x,))
    assert parse_expression("P{far}[x](y|z)", ["X", "Y", "Z"]) == Prob((y,), (z,), (x,), "far")


# -- which variable a symbol is of ---------------------------------------------------------------


def test_a_symbol_is_of_the_variable_that_is_called_so_but_for_case() -> None:
    names = ["Smoking", "logits", "X1"]
    found = parse_expression("P(smoking', Logits | X1=0)", ["Smoking", "Logits", "X1"])
    assert found == Prob(
        (Value("Smoking", "smoking'"), Value("Logits", "logits")), (Value("X1", "0"),)
    )
    assert parse_expression("P(logits | x1'')", names) == Prob(
        (Value("logits", "logits"),), (Value("X1", "x1''"),)
    )


def test_a_symbol_of_two_variables_is_refused_with_both() -> None:
    both = ADMG.of(directed=[("x", "X"), ("X", "Y")])
    with pytest.raises(TermError, match=r"'x' may be x=x or X=x\. Write the one that is meant"):
        parse_question("P(y | do(x))", both)
    assert parse_question("P(y | do(X), x=x)", both) == Effect((y,), (x,), (Value("x", "x"),))
    with pytest.raises(TermError, match="'ab' may be Ab or aB"):
        parse_question("P(ab=1)", ADMG.of(nodes=["Ab", "aB"]))


def test_unknown_names_come_with_the_nearest() -> None:
    on = ADMG.of(directed=[("Smoking", "Cancer")])
    with pytest.raises(UnknownMediatorError) as error:
        parse_question("P(cancer | do(smokng))", on)
    assert str(error.value) == (
        "Line 1, column 15: Unknown node 'smokng'. Nearest: 'Smoking'. List them with .nodes.\n"
        "  P(cancer | do(smokng))\n                ^"
    )
    with pytest.raises(UnknownMediatorError, match="Unknown node 'q'"):
        parse_expression("P(q)", ["X", "Y"])


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("", 1, "the text is empty. Possible here: 'P(', 'te('"),
        ("P", 2, "the text ends. Possible here: '('"),
        ("P(y", 4, "the text ends"),
        ("P(y | do(x)", 12, "Possible here: ',' or ')'"),
        ("P(y) - P(y)", 6, "found '-'. Possible here: the end"),
        ("p(y)", 1, "Nearest: P. Questions begin with P, te, cde"),
        ("nda(X -> Y; via M)", 1, "Nearest: nde"),
        ("P(do(x))", 3, "Interventions stand behind the bar"),
        ("P(y | do x)", 7, "Write do(x)"),
        ("P(y | y')", 1, "'Y' is an outcome and a condition at once"),
        ("P(y | do(y))", 1, "'Y' is an outcome and a treatment at once"),
        ("P(y | do(x), X)", 1, "'X' is a treatment and a condition at once"),
        ("P(1)", 3, "A level has its variable: Y=1"),
        ('P("")', 3, "found an empty name"),
        ("P(y=)", 5, "Possible here: a symbol or a level"),
        ("P(y{x} | do(z))", 1, "found both do(...) and worlds in braces"),
        ("P(y{x, x'})", 8, "found a second value of X"),
        ("P(y{x, M})", 8, "Write m, or M{} for the value that it has by itself"),
        ("P(y{x}{m})", 7, "found '{'"),
        ("P(y | do(x along X -> Z))", 18, "X -> Z is no edge of the graph. X leads to M, Y"),
        ("P(y | do(x along Y -> X))", 18, "Y leads to no node"),
        ("P(y | do(x along X))", 19, "Possible here: '->'"),
        ("P(y | do(x along X -> Y), z)", 1, "found a condition beside 'along'"),
        ("P(y | do(x along X -> Y; m))", 1, "are not of the same variables"),
        ("P(y | do(X=1 along X -> Y))", 7, "X=1 without what it is compared with"),
        ("nde(X -> Y; M)", 13, "Possible here: 'via'"),
        ("nde(X -> Y)", 1, "Write nde(X -> Y; via M)"),
        ("te(X -> Y; via M)", 1, "TE has none"),
        ("nde(X -> Y; via X)", 1, "'X' is a treatment and a mediator at once"),
        ("te(x, x', m -> Y)", 4, "first come all values, then as many baselines"),
        ("pn(X, M -> Y)", 4, "about one on each side"),
        ("pn(X=1 -> Y)", 4, "write both levels"),
        ("pn(x, x -> Y)", 1, "x and x are not two values of one variable"),
        ('P("y)', 3, "a quoted name that is not closed"),
        ("P('y)", 3, "a prime without a symbol before it"),
        ("P(y; z)", 4, "found ';'"),
        ("P(y[end])", 4, "found '['"),
        ("P(y\n  | do(q))", 8, "Unknown node 'q'"),
        ('P("\\q")', 3, "The escape"),
        (f"P(Y={'1' * 5000})", 5, "found 5000 digits"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, column: int, told: str) -> None:
    with pytest.raises(CausalNetError) as error:
        parse_question(text, TRIANGLE)
    message = str(error.value)
    head, *_, caret = message.split("\n")
    assert told.casefold() in head.casefold()
    line = text.count("\n") + 1
    assert head.startswith(f"Line {line}, column {column}: ")
    assert caret.endswith("^")
    assert len(caret) == min(column, 61) + 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("P(x, x')", "'X' is twice in one probability"),
        ("sum[X=1](P(y))", "does not name symbols"),
        ("sum[x,x](P(y))", "does not name symbols"),
        ("sum(P(y))", "Possible here: '['"),
        ("P(y) +", "found '+'"),
        ("(P(y)", "the text ends"),
        ("P(y))", "found ')'. Possible here: '*', '/', '-' or the end"),
        ("Q(y)", "Possible here: 'P', 'sum', '(' or a number"),
        ("P{a}", "the text ends"),
    ],
)
def test_a_mistake_in_a_formula_is_shown(text: str, told: str) -> None:
    with pytest.raises(TermError) as error:
        parse_expression(text)
    assert told in str(error.value).split("\n")[0]


def test_no_text_and_no_graph_are_refused() -> None:
    with pytest.raises(ParameterError, match="is no str"):
        parse_expression(3)  # type: ignore[arg-type]  # what a caller without types may pass
    with pytest.raises(ParameterError, match="is no ADMG"):
        parse_question("P(y)", "X -> Y")  # type: ignore[arg-type]  # the same


# -- hostile texts -------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", ["(", "sum[z](", "1-(", "P(x)*("])
def test_deep_formulas_are_refused_above_a_bound(opening: str) -> None:
    closed = parse_expression(opening * 1000 + "P(x)" + ")" * 1000)
    assert closed.free == {x}
    with pytest.raises(TermError, match="At most 1000 may be open at once"):
        parse_expression(opening * 10_000 + "P(x)")


def test_deep_worlds_are_refused_above_a_bound() -> None:
    with pytest.raises(TermError, match="At most 100 may be open at once"):
        parse_question("P(y{" + "M{x, Z{" * 5_000, TRIANGLE)
    deep = "P(y{Z{" + "X{Z{" * 49 + "x" + "}}" * 49 + "}})"
    assert str(parse_question(deep, TRIANGLE)) == deep


@pytest.mark.parametrize("mark", ["*", "-", "/"])
def test_long_formulas_take_linear_time(mark: str) -> None:
    assert parse_expression(mark.join(["P(x)"] * 20_000)).free == {x}


def mutated(generator: random.Random, text: str) -> str:
    """A text after a few blows."""
    characters = list(text)
    for _ in range(generator.randint(1, 4)):
        at = generator.randint(0, len(characters))
        match generator.randrange(4):
            case 0:
                characters[at : at + generator.randint(1, 3)] = []
            case 1:
                characters.insert(at, generator.choice("(){}[]|,;=->'\"\\ *x1MP\x00é"))
            case 2:
                end = at + generator.randint(1, 12)
                characters[at:at] = characters[generator.randint(0, at) : end]
            case _:
                words = ("do(", "along ", "via ", "sum[", "P(", "M{", "x'", "->", "no edge", "=")
                characters[at:at] = generator.choice(words)
    return "".join(characters)


@settings(max_examples=1500)
@given(st.integers(0, 2**32))
def test_only_our_errors_come_out(seed: int) -> None:
    generator = random.Random(seed)
    on, question = asked(generator)
    formula = expression(generator, 2)
    for text, parse in (
        (mutated(generator, str(question)), lambda text: parse_question(text, on)),
        (mutated(generator, str(formula)), parse_expression),
        (mutated(generator, str(formula)), lambda text: parse_expression(text, NODES)),
    ):
        try:
            again = parse(text)
        except CausalNetError as error:
            assert str(error)
        else:
            assert str(again)


@settings(max_examples=300)
@given(st.text(alphabet=st.characters(), max_size=30))
def test_only_our_errors_come_out_of_any_text(text: str) -> None:
    for parse in (lambda: parse_question(text, TRIANGLE), lambda: parse_expression(text)):
        try:
            parse()
        except CausalNetError as error:
            assert str(error).startswith("Line ")
