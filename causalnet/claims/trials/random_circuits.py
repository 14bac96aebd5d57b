"""The trial of a claim that a circuit is better than random ones."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.hearing import Scores
from causalnet.claims.kinds import BetterThanRandomClaim
from causalnet.claims.trials.protocol import EMPTY, WHOLE, Context, Gate, TrialBase
from causalnet.errors import InternalError
from causalnet.faithfulness import (
    Member,
    RandomCircuits,
    Regime,
    Wanted,
    connection,
    random_circuits_like,
)
from causalnet.faithfulness.parts import ROUNDING
from causalnet.statistics import Decision, Reason, Verdict, WinJudge

__all__ = ["RandomTrial"]

Array = NDArray[np.float64]

FOR_P_VALUE = 40  # the first circuits: a number that no outcome moves, as looks may


@final
class RandomTrial(TrialBase):
    """Wins of the circuit against random circuits that are alike in every layer and connected.

    A win is a smaller mean absolute gap to the whole model on the same prompts.
    """

    GROUP = 8  # random circuits for each look: they share the forward of the source prompts

    def __init__(
        self,
        claim: BetterThanRandomClaim,
        context: Context,
    ) -> None:
        """Start without circuits."""
        super().__init__(claim, context)
        self._settings = claim
        self._random: RandomCircuits | None = None
        self._judge = WinJudge(claim.fraction, context.file.alpha)
        self._gate = Gate(context.file)
        self._absent: Decision | None = None
        self._drawn: list[tuple[Member, ...]] = []
        self._model = self._alone = self._gap = math.nan
        self._share: float | None = None
        self._gaps: list[float] = []
        self._shares: list[float | None] = []

    def prepare(self) -> None:
        """Draw a first circuit, so that a claim without others to compare with fails at once.

        Raises:
            ParameterError: There is no other circuit.
        """
        self._random = random_circuits_like(
            self.context.hearing.net.graph,
            self.circuit,
            self.context.universe,
            seed=self.context.seed,
        )

    def wants(self) -> tuple[Wanted, ...]:
        """Return what tells whether there is a behaviour; circuits are compared afterwards."""
        return self._gate.wants()

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        self._gate.take(scores)

    def conclude(self) -> None:
        """Run random circuits until the claim is settled, on a fixed set of prompts."""
        self._absent = self._gated(self._gate.decision())
        if self._absent is not None:
            return
        hearing, settings = self.context.hearing, self._settings
        rows = range(min(settings.prompts, len(hearing.pairs("test"))))
        batches = -(-len(rows) // hearing.file.batch)
        hearing.begin("compare with random circuits", (settings.max_circuits + 4) * batches)
        scores: dict[Wanted, Array] = {}
        for wanted, rivals in self._rounds():
            scores |= hearing.read("test", wanted, rows)
            self._compare(scores, rivals)

    def _rounds(self) -> Iterator[tuple[tuple[Wanted, ...], tuple[Wanted, ...]]]:
        """Yield what each look wants, and which of it are rivals."""
        if self._random is None:
            raise InternalError("Random circuits are compared before any was drawn.")
        settings = self._settings
        while len(self._drawn) < settings.max_circuits:
            first = len(self._drawn)
            if self._judge.is_settled and first >= settings.min_circuits:
                return
            numbers = range(first, min(first + self.GROUP, settings.max_circuits))
            drawn = [self._random.draw(number) for number in numbers]
            self._drawn += drawn
            rivals: tuple[Wanted, ...] = tuple((Regime.KEPT, one) for one in drawn)
            shared: tuple[Wanted, ...] = (WHOLE, EMPTY, (Regime.KEPT, self.circuit))
            yield (*(() if first else shared), *rivals), rivals

    def _compare(self, scores: Scores, rivals: Sequence[Wanted]) -> None:
        """Compare the circuit with random ones, all on the same prompts.

        Args:
            scores: The whole model, everything ablated, the circuit and its rivals.
            rivals: Which of the scores are rivals.
        """
        model, empty = scores[WHOLE], scores[EMPTY]
        if not self._gaps:
            own = scores[Regime.KEPT, self.circuit]
            self._model, self._alone = float(model.mean()), float(own.mean())
            self._gap = float(np.abs(own - model).mean())
            self._share = _share(own, model, empty)
        for rival in rivals:
            self._gaps.append(float(np.abs(scores[rival] - model).mean()))
            self._shares.append(_share(scores[rival], model, empty))
            self._judge.add([self._gap < self._gaps[-1]])

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._judge.is_settled or self._absent is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further circuit came; said where few circuits are alike."""
        found = self._absent or self._judge.decision()
        different = len(set(map(frozenset, self._drawn)))
        if found.verdict is Verdict.SUPPORTED and (1 + different) * found.alpha < 1:
            return found.with_caveat(
                f"Only {different} different circuits came up among {len(self._drawn)}: one of "
                "them drawn by chance would be the closest with probability "
                f"{1 / (1 + different):.2g}."
            )
        return found

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs and mean absolute gaps to the whole model, on the prompts compared."""
        if not self._gaps:
            return {}
        return {
            "model": self._model,
            "circuit_alone": self._alone,
            "gap_of_circuit": self._gap,
            "gap_of_random_circuits": float(np.mean(self._gaps)),
        }

    @property
    def evidence(self) -> Mapping[str, Any]:
        """How random circuits were drawn, what came of each, and where the circuit stands.

        The p-value is (1 + those at least as close) / (1 + all), of different circuits among the
        first 40: so many of which however few there are, and not as many as the outcome asked for.
        """
        if self._random is None:
            return {}
        found = connection(self.context.hearing.net.graph, self.circuit)
        said = {"way": self._random.way, "drawn": self._random.described, "connected": str(found)}
        if not self._gaps:
            return said
        distinct = dict(zip(map(frozenset, self._drawn[:FOR_P_VALUE]), self._gaps, strict=False))
        closer = sum(gap <= self._gap for gap in distinct.values())
        return {
            **said,
            "circuits": len(self._gaps),
            "different": len(set(map(frozenset, self._drawn))),
            "at_least_as_close": sum(gap <= self._gap for gap in self._gaps),
            "p_value": (1 + closer) / (1 + len(distinct)),
            "p_value_of": len(distinct),
            "gap_of_circuit": self._gap,
            "gaps": list(self._gaps),
            "faithfulness_of_circuit": self._share,
            "faithfulness": list(self._shares),
        }

    def _gated(self, gate: Decision) -> Decision | None:
        """Return UNDEFINED where the behaviour is not there; None where it is."""
        if gate.verdict is Verdict.SUPPORTED:
            return None
        measured = (
            "the whole model's read-out less that of everything ablated is "
            f"{gate.estimate:.3g} on average"
        )
        if gate.verdict is Verdict.REFUTED:
            reason = Reason.BEHAVIOUR_ABSENT
            sentence = f"There is no behaviour to explain: {measured}, not above 0."
        else:
            reason = Reason.DENOMINATOR_UNCLEAR
            sentence = (
                f"It is not clear that there is a behaviour to explain: {measured} "
                f"after {gate.n} prompts."
            )
        return self._judge.decision().undefined(reason, sentence)


def _share(part: Array, model: Array, empty: Array) -> float | None:
    """Return (part - empty) / (model - empty) of means; None where nothing is divided by."""
    whole = float((model - empty).mean())
    if abs(whole) <= ROUNDING * max(1.0, float(np.abs(model).max())):
        return None
    return float((part - empty).mean()) / whole
