"""What is asked of a causal graph.

| query | what | example of its text |
|---|---|---|
| `Effect` | outcomes where treatments are set, among some units | `P(y, w)`, given `do(x), z` |
| `Counterfactual` | what happens in several worlds | `P(y{x}, m{x'})` |
| `PathSpecific` | treatments act along some edges only | `do(x along X -> M, M -> Y; x')` |
| `Mediation` | a contrast of nested counterfactuals | `nde(x, x' -> y; via M)` |
| `Causation` | probability of necessity, of sufficiency, of both | `pns(x, x' -> y, y')` |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never, final

from causalnet.errors import TermError
from causalnet.graphs.edge_lists import Edge
from causalnet.identification.potentials import Fact, Potential, check_all
from causalnet.identification.values import Value, quoted_name

__all__ = [
    "Causation",
    "Contrasted",
    "Counterfactual",
    "Effect",
    "Fact",
    "Mediation",
    "PathSpecific",
    "Potential",
    "Probability",
    "Question",
    "values_in",
    "variables_in",
]

Contrasted: TypeAlias = Literal["TE", "CDE", "NDE", "NIE"]
Probability: TypeAlias = Literal["PN", "PS", "PNS"]


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """P(outcomes | do(treatments), given).

    Attributes:
        outcomes: Values of the outcomes; at least one.
        treatments: Values to which variables are set.
        given: Values on which one conditions, in the world of the intervention.

    Raises:
        TermError: No outcome, or a variable in two roles.

    >>> from causalnet.identification.values import symbol
    >>> print(Effect((symbol("Y"),), (symbol("X"),), (symbol("Z"),)))
    P(y | do(x), z)
    """

    outcomes: tuple[Value, ...]
    treatments: tuple[Value, ...] = ()
    given: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        """Check that each variable has one role."""
        check_all(Value, self.outcomes, self.treatments, self.given)
        if not self.outcomes:
            raise TermError("The query has no outcome.", "There is at least one.", "Write P(y).")
        check_roles(outcome=self.outcomes, treatment=self.treatments, condition=self.given)

    def __str__(self) -> str:
        """Return the query as text that parses back."""
        do = [f"do({_listed(self.treatments)})"] if self.treatments else []
        behind = ", ".join([*do, *map(str, self.given)])
        return f"P({_listed(self.outcomes)}{f' | {behind}' if behind else ''})"


@final
@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The probability of facts in several worlds, given facts in others.

    Attributes:
        facts: What happens; at least one.
        given: What is known to happen.

    >>> from causalnet.identification.values import symbol
    >>> treated = Fact(Potential("X"), symbol("X", 1))
    >>> cured = Fact(Potential.of("Y", {"X": symbol("X")}), symbol("Y"))
    >>> print(Counterfactual((cured,), (treated,)))
    P(y{x} | x')
    """

    facts: tuple[Fact, ...]
    given: tuple[Fact, ...] = ()

    def __post_init__(self) -> None:
        """Check that something is asked."""
        check_all(Fact, self.facts, self.given)
        if not self.facts:
            raise TermError("The query has no event.", "There is at least one.", "Write P(y{x}).")

    def __str__(self) -> str:
        """Return the query as text that parses back."""
        behind = f" | {_listed(self.given)}" if self.given else ""
        return f"P({_listed(self.facts)}{behind})"


@final
@dataclass(frozen=True, slots=True)
class PathSpecific:
    """Outcomes where treatments have one value along some edges and another along the rest.

    A node reads active values along active edges and its baseline along others, so that the paths
    that use active edges only carry the treatment.

    Attributes:
        outcomes: Values of the outcomes.
        active: The treatments' values along active edges.
        baseline: Their values along the others; of the same variables, in the same order.
        edges: The active edges.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> print(PathSpecific((y,), (x,), (symbol("X", 1),), (("X", "M"), ("M", "Y"))))
    P(y | do(x along X -> M, M -> Y; x'))
    """

    outcomes: tuple[Value, ...]
    active: tuple[Value, ...]
    baseline: tuple[Value, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        """Check the roles, and that each treatment has two values."""
        check_all(Value, self.outcomes, self.active, self.baseline)
        check_all(tuple, self.edges)
        check_roles(outcome=self.outcomes, treatment=self.active)
        if [v.variable for v in self.active] != [v.variable for v in self.baseline]:
            raise TermError(
                f"The active values {_listed(self.active)} and the baselines "
                f"{_listed(self.baseline)} are not of the same variables.",
                "Each treatment has one of either.",
                "Write P(y | do(x along X -> M -> Y; x')).",
            )
        if not self.outcomes or not self.active:
            raise TermError(
                "The query has no outcome or no treatment.",
                "It has both.",
                "Write P(y | do(x along X -> M -> Y; x')).",
            )

    def __str__(self) -> str:
        """Return the query as text that parses back."""
        edges = ", ".join(f"{quoted_name(a)} -> {quoted_name(b)}" for a, b in self.edges)
        active, baseline = _listed(self.active), _listed(self.baseline)
        return f"P({_listed(self.outcomes)} | do({active} along {edges or 'no edge'}; {baseline}))"


@final
@dataclass(frozen=True, slots=True)
class Mediation:
    """A contrast of what happens to outcomes, with mediators held or left to follow.

    | kind | what is subtracted |
    |---|---|
    | TE | P(y{x}) - P(y{x'}) |
    | CDE | P(y{x, m}) - P(y{x', m}) |
    | NDE | P(y{x, M{x'}}) - P(y{x'}) |
    | NIE | P(y{x', M{x}}) - P(y{x'}) |

    Pearl (2001), "Direct and indirect effects".

    Attributes:
        kind: One of these.
        outcomes: Values of the outcomes.
        active: Values of the treatments.
        baseline: The values with which they are compared; of the same variables.
        mediators: The mediators, taken together; none for TE.
        held: For CDE the values at which they are held.
    """

    kind: Contrasted
    outcomes: tuple[Value, ...]
    active: tuple[Value, ...]
    baseline: tuple[Value, ...]
    mediators: tuple[str, ...] = ()
    held: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        """Check the roles."""
        check_all(Value, self.outcomes, self.active, self.baseline, self.held)
        check_all(str, self.mediators)
        mediators = tuple(Value(name, "") for name in self.mediators)
        check_roles(outcome=self.outcomes, treatment=self.active, mediator=mediators)
        if [v.variable for v in self.active] != [v.variable for v in self.baseline]:
            raise TermError(
                f"{_listed(self.active)} and {_listed(self.baseline)} are not of the same "
                "variables.",
                "Each treatment has a value and a baseline.",
                "Write te(x, x' -> y).",
            )
        if not self.outcomes or not self.active:
            raise TermError(
                f"{self.kind} has no outcome or no treatment.",
                "It has both.",
                "Write te(X -> Y) or nde(X -> Y; via M).",
            )
        if bool(self.mediators) == (self.kind == "TE"):
            possible = "TE has none" if self.kind == "TE" else "There is at least one"
            raise TermError(
                f"{self.kind} with {len(self.mediators)} mediators.", f"{possible}.",
                "Write nde(X -> Y; via M), cde(X -> Y; m) or te(X -> Y).",
            )  # fmt: skip
        held = tuple(value.variable for value in self.held)
        if held != (self.mediators if self.kind == "CDE" else ()):
            raise TermError(
                f"{self.kind} holds {_listed(self.held) or 'nothing'}.",
                "CDE holds each mediator at a value; the others hold none.",
                "Write cde(X -> Y; M=m) or nde(X -> Y; via M).",
            )

    def terms(self) -> tuple[Counterfactual, Counterfactual]:
        """Return the two probabilities whose difference it is.

        >>> from causalnet.identification.values import symbol
        >>> x, other, y = symbol("X"), symbol("X", 1), symbol("Y")
        >>> print(*Mediation("NIE", (y,), (x,), (other,), ("M",)).terms(), sep=" - ")
        P(y{M{x}, x'}) - P(y{x'})
        """
        active, baseline, held = (
            {value.variable: value for value in part}
            for part in (self.active, self.baseline, self.held)
        )
        match self.kind:
            case "TE":
                return self._in(active), self._in(baseline)
            case "CDE":
                return self._in({**active, **held}), self._in({**baseline, **held})
            case "NDE":
                return self._in({**active, **self._natural(baseline)}), self._in(baseline)
            case "NIE":
                return self._in({**baseline, **self._natural(active)}), self._in(baseline)
            case _:
                assert_never(self.kind)

    def _in(self, do: Mapping[str, Value | Potential]) -> Counterfactual:
        """Return the probability of the outcomes in a world."""
        return Counterfactual(tuple(Fact(Potential.of(y.variable, do), y) for y in self.outcomes))

    def _natural(self, do: Mapping[str, Value]) -> dict[str, Potential]:
        """Return the mediators, each as it is in a world."""
        return {name: Potential.of(name, do) for name in self.mediators}

    def __str__(self) -> str:
        """Return the query as text that parses back."""
        head = f"{_listed(self.active)}, {_listed(self.baseline)} -> {_listed(self.outcomes)}"
        via = f"; via {', '.join(map(quoted_name, self.mediators))}" if self.mediators else ""
        return f"{self.kind.lower()}({head}{f'; {_listed(self.held)}' if self.held else via})"


@final
@dataclass(frozen=True, slots=True)
class Causation:
    """How probable it is that a treatment was needed, or would do.

    | kind | what |
    |---|---|
    | PN | P(y'{x'} given x, y) |
    | PS | P(y{x} given x', y') |
    | PNS | P(y{x}, y'{x'}) |

    Pearl (1999), "Probabilities of causation"; Tian and Pearl (2000) for bounds.

    Attributes:
        kind: One of these.
        outcome: The value y.
        treatment: The value x.
        contrary: The outcome's other value, y'.
        baseline: The treatment's other value, x'.
    """

    kind: Probability
    outcome: Value
    treatment: Value
    contrary: Value
    baseline: Value

    def __post_init__(self) -> None:
        """Check the roles."""
        check_all(Value, (self.outcome, self.treatment, self.contrary, self.baseline))
        check_roles(outcome=(self.outcome,), treatment=(self.treatment,))
        for one, other in ((self.outcome, self.contrary), (self.treatment, self.baseline)):
            if one.variable != other.variable or one == other:
                raise TermError(
                    f"{one} and {other} are not two values of one variable.",
                    "A probability of causation compares two values.",
                    "Write pns(x, x' -> y, y').",
                )

    def counterfactual(self) -> Counterfactual:
        """Return the query that it stands for."""
        x = self.treatment.variable
        y = self.outcome.variable
        treated = Fact(Potential.of(y, {x: self.treatment}), self.outcome)
        spared = Fact(Potential.of(y, {x: self.baseline}), self.contrary)
        match self.kind:
            case "PN":
                given = (Fact(Potential(x), self.treatment), Fact(Potential(y), self.outcome))
                return Counterfactual((spared,), given)
            case "PS":
                given = (Fact(Potential(x), self.baseline), Fact(Potential(y), self.contrary))
                return Counterfactual((treated,), given)
            case "PNS":
                return Counterfactual((treated, spared))

    def __str__(self) -> str:
        """Return the query as text that parses back."""
        return (
            f"{self.kind.lower()}({self.treatment}, {self.baseline} -> "
            f"{self.outcome}, {self.contrary})"
        )


Question: TypeAlias = Effect | Counterfactual | PathSpecific | Mediation | Causation


def values_in(question: Question) -> tuple[Value, ...]:
    """Return the values that a question names, each once.

    >>> from causalnet.identification.values import symbol
    >>> values_in(Mediation("NDE", (symbol("Y"),), (symbol("X"),), (symbol("X", 1),), ("M",)))
    (Value(variable='Y', name='y'), Value(variable='X', name='x'), Value(variable='X', name="x'"))
    """
    match question:
        case Effect(outcomes, treatments, given):
            found = [*outcomes, *treatments, *given]
        case Counterfactual(facts, given_facts):
            found = [value for fact in (*facts, *given_facts) for value in _values_of(fact)]
        case PathSpecific(outcomes, active, baseline, _):
            found = [*outcomes, *active, *baseline]
        case Mediation(_, outcomes, active, baseline, _, held):
            found = [*outcomes, *active, *baseline, *held]
        case Causation(_, outcome, treatment, contrary, spared):
            found = [outcome, treatment, contrary, spared]
        case _:
            assert_never(question)
    return tuple(dict.fromkeys(found))


def variables_in(question: Question) -> frozenset[str]:
    """Return the variables that a question names.

    >>> from causalnet.identification.values import symbol
    >>> m = Potential.of("M", {"X": symbol("X", 1)})
    >>> nested = Fact(Potential.of("Y", {"M": m}), symbol("Y"))
    >>> sorted(variables_in(Counterfactual((nested,))))
    ['M', 'X', 'Y']
    """
    found = {value.variable for value in values_in(question)}
    match question:
        case Counterfactual(facts, given):
            found.update(each.variable for fact in (*facts, *given) for each in _worlds_of(fact))
        case PathSpecific(_, _, _, edges):
            found.update(node for edge in edges for node in edge)
        case Mediation(_, _, _, _, mediators, _):
            found.update(mediators)
        case Effect() | Causation():
            pass
        case _:
            assert_never(question)
    return frozenset(found)


def _values_of(fact: Fact) -> list[Value]:
    inside = [value for each in _worlds_of(fact) for _, value in each.do]
    return [fact.value, *(value for value in inside if isinstance(value, Value))]


def _worlds_of(fact: Fact) -> list[Potential]:
    """Return the counterfactual variables that a fact is made of."""
    found, waiting = list[Potential](), [fact.potential]
    while waiting:
        found.append(waiting.pop())
        waiting += [value for _, value in found[-1].do if isinstance(value, Potential)]
    return found


def check_roles(**roles: tuple[Value, ...]) -> None:
    """Refuse a variable that is there twice.

    Raises:
        TermError: The variable, and its roles.
    """
    seen: dict[str, str] = {}
    for role, values in roles.items():
        for value in values:
            if seen.get(value.variable) == role:
                raise TermError(
                    f"{value.variable!r} has two values as {_article(role)}.",
                    "A variable has one role, with one value.",
                    "Leave one of them out.",
                )
            if value.variable in seen:
                raise TermError(
                    f"{value.variable!r} is {_article(seen[value.variable])} and "
                    f"{_article(role)} at once.",
                    "A variable has one role, once.",
                    "Leave it out of one of them.",
                )
            seen[value.variable] = role


def _article(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"


def _listed(values: Iterable[Value | Fact]) -> str:
    return ", ".join(map(str, values))
