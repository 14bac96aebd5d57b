"""Logs: formulas hold on networks that were run on every prompt; if there is none, it says why."""

from itertools import product
from random import Random

import numpy as np
import pytest

from causalnet.errors import GraphError, TermError, UnknownMediatorError
from causalnet.graphs import TransformerShape, plain_graph, transformer_graph
from causalnet.graphs.admg import ADMG
from causalnet.identification.answers import Bounds, Hedge, Identified, NotIdentified
from causalnet.identification.evaluation import evaluate
from causalnet.identification.expressions import Prob
from causalnet.identification.networks.access import Flag, Logs
from causalnet.identification.networks.diagrams import network_diagram
from causalnet.identification.networks.logs import (
    FromLogs,
    NotInLogs,
    from_logs,
    what_logs_give,
)
from causalnet.identification.networks.world_questions import places_of, questions_of
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Counterfactual, Effect, PathSpecific, variables_in
from causalnet.identification.sources import Distribution
from causalnet.identification.values import symbol
from causalnet.interventions import (
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Grad,
    Indices,
    Node,
    Op,
    Query,
    Read,
    Scalar,
    Self,
    Value,
    World,
    nie,
    parse_query,
    te,
    value_of,
)
from tests.identification.small_networks import ONE, SmallNetwork, flipped, random_parents, set_to

BASE, SOURCE = Base("base"), Base("source")
SMALL = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("X", "M", "Z")})
NETWORK = transformer_graph(TransformerShape(3, 2, 2, 8, 4, 16, 11))


def row(scalar: Scalar) -> Query:
    return Query("CONTRAST", (("row", scalar),), ((),), value_of("Y"), (), None, "noising")


def asked(
    world: World, logs: Logs, node: str = "Y", network: SmallNetwork | None = None
) -> FromLogs:
    graph = SMALL if network is None else network.graph
    (found,) = from_logs(row(Read(value_of(node), world)), graph, logs)
    return found


# -- laws ----------------------------------------------------------------------------------------


def test_formulas_with_support_are_right_on_networks_that_were_run() -> None:
    """P(y given do(m)) and P(y{m'} given m) by formula, against running every prompt and noise."""
    compared = {Effect: 0, Counterfactual: 0}
    for seed in range(110):
        random = Random(seed)
        parents, noise = random_parents(random, random.randint(3, 5))
        network = SmallNetwork.of(parents, noise, seed)
        names = [name for name in parents if name not in noise]
        m, y = (names[at] for at in sorted(random.sample(range(len(names)), 2)))
        observed = tuple(name for name in names if name in (m, y) or random.random() < 0.7)
        for world in (set_to(Node(m), 1), flipped(m)):
            found = asked(world, Logs(observed), y, network)
            if found.is_supported and found.question is not None:
                compared[type(found.question)] += compare(network, found, m, y, observed)
    assert compared[Effect] > 40 and compared[Counterfactual] > 40


def compare(
    network: SmallNetwork, found: FromLogs, m: str, y: str, observed: tuple[str, ...]
) -> int:
    """Compare a formula with what running gives, at every level; return how often."""
    assert isinstance(found.verdict, Identified) and found.question is not None
    table, count = network.table(observed), 0
    told = evaluate(found.verdict.estimand, {Distribution(): table})
    steered = isinstance(found.question, Counterfactual)
    inputs = [name for name in variables_in(found.question) if name not in (m, y)]
    for level, *known in product(range(2), repeat=1 + len(inputs)):
        given = dict(zip(inputs, known, strict=True)) | ({m: level} if steered else {})
        truth = network.outcome(y, set_to(Node(m), 1 - level if steered else level), given)
        at = {axis: 0 for axis in told.axes}
        at |= {symbol(name): value for name, value in {**given, m: level}.items()}
        at |= {symbol(m, 1): 1 - level}
        got = np.array([told.at({**at, symbol(y): each}) for each in range(2)])
        if not np.isnan(got).any() and not np.isnan(truth).any():
            np.testing.assert_allclose(got, truth, atol=1e-9)
            count += 1
    return count


def test_path_specific_formulas_are_right_on_networks_that_were_run() -> None:
    """An edge carries one level of M and all else is at another, against running it."""
    compared = 0
    for seed in range(300):
        random = Random(seed)
        parents, noise = random_parents(random, random.randint(3, 5))
        network = SmallNetwork.of(parents, noise, seed)
        names = [name for name in parents if name not in noise]
        edges = [(a, b) for b in names for a in parents[b] if a in names and b != names[-1]]
        if not edges:
            continue
        m, child = random.choice(edges)
        y = random.choice(names[names.index(child) :])
        observed = tuple(name for name in names if name in (m, y) or random.random() < 0.8)
        world = Do(BASE, ((Edge(m, child), Const()),))
        found = asked(world, Logs(observed), y, network)
        if not (found.is_supported and isinstance(found.question, PathSpecific)):
            continue
        assert isinstance(found.verdict, Identified)
        told = evaluate(found.verdict.estimand, {Distribution(): network.table(observed)})
        for level in range(2):
            held, sent = (Const(ONE) if each else Const() for each in (level, 1 - level))
            both = Do(Do(BASE, ((Node(m), held),)), ((Edge(m, child), sent),))
            truth = network.outcome(y, both)
            at = {axis: 0 for axis in told.axes}
            at |= {symbol(m): level, symbol(m, 1): 1 - level}
            got = np.array([told.at({**at, symbol(y): each}) for each in range(2)])
            if not np.isnan(got).any():
                np.testing.assert_allclose(got, truth, atol=1e-9)
                compared += 1
    assert compared > 40


def test_natural_bounds_hold_on_networks_that_were_run() -> None:
    bounded = 0
    for seed in range(60):
        random = Random(seed)
        parents, noise = random_parents(random, 4)
        network = SmallNetwork.of(parents, noise, seed)
        names = [name for name in parents if name not in noise]
        m, y = names[1], names[3]
        found = asked(set_to(Node(m), 1), Logs((m, y)), y, network)
        if found.bounds is None:
            continue
        bounded += 1
        for level in range(2):
            truth = network.outcome(y, set_to(Node(m), level))
            table = {Distribution(): network.table((m, y))}
            limits = (found.bounds.lower[0], found.bounds.upper[0])
            lower, upper = (evaluate(each, table) for each in limits)
            for value in range(2):
                at = {symbol(m): level, symbol(y): value}
                assert lower.at(at) - 1e-12 <= truth[value] <= upper.at(at) + 1e-12
    assert bounded > 20


def test_the_projection_without_noise_has_no_arc_below_what_was_recorded() -> None:
    """In a network a hidden node that recorded ones determine confounds nothing."""
    for seed in range(40):
        parents, noise = random_parents(Random(seed), 5)
        graph = plain_graph(parents, noise)
        inputs = [name for name in parents if not parents[name]]
        others = [name for name in parents if parents[name]]
        kept = [name for at, name in enumerate(others) if (seed >> at) & 1]
        diagram = network_diagram(graph, Logs((*inputs, *kept)))
        arcs = set(diagram.graph.bidirected)
        assert all({a, b} <= set(inputs) for a, b in arcs)  # only the prompt drives two of them


# -- what logs give, case by case ----------------------------------------------------------------


def test_a_patch_effect_is_not_identified_and_says_why() -> None:
    found = from_logs(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, Logs(("M", "Y")))[0]
    assert isinstance(found.verdict, NotIdentified)
    assert isinstance(found.verdict.witness, Hedge)
    assert found.reasons == ("the prompt drives both M and Y, and it is not recorded",)
    assert "M <-> Y" in str(found) and "hedge {M, Y}" in str(found)
    assert isinstance(found.bounds, Bounds)


def test_a_label_of_the_prompt_is_not_enough() -> None:
    query = nie(SMALL.find("M"), outcome=value_of("Y"))
    labelled = from_logs(query, SMALL, Logs(("M", "Y"), prompt_observed=("condition",)))[0]
    assert not labelled.is_identified
    chosen = Logs(("M", "Y"), randomised=(Flag("condition", ("prompt",)),))
    assert not from_logs(query, SMALL, chosen)[0].is_identified


@pytest.mark.parametrize("logs", [Logs(("M", "Y"), ("prompt",)), Logs(("X", "M", "Y"))])
def test_the_prompt_itself_identifies_and_leaves_no_support(logs: Logs) -> None:
    found = from_logs(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, logs)[0]
    assert found.is_identified and not found.is_supported
    assert found.suggestion is not None
    assert "determine" in found.suggestion.positivity[0]


def test_a_complete_cut_is_a_back_door_set_without_support() -> None:
    query = parse_query("nie(L2.H1; at=end)", NETWORK)
    whole = Logs(("L1.resid_post", "L2.H1[end]", "logit_difference"))
    found = from_logs(query, NETWORK, whole)[0]
    assert isinstance(found.verdict, Identified)
    adjusts = {v.variable for v in found.verdict.estimand.free}
    assert adjusts == {"L2.H1.end", "logit_difference"}
    assert "L1.resid_post determines L2.H1.end" in str(found)
    one = Logs(("L1.resid_post[end]", "L2.H1[end]", "logit_difference"))
    assert not from_logs(query, NETWORK, one)[0].is_identified  # other positions are not recorded


def test_a_cut_above_the_patch_is_no_back_door_set_for_what_lies_before_it() -> None:
    query = parse_query("nie(L0.H1; at=end)", NETWORK)
    logs = Logs(("L1.resid_post", "L0.H1[end]", "logit_difference"))
    assert not from_logs(query, NETWORK, logs)[0].is_identified


def test_the_output_of_a_head_stands_for_its_z() -> None:
    query = parse_query("nie(L2.H1)", NETWORK)
    for name in ("L2.H1", "L2.H1.z"):
        found = from_logs(query, NETWORK, Logs((name, "logits"), randomised=(name,)))[0]
        assert found.is_supported
        assert str(found.question) == "P(logit_difference=y | do(l2.h1))"


def test_a_value_drawn_at_random_gives_its_effect() -> None:
    query = nie(SMALL.find("M"), outcome=value_of("Y"))
    found = from_logs(query, SMALL, Logs(("M", "Y"), randomised=("M",)))[0]
    assert isinstance(found.verdict, Identified) and found.is_supported
    assert str(found.verdict.estimand) == "P[m](y)"


def test_a_fair_flag_gives_its_own_effect_and_not_that_of_what_it_acts_on() -> None:
    logs = Logs(("M", "Y"), randomised=(Flag("S", ("M",)),))
    own = from_logs(Effect((symbol("Y"),), (symbol("S"),)), SMALL, logs)[0]
    assert isinstance(own.verdict, Identified) and str(own.verdict.estimand) == "P(y|s)"
    assert not from_logs(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, logs)[0].is_identified


def test_a_flag_driven_by_the_traffic_is_identified_through_all_that_it_acts_through() -> None:
    """The comb: S -> T -> Y with a hidden cause of S and Y; the plain conditional is wrong."""
    graph = ADMG.of(directed=[("T", "Y")])
    logs = Logs(("T", "Y"), randomised=(Flag("S", ("T",), driven_with=("Y",)),))
    question = Effect((symbol("Y"),), (symbol("S"),))
    found = from_logs(question, graph, logs)[0]
    assert isinstance(found.verdict, Identified)
    off = []
    for seed in range(50):
        model = RandomModel.of(found.verdict.graph, seed)
        truth = model.truth(question)
        told = evaluate(found.verdict.estimand, model.tables)
        plain = evaluate(Prob((symbol("Y"),), (symbol("S"),)), model.tables)
        for level in range(2):
            at = {symbol("S"): level, symbol("Y"): 1}
            assert told.at(at) == pytest.approx(truth.at(at), abs=1e-12)
            off.append(abs(plain.at(at) - truth.at(at)))
    assert np.median(off) > 0.002
    without = from_logs(question, graph, Logs(("Y",), randomised=logs.randomised))[0]
    assert not without.is_identified


def test_the_total_effect_needs_to_know_which_prompt_a_row_is_of() -> None:
    query = te(value_of("Y"))
    assert isinstance(from_logs(query, SMALL, Logs(("M", "Y")))[0].verdict, NotInLogs)
    (found,) = from_logs(query, SMALL, Logs(("M", "Y"), ("prompt",)))
    assert found.is_supported and str(found.question) == "P(y | do(prompt=p))"


def test_what_is_not_recorded_is_named() -> None:
    found = from_logs(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, Logs(("Z", "Y")))[0]
    assert isinstance(found.verdict, NotInLogs) and found.verdict.missing == ("M",)
    assert "record M" in str(found)


def test_nothing_named_means_all_that_the_query_names() -> None:
    found = from_logs(nie(SMALL.find("M"), outcome=value_of("Y")), SMALL, Logs())[0]
    assert isinstance(found.verdict, NotIdentified) and set(found.verdict.graph.nodes) == {"M", "Y"}


# -- worlds as questions -------------------------------------------------------------------------


def question_of(world: World, *observed: str) -> str:
    scalar = Read(value_of("Y"), world)
    logs = Logs(observed or ("X", "M", "Z", "Y"))
    diagram = network_diagram(SMALL, logs, places_of(scalar, SMALL), [value_of("Y")])
    (found,) = questions_of(scalar, SMALL, diagram)
    return str(found.question) if found.question is not None else found.reason


def patched(*assignments: tuple[Node | Edge, Value]) -> World:
    return Do(BASE, assignments)


@pytest.mark.parametrize(
    ("world", "question"),
    [
        (BASE, "P(y)"),
        (patched((Node("M"), Const())), "P(y | do(m))"),
        (patched((Node("M"), At("M", SOURCE)), (Node("Z"), Const())), "P(y | do(m, z))"),
        (patched((Node("M"), Op("add", (Self(), Const())))), "P(y{m'} | m)"),
        (patched((Node("M"), At("M", BASE))), "P(y)"),
        (patched((Edge("M", "Z"), At("M", SOURCE))), "P(y | do(m' along M -> Z, Z -> Y; m))"),
        (
            patched((Node("M"), At("M", SOURCE)), (Node("Z"), At("Z", BASE))),
            "P(y | do(m' along M -> Y; m))",
        ),
        (
            patched((Node("Z"), At("Z", patched((Node("M"), At("M", SOURCE)))))),
            "P(y{Z{m'}})",
        ),
        (patched((Node("Y"), Const())), "it sets the outcome itself"),
        (
            patched((Node("M", (), Indices("feature", (0,))), Const())),
            "M[*; feature 0] sets a part, for which no variable stands",
        ),
    ],
)
def test_each_kind_of_world_is_a_question(world: World, question: str) -> None:
    observed = ("M", "Z", "Y")
    assert question_of(world, *observed) == question


def test_an_edge_that_the_log_cannot_tell_from_others_is_named() -> None:
    told = question_of(patched((Edge("M", "Z"), At("M", SOURCE))), "M", "Y")
    assert "paths from M to Y on which the patch acts, and others" in told
    assert told.endswith("such as Z")


def test_a_patch_on_a_recorded_prompt_is_asked_of_each_prompt() -> None:
    assert question_of(patched((Node("M"), Const()))) == "P(y | do(m), x)"


def test_path_specific_questions_are_answered_by_their_formula() -> None:
    graph = plain_graph({"M": (), "Z": ("M",), "W": ("M",), "Y": ("Z", "W")})
    world = Do(BASE, ((Edge("M", "Z"), At("M", SOURCE)),))
    (found,) = from_logs(row(Read(value_of("Y"), world)), graph, Logs(("M", "Z", "W", "Y")))
    assert isinstance(found.question, PathSpecific) and found.is_identified
    assert not found.is_supported  # M determines Z


def test_a_derivative_is_in_no_distribution() -> None:
    scalar = Grad(Read(value_of("Y"), BASE), Node("M"), Const())
    found = from_logs(row(scalar), SMALL, Logs())[0]
    assert isinstance(found.verdict, NotInLogs) and "derivative" in found.verdict.reason


def test_both_worlds_of_a_contrast_are_asked() -> None:
    one, other = patched((Node("M"), Const())), patched((Node("Z"), Const()))
    scalar = Contrast(((1.0, Read(value_of("Y"), one)), (-1.0, Read(value_of("Y"), other))))
    found = from_logs(row(scalar), SMALL, Logs(("M", "Z", "Y")))
    assert [str(each.question) for each in found] == ["P(y | do(m))", "P(y | do(z))"]


# -- refusals ------------------------------------------------------------------------------------


def test_names_that_are_not_there_are_refused() -> None:
    query = nie(SMALL.find("M"), outcome=value_of("Y"))
    with pytest.raises(UnknownMediatorError):
        from_logs(query, SMALL, Logs(("M", "Q")))
    with pytest.raises(GraphError, match="flag M has the name of a node"):
        from_logs(query, SMALL, Logs(("M", "Y"), randomised=(Flag("M", ("Z",)),)))
    with pytest.raises(TermError, match="may be the same position"):
        from_logs(query, SMALL, Logs(("M[end]", "M[3]", "Y")))
    with pytest.raises(TermError, match="about the graph of a network"):
        from_logs(query, ADMG.of(directed=[("M", "Y")]), Logs())
    with pytest.raises(GraphError, match="stands for what drives all inputs"):
        network_diagram(plain_graph({"prompt": ()}), Logs(("prompt",)))


def test_a_graph_too_large_for_its_edges_is_refused() -> None:
    neurons = transformer_graph(TransformerShape(30, 9, 3, 576, 64, 300, 49152), "neurons")
    with pytest.raises(GraphError, match="edges"):
        from_logs(parse_query("te()", neurons), neurons, Logs())


def test_other_read_outs_may_be_recorded_and_lenses_read_cuts() -> None:
    logs = Logs(("L1.H0[end]", "logit_difference", "accuracy"))
    (found,) = from_logs(parse_query("nie(L1.H0; at=end; outcome=loss)", NETWORK), NETWORK, logs)
    assert isinstance(found.verdict, NotInLogs) and found.verdict.missing == ("loss",)
    (read,) = from_logs(parse_query("logit_lens(L1.resid_post)", NETWORK), NETWORK, Logs())
    assert read.is_supported and str(read.question) == "P(logit_difference.L1.resid_post=y)"


def test_the_table_of_what_to_expect_agrees_with_the_gate() -> None:
    rows = what_logs_give()
    assert len({each.logs for each in rows}) == len(rows) == 8
    assert "prompt drives the mediator and the output" in str(rows[0])
