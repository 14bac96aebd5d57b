"""How often the grid's verdicts are wrong at the small n that they have by default.

Prompts are drawn with the moments of SmolLM2's indirect objects (mean 4.2 and deviation 2.7 of the
whole behaviour, deviation 1.0 of what a circuit keeps beside its share), also with heavy tails.

Run:

    python bench/robustness.py > bench/figures/robustness.txt
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.robustness_grid import Bounds, Grid, GridConvention, GridNumber
from causalnet.claims.robustness_spec import RobustnessSpec
from causalnet.claims.robustness_verdict import robust_decision
from causalnet.statistics import Verdict, ratio_interval

REPETITIONS, ALPHA, CLAIMED = 4000, 0.05, 0.8
Noise = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]
NOISES: dict[str, Noise] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "t with 4 degrees": lambda rng, shape: rng.standard_t(4, size=shape) / np.sqrt(2),
    "skewed (exponential)": lambda rng, shape: rng.exponential(size=shape) - 1,
}


def one_cell(noise: Noise, n: int, share: float, rng: np.random.Generator) -> dict[str, float]:
    """Return how often one cell comes out how, the true share being given."""
    counts: dict[str, int] = {}
    for _ in range(REPETITIONS):
        whole = 4.2 + 2.7 * noise(rng, (n,))
        kept = share * whole + noise(rng, (n,))
        interval = ratio_interval(kept, whole, 1 - 2 * ALPHA)
        said = "UNDEFINED" if interval is None else Bounds(low=CLAIMED).verdict(interval).value
        counts[said] = counts.get(said, 0) + 1
    return {name: count / REPETITIONS for name, count in counts.items()}


def robust(shares: list[float], n: int, rng: np.random.Generator) -> dict[str, float]:
    """Return how often the verdict over all conventions comes out how."""
    plans = RobustnessSpec().planned()
    counts: dict[str, int] = {}
    for _ in range(REPETITIONS // 8):
        whole = 4.2 + 2.7 * rng.normal(size=n)
        model, nothing = tuple(whole), (0.0,) * n
        conventions = tuple(
            GridConvention(str(p), p.ablation, p.direction, p.reference, model=model,
                           ablated=nothing)
            for p in plans
        )  # fmt: skip
        parts = tuple(tuple(share * whole + rng.normal(size=n)) for share in shares)
        grid = Grid(n, 1.0, conventions, (GridNumber("faithfulness", ("c",), "", parts),))
        verdict = robust_decision(grid, grid.numbers[0], Bounds(low=CLAIMED), ALPHA).verdict.value
        counts[verdict] = counts.get(verdict, 0) + 1
    return {name: 8 * count / REPETITIONS for name, count in counts.items()}


def table(counts: dict[str, float]) -> str:
    return "  ".join(f"{100 * counts.get(one.value, 0.0):5.1f}" for one in Verdict)


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    verdicts = "  ".join(one.value[:5].rjust(5) for one in Verdict)
    print(
        f"One cell, claimed at least {CLAIMED}, alpha {ALPHA}, {REPETITIONS} repetitions: per cent"
    )
    print(f"{'noise':<22} {'n':>4} {'true':>5}   {verdicts}")
    for name, noise in NOISES.items():
        for n in (16, 64):
            for share in (0.8, 0.7, 0.9, 1.0):
                print(f"{name:<22} {n:>4} {share:>5}   {table(one_cell(noise, n, share, rng))}")
    print(f"\nRobust over 11 conventions, n = 16, {REPETITIONS // 8} repetitions: per cent")
    print(f"{'true shares':<34} {verdicts}")
    cases = {
        "all at the bound": [0.8] * 11,
        "one at the bound, the rest 1.0": [0.8] + [1.0] * 10,
        "all 1.0": [1.0] * 11,
        "one 0.5, the rest 1.0": [0.5] + [1.0] * 10,
    }
    for name, shares in cases.items():
        print(f"{name:<34} {table(robust(shares, 16, rng))}")


if __name__ == "__main__":
    main()
