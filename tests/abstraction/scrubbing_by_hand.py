"""A scrubber that knows no worlds: it adds up by hand what every node of a small network reads."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from causalnet.abstraction.interpretation import Interpretation

Sent = dict[str, Tensor]  # node -> what it sends, [T, width]


def writers(module: Any) -> tuple[list[str], ...]:
    """Writers in order: embeddings, then of each layer its heads, then its MLP."""
    shape = module.config
    stages = [["embed", "pos_embed"]]
    for layer in range(shape.layers):
        stages.append([f"L{layer}.H{head}" for head in range(shape.heads)])
        stages.append([f"L{layer}.mlp"])
    return tuple([name for name in stage if name not in shape.silent] for stage in stages)


def head_sends(module: Any, name: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    layer, head = (int(part[1:]) for part in name.split("."))
    attention = module.blocks[layer].attention
    width = module.config.head_width
    own = slice(head * width, (head + 1) * width)
    queries, keys, values = (
        side @ getattr(attention, which).weight[own].T
        for which, side in (("query", q), ("key", k), ("value", v))
    )
    scores = queries @ keys.T
    hidden = torch.ones_like(scores).triu(1).bool()
    pattern = scores.masked_fill(hidden, -1e300).softmax(-1)
    sent: Tensor = pattern @ values @ attention.output.weight[:, own].T
    return sent


def intact(module: Any, ids: Sequence[int]) -> Sent:
    tokens = torch.tensor(ids)
    stages = writers(module)
    sent = {
        "embed": module.tokens(tokens),
        "pos_embed": module.positions(torch.arange(len(tokens))),
    }
    for stage in stages[1:]:
        stream = sum(sent.values())
        for name in stage:
            if name.endswith("mlp"):
                sent[name] = module.blocks[int(name[1])].mlp(stream)
            else:
                sent[name] = head_sends(module, name, stream, stream, stream)
    return sent


class ByHand:
    """Chan et al.'s recursion, one datum for each path or each node, on drawn data."""

    def __init__(
        self,
        module: Any,
        interpretation: Interpretation,
        ids: Sequence[Sequence[int]],
        places: Sequence[Mapping[str, int]],
        drawn: Mapping[str, int],
        per_node: bool,
        apart: bool,
    ) -> None:
        self.module, self.nodes, self.drawn = module, interpretation.by_name, drawn
        self.ids, self.places, self.per_node, self.apart = ids, places, per_node, apart
        self.root = interpretation.nodes[0].name

    def sent(self, row: int) -> Sent:
        return intact(self.module, self.ids[row])

    def logits(self) -> Tensor:
        stream = self.read(self.root, "base", "logits", "logits")
        logits: Tensor = self.module.unembedding(stream)[-1]
        return logits

    def earlier(self, reader: str) -> list[str]:
        stages = writers(self.module)
        if reader == "logits":
            return [name for stage in stages for name in stage]
        at = next(number for number, stage in enumerate(stages) if reader in stage)
        return [name for stage in stages[:at] for name in stage]

    def read(self, node: str, name: str, mediator: str, receiver: str) -> Tensor:
        """The stream that a receiver of a mediator reads when the node is computed on `name`."""
        own, rest = self.nodes[node], f"{name}, rest"
        total = torch.zeros(())
        for sender in self.earlier(mediator):
            datum = name
            if own.resamples_rest:
                important = {
                    each
                    for parent in own.parents
                    for each in self.nodes[parent].mediators
                    if not self.nodes[parent].at and not own.enters
                }
                alone = self.apart and sender not in important
                datum = f"{rest} {sender}" if alone else rest
            value = self.sent(self.drawn[datum])[sender].clone() if datum in self.drawn else None
            for parent in own.parents:
                below = self.nodes[parent]
                if sender in below.mediators and (not own.enters or receiver in own.enters):
                    value = self.merged(value, node, name, parent, sender)
            assert value is not None
            total = total + value
        return total

    def merged(
        self, value: Tensor | None, node: str, name: str, parent: str, sender: str
    ) -> Tensor:
        inner = self.input_of(node, name, parent)
        sent = self.value(parent, inner, sender)
        at = self.nodes[parent].at
        if not at:
            return sent
        assert value is not None
        here = self.drawn[f"{name}, rest" if self.nodes[node].resamples_rest else name]
        there = self.drawn[f"{inner}, rest" if self.nodes[parent].resamples_rest else inner]
        for place in at:
            value[self.places[here][str(place)]] = sent[self.places[there][str(place)]]
        return value

    def input_of(self, node: str, name: str, parent: str) -> str:
        if self.per_node or node == self.root:
            return f"scrub {parent}"
        return f"{name}/{parent}"

    def value(self, node: str, name: str, mediator: str) -> Tensor:
        own = self.nodes[node]
        if not own.parents and not own.resamples_rest:
            return self.sent(self.drawn[name])[mediator]
        if mediator.endswith("mlp"):
            stream = self.read(node, name, mediator, mediator)
            written: Tensor = self.module.blocks[int(mediator[1])].mlp(stream)
            return written
        q, k, v = (self.read(node, name, mediator, f"{mediator}.{side}") for side in "qkv")
        return head_sends(self.module, mediator, q, k, v)
