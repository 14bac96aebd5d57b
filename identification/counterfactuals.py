"""Counterfactual probabilities, nested and conditional ones included: ID* and IDC*.

| algorithm | source |
|---|---|
| ID*, as ctf-ID | Shpitser and Pearl (2007, 2008); Correa, Lee and Bareinboim (2021); complete |
| IDC* | the same; by what a condition leaves of the query's ancestral components |

Lines of ID* and IDC* are those of Shpitser and Pearl (2008), "Complete identification methods for
the causal hierarchy".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from causalnet.errors import InternalError, TermError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.identification.ancestral_components import (
    Component,
    components_of,
    uncancelled,
)
from causalnet.identification.answers import (
    Derivation,
    Hedge,
    Identified,
    InconsistentFactor,
    NotIdentified,
    Step,
    Thicket,
)
from causalnet.identification.counterfactual_factors import (
    Atom,
    Conflict,
    Contradiction,
    Event,
    Factor,
    Numbers,
    named,
    settled,
    told,
)
from causalnet.identification.counterfactual_witnesses import inconsistent_factor_faults
from causalnet.identification.district_factors import (
    check_obstacle,
    from_experiments,
    known_factor,
)
from causalnet.identification.engine import Engine, Obstacle
from causalnet.identification.expressions import (
    ZERO,
    Expression,
    product,
    ratio,
    sum_over,
)
from causalnet.identification.queries import Counterfactual, Fact, Potential
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.unnesting import Copies, Input, plain
from causalnet.identification.values import Value

__all__ = ["ALL_EXPERIMENTS", "NO_EXPERIMENT", "has_same_probability", "identify_counterfactual"]

ALL_EXPERIMENTS = "identified from all experiments together: "
NO_EXPERIMENT = "not identified from all experiments together"


def identify_counterfactual(
    query: Counterfactual, graph: ADMG, sources: Sources = OBSERVED
) -> Identified | NotIdentified:
    """Return the probability of facts in several worlds from what is known, or why there is none.

    Different symbols of one variable are different values, as are different levels; a symbol and a
    level of one variable may go together as long as the answer does not turn on their being equal.
    An answer of "not identified" notes whether all experiments together would do.

    Args:
        query: What is asked.
        graph: Of what.
        sources: What is known; P(V) if not said.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        TermError: Conditions of probability 0; a query that turns on whether a symbol is a level.

    >>> from causalnet.identification.values import symbol
    >>> x, other, y = symbol("X"), symbol("X", 1), symbol("Y")
    >>> treated = Counterfactual(
    ...     (Fact(Potential.of("Y", {"X": x}), y),), (Fact(Potential("X"), other),)
    ... )
    >>> graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    >>> identify_counterfactual(treated, graph).estimand
    sum[z](P(z) * P(x'|z) * P(y|x,z)) / sum[z](P(z) * P(x'|z))
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(identify_counterfactual(treated, bow).witness)
    inconsistent factor {X, Y}: X is x' and x in one district
    """
    check_admg(graph)
    sources.check(graph)
    case = _Case.of(query, graph)
    if isinstance(case, Contradiction):
        step = Step(case.rule, case.because, "0")
        return Identified(query, graph, ZERO, Derivation((step,)), sources)
    conflict = case.conflict()
    if conflict is not None:  # ID*, line 8
        witness = case.witness(conflict)
        faults = inconsistent_factor_faults(witness, query, graph)
        if faults:
            raise InternalError(f"{witness} does not hold in {graph!r}: {'; '.join(faults)}.")
        return NotIdentified(query, graph, witness, sources, (NO_EXPERIMENT,))
    engine = Engine.of(graph, sources)
    parts = case.factors()
    found = {key: _found(engine, factor, values, case) for key, (factor, values) in parts.items()}
    for key, each in found.items():
        if isinstance(each, Hedge | Thicket):
            check_obstacle(each, graph, parts[key][0].district, sources)
            shown = {
                other: from_experiments(graph, factor.district, values)
                for other, (factor, values) in parts.items()
            }
            note = f"{ALL_EXPERIMENTS}{case.estimand(shown)}"
            return NotIdentified(query, graph, each, sources, (note,))
    known = {key: each for key, each in found.items() if not isinstance(each, Hedge | Thicket)}
    steps = (*case.steps(), *(_step(*parts[key], known[key], graph) for key in parts))
    return Identified(query, graph, case.estimand(known), Derivation(steps), sources)


def has_same_probability(one: Counterfactual, other: Counterfactual, graph: ADMG) -> bool:
    """Return whether two queries without conditions are one, as far as the axioms tell.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> graph = ADMG.of(directed=[("Y", "X")])
    >>> set_to = Counterfactual((Fact(Potential.of("Y", {"X": x}), y),))
    >>> has_same_probability(set_to, Counterfactual((Fact(Potential("Y"), y),)), graph)
    True
    """
    copies, numbers = Copies.of(graph), Numbers()
    first = settled(copies, _events(copies, one.facts), numbers)
    second = settled(copies, _events(copies, other.facts), numbers)
    if one.given or other.given:
        return False
    if isinstance(first, Contradiction) or isinstance(second, Contradiction):
        return isinstance(first, Contradiction) and isinstance(second, Contradiction)
    return set(first) == set(second)


@final
@dataclass(frozen=True, slots=True)
class _Case:
    """A query taken apart.

    Attributes:
        query: What is asked.
        graph: Of what.
        atoms: What happens, the conditions included, and all above it.
        over: The components of the numerator that do not cancel.
        under: Those of the denominator.
        used: The values that the query names.
    """

    query: Counterfactual
    graph: ADMG
    atoms: tuple[Atom, ...]
    over: tuple[Component, ...]
    under: tuple[Component, ...]
    used: frozenset[Value]

    @staticmethod
    def of(query: Counterfactual, graph: ADMG) -> "_Case | Contradiction":
        """Take a query apart, unless its facts cannot happen.

        Raises:
            TermError: Its conditions cannot happen.
        """
        copies, numbers = Copies.of(graph), Numbers()
        facts, given = _events(copies, query.facts), _events(copies, query.given)
        below = settled(copies, given, numbers)
        if isinstance(below, Contradiction):  # IDC*, line 1
            raise TermError(
                f"Conditioning on probability zero: {below.because}.",
                "Conditions are events that can happen together.",
                "Leave one of them out.",
            )
        atoms = settled(copies, [*facts, *given], numbers)
        if isinstance(atoms, Contradiction):  # IDC*, line 3
            return atoms
        sides = uncancelled(components_of(graph, atoms), components_of(graph, below))
        return _Case(query, graph, atoms, *sides, _values(query))

    def conflict(self) -> Conflict | None:
        """Return a district of what does not cancel that has two values of a variable."""
        parts = (each for part in (*self.over, *self.under) for each in part.factors)
        return next((each for each in parts if isinstance(each, Conflict)), None)

    def witness(self, conflict: Conflict) -> InconsistentFactor:
        """Return a conflict with symbols for what is summed over."""
        sides = (*self.over, *self.under)
        atoms = {atom.number: atom for part in sides for atom in part.atoms}
        names = named(atoms.values(), self.used)
        one, other = (names[each] if isinstance(each, int) else each for each in conflict.inputs)
        return InconsistentFactor(conflict.district, conflict.variable, (one, other))

    def _names(self, side: Sequence[Component]) -> dict[int, Value]:
        return named((atom for part in side for atom in part.atoms), self.used)

    def factors(self) -> "dict[_Key, tuple[Factor, Mapping[str, Value]]]":
        """Return the factors of both sides, each with its values, by where they are."""
        found: dict[_Key, tuple[Factor, Mapping[str, Value]]] = {}
        for side, parts in enumerate((self.over, self.under)):
            names = self._names(parts)
            for at, part in enumerate(parts):
                for place, factor in enumerate(part.factors):
                    assert isinstance(factor, Factor)  # conflicts were asked for before
                    values = {name: _value(each, names) for name, each in factor.values.items()}
                    found[side, at, place] = (factor, values)
        return found

    def estimand(self, found: "Mapping[_Key, Expression]") -> Expression:
        """Return the formula from the formulas of its factors (ID*, line 6; IDC*, line 5)."""
        sides = []
        for side, parts in enumerate((self.over, self.under)):
            names = self._names(parts)
            sums = []
            for at, part in enumerate(parts):
                body = product(found[side, at, place] for place in range(len(part.factors)))
                bound = [names[atom.number] for atom in part.atoms if atom.value is None]
                sums.append(sum_over(bound, body))
            sides.append(product(sums))
        return ratio(*sides)

    def steps(self) -> list[Step]:
        """Return the steps up to the factors."""
        names = named(self.atoms, self.used)
        because = "what happens and its ancestors, each once, at the values of its parents"
        steps = [Step("ID*, line 4", because, told(self.atoms, names))]
        if any(isinstance(value, Potential) for fact in self.query.facts + self.query.given
               for _, value in fact.potential.do):  # fmt: skip
            because = "a nested variable takes each value in turn, in its own world"
            steps.insert(0, Step("unnesting (Correa et al. 2021)", because, str(self.query)))
        if self.query.given:
            sides = [[atom for part in side for atom in part.atoms]
                     for side in (self.over, self.under)]  # fmt: skip
            over, under = (
                told(side, self._names(parts))
                for side, parts in zip(sides, (self.over, self.under), strict=True)
            )
            because = "components that are the same without the facts cancel"
            steps.append(Step("IDC*, line 5", because, f"{over} / {under}"))
        return steps


_Key = tuple[int, int, int]


def _events(copies: Copies, facts: Iterable[Fact]) -> list[Event]:
    return [(copies.numbered(fact.potential), plain(fact.value)) for fact in facts]


def _values(query: Counterfactual) -> frozenset[Value]:
    """Return the values that a query names."""
    facts = (*query.facts, *query.given)
    found = {plain(fact.value) for fact in facts}
    seen: set[int] = set()
    waiting = [fact.potential for fact in facts]
    while waiting:
        potential = waiting.pop()
        for _, value in potential.do:
            if isinstance(value, Value):
                found.add(plain(value))
            elif id(value) not in seen:
                seen.add(id(value))
                waiting.append(value)
    return frozenset(found)


def _value(each: Input, names: Mapping[int, Value]) -> Value:
    return names[each] if isinstance(each, int) else each


def _found(
    engine: Engine, factor: Factor, values: Mapping[str, Value], case: _Case
) -> Expression | Obstacle:
    used = case.used | set(values.values())
    return known_factor(engine, factor.district, values, used)


def _step(factor: Factor, values: Mapping[str, Value], found: Expression, graph: ADMG) -> Step:
    name = ", ".join(sorted(factor.district))
    shown = from_experiments(graph, factor.district, values)
    return Step("ID*, line 9", f"Tian's factor of {{{name}}}", f"{shown} = {found}")
