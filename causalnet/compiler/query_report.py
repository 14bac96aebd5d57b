"""What a query means and would cost, as `explain` prints it: small queries with their normal form.

The normal form of a term has an entry for every node that it reaches: on the graph of a large
network the program alone tells which worlds are equal and which effects are zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from causalnet.compiler.budget import Budget
from causalnet.compiler.cost import TOKENS_AT_ONCE
from causalnet.compiler.machine import CPU, Machine
from causalnet.compiler.program import Program
from causalnet.compiler.report import PlanReport, plan_report, program_of
from causalnet.compiler.schedule import Signature, schedule_program
from causalnet.compiler.sizes import Sizes
from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    Facts,
    Query,
    Read,
    TermExplanation,
    check_query,
    explain_scalars,
    explain_terms,
    zero_effects,
)

__all__ = ["QueryReport", "explain_query"]

WHOLE, ONE = 600_000, 4_000
"""Rows times nodes up to which all rows have their normal form, and nodes up to which one has."""

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class QueryReport:
    """What a query means, and the plan of its read-outs.

    Attributes:
        query: The query.
        terms: Its normal form, zero effects and worlds; None where the graph is too large.
        written: Lines for the first rows, where `terms` is None.
        plan: The plan; None where the wavefront cannot run the query.
        instead: Why it cannot; "" where it can.
        reasons: Why some of the rows are zero, where `terms` is None.
    """

    query: Query
    terms: TermExplanation | None
    written: tuple[str, ...]
    plan: PlanReport | None
    instead: str
    reasons: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report in lines, each part under its name."""
        meaning = self._meaning() if self.terms is None else self.terms.lines()
        if self.terms is not None and self.plan and len(self.plan.zero) > len(self.terms.zero):
            meaning += self.plan.zero_lines()
        plan = [] if self.plan is None else self.plan.lines()
        return [*meaning, *plan, *self._precision()]

    def _meaning(self) -> list[str]:
        lines: list[str] = []
        for number, line in enumerate(self.written):
            lines.append(f"{'TERM' if not number else '':10}{line}")
        left = len(self.query.contrasts) - len(self.written)
        lines += [f"          and {left} more rows"] if left > 0 else []
        if self.plan is not None:
            lines += self.plan.zero_lines()
            lines += [f"          {reason}" for reason in self.reasons]
        return lines

    def _precision(self) -> list[str]:
        query, error = self.query, f"; {self.query.error}" if self.query.error else ""
        lines = [f"ESTIMATOR {query.estimator}{error}"]
        if self.plan is not None:
            type_ = {2: "16-bit numbers", 4: "float32", 8: "float64"}[self.plan.sizes.number]
            lines.append(f"PRECISION {type_}: equal to a forward for each world up to rounding")
        return lines

    def executor_lines(self, forwards: int, batches: int = 1) -> list[str]:
        """Return what runs the query, beside the forwards of one world after the other.

        Args:
            forwards: Forwards of the hook executor, all batches together.
            batches: How many batches of prompts there are.
        """
        count = f"{forwards:,} forward{'' if forwards == 1 else 's'}"
        each = "one for each world" + (" and batch" if batches > 1 else "")
        if self.plan is None:
            return [f"EXECUTOR  {self.instead}", f"FORWARDS  {count}, {each}"]
        return [
            "EXECUTOR  wavefront: all worlds in one sweep",
            f"          executor='hooks' would run {count}, {each}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        terms = {} if self.terms is None else self.terms.to_json()
        plan = {"plan": None if self.plan is None else self.plan.to_json()}
        if self.terms is None:
            zero = () if self.plan is None else self.plan.zero
            terms = {
                "rows": len(self.query.contrasts),
                "terms": list(self.written),
                "proved_zero": {label: "zero on such prompts" for label in zero},
            }
        return {**terms, **plan, "executor": self.instead or "wavefront"}


def explain_query(
    query: Query,
    graph: MediatorGraph,
    sizes: Sizes | None,
    signature: Callable[[Program], Signature],
    *,
    budget: Budget,
    facts: Facts | None = None,
    rows: int = 1,
    machine: Machine = CPU,
    batches: int = 1,
    at_once: int = TOKENS_AT_ONCE,
) -> QueryReport:
    """Say what a query means and what it would cost; nothing is run.

    Args:
        query: The query.
        graph: The graph.
        sizes: What its cost depends on; None where the graph is no decoder's.
        signature: Makes the signature of the prompts, given the program.
        budget: How much memory there is.
        facts: What is known of the prompts.
        rows: How many rows are written out.
        machine: Whose rates tell the time.
        batches: How many batches of prompts there are.
        at_once: Tokens that go through a kernel at once.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the graph.
        OutOfMemoryError: A budget smaller than one version at one prompt.
    """
    nodes = len(graph.nodes)
    whole = nodes <= ONE and len(query.contrasts) * nodes <= WHOLE
    terms = explain_terms(query, graph, facts, rows) if whole else None
    if terms is None:
        check_query(query, graph)
    plan, instead = _plan(query, graph, sizes, signature, budget, machine, batches, at_once)
    if terms is not None:
        return QueryReport(query, terms, (), plan, instead)
    written = _written(query.contrasts[:rows], graph, facts)
    zero = () if plan is None else plan.zero[:_EXAMPLES]
    return QueryReport(query, None, written, plan, instead, _reasons(query, zero, graph, facts))


def _plan(
    query: Query,
    graph: MediatorGraph,
    sizes: Sizes | None,
    signature: Callable[[Program], Signature],
    budget: Budget,
    machine: Machine,
    batches: int,
    at_once: int,
) -> tuple[PlanReport | None, str]:
    """Return the plan, or why there is none."""
    reads = [leaf for leaf in query.leaves if isinstance(leaf, Read)]
    if len(reads) < len(query.leaves):
        return None, "hooks: derivatives take a backward pass"
    if sizes is None:
        return None, "hooks: the graph is not that of a decoder"
    if sizes.shape.irregularity:
        return None, f"hooks: the network has {sizes.shape.irregularity}"
    try:
        program = program_of(reads, graph)
    except TermError as error:  # the hook executor takes such terms
        return None, f"hooks: {error}"
    schedule = schedule_program(program, signature(program))
    plan = plan_report(query.contrasts, reads, schedule, sizes, budget, machine, batches, at_once)
    return plan, ""


def _written(
    contrasts: Sequence[tuple[str, Any]], graph: MediatorGraph, facts: Facts | None
) -> tuple[str, ...]:
    """Return a line for each row, with the normal form where the graph is small enough."""
    if len(graph.nodes) > ONE:
        return tuple(f"{label}: {scalar}" for label, scalar in contrasts)
    explained = explain_scalars(contrasts, graph, facts, len(contrasts))
    return tuple(line for row in range(len(contrasts)) for line in explained.written(row))


def _reasons(
    query: Query, labels: Sequence[str], graph: MediatorGraph, facts: Facts | None
) -> tuple[str, ...]:
    """Return why some rows are zero, where the graph is small enough to say."""
    if not labels or len(graph.nodes) > ONE:
        return ()
    chosen = [(label, scalar) for label, scalar in query.contrasts if label in labels]
    return tuple(str(one) for one in zero_effects(chosen, graph, facts))
