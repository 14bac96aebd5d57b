"""Answers, and what they rest on.

| answer | evidence |
|---|---|
| `Identified` | an estimand, the steps that lead to it, and whether numbers agreed |
| `NotIdentified` | a witness that was validated: hedge, thicket, recanting district, ... |
| `Bounds` | expressions below and above the answer |

| witness | against | source |
|---|---|---|
| `Hedge` | P(V) | Shpitser and Pearl (2006) |
| `Thicket` | several experiments, or domains | Lee, Correa and Bareinboim (2019) |
| `InconsistentFactor` | all experiments | Correa, Lee and Bareinboim (2021) |
| `RecantingDistrict` | all experiments | Shpitser (2013) |
"""

from dataclasses import dataclass
from typing import TypeAlias, final

from causalnet.graphs.admg import ADMG
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.expressions import Expression
from causalnet.identification.queries import Question
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value

__all__ = [
    "NOT_CHECKED",
    "Answer",
    "Bounds",
    "Check",
    "Derivation",
    "Hedge",
    "Identified",
    "InconsistentFactor",
    "NotIdentified",
    "Step",
    "Thicket",
    "Witness",
]


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One step of a derivation.

    Attributes:
        rule: What was applied, with its source: `ID, line 4`.
        because: Why it may be.
        result: The expression after it, or what the query became, as text.
    """

    rule: str
    because: str
    result: str

    def __str__(self) -> str:
        """Return the step in one line."""
        return f"{self.result}  [{self.rule}: {self.because}]"


@final
@dataclass(frozen=True, slots=True)
class Derivation:
    """The steps from a query to its estimand.

    Attributes:
        steps: In order.
    """

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        """Return one line for each step."""
        return "\n".join(f"{at}. {step}" for at, step in enumerate(self.steps, start=1))


@final
@dataclass(frozen=True, slots=True)
class Check:
    """Whether an estimand was compared with enumeration in random models.

    Attributes:
        models: In how many; 0 if it was not compared.
        worst: The largest difference, absolute.
        reason: Why it was not compared, or in fewer models than were wanted; "" else.
    """

    models: int
    worst: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        """Return the check in one line."""
        if not self.models:
            return f"not verified numerically: {self.reason}"
        models = "1 random model" if self.models == 1 else f"{self.models} random models"
        stopped = f" ({self.reason})" if self.reason else ""
        return f"verified on {models}: largest difference {self.worst:.1e}{stopped}"


NOT_CHECKED = Check(0, reason="it was not asked for")


@final
@dataclass(frozen=True, slots=True)
class Hedge:
    """Two sets of nodes for which two models agree on all that is observed, and not on the effect.

    Both are connected by bidirected edges, every node of either is an ancestor of the roots within
    it, and the larger one holds treatments while the smaller does not.

    Attributes:
        outer: The larger one, F.
        inner: The smaller one, F'.
        roots: Nodes of the smaller one without children in it, R.
    """

    outer: frozenset[str]
    inner: frozenset[str]
    roots: frozenset[str]

    def __str__(self) -> str:
        """Return the hedge in one line."""
        return (
            f"hedge {_braced(self.outer)} over {_braced(self.inner)}, roots {_braced(self.roots)}"
        )


@final
@dataclass(frozen=True, slots=True)
class Thicket:
    """For one factor of the query a hedge in every distribution that is known.

    Attributes:
        factor: The nodes of the factor.
        hedges: For each distribution what is in the way there: a hedge, or nodes of the factor
            that the experiment sets or whose mechanism differs in the domain.
    """

    factor: frozenset[str]
    hedges: tuple[tuple[Distribution, Hedge | frozenset[str]], ...]

    def __str__(self) -> str:
        """Return one line for each distribution."""
        lines = [f"thicket of {_braced(self.factor)}:"]
        for known, found in self.hedges:
            told = found if isinstance(found, Hedge) else f"{_braced(found)} is set or differs"
            lines.append(f"  {known}: {told}")
        return "\n".join(lines)


@final
@dataclass(frozen=True, slots=True)
class InconsistentFactor:
    """A district in which a variable has two values at once: no experiment can tell.

    Attributes:
        district: The variables of the factor.
        variable: The one with two values.
        values: The two.
    """

    district: frozenset[str]
    variable: str
    values: tuple[Value, Value]

    def __str__(self) -> str:
        """Return the conflict in one line."""
        one, other = self.values
        return (
            f"inconsistent factor {_braced(self.district)}: {self.variable} is {one} and {other} "
            "in one district"
        )


Witness: TypeAlias = Hedge | Thicket | InconsistentFactor | RecantingDistrict


@final
@dataclass(frozen=True, slots=True)
class Identified:
    """A formula that is right in every model of the graph.

    Attributes:
        query: What was asked.
        graph: Of what.
        estimand: The formula, in terms of the sources.
        derivation: How it was found.
        sources: What is known.
        check: Whether numbers agreed.
        notes: What a reader must know, such as free values.
    """

    query: Question
    graph: ADMG
    estimand: Expression
    derivation: Derivation
    sources: Sources = OBSERVED
    check: Check = NOT_CHECKED
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return verdict, formula, check and derivation."""
        lines = [f"{self.query} is identified:", f"  {self.estimand}", str(self.check)]
        return "\n".join([*lines, *self.notes, str(self.derivation)]).rstrip()

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        return _html_of(self)


@final
@dataclass(frozen=True, slots=True)
class NotIdentified:
    """No formula is right in every model of the graph.

    Attributes:
        query: What was asked.
        graph: Of what.
        witness: Why; it has been validated.
        sources: What is known.
        notes: What a reader must know, such as whether all experiments together would do.
        bounds: For an effect, what holds in every model all the same.
    """

    query: Question
    graph: ADMG
    witness: Witness
    sources: Sources = OBSERVED
    notes: tuple[str, ...] = ()
    bounds: "Bounds | None" = None

    def __str__(self) -> str:
        """Return verdict and witness."""
        lines = [f"{self.query} is not identified from {self.sources}:", f"  {self.witness}"]
        if self.bounds is not None:
            lines += [f"  at least {each}" for each in self.bounds.lower]
            lines += [f"  at most {each}" for each in self.bounds.upper]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        return _html_of(self)


@final
@dataclass(frozen=True, slots=True)
class Bounds:
    """Formulas between which the answer lies.

    Attributes:
        query: What was asked.
        graph: Of what.
        lower: The answer is at least the largest of these.
        upper: The answer is at most the smallest of these.
        sources: What is known.
        reason: Why there is no formula.
        notes: What a reader must know, such as whether the bounds are sharp.
    """

    query: Question
    graph: ADMG
    lower: tuple[Expression, ...]
    upper: tuple[Expression, ...]
    sources: Sources = OBSERVED
    reason: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return verdict, bounds and reason."""
        lines = [f"{self.query} is bounded:"]
        lines += [f"  at least {each}" for each in self.lower]
        lines += [f"  at most {each}" for each in self.upper]
        return "\n".join([*lines, *([self.reason] if self.reason else []), *self.notes])

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        return _html_of(self)


Answer: TypeAlias = Identified | NotIdentified | Bounds


def _html_of(answer: Answer) -> str:
    from causalnet.identification.showing.notebook import answer_html

    return answer_html(answer)


def _braced(nodes: frozenset[str]) -> str:
    return f"{{{', '.join(sorted(nodes))}}}"
