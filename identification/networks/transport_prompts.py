"""Effects on other prompts than those that were run: reweighting by labels.

The network is the same, so that the effect on each prompt is; what differs is how prompts are
distributed.  Where prompts with the same label are distributed alike in both, the mean effect is
the sum over labels c of P*(c) E[effect given c] (transport with a selection node that points at the
label only, Bareinboim and Pearl 2014).  It is worth as many prompts as its effective sample size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.errors import ParameterError

__all__ = ["Refused", "Reweighted", "reweighted"]

Numbers: TypeAlias = NDArray[np.float64]

_FLOOR = 10.0
_ROUNDING = 1e-9


@final
@dataclass(frozen=True, slots=True, eq=False)
class Reweighted:
    """Mean effects on another prompt distribution.

    Attributes:
        means: One for each row of effects.
        errors: Their standard errors, from the spread within labels.
        weights: What each prompt counts for; they sum to 1.
        effective: (sum of weights)^2 / sum of squared weights: as many prompts of the other
            distribution would do as well.
    """

    means: Numbers
    errors: Numbers
    weights: Numbers
    effective: float

    def __str__(self) -> str:
        """Return the means with their errors."""
        pairs = zip(self.means, self.errors, strict=True)
        told = ", ".join(f"{mean:+.4g} (± {error:.2g})" for mean, error in pairs)
        return f"{told}; worth {self.effective:.1f} of {len(self.weights)} prompts"


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """Data too thin for the other distribution.

    Attributes:
        reason: What is missing.
        effective: The effective sample size; 0 where a label has no prompt.
    """

    reason: str
    effective: float

    def __str__(self) -> str:
        """Return the reason."""
        return f"refused: {self.reason}"


def reweighted(
    effects: ArrayLike,
    labels: Sequence[str],
    target: Mapping[str, float],
    *,
    floor: float = _FLOOR,
) -> Reweighted | Refused:
    """Return mean effects where labels are distributed otherwise, or refuse.

    It is right where prompts with the same label are distributed alike in both.

    Args:
        effects: The effect on each prompt, [prompts], or of several rows, [rows, prompts].
        labels: The label of each prompt.
        target: The probability of each label in the other distribution.
        floor: The effective sample size below which there is no answer.

    Raises:
        ParameterError: Shapes that do not fit, or probabilities that are none.

    >>> effects, labels = [1.0, 1.0, 3.0, 5.0], ["a", "a", "b", "b"]
    >>> print(reweighted(effects, labels, {"a": 0.2, "b": 0.8}, floor=2))
    +3.4 (± 0.8); worth 2.9 of 4 prompts
    >>> print(reweighted([1.0, 2.0], ["a", "a"], {"a": 0.5, "b": 0.5}))
    refused: no prompt has the label b, which has probability 0.5
    """
    values = np.atleast_2d(np.asarray(effects, dtype=float))
    _check(values, labels, target, floor)
    known = np.asarray(labels)
    rows = {label: np.flatnonzero(known == label) for label, chance in target.items() if chance > 0}
    empty = [label for label, at in rows.items() if not len(at)]
    if empty:
        chance = target[empty[0]]
        told = f"no prompt has the label {empty[0]}, which has probability {chance:g}"
        return Refused(told, 0.0)
    weights = np.zeros(len(known))
    for label, at in rows.items():
        weights[at] = target[label] / len(at)
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if effective < floor:
        told = f"{len(known)} prompts are worth {effective:.1f} of the other distribution"
        return Refused(f"{told}, and at least {floor:g} are wanted", effective)
    single = [label for label, at in rows.items() if len(at) < 2]
    if single:
        told = f"one prompt has the label {single[0]}, so that nothing tells its spread"
        return Refused(told, effective)
    variances = sum(
        target[label] ** 2 * values[:, at].var(axis=1, ddof=1) / len(at)
        for label, at in rows.items()
    )
    return Reweighted(values @ weights, np.sqrt(np.asarray(variances)), weights, effective)


def _check(
    values: Numbers, labels: Sequence[str], target: Mapping[str, float], floor: float
) -> None:
    if values.ndim != 2 or values.shape[1] != len(labels) or not len(labels):
        raise ParameterError(
            f"Effects of shape {values.shape} and {len(labels)} labels.",
            "There is one label for each prompt, and effects are [prompts] or [rows, prompts].",
            "Write reweighted(table.values, labels, {'a': 0.5, 'b': 0.5}).",
        )
    if not np.isfinite(values).all():
        raise ParameterError("An effect is not a number.", "Effects are finite.")
    total = sum(target.values())
    if not all(chance >= 0 for chance in target.values()) or abs(total - 1) > _ROUNDING:
        raise ParameterError(
            f"The probabilities of the labels sum to {total:g}.",
            "They are at least 0 and sum to 1.",
            "Write {'a': 0.5, 'b': 0.5}.",
        )
    if not floor > 0:
        raise ParameterError(f"floor={floor!r}.", "It is a number above 0.", "Write floor=10.")
