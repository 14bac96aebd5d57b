"""Sets of members of a circuit, and the search for the one that it lacks most."""

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np

from causalnet.claims.trials.protocol import Context
from causalnet.faithfulness import Member, Regime, Wanted

__all__ = ["GreedySearch", "Set", "without"]

Set: TypeAlias = tuple[Member, ...]


def without(circuit: Set, members: Set) -> tuple[Wanted, Wanted]:
    """Return the circuit without a set of its members, and the model without them."""
    rest = tuple(one for one in circuit if one not in members)
    return (Regime.KEPT, rest), (Regime.KNOCKED_OUT, members)


@final
class GreedySearch:
    """A greedy search for the set that circuit and model miss least alike (Wang et al. 2023).

    Members are added one after the other, each time the one with the largest difference, as long as
    the budget lasts; the worst of all sets that were tried is the answer.
    """

    def __init__(self, circuit: Set, tries: int, context: Context) -> None:
        """Start without having tried a set."""
        self._circuit, self._tries, self._context = circuit, tries, context
        self._gaps: dict[Set, float] = {}

    def worst(self) -> Set:
        """Search, and return the worst set."""
        hearing = self._context.hearing
        batches = -(-len(hearing.pairs("find")) // hearing.file.batch)
        size = len(self._circuit)
        most = min(self._tries, size * (size + 1) // 2)
        hearing.begin("search for the worst set of members", (2 * most + size) * batches)
        # A budget that ends within a step leaves out members by chance, not by place.
        order = np.random.default_rng([*self._context.seed, size]).permutation(size)
        chosen: Set = ()
        while len(chosen) < size and len(self._gaps) < self._tries:
            left = [self._circuit[place] for place in order if self._circuit[place] not in chosen]
            left = left[: self._tries - len(self._gaps)]
            sets = [self._sorted((*chosen, member)) for member in left]
            self._try(sets)
            chosen = max(sets, key=lambda one: abs(self._gaps[one]))
        return max(self._gaps, key=lambda one: abs(self._gaps[one]))

    def _sorted(self, members: Set) -> Set:
        return tuple(one for one in self._circuit if one in members)

    def _try(self, sets: Sequence[Set]) -> None:
        pairs = {members: without(self._circuit, members) for members in sets}
        wanted = tuple(one for both in pairs.values() for one in both)
        scores = self._context.hearing.read("find", wanted)
        for members, (kept, knocked_out) in pairs.items():
            self._gaps[members] = float((scores[kept] - scores[knocked_out]).mean())

    def to_json(self, worst: Set) -> dict[str, Any]:
        """Return the search as JSON values."""
        largest = sorted(self._gaps, key=lambda one: -abs(self._gaps[one]))[:10]
        return {
            "sets_tried": len(self._gaps),
            "budget": self._tries,
            "on_finding_prompts": self._gaps[worst],
            "largest_on_finding_prompts": [
                {"members": list(map(str, one)), "gap": self._gaps[one]} for one in largest
            ],
        }
