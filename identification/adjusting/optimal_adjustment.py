"""Adjustment sets that estimate an effect with the least asymptotic variance.

| name | of which sets it is the best | where |
|---|---|---|
| `optimal_adjustment_set` | all valid ones | if there is one; always without hidden causes |
| `optimal_minimal_adjustment_set` | valid ones without a node to spare | always |
| `optimal_minimum_adjustment_set` | valid ones of least size | always |
| `NoOptimalSet` | none is best in all models, with the reason | |

Least variance holds for linear models by least squares, and for regular estimators that assume
nothing of the mechanisms.

Henckel, Perković and Maathuis (2022), "Graphical criteria for efficient total effect estimation via
adjustment in causal linear models"; Rotnitzky and Smucler (2020), "Efficient adjustment sets for
population average causal treatment effect estimation in graphical models"; Smucler, Sapienza and
Rotnitzky (2022), "Efficient adjustment sets in causal graphical models with hidden variables";
Runge (2021), "Necessary and sufficient graphical conditions for optimal adjustment sets in causal
graphical models with hidden variables".

Runge's theorem is about one treatment and one outcome.  For several its conditions are used as
they are; they agreed with exact variances in all of four thousand random graphs with at least two
valid sets, which is no proof.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from causalnet.errors import InternalError
from causalnet.graphs.adjacency import Flags, flags, reach
from causalnet.graphs.admg import ADMG, Names, check_admg
from causalnet.graphs.open_walks import find_walk
from causalnet.graphs.projection import latent_projection
from causalnet.graphs.separation import is_m_separated, m_separated
from causalnet.graphs.walks import Connected, Separated
from causalnet.identification.adjusting.adjustment import (
    NoAdjustmentSet,
    adjustment_set,
    nearest_adjustment_set,
    shown,
)
from causalnet.identification.adjusting.minimum_adjustment import minimum_adjustment_set
from causalnet.identification.adjusting.proper_back_door import ProperBackDoor, without_edges

__all__ = [
    "Costly",
    "NoOptimalSet",
    "NotAnEffect",
    "Rival",
    "Undecided",
    "optimal_adjustment_set",
    "optimal_minimal_adjustment_set",
    "optimal_minimum_adjustment_set",
]

# Collider paths that are looked at, each in linear time: so many, and fewer in large graphs.
_PATHS, _VISITS = 2_000, 10_000_000


@final
@dataclass(frozen=True, slots=True)
class NotAnEffect:
    """No causal path leads from treatments to an outcome.

    Attributes:
        outcome: The outcome.
    """

    outcome: str

    def __str__(self) -> str:
        """Return the statement."""
        return f"no causal path leads to {self.outcome}, so there is no effect to estimate"


@final
@dataclass(frozen=True, slots=True)
class Rival:
    """Another valid set tells of the outcome what this one does not, and not the other way round.

    Attributes:
        path: Nodes joined by bidirected edges, from one outside the set through the set to a node
            on a causal path.
        zs: The set that has all of them but the last, and is valid.
    """

    path: tuple[str, ...]
    zs: frozenset[str]

    def __str__(self) -> str:
        """Return the other set."""
        return (
            f"{shown(self.zs)} is better in some models, as {self.path[0]} tells of the outcome by "
            f"{' <-> '.join(self.path)}"
        )


@final
@dataclass(frozen=True, slots=True)
class Costly:
    """In some models a node of the set tells more of the treatments than of the outcomes.

    Attributes:
        node: The node.
        walk: A walk from a treatment to it that is open given the others.
    """

    node: str
    walk: Connected

    def __str__(self) -> str:
        """Return the node and the walk."""
        return f"{self.node} costs more than it brings in some models, as {self.walk} is open"


@final
@dataclass(frozen=True, slots=True)
class Undecided:
    """There are more collider paths than are looked at.

    Attributes:
        looked_at: How many were.
    """

    looked_at: int

    def __str__(self) -> str:
        """Return the statement."""
        return f"it is undecided after {self.looked_at} collider paths"


@final
@dataclass(frozen=True, slots=True)
class NoOptimalSet:
    """No valid set is known to be the best in all models; false in a condition.

    Attributes:
        zs: The valid set that would be, if any were; empty if there is no effect.
        reason: Why it is not.
    """

    zs: frozenset[str]
    reason: "Reason"

    def __bool__(self) -> bool:
        """Return False."""
        return False

    def __str__(self) -> str:
        """Return the reason."""
        match self.reason:
            case NotAnEffect():
                return f"No set is optimal: {self.reason}"
            case _:
                return f"No set is optimal in all models, not even {shown(self.zs)}: {self.reason}"


Reason: TypeAlias = NotAnEffect | Rival | Costly | Undecided


def optimal_adjustment_set(
    graph: ADMG, xs: Names, ys: Names, within: Names | None = None
) -> frozenset[str] | NoOptimalSet | NoAdjustmentSet:
    """Return the valid adjustment set with the least asymptotic variance, if one is best always.

    Without hidden causes it is all parents of nodes on causal paths that descend from none, in
    linear time.  With them (bidirected edges, or nodes that are not allowed) further nodes that
    bidirected edges join to causal paths are in it, and their parents; and then there need not be a
    set that is best in all models.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node that is treatment and outcome.

    >>> graph = ADMG.of([("C", "X"), ("C", "Y"), ("X", "Y"), ("P", "Y"), ("I", "X")])
    >>> sorted(optimal_adjustment_set(graph, "X", "Y"))
    ['C', 'P']
    """
    check_admg(graph)
    existing = adjustment_set(graph, xs, ys, within=within)
    if isinstance(existing, NoAdjustmentSet):
        return existing
    if within is not None:
        ends = {*graph.names_of(graph.indices(xs)), *graph.names_of(graph.indices(ys))}
        kept = ends.union(graph.names_of(graph.indices(within)))
        graph = latent_projection(graph, kept)
    effect = ProperBackDoor.of(graph, xs, ys)
    idle = effect.ys[~effect.causal[effect.ys]]
    if idle.size:
        return NoOptimalSet(frozenset(), NotAnEffect(graph.nodes[int(idle[0])]))
    return _Candidate.of(effect).judged()


def optimal_minimal_adjustment_set(
    graph: ADMG, xs: Names, ys: Names, including: Names = (), within: Names | None = None
) -> frozenset[str] | NoAdjustmentSet:
    """Return the best of the valid adjustment sets without a node to spare, in linear time.

    It is the one nearest to the outcomes, hidden causes or not (Smucler et al. 2022).

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.

    >>> graph = ADMG.of([("C", "D"), ("D", "X"), ("C", "Y"), ("X", "Y"), ("P", "Y")])
    >>> sorted(optimal_minimal_adjustment_set(graph, "X", "Y"))
    ['C']
    """
    effect = ProperBackDoor.of(graph, xs, ys)
    return nearest_adjustment_set(effect, including, within, to_outcomes=True)


def optimal_minimum_adjustment_set(
    graph: ADMG, xs: Names, ys: Names, including: Names = (), within: Names | None = None
) -> frozenset[str] | NoAdjustmentSet:
    """Return the best of the valid adjustment sets of the least size, by a minimum cut.

    It is the cut nearest to the outcomes, hidden causes or not (Smucler et al. 2022).

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.

    >>> graph = ADMG.of(
    ...     [("A", "X"), ("A", "B"), ("B", "D"), ("B", "E"), ("D", "Y"), ("E", "Y"), ("X", "Y")]
    ... )
    >>> sorted(optimal_minimum_adjustment_set(graph, "X", "Y"))
    ['B']
    >>> sorted(optimal_minimal_adjustment_set(graph, "X", "Y"))
    ['D', 'E']
    """
    return minimum_adjustment_set(graph, xs, ys, including, within)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """The only set that can be optimal: the O-set of Runge (2021).

    Attributes:
        effect: The effect.
        parents: P, the parents of causal nodes that are not forbidden.
        colliders: C, nodes to which valid collider paths lead from causal nodes.
        collider_parents: Their parents.
        ancestors: Ancestors of treatments and outcomes that are not forbidden (vancs).
        valid: Whether it is a valid adjustment set, as it is if any is.
    """

    effect: ProperBackDoor
    parents: Flags
    colliders: Flags
    collider_parents: Flags
    ancestors: Flags
    valid: bool

    @classmethod
    def of(cls, effect: ProperBackDoor, given: tuple[int, ...] = ()) -> "_Candidate":
        """Return the set, or the one with the nodes of a collider path given: S in the paper.

        A collider path is valid if no node of it is forbidden and each is an ancestor, or is
        separated from the treatments by the ancestors.
        """
        graph, count, extra = effect.graph, len(effect.graph), np.array(given, np.int32)
        treated = flags(count, effect.xs)
        closed = effect.forbidden | treated
        above = reach(graph.parent_rows, np.concatenate((effect.xs, effect.ys, extra)))
        ancestors = flags(count, above) & ~closed
        opened = flags(count, reach(graph.parent_rows, np.flatnonzero(ancestors)))
        none = np.zeros(count, np.bool_)
        entered = find_walk(graph, effect.xs, none, ~ancestors, opened).entered
        suitable = ~closed & (ancestors | ~flags(count, entered))
        colliders = _joined(graph, effect.causal, suitable)
        parents = _parents(graph, effect.causal) & ~closed
        above_colliders = _parents(graph, colliders)
        zs = parents | colliders | above_colliders
        ends = _siblings(graph, effect.causal | colliders) | above_colliders
        names = graph.names_of
        valid = not bool((ends & treated).any()) and is_m_separated(
            effect.remainder, names(effect.xs), names(effect.ys), names(np.flatnonzero(zs))
        )
        return cls(effect, parents, colliders, above_colliders, ancestors, valid)

    @property
    def zs(self) -> Flags:
        """Return the whole set without what was given."""
        return self.parents | self.colliders | self.collider_parents

    def judged(self) -> frozenset[str] | NoOptimalSet:
        """Return the set if it is optimal: Runge (2021), conditions (I) and (II)."""
        graph = self.effect.graph
        names = frozenset(graph.names_of(np.flatnonzero(self.zs)))
        if not self.valid:
            raise InternalError(f"A set is valid for adjustment, but {shown(names)} is not.")
        reason = self.rival() or self.costly()
        return names if reason is None else NoOptimalSet(names, reason)

    def rival(self) -> Rival | Undecided | None:
        """Look for a valid set that has a collider path to a causal node from outside: (I)."""
        graph, effect = self.effect.graph, self.effect
        inside, causal = self.zs, effect.causal
        outside = _siblings(graph, causal | self.colliders) & ~inside & ~effect.forbidden
        outside[effect.xs] = False
        paths: list[tuple[int, ...]] = [(node,) for node in np.flatnonzero(outside).tolist()]
        size = len(graph) + len(graph.child_rows) + len(graph.sibling_rows)
        limit = min(_PATHS, 1 + _VISITS // size)
        for looked_at, path in enumerate(paths):  # which grows while it is read
            if looked_at == limit:
                return Undecided(limit)
            around = graph.sibling_rows.row(path[-1])
            ends = around[causal[around]]
            if ends.size:
                other = _Candidate.of(effect, path)
                if other.valid:
                    names = {*graph.names_of(np.flatnonzero(other.zs)), *graph.names_of(path)}
                    return Rival(graph.names_of((*path, int(ends[0]))), frozenset(names))
            if len(paths) <= limit:
                onward = around[inside[around]].tolist()
                paths += [(*path, node) for node in onward if node not in path]
        return None

    def costly(self) -> Costly | None:
        """Look for a node that tells of the treatments, but not by itself of an outcome: (II)."""
        graph, effect = self.effect.graph, self.effect
        inside, count = self.zs, len(graph)
        links = _joined(graph, effect.causal, inside & self.ancestors)
        telling = _siblings(graph, effect.causal | links) | _parents(graph, links)
        # Whether a treatment reaches a node of the set given the others is whether it is entered
        # given all: a walk through it, or through a collider that it opens, could have ended there.
        opened = flags(count, reach(graph.parent_rows, np.flatnonzero(inside)))
        none = np.zeros(count, np.bool_)
        entered = flags(count, find_walk(graph, effect.xs, none, ~inside, opened).entered)
        found = np.flatnonzero(entered & inside & ~self.parents & ~telling)
        if not found.size:
            return None
        name = graph.nodes[int(found[0])]
        others = set(graph.names_of(np.flatnonzero(inside))) - {name}
        walk = m_separated(graph, graph.names_of(effect.xs), name, others)
        if isinstance(walk, Separated):
            raise InternalError(f"{name} was entered from treatments, but {walk}.")
        return Costly(name, walk)


def _joined(graph: ADMG, causal: Flags, through: Flags) -> Flags:
    """Return the nodes of `through` to which bidirected paths within it lead from causal nodes."""
    rows = graph.sibling_rows
    kept = (causal | through)[rows.sources] & through[rows.ends]
    found = reach(without_edges(rows, ~kept), np.flatnonzero(causal))
    return flags(len(graph), found) & through


def _parents(graph: ADMG, nodes: Flags) -> Flags:
    rows = graph.parent_rows
    return flags(len(graph), rows.ends[nodes[rows.sources]])


def _siblings(graph: ADMG, nodes: Flags) -> Flags:
    rows = graph.sibling_rows
    return flags(len(graph), rows.ends[nodes[rows.sources]])
