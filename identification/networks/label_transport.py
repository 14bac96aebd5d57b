"""Answers on other prompts, of which the distribution of some labels is known."""

from causalnet.graphs.admg import ADMG
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.answering import answered
from causalnet.identification.answers import Bounds, Identified, NotIdentified
from causalnet.identification.networks.access import Logs, OtherPrompts
from causalnet.identification.networks.diagrams import admg_diagram
from causalnet.identification.networks.log_answers import FromLogs, NotInLogs
from causalnet.identification.networks.partial_access import experiments_on, set_and_read
from causalnet.identification.networks.recorded_estimators import Suggestion, suggested
from causalnet.identification.queries import Effect, Question
from causalnet.identification.sources import Sources
from causalnet.identification.values import symbol
from causalnet.interventions.queries import Query

__all__ = ["by_labels"]

_KNOWN, _EFFECT = "known", "effect"


def by_labels(
    query: Query | Question,
    title: str,
    graph: MediatorGraph | ADMG,
    access: OtherPrompts,
    verify: int | None = None,
) -> FromLogs:
    """Return the formula that reweights labels, or why there is none.

    Args:
        query: A query on a network, or a question.
        title: The query as text.
        graph: The graph of the network, or an ADMG whose variables hold the labels.
        access: The labels.
        verify: On how many random models the formula is compared; see `answered`.

    Raises:
        UnknownMediatorError: A label that an ADMG does not have.
    """
    if isinstance(graph, ADMG):
        graph.indices(access.labels)
    names = ", ".join(access.labels)
    if not access.labels or not access.only_labels_differ:
        told = f"prompts with the same {names} may still differ" if names else "prompts differ"
        write = "say only_labels_differ=True if they do not" if names else "record a label of them"
        lacking = NotInLogs(f"{told} between the distributions, and the effect with them; {write}")
        return FromLogs("", title, None, lacking)
    if isinstance(graph, ADMG) and not isinstance(query, Query):
        return _transported(query, title, graph, access.labels, verify)
    return _reweighted(title, access.labels, verify)


def _reweighted(title: str, labels: tuple[str, ...], verify: int | None) -> FromLogs:
    """Return the mean effect on other prompts, from the mean effects for each label."""
    effect = _EFFECT
    while effect in labels:
        effect += "_"
    pairs = [(a, b) for at, a in enumerate(labels) for b in labels[:at]]  # as labels may go along
    graph = ADMG.of(directed=[(name, effect) for name in labels], bidirected=pairs)
    question = Effect((symbol(effect),))
    # The effect drives no label, so that P(labels given do(effect)) is P(labels): all that is known
    # of the other prompts.
    sources = Sources.of([[effect]], {_KNOWN: [[]]}, {_KNOWN: labels})
    found = answered(question, graph, sources, verify)
    names = ", ".join(labels)
    notes = (
        f"P[{effect}]({names}) is how the labels are distributed in the prompts asked about",
        "reweighted(table.values, labels, target) has its number and refuses thin data",
    )
    suggestion = Suggestion("reweighting", f"the mean effect for each {names}, and their spread")
    return FromLogs("", title, question, found, suggestion=suggestion, notes=notes)


def _transported(
    question: Question, title: str, graph: ADMG, labels: tuple[str, ...], verify: int | None
) -> FromLogs:
    """Return a question's answer from every experiment on the known prompts.

    Of the prompts asked about the labels are known.  Where nothing else drives them, they are
    distributed as where all else is set.
    """
    settable = sorted(set_and_read(question, graph).set)
    rest = [name for name in graph.nodes if name not in labels]
    is_closed = graph.ancestors(labels) <= set(labels)
    here = [rest] if is_closed else []
    sources = Sources.of(here, {_KNOWN: [[], *experiments_on(settable)]}, {_KNOWN: labels})
    found = answered(question, graph, sources, verify)
    names = ", ".join(labels)
    told = "is how the labels are distributed in the prompts asked about"
    note = (
        f"P{f'[{chr(44).join(sorted(rest))}]' if rest else ''}({names}) {told}"
        if is_closed
        else f"other variables drive {names}, so that its distribution does not tell its mechanism"
    )
    match found:
        case Identified():
            suggestion = suggested(found, admg_diagram(graph, Logs()))
            return FromLogs("", title, question, found, suggestion=suggestion, notes=(note,))
        case NotIdentified() | Bounds():
            return FromLogs("", title, question, found, notes=(note,))
