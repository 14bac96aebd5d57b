"""What tests of techniques share: a transformer's graph, small models, and how queries are read."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from causalnet.graphs import MediatorGraph, TransformerShape, plain_graph, transformer_graph
from causalnet.interventions import (
    Base,
    Contrast,
    Handle,
    Query,
    Read,
    World,
    value_of,
)
from causalnet.interventions.interpreter import SCM

BASE, SOURCE = Base("base"), Base("source")
NET = transformer_graph(TransformerShape(3, 2, 2, 4, 2, 4, 5))
HEAD, MLP, QUERY = NET.find("L0.H1"), NET.find("L1.mlp"), NET.find("L2.H0.q")
VECTOR = Handle("v", "1")
LOGITS = value_of("logits")
Rule = Callable[[Mapping[str, Any]], Any]


def values(query: Query, model: SCM) -> list[Any]:
    return [model.scalar(contrast) for _, contrast in query.contrasts]


def patched_world(query: Query) -> World:
    [(_, contrast)] = query.contrasts
    assert isinstance(contrast, Contrast)
    first = contrast.terms[0][1]
    assert isinstance(first, Read)
    return first.world


def logits(query: Query, model: SCM) -> Any:
    return model.value("logits", patched_world(query))


def fields(model: SCM) -> dict[str, Any]:
    return {name: getattr(model, name) for name in SCM.__slots__}


def linear(graph: MediatorGraph, seed: int) -> SCM:
    rng = np.random.default_rng(seed)
    rules: dict[str, Rule] = {}
    for node in graph.nodes:
        weights = dict(zip((slot.name for slot in node.slots), rng.normal(size=9), strict=False))
        rules[node.mediator.name] = partial(_weighted, weights)
    rules = {name: rule for name, rule in rules.items() if graph.node(name).slots}
    names = [node.mediator.name for node in graph.nodes if not node.slots]
    inputs = {
        name: dict(zip(names, rng.normal(size=9), strict=False)) for name in ("base", "source")
    }
    return SCM(graph, rules, inputs)


def _weighted(weights: Mapping[str, float], slots: Mapping[str, Any]) -> Any:
    return sum(weight * slots[name] for name, weight in weights.items())


DIAMOND = plain_graph(
    {"X": (), "W": (), "A": ("X", "W"), "B": ("X",), "C": ("A", "B"), "Y": ("A", "C", "W")}
)
INNER = [DIAMOND.find(name) for name in "XABC"]
