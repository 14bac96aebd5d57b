"""The outcome of a screen: which rows are exact, which are not, and what is known of those."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from causalnet.effects import Conventions, EffectTable
from causalnet.errors import UnknownMediatorError
from causalnet.estimators.control_sample import ControlBound, ScreenError
from causalnet.estimators.query_rows import Numbers
from causalnet.graphs import canonical, nearest
from causalnet.statistics import Interval

__all__ = ["Screened", "ScreenedRow", "Why", "errors_by_why"]

Why: TypeAlias = Literal["top", "boundary", "control", "screened"]
"""Why a row was run exactly: it ranks high, lies near the boundary, or was drawn; or was not."""

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ScreenedRow:
    """One row of a screen.

    Attributes:
        label: The mediator or set.
        mean: Mean effect over prompts: exact where `is_exact`, the screen's otherwise.
        estimate: What the screen said.
        why: Why it was run exactly, or `screened`.
        interval: Student's interval over prompts for an exact mean; None for others, and with
            fewer than two prompts.
        unit: The unit.
    """

    label: str
    mean: float
    estimate: float
    why: Why
    interval: Interval | None
    unit: str

    @property
    def is_exact(self) -> bool:
        """Whether the row was run exactly."""
        return self.why != "screened"

    def __str__(self) -> str:
        """Return `L9.H6: -0.42 [-0.60, -0.24] (95 %) logits, exact (top; the screen said -0.4)`."""
        if not self.is_exact:
            return f"{self.label}: {self.mean:+.3g} {self.unit}, screened: not run exactly"
        mean, span = f"{self.mean:+.3g}", ""
        if self.interval is not None:
            mean = self.interval.estimate_written(self.mean, sign=True)
            span = f" {self.interval.written(sign=True)}"
        said = f"the screen said {self.estimate:+.3g}"
        return f"{self.label}: {mean}{span} {self.unit}, exact ({self.why}; {said})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Screened:
    """Rows ranked by a cheap estimator, the important ones run exactly, the others bounded.

    Attributes:
        rows: Label of every row, in the query's order.
        estimates: The screen's mean effects, [rows].
        exact: The rows that were run exactly, on every prompt, with conventions and provenance.
        why: Label of every exact row to why it was run: `top`, `boundary` or `control`.
        threshold: The size of a mean effect at which rows are told apart.
        bound: What the control sample says of the rows that were not run.
        errors: How far the screen was from the exact means, by why rows were run.
        estimator: The screen, by name.
        error: What is known of the screen's error beforehand.
        error_bar: For a screen by precision, the size of the errors that are allowed for; None
            where the screen has no error bar.
        seed: Seed of the control sample.
    """

    rows: tuple[str, ...]
    estimates: Numbers
    exact: EffectTable
    why: Mapping[str, Why]
    threshold: float
    bound: ControlBound
    errors: Mapping[str, ScreenError]
    estimator: str
    error: str
    error_bar: float | None
    seed: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def conventions(self) -> Conventions:
        """What the numbers mean, with the estimator of the rows that were not run."""
        mixed = f"exact for {len(self.exact)} of {len(self)} rows, {self.estimator} for the others"
        if len(self.exact) == len(self):
            return self.exact.conventions
        return replace(self.exact.conventions, estimator=mixed, error=self.error)

    def means(self) -> Numbers:
        """Return mean effects, [rows]: exact ones where there are, the screen's otherwise."""
        known = dict(zip(self.exact.rows, self.exact.means(), strict=True))
        estimates = zip(self.rows, self.estimates, strict=True)
        return np.array([known.get(label, estimate) for label, estimate in estimates])

    def __getitem__(self, label: str) -> ScreenedRow:
        """Return one row.

        Raises:
            UnknownMediatorError: No such row.
        """
        name = label if label in self.rows else canonical(str(label))
        if name not in self.rows:
            close = nearest(name, self.rows)
            raise UnknownMediatorError(
                f"No row {label!r}.", f"Nearest: {', '.join(close)}." if close else ""
            )
        return self._row(self.rows.index(name))

    def top(self, count: int = 10) -> tuple[ScreenedRow, ...]:
        """Return the rows with the largest absolute means, largest first, exact or not."""
        order = np.argsort(-np.abs(self.means()), kind="stable")[:count]
        return tuple(self._row(int(row)) for row in order)

    def _row(self, index: int) -> ScreenedRow:
        label, estimate = self.rows[index], float(self.estimates[index])
        unit, why = self.exact.conventions.unit, self.why.get(label, "screened")
        if why == "screened":
            return ScreenedRow(label, estimate, estimate, why, None, unit)
        effect = self.exact.effect(label)
        return ScreenedRow(label, effect.mean, estimate, why, effect.interval, unit)

    def __str__(self) -> str:
        """Return the conventions, the largest rows, and what is known of the others."""
        told = self.exact.conventions
        head = (
            f"{told.estimand} on {told.readout}, {told.sign}, set at {told.at}: "
            f"{len(self)} rows x {len(self.exact.prompts)} prompts, {len(self.exact)} rows exact"
        )
        listed = [f"  {row}" for row in self.top(_SHOWN)]
        more = len(self) - len(listed)
        listed += [f"  and {more} smaller"] if more else []
        errors = [
            f"screen - exact, {why} rows: {error}" for why, error in self.errors.items() if error.n
        ]
        bar = "" if self.error_bar is None else f", ± {self.error_bar:.2g} {told.unit}"
        screen = f"screened by {self.estimator}{bar}; boundary at {self.threshold:.3g} {told.unit}"
        return "\n".join([head, *listed, str(self.bound), screen, *errors, self.error])

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"Screened({self.exact.conventions.estimand}, {len(self)} rows, {len(self.exact)} "
            f"exact, the others by {self.estimator}: at most {self.bound.at_most} of "
            f"{self.bound.unrun} {self.bound.what})"
        )


def errors_by_why(
    estimates: Numbers, exact: EffectTable, rows: tuple[str, ...], why: Mapping[str, Why]
) -> dict[str, ScreenError]:
    """Return how far estimates, [rows], were from exact means, by why rows were run."""
    means = dict(zip(exact.rows, exact.means(), strict=True))
    errors = {}
    for reason in dict.fromkeys(why.values()):
        chosen = [index for index, label in enumerate(rows) if why.get(label) == reason]
        known = np.array([means[rows[index]] for index in chosen])
        errors[str(reason)] = ScreenError.of(estimates[chosen], known)
    return errors
