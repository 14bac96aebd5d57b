"""Scrubbed networks as worlds: every node of an interpretation on a datum of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from causalnet.abstraction.interpretation import (
    Interpretation,
    InterpretationNode,
    receivers_of,
)
from causalnet.abstraction.scrubbing_draws import (
    Context,
    Resampling,
    contexts_of,
)
from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Assignment, At, Base, Do, Edge, ReadOut, World

__all__ = ["Agreeing", "ScrubbedNetwork", "scrubbed_network"]


@dataclass(frozen=True, slots=True)
class Agreeing:
    """An input of a scrubbed network.

    Attributes:
        input: Its name.
        agrees_with: The name of the input that it is drawn for.
        node: The node on whose feature they agree; None for one drawn at random.
    """

    input: str
    agrees_with: str
    node: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ScrubbedNetwork:
    """The world in which the output of a scrubbed network is read, and its inputs.

    Attributes:
        world: The world.
        inputs: All inputs besides the base, after those that they are drawn for.
        contexts: The nodes on their inputs, the output first.
    """

    world: World
    inputs: tuple[Agreeing, ...]
    contexts: tuple[Context, ...]


def scrubbed_network(
    graph: MediatorGraph,
    interpretation: Interpretation,
    resampling: Resampling,
    readout: ReadOut,
) -> ScrubbedNetwork:
    """Return the world of a hypothesis under a variant of causal scrubbing.

    Each node's world is made once from those of what it reads, deepest first, so that nothing
    recurses and equal worlds are equal terms.

    Raises:
        TermError: A hypothesis about another node than the read-out's, a parent that does not enter
            its reader, a receiver that is not its reader's, or too many paths of readers.
        UnknownMediatorError: A mediator that the network does not have.

    >>> from causalnet.abstraction.interpretation import answer
    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> from causalnet.interventions import logit_diff
    >>> graph = transformer_graph(TransformerShape(1, 2, 2, 8, 4, 16, 32))
    >>> hypothesis = Interpretation((
    ...     InterpretationNode("out", ("logits",), answer, ("mover",)),
    ...     InterpretationNode("mover", ("L0.H1",), answer, at=("end",)),
    ... ))
    >>> made = scrubbed_network(graph, hypothesis, Resampling(), logit_diff)
    >>> print(made.world)
    <'base, rest'> + {L0.H1 -> logits[end] := L0.H1 in <scrub mover>}
    """
    root = interpretation.nodes[0]
    if root.mediators[0] != readout.node:
        raise TermError(
            f"The hypothesis is about {root.mediators[0]}, and {readout} reads {readout.node}.",
            "The first node of an interpretation is the one that is read.",
            f"Write InterpretationNode('out', ({readout.node!r},), ...) first.",
        )
    links = {node.name: _links(graph, interpretation, node) for node in interpretation.nodes}
    contexts = contexts_of(interpretation, resampling.data)
    children: list[dict[str, int]] = [{} for _ in contexts]
    for number, context in enumerate(contexts):
        for reader in context.readers:
            children[reader][context.node.name] = number
    apart = resampling.unimportant == "independently"
    worlds: list[World] = [Base("base")] * len(contexts)
    for number in range(len(contexts) - 1, -1, -1):  # readers come before what they read
        context = contexts[number]
        below = _rest(graph, context, links[context.node.name], apart)
        layer: list[Assignment] = [
            (edge, At(edge.sender, worlds[children[number][parent]]))
            for parent, edge in links[context.node.name].edges
        ]
        worlds[number] = Do(below, tuple(layer)) if layer else below
    inputs = tuple(_inputs(graph, contexts, links, apart))
    return ScrubbedNetwork(worlds[0], inputs, contexts)


@dataclass(frozen=True, slots=True)
class _Links:
    """Through which edges a node's parents enter it, and what receives them."""

    receivers: tuple[str, ...]
    edges: tuple[tuple[str, Edge], ...]

    def strangers(self, graph: MediatorGraph) -> tuple[str, ...]:
        """Return the senders of which some part does not come from a parent."""
        whole = {(edge.sender, edge.receiver) for _, edge in self.edges if not edge.at}
        senders = [
            sender
            for receiver in self.receivers
            for sender in _senders(graph, receiver)
            if (sender, receiver) not in whole
        ]
        return tuple(dict.fromkeys(senders))


def _links(
    graph: MediatorGraph, interpretation: Interpretation, node: InterpretationNode
) -> _Links:
    nodes = interpretation.by_name
    own = receivers_of(graph, node.mediators)
    enters = tuple(graph.find(name).name for name in node.enters) or own
    edges: list[tuple[str, Edge]] = []
    for name in dict.fromkeys(node.parents):
        parent = nodes[name]
        found = [
            (name, Edge(graph.find(sender).name, receiver, parent.at))
            for sender in parent.mediators
            for receiver in enters
            if graph.find(sender).name in set(_senders(graph, receiver))
        ]
        reached = {edge.sender for _, edge in found}
        missing = [each for each in parent.mediators if graph.find(each).name not in reached]
        if missing:
            raise TermError(
                f"{missing[0]} of {name} does not enter {node.name}.",
                f"Its receivers are {', '.join(enters)}, which read earlier nodes.",
                "Drop the parent, or name other receivers in enters=(...).",
            )
        edges += found
    return _Links(tuple(dict.fromkeys((*own, *enters))), tuple(edges))


def _senders(graph: MediatorGraph, receiver: str) -> Iterator[str]:
    for slot in graph.node(receiver).slots:
        if not slot.owner:
            yield from graph.senders(slot)


def _rest(graph: MediatorGraph, context: Context, links: _Links, apart: bool) -> World:
    """Return the world of what does not matter, before parents are put in."""
    if not context.node.resamples_rest:
        return Base(context.input)
    if not apart:
        return Base(context.rest)
    layer: list[Assignment] = []
    strangers = links.strangers(graph)
    for receiver in links.receivers:
        entering = set(_senders(graph, receiver))
        layer += [
            (Edge(sender, receiver), At(sender, Base(_apart(context, sender))))
            for sender in strangers
            if sender in entering
        ]
    return Do(Base(context.rest), tuple(layer)) if layer else Base(context.rest)


def _apart(context: Context, sender: str) -> str:
    return f"{context.rest} {sender}"


def _inputs(
    graph: MediatorGraph,
    contexts: Sequence[Context],
    links: dict[str, _Links],
    apart: bool,
) -> Iterator[Agreeing]:
    for context in contexts:
        if context.agrees is not None:
            reader = contexts[context.agrees]
            yield Agreeing(context.input, reader.input, context.node.name)
        if context.node.resamples_rest:
            yield Agreeing(context.rest, context.input, None)
            if apart:
                for sender in links[context.node.name].strangers(graph):
                    yield Agreeing(_apart(context, sender), context.input, None)
