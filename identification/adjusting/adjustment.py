"""Adjustment sets: is a set valid, is there one, and one without a node to spare.

| name | what |
|---|---|
| `is_valid_adjustment` | `ValidAdjustment`, or `NotValidAdjustment` with the reason |
| `adjustment_set` | all allowed ancestors, if any set is valid |
| `minimal_adjustment_set` | a valid set no part of which is valid |
| `NoAdjustmentSet` | no set is valid, with the reason |
| `ForbiddenNode` | a node that must not be adjusted for, and the causal path it descends from |

A set is valid if sum_z P(y|x,z) P(z) is P(y | do(x)) in all models of the graph.  That is so if
and only if it holds no node that descends from a proper causal path and separates treatments from
outcomes in the proper back-door graph: the adjustment criterion.  Hidden common causes are
bidirected edges.

Shpitser, VanderWeele and Robins (2010), "On the validity of covariate adjustment for estimating
causal effects"; Perković, Textor, Kalisch and Maathuis (2018), "Complete graphical characterization
and construction of adjustment sets"; van der Zander, Liśkiewicz and Textor (2019), "Separators and
adjustment sets in causal graphs"; van der Zander and Liśkiewicz (2020), "Finding minimal
d-separators in linear time and applications".  Everything takes linear time.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from causalnet.errors import InternalError
from causalnet.graphs.adjacency import Flags, Numbers, flags, reach
from causalnet.graphs.admg import ADMG, Names
from causalnet.graphs.separation import NoSeparator, m_separated, minimal_separator
from causalnet.graphs.walks import Connected, Separated
from causalnet.identification.adjusting.proper_back_door import (
    ProperBackDoor,
    check_disjoint,
    directed_path,
    proper_rows,
)

__all__ = [
    "AdjustmentCheck",
    "ForbiddenNode",
    "NoAdjustmentSet",
    "NotValidAdjustment",
    "ValidAdjustment",
    "adjustment_set",
    "forbidden_node",
    "is_valid_adjustment",
    "minimal_adjustment_set",
]


@final
@dataclass(frozen=True, slots=True)
class ForbiddenNode:
    """A node that must not be adjusted for, as it descends from a causal path.

    Attributes:
        node: Its name.
        causal_path: A causal path from a treatment to an outcome.
        descent: A directed path from a node of that path, not its first, down to the forbidden one;
            that node alone if it lies on the path itself.
    """

    node: str
    causal_path: tuple[str, ...]
    descent: tuple[str, ...]

    def __str__(self) -> str:
        """Return where the node descends from."""
        path = " -> ".join(self.causal_path)
        if len(self.descent) == 1:
            return f"{self.node} is on the causal path {path}"
        return f"{self.node} descends from the causal path {path}, by {' -> '.join(self.descent)}"


@final
@dataclass(frozen=True, slots=True)
class ValidAdjustment:
    """A set that is valid for adjustment; true in a condition.

    Attributes:
        zs: The set.
        separation: It separates treatments from outcomes in the proper back-door graph.
    """

    zs: frozenset[str]
    separation: Separated

    def __bool__(self) -> bool:
        """Return True."""
        return True

    def __str__(self) -> str:
        """Return the separation."""
        return f"{shown(self.zs)} is valid for adjustment: {self.separation} without causal paths"


@final
@dataclass(frozen=True, slots=True)
class NotValidAdjustment:
    """A set that is not valid for adjustment; false in a condition.

    Attributes:
        zs: The set.
        evidence: A forbidden node of it, or a walk that it leaves open in the proper back-door
            graph.
    """

    zs: frozenset[str]
    evidence: ForbiddenNode | Connected

    def __bool__(self) -> bool:
        """Return False."""
        return False

    def __str__(self) -> str:
        """Return the reason."""
        return f"{shown(self.zs)} is not valid for adjustment: {reason(self.evidence)}"


AdjustmentCheck: TypeAlias = ValidAdjustment | NotValidAdjustment


@final
@dataclass(frozen=True, slots=True)
class NoAdjustmentSet:
    """No set of allowed nodes is valid for adjustment; false in a condition.

    Attributes:
        evidence: A forbidden node that was asked for; or a walk in the proper back-door graph that
            is open given all allowed ancestors, which would block it if any allowed set did.
    """

    evidence: ForbiddenNode | Connected

    def __bool__(self) -> bool:
        """Return False."""
        return False

    def __str__(self) -> str:
        """Return the reason."""
        return f"No set is valid for adjustment: {reason(self.evidence)}"


def is_valid_adjustment(graph: ADMG, xs: Names, ys: Names, zs: Names = ()) -> AdjustmentCheck:
    """Decide by the adjustment criterion whether a set is valid, in linear time.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        zs: The set.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node in two of the three sets.

    >>> graph = ADMG.of(directed=[("C", "X"), ("C", "Y"), ("X", "M"), ("M", "Y"), ("M", "D")])
    >>> print(is_valid_adjustment(graph, "X", "Y", "C"))
    {C} is valid for adjustment: X ⊥ Y | C without causal paths
    >>> print(is_valid_adjustment(graph, "X", "Y"))
    {} is not valid for adjustment: X <- C -> Y is open
    >>> print(is_valid_adjustment(graph, "X", "Y", ["C", "D"]))
    {C, D} is not valid for adjustment: D descends from the causal path X -> M -> Y, by M -> D
    """
    effect = ProperBackDoor.of(graph, xs, ys)
    numbers = graph.indices(zs)
    check_disjoint(graph, xs=effect.xs, ys=effect.ys, zs=numbers)
    names = frozenset(graph.names_of(numbers))
    forbidden = numbers[effect.forbidden[numbers]]
    if forbidden.size:  # Perković et al. (2018), forbidden set condition
        return NotValidAdjustment(names, forbidden_node(effect, int(forbidden.min())))
    found = _separation(effect, numbers)
    if isinstance(found, Connected):
        return NotValidAdjustment(names, found)
    return ValidAdjustment(names, found)


def adjustment_set(
    graph: ADMG, xs: Names, ys: Names, including: Names = (), within: Names | None = None
) -> frozenset[str] | NoAdjustmentSet:
    """Return a valid adjustment set if there is one, in linear time.

    It is the largest of ancestors: all allowed ancestors of treatments, outcomes and of what is
    asked for that do not descend from a causal path.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.

    >>> graph = ADMG.of(directed=[("C", "D"), ("D", "X"), ("C", "Y"), ("X", "Y")])
    >>> sorted(adjustment_set(graph, "X", "Y"))
    ['C', 'D']
    >>> print(adjustment_set(ADMG.of([("X", "Y")], [("X", "Y")]), "X", "Y"))
    No set is valid for adjustment: X <-> Y is open
    """
    effect = ProperBackDoor.of(graph, xs, ys)
    forced = effect.forced(including, within)
    wrong = _forbidden_among(effect, forced)
    if wrong is not None:
        return NoAdjustmentSet(wrong)
    chosen = ancestral_candidates(effect, forced, within)
    found = _separation(effect, np.flatnonzero(chosen).astype(np.int32))
    if isinstance(found, Connected):
        return NoAdjustmentSet(found)
    return found.given


def minimal_adjustment_set(
    graph: ADMG, xs: Names, ys: Names, including: Names = (), within: Names | None = None
) -> frozenset[str] | NoAdjustmentSet:
    """Return a valid adjustment set without a node to spare if there is one, in linear time.

    No part of it that still has the nodes of `including` is valid.  Of such sets it is the one
    nearest to the treatments.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.

    >>> graph = ADMG.of(directed=[("C", "D"), ("D", "X"), ("C", "Y"), ("X", "Y")])
    >>> sorted(minimal_adjustment_set(graph, "X", "Y"))
    ['D']
    >>> sorted(minimal_adjustment_set(graph, "X", "Y", within="C"))
    ['C']
    """
    effect = ProperBackDoor.of(graph, xs, ys)
    return nearest_adjustment_set(effect, including, within, to_outcomes=False)


def nearest_adjustment_set(
    effect: ProperBackDoor, including: Names, within: Names | None, *, to_outcomes: bool
) -> frozenset[str] | NoAdjustmentSet:
    """Return the minimal adjustment set nearest to the treatments, or to the outcomes.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.
    """
    forced = effect.forced(including, within)
    wrong = _forbidden_among(effect, forced)
    if wrong is not None:
        return NoAdjustmentSet(wrong)
    names_of, rest = effect.graph.names_of, effect.remainder
    xs, ys = names_of(effect.xs), names_of(effect.ys)
    first, last = (ys, xs) if to_outcomes else (xs, ys)
    allowed = effect.candidates(within)
    allowed[forced] = True
    found = minimal_separator(
        rest, first, last, names_of(forced), names_of(np.flatnonzero(allowed))
    )
    if not isinstance(found, NoSeparator):
        return found
    walk = m_separated(rest, xs, ys, found.evidence.given)
    if isinstance(walk, Separated):
        raise InternalError(f"{walk} in one direction only.")
    return NoAdjustmentSet(walk)


def ancestral_candidates(effect: ProperBackDoor, forced: Numbers, within: Names | None) -> Flags:
    """Return the allowed ancestors of treatments, outcomes and forced nodes, and the forced ones.

    If any allowed set with the forced nodes is valid, then this is: van der Zander et al. (2019),
    constructive criterion.
    """
    count = len(effect.graph)
    ends = np.concatenate((effect.xs, effect.ys, forced))
    above = flags(count, reach(effect.remainder.parent_rows, ends))
    return (above & effect.candidates(within)) | flags(count, forced)


def forbidden_node(effect: ProperBackDoor, node: int) -> ForbiddenNode:
    """Return which causal path a forbidden node descends from."""
    graph = effect.graph
    count = len(graph)
    descent = directed_path(
        graph.child_rows, np.flatnonzero(effect.causal).astype(np.int32), flags(count, [node])
    )
    proper = proper_rows(graph, flags(count, effect.xs))
    start = np.array(descent[:1], np.int32)
    before = directed_path(proper, effect.xs, flags(count, start))
    after = directed_path(proper, start, flags(count, effect.ys))
    names_of = graph.names_of
    return ForbiddenNode(graph.nodes[node], names_of(before + after[1:]), names_of(descent))


def reason(evidence: ForbiddenNode | Connected) -> str:
    """Return why adjustment fails, in words."""
    return str(evidence) if isinstance(evidence, ForbiddenNode) else f"{evidence} is open"


def shown(nodes: frozenset[str]) -> str:
    """Return a set of names in braces.

    >>> shown(frozenset(["B", "A"]))
    '{A, B}'
    """
    return f"{{{', '.join(sorted(nodes))}}}"


def _forbidden_among(effect: ProperBackDoor, forced: Numbers) -> ForbiddenNode | None:
    wrong = forced[effect.forbidden[forced]]
    return forbidden_node(effect, int(wrong.min())) if wrong.size else None


def _separation(effect: ProperBackDoor, zs: Numbers) -> Separated | Connected:
    """Perković et al. (2018), blocking condition, as van der Zander et al. (2019) check it."""
    names_of = effect.graph.names_of
    return m_separated(effect.remainder, *map(names_of, (effect.xs, effect.ys, zs)))
