"""From values back to worlds: the fewest runs in which all needed calls fit, as a trie.

A plan world is a world as it was written, without the calls that earlier ones make already.  So it
has at most one call of every mechanism, worlds that are written differently and have equal values
become one, and every plan world is a parent world up to the mechanism where it first differs.
No algorithm that knows nothing of the mechanisms makes fewer calls than there are distinct ones (a
call that is left out could have any value), nor has fewer worlds than some mechanism has calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.interventions.normal_form import NormalForm, parts_of_key
from causalnet.interventions.numbering import Block, Ids, Key

__all__ = ["PlanWorld", "WorldPlan", "plan_worlds"]

NONE = -1


@dataclass(frozen=True, slots=True)
class PlanWorld:
    """One run of the network, or of its part after a first difference.

    Attributes:
        parent: The plan world that it equals up to the divergence; -1 for a run of its own.
        diverges: The node whose call is the first of its own.
        calls: How many calls it makes.
    """

    parent: int
    diverges: str
    calls: int


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """The runs that some terms need.

    Attributes:
        worlds: The plan worlds, parents first.
        worlds_before: How many distinct worlds the terms have, with those that they read.
        calls_before: How many calls they would make if each were run by itself.
        calls: How many distinct calls are needed: what the plan makes, and the lower bound for any
            algorithm that knows nothing of the mechanisms.
        at_least: The largest number of calls of one mechanism: no plan has fewer worlds.
    """

    worlds: tuple[PlanWorld, ...]
    worlds_before: int
    calls_before: int
    calls: int
    at_least: int

    def __str__(self) -> str:
        """Return the counts in one line."""
        worlds = "world becomes" if self.worlds_before == 1 else "worlds become"
        return (
            f"{self.worlds_before} {worlds} {len(self.worlds)} (at least {self.at_least}); "
            f"{self.calls_before:,} calls of mechanisms become {self.calls:,}, the lower bound"
        )


def plan_worlds(form: NormalForm, roots: Iterable[int] | None = None) -> WorldPlan:
    """Return the runs that the terms of a normal form need.

    Args:
        form: The normal form.
        roots: The numbers of the values that are wanted; by default those of all terms.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import At, Base, Const, Do, Edge, Node, normal_form
    >>> graph = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("M", "Z")})
    >>> base, source = Base("base"), Base("source")
    >>> path = Do(base, ((Edge("M", "Z"), At("M", source)),))
    >>> again = Do(base, ((Node("Z"), At("Z", source)),))
    >>> form = normal_form([At("Y", base), At("Y", path), At("Y", again)], graph)
    >>> print(plan_worlds(form))
    4 worlds become 3 (at least 2); 12 calls of mechanisms become 6, the lower bound
    """
    plan = _Plan(form, form.live(roots))
    return WorldPlan(
        tuple(
            PlanWorld(parent, name, calls)
            for parent, name, calls in zip(plan.parents, plan.names, plan.calls, strict=True)
        ),
        len(form.worlds),
        len(form.worlds) * sum(1 for node in form.graph.nodes if node.slots),
        sum(plan.versions.values()),
        max(plan.versions.values(), default=0),
    )


class _Plan:
    """Puts every needed call into the first world that makes it, in the order of their numbers."""

    def __init__(self, form: NormalForm, live: NDArray[np.bool_]) -> None:
        self.parents: list[int] = []
        self.names: list[str] = []
        self.calls: list[int] = []
        self.versions: dict[str, int] = {}
        self._callers = form.callers()
        self._started: dict[int, int] = {}
        self._of = np.full(len(form), NONE, dtype=np.int32)  # plan worlds, by number
        for block in form.blocks:
            here = np.flatnonzero(live[block.start : block.start + len(block)])
            if block.table is None:
                for offset in here:
                    self._single(block.start + int(offset), block.keys[offset])
            elif len(here) and block.table.name[0] == "call":
                self._called(block, block.table.name[1], here)
            elif len(here):
                self._of[block.start + here] = self._latest(block, here)

    def _single(self, number: int, key: Key) -> None:
        """Put a value that is no call where the latest of its parts is."""
        parts = [int(self._of[part]) for part in parts_of_key(key)]
        self._of[number] = max(parts, default=NONE)

    def _latest(self, block: Block, here: NDArray[np.intp]) -> Ids:
        latest: Ids = self._of[block.arguments[0][here]]
        for column in block.arguments[1:]:
            latest = np.maximum(latest, self._of[column[here]])
        return latest

    def _called(self, block: Block, name: str, here: NDArray[np.intp]) -> None:
        self.versions[name] = self.versions.get(name, 0) + len(here)
        numbers = block.start + here
        parents = self._latest(block, here).tolist()
        for number, caller, parent in zip(
            numbers.tolist(), self._callers[numbers].tolist(), parents, strict=True
        ):
            if caller not in self._started:
                self._started[caller] = len(self.parents)
                self.parents.append(parent)
                self.names.append(name)
                self.calls.append(0)
            world = self._started[caller]
            self.calls[world] += 1
            self._of[number] = world
