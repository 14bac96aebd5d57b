"""Attribution graphs as circuits, pruned by influence, and circuits as attribution graphs."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.discovery.attribution_graphs import circuit_of_graph
from causalnet.discovery.attribution_writing import attribution_of
from causalnet.discovery.circuits import circuit_of_size
from causalnet.discovery.gradients import eap
from causalnet.discovery.influence import influences, pruned
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual
from causalnet.errors import ParameterError
from causalnet.graphs.formats import AttributionGraph, AttributionLink, AttributionNode
from causalnet.graphs.formats.attribution_json import attribution_text, parse_attribution
from causalnet.graphs.formats.attribution_nodes import EMBEDDING, ERRORS, LOGIT
from causalnet.graphs.formats.source import source_of_text
from causalnet.graphs.formats.values import frozen_mapping
from tests.toys import net, word_pairs

PAIRS = word_pairs(3, seed=4)
METADATA = frozen_mapping(
    {"slug": "toy", "scan": "toy-clt", "prompt": "a b c", "prompt_tokens": ["a", "b", "c"]}
)
FEATURE = AttributionNode.of_feature


def question(grain: str) -> Question:
    return Question(net("llama"), PAIRS, counterfactual(), grain=grain)


def graph_of(*links: tuple[AttributionNode, AttributionNode, float]) -> AttributionGraph:
    nodes = dict.fromkeys(node for a, b, _ in links for node in (a, b))
    told = tuple(AttributionLink(a.node_id, b.node_id, weight) for a, b, weight in links)
    return AttributionGraph(METADATA, tuple(nodes), told)


TOKEN = AttributionNode.of_embedding(5, 2)
EARLY, LATE = FEATURE(0, 7, 2), FEATURE(1, 9, 2)
BEFORE = FEATURE(0, 8, 1)
LOGITS = AttributionNode.of_logit(4, 2, layers=2, text="d", probability=0.9)
TOY = graph_of(
    (TOKEN, EARLY, 1.0),
    (EARLY, LATE, -0.5),
    (BEFORE, LATE, 0.25),
    (AttributionNode.of_error(0, 2), LATE, 0.1),
    (LATE, LOGITS, 2.0),
)


def test_features_and_errors_stand_for_mlps_and_attention_is_kept() -> None:
    found = circuit_of_graph(TOY, question("nodes"))
    heads = {f"L{layer}.H{head}" for layer in (0, 1) for head in range(4)}
    assert set(found.circuit.names) == {"L0.mlp", "L1.mlp"} | heads
    assert found.nodes == {"embed": 1, "L0.mlp": 3, "L1.mlp": 1, "logits": 1}
    assert found.kept == 8 and not found.left_out
    without = circuit_of_graph(TOY, question("nodes"), attention="removed")
    assert without.circuit.names == ("L0.mlp", "L1.mlp") and without.kept == 0
    assert "at all positions and on all prompts" in str(found)


def test_links_at_one_position_are_edges() -> None:
    found = circuit_of_graph(TOY, question("edges"), attention="removed")
    assert set(found.circuit.names) == {
        "embed -> L0.mlp",
        "L0.mlp -> L1.mlp",
        "L1.mlp -> logits",
    }
    assert found.left_out == {"links from one position to another, which attention carries": 1}
    kept = circuit_of_graph(TOY, question("edges")).circuit
    plain = ("embed -> L1.mlp", "embed -> logits", "L0.mlp -> logits")
    assert set(kept.question.units.names) - set(kept.names) == set(plain)


def test_the_circuit_of_a_graph_can_be_tested() -> None:
    """A graph with every MLP, and attention kept, is the whole network."""
    scores = circuit_of_graph(TOY, question("nodes")).circuit.scores(word_pairs(3, seed=9))
    np.testing.assert_allclose(scores.kept, scores.model, atol=1e-12, rtol=0)
    assert scores.faithfulness == pytest.approx(1.0)
    part = graph_of((TOKEN, EARLY, 1.0), (EARLY, LOGITS, 1.0))
    assert circuit_of_graph(part, question("nodes")).circuit.scores().faithfulness != 1.0


def test_what_has_no_place_is_counted() -> None:
    attention = replace(FEATURE(0, 3, 2), feature_type="lorsa", node_id="a")
    found = circuit_of_graph(
        graph_of((TOKEN, attention, 1.0), (attention, LATE, 1.0), (LATE, LOGITS, 1.0)),
        question("edges"),
    )
    assert found.left_out == {"nodes of type 'lorsa'": 1, "links of nodes that are left out": 2}


def test_graphs_of_other_models_are_refused() -> None:
    deep = graph_of((FEATURE(7, 1, 0), LOGITS, 1.0))
    with pytest.raises(ParameterError, match=r"layer 7. This network has layers 0..1"):
        circuit_of_graph(deep, question("nodes"))
    with pytest.raises(ParameterError, match="Write grain='nodes' or 'edges'"):
        circuit_of_graph(TOY, question("heads"))
    lorsa = replace(EARLY, feature_type="lorsa")
    with pytest.raises(ParameterError, match="Nothing of"):
        circuit_of_graph(graph_of((lorsa, LOGITS, 1.0)), question("nodes"))


@pytest.mark.parametrize("grain", ["edges", "receivers", "nodes", "heads"])
@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_a_circuit_comes_back_from_its_own_graph(grain: str, model: str) -> None:
    asked = Question(net(model), PAIRS, counterfactual(), grain=grain)
    scores = eap(asked)
    circuit = circuit_of_size(scores, 5)
    text = attribution_text(attribution_of(circuit, scores))
    found = circuit_of_graph(parse_attribution(source_of_text(text)), asked)
    assert found.circuit.names == circuit.names and not found.left_out and not found.kept


def test_weights_are_contributions() -> None:
    scores = eap(question("nodes"))
    circuit = circuit_of_size(scores, 3)
    graph = attribution_of(circuit, scores)
    names = {node.node_id: node.label for node in graph.nodes}
    assert {names[link.source]: link.weight for link in graph.links} == {
        name: -scores[name] for name in circuit.names
    }


def random_graph(seed: int) -> AttributionGraph:
    """A layered graph with features, errors, tokens and logits at three positions."""
    rng = random.Random(seed)
    nodes = [AttributionNode.of_embedding(position, position) for position in range(3)]
    for layer in range(3):
        nodes += [FEATURE(layer, rng.randrange(50), position) for position in range(3)]
        nodes += [AttributionNode.of_error(layer, position) for position in range(3)]
    for token in (70, 71):
        shown = AttributionNode.of_logit(
            token, 2, layers=3, text="t", probability=rng.uniform(0.1, 0.5)
        )
        nodes.append(shown)
    layered = [
        (node, 9 if node.feature_type == LOGIT else node.layer_number or 0) for node in nodes
    ]
    links = [
        AttributionLink(a.node_id, b.node_id, rng.gauss(0, 1))
        for a, low in layered
        for b, high in layered
        if low < high and a.may_have_targets and b.may_have_sources and rng.random() < 0.6
    ]
    return AttributionGraph(METADATA, tuple(nodes), tuple(links))


def dense(graph: AttributionGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return normalised absolute weights [targets, sources] and probabilities, as matrices."""
    number = {node.node_id: place for place, node in enumerate(graph.nodes)}
    weights = np.zeros((len(number), len(number)))
    for link in graph.links:
        weights[number[link.target], number[link.source]] = abs(link.weight)
    return weights, np.array([node.token_prob or 0.0 for node in graph.nodes])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_influence_is_the_sum_of_powers(seed: int) -> None:
    """p (A + A^2 + ...) by matrices; tolerance 1e-12."""
    graph = random_graph(seed)
    weights, probability = dense(graph)
    shares = weights / np.maximum(weights.sum(1, keepdims=True), 1e-10)
    total, term = np.zeros(len(probability)), probability
    for _ in range(len(probability)):
        term = term @ shares
        total = total + term
    np.testing.assert_allclose(list(influences(graph).values()), total, atol=1e-12, rtol=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.95), st.floats(0.5, 0.99))
def test_pruning_leaves_no_dead_ends(seed: int, nodes: float, edges: float) -> None:
    graph = random_graph(seed)
    found = pruned(graph, nodes, edges)
    sources = {link.source for link in found.links}
    targets = {link.target for link in found.links}
    kept = {node.node_id for node in found.nodes}
    assert sources | targets <= kept
    for node in found.nodes:
        if node.feature_type not in (EMBEDDING, LOGIT):
            assert node.node_id in sources
            assert node.feature_type in ERRORS or node.node_id in targets
    always = {n.node_id for n in graph.nodes if n.feature_type in (EMBEDDING, LOGIT)}
    assert always <= kept
    assert set(found.links) <= set(graph.links)


def test_pruning_keeps_the_share_of_influence() -> None:
    """One strong way and one weak one: the weak one goes at 0.8 and stays at 1."""
    weak = FEATURE(0, 1, 1)
    graph = graph_of(
        (TOKEN, EARLY, 1.0), (TOKEN, weak, 1.0), (EARLY, LOGITS, 9.0), (weak, LOGITS, 1.0)
    )
    names = {node.node_id for node in pruned(graph).nodes}
    assert EARLY.node_id in names and weak.node_id not in names
    assert len(pruned(graph, 1.0, 1.0).nodes) == 4


def test_pruning_needs_probabilities_and_shares() -> None:
    bare = graph_of((EARLY, replace(LOGITS, token_prob=None), 1.0))
    with pytest.raises(ParameterError, match="no logit with a probability"):
        pruned(bare)
    with pytest.raises(ParameterError, match=r"node_threshold=1\.5"):
        pruned(TOY, 1.5)
