"""The mediator graph of a pre-norm decoder-only transformer, at every grain."""

from collections.abc import Mapping
from numbers import Integral

from causalnet.errors import GraphError
from causalnet.graphs.arguments import check_type, check_whole, mapped
from causalnet.graphs.grains import Grain, read_grain
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.nodes import Axis, Cut, Merge, Node, Regime, Role, Slot, Stream
from causalnet.graphs.positions import at_positions
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.wellformed import check_size

__all__ = ["transformer_graph"]


def transformer_graph(
    shape: TransformerShape,
    grain: Grain | str = Grain.CHANNELS,
    *,
    dictionaries: int | Mapping[int, int] | None = None,
    tokens: int | None = None,
) -> MediatorGraph:
    """Lay out embedding, attention, MLPs and logits.

    At the grain of channels, keys and values are nodes of their K/V group.  The norm of a receiver
    belongs to the receiver, so what enters a slot is the residual stream before its norm (A
    Mathematical Framework for Transformer Circuits, Elhage et al. 2021, with receivers split into
    channels).  The norm's scale is a node that reads its receiver's slot, so that it can be frozen.
    Neurons and features are receivers too, each with a scale of its own.

    Learned positions that are apart are the writer `pos_embed`, after `embed`.  Silent heads and
    MLPs are left out with all that is theirs; cuts of the stream stay.  Where attention is not
    causal, values may depend on all positions (`Role.POSITION`).

    Args:
        shape: The sizes.
        grain: What the nodes are.
        dictionaries: For the grain of features, how many features a layer's MLP has: one number,
            or one for each layer that has a dictionary; the other layers' MLPs stay whole.
        tokens: For a graph of positions, with nodes `L9.H6[3]`, the number of positions.

    Raises:
        GraphError: An unknown grain, features without dictionaries or dictionaries without
            features, a layer that is not there or whose MLP is silent, no features in a
            dictionary, too many nodes.
        ParameterError: Numbers that are none, no tokens.

    >>> graph = transformer_graph(TransformerShape(30, 9, 3, 576, 64, 1536, 49152))
    >>> graph
    MediatorGraph(30 layers x 9 heads, 3 K/V groups, 1773 nodes, 70651 residual edges)
    >>> graph.find("L9.KV2.k").kind.value
    'key'
    >>> transformer_graph(graph.shape, "heads")
    MediatorGraph(30 layers x 9 heads, 3 K/V groups, grain heads, 302 nodes, 44371 residual edges)
    """
    check_type(shape, TransformerShape, "Write TransformerShape(layers, heads, ...).")
    grain = read_grain(grain)
    if tokens is not None:
        check_whole(tokens, "tokens", least=1)
    features = _sizes(shape, grain, dictionaries)
    check_size(_least_nodes(shape, grain, features))
    layout = _Layout(shape, grain, features)
    layout.write(Mediator("embed", Kind.EMBED), layout.stream, ())
    if shape.positions_apart:
        layout.write(Mediator("pos_embed", Kind.POSITIONS), layout.stream, ())
    for layer in range(shape.layers):
        layout.add_block(layer)
    layout.read(Mediator("logits", Kind.LOGITS), layout.values("token", shape.vocabulary))
    stream = Stream("resid", tuple(layout.writers))
    graph = MediatorGraph(tuple(layout.nodes), (stream,), tuple(layout.cuts), shape, grain)
    return graph if tokens is None else at_positions(graph, tokens).fine


def _sizes(
    shape: TransformerShape, grain: Grain, given: int | Mapping[int, int] | None
) -> dict[int, int]:
    """Return the number of features of each layer that has a dictionary."""
    if (grain is Grain.FEATURES) != bool(given):
        raise GraphError(
            "Feature dictionaries and the grain of features go together.",
            f"The grain is {grain.value}, the dictionaries are {given}.",
            "Write transformer_graph(shape, grain='features', dictionaries={9: 24576}).",
        )
    if given is None:
        return {}
    if isinstance(given, int | Integral):
        check_size(int(given))
        given = dict.fromkeys(filter(shape.has_mlp, range(shape.layers)), int(given))
    sizes = mapped(given, "layers to numbers of features", "Write dictionaries={9: 24576}.")
    for layer, size in sizes.items():
        check_whole(layer, "A layer with a dictionary")
        check_whole(size, f"The number of features in layer {layer}", least=1)
        if layer >= shape.layers:
            raise GraphError(
                f"A dictionary of {size} features in layer {layer}.",
                f"Layers are 0..{shape.layers - 1}; a dictionary has at least one feature.",
            )
        if not shape.has_mlp(layer):
            raise GraphError(
                f"A dictionary of {size} features for L{layer}.mlp, which is silent.",
                "A silent MLP writes nothing, and is not in the graph.",
                f"Leave layer {layer} out: dictionaries={{...}} names the layers that have one.",
            )
    return sizes


def _least_nodes(shape: TransformerShape, grain: Grain, features: Mapping[int, int]) -> int:
    """Return how many nodes a graph has at least; norm scales can double it."""
    within = 1 if grain is Grain.BLOCKS else shape.heads
    units = shape.d_mlp if grain is Grain.NEURONS else 1
    return shape.layers * (within + units) + sum(features.values())


class _Layout:
    """Collects nodes, writers and cuts in order."""

    def __init__(self, shape: TransformerShape, grain: Grain, features: Mapping[int, int]) -> None:
        self.shape, self.grain, self.features = shape, grain, features
        self.role = Role.CAUSAL if shape.causal else Role.POSITION
        self.fine = grain.refines(Grain.CHANNELS)
        self.nodes: list[Node] = []
        self.writers: list[str] = []
        self.cuts: list[Cut] = []
        self.stream = self.values("feature", shape.d_model)
        self.head = self.values("feature", shape.d_head)
        self.one = self.values("feature", 1)
        self.attended = self.values("attended", None)

    def values(self, name: str, size: int | None) -> tuple[Axis, ...]:
        return (Axis("batch", Role.BATCH), Axis("pos", self.role), Axis(name, Role.FREE, size))

    def sum_slot(self, owner: str = "") -> Slot:
        return Slot("resid", Merge.SUM, (), "resid", len(self.writers), owner)

    def read(self, mediator: Mediator, axes: tuple[Axis, ...], linear: bool = True) -> None:
        """Add a receiver of the stream; with its norm's scale held, a linear one is affine."""
        slots = self.reading(mediator)
        affine = linear and (self.fine or not self.shape.normed)
        linear_in = ("resid",) if affine else ()
        self.nodes.append(Node(mediator, axes, slots, linear_in, pointwise=("pos",)))

    def reading(self, mediator: Mediator) -> tuple[Slot, ...]:
        """Return the slots of a receiver of the stream, adding the scale of its norm."""
        if not (self.shape.normed and self.fine):
            return (self.sum_slot(),)
        name = f"{mediator.name}.scale"
        scale = Mediator(name, Kind.SCALE, mediator.layer, mediator.index)
        slots = (self.sum_slot(mediator.name),)
        self.nodes.append(Node(scale, self.one, slots, pointwise=("pos",)))
        return (self.sum_slot(), Slot("scale", Merge.PLAIN, (name,)))

    def cut(self, name: str) -> None:
        self.cuts.append(Cut(name, "resid", len(self.writers)))

    def write(self, mediator: Mediator, axes: tuple[Axis, ...], slots: tuple[Slot, ...]) -> None:
        linear_in = tuple(slot.name for slot in slots)
        self.nodes.append(Node(mediator, axes, slots, linear_in, linear_in, ("pos",)))
        self.writers.append(mediator.name)

    def add_block(self, layer: int) -> None:
        prefix = f"L{layer}"
        self.cut(f"{prefix}.resid_pre")
        if self.grain is Grain.BLOCKS:
            self.add_attention(layer)
        elif self.grain is Grain.HEADS:
            self.add_whole_heads(layer)
        else:
            self.add_channels(layer)
        if self.shape.attention_bias and self.grain is not Grain.BLOCKS:
            self.write(Mediator(f"{prefix}.attn_bias", Kind.ATTENTION_BIAS, layer), self.stream, ())
        self.cut(f"{prefix}.resid_mid")
        if self.shape.has_mlp(layer):
            self.add_mlp(layer)
        self.cut(f"{prefix}.resid_post")

    # -- attention -------------------------------------------------------------------------------

    def add_attention(self, layer: int) -> None:
        batch, position, feature = self.head
        heads, slots = len(self.shape.heads_of(layer)), list[Slot]()
        if heads:
            axes = (batch, position, Axis("head", Role.FREE, heads), feature)
            name = f"L{layer}.z"
            self.nodes.append(Node(Mediator(name, Kind.Z, layer), axes, (self.sum_slot(),)))
            slots = [Slot("z", Merge.PLAIN, (name,))]
        if slots or self.shape.attention_bias:  # a bias is written where all heads are silent too
            attention = Mediator(f"L{layer}.attn", Kind.ATTENTION, layer)
            self.write(attention, self.stream, tuple(slots))

    def add_whole_heads(self, layer: int) -> None:
        slot = self.sum_slot()
        for head in self.shape.heads_of(layer):
            mediator = Mediator(f"L{layer}.H{head}", Kind.HEAD, layer, head)
            self.nodes.append(Node(mediator, self.stream, (slot,)))
            self.writers.append(mediator.name)

    def add_channels(self, layer: int) -> None:
        shape, prefix = self.shape, f"L{layer}"
        owner = "KV" if shape.shares_keys else "H"
        for group in shape.groups_of(layer):
            for kind, letter in ((Kind.KEY, "k"), (Kind.VALUE, "v")):
                name = f"{prefix}.{owner}{group}.{letter}"
                self.read(Mediator(name, kind, layer, group), self.head)
        heads = [self.add_inside(layer, head) for head in shape.heads_of(layer)]
        for mediator in heads:  # after all readers: heads of one layer do not feed each other
            slot = Slot("z", Merge.PLAIN, (f"{mediator.name}.z",))
            self.write(mediator, self.stream, (slot,))

    def add_inside(self, layer: int, head: int) -> Mediator:
        """Add q, pattern and z of a head; each reads one input at its own position."""
        shape, name = self.shape, f"L{layer}.H{head}"
        source = f"L{layer}.KV{shape.group_of(head)}" if shape.shares_keys else name
        self.read(Mediator(f"{name}.q", Kind.QUERY, layer, head), self.head)
        for kind, axes, own, attended in (
            (Kind.PATTERN, self.attended, "q", "k"),
            (Kind.Z, self.head, "pattern", "v"),
        ):
            slots = (
                Slot(own, Merge.PLAIN, (f"{name}.{own}",), pointwise=("pos",)),
                Slot(attended, Merge.PLAIN, (f"{source}.{attended}",)),
            )
            mediator = Mediator(f"{name}.{kind.value}", kind, layer, head)
            linear_in = ("pattern", "v") if kind is Kind.Z else ()
            self.nodes.append(Node(mediator, axes, slots, linear_in))
        return Mediator(name, Kind.HEAD, layer, head)

    # -- MLPs ------------------------------------------------------------------------------------

    def add_mlp(self, layer: int) -> None:
        mlp = Mediator(f"L{layer}.mlp", Kind.MLP, layer)
        if self.grain is Grain.NEURONS:
            neurons = self.add_units(mlp, Kind.NEURON, "n", self.shape.d_mlp)
            self.write(mlp, self.stream, (Slot("neurons", Merge.CONCAT, neurons),))
        elif layer in self.features:
            features = self.add_units(mlp, Kind.FEATURE, "f", self.features[layer])
            error = Mediator(f"{mlp.name}.err", Kind.ERROR, layer)
            slots, regimes = self.reading(error), (Regime.RECOMPUTED, Regime.FROZEN)
            self.nodes.append(Node(error, self.stream, slots, pointwise=("pos",), regimes=regimes))
            decoded = Slot("features", Merge.CONCAT, features)
            self.write(mlp, self.stream, (decoded, Slot("err", Merge.PLAIN, (error.name,))))
        else:
            self.read(mlp, self.stream, linear=False)
            self.writers.append(mlp.name)

    def add_units(self, mlp: Mediator, kind: Kind, letter: str, count: int) -> tuple[str, ...]:
        """Add the neurons or features of an MLP and return their names."""
        names = tuple(f"{mlp.name}.{letter}{index}" for index in range(count))
        for index, name in enumerate(names):
            self.read(Mediator(name, kind, mlp.layer, index), self.one, linear=False)
        return names
