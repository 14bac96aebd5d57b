"""What recorded values of a network say about interventions that were not made.

Association in a log is not the effect of a patch: the prompt drives every node.  A question about a
network is asked of the latent projection onto what was recorded, and the answer is a formula with
an estimator, or a reason why there is none; see `what_logs_give` for what to expect.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from causalnet.errors import TermError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.answering import answered
from causalnet.identification.answers import Answer, Bounds, Identified, NotIdentified
from causalnet.identification.networks.access import Logs
from causalnet.identification.networks.confounding import why_not
from causalnet.identification.networks.diagrams import Diagram, admg_diagram, network_diagram
from causalnet.identification.networks.log_answers import FromLogs, NotInLogs, Verdict
from causalnet.identification.networks.network_variables import PROMPT
from causalnet.identification.networks.recorded_estimators import suggested
from causalnet.identification.networks.what_logs_give import WhatLogsGive, what_logs_give
from causalnet.identification.networks.world_questions import (
    Asked,
    labelled_scalars,
    places_of,
    questions_of,
    readouts_of,
)
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Mediation,
    PathSpecific,
    Question,
    variables_in,
)
from causalnet.identification.sources import Sources
from causalnet.interventions.queries import Query

__all__ = [
    "FromLogs",
    "NotInLogs",
    "Verdict",
    "WhatLogsGive",
    "asked_of",
    "from_logs",
    "outcomes_of",
    "told_of",
    "what_logs_give",
]

_VERIFIED = 8  # questions up to which formulas are compared with enumeration


def from_logs(
    query: Query | Question, graph: MediatorGraph | ADMG, logs: Logs, verify: int | None = None
) -> tuple[FromLogs, ...]:
    """Return what a log says: for each row of a query what each of its worlds asks.

    Args:
        query: A query on a network, or a question about the variables of an ADMG.
        graph: The network, whose inputs are driven by the prompt; or an ADMG, as it is.
        logs: What was recorded.
        verify: On how many random models formulas are compared with enumeration; see `told_of`.

    Raises:
        UnknownMediatorError: A name that the graph does not have.
        TermError: A query that does not fit the graph.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import nie, value_of
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> query = nie(graph.find("M"), outcome=value_of("Y"))
    >>> print(from_logs(query, graph, Logs(("M", "Y")))[0])
    NOT IDENTIFIED  M: P(y | do(m))
      because the prompt drives both M and Y, and it is not recorded
      hedge {M, Y} over {Y}, roots {Y}
        M -> Y
        M <-> Y
      in every network it is
      at least P(m,y)
      at most 1 - (P(m) - P(m,y))
      note: averaged over the values patched in as if drawn independently of the row's own prompt; \
matched pairs need the prompt recorded
    """
    return told_of(*asked_of(query, graph, logs), verify)


def asked_of(
    query: Query | Question, graph: MediatorGraph | ADMG, logs: Logs
) -> tuple[list[tuple[str, Asked]], Diagram]:
    """Return what is asked, by row, and the diagram on which it is asked; see `from_logs`."""
    if not isinstance(query, Query):
        asked = [("", Asked("", query))]
        if isinstance(graph, ADMG):
            return asked, admg_diagram(graph, logs)
        if logs.observed is None:
            logs = replace(logs, observed=tuple(sorted(variables_in(query))))
        return asked, network_diagram(graph, logs)
    if isinstance(graph, ADMG):
        raise TermError(
            "A query of interventions, and an ADMG.",
            "Such queries are about the graph of a network.",
            "Ask 'P(y | do(m))' of an ADMG, or give the network's graph.",
        )
    rows = labelled_scalars(query)
    places = dict.fromkeys(place for _, scalar in rows for place in places_of(scalar, graph))
    readouts = dict.fromkeys(readout for _, scalar in rows for readout in readouts_of(scalar))
    diagram = network_diagram(graph, logs, places, readouts)
    found = [
        (label, each) for label, scalar in rows for each in questions_of(scalar, graph, diagram)
    ]
    return [pair for pair in found if not _is_plain(pair[1])] or found, diagram


def _is_plain(asked: Asked) -> bool:
    """Return whether a world is the network left alone, whose outcome every log holds."""
    question = asked.question
    return isinstance(question, Effect) and not (question.treatments or question.given)


def told_of(
    asked: Sequence[tuple[str, Asked]],
    diagram: Diagram,
    verify: int | None = None,
    *,
    is_log: bool = True,
) -> tuple[FromLogs, ...]:
    """Return what recorded variables say about some questions.

    Args:
        asked: The questions, each with the row that it belongs to.
        diagram: What was recorded, and what can be set.
        verify: On how many random models formulas are compared with enumeration; 0 for none.  If
            not said, as many as `answered` takes for up to eight questions, and none for more.
        is_log: Whether what is recorded is all there is; else it is what can be read.
    """
    if verify is None and len(asked) > _VERIFIED:
        verify = 0
    return tuple(_told(label, each, diagram, verify, is_log) for label, each in asked)


def _told(label: str, asked: Asked, diagram: Diagram, verify: int | None, is_log: bool) -> FromLogs:
    question = asked.question
    if question is None:
        return FromLogs(label, asked.world, None, NotInLogs(asked.reason))
    missing = tuple(sorted(variables_in(question) - set(diagram.observed)))
    if missing:
        lacking = _lacking(missing) if is_log else _unreachable(missing)
        return FromLogs(label, asked.world, question, lacking, notes=asked.notes)
    found = _best(question, diagram, verify)
    answer = FromLogs(label, asked.world, question, found, notes=asked.notes)
    match found:
        case Identified():
            return replace(answer, suggestion=suggested(found, diagram))
        case NotIdentified():
            return replace(answer, reasons=why_not(found.witness, diagram), bounds=found.bounds)
        case Bounds():
            return answer


def _lacking(missing: tuple[str, ...]) -> NotInLogs:
    told = f"the log has no {' and no '.join(missing)}"
    if missing == (PROMPT,):
        told = "no row of the log says which prompt it is of"
    return NotInLogs(told, missing)


def _unreachable(missing: tuple[str, ...]) -> NotInLogs:
    verb = "is" if len(missing) == 1 else "are"
    return NotInLogs(f"{' and '.join(missing)} {verb} out of reach", missing, "give access to")


def _best(question: Question, diagram: Diagram, verify: int | None) -> Answer:
    """Prefer a formula that data support: one of experiments only, where there is one."""
    found = answered(question, diagram.graph, diagram.sources, verify)
    if isinstance(found, Identified) and diagram.experiments:
        setting = [do for do in diagram.experiments if do]
        if setting and suggested(found, diagram).positivity:
            other = answered(question, diagram.graph, Sources.of(setting), verify)
            if isinstance(other, Identified) and not suggested(other, diagram).positivity:
                return other
    return found


def outcomes_of(question: Question) -> frozenset[str]:
    """Return the variables whose values a question asks for."""
    match question:
        case Effect(outcomes) | PathSpecific(outcomes) | Mediation(_, outcomes):
            return frozenset(value.variable for value in outcomes)
        case Causation(_, outcome):
            return frozenset([outcome.variable])
        case Counterfactual(facts):
            return frozenset(fact.value.variable for fact in facts)
        case _:
            assert_never(question)
