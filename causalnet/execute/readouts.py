"""Read-outs on tensors: from logits to one number for each prompt."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from causalnet.errors import AnswerError, InternalError
from causalnet.execute.bindings import Answers
from causalnet.interventions import ReadOut

__all__ = ["read_logits"]


def read_logits(
    readout: ReadOut,
    logits: Tensor,
    answers: Answers,
    rows: Sequence[int],
    reference: Tensor | None,
) -> Tensor:
    """Return a read-out's values, [B].

    Args:
        readout: Which read-out.
        logits: Logits at the read-out's position, [B, vocabulary].
        answers: Token sets of all prompts.
        rows: Which prompts the rows of `logits` are.
        reference: For `kl`, the logits of the reference world, [B, vocabulary].

    Raises:
        AnswerError: An answer or foil outside the vocabulary, or no foil for a logit difference.
    """
    chosen = [answers.answers[row] for row in rows]
    foils = [answers.foils[row] for row in rows]
    match readout.name:
        case "logit_difference":
            reduce = _REDUCTIONS[answers.reduction]
            return _over(logits, chosen, reduce) - _over(logits, foils, reduce)
        case "probability":
            return _log_probability(logits, chosen).exp()
        case "loss":
            return -_log_probability(logits, chosen)
        case "accuracy":
            top = logits.argmax(-1).tolist()
            hits = [token in answer for token, answer in zip(top, chosen, strict=True)]
            return torch.tensor(hits, dtype=logits.dtype, device=logits.device)
        case "kl" if reference is not None:
            theirs, ours = reference.log_softmax(-1), logits.log_softmax(-1)
            return (theirs.exp() * (theirs - ours)).sum(-1)
    raise InternalError(f"The read-out {readout} has no body.")


def _mean(scores: Tensor) -> Tensor:
    return scores.mean()


def _logsumexp(scores: Tensor) -> Tensor:
    return scores.logsumexp(0)


_REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"mean": _mean, "logsumexp": _logsumexp}


def _over(
    scores: Tensor, sets: Sequence[tuple[int, ...]], reduce: Callable[[Tensor], Tensor]
) -> Tensor:
    """Reduce each row's scores over its own token set."""
    size = scores.shape[-1]
    for row, tokens in enumerate(sets):
        if not tokens or not all(0 <= token < size for token in tokens):
            raise AnswerError(
                f"Row {row} scores the tokens {tokens}.",
                f"The vocabulary has tokens 0..{size - 1}, and a set has at least one.",
            )
    return torch.stack([reduce(scores[row, list(tokens)]) for row, tokens in enumerate(sets)])


def _log_probability(logits: Tensor, sets: Sequence[tuple[int, ...]]) -> Tensor:
    return _over(logits.log_softmax(-1), sets, _logsumexp)
