"""A circuit as an attribution graph, which Neuronpedia and circuit-tracer's server draw.

Every node stands for a mediator at all positions and is drawn at the last token of the first
prompt.  The weight of a link is what its edges contribute: unpatched - patched, the negative of an
effect.  At grains of nodes there are no edges; each node is joined to the logits with what removing
it takes away, a total and no direct effect.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from causalnet.discovery.attribution_graphs import MEDIATOR, RECEIVERS, place_of
from causalnet.discovery.circuits import Circuit
from causalnet.discovery.scores import Scores
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.graphs.formats import (
    AttributionGraph,
    AttributionLink,
    AttributionNode,
    FrozenMapping,
    cantor_pair,
)
from causalnet.graphs.formats.values import frozen_mapping

__all__ = ["attribution_of"]

_TYPE = "unknown"  # of Neuronpedia's types the one that promises nothing


def attribution_of(circuit: Circuit, scores: Scores | None = None) -> AttributionGraph:
    """Return a circuit as an attribution graph.

    Args:
        circuit: The circuit.
        scores: Where weights come from; without them every weight is 0.

    Raises:
        ParameterError: A circuit of nodes at named positions.
    """
    asked = circuit.question
    if asked.grain is CircuitGrain.POSITIONS:
        raise ParameterError(
            "An attribution graph of nodes at named positions.",
            "Its nodes stand for all positions.",
            "Use another grain.",
        )
    links = tuple(_links(circuit, scores))
    ends = {name for link in links for name in (link.source, link.target)} | {"embed", "logits"}
    names = sorted(ends, key=partial(place_of, asked.net.graph))
    nodes = {name: _node(circuit, name) for name in names}
    ids = {name: node.node_id for name, node in nodes.items()}
    prompts = asked.pairs.base
    metadata = {
        "slug": f"{asked.pairs.record.name}-{asked.grain}".replace(":", "-"),
        "scan": asked.net.model.provenance.source.rsplit("/", 1)[-1],
        "prompt": prompts.texts[0],
        "prompt_tokens": list(prompts.tokens[0]),
        "schema_version": 1,
        "info": {"generator": {"name": "causalnet"}, "description": _description(circuit)},
        "causalnet": {"question": asked.to_json(), "circuit": list(circuit.names)},
    }
    return AttributionGraph(
        frozen_mapping(metadata),
        tuple(nodes.values()),
        tuple(replace(link, source=ids[link.source], target=ids[link.target]) for link in links),
    )


def _description(circuit: Circuit) -> str:
    asked = circuit.question
    of_edges = asked.grain in (CircuitGrain.EDGES, CircuitGrain.RECEIVERS)
    meaning = "edges" if of_edges else "nodes, drawn as links to the logits (total effects)"
    return (
        f"{circuit!r}. Weights: what {meaning} contribute to {asked.readout.described}, "
        f"unpatched - patched, mean over {len(asked.pairs)} prompts; every node stands for all "
        "positions."
    )


def _links(circuit: Circuit, scores: Scores | None) -> Iterator[AttributionLink]:
    """Yield links between names of mediators."""
    asked = circuit.question
    if asked.grain in (CircuitGrain.NODES, CircuitGrain.HEADS):
        for number, name in zip(circuit.kept, circuit.names, strict=True):
            yield AttributionLink(name, "logits", _weight(scores, number))
        return
    channels: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for edge in circuit.edges:
        sender, _, receiver = edge.partition(" -> ")
        unit = edge if asked.grain is CircuitGrain.EDGES else receiver
        owner = receiver.rsplit(".", 1)[0] if receiver[-2:] in (".q", ".k", ".v") else receiver
        weight = _weight(scores, asked.units.index(unit))
        channels[sender, owner][unit.rpartition(" -> ")[2]] = weight
    for (sender, owner), weights in channels.items():
        extra = FrozenMapping({RECEIVERS: FrozenMapping(weights)})
        yield AttributionLink(sender, owner, sum(weights.values()), extra)
    shape = asked.net.graph.shape
    owners = {owner for _, owner in channels}
    members = {name for pair in channels for name in pair}
    for group in sorted(owner for owner in owners if ".KV" in owner):
        layer, _, shared = group.partition(".KV")
        for head in shape.heads_of(int(layer[1:])):
            name = f"{layer}.H{head}"
            if shape.group_of(head) == int(shared) and name in members:
                yield AttributionLink(group, name, 0.0, FrozenMapping({RECEIVERS: _NOTHING}))


_NOTHING = FrozenMapping({})


def _weight(scores: Scores | None, number: int) -> float:
    if scores is None:
        return 0.0
    value = float(scores.values[number])
    return -value if scores.sign == "effect" else value


def _node(circuit: Circuit, name: str) -> AttributionNode:
    """Return the node of a mediator, at the last token of the first prompt."""
    asked = circuit.question
    net, prompts = asked.net, asked.pairs.base
    last = prompts.lengths[0] - 1
    extra = FrozenMapping({MEDIATOR: name})
    if name in ("embed", "pos_embed"):
        node = AttributionNode.of_embedding(
            prompts.ids[0][last], last, label=f"{name} (all positions)"
        )
        own_id = node.node_id if name == "embed" else f"E_pos_{last}"
        return replace(node, node_id=own_id, extra=extra)
    if name == "logits":
        answer: int = asked.pairs.answers[0][0]
        ids = torch.tensor([prompts.ids[0]], device=net.model.device)
        share = net.run(ids)[0, last].double().softmax(-1)[answer]
        text = asked.pairs.answer_texts[0][0]
        found = AttributionNode.of_logit(
            answer, last, layers=net.n_layers, text=text, probability=float(share)
        )
        return replace(found, extra=extra)
    layer, index = _numbered(name, net.n_heads)
    return AttributionNode(
        node_id=f"{layer}_{index}_{last}",
        feature_type=_TYPE,
        layer=str(layer),
        ctx_idx=last,
        feature=cantor_pair(layer, index),
        js_node_id=f"{layer}_{index}-0",
        label=name,
        extra=extra,
    )


def _numbered(name: str, heads: int) -> tuple[int, int]:
    """Return the layer and a number within it: heads first, then the MLP, the bias, K/V groups."""
    layer, _, rest = name[1:].partition(".")
    if rest.startswith("H"):
        return int(layer), int(rest[1:])
    if rest.startswith("KV"):
        return int(layer), heads + 2 + int(rest[2:])
    return int(layer), heads + (rest != "mlp")
