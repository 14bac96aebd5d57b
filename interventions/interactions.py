"""How mediators act together: Möbius interactions and Shapley values of patching games.

The players are mediators or joint sets; the worth of a coalition R is the outcome with the players
in R patched from the other input and no other, v(R) = Y(x, M_R := M_R(x')).

| name | definition | source |
|---|---|---|
| INT(S) | sum over R in S of (-1)^(|S| - |R|) v(R) | Möbius transform, Rota 1964; Harsanyi 1963 |
| SHAPLEY(i) | mean over orders of v(before i, and i) - v(before i) | Shapley 1953 |

The interactions of all subsets of S add up to v(S) - v(no one), where that of the empty set is left
out; the Shapley values of all players add up to v(all) - v(no one).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import comb, factorial

import numpy as np

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.contrasts import INTERCHANGE, patch
from causalnet.interventions.queries import (
    Direction,
    MediatorSet,
    Query,
    Treated,
    positions_of,
    rows_of,
    worlds_of,
)
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.scalars import Contrast, Read
from causalnet.interventions.views import Position

__all__ = ["EXACT_PLAYERS", "interaction", "interactions", "shapley"]

EXACT_PLAYERS = 12
"""The most players whose 2^n coalitions are all patched."""

_MOST_ROWS = 100_000

Coalition = tuple[int, ...]


class _Game:
    """The worth of every coalition, as a read-out of one world each."""

    def __init__(
        self,
        players: Sequence[Treated],
        at: Position | Sequence[Position],
        outcome: ReadOut,
        direction: Direction,
    ) -> None:
        self.players: list[MediatorSet] = rows_of(players)
        self.at, self.outcome, self.direction = positions_of(at), outcome, direction
        self.worth = cache(self._worth)
        everyone = self.members(range(len(self.players)))
        twice = [member for member in everyone if everyone.count(member) > 1]
        if twice:
            raise TermError(
                f"{twice[0]} belongs to two players.", "Players of a game share no mediator."
            )

    def members(self, coalition: Sequence[int]) -> tuple[Mediator, ...]:
        return tuple(member for player in coalition for member in self.players[player].members)

    def _worth(self, coalition: Coalition) -> Read:
        below, other = worlds_of(self.direction)
        if not coalition:
            return Read(self.outcome, below)
        world = patch(below, self.members(coalition), INTERCHANGE, other, self.at)
        return Read(self.outcome, world)

    def mobius(self, coalition: Coalition) -> Contrast:
        """Return the alternating sum over the subsets of a coalition, the largest first."""
        size = len(coalition)
        return Contrast(
            tuple(
                ((-1.0) ** (size - count), self.worth(subset))
                for count in range(size, -1, -1)
                for subset in combinations(coalition, count)
            )
        )

    def query(self, estimand: str, rows: Sequence[tuple[Coalition, Contrast]]) -> Query:
        return Query(
            estimand,
            tuple(
                (" & ".join(self.players[player].label for player in coalition), contrast)
                for coalition, contrast in rows
            ),
            tuple(self.members(coalition) for coalition, _ in rows),
            self.outcome,
            self.at,
            INTERCHANGE,
            self.direction,
        )


def interaction(
    *players: Treated,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return the Möbius interaction of all the players: what they do only together.

    Args:
        players: Mediators or joint sets; of one it is the patch effect itself.
        at: Positions at which they are set.
        outcome: The read-out.
        direction: Which input's world is patched.

    Raises:
        TermError: More players than are patched exactly, or a mediator in two of them.

    >>> from causalnet.graphs import plain_graph
    >>> graph = plain_graph({"A": (), "B": (), "Y": ("A", "B")})
    >>> both = interaction(graph.find("A"), graph.find("B"))
    >>> [(label, len(contrast.terms)) for label, contrast in both.contrasts]
    [('A & B', 4)]
    """
    _few(len(players))
    game = _Game(players, at, outcome, direction)
    everyone = tuple(range(len(game.players)))
    return game.query("INT", [(everyone, game.mobius(everyone))])


def interactions(
    players: Sequence[Treated],
    *,
    order: int = 2,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return the Möbius interactions of all sets of at most `order` players.

    Rows of one player are its patch effects.  Every coalition's world is built once.

    Args:
        players: Mediators or joint sets.
        order: The largest number of players in a set.
        at: Positions at which they are set.
        outcome: The read-out.
        direction: Which input's world is patched.

    Raises:
        TermError: An order below 1 or above the number of players, or too many sets.
    """
    game = _Game(players, at, outcome, direction)
    count = len(game.players)
    if not 1 <= order <= count:
        raise TermError(
            f"Interactions of order {order}.", f"{count} players have orders 1..{count}."
        )
    rows = sum(comb(count, size) for size in range(1, order + 1))
    if order > EXACT_PLAYERS or rows > _MOST_ROWS:
        raise TermError(
            f"{rows} sets of up to {order} of {count} players.",
            f"At most {_MOST_ROWS} sets of up to {EXACT_PLAYERS} are listed.",
            "Give fewer players, joint sets of them, or a lower order.",
        )
    everyone = range(count)
    chosen = [group for size in range(1, order + 1) for group in combinations(everyone, size)]
    return game.query("INT", [(group, game.mobius(group)) for group in chosen])


def shapley(
    players: Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
    permutations: int = 0,
    seed: int = 0,
) -> Query:
    """Return the Shapley value of every player in the patching game.

    Up to 12 players it is exact, by every coalition once.  Above, it is estimated from orders drawn
    at random (Castro, Gómez and Tejada 2009): unbiased, and the estimates still add up exactly.

    Args:
        players: Mediators or joint sets.
        at: Positions at which they are set.
        outcome: The read-out.
        direction: Which input's world is patched.
        permutations: Number of orders that are drawn; 0 asks for exact values.
        seed: Seed of the orders.

    Raises:
        TermError: More than 12 players and no number of permutations.
    """
    game = _Game(players, at, outcome, direction)
    count = len(game.players)
    if permutations < 0:
        raise TermError(f"{permutations} permutations.", "0 is exact; otherwise give 1 or more.")
    if not permutations:
        _few(count)
        return game.query("SHAPLEY", [((player,), _exact(game, player)) for player in range(count)])
    rng = np.random.default_rng(seed)
    orders = [tuple(map(int, rng.permutation(count))) for _ in range(permutations)]
    rows = [((player,), _sampled(game, player, orders)) for player in range(count)]
    return replace(
        game.query("SHAPLEY", rows),
        estimator=f"{permutations} permutations, seed {seed}",
        error="unbiased; its standard error falls as one over the root of the permutations",
    )


def _few(count: int) -> None:
    if not 1 <= count <= EXACT_PLAYERS:
        raise TermError(
            f"{count} players, whose coalitions are 2^{count}.",
            f"From 1 to {EXACT_PLAYERS} players are computed exactly.",
            "Give fewer, join some by joint(...), or use shapley(..., permutations=200).",
        )


def _exact(game: _Game, player: int) -> Contrast:
    count = len(game.players)
    rest = [other for other in range(count) if other != player]
    terms = []
    for size in range(count):
        weight = factorial(size) * factorial(count - size - 1) / factorial(count)
        for coalition in combinations(rest, size):
            terms.append((weight, game.worth(tuple(sorted((*coalition, player))))))
            terms.append((-weight, game.worth(coalition)))
    return Contrast(tuple(terms))


def _sampled(game: _Game, player: int, orders: Sequence[Coalition]) -> Contrast:
    """Return the mean gain of a player over orders, each coalition's weights added up."""
    weights: dict[Read, int] = {}
    for order in orders:
        before = order[: order.index(player)]
        gained, without = tuple(sorted((*before, player))), tuple(sorted(before))
        weights[game.worth(gained)] = weights.get(game.worth(gained), 0) + 1
        weights[game.worth(without)] = weights.get(game.worth(without), 0) - 1
    return Contrast(
        tuple((weight / len(orders), read) for read, weight in weights.items() if weight)
    )
