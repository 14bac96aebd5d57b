"""The door: what is asked, of which graph, with what at hand."""

from typing import overload

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.arguments import check_type, check_whole
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.answering import answered
from causalnet.identification.answers import Answer
from causalnet.identification.networks.access import AccessLike
from causalnet.identification.networks.gate import GateAnswer, gate
from causalnet.identification.queries import Question
from causalnet.identification.reading.questions import read_question
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.interventions.queries import Query

__all__ = ["identify"]


@overload
def identify(
    question: Question | str,
    graph: ADMG,
    *,
    sources: Sources = ...,
    access: None = ...,
    verify: int | None = ...,
) -> Answer: ...


@overload
def identify(
    question: Question | Query | str,
    graph: ADMG | MediatorGraph,
    *,
    sources: Sources = ...,
    access: AccessLike,
    verify: int | None = ...,
) -> GateAnswer: ...


@overload
def identify(
    question: Query | str,
    graph: MediatorGraph,
    *,
    sources: Sources = ...,
    access: None = ...,
    verify: int | None = ...,
) -> GateAnswer: ...


def identify(
    question: Question | Query | str,
    graph: ADMG | MediatorGraph,
    *,
    sources: Sources = OBSERVED,
    access: AccessLike | None = None,
    verify: int | None = None,
) -> Answer | GateAnswer:
    """Return a formula for what is asked, a witness that there is none, or bounds.

    For a causal diagram the variables are observed and data must stand in for experiments.  For a
    network the first question is what one has of it: with full access, which is assumed unless
    said, whatever is asked is run.

    Args:
        question: What is asked, as a question or as text: `P(y | do(x))`, `nde(X -> Y; via M)`; of
            a network also a query of interventions, or its text.
        graph: A causal diagram, all of whose nodes are observed and whose hidden common causes are
            bidirected edges; or the graph of a network.
        sources: For a diagram what is known; P(V) if not said.
        access: What one has of a network: `full`, `PartialAccess`, `Logs`, `OtherPrompts`,
            `OtherWeights`.
        verify: On how many random models a formula is compared with enumeration; 0 for none.  If
            not said, on two where the noise has up to 1.3 million states and it takes about a
            second at most; of a network's rows none where there are more than eight.

    Raises:
        TermError: Text that does not parse, with the place; roles that overlap; conditions that
            cannot happen.
        UnknownMediatorError: A variable that is not in the graph, with the nearest names.
        ParameterError: Sources and access at once; a number of models below 0; arguments of
            another type.

    >>> graph = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")])
    >>> found = identify("P(y | do(x))", graph)
    >>> found.estimand
    sum[z](P(z|x) * sum[x'](P(x') * P(y|x',z)))
    >>> found.check.models
    2
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(identify("P(y | do(x))", bow))
    P(y | do(x)) is not identified from P(V):
      hedge {X, Y} over {Y}, roots {Y}
      at least P(x,y)
      at most 1 - (P(x) - P(x,y))
    linear_bounds(question, graph, tables, at=...) bounds it in numbers
    """
    check_type(sources, Sources, "Write sources=Sources.of([[], ['Z']]).")
    if verify is not None:
        check_whole(verify, "verify")
    if access is not None and sources != OBSERVED:
        raise ParameterError(
            "Both sources and access were given.",
            "Sources say which distributions of a diagram's variables are known; access says what "
            "one has of a network.",
            "Leave one of them out.",
        )
    if access is not None or isinstance(graph, MediatorGraph):
        return gate(question, graph, "full" if access is None else access, verify=verify)
    check_admg(graph)
    if isinstance(question, Query):
        raise TermError(
            "A query of interventions is about a network, and the graph is a causal diagram.",
            "Questions about diagrams are probabilities and effects of their variables.",
            "Write identify('P(y | do(x))', graph), or give the network's graph.",
        )
    return answered(read_question(question, graph), graph, sources, verify)
