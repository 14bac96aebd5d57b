"""Two layers of attention, trained to go on with what was seen before (Olsson et al. 2022).

A head of layer 0 looks at the previous token; heads of layer 1 look for tokens whose previous
token is the one at hand, by keys that read the head of layer 0 (K-composition, Elhage et al.
2021), and copy them.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from causalnet.errors import ParameterError
from causalnet.known_circuits.module import SmallBlock, SmallShape, SmallTransformer
from causalnet.known_circuits.training import Course, Look, Trainer, fresh, train

__all__ = [
    "InductionReport",
    "InductionSetting",
    "TrainedInduction",
    "draw_repeats",
    "measure_induction",
    "train_induction",
]

#: A head is one of a kind where its score is above this.
_SCORE = 0.5

_COURSE = Course(steps=1500, every=50)


@dataclass(frozen=True, slots=True)
class InductionSetting:
    """What decides a training.

    Attributes:
        tokens: Size of the vocabulary.
        length: Tokens in a sequence.
        width: Of the stream.
        heads: In each of the two layers.
        batch: Sequences in a batch.
        course: How long and how fast.
    """

    tokens: int = 64
    length: int = 48
    width: int = 64
    heads: int = 4
    batch: int = 64
    course: Course = _COURSE

    def __post_init__(self) -> None:
        """Refuse sequences that need more tokens than there are, and heads of no width."""
        fewest = max(16, self.length) - _periods(max(16, self.length))[0]
        if self.length < 16 or self.tokens < fewest:
            raise ParameterError(
                f"{self.tokens} tokens for sequences of {self.length}.",
                "Sequences have at least 16, and tokens differ but for the repeats.",
                f"Give {fewest} tokens or more.",
            )
        if self.width % self.heads:
            raise ParameterError(
                f"{self.heads} heads and a width of {self.width}.",
                "The heads share the width evenly.",
                f"Write width={self.heads * max(1, self.width // self.heads)}.",
            )

    def shape(self) -> SmallShape:
        """Return the network's sizes; its MLPs are silent."""
        return SmallShape(
            self.tokens,
            self.length,
            self.width,
            layers=2,
            heads=self.heads,
            head_width=self.width // self.heads,
            silent=("L0.mlp", "L1.mlp"),
        )

    def recipe(self) -> dict[str, object]:
        """Return what names a saved training."""
        return {"trained": "induction", "version": 1, **asdict(self)}


@dataclass(frozen=True, slots=True)
class InductionReport:
    """What a trained network turned out to do.

    Attributes:
        accuracy: Share of tokens that repeats determine and the network predicts.
        previous_token: Attention of each head of layer 0 to the previous token, the mean.
        prefix_matching: Attention of each head of layer 1, at repeated tokens, to tokens right
            behind earlier occurrences of the token at hand, the mean.
        without: The accuracy when what previous-token heads write is taken out of one input of
            the induction heads and its mean at each position put in: by input, `k`, `q`, `v`.
        chance: The share that is right for one who guesses how long the repeated stretch is.
    """

    accuracy: float
    previous_token: Mapping[str, float]
    prefix_matching: Mapping[str, float]
    without: Mapping[str, float]
    chance: float

    @property
    def previous_token_heads(self) -> tuple[str, ...]:
        """The heads of layer 0 that look at the previous token more than half of the time."""
        return tuple(name for name, score in self.previous_token.items() if score > _SCORE)

    @property
    def induction_heads(self) -> tuple[str, ...]:
        """The heads of layer 1 that match prefixes more than half of the time."""
        return tuple(name for name, score in self.prefix_matching.items() if score > _SCORE)

    def __str__(self) -> str:
        """Return a few lines."""
        scores = {**self.previous_token, **self.prefix_matching}
        said = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        cuts = ", ".join(f"{side} {share:.3f}" for side, share in self.without.items())
        return (
            f"accuracy on repeats {self.accuracy:.4f} (chance {self.chance:.3f})\n"
            f"previous-token scores of layer 0, prefix-matching scores of layer 1: {said}\n"
            f"accuracy with {', '.join(self.previous_token_heads)} taken out of one input of "
            f"{', '.join(self.induction_heads)}: {cuts}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class TrainedInduction:
    """A trained network, what it does, and how it got there."""

    module: SmallTransformer
    report: InductionReport
    looks: tuple[Look, ...]


def draw_repeats(
    tokens: int, length: int, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw sequences in which a stretch of random place and length is repeated to the end.

    Returns:
        Ids [count, length], whose tokens differ but for the repeats, and where the first token
        comes that an earlier one determines, [count, 1].
    """
    shortest, longest = _periods(length)
    period = torch.randint(shortest, longest + 1, (count, 1), generator=generator)
    start = (torch.rand(count, 1, generator=generator) * (length - 2 * period + 1)).long()
    order = torch.rand(count, tokens, generator=generator).argsort(-1)
    place = torch.arange(length)
    drawn = torch.where(place < start, tokens - 1 - place, (place - start) % period)
    return order.gather(1, drawn), start + period


def _periods(length: int) -> tuple[int, int]:
    """Return the lengths of the shortest and the longest stretch."""
    return length // 8, length // 4


def train_induction(
    setting: InductionSetting | None = None,
    *,
    progress: Callable[[Look], None] | None = None,
    checkpoint: Path | None = None,
) -> TrainedInduction:
    """Train two layers of attention on repeats until both kinds of heads are there.

    Args:
        setting: What decides the training.
        progress: Called at every look.
        checkpoint: A file to save to and to resume from.

    Raises:
        FormatError: The checkpoint is of another training.
    """
    setting = setting or InductionSetting()
    module = fresh(setting.shape(), setting.course.seed)

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        ids, first = draw_repeats(setting.tokens, setting.length, setting.batch, generator)
        known = _determined(ids, first)
        return {"next token": cross_entropy(module(ids)[:, :-1][known], ids[:, 1:][known])}

    def measures() -> dict[str, float]:
        report = measure_induction(module, count=64, seed=1)
        return {
            "accuracy": report.accuracy,
            "previous token": max(report.previous_token.values()),
            "prefix matching": max(report.prefix_matching.values()),
        }

    def is_enough(seen: Mapping[str, float]) -> bool:
        return seen["accuracy"] > 0.998 and min(seen.values()) > 1.2 * _SCORE

    trainer = Trainer(setting.recipe(), losses, measures, is_enough)
    looks = train(module, trainer, setting.course, progress=progress, checkpoint=checkpoint)
    return TrainedInduction(module.eval(), measure_induction(module), looks)


def _determined(ids: Tensor, first: Tensor) -> Tensor:
    """Return at which positions the next token was seen behind this one before, [B, T - 1]."""
    return torch.arange(ids.shape[1] - 1) >= first


@torch.no_grad()
def measure_induction(
    module: SmallTransformer, *, count: int = 256, seed: int = 0
) -> InductionReport:
    """Measure the scores of all heads, and what K-composition does.

    Args:
        module: Two layers of attention, silent MLPs.
        count: Sequences to draw.
        seed: To draw them with.
    """
    shape, generator = module.config, torch.Generator().manual_seed(seed)
    ids, first = draw_repeats(shape.vocabulary, shape.length, count, generator)
    known, run = _determined(ids, first), Composition(module, ids)
    previous = run.patterns[0].diagonal(-1, -2, -1).mean((0, 2))
    here = torch.nn.functional.pad(known, (0, 1), value=True)
    matching = (run.patterns[1] * _behind_earlier(ids)[:, None]).sum(-1).transpose(1, 2)[here]
    scores = (previous.tolist(), matching.mean(0).tolist())
    named = [{f"L{n}.H{h}": s for h, s in enumerate(layer)} for n, layer in enumerate(scores)]
    senders, receivers = ([s > _SCORE for s in layer] for layer in scores)

    shortest, longest = _periods(shape.length)

    def accuracy(side: Side | None) -> float:
        logits = run.logits(side, senders, receivers)
        return float((logits[:, :-1].argmax(-1) == ids[:, 1:])[known].double().mean())

    return InductionReport(
        accuracy(None),
        named[0],
        named[1],
        {side: accuracy(side) for side in _SIDES},
        1 / (1 + longest - shortest),
    )


def _behind_earlier(ids: Tensor) -> Tensor:
    """Return which tokens come right behind an earlier occurrence of each token, [B, T, T]."""
    same = torch.zeros(*ids.shape, ids.shape[1], dtype=torch.bool)
    same[:, :, 1:] = ids[:, :, None] == ids[:, None, :-1]
    return same.tril()


Side = Literal["k", "q", "v"]
_SIDES: tuple[Side, ...] = ("k", "q", "v")


class Composition:
    """One run of two layers of attention, its parts apart.

    Args:
        module: Two layers, silent MLPs.
        ids: Tokens [B, T].
    """

    def __init__(self, module: SmallTransformer, ids: Tensor) -> None:
        """Run both layers."""
        first, second = module.blocks
        assert isinstance(first, SmallBlock) and isinstance(second, SmallBlock)
        self.module, self.second, self.mask = module, second.attention, torch.ones_like(ids)
        x = module.tokens(ids) + module.positions(torch.arange(ids.shape[1]))
        pattern = first.attention.pattern(x, x, self.mask)
        self.heads = first.attention.mixed(x, pattern)
        self.output = first.attention.output
        self.stream = x + self._written(self.heads)
        self.patterns = pattern, self.second.pattern(self.stream, self.stream, self.mask)

    def _written(self, heads: Tensor) -> Tensor:
        written: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return written

    def logits(self, side: Side | None, senders: list[bool], receivers: list[bool]) -> Tensor:
        """Return logits [B, T, V], some heads of layer 0 taken out of one input of some of layer 1.

        Args:
            side: Which input; None for none.
            senders: Whether each head of layer 0 is taken out, and its mean over the batch at
                each position put in.
            receivers: Whether each head of layer 1 reads the stream without them.
        """
        away = (self.heads - self.heads.mean(0)) * torch.tensor(senders)[:, None, None]
        without = self.stream - self._written(away)
        q, k, v = (without if side == name else self.stream for name in ("q", "k", "v"))
        cut = self.second.mixed(v, self.second.pattern(q, k, self.mask))
        whole = self.second.mixed(self.stream, self.patterns[1])
        mixed = torch.where(torch.tensor(receivers)[:, None, None], cut, whole)
        x = self.stream + self.second.output(mixed.transpose(1, 2).flatten(2))
        logits: Tensor = self.module.unembedding(x)
        return logits
