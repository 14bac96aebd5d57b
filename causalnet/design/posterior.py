"""The posterior of effects: what is believed of each mediator, and which to report."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias, final

import numpy as np

from causalnet.design.assumptions import Assumptions, Numbers
from causalnet.design.diagnostics import Diagnostics
from causalnet.design.marginals import Marginals
from causalnet.design.shared import Learnt
from causalnet.effects import Conventions
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.graphs import canonical, nearest
from causalnet.statistics import Interval

__all__ = ["EffectPosterior", "MediatorPosterior", "Method"]

Method: TypeAlias = Literal["nuts", "svi", "gaussian"]
_SHOWN = 12
_LEVEL = 0.95


@final
@dataclass(frozen=True, slots=True)
class MediatorPosterior:
    """What is believed of one mediator's mean effect over prompts.

    Attributes:
        label: The mediator or set.
        mean: Posterior mean.
        sd: Posterior standard deviation.
        interval: Central credible interval.
        sample_mean: Mean of the effects themselves.
        unit: The unit; "" where none is known.
    """

    label: str
    mean: float
    sd: float
    interval: Interval
    sample_mean: float
    unit: str

    def __str__(self) -> str:
        """Return `L9.H6: -0.42 [-0.60, -0.24] (95 %) logits, sd 0.09`."""
        mean = self.interval.estimate_written(self.mean, sign=True)
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.label}: {mean} {self.interval.written(sign=True)}{unit}, sd {self.sd:.2g}"


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectPosterior:
    """What is believed of every mediator's effect, its mean over the population of prompts.

    The effect of a mediator is its level; where the model regresses on an approximation it is
    level + slope times the approximation's mean, that mean being uncertain as well: the prompts
    are a sample.

    Attributes:
        labels: Every mediator, in the order given.
        marginals: What is believed of each effect.
        sample_means: Mean of each mediator's effects, [mediators].
        fixed: Mediators whose effect is the same on all prompts, and taken as known.
        prompts: How many prompts there were.
        templates: How many templates they were said to come from; 0 if none were named.
        method: `nuts`, `svi` or `gaussian`.
        assumptions: What was assumed.
        learnt: Numbers that all mediators share, by name.
        diagnostics: How the posterior was found.
        conventions: What the effects mean, if they came as a table.
        seed: Of the draws.
    """

    labels: tuple[str, ...]
    marginals: Marginals
    sample_means: Numbers
    fixed: tuple[str, ...]
    prompts: int
    templates: int
    method: Method
    assumptions: Assumptions
    learnt: Mapping[str, Learnt]
    diagnostics: Diagnostics
    conventions: Conventions | None
    seed: int

    def __len__(self) -> int:
        """Return the number of mediators."""
        return len(self.labels)

    @property
    def mean(self) -> Numbers:
        """Posterior mean of each effect, [mediators]."""
        return self.marginals.mean

    @property
    def sd(self) -> Numbers:
        """Posterior standard deviation of each effect, [mediators]."""
        return self.marginals.sd

    @property
    def unit(self) -> str:
        """The unit of effects; "" where it is not known."""
        return "" if self.conventions is None else self.conventions.unit

    def intervals(self, level: float = _LEVEL) -> tuple[Interval, ...]:
        """Return the central credible interval of each effect.

        Raises:
            ParameterError: A level outside (0, 1).
        """
        if not 0 < level < 1:
            raise ParameterError(
                f"The level is {level!r}.",
                "It lies above 0 and below 1.",
                "Write for example level=0.95.",
            )
        ends = zip(*self.marginals.interval(level), strict=True)
        return tuple(Interval(float(a), float(b), level, self._how) for a, b in ends)

    @property
    def _how(self) -> str:
        return f"posterior, {self.method}"

    def mediators(self, level: float = _LEVEL) -> tuple[MediatorPosterior, ...]:
        """Return what is believed of each mediator, in order."""
        columns = (self.labels, self.mean, self.sd, self.intervals(level), self.sample_means)
        return tuple(
            MediatorPosterior(label, float(mean), float(sd), interval, float(plain), self.unit)
            for label, mean, sd, interval, plain in zip(*columns, strict=True)
        )

    def __getitem__(self, label: str) -> MediatorPosterior:
        """Return what is believed of one mediator.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        return self.mediators()[self._index(label)]

    def top(self, count: int = 10) -> tuple[MediatorPosterior, ...]:
        """Return the mediators with the largest posterior means in size, largest first."""
        rows = self.mediators()
        order = np.argsort(-np.abs(self.mean), kind="stable")[:count]
        return tuple(rows[int(at)] for at in order)

    def probability_above(self, tau: float) -> Numbers:
        """Return the probability that each effect is larger in size than tau, [mediators].

        Args:
            tau: The size of a mean effect, in the effects' unit.  With 0 every mediator that varies
                has probability 1: no effect is believed to be exactly 0.

        Raises:
            ParameterError: tau below 0 or not finite.
        """
        if not (tau >= 0 and isfinite(tau)):
            raise ParameterError(
                f"tau is {tau!r}.",
                "It is the size of an effect: a finite number of at least 0.",
                "Write for example tau=0.1.",
            )
        return self.marginals.above(tau)

    def expected_false_discovery_rate(self, circuit: Collection[str], tau: float) -> float:
        """Return the share of a circuit that is expected to have an effect of at most tau in size.

        It is the mean over the circuit of the probability that |effect| <= tau; 0 for no mediator.

        Raises:
            ParameterError: tau below 0, or a mediator given twice.
            UnknownMediatorError: No such mediator.
        """
        misses = 1 - self.probability_above(tau)
        rows = [self._index(label) for label in circuit]
        if len(set(rows)) < len(rows):
            raise ParameterError(
                f"{len(rows)} mediators, {len(set(rows))} of them different.",
                "A circuit holds each mediator once.",
                "Pass a set.",
            )
        return float(misses[rows].mean()) if rows else 0.0

    def circuit(self, tau: float, fdr: float = 0.05) -> tuple[str, ...]:
        """Return the largest set whose expected false discovery rate is at most `fdr`.

        Those most probably above tau come first.  No set of that size has a lower rate, and every
        larger one has a rate above `fdr`.

        Args:
            tau: A mediator belongs to the circuit if its effect is larger in size than this.
            fdr: The expected share of mediators that do not.

        Raises:
            ParameterError: tau below 0, or a rate outside [0, 1).

        Source: Müller, Parmigiani, Robert and Rousseau 2004.
        """
        if not 0 <= fdr < 1:
            raise ParameterError(
                f"fdr is {fdr!r}.",
                "It is a share: at least 0 and below 1.",
                "Write for example fdr=0.05.",
            )
        misses = 1 - self.probability_above(tau)
        order = np.lexsort((-np.abs(self.mean), misses))
        rates = np.cumsum(misses[order]) / np.arange(1, len(self) + 1)
        size = int((rates <= fdr).sum())  # rates never fall
        return tuple(self.labels[int(at)] for at in order[:size])

    def _index(self, label: str) -> int:
        name = label if label in self.labels else canonical(str(label))
        if name not in self.labels:
            close = nearest(name, self.labels)
            raise UnknownMediatorError(
                f"No mediator {label!r}.",
                f"Nearest: {', '.join(close)}." if close else "",
                "posterior.labels lists all.",
            )
        return self.labels.index(name)

    @property
    def outside(self) -> tuple[str, ...]:
        """Mediators whose sample mean lies outside the 95 % interval: the model fits them badly.

        Student's t looks at where most effects are, and shrinks; a mean that few prompts carry is
        neither.
        """
        ends = zip(self.labels, self.sample_means, self.intervals(), strict=True)
        return tuple(
            label
            for label, mean, interval in ends
            if label not in self.fixed and mean not in interval
        )

    def warnings(self) -> tuple[str, ...]:
        """Return what to mind: of the approximation, of the sampler, of the fit."""
        found = list(self.diagnostics.warnings())
        if self.fixed:
            found.append(
                f"{len(self.fixed)} mediators have the same effect on all prompts, which is taken "
                f"as known: {_listed(self.fixed)}"
            )
        if self.outside:
            found.append(
                f"{len(self.outside)} sample means lie outside their intervals: "
                f"{_listed(self.outside)}"
            )
        return tuple(found)

    def __repr__(self) -> str:
        """Return one line."""
        first = self.top(1)[0]
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"EffectPosterior({self.method}, {len(self)} mediators x {self.prompts} prompts, "
            f"largest {first.label} {first.mean:+.3g} (sd {first.sd:.2g}){unit})"
        )

    def __str__(self) -> str:
        """Return the model, a table of the largest effects, what is shared, and what to mind."""
        width = max(len("mediator"), *(len(label) for label in self.labels))
        head = f"  {'mediator':{width}}  {'mean':>9}  {'sd':>8}  {'95 % interval':>22}"
        shown = self.top(_SHOWN)
        lines = [self._title, head + f"  {'sample mean':>11}"]
        for row in shown:
            span = row.interval.written(sign=True).split(" (")[0]
            lines.append(
                f"  {row.label:{width}}  {row.mean:+9.4f}  {row.sd:8.4f}  {span:>22}  "
                f"{row.sample_mean:+11.4f}"
            )
        if len(self) > len(shown):
            lines.append(f"  and {len(self) - len(shown)} smaller")
        lines += [f"{name}: {number}" for name, number in self.learnt.items()]
        lines.append(str(self.diagnostics))
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings())])

    @property
    def _title(self) -> str:
        told = self.conventions
        what = "effects" if told is None else f"{told.estimand} on {told.readout}, {told.sign}"
        unit = f" in {self.unit}" if self.unit else ""
        templates = f" of {self.templates} templates" if self.templates else ""
        return (
            f"Posterior of {what}{unit}: {len(self)} mediators x {self.prompts} prompts{templates}"
        )


def _listed(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(labels[:5]) + more
