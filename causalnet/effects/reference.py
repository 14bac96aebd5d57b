"""Ablations that depend on data: means and resampling over a declared reference set."""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from causalnet.errors import AlignmentError, TermError
from causalnet.execute import Constant, Matrix, PerPosition, Pooled, TokenBatch, record
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import Ablation, AblationKind, Handle, Position, mean_handle
from causalnet.interventions.queries import positions_of
from causalnet.interventions.techniques import mean_difference
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = [
    "constant",
    "contrastive_vector",
    "counterfactual",
    "matrix",
    "mean",
    "mean_constants",
    "mean_per_position",
    "resample",
    "resampled_inputs",
    "steer",
    "vector",
    "zero",
]


REFERENCE_BATCH = 16
DIGITS = 64  # of a digest of content


def zero() -> Ablation:
    """Return the ablation that sets 0."""
    return Ablation(AblationKind.ZERO)


def counterfactual() -> Ablation:
    """Return the ablation that sets the value of the paired prompt."""
    return Ablation(AblationKind.COUNTERFACTUAL)


def mean(reference: Prompts) -> Ablation:
    """Return the ablation that sets the mean over all tokens of a reference set."""
    return Ablation(AblationKind.MEAN, digest_of(reference), len(reference))


def mean_per_position(reference: Prompts) -> Ablation:
    """Return the ablation that sets the mean at each position of each template."""
    return Ablation(AblationKind.MEAN_PER_POSITION, digest_of(reference), len(reference))


def resample(reference: Prompts, draws: int = 1) -> Ablation:
    """Return the ablation that sets values of independent prompts of a reference set.

    Args:
        reference: The set; prompts are drawn among those of the same template and length.
        draws: Independent draws for each prompt, whose effects are averaged.
    """
    return Ablation(AblationKind.RESAMPLE, digest_of(reference), len(reference), draws)


def vector(label: str, values: Tensor) -> tuple[Handle, Pooled]:
    """Return a vector under a handle, to pass in `run(..., vectors=dict([cn.vector(...)]))`.

    Args:
        label: What it is called.
        values: [d].
    """
    return Handle(label, _vector_digest(values)), Pooled(values)


def matrix(label: str, values: Tensor) -> tuple[Handle, Matrix]:
    """Return a basis, an encoder or a bias under a handle, for views and operations.

    Args:
        label: What it is called.
        values: A tensor of any shape; a basis is [d, k].
    """
    return Handle(label, _vector_digest(values)), Matrix(values)


def contrastive_vector(
    mediator: Mediator,
    net: LiftedNetwork,
    pairs: PromptPairs,
    at: Position | Sequence[Position] = "end",
) -> tuple[Handle, Pooled]:
    """Return a mediator's mean over pairs and positions of its value in base minus in source.

    It is what `contrastive_steering` adds (Panickssery et al. 2024); the mean is taken in float64.

    Args:
        mediator: The mediator.
        net: The lifted network.
        pairs: The pairs over which the mean is taken.
        at: Positions at which both are read; none, or "all", means every token.

    Raises:
        PromptError: A position that the prompts do not have.
    """
    means = []
    for prompts in (pairs.base, pairs.source):
        values: list[Tensor] = []

        def keep(
            batch: TokenBatch, found: Mapping[str, Tensor], values: list[Tensor] = values
        ) -> None:
            chosen = batch.selected(positions_of(at)) & batch.mask
            values.append(found[mediator.name][chosen].to("cpu", torch.float64))

        record((mediator.name,), net, prompts, keep, batch_size=REFERENCE_BATCH)
        means.append(torch.cat(values).mean(0))
    return mean_difference(mediator, at), Pooled(means[0] - means[1])


def _vector_digest(values: Tensor) -> str:
    raw = values.detach().cpu().contiguous().to(torch.float64).numpy().tobytes()
    return hashlib.sha256(raw).hexdigest()


def check_vectors(vectors: Mapping[Handle, Constant]) -> None:
    """Check that every vector is the one that its handle names.

    Raises:
        TermError: No constants by handle, or another vector under a handle.
    """
    if not isinstance(vectors, Mapping):
        raise TermError(
            f"A {type(vectors).__name__} was given as vectors.",
            "They are constants by their handles.",
            "Write vectors=dict([cn.vector(label, values)]).",
        )
    for handle, bound in vectors.items():
        if not isinstance(handle, Handle) or not isinstance(bound, Constant):
            raise TermError(
                f"A {type(bound).__name__} was given under {str(handle)!r:.80}, a "
                f"{type(handle).__name__}.",
                "Under a Handle there is a Pooled, PerPosition or Matrix constant.",
                "Write vectors=dict([cn.vector(label, values)]).",
            )
        if isinstance(bound, PerPosition) or len(handle.digest) != DIGITS:
            continue  # named by what it was computed from
        values = bound.vector if isinstance(bound, Pooled) else bound.values
        if _vector_digest(values) != handle.digest:
            raise TermError(
                f"The vector given for {handle.label!r} is not the one that its handle names.",
                "A handle is made from the vector's content.",
                "Write vectors=dict([cn.vector(label, values)]).",
            )


def constant(handle: Handle) -> Ablation:
    """Return the ablation that sets a given vector."""
    return Ablation(AblationKind.CONSTANT, vector=handle)


def steer(handle: Handle, factor: float = 1.0) -> Ablation:
    """Return the intervention that adds `factor` times a given vector."""
    return Ablation(AblationKind.STEER, vector=handle, factor=factor)


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
            "",
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
