"""Queries print with their conventions and are read back; macros are functions by name."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import plain_graph
from causalnet.graphs.paths import PathSet
from causalnet.interventions import (
    Ablation,
    AblationKind,
    Base,
    Edge,
    Handle,
    Learning,
    Noising,
    Query,
    Read,
    ReadOut,
    ablation_effect,
    accuracy,
    cde,
    importance,
    interaction,
    joint,
    kl,
    lens,
    logit_diff,
    loss,
    mi,
    nde,
    nie,
    parse,
    parse_query,
    parse_scalar,
    per_total_effect,
    pse,
    shapley,
    tde,
    te,
    tie,
    value_of,
)
from causalnet.interventions.macros import MACROS
from causalnet.interventions.path_effects import causal_diagram
from causalnet.interventions.techniques import path_patch
from causalnet.interventions.techniques.attention import attention_redirect
from causalnet.interventions.techniques.attribution import integrated_gradients
from tests.interventions.all_terms import NAMES, POSITIONS, READ_OUTS, SCALARS, VALUES, WORLDS
from tests.interventions.terms import GRAPH, TREATABLE, mediator_sets

PLAIN = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("X", "M", "Z")})
HEAD, MLP, Q = GRAPH.find("L1.H2"), GRAPH.find("L0.mlp"), GRAPH.find("L1.H2.q")
HEADS = [*GRAPH.heads(1)]
ZERO = Ablation(AblationKind.ZERO)
VECTOR = Handle("it's", "1 f")
ABLATIONS = st.sampled_from(
    [
        ZERO,
        Ablation(AblationKind.COUNTERFACTUAL),
        Ablation(AblationKind.MEAN, "d 1", 3),
        Ablation(AblationKind.MEAN_PER_POSITION, "", 1),
        Ablation(AblationKind.RESAMPLE, "none", 64, draws=8),
        Ablation(AblationKind.CONSTANT, vector=VECTOR),
        Ablation(AblationKind.STEER, vector=VECTOR, factor=-0.1),
        Ablation(AblationKind.NOISE, noise=Noising(0.25), draws=3),
        Ablation(AblationKind.NOISE, noise=Noising(0.0, 0.5, 7, ("S 1", 2), "64 prompts")),
        Ablation(AblationKind.OPTIMAL, "d 1", 3, learning=Learning()),
        Ablation(AblationKind.OPTIMAL, "", 1, learning=Learning("loss", 0, 1e-9, 2, 3)),
    ]
)
MEMBERS = st.lists(st.sampled_from(TREATABLE), max_size=3, unique=True).map(tuple)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Queries with every field drawn."""
    rows = draw(st.lists(st.tuples(NAMES, SCALARS, MEMBERS), max_size=3))
    return Query(
        draw(NAMES),
        tuple((label, scalar) for label, scalar, _ in rows),
        tuple(members for *_, members in rows),
        draw(READ_OUTS),
        draw(POSITIONS),
        draw(st.none() | ABLATIONS),
        draw(st.sampled_from(("noising", "denoising"))),
        draw(st.integers(0, 3)),
        draw(NAMES),
        draw(NAMES),
        draw(st.none() | SCALARS),
        draw(st.sampled_from(("effect", "importance"))),
        draw(NAMES),
        draw(NAMES),
        draw(st.none() | SCALARS),
        draw(st.lists(WORLDS, max_size=2).map(tuple)),
    )


@settings(max_examples=150)
@given(queries())
def test_queries_are_read_back(query: Query) -> None:
    text = str(query)
    assert parse_query(text, GRAPH) == query
    assert len(text.splitlines()) >= 1 + len(query.contrasts)
    assert "\n" not in repr(query)
    odd = replace(query, readout=ReadOut("two\nlines", "", ""))
    assert "\n" not in repr(odd)


@given(mediator_sets(), POSITIONS, ABLATIONS, READ_OUTS)
def test_effects_are_read_back(rows: Any, at: Any, ablation: Ablation, outcome: Any) -> None:
    made = ablation_effect(rows, ablation, at=at, outcome=outcome)
    for query in (made, importance(made), per_total_effect(made), te(outcome)):
        assert parse_query(str(query), GRAPH) == query


def test_the_text_says_every_convention() -> None:
    assert str(nie([HEAD, joint("both", HEAD, MLP)], at="end", outcome=kl)) == (
        "NIE/v1 on kl; at [end]; ablation counterfactual; noising; effect; scale raw; "
        "estimator exact  # effect = patched - unpatched (base patched from source)\n"
        "  L1.H2: kl(<base> + {L1.H2.z[end] := L1.H2.z in <source>}) - kl(<base>)\n"
        "  both {L1.H2, L0.mlp}: kl(<base> + {L1.H2.z[end] := L1.H2.z in <source>, "
        "L0.mlp[end] := L0.mlp in <source>}) - kl(<base>)"
    )
    assert repr(nie(HEADS)) == (
        "Query(NIE/v1 on logit_difference at [*], noising: L1.H0, L1.H1, L1.H2, ... and 1 more)"
    )


MACRO_CASES: list[tuple[str, Query]] = [
    ("te()", te()),
    ("te(; outcome=kl)", te(kl)),
    ("nie(L1.H2, L0.mlp; at=end)", nie([HEAD, MLP], at="end")),
    ("nie(heads of layer 1; at=(S2, 0); outcome=loss)", nie(HEADS, at=("S2", 0), outcome=loss)),
    ("nie(heads)", nie(GRAPH.heads())),
    ("nie(mlps of layers 0-1, embed)", nie([*GRAPH.mlps(), GRAPH.find("embed")])),
    ("nie({L1.H2, mlps}; at=all)", nie(joint("L1.H2 + L0.mlp + L1.mlp", HEAD, *GRAPH.mlps()))),
    ("nie('a b': {a1.h2, m0}; at=[3])", nie(joint("a b", HEAD, MLP), at=3)),
    (
        "nie(m0; via=L1.H2.q, {L1.H2.q.scale}; via_at=end)",
        nie(MLP, via=[Q, joint("L1.H2.q.scale", GRAPH.find("L1.H2.q.scale"))], via_at="end"),
    ),
    (
        "nde(L0.mlp; outcome=logit_difference{L1.resid_pre[S2]})",
        nde(MLP, outcome=replace(lens(logit_diff, "L1.resid_pre"), at="S2")),
    ),
    ("tie(L0.mlp)", tie(MLP)),
    ("tde(L0.mlp)", tde(MLP)),
    ("mi(L0.mlp)", mi(MLP)),
    ("cde(L0.mlp; level=zero)", cde(MLP, ZERO)),
    (
        "ablation_effect(L1.H2; kind=zero; direction=denoising)",
        ablation_effect(HEAD, ZERO, direction="denoising"),
    ),
    (
        "ablation_effect(L1.H2; kind=resample(reference=d, size=8, draws=2))",
        ablation_effect(HEAD, Ablation(AblationKind.RESAMPLE, "d", 8, 2)),
    ),
    (
        "ablation_effect(L0.mlp; kind=steer(vector='v'#1f, factor=-2))",
        ablation_effect(MLP, Ablation(AblationKind.STEER, vector=Handle("v", "1f"), factor=-2.0)),
    ),
    ("importance(nie(L0.mlp))", importance(nie(MLP))),
    ("per_total_effect(nie(L0.mlp))", per_total_effect(nie(MLP))),
    (
        "per_total_effect(nie(L0.mlp); ratio='prompt by prompt')",
        per_total_effect(nie(MLP), "prompt by prompt"),
    ),
    (
        "path_patch(L0.mlp; receivers=L1.H2.q, L1.mlp; convention=heads-frozen; frozen=heads)",
        path_patch(
            MLP,
            [Q, GRAPH.find("L1.mlp")],
            convention="heads-frozen",
            frozen=GRAPH.heads(),
        ),
    ),
    ("interaction(L0.mlp, L1.H2; at=end)", interaction(MLP, HEAD, at="end")),
    ("shapley({L0.mlp}, heads of layer 1)", shapley([joint("L0.mlp", MLP), *HEADS])),
    (
        "attention_redirect(L1.H2; keys=(S1, 0); weights=(0.25, 0.75))",
        attention_redirect(HEAD, ("S1", 0), weights=(0.25, 0.75)),
    ),
    (
        "integrated_gradients(L0.mlp; steps=3; along=inputs)",
        integrated_gradients(MLP, steps=3, along="inputs"),
    ),
]


@pytest.mark.parametrize(("text", "query"), MACRO_CASES, ids=[text for text, _ in MACRO_CASES])
def test_macros_are_the_functions_that_they_name(text: str, query: Query) -> None:
    assert parse_query(text, GRAPH) == query
    assert parse_query(str(query), GRAPH) == query


def test_paths_are_listed() -> None:
    graph = causal_diagram(PLAIN)
    paths = [("X", "M", "Y"), ("X", "M", "Z", "Y")]
    query = pse(PathSet.listed(graph, paths), value_of("Y"))
    assert parse_query("pse(X -> M -> Y, X -> M -> Z -> Y)", PLAIN) == query
    assert parse_query("pse(X -> M -> Y, X -> M -> Z -> Y; outcome=value{Y})", PLAIN) == query
    with pytest.raises(TermError, match=r"Line 1, column 1: .*X -> Z"):
        parse_query("pse(X -> Z -> Y)", PLAIN)


def test_every_macro_takes_a_read_out() -> None:
    needed = {
        "kind": "zero",
        "level": "zero",
        "receivers": "L1.mlp",
        "norm": "frozen",
        "keys": "S1",
    }
    for name, macro in MACROS.items():
        rows = {"none": "", "paths": "embed -> logits"}.get(macro.rows, "L0.H1, L0.H2")
        options = "".join(f"; {option}={needed[option]}" for option in macro.required)
        query = parse_query(f"{name}({rows}{options}; outcome=accuracy)", GRAPH)
        assert query.readout.name == "accuracy"
        assert parse_query(f"{name}({rows}{options})", GRAPH, outcome=accuracy) == query
        assert parse_query(str(query), GRAPH) == query


def test_a_scalar_is_a_query_of_one_row() -> None:
    text = "kl(<base> + {L0.mlp := 0}) - kl(<base>)"
    query = parse_query(text, GRAPH)
    assert query.contrasts == (("contrast", parse_scalar(text)),)
    assert (query.estimand, query.readout, query.unpatched) == (
        "CONTRAST",
        kl,
        Read(kl, Base("base")),
    )
    assert parse_query(str(query), GRAPH) == query
    assert parse_query("loss(<source> + {L0.mlp := 0})", GRAPH).direction == "denoising"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nie(L1.H9)", "Line 1, column 5: Unknown mediator 'L1.H9'"),
        ("nie(L0.mlp, L0.mlp)", "Line 1, column 1: Two rows have one label"),
        ("nie()", r"Line 1, column 5: found '\)'. Possible here: .*'heads'.*a mediator"),
        (
            "nie(L0.mlp; att=end)",
            "column 13: found the option 'att'; nearest: at. The options of nie are outcome, ",
        ),
        ("nie(L0.mlp; at=end; at=S2)", "column 21: found the option 'at' twice"),
        ("cde(L0.mlp)", "column 11: cde is not told its option 'level'. Write '; level=...'"),
        ("nie(L0.mlp, at=end)", "column 11: found ',' before an option. .*: write '; at='"),
        ("nie(L0.mlp at=end)", "column 12: found 'at'. Options of nie follow ';': write '; at='"),
        ("nie(L0.mlp; at=end, outcome=kl)", "column 19: found ',' before .* write '; outcome='"),
        ("nie(L0.mlp; via=L1.mlp, at=end)", "column 23: found ',' before .* write '; at='"),
        ("nie(L0.mlp; at=end,S2)", "column 19: found ','. Several positions .* 'at=\\(end, 3\\)'"),
        ("nie(L0.mlp; positions=end)", "found the option 'positions'. The options of nie are"),
        ("NIE(L0.mlp)", "column 1: found 'NIE'. Write 'nie\\(...\\)'"),
        ("nie L0.mlp", "column 1: found 'nie'. Write 'nie\\(...\\)'"),
        ("shaply(L0.mlp)", "column 1: found 'shaply'. Nearest: shapley"),
        ("pse(L0.mlp)", "Line 1, column 1: Treatments L0.mlp and outcome L0.mlp"),
        ("", "Line 1, column 1: the text is empty. Possible here: te, nie"),
        ("cde(L0.mlp; level=counterfactual)", "column 1: The level counterfactual depends"),
        ("ablation_effect(L0.mlp; kind=zeros)", "column 30: found 'zeros'. Possible here: zero"),
        ("ablation_effect(L0.mlp; kind=mean)", "column 30: The ablation 'mean' needs a reference"),
        ("nie(heads of layer 7)", "column 5: No layer 7"),
        ("nie({})", "column 6: found '}'"),
        ("nie(L0.mlp; at=end", "column 19: the text ends. Possible here: .*';' or '\\)'"),
        ("ni(L0.mlp)", "column 1: found 'ni'. "),
        ("0", "column 1: The scalar reads nothing"),
        ("NIE/v1 on kl; sideways\n  L0.mlp: kl(<base>)", "column 15: found 'sideways'. Possible"),
        ("NIE/v1 on kl\n  L9.mlp: kl(<base>)", "Line 2, column 3: Unknown mediator 'L9.mlp'"),
    ],
)
def test_errors_say_where_and_what_was_possible(text: str, told: str) -> None:
    with pytest.raises((TermError, UnknownMediatorError), match=told):
        parse_query(text, GRAPH)


@pytest.mark.parametrize(
    "make", [*(text for text, _ in MACRO_CASES), str(nie([HEAD, MLP]))], ids=lambda text: text[:20]
)
@settings(max_examples=20)
@given(data=st.data())
def test_any_text_gives_a_query_or_an_error(make: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(make)))
    inserted = data.draw(st.text("<>{}[]()'\";:=,+-*0 1.e/v#|x", max_size=3))
    until = data.draw(st.integers(at, min(len(make), at + 6)))
    try:
        parse_query(make[:at] + inserted + make[until:], GRAPH)
    except (TermError, UnknownMediatorError) as error:
        assert re.match(r"Line \d+, column \d+: ", str(error))


def test_sets_and_selectors_are_words_only_where_they_stand_bare() -> None:
    graph = plain_graph({"heads": (), "self": ("heads",), "Y": ("self",)})
    read: Callable[[str], Query] = lambda text: parse_query(text, graph, outcome=value_of("Y"))  # noqa: E731
    assert read("nie('heads', self)") == nie(
        [graph.find("heads"), graph.find("self")], outcome=value_of("Y")
    )
    with pytest.raises(TermError, match="No mediator was given"):
        read("nie(heads)")


@given(WORLDS | SCALARS | VALUES)
def test_one_function_reads_every_term(term: object) -> None:
    assert parse(str(term)) == term


def test_one_function_reads_queries_sites_and_read_outs() -> None:
    query = nie(HEADS, at="end")
    for text in ("nie(heads of layer 1; at=end)", str(query)):
        assert parse(text, GRAPH) == query
    assert parse("kl(<base>)", GRAPH) == Read(kl, Base("base"))
    assert parse("L9.H6 -> L20.H0.q[end]") == Edge("L9.H6", "L20.H0.q", ("end",))
    assert parse("kl{[S2]}") == replace(kl, at="S2")
    with pytest.raises(TermError, match="column 17: found '='"):
        parse("<base> + {L9.H6 = 0}")
