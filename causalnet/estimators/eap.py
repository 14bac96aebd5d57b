"""Edge attribution patching: every residual edge from one pass backwards."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from causalnet.estimators.attribution import Attribution
from causalnet.estimators.chunks import Job
from causalnet.estimators.endpoints import Endpoints
from causalnet.estimators.methods import EAP
from causalnet.estimators.sites import EdgeSites, edge_sites
from causalnet.estimators.sweeps import Gradients
from causalnet.estimators.windows import Picked
from causalnet.graphs import TransformerShape
from causalnet.interventions import Direction, Position, ReadOut, logit_diff
from causalnet.interventions.queries import positions_of
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["add_edges", "blank", "eap", "writers_of"]


def eap(
    net: LiftedNetwork,
    pairs: PromptPairs,
    *,
    readout: ReadOut = logit_diff,
    at: Position | Sequence[Position] = (),
    direction: Direction = "noising",
    batch_size: int = 16,
    per_prompt: bool = False,
) -> Attribution:
    """Score every residual edge: (sender elsewhere - sender here) . gradient at the receiver.

    The gradient is that at the receiver's own slot, in front of its norm, so that the norm's scale
    takes part, as it does when the edge is patched.  A K/V group has one key and one value, however
    many heads read them.  Each score is exactly the derivative that
    `cn.attribution_patch(Edge(...))` names.  Two forward passes and one backward pass over the
    columns from the first in which a pair of the batch differs; memory beside the model: the
    senders' differences, [writers, pairs, columns, d_model], once.

    On trial with planted heads, 200 sets of 32 prompts: coverage 69% of 95%, power 86%, false finds
    27%; bias backup -0.99 of +0.00, conjunction -0.22 of -0.78, saturated +0.33 of -0.33.

    Args:
        net: The lifted network.
        pairs: Prompt pairs; of equal lengths unless positions are named.
        readout: The outcome.
        at: Positions of the senders' values; none means all.
        direction: `noising` patches the base from the source, `denoising` the other way.
        batch_size: Pairs in a batch at most; fewer where they would take more than half a
            gigabyte, and halved when memory runs out.
        per_prompt: Keep every prompt's scores, 8 bytes each.

    Raises:
        TermError: A read-out without a gradient here.
        AlignmentError: Pairs of unequal lengths with no positions named.
        NumericalError: NaN or infinity in either world.
        OutOfMemoryError: Memory ran out with a batch of one pair.

    Source: Syed, Rager, Conmy, "Attribution Patching Outperforms Automated Circuit Discovery",
    2024, equation 3, signed.
    """
    job = Job(net, pairs, readout, direction, positions_of(at), batch_size, per_prompt)
    sites = edge_sites(net.graph, job.at)

    def scored(ends: Endpoints) -> Tensor:
        picked = ends.window.picked(job.at)
        sent = ends.sent(picked)
        scores = blank(sent, len(sites))
        add_edges(scores, sites, net.graph.shape, sent, ends.backward(ends.below), picked)
        return scores

    return job.run(EAP, sites, scored, {})


def blank(like: Tensor, count: int) -> Tensor:
    """Return scores of 0, [B, count], in float32 at least: sums in bfloat16 keep two digits."""
    wide = torch.promote_types(like.dtype, torch.float32)
    return torch.zeros(len(like), count, dtype=wide, device=like.device)


def add_edges(
    scores: Tensor,
    sites: EdgeSites,
    shape: TransformerShape,
    sent: Tensor,
    gradients: Iterable[Gradients],
    picked: Picked,
    *,
    weight: float = 1.0,
    senders: slice = slice(None),
) -> None:
    """Add the products of senders' differences and receivers' gradients to the scores of edges.

    Args:
        scores: Where they are added, [B, edges].
        sites: The edges.
        shape: The sizes of the network.
        sent: Differences of all writers, [B, writers, Q, d].
        gradients: At the receivers of some stages.
        picked: The Q tokens.
        weight: What the products are multiplied by.
        senders: The writers whose edges are meant.
    """
    in_layer = shape.heads + 2 * shape.kv_heads + 1
    for found in gradients:
        layer, is_mlp = divmod(found.stage - 1, 2)
        receiver = layer * in_layer + is_mlp * (in_layer - 1)
        count, receivers = sites.counts[receiver], len(found.slots)
        slots = picked.of_below(found.slots).permute(1, 2, 3, 0).flatten(1, 2)
        start, stop, _ = senders.indices(count)
        products = sent[:, start:stop].flatten(2) @ slots
        first = sites.into(sites.receivers[receiver]).start
        block = scores[:, first : first + receivers * count]
        block = torch.unflatten(block, 1, (receivers, count))
        block[..., start:stop] += weight * products.mT


def writers_of(shape: TransformerShape, stage: int) -> slice:
    """Return which writers of the stream a stage has: the embedding, a layer's heads and bias, MLP.

    >>> writers_of(TransformerShape(2, 4, 2, 32, 8, 48, 64), 3)
    slice(6, 10, None)
    """
    if stage == 0:
        return slice(0, 1)
    layer, is_mlp = divmod(stage - 1, 2)
    within = shape.heads + int(shape.attention_bias)
    first = 1 + layer * (within + 1)
    return slice(first + within, first + within + 1) if is_mlp else slice(first, first + within)
