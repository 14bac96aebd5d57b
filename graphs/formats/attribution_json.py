"""The attribution-graph JSON of circuit-tracer and Neuronpedia.

Neuronpedia's schema "Anthropic Attribution Graph", version 1.0.0: one object of `metadata`,
`qParams`, `nodes` and `links`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import cast, final

from causalnet.errors import FormatError, GraphError
from causalnet.graphs.formats.attribution import AmbiguousLink, AttributionGraph, AttributionLink
from causalnet.graphs.formats.attribution_nodes import ERRORS, LOGIT, AttributionNode, error_id
from causalnet.graphs.formats.json_text import parse_json
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import FrozenMapping, Json, plain

__all__ = ["attribution_text", "parse_attribution"]

_PARTS = ("metadata", "qParams", "nodes", "links")
_AMBIGUOUS = "causalnet_ambiguous_links"
_TEXT, _WHOLE, _NUMBER, _TRUTH = (str,), (int,), (int, float), (bool,)
_WORDS = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}
# The name in the file, ours, and the types; the first seven are required.
_NODE: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    ("node_id", "node_id", _TEXT),
    ("feature", "feature", _WHOLE),
    ("layer", "layer", (str, int)),
    ("ctx_idx", "ctx_idx", _WHOLE),
    ("feature_type", "feature_type", _TEXT),
    ("jsNodeId", "js_node_id", _TEXT),
    ("clerp", "label", _TEXT),
    ("influence", "influence", _NUMBER),
    ("activation", "activation", _NUMBER),
    ("token_prob", "token_prob", _NUMBER),
    ("is_target_logit", "is_target_logit", _TRUTH),
)
_REQUIRED = 7


def parse_attribution(source: Source) -> AttributionGraph:
    """Return the attribution graph of a JSON text; unknown fields are kept.

    Error nodes with ids of circuit-tracer (`0_7_4`, which a feature of layer 0 may have too) are
    called `err_7_4`.  A link out of an id that two nodes had belongs to the one that it can come
    from: layers only act on later layers.  Where both can, it is an `AmbiguousLink`.

    Raises:
        FormatError: Not JSON, a field that is missing or of the wrong kind (with its JSON pointer),
            nodes that cannot be told apart, links to nodes that are not there.
    """
    top = _object(source, "/", parse_json(source))
    for part in _PARTS:
        if part not in top:
            raise source.error(
                f"/{part}",
                "It is missing.",
                f"An attribution graph has {', '.join(_PARTS)}.",
                f"Add {part!r}.",
            )
    reading = _Reading(source, top)
    return reading.graph()


@final
class _Reading:
    """The nodes of a file, by the ids of the file and by ours."""

    def __init__(self, source: Source, top: FrozenMapping) -> None:
        self.source, self.top = source, top
        self.called: dict[str, list[AttributionNode]] = {}
        self.nodes: dict[str, AttributionNode] = {}
        self.renamed = 0
        for pointer, fields in _members(source, top, "nodes"):
            self.add(pointer, fields)

    def add(self, pointer: str, fields: FrozenMapping) -> None:
        given, extra = _known(self.source, pointer, fields)
        told = str(given["node_id"])
        node = AttributionNode(**given, extra=extra)  # type: ignore[arg-type]  # checked by _known
        if node.feature_type in ERRORS and told == f"0_{node.layer}_{node.ctx_idx}":
            given["node_id"] = error_id(node.feature_type, node.layer, node.ctx_idx)
            node = AttributionNode(**given, extra=extra)  # type: ignore[arg-type]  # as above
            self.renamed += 1
        if node.node_id in self.nodes:
            raise self.source.error(
                f"{pointer}/node_id",
                f"A second node {told!r:.60}.",
                "Ids differ; only errors and features of layer 0 may share one.",
                "Change one of them.",
            )
        self.nodes[node.node_id] = node
        self.called.setdefault(told, []).append(node)

    def graph(self) -> AttributionGraph:
        links, ambiguous = self.links()
        rest = {key: value for key, value in self.top.items() if key not in _PARTS}
        ambiguous += self.told_ambiguous(rest)
        notes = []
        if self.renamed:
            notes.append(f"{self.renamed} error nodes have ids that no feature has.")
        if ambiguous:
            notes.append(f"{len(ambiguous)} links may come from either of two nodes.")
        try:
            return AttributionGraph(
                _object(self.source, "/metadata", self.top["metadata"]),
                tuple(self.nodes.values()),
                tuple(links),
                self.view(),
                tuple(ambiguous),
                FrozenMapping(rest),
                tuple(notes),
            )
        except GraphError as error:
            raise FormatError(
                f"{self.source.name}: {error.came}", error.possible, error.write
            ) from error

    def links(self) -> tuple[list[AttributionLink], list[AmbiguousLink]]:
        links, ambiguous = list[AttributionLink](), list[AmbiguousLink]()
        for pointer, fields in _members(self.source, self.top, "links"):
            weight = _weight(self.source, pointer, fields)
            extra = _without(fields, ("source", "target", "weight"))
            target = self.target(pointer, fields)
            sources = self.sources(pointer, fields, target)
            if len(sources) == 2:
                pair = (sources[0].node_id, sources[1].node_id)
                ambiguous.append(AmbiguousLink(pair, target.node_id, weight, extra))
            else:
                one = sources[0].node_id
                links.append(AttributionLink(one, target.node_id, weight, extra))
        return links, ambiguous

    def ends(self, pointer: str, fields: FrozenMapping, end: str) -> list[AttributionNode]:
        told = _field(self.source, pointer, fields, end, _TEXT)
        found = self.called.get(str(told), [])
        if not found:
            raise self.source.error(
                f"{pointer}/{end}",
                f"There is no node {told!r:.60}.",
                "Links join nodes of the list 'nodes'.",
                "Add the node, or delete the link.",
            )
        return found

    def target(self, pointer: str, fields: FrozenMapping) -> AttributionNode:
        found = [node for node in self.ends(pointer, fields, "target") if node.may_have_sources]
        if len(found) != 1:
            told = fields["target"]
            raise self.source.error(
                f"{pointer}/target",
                f"The target {told!r:.60} is an embedding or an error, or several nodes.",
                "Nothing leads into embeddings and errors.",
                "Delete the link.",
            )
        return found[0]

    def sources(
        self, pointer: str, fields: FrozenMapping, target: AttributionNode
    ) -> list[AttributionNode]:
        found = self.ends(pointer, fields, "source")
        if len(found) == 1:
            return found
        possible = [node for node in found if node.may_have_targets and _is_before(node, target)]
        if len(possible) not in (1, 2):
            raise self.source.error(
                f"{pointer}/source",
                f"It may be {len(possible)} of {len(found)} nodes.",
                "A layer acts on later layers.",
                "Delete the link, or give the nodes ids that differ.",
            )
        return possible

    def view(self) -> FrozenMapping:
        """Return the saved view with our ids; where two nodes had an id, the feature is meant."""
        told = _object(self.source, "/qParams", self.top["qParams"])
        view = dict(told)
        if isinstance(pinned := told.get("pinnedIds"), tuple):
            view["pinnedIds"] = tuple(map(self.ours, pinned))
        if isinstance(groups := told.get("supernodes"), tuple):
            view["supernodes"] = tuple(
                (*group[:1], *map(self.ours, group[1:])) if isinstance(group, tuple) else group
                for group in groups
            )
        if "clickedId" in told:
            view["clickedId"] = self.ours(told["clickedId"])
        return FrozenMapping(view)

    def ours(self, told: Json) -> Json:
        meant = self.called.get(told, []) if isinstance(told, str) else []
        ids = [node.node_id for node in meant]
        return told if not ids or told in ids else ids[0]

    def told_ambiguous(self, rest: dict[str, Json]) -> list[AmbiguousLink]:
        """Take out of the other fields what we wrote there ourselves."""
        links = []
        for pointer, fields in (
            _members(self.source, rest, _AMBIGUOUS) if _AMBIGUOUS in rest else ()
        ):
            sources = fields.get("sources")
            weight = _weight(self.source, pointer, fields)
            target = _field(self.source, pointer, fields, "target", _TEXT)
            match sources:
                case (str(a), str(b)):
                    extra = _without(fields, ("sources", "target", "weight"))
                    links.append(AmbiguousLink((a, b), str(target), weight, extra))
                case _:
                    raise self.source.error(
                        f"{pointer}/sources",
                        f"It is {sources!r:.60}.",
                        "It is a list of two ids.",
                        "Correct it.",
                    )
        rest.pop(_AMBIGUOUS, None)
        return links


def _is_before(node: AttributionNode, target: AttributionNode) -> bool:
    a, b = node.layer_number, target.layer_number
    return a is None or b is None or a < b


def _known(
    source: Source, pointer: str, fields: FrozenMapping
) -> tuple[dict[str, Json], FrozenMapping]:
    """Return the fields of a node under our names, and the rest, optional nulls among it."""
    given: dict[str, Json] = {}
    extra = dict(fields)
    for place, (theirs, ours, kinds) in enumerate(_NODE):
        if place < _REQUIRED:
            may_be_null = theirs == "feature" and theirs in fields
            value = (
                None
                if may_be_null and fields[theirs] is None
                else (_field(source, pointer, fields, theirs, kinds))
            )
        elif fields.get(theirs) is None:
            continue
        else:
            value = _field(source, pointer, fields, theirs, kinds)
        given[ours] = value
        del extra[theirs]
    return given, FrozenMapping(extra)


def _field(
    source: Source, pointer: str, fields: Mapping[str, Json], key: str, kinds: tuple[type, ...]
) -> Json:
    value = fields.get(key)
    wrong_truth = isinstance(value, bool) and bool not in kinds
    if not isinstance(value, kinds) or wrong_truth:
        raise source.error(
            f"{pointer}/{key}",
            f"It is {value!r:.60}." if key in fields else "It is missing.",
            f"It is {' or '.join(_WORDS[kind] for kind in kinds)}.",
            f"Correct {key!r}.",
        )
    return value


def _weight(source: Source, pointer: str, fields: Mapping[str, Json]) -> float:
    return cast(float, _field(source, pointer, fields, "weight", _NUMBER))


def _without(fields: FrozenMapping, known: tuple[str, ...]) -> FrozenMapping:
    if len(fields) == len(known):
        return FrozenMapping({})
    return FrozenMapping({key: value for key, value in fields.items() if key not in known})


def _members(
    source: Source, top: Mapping[str, Json], key: str
) -> Iterator[tuple[str, FrozenMapping]]:
    members = top[key]
    if not isinstance(members, tuple):
        raise source.error(f"/{key}", f"It is {members!r:.60}.", "It is a list.", "Write [ … ].")
    for place, member in enumerate(members):
        yield f"/{key}/{place}", _object(source, f"/{key}/{place}", member)


def _object(source: Source, pointer: str, value: Json) -> FrozenMapping:
    if not isinstance(value, FrozenMapping):
        raise source.error(
            pointer, f"It is {value!r:.60}.", "An object stands here.", "Write {…} with its keys."
        )
    return value


def attribution_text(graph: AttributionGraph) -> str:
    """Return an attribution graph as JSON that Neuronpedia and circuit-tracer's server read.

    Raises:
        FormatError: A logit whose label lacks its probability, at which Neuronpedia's viewer stops;
            extra fields with the names of the format's own.
    """
    for name in (*_PARTS, _AMBIGUOUS):
        if name in graph.extra:
            raise FormatError(
                f"An extra field {name!r}.", "The format keeps it for itself.", "Rename it."
            )
    ambiguous = [
        {"sources": list(link.sources), "target": link.target, "weight": link.weight}
        | _plain(link.extra)
        for link in graph.ambiguous_links
    ]
    links = [
        {"source": link.source, "target": link.target, "weight": link.weight} | _plain(link.extra)
        for link in graph.links
    ]
    top = {
        "metadata": plain(graph.metadata),
        "qParams": plain(graph.q_params),
        "nodes": [_node(node) for node in graph.nodes],
        "links": links,
        **_plain(graph.extra),
        **({_AMBIGUOUS: ambiguous} if ambiguous else {}),
    }
    return json.dumps(top, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _node(node: AttributionNode) -> dict[str, object]:
    if node.feature_type == LOGIT and node.label and "(p=" not in node.label:
        raise FormatError(
            f"The label {node.label!r:.60} of the logit {node.node_id!r:.60}.",
            "Neuronpedia's viewer reads a logit's probability from its label, and stops without.",
            'Write Output "…" (p=0.123), as AttributionNode.of_logit does, or no label.',
        )
    fields: dict[str, object] = {}
    for place, (theirs, ours, _) in enumerate(_NODE):
        value = getattr(node, ours)
        if value is not None or place < _REQUIRED:
            fields[theirs] = value
    return fields | _plain(node.extra)


def _plain(extra: FrozenMapping) -> dict[str, object]:
    return {key: plain(value) for key, value in extra.items()}
