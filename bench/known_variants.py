"""Verdicts on 200 claims about networks whose circuits are known: how many are right.

Every claim is a variant of what is true of a network that was written by hand, under an ablation
that is drawn with it: the circuit as it is, without one of its edges, or with an edge that is none
of it.  What is true is computed apart from the verifier, by a plain pass through the weights on
256 other prompts; claims whose number is nearer to the threshold than the zone below are not
drawn.  Each claim goes as a claim file through `verify`.

    python bench/known_variants.py > bench/figures/known_variants.txt
    python bench/known_variants.py --count 20 --seed 3 --loud
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from plain_pass import PlainPass

from causalnet.claims import ClaimFile, ClaimResult, verify
from causalnet.known_circuits import KNOWN, known_circuit
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load

Numbers = NDArray[np.float64]
Names = frozenset[str]

ABLATIONS = ("counterfactual", "zero", "mean", "resample")
KEPT, LOST, LEAST = 0.75, 0.25, 0.2  # thresholds of faithful, necessary and minimal
ZONE = 0.1  # how far from its threshold a true number is at least
PROMPTS, BATCH, REFERENCE = 1024, 64, 64
FINDING_SEED, REFERENCE_SEED, TEST_SEED = 900_000, 800_000, 1000


@dataclass(frozen=True, slots=True)
class Variant:
    """A claim about a known network, and what is true.

    Attributes:
        network: Its name.
        ablation: What edges carry that are not kept.
        kind: `faithful`, `necessary` or `minimal`.
        change: What the claim does to the truth.
        circuit: The claimed circuit.
        edge: The edge that the change is about; empty for none.
        number: The true number: F, G, or the least effect of a member.
        expected: The verdict that is right.
        idle: For `minimal`, the members whose effect is below the threshold.
        reach: The largest logit difference that the plain passes met, either side.
        seed: Of the test prompts.
    """

    network: str
    ablation: str
    kind: str
    change: str
    circuit: tuple[str, ...]
    edge: str
    number: float
    expected: str
    idle: Names
    reach: float
    seed: int

    def __str__(self) -> str:
        """Return it in a line."""
        about = f" ({self.edge})" if self.edge else ""
        return (
            f"{self.kind}, {self.change}{about}: {self.network} under {self.ablation}, "
            f"number {self.number:.3g}, expected {self.expected}"
        )

    def file(self) -> ClaimFile:
        """Return the claim as a claim file."""
        threshold = {"minimal": {"effect": LEAST}, "faithful": {"at_least": KEPT}}
        task = {"name": f"known:{self.network}"}
        ablation: dict[str, Any] = {"kind": self.ablation, "ablate": "edges"}
        if self.ablation in ("mean", "resample"):
            ablation["reference"] = {
                **task, "n": REFERENCE, "seed": REFERENCE_SEED, "side": "source"
            }  # fmt: skip
        whole = float(np.ceil(1.25 * self.reach))
        return ClaimFile.model_validate(
            {
                "schema": 1,
                "model": {"source": f"known:{self.network}", "dtype": "float64"},
                "task": {**task, "n": PROMPTS, "seed": self.seed},
                "circuit": list(self.circuit),
                "found": {"method": "given", "note": "a variant of what was written by hand"},
                "ablation": ablation,
                "range": [-whole, whole],
                "batch": BATCH,
                "claims": [
                    {
                        "id": "variant",
                        "kind": self.kind,
                        "statement": str(self),
                        **threshold.get(self.kind, {"at_least": LOST}),
                    }
                ],
            }
        )


class Truth:
    """The true numbers of a network under an ablation, by plain passes."""

    def __init__(self, network: str, ablation: str) -> None:
        """Draw the prompts and the references."""
        self.known = known_circuit(network)
        self.network, self.ablation = network, ablation
        self.plain = PlainPass.of(self.known, ablation, n=256, seed=FINDING_SEED)
        self.edges = self.plain.edges
        self.true = frozenset(f"{sender} -> {receiver}" for sender, receiver in self.known.truth)
        self.reach = 0.0
        self._means: dict[Names, float] = {}
        self.model, self.empty = self.read(self.edges), self.read(frozenset())

    def read(self, kept: Names) -> float:
        """Return the mean logit difference with some edges kept."""
        if kept not in self._means:
            found = self.plain.differences(kept)
            self.reach = max(self.reach, float(np.abs(found).max()))
            self._means[kept] = float(found.mean())
        return self._means[kept]

    def faithful(self, circuit: Names) -> float:
        """Return (circuit - empty) / (model - empty)."""
        return (self.read(circuit) - self.empty) / (self.model - self.empty)

    def necessary(self, circuit: Names) -> float:
        """Return (model - without the circuit) / (model - empty)."""
        return (self.model - self.read(self.edges - circuit)) / (self.model - self.empty)

    def effects(self, circuit: Names) -> dict[str, float]:
        """Return what each member does inside the circuit, as a share of the behaviour."""
        whole, behaviour = self.read(circuit), self.model - self.empty
        return {
            one: abs(whole - self.read(circuit - {one})) / abs(behaviour) for one in sorted(circuit)
        }

    @property
    def has_behaviour(self) -> bool:
        """Whether there is anything to explain: some networks do nothing in the mean."""
        return self.model - self.empty > 0.1 * self.reach


@cache
def truth_of(network: str, ablation: str) -> Truth:
    return Truth(network, ablation)


@cache
def live_of(network: str, ablation: str) -> tuple[str, ...]:
    """Return the true edges that do something: each is taken out that does not."""
    truth, circuit = truth_of(network, ablation), truth_of(network, ablation).true
    while idle := [one for one, size in truth.effects(circuit).items() if size < LEAST - ZONE]:
        circuit -= {idle[0]}  # one at a time: backups stand in for each other
    return tuple(sorted(circuit))


def variants(
    count: int, seed: int = 0, networks: Sequence[str] = tuple(KNOWN)
) -> Iterator[Variant]:
    """Yield random variants of some networks, the changes in turn."""
    rng = np.random.default_rng(seed)
    made, tries = 0, 0
    while made < count:
        change = CHANGES[made % len(CHANGES)]
        network, ablation = str(rng.choice(list(networks))), str(rng.choice(ABLATIONS))
        found = drawn(network, ablation, change, TEST_SEED + tries, rng)
        tries += 1
        if found is not None:
            made += 1
            yield found


CHANGES = (
    ("faithful", "the circuit"),
    ("faithful", "a live edge missing"),
    ("faithful", "a false edge added"),
    ("necessary", "a live edge"),
    ("necessary", "a false edge"),
    ("minimal", "the live circuit"),
    ("minimal", "a false edge added"),
)


def drawn(
    network: str, ablation: str, change: tuple[str, str], seed: int, rng: np.random.Generator
) -> Variant | None:
    """Return one variant; None where its number is too near to the threshold to be called."""
    truth = truth_of(network, ablation)
    if not truth.has_behaviour:
        return None
    kind, what = change
    live = frozenset(live_of(network, ablation))
    false = sorted(truth.edges - truth.true)
    edge = ""
    if what.startswith("a live"):
        edge = str(rng.choice(sorted(live)))
    elif what.startswith("a false"):
        edge = str(rng.choice(false))
    own = {edge} if edge else set()
    circuit = frozenset(
        own
        if kind == "necessary"
        else (live if kind == "minimal" else truth.true) - own
        if "missing" in what
        else (live if kind == "minimal" else truth.true) | own
    )
    threshold = {"faithful": KEPT, "necessary": LOST, "minimal": LEAST}[kind]
    idle: Names = frozenset()
    if kind == "minimal":
        effects = truth.effects(circuit)
        numbers = list(effects.values())
        idle = frozenset(one for one, size in effects.items() if size < LEAST)
    else:
        numbers = [truth.faithful(circuit) if kind == "faithful" else truth.necessary(circuit)]
    # One idle member is enough to refute; all must be clear for the other verdict.
    number = min(numbers)
    if abs(number - threshold) < ZONE or any(abs(one - threshold) < ZONE / 2 for one in numbers):
        return None
    expected = "SUPPORTED" if number > threshold else "REFUTED"
    named = tuple(sorted(circuit))
    return Variant(
        network, ablation, kind, what, named, edge, number, expected, idle, truth.reach, seed
    )


@cache
def net_of(network: str) -> LiftedNetwork:
    return lift(load(f"known:{network}"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the verifier said of a variant.

    Attributes:
        variant: The claim.
        verdict: What was said.
        sentence: In words.
        named: For a refuted `minimal`, the edges that are said to be redundant.
        prompts: How many prompts it took.
        seconds: CPU time.
    """

    variant: Variant
    verdict: str
    sentence: str
    named: Names
    prompts: int
    seconds: float

    @property
    def state(self) -> str:
        """Whether it is right, wrong, or undecided; naming an edge that matters is wrong."""
        if self.verdict not in ("SUPPORTED", "REFUTED"):
            return "undecided"
        is_right = self.verdict == self.variant.expected and self.named <= self.variant.idle
        return "right" if is_right else "wrong"


def heard(variant: Variant) -> Outcome:
    """Judge a variant."""
    started = time.process_time()
    result: ClaimResult = verify(variant.file(), net=net_of(variant.network))["variant"]
    seconds = time.process_time() - started
    evidence: Mapping[str, Any] = result.evidence
    named = frozenset(evidence.get("redundant", ()))
    decision = result.decision
    return Outcome(
        variant, str(decision.verdict), decision.sentence, named, decision.n, seconds
    )  # fmt: skip


STATES = ("right", "wrong", "undecided")


def table(title: str, outcomes: Sequence[Outcome], key: Any) -> str:
    """Return how many are right, wrong and undecided, by a key."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(key(one), []).append(one)
    rows = [
        f"{title:44}{'claims':>7}{'right':>7}{'wrong':>7}{'undec.':>7}{'prompts':>9}{'CPU s':>8}"
    ]
    for name in [*sorted(groups), ""]:
        those = groups[name] if name else list(outcomes)
        counts = Counter(one.state for one in those)
        prompts = int(np.median([one.prompts for one in those]))
        seconds = sum(one.seconds for one in those)
        listed = "".join(f"{counts[state]:7}" for state in STATES)
        rows.append(f"{name or 'all':44}{len(those):7}{listed}{prompts:9}{seconds:8.1f}")
    return "\n".join(rows)


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the figures in words and tables."""
    named = [one for one in outcomes if one.variant.idle and one.verdict == "REFUTED"]
    exact = sum(one.named == one.variant.idle for one in named)
    parts = [
        table("kind and change", outcomes, lambda o: f"{o.variant.kind}, {o.variant.change}"),
        table("network", outcomes, lambda o: o.variant.network),
        table("ablation", outcomes, lambda o: o.variant.ablation),
        table("what is true", outcomes, lambda o: o.variant.expected),
        f"redundant edges: {exact} of {len(named)} refuted `minimal` claims name exactly the idle "
        "ones",
    ]
    parts += [
        f"{one.state.upper()}: {one.variant}\n  {one.sentence}"
        for one in outcomes
        if one.state != "right"
    ]
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes that judge")
    parser.add_argument("--loud", action="store_true", help="print every claim")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    outcomes = []
    with get_context("spawn").Pool(asked.jobs, torch.set_num_threads, (1,)) as pool:
        for one in pool.imap(heard, variants(asked.count, asked.seed)):
            outcomes.append(one)
            if asked.loud:
                said = f"{one.state} after {one.prompts}, {one.seconds:.1f} s: {one.variant}"
                print(said, flush=True)
    print(
        f"{asked.count} claims, seed {asked.seed}; thresholds: faithful {KEPT}, necessary {LOST}, "
        f"minimal {LEAST}, zone {ZONE}; alpha 0.05, at most {PROMPTS} prompts, batches of {BATCH}; "
        f"torch {torch.__version__}, one thread\n"
    )
    print(report(outcomes))


if __name__ == "__main__":
    main()
