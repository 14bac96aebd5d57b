"""Rule D2: mean and resample ablation are merged where that is exact, and refused elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph, TransformerShape, plain_graph, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Do,
    Edge,
    Handle,
    MergedMean,
    Node,
    Op,
    Read,
    Refused,
    Self,
    Site,
    logit_diff,
    value_of,
    with_mean,
)
from causalnet.interventions.interpreter import SCM

BASE, DRAW = Base("base"), Base("resample")
MEAN = Handle("mean of Z", "m")
LOGITS = frozenset({"logit_difference"})


def linear_in(graph: MediatorGraph, *names: str) -> MediatorGraph:
    """The graph with some nodes declared affine in all slots, and additive."""
    return replace(
        graph,
        nodes=tuple(
            replace(
                node,
                linear_in=tuple(slot.name for slot in node.slots),
                additive=tuple(slot.name for slot in node.slots),
            )
            if node.mediator.name in names
            else node
            for node in graph.nodes
        ),
    )


LINE = plain_graph({"X": (), "Z": ("X",), "R": ("Z",), "Y": ("R", "X")})


def drawn(outcome: str) -> Read:
    return Read(value_of(outcome), Do(BASE, ((Node("Z"), At("Z", DRAW)),)))


def test_mean_and_resample_ablation_of_a_relu_differ_and_are_not_merged() -> None:
    """f(z) = relu(z) with z = 1 or -1: 0 with the mean, 0.5 on average over draws."""
    graph = linear_in(LINE, "Y")
    refused = with_mean(drawn("Y"), "Z", "resample", MEAN, graph)
    assert refused == Refused("D2", "R", "its mechanism is not affine in Z")
    rules = {
        "Z": lambda slots: slots["X"],
        "R": lambda slots: np.maximum(slots["Z"], 0.0),
        "Y": lambda slots: slots["R"] + slots["X"],
    }
    draws = (1.0, -1.0)
    models = [
        SCM(LINE, rules, {"base": {"X": np.float64(0.0)}, "resample": {"X": np.float64(x)}})
        for x in draws
    ]
    assert np.mean([model.scalar(drawn("Y")) for model in models]) == 0.5
    mean = replace(models[0], constants={MEAN: np.float64(np.mean(draws))})
    assert mean.value("Y", Do(BASE, ((Node("Z"), At("Z", DRAW)),))) == 1.0
    [merged] = [with_mean(drawn("Y"), "Z", "resample", MEAN, linear_in(LINE, "R", "Y"))]
    assert isinstance(merged, MergedMean)
    assert mean.scalar(merged.term) == 0.0  # what a merger through the ReLU would have said


def test_a_linear_path_is_merged_and_the_mean_is_exact() -> None:
    graph = linear_in(LINE, "R", "Y")
    merged = with_mean(drawn("Y"), "Z", "resample", MEAN, graph)
    assert isinstance(merged, MergedMean)
    assert merged.mechanisms == ("R", "Y") and merged.rules[0] == "D2"
    rules = {
        "Z": lambda slots: slots["X"] ** 2,
        "R": lambda slots: 3 * slots["Z"] + 1,
        "Y": lambda slots: slots["R"] - 2 * slots["X"],
    }
    values = []
    for x in (1.0, 2.0, 5.0):
        inputs = {"base": {"X": np.float64(7.0)}, "resample": {"X": np.float64(x)}}
        values.append(SCM(graph, rules, inputs).scalar(drawn("Y")))
    model = SCM(graph, rules, inputs, {MEAN: np.float64(10.0)})
    assert model.scalar(merged.term) == pytest.approx(np.mean(values), rel=1e-12)


NET = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
FROZEN = Node("logits.scale"), At("logits.scale", BASE)


def resampled(site: Site, node: str, *more: tuple[Site, At]) -> Read:
    return Read(logit_diff, Do(BASE, ((site, At(node, DRAW)), *more)))


def test_frozen_patterns_and_scales_make_paths_linear() -> None:
    """A6, A7: the direct path of a head is linear once the final norm's scale is held."""
    head = Edge("L1.H0", "logits")
    term = resampled(head, "L1.H0")
    refused = with_mean(term, "L1.H0", "resample", MEAN, NET, LOGITS)
    assert isinstance(refused, Refused) and refused.at == "logits.scale"
    frozen = resampled(head, "L1.H0", FROZEN)
    merged = with_mean(frozen, "L1.H0", "resample", MEAN, NET, LOGITS)
    assert isinstance(merged, MergedMean)
    assert {"D2", "A7", "A3"} <= set(merged.rules)
    values = resampled(Node("L1.H1.v"), "L1.H1.v", FROZEN)
    assert isinstance(with_mean(values, "L1.H1.v", "resample", MEAN, NET, LOGITS), Refused)
    held = (Node("L1.mlp"), At("L1.mlp", BASE))
    through = resampled(Node("L1.H1.v"), "L1.H1.v", FROZEN, held)
    merged = with_mean(through, "L1.H1.v", "resample", MEAN, NET, LOGITS)
    assert isinstance(merged, MergedMean) and "A6" in merged.rules
    unsaid = with_mean(through, "L1.H1.v", "resample", MEAN, NET)
    assert isinstance(unsaid, Refused) and unsaid.at == "logit_difference"


def test_bilinear_mechanisms_are_not_linear() -> None:
    """Pattern times value: linear in each, not in both."""
    both = Read(
        logit_diff,
        Do(
            BASE,
            (
                (Edge("L0.H0", "L1.H1.q"), At("L0.H0", DRAW)),
                (Edge("L0.H0", "L1.H1.v"), At("L0.H0", DRAW)),
                FROZEN,
            ),
        ),
    )
    refused = with_mean(both, "L0.H0", "resample", MEAN, NET, LOGITS)
    assert isinstance(refused, Refused)


def test_other_parts_of_the_draw_and_other_operations_are_refused() -> None:
    graph = linear_in(LINE, "R", "Y")
    more = Do(BASE, ((Node("Z"), At("Z", DRAW)), (Node("X"), At("X", DRAW))))
    refused = with_mean(Read(value_of("Y"), more), "Z", "resample", MEAN, graph)
    assert isinstance(refused, Refused) and "more of resample enters" in str(refused)
    for name, kind in (("lerp", MergedMean), ("norm", Refused)):
        mixed = Op(name, (Self(), At("Z", DRAW)), (("factor", 0.5),))
        term = Read(value_of("Y"), Do(BASE, ((Node("Z"), mixed),)))
        assert isinstance(with_mean(term, "Z", "resample", MEAN, graph), kind)
    with pytest.raises(TermError, match="sets nothing"):
        with_mean(Read(value_of("Y"), BASE), "Z", "resample", MEAN, graph)
