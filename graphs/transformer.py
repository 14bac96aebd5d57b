"""The mediator graph of a pre-norm decoder-only transformer, at the grain of heads."""

from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.nodes import Axis, Cut, Merge, Node, Role, Slot, Stream
from causalnet.graphs.shape import TransformerShape

__all__ = ["transformer_graph"]


def transformer_graph(shape: TransformerShape) -> MediatorGraph:
    """Lay out embedding, heads with q, k, v, pattern and z, MLPs and logits.

    Keys and values are nodes of their K/V group.  The norm of a receiver belongs to the receiver,
    so what enters a slot is the residual stream before its norm (A Mathematical Framework for
    Transformer Circuits, Elhage et al. 2021, with receivers split into channels).  The norm's scale
    is a node that reads its receiver's slot, so that it can be frozen.

    >>> graph = transformer_graph(TransformerShape(30, 9, 3, 576, 64, 1536, 49152))
    >>> graph
    MediatorGraph(30 layers x 9 heads, 3 K/V groups, 1773 nodes, 70651 residual edges)
    >>> graph.find("L9.KV2.k").kind.value
    'key'
    """
    layout = _Layout(shape)
    layout.write(Mediator("embed", Kind.EMBED), layout.stream, ())
    for layer in range(shape.layers):
        layout.add_block(layer)
    layout.read(Mediator("logits", Kind.LOGITS), layout.values("token", shape.vocabulary))
    stream = Stream("resid", tuple(layout.writers))
    return MediatorGraph(tuple(layout.nodes), (stream,), tuple(layout.cuts), shape)


class _Layout:
    """Collects nodes, writers and cuts in order."""

    def __init__(self, shape: TransformerShape) -> None:
        self.shape = shape
        self.nodes: list[Node] = []
        self.writers: list[str] = []
        self.cuts: list[Cut] = []
        self.stream = self.values("feature", shape.d_model)
        self.head = self.values("feature", shape.d_head)

    @staticmethod
    def values(name: str, size: int | None) -> tuple[Axis, ...]:
        return (Axis("batch", Role.BATCH), Axis("pos", Role.CAUSAL), Axis(name, Role.FREE, size))

    def plain(
        self,
        mediator: Mediator,
        axes: tuple[Axis, ...],
        *parents: tuple[str, str],
        linear_in: tuple[str, ...] = (),
        pointwise: tuple[str, ...] = (),
    ) -> None:
        slots = tuple(Slot(name, Merge.PLAIN, (parent,)) for name, parent in parents)
        self.nodes.append(Node(mediator, axes, slots, linear_in, pointwise=pointwise))

    def sum_slot(self, owner: str = "") -> Slot:
        return Slot("resid", Merge.SUM, (), "resid", len(self.writers), owner)

    def read(self, mediator: Mediator, axes: tuple[Axis, ...], linear: bool = True) -> None:
        """Add a receiver of the stream; with its norm's scale held, a linear one is affine."""
        slots: tuple[Slot, ...] = (self.sum_slot(),)
        if self.shape.normed:
            name = f"{mediator.name}.scale"
            scale = Mediator(name, Kind.SCALE, mediator.layer, mediator.index)
            one = self.values("feature", 1)
            self.nodes.append(Node(scale, one, (self.sum_slot(mediator.name),), pointwise=("pos",)))
            slots = (*slots, Slot("scale", Merge.PLAIN, (name,)))
        linear_in = ("resid",) if linear else ()
        self.nodes.append(Node(mediator, axes, slots, linear_in, pointwise=("pos",)))

    def cut(self, name: str) -> None:
        self.cuts.append(Cut(name, "resid", len(self.writers)))

    def write(self, mediator: Mediator, axes: tuple[Axis, ...], slots: tuple[Slot, ...]) -> None:
        linear_in = tuple(slot.name for slot in slots)
        self.nodes.append(Node(mediator, axes, slots, linear_in, pointwise=("pos",)))
        self.writers.append(mediator.name)

    def add_block(self, layer: int) -> None:
        shape, prefix = self.shape, f"L{layer}"
        self.cut(f"{prefix}.resid_pre")
        for group in range(shape.kv_heads):
            for kind, letter in ((Kind.KEY, "k"), (Kind.VALUE, "v")):
                name = f"{prefix}.KV{group}.{letter}" if shape.shares_keys else None
                name = name or f"{prefix}.H{group}.{letter}"
                self.read(Mediator(name, kind, layer, group), self.head)
        heads = [self.add_head(layer, head) for head in range(shape.heads)]
        for mediator in heads:  # after all readers: heads of one layer do not feed each other
            slot = Slot("z", Merge.PLAIN, (f"{mediator.name}.z",))
            self.write(mediator, self.stream, (slot,))
        if shape.attention_bias:
            self.write(Mediator(f"{prefix}.attn_bias", Kind.ATTENTION_BIAS, layer), self.stream, ())
        self.cut(f"{prefix}.resid_mid")
        self.read(Mediator(f"{prefix}.mlp", Kind.MLP, layer), self.stream, linear=False)
        self.writers.append(f"{prefix}.mlp")
        self.cut(f"{prefix}.resid_post")

    def add_head(self, layer: int, head: int) -> Mediator:
        shape, name = self.shape, f"L{layer}.H{head}"
        source = f"L{layer}.KV{shape.group_of(head)}" if shape.shares_keys else name
        self.read(Mediator(f"{name}.q", Kind.QUERY, layer, head), self.head)
        attended = self.values("attended", None)
        pattern = Mediator(f"{name}.pattern", Kind.PATTERN, layer, head)
        self.plain(pattern, attended, ("q", f"{name}.q"), ("k", f"{source}.k"))
        z = Mediator(f"{name}.z", Kind.Z, layer, head)
        both = (("pattern", pattern.name), ("v", f"{source}.v"))
        self.plain(z, self.head, *both, linear_in=("pattern", "v"))
        return Mediator(name, Kind.HEAD, layer, head)
