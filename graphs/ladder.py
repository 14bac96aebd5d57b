"""Up and down the granularity ladder, and into clusters of one's own."""

from collections.abc import Mapping, Sequence

from causalnet.errors import GraphError
from causalnet.graphs.arguments import check_type
from causalnet.graphs.coarsening import Coarsening, cluster_graph
from causalnet.graphs.grains import Grain, read_grain
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.positions import at_positions
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.transformer import transformer_graph

__all__ = ["coarsen", "refine"]


def refine(
    graph: MediatorGraph,
    grain: Grain | str | None = None,
    *,
    dictionaries: int | Mapping[int, int] | None = None,
    tokens: int | None = None,
) -> MediatorGraph:
    """Return a graph that is finer: at a finer grain, or with a node for every position.

    What is given is the finer grain and its sizes, which the coarse graph does not hold.  It
    coarsens back to the graph: `coarsen(refine(graph, grain), graph.grain).coarse == graph`.

    Args:
        graph: A transformer's graph; for positions alone, any graph with the axis `pos`.
        grain: The finer grain; default the graph's own.
        dictionaries: The number of features of each layer, for the grain of features.
        tokens: The number of positions, for a graph of whole sequences.

    Raises:
        GraphError: The grain is not a finer one, or the graph is not one of the ladder.

    >>> graph = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11), "heads")
    >>> fine = refine(graph, "neurons")
    >>> coarsen(fine, "heads").coarse == graph
    True
    """
    if grain is None and dictionaries is None and tokens is not None:
        return at_positions(graph, tokens).fine
    own = _checked(graph)
    finer = own if grain is None else read_grain(grain)
    if tokens is not None and graph.tokens is not None:
        raise GraphError(
            f"The graph has {graph.tokens} positions already.", "It takes no other number of them."
        )
    if not finer.refines(own):
        raise _not_finer(finer, own)
    if finer is own and dictionaries is None:
        dictionaries = _dictionaries(graph)
    positions = graph.tokens if tokens is None else tokens
    return transformer_graph(graph.shape, finer, dictionaries=dictionaries, tokens=positions)


def coarsen(
    graph: MediatorGraph,
    to: Grain | str | Mapping[str, Sequence[str]],
    *,
    positions: bool = True,
) -> Coarsening:
    """Return a coarser graph, with the fine nodes that each of its nodes holds.

    Args:
        graph: The fine graph: a transformer's, or for clusters any.
        to: A coarser grain of the ladder, or the members of clusters by their names
            (`cluster_graph`).
        positions: For a grain, whether positions stay apart.

    Raises:
        GraphError: The grain is not a coarser one, the graph is not one of the ladder, or the
            clusters form a cycle.
        UnknownMediatorError: A member that is not in the graph.

    >>> graph = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11))
    >>> coarsen(graph, "heads").members["L0.H1"]  # doctest: +ELLIPSIS
    ('L0.KV0.k.scale', 'L0.KV0.k', ..., 'L0.H1.z', 'L0.H1')
    """
    if isinstance(to, Mapping):
        return cluster_graph(graph, to)
    own, grain = _checked(graph), read_grain(to)
    if not own.refines(grain):
        raise _not_finer(own, grain)
    tokens = graph.tokens if positions else None
    sizes = _dictionaries(graph) if grain is own else None
    coarse = transformer_graph(graph.shape, grain, dictionaries=sizes, tokens=tokens)
    members: dict[str, list[str]] = {node.mediator.name: [] for node in coarse.nodes}
    for node in graph.nodes:
        whole = node.mediator.name.partition("[")[0]
        for name in _holders(node.mediator, whole, own, grain, graph.shape):
            for place in _places(node.mediator, whole, grain, tokens, graph.shape.causal):
                members[name + place].append(node.mediator.name)
    return Coarsening(graph, coarse, {name: tuple(inside) for name, inside in members.items()})


def _holders(
    mediator: Mediator, name: str, own: Grain, grain: Grain, shape: TransformerShape
) -> tuple[str, ...]:
    """Return the nodes at a coarser grain in which a node of no position lies."""
    if own is grain or mediator.layer is None:
        return (name.removesuffix(".scale") if not grain.refines(Grain.CHANNELS) else name,)
    layer = f"L{mediator.layer}"
    if name.startswith(f"{layer}.mlp"):
        scale = name.endswith(".scale") and grain is Grain.CHANNELS
        return (f"{layer}.mlp.scale" if scale else f"{layer}.mlp",)
    if grain is Grain.CHANNELS:
        return (name,)
    if grain is Grain.BLOCKS:
        whole = mediator.kind in (Kind.HEAD, Kind.ATTENTION_BIAS)
        return (f"{layer}.attn" if whole else f"{layer}.z",)
    if mediator.kind is Kind.ATTENTION_BIAS:
        return (name,)
    owner = name.split(".")[1]
    group = owner.removeprefix("KV") if owner.startswith("KV") else ""
    if not group:
        return (f"{layer}.{owner}",)
    heads = shape.heads_of(mediator.layer)
    return tuple(f"{layer}.H{head}" for head in heads if shape.group_of(head) == int(group))


def _places(
    mediator: Mediator, name: str, grain: Grain, tokens: int | None, causal: bool
) -> tuple[str, ...]:
    """Return the positions at which a node lies in a coarser one, as they are written.

    A head has its keys and values inside, and attends to earlier ones: those of position 2 are
    inside of the head at every position from 2.  Where attention is not causal, they are inside of
    the head at every position.
    """
    if tokens is None or mediator.position is None:
        return ("",)
    attended = name.removesuffix(".scale").endswith((".k", ".v"))
    inlined = attended and not grain.refines(Grain.CHANNELS)
    last = tokens if inlined else mediator.position + 1
    first = 0 if inlined and not causal else mediator.position
    return tuple(f"[{at}]" for at in range(first, last))


def _dictionaries(graph: MediatorGraph) -> dict[int, int] | None:
    """Return how many features each layer has, or None where the graph has none."""
    sizes: dict[int, int] = {}
    for node in graph.nodes:
        mediator = node.mediator
        if mediator.kind is Kind.FEATURE and mediator.layer is not None and not mediator.position:
            sizes[mediator.layer] = sizes.get(mediator.layer, 0) + 1
    return sizes or None


def _checked(graph: MediatorGraph) -> Grain:
    """Return the grain of a graph that is laid out as the ladder does."""
    check_type(graph, MediatorGraph, "Write transformer_graph(shape).")
    grain = graph.grain
    if grain is None or graph.sizes is None:
        raise GraphError(
            f"{graph!r} has no grain.",
            "The ladder is of transformers as transformer_graph lays them out.",
            "Write coarsen(graph, {'name': ['member', ...]}) for clusters of your own.",
        )
    laid_out = transformer_graph(
        graph.sizes, grain, dictionaries=_dictionaries(graph), tokens=graph.tokens
    )
    if laid_out != graph:
        raise GraphError(
            f"{graph!r} is not as transformer_graph lays out this grain.",
            "The ladder is of transformers as transformer_graph lays them out.",
        )
    return grain


def _not_finer(fine: Grain, coarse: Grain) -> GraphError:
    finer = ", ".join(each for each in Grain if each is not coarse and each.refines(coarse))
    return GraphError(
        f"The grain of {fine} does not refine that of {coarse}.",
        f"{coarse.capitalize()} are refined by {finer or 'nothing'}.",
        "Go through the channels, which refine both blocks and heads.",
    )
