"""Sets of causal paths from treatments to an outcome, kept without listing them.

| a set of paths | how to write it |
|---|---|
| all, or none | `PathSet.all_paths(graph, "X", "Y")`, `PathSet.no_paths(graph, "X", "Y")` |
| the edge from treatment to outcome | `PathSet.direct(graph, "X", "Y")` |
| paths that use only some edges | `PathSet.along(graph, "X", "Y", edges)` |
| paths through one of some nodes | `PathSet.through(graph, "X", "Y", nodes)` |
| paths through each of some nodes | `PathSet.through_each(graph, "X", "Y", nodes)` |
| some paths, one by one | `PathSet.listed(graph, [("X", "M", "Y")])` |
| the others; either; both; the first only | `~a`, `a | b`, `a & b`, `a - b` |

Paths are directed and proper: they meet the treatments in their first node only (Shpitser and
Tchetgen Tchetgen 2016, "Causal inference with a graphical hierarchy of interventions").
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, final

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.admg import ADMG, Edge, Names, check_admg
from causalnet.graphs.arguments import check_type, check_whole, listed
from causalnet.graphs.edge_lists import named_edges, shown
from causalnet.graphs.path_automaton import Automaton, Path, ProperPaths, Rule, minimal

__all__ = ["PathSet"]

_SHOWN = 4
_AT_MOST = 10_000


@final
@dataclass(frozen=True, slots=True, repr=False)
class PathSet:
    """A set of proper causal paths; equal sets on equal graphs are equal values.

    Attributes:
        graph: The graph on which the paths lie.
        span: All proper causal paths from the treatments to the outcome.
        automaton: The minimal automaton that accepts the paths of this set.

    >>> kite = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y"), ("X", "Y")])
    >>> PathSet.through(kite, "X", "Y", "Z")
    PathSet(X -> W -> Z -> Y)
    >>> ~PathSet.through(kite, "X", "Y", "Z") == PathSet.listed(kite, [("X", "W", "Y"), ("X", "Y")])
    True
    """

    graph: ADMG
    span: ProperPaths = field(compare=False)
    automaton: Automaton
    treatments: tuple[str, ...]
    outcome: str

    @classmethod
    def _of(cls, graph: ADMG, span: ProperPaths, rule: Rule) -> "PathSet":
        return cls(graph, span, minimal(span, rule), span.treatments, span.outcome)

    @classmethod
    def all_paths(cls, graph: ADMG, treatments: Names, outcome: str) -> "PathSet":
        """Return all proper causal paths: the total effect.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: No treatment, or the outcome is one.
        """
        span = ProperPaths.of(graph, treatments, outcome)
        return cls._of(graph, span, _keeping(lambda tail, head: True))

    @classmethod
    def no_paths(cls, graph: ADMG, treatments: Names, outcome: str) -> "PathSet":
        """Return the empty set: no effect.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: No treatment, or the outcome is one.
        """
        span = ProperPaths.of(graph, treatments, outcome)
        return cls._of(graph, span, _keeping(lambda tail, head: False))

    @classmethod
    def direct(cls, graph: ADMG, treatments: Names, outcome: str) -> "PathSet":
        """Return the paths of one edge: the direct effect (Pearl 2001).

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: No treatment, or the outcome is one.
        """
        span = ProperPaths.of(graph, treatments, outcome)
        first = frozenset(span.treatments)
        rule = _keeping(lambda tail, head: tail in first and head == outcome)
        return cls._of(graph, span, rule)

    @classmethod
    def along(
        cls, graph: ADMG, treatments: Names, outcome: str, edges: Iterable[Edge]
    ) -> "PathSet":
        """Return the paths that use only the given edges: the effect sub-graph.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            TermError: An edge that is not in the graph.
            GraphError: An edge that is not a pair of names.
            ParameterError: No treatment, or the outcome is one.
        """
        check_admg(graph)
        allowed = frozenset(named_edges(edges, "->"))
        for edge in allowed:
            _check_edge(graph, edge)
        span = ProperPaths.of(graph, treatments, outcome)
        return cls._of(graph, span, _keeping(lambda tail, head: (tail, head) in allowed))

    @classmethod
    def through(cls, graph: ADMG, treatments: Names, outcome: str, nodes: Names) -> "PathSet":
        """Return the paths that meet at least one of the nodes.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: No treatment, or the outcome is one.
        """
        check_admg(graph)
        wanted = frozenset(graph.names_of(graph.indices(nodes)))
        span = ProperPaths.of(graph, treatments, outcome)
        rule = Rule(
            start=lambda treatment: treatment in wanted,
            step=lambda met, tail, head: met or head in wanted,
            accepts=lambda met: bool(met),
        )
        return cls._of(graph, span, rule)

    @classmethod
    def through_each(cls, graph: ADMG, treatments: Names, outcome: str, nodes: Names) -> "PathSet":
        """Return the paths that meet every one of the nodes.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: No treatment, or the outcome is one.
        """
        check_admg(graph)
        wanted = frozenset(graph.names_of(graph.indices(nodes)))
        span = ProperPaths.of(graph, treatments, outcome)
        # A path meets nodes in topological order, so it is enough to know which comes next.
        turn = [node for node in graph.topological_order() if node in wanted]
        place = {node: at for at, node in enumerate(turn)}
        rule = Rule(
            start=lambda treatment: _met(0, place.get(treatment)),
            step=lambda met, tail, head: _met(met, place.get(head)),
            accepts=lambda met: met == len(turn),
        )
        return cls._of(graph, span, rule)

    @classmethod
    def listed(
        cls,
        graph: ADMG,
        paths: Iterable[Iterable[str]],
        treatments: Names | None = None,
        outcome: str | None = None,
    ) -> "PathSet":
        """Return the given paths and no others.

        Args:
            graph: The graph on which the paths lie.
            paths: Each a sequence of nodes from a treatment to the outcome.
            treatments: The treatments; without it, the first nodes of the paths.
            outcome: The outcome; without it, the last node of the paths.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            TermError: A path that is empty, is not proper, or uses an edge that is not in the
                graph; paths with different outcomes.
            ParameterError: No treatment, or the outcome is one.
        """
        check_admg(graph)
        given = [
            graph.names_of(graph.indices(path))
            for path in listed(paths, "paths", "Write [('X', 'M', 'Y')].")
        ]
        if outcome is not None:
            graph.index(outcome)
        ends = {path[-1] for path in given if path} | ({outcome} if outcome is not None else set())
        if len(ends) != 1 or not all(given):
            raise TermError(
                f"Paths that end at {', '.join(sorted(ends)) or '(nothing)'}.",
                "The paths of a set end at one outcome.",
                "Write each path from a treatment to the same outcome, or name the outcome.",
            )
        starts = {path[0] for path in given} if treatments is None else treatments
        span = ProperPaths.of(graph, starts, *ends)
        for path in given:
            _check_path(graph, span, path)
        return cls._of(graph, span, _trie(given))

    # What is in the set.

    def __contains__(self, path: object) -> bool:
        """Return whether a sequence of nodes is a path of the set."""
        if not isinstance(path, tuple | list | str) or not path:
            return False
        state = self.automaton.start(path[0])
        for child in path[1:]:
            state = self.automaton.step(state, child)
        return state is not None and self.automaton.nodes[state] == self.outcome

    def __bool__(self) -> bool:
        """Return whether there is a path in the set."""
        return bool(self.automaton.starts)

    def count(self) -> int:
        """Return how many paths there are; they are not listed."""
        counts = _counts(self.automaton)
        return sum(counts[state] for _, state in self.automaton.starts)

    def edges(self) -> frozenset[Edge]:
        """Return the edges that lie on a path of the set."""
        automaton = self.automaton
        return frozenset(
            (automaton.nodes[state], child)
            for state, moves in enumerate(automaton.moves)
            for child, _ in moves
        )

    def paths(self, at_most: int = _AT_MOST) -> tuple[Path, ...]:
        """List the paths, sorted.

        Args:
            at_most: The number of paths above which none is listed.

        Raises:
            ParameterError: More paths than that.
        """
        check_whole(at_most, "at_most")
        count = self.count()
        if count > at_most:
            raise ParameterError(
                f"The set has {_number(count)} paths.",
                f"At most {at_most} are listed.",
                "Count them with .count(), narrow the set with &, or raise at_most.",
            )
        return tuple(self._walk())

    def _walk(self) -> Iterator[Path]:
        """Go through the paths depth first; the stack holds what is left of each node's moves."""
        for treatment, first in self.automaton.starts:
            path, stack = [treatment], [iter(self.automaton.moves[first])]
            while stack:
                move = next(stack[-1], None)
                if move is None:
                    stack.pop()
                    path.pop()
                    continue
                path.append(move.child)
                if move.child == self.outcome:
                    yield tuple(path)
                stack.append(iter(self.automaton.moves[move.state]))

    def __repr__(self) -> str:
        """Return the paths of a small set, and their number."""
        first = [shown(path, " -> ") for path, _ in zip(self._walk(), range(_SHOWN), strict=False)]
        left = self.count() - len(first)
        first += [f"… {_number(left)} more"] if left else []
        none = f"no path from {', '.join(self.treatments)} to {self.outcome}"
        return f"PathSet({', '.join(first) or none})"

    # Sets of sets.

    def __invert__(self) -> "PathSet":
        """Return the proper causal paths that are not in this set."""
        return self._of(self.graph, self.span, _reading(self, None, lambda a, b: not a))

    def __or__(self, other: "PathSet") -> "PathSet":
        """Return the paths in either set.

        Raises:
            TermError: The other set has another graph, treatments or outcome.
        """
        return self._joined(other, lambda a, b: a or b)

    def __and__(self, other: "PathSet") -> "PathSet":
        """Return the paths in both sets.

        Raises:
            TermError: The other set has another graph, treatments or outcome.
        """
        return self._joined(other, lambda a, b: a and b)

    def __sub__(self, other: "PathSet") -> "PathSet":
        """Return the paths in this set and not in the other.

        Raises:
            TermError: The other set has another graph, treatments or outcome.
        """
        return self._joined(other, lambda a, b: a and not b)

    def __le__(self, other: "PathSet") -> bool:
        """Return whether each path of this set is in the other.

        Raises:
            TermError: The other set has another graph, treatments or outcome.
        """
        return not self - other

    def _joined(self, other: "PathSet", both: Callable[[bool, bool], bool]) -> "PathSet":
        check_type(
            other, PathSet, "Join it with another set, such as PathSet.direct(graph, 'X', 'Y')."
        )
        mine = (self.treatments, self.outcome)
        if (other.treatments, other.outcome) != mine or other.graph != self.graph:
            raise TermError(
                f"Paths {_ends(self)} and paths {_ends(other)}.",
                "Two sets have one graph, the same treatments and the same outcome.",
                "Build both with the same graph, treatments and outcome.",
            )
        return self._of(self.graph, self.span, _reading(self, other, both))


def _number(count: int) -> str:
    """Write a number of paths; a large one by a power of two, as nobody reads its digits."""
    return str(count) if count < 10**30 else f"at least 2^{count.bit_length() - 1}"


def _ends(paths: PathSet) -> str:
    return f"{', '.join(paths.treatments)} -> … -> {paths.outcome}"


def _keeping(allowed: Callable[[str, str], bool]) -> Rule:
    """Read paths all of whose edges are allowed; None is the state after one that is not."""
    return Rule(
        start=lambda treatment: True,
        step=lambda state, tail, head: True if state and allowed(tail, head) else None,
        accepts=lambda state: state is True,
    )


def _met(met: int | None, place: int | None) -> int | None:
    """Count the wanted nodes met; None once one was left out, as it cannot come later."""
    if place is None or met is None:
        return met
    return met + 1 if place == met else None


def _reading(a: PathSet, b: PathSet | None, both: Callable[[bool, bool], bool]) -> Rule:
    """Read two sets side by side; a state is None where no path of the set goes on."""
    other = None if b is None else b.automaton

    def start(treatment: str) -> tuple[int | None, int | None]:
        return a.automaton.start(treatment), other.start(treatment) if other else None

    def step(state: tuple[int | None, int | None], tail: str, head: str) -> Any:
        mine, theirs = state
        return a.automaton.step(mine, head), other.step(theirs, head) if other else None

    # Only paths that have reached the outcome are judged, and there each live state accepts.
    return Rule(start, step, lambda state: both(state[0] is not None, state[1] is not None))


def _trie(paths: Iterable[Path]) -> Rule:
    """Read listed paths; a state is the number of a prefix, None once no path goes on."""
    numbers: dict[tuple[int, str], int] = {}
    last = set()
    for path in paths:
        at = 0
        for node in path:
            at = numbers.setdefault((at, node), len(numbers) + 1)
        last.add(at)
    return Rule(
        start=lambda treatment: numbers.get((0, treatment)),
        step=lambda at, tail, head: None if at is None else numbers.get((at, head)),
        accepts=lambda at: at in last,
    )


def _counts(automaton: Automaton) -> list[int]:
    """Count the continuations of each state, those of later states first.

    States are numbered breadth first, so a state may come before one that leads to it.
    """
    waiting = [len(moves) for moves in automaton.moves]
    before: list[list[int]] = [[] for _ in automaton.moves]
    for state, moves in enumerate(automaton.moves):
        for _, after in moves:
            before[after].append(state)
    counts = [0] * len(waiting)
    ready = [state for state, left in enumerate(waiting) if not left]
    for state in ready:
        moves = automaton.moves[state]
        counts[state] = sum(counts[after] for _, after in moves) if moves else 1
        for earlier in before[state]:
            waiting[earlier] -= 1
            if not waiting[earlier]:
                ready.append(earlier)
    return counts


def _check_edge(graph: ADMG, edge: Edge) -> None:
    tail, head = edge
    if not graph.has_edge(tail, head):
        children = ", ".join(chain(graph.children(tail)[:_SHOWN])) or "(none)"
        raise TermError(
            f"There is no edge {tail} -> {head}.",
            f"Children of {tail}: {children}.",
            "Write edges of the graph.",
        )


def _check_path(graph: ADMG, span: ProperPaths, path: Path) -> None:
    for edge in pairwise(path):
        _check_edge(graph, edge)
    inside = [node for node in path[1:] if node in span.treatments]
    if path[0] not in span.treatments or path[-1] != span.outcome or inside:
        raise TermError(
            f"The path {shown(path, ' -> ')}.",
            f"A path runs from a treatment ({', '.join(span.treatments)}) to {span.outcome} and "
            "meets no other treatment.",
            "Leave the path out, or change the treatments.",
        )
