"""Claims about every member of a set: "each of these heads has the effect".

SUPPORTED is an intersection-union test (Berger 1982): every member's own null is rejected at
`alpha`, without a correction, since the claim is false as soon as one of them is true, and that
one is rejected at most `alpha` often.  REFUTED needs a member that is shown to lie on the other
side, by Holm's procedure over the mirrored nulls, since there are as many chances to err as
members.  Both are read off one confidence sequence for the member that the claim depends on: its
near end at `alpha`, its far end at `alpha` / members.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike

from causalnet.statistics.columns import BoundedColumns
from causalnet.statistics.decision import Decision, Reason, TracePoint, Verdict
from causalnet.statistics.families import adjusted, e_benjamini_hochberg, holm
from causalnet.statistics.interval import Interval
from causalnet.statistics.judging import question
from causalnet.statistics.samples import Array
from causalnet.statistics.sweep_judge import Finding, checked_names, columns_for, read_batch

__all__ = ["IntersectionJudge"]

SHOWN_NAMES = 5


@final
class IntersectionJudge:
    """Judges whether every member's mean is at least, or at most, a threshold.

    After a verdict the judge still takes batches, for the lists of members; the verdict stays.

    Args:
        names: The members, each once.
        threshold: The claimed bound of every member.
        direction: ``at_least`` or ``at_most``.
        alpha: Probability of a false SUPPORTED, and of a false REFUTED; asymptotic without
            `bounds`, exact with them.
        bounds: The declared range of the numbers, if they have one.
        expected_n: The sample size at which the evidence is made strongest; unused with `bounds`.
        quantity: The number's name, as it starts a sentence.
        units: What is counted.

    Raises:
        ParameterError: No names, a name twice, or a parameter outside its range.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> judge = IntersectionJudge(["L9.H6", "L9.H9"], 0.1)
    >>> while not judge.is_settled:
    ...     judge.add({name: rng.normal(0.5, 0.8, 8) for name in judge.active})
    >>> judge.decision().verdict, judge.shown()
    (<Verdict.SUPPORTED: 'SUPPORTED'>, ('L9.H6', 'L9.H9'))
    """

    def __init__(
        self,
        names: Sequence[str],
        threshold: float,
        direction: Literal["at_least", "at_most"] = "at_least",
        alpha: float = 0.05,
        *,
        bounds: tuple[float, float] | None = None,
        expected_n: int = 200,
        quantity: str = "The smallest member's effect",
        units: str = "prompts",
    ) -> None:
        """Start without observations."""
        self.names = checked_names(names)
        self.question = question(quantity, units, alpha, threshold=threshold, direction=direction)
        self._above = direction == "at_least"
        self._columns = columns_for(self.names, threshold, bounds, alpha, expected_n)
        # Largest log e-values so far, for the claim and against it.
        self._largest = np.full((2, len(self.names)), -np.inf)
        # Tightest ends so far: near ones at alpha, far ones at alpha / members.
        self._low = np.full(len(self.names), -np.inf)
        self._high = np.full(len(self.names), np.inf)
        self._trace: list[TracePoint] = []
        self._settled: Decision | None = None

    def add(self, values: Mapping[str, ArrayLike] | ArrayLike) -> None:
        """Take in one batch of numbers, on prompts that no earlier batch had.

        Args:
            values: Shape (prompts, members) in the order of `names`; or samples by name, whose
                numbers may differ.

        Raises:
            ParameterError: An unknown name, an empty sample or one of another shape.
            NumericalError: NaN or an infinity among the numbers.
        """
        for places, batch in read_batch(self.names, values):
            self._columns.add(places, batch)
        now = [self._columns.log_e(above=above) for above in (self._above, not self._above)]
        self._largest = np.maximum(self._largest, np.stack(now))
        self._tighten()
        if self._settled is None:
            self._look()

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is SUPPORTED or REFUTED for good."""
        return self._settled is not None

    @property
    def active(self) -> tuple[str, ...]:
        """The members that are neither shown nor contradicted."""
        done = {*self.shown(), *self.contradicted()}
        return tuple(name for name in self.names if name not in done)

    @property
    def n(self) -> tuple[int, ...]:
        """Prompts of each member so far, in the order of `names`."""
        return tuple(int(count) for count in self._columns.n)

    def shown(self) -> tuple[str, ...]:
        """Return the members whose own null is rejected at `alpha`, each by itself."""
        return self._named(self._largest[0] >= -math.log(self.question.alpha))

    def contradicted(self) -> tuple[str, ...]:
        """Return the members that are shown to lie on the other side: Holm at `alpha`."""
        return self._named(holm(self._p(1), self.question.alpha))

    def listed(self, alpha: float | None = None) -> tuple[str, ...]:
        """Return the members on the other side at a false discovery rate: e-BH at this moment.

        Args:
            alpha: The false discovery rate; the judge's own if None.
        """
        against = np.exp(np.minimum(self._columns.log_e(above=not self._above), 700.0))
        return self._named(e_benjamini_hochberg(against, alpha or self.question.alpha))

    def findings(self) -> tuple[Finding, ...]:
        """Return what is known of every member against the claim, in the order of `names`.

        The p-value is Holm's, adjusted, against the claim; a discovery is a contradicted member.
        """
        alpha = self.question.alpha
        p, e = adjusted(self._p(1)), self._columns.log_e(above=not self._above)
        against, shown = self.contradicted(), self.shown()
        return tuple(
            Finding(
                name,
                int(self._columns.n[place]),
                float(self._columns.estimate[place]),
                Interval(
                    float(self._low[place]),
                    float(self._high[place]),
                    1 - alpha - alpha / len(self.names),
                    self._method,
                ),
                float(p[place]),
                float(np.exp(min(e[place], 700.0))),
                name in against,
                "discovered" if name in against else "shown_otherwise" if name in shown else "",
            )
            for place, name in enumerate(self.names)
        )

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""
        if self._settled is not None:
            return self._settled
        interval, n = self._interval(), int(self._columns.n.max())
        if interval is None:
            said = f"{n} {self.question.units} are too few, or give some member equal numbers."
            known = bool((self._columns.n > 0).all())
            return self.question.answer(
                Verdict.INCONCLUSIVE,
                self.question.too_few,
                said,
                n=n,
                estimate=self._estimate() if known else math.nan,
                trace=tuple(self._trace),
            )
        waiting = f"{self._listing(self.active)} in doubt after {n} {self.question.units}."
        return self._answer(Verdict.INCONCLUSIVE, self.question.too_few, waiting, interval)

    def _look(self) -> None:
        interval, estimate = self._interval(), self._estimate()
        if interval is None:
            return
        n = int(self._columns.n.max())
        self._trace.append(TracePoint(n, estimate, interval.low, interval.high))
        if len(self.shown()) == len(self.names):
            said = f"all {len(self.names)} are shown to be {self.question.claimed}, as claimed."
            self._settled = self._answer(
                Verdict.SUPPORTED, Reason.SUPPORTED_BY_INTERVAL, said, interval
            )
        elif against := self.contradicted():
            said = (
                f"{self._listing(against)} shown not to be {self.question.claimed}, "
                f"which was claimed of all {len(self.names)}."
            )
            self._settled = self._answer(
                Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL, said, interval
            )

    def _answer(self, verdict: Verdict, reason: Reason, said: str, interval: Interval) -> Decision:
        estimate = self._estimate()
        number = interval.estimate_written(estimate, self.question.threshold)
        written = interval.written(self.question.threshold)
        sentence = f"{self.question.quantity} is {number}, {written}; {said}"
        return self.question.answer(
            verdict,
            reason,
            sentence,
            n=int(self._columns.n.max()),
            estimate=estimate,
            interval=interval,
            trace=tuple(self._trace),
        )

    def _interval(self) -> Interval | None:
        """Return the sequence of the member that the claim depends on."""
        pick = np.min if self._above else np.max
        ends = float(pick(self._low)), float(pick(self._high))
        if not (self._columns.n > 0).all() or not any(map(math.isfinite, ends)):
            return None
        alpha = self.question.alpha
        return Interval(*ends, 1 - alpha - alpha / len(self.names), self._method)

    def _tighten(self) -> None:
        """Intersect every member's sequence over the looks, as the largest evidence does."""
        near, far = (math.log(k / self.question.alpha) for k in (1, len(self.names)))
        bars = (near, far) if self._above else (far, near)
        self._low = np.maximum(self._low, self._columns.ends(bars[0], above=True))
        self._high = np.minimum(self._high, self._columns.ends(bars[1], above=False))

    def _estimate(self) -> float:
        return float((np.min if self._above else np.max)(self._columns.estimate))

    def _p(self, side: int) -> Array:
        return np.asarray(np.exp(-np.maximum(self._largest[side], 0.0)))

    def _named(self, chosen: ArrayLike) -> tuple[str, ...]:
        flags = np.asarray(chosen, dtype=bool)
        return tuple(name for name, yes in zip(self.names, flags, strict=True) if yes)

    @property
    def _method(self) -> str:
        exact = isinstance(self._columns, BoundedColumns)
        return "betting_sequence" if exact else "student_mixture_sequence"

    @staticmethod
    def _listing(names: Sequence[str]) -> str:
        shown = ", ".join(names[:SHOWN_NAMES])
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"
