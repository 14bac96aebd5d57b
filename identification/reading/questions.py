"""Questions as they are given: text is read, and what is none is refused."""

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.arguments import quoted
from causalnet.identification.queries import Effect, Question
from causalnet.identification.reading.parsing import parse_question

__all__ = ["read_effect", "read_question"]


def read_question(question: Question | str, graph: ADMG) -> Question:
    """Return a question, read from text where it is text.

    Raises:
        TermError: Text that does not parse, with the place.
        UnknownMediatorError: Text that names a variable that is not in the graph.
        ParameterError: Neither a question nor text, or no graph.

    >>> read_question("P(y | do(x))", ADMG.of(directed=[("X", "Y")]))
    ... # doctest: +ELLIPSIS
    Effect(outcomes=(Value(variable='Y', name='y'),), ...)
    """
    check_admg(graph)
    if isinstance(question, str):
        return parse_question(question, graph)
    if not isinstance(question, Question):
        raise ParameterError(
            f"{quoted(question)} is no question.",
            "A question is text, or one of Effect, Counterfactual, PathSpecific, Mediation and "
            "Causation.",
            "Write 'P(y | do(x))'.",
        )
    return question


def read_effect(question: Effect | str, graph: ADMG) -> Effect:
    """Return a question about the effect of an intervention, read from text where it is text.

    Raises:
        TermError: Text that does not parse, with the place.
        UnknownMediatorError: Text that names a variable that is not in the graph.
        ParameterError: A question of another kind, or none.

    >>> print(read_effect("P(Y | do(X))", ADMG.of(directed=[("X", "Y")])))
    P(y | do(x))
    """
    found = read_question(question, graph)
    if not isinstance(found, Effect):
        raise ParameterError(
            f"{found} is no effect of an intervention.",
            "Only these have it: P(y | do(x)) and P(y | do(x), z).",
            "Write 'P(y | do(x))'.",
        )
    return found
