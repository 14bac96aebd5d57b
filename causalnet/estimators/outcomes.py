"""The outcome of a world and its gradient at the stream that is read for the logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.errors import TermError
from causalnet.estimators.weights import Affine, Decoder
from causalnet.execute import Answers
from causalnet.execute.readouts import read_logits
from causalnet.interventions import READOUTS, Base, ReadOut, logit_diff

__all__ = ["Outcome", "check_readout"]


def check_readout(readout: ReadOut) -> None:
    """Check that a read-out scores the logits, with a gradient.

    Raises:
        TermError: It reads another node, is a step function, or has no body.
    """
    known = [name for name in READOUTS if name not in ("accuracy", "top1_agreement")]
    against = (None, Base("base"), Base("source"))
    if readout.name in known and readout.node == "logits" and readout.reference in against:
        return
    raise TermError(
        f"Attribution of {readout}.",
        f"{', '.join(known)} of the logits have gradients here, kl against base or source.",
        "For others, run cn.attribution_patch(...) by cn.run; accuracy has no gradient.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A read-out on some prompts.

    Attributes:
        decoder: The weights.
        readout: The read-out.
        answers: The token sets of all prompts.
        rows: Which prompts.
    """

    decoder: Decoder
    readout: ReadOut
    answers: Answers
    rows: Sequence[int]

    def logits(self, slot: Tensor) -> Tensor:
        """Return all logits of what is read for them, [B, vocabulary] of [B, d]."""
        return self._unembedded(slot, self.decoder.unembedding)

    def value(self, slot: Tensor, reference: Tensor | None) -> Tensor:
        """Return the outcome, [B].

        Args:
            slot: What is read for the logits at the read-out's position, [B, d].
            reference: Logits of the world that `kl` compares to, [B, vocabulary].

        Raises:
            AnswerError: An answer or foil outside the vocabulary, or no foil.
        """
        few = self._few() if self.readout.name == logit_diff.name else None
        if few is None:
            return read_logits(self.readout, self.logits(slot), self.answers, self.rows, reference)
        tokens, answers = few
        whole = self.decoder.unembedding
        chosen = Affine(whole.into[:, tokens], None if whole.bias is None else whole.bias[tokens])
        rows = range(len(self.rows))
        return read_logits(self.readout, self._unembedded(slot, chosen), answers, rows, None)

    def gradient(self, slot: Tensor, reference: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the outcome, [B], and its gradient at what is read for the logits, [B, d]."""
        with torch.enable_grad():
            read = slot.detach().requires_grad_()
            value = self.value(read, reference)
            (found,) = torch.autograd.grad(value.sum(), read)
        return value.detach(), found

    def _unembedded(self, slot: Tensor, unembedding: Affine) -> Tensor:
        norm = self.decoder.final_norm
        return unembedding(slot if norm is None else norm(slot).value)

    def _few(self) -> tuple[Tensor, Answers] | None:
        """Return the tokens that a logit difference scores, and the answers among them.

        None where one of them is no token.
        """
        sets = [
            tuple(column[row] for row in self.rows)
            for column in (self.answers.answers, self.answers.foils)
        ]
        size = self.decoder.shape.vocabulary
        used = sorted({token for rows in sets for row in rows for token in row})
        if not all(0 <= token < size for token in used):
            return None
        place = {token: index for index, token in enumerate(used)}
        among = [tuple(tuple(place[token] for token in row) for row in rows) for rows in sets]
        device = self.decoder.tokens.device
        return torch.tensor(used, device=device), Answers(
            among[0], among[1], self.answers.reduction
        )
