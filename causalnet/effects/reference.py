"""What ablations take from a declared reference set: means, and prompts to resample."""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from causalnet.errors import AlignmentError, TermError
from causalnet.execute import Constant, PerPosition, Pooled, TokenBatch, record
from causalnet.graphs import Kind
from causalnet.interventions import Ablation, AblationKind, Handle, mean_handle
from causalnet.lift import LiftedNetwork
from causalnet.tasks import Prompts

__all__ = [
    "REFERENCE_BATCH",
    "check_reference",
    "digest_of",
    "mean_constants",
    "mean_forwards",
    "resampled_inputs",
]

REFERENCE_BATCH = 16


def digest_of(prompts: Prompts) -> str:
    """Return a sha256 of the token ids of prompts."""
    return hashlib.sha256(json.dumps(prompts.ids).encode()).hexdigest()


def mean_constants(
    nodes: Iterable[str], ablation: Ablation, net: LiftedNetwork, reference: Prompts
) -> dict[Handle, Constant]:
    """Return the mean of every node over a reference set, summed in float64.

    Args:
        nodes: Names of nodes.
        ablation: A mean, pooled or per position.
        net: The lifted network.
        reference: The reference set; padding is not counted.

    Raises:
        TermError: The mean of an attention pattern.
    """
    names = list(dict.fromkeys(nodes))
    patterns = [name for name in names if net.graph.find(name).kind is Kind.PATTERN]
    if patterns:
        raise TermError(
            f"The mean of {patterns[0]} is asked for.",
            "Its entries are tokens, which differ from prompt to prompt.",
            "Interchange or resample it, or set it by an operation such as uniform_pattern.",
        )
    per_position = ablation.kind is AblationKind.MEAN_PER_POSITION
    sums: dict[tuple[str, str], Tensor] = {}  # (node, template) -> [T, d]
    counts: dict[str, Tensor] = {}  # template -> [T]

    def add(batch: TokenBatch, values: Mapping[str, Tensor]) -> None:
        for row, (template, ids) in enumerate(
            zip(batch.prompts.templates, batch.prompts.ids, strict=True)
        ):
            length = len(ids)
            counts[template] = _grown(counts.get(template), torch.ones(length, dtype=torch.float64))
            for name in names:
                real = values[name][row, :length].to("cpu", torch.float64)
                sums[name, template] = _grown(sums.get((name, template)), real)

    record(names, net, reference, add, batch_size=REFERENCE_BATCH)
    constants: dict[Handle, Constant] = {}
    for name in names:
        if per_position:
            means = {t: sums[name, t] / count[:, None] for t, count in counts.items()}
            constants[mean_handle(name, ablation)] = PerPosition(means)
        else:
            total = sum(sums[name, t].sum(0) for t in counts)
            pooled = total / sum(float(count.sum()) for count in counts.values())
            constants[mean_handle(name, ablation)] = Pooled(torch.as_tensor(pooled))
    return constants


def mean_forwards(ablation: Ablation | None) -> int:
    """Return the forward passes that the means of an ablation need."""
    means = (AblationKind.MEAN, AblationKind.MEAN_PER_POSITION)
    if ablation is None or ablation.kind not in means:
        return 0
    return -(-ablation.reference_size // REFERENCE_BATCH)


def _grown(total: Tensor | None, more: Tensor) -> Tensor:
    """Add two tensors of different lengths at their first positions."""
    if total is None:
        return more
    longer, shorter = (total, more) if len(total) >= len(more) else (more, total)
    result = longer.clone()
    result[: len(shorter)] += shorter
    return result


def resampled_inputs(
    ablation: Ablation, prompts: Prompts, reference: Prompts, seed: int | str
) -> dict[str, Prompts]:
    """Return the inputs `resample 0`, `resample 1`, ...: a reference prompt for every prompt.

    Args:
        ablation: Resampling, with its draws.
        prompts: The prompts that are patched.
        reference: Where values come from; same template and length as the prompt.
        seed: Seed of the draws.

    Raises:
        AlignmentError: A prompt without a reference prompt of its template and length.
    """
    drawn = random.Random(seed)
    alike: dict[tuple[str, int], list[int]] = {}
    for row, (template, length) in enumerate(
        zip(reference.templates, reference.lengths, strict=True)
    ):
        alike.setdefault((template, length), []).append(row)
    inputs = {}
    for draw in range(ablation.draws):
        chosen: list[int] = []
        for row, key in enumerate(zip(prompts.templates, prompts.lengths, strict=True)):
            if key not in alike:
                raise AlignmentError(
                    f"Prompt {prompts.texts[row]!r} has no reference prompt of its template "
                    f"with {key[1]} tokens.",
                    "Resampling takes values of prompts that line up.",
                    "Give a larger reference set, or one of the same templates.",
                )
            chosen.append(drawn.choice(alike[key]))
        inputs[f"resample {draw}"] = reference.rows(chosen)
    return inputs


def check_reference(ablation: Ablation | None, reference: Prompts | None) -> None:
    """Check that the reference set is the one that the ablation names.

    Raises:
        TermError: It is missing, not needed, or another.
    """
    wanted = None if ablation is None else ablation.reference
    if (wanted is None) != (reference is None):
        raise TermError(
            f"The ablation {ablation} {'needs' if wanted else 'uses no'} reference prompts.",
            "A reference set is given where, and only where, the ablation is made of one.",
            "Pass the same prompts to the ablation and as reference=... ."
            if wanted
            else "Leave reference out.",
        )
    if reference is not None and digest_of(reference) != wanted:
        raise TermError(
            "These reference prompts are not those that the ablation was made with.",
            "The set is part of what an ablation means.",
            "Pass the same prompts to both.",
        )
