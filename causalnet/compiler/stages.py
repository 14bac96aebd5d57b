"""The stages of a decoder's forward pass, and the stage at which each mediator is computed.

Stage 0 embeds; stage 1 + 2l is the attention of layer l, stage 2 + 2l its MLP; the last stage norms
the stream and makes logits.  A residual cut belongs to the stage that reads it first.
"""

import re
from dataclasses import dataclass, field

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph, TransformerShape
from causalnet.interventions import Edge, Site

__all__ = ["Part", "Stages"]

_NAME = re.compile(
    r"L(\d+)\.(?:(resid_pre|resid_mid|resid_post)|(mlp)|attn_bias|(H|KV)(\d+))(?:\.(.*))?"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A mediator, taken apart.

    Attributes:
        name: Its canonical name.
        stage: The stage that computes it.
        layer: Its layer; the last for the logits, 0 for the embedding.
        kind: `embed`, `cut`, `q`, `k`, `v`, `pattern`, `z`, `head`, `bias`, `mlp`, `logits` or
            `scale`.
        index: The head, or the K/V group of keys and values.
        of: For a scale, the receiver whose norm it belongs to.
    """

    name: str
    stage: int
    layer: int
    kind: str
    index: int = 0
    of: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """Looks mediators of one graph up, each name once.

    Attributes:
        graph: The graph of a decoder with q, k, v, patterns and z as nodes.
    """

    graph: MediatorGraph
    _known: dict[str, Part] = field(default_factory=dict)

    @property
    def shape(self) -> TransformerShape:
        """The sizes of the network."""
        return self.graph.shape

    @property
    def last(self) -> int:
        """The stage of the logits."""
        return 2 * self.shape.layers + 1

    def part(self, name: str) -> Part:
        """Return a mediator's part.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: A mediator that a decoder's forward pass does not compute.
        """
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._part(self.graph.find(name).name)
        return found

    def _part(self, name: str) -> Part:
        layers, last = self.shape.layers, self.last
        if name == "embed":
            return Part(name, 0, 0, "embed")
        if name.startswith("logits"):
            kind = "scale" if name.endswith(".scale") else "logits"
            return Part(name, last, layers - 1, kind, of="logits")
        match = _NAME.fullmatch(name)
        if match is None:
            raise TermError(
                f"{name} is not computed by a decoder's forward pass.",
                "There are embed, heads with q, k, v, pattern and z, MLPs, cuts, scales, logits.",
            )
        layer = int(match[1])
        if match[2]:
            later = {"resid_pre": 0, "resid_mid": 1, "resid_post": 2}[match[2]]
            return Part(name, 1 + 2 * layer + later, layer, "cut")
        if match[3]:
            kind = "scale" if match[6] == "scale" else "mlp"
            return Part(name, 2 + 2 * layer, layer, kind, of=f"L{layer}.mlp")
        if match[4] is None:
            return Part(name, 1 + 2 * layer, layer, "bias")
        channel, _, scale = (match[6] or "head").partition(".")
        kind = "scale" if scale else channel
        of = name.removesuffix(".scale") if scale else ""
        return Part(name, 1 + 2 * layer, layer, kind, int(match[5]), of)

    def of_site(self, site: Site) -> int:
        """Return the stage at which a site acts: an edge where its receiver reads."""
        return self.part(site.receiver if isinstance(site, Edge) else site.mediator).stage

    def layer_of(self, stage: int) -> int:
        """Return the layer of a stage of attention or of an MLP."""
        return (stage - 1) // 2

    def is_attention(self, stage: int) -> bool:
        """Return whether a stage is attention."""
        return stage % 2 == 1 and stage < self.last

    def describe(self, stage: int) -> str:
        """Return `embed`, `L3.attention`, `L3.mlp` or `logits`."""
        if stage == 0:
            return "embed"
        if stage == self.last:
            return "logits"
        return f"L{self.layer_of(stage)}.{'attention' if self.is_attention(stage) else 'mlp'}"

    def cut_before(self, stage: int) -> str:
        """Return the cut that a stage of attention, of an MLP or of the logits reads."""
        if stage == self.last:
            return f"L{self.shape.layers - 1}.resid_post"
        return f"L{self.layer_of(stage)}.resid_{'pre' if self.is_attention(stage) else 'mid'}"

    def keys(self, layer: int, group: int, channel: str) -> str:
        """Return the name of a group's keys (`k`) or values (`v`)."""
        return f"L{layer}.{'KV' if self.shape.shares_keys else 'H'}{group}.{channel}"
