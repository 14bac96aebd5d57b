"""What a query would run, without running it."""

from dataclasses import dataclass

from causalnet.effects.reference import mean_forwards
from causalnet.execute import schedule
from causalnet.interventions import Query, check_query
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The work behind a query.

    Attributes:
        query: The query.
        worlds: Distinct worlds.
        prompts: Pairs.
        forwards: Forward passes, each over one batch.
        batch_size: Prompts in a batch.
        reference_forwards: Forward passes over the reference set, for means.
    """

    query: Query
    worlds: int
    prompts: int
    forwards: int
    batch_size: int
    reference_forwards: int = 0

    def __str__(self) -> str:
        """Return the query and its cost, a line each."""
        return (
            f"QUERY     {self.query}\n"
            f"WORLDS    {self.worlds} distinct, of {len(self.query.contrasts)} contrasts\n"
            f"PROMPTS   {self.prompts} pairs in batches of {self.batch_size}\n"
            f"FORWARDS  {self.forwards}, that is {self.worlds} on each pair"
            f"{self._for_means()}\n"
            f"EXECUTOR  hooks: exact, one forward pass for each distinct world and batch"
        )

    def _for_means(self) -> str:
        count = self.reference_forwards
        return f", and {count} over the reference set" if count else ""


def explain(
    query: Query, net: LiftedNetwork, pairs: PromptPairs, *, batch_size: int = 16
) -> Explanation:
    """Say what a query would run: worlds after merging equal ones, and forward passes.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the network.
    """
    steps = schedule(query.leaves)
    check_query(query, net.graph)
    batches = -(-len(pairs) // batch_size)
    forwards = len(steps) * batches
    means = mean_forwards(query.ablation)
    return Explanation(query, len(steps), len(pairs), forwards, batch_size, means)
