"""Where senders and receivers lie: the stages of a decoder, with its edges stage by stage."""

from dataclasses import dataclass
from itertools import pairwise

from causalnet.estimators.sites import EdgeSites, edge_sites
from causalnet.graphs import Kind, MediatorGraph

__all__ = ["Layout", "Stage", "layout_of"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Receivers that read the stream at one place, and what is written behind them.

    Attributes:
        kind: "attention", "mlp" or "logits".
        layer: The layer; for the logits the number of layers.
        parents: How many senders the receivers read.
        edges: The numbers of the edges into the receivers: receiver after receiver, senders in
            order.
        queries: Heads whose queries are receivers here.
        groups: K/V groups whose keys and then values are receivers here.
        writers: The numbers of the senders that are written here.
        biased: Whether the last of the writers is the attention's constant.
    """

    kind: str
    layer: int
    parents: int
    edges: slice
    queries: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    writers: range = range(0)
    biased: bool = False

    @property
    def receivers(self) -> int:
        """How many receivers there are."""
        return len(self.queries) + 2 * len(self.groups) if self.kind == "attention" else 1


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Senders, stages and edges of a network.

    Attributes:
        graph: The graph of the network.
        sites: Its residual edges, in the order in which masks number them.
        stages: In the order of the computation; the last is that of the logits.
        inputs: How many senders are there before the first stage: embeddings.
    """

    graph: MediatorGraph
    sites: EdgeSites
    stages: tuple[Stage, ...]
    inputs: int

    @property
    def senders(self) -> tuple[str, ...]:
        """The senders' names, in order."""
        return self.graph.writers

    def stage_of_receiver(self, name: str) -> int:
        """Return the number of the stage at which a receiver reads the stream."""
        first = self.sites.into(name).start
        return next(
            number
            for number, stage in enumerate(self.stages)
            if stage.edges.start <= first < stage.edges.stop
        )

    def first_reader(self, sender: int) -> int:
        """Return the number of the first stage that can read a sender."""
        return next(number for number, stage in enumerate(self.stages) if stage.parents > sender)


def layout_of(graph: MediatorGraph) -> Layout:
    """Return the stages of a decoder's graph.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> layout = layout_of(transformer_graph(TransformerShape(2, 4, 2, 8, 2, 8, 10)))
    >>> [(stage.kind, stage.parents, stage.receivers) for stage in layout.stages[:2]]
    [('attention', 1, 8), ('mlp', 5, 1)]
    """
    sites = edge_sites(graph)
    receivers = [graph.find(name) for name in sites.receivers]
    number = {name: index for index, name in enumerate(graph.writers)}
    starts = [sites.into(each.name).start for each in receivers] + [len(sites)]
    keyed = [(_stage_kind(each.kind), each.layer) for each in receivers]
    breaks = [0, *(i for i, (a, b) in enumerate(pairwise(keyed), 1) if a != b), len(keyed)]
    stages: list[Stage] = []
    for first, last in pairwise(breaks):
        kind, layer = keyed[first]
        here = receivers[first:last]
        wrote = _written(graph, kind, layer)
        numbers = [number[name] for name in wrote]
        stages.append(
            Stage(
                kind,
                graph.shape.layers if layer is None else layer,
                sites.counts[first],
                slice(starts[first], starts[last]),
                tuple(each.index or 0 for each in here if each.kind is Kind.QUERY),
                tuple(each.index or 0 for each in here if each.kind is Kind.KEY),
                range(numbers[0], numbers[-1] + 1) if numbers else range(0),
                bool(wrote) and wrote[-1].endswith(".attn_bias"),
            )
        )
    return Layout(graph, sites, tuple(stages), stages[0].parents)


def _stage_kind(kind: Kind) -> str:
    if kind in (Kind.QUERY, Kind.KEY, Kind.VALUE):
        return "attention"
    return "mlp" if kind is Kind.MLP else "logits"


def _written(graph: MediatorGraph, kind: str, layer: int | None) -> list[str]:
    wanted = {
        "attention": (Kind.HEAD, Kind.ATTENTION_BIAS),
        "mlp": (Kind.MLP,),
        "logits": (),
    }[kind]
    found = (graph.find(name) for name in graph.writers)
    return [each.name for each in found if each.layer == layer and each.kind in wanted]
