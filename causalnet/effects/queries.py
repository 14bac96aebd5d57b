"""What can be asked, a query, a scalar or the text of either, and of what."""

from causalnet.errors import ParameterError, TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Apply, Contrast, Grad, Query, Read, Scalar, parse_query
from causalnet.lift import LiftedModule, LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["check_asked_of", "query_of"]


def check_asked_of(net: object, pairs: object) -> None:
    """Check that a query is asked of a lifted network, on pairs of prompts.

    Raises:
        ParameterError: Something else was given, such as a model that was not lifted.
    """
    if not isinstance(net, LiftedNetwork):
        write = (
            "Ask a lifted module by cn.evaluate_query."
            if isinstance(net, LiftedModule)
            else "Write net = cn.lift(cn.load(...))."
        )
        raise ParameterError(
            f"A {type(net).__name__} was given as the network.", "It is a LiftedNetwork.", write
        )
    if not isinstance(pairs, PromptPairs):
        raise ParameterError(
            f"A {type(pairs).__name__} was given as the pairs.",
            "They are PromptPairs: base and source prompts with their answers.",
            "Write cn.tasks.ioi(model.tokenizer, n=64, seed=0), or PromptPairs.build.",
        )


def query_of(asked: Query | Scalar | str, graph: MediatorGraph) -> Query:
    """Return the query that was asked; a scalar is a query of one row.

    Raises:
        UnknownMediatorError, TermError: A text that is no query, or something else.
    """
    match asked:
        case Query():
            return asked
        case str():
            return parse_query(asked, graph)
        case Read() | Grad() | Contrast() | Apply():
            return parse_query(str(asked), graph)
    raise TermError(
        f"{asked!r:.80} is not a query.",
        "Queries, scalars and their texts are.",
        "Write for example cn.nie(net.heads(), at='end') or 'nie(heads; at=end)'.",
    )
