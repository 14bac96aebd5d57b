"""Mediator graphs: what a network is made of, as a typed causal graph.

| name | what |
|---|---|
| `Mediator`, `Kind` | a named place: head, query, K/V group's key, MLP, residual cut |
| `TransformerShape` | the sizes from which a graph is laid out |
| `transformer_graph` | the graph of a decoder-only transformer (Elhage et al. 2021) |
| `MediatorGraph` | nodes, slots, implicit edges; lookup, ancestors |
| `split_positions`, `canonical`, `nearest` | reading names |
"""

from causalnet.graphs.mediator_graph import Axis, MediatorGraph, Merge, Node, Role, Slot
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.names import canonical, nearest, split_positions
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.transformer import transformer_graph

__all__ = [
    "Axis",
    "Kind",
    "Mediator",
    "MediatorGraph",
    "Merge",
    "Node",
    "Role",
    "Slot",
    "TransformerShape",
    "canonical",
    "nearest",
    "split_positions",
    "transformer_graph",
]
