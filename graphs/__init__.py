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
| `latent_projection` | the marginal of a graph on some nodes (Verma and Pearl 1990) |
| `restrict`, `project` | a circuit with the rest set, or as a marginal: two types |
| `parallel_worlds`, `twin_network` | worlds that share noise (Balke and Pearl 1994) |
| `counterfactual_graph`, `Event` | events in several worlds (Shpitser and Pearl 2008) |
| `PathSet` | sets of causal paths, not listed |
| `check_paths` | are edges enough, or which contexts a set of paths needs |
| `ambiguity_at` | whether a coarser grain still tells which paths are meant |
| `recanting_witnesses`, `recanting_district` | Avin et al. (2005), Shpitser (2013) |
| `EXAMPLES`, `example`, `Example` | textbook graphs with their verdicts |
| `split_positions`, `canonical`, `nearest` | reading names |
| `read_graph`, `write_graph`, `GraphFile` | graphs in files: GraphML, DOT, dagitty, … (`formats`) |
"""

from causalnet.graphs.admg import ADMG
from causalnet.graphs.circuits import (
    ProjectedArc,
    ProjectedCircuit,
    ProjectedEdge,
    RestrictedCircuit,
    project,
    restrict,
)
from causalnet.graphs.coarsening import Coarsening, cluster_graph
from causalnet.graphs.counterfactual_graph import (
    CounterfactualGraph,
    EqualCopies,
    Event,
    Inconsistent,
    counterfactual_graph,
)
from causalnet.graphs.formats import GraphFile, read_graph, write_graph
from causalnet.graphs.gallery import EXAMPLES, example
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
from causalnet.graphs.parallel_worlds import Copy, ParallelWorlds, parallel_worlds, twin_network
from causalnet.graphs.path_checks import (
    Context,
    Crossing,
    EdgeConsistent,
    FirstEdges,
    NeedsContexts,
    RecantingDistrict,
    RecantingWitness,
    check_paths,
    first_edges,
    recanting_district,
    recanting_witnesses,
)
from causalnet.graphs.path_grains import Ambiguous, ambiguity_at
from causalnet.graphs.paths import PathSet
from causalnet.graphs.plain import plain_graph
from causalnet.graphs.positions import at_positions
from causalnet.graphs.projection import latent_projection
from causalnet.graphs.separation import (
    NoSeparator,
    is_m_separated,
    m_separated,
    minimal_separator,
)
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.textbook import EffectQuery, EventsQuery, Example, Independence, PathQuery
from causalnet.graphs.transformer import transformer_graph
from causalnet.graphs.walks import Connected, Separated, Step, is_open_walk

__all__ = [
    "ADMG",
    "EXAMPLES",
    "Ambiguous",
    "Axis",
    "Coarsening",
    "Connected",
    "Context",
    "Copy",
    "CounterfactualGraph",
    "Crossing",
    "Cut",
    "EdgeConsistent",
    "EffectQuery",
    "EqualCopies",
    "Event",
    "EventsQuery",
    "Example",
    "FirstEdges",
    "Grain",
    "GraphFile",
    "Inconsistent",
    "Independence",
    "Kind",
    "Mediator",
    "MediatorEdge",
    "MediatorGraph",
    "Merge",
    "NeedsContexts",
    "NoSeparator",
    "Node",
    "ParallelWorlds",
    "PathQuery",
    "PathSet",
    "ProjectedArc",
    "ProjectedCircuit",
    "ProjectedEdge",
    "RecantingDistrict",
    "RecantingWitness",
    "Regime",
    "RestrictedCircuit",
    "Role",
    "Separated",
    "Slot",
    "Step",
    "Stream",
    "TransformerShape",
    "ambiguity_at",
    "at_positions",
    "canonical",
    "check_paths",
    "cluster_graph",
    "coarsen",
    "counterfactual_graph",
    "example",
    "first_edges",
    "is_m_separated",
    "is_open_walk",
    "latent_projection",
    "m_separated",
    "minimal_separator",
    "nearest",
    "parallel_worlds",
    "plain_graph",
    "project",
    "read_graph",
    "recanting_district",
    "recanting_witnesses",
    "refine",
    "restrict",
    "split_positions",
    "transformer_graph",
    "twin_network",
    "write_graph",
]
