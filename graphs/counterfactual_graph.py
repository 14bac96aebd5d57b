"""The counterfactual graph: what events in several worlds have to do with each other.

Events in several worlds, such as Y = y had X been x and X = x', are drawn as parallel worlds in
which copies that must be equal, given the events, are one node (Shpitser and Pearl 2008, "Complete
identification methods for the causal hierarchy", make-cg, figure 12).  Copies are numbered by what
they are computed from instead of being compared in pairs, so that time is linear in the graph times
the number of worlds, bidirected edges aside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from causalnet.errors import GraphError, ParameterError
from causalnet.graphs.admg import ADMG, Names, check_admg
from causalnet.graphs.arguments import check_type, listed, quoted
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.parallel_worlds import Copy, check_names, separated_among, shared_noise

__all__ = ["CounterfactualGraph", "EqualCopies", "Event", "Inconsistent", "counterfactual_graph"]

_WRITE = "Write [Event.of('Y', 'y', do={'X': 'x'})]."


@final
@dataclass(frozen=True, slots=True)
class Event:
    """A variable takes a value in a world.

    Attributes:
        copy: The variable and its world.
        value: A symbol of the variable; different symbols of one variable are different values.

    >>> print(Event.of("Y", "y", do={"X": "x"}))
    Y{X=x} = y
    """

    copy: Copy
    value: str

    @staticmethod
    def of(variable: str, value: str, do: Mapping[str, str] | None = None) -> "Event":
        """Return the event that a variable takes a value in the world of an intervention."""
        return Event(Copy.of(variable, do), value)

    def __str__(self) -> str:
        """Return the event as `Y{X=x} = y`."""
        return f"{self.copy} = {self.value}"


@final
@dataclass(frozen=True, slots=True)
class EqualCopies:
    """Two copies of a variable that are equal, given the events.

    Attributes:
        first: One copy.
        second: The other.
        values: The parents that are equal by their value, with it; the other parents are the same
            node.
    """

    first: Copy
    second: Copy
    values: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return the equation with its reason."""
        told = ", ".join(f"{parent} is {value} in both" for parent, value in self.values)
        return f"{self.first} = {self.second}" + (f", as {told}" if told else "")


@final
@dataclass(frozen=True, slots=True)
class Inconsistent:
    """The events cannot happen together: their probability is 0 in every model of the graph.

    Attributes:
        events: Two events that give one node two values; one event if it contradicts its own world.
        merges: Why the two copies are equal, causes first.
    """

    events: tuple[Event, ...]
    merges: tuple[EqualCopies, ...]

    def __str__(self) -> str:
        """Return the events and the equations that set them against each other."""
        lines = [f"inconsistent: {' and '.join(map(str, self.events))}"]
        return "\n".join(lines + [f"  {merge}" for merge in self.merges])


@final
@dataclass(frozen=True, slots=True)
class CounterfactualGraph:
    """The ancestors of some events, each value that must be equal to another drawn once.

    Attributes:
        graph: The graph; a node is named after one of its copies without what does not matter to
            it, as `Y{X=x}`, and `X=x` is the value to which worlds set X.
        events: The events in terms of these nodes; they have the same probability.
        copies: For each node of the graph the copies for which it stands.
        fixed: The nodes that are set.
    """

    graph: ADMG
    events: tuple[tuple[str, str], ...]
    copies: tuple[tuple[Copy, ...], ...]
    fixed: frozenset[str]

    def node_of(self, variable: str, do: Mapping[str, str] | None = None) -> str:
        """Return the node that stands for a variable in a world.

        Raises:
            GraphError: The copy is no ancestor of the events.
        """
        wanted = Copy.of(variable, do)
        for node, copies in zip(self.graph.nodes, self.copies, strict=True):
            if wanted in copies:
                return node
        raise GraphError(
            f"{quoted(str(wanted))} is not in the counterfactual graph.",
            f"Its nodes are {shown(self.graph.nodes, ', ') or '(none)'}.",
            "Build the graph with an event of this variable in this world.",
        )

    def is_separated(self, xs: Names, ys: Names, given: Names = ()) -> bool:
        """Return whether nodes are m-separated, knowing that what worlds set does not vary.

        Raises:
            UnknownMediatorError: No such node.
            TermError: A node in two of the three sets.
        """
        return separated_among(self.graph, self.fixed, xs, ys, given)


def counterfactual_graph(
    graph: ADMG, events: Iterable[Event]
) -> CounterfactualGraph | Inconsistent:
    """Draw the ancestors of events in several worlds, equal copies merged.

    Two copies of a variable are equal if neither is set and their parents are the same nodes or
    have the same values, by the events or by what their worlds set.

    Args:
        graph: The graph of one world.
        events: What happens; each in its world.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: No event.
        GraphError: Names of variables that make two nodes look alike.

    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> consistency = [Event.of("X", "x"), Event.of("Y", "y", do={"X": "x"})]
    >>> counterfactual_graph(bow, consistency).events
    (('X', 'x'), ('Y', 'y'))
    >>> print(counterfactual_graph(bow, [*consistency, Event.of("Y", "y'")]))
    inconsistent: Y = y' and Y{X=x} = y
      Y = Y{X=x}, as X is x in both
    """
    check_admg(graph)
    given = _checked(graph, events)
    if not given:
        raise ParameterError("No event.", "There is at least one.", _WRITE)
    numbering = _Numbering.of(graph, given)
    clash = numbering.clash(given)
    return clash if clash is not None else _drawn(graph, numbering, given)


def _checked(graph: ADMG, events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events, each once."""
    given = listed(events, "events", _WRITE)
    for event in given:
        check_type(event, Event, _WRITE)
        check_type(event.copy, Copy, _WRITE)
        check_type(event.value, str, _WRITE)
        for variable in (event.copy.variable, *dict(event.copy.do)):
            graph.index(variable)
    return tuple(dict.fromkeys(given))


_Key: TypeAlias = tuple[str, tuple[tuple[str, str | int], ...]]


@dataclass(frozen=True, slots=True)
class _Numbering:
    """Which copies are equal: copies of a variable with one number.

    Attributes:
        graph: The graph of one world.
        numbers: The number of each copy of an ancestor of the events' variables.
        members: The copies with each number, those of the actual world first.
        values: For a number its known value and the copy, event or setting, from which it is known.
        matters: For each copy what its world sets among the causes of the copy.
    """

    graph: ADMG
    numbers: dict[Copy, int]
    members: list[list[Copy]]
    values: dict[int, tuple[str, Copy]]
    matters: dict[Copy, frozenset[tuple[str, str]]]

    @staticmethod
    def of(graph: ADMG, events: tuple[Event, ...]) -> "_Numbering":
        """Number copies, causes first, by what they are computed from."""
        found = _Numbering(graph, {}, [], {}, {})
        known = {event.copy: event.value for event in reversed(events)}
        worlds = sorted(dict.fromkeys(event.copy.do for event in events), key=bool)
        above = graph.ancestors(event.copy.variable for event in events)
        keys: dict[_Key, int] = {}
        for variable in graph.topological_order():
            for copy in (Copy(variable, do) for do in worlds if variable in above):
                number = keys.setdefault(found._key(copy), len(keys))
                if number == len(found.members):
                    found.members.append([])
                found.members[number].append(copy)
                found.numbers[copy] = number
                found.matters[copy] = found._causes(copy)
                value = known.get(copy) if copy.setting is None else copy.setting
                if value is not None:
                    found.values.setdefault(number, (value, copy))
        return found

    def _key(self, copy: Copy) -> _Key:
        """Return what a copy is computed from: values where they are known, numbers elsewhere."""
        if copy.setting is not None:
            return copy.variable, (("=", copy.setting),)
        return copy.variable, tuple(self._input(parent) for parent in self._parents(copy))

    def _causes(self, copy: Copy) -> frozenset[tuple[str, str]]:
        if copy.setting is not None:
            return frozenset({(copy.variable, copy.setting)})
        return frozenset().union(*(self.matters[parent] for parent in self._parents(copy)))

    def name(self, number: int) -> str:
        """Name a node after its first copy, leaving out what its world sets to no effect on it."""
        first = self.members[number][0]
        if first.setting is not None:
            return f"{first.variable}={first.setting}"
        return str(Copy(first.variable, tuple(sorted(self.matters[first]))))

    def _parents(self, copy: Copy) -> list[Copy]:
        return [Copy(parent, copy.do) for parent in self.graph.parents(copy.variable)]

    def _input(self, copy: Copy) -> tuple[str, str | int]:
        number = self.numbers[copy]
        return ("value", self.values[number][0]) if number in self.values else ("node", number)

    def clash(self, events: tuple[Event, ...]) -> Inconsistent | None:
        """Return two events that give one node two values; None if there are none."""
        first: dict[int, Event] = {}
        for event in events:
            if event.copy.setting not in (None, event.value):
                return Inconsistent((event,), ())
            number = self.numbers[event.copy]
            other = first.setdefault(number, event)
            if other.value != event.value:
                a, b = sorted((other, event), key=lambda e: self.members[number].index(e.copy))
                return Inconsistent((a, b), self._reasons(a.copy, b.copy))
        return None

    def _reasons(self, first: Copy, second: Copy) -> tuple[EqualCopies, ...]:
        """Return the merges from which it follows that two copies are equal, causes first."""
        found: dict[tuple[Copy, Copy], EqualCopies] = {}
        waiting = [(first, second)]
        while waiting:
            pair = waiting.pop()
            if pair[0] == pair[1] or pair in found or pair[0].setting is not None:
                continue
            parents = list(zip(*map(self._parents, pair), strict=True))
            differing = [(a, b) for a, b in parents if self.numbers[a] != self.numbers[b]]
            values = tuple((a.variable, self.values[self.numbers[a]][0]) for a, _ in differing)
            found[pair] = EqualCopies(*pair, values)
            waiting += [pair for pair in parents if pair not in differing]
            waiting += [(copy, self.values[self.numbers[copy]][1]) for p in differing for copy in p]
        order = {variable: at for at, variable in enumerate(self.graph.topological_order())}
        return tuple(sorted(found.values(), key=lambda merge: order[merge.first.variable]))


def _drawn(graph: ADMG, numbering: _Numbering, events: tuple[Event, ...]) -> CounterfactualGraph:
    """Draw the nodes above the events, each with the parents of its first copy."""
    numbers = numbering.numbers
    told = [event for event in events if event.copy.setting is None]
    parents: dict[int, list[int]] = {}
    waiting = [numbers[event.copy] for event in told]
    while waiting:
        number = waiting.pop()
        if number not in parents:
            first = numbering.members[number][0]
            free = first.setting is None
            parents[number] = [numbers[p] for p in numbering._parents(first)] if free else []
            waiting += parents[number]
    kept = sorted(parents)  # numbers are given causes first
    names = {number: numbering.name(number) for number in kept}
    check_names(names.values())
    free_nodes: dict[str, list[str]] = {variable: [] for variable in graph.nodes}
    for number in kept:
        copy = numbering.members[number][0]
        if copy.setting is None:
            free_nodes[copy.variable].append(names[number])
    directed = [(names[p], names[number]) for number in kept for p in parents[number]]
    return CounterfactualGraph(
        ADMG.of(directed, shared_noise(graph, free_nodes), list(names.values())),
        tuple(dict.fromkeys((names[numbers[event.copy]], event.value) for event in told)),
        tuple(tuple(numbering.members[number]) for number in kept),
        frozenset(
            names[number] for number in kept if numbering.members[number][0].setting is not None
        ),
    )
