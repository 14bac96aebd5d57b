"""Read-outs of answers that look at no number: a device is never waited for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.errors import AnswerError, InternalError
from causalnet.execute.bindings import Answers
from causalnet.execute.devices import on_device
from causalnet.execute.wavefront.norms import wide
from causalnet.execute.wavefront.weights import Weights

__all__ = ["Difference", "Tokens"]


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Sets of tokens, one for each prompt, as one rectangle.

    Attributes:
        listed: The tokens [B, k]; shorter sets are filled with their first.
        counted: Which entries are no filling [B, k].
    """

    listed: Tensor
    counted: Tensor

    @classmethod
    def of(cls, sets: Sequence[tuple[int, ...]], weights: Weights) -> "Tokens":
        """Return sets of tokens where the weights are.

        Raises:
            AnswerError: A token outside the vocabulary, or an empty set.
        """
        listed, counted = _listed(sets, weights.shape.vocabulary)
        return cls(on_device(listed, weights.device), on_device(counted, weights.device))

    def log_probability(self, logits: Tensor) -> Tensor:
        """Return the log-probability of each set, [B], from logits [B, vocabulary]."""
        return _logsumexp(logits.log_softmax(-1).gather(1, self.listed), self.counted)

    def read(self, name: str, logits: Tensor) -> Tensor:
        """Return a read-out of logits [B, vocabulary] that scores one set, [B]."""
        match name:
            case "probability":
                return self.log_probability(logits).exp()
            case "loss":
                return -self.log_probability(logits)
            case "accuracy":
                hits = (logits.argmax(-1)[:, None] == self.listed) & self.counted
                return hits.any(-1).to(logits.dtype)
        raise InternalError(f"The read-out {name} scores no set of tokens.")


class Difference:
    """Mean (or log-sum-exp) logit of the answers minus that of the foils.

    Each is a sum of hundreds of terms that nearly cancel, and is taken in float64 where the device
    has it: in float32 it would be a fifth of all that SmolLM2's forward loses by rounding.

    Args:
        weights: The weights.
        answers: Token sets of all prompts.
        rows: Which prompts the rows are.

    Raises:
        AnswerError: A token outside the vocabulary, or an empty set.
    """

    def __init__(self, weights: Weights, answers: Answers, rows: Sequence[int]) -> None:
        """Gather the columns that are read."""
        self.reduce = _REDUCTIONS[answers.reduction]
        self.sides = []
        for sets in (answers.answers, answers.foils):
            tokens = Tokens.of([sets[row] for row in rows], weights)
            columns, bias = weights.unembed_columns(tokens.listed)
            bias = None if bias is None else _exact(bias)
            self.sides.append((_exact(columns), bias, tokens.counted))

    def __call__(self, normed: Tensor) -> Tensor:
        """Return the differences, [B], of what the unembedding reads, [B, d]."""
        scores, exact = [], _exact(normed)[..., None]
        for columns, bias, counted in self.sides:
            own = (columns @ exact)[..., 0]
            scores.append(self.reduce(own if bias is None else own + bias, counted))
        return (scores[0] - scores[1]).to(normed.dtype)


def _exact(value: Tensor) -> Tensor:
    return value.to(wide(value.dtype) if value.device.type == "mps" else torch.float64)


def _listed(sets: Sequence[tuple[int, ...]], size: int) -> tuple[Tensor, Tensor]:
    """Return token sets as one rectangle, [B, k], and which entries count."""
    for row, tokens in enumerate(sets):
        if not tokens or not all(0 <= token < size for token in tokens):
            raise AnswerError(
                f"Row {row} scores the tokens {tokens}.",
                f"The vocabulary has tokens 0..{size - 1}, and a set has at least one.",
            )
    longest = max(map(len, sets))
    listed = [[*tokens, *[tokens[0]] * (longest - len(tokens))] for tokens in sets]
    counted = [[column < len(tokens) for column in range(longest)] for tokens in sets]
    return torch.tensor(listed), torch.tensor(counted)


def _mean(scores: Tensor, counted: Tensor) -> Tensor:
    return (scores * counted).sum(-1) / counted.sum(-1)


def _logsumexp(scores: Tensor, counted: Tensor) -> Tensor:
    return scores.masked_fill(~counted, float("-inf")).logsumexp(-1)


_REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "logsumexp": _logsumexp,
}
