"""Which edges the weights of a small transformer connect, and which of them run.

The structural truth asks the weights alone: an edge is in it if what its sender can write has a
part that its receiver reads and passes on, on a way from the input to the logits.  Junk is not in
it, since nothing on such a way reads what it writes.  The active truth asks a batch besides, and
leaves out nodes that write nothing there that counts: a backup that waits.

In a trained network all weights are different from zero and everything is connected; these truths
are for weights that were written by hand.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

import torch
from torch import Tensor

from causalnet.known_circuits.module import SmallBlock, SmallTransformer

__all__ = ["Edge", "active_truth", "structural_truth"]

Edge = tuple[str, str]
"""Sender and receiver, by their names in the lifted graph: `("pos_embed", "L0.H0.q")`."""


@torch.no_grad()
def structural_truth(module: SmallTransformer) -> frozenset[Edge]:
    """Return the edges that the weights connect, on ways from the input to the logits.

    Heads count by their composed matrices: a value channel reads what W_V W_O passes on to
    something that is read; a query channel reads what meets a key that some sender can offer, so
    that uniform attention has no edge into query or key.

    Args:
        module: The network, its weights written by hand.

    >>> from causalnet.known_circuits import known_circuit
    >>> for edge in sorted(structural_truth(known_circuit("proportion").module())):
    ...     print(*edge)
    L0.mlp L1.H0.v
    L1.H0 logits
    embed L0.mlp
    """
    return _on_ways(_connected(_written(module), _read(module)), _sources(module))


@torch.no_grad()
def active_truth(
    module: SmallTransformer, ids: Tensor, *, tolerance: float = 1e-6
) -> frozenset[Edge]:
    """Return the edges of the structural truth among nodes that run on a batch.

    A node runs if it writes something that a receiver of the truth reads, at some token of some
    row.

    Args:
        module: The network.
        ids: Token ids [rows, length].
        tolerance: The largest value of what is read that counts as nothing.
    """
    truth, read = structural_truth(module), _read(module)
    quiet = set()
    for name, value in _outputs(module, ids).items():
        sent = [read[receiver] for sender, receiver in truth if sender == name]
        if sent and float((value @ torch.cat(sent, 1)).abs().max()) <= tolerance:
            quiet.add(name)
    kept = [
        (sender, receiver)
        for sender, receiver in _connected(_written(module), read)
        if sender not in quiet and _node(receiver) not in quiet
    ]
    return _on_ways(kept, _sources(module))


def _node(receiver: str) -> str:
    """Return the node that a receiver belongs to: `L0.H1` for `L0.H1.q`."""
    return receiver[:-2] if receiver[-2:] in (".q", ".k", ".v") else receiver


def _blocks(module: SmallTransformer) -> Iterable[tuple[int, SmallBlock]]:
    for layer, block in enumerate(module.blocks):
        assert isinstance(block, SmallBlock)
        yield layer, block


def _heads(module: SmallTransformer, layer: int) -> Iterable[tuple[str, slice]]:
    """Yield a layer's heads that are not silent, each with its columns."""
    width = module.config.head_width
    for head in range(module.config.heads):
        if (name := f"L{layer}.H{head}") not in module.config.silent:
            yield name, slice(head * width, (head + 1) * width)


def _written(module: SmallTransformer) -> dict[str, Tensor]:
    """Return for each sender rows [any, width] that span what it can write, in order.

    A column of a head that nothing can be brought into is left out.
    """
    rows = {"embed": module.tokens.weight, "pos_embed": module.positions.weight}
    for layer, block in _blocks(module):
        before = torch.cat(list(rows.values()))
        for name, span in _heads(module, layer):
            fed = _columns(before @ block.attention.value.weight[span].T)
            rows[name] = block.attention.output.weight[:, span].T[fed]
        if f"L{layer}.mlp" not in module.config.silent:
            out = block.mlp.out
            rows[f"L{layer}.mlp"] = torch.cat([out.weight.T, out.bias[None]])
    return rows


def _read(module: SmallTransformer) -> dict[str, Tensor]:
    """Return for each receiver the columns [width, any] that it reads the stream by, in order.

    Only what is passed on counts, to a later receiver of which the same holds.
    """
    written, names = _written(module), list(_written(module))
    read: dict[str, Tensor] = {"logits": module.unembedding.weight.T}
    for layer, block in reversed(list(_blocks(module))):
        later = torch.cat(list(read.values()), 1)
        if (mlp := f"L{layer}.mlp") not in module.config.silent:
            passed = _columns((block.mlp.out.weight.T @ later).T)
            read[mlp] = block.mlp.into.weight.T[:, passed]
            later = torch.cat([later, read[mlp]], 1)
        earlier = [name for name in names if not _is_from(name, layer)]
        offered = torch.cat([written[name] for name in earlier]).T
        for name, span in _heads(module, layer):
            query, key, value = (
                side.weight[span].T
                for side in (block.attention.query, block.attention.key, block.attention.value)
            )
            through = value @ (block.attention.output.weight[:, span].T @ later)
            if _columns(offered.T @ through).any():
                read[f"{name}.q"] = query @ (key.T @ offered)
                read[f"{name}.k"] = key @ (query.T @ offered)
                read[f"{name}.v"] = through
    return {name: read[name] for name in reversed(read)}


def _is_from(name: str, layer: int) -> bool:
    """Say whether a sender stands in a layer or behind it."""
    first, dot, _ = name.partition(".")
    return bool(dot) and int(first.removeprefix("L")) >= layer


def _columns(matrix: Tensor) -> Tensor:
    """Say which columns of a matrix are not zero, up to rounding."""
    largest = matrix.abs().amax(0) if len(matrix) else matrix.new_zeros(matrix.shape[1])
    return largest > 1e-12


def _connected(written: Mapping[str, Tensor], read: Mapping[str, Tensor]) -> list[Edge]:
    """Return the edges whose sender writes what the receiver reads, receivers in order."""
    edges = []
    for receiver, columns in read.items():
        layer, dot, _ = receiver.partition(".")
        for sender, rows in written.items():
            early = not dot or not _is_from(sender, int(layer.removeprefix("L")))
            same = receiver.endswith(".mlp") and sender.startswith(f"{layer}.H")
            if (early or same) and bool(_columns(rows @ columns).any()):
                edges.append((sender, receiver))
    return edges


def _sources(module: SmallTransformer) -> frozenset[str]:
    """Return what writes without reading: the embeddings, and MLPs by their biases."""
    constant = {
        f"L{layer}.mlp"
        for layer, block in _blocks(module)
        if f"L{layer}.mlp" not in module.config.silent
        and bool(block.mlp.out(torch.relu(block.mlp.into.bias)).any())
    }
    return frozenset({"embed", "pos_embed"} | constant)


def _on_ways(edges: Iterable[Edge], sources: Iterable[str]) -> frozenset[Edge]:
    """Keep the edges on ways from a source to the logits; they come receivers in order."""
    ordered = list(edges)
    fed = set(sources)
    for sender, receiver in ordered:
        # Without values a head writes nothing, whatever it looks at.
        if sender in fed and not receiver.endswith((".q", ".k")):
            fed.add(_node(receiver))
    wanted = {"logits"}
    for sender, receiver in reversed(ordered):
        if _node(receiver) in wanted & fed and sender in fed:
            wanted.add(sender)
    return frozenset(
        (sender, receiver)
        for sender, receiver in ordered
        if sender in fed and _node(receiver) in wanted & fed
    )


def _outputs(module: SmallTransformer, ids: Tensor) -> dict[str, Tensor]:
    """Run a batch and return what each head and MLP writes, [rows, length, width]."""
    found: dict[str, Tensor] = {}

    def keep_heads(layer: int, mixed: Tensor, weight: Tensor) -> None:
        for name, span in _heads(module, layer):
            found[name] = mixed[..., span] @ weight[:, span].T

    handles = list(
        chain.from_iterable(
            (
                block.attention.output.register_forward_pre_hook(
                    lambda side, args, layer=layer: keep_heads(layer, args[0], side.weight)
                ),
                block.mlp.register_forward_hook(
                    lambda _, __, out, layer=layer: found.update({f"L{layer}.mlp": out})
                ),
            )
            for layer, block in _blocks(module)
        )
    )
    try:
        module(ids)
    finally:
        for handle in handles:
            handle.remove()
    return found
