"""Both worlds of a batch of pairs, run once: what every estimator starts from."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import InternalError
from causalnet.estimators.outcomes import Outcome
from causalnet.estimators.passes import (
    AttentionTrace,
    Context,
    FinalTrace,
    Mix,
    MlpTrace,
    Stage,
    check_finite,
    context_of,
    forward,
    prefix_of,
)
from causalnet.estimators.sweeps import Gradients, sweep
from causalnet.estimators.weights import Decoder
from causalnet.estimators.windows import Picked, Side, Window
from causalnet.interventions import Base

__all__ = [
    "Endpoints",
    "Trace",
    "attention_of",
    "bytes_of",
    "endpoints_of",
    "mlp_of",
    "moved",
]

Trace: TypeAlias = Mapping[int, Stage]
"""What a pass gave, by stage."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoints:
    """The patched world's and the other world's passes over one batch of pairs.

    Attributes:
        decoder: The weights.
        window: The pairs as columns.
        context: Rotation, mask and prefix of the patched world's rows.
        outcome: The read-out on these prompts.
        below: The patched world's pass, with nothing patched.
        other: The pass that values are taken from.
        reference: Logits of the world that `kl` compares to, [B, vocabulary], or None.
        unpatched: The outcome where nothing is patched, [B].
        total: The outcome of the other world minus that, [B].
        counts: How many `forwards` and `backwards` have been run, and how many columns those of
            both worlds had: `run` of `all`.
    """

    decoder: Decoder
    window: Window
    context: Context
    outcome: Outcome
    below: Trace
    other: Trace
    reference: Tensor | None
    unpatched: Tensor
    total: Tensor
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, stream: Tensor, first: int = 1, mix: Mix | None = None) -> dict[int, Stage]:
        """Run the patched world's rows from a stage on, with another stream [B, P, d]."""
        self.counts["forwards"] += 1
        stages = {
            each.stage: each for each in forward(self.decoder, self.context, stream, first, mix)
        }
        check_finite(stages.values(), self.window.below.prompts.texts)
        return stages

    def backward(self, trace: Trace, *, first: int = 1, passed: float = 1.0) -> Iterator[Gradients]:
        """Go backwards through a pass from the outcome, the logits' stage first.

        Args:
            trace: The pass.
            first: The stage to end with.
            passed: The share of the stream in what receivers read.
        """
        self.counts["backwards"] += 1
        last = self.decoder.last_stage
        slot = trace[last].slot
        rows, columns = _read_at(self.window.below, self.outcome, self.window.start)
        _, found = self.outcome.gradient(slot[rows, columns], self.reference)
        gradient = torch.zeros_like(slot)
        gradient[rows, columns] = found
        before = passed * gradient
        yield Gradients(last, torch.zeros_like(gradient), before, gradient[None])
        yield from sweep(
            self.decoder, self.context, trace, before, last=last - 1, first=first, passed=passed
        )

    def sent(self, picked: Picked, trace: Trace | None = None) -> Tensor:
        """Return what every writer of the stream writes in the other world minus in this one.

        Args:
            picked: At which tokens.
            trace: A pass of the patched world's rows to subtract, in place of the unpatched one.

        Returns:
            [B, writers, Q, d], writers in the order of the graph: embedding, then for each layer
            the heads, the attention's bias where there is one, the MLP.
        """
        ours, shape = self.below if trace is None else trace, self.decoder.shape
        # The embedding of a bent pass may be mixed; what the embedding writes is not.
        embedded = moved(self.below[1].slot, self.other[1].slot, picked)
        heads, others = shape.heads, int(shape.attention_bias) + 1
        writers = 1 + shape.layers * (heads + others)
        made = embedded.new_zeros((len(embedded), writers, *embedded.shape[1:]))
        made[:, 0] = embedded
        for layer, attention in enumerate(self.decoder.attentions):
            at = 1 + layer * (heads + others)
            z = moved(attention_of(ours, layer).z, attention_of(self.other, layer).z, picked)
            by_head = z.permute(2, 0, 1, 3).flatten(1, 2) @ attention.output
            made[:, at : at + heads] = torch.unflatten(by_head, 1, z.shape[:2]).transpose(0, 1)
            written, theirs = (mlp_of(each, layer).written for each in (ours, self.other))
            made[:, at + heads + others - 1] = moved(written, theirs, picked)
        return made


def endpoints_of(decoder: Decoder, window: Window, outcome: Outcome, direction: str) -> Endpoints:
    """Run both worlds of a batch of pairs, side by side in one pass.

    Args:
        decoder: The weights.
        window: The pairs; before its start both are one and are run once.
        outcome: The read-out.
        direction: `noising`, where the base is patched, or `denoising`.

    Raises:
        NumericalError: NaN or infinity in either world.
    """
    sides, start, end = (window.below, window.other), window.start, window.below.ids.shape[1]
    prefix = prefix_of(decoder, window.below, start)
    double = None if prefix is None else prefix.repeated(2)
    both = context_of(decoder, sides, start, end, double)
    ids, position_ids = (
        torch.cat(pair)[:, start:]
        for pair in (
            [side.ids for side in sides],
            [side.position_ids for side in sides],
        )
    )
    stages = list(forward(decoder, both, decoder.embed(ids, position_ids)))
    check_finite(stages, (*window.below.prompts.texts, *window.other.prompts.texts))
    count = len(window.below.ids)
    below = {stage.stage: _rows(stage, slice(count)) for stage in stages}
    other = {stage.stage: _rows(stage, slice(count, None)) for stage in stages}
    finals = []
    for trace, side in ((below, window.below), (other, window.other)):
        rows, columns = _read_at(side, outcome, start)
        finals.append(trace[decoder.last_stage].slot[rows, columns])
    reference = None
    if outcome.readout.reference is not None:
        is_base = outcome.readout.reference == Base("base")
        reference = outcome.logits(finals[0 if is_base == (direction == "noising") else 1])
    values = [outcome.value(final, reference) for final in finals]
    counts = Counter({"forwards": 2, "run": count * (end - start), "all": count * end})
    return Endpoints(
        decoder,
        window,
        context_of(decoder, (window.below,), start, end, prefix),
        outcome,
        below,
        other,
        reference,
        values[0],
        values[1] - values[0],
        counts,
    )


def bytes_of(decoder: Decoder, columns: int) -> int:
    """Return what a pair takes: both passes, what the writers send, and one pass on the way."""
    shape, writers = decoder.shape, 1 + decoder.shape.layers * (decoder.shape.heads + 2)
    inside = 2 * (shape.heads + shape.kv_heads) * shape.d_head + 2 * shape.d_mlp
    in_layer = 3 * shape.d_model + inside
    numbers = 3 * shape.layers * in_layer + 2 * writers * shape.d_model
    return columns * numbers * decoder.tokens.element_size()


def moved(below: Tensor, other: Tensor, picked: Picked) -> Tensor:
    """Return other - below at picked tokens, [B, Q, ...] of [B, P, ...]."""
    flat = picked.of_other(other.flatten(2)) - picked.of_below(below.flatten(2))
    return torch.unflatten(flat, 2, below.shape[2:])


def attention_of(trace: Trace, layer: int) -> AttentionTrace:
    """Return a layer's attention in a pass."""
    stage = trace[1 + 2 * layer]
    if not isinstance(stage, AttentionTrace):
        raise InternalError(f"Stage {stage.stage} is not attention.")
    return stage


def mlp_of(trace: Trace, layer: int) -> MlpTrace:
    """Return a layer's MLP in a pass."""
    stage = trace[2 + 2 * layer]
    if not isinstance(stage, MlpTrace):
        raise InternalError(f"Stage {stage.stage} is not an MLP.")
    return stage


def _read_at(side: Side, outcome: Outcome, start: int) -> tuple[Tensor, Tensor]:
    """Return row and column of the read-out's position within the window, [B] each."""
    columns = side.columns(outcome.readout.at) - start
    return torch.arange(len(columns), device=columns.device), columns


def _rows(stage: Stage, rows: slice) -> Stage:
    """Return some rows of a stage."""
    match stage:
        case AttentionTrace(number, slot, q, k, v, z):
            return AttentionTrace(number, slot[rows], q[rows], k[rows], v[rows], z[rows])
        case MlpTrace(number, slot, into, gate, written):
            gates = None if gate is None else gate[rows]
            return MlpTrace(number, slot[rows], into[rows], gates, written[rows])
        case FinalTrace(number, slot):
            return FinalTrace(number, slot[rows])
