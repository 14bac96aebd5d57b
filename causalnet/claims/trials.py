"""One claim on trial: what it needs to be measured, and the judge that decides it.

All claims of a file are fed from the same forwards: a trial says which parts it wants on the next
prompts, and wants nothing more once its judge has settled.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.conventions import is_rate
from causalnet.claims.effects import name_of
from causalnet.claims.running_means import RunningMeans
from causalnet.claims.schema import (
    BetterThanRandomClaim,
    Claim,
    ClaimFile,
    EffectClaim,
    ExistsClaim,
    FaithfulClaim,
    NecessaryClaim,
)
from causalnet.errors import InternalError
from causalnet.faithfulness import Member, Regime, Wanted, partly
from causalnet.graphs import Mediator
from causalnet.interventions import Query
from causalnet.statistics import (
    Decision,
    MeanJudge,
    RatioJudge,
    Reason,
    Verdict,
    WinJudge,
    sample_like,
)

__all__ = ["GATE_ALPHA", "Gate", "RandomTrial", "Scores", "Trial", "trial_of"]

Array = NDArray[np.float64]
Scores = Mapping[Wanted, Array]
"""A read-out on the prompts of one batch, [n], by part and circuit."""

GATE_ALPHA = 0.005
"""Probability of taking a behaviour for present that is not."""

WHOLE: Wanted = (Regime.MODEL, ())
EMPTY: Wanted = (Regime.EMPTY, ())


class Trial(Protocol):
    """A claim and the judge that decides it."""

    claim: Claim
    circuit: tuple[Member, ...]

    def wants(self) -> tuple[Wanted, ...]:
        """Return the parts that the next prompts are to be run through; none once settled."""

    def take(self, scores: Scores) -> None:
        """Take in one batch; scores hold at least what was wanted."""

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs, over the prompts that were taken in: what explains the verdict."""


JudgeT = TypeVar("JudgeT", bound=MeanJudge | RatioJudge | WinJudge)


class _OfPrompts(Generic[JudgeT]):
    """A claim about means over prompts: its judge, and the mean read-outs that it prints."""

    def __init__(self, claim: Claim, circuit: tuple[Member, ...], judge: JudgeT) -> None:
        """Start without prompts."""
        self.claim, self.circuit = claim, circuit
        self._judge = judge
        self._means = RunningMeans()

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._judge.is_settled

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        return self._judge.decision()

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs of the parts, over the prompts that were taken in."""
        return self._means.means()


@final
class ExistsTrial(_OfPrompts[MeanJudge | WinJudge]):
    """The mean read-out of the whole model against a threshold."""

    def __init__(self, claim: ExistsClaim, file: ClaimFile) -> None:
        """Start without prompts; rates are judged exactly, other means by their spread."""
        name = f"The model's mean {file.readout.replace('_', ' ')}"
        judge = (
            WinJudge(
                claim.threshold,
                file.alpha,
                claim.direction,
                quantity="The model's accuracy",
                units="prompts",
            )
            if is_rate(file, claim)
            else MeanJudge(claim.threshold, claim.direction, file.alpha, quantity=name)
        )
        super().__init__(claim, (), judge)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model."""
        return () if self._judge.is_settled else (WHOLE,)

    def take(self, scores: Scores) -> None:
        """Take in one batch."""
        if self.wants():
            self._judge.add(scores[WHOLE])
            self._means.add(model=scores[WHOLE])


@final
class EffectTrial(_OfPrompts[MeanJudge | RatioJudge]):
    """The mean of an effect, or a ratio of means where the query is one, against a threshold."""

    def __init__(self, claim: EffectClaim, file: ClaimFile, query: Query) -> None:
        """Start without prompts."""
        self._effect = query.contrasts[0][1]
        self._divisor, self._given = query.denominator, query.given
        name = name_of(query)
        judge = (
            MeanJudge(claim.threshold, claim.direction, file.alpha, quantity=name)
            if self._divisor is None
            else RatioJudge(
                claim.threshold,
                claim.direction,
                file.alpha,
                GATE_ALPHA / 2,  # what it is divided by may have either sign
                quantity=name,
            )
        )
        self._sign = 0.0
        super().__init__(claim, query.treated[0], judge)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the effect, and what it is divided by or conditioned on."""
        if self._judge.is_settled:
            return ()
        others = (scalar for scalar in (self._divisor, self._given) if scalar is not None)
        return (self._effect, *others)

    def take(self, scores: Scores) -> None:
        """Take in one batch; prompts outside the condition do not count."""
        if not self.wants():
            return
        effect = scores[self._effect]
        counted = np.ones(len(effect), dtype=bool)
        if self._given is not None:
            counted = scores[self._given] > 0
        if not counted.any():
            return
        columns = {"effect": effect[counted]}
        if isinstance(self._judge, RatioJudge) and self._divisor is not None:
            columns["divided_by"] = scores[self._divisor][counted]
            # The first prompts decide which sign; a ratio is the same with both signs turned.
            self._sign = self._sign or (-1.0 if columns["divided_by"].sum() < 0 else 1.0)
            self._judge.add(*(self._sign * column for column in columns.values()))
        elif isinstance(self._judge, MeanJudge):
            self._judge.add(columns["effect"])
        self._means.add(**columns)


@final
class RatioTrial(_OfPrompts[RatioJudge]):
    """Faithfulness (C - E) / (M - E), or necessity (M - K) / (M - E), against a threshold."""

    def __init__(
        self,
        claim: FaithfulClaim | NecessaryClaim,
        file: ClaimFile,
        circuit: tuple[Member, ...],
        universe: Sequence[Member],
    ) -> None:
        """Start without prompts; of a partial ablation the draws are averaged."""
        self._is_faithful = isinstance(claim, FaithfulClaim)
        regime = Regime.KEPT if self._is_faithful else Regime.KNOCKED_OUT
        drawn = claim.by_chance
        self._parts: list[Wanted] = (
            [(regime, circuit)]
            if drawn is None
            else partly(regime, circuit, universe, drawn.probability, drawn.draws, drawn.seed)
        )
        self._sign = sign_of(file)
        judge = RatioJudge(
            claim.threshold,
            claim.direction,
            file.alpha,
            GATE_ALPHA,
            quantity="Faithfulness" if self._is_faithful else "Necessity",
        )
        super().__init__(claim, circuit, judge)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model, everything ablated, and the circuit kept or knocked out."""
        return () if self._judge.is_settled else (WHOLE, EMPTY, *self._parts)

    def take(self, scores: Scores) -> None:
        """Take in one batch."""
        if not self.wants():
            return
        mean = np.asarray(np.mean([scores[one] for one in self._parts], axis=0))
        model, empty = (self._sign * scores[one] for one in (WHOLE, EMPTY))
        part = self._sign * mean
        self._judge.add(part - empty if self._is_faithful else model - part, model - empty)
        name = "circuit_alone" if self._is_faithful else "circuit_knocked_out"
        raw = {name: mean}
        self._means.add(model=scores[WHOLE], everything_ablated=scores[EMPTY], **raw)


@final
class Gate:
    """Whether the behaviour is there at all: the mean of M - E is above 0."""

    def __init__(self, file: ClaimFile) -> None:
        """Start without prompts."""
        self._sign = sign_of(file)
        self._judge = MeanJudge(0.0, "at_least", GATE_ALPHA)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model and everything ablated, until that is known."""
        return () if self._judge.is_settled else (WHOLE, EMPTY)

    def take(self, scores: Scores) -> None:
        """Take in one batch."""
        if self.wants():
            self._judge.add(self._sign * (scores[WHOLE] - scores[EMPTY]))

    def decision(self) -> Decision:
        """Give the verdict on "the behaviour is there"."""
        return self._judge.decision()


@final
class RandomTrial:
    """Wins of the circuit against random circuits with as many members in every layer.

    A win is a smaller mean absolute gap to the whole model on the same prompts.
    """

    GROUP = 8  # random circuits for each look: they share the forward of the source prompts

    def __init__(
        self,
        claim: BetterThanRandomClaim,
        file: ClaimFile,
        circuit: tuple[Member, ...],
        universe: Sequence[Member],
        seed: Sequence[int],
    ) -> None:
        """Start without circuits."""
        self.claim: Claim = claim
        self.settings, self.circuit = claim, circuit
        self._groups: dict[tuple[int | None, str], list[Member]] = {}
        for member in universe:
            self._groups.setdefault(_alike(member), []).append(member)
        self._rng = np.random.default_rng(list(seed))
        self._judge = WinJudge(claim.fraction, file.alpha)
        self._drawn = 0
        self._model = self._alone = self._gap = math.nan
        self._gaps: list[float] = []

    def wants(self) -> tuple[Wanted, ...]:
        """Return nothing: random circuits are compared on a fixed set of prompts, afterwards."""
        return ()

    def take(self, scores: Scores) -> None:
        """Take in nothing."""

    def rounds(self) -> Iterator[tuple[tuple[Wanted, ...], tuple[Wanted, ...]]]:
        """Yield what each look wants, and which of it are rivals; `judge` takes the scores."""
        while not self._judge.is_settled and self._drawn < self.settings.max_circuits:
            count = min(self.GROUP, self.settings.max_circuits - self._drawn)
            drawn = [sample_like(self.circuit, self._groups, self._rng) for _ in range(count)]
            self._drawn += count
            first: tuple[Wanted, ...] = (
                (WHOLE, (Regime.KEPT, self.circuit)) if self._drawn == count else ()
            )
            rivals: tuple[Wanted, ...] = tuple((Regime.KEPT, one) for one in drawn)
            yield (*first, *rivals), rivals

    def judge(self, scores: Scores, rivals: Sequence[Wanted]) -> None:
        """Compare the circuit with random ones, all on the same prompts.

        Args:
            scores: The whole model, the circuit and its rivals.
            rivals: Which of the scores are rivals.
        """
        model = scores[WHOLE]
        if not self._gaps:
            own = scores[Regime.KEPT, self.circuit]
            self._model, self._alone = float(model.mean()), float(own.mean())
            self._gap = float(np.abs(own - model).mean())
        for rival in rivals:
            if not self._judge.is_settled:
                self._gaps.append(float(np.abs(scores[rival] - model).mean()))
                self._judge.add([self._gap < self._gaps[-1]])

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._judge.is_settled

    def decision(self) -> Decision:
        """Give the verdict as if no further circuit came."""
        return self._judge.decision()

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

    def gated(self, gate: Decision) -> Decision | None:
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


def _alike(member: Member) -> tuple[int | None, str]:
    """Return what random circuits have as many of: layer and kind, at both ends of an edge."""
    if isinstance(member, Mediator):
        return member.layer, member.kind.value
    return None, _INDEX.sub(r"\1", f"{member.sender} -> {member.receiver}")


_INDEX = re.compile(r"\b(H|KV)\d+")


def sign_of(file: ClaimFile) -> float:
    """Return -1 for read-outs that are better when smaller, so that behaviour is above 0."""
    return -1.0 if file.readout in ("kl", "loss") else 1.0


def trial_of(
    claim: Claim,
    file: ClaimFile,
    circuit: tuple[Member, ...],
    universe: Sequence[Member],
    seed: Sequence[int],
    query: Query | None = None,
) -> Trial:
    """Return the trial of a claim.

    Args:
        claim: The claim.
        file: Its file: read-out and alpha.
        circuit: The claim's circuit.
        universe: Everything that can be ablated.
        seed: Where random circuits come from.
        query: For an effect, the query that its text means.
    """
    match claim:
        case ExistsClaim():
            return ExistsTrial(claim, file)
        case EffectClaim():
            if query is None:
                raise InternalError(f"The effect {claim.id} was not read.")
            return EffectTrial(claim, file, query)
        case FaithfulClaim() | NecessaryClaim():
            return RatioTrial(claim, file, circuit, universe)
        case BetterThanRandomClaim():
            return RandomTrial(claim, file, circuit, universe, seed)
