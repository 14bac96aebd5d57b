"""Pruning attribution graphs by influence, as circuit-tracer does.

Ameisen et al. (2025), "Circuit tracing"; `circuit_tracer/graph.py: prune_graph`.  The influence of
a node is the share of the logits' probability that flows back to it along absolute weights,
normalised over the sources of each target.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import GraphError, ParameterError
from causalnet.graphs.formats import AttributionGraph
from causalnet.graphs.formats.attribution_nodes import EMBEDDING, ERRORS, LOGIT

__all__ = ["EDGE_THRESHOLD", "NODE_THRESHOLD", "influences", "pruned"]

NODE_THRESHOLD, EDGE_THRESHOLD = 0.8, 0.98  # circuit-tracer's own
_LEAST = 1e-10  # a target whose sources weigh less divides by this

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """The links of a graph as arrays.

    Attributes:
        source: Number of each link's source.
        target: Number of each link's target.
        size: Absolute weight of each link.
        order: Nodes, every source before its targets.
        probability: Of each logit; 0 for other nodes.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    size: Array
    order: NDArray[np.int64]
    probability: Array

    @classmethod
    def of(cls, graph: AttributionGraph) -> "_Links":
        number = {node.node_id: place for place, node in enumerate(graph.nodes)}
        source = np.array([number[link.source] for link in graph.links], dtype=np.int64)
        target = np.array([number[link.target] for link in graph.links], dtype=np.int64)
        size = np.abs(np.array([link.weight for link in graph.links], dtype=np.float64))
        probability = np.array(
            [node.token_prob or 0.0 if node.feature_type == LOGIT else 0.0 for node in graph.nodes]
        )
        if not probability.any():
            raise ParameterError(
                f"{graph!r} has no logit with a probability.",
                "Influence flows back from the logits.",
                "Use the graph as it is, with node_threshold=None.",
            )
        return cls(source, target, size, _sorted(len(graph.nodes), source, target), probability)

    def flows(self, kept: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the influence of each node and of each link, links that are not kept left out."""
        size = np.where(kept, self.size, 0.0)
        total = np.zeros(len(self.probability))
        np.add.at(total, self.target, size)
        share = size / np.maximum(total, _LEAST)[self.target]
        into: list[list[int]] = [[] for _ in self.probability]
        for link, target in enumerate(self.target.tolist()):
            into[target].append(link)
        found, by_link = np.zeros(len(self.probability)), np.zeros(len(size))
        for node in self.order[::-1].tolist():
            links = into[node]
            if links:
                by_link[links] = share[links] * (found[node] + self.probability[node])
                np.add.at(found, self.source[links], by_link[links])
        return found, by_link


def _sorted(nodes: int, source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the nodes so that every source stands before its targets (Kahn 1962)."""
    waiting = np.bincount(target, minlength=nodes)
    after: list[list[int]] = [[] for _ in range(nodes)]
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        after[a].append(b)
    order = np.flatnonzero(waiting == 0).tolist()
    for node in order:
        for other in after[node]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    if len(order) < nodes:
        raise GraphError("The links form a cycle.", "Influence flows one way.", "Delete a link.")
    return np.array(order, dtype=np.int64)


def influences(graph: AttributionGraph) -> dict[str, float]:
    """Return the influence of every node on the logits, by its id.

    Raises:
        GraphError: Links that form a cycle.
        ParameterError: No logit with a probability.
    """
    links = _Links.of(graph)
    found, _ = links.flows(np.ones(len(links.size), dtype=bool))
    return {node.node_id: float(found[place]) for place, node in enumerate(graph.nodes)}


def pruned(
    graph: AttributionGraph,
    node_threshold: float = NODE_THRESHOLD,
    edge_threshold: float = EDGE_THRESHOLD,
) -> AttributionGraph:
    """Return the nodes and links that carry most of the influence; tokens and logits stay.

    Args:
        graph: The graph; ambiguous links are left out.
        node_threshold: The share of the nodes' influence that is kept, in (0, 1].
        edge_threshold: The share of the links' influence that is kept, in (0, 1].

    Raises:
        GraphError: Links that form a cycle.
        ParameterError: A threshold that is no share, no logit with a probability.
    """
    for name, value in (("node_threshold", node_threshold), ("edge_threshold", edge_threshold)):
        if not 0 < value <= 1:
            raise ParameterError(f"{name}={value!r}.", "A share above 0, at most 1.", "Write 0.8.")
    links = _Links.of(graph)
    kinds = [node.feature_type for node in graph.nodes]
    fixed = np.array([kind in (EMBEDDING, LOGIT) for kind in kinds])
    has_sources = np.array([kind not in (EMBEDDING, LOGIT, *ERRORS) for kind in kinds])
    influence, _ = links.flows(np.ones(len(links.size), dtype=bool))
    nodes = (influence >= _threshold(influence, node_threshold)) | fixed
    _, by_link = links.flows(nodes[links.source] & nodes[links.target])
    edges = (by_link >= _threshold(by_link, edge_threshold)) & (by_link > 0)
    while True:
        out, into = np.zeros(len(nodes), dtype=bool), np.zeros(len(nodes), dtype=bool)
        out[links.source[edges]] = True
        into[links.target[edges]] = True
        kept = nodes & (fixed | (out & (into | ~has_sources)))
        edges &= kept[links.source] & kept[links.target]
        if (kept == nodes).all():
            break
        nodes = kept
    return replace(
        graph,
        nodes=tuple(node for node, stays in zip(graph.nodes, nodes, strict=True) if stays),
        links=tuple(link for link, stays in zip(graph.links, edges, strict=True) if stays),
        ambiguous_links=(),
    )


def _threshold(values: Array, share: float) -> float:
    """Return the least value that is kept, so that those above it add up to a share."""
    if not len(values):
        return 0.0
    ordered = np.sort(values)[::-1]
    total = ordered.sum()
    if total <= 0:
        return 0.0
    place = int(np.searchsorted(np.cumsum(ordered) / total, share))
    return float(ordered[min(place, len(ordered) - 1)])
