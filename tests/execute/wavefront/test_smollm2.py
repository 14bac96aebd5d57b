"""SmolLM2 in float32: waves held to hooks on a sample of every benchmark's worlds.

The oracle is the hook executor in the same type.  Waves multiply matrices of other shapes, so
values differ by rounding: at most 5e-5 on logit differences, where the model's own rounding is
2e-5.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import combinations

import pytest
from torch import Tensor

from causalnet.execute import Bindings, evaluate
from causalnet.execute.run_leaves import run_leaves
from causalnet.interventions import Base, Leaf, Query, Read, joint, logit_diff, nie, path_patch
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, ioi

TEMPLATE = "Then, {A} and {B} were working at the {P}. {S} gave a {O} to"
FIRST, TOKENS, RECEIVER = 11, 16, 20
SEED = 0
EACH = 3


def heads_everywhere(net: LiftedNetwork) -> list[Query]:
    return [nie(net.heads())]


def heads_at_end(net: LiftedNetwork) -> list[Query]:
    return [nie(net.heads(), at="end")]


def heads_by_position(net: LiftedNetwork) -> list[Query]:
    return [nie(net.heads(), at=position) for position in range(FIRST - 1, TOKENS)]


def stream_by_position(net: LiftedNetwork) -> list[Query]:
    cuts = [net[f"L{layer}.resid_pre"] for layer in range(net.n_layers)]
    return [nie(cuts, at=position) for position in range(FIRST - 1, TOKENS)]


def senders_to_query(net: LiftedNetwork) -> list[Query]:
    senders = [head for layer in range(RECEIVER) for head in net.heads(layer)]
    return [path_patch(senders, net[f"L{RECEIVER}.H0.q"], at="end")]


def singles_and_pairs(net: LiftedNetwork) -> list[Query]:
    chosen = net.heads()[4::12]
    sets = [joint(f"{one.name} {other.name}", one, other) for one, other in combinations(chosen, 2)]
    return [nie(sets, at="end")]


def direct_to_logits(net: LiftedNetwork) -> list[Query]:
    return [path_patch(net.heads(), net["logits"])]


def edges_into_layer(net: LiftedNetwork) -> list[Query]:
    senders = [head for layer in range(RECEIVER) for head in net.heads(layer)]
    senders += [net[f"L{layer}.mlp"] for layer in range(RECEIVER)]
    receivers = ("H4.q", "KV1.k", "KV2.v", "mlp")
    return [path_patch(senders, net[f"L{RECEIVER}.{name}"]) for name in receivers]


ROWS = (
    heads_everywhere,
    heads_at_end,
    heads_by_position,
    stream_by_position,
    senders_to_query,
    singles_and_pairs,
    direct_to_logits,
    edges_into_layer,
)


@pytest.fixture(scope="module")
def pairs(smollm2_net: LiftedNetwork) -> PromptPairs:
    tokenizer = smollm2_net.model.tokenizer
    return ioi(tokenizer, n=2, seed=SEED, corruption="flip", templates=[TEMPLATE])


@pytest.fixture(scope="module")
def sample(smollm2_net: LiftedNetwork) -> dict[str, list[Leaf]]:
    """A few worlds of each row, one out of each of as many equal stretches."""
    rng, found = random.Random(SEED), dict[str, list[Leaf]]()
    for row in ROWS:
        base = Read(logit_diff, Base("base"))
        reads = [read for query in row(smollm2_net) for read in query.reads if read != base]
        size = len(reads) // EACH
        found[row.__name__] = [reads[rng.randrange(i * size, (i + 1) * size)] for i in range(EACH)]
    return found


@pytest.fixture(scope="module")
def oracle(
    smollm2_net: LiftedNetwork, pairs: PromptPairs, sample: Mapping[str, Sequence[Leaf]]
) -> Mapping[Leaf, Tensor]:
    leaves = [leaf for some in sample.values() for leaf in some]
    return evaluate(leaves, smollm2_net, Bindings.of(pairs)).values


def apart(found: Mapping[Leaf, Tensor], oracle: Mapping[Leaf, Tensor]) -> float:
    return max(float((found[leaf] - oracle[leaf]).abs().max()) for leaf in found)


@pytest.mark.parametrize("row", [row.__name__ for row in ROWS])
def test_waves_are_hooks_to_rounding(
    row: str,
    smollm2_net: LiftedNetwork,
    pairs: PromptPairs,
    sample: Mapping[str, Sequence[Leaf]],
    oracle: Mapping[Leaf, Tensor],
) -> None:
    found = run_leaves(sample[row], smollm2_net, Bindings.of(pairs), executor="wavefront")
    assert found.executor == "wavefront"
    assert apart(found.values, oracle) <= 5e-5


def test_all_rows_share_waves_and_stay_exact(
    smollm2_net: LiftedNetwork,
    pairs: PromptPairs,
    sample: Mapping[str, Sequence[Leaf]],
    oracle: Mapping[Leaf, Tensor],
) -> None:
    leaves = [leaf for some in sample.values() for leaf in some]
    found = run_leaves(leaves, smollm2_net, Bindings.of(pairs), executor="wavefront")
    assert found.forwards == 2  # base and source, once for all worlds
    assert apart(found.values, oracle) <= 5e-5
