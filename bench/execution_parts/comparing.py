"""The baselines on a sample of a row's worlds: what they would cost in all, and what they find."""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from causalnet.lift import raised_casts
from execution_parts.by_hand import ByHand, Patch
from execution_parts.clock import Clock
from execution_parts.rows import Case, Setting

__all__ = ["Baselines", "by_hand", "derivatives", "drawn", "logit_difference", "run_baselines"]

TOGETHER = 8  # worlds between two measurements of a forward


@dataclass(frozen=True)
class Baselines:
    """What the baselines cost and found.

    Attributes:
        naive: Forwards of the naive loop over all worlds, extrapolated.
        resume: Forwards of `resume` over all worlds, extrapolated.
        values: Label of each world of the sample to the naive loop's read-outs, [B].
        exact: The same read-outs by the naive loop in float64, [B].
        unpatched: The read-outs of the base, [B].
        unpatched_exact: Those in float64, [B].
        apart: The largest difference between the two baselines.
    """

    naive: float
    resume: float
    values: Mapping[str, Tensor]
    exact: Mapping[str, Tensor]
    unpatched: Tensor
    unpatched_exact: Tensor
    apart: float


def by_hand(setting: Setting) -> ByHand:
    """Return the baselines of a setting."""
    model, pairs = setting.net.model, setting.pairs
    base, source = (
        torch.tensor(side.ids, device=model.device) for side in (pairs.base, pairs.source)
    )
    return ByHand(model.module, base, source)


def drawn(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Return one case out of each of `count` equal stretches, by a seeded draw.

    Cases are in the order of layers, or of positions and layers, so that each has its share.
    """
    generator = random.Random(seed)
    count = min(count, len(cases))
    ends = [len(cases) * number // count for number in range(count + 1)]
    return [cases[generator.randrange(start, stop)] for start, stop in pairwise(ends)]


def run_baselines(
    cases: Sequence[Case], sample: Sequence[Case], clock: Clock, setting: Setting
) -> Baselines:
    """Run both baselines on a sample.

    Costs are extrapolated linearly: the naive loop's by the number of worlds, those of `resume` by
    the number of blocks that are run, where the unembedding counts as one.
    """
    rivals = by_hand(setting)
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    costs = [0.0, 0.0]
    with torch.no_grad():
        recording = clock.timed(rivals.record)[1].forwards
        for start in range(0, len(sample), TOGETHER):
            some = [case.patches for case in sample[start : start + TOGETHER]]
            for number, run in enumerate((rivals.naive, rivals.resumed)):
                logits, timed = clock.timed(partial(_each, run, some))
                found[number].extend(logit_difference(each, setting) for each in logits)
                costs[number] += timed.forwards
        unpatched = logit_difference(rivals.base.logits, setting)
    truth = _in_float64(rivals)
    with torch.no_grad(), raised_casts(truth.module):
        truth.record()
        exact = [logit_difference(truth.naive(case.patches), setting) for case in sample]
    worlds = len(cases) / len(sample)
    blocks = _blocks(cases, rivals) / _blocks(sample, rivals)
    labels = [case.label for case in sample]
    return Baselines(
        naive=recording + costs[0] * worlds,
        resume=recording + costs[1] * blocks,
        values=dict(zip(labels, found[0], strict=True)),
        exact=dict(zip(labels, exact, strict=True)),
        unpatched=unpatched,
        unpatched_exact=logit_difference(truth.base.logits, setting),
        apart=max(float((x - y).abs().max()) for x, y in zip(*found, strict=True)),
    )


def _in_float64(rivals: ByHand) -> ByHand:
    """Return the baselines on a copy of the model in float64."""
    module = copy.deepcopy(rivals.module).double()
    return ByHand(module, rivals.base_ids, rivals.source_ids)


def derivatives(sample: Sequence[Case], setting: Setting) -> dict[str, Tensor]:
    """Return d/dt of the read-out as t times a sender's difference is added, at t = 0, [B] each.

    One full forward and backward of the model for every case.
    """
    rivals = by_hand(setting)
    with torch.no_grad():
        rivals.record()
    found = {}
    for case in sample:
        strength = torch.zeros(
            len(setting.pairs), dtype=rivals.base.logits.dtype, requires_grad=True
        )
        score = logit_difference(rivals.naive(case.patches, strength), setting)
        (found[case.label],) = torch.autograd.grad(score.sum(), strength)
    return found


def logit_difference(logits: Tensor, setting: Setting) -> Tensor:
    """Return mean logit of the answers minus mean logit of the foils, [B], from [B, V]."""
    rows = zip(logits, setting.pairs.answers, setting.pairs.foils, strict=True)
    return torch.stack([row[list(yes)].mean() - row[list(no)].mean() for row, yes, no in rows])


def _each(
    run: Callable[[Sequence[Patch]], Tensor], some: Sequence[Sequence[Patch]]
) -> list[Tensor]:
    return [run(patches) for patches in some]


def _blocks(cases: Sequence[Case], rivals: ByHand) -> int:
    depth = len(rivals.blocks) + 1
    return sum(depth - rivals.first_block(case.patches) for case in cases)
