"""The values of one forward pass: natural values in, settled values out.

A node's natural value is settled when the node layers of the world lie on top of it.  What a
receiver reads is carried: the sender's settled value with the layers of their edge on top.

A receiver of the residual stream has a running sum of its own: the sum of what each writer sends it
and, at the cuts on the way, the layers that set them.  It is computed as the model's own stream
plus a difference, so that edits that change nothing change no bit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from causalnet.execute.edits import Edit, fold
from causalnet.execute.norms import Norm
from causalnet.execute.places import Place, place_of, receiver_of, with_needed
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import Node
from causalnet.lift import LiftedNetwork

__all__ = ["Flow"]


class Flow:
    """What a world sets, and the settled values so far.

    Attributes:
        net: The lifted network.
        values: Settled values of the mediators that are touched, by canonical name.
    """

    def __init__(self, net: LiftedNetwork, edits: Sequence[Edit], record: Iterable[str]) -> None:
        """Sort the edits by what they set."""
        self.net, self.graph = net, net.graph
        self.values: dict[str, Tensor] = {}
        self.nodes: dict[str, list[Edit]] = defaultdict(list)
        self.cuts: dict[int, list[Edit]] = defaultdict(list)
        self.edges: dict[tuple[str, str], list[Edit]] = defaultdict(list)
        self.around: dict[int, tuple[Tensor, Tensor]] = {}  # the stream before and after a cut
        recorded = [self.graph.find(name) for name in record]
        self.touched: dict[str, Mediator] = {each.name: each for each in recorded}
        for edit in edits:
            self._sort(edit)
        self.names_of_cuts: dict[int, list[str]] = defaultdict(list)
        for name, mediator in self.touched.items():
            if mediator.kind is Kind.RESIDUAL:
                self.names_of_cuts[self.graph.cut(name).writers_before].append(name)
        self.receivers = {receiver for _, receiver in self.edges} | {
            name.removesuffix(".scale")
            for name, mediator in self.touched.items()
            if mediator.kind is Kind.SCALE
        }

    def _sort(self, edit: Edit) -> None:
        site = edit.site
        if isinstance(site, Node):
            mediator = self.graph.find(site.mediator)
            self.touched[mediator.name] = mediator
            if mediator.kind is Kind.RESIDUAL:
                self.cuts[self.graph.cut(mediator).writers_before].append(edit)
            else:
                self.nodes[mediator.name].append(edit)
        else:
            sender = self.graph.find(site.sender)
            self.touched[sender.name] = sender
            self.edges[sender.name, self.graph.find(site.receiver).name].append(edit)

    def places(self) -> dict[Place, str]:
        """Return the places that must be seen, each with a mediator that needs it."""
        wanted: dict[Place, str] = {}
        for name in self.touched:
            for place in with_needed((place_of(name, self.graph),)):
                wanted.setdefault(place, name)
        for name in self.receivers:
            for place in with_needed((receiver_of(self.graph.find(name), self.graph),)):
                wanted.setdefault(place, name)
        return wanted

    def touches(self, name: str) -> bool:
        """Return whether the world sets or reads a mediator or an edge at it."""
        return name in self.touched

    # -- nodes and plain edges -------------------------------------------------------------------

    def settle(self, name: str, natural: Tensor) -> Tensor:
        """Return a node's value in this world, given its natural value, and keep it if touched."""
        value = fold(natural, self.nodes.get(name, ()))
        if name in self.touched:
            self.values[name] = value
        return value

    def carried(self, sender: str, receiver: str, value: Tensor) -> Tensor:
        """Return what a receiver gets of a sender's value."""
        return fold(value, self.edges.get((sender, receiver), ()))

    # -- the residual stream ---------------------------------------------------------------------

    def cut(self, count: int, stream: Tensor) -> Tensor:
        """Return the stream after `count` writers with the layers that set it there."""
        after = stream
        if count in self.cuts:
            after = fold(stream, self.cuts[count])
            self.around[count] = (stream, after)
        for name in self.names_of_cuts.get(count, ()):
            self.values[name] = after
        return after

    def own_stream(self, receiver: str, stream: Tensor) -> Tensor:
        """Return the running sum of a receiver, given the stream that all others read there."""
        difference = torch.zeros_like(stream)
        for count, writer in enumerate(self.graph.writers_before(receiver), start=1):
            edits = self.edges.get((writer, receiver))
            if edits:
                value = self.values[writer]
                difference = difference + (fold(value, edits) - value)
            if count in self.around:
                before, after = self.around[count]
                difference = fold(before + difference, self.cuts[count]) - after
        return stream + difference

    def received(self, receiver: str, stream: Tensor, module: nn.Module | None) -> Tensor:
        """Return what a receiver computes with: its own running sum after its own norm.

        Args:
            receiver: A query, key, value, MLP or the logits.
            stream: The stream that it would read without edges of its own.
            module: The model's norm in front of it.
        """
        stream = self.own_stream(receiver, stream)
        norm = Norm.of(self.net, module)
        if norm is None:
            return stream
        normed, name = norm(stream), f"{receiver}.scale"
        if not self.touches(name):
            return normed
        own = norm.scale(stream)
        scale = self.carried(name, receiver, self.settle(name, own))
        return norm.rescaled(normed, stream, scale, own)

    def reads_otherwise(self, receiver: str) -> bool:
        """Return whether an edge into a receiver, or its norm's scale, is touched."""
        return receiver in self.receivers

    def recorded(self, names: Iterable[str]) -> Mapping[str, Tensor]:
        """Return the settled values of some mediators."""
        found = (self.graph.find(name).name for name in names)
        return {name: self.values[name] for name in found}
