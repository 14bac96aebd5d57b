"""Logit differences from the few columns of the unembedding that they read."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from causalnet.errors import AnswerError
from causalnet.execute.bindings import Answers
from causalnet.execute.wavefront.weights import Weights

__all__ = ["Difference"]


class Difference:
    """Mean (or log-sum-exp) logit of the answers minus that of the foils.

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
        for sets in ([answers.answers[row] for row in rows], [answers.foils[row] for row in rows]):
            listed, counted = _listed(sets, weights.shape.vocabulary)
            device = weights.device
            columns, bias = weights.unembed_columns(listed.to(device))
            self.sides.append((columns, bias, counted.to(device)))

    def __call__(self, normed: Tensor) -> Tensor:
        """Return the differences, [B], of what the unembedding reads, [B, d]."""
        scores = []
        for columns, bias, counted in self.sides:
            own = (columns @ normed[..., None])[..., 0]
            scores.append(self.reduce(own if bias is None else own + bias, counted))
        return scores[0] - scores[1]


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
