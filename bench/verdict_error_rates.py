"""How often verdicts err, and how many prompts they take, for every judge.

Simulated sweeps with the moments of SmolLM2's indirect-object behaviour: the intact model's logit
difference over the ablated one's is N(4.2, 2.7), the circuit's is F times that plus noise of
standard deviation 1.3.  Every sweep is looked at after every batch of 8 prompts.  Judged are ratios
of means, bands of them (two one-sided tests), numbers in a declared range (exact bets), ratios of
such numbers, and correlations.

Run: python bench/verdict_error_rates.py [--sweeps 2000] [--budget 1000]
"""

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np

from causalnet.statistics.correlation import Correlation, correlation_bounds
from causalnet.statistics.samples import Array
from causalnet.statistics.sweeps import Draw, Sweeps, sweep_bounded, sweep_ratios

THRESHOLD, ALPHA, BATCH = 0.9, 0.05, 8

Noise = Callable[[np.random.Generator, tuple[int, int]], Array]

# Each has mean 0 and variance 1.
NOISES: Mapping[str, Noise] = {
    "Gaussian": lambda rng, shape: rng.normal(size=shape),
    "t with 4 degrees": lambda rng, shape: rng.standard_t(4, size=shape) / np.sqrt(2),
    "t with 3 degrees": lambda rng, shape: rng.standard_t(3, size=shape) / np.sqrt(3),
    "exponential (skewness 2)": lambda rng, shape: rng.exponential(size=shape) - 1,
    "minus exponential": lambda rng, shape: 1 - rng.exponential(size=shape),
    "log-normal (skewness 6.2)": lambda rng, shape: lognormal(rng, shape),
    "minus log-normal": lambda rng, shape: -lognormal(rng, shape),
    "1 in 20 prompts fails": lambda rng, shape: (
        (0.05 - (rng.random(shape) < 0.05)) / np.sqrt(0.05 * 0.95)
    ),
}


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    spread = np.sqrt((np.e - 1) * np.e)
    return np.asarray((rng.lognormal(size=shape) - np.exp(0.5)) / spread)


def indirect_object(faithfulness: float, noise: Noise) -> Draw:
    def draw(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        denominators = rng.normal(4.2, 2.7, size=(sweeps, batch))
        numerators = faithfulness * denominators + 1.3 * noise(rng, (sweeps, batch))
        return np.stack([numerators, denominators], axis=-1)

    return draw


def naive_false_support(draw: Draw, rng: np.random.Generator, sweeps: int, budget: int) -> float:
    """A one-sided t test after every batch, as if each were the only one."""
    from scipy.special import stdtrit

    pairs = draw(rng, sweeps, budget)
    d = pairs[..., 0] - THRESHOLD * pairs[..., 1]
    ever = np.zeros(sweeps, dtype=bool)
    for n in range(BATCH, budget + 1, BATCH):
        seen = d[:, :n]
        t = seen.mean(axis=1) / (seen.std(axis=1, ddof=1) / np.sqrt(n))
        ever |= t > stdtrit(n - 1, 1 - ALPHA)
    return float(ever.mean())


def run(faithfulness: float, noise: Noise, sweeps: int, budget: int, seed: int) -> Sweeps:
    return sweep_ratios(
        indirect_object(faithfulness, noise),
        np.random.default_rng(seed),
        sweeps=sweeps,
        budget=budget,
        batch=BATCH,
        alpha=ALPHA,
    )


def print_errors(sweeps: int, budget: int, seed: int) -> None:
    print(f"\nTrue faithfulness = threshold = {THRESHOLD}, {budget} prompts at most:")
    print(f"{'noise':28s} false SUPPORTED  false REFUTED  coverage, always  when stopped")
    for name, noise in NOISES.items():
        looked = run(THRESHOLD, noise, sweeps, budget, seed)
        print(
            f"{name:28s} {looked.rate_above(THRESHOLD):15.3f} {looked.rate_below(THRESHOLD):14.3f}"
            f" {looked.coverage(THRESHOLD):17.3f}"
            f" {looked.coverage_when_stopped(THRESHOLD, THRESHOLD):13.3f}"
        )


def print_stopping(sweeps: int, budget: int, seed: int) -> None:
    print(f"\nPrompts until the verdict on 'at least {THRESHOLD}', {budget} at most:")
    print("faithfulness   SUPPORTED   REFUTED   median   90th percentile")
    for faithfulness in (1.1, 1.0, 0.95, 0.8, 0.6):
        looked = run(faithfulness, NOISES["Gaussian"], sweeps, budget, seed)
        stops = looked.stopping_n(THRESHOLD)
        print(
            f"{faithfulness:12.2f} {looked.rate_above(THRESHOLD):11.3f}"
            f" {looked.rate_below(THRESHOLD):9.3f} {np.median(stops):8.0f}"
            f" {np.quantile(stops, 0.9, method='lower'):17.0f}"
        )


def print_bands(sweeps: int, budget: int, seed: int) -> None:
    low, high = 0.9, 1.1
    print(f"\nThe claim 'within [{low}, {high}]', {budget} prompts at most:")
    print("true faithfulness   SUPPORTED   REFUTED   median prompts   coverage")
    for faithfulness in (0.8, 0.9, 1.0, 1.1, 1.2):
        looked = run(faithfulness, NOISES["Gaussian"], sweeps, budget, seed)
        inside = (looked.low > low) & (looked.high < high)
        outside = (looked.low > high) | (looked.high < low)
        decided = inside | outside
        stops = np.where(decided.any(axis=0), looked.n[decided.argmax(axis=0)], np.inf)
        print(
            f"{faithfulness:17.2f} {looked.rate_inside(low, high):11.3f}"
            f" {looked.rate_outside(low, high):9.3f} {np.median(stops):16.0f}"
            f" {looked.coverage(faithfulness):10.3f}"
        )


# Numbers in [0, 1] with the mean 0.9.
BOUNDED: Mapping[str, Draw] = {
    "right or wrong": lambda rng, sweeps, n: (rng.random((sweeps, n)) < 0.9).astype(np.float64),
    "beta, sd 0.09": lambda rng, sweeps, n: rng.beta(9.1, 9.1 / 9, size=(sweeps, n)),
    "beta, sd 0.25": lambda rng, sweeps, n: rng.beta(0.396, 0.044, size=(sweeps, n)),
    "1 in 20 fails, else 0.947": lambda rng, sweeps, n: np.where(
        rng.random((sweeps, n)) < 0.05, 0.0, 0.9 / 0.95
    ),
    "equal numbers": lambda rng, sweeps, n: np.full((sweeps, n), 0.9),
}


def faithful_probabilities(noise: float, fails: float) -> Draw:
    """D(0.9) where the circuit keeps 0.9 of the model's probability, scaled to [0, 1]."""

    def draw(rng: np.random.Generator, sweeps: int, n: int) -> Array:
        denominators = rng.uniform(0.3, 1.0, size=(sweeps, n))
        failed = rng.random((sweeps, n)) < fails
        kept = np.where(failed, 0.0, 0.9 / (1 - fails) + noise * rng.uniform(-1, 1, (sweeps, n)))
        d = kept * denominators - 0.9 * denominators
        return (d + 0.9) / 1.9  # from 0 - 0.9 x 1 to 1 - 0.9 x 0

    return draw


def print_bounded(sweeps: int, budget: int, seed: int) -> None:
    print(f"\nExact bets, true mean = threshold = 0.9 of [0, 1], {budget} prompts at most:")
    print(f"{'numbers':36s} false SUPPORTED  false REFUTED  coverage, always")
    ratios = {
        "ratio, circuit's share 0.9 +- 0.05": faithful_probabilities(0.05, 0.0),
        "ratio, 1 in 20 prompts fails": faithful_probabilities(0.05, 0.05),
    }
    rows = [(name, draw, 0.9) for name, draw in BOUNDED.items()]
    rows += [(name, draw, 0.9 / 1.9) for name, draw in ratios.items()]
    for name, draw, null in rows:
        rng = np.random.default_rng(seed)
        above, below = sweep_bounded(
            draw, rng, null=null, sweeps=sweeps, budget=budget, batch=BATCH, alpha=ALPHA
        )
        missed = np.isfinite(above) | np.isfinite(below)
        print(
            f"{name:36s} {np.isfinite(above).mean():15.3f} {np.isfinite(below).mean():14.3f}"
            f" {1 - missed.mean():17.3f}"
        )


def print_correlations(sweeps: int, budget: int, seed: int) -> None:
    print(f"\nCorrelations, truth = threshold, a look after every 16 of {budget} prompts:")
    print(f"{'scores':36s} false SUPPORTED  false REFUTED  coverage, always")
    cases: list[tuple[str, Correlation, float, Noise]] = [
        ("Spearman 0, Gaussian", "spearman", 0.0, NOISES["Gaussian"]),
        ("Spearman, Gaussian, r 0.9", "spearman", 0.9, NOISES["Gaussian"]),
        ("Spearman, Gaussian, r 0.97", "spearman", 0.97, NOISES["Gaussian"]),
        ("Spearman, t with 4 degrees, r 0.9", "spearman", 0.9, NOISES["t with 4 degrees"]),
        (
            "Spearman, exponential, r 0.9",
            "spearman",
            0.9,
            NOISES["exponential (skewness 2)"],
        ),
        ("Pearson, Gaussian, r 0.9", "pearson", 0.9, NOISES["Gaussian"]),
        ("Pearson, exponential, r 0.9", "pearson", 0.9, NOISES["exponential (skewness 2)"]),
    ]
    for name, kind, r, noise in cases:
        rng = np.random.default_rng(seed)
        truth = true_correlation(kind, r, noise)
        errors = np.zeros((sweeps, 2), dtype=bool)
        for sweep in range(sweeps):
            pairs = correlated(rng, budget, r, noise)
            for n in range(32, budget + 1, 16):
                _, low, high = correlation_bounds(pairs[:n], kind, ALPHA, 200)
                errors[sweep] |= (low > truth, high < truth)
        rates = errors.mean(axis=0)
        print(
            f"{name:36s} {rates[0]:15.3f} {rates[1]:14.3f} {1 - errors.any(axis=1).mean():17.3f}",
            flush=True,
        )


def correlated(rng: np.random.Generator, n: int, r: float, noise: Noise) -> Array:
    """The model's scores and a circuit's that follow them, shape (n, 2)."""
    model, own = noise(rng, (2, n))
    return np.stack([model, r * model + np.sqrt(1 - r**2) * own], axis=-1)


def true_correlation(kind: Correlation, r: float, noise: Noise) -> float:
    if kind == "pearson":
        return r
    many = correlated(np.random.default_rng(99), 2_000_000, r, noise)
    ranks = many.argsort(axis=0).argsort(axis=0)
    return float(np.asarray(np.corrcoef(ranks.T))[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.process_time()
    error = np.sqrt(ALPHA * (1 - ALPHA) / options.sweeps)
    print(
        f"{options.sweeps} sweeps, alpha {ALPHA} (Monte Carlo error {error:.4f}), level "
        f"{1 - 2 * ALPHA:.2f}, a look after every {BATCH} prompts, seed {options.seed}"
    )
    for budget in sorted({200, options.budget}):
        print_errors(options.sweeps, budget, options.seed)
        naive = naive_false_support(
            indirect_object(THRESHOLD, NOISES["Gaussian"]),
            np.random.default_rng(options.seed),
            options.sweeps,
            budget,
        )
        print(f"{'naive t test at every look':28s} {naive:15.3f}")
    print_stopping(options.sweeps, options.budget, options.seed)
    print_bands(options.sweeps, options.budget, options.seed)
    print_bounded(options.sweeps, options.budget, options.seed)
    print_correlations(options.sweeps, 200, options.seed)
    print(f"\n{time.process_time() - started:.1f} s of CPU time")


if __name__ == "__main__":
    main()
