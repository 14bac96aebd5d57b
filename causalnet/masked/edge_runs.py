"""Runs of a network on prompt pairs in which chosen edges carry the values of an ablation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.effects.queries import check_asked_of
from causalnet.errors import AlignmentError, NumericalError, ParameterError, TermError
from causalnet.estimators.outcomes import check_readout
from causalnet.estimators.sites import EdgeSites
from causalnet.estimators.weights import Decoder, decoder_of
from causalnet.execute import Bindings
from causalnet.execute.batch import make_batch
from causalnet.execute.runnable import check_batch_size, check_readable
from causalnet.interventions import Ablation, AblationKind, Base, Direction, Position, ReadOut
from causalnet.interventions.queries import positions_of
from causalnet.lift import LiftedNetwork, check_unchanged
from causalnet.masked.batches import Batch
from causalnet.masked.layout import Layout, layout_of
from causalnet.masked.liveness import needed_senders
from causalnet.masked.outcomes import Scored
from causalnet.masked.passes import Columns, Pass
from causalnet.masked.reads import LeanReads, MaskedReads, PlainReads, ProbedReads
from causalnet.masked.references import References
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Batch", "EdgeRuns"]

ROOM = 3 << 28  # bytes that the versions of one run may take


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRuns:
    """A network, prompts and the conventions under which its edges are masked.

    A mask has a number for every residual edge, in the order of `sites`: 1 where the edge carries
    what its sender computes in this run, 0 where it carries the reference.  In the direction
    `noising` the base is run and the reference is the ablation's; in `denoising` the source is run
    and the reference is the base's value.

    Attributes:
        net: The lifted network.
        pairs: The prompt pairs.
        ablation: What edges carry that are masked.
        readout: The outcome; accuracy has no gradient.  A read-out at "all" is the mean over all
            tokens of a prompt.
        direction: Which prompts are run.
        at: Positions at which edges are masked; none means all.
        reference: The reference set of means and resampling.
        seed: Seed of resampling.
        batch_size: Pairs in a batch.
        constants: For optimal ablation, what was learned: [d] by the name of each sender.
        means: Means of the reference set that were computed before.

    Raises:
        TermError: Denoising with another ablation than counterfactual, a read-out of another node,
            a reference set that is missing or another than the ablation's.
        AlignmentError, PromptError: Pairs that do not line up where they must.
        ParameterError: No pairs, no batch.
    """

    net: LiftedNetwork
    pairs: PromptPairs
    ablation: Ablation
    readout: ReadOut
    direction: Direction = "noising"
    at: tuple[Position, ...] = ()
    reference: Prompts | None = None
    seed: int | str = 0
    batch_size: int = 16
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    means: Mapping[str, Tensor] | None = None
    layout: Layout = field(init=False)
    decoder: Decoder = field(init=False)
    references: References = field(init=False)
    _kept: dict[int, Batch] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check what is asked, and compute what all runs share."""
        check_asked_of(self.net, self.pairs)
        object.__setattr__(self, "at", positions_of(self.at))
        check_batch_size(self.batch_size)
        check_unchanged(self.net)
        if not len(self.pairs):
            raise ParameterError(
                "0 pairs were given.", "An outcome is one of at least one pair.", "Give pairs."
            )
        if self.direction not in ("noising", "denoising"):
            raise TermError(
                f"The direction {self.direction!r}.",
                "'noising' runs the base with the ablation's values, 'denoising' the source with "
                "those of the base.",
                "Write direction='noising'.",
            )
        is_paired = self.ablation.kind is AblationKind.COUNTERFACTUAL
        if self.direction == "denoising" and not is_paired:
            raise TermError(
                f"Denoising with the ablation {self.ablation}.",
                "Denoising sets base values in the source run.",
                "Write counterfactual(), or direction='noising'.",
            )
        if self.readout.node != "logits":
            raise TermError(
                f"The read-out {self.readout}.",
                "Masked runs read the logits.",
                "Write logit_diff, kl or logit_distance.",
            )
        for prompts in (self.pairs.base, self.pairs.source):
            check_readable(prompts, self.net)
            if self.readout.at != "all":
                prompts.at(self.readout.at)
        decoder, layout = decoder_of(self.net), layout_of(self.net.graph)
        sides = (self.pairs.base, self.pairs.source)
        run, other = sides if self.direction == "noising" else sides[::-1]
        found = References(
            decoder,
            layout,
            self.ablation,
            run,
            other,
            self.at,
            self.reference,
            self.constants,
            self.seed,
            self.pairs.record.rows or (),
            self.means,
        )
        object.__setattr__(self, "decoder", decoder)
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "references", found)

    @property
    def sites(self) -> EdgeSites:
        """The residual edges, in the order in which masks number them."""
        return self.layout.sites

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def batches(self) -> Iterator[Batch]:
        """Go through the pairs batch by batch; what fits in memory is made once."""
        for start in range(0, len(self.pairs), self.batch_size):
            if start not in self._kept:
                batch = self._batch(range(start, min(start + self.batch_size, len(self.pairs))))
                size = batch.known.nbytes * (1 + len(batch.references))
                if (len(self._kept) + 1) * size > 2 * ROOM:
                    yield batch
                    continue
                self._kept[start] = batch
            yield self._kept[start]

    def outcomes(
        self, masks: Tensor, *, first: int = 0, readout: ReadOut | None = None
    ) -> NDArray[np.float64]:
        """Return the outcome of every mask on every prompt, [masks, n], averaged over draws.

        Args:
            masks: [masks, edges].
            first: The first stage into which any of them removes an edge; it is not looked at.
            readout: In place of the runs' own, at the same position.

        Raises:
            NumericalError: NaN or infinity in an outcome.
        """
        found = [
            self.batch_outcomes(batch, masks, first=first, readout=readout)
            for batch in self.batches()
        ]
        return torch.cat(found, 1).cpu().double().numpy()

    def batch_outcomes(
        self, batch: Batch, masks: Tensor, *, first: int = 0, readout: ReadOut | None = None
    ) -> Tensor:
        """Return the outcome of every mask on the prompts of a batch, [masks, B]."""
        parts = []
        with torch.no_grad():
            for part in torch.split(masks, self.versions(batch, masks, first)):
                draws = [
                    self.value(batch, self.slots(batch, part, first, draw), readout)
                    for draw in range(len(batch.references))
                ]
                parts.append(torch.stack(draws).mean(0))
        return torch.cat(parts)

    def versions(self, batch: Batch, masks: Tensor, first: int = 0) -> int:
        """Return how many of some masks of a batch fit in memory at once."""
        given = masks[:, None] if masks.ndim == 2 else masks
        live, ended = needed_senders(self.layout, given, first)
        if batch.selected is not None:
            live, ended = frozenset(range(len(self.layout.senders))), frozenset()
        known = self.layout.stages[first].parents
        share = batch.columns.read.shape[1] / batch.known.shape[2]
        senders = sum(share if n in ended else 1.0 for n in live if n >= known)
        widest = max(stage.receivers for stage in self.layout.stages[first:])
        each = batch.known[:, 0].nbytes * (2 * senders + 8 * widest)
        return max(1, int(ROOM // each))

    def slots(
        self, batch: Batch, masks: Tensor, first: int = 0, draw: int = 0, *, recorded: bool = False
    ) -> Tensor:
        """Return what is read for the logits under masks, [masks, B, C, d].

        Args:
            batch: The prompts.
            masks: [masks, edges], or [masks, B, edges] with masks for each prompt.
            first: The first stage into which any of them removes an edge.
            draw: Which draw of the reference.
            recorded: Whether gradients with respect to the masks are recorded.
        """
        given = masks.to(batch.known)
        given = given[:, None] if given.ndim == 2 else given
        reference = batch.references[draw]
        parents = self.layout.stages[first].parents
        begin = (
            self.layout,
            given,
            batch.known[:, :parents],
            reference,
            _sums(self.layout, reference),
            batch.columns.read,
        )
        going = Pass(self.decoder, self.layout, batch.columns)
        if batch.selected is not None or recorded:
            return going.run(MaskedReads(*begin, batch.selected, recorded), first)
        live, ended = needed_senders(self.layout, given, first)
        found = going.run(LeanReads(*begin, ended), first, live, ended)
        return found.expand(len(given), *found.shape[1:])  # what all versions read alike ran once

    def value(self, batch: Batch, slots: Tensor, readout: ReadOut | None = None) -> Tensor:
        """Return the outcome of what is read for the logits, [masks, B] of [masks, B, C, d].

        Raises:
            NumericalError: NaN or infinity.
        """
        scored = batch.scored
        if readout is not None and readout.at != self.readout.at:
            raise TermError(
                f"The read-out {readout.described} of runs that are read at {self.readout.at}.",
                "Another read-out is taken at the same position.",
                "Make runs with this read-out.",
            )
        if readout is not None and readout != self.readout:
            scored = self._scored(batch.rows, readout, batch.columns, batch.intact)
        found = scored.values(slots)
        if not bool(torch.isfinite(found).all()):
            row = int((~torch.isfinite(found)).any(0).nonzero()[0])
            raise NumericalError(
                f"The outcome {scored.readout} is not finite on prompt "
                f"{self.pairs.labels[batch.rows[row]]!r}.",
                "NaN or infinity arose on the way.",
                "Look at the prompt, or at the ablation's values.",
            )
        return found

    def logits(self, masks: Tensor, *, first: int = 0, draw: int = 0) -> list[Tensor]:
        """Return the logits that the read-out sees, a list of [masks, B, C, vocabulary].

        C is 1 where one position is read; where all are, padding is NaN.
        """
        found = []
        with torch.no_grad():
            for batch in self.batches():
                logits = batch.scored.logits(self.slots(batch, masks, first, draw))
                hidden = ~batch.columns.real[None, ..., None]
                found.append(logits.masked_fill(hidden, torch.nan))
        return found

    def gradients(
        self, masks: Tensor, *, first: int = 0, readout: ReadOut | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the derivative of the outcome with respect to every edge's mask, on every prompt.

        Args:
            masks: Where it is taken, [edges].
            first: The first stage into which it removes a share of an edge; edges into earlier
                stages get 0.
            readout: In place of the runs' own.

        Returns:
            Derivatives [n, edges], and the outcomes there [n], averaged over draws.

        Raises:
            TermError: A read-out without a gradient.
        """
        check_readout(readout or self.readout)
        slopes, values = [], []
        for batch in self.batches():
            sums: list[Tensor] = []
            for draw in range(len(batch.references)):
                with torch.enable_grad():
                    own = masks.to(batch.known).expand(1, len(batch.rows), -1).clone()
                    own.requires_grad_()
                    slots = self.slots(batch, own, first, draw, recorded=True)
                    value = self.value(batch, slots, readout)
                    (slope,) = torch.autograd.grad(value.sum(), own)
                sums.append(torch.cat([slope[0], value.detach()[0][:, None]], 1))
            mean = torch.stack(sums).mean(0)
            slopes.append(mean[:, :-1])
            values.append(mean[:, -1])
        return (
            torch.cat(slopes).cpu().double().numpy(),
            torch.cat(values).cpu().double().numpy(),
        )

    def input_gradients(
        self, factor: float, *, readout: ReadOut | None = None
    ) -> NDArray[np.float64]:
        """Return (reference - own value) . gradient of every edge on the way of the inputs.

        The network runs undisturbed on embeddings `factor` of the way from the run's own to the
        reference's; the gradient at each receiver's slot is multiplied by the whole move of each
        sender, reference minus own value where nothing is moved.

        Returns:
            [n, edges], averaged over draws.
        """
        check_readout(readout or self.readout)
        inputs, found = self.layout.inputs, []
        for batch in self.batches():
            parts = []
            for reference in batch.references:
                moves = reference - batch.known
                moves = (
                    moves if batch.selected is None else moves * batch.selected[:, None, :, None]
                )
                embedded = batch.known[:, :inputs] + factor * moves[:, :inputs]
                with torch.enable_grad():
                    probes = embedded.new_zeros(1, len(batch.rows), len(self.sites))
                    probes.requires_grad_()
                    reads = ProbedReads(self.layout, embedded, batch.columns.read, probes, moves)
                    slots = Pass(self.decoder, self.layout, batch.columns).run(reads)
                    value = self.value(batch, slots, readout)
                    (slope,) = torch.autograd.grad(value.sum(), probes)
                parts.append(slope[0])
            found.append(torch.stack(parts).mean(0))
        return torch.cat(found).cpu().double().numpy()

    def _batch(self, rows: range) -> Batch:
        decoder, layout, pairs = self.decoder, self.layout, self.pairs
        run = pairs.base if self.direction == "noising" else pairs.source
        with torch.no_grad():
            tokens = make_batch(run, rows, decoder.tokens.device)
            columns = Columns.of(decoder, tokens, self.readout.at)
            going = Pass(decoder, layout, columns)
            reads = PlainReads(layout, going.embedded(), columns.read)
            intact = going.run(reads)[0]
            assert reads.values is not None
            draws = range(self.references.draws)
            references = tuple(self.references.of(tokens, rows, draw) for draw in draws)
            scored = self._scored(rows, self.readout, columns, intact)
            chosen = tokens.selected(self.at) if self.at else None
            whole = Batch(rows, tokens, columns, reads.values, references, chosen, scored, intact)
            kinds = (AblationKind.COUNTERFACTUAL, AblationKind.RESAMPLE)
            is_cut = self.ablation.kind in kinds and decoder.shape.causal
            return whole.cut(going) if is_cut else whole

    def _scored(self, rows: range, readout: ReadOut, columns: Columns, intact: Tensor) -> Scored:
        answers = Bindings.of(self.pairs).answers
        plain = Scored(self.decoder, readout, answers, rows, columns.real, None)
        if readout.reference is None:
            return plain
        names = ("base", "source")
        wanted = next((n for n in names if readout.reference == Base(n)), None)
        if wanted is None:
            raise TermError(
                f"The read-out {readout} compares with {readout.reference}.",
                "Masked runs compare with the base or the source.",
                "Write logit_diff, or kl against the base as it is.",
            )
        with torch.no_grad():
            if wanted == names[self.direction == "denoising"]:
                return replace(plain, against=plain.logits(intact))
            prompts = self.pairs.base if wanted == "base" else self.pairs.source
            tokens = make_batch(prompts, rows, self.decoder.tokens.device)
            theirs = Columns.of(self.decoder, tokens, readout.at)
            if theirs.real.shape != columns.real.shape or (theirs.real != columns.real).any():
                raise AlignmentError(
                    "Base and source have prompts of different lengths, and all tokens are read.",
                    "Token is compared with token.",
                    "Read one position: readout.at='end'.",
                )
            going = Pass(self.decoder, self.layout, theirs)
            reads = PlainReads(self.layout, going.embedded(), theirs.read, keep=False)
            return replace(plain, against=plain.logits(going.run(reads)[0]))


def _sums(layout: Layout, reference: Tensor) -> dict[int, Tensor]:
    """Return sums of a reference over the senders before each stage, by their number."""
    counts = sorted({stage.parents for stage in layout.stages})
    found: dict[int, Tensor] = {}
    total, before = torch.zeros_like(reference[:, 0]), 0
    for count in counts:
        total = total + reference[:, before:count].sum(1)
        found[count], before = total, count
    return found
