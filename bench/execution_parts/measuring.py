"""One row measured between forwards of the model, and held to the naive loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar, assert_never

import torch
from torch import Tensor

from causalnet.interventions import Leaf
from execution_parts.batches import described, first_difference
from execution_parts.clock import Clock, Memory, cpu
from execution_parts.comparing import (
    by_hand,
    derivatives,
    drawn,
    logit_difference,
    run_baselines,
)
from execution_parts.executors import EXECUTORS, attributed, forget, planned, screened
from execution_parts.outcome import Figures, Options
from execution_parts.rows import Case, Row, Setting, heads_at_end, leaves_of, most_important

__all__ = ["largest_heads", "measure"]

Made = TypeVar("Made")
ENOUGH = 60.0  # CPU seconds after which a job is not run again
PLANNED = 4_000  # worlds of the planner's row: the last ones, which the most can differ in


def measure(row: Row, setting: Setting, options: Options) -> Figures:
    """Measure one row."""
    goal = row.goals.get(len(setting.pairs))
    figures = Figures(
        row=row.name,
        title=row.title,
        batch=described(setting.pairs),
        pairs=len(setting.pairs),
        tokens=setting.tokens,
        unit="s" if row.kind == "planning" else "fe",
        executor=options.executor,
        reach=goal.reach if goal else None,
        stretch=goal.stretch if goal else None,
        peer=row.peer,
        at_least=row.at_least,
        allowed=(options.max_diff, options.rms_diff),
    )
    cases = row.cases(setting)
    figures = replace(figures, worlds=len(cases))
    match row.kind:
        case "worlds":
            return _worlds(cases, setting, options, figures)
        case "attribution":
            return _attribution(cases, setting, options, figures)
        case "screening":
            return _screening(cases, setting, options, figures)
        case "planning":
            return _planning(cases[-PLANNED:], setting, options, figures)
    assert_never(row.kind)


def largest_heads(setting: Setting, options: Options) -> tuple[str, ...]:
    """Return the heads with the 24 largest effects at the last token; not part of any figure."""
    cases = heads_at_end(setting)
    if options.executor != "hooks":
        found = EXECUTORS[options.executor](leaves_of(cases), setting.net, setting.bindings)
        return most_important(found, cases)
    rivals = by_hand(setting)  # quicker than a forward for every world
    with torch.no_grad():
        rivals.record()
        values: dict[Leaf, Tensor] = {
            case.read: logit_difference(rivals.resumed(case.patches), setting) for case in cases
        }
        values[leaves_of(cases)[0]] = logit_difference(rivals.base.logits, setting)
    return most_important(values, cases)


def _worlds(cases: Sequence[Case], setting: Setting, options: Options, figures: Figures) -> Figures:
    sample = drawn(cases, options.sample, options.seed)
    by_hooks = options.executor == "hooks"  # a forward for every world: only on the sample
    asked = sample if by_hooks else cases
    leaves, bindings = leaves_of(asked), setting.bindings
    clock = _clock(setting, options)
    values, figures = _run(
        lambda: EXECUTORS[options.executor](leaves, setting.net, bindings),
        clock,
        replace(figures, note="ours extrapolated" if by_hooks else ""),
        1 if by_hooks else options.repeats,
        len(cases) / len(asked),
    )
    found = {case.label: values[case.read] for case in sample}
    return _compared(figures, found, cases, sample, clock, setting)


def _attribution(
    cases: Sequence[Case], setting: Setting, options: Options, figures: Figures
) -> Figures:
    """First orders of every edge, held to derivatives of single forwards."""
    job = attributed(setting.net, setting.pairs)
    scores, figures = _run(job, _clock(setting, options), figures, options.repeats)
    sample = drawn(cases, options.sample, options.seed)
    expected = derivatives(sample, setting)
    apart = torch.stack(
        [expected[case.label].double().mean() - scores[case.label] for case in sample]
    )
    return replace(_held(figures, apart), note="values are means of first orders")


def _screening(
    cases: Sequence[Case], setting: Setting, options: Options, figures: Figures
) -> Figures:
    """Rank all heads, run the first exactly: those are compared."""
    job = screened(setting.net, setting.pairs)
    clock = _clock(setting, options)
    effects, figures = _run(job, clock, figures, options.repeats)
    verified = [case for case in cases if case.label in effects]
    sample = drawn(verified, options.sample, options.seed)
    figures = replace(figures, note=f"{len(verified)} verified")
    return _compared(figures, effects, cases, sample, clock, setting, are_effects=True)


def _planning(
    cases: Sequence[Case], setting: Setting, options: Options, figures: Figures
) -> Figures:
    """Compile and schedule alone; no tensor is made."""
    reads = [case.read for case in cases]
    first = min(first_difference(setting.pairs))
    memory = Memory()
    runs = []
    for _ in range(options.repeats):
        forget()
        schedule, seconds = cpu(lambda: planned(reads, setting.net, setting.pairs, first))
        runs.append(seconds)
    versions = sum(len(wave.versions) for wave in schedule.waves)
    return replace(
        figures,
        worlds=len(cases),
        ours=median(runs),
        runs=tuple(runs),
        peak_mb=memory.peak(),
        peak_how=memory.how,
        executor="planner",
        note=f"{versions} live versions in {len(schedule.waves)} waves",
    )


def _clock(setting: Setting, options: Options) -> Clock:
    ids = torch.tensor(setting.pairs.base.ids, device=setting.net.model.device)
    return Clock(setting.net.model.module, ids, options.beside)


def _run(
    job: Callable[[], Made], clock: Clock, figures: Figures, repeats: int, factor: float = 1.0
) -> tuple[Made, Figures]:
    """Run a job until it has taken long enough; its first run shows its memory."""
    memories: list[Memory] = []
    peaks: list[float] = []

    def watched() -> Made:
        made = job()
        peaks.append(memories[0].peak())
        return made

    def ready() -> None:
        forget()
        memories.append(Memory())

    made, first = clock.timed(watched, ready)
    timed = [first]
    while len(timed) < repeats and sum(run.seconds for run in timed) < ENOUGH:
        timed.append(clock.timed(job, forget)[1])
    return made, replace(
        figures,
        ours=factor * median(run.forwards for run in timed),
        ours_last=factor * median(run.seconds / run.last for run in timed),
        runs=tuple(factor * run.forwards for run in timed),
        peak_mb=peaks[0],
        peak_how=memories[0].how,
        unit_seconds=median(run.unit for run in timed),
    )


def _compared(
    figures: Figures,
    found: Mapping[str, Tensor],
    cases: Sequence[Case],
    sample: Sequence[Case],
    clock: Clock,
    setting: Setting,
    are_effects: bool = False,
) -> Figures:
    """Run the baselines on the sample, and put beside them what was found there by label, [B]."""
    rivals = run_baselines(cases, sample, clock, setting)
    labels = [case.label for case in sample]
    ours, naive, exact = (
        torch.stack([values[label].double() for label in labels])
        for values in (found, rivals.values, rivals.exact)
    )
    if are_effects:
        naive, exact = naive - rivals.unpatched.double(), exact - rivals.unpatched_exact.double()
    return replace(
        _held(figures, ours - naive),
        rms_exact=_rms(ours - exact),
        rms_model=_rms(naive - exact),
        naive=rivals.naive,
        resume=rivals.resume,
        ratio=None if figures.ours is None else rivals.resume / figures.ours,
        baselines_diff=rivals.apart,
    )


def _held(figures: Figures, apart: Tensor) -> Figures:
    """Put down how far values are apart: one row for each world of the sample."""
    return replace(
        figures,
        sample=len(apart),
        max_diff=float(apart.abs().max()),
        rms_diff=_rms(apart),
    )


def _rms(apart: Tensor) -> float:
    return float(apart.square().mean().sqrt())
