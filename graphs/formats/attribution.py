"""Attribution graphs: what circuit-tracer computes and Neuronpedia draws.

Ameisen et al. (2025), "Circuit tracing: revealing computational graphs in language models".  The
weight of a link is the direct effect of its source on its target in the model that the transcoders
replace, with attention patterns and norm scales frozen.  It is an attribution, not the effect of an
intervention.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from causalnet.errors import GraphError, ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.formats.attribution_nodes import (
    ERRORS,
    LOGIT,
    AttributionNode,
    cantor_unpair,
    error_id,
)
from causalnet.graphs.formats.graph_file import EdgeKey, GraphFile
from causalnet.graphs.formats.values import FrozenMapping

__all__ = ["AmbiguousLink", "AttributionGraph", "AttributionLink"]

METHOD = "attribution (linearised)"
_EMPTY = FrozenMapping({})
_PACKED = 100_000  # features in a layer where `feature` is the layer and five digits
_OLD_SCAN = "gemma-2-2b"


@final
@dataclass(frozen=True, slots=True)
class AttributionLink:
    """The direct effect of a source on a target, signed, in the units of the target's activation.

    Attributes:
        source: The id of a node.
        target: The id of a node.
        weight: The effect.
        extra: Fields that are not understood here and are written back.
    """

    source: str
    target: str
    weight: float
    extra: FrozenMapping = _EMPTY


@final
@dataclass(frozen=True, slots=True)
class AmbiguousLink:
    """A link whose source may be either of two nodes that had one id in the file.

    Attributes:
        sources: The ids of both nodes.
        target: The id of a node.
        weight: The effect.
        extra: Fields that are not understood here and are written back.
    """

    sources: tuple[str, str]
    target: str
    weight: float
    extra: FrozenMapping = _EMPTY


@final
@dataclass(frozen=True, slots=True)
class AttributionGraph:
    """An attribution graph with everything that its file says.

    Attributes:
        metadata: `slug`, `scan`, `prompt`, `prompt_tokens` and more; `scan` names the model and its
            transcoders for people and is no identity, since it can differ between two runs.
        nodes: The nodes.
        links: The links.
        q_params: The saved view: `pinnedIds`, `supernodes` and more.
        ambiguous_links: Links out of an id that two nodes had; they belong to no edge.
        extra: Fields that are not understood here and are written back.
        notes: What was changed or left open when the file was read; not part of equality.

    Raises:
        GraphError: Metadata that is missing, two nodes of one id, a link to a node that is not
            there, into an embedding or an error, out of a logit, twice, or of a weight that is not
            finite.
    """

    metadata: FrozenMapping
    nodes: tuple[AttributionNode, ...]
    links: tuple[AttributionLink, ...]
    q_params: FrozenMapping = _EMPTY
    ambiguous_links: tuple[AmbiguousLink, ...] = ()
    extra: FrozenMapping = _EMPTY
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        _check_metadata(self.metadata)
        nodes: dict[str, AttributionNode] = {}
        for node in self.nodes:
            if node.node_id in nodes:
                raise GraphError(
                    f"Two nodes have the id {node.node_id!r:.60}.", "Ids differ.", "Change one."
                )
            nodes[node.node_id] = node
            _check_error_id(node)
        met: set[tuple[str, str]] = set()
        for link in self.links:
            _check_link(link.source, link.target, link.weight, nodes)
            if (link.source, link.target) in met:
                raise GraphError(
                    f"The link {link.source} -> {link.target} is there twice.",
                    "Each pair has one weight.",
                    "Add the weights up, or delete one link.",
                )
            met.add((link.source, link.target))
        for several in self.ambiguous_links:
            for source in several.sources:
                _check_link(source, several.target, several.weight, nodes)

    def __repr__(self) -> str:
        """Return one line: the name and the sizes."""
        slug = self.metadata["slug"]
        return f"AttributionGraph({slug!r}, {len(self.nodes)} nodes, {len(self.links)} links)"

    def feature_index(self, node: AttributionNode) -> tuple[int, int]:
        """Return the layer of a feature and its index in the transcoder of that layer.

        `feature` is a Cantor pair where `schema_version` is at least 1, the layer and five digits
        in older files of gemma-2-2b; where neither agrees with the node's layer, its id decides.

        Raises:
            ParameterError: A node that is no feature, or whose fields contradict each other.
        """
        layer = node.layer_number
        if layer is not None and layer >= 0 and node.may_have_sources and node.may_have_targets:
            decoded = self._decoded(node, layer)
            if decoded is not None:
                return layer, decoded
        raise ParameterError(
            f"Node {node.node_id!r:.60} of type {node.feature_type!r:.60}, layer {node.layer!r} "
            f"and feature {node.feature}.",
            "Features have a layer, and their number or their id tells their index.",
            "Ask only for features.",
        )

    def _decoded(self, node: AttributionNode, layer: int) -> int | None:
        feature, version = node.feature, self.metadata.get("schema_version")
        if feature is not None and feature >= 0:
            if isinstance(version, int) and version >= 1:
                pair = cantor_unpair(feature)
                if pair[0] == layer:
                    return pair[1]
            elif self.metadata.get("scan") == _OLD_SCAN and feature // _PACKED == layer:
                return feature % _PACKED
        parts = node.node_id.split("_")
        told = len(parts) == 3 and parts[0] == str(layer) and parts[1].isascii()
        return int(parts[1]) if told and parts[1].isdigit() and len(parts[1]) < 19 else None

    def admg(self) -> ADMG:
        """Return the nodes and links as a graph; ambiguous links are no edges of it.

        Raises:
            GraphError: Links that form a cycle.
        """
        number = {node.node_id: place for place, node in enumerate(self.nodes)}
        return ADMG.from_arrays(
            list(number),
            [number[link.source] for link in self.links],
            [number[link.target] for link in self.links],
        )

    def graph_file(self) -> GraphFile:
        """Return the graph for other formats, with `direct_effect` and its method at every edge.

        Raises:
            GraphError: Links that form a cycle, or links that are ambiguous.
        """
        if self.ambiguous_links:
            raise GraphError(
                f"{len(self.ambiguous_links)} links may come from either of two nodes.",
                "Other formats have no place for them.",
                "Decide with dataclasses.replace(graph, links=…, ambiguous_links=()).",
            )
        edges: dict[EdgeKey, dict[str, object]] = {
            (link.source, "->", link.target): {"direct_effect": link.weight, "method": METHOD}
            for link in self.links
        }
        return GraphFile.of(
            self.admg(),
            outcomes=[node.node_id for node in self.nodes if node.feature_type == LOGIT],
            graph_attributes={"name": self.metadata["slug"], "prompt": self.metadata["prompt"]},
            node_attributes={node.node_id: _described(node) for node in self.nodes},
            edge_attributes=edges,
        )


def _described(node: AttributionNode) -> dict[str, object]:
    known = {
        "title": node.label or None,
        "feature_type": node.feature_type,
        "layer": node.layer,
        "ctx_idx": node.ctx_idx,
        "feature": node.feature,
        "influence": node.influence,
        "activation": node.activation,
        "token_prob": node.token_prob,
    }
    return {name: value for name, value in known.items() if value is not None}


def _check_metadata(metadata: FrozenMapping) -> None:
    for name in ("slug", "scan", "prompt"):
        if not isinstance(metadata.get(name), str):
            raise GraphError(
                f"metadata[{name!r}] is {metadata.get(name)!r:.60}.",
                "slug, scan and prompt are texts.",
                f"Give {name!r}.",
            )
    tokens = metadata.get("prompt_tokens")
    if not isinstance(tokens, tuple) or not all(isinstance(token, str) for token in tokens):
        raise GraphError(
            f"metadata['prompt_tokens'] is {tokens!r:.60}.",
            "It is a list of texts.",
            "Give the tokens of the prompt.",
        )


def _check_error_id(node: AttributionNode) -> None:
    if node.feature_type in ERRORS and node.node_id == f"0_{node.layer}_{node.ctx_idx}":
        raise GraphError(
            f"The error node {node.node_id!r:.60} has the id of a feature of layer 0.",
            "Links could not be told apart.",
            f"Write {error_id(node.feature_type, node.layer, node.ctx_idx)!r}.",
        )


def _check_link(
    source: str, target: str, weight: float, nodes: Mapping[str, AttributionNode]
) -> None:
    for end in (source, target):
        if end not in nodes:
            raise GraphError(
                f"A link to {end!r:.60}, which is no node.", "", "Add the node, or correct the id."
            )
    if source == target or not (nodes[source].may_have_targets and nodes[target].may_have_sources):
        raise GraphError(
            f"The link {source:.60} -> {target:.60} from {nodes[source].feature_type!r} to "
            f"{nodes[target].feature_type!r}.",
            "Nothing leads into embeddings and errors, or out of logits, or back to itself.",
            "Delete the link.",
        )
    if not math.isfinite(weight):
        raise GraphError(
            f"The link {source:.60} -> {target:.60} has weight {weight}.",
            "Weights are finite.",
            "Leave the link out.",
        )
