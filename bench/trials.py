"""Every estimator on trial: bias, coverage and power where the effect of each head is known.

    python bench/trials.py [--sets 200] [--only eap,acdc] > bench/figures/trials.txt

One network with a mechanism of each kind; 32 prompts a set; counterfactual ablation, the logit
difference.  Searches that take long get fewer sets, which their lines say.  The line `in short` is
what docstrings and error statements quote.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np
import torch

from causalnet.discovery.methods import METHODS
from causalnet.discovery.trial import LEVEL, ZERO, Trial, TrialRow, put_on_trial
from causalnet.known_circuits.planted import Mechanism, MechanismKind, Planted, plant
from causalnet.lift import LiftedNetwork
from causalnet.lift.architectures import SMALL
from causalnet.lift.check import check_parts
from causalnet.lift.parts import take_apart
from causalnet.lift.unchanged import state_of
from causalnet.models import load

PROMPTS = 32
TAUS = tuple(np.geomspace(0.02, 2.0, 8).tolist())
BIASED = 0.02  # logits; and four standard errors of the mean over sets


@dataclass(frozen=True)
class Entry:
    """A method on trial: what it is run with, and on which share of the sets."""

    method: str
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    share: float = 1.0
    regular: bool = False


ENTRIES = (
    Entry("exact_patching"),
    Entry("eap"),
    Entry("clean_corrupted"),
    Entry("eap_ig_inputs"),
    Entry("eap_ig_activations"),
    Entry("mask_ig"),
    Entry("atp"),
    # A network of one layer has no other layer whose gradient could be dropped.
    Entry("atp_star", {"grad_drop": False}, regular=True),
    Entry("hisp", share=0.5),
    Entry("acdc", {"tau": TAUS}, share=0.2),
    Entry("subnetwork_probing", {"steps": 150}, share=0.1),
    Entry("edge_pruning", {"size": 7, "steps": 150}, share=0.1),
    Entry("information_flow", share=0.1),
)


def planted() -> Planted:
    """One mechanism of every kind, and a small effect beside a large one."""
    kinds = [kind for kind in MechanismKind if kind is not MechanismKind.ADDITIVE]
    large, small = (Mechanism(MechanismKind.ADDITIVE, size) for size in (2.0, 0.25))
    return plant([large, small, *map(Mechanism, kinds)])


def regular(network: Planted) -> LiftedNetwork:
    """The same network with positions in the embedding, as passes for regular decoders take it."""
    circuit = network.circuit
    model = load(circuit.module(), tokenizer=circuit.tokenizer())
    adapter = replace(SMALL, positions_apart=False, embedding="stream")
    parts = take_apart(model.module, adapter, model.declared)
    return LiftedNetwork(model, parts, check_parts(model.module, parts), state_of(model.module))


def trial_of(entry: Entry, sets: int) -> Trial:
    network = planted()
    net = regular(network) if entry.regular else None
    estimator = partial(METHODS[entry.method].run, **dict(entry.options))
    count = max(2, round(entry.share * sets))
    return put_on_trial(estimator, network, prompts=PROMPTS, sets=count, net=net)


def in_short(trial: Trial) -> str:
    """Return what is quoted: coverage, power, false finds, and where they come from."""
    begin = f"{trial.sets} sets of {trial.prompts} prompts"
    finds = f"power {trial.power:.0%}, false finds {trial.false_finds:.0%}"
    if trial.coverage is None:
        missed = [row for row in trial.rows if abs(row.effect) > ZERO and row.power < 0.5]
        wrong = [row for row in trial.rows if abs(row.effect) <= ZERO and row.power > 0.5]
        lines = [f"{begin}, best ranked: {finds}"]
        if missed:
            named = dict.fromkeys(f"{row.kind.value} of {row.effect:+.2f}" for row in missed)
            lines.append("misses " + ", ".join(named))
        if wrong:
            lines.append("takes " + ", ".join(dict.fromkeys(row.kind.value for row in wrong)))
        return "; ".join(lines)
    biased = [
        f"{row.kind.value} {row.bias:+.2f} of {row.effect:+.2f}"
        for row in _worst(trial.rows)
        if row.bias is not None
        and abs(row.bias) > max(BIASED, 4 * row.spread / np.sqrt(trial.sets))
    ]
    line = f"{begin}: coverage {trial.coverage:.0%} of {LEVEL:.0%}, {finds}"
    return f"{line}; bias {', '.join(biased)}" if biased else line


def _worst(rows: tuple[TrialRow, ...]) -> list[TrialRow]:
    """The row of each kind whose bias is largest."""
    kinds = dict.fromkeys(row.kind for row in rows)
    return [
        max((row for row in rows if row.kind == kind), key=lambda row: abs(row.bias or 0.0))
        for kind in kinds
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--only", default="")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    wanted = asked.only.split(",") if asked.only else [entry.method for entry in ENTRIES]
    print(f"planted: {', '.join(str(each.kind) for each in planted().mechanisms)}")
    for entry in ENTRIES:
        if entry.method not in wanted:
            continue
        started = time.process_time()
        trial = trial_of(entry, asked.sets)
        print(f"\n## {entry.method}, {time.process_time() - started:.0f} CPU s\n{trial}")
        print(f"  in short: {in_short(trial)}", flush=True)


if __name__ == "__main__":
    main()
