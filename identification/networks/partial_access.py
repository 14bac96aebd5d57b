"""Some sites can be set and read: what can be run as it is, and what experiments there identify."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from itertools import chain, combinations
from typing import NamedTuple, assert_never

from causalnet.graphs.admg import ADMG
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.algorithms.nested_paths import as_nested
from causalnet.identification.networks.access import Logs, PartialAccess
from causalnet.identification.networks.diagrams import Diagram, readout_variable
from causalnet.identification.networks.log_answers import FromLogs
from causalnet.identification.networks.logs import asked_of, outcomes_of, told_of
from causalnet.identification.networks.network_variables import PROMPT, Place, read_place
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.interventions.closure import worlds_needed
from causalnet.interventions.queries import Query
from causalnet.interventions.readouts import READOUTS, ReadOut
from causalnet.interventions.scalars import Grad
from causalnet.interventions.worlds import At, Edge, Op, Site, Value, layers_of

__all__ = ["SetAndRead", "experiments_on", "from_experiments", "out_of_reach", "set_and_read"]

_SUBSETS = 5  # settable variables up to which every set of them is an experiment


def out_of_reach(
    query: Query | Question, graph: MediatorGraph | ADMG, access: PartialAccess
) -> tuple[str, ...]:
    """Return what a query sets or reads that cannot be set or read; none if it can be run.

    Raises:
        UnknownMediatorError: A name that the graph does not have.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import nie, value_of
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> query = nie(graph.find("M"), outcome=value_of("Y"))
    >>> out_of_reach(query, graph, PartialAccess(("X",), ("Y",)))
    ('setting M', 'reading M')
    """
    if isinstance(graph, ADMG):
        _check_sites(graph, access)
        needed = None if isinstance(query, Query) else set_and_read(query, graph)
        return needed.lacking(access.sites, (*access.sites, *access.readable)) if needed else ()
    readouts = query.reads if isinstance(query, Query) else ()
    reach = _Reach(graph, access, {readout_variable(read.readout) for read in readouts})
    if not isinstance(query, Query):
        needed = set_and_read(query, graph.to_admg())
        places = {name: read_place(graph, name) for name in needed.set | needed.read}
        settable = [name for name, place in places.items() if _covers(reach.settable, place)]
        return needed.lacking(settable, [name for name in places if reach.reads(places[name])])
    found: dict[str, None] = {}
    for world in worlds_needed(query.reads):
        for site, value in chain.from_iterable(layers_of(world)[1]):
            if not reach.sets(site):
                found[f"setting {site}"] = None
            for read in _reads(value):
                if not reach.reads(Place(read_place(graph, read.mediator).node, site.at)):
                    found[f"reading {read.mediator}"] = None
    for read_out in dict.fromkeys(read.readout for read in query.reads):
        if not reach.reads_out(read_out):
            found[f"reading {readout_variable(read_out)}"] = None
    if any(isinstance(leaf, Grad) for leaf in query.leaves):
        found["taking derivatives"] = None
    return tuple(found)


def from_experiments(
    query: Query | Question,
    graph: MediatorGraph | ADMG,
    access: PartialAccess,
    verify: int | None = None,
) -> tuple[FromLogs, ...]:
    """Return what experiments on the sites at hand say, each run with its prompt recorded.

    Every set of settable variables is an experiment; of more than five, each alone and all at once.

    Raises:
        UnknownMediatorError: A name that the graph does not have.
        TermError: A query that does not fit the graph.
    """
    nodes = tuple(site for site in access.sites if "->" not in site)
    prompt = (PROMPT,) if isinstance(graph, MediatorGraph) else ()
    asked, diagram = asked_of(query, graph, Logs((*nodes, *access.readable), prompt))
    settable = [part for name in nodes for part in _parts(name, graph, diagram)]
    outcomes = {
        name
        for _, each in asked
        if each.question is not None
        for name in outcomes_of(each.question)
    }
    free = [name for name in dict.fromkeys(settable) if name not in outcomes]
    diagram = replace(diagram, experiments=tuple(experiments_on(free)))
    return told_of(asked, diagram, verify, is_log=False)


class SetAndRead(NamedTuple):
    """The variables that a question sets, and those that it reads."""

    set: frozenset[str]
    read: frozenset[str]

    def lacking(self, settable: Iterable[str], readable: Iterable[str]) -> tuple[str, ...]:
        """Return in words what cannot be set or read."""
        setting = [f"setting {name}" for name in sorted(self.set.difference(settable))]
        reading = [f"reading {name}" for name in sorted(self.read.difference(readable))]
        return (*setting, *reading)


def set_and_read(question: Question, graph: ADMG) -> SetAndRead:
    """Return what has to be set and what has to be read to run a question.

    A variable that is set to the value which it has in another world is also read, in that world.

    >>> from causalnet.identification.reading.parsing import parse_question
    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    >>> needed = set_and_read(parse_question("P(y{x, M{x'}})", graph), graph)
    >>> sorted(needed.set), sorted(needed.read)
    (['M', 'X'], ['M', 'Y'])
    """
    match question:
        case Effect(outcomes, treatments, given):
            reading = frozenset(value.variable for value in (*outcomes, *given))
            return SetAndRead(frozenset(value.variable for value in treatments), reading)
        case Mediation(kind, outcomes, active, _, mediators):
            reading = frozenset(value.variable for value in outcomes)
            natural = mediators if kind in ("NDE", "NIE") else ()
            setting = frozenset(value.variable for value in active).union(mediators)
            return SetAndRead(setting, reading.union(natural))
        case PathSpecific():
            return set_and_read(as_nested(question, graph), graph)
        case Causation():
            return set_and_read(question.counterfactual(), graph)
        case Counterfactual(facts, given):
            found = _potentials(fact.potential for fact in (*facts, *given))
            names = frozenset(name for each in found for name, _ in each.do)
            return SetAndRead(names, frozenset(each.variable for each in found))
        case _:
            assert_never(question)


def _potentials(potentials: Iterable[Potential]) -> set[Potential]:
    """Return counterfactual variables, with those from which they take values."""
    found, waiting = set[Potential](), list(potentials)
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [value for _, value in each.do if isinstance(value, Potential)]
    return found


def _check_sites(graph: ADMG, access: PartialAccess) -> None:
    ends = [end.strip() for site in access.sites for end in site.split("->")]
    graph.indices([*ends, *access.readable])


def _parts(name: str, graph: MediatorGraph | ADMG, diagram: Diagram) -> tuple[str, ...]:
    if isinstance(graph, ADMG) or name in diagram.observed:
        return (name,)
    return diagram.parts(*read_place(graph, name))


def experiments_on(settable: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """Return sets of variables to set: all of them; of more than five, each alone and all at once.

    >>> list(experiments_on(["X", "M"]))
    [('X',), ('M',), ('X', 'M')]
    """
    if len(settable) > _SUBSETS:
        return [*((name,) for name in settable), tuple(settable)]
    sizes = range(1, len(settable) + 1)
    return chain.from_iterable(combinations(settable, size) for size in sizes)


class _Reach:
    """What of a network can be set and read."""

    def __init__(self, graph: MediatorGraph, access: PartialAccess, named: Set[str]) -> None:
        self.graph = graph
        self.named = {*READOUTS, *named}
        self.edges: set[tuple[str, str]] = set()
        self.settable: list[Place] = []
        self.readable: list[Place] = []
        self.readouts: set[str] = set()
        for name in access.sites:
            sender, arrow, receiver = name.partition("->")
            if arrow:
                ends = graph.find(sender.strip()).name, graph.find(receiver.strip()).name
                self.edges.add(ends)
            else:
                self.add(name, self.settable)
        for name in access.readable:
            self.add(name, self.readable)

    def add(self, name: str, places: list[Place]) -> None:
        if name in self.named and name not in self.graph.names():
            self.readouts.add(name)
        else:
            places.append(read_place(self.graph, name))

    def sets(self, site: Site) -> bool:
        if isinstance(site, Edge):
            return (site.sender, site.receiver) in self.edges
        return _covers(self.settable, Place(read_place(self.graph, site.mediator).node, site.at))

    def reads(self, place: Place) -> bool:
        return _covers([*self.settable, *self.readable], place)

    def reads_out(self, readout: ReadOut) -> bool:
        if readout_variable(readout) in self.readouts:
            return True
        return self.reads(Place(self.graph.find(readout.node).name, (readout.at,)))


def _covers(places: Iterable[Place], wanted: Place) -> bool:
    return any(
        place.node == wanted.node
        and (not place.at or (bool(wanted.at) and set(wanted.at) <= set(place.at)))
        for place in places
    )


def _reads(value: Value) -> Iterable[At]:
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, At):
            yield current
        elif isinstance(current, Op):
            waiting += current.arguments
