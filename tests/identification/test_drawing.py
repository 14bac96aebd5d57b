"""Answers drawn in text, DOT and notebooks, questions in words, graphs on one line."""

import json
import random
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, GraphError, TermError
from causalnet.graphs import example, read_graph
from causalnet.graphs.admg import ADMG
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.answers import (
    Answer,
    Bounds,
    Check,
    Derivation,
    Hedge,
    Identified,
    InconsistentFactor,
    NotIdentified,
    Step,
    Thicket,
    Witness,
)
from causalnet.identification.formulas.latex import to_latex
from causalnet.identification.reading.graph_text import graph_line, parse_graph
from causalnet.identification.reading.parsing import parse_expression, parse_question
from causalnet.identification.showing.answer_json import answer_json
from causalnet.identification.showing.dot import answer_dot
from causalnet.identification.showing.drawing import draw_answer
from causalnet.identification.showing.meaning import meaning_of
from causalnet.identification.showing.notebook import answer_html
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import symbol
from tests.identification.random_terms import effect, graph, of_seeds

BOW = parse_graph("X -> Y, X <-> Y")
HEDGE = Hedge(frozenset("XY"), frozenset("Y"), frozenset("Y"))
CLUTTERED = parse_graph('"a<b&c" -> "d\\"e\\\\f", "a<b&c" <-> "d\\"e\\\\f"')


def refused(text: str, on: ADMG, witness: Witness, sources: Sources = OBSERVED) -> NotIdentified:
    return NotIdentified(parse_question(text, on), on, witness, sources)


def recanting(on: ADMG) -> NotIdentified:
    witness = RecantingDistrict(frozenset("MW"), ("X", "M", "Y"), ("X", "W", "Y"))
    return refused("P(y | do(x along X -> M -> Y))", on, witness)


# -- text ----------------------------------------------------------------------------------------


def test_a_hedge_is_marked_and_told() -> None:
    on = parse_graph("Z -> X -> W -> Y, X -> Y, X <-> Y")
    assert draw_answer(refused("P(y | do(x), z)", on, HEDGE)).splitlines() == [
        "condition        Z -> X",
        "treatment  F     X -> W, Y",
        "                 W -> Y",
        "outcome    F F'  Y",
        "           F     X <-> Y",
        "F = {X, Y} and F' = {Y} are a hedge.",
        "Hidden common causes (<->) join the nodes of each, and within each all nodes lead to Y.",
        "The treatment X is in F and not in F'.",
        "So there are two models with the same P(V) and different answers.",
    ]


def test_a_recanting_district_shows_both_paths() -> None:
    drawn = draw_answer(recanting(example("recanting district").graph)).splitlines()
    assert drawn[:5] == [
        "treatment     X -> M, W",
        "           D  M -> Y",
        "           D  W -> Y",
        "outcome       Y",
        "           D  M <-> W",
    ]
    assert drawn[6:8] == ["  asked about:  X -> M -> Y", "  left out:     X -> W -> Y"]


def test_one_node_is_a_recanting_witness() -> None:
    on = parse_graph("X -> W -> Z -> Y, W -> Y")
    witness = RecantingDistrict(frozenset("W"), ("X", "W", "Y"), ("X", "W", "Z", "Y"))
    drawn = draw_answer(refused("P(y | do(x along X -> W -> Y))", on, witness))
    assert "D = {W}: W is a recanting witness." in drawn


def test_an_inconsistent_factor_names_both_values() -> None:
    witness = InconsistentFactor(frozenset("XY"), "X", (symbol("X", 1), symbol("X")))
    drawn = draw_answer(refused("P(y{x} | x')", BOW, witness))
    assert drawn.startswith("set, known  D  X -> Y\noutcome     D  Y\n            D  X <-> Y\n")
    assert "the question needs X to be x' and x there at once" in " ".join(drawn.split())


def test_a_thicket_says_what_is_in_the_way_in_each_distribution() -> None:
    sources = Sources.of([[], ["Y"]], {"a": [["X"]]}, {"a": ["Y"]})
    outcome = frozenset("Y")
    obstacles: tuple[Hedge | frozenset[str], ...] = (HEDGE, outcome, outcome)
    witness = Thicket(outcome, tuple(zip(sources.distributions, obstacles, strict=True)))
    drawn = draw_answer(refused("P(y | do(x))", BOW, witness, sources))
    assert "outcome, differs in a  C  Y" in drawn
    assert "  P(V): F = {X, Y} and F' = {Y} are a hedge" in drawn
    assert "  P(V given do(Y)): the experiment sets Y." in drawn
    assert "  P{a}(V given do(X)): domain a differs in what makes Y." in drawn


def test_of_a_large_graph_what_matters_is_drawn() -> None:
    chain = " -> ".join(f"N{at}" for at in range(100))
    on = parse_graph(f"{chain}, N98 <-> N99")
    hedge = Hedge(frozenset({"N98", "N99"}), frozenset({"N99"}), frozenset({"N99"}))
    drawn = draw_answer(refused("P(n99 | do(n98))", on, hedge)).splitlines()
    assert drawn[0].split() == ["treatment", "F", "N98", "->", "N99"]
    assert drawn[3] == "and 98 more nodes"


def test_odd_names_stay_on_their_line() -> None:
    on = ADMG.of([("a\nb", "Y")])
    formula = parse_expression("P(y)")
    answer = Identified(parse_question("P(y)", on), on, formula, Derivation())
    assert draw_answer(answer) == "         a\ufffdb -> Y\noutcome  Y"


# -- DOT -----------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(of_seeds(graph))
def test_dot_is_read_back_as_the_graph(on: ADMG) -> None:
    question = effect(random.Random(len(on)), on)
    nodes = frozenset(on.nodes[:2])
    witness = Hedge(nodes, nodes - {on.nodes[0]}, frozenset())
    file = read_graph(answer_dot(NotIdentified(question, on, witness)), "dot")
    assert file.graph == on


def test_dot_marks_paths() -> None:
    dot = answer_dot(recanting(example("recanting district").graph)).splitlines()
    assert '  "X" -> "M" [color="#56B4E9", penwidth=3];' in dot
    assert '  "X" -> "W" [color="#D55E00", penwidth=3, style=dotted];' in dot
    assert any(line.startswith('  "M" -> "W" [dir=both') and "#D55E00" in line for line in dot)


# -- notebooks -----------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Which tags are open, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(answer: Answer) -> str:
    """The text of an answer in a notebook; its tags must match."""
    html = answer._repr_html_()
    assert html == answer_html(answer)
    tags = Tags()
    tags.feed(html)
    assert not tags.open
    return tags.text


def test_notebooks_show_a_formula_with_its_evidence() -> None:
    formula = parse_expression("P(y|x)")
    steps = Derivation((Step("ID, line 1", "as <b>", "P(y)"),))
    query = parse_question("P(y | do(x))", BOW)
    answer = Identified(query, BOW, formula, steps, check=Check(2, 1e-16), notes=("a < b",))
    text = shown(answer)
    latex = r"P\left(y \mid \operatorname{do}\left(x\right)\right) = P\left(y \mid x\right)"
    assert rf"$\displaystyle {latex}$" in text
    for told in ("Identified: P(y | do(x))", "verified on 2 random models", "as <b>", "a < b"):
        assert told in text
    assert formula._repr_latex_() == r"$\displaystyle P\left(y \mid x\right)$"


def test_notebooks_show_why_not_and_bounds() -> None:
    assert "Not identified from P(V): P(y | do(x))" in shown(refused("P(y | do(x))", BOW, HEDGE))
    query = parse_question("P(y | do(x))", BOW)
    low, high = parse_expression("P(x,y)"), parse_expression("1 - P(x)")
    text = shown(Bounds(query, BOW, (low,), (high,), reason="it is <open>"))
    assert r"\geq P\left(x, y\right)$" in text
    assert r"\leq 1 - P\left(x\right)$" in text
    assert "it is <open>" in text


def test_bounds_of_what_is_not_identified_are_shown() -> None:
    refusal = refused("P(y | do(x))", BOW, HEDGE)
    low, high = parse_expression("P(x,y)"), parse_expression("1 - P(x)")
    bounds = Bounds(refusal.query, BOW, (low,), (high,), notes=("they are <wide>",))
    answer = replace(refusal, bounds=bounds, notes=("a < b",))
    text = shown(answer)
    assert r"\geq P\left(x, y\right)$" in text
    assert r"\leq 1 - P\left(x\right)$" in text
    assert "a < b" in text and "they are <wide>" in text
    found = answer_json(answer)
    assert (found["lower"], found["upper"]) == (["P(x,y)"], ["1 - P(x)"])
    assert found["notes"] == ["a < b", "they are <wide>"]
    assert found["latex"].endswith(rf"\quad {to_latex(bounds)}")
    alone = answer_json(refusal)
    assert (alone["lower"], alone["upper"], alone["notes"]) == ([], [], [])


def test_notebooks_escape_names() -> None:
    nodes = frozenset(CLUTTERED.nodes)
    outcome = CLUTTERED.nodes[1]
    hedge = Hedge(nodes, frozenset({outcome}), frozenset({outcome}))
    question = 'P("d\\"e\\\\f" | do("a<b&c"))'
    text = shown(refused(question, CLUTTERED, hedge))
    assert 'a<b&c -> d"e\\f' in text


def test_long_formulas_are_text_in_notebooks() -> None:
    formula = parse_expression(" * ".join(["P(y|x)"] * 2000))
    query = parse_question("P(y | do(x))", BOW)
    assert str(formula) in shown(Identified(query, BOW, formula, Derivation()))


# -- JSON ----------------------------------------------------------------------------------------


def test_json_holds_texts_that_are_read_back() -> None:
    formula = parse_expression("sum[x](P(y|x) * P(x))")
    query = parse_question("nde(X -> Y; via M)", parse_graph("X -> M -> Y"))
    answer = Identified(query, parse_graph("X -> M -> Y"), formula, Derivation())
    told = json.loads(json.dumps(answer_json(answer)))
    assert parse_expression(told["formula"]) == formula
    assert parse_question(told["question"], answer.graph) == query
    assert told["known"] == {"distributions": [{"do": [], "domain": ""}], "differs": {}}


def test_json_of_witnesses() -> None:
    sources = Sources.of([[], ["Y"]])
    obstacles: tuple[tuple[Distribution, Hedge | frozenset[str]], ...] = (
        (sources.distributions[0], HEDGE),
        (sources.distributions[1], frozenset("Y")),
    )
    witnesses: dict[str, Witness] = {
        "hedge": HEDGE,
        "thicket": Thicket(frozenset("Y"), obstacles),
        "inconsistent factor": InconsistentFactor(
            frozenset("X"), "X", (symbol("X"), symbol("X", 1))
        ),
        "recanting district": RecantingDistrict(frozenset("X"), ("X", "Y"), ("X", "Y")),
    }
    for kind, witness in witnesses.items():
        told = json.loads(json.dumps(answer_json(refused("P(y | do(x))", BOW, witness, sources))))
        assert (told["verdict"], told["witness"]["kind"]) == ("not identified", kind)
    thicket = answer_json(refused("P(y)", BOW, witnesses["thicket"]))["witness"]
    assert [each["obstacle"]["kind"] for each in thicket["distributions"]] == [
        "hedge",
        "set or different",
    ]


# -- questions in words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("P(y)", "how Y is distributed"),
        ("P(y, m | do(x))", "how Y and M are distributed where X is set to x"),
        (
            "P(y{x, M{x'}} | x', z)",
            "how probable it is that Y = y had M been as in M{x'} and X been x, given that X = x' "
            "and Z = z",
        ),
        (
            "P(y | do(x along X -> Y))",
            "how Y is distributed where X is set to x along X -> Y, and to x' along all other "
            "edges",
        ),
        ("te(X -> Y)", "how the distribution of Y changes where X is set to x instead of x'"),
        (
            "cde(X -> Y; M=1)",
            "how the distribution of Y changes where X is set to x instead of x', while M is set "
            "to 1",
        ),
        (
            "nde(X -> Y; via M)",
            "how the distribution of Y changes where X is set to x instead of x', while M follows "
            "x'",
        ),
        (
            "nie(X -> Y; via M, Z)",
            "how the distribution of Y changes where X is set to x', while M and Z follow x "
            "instead of x'",
        ),
        (
            "pn(X -> Y)",
            "how probable it is, given that X = x and Y = y, that Y = y' had X been x'",
        ),
        (
            "ps(X -> Y)",
            "how probable it is, given that X = x' and Y = y', that Y = y had X been x",
        ),
        (
            "pns(X -> Y)",
            "how probable it is that Y = y had X been x, and Y = y' had X been x'",
        ),
    ],
)
def test_questions_in_words(text: str, words: str) -> None:
    assert meaning_of(parse_question(text, parse_graph("X -> M -> Y, X -> Y, Z"))) == words


# -- graphs on one line --------------------------------------------------------------------------


@settings(max_examples=200)
@given(of_seeds(graph))
def test_a_line_of_a_graph_is_read_back(on: ADMG) -> None:
    assert parse_graph(graph_line(on)) == on


def test_graphs_as_people_type_them() -> None:
    typed = parse_graph("X->Z->Y <- W;\n X<->Y\nA\nB, ")
    assert typed == ADMG.of([("X", "Z"), ("Z", "Y"), ("W", "Y")], [("X", "Y")], nodes=["A", "B"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("X ->", "column 5: the text ends. Possible here: a node, as in X -> Y"),
        ("X Y", "column 3: found 'Y'. Possible here: '->', '<-', '<->', ',' or ';'"),
        ("X -- Y", "column 3: found '-'"),
        ("-> Y", "column 1: found '->'"),
        ('X -> "Y', "a quoted name that is not closed"),
    ],
)
def test_what_is_no_graph_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(TermError) as error:
        parse_graph(text)
    assert told in str(error.value)


def test_cycles_are_refused() -> None:
    with pytest.raises(GraphError, match="X -> Y -> X"):
        parse_graph("X -> Y -> X")


@settings(max_examples=300)
@given(st.text(alphabet='XYZ1<->,; "\\\n', max_size=20))
def test_only_our_errors_come_out_of_graphs(text: str) -> None:
    try:
        found = parse_graph(text)
    except CausalNetError as error:
        assert str(error)
    else:
        assert parse_graph(graph_line(found)) == found
