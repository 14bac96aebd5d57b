"""Racing over prompts: which mean effects are larger in size than tau, on few prompts.

The target is the mean over the population that the prompts were drawn from, not over these
prompts: a row that took all of them can still be undecided.  With m rows each sequence errs with
probability at most alpha / m (Bonferroni), so that with probability at least 1 - alpha no row is
put on the wrong side and every interval holds its mean.  For normal effects this is exact; for
others it is asymptotic, with the first-order correction for skewness (see
`causalnet.statistics.mixture`).  It fails where rare prompts carry the mean: an effect that is 0 on
99 prompts in 100 looks like 0.  Measured with 50 rows whose means all are tau, 128 prompts and
alpha = 0.05, some row is put on a side in at most 1 % of races for normal effects and Student's t
with 3 degrees, in 5 % for exponential ones, and in 30 % for lognormal ones (skewness 6), of which
start = 120 leaves 2.5 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, Unpack

import numpy as np

from causalnet.effects import Conventions
from causalnet.effects.explain import facts_of
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.estimators.elimination import Raced, race_rows
from causalnet.estimators.query_rows import Options, QueryRows
from causalnet.graphs import canonical, nearest
from causalnet.interventions import Query, Scalar, zero_effects
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Interval
from causalnet.statistics.mixture import MINIMUM_N
from causalnet.tasks import PromptPairs

__all__ = ["Race", "RaceRow", "Side", "race"]

Side: TypeAlias = Literal["above", "below", "undecided"]
"""Whether the size of a mean is above tau, below it, or not known to be either."""

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class RaceRow:
    """How the race ended for one row.

    Attributes:
        label: The mediator or set.
        side: Whether the size of its mean effect is `above` or `below` tau, or `undecided`.
        mean: Mean effect over the prompts it took; it leans away from tau where the row left
            early, so that a value to be reported is better run on all prompts.
        interval: The sequence when it left, holding the mean together with those of all rows; None
            where there was none.
        n: Prompts it took; 0 where its effect is proved to be zero.
        why: What decided, or why nothing did.
    """

    label: str
    side: Side
    mean: float
    interval: Interval | None
    n: int
    why: str

    def __str__(self) -> str:
        """Return `L9.H6: above, -0.42 [-0.60, -0.24] (95 %) after 36 prompts`."""
        if self.interval is None:
            return f"{self.label}: {self.side}, {self.mean:+.3g}, {self.why}"
        mean = self.interval.estimate_written(self.mean, sign=True)
        span = self.interval.written(sign=True)
        return f"{self.label}: {self.side}, {mean} {span} after {self.n} prompts"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Race:
    """Which mean effects are larger in size than tau, and what it took to know.

    Attributes:
        rows: Every row, in the query's order.
        tau: The size that they were told apart by, in the outcome's unit.
        alpha: The probability that any row is on the wrong side or any interval misses its mean.
        prompts: Prompts that there were.
        evaluations: Rows times prompts that were run.
        conventions: What the effects mean.
        provenance: What they were computed from, and how the race was run.
    """

    rows: tuple[RaceRow, ...]
    tau: float
    alpha: float
    prompts: int
    evaluations: int
    conventions: Conventions
    provenance: Mapping[str, Any]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __getitem__(self, label: str) -> RaceRow:
        """Return one row.

        Raises:
            UnknownMediatorError: No such row.
        """
        by_label = {row.label: row for row in self.rows}
        name = label if label in by_label else canonical(str(label))
        if name not in by_label:
            close = nearest(name, tuple(by_label))
            raise UnknownMediatorError(
                f"No row {label!r}.", f"Nearest: {', '.join(close)}." if close else ""
            )
        return by_label[name]

    @property
    def full(self) -> int:
        """Rows times prompts: what running every row on every prompt takes."""
        return len(self.rows) * self.prompts

    def on(self, side: Side) -> tuple[RaceRow, ...]:
        """Return the rows on a side, those with the largest means first."""
        chosen = (row for row in self.rows if row.side == side)
        return tuple(sorted(chosen, key=lambda row: -abs(row.mean)))

    def __str__(self) -> str:
        """Return the conventions, the rows on each side, the cost and the guarantee."""
        told = self.conventions
        lines = [
            f"{told.estimand} on {told.readout}, {told.sign}, set at {told.at}: {len(self)} rows "
            f"raced over {self.prompts} prompts against a mean of size {self.tau:g} {told.unit}"
        ]
        sides: tuple[Side, ...] = ("above", "undecided", "below")
        for side in sides:
            chosen = self.on(side)
            lines.append(f"{len(chosen)} {side}")
            lines += [f"  {row}" for row in chosen[:_SHOWN]]
            lines += [f"  and {len(chosen) - _SHOWN} more"] if len(chosen) > _SHOWN else []
        lines.append(self.cost)
        lines.append(
            f"With {100 * (1 - self.alpha):.6g} % probability no row is on the wrong side, however "
            "often one looks: of means over the population of prompts, asymptotically."
        )
        return "\n".join(lines)

    @property
    def cost(self) -> str:
        """What was run, in a sentence."""
        share = 100 * self.evaluations / self.full
        return (
            f"{self.evaluations} of {self.full} evaluations of a row on a prompt ({share:.1f} %)."
        )

    def __repr__(self) -> str:
        """Return one line."""
        sides: tuple[Side, ...] = ("above", "below", "undecided")
        counts = ", ".join(f"{len(self.on(side))} {side}" for side in sides)
        tau = f"{self.tau:g} {self.conventions.unit}"
        return f"Race({self.conventions.estimand} against {tau}: {counts}; {self.cost[:-1]})"


def race(
    net: LiftedNetwork,
    query: Query | Scalar | str,
    pairs: PromptPairs,
    tau: float,
    *,
    alpha: float = 0.05,
    round_size: int = 4,
    start: int = MINIMUM_N,
    expected_n: int | None = None,
    seed: int = 0,
    **options: Unpack[Options],
) -> Race:
    """Tell which rows have a mean effect larger in size than tau, on as few prompts as it takes.

    Rows whose effect is proved to be zero, from the graph and the tokens of these pairs, are not
    run.  The others share alpha evenly.

    Args:
        net: The lifted network.
        query: What to compute: `cn.nie(net.heads(), at="end")`, or its text.
        pairs: Prompt pairs, drawn from the population that is meant.
        tau: The size of a mean effect, in the outcome's unit; 0 asks which are not zero, and can
            put no row below.
        alpha: The probability that any row is put on the wrong side.
        round_size: Prompts between two looks.
        start: Prompts before the first look.  Below 32, means of effects that are far from normal
            are not near enough to normal for the guarantee; for normal effects it is exact.
        expected_n: The number of prompts at which the sequences are narrowest; `start` by default.
        seed: Seed of the order of prompts, and of resampling.
        **options: See `Options`.

    Raises:
        ParameterError: tau below 0, alpha outside (0, 0.5), a round or a start below 1 or 2, or
            fewer pairs than are taken before the first look.
        NumericalError: An effect that is not finite.
        UnknownMediatorError, TermError: A query that does not fit the network.
    """
    _check(tau, alpha, round_size, start, len(pairs))
    rows = QueryRows.of(net, query, pairs, seed, **options)
    zero = {
        effect.label for effect in zero_effects(rows.query.contrasts, net.graph, facts_of(pairs))
    }
    open_ = [index for index, label in enumerate(rows.labels) if label not in zero]
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    ended = race_rows(
        lambda some, prompts: rows.effects([open_[row] for row in some], prompts),
        len(open_),
        order,
        tau,
        row_alpha=alpha / max(len(open_), 1),
        round_size=round_size,
        start=start,
        expected_n=start if expected_n is None else expected_n,
    )
    found = {
        rows.labels[row]: _row(rows.labels[row], ended, at, alpha) for at, row in enumerate(open_)
    }
    proved = RaceRow("", "below" if tau > 0 else "undecided", 0.0, None, 0, "proved to be zero")
    settings = {"round_size": round_size, "start": start, "expected_n": expected_n or start}
    return Race(
        rows=tuple(
            found.get(label, RaceRow(label, proved.side, 0.0, None, 0, proved.why))
            for label in rows.labels
        ),
        tau=tau,
        alpha=alpha,
        prompts=len(pairs),
        evaluations=int(ended.n.sum()),
        conventions=rows.conventions(),
        provenance={**rows.provenance(), "race": settings},
    )


def _row(label: str, ended: Raced, at: int, alpha: float) -> RaceRow:
    side: Side = ("undecided", "above", "below")[int(ended.side[at])]
    n, low, high = int(ended.n[at]), float(ended.low[at]), float(ended.high[at])
    if np.isnan(low):
        why = f"{n} prompts bound nothing: they are too few, or their effects are all equal"
        return RaceRow(label, side, float(ended.mean[at]), None, n, why)
    interval = Interval(low, high, 1 - alpha, "student_mixture_sequence, of all rows together")
    why = "the sequence holds tau" if side == "undecided" else "the sequence lies on one side"
    return RaceRow(label, side, float(ended.mean[at]), interval, n, why)


def _check(tau: float, alpha: float, round_size: int, start: int, pairs: int) -> None:
    if not (tau >= 0 and np.isfinite(tau)):
        raise ParameterError(
            f"tau is {tau!r}.",
            "It is the size of an effect: a finite number of at least 0.",
            "Write for example tau=0.1.",
        )
    if not 0 < alpha < 0.5:
        raise ParameterError(
            f"alpha is {alpha!r}.",
            "It lies above 0 and below 0.5.",
            "Write for example alpha=0.05.",
        )
    if round_size < 1 or start < 2:
        raise ParameterError(
            f"round_size is {round_size} and start is {start}.",
            "A round has at least one prompt, and an interval needs at least two.",
            f"Write for example round_size=4, start={MINIMUM_N}.",
        )
    first = max(start, round_size)
    if pairs < first:
        raise ParameterError(
            f"There are {pairs} pairs, and {first} are taken before the first look.",
            "A race needs at least that many; with all of them, run the query itself.",
            f"Give more pairs, or write a smaller start where effects are nearly normal, "
            f"such as start={max(2, min(12, pairs))}.",
        )
