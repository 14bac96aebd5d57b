"""Some sites can be set and read: what can be run as it is, and what experiments there identify."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, combinations

from causalnet.graphs.admg import ADMG
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.networks.access import Logs, PartialAccess
from causalnet.identification.networks.diagrams import Diagram, readout_variable
from causalnet.identification.networks.log_answers import FromLogs
from causalnet.identification.networks.logs import asked_of, outcomes_of, told_of
from causalnet.identification.networks.network_variables import PROMPT, Place, read_place
from causalnet.identification.queries import Question, variables_in
from causalnet.interventions.closure import worlds_needed
from causalnet.interventions.queries import Query
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Grad
from causalnet.interventions.worlds import At, Edge, Op, Site, Value, layers_of

__all__ = ["from_experiments", "out_of_reach"]

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
    if not isinstance(query, Query) or isinstance(graph, ADMG):
        named = variables_in(query) if not isinstance(query, Query) else frozenset[str]()
        return tuple(
            f"setting or reading {name}"
            for name in sorted(named - {*access.sites, *access.readable})
        )
    reach = _Reach(graph, access)
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
    query: Query | Question, graph: MediatorGraph | ADMG, access: PartialAccess
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
    return told_of(asked, replace(diagram, experiments=tuple(_experiments(free))))


def _parts(name: str, graph: MediatorGraph | ADMG, diagram: Diagram) -> tuple[str, ...]:
    if isinstance(graph, ADMG) or name in diagram.observed:
        return (name,)
    return diagram.parts(*read_place(graph, name))


def _experiments(settable: list[str]) -> Iterable[tuple[str, ...]]:
    if len(settable) > _SUBSETS:
        return [*((name,) for name in settable), tuple(settable)]
    sizes = range(1, len(settable) + 1)
    return chain.from_iterable(combinations(settable, size) for size in sizes)


class _Reach:
    """What of a network can be set and read."""

    def __init__(self, graph: MediatorGraph, access: PartialAccess) -> None:
        self.graph = graph
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
        if name.partition("[")[0] in self.graph.names():
            places.append(read_place(self.graph, name))
        else:
            self.readouts.add(name)

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
