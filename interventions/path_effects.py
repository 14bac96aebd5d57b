"""Effects along some paths only: from a set of paths to the worlds that compute it.

The value of a node is taken in a context: which of the paths that end in it are to carry the other
input.  A parent's context is made of those paths with their last edge taken off, so contexts are
found from the outcome backwards; they are sets of states of the path set's minimal automaton, and
there are no more of them than there must be (determinising the reversed minimal automaton gives
the minimal one, Brzozowski 1962).  Where every node has one context, membership is decided by
edges (edge consistency, Shpitser and Tchetgen Tchetgen 2016) and one patched world is enough;
otherwise nodes have several values and there is a world more for each.
"""

from collections.abc import Mapping

from causalnet.errors import TermError
from causalnet.graphs import Kind, MediatorGraph
from causalnet.graphs.admg import ADMG
from causalnet.graphs.paths import PathSet
from causalnet.interventions.queries import Direction, Patched, Query, effects, worlds_of
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.worlds import Assignment, At, Do, Edge, World

__all__ = ["causal_diagram", "path_worlds", "pse"]

Context = tuple[str, frozenset[int]]


def causal_diagram(graph: MediatorGraph) -> ADMG:
    """Return the directed graph of a mediator graph's nodes, on which sets of paths are written.

    Norm scales are left out: they read what their receiver reads, and an edge into the receiver
    reaches both.

    >>> from causalnet.graphs import plain_graph
    >>> causal_diagram(plain_graph({"X": (), "M": ("X",)})).directed
    (('X', 'M'),)
    """
    kept = [node for node in graph.nodes if node.mediator.kind is not Kind.SCALE]
    names = [node.mediator.name for node in kept]
    inside = set(names)
    edges = [
        (parent, node.mediator.name)
        for node in kept
        for parent in graph.parents(node.mediator)
        if parent in inside
    ]
    return ADMG.of(directed=edges, nodes=names)


def pse(
    paths: PathSet | Mapping[str, PathSet],
    outcome: ReadOut,
    *,
    direction: Direction = "noising",
) -> Query:
    """Return path-specific effects: the given paths carry the other input, all others do not.

    Args:
        paths: A set of paths from treatments (inputs or mediators) to the read-out's node, or
            several by label; write them on `causal_diagram(graph)` with `PathSet.along` (the edges
            that are kept), `PathSet.listed` (path by path), `PathSet.through` and so on.
        outcome: The read-out; its node is where the paths end.
        direction: Noising sends the source along the paths of the base world.

    Raises:
        TermError: Paths that end at another node than the read-out's, or no set of paths.

    >>> from causalnet.interventions.readouts import value_of
    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Z"), ("M", "Y"), ("Z", "Y")])
    >>> query = pse(PathSet.listed(graph, [("X", "M", "Y")]), value_of("Y"))
    >>> print(query.contrasts[0][1].terms[0][1].world)
    <base> + {X -> M := X in <source>, Z -> Y := Z in <base>}
    """
    if not isinstance(paths, PathSet | Mapping):
        raise TermError(
            f"{paths!r} is no set of paths.",
            "A set of paths is written on a causal diagram.",
            "Write PathSet.listed(causal_diagram(graph), [('X', 'M', 'Y')]).",
        )
    given = {repr(paths)[8:-1]: paths} if isinstance(paths, PathSet) else dict(paths)
    below, other = worlds_of(direction)
    rows = []
    for label, each in given.items():
        if each.outcome != outcome.node:
            raise TermError(
                f"The paths end at {each.outcome} and {outcome} reads {outcome.node}.",
                "Paths end at the node that is read.",
                f"Write lens(..., {each.outcome!r}) or value_of({each.outcome!r}).",
            )
        rows.append(Patched(label, (), (path_worlds(each, below, other)[-1],)))
    return effects("PSE", rows, outcome, direction=direction)


def path_worlds(paths: PathSet, below: World, other: World) -> tuple[World, ...]:
    """Return the worlds that a path-specific value needs; the outcome is read in the last.

    There is one for an edge-consistent set, and none but `below` for the empty set.

    Args:
        paths: The paths that carry the treatments' values in `other`.
        below: The world that is patched.
        other: The world that the treatments' values come from.
    """
    contexts = _contexts(paths)
    if not contexts:
        return (below,)
    placed = _placed(paths, contexts)
    made: list[World] = []
    for number in range(max(placed.values()) + 1):
        inside = [context for context in contexts if placed[context] == number]
        affected = paths.graph.descendants([node for node, _ in inside])
        layer: list[Assignment] = []
        for context in inside:
            sends = contexts[context]
            for parent in paths.graph.parents(context[0]):
                site = Edge(parent, context[0])
                if parent in sends and parent in paths.treatments:
                    layer.append((site, At(parent, other)))
                elif parent in sends and placed[sends[parent]] < number:
                    layer.append((site, At(parent, made[placed[sends[parent]]])))
                elif parent not in sends and parent in affected:
                    layer.append((site, At(parent, below)))
        made.append(Do(below, tuple(layer)) if layer else below)
    return tuple(made)


def _contexts(paths: PathSet) -> dict[Context, dict[str, Context]]:
    """Return every context, parents first, with what each active parent sends it."""
    automaton = paths.automaton
    into: dict[int, list[int]] = {}
    for state, moves in enumerate(automaton.moves):
        for _, after in moves:
            into.setdefault(after, []).append(state)
    ends = frozenset(state for state, node in enumerate(automaton.nodes) if node == paths.outcome)
    found: dict[Context, dict[str, Context]] = {}
    waiting: list[Context] = [(paths.outcome, ends)] if ends else []
    while waiting:
        context = waiting.pop()
        if context in found:
            continue
        before: dict[str, set[int]] = {}
        for state in context[1]:
            for earlier in into.get(state, ()):
                before.setdefault(automaton.nodes[earlier], set()).add(earlier)
        found[context] = {node: (node, frozenset(states)) for node, states in before.items()}
        waiting.extend(
            sent for node, sent in found[context].items() if node not in paths.treatments
        )
    place = {node: at for at, node in enumerate(paths.span.order)}
    return {context: found[context] for context in sorted(found, key=lambda c: place[c[0]])}


def _placed(
    paths: PathSet, contexts: Mapping[Context, Mapping[str, Context]]
) -> dict[Context, int]:
    """Give each context the number of a world, so that worlds read lower ones only.

    A context joins the world of its latest parent unless its node has another context there.  The
    outcome, which has one context and reads all others, is in the last world.
    """
    numbers: dict[Context, int] = {}
    taken: set[tuple[str, int]] = set()
    for context, sends in contexts.items():
        node = context[0]
        needed = (numbers[sent] for sent in sends.values() if sent in numbers)
        number = max(needed, default=0)
        while (node, number) in taken:
            number += 1
        numbers[context] = number
        taken.add((node, number))
    return numbers
