"""The gate: can a query be run, and if not, do data say the answer?

| access | computable | identifiable |
|---|---|---|
| full | yes: run it | not needed |
| partial | if all that it sets and reads is at hand | from experiments on what is |
| logs | no | from the projection onto what was recorded |
| other prompts | yes, on prompts of the new kind | by reweighting, if labels are all that differs |
| other weights | yes, only what differs | rows that are proved unchanged |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import TypeAlias, assert_never, final

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import check_whole
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.answers import Identified
from causalnet.identification.networks.access import (
    Access,
    AccessLike,
    FullAccess,
    Logs,
    OtherPrompts,
    OtherWeights,
    PartialAccess,
    read_access,
)
from causalnet.identification.networks.label_transport import by_labels
from causalnet.identification.networks.log_answers import FromLogs, Verdict
from causalnet.identification.networks.logs import from_logs
from causalnet.identification.networks.partial_access import from_experiments, out_of_reach
from causalnet.identification.networks.transport_weights import WeightsReport, unchanged_terms
from causalnet.identification.networks.world_questions import labelled_scalars
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.reading.parsing import parse_question
from causalnet.interventions.closure import runs_of
from causalnet.interventions.normal_form import normal_form
from causalnet.interventions.plan_worlds import plan_worlds
from causalnet.interventions.queries import Query
from causalnet.interventions.query_parsing import parse_query
from causalnet.interventions.query_text import query_line

__all__ = ["CannotRun", "Computable", "GateAnswer", "NotNeeded", "RunIt", "gate"]

_ROWS, _WIDTH = 6, 86  # whose labels are printed; of a line beside the margin
_LONGEST = 20_000  # characters of a formula that a notebook typesets without stalling


@final
@dataclass(frozen=True, slots=True)
class RunIt:
    """The query can be run.

    Attributes:
        worlds: How many worlds the plan has, equal ones merged.
        worlds_before: How many it has as it is written.
        write: What to write.
        because: What makes it possible.
    """

    worlds: int
    worlds_before: int
    write: tuple[str, ...]
    because: str

    def lines(self) -> list[str]:
        """Return the verdict, a few lines."""
        worlds = "1 world" if self.worlds == 1 else f"{self.worlds:,} worlds"
        before = f", {self.worlds_before:,} as written" if self.worlds_before > self.worlds else ""
        return [f"yes: {self.because}; {worlds} to run{before}", *self.write]


@final
@dataclass(frozen=True, slots=True)
class CannotRun:
    """The query cannot be run.

    Attributes:
        because: Why.
        lacking: What would have to be possible.
    """

    because: str
    lacking: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the verdict, a few lines."""
        return [f"no: {self.because}", *self.lacking]


Computable: TypeAlias = RunIt | CannotRun


@final
@dataclass(frozen=True, slots=True)
class NotNeeded:
    """Nothing has to be identified.

    Attributes:
        because: Why.
    """

    because: str

    def __str__(self) -> str:
        """Return the reason."""
        return f"not needed: {self.because}"


@final
@dataclass(frozen=True, slots=True)
class GateAnswer:
    """Whether a query can be computed, and whether data say its answer: two verdicts.

    Attributes:
        query: What was asked.
        access: What one has.
        computable: Whether it can be run.
        rows: Where data are asked, what they say, row by row and world by world.
        not_needed: Where they are not.
        weights: With other weights, what is proved unchanged.
    """

    query: Query | Question
    access: Access
    computable: Computable
    rows: tuple[FromLogs, ...] = ()
    not_needed: NotNeeded | None = None
    weights: WeightsReport | None = None

    @property
    def identifiable(self) -> Verdict | NotNeeded:
        """The verdict of data: of the first row without a formula, else of the first."""
        if self.not_needed is not None:
            return self.not_needed
        rows = sorted(self.rows, key=lambda row: row.is_identified)
        return rows[0].verdict

    @property
    def is_computable(self) -> bool:
        """Whether the query can be run."""
        return isinstance(self.computable, RunIt)

    @property
    def is_identified(self) -> bool:
        """Whether data give every row by a formula."""
        return bool(self.rows) and all(row.is_identified for row in self.rows)

    def __str__(self) -> str:
        """Return both verdicts, as a person reads them."""
        lines = [f"QUERY         {_title(self.query)}", f"WITH          {self.access}"]
        lines += _indented("COMPUTABLE", self.computable.lines())
        if self.not_needed is not None:
            lines += _indented("IDENTIFIABLE", [str(self.not_needed)])
        else:
            lines += _indented("IDENTIFIABLE", self._verdicts())
        if self.weights is not None:
            lines += _indented("UNCHANGED", self.weights.lines())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what notebooks show: both verdicts, and formulas typeset."""
        from causalnet.identification.showing.notebook import expression_latex

        told = [f"<pre>{escape(str(self))}</pre>"]
        found = [(row.label, row.verdict) for row in self.rows]
        formulas = [(label, each) for label, each in found if isinstance(each, Identified)]
        for label, each in formulas[:_ROWS]:
            formula = expression_latex(each.estimand)
            if len(formula) <= _LONGEST:
                told.append(f"<p>{escape(label)} {escape(formula, quote=False)}</p>")
        return "\n".join(told)

    def _verdicts(self) -> list[str]:
        known = sum(row.is_identified for row in self.rows)
        asked = "1 question" if len(self.rows) == 1 else f"{len(self.rows)} questions"
        unsupported = sum(row.is_identified and not row.is_supported for row in self.rows)
        head = "yes" if known == len(self.rows) else "no" if not known else "in part"
        counted = "" if len(self.rows) == 1 else f" ({known} of {asked})"
        doubt = ", but positivity fails: a model would extrapolate" if unsupported else ""
        lines = [f"{head}{counted}{doubt}"]
        alike: dict[str, list[FromLogs]] = {}
        for row in self.rows:
            alike.setdefault(type(row.verdict).__name__, []).append(row)
        for first, *rest in alike.values():
            lines += first.lines()
            if rest:
                names = [row.label for row in rest]
                more = f", and {len(names) - _ROWS} more" if len(names) > _ROWS else ""
                lines.append(f"  and so for {', '.join(names[:_ROWS])}{more}")
        return lines


def gate(
    query: Query | Question | str,
    graph: MediatorGraph | ADMG,
    access: AccessLike = "full",
    *,
    verify: int | None = None,
) -> GateAnswer:
    """Say whether a query can be run, and whether data say its answer.

    Args:
        query: A query on a network, a question about the variables of a graph, or the text of
            either; of a network, text that begins with `P(` is a question about its nodes.
        graph: The graph of the network, whose inputs are driven by the prompt; or an ADMG.
        access: What one has.
        verify: On how many random models formulas are compared with enumeration; see `told_of`.

    Raises:
        TermError: A query that does not fit the graph.
        UnknownMediatorError: A name that the graph does not have.
        ParameterError: No access, or a number of models below 0.

    >>> from causalnet.graphs import plain_graph
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> print(gate("nie(M; outcome=value{Y})", graph))
    QUERY         NIE/v1 on value at [*], noising: M
    WITH          full access
    COMPUTABLE    yes: every site can be set and read; 3 worlds to run
                  cn.explain(query, net, pairs)  # what it costs
                  cn.run(query, net, pairs)      # its table
    IDENTIFIABLE  not needed: a network that can be run needs no data in its place
    >>> gate("nie(M; outcome=value{Y})", graph, Logs(("M", "Y"))).is_identified
    False
    """
    if verify is not None:
        check_whole(verify, "verify")
    asked = _read(query, graph)
    known = read_access(access)
    match known:
        case FullAccess():
            run = _run_it(asked, graph, "every site can be set and read")
            because = "a network that can be run needs no data in its place"
            return GateAnswer(asked, known, run, not_needed=NotNeeded(because))
        case PartialAccess():
            return _partial(asked, graph, known, verify)
        case Logs():
            refusal = CannotRun("there are logs only")
            return GateAnswer(asked, known, refusal, from_logs(asked, graph, known, verify))
        case OtherPrompts():
            run = _run_it(asked, graph, "the network runs on any prompt: give it the new ones")
            row = by_labels(asked, _title(asked), graph, known, verify)
            return GateAnswer(asked, known, run, (row,))
        case OtherWeights():
            return _other_weights(asked, graph, known)
        case _:
            assert_never(known)


def _read(query: Query | Question | str, graph: MediatorGraph | ADMG) -> Query | Question:
    if not isinstance(graph, MediatorGraph | ADMG):
        raise ParameterError(
            f"{graph!r} is no graph.", "There are graphs of networks and ADMGs.",
            "Write gate(query, net.graph).",
        )  # fmt: skip
    if not isinstance(query, str):
        return query
    if isinstance(graph, ADMG):
        return parse_question(query, graph)
    if query.lstrip().startswith("P("):
        return parse_question(query, graph.to_admg())
    return parse_query(query, graph)


def _partial(
    query: Query | Question,
    graph: MediatorGraph | ADMG,
    access: PartialAccess,
    verify: int | None,
) -> GateAnswer:
    lacking = out_of_reach(query, graph, access)
    if not lacking:
        run = _run_it(query, graph, "all that it sets and reads is at hand")
        because = "what is at hand is enough to run it"
        return GateAnswer(query, access, run, not_needed=NotNeeded(because))
    refusal = CannotRun("some of what it needs is out of reach:", lacking)
    return GateAnswer(query, access, refusal, from_experiments(query, graph, access, verify))


def _other_weights(
    query: Query | Question, graph: MediatorGraph | ADMG, access: OtherWeights
) -> GateAnswer:
    if not isinstance(query, Query) or isinstance(graph, ADMG):
        raise TermError(
            "A question about variables, on a network with other weights.",
            "What weights change is found on terms of the language of interventions.",
            "Write gate('nie(L20.H0)', net.graph, OtherWeights(('L20.mlp',))).",
        )
    report = unchanged_terms(query, graph, access.changed)
    run = _run_it(query, graph, "the other network can be run, and only what differs must be")
    every = len(report.unchanged) == len(report.rows)
    because = "every row is proved unchanged" if every else "the other network can be run"
    return GateAnswer(query, access, run, not_needed=NotNeeded(because), weights=report)


# -- what can be run -----------------------------------------------------------------------------


def _run_it(query: Query | Question, graph: MediatorGraph | ADMG, because: str) -> RunIt:
    if isinstance(query, Query):
        if isinstance(graph, ADMG):
            raise TermError(
                "A query of interventions, and an ADMG.",
                "Such queries are about the graph of a network.",
                "Ask 'P(y | do(m))' of an ADMG, or give the network's graph.",
            )
        form = normal_form([scalar for _, scalar in labelled_scalars(query)], graph)
        written = len(runs_of(query.leaves))
        write = (
            "cn.explain(query, net, pairs)  # what it costs",
            "cn.run(query, net, pairs)      # its table",
        )
        return RunIt(len(plan_worlds(form).worlds), written, write, because)
    worlds = _worlds_of(query)
    told = f"set and read them on each prompt: {query}"
    return RunIt(worlds, worlds, (told, "as a term: cn.Read(outcome, cn.Do(world, ...))"), because)


def _worlds_of(question: Question) -> int:
    """Return how many worlds a question is about, those that values come from included."""
    match question:
        case Effect():
            return 1
        case PathSpecific():
            return 2
        case Mediation(kind):
            return 3 if kind in ("NDE", "NIE") else 2
        case Causation():
            return _worlds_of(question.counterfactual())
        case Counterfactual(facts, given):
            return len(_worlds_in([*facts, *given]))
        case _:
            assert_never(question)


def _worlds_in(facts: Sequence[Fact]) -> set[tuple[tuple[str, object], ...]]:
    found = set[tuple[tuple[str, object], ...]]()
    waiting = [fact.potential for fact in facts]
    while waiting:
        each = waiting.pop()
        found.add(each.do)
        waiting += [value for _, value in each.do if isinstance(value, Potential)]
    return found


# -- text ----------------------------------------------------------------------------------------


def _title(query: Query | Question) -> str:
    return query_line(query) if isinstance(query, Query) else str(query)


def _indented(head: str, lines: Sequence[str]) -> list[str]:
    """Return lines under a word in the margin, long ones folded between words."""
    told = [part for line in lines for part in _folded(line)]
    return [
        f"{word:<14}{line}" for word, line in zip([head, *[""] * len(told)], told, strict=False)
    ]


def _folded(line: str) -> list[str]:
    inside = " " * (len(line) - len(line.lstrip()))
    return wrap(
        line,
        _WIDTH,
        subsequent_indent=f"{inside}  ",
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
