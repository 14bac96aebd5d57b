"""Networks whose circuit is known by training: strict interchange, induction, modular addition.

Trains each of them afresh, on one thread, and prints what it is measured to be.  The weights are
kept nowhere.

    python bench/known_circuits.py --seeds 3 > bench/figures/known_circuits.txt
    python bench/known_circuits.py [--only interchange,induction,addition] [--seeds 1] [--loud]
"""

import argparse
import time
from collections.abc import Callable

import torch

from causalnet.examples.strict_interchange import lifted, measured_by_terms
from causalnet.known_circuits.interchange import modular_sum
from causalnet.known_circuits.interchange_training import train_strict
from causalnet.known_circuits.modular_addition import AdditionSetting, train_addition
from causalnet.known_circuits.module import SmallShape
from causalnet.known_circuits.trained_induction import InductionSetting, train_induction
from causalnet.known_circuits.training import Course, Look

Progress = Callable[[Look], None] | None

SIZES = SmallShape(8, 4, width=48, layers=2, heads=4, head_width=12, mlp_width=192)
FORMS = {
    "strict": {"strict": 1.0, "detached": False},
    "plain": {"strict": 0.0, "detached": False},
    "strict, source detached": {"strict": 1.0, "detached": True},
}


def interchange(seed: int, progress: Progress) -> None:
    high = modular_sum(7)
    for name, form in FORMS.items():
        if form["detached"] and seed:
            continue  # once is enough to see it diverge
        started = time.process_time()
        course = Course(steps=1000, every=25, seed=seed)
        trained = train_strict(
            SIZES,
            high,
            course=course,
            progress=progress,
            strict=float(form["strict"]),
            detached=bool(form["detached"]),
        )
        print(f"\n{name}: {trained.looks[-1].step} steps, {_spent(started)}\n{trained.report}")
        shares = measured_by_terms(lifted(trained.module), high, pairs=200)
        said = ", ".join(f"{label} {share:.3f}" for label, share in shares.items())
        print(f"  by terms on the lifted network, 200 pairs: {said}", flush=True)


def induction(seed: int, progress: Progress) -> None:
    started = time.process_time()
    course = Course(steps=1500, every=50, seed=seed)
    trained = train_induction(InductionSetting(course=course), progress=progress)
    print(f"\n{trained.looks[-1].step} steps, {_spent(started)}\n{trained.report}")


def addition(seed: int, progress: Progress) -> None:
    started = time.process_time()
    base = AdditionSetting().course
    course = Course(base.steps, base.rate, weight_decay=base.weight_decay, every=50, seed=seed)
    trained = train_addition(AdditionSetting(course=course), progress=progress)
    print(f"\n{trained.looks[-1].step} steps, {_spent(started)}\n{trained.report}")


def _spent(started: float) -> str:
    return f"{time.process_time() - started:.0f} CPU s, evaluation included"


PARTS = {"interchange": interchange, "induction": induction, "addition": addition}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--loud", action="store_true", help="print every look")
    asked = parser.parse_args()
    print(f"torch {torch.__version__}, one thread")
    for name in asked.only.split(","):
        for seed in range(asked.seeds):
            print(f"\n## {name}, seed {seed}", flush=True)
            PARTS[name](seed, (lambda look: print(look, flush=True)) if asked.loud else None)


if __name__ == "__main__":
    main()
