"""Sets of directed paths as deterministic automata that read nodes.

A state is a node together with what the path so far says about its continuations.  Automata are
kept minimal and numbered in one order, so that equal sets of paths are equal values; nothing here
lists paths, and nothing recurses over the length of a path.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, final

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG, Names, check_admg

__all__ = ["Automaton", "Move", "ProperPaths", "Rule", "minimal"]

Path = tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class ProperPaths:
    """The part of a graph on which the proper causal paths from treatments to an outcome lie.

    A proper causal path is directed and meets the treatments in its first node only.

    Attributes:
        treatments: Where paths start, sorted.
        outcome: Where paths end.
        order: The nodes on proper causal paths, parents first, treatments before all.
        children: For each of these nodes its children among them, treatments left out, sorted by
            name, so that equal graphs give equal automata whatever the order of their nodes.
    """

    treatments: tuple[str, ...]
    outcome: str
    order: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]]

    @staticmethod
    def of(graph: ADMG, treatments: Names, outcome: str) -> "ProperPaths":
        """Find the nodes between treatments and outcome, in time linear in the graph.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: No treatment, or the outcome is one.
        """
        check_admg(graph)
        starts = tuple(sorted(set(graph.names_of(graph.indices(treatments)))))
        graph.index(outcome)
        if not starts or outcome in starts:
            raise ParameterError(
                f"Treatments {', '.join(starts) or '(none)'} and outcome {outcome}.",
                "Paths start at one treatment or more and end at an outcome that is none of them.",
                "Name other treatments, or another outcome.",
            )
        above = _reached(outcome, graph.parents, frozenset(starts))
        order = (*starts, *(v for v in graph.topological_order() if v in above))
        within = {v: tuple(sorted(above.intersection(graph.children(v)))) for v in order}
        seen = set(starts)
        for node in order:
            if node in seen:
                seen.update(within[node])
        return ProperPaths(
            starts,
            outcome,
            tuple(v for v in order if v in seen),
            {v: within[v] for v in order if v in seen},
        )


def _reached(
    start: str, neighbours: Callable[[str], Iterable[str]], but: frozenset[str]
) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        new = [v for v in neighbours(waiting.pop()) if v not in seen and v not in but]
        seen.update(new)
        waiting.extend(new)
    return seen


class Move(NamedTuple):
    """A step of a path to a child, and the state that the automaton is in then."""

    child: str
    state: int


class Rule(NamedTuple):
    """How to read a path; states are any hashable values.

    Attributes:
        start: The state at a treatment.
        step: The state after an edge, given the state before it, its tail and its head.
        accepts: Whether a path that has reached the outcome in this state is in the set.
    """

    start: Callable[[str], Hashable]
    step: Callable[[Any, str, str], Hashable]
    accepts: Callable[[Any], bool]


@final
@dataclass(frozen=True, slots=True)
class Automaton:
    """A minimal automaton: each state lies on a path of the set, and no two states agree.

    Attributes:
        nodes: The node of each state.
        moves: The steps from each state, sorted by child; none at the outcome.
        starts: The states of the treatments from which a path of the set starts.
    """

    nodes: tuple[str, ...]
    moves: tuple[tuple[Move, ...], ...]
    starts: tuple[Move, ...]

    def start(self, treatment: str) -> int | None:
        """Return the state at a treatment; None where no path of the set starts."""
        return next((state for node, state in self.starts if node == treatment), None)

    def step(self, state: int | None, child: str) -> int | None:
        """Return the state after a step; None once no path of the set goes on like this."""
        if state is None:
            return None
        moves = self.moves[state]
        at = bisect_left(moves, (child,))
        return moves[at].state if at < len(moves) and moves[at].child == child else None


def minimal(span: ProperPaths, rule: Rule) -> Automaton:
    """Build the minimal automaton of the proper causal paths that a rule accepts.

    Time and space are linear in the pairs of a node and a state of the rule that paths reach,
    times the node's children.

    Args:
        span: The proper causal paths.
        rule: How to read a path.
    """
    reached: dict[str, dict[Hashable, None]] = {v: {} for v in span.order}  # dicts keep order
    for treatment in span.treatments:
        if treatment in reached:
            reached[treatment][rule.start(treatment)] = None
    steps: dict[tuple[str, Hashable], list[tuple[str, Hashable]]] = {}
    for node in span.order:
        for state in reached[node]:
            ahead = [(child, rule.step(state, node, child)) for child in span.children[node]]
            steps[node, state] = ahead
            for child, after in ahead:
                reached[child][after] = None
    return _numbered(span, rule, *_merged(span, rule, reached, steps))


_Signature = tuple[str, tuple[Move, ...]]


def _merged(
    span: ProperPaths,
    rule: Rule,
    reached: Mapping[str, Iterable[Hashable]],
    steps: Mapping[tuple[str, Hashable], Iterable[tuple[str, Hashable]]],
) -> tuple[dict[tuple[str, Hashable], int], list[_Signature]]:
    """Give one number to all states of a node that accept the same continuations."""
    numbers: dict[_Signature, int] = {}
    merged: dict[tuple[str, Hashable], int] = {}
    for node in reversed(span.order):
        for state in reached[node]:
            ahead = tuple(
                Move(child, merged[child, after])
                for child, after in steps[node, state]
                if (child, after) in merged
            )
            if ahead or (node == span.outcome and rule.accepts(state)):
                merged[node, state] = numbers.setdefault((node, ahead), len(numbers))
    return merged, list(numbers)


def _numbered(
    span: ProperPaths,
    rule: Rule,
    merged: Mapping[tuple[str, Hashable], int],
    signatures: list[_Signature],
) -> Automaton:
    """Number the states in the order in which a breadth-first search meets them."""
    starts = [
        Move(x, merged[x, rule.start(x)]) for x in span.treatments if (x, rule.start(x)) in merged
    ]
    met = dict.fromkeys(state for _, state in starts)
    queue = list(met)
    for state in queue:
        for _, after in signatures[state][1]:
            if after not in met:
                met[after] = None
                queue.append(after)
    new = {old: at for at, old in enumerate(queue)}

    def renamed(moves: Iterable[Move]) -> tuple[Move, ...]:
        return tuple(Move(child, new[after]) for child, after in moves)

    return Automaton(
        nodes=tuple(signatures[old][0] for old in queue),
        moves=tuple(renamed(signatures[old][1]) for old in queue),
        starts=renamed(starts),
    )
