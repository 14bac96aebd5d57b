"""Laws of the passes: values stay, programs stay well formed, and nothing grows."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.compiler import PASSES, Program, compile_reads, contents_of
from causalnet.compiler.gather import gather
from causalnet.compiler.passes import drop_unchanged, drop_unread, share
from causalnet.compiler.program import NONE, Kind
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Read
from tests.compiler.random_decoders import SHAPES, CrowdedWorlds, Worlds, graph_of

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, count: int = 8) -> tuple[MediatorGraph, list[Read]]:
    """Distinct read-outs of nested worlds, or of worlds that are alike."""
    graph = graph_of(SHAPES[seed % 4])
    worlds = Worlds(graph, seed) if seed % 3 else CrowdedWorlds(graph, seed)
    return graph, list(dict.fromkeys(worlds.read(2 + seed % 2) for _ in range(count)))


def is_well_formed(program: Program) -> None:
    """Check the order of versions, and that values are read where they are there."""
    versions, part = program.versions, program.stages.part
    order = [(not v.is_run, v.phase, v.born) for v in versions]
    assert order == sorted(order)
    assert len({versions[run].input for run in program.runs}) == len(program.runs)
    for number, version in enumerate(versions):
        if version.is_run:
            assert not version.writes
            continue
        parent = versions[version.parent]
        assert version.parent < number
        assert version.writes
        assert parent.is_run or parent.born < version.born
        assert parent.phase <= version.phase
        for write in version.writes:
            assert program.stages.of_site(write.site) == version.born
        for ref in program.refs(version):
            there, stage = versions[ref.version], part(ref.node).stage
            assert ref.version < number
            assert there.is_run or there.born <= stage
            late = stage > version.born and not there.is_run
            assert there.phase + late <= version.phase
    for read in program.reads:
        assert 0 <= read.version < len(versions)
        assert (read.reference == NONE) == (read.readout.reference is None)


def has_its_needs(program: Program) -> None:
    """Check that every version lives as long as it is read, and keeps what is read of it."""
    part, versions = program.stages.part, program.versions
    for version in versions:
        if not version.is_run:
            assert versions[version.parent].until >= version.born
        for ref in program.refs(version):
            assert versions[ref.version].until >= part(ref.node).stage
            assert ref.node in versions[ref.version].keep
    for read in program.reads:
        for number in {read.version, read.reference} - {NONE}:
            assert versions[number].until >= part(read.readout.node).stage
    used = {
        number for v in versions for number in (v.parent, *(r.version for r in program.refs(v)))
    }
    used |= {number for read in program.reads for number in (read.version, read.reference)}
    assert used - {NONE} == set(range(len(versions)))


@settings(max_examples=80)
@given(seed=SEEDS)
def test_every_pass_leaves_the_values_of_all_reads(seed: int) -> None:
    graph, reads = drawn(seed)
    program = gather(reads, graph)
    is_well_formed(program)
    values = contents_of(program).reads()
    for run_pass in PASSES:
        smaller = run_pass(program)
        is_well_formed(smaller)
        assert contents_of(smaller).reads() == values
        assert len(smaller.versions) <= len(program.versions)
        assert [read.readout for read in smaller.reads] == [read.readout for read in program.reads]
        program = smaller
    has_its_needs(program)
    assert all(version.until != NONE for version in program.versions)
    assert all((v.kind == Kind.RUN) == v.is_run for v in program.versions)


@pytest.mark.parametrize("order", list(permutations((drop_unchanged, share, drop_unread))))
def test_passes_are_right_in_any_order(order: Sequence[object]) -> None:
    for seed in range(12):
        graph, reads = drawn(seed)
        program = gather(reads, graph)
        values = contents_of(program).reads()
        for run_pass in order:
            program = run_pass(program)  # type: ignore[operator]  # a pass
            assert contents_of(program).reads() == values


@settings(max_examples=40)
@given(seed=SEEDS)
def test_passes_once_more_change_little(seed: int) -> None:
    """What an edge that was left out had kept apart may still merge."""
    graph, reads = drawn(seed)
    program = compile_reads(reads, graph)
    again = program
    for run_pass in PASSES:
        again = run_pass(again)
    assert len(again.versions) <= len(program.versions)
    assert contents_of(again).reads() == contents_of(program).reads()


@settings(max_examples=40)
@given(seed=SEEDS)
def test_equal_reads_give_equal_programs(seed: int) -> None:
    graph, reads = drawn(seed)
    first, second = compile_reads(reads, graph), compile_reads([*reads, *reads], graph)
    assert first == second
    assert hash(first) == hash(second)
    assert str(first) == str(second)
    _, others = drawn(seed + 12)
    assert (compile_reads(others, graph) == first) == (others == reads)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_the_order_of_reads_only_permutes_them(seed: int) -> None:
    graph, reads = drawn(seed)
    moved = random.Random(seed).sample(reads, len(reads))
    first, second = compile_reads(reads, graph), compile_reads(moved, graph)
    assert sizes(first) == sizes(second)
    values = dict(zip(reads, contents_of(first).reads(), strict=True))
    assert [values[read] for read in moved] == list(contents_of(second).reads())


def sizes(program: Program) -> Counter[int]:
    """How many versions are born at each stage; of equal ones the first is kept."""
    return Counter(version.born for version in program.versions)
