"""Interpretation graphs: what parts of a network are said to compute, and which feed which.

An interpretation is a graph of its own with a correspondence to the network (Chan et al. 2022):
every node has a feature, a function of the input datum, and stands for one or several mediators at
some positions.  Its parents enter through named receivers; all else that those receivers read is
said not to matter.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Position
from causalnet.interventions.techniques import Hypothesis, Interpreted
from causalnet.tasks import PromptPairs

__all__ = [
    "Datum",
    "Feature",
    "Interpretation",
    "InterpretationNode",
    "Rest",
    "answer",
    "anything",
    "data_of",
    "everything",
    "identity",
    "nothing",
    "receivers_of",
    "token_at",
]

Rest: TypeAlias = Literal["random", "own"]
"""What a node's other inputs are computed on: a random datum, for they do not matter, or its own
datum, for they may."""


@dataclass(frozen=True, slots=True)
class Datum:
    """One datum as features see it.

    Attributes:
        text: The base prompt.
        ids: Its token ids.
        tokens: The text of each token.
        places: Named positions and their token indices.
        template: The template's key; "" where there is none.
        answers: Token ids that are right behind it.
        foils: Token ids they are compared with.
    """

    text: str
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    template: str
    answers: tuple[int, ...]
    foils: tuple[int, ...]

    def token(self, at: Position) -> int:
        """Return the token id at a position.

        Raises:
            TermError: A position that the datum does not have.
        """
        places = dict(self.places)
        index = places.get(at) if isinstance(at, str) else at
        if index is None or not -len(self.ids) <= index < len(self.ids):
            raise TermError(
                f"{self.text[:60]!r} has no position {at!r}.",
                f"It has {', '.join(places)} and {len(self.ids)} tokens.",
                "Name one of these.",
            )
        return self.ids[index]


def data_of(pairs: PromptPairs) -> tuple[Datum, ...]:
    """Return the base prompts of pairs as data, row by row."""
    base = pairs.base
    return tuple(
        Datum(
            base.texts[row],
            base.ids[row],
            base.tokens[row],
            tuple((name, places[row]) for name, places in base.positions.items()),
            base.templates[row],
            pairs.answers[row],
            pairs.foils[row],
        )
        for row in range(len(base))
    )


@dataclass(frozen=True, slots=True)
class Feature:
    """A named function of the datum, whose values are compared for equality.

    Attributes:
        name: What it is called in results.
        of: From a datum to a hashable value.

    >>> parity = Feature("length is even", lambda datum: len(datum.ids) % 2 == 0)
    >>> parity.of(Datum("a b", (3, 4), ("a", "b"), (("end", 1),), "", (5,), (6,)))
    True
    """

    name: str
    of: Callable[[Datum], Hashable] = field(repr=False)


identity = Feature("the whole datum", lambda datum: datum.ids)
"""All of the datum: only equal prompts agree on it."""

anything = Feature("nothing", lambda datum: None)
"""A constant: all data agree on it."""

answer = Feature("the answer", lambda datum: datum.answers)
"""The right answer's tokens."""


def token_at(at: Position) -> Feature:
    """Return the token at a position as a feature.

    >>> token_at("S2").name
    'the token at S2'
    """
    return Feature(f"the token at {at}", lambda datum: datum.token(at))


@dataclass(frozen=True, slots=True)
class InterpretationNode:
    """A node of an interpretation, and what it corresponds to.

    Attributes:
        name: What the hypothesis calls it.
        mediators: The nodes whose values it is: one, or several that are scrubbed together.
        feature: What it is said to compute; data are exchanged that agree on it.
        parents: Names of the nodes that feed it.
        at: Positions of the mediators' values that its readers read; none means all.
        enters: Receivers through which the parents enter: `L2.H0.q`; none means all that the
            mediators have.
        rest: What else it reads is computed on a `random` datum, for it does not matter, or on
            its `own`.  None means own without parents (it reads the input), random with some.

    Raises:
        TermError: No mediator, or another rest.
    """

    name: str
    mediators: tuple[str, ...]
    feature: Feature
    parents: tuple[str, ...] = ()
    at: tuple[Position, ...] = ()
    enters: tuple[str, ...] = ()
    rest: Rest | None = None

    def __post_init__(self) -> None:
        """Check what a type does not."""
        if isinstance(self.mediators, str) or not self.mediators:
            raise TermError(
                f"{self.name} stands for {self.mediators!r}.",
                "A node stands for one or several mediators.",
                "Write a tuple, for example ('L9.H6',).",
            )
        if self.rest not in (None, "random", "own"):
            raise TermError(
                f"The rest of {self.name} is {self.rest!r}.",
                "What else a node reads is computed on a 'random' datum or on its 'own'.",
                "Write rest='random', or leave it out.",
            )

    @property
    def resamples_rest(self) -> bool:
        """Whether what else it reads is computed on a random datum."""
        return self.rest == "random" if self.rest else bool(self.parents)


@dataclass(frozen=True, slots=True)
class Interpretation:
    """A causal-scrubbing hypothesis: an interpretation graph with its correspondence.

    Attributes:
        nodes: The output first; it stands for what the read-out reads.

    Raises:
        TermError: No node, a name twice, a parent that is no node, a circle, a node that nothing
            reads, or an output of several mediators.

    >>> graph = Interpretation((
    ...     InterpretationNode("out", ("logits",), answer, ("mover",)),
    ...     InterpretationNode("mover", ("L2.H0",), answer, at=("end",)),
    ... ))
    >>> print(graph)
    out = logits: the answer; reads mover, the rest random
    mover = L2.H0[end]: the answer; reads its own datum
    """

    nodes: tuple[InterpretationNode, ...]

    def __post_init__(self) -> None:
        """Check the graph."""
        Hypothesis(
            tuple(
                Interpreted(node.name, node.mediators[0], node.feature.name, node.parents)
                for node in self.nodes
            )
        )
        if len(self.nodes[0].mediators) != 1:
            raise TermError(
                f"The output {self.nodes[0].name} stands for {len(self.nodes[0].mediators)} "
                "mediators.",
                "It is the one node that the read-out reads.",
                "Put it first: InterpretationNode('out', ('logits',), ...).",
            )
        unread = set(self.by_name) - {node.name for node in self.readers_first()}
        if unread:
            raise TermError(
                f"Nothing reads {min(unread)!r}.",
                f"Every node but the output {self.nodes[0].name!r} is a parent of another.",
                "Name it among the parents of what reads it, or leave it out.",
            )

    @property
    def by_name(self) -> dict[str, InterpretationNode]:
        """The nodes by their names."""
        return {node.name: node for node in self.nodes}

    def readers_first(self) -> tuple[InterpretationNode, ...]:
        """Return the nodes that the output depends on, each after all that read it."""
        nodes, unread = self.by_name, dict.fromkeys(self.by_name, 0)
        reached, waiting = set[str](), [self.nodes[0].name]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += nodes[name].parents
        for name in reached:
            for parent in dict.fromkeys(nodes[name].parents):
                unread[parent] += 1
        free, found = [self.nodes[0].name], []
        while free:
            node = nodes[free.pop(0)]
            found.append(node)
            for parent in dict.fromkeys(node.parents):
                unread[parent] -= 1
                if not unread[parent]:
                    free.append(parent)
        return tuple(found)

    def __str__(self) -> str:
        """Return a line for each node."""
        return "\n".join(_line(node) for node in self.nodes)


def _line(node: InterpretationNode) -> str:
    places = f"[{', '.join(map(str, node.at))}]" if node.at else ""
    rest = "random" if node.resamples_rest else "its own"
    reads = (
        f"{', '.join(node.parents)}, the rest {rest}"
        if node.parents
        else ("nothing that matters" if node.resamples_rest else "its own datum")
    )
    enters = f" through {', '.join(node.enters)}" if node.enters else ""
    return (
        f"{node.name} = {' + '.join(node.mediators)}{places}: {node.feature.name}; "
        f"reads {reads}{enters}"
    )


def nothing(output: str = "logits") -> Interpretation:
    """Return the hypothesis that nothing matters: all that the output reads is random."""
    return Interpretation((InterpretationNode("out", (output,), anything, rest="random"),))


def everything(graph: MediatorGraph, feature: Feature = identity) -> Interpretation:
    """Return the hypothesis that every writer matters, each said to compute one feature.

    With the identity it says nothing that could be false.  It is scrubbed with one datum for each
    node: chains of readers are too many.

    Args:
        graph: The network's graph, with a residual stream.
        feature: What each writer is said to compute.
    """
    writers = graph.writers
    nodes = [InterpretationNode("logits", ("logits",), feature, writers[::-1])]
    for writer in reversed(writers):
        receivers = receivers_of(graph, (writer,))
        senders = {name for receiver in receivers for name in _senders(graph, receiver)}
        nodes.append(
            InterpretationNode(
                writer, (writer,), feature, tuple(name for name in writers if name in senders)
            )
        )
    return Interpretation(tuple(nodes))


def receivers_of(graph: MediatorGraph, mediators: Sequence[str]) -> tuple[str, ...]:
    """Return the nodes through which mediators read the residual stream, in the graph's order.

    A head's are its query and its group's key and value.  A node of a graph without streams is its
    own receiver.

    Raises:
        UnknownMediatorError: No such mediator.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 4, 2, 8, 2, 16, 32))
    >>> receivers_of(graph, ["L1.H3"])
    ('L1.KV1.k', 'L1.KV1.v', 'L1.H3.q')
    """
    found: dict[str, None] = {}
    for name in mediators:
        seen, waiting = set[str](), [graph.find(name).name]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            slots = [slot for slot in graph.node(current).slots if not slot.owner]
            if any(slot.stream for slot in slots):
                found[current] = None
            elif graph.streams:
                waiting += [parent for slot in slots for parent in slot.parents]
            elif slots:
                found[current] = None
    return tuple(sorted(found, key=graph.rank))


def _senders(graph: MediatorGraph, receiver: str) -> Iterator[str]:
    """Yield the nodes that enter a receiver by slots of its own."""
    for slot in graph.node(receiver).slots:
        if not slot.owner:
            yield from graph.senders(slot)
