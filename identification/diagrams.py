"""The causal diagram behind a log: the whole network, what was recorded, and its projection.

A network has no noise, so that all variation comes from the prompt, which drives every input node;
from exogenous noise nodes; and from flags beside the network.  A residual cut that is named is a
node between the writers before it and the receivers after it.  A node that is named at a position
is two variables, `L24.H4.end` and `L24.H4.rest`, with the same parents and children.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias, final

from causalnet.errors import GraphError, TermError
from causalnet.graphs.admg import ADMG, Edge
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind
from causalnet.graphs.nodes import Cut, Slot
from causalnet.graphs.nodes import Node as GraphNode
from causalnet.graphs.projection import OmittedPaths, latent_projection
from causalnet.identification.access import Flag, Logs
from causalnet.identification.sources import Sources
from causalnet.interventions.readouts import READOUTS, ReadOut
from causalnet.interventions.views import Position

__all__ = ["PROMPT", "Diagram", "Place", "admg_diagram", "network_diagram", "read_place"]

PROMPT = "prompt"
_REST = "rest"
_MOST_EDGES = 2_000_000
Names: TypeAlias = tuple[str, ...]


class Place(NamedTuple):
    """A node or residual cut, at some positions; at none means everywhere."""

    node: str
    at: tuple[Position, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Diagram:
    """A causal diagram with what was recorded.

    Attributes:
        whole: All variables.
        observed: The recorded ones.
        has_noise: Whether a variable may vary with its parents held: not in a network.
        drawn: Recorded variables whose value was drawn at random in every row.
        experiments: Sets of recorded variables, each of which could be set at once.
        variables: For each node of a network its variables, one for each part.
        roots: The variables from which all variation comes.
        prompts: The input nodes of a network; none for an ADMG.
    """

    whole: ADMG
    observed: tuple[str, ...]
    has_noise: bool
    drawn: tuple[str, ...] = ()
    experiments: tuple[tuple[str, ...], ...] = ()
    variables: Mapping[str, tuple[str, ...]] | None = None
    roots: frozenset[str] = frozenset()
    prompts: tuple[str, ...] = ()

    @cached_property
    def graph(self) -> ADMG:
        """The latent projection onto what was recorded.

        What is a function of recorded variables varies with them only, and confounds nothing: in a
        network, bidirected edges come from roots that were not recorded.

        >>> from causalnet.graphs import plain_graph
        >>> graph = plain_graph({"X": (), "U": ("X",), "M": ("U",), "Y": ("U", "M")})
        >>> network_diagram(graph, Logs(("X", "M", "Y"))).graph
        ADMG(X -> M, X -> Y, M -> Y)
        """
        return latent_projection(self.whole, self.observed) if self.has_noise else self._noiseless

    @cached_property
    def _noiseless(self) -> ADMG:
        paths = self.omitted
        name = self.whole.nodes.__getitem__
        pairs = {(v, w) for v in paths.kept for w in paths.children(v) | paths.through(v)}
        arcs = {*paths.arcs(), *paths.kept_spouses()}
        return ADMG.of(
            directed=[(name(v), name(w)) for v, w in sorted(pairs)],
            bidirected=[(name(v), name(w)) for v, w in sorted(arcs)],
            nodes=[name(v) for v in paths.kept],
        )

    @cached_property
    def omitted(self) -> OmittedPaths:
        """The paths through what was not recorded, from where variation comes."""
        paths = OmittedPaths.of(self.whole, self.observed)
        if self.has_noise:
            return paths
        roots = self.roots.difference(self.observed)
        return replace(paths, sources=tuple(self.whole.index(name) for name in sorted(roots)))

    @property
    def sources(self) -> Sources:
        """What is known: P(V), or the experiment that draws some variables; and others."""
        return Sources.of([self.drawn, *self.experiments])

    @property
    def prompt_recorded(self) -> tuple[str, ...]:
        """The recorded variables that hold the whole prompt; none if it is not recorded."""
        if PROMPT in self.observed:
            return (PROMPT,)
        inputs = tuple(part for node in self.prompts for part in self.parts(node))
        return inputs if inputs and set(inputs) <= set(self.observed) else ()

    def parts(self, node: str, at: tuple[Position, ...] = ()) -> tuple[str, ...]:
        """Return the variables of a node, or of its values at some positions."""
        parts = (self.variables or {}).get(node, (node,))
        wanted = {f"{node}.{position}" for position in at}
        return tuple(part for part in parts if part in wanted) or parts

    def is_determined(self, variable: str, by: Iterable[str], free: Iterable[str] = ()) -> bool:
        """Return whether others leave a variable no freedom, as no noise reaches it past them.

        Args:
            variable: The variable.
            by: The others.
            free: Variables that an experiment sets, to any value.

        >>> from causalnet.graphs import plain_graph
        >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("M",)})
        >>> diagram = network_diagram(graph, Logs(("X", "M", "Y")))
        >>> diagram.is_determined("M", ["X"]), diagram.is_determined("X", ["M"])
        (True, False)
        """
        if self.has_noise:
            return False
        waiting, seen = [variable], set(by) - {variable}
        free = self.roots.union(self.drawn, free)
        while waiting:
            node = waiting.pop()
            if node in free:
                return False
            for parent in self.whole.parents(node):
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return True


def read_place(graph: MediatorGraph, text: str) -> Place:
    """Return the node that a name stands for, with the positions in brackets behind it.

    The output of a head stands for its z, on which it is set.

    Raises:
        UnknownMediatorError: No such node.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
    >>> read_place(graph, "L1.H0.z[end,3]")
    Place(node='L1.H0', at=('end', 3))
    """
    name, bracket, inside = text.partition("[")
    if not bracket or text in graph.names():
        return Place(_carrier(graph, graph.find(text).name))
    words = [word.strip() for word in inside.rstrip("]").split(",")]
    at = tuple(int(word) if word.lstrip("-").isdigit() else word for word in words)
    return Place(_carrier(graph, graph.find(name).name), at)


def _carrier(graph: MediatorGraph, name: str) -> str:
    """Return the head whose z this is: its value follows from z, and nothing else reads z."""
    mediator = graph.find(name)
    head = name.removesuffix(".z")
    return head if mediator.kind is Kind.Z and head in graph.names() else name


def admg_diagram(graph: ADMG, logs: Logs) -> Diagram:
    """Return the diagram of a log of an ADMG's nodes, which tells itself what is confounded.

    Raises:
        UnknownMediatorError: A recorded name that is not in the graph.
        GraphError: A flag with the name of a node.
    """
    whole = _with_flags(graph, logs.flags, lambda name: graph.names_of(graph.indices([name])))
    nodes = graph.nodes if logs.observed is None else logs.observed
    flags = [flag.name for flag in logs.flags]
    observed = tuple(dict.fromkeys((*nodes, *logs.prompt_observed, *flags, *logs.drawn)))
    whole.indices(observed)
    return Diagram(whole, observed, has_noise=True, drawn=logs.drawn)


def network_diagram(
    graph: MediatorGraph,
    logs: Logs,
    places: Iterable[Place] = (),
    readouts: Iterable[ReadOut] = (),
) -> Diagram:
    """Return the diagram of a network of which some values were recorded.

    Args:
        graph: The network.
        logs: What was recorded; if it does not say, all that is named by the other arguments.
        places: What else is named, such as what a query sets.
        readouts: Read-outs, each a variable below its node.

    Raises:
        UnknownMediatorError: A name that the network does not have.
        TermError: Positions of one node that may be the same one.
        GraphError: A flag with the name of a node, or more than two million edges.

    >>> from causalnet.graphs import plain_graph
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> network_diagram(graph, Logs(("M", "Y"))).graph
    ADMG(M -> Y, M <-> Y)
    """
    _check_size(graph)
    outcomes = {name: READOUTS[name] for name in logs.observed or () if name in READOUTS}
    outcomes |= {readout_variable(readout): readout for readout in readouts}
    lenses = [Place(readout.node) for readout in outcomes.values() if _is_cut(graph, readout.node)]
    recorded = [name for name in logs.observed or () if name not in outcomes]
    labels = [name for name in logs.prompt_observed if not _is_known(graph, name)]
    inputs = [name for name in logs.prompt_observed if name not in labels]
    seen = [read_place(graph, name) for name in (*recorded, *inputs)]
    drawn = [read_place(graph, name) for name in logs.drawn]
    ends = [name for flag in logs.flags for name in (*flag.acts_on, *flag.driven_with)]
    extra = {name: Place(name) for name in (*outcomes, PROMPT, *labels)}
    acted = {name: extra.get(name) or read_place(graph, name) for name in ends}
    builder = _Network(graph, [*seen, *drawn, *places, *lenses, *acted.values()])
    builder.add_readouts(outcomes)
    builder.add_prompt([name for name in labels if name != PROMPT])
    whole = ADMG.of(directed=builder.edges, nodes=dict.fromkeys(builder.nodes))
    whole = _with_flags(whole, logs.flags, lambda name: builder.parts(acted[name]))
    named = [*seen, *drawn, *(places if logs.observed is None else ())]
    known = [part for place in named for part in builder.parts(place)]
    known += [
        name
        for name, readout in outcomes.items()
        if logs.observed is None
        or name in logs.observed
        or set(builder.read(readout)) <= set(known)
    ]
    known += [*labels, *(flag.name for flag in logs.flags)]
    return Diagram(
        whole,
        tuple(dict.fromkeys(known)),
        has_noise=False,
        drawn=tuple(part for place in drawn for part in builder.parts(place)),
        variables=builder.variables,
        roots=frozenset([*builder.noise, PROMPT, *(flag.name for flag in logs.flags)]),
        prompts=tuple(builder.inputs),
    )


def readout_variable(readout: ReadOut) -> str:
    """Return the variable of a read-out: its name, or the node itself for its value.

    >>> from causalnet.interventions.readouts import lens, logit_diff, value_of
    >>> [readout_variable(each) for each in (logit_diff, value_of("Y"), lens(logit_diff, "L9.mlp"))]
    ['logit_difference', 'Y', 'logit_difference.L9.mlp']
    """
    if readout.name == "value":
        return readout.node
    return readout.name if readout.node == "logits" else f"{readout.name}.{readout.node}"


def _is_cut(graph: MediatorGraph, name: str) -> bool:
    return graph.find(name).name in {cut.name for cut in graph.cuts}


def _check_size(graph: MediatorGraph) -> None:
    slots = (slot for node in graph.nodes for slot in node.slots)
    count = sum(slot.writers_before or len(slot.parents) for slot in slots)
    if count > _MOST_EDGES:
        raise GraphError(
            f"The graph has {count:,} edges.",
            f"Logs are answered on graphs of up to {_MOST_EDGES:,}.",
            "Take a coarser one, such as that of cn.lift(model), or transformer_graph(shape).",
        )


def _is_known(graph: MediatorGraph, name: str) -> bool:
    return name.partition("[")[0] in graph.names()


def _with_flags(graph: ADMG, flags: Iterable[Flag], parts: Callable[[str], Names]) -> ADMG:
    directed, bidirected, nodes = [*graph.directed], [*graph.bidirected], [*graph.nodes]
    for flag in flags:
        if flag.name in graph:
            raise GraphError(
                f"The flag {flag.name} has the name of a node.",
                "A flag is a variable of its own.",
                "Rename it; a node whose value was drawn is named alone, randomised=('M',).",
            )
        nodes.append(flag.name)
        directed += [(flag.name, part) for name in flag.acts_on for part in parts(name)]
        bidirected += [(flag.name, part) for name in flag.driven_with for part in parts(name)]
    if len(nodes) == len(graph.nodes):
        return graph
    return ADMG.of(directed=directed, bidirected=bidirected, nodes=nodes)


class _Network:
    """The variables and edges of a network, as finely as places name them."""

    def __init__(self, graph: MediatorGraph, places: Iterable[Place]) -> None:
        self.graph = graph
        named = [*places]
        self.positions = _positions(named)
        wanted = {place.node for place in named}
        self.cuts = sorted(
            (cut for cut in graph.cuts if cut.name in wanted), key=lambda cut: cut.writers_before
        )
        self.variables: dict[str, tuple[str, ...]] = {}
        self.edges: list[Edge] = []
        self.inputs: list[str] = []
        self.noise: list[str] = []
        for name in (*(cut.name for cut in self.cuts), *(n.mediator.name for n in graph.nodes)):
            at = self.positions.get(name, ())
            self.variables[name] = (*(f"{name}.{each}" for each in at), *([f"{name}.{_REST}"]))
            if not at:
                self.variables[name] = (name,)
        for cut in self.cuts:
            before = self.earlier(cut)
            self.join(self.senders(cut.stream, cut.writers_before, before), cut.name, True)
        for node in graph.nodes:
            self.add(node)

    @property
    def nodes(self) -> Iterator[str]:
        """All variables so far, in some order."""
        for parts in self.variables.values():
            yield from parts

    def parts(self, place: Place) -> tuple[str, ...]:
        """Return the variables of a place."""
        wanted = tuple(f"{place.node}.{position}" for position in place.at)
        return wanted or self.variables[place.node]

    def add(self, node: GraphNode) -> None:
        """Add the edges into a node."""
        name = node.mediator.name
        if not node.slots:
            (self.noise if node.mediator.kind is Kind.NOISE else self.inputs).append(name)
        for slot in node.slots:
            pointwise = "pos" in node.pointwise or "pos" in slot.pointwise
            self.join(self.entering(slot), name, pointwise)

    def entering(self, slot: Slot) -> tuple[str, ...]:
        """Return what enters a slot, a named cut in place of the writers before it."""
        if not slot.stream:
            return slot.parents
        cuts = [c for c in self.cuts if c.stream == slot.stream]
        below = [c for c in cuts if c.writers_before <= slot.writers_before]
        return self.senders(slot.stream, slot.writers_before, below[-1] if below else None)

    def earlier(self, cut: Cut) -> Cut | None:
        """Return the named cut before another one of its stream."""
        before = self.cuts[: self.cuts.index(cut)]
        return next((c for c in reversed(before) if c.stream == cut.stream), None)

    def senders(self, stream: str, count: int, cut: Cut | None) -> tuple[str, ...]:
        """Return the writers that enter, those before a cut as the cut."""
        writers = next(each.writers for each in self.graph.streams if each.name == stream)
        if cut is None:
            return writers[:count]
        return (cut.name, *writers[cut.writers_before : count])

    def join(self, senders: Iterable[str], receiver: str, pointwise: bool) -> None:
        """Add edges between the parts of senders and those of a receiver."""
        at = self.positions.get(receiver, ())
        for sender in senders:
            same = pointwise and at and self.positions.get(sender, ()) == at
            for number, part in enumerate(self.variables[receiver]):
                sent = self.variables[sender]
                self.edges += [(each, part) for each in ((sent[number],) if same else sent)]

    def add_readouts(self, readouts: Mapping[str, ReadOut]) -> None:
        """Add a variable below the node of each read-out."""
        for name, readout in readouts.items():
            if name != readout.node:
                self.edges += [(part, name) for part in self.read(readout)]
                self.variables[name] = (name,)

    def read(self, readout: ReadOut) -> tuple[str, ...]:
        """Return the variables that a read-out is a function of."""
        node = self.graph.find(readout.node).name
        at = f"{node}.{readout.at}"
        return (at,) if at in self.variables[node] else self.variables[node]

    def add_prompt(self, labels: Iterable[str]) -> None:
        """Add the prompt, which drives all inputs, and recorded features of it."""
        if PROMPT in self.variables:
            raise GraphError(
                f"A node has the name {PROMPT!r}.", "It stands for what drives all inputs.",
                "Rename the node.",
            )  # fmt: skip
        driven = [part for name in self.inputs for part in self.variables[name]]
        self.variables[PROMPT] = (PROMPT,)
        for label in labels:
            self.variables[label] = (label,)
        self.edges += [(PROMPT, name) for name in (*driven, *labels)]


def _positions(places: Iterable[Place]) -> dict[str, tuple[Position, ...]]:
    """Return for each node the positions at which it is named."""
    found: dict[str, dict[Position, None]] = {}
    for place in places:
        found.setdefault(place.node, {}).update(dict.fromkeys(place.at))
    for node, at in found.items():
        if len({type(each) for each in at}) > 1 or any(isinstance(p, int) and p < 0 for p in at):
            raise TermError(
                f"{node} is named at the positions {', '.join(map(str, at))}.",
                "They may be the same position or not.",
                "Name positions in one way, by their names or by indices from 0.",
            )
    return {node: tuple(at) for node, at in found.items() if at}
