"""From values back to worlds: the fewest runs in which all needed calls fit, as a trie.

A plan world has at most one call of every mechanism.  A call goes into the world of its arguments;
where that world has another call of the mechanism already, a new world starts there.  So worlds
that are written differently and have equal values become one, and every plan world is a parent
world up to the mechanism where it first differs.  No algorithm that knows nothing of the mechanisms
makes fewer calls than there are distinct ones (a call that is left out could have any value), nor
has fewer worlds than some mechanism has calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.interventions.mixes import PARTS, POSITIONS
from causalnet.interventions.normal_form import NormalForm
from causalnet.interventions.numbering import Block, Ids, Key, Table

__all__ = ["PlanWorld", "WorldPlan", "plan_worlds"]

NONE = -1


@dataclass(frozen=True, slots=True)
class PlanWorld:
    """One run of the network, or of its part after a first difference.

    Attributes:
        parent: The plan world that it equals up to the divergence; -1 for a run of its own.
        diverges: The node whose call is the first of its own; for a run of its own the input.
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
        return (
            f"{self.worlds_before} worlds become {len(self.worlds)} (at least {self.at_least}); "
            f"{self.calls_before} calls become {self.calls}, the lower bound"
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
    4 worlds become 3 (at least 2); 12 calls become 6, the lower bound
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
    """Puts every needed call into a world, in the order of their numbers."""

    def __init__(self, form: NormalForm, live: NDArray[np.bool_]) -> None:
        self.world: Ids = np.full(len(form), NONE, dtype=np.int32)
        self.parents: list[int] = []
        self.names: list[str] = []
        self.calls: list[int] = []
        self.versions: dict[str, int] = {}
        self._depth: list[int] = []
        self._runs: dict[Key, int] = {}
        self._taken: dict[str, set[int]] = {}
        for block in form.blocks:
            here = np.flatnonzero(live[block.start : block.start + len(block)])
            if block.table is None:
                for offset in here:
                    key = block.keys[offset]
                    self.world[block.start + offset] = self._single(key)
            elif len(here):
                self._put(block, block.table, here)

    def _single(self, key: Key) -> int:
        """Return the world of a value that is no call: that of what it mostly is."""
        match key:
            case ("input" | "noise variable", name, decides):
                run = (key[0], decides)
                if run not in self._runs:
                    self._runs[run] = self._start(NONE, name)
                return self._runs[run]
            case ("op", *_, arguments) if arguments:
                return int(self.world[arguments[0]])
            case (kind, *_, other) if kind in (POSITIONS, PARTS):
                return int(self.world[other])
            case _:
                return NONE

    def _start(self, parent: int, name: str) -> int:
        self.parents.append(parent)
        self.names.append(name)
        self.calls.append(0)
        self._depth.append(0 if parent == NONE else self._depth[parent] + 1)
        return len(self.parents) - 1

    def _put(self, block: Block, table: Table, here: NDArray[np.intp]) -> None:
        claimed = self.world[block.arguments[0][here]]
        for column in block.arguments[1:]:
            claimed = self._later(claimed, self.world[column[here]])
        if table.name[0] == "call":
            claimed = self._called(table.name[1], claimed)
        self.world[block.start + here] = claimed

    def _later(self, first: Ids, second: Ids) -> Ids:
        """Return the second world where it descends from the first, else the first."""
        if not self.parents:
            return first
        depth, parents = np.array(self._depth), np.array(self.parents)
        climbing = second.copy()
        while True:
            deeper = (first != NONE) & (climbing != NONE)
            deeper &= depth[climbing] > depth[first]
            if not deeper.any():
                break
            climbing[deeper] = parents[climbing[deeper]]
        return np.where((first == NONE) | (climbing == first), second, first)

    def _called(self, name: str, claimed: Ids) -> Ids:
        """Return the worlds of calls of one mechanism; a world that has one already branches."""
        self.versions[name] = self.versions.get(name, 0) + len(claimed)
        taken = self._taken.setdefault(name, set())
        found = claimed.copy()
        for place, world in enumerate(claimed.tolist()):
            if world == NONE or world in taken:
                world = self._start(world, name)
                found[place] = world
            taken.add(world)
            self.calls[world] += 1
        return found
