"""Cases at the edges of windows, held to hooks: what is read before a version is live, and cuts."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from causalnet.errors import NumericalError
from causalnet.execute import Answers, Bindings, evaluate, run_leaves
from causalnet.execute.bindings import Pooled
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Node,
    Read,
    Site,
    World,
    kl,
    lens,
    logit_diff,
    value_of,
)
from causalnet.lift import raised_casts
from causalnet.tasks import Prompts
from tests.toys import net

BASE, SOURCE = Base("base"), Base("source")
TOKENS = range(3, 63)


def prompts(ids: Sequence[Sequence[int]], **named: int) -> Prompts:
    """Rows of token ids, each name at one token of every row."""
    rows = tuple(map(tuple, ids))
    texts = tuple(" ".join(map(str, row)) for row in rows)
    positions = {name: (at,) * len(rows) for name, at in named.items()}
    positions["end"] = tuple(len(row) - 1 for row in rows)
    tokens = tuple(tuple(map(str, row)) for row in rows)
    return Prompts(texts, rows, tokens, positions, tuple("" for _ in rows))


def bound(tokens: int = 6, shared: int = 0, base: int = 4, source: int = 2) -> Bindings:
    """Two pairs that begin with the same tokens; S2 lies elsewhere in base and source."""
    rng = random.Random(0)
    rows = [[rng.choice(TOKENS) for _ in range(tokens)] for _ in range(2)]
    others = [row[:shared] + [rng.choice(TOKENS) for _ in range(tokens - shared)] for row in rows]
    inputs = {"base": prompts(rows, S2=base), "source": prompts(others, S2=source)}
    return Bindings(inputs, Answers(((5,), (9,)), ((7,), (11,)), "mean"))


def patched(*sites: Site, world: World = BASE, source: World = SOURCE) -> World:
    return Do(world, tuple((site, At(site.read_from, source)) for site in sites))


def agree(reads: Sequence[Read], bindings: Bindings, **options: int) -> None:
    network = net("llama", 0, 3)
    with raised_casts(network.model.module):
        expected = evaluate(reads, network, bindings).values
        found = run_leaves(reads, network, bindings, executor="wavefront", **options).values  # type: ignore[arg-type]  # options
    for read in reads:
        error = (found[read] - expected[read]).abs() / expected[read].abs().clamp_min(1)
        assert float(error.max()) < 1e-10, (str(read), float(error.max()))


def test_logits_before_a_version_is_live_are_its_roots() -> None:
    early = replace(logit_diff, at=3)
    worlds = [patched(Node(f"L{layer}.H0.z", (4,))) for layer in range(3)]
    worlds += [Do(BASE, ((Node("logits", (4,)), Const()),)), patched(Edge("L0.H1", "logits", (4,)))]
    agree([Read(readout, world) for world in worlds for readout in (early, logit_diff)], bound())


@pytest.mark.parametrize(
    "site",
    [
        Node("L2.H0.z", (1, "end")),
        Node("L2.mlp", (1, "end")),
        Node("L2.resid_mid", (1, "end")),
        Node("L2.resid_post", (1, "end")),
        Edge("L0.H1", "L2.H1.q", (1, "end")),
        Edge("L0.H1", "L2.mlp", (1, "end")),
        Edge("L0.H1", "logits", (1, "end")),
    ],
    ids=str,
)
def test_births_in_the_last_layer_reach_back_behind_their_parents_window(site: Site) -> None:
    """The child is live from 1, its parent from 4, and logits are read from 3."""
    parent = patched(Node("L0.H0.z", (4,)))
    child = patched(site, world=parent)
    reads = [Read(replace(logit_diff, at=3), child), Read(logit_diff, child)]
    agree([*reads, Read(logit_diff, parent)], bound())


def test_a_cut_set_to_the_value_that_is_there_hides_what_was_sent() -> None:
    """Both prompts are equal at token 1, and yet the edge past the cut does nothing there."""
    cut = patched(Node("L1.resid_pre", (1,)))
    edges = (Edge("L0.H0", "L2.mlp", (1, "end")), Edge("L0.mlp", "L2.KV0.v", (1,)))
    into_keys = Do(cut, ((Edge("embed", "L1.KV0.k", (1,)), Const()),))
    both = Do(cut, tuple((edge, Const()) for edge in edges))
    late = Do(
        patched(Node("L2.resid_post", (1,))), ((Edge("L0.mlp", "logits", (1, "end")), Const()),)
    )
    reads = [Read(logit_diff, world) for world in (both, into_keys, late)]
    agree([*reads, Read(replace(logit_diff, at=1), late)], bound(shared=3))


@pytest.mark.parametrize("name", ["L2.resid_mid", "L2.resid_post"])
def test_a_cut_in_the_last_layer_beside_edges_past_other_cuts(name: str) -> None:
    past = Do(patched(Node("L1.resid_pre", (3,))), ((Edge("embed", "L1.H0.q", (3,)), Const()),))
    agree([Read(logit_diff, past), Read(logit_diff, patched(Node(name, ("end",))))], bound())


def test_where_a_reference_is_read_counts_as_read() -> None:
    """S2 of the reference's input is no column at which the world itself is read."""
    reference = patched(Node("L2.H0.z", ("S2",)), world=SOURCE, source=BASE)
    agree([Read(replace(kl, at="S2", reference=reference), BASE)], bound())


def test_what_is_read_of_a_later_version_counts_as_read() -> None:
    """What is set at a token where no logits are read may be brought to one where they are."""
    first = patched(Node("L2.H0.z", ("S2",)))
    second = patched(Node("L2.mlp", ("end",)), world=first)
    moved = patched(Node("L2.mlp", ("S2",)), world=SOURCE, source=second)
    reads = [Read(logit_diff, world) for world in (first, second, moved)]
    agree(reads, bound(base=2, source=5))


def test_streams_that_overflow_are_refused_where_only_inner_values_are_read() -> None:
    """Two outputs that can be squared, and their sum cannot: a norm makes zeros of it."""
    network, handle = net("llama", 0, 3), Handle("big", "big")
    root = (torch.finfo(torch.float64).max / 40) ** 0.5
    vector = Pooled(torch.full((network.graph.shape.d_model,), root, dtype=torch.float64))
    given = replace(bound(), constants={handle: vector})
    big = Do(BASE, ((Node("L0.mlp"), Const(handle)), (Node("L1.mlp"), Const(handle))))
    reads = [Read(lens(logit_diff, "L1.resid_post"), big), Read(value_of("L2.mlp.scale"), big)]
    reads += [Read(logit_diff, patched(Node(name), source=big)) for name in ("L2.H0.z", "L2.mlp")]
    for read in reads:
        for executor in ("hooks", "wavefront"):
            with pytest.raises(NumericalError, match=r"L1\.resid_post .* too large to be squared"):
                run_leaves([read], network, given, executor=executor)
