"""Interchange intervention accuracy, with the controls without which it says little.

Geiger et al. 2021: the share of pairs on which the network, with the aligned nodes of a variable
set to their values on a source, gives the answer that the high-level model gives with the variable
set to its value on that source.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.accuracy_results import ControlResult, InterchangeAccuracy, WorstPair
from causalnet.abstraction.alignment import Alignment
from causalnet.abstraction.controls import CONTROLS, Arm, Unavailable, arms_of, check_waivers
from causalnet.abstraction.measuring import ArmScores, Criterion, base_hits, measure_arms
from causalnet.abstraction.pairs import Interchanges
from causalnet.abstraction.rates import PairedWins, Rate
from causalnet.abstraction.recalling import Recall
from causalnet.errors import ParameterError
from causalnet.execute import Executor, Progress
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork
from causalnet.statistics.samples import check_alpha

__all__ = ["interchange_accuracy"]


def interchange_accuracy(
    net: LiftedNetwork,
    pairs: Interchanges,
    alignment: Alignment,
    *,
    criterion: Criterion = "top",
    draws: int = 5,
    waive: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
    progress: Progress | None = None,
    recall: Recall | None = None,
) -> InterchangeAccuracy:
    """Measure how often interchanges give the answer of the high-level model, with four controls.

    Args:
        net: The lifted network.
        pairs: What is interchanged, and what is predicted: `draw_interchanges`.
        alignment: Where the variables are said to be.
        criterion: `top`, the predicted token is the most likely of the vocabulary; `candidates`,
            the most likely of the answers that the interchange could have given.
        draws: How many random alignments.
        waive: Controls that are left out, with the reason; it stands in the result.
        alpha: Error probability of each end of intervals and of each comparison.
        at: Where the answer is read.
        executor: `wavefront`, `hooks` or `auto`.
        batch_size: Most pairs in a batch.
        progress: Told about every pass.
        recall: Where what was run before is found; None to run it.

    Returns:
        Rates with exact confidence sequences, controls, and the worst pair.

    Raises:
        ParameterError: No such control or criterion, a waiver without a reason, no draw, alpha
            outside (0, 0.5).
        TermError: A variable that is not aligned, or sites that overlap.
        UnknownMediatorError: A node that the network does not have.
        AnswerError: An answer that is not one token.
        AlignmentError: Prompts of unequal length where nodes are swapped at all positions; draw
            pairs `within="length"`.

    >>> import causalnet as cn
    >>> from causalnet.abstraction import Examples, HighLevelModel, aligned, draw_interchanges
    >>> net = cn.lift(cn.load("known:indirect_object"))
    >>> prompts = cn.tasks.make("known:indirect_object", net.model.tokenizer, n=40, seed=0)
    >>> inputs = {"other": {"token": "IO"}}
    >>> examples = Examples.from_pairs(prompts, net.model.tokenizer, inputs)
    >>> steps = {"held": lambda other: other, "answer": lambda held: held}
    >>> mover = HighLevelModel.of("mover", inputs=inputs, variables=steps, output="answer")
    >>> pairs = draw_interchanges(mover, examples, "held", n=20)
    >>> found = interchange_accuracy(net, pairs, aligned({"held": "L2.H0"}, at="end"))
    >>> print(found.cause, found.is_above_controls)
    1.000 [0.689, 1.000] (90 %), 10 of 10 True
    """
    waived, alpha = check_waivers(waive or {}), check_alpha(alpha)
    _check(criterion, draws)
    own = alignment.of(pairs.variables)
    arms, missing = arms_of(own, net.graph, draws=draws, seed=pairs.seed, waive=waived)
    # The bases' own accuracy needs the untouched network, control or not.
    plain = Arm("no intervention", "no intervention", None, "nothing is swapped")
    needed = arms if "no intervention" not in waived else [*arms, plain]
    scores, forwards = measure_arms(
        net,
        pairs,
        needed,
        at=at,
        executor=executor,
        batch_size=batch_size,
        progress=progress,
        recall=recall,
    )
    return judged(pairs, arms, missing, scores, criterion, waived, alpha, forwards)


def judged(
    pairs: Interchanges,
    arms: Sequence[Arm],
    missing: Iterable[Unavailable],
    scores: Mapping[str, ArmScores],
    criterion: Criterion,
    waived: Mapping[str, str],
    alpha: float,
    forwards: int,
) -> InterchangeAccuracy:
    """Return the rates of what was measured; no network is run."""
    cause = pairs.is_cause
    hypothesis = scores["hypothesis"].hits(criterion)
    right = base_hits(pairs, scores["no intervention"], criterion)
    controls = [
        ControlResult(
            arm.control,
            arm.label,
            arm.text,
            Rate.of(hits[cause], alpha),
            Rate.of(hits[~cause], alpha),
            _rates(pairs.labels, hits, alpha),
            PairedWins.of(hypothesis[cause], hits[cause], alpha),
            _expected(pairs, arm),
        )
        for arm in arms
        if arm.control
        for hits in (scores[arm.label].hits(criterion),)
    ]
    return InterchangeAccuracy(
        pairs.model.name,
        pairs.variables,
        arms[0].text,
        pairs.distribution(),
        criterion,
        Rate.of(hypothesis[cause], alpha),
        Rate.of(hypothesis[~cause], alpha),
        Rate.of(hypothesis, alpha),
        _rates(pairs.labels, hypothesis, alpha),
        _rates(_strata(pairs), hypothesis, alpha),
        Rate.of(right, alpha),
        tuple(controls),
        tuple(missing),
        tuple(waived.items()),
        _worst(pairs, scores["hypothesis"], hypothesis),
        forwards,
    )


def _expected(pairs: Interchanges, arm: Arm) -> float | None:
    """Return a control's accuracy on cause pairs if the hypothesis is right."""
    match arm.control:
        case "no intervention":
            given = pairs.before
        case "full swap" if len(pairs.variables) == 1:
            given = pairs.of_sources
        case "shuffled source":
            given = pairs.predicted_with(pairs.shuffled())
        case _:
            return None
    agree = np.array([one == other for one, other in zip(given, pairs.predicted, strict=True)])
    return float(agree[pairs.is_cause].mean()) if pairs.is_cause.any() else None


def _strata(pairs: Interchanges) -> tuple[str, ...]:
    """Return the class of each pair, with the template of its base where there are several."""
    templates = pairs.examples.prompts.templates
    of_pair = [templates[row] for row in pairs.base.tolist()]
    if len(set(of_pair)) == 1:
        return pairs.labels
    return tuple(f"{label}, {text}" for label, text in zip(pairs.labels, of_pair, strict=True))


def _rates(
    labels: Sequence[str], hits: NDArray[np.bool_], alpha: float
) -> tuple[tuple[str, Rate], ...]:
    classes = np.array(labels)
    names = dict.fromkeys(labels)
    return tuple((name, Rate.of(hits[classes == name], alpha)) for name in names)


def _worst(pairs: Interchanges, scores: ArmScores, hits: NDArray[np.bool_]) -> WorstPair:
    gaps = scores.gaps()
    among = np.flatnonzero(~hits) if not hits.all() else np.arange(len(hits))
    row = int(among[np.argmin(gaps[among])])
    texts = pairs.examples.prompts.texts
    answered = scores.answered(row, pairs.candidates[row])
    return WorstPair(
        texts[int(pairs.base[row])],
        tuple(texts[source] for source in pairs.sources[row].tolist()),
        bool(pairs.is_cause[row]),
        bool(hits[row]),
        str(pairs.predicted[row]),
        "another token" if answered is None else str(answered),
        float(gaps[row]),
    )


def _check(criterion: str, draws: int) -> None:
    if criterion not in ("top", "candidates"):
        raise ParameterError(
            f"The criterion {criterion!r}.",
            "There are 'top' and 'candidates'.",
            "Leave it out for 'top'.",
        )
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise ParameterError(
            f"draws={draws!r}.",
            "A whole number from 1 on of random alignments.",
            f"Write draws=5, or waive={{{CONTROLS[2]!r}: why}} for none.",
        )
