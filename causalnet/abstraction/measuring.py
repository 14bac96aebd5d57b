"""Interchanges run on a network: what it answers to every pair, under every arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.alignment import source_name, swapped_world
from causalnet.abstraction.controls import Arm
from causalnet.abstraction.expressions import Value
from causalnet.abstraction.pairs import Interchanges
from causalnet.abstraction.recalling import Recall, program_of, prompts_of
from causalnet.errors import ParameterError
from causalnet.execute import Answers, Bindings, Executor, Matrix, Progress, run_leaves
from causalnet.interventions import (
    Base,
    Handle,
    Position,
    Read,
    ReadOut,
    World,
    accuracy,
    logit_diff,
)
from causalnet.lift import LiftedNetwork

__all__ = ["ArmScores", "Criterion", "base_hits", "measure_arms"]

Criterion = Literal["top", "candidates"]
"""When an answer is the predicted one: `top`, the token is the most likely of the vocabulary;
`candidates`, it is the most likely of the pair's candidate answers."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmScores:
    """What a network answers under one arm.

    Attributes:
        label: The arm.
        is_top: Whether the most likely token is the predicted answer, bool [n].
        logits: Of the pair's candidates minus that of the predicted one, [n, candidates]; NaN
            where a pair has fewer; the first column is 0.
        is_top_before: Whether the most likely token is the answer to the base, bool [n].
    """

    label: str
    is_top: NDArray[np.bool_]
    logits: NDArray[np.float64]
    is_top_before: NDArray[np.bool_]

    def hits(self, criterion: Criterion) -> NDArray[np.bool_]:
        """Return whether the answer is the predicted one, [n]."""
        return self.is_top if criterion == "top" else self.gaps() > 0

    def hits_before(self, criterion: Criterion, which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the answer is that to the base, the candidate `which`, [n]."""
        if criterion == "top":
            return self.is_top_before
        own = np.take_along_axis(self.logits, which[:, None], axis=1)[:, 0]
        others = self.logits.copy()
        np.put_along_axis(others, which[:, None], -np.inf, axis=1)
        result: NDArray[np.bool_] = own > np.nanmax(others, axis=1)
        return result

    def gaps(self) -> NDArray[np.float64]:
        """Return the logit of the predicted answer minus the largest other candidate's, [n]."""
        result: NDArray[np.float64] = -np.nanmax(self.logits[:, 1:], axis=1)
        return result

    def answered(self, row: int, candidates: Sequence[Value]) -> Value | None:
        """Return the most likely candidate; None where another token than it is known to win."""
        best = candidates[int(np.nanargmax(self.logits[row]))]
        return None if best == candidates[0] and not self.is_top[row] else best


def measure_arms(
    net: LiftedNetwork,
    pairs: Interchanges,
    arms: Sequence[Arm],
    *,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
    progress: Progress | None = None,
    recall: Recall | None = None,
) -> tuple[dict[str, ArmScores], int]:
    """Return what the network answers under each arm, and how many forwards that took.

    Args:
        net: The lifted network.
        pairs: Base and sources of each interchange.
        arms: What is swapped.
        at: Where the answer is read.
        executor: `wavefront`, `hooks` or `auto`, as in `run_leaves`.
        batch_size: Most pairs in a batch.
        progress: Told about every pass.
        recall: Where what was run before is found; None to run it.

    Raises:
        AnswerError: An answer that is not one token.
        AlignmentError: Prompts of unequal length where nodes are swapped at all positions.
        ParameterError: No other answer than the predicted one on some pair.
        UnknownMediatorError, TermError: A site that does not fit the network.
    """
    bound = _bindings(pairs, arms)
    top = replace(accuracy, at=at)
    before = replace(top, answers="before")
    width = max(len(each) for each in pairs.candidates)
    gaps = [replace(logit_diff, at=at, answers=f"candidate {k}") for k in range(1, width)]
    worlds = {arm.label: _world(arm) for arm in arms}
    reads = [Read(each, world) for world in worlds.values() for each in (top, before, *gaps)]

    def compute() -> tuple[dict[str, NDArray[np.float64]], int]:
        found = run_leaves(
            reads, net, bound, executor=executor, batch_size=batch_size, progress=progress
        )
        columns = [found.values[read].double().cpu().numpy() for read in reads]
        took = {"forwards": np.array([found.forwards], dtype=np.float64)}
        return took | {f"read {number:04}": one for number, one in enumerate(columns)}, (
            found.forwards
        )

    arrays: Mapping[str, NDArray[np.float64]] = (
        compute()[0]
        if recall is None
        else recall(program_of(reads, bound, executor), prompts_of(bound), compute)
    )
    numbers = {read: arrays[f"read {number:04}"] for number, read in enumerate(reads)}

    def column(readout: ReadOut, world: World) -> NDArray[np.float64]:
        return numbers[Read(readout, world)]

    known = np.array([[k < len(each) for k in range(width)] for each in pairs.candidates])
    scores = {}
    for label, world in worlds.items():
        logits = np.stack([np.zeros(len(pairs)), *(-column(each, world) for each in gaps)], axis=1)
        scores[label] = ArmScores(
            label,
            column(top, world) > 0.5,
            np.where(known, logits, np.nan),
            column(before, world) > 0.5,
        )
    return scores, int(arrays["forwards"][0])


def base_hits(pairs: Interchanges, scores: ArmScores, criterion: Criterion) -> NDArray[np.bool_]:
    """Return whether an arm gives the answer that the high-level model gives to the base, [n]."""
    told = zip(pairs.candidates, pairs.before, strict=True)
    return scores.hits_before(criterion, np.array([each.index(value) for each, value in told]))


def _world(arm: Arm) -> World:
    if arm.alignment is None:
        return Base("base")
    return swapped_world(arm.alignment, arm.is_shuffled)


def _bindings(pairs: Interchanges, arms: Sequence[Arm]) -> Bindings:
    examples, variables = pairs.examples, range(len(pairs.variables))
    inputs = {"base": examples.prompts.rows(pairs.base.tolist())}
    for number in variables:
        rows = pairs.sources[:, number].tolist()
        inputs[source_name(number)] = examples.prompts.rows(rows)
    if any(arm.is_shuffled for arm in arms):
        shuffled = pairs.shuffled()
        for number in variables:
            rows = shuffled[:, number].tolist()
            inputs[source_name(number, shuffled=True)] = examples.prompts.rows(rows)
    tokens = _tokens(pairs)
    answers = {
        f"candidate {k}": Answers(
            tuple((tokens[each[0]],) for each in pairs.candidates),
            tuple((tokens[each[min(k, len(each) - 1)]],) for each in pairs.candidates),
            "mean",
        )
        for k in range(1, max(len(each) for each in pairs.candidates))
    }
    # The foils are not read, but executors ask for some.
    answers["before"] = Answers(
        tuple((tokens[value],) for value in pairs.before),
        tuple((tokens[each[1]],) for each in pairs.candidates),
        "mean",
    )
    constants: dict[Handle, Matrix] = {}
    for arm in arms:
        for sites in (arm.alignment.sites if arm.alignment is not None else {}).values():
            constants |= dict(site.basis.bound for site in sites if site.basis is not None)
    return Bindings(inputs, answers["candidate 1"], constants, answers)


def _tokens(pairs: Interchanges) -> Mapping[Value, int]:
    alone = [each for each in pairs.candidates if len(each) < 2]
    if alone:
        raise ParameterError(
            f"The answer is {alone[0][0]!r} whatever is swapped.",
            "An accuracy says something where there is another answer to give.",
            "Give examples with different answers.",
        )
    values = (value for each in pairs.candidates for value in each)
    behind = pairs.examples.prompts.ids[int(pairs.base[0])]
    return pairs.examples.spelling.tokens_of(values, behind)
