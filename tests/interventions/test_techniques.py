"""The techniques of the field, as terms: published definitions, and worked examples."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs import Mediator, TransformerShape, plain_graph, transformer_graph
from causalnet.graphs.paths import PathSet
from causalnet.interventions import (
    Ablation,
    AblationKind,
    Apply,
    At,
    Base,
    Const,
    Contrast,
    Dictionary,
    Do,
    Edge,
    Grad,
    Handle,
    Hypothesis,
    Interpreted,
    MediatorSet,
    Node,
    Op,
    Query,
    Read,
    Self,
    Subspace,
    Twins,
    Value,
    World,
    acdc_step,
    attention_knockout,
    attention_redirect,
    attribution_patch,
    causal_diagram,
    causal_scrubbing,
    causal_trace,
    cde,
    check_operation,
    check_query,
    contrastive_steering,
    denoising,
    direct_logit_attribution,
    held,
    importance,
    integrated_gradients,
    interactions,
    interchange_accuracy,
    joint,
    layers_of,
    logit_diff,
    logit_lens,
    mean_difference,
    mi,
    nie,
    noising,
    nonlinear,
    parse_query,
    parse_scalar,
    path_patch,
    per_total_effect,
    pn,
    pns,
    ps,
    pse,
    sae_feature_patch,
    shapley,
    steering,
    subspace_patch,
    tie,
    transcoder_edge,
    undifferentiated_attention,
    value_of,
    windows,
    without_edge,
)
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.random_models import relu_scm
from causalnet.interventions.spelling import name_text
from tests.interventions.technique_cases import (
    BASE,
    DIAMOND,
    HEAD,
    MLP,
    NET,
    QUERY,
    SOURCE,
    VECTOR,
    Rule,
    fields,
    linear,
    logits,
    patched_world,
    values,
)

DICTIONARY = Dictionary(Handle("W_enc", "1"), Handle("W_dec", "2"), bias=Handle("b", "3"))

FEATURES = transformer_graph(
    TransformerShape(3, 2, 2, 4, 2, 4, 5), grain="features", dictionaries={0: 6, 2: 6}
)
EVERY: dict[str, Query] = {
    "noising": noising([HEAD, MLP], at="end"),
    "denoising": denoising([HEAD, MLP], at="end"),
    "subspace": subspace_patch(MLP, VECTOR, (0, 2), at="S2"),
    "features": sae_feature_patch(MLP, DICTIONARY, (17, 3)),
    "steering": steering(MLP, VECTOR, 2.0),
    "caa": contrastive_steering(MLP, 0.5),
    "interchange accuracy": interchange_accuracy(MLP),
    "path, receiver only": path_patch(HEAD, [QUERY, MLP]),
    "path, heads frozen": path_patch(
        HEAD, QUERY, convention="heads-frozen", frozen=NET.heads(), at="end"
    ),
    "acdc": acdc_step([Edge("L0.H1", "logits")], without_edge(BASE, Edge("L1.mlp", "logits"))),
    "tracing": causal_trace(windows(NET.mlps(), 2), ("S1", "S2"), sigma=0.3, draws=2),
    "knock-out": attention_knockout(HEAD, ("S2", 0), at="end"),
    "redirect": attention_redirect(HEAD, ("S1", "S2"), weights=(0.25, 0.75)),
    "undifferentiated": undifferentiated_attention(HEAD),
    "atp": attribution_patch([HEAD, joint("two", HEAD, MLP)]),
    "eap": attribution_patch(Edge("L0.H1", "L2.H0.q", ("end",))),
    "ig": integrated_gradients(HEAD, along="activations", steps=2),
    "eap-ig": integrated_gradients(Edge("L0.H1", "L2.H0.q"), rule="right"),
    "dla": direct_logit_attribution([HEAD, MLP], norm="frozen"),
    "dla, recomputed": direct_logit_attribution([HEAD, MLP], norm="recomputed"),
    "transcoder": transcoder_edge(
        FEATURES.find("L0.mlp.f2"),
        FEATURES.find("L2.mlp.f1"),
        held=[*nonlinear(FEATURES), FEATURES.find("L1.mlp")],
        at="end",
    ),
    "lens": logit_lens([NET.find("L1.resid_post")]),
    "scrubbing": causal_scrubbing(
        Hypothesis((Interpreted("out", "logits", "answer", ("h",)), Interpreted("h", "L0.H1", "x")))
    ),
}


def worlds_in(query: Query) -> set[World]:
    """Every world of a query, those that values are read in included."""
    found: set[World] = set()
    waiting: list[World] = [read.world for read in query.reads]
    while waiting:
        world = waiting.pop()
        if world not in found:
            found.add(world)
            waiting += [at.world for op in values_in(world) for at in parts(op, At)]
    return found


def values_in(world: World) -> list[Value]:
    return [value for layer in layers_of(world)[1] for _, value in layer]


def parts(value: Value, kind: type) -> list[Any]:
    inside = (
        [part for each in value.arguments for part in parts(each, kind)]
        if (isinstance(value, Op))
        else []
    )
    return [*([value] if isinstance(value, kind) else []), *inside]


@pytest.mark.parametrize("name", EVERY)
def test_every_technique_is_text_and_says_its_conventions(name: str) -> None:
    query = EVERY[name]
    conventions, *rows = str(query).splitlines()
    assert conventions.endswith(f"# {query.sign} = {query.subtraction}")
    assert f"; {query.direction}; {query.sign}; scale raw; " in conventions
    assert name_text(query.convention) in conventions or not query.convention
    assert ("estimator exact" in conventions) == (query.error == "")
    assert name_text(query.error) in conventions or not query.error
    assert len(rows) == len(query.contrasts)
    for label, scalar in query.contrasts:
        assert parse_scalar(str(scalar)) == scalar
        assert label
    assert len(query.treated) == len(query.contrasts)


@pytest.mark.parametrize("name", EVERY)
def test_every_operation_is_described(name: str) -> None:
    query = EVERY[name]
    along = [leaf.along for leaf in query.leaves if isinstance(leaf, Grad)]
    values = [value for world in worlds_in(query) for value in values_in(world)]
    for value in (*along, *values):
        for operation in parts(value, Op):
            check_operation(operation)


BETWEEN = PathSet.through_each(causal_diagram(NET), "L0.H1.z", "logits", ["L2.H0.q"])
CONTRASTS: dict[str, Query] = {
    "ratio of means": per_total_effect(tie(HEAD)),
    "ratio prompt by prompt": per_total_effect(nie(HEAD), "prompt by prompt"),
    "importance": importance(nie(HEAD)),
    "held": held(nie(HEAD), nonlinear(NET)),
    "via": nie(HEAD, via=QUERY),
    "paths": pse(BETWEEN, logit_diff),
    "necessity": pn(HEAD, twins=Twins(Base("base", "u"), Base("source", "u"))),
    "sufficiency": ps(HEAD),
    "both": pns(),
    "shapley": shapley([HEAD, MLP]),
    "shapley, sampled": shapley([HEAD, MLP], permutations=3),
    "interactions": interactions([HEAD, MLP]),
    "mediated interaction": mi(HEAD),
    "controlled": cde(HEAD, Ablation(AblationKind.ZERO)),
}


@pytest.mark.parametrize("name", [*EVERY, *CONTRASTS])
def test_every_query_is_well_typed_and_read_back_as_it_is(name: str) -> None:
    query = {**EVERY, **CONTRASTS}[name]
    graph = FEATURES if name == "transcoder" else NET
    check_query(query, graph)
    assert parse_query(str(query), graph) == query


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (Op("nonsense", (Self(),)), "No operation nonsense/v1"),
        (Op("scale", (Self(),), (("factor", 2.0),), version=2), "No operation scale/v2"),
        (Op("add", (Self(),)), "add was given 1 arguments"),
        (Op("scale", (Self(),)), "scale was given no factor"),
        (Op("subtract", (Self(), Const()), (("factor", 1.0),)), "subtract was given factor"),
        (Op("scale", (Self(),), (("factor", "much"),)), "factor=much.*It is number"),
        (Op("mask_pattern", (Self(),), (("keys", "S2,,3"),)), "keys=S2,,3.*It is positions"),
        (
            Op("redirect", (Self(),), (("keys", "S2"), ("weights", "x"))),
            "weights=x.*It is numbers",
        ),
        (
            Op(
                "sae_feature_patch",
                (Self(), Self()),
                (("features", "1"), ("encoder", "W"), ("decoder", VECTOR)),
            ),
            "encoder=W.*It is handle",
        ),
    ],
)
def test_operations_that_do_not_fit_their_description(operation: Op, told: str) -> None:
    with pytest.raises(TermError, match=told):
        check_operation(operation)


def gate(kind: str) -> SCM:
    """A and B into a two-unit ReLU network: and, or."""
    rules: dict[str, Rule] = {
        "and": lambda slots: max(slots["A"] + slots["B"] - 1, 0),
        "or": lambda slots: 1 - max(1 - slots["A"] - slots["B"], 0),
    }
    graph = plain_graph({"A": (), "B": (), "Y": ("A", "B")})
    inputs = {"base": {"A": 1, "B": 1}, "source": {"A": 0, "B": 0}}
    return SCM(graph, {"Y": rules[kind]}, inputs)


@pytest.mark.parametrize(
    ("kind", "noised", "restored"),
    [("and", [-1, -1, -1], [0, 0, 1]), ("or", [0, 0, -1], [1, 1, 1])],
)
def test_noising_finds_and_denoising_finds_or(
    kind: str, noised: list[int], restored: list[int]
) -> None:
    model = gate(kind)
    a, b = model.graph.find("A"), model.graph.find("B")
    rows: list[Mediator | MediatorSet] = [a, b, joint("both", a, b)]
    assert values(noising(rows, outcome=value_of("Y")), model) == noised
    assert values(denoising(rows, outcome=value_of("Y")), model) == restored
    fractions = per_total_effect(denoising(rows, outcome=value_of("Y")), "prompt by prompt")
    assert values(fractions, model) == restored


def test_importance_is_the_negative_and_says_so() -> None:
    model = gate("and")
    query = noising(model.graph.find("A"), outcome=value_of("Y"))
    negative = importance(query)
    assert values(negative, model) == [1]
    assert str(negative).splitlines()[0].endswith("# importance = -(patched - unpatched)")
    assert str(query).splitlines()[0].endswith("# effect = patched - unpatched")
    with pytest.raises(TermError, match="importances already"):
        importance(negative)


def test_fractions_say_what_is_divided_by_what() -> None:
    query = per_total_effect(tie(HEAD))
    assert query.scale == "per total effect, ratio of means"
    assert query.denominator == Contrast(
        ((1.0, Read(logit_diff, BASE)), (-1.0, Read(logit_diff, SOURCE)))
    )
    assert "divided by logit_difference(<base>) - logit_difference(<source>)" in str(query)
    assert Read(logit_diff, BASE) in query.leaves
    by_prompt = per_total_effect(nie(HEAD), "prompt by prompt")
    [(_, ratio)] = by_prompt.contrasts
    assert isinstance(ratio, Apply)
    assert ratio.name == "ratio"
    assert by_prompt.denominator is None
    with pytest.raises(TermError, match="can be divided"):
        per_total_effect(query)
    with pytest.raises(TermError, match="There are 'of means'"):
        per_total_effect(nie(HEAD), "of medians")  # type: ignore[arg-type]  # the mistake


def test_a_subspace_and_its_complement_are_the_whole() -> None:
    model = relu_scm(NET, 2)
    whole = value_of("logits")
    part, rest = (patched_world(subspace_patch(MLP, VECTOR, c)) for c in ((0,), (1, 2)))
    assert isinstance(rest, Do)
    both = Do(part, rest.assignments)
    np.testing.assert_allclose(
        model.scalar(Read(whole, both)), logits(noising(MLP, outcome=whole), model)
    )
    np.testing.assert_allclose(
        logits(subspace_patch(MLP, VECTOR, (0, 1, 2), outcome=whole), model),
        logits(noising(MLP, outcome=whole), model),
    )
    assert not np.allclose(model.scalar(Read(whole, part)), model.scalar(Read(whole, both)))


def test_dictionaries_know_their_activation() -> None:
    with pytest.raises(TermError, match="'jumprelu' with a threshold"):
        Dictionary(VECTOR, VECTOR, activation="jumprelu")
    with pytest.raises(TermError, match="activation 'relu'"):
        Dictionary(VECTOR, VECTOR, top=3)
    with pytest.raises(TermError, match="activation 'gelu'"):
        Dictionary(VECTOR, VECTOR, activation="gelu")
    for features in ((), (1, 1), (-1,)):
        with pytest.raises(TermError, match="At least one, none twice"):
            sae_feature_patch(MLP, DICTIONARY, features)
    parameters = dict(Dictionary(VECTOR, VECTOR, activation="topk", top=8).parameters((3, 1)))
    assert parameters == {
        "features": "1,3",
        "encoder": VECTOR,
        "decoder": VECTOR,
        "activation": "topk",
        "top": 8,
    }


def test_steering_by_the_mean_difference_undoes_it_in_a_linear_model() -> None:
    """One pair: the source plus (base - source) is the base."""
    model = linear(DIAMOND, 3)
    node = DIAMOND.find("A")
    difference = model.value("A", BASE) - model.value("A", SOURCE)
    bound = SCM(**{**fields(model), "constants": {mean_difference(node): difference}})
    steered = values(contrastive_steering(node, outcome=value_of("Y")), bound)
    restored = values(denoising(node, outcome=value_of("Y")), bound)
    np.testing.assert_allclose(steered, restored)
    halved = values(contrastive_steering(node, 0.5, outcome=value_of("Y")), bound)
    np.testing.assert_allclose(halved, 0.5 * np.array(steered))
    assert mean_difference(node, "S2") != mean_difference(node)


def test_interchange_accuracy_asks_the_high_level_model() -> None:
    """Y = A + B in both models; aligned with A, interchanges agree, with B they do not."""
    graph = plain_graph({"A": (), "B": (), "Y": ("A", "B")})
    inputs = {"base": {"A": 1, "B": 10}, "source": {"A": 2, "B": 20}}
    answers = {"answers": 11, "interchange": 2 + 10}
    scored = {"accuracy": lambda readout, value, _: float(value == answers[readout.answers])}
    model = SCM(graph, {"Y": lambda slots: slots["A"] + slots["B"]}, inputs, readouts=scored)

    def accuracy_of(name: str) -> float:
        [(_, read)] = interchange_accuracy(graph.find(name)).contrasts
        assert isinstance(read, Read)
        assert read.readout.node == "logits"
        at_y = Read(replace(read.readout, node="Y"), read.world)
        return float(model.scalar(at_y))

    assert (accuracy_of("A"), accuracy_of("B")) == (1, 0)
    aligned = interchange_accuracy(MLP, part=Subspace(VECTOR, (0,)))
    assert patched_site(aligned) == Node("L1.mlp", (), Subspace(VECTOR, (0,)))


def patched_site(query: Query) -> Any:
    [(_, read)] = query.contrasts
    assert isinstance(read, Read)
    return layers_of(read.world)[1][0][0][0]
