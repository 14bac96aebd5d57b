"""How often a sweep over 270 mediators errs, looked at after every batch and sampled adaptively.

Every replication has 270 mediators, of which 27 have an effect: its size is drawn between 0.3 and
1.2 standard deviations.  The others' mean effect is 0, the threshold itself.  The effects are
unbounded, like differences of logit differences: a third are Gaussian, a third have the tails of
a t distribution with 4 degrees, a third are skewed (exponential, either way), and all share a
factor of the prompt, so that the mediators are dependent.  A mediator that is discovered or set
aside gets no further prompts, and all are looked at after every batch of 16 prompts up to 400.

Run: python bench/multiplicity.py [--replications 500]
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from causalnet.statistics import IntersectionJudge, SweepJudge
from causalnet.statistics.samples import Array
from causalnet.statistics.sweep_judge import Control

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
# What was discovered at every look, which mediators have an effect, and their prompts.
Outcome = tuple[list[Flags], Flags, int]

MEDIATORS, EFFECTS, BATCH, BUDGET, ALPHA = 270, 27, 16, 400, 0.05
NAMES = tuple(f"L{index // 9}.H{index % 9}" for index in range(MEDIATORS))
SHARED = 0.4  # the share of the variance that all mediators have in common


def noise(rng: np.random.Generator, prompts: int, places: Places) -> Array:
    """Numbers of mean 0 and variance 1, shape (prompts, places), dependent within a prompt."""
    gaussian = rng.normal(size=(prompts, len(places)))
    tails = rng.standard_t(4, size=(prompts, len(places))) / np.sqrt(2)
    sign = np.where(places % 2 == 0, 1.0, -1.0)
    skewed = sign * (rng.exponential(size=(prompts, len(places))) - 1)
    own = np.choose(places % 3, [gaussian, tails, skewed])
    common = rng.standard_t(4, size=(prompts, 1)) / np.sqrt(2)
    return np.asarray(np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * common)


def true_effects(rng: np.random.Generator) -> Array:
    effects = np.zeros(MEDIATORS)
    effects[rng.permutation(MEDIATORS)[:EFFECTS]] = rng.uniform(0.3, 1.2, size=EFFECTS)
    return effects


class Tally:
    """False and true discoveries of every replication, at every look and at its end."""

    def __init__(self) -> None:
        self.ever: list[bool] = []
        self.share_at_end: list[float] = []
        self.share_at_first: list[float] = []
        self.share_at_most: list[float] = []
        self.found: list[float] = []
        self.prompts: list[float] = []

    def add(self, looks: Sequence[Flags], is_effect: Flags, prompts: float) -> None:
        false = np.array([(found & ~is_effect).sum() for found in looks])
        total = np.array([found.sum() for found in looks])
        share = false / np.maximum(total, 1)
        self.ever.append(bool(false.any()))
        self.share_at_end.append(share[-1])
        self.share_at_first.append(share[int((total > 0).argmax())])
        self.share_at_most.append(share[int(total.argmax())])
        self.found.append((looks[-1] & is_effect).sum() / EFFECTS)
        self.prompts.append(prompts)

    def row(self, name: str) -> str:
        shares = (self.share_at_end, self.share_at_first, self.share_at_most)
        columns = "  ".join(f"{np.mean(one):7.4f}" for one in shares)
        return (
            f"{name:34s} {np.mean(self.ever):7.3f}   {columns}   {np.mean(self.found):6.3f}"
            f" {np.mean(self.prompts):9.0f}"
        )


def sweep(control: Control, adaptive: bool, bounded: bool, seed: int) -> Outcome:
    rng = np.random.default_rng(seed)
    effects = true_effects(rng)
    judge = SweepJudge(
        NAMES,
        control=control,
        alpha=ALPHA,
        budget=BUDGET if adaptive else None,
        bounds=(-1.0, 1.0) if bounded else None,
    )
    looks: list[Flags] = []
    place_of = {name: place for place, name in enumerate(NAMES)}
    for _ in range(BUDGET // BATCH):
        going = judge.active if adaptive else NAMES
        if not going:
            break
        places = np.sort([place_of[name] for name in going])
        values = effects[places] + noise(rng, BATCH, places)
        if bounded:  # differences of two probabilities, whose mean is 0 without an effect
            values = np.where(rng.random(values.shape) < 0.5 + np.tanh(effects[places]) / 4, 1, -1)
            values = values * rng.beta(1.0, 3.0, size=values.shape)
        judge.add({NAMES[place]: values[:, at] for at, place in enumerate(places)})
        found = set(judge.discoveries())
        looks.append(np.array([name in found for name in NAMES]))
    return looks, effects != 0, sum(judge.n)


def uncorrected(seed: int) -> Outcome:
    """A one-sided t test of every mediator at every look, as if each were the only one."""
    from scipy.special import stdtrit

    rng = np.random.default_rng(seed)
    effects, places = true_effects(rng), np.arange(MEDIATORS)
    values = effects + noise(rng, BUDGET, places)
    looks, found = [], np.zeros(MEDIATORS, dtype=bool)
    for n in range(BATCH, BUDGET + 1, BATCH):
        seen = values[:n]
        t = seen.mean(axis=0) / (seen.std(axis=0, ddof=1) / np.sqrt(n))
        found = found | (t > stdtrit(n - 1, 1 - ALPHA))
        looks.append(found)
    return looks, effects != 0, MEDIATORS * BUDGET


def tally(run: Callable[[int], Outcome], replications: int) -> Tally:
    result = Tally()
    for seed in range(replications):
        result.add(*run(seed))
    return result


def intersections(replications: int) -> Mapping[str, float]:
    """Claims on 9 members: one at the threshold and 8 above it; and all 9 at the threshold."""
    names, rates = NAMES[:9], {}
    for title, above in (("one member at the threshold", 0.8), ("all at the threshold", 0.0)):
        verdicts = []
        for seed in range(replications):
            rng = np.random.default_rng(seed)
            places = np.arange(9)
            effects = np.where(places == 4, 0.0, above)
            judge = IntersectionJudge(names, 0.0)
            for _ in range(BUDGET // BATCH):
                judge.add(effects + noise(rng, BATCH, places))
                if judge.is_settled:
                    break
            verdicts.append(judge.decision().verdict.value)
        for verdict in ("SUPPORTED", "REFUTED"):
            rates[f"{title}: {verdict}"] = float(np.mean([one == verdict for one in verdicts]))
    return rates


def print_sweeps(replications: int) -> None:
    error = np.sqrt(ALPHA * (1 - ALPHA) / replications)
    print(
        f"{replications} replications of {MEDIATORS} mediators, {EFFECTS} with an effect, "
        f"alpha {ALPHA};\nat most alpha + 2 Monte Carlo errors = {ALPHA + 2 * error:.4f} is wanted."
    )
    print(
        f"\n{'':34s} any false   false share of the discoveries    found  prompts x\n"
        f"{'':34s}    ever     at end    first     most      of 27  mediators"
    )
    rows: Mapping[str, Callable[[int], Outcome]] = {
        "FWER (Holm), adaptive": lambda seed: sweep("fwer", True, False, seed),
        "FWER (Holm), all prompts": lambda seed: sweep("fwer", False, False, seed),
        "FDR (e-BH), adaptive": lambda seed: sweep("fdr", True, False, seed),
        "FDR (e-BH), all prompts": lambda seed: sweep("fdr", False, False, seed),
        "FWER (Holm), bounded, adaptive": lambda seed: sweep("fwer", True, True, seed),
        "FDR (e-BH), bounded, adaptive": lambda seed: sweep("fdr", True, True, seed),
        "no correction, t test at each look": uncorrected,
    }
    for name, run in rows.items():
        print(tally(run, replications).row(name), flush=True)
    print(
        "\n'first' stops at the first look with a discovery, 'most' at the look with most of them;"
        "\nthe rate 'any false ever' is bounded by alpha for Holm alone."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=500)
    parser.add_argument("--intersections", type=int, default=2000)
    parser.add_argument("--parts", default="sweeps,claims", help="sweeps, claims or both")
    options = parser.parse_args()
    started = time.process_time()
    if "sweeps" in options.parts:
        print_sweeps(options.replications)
    if "claims" in options.parts:
        print(f"\nClaims on every one of 9 members, {options.intersections} replications:")
        for title, rate in intersections(options.intersections).items():
            print(f"  {title:42s} {rate:.4f}")
    print(f"\n{time.process_time() - started:.0f} s of CPU time")


if __name__ == "__main__":
    main()
