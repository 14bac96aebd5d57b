"""Effects as a labelled table: a row for each mediator, a column for each prompt."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalnet.effects.conventions import Conventions, Excluded, LedgerEntry
from causalnet.effects.display import table_html
from causalnet.errors import CausalNetError, UnknownMediatorError
from causalnet.graphs import canonical, nearest
from causalnet.statistics import Interval, ratio_interval, student_interval
from causalnet.store import Archive, save_archive

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Effect", "EffectTable", "Fraction"]

KIND = "effect table"


@dataclass(frozen=True, slots=True)
class Effect:
    """The mean effect of one row over prompts, with its interval.

    Attributes:
        label: The mediator or set.
        mean: Mean over prompts, in `unit`.
        interval: Student's interval for it, Fieller's for a ratio of means; None with fewer than
            two prompts, or a denominator that is not clearly away from 0.
        n: Number of prompts, excluded ones included.
        unit: The unit.
        estimand: Versioned name.
        excluded: How many of the prompts count as 0.
    """

    label: str
    mean: float
    interval: Interval | None
    n: int
    unit: str
    estimand: str
    excluded: int = 0

    def __str__(self) -> str:
        """Return `NIE/v1 of L9.H6: -0.42 [-0.60, -0.24] logits (95 %, n = 64)`."""
        out = f", {self.excluded} excluded and counted as 0" if self.excluded else ""
        what = f"{self.estimand} of {self.label}:"
        if self.interval is None:
            return f"{what} {self.mean:+.3g} {self.unit} (no interval from n = {self.n}{out})"
        mean = self.interval.estimate_written(self.mean, sign=True)
        span, level = self.interval.written(sign=True).split(" (")
        return f"{what} {mean} {span} {self.unit} ({level[:-1]}, n = {self.n}{out})"


@dataclass(frozen=True, slots=True)
class Fraction:
    """A row's effect as a fraction of a total effect: a ratio of means, never a mean of ratios.

    Attributes:
        label: The mediator or set.
        value: Mean effect divided by mean total effect; NaN where the latter is 0.
        interval: Fieller's interval; None where the total effect is not clearly away from 0.
    """

    label: str
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectTable:
    """Per-prompt effects, never a mean alone, and what they mean.

    Attributes:
        values: Effects, [rows, prompts].
        rows: Label of every row.
        prompts: Label of every prompt.
        conventions: Estimand, unit, sign, scale, ablation, read-out.
        unpatched: The read-out in the unpatched world, [prompts].
        excluded: Prompts left out of the numerator of means; they stay in the denominator.
        ledger: The tokens that were touched.
        provenance: Model, tokenizer and prompt digests, versions, batch size, counts.
        denominators: What the mean of a row is divided by, [prompts]: a ratio of means (of effects
            per total effect, or of events among the prompts of a condition); None for means.
    """

    values: NDArray[np.float64]
    rows: tuple[str, ...]
    prompts: tuple[str, ...]
    conventions: Conventions
    unpatched: NDArray[np.float64]
    excluded: tuple[Excluded, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    denominators: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __repr__(self) -> str:
        """Return one line."""
        largest = self.top(1)[0]
        out = f" ({len(self.excluded)} excluded)" if self.excluded else ""
        return (
            f"EffectTable({self.conventions.estimand}, {len(self.rows)} rows x "
            f"{len(self.prompts)} prompts{out}, {self.conventions.unit}, largest {largest.label} "
            f"{largest.mean:+.3f})"
        )

    def _repr_html_(self) -> str:
        return table_html(self)

    @property
    def counted(self) -> NDArray[np.float64]:
        """The values with excluded prompts set to 0, [rows, prompts]."""
        return self.values * self._weights

    @property
    def _weights(self) -> NDArray[np.float64]:
        out = {entry.prompt for entry in self.excluded}
        return np.array([label not in out for label in self.prompts], dtype=np.float64)

    def means(self) -> NDArray[np.float64]:
        """Return the mean effect of every row, [rows]; excluded prompts count as 0.

        With denominators it is a ratio of means, NaN where the lower one is 0.
        """
        means = np.asarray(self.counted.mean(axis=1))
        if self.denominators is None:
            return means
        whole = float((self.denominators * self._weights).mean())
        return means / whole if whole else np.full(len(means), math.nan)

    def effect(self, label: str, level: float = 0.95) -> Effect:
        """Return one row's mean with its interval.

        Args:
            label: The row.
            level: Coverage of the interval.

        Raises:
            UnknownMediatorError: No such row.
        """
        name = label if label in self.rows else canonical(str(label))
        if name not in self.rows:
            close = nearest(name, self.rows)
            raise UnknownMediatorError(
                f"No row {label!r}.",
                f"Nearest: {', '.join(close)}." if close else f"There are {len(self.rows):,} rows.",
                "Take one of .rows.",
            )
        return self._effect(self.rows.index(name), level)

    def __getitem__(self, label: str) -> Effect:
        """Return one row's mean with its 95 % interval."""
        return self.effect(label)

    def _effect(self, row: int, level: float) -> Effect:
        values = self.counted[row]
        if self.denominators is not None:
            interval = _ratio_interval(values, self.denominators * self._weights, level)
        else:
            interval = student_interval(values, level) if len(values) > 1 else None
        return Effect(
            self.rows[row],
            float(self.means()[row]),
            interval,
            len(values),
            self.conventions.unit,
            self.conventions.estimand,
            len(self.excluded),
        )

    def effects(self, level: float = 0.95) -> tuple[Effect, ...]:
        """Return every row's mean with its interval, in order."""
        return tuple(self._effect(row, level) for row in range(len(self.rows)))

    def top(self, count: int = 10, level: float = 0.95) -> tuple[Effect, ...]:
        """Return the rows with the largest absolute means, largest first."""
        order = np.argsort(-np.abs(self.means()), kind="stable")[:count]
        return tuple(self._effect(int(row), level) for row in order)

    def fraction_of(self, total: "EffectTable", level: float = 0.95) -> tuple[Fraction, ...]:
        """Return every row as a fraction of a total effect on the same prompts.

        Args:
            total: A table with one row, usually TE, on the same prompts.
            level: Coverage of Fieller's interval.

        Raises:
            CausalNetError: Other prompts, other excluded prompts or another read-out, or more than
                one row in `total`.
        """
        if len(total) != 1 or (total.prompts, total.excluded) != (self.prompts, self.excluded):
            raise CausalNetError(
                f"{total!r} cannot be the denominator.",
                "It has one row, the same prompts and the same excluded prompts.",
                "Use cn.run(cn.te(), net, pairs) with the same options.",
            )
        if total.conventions.readout != self.conventions.readout:
            raise CausalNetError(
                f"{self.conventions.readout} cannot be a fraction of {total.conventions.readout}.",
                "Numerator and denominator are effects on one read-out.",
                "Pass outcome=... to cn.te as well.",
            )
        denominators = total.counted[0]
        whole = float(denominators.mean())
        return tuple(
            Fraction(
                label,
                float(values.mean()) / whole if whole else math.nan,
                _ratio_interval(values, denominators, level),
            )
            for label, values in zip(self.rows, self.counted, strict=True)
        )

    def to_pandas(self) -> "pd.DataFrame":
        """Return a frame with mediators as index and prompts as columns; needs pandas."""
        try:
            import pandas as pd
        except ImportError:
            raise _needs("pandas") from None
        frame = pd.DataFrame(self.values, index=list(self.rows), columns=list(self.prompts))
        frame.index.name, frame.columns.name = "mediator", "prompt"
        frame.attrs.update(self.conventions.to_json())
        frame.attrs["excluded"] = {entry.prompt: entry.reason for entry in self.excluded}
        return frame

    def to_xarray(self) -> "xr.DataArray":
        """Return an array with dimensions mediator and prompt; needs xarray."""
        try:
            import xarray as xr
        except ImportError:
            raise _needs("xarray") from None
        out = {entry.prompt for entry in self.excluded}
        coordinates = {
            "mediator": list(self.rows),
            "prompt": list(self.prompts),
            "excluded": ("prompt", [label in out for label in self.prompts]),
        }
        return xr.DataArray(
            self.values,
            dims=("mediator", "prompt"),
            coords=coordinates,
            name=self.conventions.estimand,
            attrs=self.conventions.to_json(),
        )

    def save(self, path: str | Path) -> Path:
        """Write the table with its conventions and provenance to one file; see `cn.open`."""
        content = {
            "rows": list(self.rows),
            "prompts": list(self.prompts),
            "conventions": self.conventions.to_json(),
            "excluded": [asdict(entry) for entry in self.excluded],
            "ledger": [asdict(entry) for entry in self.ledger],
            "provenance": dict(self.provenance),
        }
        arrays = {"values": self.values, "unpatched": self.unpatched}
        if self.denominators is not None:
            arrays["denominators"] = self.denominators
        return save_archive(Archive(KIND, content, arrays), path)

    @classmethod
    def from_archive(cls, archive: Archive) -> "EffectTable":
        """Return the table that `save` wrote."""
        content = archive.content
        return cls(
            values=archive.arrays["values"],
            rows=tuple(content["rows"]),
            prompts=tuple(content["prompts"]),
            conventions=Conventions.from_json(content["conventions"]),
            unpatched=archive.arrays["unpatched"],
            excluded=tuple(Excluded(**entry) for entry in content["excluded"]),
            ledger=tuple(LedgerEntry(**entry) for entry in content["ledger"]),
            provenance=content["provenance"],
            denominators=archive.arrays.get("denominators"),
        )

    def without(self, excluded: tuple[Excluded, ...]) -> "EffectTable":
        """Return the table with prompts marked as excluded."""
        return replace(self, excluded=(*self.excluded, *excluded))


def _ratio_interval(
    values: NDArray[np.float64], denominators: NDArray[np.float64], level: float
) -> Interval | None:
    """Return Fieller's interval; a denominator below 0 changes the sign of both."""
    sign = -1.0 if denominators.mean() < 0 else 1.0
    return ratio_interval(sign * values, sign * denominators, level)


def _needs(package: str) -> CausalNetError:
    return CausalNetError(
        f"{package} is not installed.", "A table is handed over to it.", f"pip install {package}"
    )
