"""Read-outs on tensors: from logits to one number for each prompt."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from causalnet.errors import AnswerError, InternalError, TermError
from causalnet.execute.bindings import Answers
from causalnet.interventions import ReadOut
from causalnet.lift import LiftedNetwork

__all__ = ["REDUCTIONS", "lens_logits", "read_logits", "read_value", "root_mean_square"]


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
        reference: For `kl` and its like, logits of the reference world, [B, vocabulary].

    Raises:
        AnswerError: An answer or foil outside the vocabulary, or no foil for a logit difference.
    """
    chosen = [answers.answers[row] for row in rows]
    foils = [answers.foils[row] for row in rows]
    match readout.name:
        case "logit_difference":
            reduce = REDUCTIONS[answers.reduction]
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
        case "top1_agreement" if reference is not None:
            return (logits.argmax(-1) == reference.argmax(-1)).to(logits.dtype)
        case "logit_distance" if reference is not None:
            return root_mean_square(logits - reference)
    raise InternalError(f"The read-out {readout} has no body.")


def root_mean_square(gaps: Tensor) -> Tensor:
    """Return the root of the mean square over the last axis, with slope 0 where it is 0.

    >>> root_mean_square(torch.tensor([[3.0, 3.0], [0.0, 0.0]])).tolist()
    [3.0, 0.0]
    """
    square = gaps.square().mean(-1)
    is_there = square > 0
    return torch.where(is_there, square, 1.0).sqrt() * is_there


def lens_logits(net: LiftedNetwork, readout: ReadOut, value: Tensor) -> Tensor:
    """Return the logits that the final norm and the unembedding make of a value, [B, vocabulary].

    The norm is computed for this value; hooks on the model's modules are not called.

    Args:
        net: The lifted network.
        readout: The read-out, for messages.
        value: What its node has at the position, [B, d].

    Raises:
        TermError: A value that is not as wide as the residual stream.
    """
    width = net.graph.shape.d_model
    if value.shape[-1] != width:
        raise TermError(
            f"{readout} reads {readout.node}, which is {value.shape[-1]} wide.",
            f"The final norm and the unembedding read the residual stream, {width} wide.",
            "Read a head, an MLP, the embedding or a residual cut.",
        )
    norm = net.places.final_norm
    normed = value if norm is None else norm.forward(value)
    logits: Tensor = net.places.unembedding.forward(normed)
    return logits


def read_value(readout: ReadOut, value: Tensor) -> Tensor:
    """Return a node's value where it is one number, [B] of [B, 1].

    Raises:
        TermError: A value of several numbers.
    """
    if value.shape[-1] != 1:
        raise TermError(
            f"{readout} has {value.shape[-1]} numbers for each prompt.",
            "A read-out is one number for each prompt; of a network, norm scales are.",
            "Read the logits, or a node through the final norm: lens(logit_diff, node).",
        )
    return value[:, 0]


def _mean(scores: Tensor) -> Tensor:
    return scores.mean()


def _logsumexp(scores: Tensor) -> Tensor:
    return scores.logsumexp(0)


REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"mean": _mean, "logsumexp": _logsumexp}
"""How the logits of a token set become one number."""


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
