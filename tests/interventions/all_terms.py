"""Random terms of every class, with names, labels and numbers of every sort."""

from typing import Any, TypeAlias

from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.interventions import (
    FUNCTIONS,
    READOUTS,
    Apply,
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Grad,
    Handle,
    Indices,
    Node,
    Noise,
    Op,
    Part,
    Position,
    Read,
    ReadOut,
    Scalar,
    Self,
    Site,
    Subspace,
    Value,
    World,
    lens,
    value_of,
)

Strategy: TypeAlias = st.SearchStrategy

WORDS_OF_THE_GRAMMAR = (
    "in",
    "self",
    "noise",
    "grad",
    "against",
    "none",
    "inf",
    "ratio",
    "0",
    "end",
)
NAMES: Strategy[str] = st.one_of(
    st.sampled_from(("L9.H6", "L9.H6.q", "L20.H0.q.scale", "L9.mlp.f12", "L9.H6[3]", "X'", "9.6")),
    st.sampled_from(WORDS_OF_THE_GRAMMAR),
    st.text(max_size=6),
    st.characters(codec=None).map(lambda one: f"a{one}b"),
)
HANDLES = st.builds(Handle, NAMES, st.sampled_from(("", "1f3a", "mean|L9.mlp|77", "a b")) | NAMES)
POSITIONS: Strategy[tuple[Position, ...]] = st.lists(
    NAMES | st.integers(-3, 10**6), unique=True, max_size=3
).map(tuple)
INDICES = st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True).map(tuple)
PARTS: Strategy[Part | None] = st.one_of(
    st.none(),
    st.builds(Indices, NAMES, INDICES),
    st.builds(Subspace, HANDLES, INDICES, st.none() | HANDLES),
)
SITES: Strategy[Site] = st.builds(Node, NAMES, POSITIONS, PARTS) | st.builds(
    Edge, NAMES, NAMES, POSITIONS, PARTS, st.none() | NAMES
)
FLOATS = st.floats() | st.sampled_from((0.0, -0.0, 1.0, -1.0, 0.1, 1e-300, 5e22))
PARAMETERS = st.dictionaries(NAMES, FLOATS | st.integers() | NAMES | HANDLES, max_size=2).map(
    lambda given: tuple(given.items())
)
BASES = st.builds(Base, NAMES, st.none() | NAMES)


def values(worlds: Strategy[World]) -> Strategy[Value]:
    """Values of every class that read the given worlds."""
    plain: Strategy[Value] = st.one_of(
        st.builds(Const, st.none() | HANDLES),
        st.builds(Self),
        st.builds(Noise, NAMES),
        st.builds(At, NAMES, worlds),
    )

    def operations(inside: Strategy[Value]) -> Strategy[Value]:
        arguments = st.lists(inside, max_size=2).map(tuple)
        return st.builds(Op, NAMES, arguments, PARAMETERS, st.integers(-1, 3))

    return st.recursive(plain, operations, max_leaves=3)


def _layer(pair: tuple[World, list[tuple[Site, Value]]]) -> World:
    """Put sites and values on a world, those that overlap on top of one another."""
    world, assignments = pair
    try:
        return Do(world, tuple(assignments))
    except TermError:
        for assignment in assignments:
            world = Do(world, (assignment,))
        return world


def layered(worlds: Strategy[World]) -> Strategy[World]:
    """Worlds with one more layer."""
    assignments = st.lists(st.tuples(SITES, values(worlds)), min_size=1, max_size=3)
    return st.tuples(worlds, assignments).map(_layer)


_WORLDS: Strategy[World] = st.recursive(BASES, layered, max_leaves=4)
WORLDS: Strategy[World] = st.deferred(lambda: _WORLDS)  # its description is one line
VALUES = values(WORLDS)
_OWN = st.builds(
    ReadOut,
    NAMES,
    NAMES,
    NAMES,
    st.just("end") | NAMES | st.integers(-2, 40),
    st.none() | WORLDS,
    st.integers(0, 3),
    st.just("logits") | NAMES,
    st.just("answers") | NAMES,
)
_STANDARD = st.sampled_from(list(READOUTS.values()))
READ_OUTS: Strategy[ReadOut] = st.one_of(
    _STANDARD, _OWN, st.builds(lens, _STANDARD, NAMES), st.builds(value_of, NAMES)
)
READS = st.builds(Read, READ_OUTS, WORLDS)
WEIGHTS = st.sampled_from((1, 1.0, -1.0, 0.5, -0.0)) | st.floats(
    allow_nan=False, allow_infinity=False
)


def combined(inside: Strategy[Scalar]) -> Strategy[Scalar]:
    """Sums and functions of scalars."""
    sums = st.lists(st.tuples(WEIGHTS, inside), max_size=3).map(tuple)
    applied = st.sampled_from(sorted(FUNCTIONS)).flatmap(
        lambda name: st.tuples(*[inside] * FUNCTIONS[name]).map(lambda given: Apply(name, given))
    )
    return st.builds(Contrast, sums) | applied


SCALARS: Strategy[Scalar] = st.recursive(
    READS | st.builds(Grad, READS, SITES, VALUES), combined, max_leaves=3
)
ANY: Strategy[Any] = st.one_of(WORLDS, VALUES, SITES, SCALARS, READ_OUTS)
