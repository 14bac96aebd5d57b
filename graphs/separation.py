"""m-separation, with the open walk as evidence, and minimal separators; all in linear time.

| name | what |
|---|---|
| `m_separated` | `Separated`, or `Connected` by a shortest open path |
| `is_m_separated` | the same as a bool |
| `minimal_separator` | a separator no part of which separates, or `NoSeparator` |

Richardson (2003), "Markov properties for acyclic directed mixed graphs"; van der Zander, Liśkiewicz
and Textor (2019), "Separators and adjustment sets in causal graphs"; van der Zander and Liśkiewicz
(2020), "Finding minimal d-separators in linear time".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from causalnet.errors import TermError
from causalnet.graphs.adjacency import PATIENCE, Flags, Numbers, flags, reach
from causalnet.graphs.admg import ADMG, Edge, Names, check_admg
from causalnet.graphs.open_walks import Found, find_walk
from causalnet.graphs.walks import Connected, Mark, Separated, Step

__all__ = ["NoSeparator", "is_m_separated", "m_separated", "minimal_separator"]


@dataclass(frozen=True, slots=True)
class NoSeparator:
    """No set of allowed nodes separates.

    Attributes:
        evidence: A path that is open given all allowed ancestors; if any set of allowed nodes
            separated, that one would.
    """

    evidence: Connected

    def __str__(self) -> str:
        """Return the path."""
        return f"No allowed set blocks {self.evidence}"


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Numbered sets, and where a walk may go on given the last of them."""

    graph: ADMG
    xs: Numbers
    ys: Numbers
    given: Numbers
    passes: Flags
    opened: Flags
    patience: int

    @classmethod
    def of(cls, graph: ADMG, xs: Names, ys: Names, given: Names, patience: int) -> "_Question":
        check_admg(graph)
        sources, ends, blocked = (graph.indices(names) for names in (xs, ys, given))
        _check_disjoint(graph, xs=sources, ys=ends, given=blocked)
        opened = flags(len(graph), reach(graph.parent_rows, blocked, patience))
        passes = ~flags(len(graph), blocked)
        return cls(graph, sources, ends, blocked, passes, opened, patience)

    def walk(self) -> Found:
        targets = flags(len(self.graph), self.ys)
        return find_walk(self.graph, self.xs, targets, self.passes, self.opened, self.patience)


def m_separated(
    graph: ADMG, xs: Names, ys: Names, given: Names = (), *, patience: int = PATIENCE
) -> Separated | Connected:
    """Decide whether the given nodes m-separate xs from ys, in linear time.

    A walk is open when each of its colliders is given or has a given descendant and none of its
    other inner nodes is given.  A shortest one, which is a path, is the evidence for `Connected`.
    Without bidirected edges this is d-separation.

    Args:
        graph: The graph.
        xs: One name or several.
        ys: One name or several.
        given: The nodes on which one conditions.
        patience: After how many visits the search goes over to compiled code.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node in two of the three sets.

    >>> graph = ADMG.of(directed=[("X", "M"), ("Y", "M"), ("M", "D")])
    >>> print(m_separated(graph, "X", "Y"))
    X ⊥ Y
    >>> print(m_separated(graph, "X", "Y", given="D"))
    X -> M <- Y | given D; M -> D
    """
    question = _Question.of(graph, xs, ys, given, patience)
    found, condition = question.walk(), graph.names_of(question.given)
    if not found.walk:
        sources, ends = graph.names_of(question.xs), graph.names_of(question.ys)
        return Separated(frozenset(sources), frozenset(ends), frozenset(condition), found.visited)
    steps = _steps(graph, found.walk, question.passes)
    colliders = [  # the last node has no step after it
        node
        for (node, by_head), after in zip(found.walk, steps, strict=False)
        if by_head and after.mark != "->"
    ]
    openings = _openings(graph, colliders, question.passes, question.opened)
    return Connected(steps, frozenset(condition), openings, found.visited)


def is_m_separated(graph: ADMG, xs: Names, ys: Names, given: Names = ()) -> bool:
    """Return whether the given nodes m-separate xs from ys, in linear time.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node in two of the three sets.

    >>> is_m_separated(ADMG.of(directed=[("X", "M"), ("M", "Y")]), "X", "Y", given="M")
    True
    """
    return not _Question.of(graph, xs, ys, given, PATIENCE).walk().walk


def minimal_separator(
    graph: ADMG,
    xs: Names,
    ys: Names,
    including: Names = (),
    within: Names | None = None,
) -> frozenset[str] | NoSeparator:
    """Return a minimal m-separator of xs and ys, in linear time.

    No part of it that still has the nodes of `including` separates xs from ys.  Of the sets within
    the allowed ancestors, those nearest to xs are kept, and of those the ones nearest to ys.

    Args:
        graph: The graph.
        xs: One name or several.
        ys: One name or several.
        including: Nodes that the separator must have.
        within: Nodes that it may have; all but xs and ys unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node in two of xs, ys and `including`, or one of `including` not in `within`.

    >>> graph = ADMG.of(directed=[("C", "X"), ("C", "D"), ("D", "Y"), ("X", "Y")])
    >>> sorted(minimal_separator(graph.cut_out("X"), "X", "Y"))
    ['C']
    >>> print(minimal_separator(graph, "X", "Y"))
    No allowed set blocks X -> Y | given C, D
    """
    check_admg(graph)
    sources, ends, forced = (graph.indices(names) for names in (xs, ys, including))
    allowed = np.ones(len(graph), np.bool_)
    if within is not None:
        allowed = flags(len(graph), graph.indices(within))
    _check_disjoint(graph, xs=sources, ys=ends, including=forced)
    if not bool(allowed[forced].all()):
        name = graph.nodes[int(forced[~allowed[forced]][0])]
        raise TermError(f"{name!r} is in `including` but not in `within`.", "", "Add it there.")
    candidates, found, _ = _swept(graph, sources, ends, forced, allowed)
    if found:
        return frozenset(graph.names_of(np.flatnonzero(candidates)))
    evidence = m_separated(graph, xs, ys, graph.names_of(np.flatnonzero(candidates)))
    assert isinstance(evidence, Connected)  # the candidates separate if any allowed set does
    return NoSeparator(evidence)


def _swept(
    graph: ADMG, xs: Numbers, ys: Numbers, forced: Numbers, allowed: Flags
) -> tuple[Flags, bool, int]:
    """Return a minimal separator, or all candidates and False; and how much was visited.

    Van der Zander and Liśkiewicz (2020), algorithm 2: among ancestors every collider is open, so
    from either side only the first candidates on each walk are needed.
    """
    count = len(graph)
    ends, must = np.concatenate((xs, ys)), flags(count, forced)
    inside = flags(count, reach(graph.parent_rows, np.concatenate((ends, forced))))
    candidates = (inside & allowed & ~flags(count, ends)) | must
    visited = 0
    for sources, targets in ((xs, ys), (ys, xs)):
        passes = inside & ~candidates
        found = find_walk(graph, sources, flags(count, targets), passes, inside)
        visited += found.visited
        if found.walk:
            return candidates, False, visited
        candidates &= flags(count, found.entered) | must
    return candidates, True, visited


def _steps(graph: ADMG, walk: tuple[tuple[int, bool], ...], passes: Flags) -> tuple[Step, ...]:
    """Return the steps between numbered nodes."""
    steps = []
    for (node, _), (after, by_head) in pairwise(walk):
        mark: Mark = "<-"
        if by_head:
            mark = "->" if passes[node] and graph.child_rows.has(node, after) else "<->"
        steps.append(Step(graph.nodes[node], mark, graph.nodes[after]))
    return tuple(steps)


def _openings(
    graph: ADMG, colliders: Iterable[int], passes: Flags, opened: Flags
) -> tuple[Edge, ...]:
    """Return edges that lead from colliders down to given nodes; each node is left once."""
    below: dict[int, int] = {}
    for node in colliders:
        while passes[node] and node not in below:
            row = graph.child_rows.row(node)
            below[node] = int(row[np.argmax(opened[row])])
            node = below[node]
    return tuple((graph.nodes[tail], graph.nodes[head]) for tail, head in below.items())


def _check_disjoint(graph: ADMG, **sets: Numbers) -> None:
    """Refuse a node in two sets."""
    for (first, some), (second, others) in combinations(sets.items(), 2):
        both = others[flags(len(graph), some)[others]]
        if both.size:
            raise TermError(
                f"{graph.nodes[int(both[0])]!r} is in both `{first}` and `{second}`.",
                "The sets must not share a node.",
            )
