"""The nodes of attribution graphs, and how files number and name them.

Ameisen et al. (2025), "Circuit tracing: revealing computational graphs in language models".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import final

from causalnet.graphs.arguments import check_whole
from causalnet.graphs.formats.values import FrozenMapping, frozen

__all__ = [
    "EMBEDDING",
    "ERRORS",
    "LOGIT",
    "AttributionNode",
    "cantor_pair",
    "cantor_unpair",
    "error_id",
]

FEATURE, EMBEDDING, LOGIT = "cross layer transcoder", "embedding", "logit"
ERRORS: Mapping[str, str] = {"mlp reconstruction error": "err", "lorsa error": "lorsa_err"}
"""The types of error nodes, and how their ids begin."""

_EMPTY = FrozenMapping({})


def cantor_pair(layer: int, index: int) -> int:
    """Return the one number that stands for a layer and the index of a feature in it.

    Raises:
        ParameterError: A negative number.

    >>> cantor_pair(3, 1007), cantor_unpair(511562)
    (511562, (3, 1007))
    """
    check_whole(layer, "The layer")
    check_whole(index, "The index of the feature")
    return (layer + index) * (layer + index + 1) // 2 + index


def cantor_unpair(feature: int) -> tuple[int, int]:
    """Return the layer and the index that a number stands for; exact for numbers of any size.

    Raises:
        ParameterError: A negative number.
    """
    check_whole(feature, "The feature")
    diagonal = (isqrt(8 * feature + 1) - 1) // 2
    index = feature - diagonal * (diagonal + 1) // 2
    return diagonal - index, index


def error_id(feature_type: str, layer: str | int, position: int) -> str:
    """Return the id of an error node, which no other node has.

    circuit-tracer calls the error of layer f at position p `0_f_p`, which is also the id of feature
    f of layer 0 at p.
    """
    return f"{ERRORS[feature_type]}_{layer}_{position}"


@final
@dataclass(frozen=True, slots=True)
class AttributionNode:
    """A node of an attribution graph.

    Attributes:
        node_id: The name, unique in the graph.
        feature_type: `cross layer transcoder` (per-layer ones too), `mlp reconstruction error`,
            `embedding`, `logit`, or another that Neuronpedia knows.
        layer: The layer as the file has it, `"E"` for embeddings.
        ctx_idx: The position of the token, from 0.
        feature: For features the layer and index as one number, see
            `AttributionGraph.feature_index`; for logits the token; -1 for errors.
        js_node_id: The name that the viewer uses.
        label: What the viewer shows (`clerp`).
        influence: The cumulative share: pruning at t keeps nodes with influence at most t.
        activation: The activation of a feature.
        token_prob: The probability of a logit's token.
        is_target_logit: Whether a logit was attributed from.
        extra: Fields that are not understood here and are written back; a field that is null too.
    """

    node_id: str
    feature_type: str
    layer: str | int
    ctx_idx: int
    feature: int | None
    js_node_id: str
    label: str = ""
    influence: float | None = None
    activation: float | None = None
    token_prob: float | None = None
    is_target_logit: bool | None = None
    extra: FrozenMapping = _EMPTY

    def __post_init__(self) -> None:
        """Check that numbers are finite."""
        for number in (self.influence, self.activation, self.token_prob):
            if number is not None:
                frozen(number, f"numbers of node {self.node_id!r:.60}")

    @classmethod
    def of_feature(
        cls,
        layer: int,
        index: int,
        position: int,
        *,
        activation: float | None = None,
        influence: float | None = None,
        label: str = "",
    ) -> "AttributionNode":
        """Return a transcoder's feature at a position.

        >>> AttributionNode.of_feature(3, 1007, 4).node_id
        '3_1007_4'
        """
        return cls(
            node_id=f"{layer}_{index}_{position}",
            feature_type=FEATURE,
            layer=str(layer),
            ctx_idx=position,
            feature=cantor_pair(layer, index),
            js_node_id=f"{layer}_{index}-0",
            label=label,
            influence=influence,
            activation=activation,
        )

    @classmethod
    def of_error(
        cls, layer: int, position: int, *, influence: float | None = None
    ) -> "AttributionNode":
        """Return what the transcoder of a layer misses at a position.

        >>> AttributionNode.of_error(7, 4).node_id
        'err_7_4'
        """
        kind = "mlp reconstruction error"
        return cls(
            node_id=error_id(kind, layer, position),
            feature_type=kind,
            layer=str(layer),
            ctx_idx=position,
            feature=-1,
            js_node_id=f"{layer}_{position}-0",
            influence=influence,
        )

    @classmethod
    def of_embedding(
        cls, token: int, position: int, *, label: str = "", influence: float | None = None
    ) -> "AttributionNode":
        """Return the embedding of a token (by its number in the vocabulary) at a position."""
        return cls(
            node_id=f"E_{token}_{position}",
            feature_type=EMBEDDING,
            layer="E",
            ctx_idx=position,
            feature=position,
            js_node_id=f"E_{token}-{position}",
            label=label,
            influence=influence,
        )

    @classmethod
    def of_logit(
        cls,
        token: int,
        position: int,
        *,
        layers: int,
        text: str,
        probability: float,
        is_target: bool = True,
    ) -> "AttributionNode":
        """Return the logit of a token in a model of so many layers.

        The label carries the probability because Neuronpedia reads it from there.

        >>> AttributionNode.of_logit(5, 9, layers=26, text=" Mary", probability=0.25).label
        'Output " Mary" (p=0.250)'
        """
        return cls(
            node_id=f"{layers + 1}_{token}_{position}",
            feature_type=LOGIT,
            layer=str(layers + 1),
            ctx_idx=position,
            feature=token,
            js_node_id=f"L_{token}-{position}",
            label=f'Output "{text}" (p={probability:.3f})',
            token_prob=probability,
            is_target_logit=is_target,
        )

    @property
    def layer_number(self) -> int | None:
        """Return the layer as a number, -1 for embeddings, None if it is none."""
        text = str(self.layer)
        if text == "E":
            return -1
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    @property
    def may_have_sources(self) -> bool:
        """Return whether links may lead into the node: not into embeddings and errors."""
        return self.feature_type != EMBEDDING and self.feature_type not in ERRORS

    @property
    def may_have_targets(self) -> bool:
        """Return whether links may lead out of the node: not out of logits."""
        return self.feature_type != LOGIT
