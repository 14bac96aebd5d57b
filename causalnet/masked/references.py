"""What edges carry that do not carry their sender's own value: the reference of an ablation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.effects.reference import check_reference, digest_of, resampled_inputs
from causalnet.errors import AlignmentError, TermError
from causalnet.estimators.weights import Decoder
from causalnet.execute.batch import TokenBatch, make_batch
from causalnet.execute.values import noise_rows
from causalnet.interventions import Ablation, AblationKind, Position
from causalnet.masked.layout import Layout
from causalnet.masked.passes import Columns, Pass
from causalnet.masked.reads import PlainReads
from causalnet.tasks import Prompts

__all__ = ["References", "own_values"]

MEAN_BATCH = 16


def own_values(
    decoder: Decoder, layout: Layout, batch: TokenBatch, shift: Tensor | None = None
) -> Tensor:
    """Return what every sender writes in the untouched network, [B, senders, T, d]."""
    columns = Columns.of(decoder, batch, "end")
    run = Pass(decoder, layout, columns)
    reads = PlainReads(layout, run.embedded(shift), columns.read)
    run.run(reads)
    assert reads.values is not None
    return reads.values


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The reference values of an ablation, batch by batch.

    Attributes:
        decoder: The weights.
        layout: Senders and receivers.
        ablation: What edges carry.
        run: The prompts that are run.
        other: The other prompts of the pairs, from which counterfactual values are taken.
        at: Positions at which edges are masked; none means all.
        reference: The reference set of means and resampling.
        constants: For learned constants, [d] by the name of each sender.
        seed: Seed of resampling.
        numbers: The number of each prompt, which decides its noise; none means 0, 1, 2, ...
        means: Means that were computed before, as `means_of_reference` gives them.

    Raises:
        TermError: A reference set that is missing or another than the ablation's, an ablation that
            sets no reference value, learned constants that are not there.
    """

    decoder: Decoder
    layout: Layout
    ablation: Ablation
    run: Prompts
    other: Prompts
    at: tuple[Position, ...] = ()
    reference: Prompts | None = None
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    seed: int | str = 0
    numbers: tuple[int, ...] = ()
    means: Mapping[str, Tensor] | None = None
    _draws: tuple[Prompts, ...] = field(init=False)
    _means: Mapping[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        """Draw and average once."""
        check_reference(self.ablation, self.reference)
        draws: tuple[Prompts, ...] = ()
        means: Mapping[str, Tensor] = self.means or {}
        if self.ablation.kind is AblationKind.RESAMPLE and self.reference is not None:
            drawn = resampled_inputs(self.ablation, self.run, self.reference, self.seed)
            draws = tuple(drawn.values())
        elif self.ablation.kind is AblationKind.OPTIMAL:
            self._check_constants()
        elif self.reference is not None and self.means is None:
            means = self._averaged(self.reference)
        object.__setattr__(self, "_draws", draws)
        object.__setattr__(self, "_means", means)

    def _check_constants(self) -> None:
        lacking = [name for name in self.layout.senders if name not in self.constants]
        if lacking:
            raise TermError(
                f"{len(lacking)} of {len(self.layout.senders)} senders have no learned constant, "
                f"the first {lacking[0]}.",
                "Edges carry one constant for each sender.",
                "Write constants=learn_edge_constants(...).constants.",
            )

    @property
    def means_of_reference(self) -> Mapping[str, Tensor]:
        """The means over the reference set, to be passed on."""
        return self._means

    @property
    def draws(self) -> int:
        """How many references there are for each prompt, over which outcomes are averaged."""
        return self.ablation.draws

    def of(self, batch: TokenBatch, rows: Sequence[int], draw: int = 0) -> Tensor:
        """Return the reference of a batch, [B, senders, T, d].

        Raises:
            AlignmentError: Prompts that do not line up.
        """
        kinds: dict[AblationKind, Callable[[], Tensor]] = {
            AblationKind.ZERO: lambda: self._constant(batch, lambda _: torch.zeros(())),
            AblationKind.MEAN: lambda: self._pooled(batch),
            AblationKind.MEAN_PER_POSITION: lambda: self._by_position(batch),
            AblationKind.COUNTERFACTUAL: lambda: self._moved(batch, rows, self.other),
            AblationKind.RESAMPLE: lambda: self._moved(batch, rows, self._draws[draw]),
            AblationKind.NOISE: lambda: self._noised(batch, rows, draw),
            AblationKind.OPTIMAL: lambda: self._constant(batch, self.constants.__getitem__),
        }
        kind = self.ablation.kind
        if kind not in kinds:
            raise TermError(
                f"The ablation {self.ablation} of edges.",
                f"Edges carry {', '.join(kinds)} values.",
                "Write for example counterfactual().",
            )
        return kinds[kind]()

    def _constant(self, batch: TokenBatch, value: Callable[[str], Tensor]) -> Tensor:
        (rows, length), tokens = batch.ids.shape, self.decoder.tokens
        per_sender = [value(name).to(tokens) for name in self.layout.senders]
        width = tokens.shape[1]
        stacked = torch.stack([each.expand(width) for each in per_sender])
        return stacked[None, :, None].expand(rows, -1, length, -1).contiguous()

    def _pooled(self, batch: TokenBatch) -> Tensor:
        means = self._means[""]
        places = {name: index for index, name in enumerate(self.layout.senders)}
        return self._constant(batch, lambda name: means[places[name]])

    def _by_position(self, batch: TokenBatch) -> Tensor:
        rows, length = batch.ids.shape
        tokens = self.decoder.tokens
        found = tokens.new_zeros(rows, len(self.layout.senders), length, tokens.shape[1])
        for row, (template, ids) in enumerate(
            zip(batch.prompts.templates, batch.prompts.ids, strict=True)
        ):
            means = self._means.get(template)
            if means is None or means.shape[1] < len(ids):
                raise AlignmentError(
                    f"Prompt {batch.prompts.texts[row]!r} has no mean at every position.",
                    "A mean per position needs reference prompts of the same template and length.",
                    "Use the pooled mean, or a reference set with this template.",
                )
            start = batch.starts[row]
            found[row, :, start : start + len(ids)] = means[:, : len(ids)].to(tokens)
        return found

    def _moved(self, batch: TokenBatch, rows: Sequence[int], prompts: Prompts) -> Tensor:
        """Return values of other prompts at the columns of those that are run."""
        theirs = make_batch(prompts, rows, batch.ids.device)
        values = own_values(self.decoder, self.layout, theirs)
        columns = torch.arange(batch.ids.shape[1], device=batch.ids.device)
        taken = columns.expand(batch.ids.shape).clone()
        if self.at:
            for position in self.at:
                mine, other = batch.columns(position), theirs.columns(position)
                taken[torch.arange(len(mine)), mine] = other
        elif batch.prompts.lengths != theirs.prompts.lengths:
            pairs = zip(batch.prompts.lengths, theirs.prompts.lengths, strict=True)
            row = next(i for i, (a, b) in enumerate(pairs) if a != b)
            raise AlignmentError(
                f"Row {rows[row]} has {batch.prompts.lengths[row]} tokens, and the prompt that "
                f"values are taken from has {theirs.prompts.lengths[row]}.",
                "Values of all positions line up in prompts of one length.",
                "Give pairs of equal lengths, or positions: at=('end',).",
            )
        index = taken.clamp(max=values.shape[2] - 1)[:, None, :, None]
        return values.gather(2, index.expand(-1, values.shape[1], -1, values.shape[3]))

    def _noised(self, batch: TokenBatch, rows: Sequence[int], draw: int) -> Tensor:
        """Return values of the run with noise on its token embedding."""
        noise = self.ablation.noise
        assert noise is not None  # the ablation checks it
        like = self.decoder.tokens.new_zeros(*batch.ids.shape, self.decoder.tokens.shape[1])
        numbers = [self.numbers[row] for row in rows] if self.numbers else rows
        drawn = noise_rows(noise.key(draw), batch, numbers, like)
        shift = noise.sigma * drawn * batch.selected(noise.at)[..., None]
        return own_values(self.decoder, self.layout, batch, shift)

    def _averaged(self, reference: Prompts) -> dict[str, Tensor]:
        """Return means by template, [senders, T, d], or pooled under "", [senders, d]."""
        pooled = self.ablation.kind is AblationKind.MEAN
        sums: dict[str, Tensor] = {}
        counts: dict[str, Tensor] = {}
        device = self.decoder.tokens.device
        for start in range(0, len(reference), MEAN_BATCH):
            rows = range(start, min(start + MEAN_BATCH, len(reference)))
            batch = make_batch(reference, rows, device)
            values = own_values(self.decoder, self.layout, batch).double()
            for row, (template, ids) in enumerate(
                zip(batch.prompts.templates, batch.prompts.ids, strict=True)
            ):
                real, key = values[row, :, : len(ids)], "" if pooled else template
                ones = real.new_ones(len(ids))
                if pooled:
                    real, ones = real.sum(1, keepdim=True), ones.sum(0, keepdim=True)
                sums[key] = _added(sums.get(key), real, 1)
                counts[key] = _added(counts.get(key), ones, 0)
        means = {key: total / counts[key][:, None] for key, total in sums.items()}
        return {key: each[:, 0] if pooled else each for key, each in means.items()}

    def digest(self) -> str:
        """Return what identifies the reference set, or nothing."""
        return "" if self.reference is None else digest_of(self.reference)


def _added(total: Tensor | None, more: Tensor, axis: int) -> Tensor:
    """Add two tensors of different lengths along an axis at their first entries."""
    if total is None:
        return more.clone()
    longer, shorter = sorted((total, more), key=lambda each: -each.shape[axis])
    found = longer.clone()
    found.narrow(axis, 0, shorter.shape[axis]).add_(shorter)
    return found
