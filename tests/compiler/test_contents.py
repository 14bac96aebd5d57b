"""Numbers of programs are equal if and only if normal forms are, on random worlds of decoders."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.compiler import contents_of
from causalnet.compiler.gather import gather
from causalnet.graphs import MediatorGraph, TransformerShape
from causalnet.interventions import (
    Read,
    World,
    normal_form,
    parse_world,
    value_of,
)
from tests.compiler.random_decoders import SHAPES, CrowdedWorlds, Worlds, graph_of

SEEDS = st.integers(0, 2**32 - 1)
GROUPED, WIDE, BIASED, BARE = SHAPES


def disagreements(
    worlds: Sequence[World], graph: MediatorGraph
) -> tuple[list[tuple[str, World, World]], list[tuple[str, World, World]], int]:
    """Values that only the normal form calls equal, that only the numbers do, and equal ones.

    Every node and cut is read in every world, each name compared with itself.
    """
    reads = list(dict.fromkeys(Read(value_of(n), w) for w in worlds for n in graph.names()))
    form, numbers = normal_form(reads, graph), contents_of(gather(reads, graph)).reads()
    by_form: dict[object, tuple[object, Read]] = {}
    by_number: dict[object, tuple[object, Read]] = {}
    missed, wrong, equal = [], [], 0
    for read, number in zip(reads, numbers, strict=True):
        node, exact = read.readout.node, form.combination(read)
        equal += (node, exact) in by_form
        theirs, other = by_form.setdefault((node, exact), (number, read))
        if theirs != number:
            missed.append((node, other.world, read.world))
        forms, other = by_number.setdefault((node, number), (exact, read))
        if forms != exact:
            wrong.append((node, other.world, read.world))
    return missed, wrong, equal


def both(first: str, second: str, shape: TransformerShape = GROUPED) -> tuple[bool, bool]:
    """Whether two worlds are equal at the logits, by the numbers and by the normal form."""
    graph = graph_of(shape)
    reads = [Read(value_of("logits"), parse_world(text)) for text in (first, second)]
    one, two = contents_of(gather(reads, graph)).reads()
    form = normal_form(reads, graph)
    return one == two, form.combination(reads[0]) == form.combination(reads[1])


@settings(max_examples=60)
@given(seed=SEEDS)
def test_numbers_are_equal_if_and_only_if_forms_are(seed: int) -> None:
    """Four worlds that are nested to depth 2, of the whole language."""
    graph = graph_of(SHAPES[seed % 4])
    worlds = Worlds(graph, seed)
    missed, wrong, _ = disagreements([worlds.world(2) for _ in range(4)], graph)
    assert not wrong
    assert not missed


@pytest.mark.parametrize("views", [False, True])
@settings(max_examples=60)
@given(seed=SEEDS)
def test_numbers_of_crowded_worlds_are_equal_if_and_only_if_forms_are(
    views: bool, seed: int
) -> None:
    """Ten worlds that set few places to few values, in which many values are equal."""
    graph = graph_of(SHAPES[seed % 4])
    worlds = CrowdedWorlds(graph, seed, views)
    missed, wrong, equal = disagreements([worlds.world() for _ in range(10)], graph)
    assert not wrong
    assert not missed
    assert equal > 20  # so that the test can fail both ways


@settings(max_examples=30)
@given(seed=SEEDS)
def test_named_positions_are_never_taken_for_equal(seed: int) -> None:
    """Where only the prompts tell at which token a name lies, fewer values are known as equal."""
    graph = graph_of(SHAPES[seed % 4])
    worlds = CrowdedWorlds(graph, seed, names=("S1", "S2", "end", 0, -1))
    assert not disagreements([worlds.world() for _ in range(10)], graph)[1]


ALIKE = {
    "composition of a node": ("", "{L0.H0 := L0.H0 in <base>}"),
    "composition of a view": ("", "{L0.H0[1; feature 0] := L0.H0 in <base>}"),
    "composition of an edge": ("", "{L0.H0 -> L1.H1.q := L0.H0 in <base>}"),
    "all edges out of a node": (
        "{L1.H0 := L1.H0 in <source>}",
        "{L1.H0 -> L1.mlp := L1.H0 in <source>, L1.H0 -> logits := L1.H0 in <source>}",
    ),
    "a cut restored": (
        "",
        "{embed := embed in <source>} + {L1.resid_mid := L1.resid_mid in <base>}",
    ),
    "all writers restored": (
        "",
        "{embed -> L0.H0.q := 0} + {L0.H0 := L0.H0 in <base>, L0.H1 := L0.H1 in <base>}",
    ),
    "worlds that meet after a cut": (
        "{L0.mlp := 0} + {L1.resid_pre := L1.resid_pre in <source>}",
        "{L0.H1.z := 0} + {L1.resid_pre := L1.resid_pre in <source>}",
    ),
    "two names of one cut": (
        "{L0.resid_post := L0.resid_post in <source>}",
        "{L1.resid_pre := L0.resid_post in <source>}",
    ),
    "the first cut is the embedding": (
        "{embed := embed in <source>}",
        "{L0.resid_pre := L0.resid_pre in <source>}",
    ),
    "shadowing": ("{L0.mlp := 0}", "{L0.mlp := L0.mlp in <source>} + {L0.mlp := 0}"),
    "exclusion": (
        "",
        "{L1.KV0.k := 0} + {L1.H0.z := L1.H0.z in <base>, L1.H1.z := L1.H1.z in <base>}",
    ),
    "a pattern from its query and key": (
        "{L0.H0.pattern := L0.H0.pattern in <source>}",
        "{L0.H0.q := L0.H0.q in <source>, L0.KV0.k -> L0.H0.pattern := L0.KV0.k in <source>}",
    ),
    "an edge that a cut hides": (
        "{L1.resid_mid := L1.resid_mid in <source>}",
        "{L0.H0 -> logits := 0, L1.resid_mid := L1.resid_mid in <source>}",
    ),
    "a value moved away and back": (
        "{L0.H0 := L0.H0 in <source>}",
        "{L0.H0 := L0.H1 in <base> + {L0.H1 := L0.H0 in <source>}}",
    ),
    "a constant read elsewhere": (
        "{L0.H0 := 'c'#c0}",
        "{L0.H0 := L1.H1 in <source> + {L1.H1 := 'other'#c0}}",
    ),
    "an operation on what is there": (
        "{L0.H0 := scale(self; factor=2.0)}",
        "{L0.H0 := scale(L0.H0 in <base>; factor=2.0)}",
    ),
    "views in two orders": (
        "{L0.H0[1] := 0} + {L0.H0[2] := 'c'#c0}",
        "{L0.H0[2] := 'c'#c0, L0.H0[1] := 0}",
    ),
}
"""Pairs of layers on the base world that are equal in every network."""


@pytest.mark.parametrize("name", ALIKE)
def test_pairs_that_are_equal_in_ways_that_do_not_show(name: str) -> None:
    first, second = (f"<base> + {layer}" if layer else "<base>" for layer in ALIKE[name])
    assert both(first, second) == (True, True)


DIFFERENT = {
    "late values of two inputs": ("{L0.H0 := L1.H0 in <base>}", "{L0.H0 := L1.H0 in <source>}"),
    "an edge left out": (
        "{L1.H0 := L1.H0 in <source>}",
        "{L1.H0 -> L1.mlp := L1.H0 in <source>}",
    ),
    "a cut below an edge": (
        "{L0.resid_mid := L0.resid_mid in <base>}",
        "{L0.mlp -> logits := 0, L0.resid_mid := L0.resid_mid in <base>}",
    ),
    "a cut set to its own value hides an edge": (
        "{L0.H0 -> logits := 0}",
        "{L0.H0 -> logits := 0, L1.resid_mid := L1.resid_mid in <base>}",
    ),
    "a row of a pattern, and that of a mixed stream": (
        "{L0.resid_post[1] := L0.resid_post in <source>}",
        "{L0.resid_post[1] := L0.resid_post in <source>} + {L1.H1.pattern[2] := L1.H1.pattern in "
        "<base>}",
    ),
    "two constants": ("{L0.mlp := 'c'#c0}", "{L0.mlp := 'c'#d0}"),
    "a scale without its receiver": (
        "{L1.H0.q := L1.H0.q in <source>}",
        "{L1.H0.q.scale := L1.H0.q.scale in <source>}",
    ),
}
"""Pairs that look alike."""


@pytest.mark.parametrize("name", DIFFERENT)
def test_pairs_that_look_alike(name: str) -> None:
    first, second = (f"<base> + {layer}" for layer in DIFFERENT[name])
    assert both(first, second) == (False, False)


def test_all_edges_into_the_logits_are_the_other_run() -> None:
    graph = graph_of(BIASED)
    layer = ", ".join(f"{name} -> logits := {name} in <source>" for name in graph.writers)
    assert both(f"<base> + {{{layer}}}", "<source>", BIASED) == (True, True)
