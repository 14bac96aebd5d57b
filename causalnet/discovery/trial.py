"""Estimators on trial: bias, coverage and power where the effect of every head is known.

Many sets of prompts are drawn from a network with planted mechanisms.  An estimator that scores
single prompts is read as its users read it: the mean over prompts, with a Student interval.  The
effect that it is held to is that of removing the head alone, over all prompts that can be drawn.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalnet.discovery.circuits import circuit_of_size
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.effects import counterfactual
from causalnet.errors import ParameterError
from causalnet.interventions import ReadOut, logit_diff
from causalnet.known_circuits.planted import MechanismKind, Planted
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import PromptPairs

__all__ = ["Estimator", "Trial", "TrialRow", "put_on_trial"]

Estimator: TypeAlias = Callable[[Question], Scores]

LEVEL = 0.95
ZERO = 1e-9  # logits; an effect of less is none


@dataclass(frozen=True, slots=True)
class TrialRow:
    """What an estimator made of one head.

    Attributes:
        head: Its name.
        kind: The mechanism that it belongs to.
        effect: The known mean effect of removing it alone, in logits.
        bias: Mean estimate less that, in logits.
        spread: Standard deviation of the estimates over sets of prompts.
        coverage: Share of sets whose interval contains the known effect; None where an estimator
            gives no scores of single prompts, or magnitudes.
        power: Share of sets in which it is found: its interval excludes 0 or, where there are no
            intervals, it is among the best ranked heads, as many as there are effects.
    """

    head: str
    kind: MechanismKind
    effect: float
    bias: float | None
    spread: float
    coverage: float | None
    power: float


@dataclass(frozen=True, slots=True)
class Trial:
    """An estimator on trial.

    Attributes:
        method: Its versioned name.
        rows: One for each head.
        sets: How many sets of prompts were drawn.
        prompts: How many prompts each had.
        rule: When a head counts as found.
    """

    method: str
    rows: tuple[TrialRow, ...]
    sets: int
    prompts: int
    rule: str

    def of(self, kind: MechanismKind | str) -> tuple[TrialRow, ...]:
        """Return the rows of one kind of mechanism."""
        return tuple(row for row in self.rows if row.kind == kind)

    @property
    def coverage(self) -> float | None:
        """Mean coverage over heads."""
        covered = [row.coverage for row in self.rows if row.coverage is not None]
        return float(np.mean(covered)) if covered else None

    @property
    def power(self) -> float:
        """Mean share of sets in which a head is found that has an effect."""
        return float(np.mean([row.power for row in self.rows if abs(row.effect) > ZERO]))

    @property
    def false_finds(self) -> float:
        """Mean share of sets in which a head is found that has none."""
        return float(np.mean([row.power for row in self.rows if abs(row.effect) <= ZERO]))

    def __str__(self) -> str:
        """Return a table, a line for each head."""
        lines = [
            f"{self.method}: {self.sets} sets of {self.prompts} prompts; found where {self.rule}",
            f"  {'head':8} {'mechanism':12} {'effect':>8} {'bias':>8} {'spread':>7} "
            f"{'covered':>8} {'found':>6}",
        ]
        for row in self.rows:
            bias = "-" if row.bias is None else f"{row.bias:+.3f}"
            covered = "-" if row.coverage is None else f"{row.coverage:.1%}"
            lines.append(
                f"  {row.head:8} {row.kind.value:12} {row.effect:+8.3f} {bias:>8} "
                f"{row.spread:7.3f} {covered:>8} {row.power:6.1%}"
            )
        whole = "-" if self.coverage is None else f"{self.coverage:.1%}"
        lines.append(
            f"  coverage {whole} of a stated {LEVEL:.0%}, power {self.power:.1%}, found without an "
            f"effect {self.false_finds:.1%}"
        )
        return "\n".join(lines)


def put_on_trial(
    estimator: Estimator,
    planted: Planted,
    *,
    prompts: int = 32,
    sets: int = 200,
    seed: int = 0,
    readout: ReadOut = logit_diff,
    net: LiftedNetwork | None = None,
) -> Trial:
    """Draw many sets of prompts, score each, and compare with the known effects.

    Args:
        estimator: From a question at the grain of heads to scores.
        planted: The network.
        prompts: How many prompts a set has.
        sets: How many sets; an estimator that scores single prompts scores them all at once.
        seed: Of the draws.
        readout: The outcome.
        net: The network where it was lifted already, or in another way.

    Raises:
        ParameterError: Fewer than 2 prompts or sets.
    """
    if prompts < 2 or sets < 2:
        raise ParameterError(
            f"{sets} sets of {prompts} prompts.",
            "An interval needs 2 prompts, and coverage 2 sets.",
            "Write prompts=32, sets=200.",
        )
    circuit = planted.circuit
    net = net or lift(load(circuit.module(), tokenizer=circuit.tokenizer()))
    names = [name for names in planted.heads for name in names]
    known = np.array([planted.effect([name]) for name in names])
    first = estimator(_question(net, planted, range(1), prompts, seed, readout))
    if first.per_prompt is None or first.sign != "effect":
        found = _ranked(
            (
                estimator(_question(net, planted, range(i, i + 1), prompts, seed, readout))
                for i in range(sets)
            ),
            names,
            int((np.abs(known) > ZERO).sum()),
        )
        rule = "it is among the best ranked, as many as have an effect"
        return _trial(first, planted, names, known, found, (sets, prompts), rule)
    whole = estimator(_question(net, planted, range(sets), prompts, seed, readout))
    assert whole.per_prompt is not None
    rows = [whole.question.units.index(name) for name in names]
    by_set = whole.per_prompt[rows].reshape(len(rows), sets, prompts)
    means = by_set.mean(2)
    errors = by_set.std(2, ddof=1) / np.sqrt(prompts)
    half = stats.t.ppf((1 + LEVEL) / 2, prompts - 1) * errors + whole.rounding
    covers = np.abs(means - known[:, None]) <= half
    finds = np.abs(means) > half
    found = _Found(means.mean(1) - known, means.std(1), covers.mean(1), finds.mean(1))
    rule = f"its {LEVEL:.0%} interval excludes 0"
    return _trial(whole, planted, names, known, found, (sets, prompts), rule)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    bias: NDArray[np.float64] | None
    spread: NDArray[np.float64]
    coverage: NDArray[np.float64] | None
    power: NDArray[np.float64]


def _ranked(scored: Iterable[Scores], names: list[str], count: int) -> _Found:
    """Return how often each head is among the best ranked."""
    values, hits = [], []
    for scores in scored:
        values.append([scores[name] for name in names])
        best = set(circuit_of_size(scores, count).names)
        hits.append([name in best and scores[name] != 0 for name in names])
    return _Found(None, np.std(values, axis=0), None, np.mean(hits, axis=0))


def _question(
    net: LiftedNetwork, planted: Planted, sets: range, prompts: int, seed: int, readout: ReadOut
) -> Question:
    rows = [
        row for number in sets for row in planted.circuit.rows(prompts, seed * 1_000_003 + number)
    ]
    pairs = PromptPairs.build(net.model.tokenizer, rows)
    return Question(net, pairs, counterfactual(), readout, "heads", seed=seed, batch_size=256)


def _trial(
    scores: Scores,
    planted: Planted,
    names: list[str],
    known: NDArray[np.float64],
    found: _Found,
    drawn: tuple[int, int],
    rule: str,
) -> Trial:
    kinds = [
        mechanism.kind
        for mechanism, heads in zip(planted.mechanisms, planted.heads, strict=True)
        for _ in heads
    ]
    rows = tuple(
        TrialRow(
            name,
            kind,
            float(known[i]),
            None if found.bias is None else float(found.bias[i]),
            float(found.spread[i]),
            None if found.coverage is None else float(found.coverage[i]),
            float(found.power[i]),
        )
        for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
    )
    return Trial(scores.method.name, rows, *drawn, rule)
