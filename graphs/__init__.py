"""Mediator graphs: what a network is made of, as a typed causal graph.

| name | what |
|---|---|
| `Mediator`, `Kind` | a named place: head, query, K/V group's key, MLP, residual cut |
| `TransformerShape` | the sizes from which a graph is laid out |
| `transformer_graph` | the graph of a decoder-only transformer (Elhage et al. 2021) |
| `MediatorGraph` | nodes, slots, implicit edges; lookup, ancestors |
| `refine`, `coarsen`, `Grain` | the granularity ladder, from blocks to neurons and features |
| `cluster_graph`, `Coarsening` | clusters as nodes, and what they hold (Anand et al. 2023) |
| `at_positions` | every node once for each token, by causal roles |
| `plain_graph` | a graph of plain variables from their parents |
| `ADMG` | directed and bidirected edges, districts, surgery (Richardson 2003) |
| `m_separated`, `minimal_separator` | in linear time (van der Zander, Liśkiewicz, Textor 2019) |
| `Separated`, `Connected`, `NoSeparator` | answers with an open path; `is_open_walk` checks it |
| `split_positions`, `canonical`, `nearest` | reading names |
| `read_graph`, `write_graph`, `GraphFile` | graphs in files: GraphML, DOT, dagitty, … (`formats`) |
"""

from causalnet.graphs.admg import ADMG
from causalnet.graphs.coarsening import Coarsening, cluster_graph
from causalnet.graphs.formats import GraphFile, read_graph, write_graph
from causalnet.graphs.grains import Grain
from causalnet.graphs.ladder import coarsen, refine
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.names import canonical, nearest, split_positions
from causalnet.graphs.nodes import (
    Axis,
    Cut,
    MediatorEdge,
    Merge,
    Node,
    Regime,
    Role,
    Slot,
    Stream,
)
from causalnet.graphs.plain import plain_graph
from causalnet.graphs.positions import at_positions
from causalnet.graphs.separation import (
    NoSeparator,
    is_m_separated,
    m_separated,
    minimal_separator,
)
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.transformer import transformer_graph
from causalnet.graphs.walks import Connected, Separated, Step, is_open_walk

__all__ = [
    "ADMG",
    "Axis",
    "Coarsening",
    "Connected",
    "Cut",
    "Grain",
    "GraphFile",
    "Kind",
    "Mediator",
    "MediatorEdge",
    "MediatorGraph",
    "Merge",
    "NoSeparator",
    "Node",
    "Regime",
    "Role",
    "Separated",
    "Slot",
    "Step",
    "Stream",
    "TransformerShape",
    "at_positions",
    "canonical",
    "cluster_graph",
    "coarsen",
    "is_m_separated",
    "is_open_walk",
    "m_separated",
    "minimal_separator",
    "nearest",
    "plain_graph",
    "read_graph",
    "refine",
    "split_positions",
    "transformer_graph",
    "write_graph",
]
