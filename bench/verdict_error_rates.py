"""How often the verdict "faithful" errs, and how many prompts it takes.

Simulated sweeps with the moments of SmolLM2's indirect-object behaviour: the intact model's logit
difference over the ablated one's is N(4.2, 2.7), the circuit's is F times that plus noise of
standard deviation 1.3.  Every sweep is looked at after every batch of 8 prompts.

Run: python bench/verdict_error_rates.py [--sweeps 2000] [--budget 1000]
"""

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np

from causalnet.statistics.samples import Array
from causalnet.statistics.sweeps import Draw, Sweeps, sweep_ratios

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
    print(f"\n{time.process_time() - started:.1f} s of CPU time")


if __name__ == "__main__":
    main()
