"""Ablations by name: what mediators are set to, with what that depends on."""

from causalnet.effects.reference import digest_of
from causalnet.errors import ParameterError
from causalnet.interventions import Ablation, AblationKind, Handle
from causalnet.tasks import Prompts

__all__ = [
    "constant",
    "counterfactual",
    "mean",
    "mean_per_position",
    "resample",
    "steer",
    "zero",
]


def zero() -> Ablation:
    """Return the ablation that sets 0."""
    return Ablation(AblationKind.ZERO)


def counterfactual() -> Ablation:
    """Return the ablation that sets the value of the paired prompt."""
    return Ablation(AblationKind.COUNTERFACTUAL)


def mean(reference: Prompts) -> Ablation:
    """Return the ablation that sets the mean over all tokens of a reference set.

    Raises:
        ParameterError: Pairs, or something else than prompts.
    """
    _check(reference, "mean")
    return Ablation(AblationKind.MEAN, digest_of(reference), len(reference))


def mean_per_position(reference: Prompts) -> Ablation:
    """Return the ablation that sets the mean at each position of each template.

    Raises:
        ParameterError: Pairs, or something else than prompts.
    """
    _check(reference, "mean_per_position")
    return Ablation(AblationKind.MEAN_PER_POSITION, digest_of(reference), len(reference))


def resample(reference: Prompts, draws: int = 1) -> Ablation:
    """Return the ablation that sets values of independent prompts of a reference set.

    Args:
        reference: The set; prompts are drawn among those of the same template and length.
        draws: Independent draws for each prompt, whose effects are averaged.

    Raises:
        ParameterError: Pairs, or something else than prompts.
    """
    _check(reference, "resample")
    return Ablation(AblationKind.RESAMPLE, digest_of(reference), len(reference), draws)


def _check(reference: object, name: str) -> None:
    if not isinstance(reference, Prompts):
        raise ParameterError(
            f"A {type(reference).__name__} was given as the reference set of {name!r}.",
            "It is one side of pairs: prompts.",
            f"Write {name}(pairs.base).",
        )


def constant(handle: Handle) -> Ablation:
    """Return the ablation that sets a given vector."""
    return Ablation(AblationKind.CONSTANT, vector=handle)


def steer(handle: Handle, factor: float = 1.0) -> Ablation:
    """Return the intervention that adds `factor` times a given vector."""
    return Ablation(AblationKind.STEER, vector=handle, factor=factor)
