"""Programs make the live calls of the normal form: each once, and none besides."""

from dataclasses import astuple

from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.compiler import BlockCalls, block_calls_of, compile_reads, count_calls
from causalnet.compiler.gather import gather
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import (
    At,
    Base,
    Do,
    Edge,
    Node,
    Part,
    Position,
    Read,
    Site,
    logit_diff,
    normal_form,
)
from tests.compiler.random_decoders import SHAPES, CrowdedWorlds, Worlds, graph_of

SEEDS = st.integers(0, 2**32 - 1)
BASE, SOURCE = Base("base"), Base("source")
GRAPH = graph_of(SHAPES[0])


class OrdinaryWorlds(Worlds):
    """Worlds that set what writes into the stream, and values of heads, whole."""

    def view(self) -> tuple[tuple[Position, ...], Part | None]:
        return (), None

    def site(self) -> Site:
        site = super().site()
        while not self.is_ordinary(site):
            site = super().site()
        return site

    def is_ordinary(self, site: Site) -> bool:
        if isinstance(site, Edge):
            return False
        kinds = (Kind.HEAD, Kind.Z, Kind.MLP, Kind.ATTENTION_BIAS)
        return self.graph.find(site.mediator).kind in kinds


def counted(reads: list[Read], graph: MediatorGraph = GRAPH) -> tuple[BlockCalls, BlockCalls]:
    """The calls of a compiled program, and the live ones."""
    program = compile_reads(reads, graph)
    live = normal_form(reads, graph).count_calls()
    return count_calls(program), block_calls_of(live, program.stages)


def patched(*sites: Site) -> Read:
    return Read(logit_diff, Do(BASE, tuple((site, At(site.read_from, SOURCE)) for site in sites)))


@settings(max_examples=50)
@given(seed=SEEDS)
def test_the_calls_of_a_program_are_the_live_ones(seed: int) -> None:
    graph = graph_of(SHAPES[seed % 4])
    worlds = OrdinaryWorlds(graph, seed)
    found, live = counted([worlds.read(2) for _ in range(6)], graph)
    assert found == live


@settings(max_examples=100)
@given(seed=SEEDS)
def test_no_live_call_is_left_out(seed: int) -> None:
    """A call is made twice where two births at one stage make it, each with other writes."""
    graph = graph_of(SHAPES[seed % 4])
    worlds = Worlds(graph, seed) if seed % 3 else CrowdedWorlds(graph, seed)
    reads = [worlds.read(2) for _ in range(6)]
    found, live = counted(reads, graph)
    assert all(made >= needed for made, needed in zip(astuple(found), astuple(live), strict=True))
    plain = count_calls(gather(dict.fromkeys(reads), graph))
    assert all(
        made <= plainly for made, plainly in zip(astuple(found), astuple(plain), strict=True)
    )


def test_all_heads_of_a_layer_set_leave_nothing_of_its_attention() -> None:
    heads = [Node("L1.H0"), Node("L1.H1")]
    found, live = counted([patched(*heads)])
    # The source's attention, once; the patched world's own in layer 0 only, as the base's.
    assert found == live == BlockCalls(3, 6, 6, 3, 3, 1)
    found, live = counted([patched(heads[0])])
    assert found == live == BlockCalls(3, 6, 6, 4, 4, 1)


def test_an_mlp_that_is_set_is_not_called() -> None:
    found, live = counted([patched(Node("L1.mlp"))])
    assert found == live == BlockCalls(3, 8, 8, 4, 4, 1)


def test_an_edge_makes_one_call_of_its_receiver() -> None:
    plain = [Read(logit_diff, BASE)]
    found, live = counted([*plain, patched(Edge("L0.H0", "L1.H1.q"))])
    # The base's run, one head of the source's, and one query, its head and the last MLP.
    assert found == live == BlockCalls(2 + 1, 4 + 1 + 1, 4 + 1 + 1, 2 + 1, 2 + 1, 2)


def test_single_heads_cost_their_suffixes() -> None:
    """Two runs, and for every head the layers after it."""
    shape = SHAPES[1]
    graph, heads = graph_of(shape), range(shape.heads)
    layers = range(shape.layers)
    sites = [Node(f"L{layer}.H{head}") for layer in layers for head in heads]
    found, live = counted([patched(site) for site in sites], graph)
    assert found == live
    assert found.mlp == sum(shape.layers - layer for layer in layers for _ in heads) + (
        shape.layers - 1 + shape.layers - 1
    )
