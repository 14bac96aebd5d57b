"""The two answers to m-separation: all walks are blocked, or here is one that is open.

| name | what |
|---|---|
| `Separated` | the statement that every walk is blocked |
| `Connected`, `Step` | an open path, edge by edge |
| `is_open_walk` | checks such a path against a graph, by the definition |
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

from causalnet.graphs.admg import ADMG, Edge, check_admg
from causalnet.graphs.arguments import check_type

__all__ = ["Connected", "Mark", "Separated", "Step", "is_open_walk"]

Mark: TypeAlias = Literal["->", "<-", "<->"]

_SHOWN = 8  # steps or names that are printed


@dataclass(frozen=True, slots=True)
class Step:
    """One edge of a walk, as it is walked: `X -> M`, `M <- Y`, `M <-> Y`."""

    source: str
    mark: Mark
    target: str

    def __str__(self) -> str:
        """Return the edge."""
        return f"{self.source} {self.mark} {self.target}"


@dataclass(frozen=True, slots=True)
class Separated:
    """Every walk between xs and ys is blocked by the given nodes.

    Attributes:
        xs: Where walks begin.
        ys: Where they end.
        given: The nodes that block.
        visited: How often the search entered a node or followed an edge.
    """

    xs: frozenset[str]
    ys: frozenset[str]
    given: frozenset[str]
    visited: int = field(default=0, compare=False)

    def __str__(self) -> str:
        """Return the statement: `X ⊥ Y | M`."""
        pair = f"{_listed(sorted(self.xs)) or '∅'} ⊥ {_listed(sorted(self.ys)) or '∅'}"
        return pair + _condition(" | ", self.given)


@dataclass(frozen=True, slots=True)
class Connected:
    """A path that stays open given some nodes; `is_open_walk` checks it.

    Attributes:
        steps: The edges, in the order in which they are walked.
        given: The nodes on which one conditions.
        openings: Directed edges, at most one out of a node, that lead from each collider that is
            not given down to a node that is.
        visited: How often the search entered a node or followed an edge.
    """

    steps: tuple[Step, ...]
    given: frozenset[str]
    openings: tuple[Edge, ...] = ()
    visited: int = field(default=0, compare=False)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the nodes, from the first to the last."""
        return (*(step.source for step in self.steps), *(step.target for step in self.steps[-1:]))

    @property
    def colliders(self) -> tuple[str, ...]:
        """Return the nodes at which two arrowheads meet."""
        return tuple(
            step.target for step, after in pairwise(self.steps) if _is_collider(step, after)
        )

    def __str__(self) -> str:
        """Return the path, what is given, and how descendants open colliders."""
        steps = [f" {step.mark} {step.target}" for step in self.steps]
        if len(steps) > 2 * _SHOWN:
            left_out = f" … {len(steps) - 2 * _SHOWN} more …"
            steps = [*steps[:_SHOWN], left_out, *steps[-_SHOWN:]]
        openings = [f"; {tail} -> {head}" for tail, head in self.openings[:_SHOWN]]
        if len(self.openings) > _SHOWN:
            openings.append("; …")
        return (
            "".join([step.source for step in self.steps[:1]] + steps)
            + _condition(" | given ", self.given, self._openers())
            + "".join(openings)
        )

    def _openers(self) -> frozenset[str]:
        """Return the given nodes that open the colliders."""
        return self.given & {*self.colliders, *(head for _, head in self.openings)}


def is_open_walk(graph: ADMG, walk: Connected) -> bool:
    """Return whether a walk is in the graph and open given its nodes, going by the definition.

    Raises:
        UnknownMediatorError: A node of the walk that is not in the graph.

    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y")])
    >>> is_open_walk(graph, Connected((Step("X", "->", "M"), Step("M", "->", "Y")), frozenset()))
    True
    """
    check_admg(graph)
    check_type(walk, Connected, "Ask m_separated for one.")
    steps = walk.steps
    joined = all(step.target == after.source for step, after in pairwise(steps))
    if not steps or not joined or not all(_is_edge(graph, step) for step in steps):
        return False
    ends = {steps[0].source, steps[-1].target}
    below = dict(walk.openings)
    if ends & walk.given or not all(graph.has_edge(*edge) for edge in walk.openings):
        return False
    opened = _leading_to(walk.given, below)
    return all(
        step.target in opened if _is_collider(step, after) else step.target not in walk.given
        for step, after in pairwise(steps)
    )


def _leading_to(given: frozenset[str], below: dict[str, str]) -> frozenset[str]:
    """Return the given nodes and those from which edges lead to one."""
    found = set(given)
    seen: set[str] = set()
    for node in below:
        path = []
        while node in below and node not in found and node not in seen:
            seen.add(node)
            path.append(node)
            node = below[node]
        if node in found:
            found.update(path)
    return frozenset(found)


def _is_collider(step: Step, after: Step) -> bool:
    return step.mark != "<-" and after.mark != "->"


def _is_edge(graph: ADMG, step: Step) -> bool:
    match step.mark:
        case "->":
            return graph.has_edge(step.source, step.target)
        case "<-":
            return graph.has_edge(step.target, step.source)
        case _:
            return graph.has_bidirected(step.source, step.target)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join([*names[:_SHOWN], f"… {more} more"] if more > 0 else names)


def _condition(joint: str, given: frozenset[str], first: frozenset[str] = frozenset()) -> str:
    """Return the given nodes, those that matter first, after a joint."""
    if not given:
        return ""
    return joint + _listed([*sorted(first), *sorted(given - first)])
