"""A small transformer written out plainly, some edges kept and the others at reference values.

What the verifier's figures are compared with: it shares no code with lifting, masked runs or hooks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.known_circuits.circuit import KnownCircuit, Row
from causalnet.known_circuits.module import SmallBlock, SmallTransformer

__all__ = ["PlainPass"]

REFERENCE, REFERENCE_SEED = 64, 800_000


@dataclass(frozen=True, slots=True, eq=False)
class PlainPass:
    """A known network on some prompts, with what edges carry that are not kept.

    Attributes:
        module: The network.
        ids: The base prompts, [n, T].
        answers: Their answers, [n].
        foils: The foils, [n].
        other: What each sender writes instead, [n or 1, T or 1, width].
        edges: Every edge, `sender -> receiver`.
    """

    module: SmallTransformer
    ids: Tensor
    answers: Tensor
    foils: Tensor
    other: Mapping[str, Tensor]
    edges: frozenset[str]

    @classmethod
    def of(cls, known: KnownCircuit, ablation: str, n: int, seed: int) -> "PlainPass":
        """Draw prompts, and take the references of an ablation.

        Args:
            known: The network.
            ablation: `counterfactual`, `zero`, `mean` or `resample`; the last two over 64 source
                prompts of a seed of their own.
            n: How many prompts.
            seed: Of the prompts, and of what is resampled.
        """
        module, rows = known.module(), known.rows(n, seed)
        base, source = (_ids(rows, key) for key in ("base_ids", "source_ids"))
        reference = _ids(known.rows(REFERENCE, REFERENCE_SEED), "source_ids")
        asked: set[str] = set()
        own, _ = _run(module, base[:1], None, {}, asked)
        if ablation == "zero":
            other = {name: torch.zeros(1, 1, value.shape[-1]) for name, value in own.items()}
        elif ablation == "counterfactual":
            other, _ = _run(module, source, None, {})
        elif ablation == "mean":
            found, _ = _run(module, reference, None, {})
            other = {name: value.mean((0, 1), keepdim=True) for name, value in found.items()}
        else:
            drawn = torch.from_numpy(np.random.default_rng(seed).integers(REFERENCE, size=n))
            other, _ = _run(module, reference[drawn], None, {})
        answers, foils = (
            torch.tensor([row[key][0] for row in rows])  # type: ignore[index]  # lists of ids
            for key in ("answer_ids", "foil_ids")
        )
        return cls(module, base, answers, foils, other, frozenset(asked))

    def differences(self, kept: frozenset[str]) -> NDArray[np.float64]:
        """Return the logit difference of every prompt at its last token, [n]."""
        _, logits = _run(self.module, self.ids, kept, self.other)
        last = logits[:, -1]
        rows = torch.arange(len(last))
        found: NDArray[np.float64] = (last[rows, self.answers] - last[rows, self.foils]).numpy()
        return found


def _ids(rows: tuple[Row, ...], key: str) -> Tensor:
    return torch.tensor([row[key] for row in rows])


@torch.no_grad()
def _run(
    module: SmallTransformer,
    ids: Tensor,
    kept: frozenset[str] | None,
    other: Mapping[str, Tensor],
    asked: set[str] | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Return what each sender writes, and the logits [n, T, vocabulary]; `None` keeps all.

    A sender from which no edge is kept is not run: nobody reads its own value.
    """
    shape, width = module.config, module.config.head_width
    places = torch.arange(ids.shape[1]).expand(ids.shape)
    wrote = {"embed": module.tokens(ids), "pos_embed": module.positions(places)}
    before = list(wrote)
    into: dict[str, list[str]] = {}
    for edge in sorted(kept or ()):
        sender, receiver = edge.split(" -> ")
        into.setdefault(receiver, []).append(sender)
    read = {sender for senders in into.values() for sender in senders}

    def enters(receiver: str) -> Tensor:
        if asked is not None:
            asked.update(f"{sender} -> {receiver}" for sender in before)
        own = before if kept is None else into.get(receiver, [])
        total = torch.zeros(*ids.shape, shape.width, dtype=torch.float64)
        for sender in before:
            total = total + (wrote if sender in own else other)[sender]
        return total

    for layer, block in enumerate(module.blocks):
        assert isinstance(block, SmallBlock)
        attention, heads = block.attention, {}
        names = [f"L{layer}.H{head}" for head in range(shape.heads)]
        names = [name for name in names if name not in shape.silent]
        for name in names:
            if kept is not None and name not in read:
                continue
            head = int(name.partition("H")[2])
            span = slice(head * width, (head + 1) * width)
            query = enters(f"{name}.q") @ attention.query.weight[span].T
            key = enters(f"{name}.k") @ attention.key.weight[span].T
            value = enters(f"{name}.v") @ attention.value.weight[span].T
            scores = query @ key.mT
            if shape.causal:
                scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
            heads[name] = scores.softmax(-1) @ value @ attention.output.weight[:, span].T
        wrote |= heads
        before += names
        if (name := f"L{layer}.mlp") not in shape.silent:
            if kept is None or name in read:
                wrote[name] = block.mlp(enters(name))
            before.append(name)
    return wrote, enters("logits") @ module.unembedding.weight.T
