"""What a set of causal paths asks for: two worlds or more, and whether node experiments suffice.

| question | answer | source |
|---|---|---|
| are edges enough? | `EdgeConsistent` with them, or `NeedsContexts` | `check_paths` |
| which values does each node take? | `Context` | `check_paths` |
| is a node asked for two values? | `RecantingWitness` | Avin, Shpitser and Pearl (2005) |
| is a district asked for two? | `RecantingDistrict` | Shpitser (2013), theorem 3 |
| which edges carry the active treatment? | `first_edges` | Shpitser and Tchetgen Tchetgen (2016) |

The path-specific value of a node depends on the continuation from it to the outcome: it is computed
from the treatments' active value along the prefixes that make, with this continuation, a path of
the set, and from their baseline along the others.  Two continuations with the same prefixes are one
context of the node.  With access to the model every context is computable; a recanting witness
means that no experiment that sets nodes of this graph, and no data, could determine the value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias, final

from causalnet.errors import ParameterError
from causalnet.graphs.admg import Edge
from causalnet.graphs.arguments import check_type, check_whole
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.path_automaton import Automaton, Path, ProperPaths
from causalnet.graphs.paths import PathSet

__all__ = [
    "Context",
    "Crossing",
    "EdgeConsistent",
    "FirstEdges",
    "NeedsContexts",
    "RecantingDistrict",
    "RecantingWitness",
    "check_paths",
    "first_edges",
    "recanting_district",
    "recanting_witnesses",
]

_MOST_CONTEXTS = 100_000


@final
@dataclass(frozen=True, slots=True)
class RecantingWitness:
    """A node that a path of the set and a path outside it reach along the same prefix.

    Attributes:
        node: Where the two may part, not a treatment.
        active: A path of the set.
        inactive: A path outside it that agrees with `active` up to the node.
    """

    node: str
    active: Path
    inactive: Path

    @property
    def prefix(self) -> Path:
        """Return the path from the treatment to the node that both share."""
        return self.active[: self.active.index(self.node) + 1]

    def __str__(self) -> str:
        """Return the witness in one line."""
        return (
            f"recanting witness {self.node}: {_arrow(self.active)} in, {_arrow(self.inactive)} out"
        )


@final
@dataclass(frozen=True, slots=True)
class RecantingDistrict:
    """A district that needs a treatment's active value and its baseline at once.

    Attributes:
        district: The nodes, in the graph on the outcome's ancestors without the treatments.
        active: A path of the set whose second node is in the district.
        inactive: A path outside it, from the same treatment, whose second node is in the district.
    """

    district: frozenset[str]
    active: Path
    inactive: Path

    @property
    def is_witness(self) -> bool:
        """Return whether both paths start with the same edge: then a node is asked for both."""
        return self.active[:2] == self.inactive[:2]

    def __str__(self) -> str:
        """Return the district in one line."""
        nodes = ", ".join(sorted(self.district))
        return (
            f"recanting district {{{nodes}}}: {_arrow(self.active)} in, {_arrow(self.inactive)} out"
        )


@final
@dataclass(frozen=True, slots=True)
class Crossing:
    """Two paths of a set whose crossing is not in the set: edges cannot tell them apart.

    Attributes:
        node: A node on both.
        first: A path of the set.
        second: Another one.
    """

    node: str
    first: Path
    second: Path

    @property
    def path(self) -> Path:
        """Return the path outside the set: the first one to the node, the second one from it."""
        return (
            *self.first[: self.first.index(self.node)],
            *self.second[self.second.index(self.node) :],
        )

    def __str__(self) -> str:
        """Return the two paths and their crossing in one line."""
        return f"{_arrow(self.first)} and {_arrow(self.second)} in, {_arrow(self.path)} out"


@final
@dataclass(frozen=True, slots=True)
class Context:
    """A value that a node takes, other than its baseline.

    Attributes:
        node: The node; for a treatment this context is its active value.
        reads: Parents that are not at their baseline, each with the place of its context.
        world: The world in which this value is computed; 0 is the baseline, in which no context
            is.  A context reads its own world and earlier ones.
    """

    node: str
    reads: tuple[tuple[str, int], ...]
    world: int


@final
@dataclass(frozen=True, slots=True)
class EdgeConsistent:
    """The set is all paths along some edges: a baseline and one world with edge patches suffice.

    Attributes:
        edges: The edges on paths of the set; patching every other edge to the baseline, in the
            world with the active treatments, computes the effect.
        recanting: Nodes that are needed both at their active and at their baseline value.
    """

    edges: frozenset[Edge]
    recanting: tuple[RecantingWitness, ...]

    def __str__(self) -> str:
        """Return the answer as a person reads it."""
        return "\n".join(
            chain(["edge-consistent: one term with edge sites"], _told(self.recanting))
        )


@final
@dataclass(frozen=True, slots=True)
class NeedsContexts:
    """No set of edges says which paths are meant: nodes take more values than two worlds give.

    Attributes:
        contexts: Each value that a node takes, parents first.
        crossing: Why edges are not enough.
        recanting: Nodes that are needed at several values; there is at least one.
    """

    contexts: tuple[Context, ...]
    crossing: Crossing
    recanting: tuple[RecantingWitness, ...]

    @property
    def worlds(self) -> int:
        """Return the number of worlds that hold the contexts, with the baseline."""
        return 1 + max(context.world for context in self.contexts)

    def __str__(self) -> str:
        """Return the answer as a person reads it."""
        head = f"needs contexts: {self.worlds} worlds, as edges cannot tell {self.crossing}"
        return "\n".join(chain([head], _told(self.recanting)))


@final
@dataclass(frozen=True, slots=True)
class FirstEdges:
    """Which edges out of the treatments lead to paths of a set, and which to others.

    Attributes:
        on: Edges with which a path of the set starts.
        off: Edges with which a proper causal path outside the set starts.
    """

    on: frozenset[Edge]
    off: frozenset[Edge]


def check_paths(paths: PathSet, at_most: int = _MOST_CONTEXTS) -> EdgeConsistent | NeedsContexts:
    """Decide whether edges say which paths are meant, and if not, list the contexts.

    Deciding takes time linear in the set's automaton: edges are enough if and only if it has one
    state for each node.  Contexts are as few as can be at each node; worlds are packed greedily.

    Args:
        paths: The set.
        at_most: The number of contexts above which they are not listed.

    Raises:
        ParameterError: More contexts than that.

    >>> from causalnet.graphs.admg import ADMG
    >>> kite = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    >>> print(check_paths(PathSet.listed(kite, [("X", "W", "Y")])))
    edge-consistent: one term with edge sites
    recanting witness W: X -> W -> Y in, X -> W -> Z -> Y out
    no experiment that sets whole nodes of this graph could determine this effect
    """
    check_whole(at_most, "at_most")
    witnesses = recanting_witnesses(paths)
    crossing = _crossing(paths)
    if crossing is None:
        return EdgeConsistent(paths.edges(), witnesses)
    return NeedsContexts(_contexts(paths, at_most), crossing, witnesses)


def recanting_witnesses(paths: PathSet) -> tuple[RecantingWitness, ...]:
    """Return each node that lies on a path in the set and one out of it with the same prefix.

    Parents come first; each node has one pair of paths as its witness.

    >>> from causalnet.graphs.admg import ADMG
    >>> kite = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y"), ("X", "Y")])
    >>> recanting_witnesses(PathSet.listed(kite, [("X", "W", "Y")]))[0].node
    'W'
    >>> recanting_witnesses(PathSet.direct(kite, "X", "Y"))
    ()
    """
    walks = _Walks.of(paths)
    found = {}
    for state, node in enumerate(paths.automaton.nodes):
        if node not in found and node not in paths.treatments and walks.strays[state]:
            found[node] = state
    return tuple(walks.witness(found[node]) for node in paths.span.order if node in found)


def first_edges(paths: PathSet) -> FirstEdges:
    """Say for each edge out of a treatment whether paths in the set, or others, start with it.

    These are the edges that carry the active value and the baseline in the edge g-formula.
    """
    walks = _Walks.of(paths)
    edges = [(x, z) for x in paths.treatments for z in paths.span.children.get(x, ())]
    return FirstEdges(
        frozenset((x, z) for x, z in edges if walks.after(x, z) is not None),
        frozenset((x, z) for x, z in edges if walks.leaves(walks.after(x, z))),
    )


def recanting_district(paths: PathSet) -> RecantingDistrict | None:
    """Return a district that needs both values of a treatment; None if there is none.

    With one, the effect is not identifiable from any experiments.  Several treatments are looked at
    one by one, as a district may well have the active value of one and the baseline of another.

    >>> from causalnet.graphs.admg import ADMG
    >>> edges = [("X", "M"), ("M", "Y"), ("X", "W"), ("W", "Y")]
    >>> graph = ADMG.of(directed=edges, bidirected=[("M", "W")])
    >>> print(recanting_district(PathSet.through(graph, "X", "Y", "M")))
    recanting district {M, W}: X -> M -> Y in, X -> W -> Y out
    """
    walks = _Walks.of(paths)
    edges = first_edges(paths)
    graph = paths.graph.induced(v for v in paths.graph.nodes if v not in paths.treatments)
    districts = graph.induced(graph.ancestors(paths.outcome)).districts()
    home = {node: at for at, district in enumerate(districts) for node in district}
    off: dict[tuple[str, int], list[str]] = {}
    for x, z in sorted(edges.off):
        off.setdefault((x, home[z]), []).append(z)
    pairs = [(x, z, other) for x, z in sorted(edges.on) for other in off.get((x, home[z]), ())]
    if not pairs:
        return None
    x, z, other = min(pairs, key=lambda pair: pair[1] != pair[2])  # a witness is told before others
    active = (x, *walks.inside(walks.after(x, z)))
    return RecantingDistrict(
        districts[home[z]], active, (x, *walks.outside(other, walks.after(x, other)))
    )


@dataclass(frozen=True, slots=True)
class _Walks:
    """Paths to and from the states of a set's automaton.

    Attributes:
        span: All proper causal paths.
        automaton: The set's automaton.
        before: For each state an earlier one that leads to it; -1 for a treatment.
        strays: For each state whether a path through it goes on outside the set.
    """

    span: ProperPaths
    automaton: Automaton
    before: tuple[int, ...]
    strays: tuple[bool, ...]

    @staticmethod
    def of(paths: PathSet) -> "_Walks":
        """Find how each state is reached, and which can leave the set."""
        check_type(paths, PathSet, "Write PathSet.all_paths(graph, 'X', 'Y'), or a part of it.")
        automaton, span = paths.automaton, paths.span
        before = [-1] * len(automaton.nodes)
        for state in reversed(range(len(before))):
            for _, after in automaton.moves[state]:
                before[after] = state
        at: dict[str, list[int]] = {}
        for state, node in enumerate(automaton.nodes):
            at.setdefault(node, []).append(state)
        strays = [False] * len(before)
        for node in reversed(span.order):
            for state in at.get(node, ()):
                moves = automaton.moves[state]
                missing = len(moves) < len(span.children[node])
                strays[state] = missing or any(strays[after] for _, after in moves)
        return _Walks(span, automaton, tuple(before), tuple(strays))

    def after(self, treatment: str, child: str) -> int | None:
        """Return the state after a first edge."""
        return self.automaton.step(self.automaton.start(treatment), child)

    def leaves(self, state: int | None) -> bool:
        """Return whether a path goes on outside the set; it does where no state is left."""
        return state is None or self.strays[state]

    def prefix(self, state: int) -> Path:
        """Return a path from a treatment to a state."""
        path = [self.automaton.nodes[state]]
        while self.before[state] >= 0:
            state = self.before[state]
            path.append(self.automaton.nodes[state])
        return tuple(reversed(path))

    def inside(self, state: int | None, other_than: str | None = None) -> Path:
        """Return a path in the set from a state on, through another child first if there is one."""
        path = []
        while state is not None:
            path.append(self.automaton.nodes[state])
            moves = sorted(self.automaton.moves[state], key=lambda move: move.child == other_than)
            state = moves[0].state if moves else None
            other_than = None
        return tuple(path)

    def outside(self, node: str, state: int | None) -> Path:
        """Return a path from a node on that leaves the set, as early as it can."""
        path = [node]
        while node != self.span.outcome:
            steps = [
                (child, self.automaton.step(state, child)) for child in self.span.children[node]
            ]
            gone = (step for step in steps if step[1] is None)
            node, state = next(gone, None) or next(s for s in steps if self.leaves(s[1]))
            path.append(node)
        return tuple(path)

    def witness(self, state: int) -> RecantingWitness:
        """Return the two paths that part at a state or later."""
        prefix = self.prefix(state)
        out = self.outside(prefix[-1], state)
        inside = self.inside(state, other_than=out[1])
        return RecantingWitness(prefix[-1], prefix[:-1] + inside, prefix[:-1] + out)


def _crossing(paths: PathSet) -> Crossing | None:
    """Find two states of a node that differ in their children; None if each node has one state.

    The last node with two states has one: all its children have one state each, so that states
    with the same children would be the same.
    """
    automaton = paths.automaton
    at: dict[str, list[int]] = {}
    for state, node in enumerate(automaton.nodes):
        at.setdefault(node, []).append(state)
    last = next((node for node in reversed(paths.span.order) if len(at.get(node, ())) > 1), None)
    if last is None:
        return None
    one, two = at[last][:2]
    children = [{move.child for move in automaton.moves[state]} for state in (one, two)]
    if not children[1] - children[0]:
        one, two = two, one
        children.reverse()
    only = min(children[1] - children[0])
    walks = _Walks.of(paths)
    first = walks.prefix(one)[:-1] + walks.inside(one)
    second = walks.prefix(two) + walks.inside(automaton.step(two, only))
    return Crossing(last, first, second)


def _contexts(paths: PathSet, at_most: int) -> tuple[Context, ...]:
    """Read the automaton backwards: a context is the set of a node's states that one reaches.

    As each state is reached by a path, different sets of states have different prefixes
    (Brzozowski 1962), so that there is no smaller number of contexts.
    """
    automaton = paths.automaton
    before: list[list[int]] = [[] for _ in automaton.nodes]
    for state, moves in enumerate(automaton.moves):
        for _, after in moves:
            before[after].append(state)
    found: dict[str, dict[frozenset[int], dict[str, frozenset[int]]]] = {}
    last = frozenset(s for s, node in enumerate(automaton.nodes) if node == paths.outcome)
    found[paths.outcome] = {last: {}}
    count = 1
    for node in reversed(paths.span.order):
        for states, reads in found.get(node, {}).items():
            for parent, group in _by_node(automaton, chain(*(before[s] for s in states))).items():
                reads[parent] = group
                count += group not in found.setdefault(parent, {})
                found[parent].setdefault(group, {})
            if count > at_most:
                raise ParameterError(
                    f"The set of paths needs more than {at_most} contexts.",
                    "Contexts are listed up to a number.",
                    "Choose a smaller set of paths, or raise at_most.",
                )
    return _packed(paths, found)


def _by_node(automaton: Automaton, states: Iterable[int]) -> dict[str, frozenset[int]]:
    groups: dict[str, set[int]] = {}
    for state in states:
        groups.setdefault(automaton.nodes[state], set()).add(state)
    return {node: frozenset(groups[node]) for node in sorted(groups)}


_Found: TypeAlias = dict[str, dict[frozenset[int], dict[str, frozenset[int]]]]


def _packed(paths: PathSet, found: _Found) -> tuple[Context, ...]:
    """Put contexts into worlds, parents first, each into the first world that is free at its node.

    The treatments have their active value in every world but the baseline.
    """
    place: dict[tuple[str, frozenset[int]], int] = {}
    contexts: list[Context] = []
    for node in paths.span.order:
        taken: set[int] = set()
        for states, sources in found.get(node, {}).items():
            reads = tuple((parent, place[parent, group]) for parent, group in sources.items())
            world = max((contexts[at].world for _, at in reads), default=1)
            while world in taken:
                world += 1
            taken.add(world)
            place[node, states] = len(contexts)
            contexts.append(Context(node, reads, world))
    return tuple(contexts)


def _told(witnesses: tuple[RecantingWitness, ...]) -> list[str]:
    if not witnesses:
        return []
    ruled = "no experiment that sets whole nodes of this graph could determine this effect"
    return [*map(str, witnesses), ruled]


def _arrow(path: Path) -> str:
    return shown(path, " -> ")
