"""Mediator graphs: what a network is made of, as a typed causal graph.

| name | what |
|---|---|
| `Mediator`, `Kind` | a named place: head, query, K/V group's key, MLP, residual cut |
| `TransformerShape` | the sizes from which a graph is laid out |
| `transformer_graph` | the graph of a decoder-only transformer (Elhage et al. 2021) |
| `MediatorGraph` | nodes, slots, implicit edges; lookup, ancestors |
| `plain_graph` | a graph of plain variables from their parents |
| `ADMG` | directed and bidirected edges, districts, surgery (Richardson 2003) |
| `split_positions`, `canonical`, `nearest` | reading names |
"""

from causalnet.graphs.admg import ADMG
from causalnet.graphs.mediator_graph import MediatorGraph, plain_graph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.names import canonical, nearest, split_positions
from causalnet.graphs.nodes import Axis, Cut, Merge, Node, Role, Slot, Stream
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.transformer import transformer_graph

__all__ = [
    "ADMG",
    "Axis",
    "Cut",
    "Kind",
    "Mediator",
    "MediatorGraph",
    "Merge",
    "Node",
    "Role",
    "Slot",
    "Stream",
    "TransformerShape",
    "canonical",
    "nearest",
    "plain_graph",
    "split_positions",
    "transformer_graph",
]
