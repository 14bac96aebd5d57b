"""What the models of effects assume; what is left open is learnt from the effects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError

__all__ = ["Assumptions", "Numbers"]

Numbers: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is known, or assumed, before effects are looked at.

    Attributes:
        degrees: Degrees of freedom of the noise, which is Student's t: above 1, so that there is a
            mean; None to learn them, 1 + Gamma(2, 0.1).  By default infinite, which is normal
            noise: the level is then the mean over prompts, whatever the effects' shape.  Finite
            degrees look at where most effects are, which is not the mean where effects are skewed.
        noise: Scale of the noise of each mediator over prompts, one number or one for each
            mediator, in the effects' unit; None to learn them, log-normal around a common scale.
        spread: Standard deviation of the normal prior of the mediators' levels, one number or one
            for each, in the effects' unit; None for the horseshoe: the mediator's noise times a
            scale that is common and one of its own, both half-Cauchy(1).
        template_ratio: Standard deviation of what a template adds to a mediator's effect, over the
            noise of that mediator; None to learn it, half-normal(1).

    Raises:
        ParameterError: A number outside its range.

    >>> Assumptions(degrees=1.0)
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: degrees is 1.0. It lies above 1: Student's t has no mean \
otherwise. Write degrees=4, degrees=math.inf for normal noise, or None to learn it.
    """

    degrees: float | None = math.inf
    noise: float | Sequence[float] | None = None
    spread: float | Sequence[float] | None = None
    template_ratio: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.degrees is not None and not self.degrees > 1:
            raise ParameterError(
                f"degrees is {self.degrees!r}.",
                "It lies above 1: Student's t has no mean otherwise.",
                "Write degrees=4, degrees=math.inf for normal noise, or None to learn it.",
            )
        for name in ("noise", "spread", "template_ratio"):
            given = getattr(self, name)
            if given is not None and not _all_positive(given):
                raise ParameterError(
                    f"{name} is {given!r}.",
                    "It is a scale: finite and above 0.",
                    f"Write for example {name}=0.1, or None to learn it.",
                )


def _all_positive(given: float | Sequence[float]) -> bool:
    numbers = np.asarray(given, dtype=np.float64)
    return numbers.size > 0 and bool((np.isfinite(numbers) & (numbers > 0)).all())


def for_each(given: float | Sequence[float], rows: int, name: str) -> Numbers:
    """Return one number for each mediator.

    Raises:
        ParameterError: Another number of them.
    """
    numbers = np.asarray(given, dtype=np.float64)
    if numbers.ndim > 1 or numbers.size not in (1, rows):
        raise ParameterError(
            f"{name} has the shape {numbers.shape}, and there are {rows} mediators.",
            "It is one number, or one for each mediator.",
            f"Write for example {name}=0.1.",
        )
    return np.broadcast_to(numbers.reshape(-1), (rows,)).copy()


def is_normal(degrees: float | None) -> bool:
    """Whether the noise is normal, by assumption."""
    return degrees is not None and math.isinf(degrees)
