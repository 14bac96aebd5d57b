"""How versions are born at a stage: from their parent's state, as deltas on its stream.

A birth whose outputs are set is a delta, `(z' - z) W_O` (linear) or `value' - value`.  Where edges
into queries, keys, values or an MLP are set, that receiver alone is computed once more, for all
such births at once.  K and V belong to a K/V group: a change there moves every head of the group.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.compiler import Version, Write
from causalnet.errors import InternalError
from causalnet.execute.wavefront.attention import mixed
from causalnet.execute.wavefront.values import State, Values
from causalnet.interventions import Edge

__all__ = ["Birth", "Births", "Live", "present"]


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """The columns of a wave at one stage.

    Attributes:
        root: The run that the wave shares.
        start: The first live column.
        width: The number of columns of the prompts.
        read: The first column that is still needed.
    """

    root: int
    start: int
    width: int
    read: int = 0

    @property
    def all(self) -> slice:
        """Every live column."""
        return slice(self.start, self.width)

    @property
    def needed(self) -> slice:
        """The columns at which the stage's output is needed."""
        return slice(max(self.start, self.read), self.width)

    def narrow(self, value: Tensor | None) -> Tensor:
        """Return a state at the columns that are needed, [B, columns, ...]."""
        found = present(value)
        return found[:, found.shape[1] - (self.width - self.needed.start) :]


@dataclass(frozen=True, slots=True, eq=False)
class Birth:
    """A version to be born.

    Attributes:
        number: Its number.
        version: The version.
        parent: The number of the version that it is born from.
    """

    number: int
    version: Version
    parent: int


@dataclass(slots=True, eq=False)
class Births:
    """Makes the rows of versions that are born at one stage.

    Attributes:
        values: The values so far.
        live: The wave's columns.
        state: The state of a version at a stage, at the wave's live columns.
        tokens_at_once: How many tokens a batch of births may have.
    """

    values: Values
    live: Live
    state: Callable[[int, int], State]
    tokens_at_once: int
    _natural: dict[tuple[str, int], Tensor] = field(default_factory=dict)

    # -- outputs ---------------------------------------------------------------------------------

    def outputs(self, birth: Birth) -> Tensor:
        """Return the stream after a stage in which outputs are set, [B, columns, d]."""
        stages, version = self.values.stages, birth.version
        by_node: dict[str, list[Write]] = defaultdict(list)
        for write in version.writes:
            by_node[write.site.read_from].append(write)
        if version.born == 0:
            return self.set_node("embed", by_node["embed"], birth)
        state, layer = self.state(birth.parent, version.born), stages.layer_of(version.born)
        if not stages.is_attention(version.born):
            name = f"L{layer}.mlp"
            return self.live.narrow(state.entering) + self.set_node(name, by_node[name], birth)
        row = present(state.leaving).clone()
        heads = [stages.part(name) for name in by_node if stages.part(name).kind != "bias"]
        for head in dict.fromkeys(part.index for part in heads):
            row += self.head_delta(head, by_node, birth)
        bias = f"L{layer}.attn_bias"
        if bias in by_node:
            natural = self.values.at(bias, self.live.root, self.live.needed)
            row += self.set_node(bias, by_node[bias], birth) - natural
        return row

    def head_delta(self, head: int, by_node: Mapping[str, list[Write]], birth: Birth) -> Tensor:
        """Return by what a head's new z or output moves the stream, [B, columns, d]."""
        layer = self.values.stages.layer_of(birth.version.born)
        name, weight = f"L{layer}.H{head}", self.values.weights.blocks[layer].o[head]
        z_writes, needed = by_node.get(f"{name}.z", ()), self.live.needed

        def z(columns: slice) -> Tensor:
            return self.natural_z(head, birth, columns)

        def new_z(columns: slice) -> Tensor:
            return self.values.settled_at(z, z_writes, birth.version, columns)

        if name not in by_node:
            return (new_z(needed) - z(needed)) @ weight
        new = self.values.settled_at(
            lambda columns: new_z(columns) @ weight, by_node[name], birth.version, needed
        )
        return new - z(needed) @ weight

    def natural_z(self, head: int, birth: Birth, columns: slice) -> Tensor:
        """Return a head's z in the parent, [B, columns, d_head]."""
        window = present(self.state(birth.parent, birth.version.born).z)[:, :, head]
        if columns == self.live.needed:
            return window
        layer = self.values.stages.layer_of(birth.version.born)
        before = self.values.of_run(f"L{layer}.H{head}.z", self.live.root)
        return self.whole(before, window)[:, columns]

    def whole(self, before: Tensor, window: Tensor) -> Tensor:
        """Return a run's value with needed columns replaced, [B, T, ...]."""
        value = before.clone()
        value[:, self.live.needed] = window
        return value

    def set_node(self, name: str, writes: Sequence[Write], birth: Birth) -> Tensor:
        """Return the embedding, an MLP's output or a bias with writes on top."""
        return self.values.settled_at(
            lambda columns: self.natural_node(name, birth, columns),
            writes,
            birth.version,
            self.live.needed,
        )

    def natural_node(self, name: str, birth: Birth, columns: slice) -> Tensor:
        """Return the embedding, an MLP's output or a bias in the parent, [B, columns, d]."""
        if birth.parent == self.live.root or self.values.stages.part(name).kind != "mlp":
            return self.values.of_run(name, self.live.root, columns)
        if (name, birth.parent) in self.values.settled:
            own = self.values.at(name, birth.parent, self.live.needed)
        else:
            block = self.values.weights.blocks[self.values.stages.part(name).layer]
            entering = self.live.narrow(self.state(birth.parent, birth.version.born).entering)
            own = block.mlp(block.mlp_norm(entering))
        if columns == self.live.needed:
            return own
        return self.whole(self.values.of_run(name, self.live.root), own)[:, columns]

    # -- the stream itself -----------------------------------------------------------------------

    def cut(self, birth: Birth) -> Tensor:
        """Return the stream that enters a stage where it is set, [B, columns, d]."""
        version = birth.version
        window = self.live.narrow(self.state(birth.parent, version.born).entering)
        name = self.values.stages.cut_before(version.born)

        def whole(needed: Tensor) -> Tensor:
            return self.whole(self.values.of_run(name, self.live.root), needed)

        def natural(columns: slice) -> Tensor:
            return window if columns == self.live.needed else whole(window)[:, columns]

        after = self.values.settled_at(natural, version.writes, version, self.live.needed)
        if birth.number in self.values.schedule.hiding:
            self.values.around[birth.number] = (whole(window), whole(after))
        return after

    # -- edges into queries, keys, values --------------------------------------------------------

    def slots(self, born: Sequence[Birth]) -> list[Tensor]:
        """Return the streams after attention of births with edges into q, k and v."""
        rows = [present(self.state(b.parent, b.version.born).leaving).clone() for b in born]
        new: dict[tuple[int, str], Tensor] = {}
        for receiver, jobs in self.by_receiver(born).items():
            for some in self.chunks(jobs):
                slots = torch.stack([self.slot(born[index], receiver) for index in some])
                for index, value in zip(some, self.project(receiver, slots), strict=True):
                    new[index, receiver] = value
        for (head, parent), jobs in self.by_head(born, new).items():
            for some in self.chunks(jobs):
                deltas = self.remixed(head, parent, some, born[some[0]], new)
                for index, delta in zip(some, deltas, strict=True):
                    rows[index] += delta
        return rows

    def by_receiver(self, born: Sequence[Birth]) -> dict[str, list[int]]:
        """Return the births that send something else to a receiver, by receiver."""
        found: dict[str, list[int]] = defaultdict(list)
        for index, birth in enumerate(born):
            for receiver in dict.fromkeys(map(_receiver, birth.version.writes)):
                found[receiver].append(index)
        return found

    def by_head(
        self, born: Sequence[Birth], new: Mapping[tuple[int, str], Tensor]
    ) -> dict[tuple[int, int], list[int]]:
        """Return the births that touch a head, by head and parent."""
        size = self.values.stages.shape.heads_per_group
        found: dict[tuple[int, int], dict[int, None]] = defaultdict(dict)
        for index, receiver in new:
            part = self.values.stages.part(receiver)
            first = part.index if part.kind == "q" else part.index * size
            for head in range(first, first + (1 if part.kind == "q" else size)):
                found[head, born[index].parent][index] = None
        return {key: list(indices) for key, indices in found.items()}

    def chunks(self, jobs: Sequence[int]) -> list[Sequence[int]]:
        """Return jobs in parts that go through a kernel at once."""
        tokens = len(self.values.batches.rows) * (self.live.width - self.live.start)
        size = max(1, self.tokens_at_once // max(1, tokens))
        return [jobs[first : first + size] for first in range(0, len(jobs), size)]

    def slot(self, birth: Birth, receiver: str) -> Tensor:
        """Return a receiver's own running sum at all live columns, [B, P, d]."""
        stream = present(self.state(birth.parent, birth.version.born).entering)
        return stream + self.sent(birth, receiver, self.live.all)

    def sent(self, birth: Birth, receiver: str, columns: slice) -> Tensor:
        """Return by what the edges into a receiver move what it reads, [B, columns, d]."""
        senders: dict[str, list[Write]] = defaultdict(list)
        for write in birth.version.writes:
            if _receiver(write) == receiver:
                senders[write.site.read_from].append(write)
        total: Tensor | None = None
        for sender, writes in senders.items():
            own = _Sender(self.values, sender, birth.parent)
            carried = self.values.settled_at(own, writes, birth.version, columns)
            moved = carried - own(columns)
            total = moved if total is None else total + moved
        return present(total)

    def project(self, receiver: str, slots: Tensor) -> Tensor:
        """Return queries, keys (both turned) or values of some slots, [N, B, P, d_head]."""
        is_query = self.values.stages.part(receiver).kind == "q"
        if is_query:
            slots = slots[:, :, self.live.needed.start - self.live.start :]
        value = self.values.projected(receiver, slots)
        if self.values.stages.part(receiver).kind == "v":
            return value
        columns = self.live.needed if is_query else self.live.all
        positions = self.values.batches[self.values.version(self.live.root).input].position_ids
        angles = self.values.weights.angles(positions[:, columns])
        return self.values.weights.rotate(value[..., None, :], angles)[..., 0, :]

    def remixed(
        self,
        head: int,
        parent: int,
        some: Sequence[int],
        birth: Birth,
        new: Mapping[tuple[int, str], Tensor],
    ) -> Tensor:
        """Return by what a head's new attention moves the stream, [N, B, columns, d].

        Args:
            head: The head.
            parent: The version that all these births are born from.
            some: Which births.
            birth: One of them.
            new: The queries, keys and values that edges change, by birth and receiver.
        """
        stages = self.values.stages
        layer, group = stages.layer_of(birth.version.born), stages.shape.group_of(head)
        names = (f"L{layer}.H{head}.q", *(stages.keys(layer, group, c) for c in "kv"))
        q, k, v = (
            self.stacked([new.get((index, name)) for index in some], name, birth) for name in names
        )
        prefix = self.values.prefix(self.live.root, layer, self.live.start)
        keys, values = (side[:, :, group] for side in prefix)
        z = mixed(q, k, v, keys, values, self.values.weights.factor, self.allowed())
        own = present(self.state(parent, birth.version.born).z)[:, :, head]
        moved: Tensor = (z - own) @ self.values.weights.blocks[layer].o[head]
        return moved

    def stacked(self, found: Sequence[Tensor | None], name: str, birth: Birth) -> Tensor:
        """Return one tensor of all births, with the parent's own where none is given."""
        if all(value is None for value in found):
            natural = self.natural_part(name, birth)
            return natural[None].expand(len(found), *natural.shape)
        return torch.stack([self.natural_part(name, birth) if v is None else v for v in found])

    def natural_part(self, name: str, birth: Birth) -> Tensor:
        """Return a parent's own query, key (both turned) or value, [B, P, d_head]."""
        key = (name, birth.parent)
        if key not in self._natural:
            slot = present(self.state(birth.parent, birth.version.born).entering)
            self._natural[key] = self.project(name, slot[None])[0]
        return self._natural[key]

    def allowed(self) -> Tensor | None:
        """Return who may attend to whom, [B, columns, T]; None where only order counts."""
        name = self.values.version(self.live.root).input
        if not self.values.batches.is_padded(name):
            return None
        mask = self.values.batches[name].mask
        return self.values.allowed(mask, self.live.width - self.live.start)

    # -- edges into an MLP -----------------------------------------------------------------------

    def mlp_slots(self, born: Sequence[Birth]) -> list[Tensor]:
        """Return the streams after an MLP that reads another stream than its block's."""
        rows: list[Tensor] = []
        layer = self.values.stages.layer_of(born[0].version.born)
        block, receiver = self.values.weights.blocks[layer], f"L{layer}.mlp"
        for some in self.chunks(range(len(born))):
            births = [born[index] for index in some]
            states = [self.state(b.parent, b.version.born).entering for b in births]
            entering = torch.stack([self.live.narrow(state) for state in states])
            sent = [self.sent(b, receiver, self.live.needed) for b in births]
            out = block.mlp(block.mlp_norm(entering + torch.stack(sent)))
            rows += list((entering + out).unbind())
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Sender:
    """A sender's own value in a version, at columns."""

    values: Values
    name: str
    version: int

    def __call__(self, columns: slice) -> Tensor:
        return self.values.at(self.name, self.version, columns)


def _receiver(write: Write) -> str:
    return write.site.receiver if isinstance(write.site, Edge) else ""


def present(value: Tensor | None) -> Tensor:
    """Return a value that the schedule has kept."""
    if value is None:
        raise InternalError("A state that is needed was not kept.")
    return value
