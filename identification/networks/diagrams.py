"""The causal diagram behind a log: the whole network, what was recorded, and its projection.

A network has no noise, so that all variation comes from the prompt, which drives every input node;
from exogenous noise nodes; and from flags beside the network.  What is a function of recorded
variables confounds nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias, final

from causalnet.errors import GraphError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.projection import OmittedPaths, latent_projection
from causalnet.identification.networks.access import Flag, Logs
from causalnet.identification.networks.network_variables import (
    PROMPT,
    NetworkVariables,
    Place,
    read_place,
)
from causalnet.identification.sources import Sources
from causalnet.interventions.readouts import READOUTS, ReadOut
from causalnet.interventions.views import Position

__all__ = ["Diagram", "admg_diagram", "network_diagram", "readout_variable"]

_MOST_EDGES = 2_000_000
Names: TypeAlias = tuple[str, ...]


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
    builder = NetworkVariables(graph, [*seen, *drawn, *places, *lenses, *acted.values()])
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
