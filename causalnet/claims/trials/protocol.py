"""One claim on trial: what it needs to be measured, and the judge that decides it.

All claims of a file are fed from the same forwards: a trial says which parts it wants on the next
prompts, and wants nothing more once its judge has settled.  What else it needs, before or after
the test prompts, it asks of its context.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, final

from causalnet.claims.hearing import Hearing, Scores
from causalnet.claims.kinds import Claim
from causalnet.claims.running_means import RunningMeans
from causalnet.claims.schema import ClaimFile
from causalnet.claims.trials.judging import GATE_ALPHA, inside
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.interventions import Query
from causalnet.statistics import BoundedJudge, Decision, MeanJudge, Reason, Verdict

__all__ = [
    "EMPTY",
    "GATE_ALPHA",
    "WHOLE",
    "Context",
    "Gate",
    "OfPrompts",
    "Trial",
    "TrialBase",
    "sign_of",
    "without_behaviour",
]

WHOLE: Wanted = (Regime.MODEL, ())
EMPTY: Wanted = (Regime.EMPTY, ())


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What a trial works with.

    Attributes:
        hearing: The prompts, the model, and whoever runs it.
        circuit: The claim's circuit.
        seed: Where the trial's chance comes from.
        query: For an effect, the query that its text means.
    """

    hearing: Hearing
    circuit: tuple[Member, ...]
    seed: tuple[int, ...]
    query: Query | None = None

    @property
    def file(self) -> ClaimFile:
        """The claim's file: read-out, ablation and alpha."""
        return self.hearing.file

    @property
    def universe(self) -> Sequence[Member]:
        """Everything that can be ablated."""
        return self.hearing.universe


class Trial(Protocol):
    """A claim and the judge that decides it."""

    @property
    def claim(self) -> Claim:
        """The claim."""

    @property
    def circuit(self) -> tuple[Member, ...]:
        """The circuit that it is about."""

    def prepare(self) -> None:
        """Do what comes before the test prompts, such as a search on the finding prompts."""

    def wants(self) -> tuple[Wanted, ...]:
        """Return the parts that the next prompts are to be run through; none once settled."""

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch; scores hold at least what was wanted."""

    def conclude(self) -> None:
        """Do what comes after the test prompts, such as comparing random circuits."""

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs, over the prompts that were taken in: what explains the verdict."""

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What else belongs to the verdict, as JSON values by name."""


class TrialBase:
    """A trial that needs nothing before and nothing after the test prompts."""

    def __init__(self, claim: Claim, context: Context) -> None:
        """Remember claim and circuit."""
        self.claim, self.context, self.circuit = claim, context, context.circuit

    def prepare(self) -> None:
        """Do nothing."""

    def wants(self) -> tuple[Wanted, ...]:
        """Want nothing."""
        return ()

    def take(self, scores: Scores, rows: range) -> None:
        """Take in nothing."""

    def conclude(self) -> None:
        """Do nothing."""

    @property
    def means(self) -> Mapping[str, float]:
        """None."""
        return {}

    @property
    def evidence(self) -> Mapping[str, Any]:
        """None."""
        return {}


class Judge(Protocol):
    """What decides a claim."""

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""


JudgeT = TypeVar("JudgeT", bound=Judge)


class OfPrompts(TrialBase, Generic[JudgeT]):
    """A claim about means over prompts: its judge, and the mean read-outs that it prints."""

    def __init__(self, claim: Claim, context: Context, judge: JudgeT) -> None:
        """Start without prompts."""
        super().__init__(claim, context)
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
class Gate:
    """Whether the behaviour is there at all: the mean of M - E is above 0."""

    def __init__(self, file: ClaimFile) -> None:
        """Start without prompts."""
        self._sign = sign_of(file)
        self._file = file
        self._judge: MeanJudge | BoundedJudge = MeanJudge(0.0, "at_least", GATE_ALPHA)
        if file.range is not None:
            width = file.range[1] - file.range[0]
            self._judge = BoundedJudge(0.0, "at_least", GATE_ALPHA, -width, width)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model and everything ablated, until that is known."""
        return () if self._judge.is_settled else (WHOLE, EMPTY)

    def take(self, scores: Scores) -> None:
        """Take in one batch."""
        if self.wants():
            whole, empty = (inside(scores[one], self._file)[0] for one in (WHOLE, EMPTY))
            self._judge.add(self._sign * (whole - empty))

    def decision(self) -> Decision:
        """Give the verdict on "the behaviour is there"."""
        return self._judge.decision()


def without_behaviour(
    decision: Decision, gate: Decision, behaviour: str = "a behaviour to take shares of"
) -> Decision:
    """Return a decision as UNDEFINED, with the figure of what there is.

    Args:
        decision: What was to be decided.
        gate: The verdict on "the behaviour is there"; anything but SUPPORTED.
        behaviour: What is not there, in words.
    """
    is_absent = gate.verdict is Verdict.REFUTED
    what = "There is no" if is_absent else "It is not clear that there is"
    named = behaviour.removeprefix("a ") if is_absent else behaviour
    return decision.undefined(
        Reason.BEHAVIOUR_ABSENT if is_absent else Reason.DENOMINATOR_UNCLEAR,
        f"{what} {named}: the whole model's read-out less that of everything ablated is "
        f"{gate.estimate:.3g} on average after {gate.n} prompts.",
    )


def sign_of(file: ClaimFile) -> float:
    """Return -1 for read-outs that are better when smaller, so that behaviour is above 0."""
    return -1.0 if file.readout in ("kl", "loss") else 1.0
