"""Attribution graphs of circuit-tracer and Neuronpedia as circuits to be tested, and back.

An attribution graph is about one prompt, with attention frozen: its nodes are features of
transcoders, which stand for MLPs, at one position each.  A lifted network without dictionaries has
no such node.  What can be tested is coarser: which MLPs, and which edges between embeddings, MLPs
and logits, the graph says are used.  Attention is invisible in it and is kept.

| node of the graph | here |
|---|---|
| feature of a transcoder, reconstruction error | the MLP of the layer that it reads |
| embedding | `embed` |
| logit | `logits` |
| node that `attribution_of` wrote | the head, MLP or K/V group that it names |
| others, such as attention features | nothing; they are counted |
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from causalnet.discovery.circuits import Circuit
from causalnet.discovery.question import Question
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.graphs import MediatorGraph
from causalnet.graphs.formats import AttributionGraph, AttributionNode
from causalnet.graphs.formats.attribution_nodes import EMBEDDING, LOGIT

__all__ = ["MEDIATOR", "RECEIVERS", "GraphCircuit", "circuit_of_graph"]

MEDIATOR, RECEIVERS = "causalnet_mediator", "causalnet_receivers"
"""The extra fields in which `attribution_of` names the mediator of a node, and the scores of the
edges that a link stands for."""

_MLP = ("cross layer transcoder", "mlp reconstruction error")


@dataclass(frozen=True, slots=True, eq=False)
class GraphCircuit:
    """A circuit that an attribution graph says, and what could not be said of it here.

    Attributes:
        circuit: The circuit.
        nodes: How many nodes of the graph each mediator stands for.
        left_out: What has no place in the circuit, and how often.
        kept: How many units are kept because the graph cannot speak of them: attention.
        notes: What a reader should know.
    """

    circuit: Circuit
    nodes: Mapping[str, int]
    left_out: Mapping[str, int]
    kept: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return what was mapped, what was not, and the notes."""
        lines = [repr(self.circuit)]
        lines += [f"  {name}: {count} nodes of the graph" for name, count in self.nodes.items()]
        lines += [f"  left out: {count} {reason}" for reason, count in self.left_out.items()]
        lines += [f"  kept in any case: {self.kept} units of attention"] if self.kept else []
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def circuit_of_graph(
    graph: AttributionGraph,
    question: Question,
    *,
    attention: Literal["kept", "removed"] = "kept",
) -> GraphCircuit:
    """Return the circuit of the mediators, or edges, that an attribution graph has.

    Prune the graph first (`causalnet.discovery.influence.pruned`) if its file is not.

    Args:
        graph: The graph.
        question: What the circuit is tested with, at the grain nodes or edges.
        attention: Whether heads (and edges from and to heads), of which the graph says nothing, are
            in the circuit.  A graph that `attribution_of` wrote names its heads, and nothing else
            is kept.

    Raises:
        ParameterError: Another grain, a graph of a deeper model, a graph of which nothing can be
            mapped.
    """
    own = any(MEDIATOR in node.extra for node in graph.nodes)
    if question.grain not in (CircuitGrain.NODES, CircuitGrain.EDGES) and not own:
        raise ParameterError(
            f"An attribution graph at the grain {str(question.grain)!r}.",
            "Its features stand for MLPs, and its links for edges between them.",
            "Write grain='nodes' or 'edges'.",
        )
    _check_depth(graph, question)
    mapped, left_out = _mapped(graph, question)
    by_edges = question.grain in (CircuitGrain.EDGES, CircuitGrain.RECEIVERS)
    known = set(question.units.names)
    if by_edges:
        wanted = _edges(graph, mapped, left_out, known)
    else:
        wanted = {name for name in mapped.values() if name in known}
    if not wanted:
        raise ParameterError(
            f"Nothing of {graph!r} has a place among the {question.grain} of this network.",
            f"Left out: {', '.join(f'{n} {why}' for why, n in left_out.items()) or 'nothing'}.",
            "Use the model that the graph was made of, or another grain.",
        )
    always = _of_attention(question) if attention == "kept" and not own else set()
    numbers = sorted(question.units.index(name) for name in wanted | always)
    rule = f"the {question.grain} of the attribution graph {graph.metadata['slug']!r}"
    rule += " and all of attention" if always else ""
    circuit = Circuit(question, tuple(numbers), "attribution graph", rule, len(numbers))
    counts = Counter(mapped.values())
    graph_here = question.net.graph
    nodes = {name: counts[name] for name in sorted(counts, key=partial(place_of, graph_here))}
    return GraphCircuit(
        circuit, nodes, dict(left_out), len(always - wanted), tuple(_notes(graph, own))
    )


def place_of(graph: MediatorGraph, name: str) -> tuple[int, str]:
    """Return where a mediator stands in the order of a graph; K/V groups stand at their keys."""
    names = graph.names()
    return names.index(f"{name}.k" if ".KV" in name else name), name


def _check_depth(graph: AttributionGraph, question: Question) -> None:
    layers = question.net.n_layers
    deep = [
        node
        for node in graph.nodes
        if node.feature_type != LOGIT and (node.layer_number or 0) >= layers
    ]
    if deep:
        raise ParameterError(
            f"The attribution graph {graph.metadata['slug']!r} of {graph.metadata['scan']!r} has "
            f"a node in layer {deep[0].layer}.",
            f"This network has layers 0..{layers - 1}.",
            "Load the model that the graph was made of.",
        )


def _mapped(graph: AttributionGraph, question: Question) -> tuple[dict[str, str], Counter[str]]:
    """Return the mediator of each node that has one, by its id, and why others have none."""
    names = set(question.net.graph.names())
    names |= {name[:-2] for name in names if ".KV" in name}
    found: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for node in graph.nodes:
        name = _mediator(node)
        if name is None:
            left_out[f"nodes of type {node.feature_type!r:.40}"] += 1
        elif name not in names:
            left_out[f"nodes of {name}, which this network does not have"] += 1
        else:
            found[node.node_id] = name
    return found, left_out


def _mediator(node: AttributionNode) -> str | None:
    told = node.extra.get(MEDIATOR)
    if isinstance(told, str):
        return told
    if node.feature_type in _MLP and node.layer_number is not None:
        return f"L{node.layer_number}.mlp"
    return {EMBEDDING: "embed", LOGIT: "logits"}.get(node.feature_type)


def _edges(
    graph: AttributionGraph,
    mapped: Mapping[str, str],
    left_out: Counter[str],
    known: set[str],
) -> set[str]:
    """Return the edges that links stand for; links between positions go through attention."""
    position = {node.node_id: node.ctx_idx for node in graph.nodes}
    found: set[str] = set()
    for link in graph.links:
        if link.source not in mapped or link.target not in mapped:
            left_out["links of nodes that are left out"] += 1
            continue
        told = link.extra.get(RECEIVERS)
        sender, receiver = mapped[link.source], mapped[link.target]
        if isinstance(told, Mapping):
            edges = {name if name in known else f"{sender} -> {name}" for name in told}
        elif position[link.source] != position[link.target]:
            left_out["links from one position to another, which attention carries"] += 1
            continue
        else:
            edges = {f"{sender} -> {receiver}"}
        missing = edges - known
        if missing:
            left_out["links that are no edge of the residual stream"] += len(missing)
        found |= edges & known
    return found


def _of_attention(question: Question) -> set[str]:
    """Return the units of which an attribution graph says nothing."""
    names = question.units.names
    if question.grain is CircuitGrain.NODES:
        return {name for name in names if not name.endswith(".mlp")}
    plain = ("embed", "pos_embed", "logits")

    def is_plain(end: str) -> bool:
        return end in plain or end.endswith(".mlp")

    return {name for name in names if not all(map(is_plain, name.split(" -> ")))}


def _notes(graph: AttributionGraph, own: bool) -> Iterator[str]:
    if own:
        return
    yield (
        f"the graph is about one prompt, {str(graph.metadata['prompt'])[:60]!r}; here its MLPs "
        "are in the circuit at all positions and on all prompts"
    )
    yield (
        "its links are attributions with attention and norms frozen; a test is an intervention in "
        "the model itself"
    )
    if graph.ambiguous_links:
        yield f"{len(graph.ambiguous_links)} ambiguous links are left out"
