"""Worlds as questions about data: what a term of the language of interventions asks of a log.

| a world sets | question |
|---|---|
| nothing | `P(y)`; of two inputs, `P(y given do(prompt))` |
| nodes, to values of another input or constants | `P(y given do(m))` |
| nodes, to values that depend on their own (steering) | `P(y{m'} given m)` |
| nodes, to values of worlds that set others | `P(y{M{m'}})`, nested |
| edges, or some nodes while others are frozen | `P(y given do(m' along ...; m))` |

A question is about every value to which a node could be set.  A patch that draws them from prompts
that go with the rows, such as pairs, asks for `P(y given do(m), prompt)` on average.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias, assert_never, final

from causalnet.graphs.admg import Edge
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.networks.diagrams import Diagram, readout_variable
from causalnet.identification.networks.network_variables import PROMPT, Place, read_place
from causalnet.identification.networks.projected_paths import MixedEdge, projected_edges
from causalnet.identification.queries import (
    Counterfactual,
    Effect,
    Fact,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.values import Value, symbol
from causalnet.interventions.queries import Query
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Grad, Read, Scalar, leaves_of
from causalnet.interventions.worlds import (
    At,
    Base,
    Const,
    Do,
    Node,
    Noise,
    Op,
    Self,
    Site,
    World,
    layers_of,
)
from causalnet.interventions.worlds import Value as SiteValue

__all__ = ["Asked", "labelled_scalars", "places_of", "questions_of", "readouts_of"]

_DEEPEST = 16  # worlds within worlds


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """What one world of a term asks.

    Attributes:
        world: The world, as text.
        question: The question; None where no question about the recorded variables says it.
        reason: Why there is none; "" if there is one.
        notes: What the question leaves out.
    """

    world: str
    question: Question | None
    reason: str = ""
    notes: tuple[str, ...] = ()


class _Kind(Enum):
    """What a site is set to."""

    LEVEL = "a value that does not depend on the site's own"
    OWN = "a function of its own value"
    FROZEN = "its own value without intervention"


_Entry: TypeAlias = _Kind | Potential


class _Inexpressible(Exception):
    """No question about recorded variables says what a world sets; holds the reason."""


def questions_of(scalar: Scalar, graph: MediatorGraph, diagram: Diagram) -> tuple[Asked, ...]:
    """Return what a scalar asks, one question for each world whose outcome it reads.

    Args:
        scalar: The scalar, such as a row of a query.
        graph: The network.
        diagram: Its diagram, made with the scalar's places and read-outs.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.identification.networks.access import Logs
    >>> from causalnet.identification.networks.diagrams import network_diagram
    >>> from causalnet.interventions import parse
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> patched = parse("value{Y}(<base> + {M := M in <source>})")
    >>> diagram = network_diagram(graph, Logs(("M", "Y")), places_of(patched, graph))
    >>> print(questions_of(patched, graph, diagram)[0].question)
    P(y | do(m))
    """
    leaves = leaves_of(scalar)
    reads = [leaf for leaf in leaves if isinstance(leaf, Read)]
    plain = dict.fromkeys(str(read.world) for read in reads if isinstance(read.world, Base))
    compared = " and ".join(plain) if len(plain) > 1 else ""
    found = [_asked(read, graph, diagram, compared) for read in reads]
    found += [
        Asked(str(leaf), None, "a derivative of mechanisms is in no distribution of their values")
        for leaf in leaves
        if isinstance(leaf, Grad)
    ]
    return tuple(dict.fromkeys(found))


def value_in(variable: str, letter: str = "m", primes: int = 0) -> Value:
    """Return a value of a variable: its symbol, or a letter where the symbol would say no more.

    >>> print(value_in("L24.H4"), value_in("L24.H4.end"), value_in("logit_difference", "y"))
    l24.h4 L24.H4.end=m logit_difference=y
    """
    own = symbol(variable, primes)
    return Value(variable, letter + "'" * primes) if "=" in str(own) else own


def labelled_scalars(query: Query) -> list[tuple[str, Scalar]]:
    """Return all scalars of a query: its rows, and what they are divided by or given."""
    rows = [*query.contrasts]
    rows += [("given", query.given)] if query.given is not None else []
    return rows + ([("divided by", query.denominator)] if query.denominator is not None else [])


def places_of(scalar: Scalar, graph: MediatorGraph) -> tuple[Place, ...]:
    """Return what the worlds of a scalar set, at the positions at which they do.

    Raises:
        UnknownMediatorError: No such node.
    """
    return tuple(dict.fromkeys(_placed(graph, site) for site in _sites(_worlds(scalar))))


def readouts_of(scalar: Scalar) -> tuple[ReadOut, ...]:
    """Return the read-outs of a scalar."""
    leaves = (leaf.read if isinstance(leaf, Grad) else leaf for leaf in leaves_of(scalar))
    return tuple(dict.fromkeys(leaf.readout for leaf in leaves))


def _worlds(scalar: Scalar) -> Iterator[World]:
    waiting: list[World] = []
    for leaf in leaves_of(scalar):
        read = leaf.read if isinstance(leaf, Grad) else leaf
        waiting.append(read.world)
    seen: set[World] = set()
    while waiting:
        world = waiting.pop()
        if world not in seen:
            seen.add(world)
            yield world
            for _, value in _assignments(world):
                waiting += [each.world for each in _reads(value)]


def _assignments(world: World) -> Iterator[tuple[Site, SiteValue]]:
    for layer in layers_of(world)[1]:
        yield from layer


def _sites(worlds: Iterable[World]) -> Iterator[Site]:
    for world in worlds:
        yield from (site for site, _ in _assignments(world))


def _reads(value: SiteValue) -> Iterator[At]:
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, At):
            yield current
        elif isinstance(current, Op):
            waiting += current.arguments


def _placed(graph: MediatorGraph, site: Site) -> Place:
    return Place(read_place(graph, site.read_from).node, site.at)


def _asked(read: Read, graph: MediatorGraph, diagram: Diagram, compared: str) -> Asked:
    y = readout_variable(read.readout)
    outcome = value_in(diagram.parts(y)[0] if len(diagram.parts(y)) == 1 else y, "y")
    recorded = diagram.prompt_recorded
    if isinstance(read.world, Base):
        if not compared:
            return Asked(str(read.world), Effect((outcome,)))
        by = tuple(value_in(name, "p") for name in recorded or (PROMPT,))
        return Asked(compared, Effect((outcome,), by))
    try:
        entries = _Setting.of(read.world, graph, diagram, 0)
        question = _question(entries, outcome.variable, diagram, recorded)
    except _Inexpressible as refusal:
        return Asked(str(read.world), None, str(refusal))
    return Asked(str(read.world), question, notes=_notes(question, bool(recorded)))


def _notes(question: Question, given_prompt: bool) -> tuple[str, ...]:
    notes = []
    if not given_prompt and isinstance(question, Effect) and question.treatments:
        notes.append(
            "averaged over the values patched in as if drawn independently of the row's own prompt;"
            " matched pairs need the prompt recorded"
        )
    if isinstance(question, PathSpecific):
        notes.append("the baseline is the value that the sender has on the row's own prompt")
    return tuple(notes)


def _question(
    setting: "_Setting", outcome: str, diagram: Diagram, recorded: tuple[str, ...]
) -> Question:
    nodes, kinds = setting.nodes, {*setting.nodes.values(), *setting.edges.values()}
    if outcome in nodes:
        raise _Inexpressible("it sets the outcome itself")
    y = value_in(outcome, "y")
    given = tuple(value_in(name, "p") for name in recorded if name not in (*nodes, outcome))
    if setting.edges or _Kind.FROZEN in kinds:
        if not kinds <= {_Kind.LEVEL, _Kind.FROZEN}:
            raise _Inexpressible("it sets edges, or freezes nodes, beside values that are nested")
        return _along(setting, outcome, diagram)
    if kinds == {_Kind.LEVEL}:
        return Effect((y,), tuple(value_in(name) for name in sorted(nodes)), given)
    primes = 1 if _Kind.OWN in kinds else 0
    world = {
        name: entry if isinstance(entry, Potential) else value_in(name, primes=primes)
        for name, entry in nodes.items()
    }
    own = sorted(name for name, entry in nodes.items() if entry is _Kind.OWN)
    known = [*(value_in(name) for name in own), *given]
    return Counterfactual(
        (Fact(Potential.of(outcome, world), y),),
        tuple(Fact(Potential(value.variable), value) for value in known),
    )


@final
@dataclass(slots=True)
class _Setting:
    """What a world sets, variable by variable, and edge by edge."""

    nodes: dict[str, _Entry] = field(default_factory=dict)
    edges: dict[Edge, _Entry] = field(default_factory=dict)

    @staticmethod
    def of(world: World, graph: MediatorGraph, diagram: Diagram, depth: int) -> "_Setting":
        if depth > _DEEPEST:
            raise _Inexpressible(f"worlds are nested more than {_DEEPEST} deep")
        setting = _Setting()
        own = layers_of(world)[0].input
        for site, value in _assignments(world):
            if site.part is not None:
                raise _Inexpressible(f"{site} sets a part, for which no variable stands")
            place = _placed(graph, site)
            receiver = None if isinstance(site, Node) else read_place(graph, site.receiver).node
            for variable in diagram.parts(*place):
                below = setting.nodes.get(variable)
                entry = _entry(value, below, own, place.node, graph, diagram, depth)
                if receiver is None or receiver == place.node:
                    setting.nodes[variable] = entry
                    continue
                for edge in _edges(variable, site, receiver, graph, diagram):
                    setting.edges[edge] = entry
        return setting


def _edges(
    sender: str, site: Site, receiver: str, graph: MediatorGraph, diagram: Diagram
) -> list[Edge]:
    """Return the edges of the diagram for an edge site: into the receiver and its norm's scale."""
    assert not isinstance(site, Node)
    slots = graph.edge_slots(site.sender, site.receiver)
    if site.slot is not None and len(slots) > 1:
        raise _Inexpressible(f"{site} sets one of {len(slots)} slots that the sender enters")
    shared = [
        node.mediator.name
        for node in graph.nodes
        if any(slot.owner == site.receiver for slot in node.slots)
    ]
    found = [
        (sender, part)
        for name in (receiver, *shared)
        for part in diagram.parts(name)
        if diagram.whole.has_edge(sender, part)
    ]
    if not found:
        raise _Inexpressible(f"{site} crosses a recorded cut of the residual stream")
    return found


def _entry(
    value: SiteValue,
    below: _Entry | None,
    own: str,
    node: str,
    graph: MediatorGraph,
    diagram: Diagram,
    depth: int,
) -> _Entry:
    """Return what kind of value a site is set to.

    Args:
        value: The value.
        below: What layers below have set the site to.
        own: The input of the world.
        node: The site's node.
        graph: The network.
        diagram: Its diagram.
        depth: How many worlds this one is in.
    """
    match value:
        case Const() | Noise():
            return _Kind.LEVEL
        case Self():
            return _Kind.OWN if below is None else below
        case At(mediator, world):
            if layers_of(world)[0].input != own:
                return _Kind.LEVEL
            if isinstance(world, Do):
                return _nested(mediator, world, graph, diagram, depth)
            return _Kind.FROZEN if read_place(graph, mediator).node == node else _Kind.OWN
        case Op():
            parts = {
                _entry(each, below, own, node, graph, diagram, depth) for each in value.arguments
            }
            if parts <= {_Kind.LEVEL}:
                return _Kind.LEVEL
            if any(isinstance(part, Potential) for part in parts):
                raise _Inexpressible(f"{value.name} acts on a value of a patched world")
            return _Kind.OWN
        case _:
            assert_never(value)


def _nested(
    mediator: str, world: Do, graph: MediatorGraph, diagram: Diagram, depth: int
) -> Potential:
    """Return a node in a world that sets others, as a counterfactual variable."""
    inner = _Setting.of(world, graph, diagram, depth + 1)
    parts = diagram.parts(read_place(graph, mediator).node)
    simple = all(isinstance(e, Potential) or e is _Kind.LEVEL for e in inner.nodes.values())
    if inner.edges or not simple or len(parts) > 1:
        raise _Inexpressible(f"{mediator} is read in a world that sets more than whole nodes")
    do = {
        name: entry if isinstance(entry, Potential) else value_in(name, primes=1)
        for name, entry in inner.nodes.items()
    }
    return Potential.of(parts[0], do)


# -- edges ---------------------------------------------------------------------------------------


def _along(setting: _Setting, outcome: str, diagram: Diagram) -> Question:
    """Return the path-specific question of a world that sets edges, or freezes nodes."""
    on_edges = {edge for edge, entry in setting.edges.items() if entry is _Kind.LEVEL}
    whole = {node for node, entry in setting.nodes.items() if entry is _Kind.LEVEL}
    treatments = sorted(whole | {sender for sender, _ in on_edges})
    if not treatments:  # all is frozen at the value that it has
        return Effect((value_in(outcome, "y"),))
    off = {edge for edge, entry in setting.edges.items() if entry is _Kind.FROZEN}
    frozen = {node for node, entry in setting.nodes.items() if entry is _Kind.FROZEN}

    def carries(edge: Edge) -> bool:
        if edge[0] in treatments:
            return edge in on_edges or (edge[0] in whole and edge not in off)
        return edge not in off and edge[0] not in frozen

    missing = {*treatments, outcome} - set(diagram.observed)
    active = tuple(value_in(name, primes=1) for name in treatments)
    baseline = tuple(value_in(name) for name in treatments)
    if missing:  # the projection has no such edges; the question is told all the same
        return PathSpecific((value_in(outcome, "y"),), active, baseline, ())
    edges = projected_edges(diagram, treatments, outcome, carries)
    if isinstance(edges, MixedEdge):
        raise _Inexpressible(str(edges))
    return PathSpecific((value_in(outcome, "y"),), active, baseline, edges)
