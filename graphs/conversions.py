"""Mediator graphs as graphs of other libraries, and as causal diagrams."""

from itertools import combinations
from typing import Any

import numpy as np

from causalnet.errors import TermError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import check_whole
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind

__all__ = ["to_admg", "to_networkx"]


def to_networkx(graph: MediatorGraph, at_most: int = 1_000_000) -> Any:
    """Return a `networkx.MultiDiGraph` with every edge, keyed by the slot that it enters.

    Nodes have the attributes `kind`, `layer`, `index` and `position`, edges `merge` and `owner`.
    Cuts of streams are not nodes.

    Raises:
        TermError: More edges than `at_most`.
    """
    import networkx as nx

    _check_count(graph, at_most)
    made = nx.MultiDiGraph()
    for node in graph.nodes:
        mediator = node.mediator
        made.add_node(
            mediator.name,
            kind=mediator.kind.value,
            layer=mediator.layer,
            index=mediator.index,
            position=mediator.position,
        )
    for node in graph.nodes:
        for slot in node.slots:
            made.add_edges_from(
                (sender, node.mediator.name, slot.name, {"merge": slot.merge, "owner": slot.owner})
                for sender in graph.senders(slot)
            )
    return made


def to_admg(graph: MediatorGraph, at_most: int = 10_000_000) -> ADMG:
    """Return the causal diagram of a graph: a directed edge from every parent.

    Norm scales are nodes, since they can be held; cuts of streams are not.  Exogenous noise is not
    observed: it is no node, and variables that share one are joined by a bidirected edge.

    Args:
        graph: The graph.
        at_most: How many directed edges are made.

    Raises:
        TermError: More edges than `at_most`.

    >>> from causalnet.graphs import plain_graph
    >>> to_admg(plain_graph({"U": (), "X": ("U",), "Y": ("X", "U")}, noise=["U"]))
    ADMG(X -> Y, X <-> Y)
    """
    _check_count(graph, at_most)
    observed = [node for node in graph.nodes if node.mediator.kind is not Kind.NOISE]
    place = {node.mediator.name: index for index, node in enumerate(observed)}
    written = {
        stream.name: np.array([place.get(name, -1) for name in stream.writers], dtype=np.int64)
        for stream in graph.streams
    }
    tails: list[Any] = []
    heads: list[Any] = []
    sharing: dict[str, list[int]] = {}
    for index, node in enumerate(observed):
        for slot in node.slots:
            named = [place[name] for name in slot.parents if name in place]
            entered = written[slot.stream][: slot.writers_before] if slot.stream else named
            tails.append(np.asarray(entered, dtype=np.int64))
            heads.append(np.full(len(entered), index, dtype=np.int64))
        for name in graph.parents(node.mediator):
            if name not in place:
                sharing.setdefault(name, []).append(index)
    joined = np.concatenate([np.zeros(0, np.int64), *tails])
    known = joined >= 0  # noise that writes into a stream is no node
    arcs = [pair for reached in sharing.values() for pair in combinations(reached, 2)]
    return ADMG.from_arrays(
        [*place],
        joined[known],
        np.concatenate([np.zeros(0, np.int64), *heads])[known],
        [a for a, _ in arcs],
        [b for _, b in arcs],
    )


def _check_count(graph: MediatorGraph, at_most: int) -> None:
    check_whole(at_most, "at_most")
    count = sum(
        slot.writers_before if slot.stream else len(slot.parents)
        for node in graph.nodes
        for slot in node.slots
    )
    if count > at_most:
        raise TermError(
            f"The graph has {count} edges.",
            f"At most {at_most} are made.",
            f"Write at_most={count}, or coarsen the graph first.",
        )
