"""Foretold memory against tensors that were held; budgets that are kept, and those that cannot."""

import pytest

from causalnet.compiler import compile_reads, schedule_program
from causalnet.compiler.assuming import assumed_signature
from causalnet.compiler.budget import Budget
from causalnet.compiler.memory import cached_by_runs, fit, memory_of, split
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes
from causalnet.errors import OutOfMemoryError, ParameterError
from causalnet.execute.wavefront.wave import Limits
from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import parse_query
from causalnet.lift.sizes import network_sizes
from tests.compiler.measured import measured, queries
from tests.compiler.test_cost import JOBS
from tests.toys import net, word_pairs

SIZES = Sizes(TransformerShape(30, 9, 3, 576, 64, 1536, 49152))
HELD = ("heads at end", "heads", "heads at one token", "cells", "MLPs", "direct", "two heads")


def planned(text: str, prompts: int = 16) -> Schedule:
    graph = transformer_graph(SIZES.shape)
    program = compile_reads(parse_query(text, graph).reads, graph)
    return schedule_program(program, assumed_signature(program, prompts, 14, 9))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("job", HELD)
def test_the_peak_is_what_tensors_held(job: str, kind: str) -> None:
    network = net(kind, layers=3)
    found = measured(queries(JOBS[job], network), network, word_pairs(5))
    peak = memory_of(found.schedule, network_sizes(network)).peak
    assert peak == pytest.approx(found.peak, rel=0.1)


def test_split_waves_hold_less_and_what_is_foretold() -> None:
    network = net("llama", layers=3)
    asked, pairs = queries(JOBS["cells"], network), word_pairs(5)
    whole = measured(asked, network, pairs)
    parts = measured(asked, network, pairs, Limits(versions=3, tokens=16))
    peak = memory_of(parts.schedule, network_sizes(network), at_once=16, rows=3).peak
    assert parts.peak < 0.8 * whole.peak
    # What births hold while they are made counts here: a wave has three rows of 32 numbers.
    assert peak == pytest.approx(parts.peak, rel=0.15)


def test_splitting_keeps_every_version_once_and_parents_first() -> None:
    schedule = planned("interaction(L20.H0, L21.H8, L22.H5; at=end)")
    parts = split(schedule, 2)
    found = [number for wave in parts.waves for number in wave.versions]
    assert sorted(found) == sorted(n for wave in schedule.waves for n in wave.versions)
    assert max(len(wave.versions) for wave in parts.waves) <= 2
    for place, number in enumerate(found):
        parent = schedule.alias[schedule.program.versions[number].parent]
        assert schedule.program.versions[parent].is_run or parent in found[:place]


def test_late_births_go_first() -> None:
    schedule = planned("nie(heads; at=end)")
    born = [
        [schedule.program.versions[number].born for number in wave.versions]
        for wave in split(schedule, 90).waves
    ]
    assert len(born) == 3
    assert min(born[0]) >= max(born[1]) and min(born[1]) >= max(born[2])


@pytest.mark.parametrize("budget", ["2GB", "100MB", "60MB", "30MB", "12MB", "6MB"])
def test_what_is_foretold_stays_in_the_budget(budget: str) -> None:
    schedule, given = planned("nie(heads; at=end)"), Budget.of(budget)
    found = fit(schedule, SIZES, given)
    assert given.bytes is not None and found.memory.peak <= given.bytes
    cut = found.applied(schedule)
    assert cut.signature.prompts * found.batches >= schedule.signature.prompts
    again = memory_of(cut, SIZES, found.at_once, found.rows)
    assert again.peak == found.memory.peak


def test_waves_are_split_before_prompts() -> None:
    schedule = planned("nie(heads)")
    peak = memory_of(schedule, SIZES).peak
    found = fit(schedule, SIZES, Budget.of(int(0.9 * peak)))
    assert found.prompts == 16 and found.rows is not None and found.waves > 1


def test_a_budget_smaller_than_one_version_says_what_is_enough() -> None:
    schedule = planned("nie(heads; at=end)")
    with pytest.raises(OutOfMemoryError, match="one version at one prompt") as refused:
        fit(schedule, SIZES, Budget.of("1MB"))
    enough = refused.value.write.split("'")[1]
    assert fit(schedule, SIZES, Budget.of(enough)).prompts == 1


def test_only_what_is_read_is_kept() -> None:
    all_heads = {one.what: one for one in cached_by_runs(planned("nie(heads; at=end)"), SIZES)}
    one_head = {one.what: one for one in cached_by_runs(planned("nie(L20.H0; at=end)"), SIZES)}
    assert all_heads["heads' z"].layers == 60 and one_head["heads' z"].layers == 2
    assert one_head["streams into layers"].layers == 0
    densities = [one.density for one in cached_by_runs(planned("nie(heads)"), SIZES)]
    assert densities == sorted(densities, reverse=True)


@pytest.mark.parametrize("given", ["", "2 apples", "-1GB", 0, -5, True, "0"])
def test_what_is_no_budget_is_refused(given: str | int) -> None:
    with pytest.raises(ParameterError, match="no amount of memory"):
        Budget.of(given)


def test_budgets_have_units() -> None:
    assert Budget.of("1.5 GiB").bytes == 3 * 2**29
    assert Budget.of(12).bytes == 12 and Budget.of(Budget(7)).bytes == 7
    free = Budget.of(None)
    assert free.bytes is None or free.bytes > 10**6
