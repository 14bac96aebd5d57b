"""What a query would run on a network and prompts, without running it."""

from dataclasses import dataclass

from causalnet.effects.queries import query_of
from causalnet.effects.reference import mean_forwards
from causalnet.execute import schedule
from causalnet.interventions import Facts, Query, Scalar, TermExplanation, explain_terms
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["Explanation", "explain", "facts_of"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query means, and the work behind it.

    Attributes:
        query: The query.
        terms: Its normal form, its zero effects, and its worlds before and after merging.
        worlds: Distinct worlds as they are written, and gradients.
        prompts: Pairs.
        forwards: Forward passes, each over one batch.
        batch_size: Prompts in a batch.
        reference_forwards: Forward passes over the reference set, for means.
    """

    query: Query
    terms: TermExplanation
    worlds: int
    prompts: int
    forwards: int
    batch_size: int
    reference_forwards: int = 0

    def __str__(self) -> str:
        """Return the query, what it means and its cost, a few lines each."""
        return "\n".join(
            [
                f"QUERY     {str(self.query).splitlines()[0]}",
                *self.terms.lines(),
                f"PROMPTS   {self.prompts} pairs in batches of {self.batch_size}",
                f"FORWARDS  {self.forwards}, that is {self.worlds} on each pair{self._for_means()}",
                "EXECUTOR  hooks: exact, one forward pass for each distinct world and batch",
            ]
        )

    def _for_means(self) -> str:
        count = self.reference_forwards
        return f", and {count} over the reference set" if count else ""


def explain(
    query: Query | Scalar | str, net: LiftedNetwork, pairs: PromptPairs, *, batch_size: int = 16
) -> Explanation:
    """Say what a query, a scalar or the text of either means and would run, without running it.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the network.
    """
    query = query_of(query, net.graph)
    terms = explain_terms(query, net.graph, facts_of(pairs))
    steps = schedule(query.leaves)
    forwards = len(steps) * -(-len(pairs) // batch_size)
    means = mean_forwards(query.ablation)
    return Explanation(query, terms, len(steps), len(pairs), forwards, batch_size, means)


def facts_of(pairs: PromptPairs) -> Facts:
    """Return what holds of the tokens of all pairs: equal beginnings, fixed positions, lengths.

    A position counts as fixed where it is one column in every prompt, base and source.
    """
    rows = list(zip(pairs.base.ids, pairs.source.ids, strict=True))
    shared = min((_shared(base, source) for base, source in rows), default=0)
    columns = []
    for name, places in pairs.base.positions.items():
        others = pairs.source.positions.get(name, ())
        if len({*places, *others}) == 1 and others:
            columns.append((name, places[0]))
    longest = max((len(ids) for row in rows for ids in row), default=0)
    return Facts((("base", "source", shared),), tuple(columns), longest)


def _shared(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next(
        (at for at, (ours, theirs) in pairs if ours != theirs), min(len(first), len(second))
    )
