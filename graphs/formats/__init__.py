"""Graphs in files of other programs: read, written, and read back to equal graphs.

| name | what |
|---|---|
| `read_graph`, `write_graph`, `graph_text` | any format, by suffix or by name |
| `GraphFile` | a graph with roles of nodes, attributes, and notes on what was not kept |
| `AttributionGraph`, `AttributionNode`, `AttributionLink` | circuit-tracer's and Neuronpedia's |
| `AmbiguousLink` | a link whose source had the id of two nodes |
| `cantor_pair`, `cantor_unpair` | how those files number features |

| format | suffixes | roles and bidirected edges |
|---|---|---|
| `graphml` | `.graphml`, `.xml` | attributes `observed`, `causalnet_role`, `causalnet_edge` |
| `dot` | `.dot`, `.gv` | the same, and `dir=both` |
| `node-link` (networkx) | `.json` | the same, and the key `bidirected` |
| `dagitty` | `.dagitty`, `.txt` | its own words, and `<->` |
| `gml` (DoWhy) | `.gml` | the same; a bidirected edge is a marked latent node |
| `attribution` | `.json` | links carry direct effects |

Readers refuse what is larger than 64 MiB or nested deeper than 64 levels, document types and
entities, keys that appear twice and numbers that are not finite, and take linear time.
"""

from causalnet.graphs.formats.attribution import AmbiguousLink, AttributionGraph, AttributionLink
from causalnet.graphs.formats.attribution_nodes import (
    AttributionNode,
    cantor_pair,
    cantor_unpair,
)
from causalnet.graphs.formats.files import (
    Format,
    GraphFormat,
    graph_text,
    read_graph,
    write_graph,
)
from causalnet.graphs.formats.graph_file import EdgeKey, GraphFile, edge_keys
from causalnet.graphs.formats.values import FrozenMapping, Json

__all__ = [
    "AmbiguousLink",
    "AttributionGraph",
    "AttributionLink",
    "AttributionNode",
    "EdgeKey",
    "Format",
    "FrozenMapping",
    "GraphFile",
    "GraphFormat",
    "Json",
    "cantor_pair",
    "cantor_unpair",
    "edge_keys",
    "graph_text",
    "read_graph",
    "write_graph",
]
