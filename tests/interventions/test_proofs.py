"""Every effect that is called zero is zero; the reasons are those of the textbook cases."""

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from causalnet.graphs import (
    Axis,
    MediatorGraph,
    Role,
    TransformerShape,
    plain_graph,
    transformer_graph,
)
from causalnet.interventions import (
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Facts,
    Grad,
    Node,
    Op,
    Read,
    Reason,
    Self,
    Site,
    Value,
    World,
    logit_diff,
    value_of,
    zero_effects,
)
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.random_models import hash_scm, relu_scm
from tests.interventions import random_terms
from tests.interventions.random_terms import NAMED

BASE, SOURCE = Base("base"), Base("source")
AXES = (Axis("batch", Role.BATCH), Axis("pos", Role.CAUSAL), Axis("feature", Role.FREE, 3))
FACTS = Facts(
    equal_prefix=(("base", "source", 1),), columns=(("S1", 0), ("S2", 1), ("end", 2)), length=3
)
ROW = {"S1": 0, "S2": 1, "end": 2}


def causal(graph: MediatorGraph) -> MediatorGraph:
    """The graph with a causal axis of positions on every node."""
    return replace(graph, nodes=tuple(replace(node, axes=AXES) for node in graph.nodes))


def effect(outcome: str, world: World, other: World, at: str | int) -> Contrast:
    readout = value_of(outcome, at)
    return Contrast(((1.0, Read(readout, world)), (-1.0, Read(readout, other))))


def agreeing(model: SCM) -> SCM:
    """The model with inputs that agree at the first position."""

    def given(node: str, name: str) -> np.ndarray:
        own = np.array(model.input(node, name))
        first = np.array(model.input(node, "base"))
        own[:1] = first[:1]
        return own

    return replace(model, inputs=given)


def cases(count: int) -> Iterator[tuple[MediatorGraph, list[tuple[str, Contrast]]]]:
    for seed in range(9_000, 9_000 + count):
        rng = random.Random(seed)
        draw = random_terms.plain if seed % 2 else random_terms.streamed
        graph = causal(draw(rng))
        names = [node.mediator.name for node in graph.nodes]
        rows = []
        for index in range(6):
            below = random_terms.world(graph, rng, 1, NAMED)
            layer = random_terms.world(graph, rng, 1, NAMED)
            above = Do(below, layer.assignments) if isinstance(layer, Do) else layer
            outcome, at = rng.choice(names), rng.choice(("S1", "S2", "end", 0, 1))
            rows.append((str(index), effect(outcome, above, below, at)))
        yield graph, rows


def test_effects_that_are_called_zero_are_zero() -> None:
    """On hash and ReLU networks that are causal along positions; each reason occurs."""
    met: set[Reason] = set()
    for graph, rows in cases(80):
        models = [agreeing(hash_scm(graph, 1, causal=True)), agreeing(relu_scm(graph, 1))]
        for found in zero_effects(rows, graph, FACTS):
            met |= found.kinds
            contrast = dict(rows)[found.label]
            (_, read), (_, other) = contrast.terms
            assert isinstance(read, Read) and isinstance(other, Read)
            at = read.readout.at
            row = at if isinstance(at, int) else ROW[at]
            for model in models:
                first = model.value(read.readout.node, read.world)[row]
                second = model.value(read.readout.node, other.world)[row]
                np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-9, err_msg=str(found))
    assert met >= set(Reason) - {Reason.PADDING, Reason.MERGED}


def test_effects_that_are_not_called_zero_are_not() -> None:
    """The rules find every zero of the free model whose positions are known."""
    missed = total = 0
    for graph, rows in cases(30):
        model = agreeing(hash_scm(graph, 2, causal=True))
        called = {found.label for found in zero_effects(rows, graph, FACTS)}
        for label, contrast in rows:
            (_, read), (_, other) = contrast.terms
            assert isinstance(read, Read) and isinstance(other, Read)
            at = read.readout.at
            row = at if isinstance(at, int) else ROW[at]
            first = model.value(read.readout.node, read.world)[row]
            second = model.value(read.readout.node, other.world)[row]
            total += np.array_equal(first, second)
            missed += np.array_equal(first, second) and label not in called
    assert total > 60
    assert missed <= 0.05 * total, (missed, total)


GRAPH = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("Z",), "W": ("X",)})


def reasons(*assignments: tuple[Site, Value], below: World = BASE) -> frozenset[Reason]:
    [found] = zero_effects([("row", effect("Y", Do(below, assignments), below, 0))], GRAPH)
    assert str(found).startswith("row is 0; ")
    return found.kinds


def test_reasons_of_textbook_cases() -> None:
    assert reasons((Node("W"), Const())) == {Reason.NO_PATH}
    assert reasons((Edge("X", "W"), Const())) == {Reason.NO_PATH}
    assert reasons((Node("M"), Self())) == {Reason.OWN_VALUE}
    assert reasons((Node("M"), At("M", BASE))) == {Reason.OWN_VALUE}
    frozen = (Node("Z"), At("Z", BASE))
    assert reasons((Node("M"), At("M", SOURCE)), frozen) == {Reason.CUT, Reason.OWN_VALUE}
    cut = Do(BASE, ((Edge("Z", "Y"), Const()),))
    assert reasons((Node("M"), At("M", SOURCE)), below=cut) == {Reason.CUT}
    same = Contrast(((1.0, Read(value_of("Y"), BASE)), (-1.0, Read(value_of("Y"), BASE))))
    [found] = zero_effects([("same", same)], GRAPH)
    assert found.kinds == {Reason.SAME_TERMS}
    grad = Grad(Read(value_of("Y"), BASE), Node("W"), At("W", SOURCE))
    [found] = zero_effects([("gradient", grad)], GRAPH)
    assert found.kinds == {Reason.NO_PATH}


NET = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11))
TOKENS = Facts(equal_prefix=(("base", "source", 9),), columns=(("S2", 9), ("end", 13)), length=14)


@pytest.mark.parametrize(
    ("site", "at", "rule"),
    [
        ("L0.H0.z", 3, "V1"),  # both inputs have the same tokens up to there
        ("L0.H0.z", "S2", None),
        ("L1.H0.z", "S2", "V3"),  # nothing after it moves anything to the end
        ("L1.H0.z", "end", None),
        ("L1.mlp", 12, "V3"),
        ("L1.KV0.v", 12, None),
        ("L1.H0.pattern", 12, "V3"),
        ("L1.H0.q", 12, "V3"),
        ("L0.resid_pre", 8, "V1"),
    ],
)
def test_rules_about_positions(site: str, at: str | int, rule: str | None) -> None:
    world = Do(BASE, ((Node(site, (at,)), At(site, SOURCE)),))
    contrast = Contrast(((1.0, Read(logit_diff, world)), (-1.0, Read(logit_diff, BASE))))
    found = zero_effects([("row", contrast)], NET, TOKENS)
    assert [each.rule for each in found] == ([] if rule is None else [rule])
    assert not zero_effects([("row", contrast)], NET)


def test_padding_does_nothing() -> None:
    """V5: where the last of at most 14 tokens is, is not needed."""
    world = Do(BASE, ((Node("L0.mlp", (14,)), Const()),))
    contrast = Contrast(((1.0, Read(logit_diff, world)), (-1.0, Read(logit_diff, BASE))))
    [found] = zero_effects([("row", contrast)], NET, Facts(length=14))
    assert found.rule == "V5" and found.kinds == {Reason.PADDING}
    assert not zero_effects([("row", contrast)], NET, Facts(length=15))


def test_an_effect_on_an_earlier_position_is_zero() -> None:
    """V2: a patch at position 5 leaves position 4 as it was."""
    world = Do(BASE, ((Node("L0.H0.z", (5,)), Const()),))
    for at, count in ((4, 1), (5, 0), (6, 0)):
        readout = replace(logit_diff, at=at)
        contrast = Contrast(((1.0, Read(readout, world)), (-1.0, Read(readout, BASE))))
        assert len(zero_effects([("row", contrast)], NET, Facts())) == count
    steered = Op("add", (Self(), Const()), (("factor", 2.0),))
    world = Do(BASE, ((Node("L1.mlp", (4,)), steered),))
    readout = replace(logit_diff, at=5)
    contrast = Contrast(((1.0, Read(readout, world)), (-1.0, Read(readout, BASE))))
    assert zero_effects([("row", contrast)], NET, Facts())
