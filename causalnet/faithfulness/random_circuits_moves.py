"""Steps between circuits of edges that are alike: a Markov chain that favours none of them.

Two circuits are alike where they have as many edges of every class: layer and kind of the sender
(head, MLP, embedding), layer and channel of the receiver (query, key, value, MLP, logits).  Every
step is as likely as the step back, so that each connected circuit is as likely as any other once
the start is forgotten (Metropolis et al. 1953):

- An exchange takes two heads (or K/V groups) of a layer and every pair of edges that differ in the
  head alone and of which the circuit has one: each pair is turned by a coin.  So heads move, split
  and join.
- A swap takes k edges, P(k) = 2^-k, and puts as many others of the same classes in their place, so
  that any circuit can be reached.

A step that would leave an edge on no path from the inputs to the logits is not taken.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from causalnet.faithfulness.random_circuits_wiring import Numbers, Wiring

__all__ = ["Moves", "moves_of"]

Map = tuple[Numbers, Numbers]
"""Senders and receivers with two of each exchanged, [senders], [receivers]."""


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """The steps from a circuit to those that are alike.

    Attributes:
        wiring: Every edge by numbers.
        classes: The edges of each class.
        exchanges: For each layer what is exchanged in it: pairs of heads, pairs of K/V groups.
        movable: The classes of which the circuit has some edges and not all.
    """

    wiring: Wiring
    classes: dict[int, Numbers]
    exchanges: tuple[Map, ...]
    movable: frozenset[int]

    @property
    def is_alone(self) -> bool:
        """Whether the circuit has all or none of every class, so that no other is alike."""
        return not self.movable

    def walk(self, start: Numbers, steps: int, rng: np.random.Generator) -> Numbers:
        """Return the circuit after so many steps, edges sorted."""
        circuit = start
        for coin in rng.random(steps):
            if coin < 0.5 and self.exchanges:
                found = self._exchanged(circuit, rng)
            else:
                found = self._swapped(circuit, rng)
            if found is not None and self.wiring.is_connected(found):
                circuit = found
        return np.sort(circuit)

    def _exchanged(self, circuit: Numbers, rng: np.random.Generator) -> Numbers | None:
        senders, receivers = self.exchanges[int(rng.integers(len(self.exchanges)))]
        wiring = self.wiring
        sender, receiver = senders[wiring.sender[circuit]], receivers[wiring.receiver[circuit]]
        mirrored = wiring.first[receiver] + sender
        differs = (mirrored != circuit) & ~np.isin(mirrored, circuit)
        turned = differs & (rng.random(len(circuit)) < 0.5)
        return np.where(turned, mirrored, circuit) if turned.any() else None

    def _swapped(self, circuit: Numbers, rng: np.random.Generator) -> Numbers | None:
        alike = self.wiring.alike[circuit]
        places = np.flatnonzero(np.isin(alike, list(self.movable)))
        count = int(rng.geometric(0.5))
        if count > len(places):
            return None
        places = rng.choice(places, size=count, replace=False)
        found = circuit.copy()
        for which in np.unique(alike[places]):
            gone = places[alike[places] == which]
            others = np.setdiff1d(self.classes[int(which)], circuit, assume_unique=True)
            if len(gone) > len(others):
                return None
            found[gone] = rng.choice(others, size=len(gone), replace=False)
        return found


def moves_of(wiring: Wiring, circuit: Numbers) -> Moves:
    """Return the steps from a circuit to those that have as many edges of every class."""
    here = frozenset(wiring.alike[circuit].tolist())
    classes = {which: np.flatnonzero(wiring.alike == which) for which in sorted(here)}
    taken = {which: int((wiring.alike[circuit] == which).sum()) for which in classes}
    movable = frozenset(which for which, own in classes.items() if taken[which] < len(own))
    used = set(wiring.sender[circuit].tolist())
    used |= set(wiring.owners[np.isin(wiring.owners[:, 0], wiring.receiver[circuit]), 1].tolist())
    return Moves(wiring, classes, tuple(_exchanges(wiring, frozenset(used))), movable)


def _exchanges(wiring: Wiring, used: frozenset[int]) -> list[Map]:
    """Return what can be exchanged in the layers where the circuit has an edge."""
    found: list[Map] = []
    shares, first = wiring.layout.graph.shape.shares_keys, 0
    for stage in wiring.layout.stages:
        first, at = first + stage.receivers, first
        if stage.kind != "attention" or used.isdisjoint(stage.writers):
            continue
        heads, groups = len(stage.queries), len(stage.groups)
        sides = [[at + heads + group, at + heads + groups + group] for group in range(groups)]
        own = [[at + head, *([] if shares else sides[head])] for head in range(heads)]
        start = stage.writers.start
        found += [
            (_exchanged(len(wiring.layout.senders), [start + one], [start + other]),
             _exchanged(len(wiring.first), own[one], own[other]))
            for one, other in combinations(range(heads), 2)
        ]  # fmt: skip
        found += [
            (_exchanged(len(wiring.layout.senders), [], []),
             _exchanged(len(wiring.first), sides[one], sides[other]))
            for one, other in combinations(range(groups if shares else 0), 2)
        ]  # fmt: skip
    return found


def _exchanged(count: int, ones: list[int], others: list[int]) -> Numbers:
    """Return the numbers up to a count, some exchanged with others."""
    numbers = np.arange(count)
    numbers[[*ones, *others]] = [*others, *ones]
    return numbers
