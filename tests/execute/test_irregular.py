"""Networks that are not regular: hooks run them, and say so; what is for regular ones refuses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import causalnet as cn
from causalnet.compiler import compile_reads
from causalnet.errors import CausalNetError, ParameterError, PromptError, TermError
from causalnet.estimators.runner import default_runner
from causalnet.execute import Bindings, evaluate, run_leaves
from causalnet.graphs import transformer_graph
from causalnet.interventions import At, Base, Do, Node, Read, Self, World
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.small_models import small_transformer
from tests.toys import net, word_pairs, words

KINDS = ("small", "encoder")
BASE, SOURCE = Base("base"), Base("source")


def reading(world: World, network: LiftedNetwork, pairs: PromptPairs) -> Tensor:
    read = Read(cn.logit_diff, world)
    return evaluate([read], network, Bindings.of(pairs)).values[read]


# -- who runs it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_auto_takes_hooks_and_says_so(kind: str) -> None:
    network, pairs = net(kind), word_pairs(4)
    query = cn.nie((*network.heads(), *network.mlps()), at="end")
    table = cn.run(query, network, pairs, budget="1GB")
    assert table.provenance["executor"] == "hooks"
    kept, why = table.provenance["notes"]
    assert "hooks keep to no budget" in kept
    assert why == f"hooks ran all worlds: the network has {network.graph.shape.irregularity}"
    by_hooks = cn.run(query, network, pairs, executor="hooks")
    assert by_hooks.provenance["notes"] == []
    assert np.array_equal(table.values, by_hooks.values)
    told = cn.explain(query, network, pairs)
    assert told.forwards == table.provenance["forwards"]
    assert told.plan is None
    assert f"EXECUTOR  hooks: the network has {network.graph.shape.irregularity}" in str(told)
    assert f"FORWARDS  {told.forwards} forwards, one for each world" in str(told)


def test_a_regular_network_is_not_told_so() -> None:
    table = cn.run(cn.nie(net().heads()), net(), word_pairs(3))
    assert (table.provenance["executor"], table.provenance["notes"]) == ("wavefront", [])


Asked = Callable[[LiftedNetwork, PromptPairs], object]


@pytest.mark.parametrize(
    "asked",
    [
        lambda network, pairs: cn.run(cn.te(), network, pairs, executor="wavefront"),
        lambda network, pairs: default_runner(network, Bindings.of(pairs))(
            [Read(cn.logit_diff, BASE)], None, torch.bfloat16
        ),
        lambda network, pairs: cn.eap(network, pairs),
        lambda network, pairs: cn.eap_ig(network, pairs),
        lambda network, pairs: cn.mask_ig(network, pairs),
        lambda network, pairs: cn.atp(network, pairs),
        lambda network, pairs: cn.atp_star(network, pairs),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_for_regular_networks_refuses(kind: str, asked: Asked) -> None:
    with pytest.raises(ParameterError) as refused:
        asked(net(kind), word_pairs(3))
    assert all((refused.value.came, refused.value.possible, refused.value.write))


def test_no_plan_is_made_for_what_is_not_regular() -> None:
    with pytest.raises(TermError, match=r"A network with silent nodes .* Plans are made for"):
        compile_reads([Read(cn.logit_diff, BASE)], net("small").graph)


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_are_run_for_screens_and_checks(kind: str) -> None:
    """What estimators ask of executors is answered by hooks."""
    network, pairs = net(kind), word_pairs(4)
    leaves = cn.nie(network.heads()).leaves
    found = default_runner(network, Bindings.of(pairs))(leaves, (1, 3), None)
    whole = run_leaves(leaves, network, Bindings.of(pairs)).values
    for leaf in leaves:
        torch.testing.assert_close(found[leaf], whole[leaf][[1, 3]], atol=1e-12, rtol=0)


# -- attention to later tokens -------------------------------------------------------------------


def test_a_later_token_reaches_an_earlier_position() -> None:
    """The value that the first token's head has depends on the last token; oracle: by hand."""
    network, pairs = net("encoder"), word_pairs(3, lengths=(5, 7, 6))
    world = Do(BASE, ((Node("embed", ("end",)), At("embed", SOURCE)),))
    first = Do(BASE, ((Node("L1.H0", (0,)), At("L1.H0", world)),))
    read = Read(replace(cn.lens(cn.logit_diff, "L1.H0"), at=0), first)
    plain = Read(read.readout, BASE)
    values = evaluate([read, plain], network, Bindings.of(pairs)).values
    assert float((values[read] - values[plain]).abs().min()) > 1e-6


def prefixed_pairs(shared: int, n: int = 4, length: int = 6) -> PromptPairs:
    """Pairs whose first tokens agree."""
    pairs = word_pairs(n, lengths=(length,))
    rows = [
        {
            "base": base,
            "source": " ".join((*base.split()[:shared], *source.split()[shared:])),
            "answer": " w1",
            "foil": " w2",
        }
        for base, source in zip(pairs.base.texts, pairs.source.texts, strict=True)
    ]
    return PromptPairs.build(words(), rows)


@pytest.mark.parametrize("causal", [True, False])
def test_what_is_proved_zero_is_zero(causal: bool) -> None:
    """Before the first token that differs all is equal where attention is causal, and not else."""
    network = lift(load(small_transformer(causal=causal, silent=("L0.mlp", "L1.H3"))))
    pairs, heads, proved = prefixed_pairs(3), network.heads(0), {}
    for at in (0, 2, 4):
        query = cn.nie(heads, at=at)
        terms = cn.explain(query, network, pairs).terms
        assert terms is not None
        values, zero = cn.run(query, network, pairs).values, {each.label for each in terms.zero}
        proved[at] = len(zero)
        for (label, _), row in zip(query.contrasts, values, strict=True):
            assert bool(np.abs(row).max() > 1e-6) == (label not in zero), (at, label)
    assert proved == ({0: 4, 2: 4, 4: 0} if causal else {0: 0, 2: 0, 4: 0})


def test_prompts_longer_than_the_positions_are_refused() -> None:
    with pytest.raises(PromptError, match="made for 9 positions"):
        cn.run(cn.te(), net("encoder"), word_pairs(2, lengths=(10,)))


@pytest.mark.parametrize("name", ["L0.H2", "L0.H2.q", "L0.mlp"])
def test_a_silent_node_cannot_be_set(name: str) -> None:
    with pytest.raises(CausalNetError, match="is silent"):
        reading(Do(BASE, ((Node(name), Self()),)), net("small"), word_pairs(2))


def test_graphs_at_other_grains_are_laid_out() -> None:
    for grain, node in (("heads", "L0.H1"), ("blocks", "L1.attn"), ("neurons", "L1.mlp.n3")):
        assert transformer_graph(net("small").graph.shape, grain).find(node).name == node
