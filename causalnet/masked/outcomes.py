"""Outcomes of many versions of some prompts at once, read at one token of each or at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.estimators.weights import Decoder
from causalnet.execute import Answers
from causalnet.execute.readouts import read_logits, root_mean_square
from causalnet.interventions import ReadOut

__all__ = ["Scored"]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A read-out on some prompts.

    Attributes:
        decoder: The weights.
        readout: The read-out.
        answers: The token sets of all prompts.
        rows: Which prompts.
        real: Which of the tokens that are read are tokens, [B, C]; the outcome of a prompt is the
            mean over them.
        against: Logits that the read-out compares with, [B, C, vocabulary], or None.
    """

    decoder: Decoder
    readout: ReadOut
    answers: Answers
    rows: Sequence[int]
    real: Tensor
    against: Tensor | None

    def logits(self, slots: Tensor) -> Tensor:
        """Return logits [..., vocabulary] of what is read for them, [..., d]."""
        norm = self.decoder.final_norm
        return self.decoder.unembedding(slots if norm is None else norm(slots).value)

    def values(self, slots: Tensor) -> Tensor:
        """Return the outcome of every version on every prompt, [M, B].

        Args:
            slots: What is read for the logits, [M, B, C, d].

        Raises:
            AnswerError: An answer or foil outside the vocabulary, or no foil.
        """
        by_token = torch.stack([self._of(version) for version in slots])
        weights = self.real.to(by_token)
        return (by_token * weights).sum(-1) / weights.sum(-1)

    def _of(self, slots: Tensor) -> Tensor:
        """Return the read-out at every token, [B, C] of [B, C, d]."""
        chosen = self._chosen()
        if self.readout.name == "logit_difference" and chosen is not None:
            return self._difference(slots, chosen)
        logits = self.logits(slots)
        if self.against is not None and self.readout.name == "logit_distance":
            return root_mean_square(logits - self.against)
        if self.against is not None and self.readout.name == "kl":
            theirs, ours = self.against.log_softmax(-1), logits.log_softmax(-1)
            return (theirs.exp() * (theirs - ours)).sum(-1)
        tokens = slots.shape[1]
        rows = [row for row in self.rows for _ in range(tokens)]
        against = None if self.against is None else self.against.flatten(0, 1)
        found = read_logits(self.readout, logits.flatten(0, 1), self.answers, rows, against)
        return found.view(len(self.rows), tokens)

    def _chosen(self) -> tuple[Tensor, int] | None:
        """Return the scored tokens [B, answers + foils] and how many are answers.

        None where sets differ in size or leave the vocabulary: then they are scored one by one.
        """
        sets = [(self.answers.answers[row], self.answers.foils[row]) for row in self.rows]
        sizes = {(len(answer), len(foil)) for answer, foil in sets}
        size = self.decoder.shape.vocabulary
        inside = all(0 <= token < size for pair in sets for half in pair for token in half)
        if len(sizes) != 1 or 0 in next(iter(sizes)) or not inside:
            return None
        listed = torch.tensor([[*answer, *foil] for answer, foil in sets])
        return listed.to(self.decoder.tokens.device), len(sets[0][0])

    def _difference(self, slots: Tensor, chosen: tuple[Tensor, int]) -> Tensor:
        tokens, count = chosen
        norm, unembedding = self.decoder.final_norm, self.decoder.unembedding
        normed = slots if norm is None else norm(slots).value
        found = normed @ unembedding.into.T[tokens].mT  # [B, C, tokens]
        if unembedding.bias is not None:
            found = found + unembedding.bias[tokens][:, None]
        parts = found[..., :count], found[..., count:]
        if self.answers.reduction == "logsumexp":
            answer, foil = (part.logsumexp(-1) for part in parts)
        else:
            answer, foil = (part.mean(-1) for part in parts)
        return answer - foil
