"""The causal graph of a transformer, edge by edge, written down without causalnet's graph."""

from typing import Any

import networkx as nx
from hypothesis import strategies as st

from causalnet.graphs import TransformerShape

SMOLLM2 = TransformerShape(30, 9, 3, 576, 64, 1536, 49152)
GPT2_SMALL = TransformerShape(12, 12, 12, 768, 64, 3072, 50257)


@st.composite
def shapes(draw: st.DrawFn, most_layers: int = 4, regular: bool = False) -> TransformerShape:
    """Small shapes, with and without shared keys, an attention bias and norms.

    One in two of those that need not be regular may have silent nodes, positions apart, and
    attention to later tokens.
    """
    kv_heads = draw(st.integers(1, 3))
    layers, heads = draw(st.integers(1, most_layers)), kv_heads * draw(st.integers(1, 3))
    regular = regular or draw(st.booleans())
    parts = (*(f"H{head}" for head in range(heads)), "mlp")
    nodes = [f"L{layer}.{part}" for layer in range(layers) for part in parts]
    return TransformerShape(
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        d_model=8,
        d_head=4,
        d_mlp=16,
        vocabulary=11,
        attention_bias=draw(st.booleans()),
        normed=draw(st.booleans()),
        silent=() if regular else tuple(draw(st.sets(st.sampled_from(nodes)))),
        positions_apart=not regular and draw(st.booleans()),
        causal=regular or draw(st.booleans()),
    )


def live_heads(shape: TransformerShape, layer: int) -> list[int]:
    return [head for head in range(shape.heads) if f"L{layer}.H{head}" not in shape.silent]


def key_owner(shape: TransformerShape, layer: int, head: int) -> str:
    """Whose key and value a head reads: its own, or its group's where groups are shared."""
    if shape.heads == shape.kv_heads:
        return f"L{layer}.H{head}"
    return f"L{layer}.KV{head * shape.kv_heads // shape.heads}"


def block_receivers(shape: TransformerShape, layer: int) -> list[str]:
    """The channels of a layer's attention."""
    heads = live_heads(shape, layer)
    queries = [f"L{layer}.H{head}.q" for head in heads]
    owners = dict.fromkeys(key_owner(shape, layer, head) for head in heads)
    return queries + [f"{owner}.{letter}" for owner in owners for letter in "kv"]


def stream_graph(shape: TransformerShape) -> Any:
    """The network as it computes: partial sums of the residual stream are nodes.

    The sum of the first n writers is the node n; receivers read one of them, and what their norm
    divides it by, which is computed from it too.
    """
    graph = nx.DiGraph()
    graph.add_edge("embed", 1)
    written = 1

    def write(name: str) -> None:
        nonlocal written
        graph.add_edges_from([(written, written + 1), (name, written + 1)])
        written += 1

    def read(name: str) -> None:
        graph.add_edge(written, name)
        if shape.normed:
            graph.add_edges_from([(written, f"{name}.scale"), (f"{name}.scale", name)])

    if shape.positions_apart:
        write("pos_embed")
    for layer in range(shape.layers):
        for receiver in block_receivers(shape, layer):
            read(receiver)
        for head in live_heads(shape, layer):
            name, owner = f"L{layer}.H{head}", key_owner(shape, layer, head)
            graph.add_edges_from(
                [
                    (f"{name}.q", f"{name}.pattern"),
                    (f"{owner}.k", f"{name}.pattern"),
                    (f"{name}.pattern", f"{name}.z"),
                    (f"{owner}.v", f"{name}.z"),
                    (f"{name}.z", name),
                ]
            )
        for head in live_heads(shape, layer):
            write(f"L{layer}.H{head}")
        if shape.attention_bias:
            write(f"L{layer}.attn_bias")
        if f"L{layer}.mlp" not in shape.silent:
            read(f"L{layer}.mlp")
            write(f"L{layer}.mlp")
    read("logits")
    return graph


def residual_edges(shape: TransformerShape) -> set[tuple[str, str]]:
    """Every edge from a writer into a receiver, through the sums that lie between.

    A receiver's scale reads what the receiver reads and counts as a part of it.
    """
    return {(writer, name) for writer, name in readings(shape) if not name.endswith(".scale")}


def readings(shape: TransformerShape) -> set[tuple[str, str]]:
    """Who reads whom through the sums, norm scales for themselves."""
    graph = stream_graph(shape)
    sums = [node for node in graph if isinstance(node, int)]
    return {
        (writer, receiver)
        for n in sums
        for receiver in graph.successors(n)
        if not isinstance(receiver, int)
        for m in sums
        if m <= n
        for writer in graph.predecessors(m)
        if not isinstance(writer, int)
    }


def cut_sizes(shape: TransformerShape) -> dict[str, int]:
    """How many writers lie before each residual cut."""
    written, sizes = 1 + shape.positions_apart, {}
    for layer in range(shape.layers):
        sizes[f"L{layer}.resid_pre"] = written
        written += len(live_heads(shape, layer)) + shape.attention_bias
        sizes[f"L{layer}.resid_mid"] = written
        written += f"L{layer}.mlp" not in shape.silent
        sizes[f"L{layer}.resid_post"] = written
    return sizes
