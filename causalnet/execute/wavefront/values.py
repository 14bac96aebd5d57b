"""Values of mediators in versions: what runs cache, what waves keep, and what both make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.compiler import Kind, Schedule, Stages, Version, Write
from causalnet.compiler.needs import is_plain
from causalnet.errors import InternalError
from causalnet.execute.batch import TokenBatch
from causalnet.execute.bindings import Bindings
from causalnet.execute.devices import on_device
from causalnet.execute.edits import Edit, fold
from causalnet.execute.operations import Setting
from causalnet.execute.values import Evaluator
from causalnet.execute.views import Projector, View, is_attended, view_of
from causalnet.execute.wavefront.attention import patterns
from causalnet.execute.wavefront.batches import Batches
from causalnet.execute.wavefront.checks import Checks
from causalnet.execute.wavefront.runs import Run
from causalnet.execute.wavefront.weights import Weights
from causalnet.interventions import At, Position, Site, reads_of
from causalnet.lift import LiftedNetwork

__all__ = ["State", "Values"]


@dataclass(slots=True, eq=False)
class State:
    """What others need of a version at one stage, at its live columns.

    Attributes:
        entering: The stream that the stage reads, [B, P, d].
        leaving: The stream after the stage, [B, P, d].
        z: Of attention, the z of all heads, [B, P, H, d_head].
    """

    entering: Tensor | None = None
    leaving: Tensor | None = None
    z: Tensor | None = None


@dataclass(slots=True, eq=False)
class Values:
    """The values that have been computed for one batch.

    Attributes:
        net: The lifted network.
        weights: Its weights as functions.
        bindings: Constants and prompts.
        moved: The same with constants where the weights are.
        batches: The prompts as tensors.
        schedule: The schedule.
        runs: The runs, by version.
        states: What waves kept of versions, by version and stage.
        settled: What births and waves kept of nodes, by node and version, at live columns.
        around: The stream before and after a cut that a version sets, at all columns.
        checks: Told what is not sound.
        calls_for_births: Versions, with a stage, whose own call there others are born from.
    """

    net: LiftedNetwork
    weights: Weights
    bindings: Bindings
    moved: Bindings
    batches: Batches
    schedule: Schedule
    runs: dict[int, Run] = field(default_factory=dict)
    states: dict[tuple[int, int], State] = field(default_factory=dict)
    settled: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    around: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    checks: Checks = field(default_factory=Checks)
    calls_for_births: frozenset[tuple[int, int]] = field(init=False)
    _made: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    _selected: dict[tuple[str, tuple[Position, ...]], Tensor] = field(default_factory=dict)
    _views: dict[tuple[Site, str], View | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note what births ask of the values of others."""
        versions = self.schedule.program.versions
        self.calls_for_births = frozenset(
            (self.schedule.alias[versions[number].parent], versions[number].born)
            for wave in self.schedule.waves
            for number in wave.versions
            if self._needs_call(versions[number])
        )

    def _needs_call(self, version: Version) -> bool:
        """Return whether a version is born from what its parent's own call makes."""
        if self.stages.is_attention(version.born):
            return version.kind in (Kind.OUTPUT, Kind.SLOT)
        is_whole = len(version.writes) == 1 and not version.writes[0].site.at
        is_whole = is_whole and is_plain(self.schedule, version.writes[0], version)
        return version.kind == Kind.OUTPUT and version.born > 0 and not is_whole

    @property
    def stages(self) -> Stages:
        """The stages of the network."""
        return self.schedule.program.stages

    def version(self, number: int) -> Version:
        """Return a version."""
        return self.schedule.program.versions[number]

    def root(self, number: int) -> int:
        """Return the run at the root of a version."""
        while not self.version(number).is_run:
            number = self.schedule.alias[self.version(number).parent]
        return number

    # -- values of nodes -------------------------------------------------------------------------

    def full(self, node: str, number: int) -> Tensor:
        """Return a node's value in the course of a version at all columns, [B, T, ...]."""
        number = self.home(node, number)
        window = self.settled.get((node, number))
        if self.version(number).is_run:
            return self.of_run(node, number)
        if window is None and self.stages.part(node).kind == "bias":
            return self.of_run(node, self.root(number))  # a constant
        if window is None:
            raise InternalError(f"{node} of v{number} was not kept.")
        start = self.schedule.start[number]
        if start == 0:
            return window
        return torch.cat([self.of_run(node, self.root(number))[:, :start], window], 1)

    def at(self, node: str, number: int, columns: slice) -> Tensor:
        """Return a node's value at some columns, [B, columns, ...].

        What is kept of the last layer may begin behind the version's first column, where the wave
        had narrowed to what is read; it ends at the last column like everything.
        """
        number = self.home(node, number)
        if self.version(number).is_run:
            return self.of_run(node, number, columns)
        window, start = self.settled.get((node, number)), columns.start or 0
        if window is not None and start >= (first := self.batches.width - window.shape[1]):
            return window[:, start - first :]
        if window is None:
            return self.full(node, number)[:, columns]
        before = self.of_run(node, self.root(number), columns)
        return torch.cat([before[:, : first - start], window], 1)

    def home(self, node: str, number: int) -> int:
        """Return the version that a version's course is at a node's stage."""
        number = self.schedule.alias[number]
        stage = self.stages.part(node).stage
        while self.version(number).born > stage:
            number = self.schedule.alias[self.version(number).parent]
        return number

    def of_run(self, node: str, number: int, columns: slice = slice(None)) -> Tensor:
        """Return a node's value in a run, [B, columns, ...]."""
        run, part = self.runs[number], self.stages.part(node)
        match part.kind:
            case "cut":
                return self._cut(run, part.stage, columns)
            case "z":
                return self.from_run(run, run.z[part.layer], part.layer, columns)[:, :, part.index]
            case "head":
                z = self.from_run(run, run.z[part.layer], part.layer, columns)[:, :, part.index]
                return z @ self.weights.blocks[part.layer].o[part.index]
            case "mlp":
                return self.from_run(run, self._mlp(run, part.layer, number), part.layer, columns)
        key = (node, number)
        if key not in self._made:
            self._made[key] = self._computed(node, number)
        return self._made[key][:, columns]

    def from_run(self, run: Run, kept: Tensor, layer: int, columns: slice) -> Tensor:
        """Return columns of what a run kept of a layer, which may lack the first ones."""
        first, start = run.first_column(layer), columns.start or 0
        if start < first:
            raise InternalError(f"Column {start} of layer {layer} of a run was not kept.")
        return kept[:, start - first :]

    def _cut(self, run: Run, stage: int, columns: slice) -> Tensor:
        layer = self.stages.layer_of(stage)
        if stage == self.stages.last:
            return self.from_run(run, self.last(run), layer - 1, columns)
        if self.stages.is_attention(stage):
            return run.pre[layer][:, columns]
        return self.from_run(run, run.mid[layer], layer, columns)

    def _mlp(self, run: Run, layer: int, number: int) -> Tensor:
        """Return an MLP's output in a run: kept where births take it, made where they extend it."""
        if layer in run.mlp:
            return run.mlp[layer]
        key = (f"L{layer}.mlp", number)
        if key not in self._made:
            block = self.weights.blocks[layer]
            self._made[key] = block.mlp(block.mlp_norm(run.mid[layer]))
        return self._made[key]

    def prefix(self, number: int, layer: int, start: int) -> tuple[Tensor, Tensor]:
        """Return a run's keys and values before a column, [B, start, groups, d_head] each."""
        if start == 0:  # a run may end before versions that are live everywhere
            shape, batch = self.stages.shape, len(self.batches.rows)
            nothing = self.weights.tokens.new_empty(batch, 0, shape.kv_heads, shape.d_head)
            return nothing, nothing
        run = self.runs[number]
        return run.k[layer][:, :start], run.v[layer][:, :start]

    def last(self, run: Run) -> Tensor:
        """Return a run's stream in front of the final norm, [B, T, d]."""
        if run.post_last is None:
            raise InternalError("The last stream of a run was not kept.")
        return run.post_last

    def _computed(self, node: str, number: int) -> Tensor:
        """Return a value of a run that no cache holds."""
        run, part = self.runs[number], self.stages.part(node)
        batch = self.batches[self.version(number).input]
        match part.kind:
            case "embed":
                return self.weights.embed(batch.ids, batch.position_ids)
            case "scale":
                return self._scale(run, part.of)
            case "logits":
                return self.weights.unembed(self.last(run))
            case "bias":
                bias = self.weights.blocks[part.layer].bias
                if bias is None:
                    raise InternalError(f"{node} is not there.")
                return bias.expand(*batch.ids.shape, len(bias))
            case "q" | "k" | "v":
                return self.projected(node, run.pre[part.layer])
            case "pattern":
                positions = batch.position_ids
                return self.pattern(node, run.pre[part.layer], None, positions, batch.mask)
        raise InternalError(f"{node} has no value in a run.")

    def _scale(self, run: Run, receiver: str) -> Tensor:
        part = self.stages.part(receiver)
        if part.kind == "logits":
            return self.weights.final_norm.scale(self.last(run))
        block = self.weights.blocks[part.layer]
        if part.kind == "mlp":
            return block.mlp_norm.scale(run.mid[part.layer])
        return block.attention_norm.scale(run.pre[part.layer])

    def projected(self, node: str, stream: Tensor) -> Tensor:
        """Return queries, keys or values before rotation of a stream, [..., d_head]."""
        part, width = self.stages.part(node), self.stages.shape.d_head
        block = self.weights.blocks[part.layer]
        projection = {"q": block.q, "k": block.k, "v": block.v}[part.kind]
        own = projection.columns(part.index * width, (part.index + 1) * width)
        return own(block.attention_norm(stream))

    def pattern(
        self,
        node: str,
        stream: Tensor,
        earlier_keys: Tensor | None,
        positions: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Return a head's natural pattern at the last columns, [B, P, T].

        Args:
            node: The pattern.
            stream: What the head reads at those columns, [B, P, d].
            earlier_keys: The keys before them, before rotation, [B, T - P, d_head].
            positions: The positions of all columns, [B, T].
            mask: Which columns hold tokens, [B, T].
        """
        part, stages = self.stages.part(node), self.stages
        group = stages.shape.group_of(part.index)
        query = self.projected(f"L{part.layer}.H{part.index}.q", stream)
        key = self.projected(stages.keys(part.layer, group, "k"), stream)
        key = key if earlier_keys is None else torch.cat([earlier_keys, key], 1)
        late = self.weights.angles(positions[:, -stream.shape[1] :])
        query = self.weights.rotate(query[:, :, None], late)[:, :, 0]
        key = self.weights.rotate(key[:, :, None], self.weights.angles(positions))[:, :, 0]
        nothing, factor = key[:, :0], self.weights.factor
        allowed = self.allowed(mask, mask.shape[1])
        return patterns(query[None], key[None], nothing, factor, allowed)[0]

    def allowed(self, mask: Tensor, live: int) -> Tensor:
        """Return who may attend to whom, [B, live, T], for the last columns."""
        columns = torch.arange(mask.shape[1], device=mask.device)
        causal = columns[None] <= columns[mask.shape[1] - live :, None]
        return causal[None] & mask[:, None]

    # -- values that are set ---------------------------------------------------------------------

    def edits(self, writes: Sequence[Write], version: Version) -> list[Edit]:
        """Return writes as the edits of the hook executor, at all columns."""
        found = []
        for write in writes:
            view = self.view(write.site, version.input)
            selected = self.selected(version.input, write.site.at)
            evaluate = self._evaluator(write, version.input)
            found.append(Edit(write.site, evaluate, selected, view, write.layer))
        return found

    def view(self, site: Site, name: str) -> View | None:
        """Return the view of a site's part on an input; a projection is where the weights are."""
        if (site, name) not in self._views:
            view = view_of(site, self.net.graph, self.batches[name], self.bindings)
            if isinstance(view, Projector):
                to, dtype = self.weights.device, self.weights.dtype
                sides = (on_device(s.to(dtype), to) for s in (view.span, view.cospan))
                view = Projector(*sides)
            self._views[site, name] = view
        return self._views[site, name]

    def _evaluator(self, write: Write, name: str) -> Callable[[Tensor], Tensor]:
        refs = dict(zip(reads_of(write.value), write.refs, strict=True))

        def read(at: At) -> tuple[Tensor, TokenBatch]:
            ref = refs[at]
            return self.full(ref.node, ref.version), self.batches[ref.input]

        rows, at = self.batches.rows, write.site.at
        setting = Setting(self.batches[name], self.selected(name, at))
        attended = is_attended(write.site.read_from, self.net.graph)
        evaluator = Evaluator(self.moved, setting, rows, at, attended, read)
        return lambda below: evaluator(write.value, below)

    def settled_at(
        self,
        natural: Callable[[slice], Tensor],
        writes: Sequence[Write],
        version: Version,
        columns: slice,
    ) -> Tensor:
        """Return a value with writes on top, at some columns.

        Args:
            natural: The value below, at columns.
            writes: The writes, in the order of their layers.
            version: The version that is born.
            columns: Which columns.
        """
        if not writes:
            return natural(columns)
        if not all(is_plain(self.schedule, write, version) for write in writes):
            whole = natural(slice(None))
            return fold(whole, self.edits(writes, version), self.checks)[:, columns]
        if len(writes) == 1 and not writes[0].site.at and not self.batches.is_padded(version.input):
            return self.at(writes[0].refs[0].node, writes[0].refs[0].version, columns)
        value = natural(columns)
        for write in writes:
            fresh = self.at(write.refs[0].node, write.refs[0].version, columns)
            chosen = self.selected(version.input, write.site.at)[:, columns, None]
            value = torch.where(chosen, fresh, value)
        return value

    def selected(self, name: str, at: tuple[Position, ...]) -> Tensor:
        """Return which tokens of an input some positions select, [B, T]."""
        if (name, at) not in self._selected:
            self._selected[name, at] = self.batches[name].selected(at)
        return self._selected[name, at]
