"""Circuit reuse on SmolLM2: every figure beside what it is compared with.

The stages of the indirect-object circuit, what surname induction shares with it, and the repair of
Colored Objects, by the functions of `causalnet.examples.circuit_reuse`.

    python bench/circuit_reuse.py > bench/figures/circuit_reuse.txt

bench/README.md says how to read the table.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

import causalnet as cn
from causalnet.examples.circuit_reuse import (
    ARMS,
    INHIBITION,
    MODEL,
    MOVERS,
    RECEIVERS,
    ROUTES,
    SUPPRESSION,
    Arm,
    attention,
    colored_pairs,
    copy_score,
    direct_effects,
    into_queries,
    ioi_pairs,
    largest,
    overlap,
    relative,
    repair,
    surname_pairs,
    with_random_positions,
)
from causalnet.execute import Answers
from causalnet.tasks.indirect_object import ACCEPTANCE_NAMES

# Measured once with plain hooks on the same prompts, by code that shares nothing with causalnet.
DIRECT = {
    "L23.H3": -0.459,
    "L29.H1": -0.252,
    "L24.H4": +0.179,
    "L29.H0": +0.176,
    "L23.H0": -0.154,
    "L23.H1": -0.094,
    "L23.H2": -0.089,
    "L24.H5": +0.053,
    "L23.H7": -0.047,
}
ATTENDS = {
    ("L23.H3", "S2"): 0.66,
    ("L24.H4", "IO"): 0.72,
    ("L23.H0", "IO"): 0.66,
    ("L20.H0", "S2"): 0.80,
    ("L19.H2", "S2"): 0.39,
}
COPIES = {
    ("L23.H3", -1): 1.00,
    ("L23.H3", 1): 0.00,
    ("L24.H4", -1): 0.93,
    ("L23.H0", 1): 0.93,
    ("L23.H1", 1): 0.93,
    ("L23.H2", 1): 1.00,
    ("L23.H7", 1): 0.53,
}
QUERIES = {
    "L20.H0": -0.126,
    "L19.H2": -0.079,
    "L18.H1": +0.027,
    "L20.H8": +0.017,
    "L19.H4": -0.015,
}
DUPLICATE = ("L8.H1", "L9.H2", "L2.H4", "L14.H3", "L5.H6", "L8.H0")
INDUCTION = ("L17.H4", "L17.H5", "L13.H7", "L18.H4", "L18.H6")
SETS: Mapping[tuple[str, str], tuple[tuple[str, ...], float | None]] = {
    ("movers", "end"): (MOVERS, 4.258),
    (SUPPRESSION, "end"): ((SUPPRESSION,), 2.618),
    ("inhibition", "end"): (INHIBITION, 2.690),
    ("duplicate-token", "S2"): (DUPLICATE, 2.55),
    ("induction", "S2"): (INDUCTION, 2.92),
    ("duplicate-token", "end"): (DUPLICATE, 5.098),
}
REPAIRED = {
    "none": 0.325,
    "inhibition -> wrong": 0.400,
    "suppression -> wrong": 0.775,
    "both -> wrong": 0.825,
    "both -> random": 0.350,
    "both -> right": 0.000,
    "movers -> right": 1.000,
}
WANTED = {
    "none": "at most 0.45",
    "both -> wrong": "at least 0.70",
    "both -> random": "at most 0.50",
    "both -> right": "at most 0.10",
}
PLACEMENTS, SEEDS = 20, (0, 1, 2, 3)


@dataclass(frozen=True)
class Row:
    """A figure, and the one it is compared with, if there is one."""

    what: str
    here: float
    reference: float | None = None
    note: str = ""

    def __str__(self) -> str:
        beside = "" if self.reference is None else f"{self.reference:+.3f}"
        return f"  {self.what:46}{self.here:+9.3f}{beside:>11}   {self.note}".rstrip()


def printed(title: str, rows: Iterator[Row]) -> None:
    print(f"\n{title}\n  {'':46}{'here':>9}{'reference':>11}")
    for row in rows:
        print(row)


def stage_one(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> Iterator[Row]:
    effects = direct_effects(net, pairs)
    first = largest(effects, len(DIRECT))
    for head in dict.fromkeys((*first, *DIRECT)):
        yield Row(head, effects[head], DIRECT.get(head))


def roles(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> Iterator[Row]:
    looks = attention(net, pairs.base, tuple(dict.fromkeys(head for head, _ in ATTENDS)))
    for (head, key), reference in ATTENDS.items():
        yield Row(f"attention of {head} from the last token to {key}", looks[head][key], reference)
    for (head, sign), reference in COPIES.items():
        name = "copy score" if sign > 0 else "negative copy score"
        score = copy_score(net, head, ACCEPTANCE_NAMES, sign)
        yield Row(f"{name} of {head}", score, reference)


def stage_two(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> Iterator[Row]:
    effects = into_queries(net, pairs)
    for head in dict.fromkeys((*largest(effects, len(QUERIES)), *QUERIES)):
        yield Row(head, effects[head], QUERIES.get(head))


def stage_three(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> Iterator[Row]:
    """Paths at S2 into the keys and values of the inhibition heads' groups."""
    group = net.graph.shape.group_of
    channels = dict.fromkeys(
        f"{layer}.KV{group(int(number[1:]))}.{channel}"
        for layer, number in (head.split(".") for head in INHIBITION)
        for channel in "kv"
    )
    below = min(int(head[1 : head.index(".")]) for head in INHIBITION)
    senders = [head for layer in range(below) for head in net.heads(layer)]
    query = cn.path_patch(senders, [net[name] for name in channels], at="S2")
    effects = relative(query, net, pairs)
    for head in largest(effects, 8):
        known = "duplicate-token" if head in DUPLICATE else "induction" if head in INDUCTION else ""
        yield Row(head, effects[head], note=known)


def sets(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> Iterator[Row]:
    yield Row("nothing", float(cn.run(cn.te(), net, pairs).unpatched.mean()), 5.098)
    for (name, at), (heads, reference) in SETS.items():
        table = cn.run(cn.nie(cn.joint(name, *(net[head] for head in heads)), at=at), net, pairs)
        after = float(table.means()[0] + table.unpatched.mean())
        yield Row(f"{name} at {at}", after, reference)


def shared(net: cn.LiftedNetwork, effects: Mapping[str, float]) -> None:
    print("\nSurname induction against the indirect object, 32 pairs each: shared of the first 10")
    print(
        f"  {'corruption':12}{'seed':>5}{'LD':>7}{'shared':>8}{'expected':>10}{'p':>10}"
        f"{'by layer':>10}{'p':>10}{'Jaccard':>9}{'r':>7}   {SUPPRESSION}'s rank"
    )
    for corruption in ("names", "abc", "flip"):
        for seed in SEEDS:
            pairs = surname_pairs(net, seed=seed, corruption=corruption)
            others = direct_effects(net, pairs)
            (row,) = overlap(effects, others, (10,)).rows
            found, layers = row.overlap, row.overlap.by_layer
            assert layers is not None and found.jaccard is not None
            difference = float(cn.run(cn.te(), net, pairs).unpatched.mean())
            together = np.corrcoef([[one[head] for head in effects] for one in (effects, others)])
            print(
                f"  {corruption:12}{seed:5}{difference:7.2f}{found.shared:8}"
                f"{found.by_size.expected:10.2f}{found.by_size.p_value:10.1e}"
                f"{layers.expected:10.2f}{layers.p_value:10.1e}{found.jaccard:9.2f}"
                f"{together[0, 1]:7.2f}{largest(others, len(others)).index(SUPPRESSION) + 1:8}"
            )
    print("  reference: 6 shared, 0.37 expected, Jaccard 0.43, r 0.53")
    sweep = overlap(effects, direct_effects(net, surname_pairs(net)))
    print(f"\nOther thresholds ('names', seed 0)\n{sweep}")


def repaired(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> None:
    print(
        f"\nColored Objects, {len(pairs)} one-shot prompts, attention redirected at the last token:"
    )
    print(f"  {'3-way accuracy':46}{'here':>9}{'reference':>11}   95 % (Wilson)   LD   wanted")
    for name, arm in repair(net, pairs, (*ARMS, *ROUTES)).items():
        low, high = arm.interval
        beside = f"{REPAIRED[name]:.3f}" if name in REPAIRED else ""
        difference = f"{arm.logit_difference:+.2f}"
        interval = f"[{low:.2f}, {high:.2f}]"
        print(
            f"  {name:46}{arm.accuracy:9.3f}{beside:>11}   {interval:13}{difference:>7}   "
            f"{WANTED.get(name, '')}".rstrip()
        )


def fresh(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> None:
    """The reference and the wanted bounds were stated on the first 40 prompts: here are others."""
    print(f"\nThe same on {len(pairs)} other prompts")
    for name, arm in repair(net, pairs, (*ARMS, *ROUTES)).items():
        low, high = arm.interval
        figures = f"[{low:.2f}, {high:.2f}]{arm.logit_difference:+9.2f}"
        print(f"  {name:46}{arm.accuracy:9.3f}{'':14}{figures}")


def placements(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> str:
    """Other random positions than those of the table, all in one run."""
    (random,) = (arm for arm in ARMS if arm.name == "both -> random")
    named = [(f"random_{2 * at + 1}", f"random_{2 * at + 2}") for at in range(PLACEMENTS)]
    arms = [Arm(" ".join(keys), random.heads, keys) for keys in named]
    drawn = repair(net, with_random_positions(pairs, 1, 2 * PLACEMENTS), arms).values()
    found = [arm.accuracy for arm in drawn]
    return (
        f"  {random.name}, {PLACEMENTS} more placements: mean {np.mean(found):.3f}, "
        f"{min(found):.3f} to {max(found):.3f}"
    )


def whole_vocabulary(net: cn.LiftedNetwork, pairs: cn.PromptPairs) -> str:
    """Why the metric is 3-way: how often the answer is the first choice of all tokens."""
    worlds = {arm.name: arm.world for arm in ARMS if arm.name in ("none", "both -> wrong")}
    first = {
        name: float(cn.run(f"accuracy({world})", net, pairs).means()[0])
        for name, world in worlds.items()
    }
    colors = tuple((*one, *others) for one, others in zip(pairs.answers, pairs.foils, strict=True))
    named = {"colors": Answers(colors, pairs.foils, pairs.reduction)}
    held = cn.run("probability{answers=colors}(<base>)", net, pairs, answers=named).means()[0]
    told = ", ".join(f"{name} {share:.3f}" for name, share in first.items())
    return (
        f"  first choice of the whole vocabulary: {told}; "
        f"the three colours hold {held:.2f} of the probability"
    )


def main() -> None:
    started = time.process_time()
    net = cn.lift(cn.load(MODEL))
    pairs = ioi_pairs(net)
    print("SmolLM2-135M-Instruct, float32; 32 pairs of one template, all three names replaced")
    printed("Stage 1: END -> logits, share of the logit difference", stage_one(net, pairs))
    printed("Roles", roles(net, pairs))
    names = ", ".join(RECEIVERS)
    printed(f"Stage 2: END -> queries of {names}, share", stage_two(net, pairs))
    printed(
        "Stage 3: S2 -> keys and values of the inhibition heads, share", stage_three(net, pairs)
    )
    printed("Logit difference with sets patched", sets(net, pairs))
    shared(net, direct_effects(net, pairs))
    scenes, others = colored_pairs(net), colored_pairs(net, 160, seed=1)
    assert not set(scenes.base.texts) & set(others.base.texts)
    repaired(net, scenes)
    print(placements(net, scenes))
    print(whole_vocabulary(net, scenes))
    fresh(net, others)
    print(f"\n{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
