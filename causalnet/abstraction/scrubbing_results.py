"""What causal scrubbing found: the share recovered, item by item too, and why it may mislead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.interpretation import Interpretation
from causalnet.abstraction.scrubbing_draws import Resampling, Rows
from causalnet.interventions import ReadOut
from causalnet.statistics import Interval, ratio_interval, student_interval

__all__ = ["Control", "NodeDraws", "Scrubbed", "is_loss"]

Numbers = NDArray[np.float64]

_LOSSES = frozenset({"loss", "kl", "logit_distance"})
HARDLY = 0.5
"""Share of draws that exchange nothing above which a node is said to be hardly tested."""


def is_loss(readout: ReadOut) -> bool:
    """Return whether lower values of a read-out are better."""
    return readout.name in _LOSSES


@dataclass(frozen=True, slots=True)
class NodeDraws:
    """How the data of a node were exchanged.

    Attributes:
        name: The node.
        classes: Values that its feature takes on the population.
        largest: Share of the population in the largest class of data that may stand for each other.
        itself: Share of draws that were the datum itself.
        unchanged: Share of draws that were the same prompt, itself or another of its kind.
        alone: Share of draws for which no datum of the population agreed; these kept their own.
    """

    name: str
    classes: int
    largest: float
    itself: float
    unchanged: float
    alone: float


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """The same hypothesis with its features' values permuted among the data.

    Attributes:
        scrubbed: The outcome, [n].
        random: The floor, averaged over draws, [n].
        model: The intact outcome, [n].
    """

    scrubbed: Numbers
    random: Numbers
    model: Numbers

    @property
    def recovered(self) -> float:
        """The share that is recovered, a ratio of means; NaN where there is nothing to recover."""
        whole = float((self.model - self.random).mean())
        return float((self.scrubbed - self.random).mean()) / whole if whole else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Scrubbed:
    """A scrubbed network: outcomes of every item, and what follows from them.

    Attributes:
        interpretation: The hypothesis.
        readout: The outcome.
        resampling: The variant.
        model: The intact outcome, [n], in the read-out's unit.
        random: The floor, [draws, n].
        scrubbed: The scrubbed outcome, [draws, n].
        nodes: How each node's data were exchanged.
        drawn: Input names to what was drawn, rows of the population and then of the items, [draws,
            n].
        controls: The hypothesis with permuted features.
        level: Coverage of intervals.
        within: How near a scrubbed outcome must be to agree, as a share of mean(model - random).
        seed: Seed of all draws.
        population: How many data were drawn from.
        own_population: Whether those were the items themselves.
        forwards: Passes that were run.
    """

    interpretation: Interpretation
    readout: ReadOut
    resampling: Resampling
    model: Numbers
    random: Numbers
    scrubbed: Numbers
    nodes: tuple[NodeDraws, ...]
    drawn: Mapping[str, Rows]
    controls: tuple[Control, ...]
    level: float
    within: float
    seed: int
    population: int
    own_population: bool
    forwards: int

    @property
    def expectation(self) -> float:
        """The mean scrubbed outcome, over items and draws."""
        return float(self.scrubbed.mean())

    @property
    def expectation_interval(self) -> Interval:
        """Student's interval for it, over items."""
        return student_interval(self.scrubbed.mean(0), self.level)

    @property
    def _gain(self) -> tuple[Numbers, Numbers]:
        """Scrubbed - random and model - random of each item, the better the higher."""
        sign = -1.0 if is_loss(self.readout) else 1.0
        floor = self.random.mean(0)
        return sign * (self.scrubbed.mean(0) - floor), sign * (self.model - floor)

    @property
    def interval(self) -> Interval | None:
        """Fieller's interval for what is recovered; None where model - random is not clear of 0."""
        return ratio_interval(*self._gain, level=self.level)

    @property
    def recovered(self) -> float | None:
        """1 - (scrubbed - model) / (random - model), a ratio of means; None where undefined.

        It is undefined where the mean of model - random is not clearly above 0: there is no
        behaviour to recover.
        """
        above, below = self._gain
        return None if self.interval is None else float(above.mean() / below.mean())

    @property
    def whole(self) -> float:
        """The absolute mean of model - random, in the read-out's unit."""
        return abs(float((self.model - self.random).mean()))

    @property
    def agreement(self) -> float:
        """Share of items and draws with a scrubbed outcome within `within` of the intact one."""
        near = np.abs(self.scrubbed - self.model) <= self.within * self.whole
        return float(near.mean())

    @property
    def gap(self) -> float:
        """Mean absolute difference from the intact outcome, as a share of `whole`.

        It is large where differences of both signs cancel in what is recovered.
        """
        if not self.whole:
            return float("nan")
        return float(np.abs(self.scrubbed - self.model).mean()) / self.whole

    @property
    def correlation(self) -> float:
        """Pearson's correlation of scrubbed and intact outcomes; NaN where one does not vary."""
        model = np.broadcast_to(self.model, self.scrubbed.shape).ravel()
        scrubbed = self.scrubbed.ravel()
        if not (np.ptp(model) and np.ptp(scrubbed)):
            return float("nan")
        return float(np.corrcoef(model, scrubbed)[0, 1])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the share may mislead, in sentences."""
        return tuple(self._warnings())

    def _warnings(self) -> list[str]:
        told = []
        if self.interval is None:
            told.append("The model's outcome is not clearly better than on random data: no share.")
        for node in self.nodes:
            if node.classes == 1:
                told.append(
                    f"{node.name}: all data agree on its feature, so that any stood for any."
                )
            elif node.unchanged > HARDLY:
                told.append(
                    f"{node.name}: {_percent(node.unchanged)} of draws were the same prompt, so "
                    "that it was hardly tested."
                )
            if node.alone > 0:
                told.append(
                    f"{node.name}: for {_percent(node.alone)} of draws no datum of the population "
                    "agreed."
                )
        share = self.recovered
        if share is not None and abs(1 - share) < self.within and self.gap > 2 * self.within:
            told.append(
                f"Differences cancel: {_percent(share)} are recovered on average, and items differ "
                f"by {_percent(self.gap)} of the behaviour."
            )
        if self.interval is not None and self.interval.low > 1 + self.within:
            told.append(
                f"More than all is recovered, {_percent(share or 0)}: what was resampled works "
                "against the outcome, and the hypothesis leaves it out."
            )
        best = max((control.recovered for control in self.controls), default=float("-inf"))
        if share is not None and share - best < self.within:
            told.append(
                f"With permuted features {_percent(best)} are recovered: the outcome hardly "
                "depends on what the hypothesis says is computed."
            )
        return told

    @property
    def conventions(self) -> dict[str, str]:
        """What the numbers depend on, by name."""
        own = self.own_population
        source = "the items themselves" if own else "a set of its own"
        told = "the data are the items" if own else "the population held"
        if own and self.resampling.again:
            told = "too narrow, for the data are the items, and each may stand for itself"
        return {
            "read-out": self.readout.described,
            "population": f"{self.population} data, {source}",
            "interval": f"Fieller's over items; {told}",
            **self.resampling.described(),
            "seed": str(self.seed),
        }

    @property
    def summary(self) -> str:
        """One line: the share with its interval, and the agreement."""
        interval, share = self.interval, self.recovered
        if interval is None or share is None:
            recovered = "undefined share: model - random is not clear of 0"
        else:
            ends = f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
            recovered = f"{100 * share:.1f} % recovered {ends} ({100 * interval.level:.6g} %)"
        return f"{recovered}, {_percent(self.agreement)} of items within {_percent(self.within)}"

    def __str__(self) -> str:
        """Return the hypothesis, the summary, and the warnings."""
        return "\n".join((str(self.interpretation), self.summary, *self.warnings))

    def to_json(self) -> dict[str, Any]:
        """Return everything but the draws as JSON."""
        interval = self.interval
        return {
            "hypothesis": str(self.interpretation).splitlines(),
            "conventions": self.conventions,
            "recovered": self.recovered,
            "interval": None if interval is None else interval.to_json(),
            "expectation": self.expectation,
            "model": float(self.model.mean()),
            "random": float(self.random.mean()),
            "agreement": {"within": self.within, "share": self.agreement},
            "gap": _number(self.gap),
            "correlation": _number(self.correlation),
            "nodes": [
                {name: getattr(node, name) for name in NodeDraws.__slots__} for node in self.nodes
            ],
            "controls": [_number(control.recovered) for control in self.controls],
            "warnings": list(self.warnings),
            "items": len(self.model),
            "forwards": self.forwards,
        }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(value: float) -> float | None:
    """Return a number that JSON has; NaN is none."""
    return None if np.isnan(value) else value
