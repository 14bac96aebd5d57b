"""Why a claim came out as it did: what is missing, what is idle, how large the noise is."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from causalnet.statistics import Decision, Verdict

__all__ = ["Explanation", "Noise", "Split", "Suspect", "noise_of"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A member or an edge, and what the claim's number gains by it.

    Attributes:
        name: The member or edge.
        gain: Of one that is outside, the number with it less the number without; of one that is
            inside, the number with it less the number once it is taken out.  A share of the
            behaviour: a ratio of means.
        low: Lower end of Fieller's interval; None where there is none.
        high: Upper end.
    """

    name: str
    gain: float
    low: float | None = None
    high: float | None = None

    @property
    def may_be_idle(self) -> bool:
        """Whether the interval holds 0."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Split:
    """The claim's number on the prompts of one template.

    Attributes:
        template: The template.
        n: How many prompts it has.
        estimate: The number; None where it is undefined.
        low: Lower end of its interval.
        high: Upper end.
    """

    template: str
    n: int
    estimate: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """How far the estimate is from the claimed bound, and how far chance may have carried it.

    Attributes:
        half_width: Half the width of the confidence sequence.
        distance: From the estimate to the nearest claimed bound.
        n: Prompts, or random circuits, that were used.
        needed: About how many would decide; None where the verdict stands, or none would.
    """

    half_width: float
    distance: float
    n: int
    needed: int | None = None


def noise_of(decision: Decision) -> Noise | None:
    """Return the noise of a decision; None where it has no finite interval.

    The width shrinks with the root of n, so that (half_width / distance)^2 n would decide; the
    constant of a confidence sequence falls slowly and is left out.

    >>> from causalnet.statistics import Interval, Reason
    >>> interval = Interval(0.6, 1.0, 0.9, "student_mixture_sequence")
    >>> noise_of(Decision(Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS, "", 0.9, interval, 0.8,
    ...     "at_least", 0.05, 32))
    Noise(half_width=0.2, distance=0.1, n=32, needed=128)
    """
    interval = decision.interval
    if interval is None or not math.isfinite(interval.width) or math.isnan(decision.estimate):
        return None
    bounds = decision.within or (decision.threshold,)
    distance = round(min(abs(decision.estimate - bound) for bound in bounds), 12)
    half = round(interval.width / 2, 12)
    needed = None
    if decision.verdict is Verdict.INCONCLUSIVE and distance > 0 and half > distance:
        needed = math.ceil(round(decision.n * (half / distance) ** 2, 6))
    return Noise(half, distance, decision.n, needed)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one claim came out as it did.

    Attributes:
        claim: Its id.
        verdict: Its verdict.
        reason: The code of why.
        sentence: Why, as the verdict has it.
        number: What gains are gains of: faithfulness or necessity; "" where none were measured.
        noise: The distance from the bound, and the noise; None where there is no interval.
        conventions: Under which other conventions it holds; "" where none were measured.
        missing: What is outside and would bring the number nearest to the claim, best first.
        members: What is inside, the least first.
        measured: How many outsiders were added one at a time.
        left_out: How many were not, for want of budget.
        order: How it was chosen which come first; "" where all were measured.
        prompts: On which prompts, in words.
        splits: The number for each template, worst first.
        no_search: Why nothing was searched; "" where it was.
        forwards: Forward passes that the search took.
    """

    claim: str
    verdict: str
    reason: str
    sentence: str
    number: str = ""
    noise: Noise | None = None
    conventions: str = ""
    missing: tuple[Suspect, ...] = ()
    members: tuple[Suspect, ...] = ()
    measured: int = 0
    left_out: int = 0
    order: str = ""
    prompts: str = ""
    splits: tuple[Split, ...] = ()
    no_search: str = ""
    forwards: int = 0

    @property
    def idle(self) -> tuple[Suspect, ...]:
        """Members whose contribution may be 0."""
        return tuple(one for one in self.members if one.may_be_idle)

    @property
    def worst_template(self) -> Split | None:
        """The template on which the number is farthest on the wrong side; None without several."""
        return self.splits[0] if len(self.splits) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return asdict(self)
