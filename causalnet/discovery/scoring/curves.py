"""Faithfulness over circuit sizes in a few numbers: CPR, CMD, their log-k areas, and k90.

F_k is the normalised faithfulness of the circuit that keeps the share k of the edges.  MIB
(Mueller et al. 2025) gives two trapezoid areas over linear k, of F_k (CPR, larger is better,
unbounded above) and of |1 - F_k| (CMD, 0 is best), with circuits made of signed scores for CPR
and of absolute scores for CMD.  A trapezoid area is a weighted sum of the points, and on MIB's
grid 85 % of the weight lies on circuits of at least 20 % of the edges; the log-k areas give each
decade of sizes the same weight.
"""

import math
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.discovery.scoring.conventions import Array, Convention, check_convention
from causalnet.discovery.scoring.wording import percent, share
from causalnet.errors import ParameterError

__all__ = ["MIB_GRID", "CurveScore", "SizeScale", "point_weights", "score_curve"]

SizeScale = Literal["linear", "log"]
MIB_GRID = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FAITHFUL_BAND = (0.9, 1.1)
COARSE = 0.2  # the size from which MIB's areas take most of their weight


@dataclass(frozen=True, slots=True)
class CurveScore:
    """A faithfulness curve in numbers, with the points and weights that they are made of.

    Attributes:
        cpr: Trapezoid area of F_k over linear k; as wide as the grid, 0.999 for MIB's.
        cmd: Trapezoid area of |1 - F_k| at the points, over linear k.
        cpr_log: The same area over log k, divided by the grid's width: a mean, ideally 1.
        cmd_log: The mean of |1 - F_k| over log k; 0 is best.
        k90: The smallest size of the grid with F_k inside `band`, or None.
        k90_stays: The smallest size from which on every F_k is inside `band`, or None.
        sizes: The shares k of the edges, ascending, in (0, 1].
        faithfulness: F_k at these sizes.
        weights: What each point weighs in `cpr` and `cmd`.
        log_weights: What each point weighs in `cpr_log` and `cmd_log`; they sum to 1.
        band: The F_k that count as faithful, ends included.
        convention: Which scores the circuits of these sizes were taken by.
    """

    cpr: float
    cmd: float
    cpr_log: float
    cmd_log: float
    k90: float | None
    k90_stays: float | None
    sizes: tuple[float, ...]
    faithfulness: tuple[float, ...]
    weights: tuple[float, ...]
    log_weights: tuple[float, ...]
    band: tuple[float, float]
    convention: Convention

    @property
    def comparable_with_mib(self) -> Literal["cpr", "cmd"] | None:
        """Which of the two areas is made as MIB makes it: on its grid and by its ranking."""
        if self.sizes != MIB_GRID:
            return None
        return "cpr" if self.convention == "signed" else "cmd"

    def weight_from(self, size: float) -> float:
        """Return the share of the linear areas' weight that lies on sizes of at least `size`."""
        pairs = zip(self.sizes, self.weights, strict=True)
        return math.fsum(w for k, w in pairs if k >= size) / math.fsum(self.weights)

    def __str__(self) -> str:
        """Print the areas, where faithfulness is reached, and what the areas are made of."""
        low, high = self.band
        reached = (
            f"no size has F in [{low:g}, {high:g}]"
            if self.k90 is None
            else f"F in [{low:g}, {high:g}] first at {percent(self.k90)} of the edges, "
            + ("not to stay" if self.k90_stays is None else f"from {percent(self.k90_stays)} on")
        )
        comparable = self.comparable_with_mib
        mib = "neither area compares" if comparable is None else f"{comparable.upper()} compares"
        return "\n".join(
            [
                f"CPR {share(self.cpr)}, CMD {share(self.cmd)}; over log k "
                f"{share(self.cpr_log)} and {share(self.cmd_log)} (ideal 1 and 0)",
                reached,
                f"{len(self.sizes)} sizes from {percent(self.sizes[0])} to "
                f"{percent(self.sizes[-1])}, by {self.convention} score ({mib} with MIB); sizes "
                f"of at least {percent(COARSE)} weigh {percent(self.weight_from(COARSE))} of CPR "
                f"and CMD",
            ]
        )

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        fields = asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}


def score_curve(
    faithfulness: ArrayLike,
    *,
    convention: Convention,
    sizes: ArrayLike = MIB_GRID,
    band: tuple[float, float] = FAITHFUL_BAND,
) -> CurveScore:
    """Sum up a faithfulness curve.

    Args:
        faithfulness: F_k at every size, shape (sizes); 1 is the intact model, 0 all ablated.
        convention: Which scores the circuits were taken by; CPR and CMD differ by it.
        sizes: The shares of edges that the circuits keep, ascending, in (0, 1].  In a small graph
            give the shares kept after rounding, count / edges.
        band: The F_k that count as faithful, ends included.

    Raises:
        ParameterError: As many numbers as sizes are needed, all finite (an undefined F_k has no
            place in an area), sizes ascending in (0, 1], a band that holds 1.

    >>> print(score_curve([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], convention="signed"))
    CPR 0.250, CMD 0.749; over log k 0.050 and 0.950 (ideal 1 and 0)
    F in [0.9, 1.1] first at 100 % of the edges, from 100 % on
    10 sizes from 0.1 % to 100 %, by signed score (CPR compares with MIB); sizes of at least 20 % \
weigh 85.1 % of CPR and CMD
    """
    check_convention(convention)
    grid = _grid(sizes)
    values = _faithfulness(faithfulness, grid)
    low, high = _band(band)
    linear, log = point_weights(grid), point_weights(grid, scale="log")
    gap = np.abs(1 - values)
    inside = (low <= values) & (values <= high)
    stays = np.logical_and.accumulate(inside[::-1])[::-1]
    return CurveScore(
        cpr=math.fsum(linear * values),
        cmd=math.fsum(linear * gap),
        cpr_log=math.fsum(log * values),
        cmd_log=math.fsum(log * gap),
        k90=_first(grid, inside),
        k90_stays=_first(grid, stays),
        sizes=tuple(grid.tolist()),
        faithfulness=tuple(values.tolist()),
        weights=tuple(linear.tolist()),
        log_weights=tuple(log.tolist()),
        band=(low, high),
        convention=convention,
    )


def point_weights(sizes: ArrayLike = MIB_GRID, *, scale: SizeScale = "linear") -> Array:
    """Return what each point of a curve weighs in its trapezoid area; shape (sizes).

    Args:
        sizes: The shares of edges, ascending, in (0, 1].
        scale: "linear" gives weights in units of k, which sum to the grid's width; "log" gives
            weights over log k that sum to 1.

    Raises:
        ParameterError: Sizes that are not ascending in (0, 1], or an unknown scale.

    >>> point_weights().round(4).tolist()
    [0.0005, 0.002, 0.004, 0.0075, 0.02, 0.04, 0.075, 0.2, 0.4, 0.25]
    """
    grid = _grid(sizes)
    if scale not in get_args(SizeScale):
        raise ParameterError(
            came=f"The scale is {scale!r}.",
            possible=f"It is one of {', '.join(get_args(SizeScale))}.",
            write="Write scale='log'.",
        )
    steps = np.diff(grid if scale == "linear" else np.log(grid))
    weights: Array = (np.append(steps, 0.0) + np.append(0.0, steps)) / 2
    return weights if scale == "linear" else weights / steps.sum()


def _first(grid: Array, where: NDArray[np.bool_]) -> float | None:
    return float(grid[np.argmax(where)]) if where.any() else None


def _grid(sizes: ArrayLike) -> Array:
    grid = np.asarray(sizes, dtype=np.float64)
    if grid.ndim != 1 or grid.size < 2:
        came = f"The sizes have the shape {grid.shape}."
    elif not (np.isfinite(grid).all() and grid.min() > 0 and grid.max() <= 1):
        came = f"The sizes run from {grid.min():g} to {grid.max():g}."
    elif (np.diff(grid) <= 0).any():
        later = int(np.argmax(np.diff(grid) <= 0)) + 1
        came = f"Size {later} is {grid[later]:g}, after {grid[later - 1]:g}."
    else:
        return grid
    raise ParameterError(
        came=came,
        possible="Sizes are at least two shares of the edges, above 0, at most 1, ascending.",
        write="Write for example sizes=(0.01, 0.1, 1.0), or leave MIB's grid.",
    )


def _faithfulness(faithfulness: ArrayLike, grid: Array) -> Array:
    values = np.asarray(faithfulness, dtype=np.float64)
    if values.shape != grid.shape:
        raise ParameterError(
            came=f"The faithfulness has the shape {values.shape}, the sizes {grid.shape}.",
            possible="There is one F for every size.",
            write="Score the circuit of every size, or name the sizes that were scored.",
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise ParameterError(
            came=f"F is {values[bad[0]]} at the size {grid[bad[0]]:g} ({bad.size} of "
            f"{values.size}).",
            possible="An area needs a number at every size; F is undefined where the intact model "
            "does no better than the ablated one.",
            write="Choose data and an ablation for which the behaviour is there.",
        )
    return values


def _band(band: tuple[float, float]) -> tuple[float, float]:
    low, high = float(band[0]), float(band[1])
    if not low <= 1 <= high:
        raise ParameterError(
            came=f"The band is [{low:g}, {high:g}].",
            possible="It holds 1, the faithfulness of the intact model.",
            write="Write band=(0.9, 1.1).",
        )
    return low, high
