"""Budgets: how much a verification may run before it stops and says how it stands."""

import re
import time
from dataclasses import dataclass, field
from typing import final

from causalnet.errors import ParameterError

__all__ = ["RAN_OUT", "Budget", "OutOfBudget", "Spending"]

RAN_OUT = "The budget ran out."
"""Why something was not measured."""

_UNITS = {
    **dict.fromkeys(("forward", "forwards"), ("forwards", 1.0)),
    "fe": ("equivalents", 1.0),
    **dict.fromkeys(("s", "sec", "seconds"), ("cpu_seconds", 1.0)),
    **dict.fromkeys(("min", "minutes"), ("cpu_seconds", 60.0)),
    "h": ("cpu_seconds", 3600.0),
}
_THOUSANDS = {"": 1.0, "k": 1e3, "M": 1e6}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(k|M)?\s*([a-z]+)")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a verification may run; what runs out first counts.

    Attributes:
        forwards: Forward passes, each over one batch of prompts, that are run and not found in a
            ledger; None for no bound.
        cpu_seconds: Seconds of processor time, of all cores together; None for no bound.
        equivalents: Plain forwards over all test prompts of a claim file, as `causalnet explain`
            foretells them; None for no bound.
    """

    forwards: float | None = None
    cpu_seconds: float | None = None
    equivalents: float | None = None

    @classmethod
    def of(cls, text: "str | Budget") -> "Budget":
        """Read a budget.

        Args:
            text: `300fe` (plain forwards over all test prompts), `50k forwards` (passes, each over
                one batch), `10min`, `90s` or `2h` of processor time, or several with commas
                between.

        Raises:
            ParameterError: Anything else, or nothing to spend.

        >>> Budget.of("50k forwards, 10min")
        Budget(forwards=50000.0, cpu_seconds=600.0, equivalents=None)
        """
        if isinstance(text, Budget):
            return text
        found: dict[str, float] = {}
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None:
                raise _refused(text)
            number, scale, unit = float(match[1]), match[2] or "", match[3]
            kind, size = _UNITS.get(unit, ("", 0.0))
            is_scaled_time = bool(scale) and kind == "cpu_seconds"
            if not kind or is_scaled_time or kind in found:
                raise _refused(text)
            found[kind] = number * _THOUSANDS[scale] * size
        if not all(0 < value < 1e12 for value in found.values()):
            raise _refused(text)
        return cls(**found)

    def __str__(self) -> str:
        """Return the budget in words."""
        parts = []
        if self.equivalents is not None:
            parts.append(f"{self.equivalents:,.15g} forward-equivalents")
        if self.forwards is not None:
            parts.append(f"{self.forwards:,.0f} forwards")
        if self.cpu_seconds is not None:
            parts.append(f"{self.cpu_seconds:,.0f} s of CPU")
        return " or ".join(parts) or "no bound"


def _refused(text: str) -> ParameterError:
    return ParameterError(
        f"The budget {text!r} is none.",
        "It is a number above 0 of forward-equivalents (plain forwards over all test prompts), of "
        "forward passes or of processor time, or one of each.",
        "Write for example --budget 300fe, --budget '50k forwards', --budget 10min or "
        "--budget 300fe,90s.",
    )


class OutOfBudget(Exception):  # a way out, not a mistake
    """Nothing more may be run; claims that are not settled are INCONCLUSIVE."""


@final
@dataclass(slots=True)
class Spending:
    """What was spent of a budget, over all files that are verified together.

    Attributes:
        budget: What may be spent.
        forwards: Forward passes that were run.
        equivalents: The same in plain forwards over all test prompts.
        is_out: Whether something was refused.
    """

    budget: Budget = field(default_factory=Budget)
    forwards: int = 0
    equivalents: float = 0.0
    is_out: bool = False
    _started: float = field(default_factory=time.process_time)

    def count(self, share: float = 0.0) -> None:
        """Count one forward pass, over such a share of the test prompts."""
        self.forwards += 1
        self.equivalents += share

    def check(self) -> None:
        """Refuse to begin a call once the budget is spent; a call that was begun is finished.

        Raises:
            OutOfBudget: It is spent.
        """
        most, seconds = self.budget.forwards, self.budget.cpu_seconds
        over = most is not None and self.forwards >= most
        # Shares of a batch do not add up to whole numbers exactly.
        whole = self.budget.equivalents
        over = over or (whole is not None and self.equivalents >= whole * (1 - 1e-9))
        if over or (seconds is not None and time.process_time() - self._started >= seconds):
            self.is_out = True
            raise OutOfBudget
