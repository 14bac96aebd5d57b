"""Schedules: what lies before a start is the run's, and waves hold every birth once, in order."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from causalnet.compiler import Program, Schedule, Signature, compile_reads, schedule_program
from causalnet.compiler.program import NONE
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    At,
    Base,
    Contrast,
    Do,
    Edge,
    Facts,
    Node,
    Position,
    Read,
    lens,
    logit_diff,
    value_of,
    zero_effects,
)
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.random_models import hash_scm
from causalnet.interventions.worlds import layers_of
from tests.compiler.random_decoders import SHAPES, CrowdedWorlds, Worlds, graph_of

SEEDS = st.integers(0, 2**32 - 1)
COLUMNS = 4
POSITIONS: tuple[Position, ...] = (0, 1, 2, 3, "end")
NAMED = POSITIONS[:3] + POSITIONS[4:]  # one name for each column
INPUTS = ("base", "source")


def signature(first_different: int) -> Signature:
    """Prompts of four tokens, whose base and source are equal before a column."""
    column = {at: COLUMNS - 1 if at == "end" else int(at) for at in POSITIONS}
    return Signature(
        2,
        COLUMNS,
        first_different=(("base", "source", first_different),),
        places=tuple((name, at, column[at], column[at]) for name in INPUTS for at in POSITIONS),
        aligned=frozenset((one, two, at) for one in INPUTS for two in INPUTS for at in POSITIONS),
    )


def model(graph: MediatorGraph, seed: int, first_different: int) -> SCM:
    """A model of hashes in which positions see earlier ones, and inputs agree up to a column."""
    free = hash_scm(graph, seed, positions=COLUMNS, causal=True)
    draw: Any = free.inputs

    def tokens(node: str, name: str) -> Any:
        rows, same = draw(node, name).copy(), COLUMNS if "bias" in node else first_different
        rows[:same] = draw(node, "base")[:same]  # a bias is a parameter
        return rows

    return replace(free, inputs=tokens)


def reads_of_streams(graph: MediatorGraph, seed: int) -> list[Read]:
    """Read-outs of cuts and of the logits, all at the end or one earlier position."""
    rng = random.Random(seed)
    worlds = Worlds(graph, seed, NAMED) if seed % 2 else CrowdedWorlds(graph, seed, names=NAMED)
    at = rng.choice(NAMED)
    nodes = [f"L{layer}.resid_post" for layer in range(graph.shape.layers)]
    readouts = [replace(lens(logit_diff, node), at=at) for node in nodes]
    readouts.append(replace(logit_diff, at=at))
    drawn = (
        Read(readout, world)
        for world in (worlds.world(2) for _ in range(5))
        for readout in readouts
    )
    return list(dict.fromkeys(drawn))


def drawn(seed: int) -> tuple[MediatorGraph, list[Read], Program, Schedule, int]:
    graph, first_different = graph_of(SHAPES[seed % 4]), seed % (COLUMNS + 1)
    reads = reads_of_streams(graph, seed)
    program = compile_reads(reads, graph)
    return (
        graph,
        reads,
        program,
        schedule_program(program, signature(first_different)),
        first_different,
    )


def wave_of(schedule: Schedule) -> dict[int, int]:
    """The place of every birth's wave."""
    return {number: place for place, wave in enumerate(schedule.waves) for number in wave.versions}


def sets_other_logits(read: Read) -> bool:
    """Whether an edge into the logits is set at another position than the one that is read.

    The free model takes logits for a function of all earlier positions; they are not.
    """
    _, layers = layers_of(read.world)
    sites = [site for layer in layers for site, _ in layer if isinstance(site, Edge)]
    return any(
        site.receiver == "logits" and site.at and read.readout.at not in site.at for site in sites
    )


@settings(max_examples=40)
@example(seed=244)
@given(seed=SEEDS)
def test_what_lies_before_a_start_is_as_in_the_run(seed: int) -> None:
    """Whatever the mechanisms are: a read-out's row is compared with the run's in a free model."""
    graph, reads, program, schedule, first_different = drawn(seed)
    free = model(graph, seed, first_different)
    column = {at: low for _, at, low, _ in schedule.signature.places}
    for read, found in zip(reads, program.reads, strict=True):
        number = schedule.alias[found.version]
        root = number
        while not program.versions[root].is_run:
            root = schedule.alias[program.versions[root].parent]
        row = column[read.readout.at]
        if sets_other_logits(read):
            continue
        if program.versions[number].is_run or row < schedule.start[number]:
            node, run = read.readout.node, Base(program.versions[root].input)
            own, theirs = free.value(node, read.world), free.value(node, run)
            assert np.array_equal(own[row], theirs[row]), (str(read), row)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_waves_hold_every_live_birth_once_and_in_order(seed: int) -> None:
    _, _, program, schedule, _ = drawn(seed)
    place, versions, alias = wave_of(schedule), program.versions, schedule.alias
    assert len(place) == sum(len(wave.versions) for wave in schedule.waves)
    live = {n for n in program.births if alias[n] == n and schedule.until[n] != NONE}
    assert set(place) == live
    assert all(alias[alias[number]] == alias[number] for number in range(len(versions)))
    assert schedule.void == sum(alias[number] != number for number in program.births)
    for number in live:
        wave, parent = schedule.waves[place[number]], alias[versions[number].parent]
        assert wave.start == schedule.start[number] < COLUMNS
        assert schedule.until[parent] >= versions[number].born
        assert versions[number].born in schedule.forks[parent]
        if versions[parent].is_run:
            assert wave.root == parent
        else:
            assert place[parent] <= place[number]
            assert schedule.start[parent] >= schedule.start[number]
            assert schedule.waves[place[parent]].root == wave.root
        for ref in program.refs(versions[number]):
            there = alias[ref.version]
            assert ref.node in schedule.keep[there]
            assert versions[there].is_run or place[there] < place[number]


def single_sites(graph: MediatorGraph) -> Iterator[Node]:
    for layer in range(graph.shape.layers):
        for name in (f"L{layer}.H0", f"L{layer}.H1.z", f"L{layer}.mlp", f"L{layer}.resid_mid"):
            for column in range(COLUMNS):
                yield Node(name, (column,))


def test_births_are_void_where_their_effects_are_proved_zero() -> None:
    """Single sites and positions: equal prefixes (V1), and positions that nothing sees (V3)."""
    base, source = Base("base"), Base("source")
    for graph in map(graph_of, SHAPES[:3]):
        reads = {
            str(site): Read(logit_diff, Do(base, ((site, At(site.mediator, source)),)))
            for site in single_sites(graph)
        }
        plain = Read(logit_diff, base)
        effects = [(name, Contrast(((1.0, r), (-1.0, plain)))) for name, r in reads.items()]
        for first in range(COLUMNS + 1):
            facts = Facts((("base", "source", first),), (("end", COLUMNS - 1),), COLUMNS)
            proved = {zero.label for zero in zero_effects(effects, graph, facts)}
            for name, read in reads.items():
                schedule = schedule_program(compile_reads([read], graph), signature(first))
                assert bool(schedule.void) == (name in proved), (name, first)


def test_equal_batches_have_one_schedule() -> None:
    program = compile_reads([Read(value_of("L1.resid_post"), Base("base"))], graph_of(SHAPES[0]))
    assert schedule_program(program, signature(2)) is schedule_program(program, signature(2))
    assert schedule_program(program, signature(2)).waves == ()
