"""The gate: two verdicts for every kind of access."""

import pytest

from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import TransformerShape, plain_graph, transformer_graph
from causalnet.graphs.admg import ADMG
from causalnet.identification.answers import Identified, NotIdentified
from causalnet.identification.door import identify
from causalnet.identification.networks.access import (
    AccessLike,
    Flag,
    FullAccess,
    Logs,
    OtherPrompts,
    OtherWeights,
    PartialAccess,
    read_access,
)
from causalnet.identification.networks.gate import CannotRun, NotNeeded, RunIt, gate
from causalnet.identification.networks.log_answers import NotInLogs
from causalnet.identification.reading.parsing import parse_question
from causalnet.interventions import explain_terms, nie, parse_query, value_of

NETWORK = transformer_graph(TransformerShape(3, 2, 2, 8, 4, 16, 11))
SMALL = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
FRONT_DOOR = ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")])
PATCH = "nie(L2.H1; at=end)"


# -- full access ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [PATCH, "nie(heads; at=end)", "te()", "mi(L0.H1, L1.mlp)"])
def test_with_full_access_nothing_is_identified_and_the_plan_is_told(text: str) -> None:
    answer = gate(text, NETWORK)
    assert answer.is_computable and isinstance(answer.identifiable, NotNeeded)
    assert not answer.is_identified and answer.rows == ()
    assert isinstance(answer.computable, RunIt)
    plan = explain_terms(parse_query(text, NETWORK), NETWORK).plan
    assert answer.computable.worlds == len(plan.worlds)
    told = str(answer)
    assert "cn.explain(query, net, pairs)" in told and "cn.run(query, net, pairs)" in told
    assert "IDENTIFIABLE  not needed" in told


@pytest.mark.parametrize(
    ("text", "worlds"),
    [
        ("P(y | do(x))", 1),
        ("P(y{x, M{x'}})", 2),
        ("P(y{x} | x', y')", 2),
        ("nde(x, x' -> y; via M)", 3),
        ("te(x, x' -> y)", 2),
        ("pns(x, x' -> y, y')", 2),
        ("P(y | do(x along X -> M, M -> Y; x'))", 2),
    ],
)
def test_a_question_about_variables_that_can_be_run_is_so_many_worlds(
    text: str, worlds: int
) -> None:
    answer = gate(text, FRONT_DOOR, "full")
    assert isinstance(answer.computable, RunIt) and answer.computable.worlds == worlds
    assert isinstance(answer.identifiable, NotNeeded)


def test_the_door_asks_the_gate_of_networks() -> None:
    answer = identify(PATCH, NETWORK)
    assert answer.access == FullAccess() and answer.is_computable
    logs = identify("P(y | do(x))", FRONT_DOOR, access=Logs(("X", "Y")))
    assert isinstance(logs.identifiable, NotIdentified)


# -- logs ----------------------------------------------------------------------------------------


def test_logs_cannot_be_run_and_may_be_identified() -> None:
    answer = gate("P(y | do(x))", FRONT_DOOR, "logs")
    assert not answer.is_computable and answer.is_identified
    assert isinstance(answer.identifiable, Identified)
    assert answer.identifiable.check.models > 0 and answer.identifiable.check.worst < 1e-9
    assert "estimate by plug-in" in str(answer)


def test_logs_of_an_admg_are_projected() -> None:
    answer = gate("P(y | do(x))", FRONT_DOOR, Logs(("X", "Y")))
    assert isinstance(answer.identifiable, NotIdentified)
    assert "something that is not in the graph drives both X and Y" in str(answer)
    hidden = ADMG.of(directed=[("U", "X"), ("U", "Y"), ("X", "Y")])
    told = str(gate("P(y | do(x))", hidden, Logs(("X", "Y"))))
    assert "U drives both X and Y, and it is not recorded" in told
    missing = gate("P(y | do(x))", FRONT_DOOR, Logs(("M", "Y")))
    assert isinstance(missing.identifiable, NotInLogs)


def test_many_rows_are_told_once() -> None:
    answer = gate("nie(heads; at=end)", NETWORK, "logs")
    assert len(answer.rows) == 6
    told = str(answer)
    assert "no (0 of 6 questions)" in told and told.count("NOT IDENTIFIED") == 1
    assert "and so for L0.H1, L1.H0, L1.H1, L2.H0, L2.H1" in told


def test_rows_with_and_without_a_formula_are_both_told() -> None:
    logs = Logs(("L1.H0[end]", "L2.H1[end]", "logit_difference"), randomised=("L1.H0[end]",))
    answer = gate("nie(L1.H0, L0.H1; at=end)", NETWORK, logs)
    assert [row.is_identified for row in answer.rows] == [True, False]
    assert isinstance(answer.identifiable, NotInLogs)  # the verdict of the worse row
    assert "in part (1 of 2 questions)" in str(answer)


def test_the_verdict_names_the_prompt_as_the_common_cause() -> None:
    logs = Logs(("L1.H0[end]", "L2.H1[end]", "logit_difference"))
    told = str(gate(PATCH, NETWORK, logs))
    assert "the prompt drives both L2.H1.end and logit_difference" in told
    assert "L2.H1.end <-> logit_difference" in told
    assert "COMPUTABLE    no: there are logs only" in told


# -- partial access ------------------------------------------------------------------------------


def test_what_is_at_hand_is_run() -> None:
    for sites in (("L2.H1", "logits"), ("L2.H1.z[end]", "logit_difference")):
        answer = gate(PATCH, NETWORK, PartialAccess(sites))
        assert answer.is_computable and isinstance(answer.identifiable, NotNeeded)
    answer = gate(PATCH, NETWORK, PartialAccess(("L2.H1[end]",), ("logits",)))
    assert answer.is_computable
    edge = PartialAccess(("L0.H1 -> L1.H0.q", "logits"), ("L0.H1",))
    assert gate("path_patch(L0.H1; receivers=L1.H0.q)", NETWORK, edge).is_computable


def test_what_is_out_of_reach_is_named() -> None:
    answer = gate(PATCH, NETWORK, PartialAccess(("L1.mlp", "logits"), ("L2.H1",)))
    assert isinstance(answer.computable, CannotRun)
    assert answer.computable.lacking == ("setting L2.H1.z[end]",)
    one_place = gate("nie(L2.H1)", NETWORK, PartialAccess(("L2.H1[end]", "logits")))
    assert isinstance(one_place.computable, CannotRun)
    nothing = gate(PATCH, NETWORK, PartialAccess(()))
    assert isinstance(nothing.computable, CannotRun)
    assert nothing.computable.lacking == (
        "setting L2.H1.z[end]",
        "reading L2.H1.z",
        "reading logit_difference",
    )
    assert not nothing.is_identified
    derivative = gate("attribution_patch(L2.H1)", NETWORK, PartialAccess(("L2.H1", "logits")))
    assert "taking derivatives" in str(derivative)


def test_experiments_elsewhere_give_data_where_prompts_alone_do_not() -> None:
    """Z drives M and nothing else: setting Z varies M on one prompt, which nature never does."""
    graph = plain_graph({"X": (), "Z": ("X",), "M": ("Z",), "Y": ("X", "M")})
    query = nie(graph.find("M"), outcome=value_of("Y"))
    answer = gate(query, graph, PartialAccess(("Z",), ("M", "Y")))
    assert isinstance(answer.computable, CannotRun)
    assert answer.is_identified and answer.rows[0].is_supported
    assert isinstance(answer.identifiable, Identified)
    assert "[z]" in str(answer.identifiable.estimand)  # from the experiment that sets Z
    without = gate(query, graph, PartialAccess((), ("M", "Y")))
    assert without.is_identified and not without.rows[0].is_supported


def test_questions_about_variables_with_partial_access() -> None:
    enough = gate("P(y | do(x))", FRONT_DOOR, PartialAccess(("X", "Y")))
    assert enough.is_computable
    bow = ADMG.of(directed=[("Z", "X"), ("X", "Y")], bidirected=[("X", "Y"), ("Z", "X")])
    lacking = gate("P(y | do(x))", bow, PartialAccess(("Z",), ("Y",)))
    assert isinstance(lacking.computable, CannotRun)
    assert lacking.computable.lacking == ("setting X",)


@pytest.mark.parametrize(
    ("text", "sites", "readable", "lacking"),
    [
        ("P(y | do(m))", ("X",), ("M", "Y"), ("setting M",)),
        ("P(y | do(m))", ("M",), (), ("reading Y",)),
        ("P(y | do(m))", ("M",), ("Y",), ()),
        ("P(y | do(m), x)", ("M",), ("Y",), ("reading X",)),
        ("P(y{x, M{x'}})", ("X", "M"), ("Y",), ()),
        ("P(y{x, M{x'}})", ("X",), ("M", "Y"), ("setting M",)),
        ("P(y{x} | x', m)", ("X",), ("Y",), ("reading M",)),
        ("te(x, x' -> y)", ("X",), ("Y",), ()),
        ("cde(x, x' -> y; m)", ("X",), ("M", "Y"), ("setting M",)),
        ("nde(x, x' -> y; via M)", ("X",), ("M", "Y"), ("setting M",)),
        ("pns(x, x' -> y, y')", (), ("X", "Y"), ("setting X",)),
        ("P(y | do(x along X -> M, M -> Y; x'))", ("X",), ("M", "Y"), ("setting M",)),
    ],
)
@pytest.mark.parametrize("is_network", [False, True])
def test_what_is_set_must_be_settable_and_what_is_read_readable(
    text: str,
    sites: tuple[str, ...],
    readable: tuple[str, ...],
    lacking: tuple[str, ...],
    is_network: bool,
) -> None:
    direct = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")], bidirected=[("X", "Y")])
    question = parse_question(text, direct)
    answer = gate(question, SMALL if is_network else direct, PartialAccess(sites, readable))
    assert answer.is_computable == (not lacking)
    if isinstance(answer.computable, CannotRun):
        assert answer.computable.lacking == lacking


@pytest.mark.parametrize(
    "access",
    [PartialAccess(("Q",), ("M", "Y")), PartialAccess(("M", "Y"), ("Q",)),
     PartialAccess(("M", "Y", "Q -> Y")), PartialAccess(("M", "Y", "X -> Q"))],
)  # fmt: skip
def test_sites_that_are_not_in_the_graph_are_refused(access: PartialAccess) -> None:
    for graph in (FRONT_DOOR, SMALL):
        with pytest.raises(UnknownMediatorError, match="Q"):
            gate("P(y | do(m))", graph, access)
    with pytest.raises(UnknownMediatorError, match="Q"):
        gate(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, access)


def test_without_a_log_nothing_is_told_of_one() -> None:
    told = str(gate("P(y | do(m))", FRONT_DOOR, PartialAccess(("X",), ("Y",))))
    assert "M is out of reach" in told and "log" not in told and "record" not in told
    logs = str(gate("P(y | do(m))", FRONT_DOOR, Logs(("X", "Y"))))
    assert "the log has no M; record M" in logs


# -- how many models -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "models"),
    [
        ("logs", 20),
        (PartialAccess(("X",), ("M", "Y")), 20),
        (OtherPrompts(("X",), only_labels_differ=True), 20),
        ("logs", 0),
    ],
)
def test_the_door_verifies_on_as_many_models_as_asked(access: AccessLike, models: int) -> None:
    bow = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    answer = identify("P(y | do(m))", bow, access=access, verify=models)
    assert isinstance(answer.identifiable, Identified)
    assert answer.identifiable.check.models == models
    usual = identify("P(y | do(m))", bow, access=access)
    assert isinstance(usual.identifiable, Identified) and usual.identifiable.check.models == 2


def test_a_number_of_models_holds_for_networks_too() -> None:
    logs = Logs(("M", "Y"), randomised=("M",))
    found = identify(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, access=logs, verify=7)
    assert isinstance(found.identifiable, Identified) and found.identifiable.check.models == 7
    for access in ("full", "logs"):
        with pytest.raises(ParameterError, match="verify is -1"):
            identify("P(y | do(m))", FRONT_DOOR, access=access, verify=-1)
    with pytest.raises(ParameterError, match="verify"):
        identify(PATCH, NETWORK, verify="x")  # type: ignore[call-overload]  # what a user may write


# -- other prompts, other weights ----------------------------------------------------------------


def test_other_prompts_are_run_or_reweighted() -> None:
    answer = gate(PATCH, NETWORK, OtherPrompts(("template",), only_labels_differ=True))
    assert answer.is_computable and answer.is_identified and answer.rows[0].is_supported
    assert "sum[template=template]" in str(answer) and "P{known}" in str(answer)
    for access in (OtherPrompts(("template",)), OtherPrompts()):
        doubtful = gate(PATCH, NETWORK, access)
        assert doubtful.is_computable and isinstance(doubtful.identifiable, NotInLogs)


def test_the_formula_of_labels_is_compared_with_enumeration() -> None:
    for labels in (("template",), ("template", "name")):
        answer = gate(PATCH, NETWORK, OtherPrompts(labels, only_labels_differ=True))
        assert isinstance(answer.identifiable, Identified)
        assert answer.identifiable.check.models == 2 and answer.identifiable.check.worst < 1e-9
        assert answer.identifiable.derivation.steps


def test_a_question_about_a_diagram_is_transported_by_its_labels() -> None:
    graph = ADMG.of(directed=[("L", "X"), ("X", "Y"), ("L", "Y")], bidirected=[("X", "Y")])
    access = OtherPrompts(("L",), only_labels_differ=True)
    found = gate("P(y | do(x))", graph, access).identifiable
    assert isinstance(found, Identified) and found.query == parse_question("P(y | do(x))", graph)
    assert str(found.estimand) == "sum[l](P[x,y](l) * P{known}[x](y|l))"
    assert "estimate by plug-in" in str(gate("P(y | do(x))", graph, access))  # from two populations
    # What drives a label may differ with it, and the label alone does not tell.
    driven = ADMG.of(directed=[("X", "Y"), ("Y", "L")], bidirected=[("Y", "L")])
    assert gate("P(y | do(x), l)", driven, access).rows[0].is_identified is False


def test_labels_that_are_not_in_a_diagram_are_refused() -> None:
    for only in (True, False):
        with pytest.raises(UnknownMediatorError, match="Q"):
            gate("P(y | do(x))", FRONT_DOOR, OtherPrompts(("Q",), only_labels_differ=only))


def test_other_weights_say_what_is_unchanged() -> None:
    inner = "nie(L0.H1; outcome=logit_difference{L1.resid_post})"
    answer = gate(inner, NETWORK, OtherWeights(("L2.mlp",)))
    assert answer.weights is not None and answer.weights.unchanged == ("L0.H1",)
    assert "every row is proved unchanged" in str(answer)
    outer = gate(PATCH, NETWORK, OtherWeights(("L2.mlp",)))
    assert outer.weights is not None and outer.weights.unchanged == ()
    assert 0 < outer.weights.shared < outer.weights.calls


# -- access --------------------------------------------------------------------------------------


def test_words_stand_for_access_where_they_say_all() -> None:
    assert read_access("full") == FullAccess() and read_access("logs") == Logs()
    for word in ("partial", "other", "none", 3):
        with pytest.raises(ParameterError):
            read_access(word)  # type: ignore[arg-type]  # what a user may write


@pytest.mark.parametrize(
    "make",
    [
        lambda: PartialAccess("L1.H0"),  # type: ignore[arg-type]  # a name for names
        lambda: Logs("M"),  # type: ignore[arg-type]
        lambda: Logs(("M",), randomised=(3,)),  # type: ignore[arg-type]
        lambda: Flag("S", "M"),  # type: ignore[arg-type]
        lambda: OtherWeights("M"),  # type: ignore[arg-type]
        lambda: OtherPrompts("template"),  # type: ignore[arg-type]
    ],
)
def test_a_name_in_place_of_names_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ParameterError):
        make()


def test_queries_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TermError):
        gate(nie(SMALL.find("M"), outcome=value_of("Y")), FRONT_DOOR)
    with pytest.raises(TermError, match="other weights"):
        gate("P(y | do(x))", FRONT_DOOR, OtherWeights(("M",)))
    with pytest.raises(ParameterError, match="is no graph"):
        gate(PATCH, "graph")  # type: ignore[arg-type]  # what a user may write
    with pytest.raises(UnknownMediatorError):
        gate(PATCH, NETWORK, PartialAccess(("L9.H9",)))


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (FullAccess(), "full access"),
        (PartialAccess(("A",), ("B",)), "access to A, reading of B"),
        (Logs(("A",), ("label",), ("A", Flag("S", ("A",)))), "logs of A, label, S, with A drawn"),
        (OtherPrompts(("c",)), "results on other prompts than those asked about of which c"),
        (OtherWeights(("A", "B")), "results on a network that differs in 2 mechanisms"),
        (Flag("S", ("A",), ("B",)), "S -> A, S <-> B"),
    ],
)
def test_access_is_told_in_words(access: object, words: str) -> None:
    assert str(access).startswith(words)


def test_a_network_may_be_asked_about_its_nodes() -> None:
    graph = plain_graph({"X": (), "A": ("X",), "B": ("X", "A"), "Y": ("A", "B")})
    run = gate("P(y | do(a))", graph)
    assert isinstance(run.computable, RunIt) and run.computable.worlds == 1
    told = gate("P(y | do(a))", graph, "logs")
    assert not told.is_identified and "the prompt drives both A and Y" in str(told)
    assert gate("P(y | do(a), x)", graph, "logs").is_identified


def test_notebooks_show_both_verdicts_and_typeset_formulas() -> None:
    html = gate("P(y | do(x))", FRONT_DOOR, "logs")._repr_html_()
    assert html.startswith("<pre>QUERY") and "P(y | do(x))" in html
    assert r"$\displaystyle" in html and r"\sum" in html
    odd = plain_graph({"X": (), "<i>": ("X",), "Y": ("<i>",)})
    escaped = gate(nie(odd.find("<i>"), outcome=value_of("Y")), odd)._repr_html_()
    assert "<i>" not in escaped and "&lt;i&gt;" in escaped and "$" not in escaped
