"""The same numbers under other conventions, prompt by prompt, and what they say about a claim.

A grid keeps the read-outs themselves: estimates, intervals and verdicts are computed from them, at
whatever level and for whatever threshold is asked for.  The number of prompts was fixed before
looking, so that intervals are Fieller's (1954) at that n; each bound holds with error alpha, in the
limit.  At n = 16 and alpha 0.05, on the bound, 5.6 % were falsely supported and 5.0 % falsely
refuted; with skewed read-outs (exponential) 1.8 % and 11.3 % (bench/figures/robustness.txt).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from causalnet.claims.robustness_spec import Convention
from causalnet.errors import FormatError, ParameterError
from causalnet.interventions import Direction as RunDirection
from causalnet.statistics import (
    Decision,
    Direction,
    Interval,
    Verdict,
    ratio_interval,
    student_interval,
    verdict_of,
)
from causalnet.statistics.decision import verdict_within

__all__ = ["Bounds", "Grid", "GridCell", "GridConvention", "GridNumber", "Quantity"]

Quantity: TypeAlias = Literal["faithfulness", "necessity"]
Values: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is claimed of a number: at least `low`, at most `high`, or both.

    >>> Bounds(low=0.8).verdict(Interval(0.85, 0.95, 0.9, "fieller_t"))
    <Verdict.SUPPORTED: 'SUPPORTED'>
    >>> str(Bounds(0.9, 1.1)), str(Bounds(high=0.2))
    ('within [0.9, 1.1]', 'at most 0.2')
    """

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """Ask for one bound at least."""
        if self.low is None and self.high is None:
            raise ParameterError(
                "No bound.",
                "A claim has a lower one, an upper one or both.",
                "Give Bounds(low=0.8).",
            )

    @staticmethod
    def of(decision: Decision) -> "Bounds":
        """Return what a decision is about."""
        match decision.direction:
            case "at_least":
                return Bounds(low=decision.threshold)
            case "at_most":
                return Bounds(high=decision.threshold)
            case "within":
                return Bounds(*(decision.within or (decision.threshold, decision.threshold)))

    @property
    def direction(self) -> Direction:
        """Which of the three it is."""
        if self.low is None:
            return "at_most"
        return "at_least" if self.high is None else "within"

    @property
    def threshold(self) -> float:
        """The bound, of two the lower."""
        return self.low if self.low is not None else float(self.high or 0.0)

    @property
    def within(self) -> tuple[float, float] | None:
        """Both ends of a band."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def verdict(self, interval: Interval) -> Verdict:
        """Compare an interval with it."""
        if self.within is None:
            return verdict_of(interval, self.threshold, self.direction)
        return verdict_within(interval, *self.within)

    def slack(self, value: float) -> float:
        """Return how far a value is on the claimed side; negative on the other."""
        below = math.inf if self.low is None else value - self.low
        above = math.inf if self.high is None else self.high - value
        return min(below, above)

    def __str__(self) -> str:
        """Return the claim in words."""
        if self.within is None:
            return f"{self.direction.replace('_', ' ')} {self.threshold:g}"
        return f"within [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True)
class GridConvention:
    """A convention, and what the whole model and nothing of it gave under it.

    Attributes:
        name: In words, such as ``mean (64)``.
        ablation: Its kind.
        direction: ``noising`` or ``denoising``.
        reference: How many reference prompts there were; None for ablations without.
        source: Which reference prompts, in words; "" where there are none.
        is_own: Whether it is the claim file's own.
        failed: Why nothing could be run; "" where something was.
        model: Read-out of the whole model, one for each prompt, in the read-out's unit.
        ablated: Read-out with everything ablated.
    """

    name: str
    ablation: str
    direction: RunDirection
    reference: int | None = None
    source: str = ""
    is_own: bool = False
    failed: str = ""
    model: Values = ()
    ablated: Values = ()

    @property
    def key(self) -> Convention:
        """The convention without what came of it."""
        return Convention(self.ablation, self.direction, self.reference)


@dataclass(frozen=True, slots=True)
class GridNumber:
    """One number of one circuit under every convention of a grid.

    Attributes:
        quantity: Faithfulness, of the circuit alone, or necessity, of its knock-out.
        circuit: Names of its members.
        by_chance: What is drawn by chance, in words; "" where nothing is.
        parts: For each convention the read-out of the circuit alone, or knocked out, one for each
            prompt; () where it was not run.
    """

    quantity: Quantity
    circuit: tuple[str, ...]
    by_chance: str
    parts: tuple[Values, ...]


@dataclass(frozen=True, slots=True)
class GridCell:
    """A number under one convention.

    Attributes:
        convention: Its name.
        is_own: Whether that is the claim file's own.
        estimate: The ratio of means; NaN where there is none.
        interval: Fieller's interval; None where the ratio is undefined or was not measured.
        undefined: Why it is undefined; "" where it is not.
        failed: Why it was not measured; "" where it was.
        absent: Whether it is undefined because there is clearly no behaviour.
    """

    convention: str
    is_own: bool = False
    estimate: float = math.nan
    interval: Interval | None = None
    undefined: str = ""
    failed: str = ""
    absent: bool = False

    def verdict(self, bounds: Bounds) -> Verdict | None:
        """Compare with what is claimed; None where nothing was measured."""
        if self.failed:
            return None
        if self.interval is None:
            return Verdict.UNDEFINED
        return bounds.verdict(self.interval)


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of circuits under a list of conventions, on the same prompts.

    Attributes:
        n: How many prompts.
        sign: -1 for read-outs that are better when smaller, else 1.
        conventions: The conventions.
        numbers: The numbers of circuits, each under all of them.
        skipped: Why there is no grid; "" where there is one.

    >>> own = GridConvention("zero", "zero", "noising", model=(2., 3., 4.), ablated=(0., 0., 0.))
    >>> number = GridNumber("faithfulness", ("L0.H0",), "", ((1., 1.5, 2.),))
    >>> grid = Grid(3, 1.0, (own,), (number,))
    >>> round(grid.cells(grid.find("faithfulness", ["L0.H0"]))[0].estimate, 3)
    0.5
    >>> Grid.from_json(grid.to_json()) == grid
    True
    """

    n: int
    sign: float
    conventions: tuple[GridConvention, ...]
    numbers: tuple[GridNumber, ...]
    skipped: str = ""

    def find(self, quantity: Quantity, circuit: Sequence[str], by_chance: str = "") -> GridNumber:
        """Return a number of a circuit.

        Raises:
            FormatError: The grid does not have it.
        """
        wanted = frozenset(circuit)
        for one in self.numbers:
            if (one.quantity, one.by_chance) == (quantity, by_chance) and wanted == frozenset(
                one.circuit
            ):
                return one
        known = ", ".join(f"{one.quantity} of {len(one.circuit)}" for one in self.numbers)
        raise FormatError(
            f"The grid has no {quantity} of this circuit of {len(wanted)}.",
            f"It has {known or 'nothing'}.",
            "Ask for a circuit of a faithful or a necessary claim of the same file.",
        )

    def pairs_of(self, number: GridNumber, index: int) -> tuple[Values, Values]:
        """Return numerators and denominators of a ratio under one convention, [n] each."""
        one, part = self.conventions[index], np.array(number.parts[index])
        model, ablated = np.array(one.model), np.array(one.ablated)
        above = part - ablated if number.quantity == "faithfulness" else model - part
        below = model - ablated
        return tuple(map(float, self.sign * above)), tuple(map(float, self.sign * below))

    def cell(self, number: GridNumber, index: int, alpha: float = 0.05) -> GridCell:
        """Return a number under one convention, each bound of it with error alpha."""
        one = self.conventions[index]
        if one.failed or not number.parts[index]:
            return GridCell(one.name, one.is_own, failed=one.failed or "It was not asked for.")
        above, below = self.pairs_of(number, index)
        interval = ratio_interval(above, below, 1 - 2 * alpha)
        if interval is None:
            absent = student_interval(below, 1 - 2 * alpha).high <= 0
            said = "not above 0" if absent else "not clearly above 0"
            whole = f"the whole model less everything ablated is {np.mean(below):.3g}"
            why = f"{whole} on average, {said}"
            return GridCell(one.name, one.is_own, undefined=why, absent=absent)
        return GridCell(one.name, one.is_own, float(np.mean(above) / np.mean(below)), interval)

    def cells(self, number: GridNumber, alpha: float = 0.05) -> tuple[GridCell, ...]:
        """Return a number under every convention."""
        return tuple(self.cell(number, index, alpha) for index in range(len(self.conventions)))

    def verdicts(
        self, number: GridNumber, bounds: Bounds, alpha: float = 0.05
    ) -> tuple[Verdict | None, ...]:
        """Compare a number with a claim under every convention; None where it was not run."""
        return tuple(one.verdict(bounds) for one in self.cells(number, alpha))

    def sentence(self, number: GridNumber, bounds: Bounds, alpha: float = 0.05) -> str:
        """Say under which conventions a claim holds; "" where none was measured."""
        cells = self.cells(number, alpha)
        if all(one.failed for one in cells):
            return ""
        return " ".join(_sentences(self.n, cells, bounds))

    def to_json(self) -> dict[str, Any]:
        """Give JSON values; `from_json` reads them back."""
        return {
            "n": self.n,
            "sign": self.sign,
            "conventions": [asdict(one) for one in self.conventions],
            "numbers": [asdict(one) for one in self.numbers],
            "skipped": self.skipped,
        }

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> "Grid":
        """Read what `to_json` gave.

        Raises:
            FormatError: Anything else.
        """
        try:
            return Grid(
                int(plain["n"]),
                float(plain["sign"]),
                tuple(
                    GridConvention(**{**one, **_tuples(one, "model", "ablated")})
                    for one in plain["conventions"]
                ),
                tuple(_number(one) for one in plain["numbers"]),
                str(plain["skipped"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"The grid of conventions cannot be read: {type(error).__name__}: {error}.",
                "It is what Grid.to_json gave.",
                "Verify the claims again with the version of causalnet that is installed.",
            ) from error


def _tuples(plain: Mapping[str, Any], *keys: str) -> dict[str, Values]:
    return {key: tuple(map(float, plain[key])) for key in keys}


def _number(plain: Mapping[str, Any]) -> GridNumber:
    parts = tuple(tuple(map(float, one)) for one in plain["parts"])
    return GridNumber(plain["quantity"], tuple(plain["circuit"]), plain["by_chance"], parts)


def _sentences(n: int, cells: Sequence[GridCell], bounds: Bounds) -> Iterator[str]:
    named: dict[Verdict | None, list[str]] = {}
    for one in cells:
        named.setdefault(one.verdict(bounds), []).append(one.convention)
    holds = named.get(Verdict.SUPPORTED, [])
    parts = [f"it holds in {len(holds)} of {len(cells)} conventions"]
    parts[0] += f": {', '.join(holds)}" if holds else ""
    for verdict, word in (
        (Verdict.REFUTED, "fails under"),
        (Verdict.INCONCLUSIVE, "undecided under"),
        (Verdict.UNDEFINED, "undefined under"),
        (None, "not run under"),
    ):
        if verdict in named:
            parts.append(f"{word} {', '.join(named[verdict])}")
    yield f"On the first {n} prompts {'; '.join(parts)}."
    own = next((one for one in cells if one.is_own), None)
    if own is None:
        return
    if own.convention in holds and holds == [own.convention] and len(cells) > 1:
        yield (
            f"It holds under its own convention alone, {own.convention}: it is a claim about that "
            "ablation, not about the circuit under others."
        )
    elif holds and own.convention not in holds:
        yield f"Its own convention, {own.convention}, is not among those in which it holds."
