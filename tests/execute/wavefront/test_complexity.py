"""What the rows of `bench/execution.py` cost on a small network: counted calls and FLOPs.

Both are held to formulas: a world that is born in layer l goes through what lies above it, at its
live columns, and through nothing else.  Worlds are those of random weights, so no two are equal.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import pytest

from causalnet.compiler.cost import cost_of
from causalnet.execute.wavefront.wave import Limits
from causalnet.graphs import Mediator
from causalnet.interventions import Query, joint, nie, path_patch
from causalnet.lift import LiftedNetwork
from causalnet.lift.sizes import network_sizes
from causalnet.tasks import PromptPairs
from tests.compiler.measured import Measured, measured
from tests.toys import WORDS, net, sentence, words

LAYERS, HEADS, GROUPS = 4, 4, 2
PROMPTS, TOKENS, FIRST = 3, 7, 4
LIVE = TOKENS - FIRST
RECEIVER = 2  # the layer that edges lead into
BELOW = RECEIVER * HEADS  # the heads below it
ALONE = Limits(merge=False)


@cache
def network() -> LiftedNetwork:
    return net(layers=LAYERS)


@cache
def pairs() -> PromptPairs:
    """Pairs that first differ at token FIRST, and everywhere from there on."""
    rng, rows = random.Random(0), []
    for _ in range(PROMPTS):
        start, apart = sentence(rng, FIRST), [rng.sample(WORDS, 2) for _ in range(LIVE)]
        answer, foil = rng.sample(WORDS, 2)
        base, source = (" ".join((start, *side)) for side in zip(*apart, strict=True))
        rows.append({"base": base, "source": source, "answer": f" {answer}", "foil": f" {foil}"})
    return PromptPairs.build(words(), rows)


def done(*asked: Query) -> Measured:
    return measured(asked, network(), pairs(), ALONE)


@dataclass(frozen=True)
class Calls:
    """Calls of attention and of MLPs, and FLOPs, of worlds on their way."""

    attention: int = 0
    mlp: int = 0
    flops: int = 0

    def __add__(self, other: "Calls") -> "Calls":
        mine = (self.attention, self.mlp, self.flops)
        return Calls(*map(sum, zip(mine, (other.attention, other.mlp, other.flops), strict=True)))

    def times(self, count: int) -> "Calls":
        return Calls(count * self.attention, count * self.mlp, count * self.flops)


def above(layer: int, window: int, has_own_mlp: bool = True) -> Calls:
    """Return what one world costs that differs from a layer's attention on, at a window's columns.

    In the last block only the last column is asked for.
    """
    sizes, found = network_sizes(network()), Calls()
    for one in range(layer, LAYERS):
        asked = 1 if one == LAYERS - 1 else window
        if one > layer:
            projections = (
                2 * sizes.shape.d_model * 2 * (sizes.keys * window + sizes.queries * asked)
            )
            # The own key of a single column is no matrix product.
            attended = TOKENS - 1 if window == 1 else TOKENS
            found += Calls(1, 0, PROMPTS * (projections + sizes.scores(asked, attended)))
        if one > layer or has_own_mlp:
            found += Calls(0, 1, PROMPTS * asked * sizes.mlp)
    return found


def total(worlds: Sequence[Calls]) -> Calls:
    return sum(worlds, Calls())


def held_to(found: Measured, expected: Calls) -> None:
    """Counted calls and the plan's FLOPs are the formula's; the counter agrees on the whole."""
    assert (found.counts.attention, found.counts.mlp) == (expected.attention, expected.mlp)
    cost = cost_of(found.schedule, network_sizes(network()))
    assert cost.flops("suffix") == expected.flops
    assert cost.flops() == pytest.approx(found.flops, rel=0.02)


def heads(*layers: int) -> list[Mediator]:
    return [head for layer in layers or range(LAYERS) for head in network().heads(layer)]


def test_all_heads_at_the_end() -> None:
    """H (L (L - 1) / 2) calls of attention and H (L (L + 1) / 2) of MLPs, at one column."""
    expected = total([above(layer, 1) for layer in range(LAYERS)]).times(HEADS)
    assert expected.attention == HEADS * LAYERS * (LAYERS - 1) // 2
    assert expected.mlp == HEADS * LAYERS * (LAYERS + 1) // 2
    held_to(done(nie(heads(), at="end")), expected)


def test_all_heads_at_all_positions() -> None:
    """The same number of calls, at the live columns."""
    expected = total([above(layer, LIVE) for layer in range(LAYERS)]).times(HEADS)
    held_to(done(nie(heads())), expected)


def test_heads_by_position() -> None:
    """Every live position starts a window of its own; those before the difference cost nothing."""
    asked = [nie(heads(), at=position) for position in range(TOKENS)]
    # Only what later columns attend to is left of the last layer's heads before the end.
    windows = [above(layer, LIVE - p) for p in range(LIVE) for layer in range(LAYERS - 1)]
    expected = total([*windows, above(LAYERS - 1, 1)]).times(HEADS)
    held_to(done(*asked), expected)


def test_the_stream_by_position() -> None:
    """A cut in front of a layer is followed by that layer's own attention."""
    cuts = [network()[f"L{layer}.resid_pre"] for layer in range(LAYERS)]
    asked = [nie(cuts, at=position) for position in range(FIRST, TOKENS)]
    worlds = [above(layer - 1, LIVE - p, False) for p in range(LIVE) for layer in range(LAYERS)]
    held_to(done(*asked), total(worlds))


def test_senders_to_one_query() -> None:
    """n_s (L - 1 - r) calls of attention and n_s (L - r) of MLPs, above the receiver's layer r."""
    query = path_patch(heads(*range(RECEIVER)), network()[f"L{RECEIVER}.H0.q"], at="end")
    found = done(query)
    held_to(found, above(RECEIVER, 1).times(BELOW))
    assert found.counts.slots == BELOW


def test_singles_and_pairs() -> None:
    """A pair of heads is born in the later one's layer, from the earlier one's own world."""
    chosen = [(layer, head) for layer in range(LAYERS) for head in range(2)]
    sets = [(one,) for one in chosen] + list(combinations(chosen, 2))
    named = [[network()[f"L{layer}.H{head}"] for layer, head in some] for some in sets]
    query = nie([joint(f"set {i}", *some) for i, some in enumerate(named)], at="end")
    held_to(done(query), total([above(max(some)[0], 1) for some in sets]))


def test_direct_paths_to_the_logits() -> None:
    """No block is called."""
    held_to(done(path_patch(heads(), network()["logits"])), Calls())


def test_edges_into_one_layer() -> None:
    """Each receiver is called once more for every sender, and what lies above follows."""
    asked, calls = [], []
    senders = [network()["embed"], *heads(*range(RECEIVER))]
    senders += [network()[f"L{layer}.mlp"] for layer in range(RECEIVER)]
    channels = [f"H{head}.q" for head in range(HEADS)]
    channels += [f"KV{group}.{side}" for group in range(GROUPS) for side in "kv"]
    for name in channels:
        asked.append(path_patch(senders, network()[f"L{RECEIVER}.{name}"]))
        calls += [above(RECEIVER, LIVE)] * len(senders)
    into_mlp = [*senders, *heads(RECEIVER)]
    asked.append(path_patch(into_mlp, network()[f"L{RECEIVER}.mlp"]))
    found = done(*asked)
    received = above(RECEIVER, LIVE, False).times(len(into_mlp))
    expected = total([*calls, received])
    assert found.counts.slots == len(calls) + len(into_mlp)
    assert found.counts.attention == expected.attention
    assert found.counts.mlp == expected.mlp + len(into_mlp)  # each receives once
    cost = cost_of(found.schedule, network_sizes(network()))
    assert cost.flops("suffix") == expected.flops
    assert cost.flops() == pytest.approx(found.flops, rel=0.02)
