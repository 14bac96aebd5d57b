"""Births that no kernel makes: one stage computed once more for one version, as the oracle does.

Attention with patterns, scales or single channels set, or several kinds of writes at one stage.
The values settle as in the hook executor (`Flow`), on functions of the weights instead of hooks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.errors import InternalError
from causalnet.execute.attention import attended
from causalnet.execute.flow import Flow
from causalnet.execute.wavefront.births import Birth, Live, present
from causalnet.execute.wavefront.finals import Final
from causalnet.execute.wavefront.values import State, Values
from causalnet.interventions import Edge

__all__ = ["GeneralBirths"]


@dataclass(slots=True, eq=False)
class GeneralBirths:
    """Computes stages of single versions at all columns.

    Attributes:
        values: The values so far.
        live: The wave's columns.
        state: The state of a version at a stage, at the wave's columns.
    """

    values: Values
    live: Live
    state: Callable[[int, int], State]

    def row(self, birth: Birth) -> Tensor:
        """Return the stream after the stage of a birth, [B, P, d]."""
        flow = self.flow(birth)
        if birth.version.born == 0:
            after = flow.settle("embed", self.values.of_run("embed", self.live.root))
        elif self.values.stages.is_attention(birth.version.born):
            after = self.attention(flow, birth)
        else:
            after = self.mlp(flow, birth)
        self.keep(flow, birth)
        return after[:, self.live.all]

    def final(self, birth: Birth, at_read: Callable[[Tensor], Tensor]) -> Final:
        """Return what a version born in front of the logits has at the read columns."""
        flow, net = self.flow(birth), self.values.net
        stream = self.cut(flow, birth)
        if flow.reads_otherwise("logits"):
            normed = flow.received("logits", stream, net.places.final_norm)
        else:
            normed = self.values.weights.final_norm(stream)
        if not flow.touches("logits"):
            self.keep(flow, birth)
            return Final(normed=at_read(normed))
        logits = flow.settle("logits", self.values.weights.unembedding(normed))
        self.keep(flow, birth)
        return Final(logits=at_read(logits))

    # -- stages ----------------------------------------------------------------------------------

    def attention(self, flow: Flow, birth: Birth) -> Tensor:
        """Return the stream after a layer's attention, [B, T, d]."""
        values = self.values
        layer = values.stages.layer_of(birth.version.born)
        batch, stream = values.batches[birth.version.input], self.cut(flow, birth)
        query, key, value = self.sides(flow, layer, stream)
        angles = values.weights.angles(batch.position_ids)
        query, key = (values.weights.rotate(side, angles) for side in (query, key))
        allowed = values.allowed(batch.mask, self.live.width)
        added = torch.zeros(allowed.shape, dtype=stream.dtype, device=stream.device)
        added.masked_fill_(~allowed, torch.finfo(stream.dtype).min)
        z = attended(
            flow,
            batch,
            layer,
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            added[:, None],
            values.weights.factor,
        )
        return self.mixed(flow, layer, stream, z)

    def sides(self, flow: Flow, layer: int, stream: Tensor) -> list[Tensor]:
        """Return the settled queries, keys and values before rotation, [B, T, heads, d_head]."""
        shape, block = self.values.stages.shape, self.values.weights.blocks[layer]
        norms, width = self.values.net.places.attention_norms, shape.d_head
        normed, sides = block.attention_norm(stream), []
        for channel, projection in (("q", block.q), ("k", block.k), ("v", block.v)):
            side = projection(normed).clone()
            for index in range(side.shape[-1] // width):
                name = self.channel(layer, index, channel)
                own = slice(index * width, (index + 1) * width)
                if flow.reads_otherwise(name):
                    read = flow.received(name, stream, norms[layer] if norms else None)
                    side[..., own] = projection.columns(own.start, own.stop)(read)
                if flow.touches(name):
                    side[..., own] = flow.settle(name, side[..., own].clone())
            sides.append(side.view(*side.shape[:-1], -1, width))
        return sides

    def channel(self, layer: int, index: int, channel: str) -> str:
        """Return the name of a head's query or a group's key or value."""
        if channel == "q":
            return f"L{layer}.H{index}.q"
        return self.values.stages.keys(layer, index, channel)

    def mixed(self, flow: Flow, layer: int, stream: Tensor, z: Tensor) -> Tensor:
        """Return the stream after the heads, given their natural z, [B, T, heads, d_head]."""
        block, after = self.values.weights.blocks[layer], stream
        for head in range(self.values.stages.shape.heads):
            name = f"L{layer}.H{head}"
            own = z[:, :, head]
            if flow.touches(f"{name}.z"):
                own = flow.carried(f"{name}.z", name, flow.settle(f"{name}.z", own))
            out = own @ block.o[head]
            after = after + (flow.settle(name, out) if flow.touches(name) else out)
        if block.bias is None:
            return after
        return after + flow.settle(f"L{layer}.attn_bias", block.bias.expand_as(stream))

    def mlp(self, flow: Flow, birth: Birth) -> Tensor:
        """Return the stream after a layer's MLP, [B, T, d]."""
        layer, net = self.values.stages.layer_of(birth.version.born), self.values.net
        block, name, stream = (
            self.values.weights.blocks[layer],
            f"L{layer}.mlp",
            self.cut(flow, birth),
        )
        if flow.reads_otherwise(name):
            norm = None if net.adapter.norm == "none" else net.places.mlp_norms[layer]
            normed = flow.received(name, stream, norm)
        else:
            normed = block.mlp_norm(stream)
        return stream + flow.settle(name, block.mlp(normed))

    # -- what a flow needs -----------------------------------------------------------------------

    def flow(self, birth: Birth) -> Flow:
        """Return the flow of a birth, with what its edges and cuts need of earlier stages."""
        stages, version = self.values.stages, birth.version
        kept = self.values.schedule.keep.get(birth.number, ())
        record = [name for name in kept if stages.part(name).stage == version.born]
        flow = Flow(self.values.net, self.values.edits(version.writes, version), record)
        for write in version.writes:
            site = write.site
            if isinstance(site, Edge) and stages.part(site.sender).stage < version.born:
                flow.values[site.sender] = self.values.full(site.sender, birth.parent)
        current = birth.parent
        while not self.values.version(current).is_run:
            if current in self.values.around:
                self.add_cut(flow, current)
            current = self.values.schedule.alias[self.values.version(current).parent]
        return flow

    def add_cut(self, flow: Flow, number: int) -> None:
        """Add a cut that an earlier version of the course sets."""
        version = self.values.version(number)
        cuts = [write for write in version.writes if self.is_cut(write.site.read_from)]
        count = self.values.net.graph.cut(cuts[0].site.read_from).writers_before
        flow.cuts[count] = self.values.edits(cuts, version)
        flow.around[count] = self.values.around[number]

    def is_cut(self, name: str) -> bool:
        """Return whether a mediator is a residual cut."""
        return self.values.stages.part(name).kind == "cut"

    def cut(self, flow: Flow, birth: Birth) -> Tensor:
        """Return the stream that the stage reads, with the cuts of this birth, [B, T, d]."""
        name = self.values.stages.cut_before(birth.version.born)
        count = self.values.net.graph.cut(name).writers_before
        return flow.cut(count, self.entering(birth, name))

    def entering(self, birth: Birth, name: str) -> Tensor:
        """Return the stream that enters a version's first stage in its parent, [B, T, d]."""
        window = present(self.state(birth.parent, birth.version.born).entering)
        before = self.values.of_run(name, self.live.root)
        return torch.cat([before[:, : self.live.start], window], 1)

    # -- what is kept ----------------------------------------------------------------------------

    def keep(self, flow: Flow, birth: Birth) -> None:
        """Keep what others read of a birth, and the cut that it sets."""
        start = self.values.schedule.start[birth.number]
        for name in self.values.schedule.keep.get(birth.number, ()):
            if self.values.stages.part(name).stage == birth.version.born:
                self.values.settled[name, birth.number] = flow.values[name][:, start:]
        cuts = [w for w in birth.version.writes if self.is_cut(w.site.read_from)]
        if cuts:
            count = self.values.net.graph.cut(cuts[0].site.read_from).writers_before
            self.values.around[birth.number] = flow.around[count]

    def natural(self, name: str, row: Tensor) -> Tensor:
        """Return a query, key, value, scale, pattern or logits that a row has, [B, P, ...]."""
        part, weights = self.values.stages.part(name), self.values.weights
        match part.kind:
            case "logits":
                return weights.unembed(row)
            case "scale" if part.of == "logits":
                return weights.final_norm.scale(row)
            case "scale":
                block = weights.blocks[part.layer]
                is_mlp = self.values.stages.part(part.of).kind == "mlp"
                return (block.mlp_norm if is_mlp else block.attention_norm).scale(row)
            case "q" | "k" | "v":
                return self.values.projected(name, row)
            case "pattern":
                return self.pattern(name, row)
        raise InternalError(f"{name} is not made of one row.")

    def pattern(self, name: str, row: Tensor) -> Tensor:
        """Return a head's pattern at live columns, [B, P, T]."""
        part, stages = self.values.stages.part(name), self.values.stages
        keys = stages.keys(part.layer, stages.shape.group_of(part.index), "k")
        earlier = self.values.of_run(keys, self.live.root)[:, : self.live.start]
        batch = self.values.batches[self.values.version(self.live.root).input]
        return self.values.pattern(name, row, earlier, batch.position_ids, batch.mask)
