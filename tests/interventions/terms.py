"""Random terms, and the graph that they are checked against."""

from hypothesis import strategies as st

from causalnet.graphs import Mediator, TransformerShape, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Handle,
    MediatorSet,
    Node,
    Op,
    Position,
    Self,
    Value,
    World,
    joint,
)

GRAPH = transformer_graph(TransformerShape(2, 4, 2, 8, 2, 16, 11))
NODES = ("L0.H0.z", "L0.H1.z", "L1.H3.z", "L0.mlp", "L1.mlp", "L1.resid_mid", "embed")
TREATABLE = (*GRAPH.heads(), *GRAPH.mlps(), GRAPH.find("embed"), GRAPH.find("L1.resid_pre"))

BASES = st.builds(Base, st.sampled_from(("base", "source", "resample 0", "resample 1")))
POSITION: st.SearchStrategy[Position] = st.sampled_from(("end", "S1", "S2", 0, 3))
POSITIONS: st.SearchStrategy[tuple[Position, ...]] = st.lists(
    POSITION, unique=True, max_size=3
).map(tuple)
HANDLES = st.builds(Handle, st.sampled_from("uv"), st.sampled_from("01"))


def values(worlds: st.SearchStrategy[World]) -> st.SearchStrategy[Value]:
    """Values that read the given worlds."""
    plain: st.SearchStrategy[Value] = st.one_of(
        st.builds(Const, st.none() | HANDLES),
        st.builds(Self),
        st.builds(At, st.sampled_from(NODES), worlds),
    )
    sums = st.builds(Op, st.just("add"), st.tuples(plain, plain), st.just((("factor", 2.0),)))
    return plain | sums


def layered(worlds: st.SearchStrategy[World]) -> st.SearchStrategy[World]:
    """Worlds with one more layer, whose sites lie on distinct mediators."""
    sites = st.builds(Node, st.sampled_from(NODES), POSITIONS)
    assignments = st.lists(
        st.tuples(sites, values(worlds)),
        min_size=1,
        max_size=3,
        unique_by=lambda pair: pair[0].mediator,
    )
    return st.builds(Do, worlds, assignments.map(tuple))


WORLDS: st.SearchStrategy[World] = st.recursive(BASES, layered, max_leaves=6)


@st.composite
def mediator_sets(draw: st.DrawFn) -> list[Mediator | MediatorSet]:
    """Rows of a query: single mediators and joint sets, with labels that differ."""
    singles: list[Mediator | MediatorSet] = list(
        draw(st.lists(st.sampled_from(TREATABLE), unique=True, max_size=3))
    )
    members = st.lists(st.sampled_from(TREATABLE), unique=True, min_size=1, max_size=4)
    groups = draw(st.lists(members, min_size=0 if singles else 1, max_size=2))
    return [*singles, *(joint(f"set {i}", *group) for i, group in enumerate(groups))]
