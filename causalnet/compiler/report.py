"""What a query would run and cost, as text and JSON: nothing is run, and nothing needs weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalnet.compiler.bound import Bound, bound_of
from causalnet.compiler.budget import Budget, bytes_text
from causalnet.compiler.compile import compile_reads
from causalnet.compiler.cost import STAGES, TOKENS_AT_ONCE, Cost, Layout, cost_of
from causalnet.compiler.machine import CPU, Machine
from causalnet.compiler.memory import Cached, Fit, cached_by_runs, fit
from causalnet.compiler.program import Program
from causalnet.compiler.savings import Saving, savings_of
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes
from causalnet.compiler.stages import Stages
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    Leaf,
    Position,
    Read,
    Scalar,
    evaluate_scalar,
    leaves_of,
    worlds_needed,
)

__all__ = ["PlanReport", "plan_report", "positions_of_program", "program_of", "zero_rows"]


_DRAWS = 64


def program_of(reads: Sequence[Read], graph: MediatorGraph) -> Program:
    """Return the program of some read-outs, each once."""
    return compile_reads(tuple(dict.fromkeys(reads)), graph)


def positions_of_program(program: Program) -> frozenset[Position]:
    """Return all positions at which a program sets or reads."""
    found: set[Position] = {read.readout.at for read in program.reads}
    for version in program.versions:
        found.update(at for write in version.writes for at in write.site.at)
    return frozenset(found)


@dataclass(frozen=True, slots=True, eq=False)
class PlanReport:
    """The plan of some read-outs on a kind of batch, and what it costs.

    Attributes:
        schedule: The schedule.
        sizes: The network.
        worlds: Distinct worlds as they are written, with the inputs.
        cost: What it costs, by stage.
        savings: What each rule takes off.
        bound: How far it is from the least that has to be called.
        cached: What base passes keep.
        fit: How it is split to stay in the budget.
        zero: Labels of rows that are zero: void on these prompts, or in every model.
        rows: How many rows there are.
        batches: How many batches like this there are.
    """

    schedule: Schedule
    sizes: Sizes
    worlds: int
    cost: Cost
    savings: tuple[Saving, ...]
    bound: Bound
    cached: tuple[Cached, ...]
    fit: Fit
    zero: tuple[str, ...]
    rows: int
    batches: int = 1

    def lines(self) -> list[str]:
        """Return the parts of the report, each under its name."""
        return [
            *self._waves(),
            *self._rules(),
            *self._cost(),
            f"BOUND     {self.bound}",
            *self._memory(),
            f"BUDGET    {self.fit}",
        ]

    def zero_lines(self) -> list[str]:
        """Return how many rows are zero, and which."""
        if not self.zero:
            return [f"ZERO      none of {self.rows} is proved zero on such prompts"]
        named = ", ".join(self.zero[:6]) + (", ..." if len(self.zero) > 6 else "")
        return [
            f"ZERO      {len(self.zero)} of {self.rows} proved zero on such prompts, whatever the "
            "weights are",
            f"          {named}",
        ]

    def _waves(self) -> list[str]:
        program, waves = self.schedule.program, self.schedule.waves
        live = sum(len(wave.versions) for wave in waves)
        runs, columns = len(program.runs), self.schedule.signature.columns
        lines = [
            f"WAVES     {counted(self.worlds, 'world')} become {counted(runs, 'run')} of inputs "
            f"and {counted(live, 'version')} in {counted(len(waves), 'wave')}; "
            f"{self.schedule.void:,} void on such prompts"
        ]
        listed = waves if len(waves) <= 4 else waves[:3]
        for wave in listed:
            born = [program.versions[number].born for number in wave.versions]
            stages = program.stages
            lines.append(
                f"          wave of {len(wave.versions):,} from column {wave.start} "
                f"({columns - wave.start} of {columns} live), born {_span(stages, born)}"
            )
        if len(waves) > len(listed):
            lines.append(f"          and {counted(len(waves) - len(listed), 'more wave')}")
        return lines

    def _rules(self) -> list[str]:
        """Return what each rule saves, in forwards by FLOPs."""
        first, *rest = self.savings
        lines = [f"RULES     {first.left:>9,.1f}  {first.what}"]
        for saving in rest:
            taken = f"{-saving.saved:+,.1f}" if abs(saving.saved) >= 0.05 else "0.0"
            lines.append(f"          {taken:>9}  {saving.rule}: {saving.what}")
        left = self.savings[-1].left
        lines.append(f"          {left:>9,.1f}  forwards, by FLOPs")
        return lines

    def _cost(self) -> list[str]:
        parts = " | ".join(f"{stage} {number_text(self.cost.forwards(stage))}" for stage in STAGES)
        flops = " | ".join(f"{stage} {flops_text(self.cost.flops(stage))}" for stage in STAGES)
        signature = self.schedule.signature
        return [
            f"COST      {number_text(self.cost.forwards())} forwards, where a hook loop pays "
            f"{self.worlds:,}; a forward is one of the model on {signature.prompts} prompts of "
            f"{signature.columns} tokens, logits everywhere",
            f"          {parts}",
            f"          by the time that each part takes on {self.cost.machine.name}",
            f"FLOPS     {flops_text(self.cost.flops())}: {flops}; a forward "
            f"{flops_text(self.cost.forward_flops)}",
        ]

    def _memory(self) -> list[str]:
        kept = [
            f"{one.what} of {counted(one.layers, 'layer')} {bytes_text(one.bytes)}"
            for one in self.cached
            if one.layers
        ]
        left = sum((one.possible - one.layers) * one.size for one in self.cached)
        lines = [f"MEMORY    {self.fit.memory}"]
        if kept:
            runs = counted(len(self.schedule.program.runs), "run")
            lines.append(
                f"          kept of {runs}, each with its layers, what saves most by the byte "
                f"first: {', '.join(kept)}"
            )
            lines.append(f"          left out, since nobody reads it: {bytes_text(left)}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        memory = self.fit.memory
        return {
            "worlds": self.worlds,
            "versions": sum(len(wave.versions) for wave in self.schedule.waves),
            "waves": len(self.schedule.waves),
            "void": self.schedule.void,
            "proved_zero": list(self.zero),
            "cost": {
                "forwards": self.cost.forwards(),
                "hook_loop": self.worlds,
                "flops": self.cost.flops(),
                "forward_flops": self.cost.forward_flops,
                "machine": self.cost.machine.name,
                "stages": {
                    stage: {
                        "forwards": self.cost.forwards(stage),
                        "flops": self.cost.flops(stage),
                    }
                    for stage in STAGES
                },
            },
            "savings": [
                {"rule": one.rule, "what": one.what, "left": one.left, "saved": one.saved}
                for one in self.savings
            ],
            "bound": {
                "calls": self.bound.calls,
                "distinct": self.bound.distinct,
                "ratio": self.bound.ratio,
            },
            "memory": {
                "base": memory.base,
                "rows": memory.rows,
                "kept": memory.kept,
                "chunk": memory.chunk,
                "peak": memory.peak,
            },
            "budget": {
                "bytes": self.fit.budget.bytes,
                "origin": self.fit.budget.origin,
                "prompts": self.fit.prompts,
                "batches": self.fit.batches,
                "rows": self.fit.rows,
                "waves": self.fit.waves,
            },
        }


def plan_report(
    labelled: Sequence[tuple[str, Scalar]],
    reads: Sequence[Read],
    schedule: Schedule,
    sizes: Sizes,
    budget: Budget,
    machine: Machine = CPU,
    batches: int = 1,
    at_once: int = TOKENS_AT_ONCE,
) -> PlanReport:
    """Return what some read-outs would run and cost.

    Args:
        labelled: The rows of a query.
        reads: All read-outs, as the schedule's program was made of, each once.
        schedule: The schedule.
        sizes: The network.
        budget: How much memory there is.
        machine: Whose rates tell the time.
        batches: How many batches like this there are.
        at_once: Tokens that go through a kernel at once, where the budget has room for them.

    Raises:
        OutOfMemoryError: A budget smaller than one version at one prompt.
    """
    worlds, fitted = len(worlds_needed(reads)), fit(schedule, sizes, budget, at_once)
    cut = fitted.applied(schedule)
    return PlanReport(
        schedule,
        sizes,
        worlds,
        cost_of(cut, sizes, machine, Layout(at_once=fitted.at_once), fitted.batches),
        savings_of(schedule, sizes, worlds),
        bound_of(schedule, sizes),
        cached_by_runs(cut, sizes),
        fitted,
        zero_rows(labelled, reads, schedule),
        len(labelled),
        batches,
    )


def zero_rows(
    labelled: Iterable[tuple[str, Scalar]], reads: Sequence[Read], schedule: Schedule
) -> tuple[str, ...]:
    """Return the labels of scalars that are zero on such prompts, whatever the weights are.

    Read-outs of versions that are one have one value; every other value is drawn at random, often
    enough for events: a scalar that is always zero then is so, but for a chance of 2^-50.

    Args:
        labelled: Labels and scalars.
        reads: All read-outs, as the schedule's program was made of, each once.
        schedule: The schedule.
    """
    numbers = np.random.default_rng(0)
    drawn: dict[tuple[object, ...], np.ndarray[Any, np.dtype[np.float64]]] = {}
    values: dict[Leaf, np.ndarray[Any, np.dtype[np.float64]]] = {}
    alias = schedule.alias
    for read, found in zip(reads, schedule.program.reads, strict=True):
        theirs = alias[found.reference] if found.reference >= 0 else -1
        readout = (found.readout.name, found.readout.node, found.readout.at, found.readout.answers)
        key = (*readout, alias[found.version], found.input, theirs, found.reference_input)
        if key not in drawn:
            drawn[key] = numbers.standard_normal(_DRAWS)
        values[read] = drawn[key]
    zero = []
    for label, scalar in labelled:
        leaves = leaves_of(scalar)
        own = {leaf: values[leaf] for leaf in leaves if leaf in values}
        apart = len({id(value) for value in own.values()})
        if len(own) < len(leaves) or (apart == len(leaves) and leaves):
            continue  # values that all differ cancel in no model
        if np.abs(evaluate_scalar(scalar, own)).max() < 1e-12:
            zero.append(label)
    return tuple(zero)


def _span(stages: Stages, born: Sequence[int]) -> str:
    """Return the first and the last of some stages."""
    first, last = stages.describe(min(born)), stages.describe(max(born))
    return f"at {first}" if first == last else f"{first} to {last}"


def counted(number: int, what: str) -> str:
    """Return a number of things.

    >>> counted(1, "wave"), counted(5122, "world")
    ('1 wave', '5,122 worlds')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def number_text(value: float) -> str:
    """Return a number with three digits, or all before the point.

    >>> number_text(7.0377), number_text(1234.5), number_text(0.00042)
    ('7.04', '1,234', '0.00042')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def flops_text(count: float) -> str:
    """Return a number of FLOPs with its unit.

    >>> flops_text(467_000_000_000)
    '467 GFLOP'
    """
    for unit, size in (("EFLOP", 1e18), ("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if count >= size:
            return f"{number_text(count / size)} {unit}"
    return f"{number_text(count / 1e6)} MFLOP"
