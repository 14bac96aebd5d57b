"""Front-door sets: is a set one, is there one, and one without a node to spare.

| name | what |
|---|---|
| `is_front_door_set` | `FrontDoorCheck`: each of the three conditions with its evidence |
| `front_door_set` | the largest one, or `NoFrontDoorSet` with a path and why it stays open |
| `minimal_front_door_set` | one no part of which is one |

A front-door set (1) meets every directed path from treatments to outcomes, (2) has no open
back-door path from treatments, and (3) has back-door paths to outcomes only if treatments block
them.  Then P(y | do(x)) is sum_z P(z|x) sum_x' P(y|x',z) P(x').

Pearl (1995), "Causal diagrams for empirical research"; Jeong, Tian and Bareinboim (2022), "Finding
and listing front-door adjustment sets"; Wienöbst, van der Zander and Liśkiewicz (2024),
"Linear-time algorithms for front-door adjustment in causal graphs".  Everything takes linear time.

Sets with (2) and (3) are closed under union, so there is a largest one, Z, and (1) holds for some
set only if it holds for Z.  No node with (2) is an ancestor of treatments, and no walk through a
collider that treatments open leads to one, as they would be joined to it from there.  So the
searches for (3) open no collider.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from causalnet.errors import InternalError
from causalnet.graphs.adjacency import Flags, Numbers, flags, reach
from causalnet.graphs.admg import ADMG, Names, check_admg
from causalnet.graphs.open_walks import find_walk
from causalnet.graphs.separation import m_separated
from causalnet.graphs.walks import Connected, Separated
from causalnet.identification.adjusting.adjustment import shown
from causalnet.identification.adjusting.proper_back_door import (
    allowed_among,
    check_disjoint,
    directed_path,
    without_edges,
)

__all__ = [
    "FrontDoorCheck",
    "Intercepted",
    "NoFrontDoorSet",
    "NotIntercepted",
    "Obstacle",
    "front_door_set",
    "is_front_door_set",
    "minimal_front_door_set",
]

_EXPLAINED = 8  # nodes of a path for which the obstacle is sought, each in linear time


@final
@dataclass(frozen=True, slots=True)
class Intercepted:
    """Every directed path from treatments to outcomes meets a set."""

    def __str__(self) -> str:
        """Return the statement."""
        return "it meets every causal path"


@final
@dataclass(frozen=True, slots=True)
class NotIntercepted:
    """A directed path from a treatment to an outcome does not meet a set.

    Attributes:
        path: Its nodes.
    """

    path: tuple[str, ...]

    def __str__(self) -> str:
        """Return the path."""
        return f"it does not meet {' -> '.join(self.path)}"


@final
@dataclass(frozen=True, slots=True)
class FrontDoorCheck:
    """Whether a set is a front-door set, condition by condition; true in a condition if it is.

    Attributes:
        zs: The set.
        causal_paths: Condition 1.
        from_treatments: Condition 2: treatments and the set in the graph without edges out of
            treatments.
        to_outcomes: Condition 3: the set and outcomes, given treatments, in the graph without edges
            out of the set.
    """

    zs: frozenset[str]
    causal_paths: Intercepted | NotIntercepted
    from_treatments: Separated | Connected
    to_outcomes: Separated | Connected

    def __bool__(self) -> bool:
        """Return whether all three conditions hold."""
        return (
            isinstance(self.causal_paths, Intercepted)
            and isinstance(self.from_treatments, Separated)
            and isinstance(self.to_outcomes, Separated)
        )

    def __str__(self) -> str:
        """Return the verdict, and the three conditions."""
        verdict = "is" if self else "is not"
        return "\n".join(
            (
                f"{shown(self.zs)} {verdict} a front-door set:",
                f"  1. {self.causal_paths}",
                f"  2. back doors from treatments: {_told(self.from_treatments)}",
                f"  3. back doors to outcomes: {_told(self.to_outcomes)}",
            )
        )


@final
@dataclass(frozen=True, slots=True)
class NotAllowed:
    """A node is not among those that are allowed."""

    def __str__(self) -> str:
        """Return the statement."""
        return "it is not allowed"


@final
@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a node is in no front-door set.

    Attributes:
        node: Its name.
        because: That it is not allowed; or a back-door path from a treatment; or one to an outcome
            that stays open given treatments, whatever else is in the set.
    """

    node: str
    because: "Because"

    def __str__(self) -> str:
        """Return the node and the reason."""
        told = f"{self.because} is open" if isinstance(self.because, Connected) else self.because
        return f"not {self.node}: {told}"


Because: TypeAlias = NotAllowed | Connected


@final
@dataclass(frozen=True, slots=True)
class NoFrontDoorSet:
    """There is no front-door set of allowed nodes; false in a condition.

    Attributes:
        path: A directed path from a treatment to an outcome on which no node can be in the set;
            empty if a node that the set must have cannot be in it.
        obstacles: Why, for the first nodes of the path, or for that one node.
    """

    path: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]

    def __bool__(self) -> bool:
        """Return False."""
        return False

    def __str__(self) -> str:
        """Return the path, and why its nodes are not in a set."""
        reasons = "; ".join(map(str, self.obstacles))
        if not self.path:
            return f"No front-door set: {reasons}"
        stated = f"No front-door set meets {' -> '.join(self.path)}"
        return f"{stated}: {reasons}" if reasons else stated


def is_front_door_set(graph: ADMG, xs: Names, ys: Names, zs: Names) -> FrontDoorCheck:
    """Decide whether a set is a front-door set, in linear time.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        zs: The set.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node in two of the three sets.

    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")])
    >>> print(is_front_door_set(graph, "X", "Y", "M"))
    {M} is a front-door set:
      1. it meets every causal path
      2. back doors from treatments: none open, X ⊥ M
      3. back doors to outcomes: none open, M ⊥ Y | X
    >>> bool(is_front_door_set(graph, "X", "Y", ()))
    False
    """
    problem = _Problem.of(graph, xs, ys)
    numbers = graph.indices(zs)
    check_disjoint(graph, xs=problem.xs, ys=problem.ys, zs=numbers)
    names = frozenset(graph.names_of(numbers))
    path = problem.open_path(flags(len(graph), numbers))
    return FrontDoorCheck(
        zs=names,
        causal_paths=NotIntercepted(graph.names_of(path)) if path else Intercepted(),
        from_treatments=m_separated(graph.cut_out(xs), xs, names),
        to_outcomes=m_separated(graph.cut_out(names), names, ys, xs),
    )


def front_door_set(
    graph: ADMG, xs: Names, ys: Names, including: Names = (), within: Names | None = None
) -> frozenset[str] | NoFrontDoorSet:
    """Return the largest front-door set if there is one, in linear time.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.

    >>> graph = ADMG.of([("X", "A"), ("A", "B"), ("B", "Y")], [("X", "Y")])
    >>> sorted(front_door_set(graph, "X", "Y"))
    ['A', 'B']
    >>> print(front_door_set(ADMG.of([("X", "M"), ("M", "Y")], [("X", "M")]), "X", "Y"))
    No front-door set meets X -> M -> Y: not M: X <-> M is open
    """
    problem = _Problem.of(graph, xs, ys)
    found = problem.largest(including, within)
    if isinstance(found, NoFrontDoorSet):
        return found
    return frozenset(graph.names_of(np.flatnonzero(found)))


def minimal_front_door_set(
    graph: ADMG, xs: Names, ys: Names, including: Names = (), within: Names | None = None
) -> frozenset[str] | NoFrontDoorSet:
    """Return a front-door set without a node to spare if there is one, in linear time.

    No part of it that still has the nodes of `including` is a front-door set.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.

    >>> graph = ADMG.of([("X", "A"), ("A", "B"), ("B", "Y")], [("X", "Y")])
    >>> sorted(minimal_front_door_set(graph, "X", "Y"))
    ['B']
    """
    problem = _Problem.of(graph, xs, ys)
    found = problem.largest(including, within)
    if isinstance(found, NoFrontDoorSet):
        return found
    chosen = problem.smallest(found, graph.indices(including))
    return frozenset(graph.names_of(np.flatnonzero(chosen)))


def _told(found: Separated | Connected) -> str:
    return f"{found} is open" if isinstance(found, Connected) else f"none open, {found}"


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Numbered treatments and outcomes."""

    graph: ADMG
    xs: Numbers
    ys: Numbers
    treated: Flags

    @classmethod
    def of(cls, graph: ADMG, xs: Names, ys: Names) -> "_Problem":
        check_admg(graph)
        sources, ends = np.unique(graph.indices(xs)), np.unique(graph.indices(ys))
        check_disjoint(graph, xs=sources, ys=ends)
        return cls(graph, sources, ends, flags(len(graph), sources))

    def largest(self, including: Names, within: Names | None) -> Flags | NoFrontDoorSet:
        """Return the largest set with conditions 2 and 3 if it has 1 (Wienöbst et al. 2024)."""
        graph = self.graph
        forced = graph.indices(including)
        check_disjoint(graph, xs=self.xs, ys=self.ys, including=forced)
        allowed = allowed_among(graph, forced, within)
        allowed[np.concatenate((self.xs, self.ys))] = False
        chosen = allowed & ~self.behind_treatments()
        chosen &= ~reached_from_outcomes(self, chosen)[0]
        missed = forced[~chosen[forced]]
        if missed.size:
            return NoFrontDoorSet((), (self.obstacle(int(missed[0]), allowed, chosen),))
        path = self.open_path(chosen)
        if path:
            shut = (self.obstacle(node, allowed, chosen) for node in path[1:-1][:_EXPLAINED])
            return NoFrontDoorSet(graph.names_of(path), tuple(shut))
        return chosen

    def behind_treatments(self) -> Flags:
        """Return the nodes to which a back-door path from a treatment is open."""
        nodes = np.ones(len(self.graph), np.bool_)
        rest = self.graph.cut_out(self.graph.names_of(self.xs))
        return flags(len(nodes), find_walk(rest, self.xs, ~nodes, nodes, ~nodes).entered)

    def open_path(self, chosen: Flags) -> tuple[int, ...]:
        """Return a directed path from a treatment to an outcome that avoids some nodes, if any."""
        rows = self.graph.child_rows
        around = without_edges(rows, (chosen | self.treated)[rows.ends])
        return directed_path(around, self.xs, flags(len(self.graph), self.ys))

    def obstacle(self, node: int, allowed: Flags, chosen: Flags) -> Obstacle:
        """Return why a node is not in the largest set."""
        graph = self.graph
        name, xs, ys = graph.nodes[node], graph.names_of(self.xs), graph.names_of(self.ys)
        if not allowed[node]:
            return Obstacle(name, NotAllowed())
        found = m_separated(graph.cut_out(xs), xs, name)
        if isinstance(found, Separated):
            kept = graph.names_of(np.flatnonzero(chosen))
            found = m_separated(graph.cut_out((*kept, name)), name, ys, xs)
        if isinstance(found, Separated):
            raise InternalError(f"{name} was left out of a front-door set, but {found}.")
        return Obstacle(name, found)

    def smallest(self, chosen: Flags, forced: Numbers) -> Flags:
        """Return a minimal part of the largest set, in linear time (Wienöbst et al. 2024).

        Of the largest set only nodes next to outcomes matter: those with a directed path to one
        that meets no other.  Of these, the ones next to treatments are needed for condition 1; and
        any to which a back-door path leads from one that is needed is needed for condition 3.
        """
        graph, count = self.graph, len(self.graph)
        up, down = graph.parent_rows, graph.child_rows
        must = flags(count, forced)
        above = flags(count, reach(without_edges(up, chosen[up.sources]), self.ys))
        useful = (chosen & above) | must
        below = flags(count, reach(without_edges(down, useful[down.sources]), self.xs))
        needed = (useful & below) | must
        # Edges out of useful nodes are walked up only, to find these nodes; from there a walk goes
        # on as from a source.  So children are without those edges, and parents are with them.
        walked = ADMG(
            graph.nodes, without_edges(down, useful[down.sources]), up, graph.sibling_rows
        )
        none = np.zeros(count, np.bool_)
        sources = np.flatnonzero(needed).astype(np.int32)
        found = find_walk(walked, sources, none, ~self.treated, useful)
        return useful & flags(count, found.entered)


def reached_from_outcomes(problem: _Problem, candidates: Flags) -> tuple[Flags, int]:
    """Return the candidates from which back-door paths to outcomes stay open, and the visits.

    Edges out of candidates are cut until a walk reaches them: then they are none any more, and
    their edges are there again (Wienöbst et al. 2024).  Every node is entered at most
    once by an arrowhead and once by a tail.
    """
    graph, treated = problem.graph, problem.treated
    shut = candidates.copy()
    going_up = np.zeros(len(graph), np.bool_)  # a walk goes on from here to parents and siblings
    seen = {(node, False) for node in problem.ys.tolist()}
    queue = list(seen)
    visited = 0
    for node, by_head in queue:  # which grows while it is read
        reached: list[tuple[int, bool]] = []
        if by_head and shut[node]:
            shut[node] = False
            children = graph.child_rows.row(node)
            if going_up[children].any():
                reached.append((node, False))
            visited += children.size
        if not treated[node]:
            reached += [(child, True) for child in graph.child_rows.row(node).tolist()]
        if not by_head and not treated[node]:
            going_up[node] = True
            parents = graph.parent_rows.row(node)
            reached += [(parent, False) for parent in parents[~shut[parents]].tolist()]
            reached += [(end, True) for end in graph.sibling_rows.row(node).tolist()]
        visited += 1 + len(reached)
        fresh = [state for state in reached if state not in seen]
        seen.update(fresh)
        queue += fresh
    return candidates & ~shut, visited
