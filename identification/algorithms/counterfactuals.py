"""Counterfactual probabilities, nested and conditional ones included: ID* and IDC*.

| algorithm | source |
|---|---|
| ID*, as ctf-ID | Shpitser and Pearl (2007, 2008); Correa, Lee and Bareinboim (2021); complete |
| IDC* | the same; by what a condition leaves of the query's ancestral components |

Lines of ID* and IDC* are those of Shpitser and Pearl (2008), "Complete identification methods for
the causal hierarchy".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, final

from causalnet.errors import InternalError, TermError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.identification.algorithms.ancestral_components import (
    Component,
    components_of,
    uncancelled,
)
from causalnet.identification.algorithms.counterfactual_factors import (
    Conflict,
    Contradiction,
    Event,
    Factor,
    Numbers,
    named,
    settled,
    told,
    value_of,
)
from causalnet.identification.algorithms.counterfactual_witnesses import inconsistent_factor_faults
from causalnet.identification.algorithms.district_factors import (
    check_obstacle,
    factor_step,
    from_experiments,
    known_factor,
)
from causalnet.identification.algorithms.engine import Engine, Obstacle
from causalnet.identification.algorithms.unnesting import Copies, plain
from causalnet.identification.answers import (
    Derivation,
    Hedge,
    Identified,
    InconsistentFactor,
    NotIdentified,
    Step,
    Thicket,
)
from causalnet.identification.expressions import (
    ZERO,
    Expression,
    product,
    ratio,
    sum_over,
)
from causalnet.identification.queries import Counterfactual, Fact, Potential
from causalnet.identification.sources import OBSERVED, Sources
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
    sides = _taken_apart(query, graph)
    if isinstance(sides, Contradiction):  # IDC*, line 3
        step = Step(sides.rule, sides.because, "0")
        return Identified(query, graph, ZERO, Derivation((step,)), sources)
    conflict = next(sides.conflicts(), None)
    if conflict is not None:  # ID*, line 8
        return _inconsistent(conflict, query, graph, sources)
    engine, steps = Engine.of(graph, sources), _steps(query, sides)
    known: list[Expression] = []
    for side in (sides.over, sides.under):
        formulas: dict[frozenset[str], Expression] = {}
        for district, values in side.factors().items():
            found = known_factor(engine, district, values, side.used)
            if isinstance(found, Hedge | Thicket):
                return _obstructed(found, district, query, graph, sources, sides)
            formulas[district] = found
            steps.append(factor_step("ID*, line 9", graph, district, values, found))
        known.append(side.estimand(formulas))
    return Identified(query, graph, ratio(*known), Derivation(tuple(steps)), sources)


def has_same_probability(one: Counterfactual, other: Counterfactual, graph: ADMG) -> bool:
    """Return whether two queries without conditions are one, as far as the axioms tell.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> graph = ADMG.of(directed=[("Y", "X")])
    >>> set_to = Counterfactual((Fact(Potential.of("Y", {"X": x}), y),))
    >>> has_same_probability(set_to, Counterfactual((Fact(Potential("Y"), y),)), graph)
    True
    """
    if one.given or other.given:
        return False
    copies, numbers = Copies.of(graph), Numbers()
    first = settled(copies, _events(copies, one.facts), numbers)
    second = settled(copies, _events(copies, other.facts), numbers)
    if isinstance(first, Contradiction) or isinstance(second, Contradiction):
        return isinstance(first, Contradiction) and isinstance(second, Contradiction)
    return set(first) == set(second)


@final
@dataclass(frozen=True, slots=True)
class _Side:
    """The numerator or the denominator of the answer, without what is on both sides.

    Attributes:
        parts: Its components; each district has one factor.
        names: The symbols over which it sums, by atom.
        used: All symbols that mean something in it.
    """

    parts: tuple[Component, ...]
    names: Mapping[int, Value]
    used: frozenset[Value]

    @staticmethod
    def of(parts: tuple[Component, ...], query: Counterfactual) -> "_Side":
        """Name what is summed over, unlike anything that the query names."""
        asked = _values(query)
        names = named((atom for part in parts for atom in part.atoms), asked)
        return _Side(parts, names, asked.union(names.values()))

    def conflicts(self) -> Iterator[InconsistentFactor]:
        """Give the districts that have two values of a variable."""
        for each in (each for part in self.parts for each in part.factors):
            if isinstance(each, Conflict):
                one, other = (value_of(value, self.names) for value in each.inputs)
                yield InconsistentFactor(each.district, each.variable, (one, other))

    def factors(self) -> dict[frozenset[str], dict[str, Value]]:
        """Return the districts, with the values of their variables and parents."""
        return {
            each.district: {name: value_of(v, self.names) for name, v in each.values.items()}
            for part in self.parts
            for each in part.factors
            if isinstance(each, Factor)
        }

    def estimand(self, formulas: Mapping[frozenset[str], Expression]) -> Expression:
        """Return the formula from those of the districts (ID*, line 6)."""
        sums = []
        for part in self.parts:
            bound = [self.names[atom.number] for atom in part.atoms if atom.value is None]
            body = product(formulas[factor.district] for factor in part.factors)
            sums.append(sum_over(bound, body))
        return product(sums)

    def __str__(self) -> str:
        """Return what is asked of the districts, as text."""
        return told([atom for part in self.parts for atom in part.atoms], self.names)


@final
class _Sides(NamedTuple):
    """The answer before factors are written: a ratio.

    Attributes:
        over: The numerator.
        under: The denominator; empty where it is 1.
        whole: All that happens and its ancestors, as text, before anything cancels.
    """

    over: _Side
    under: _Side
    whole: str

    def conflicts(self) -> Iterator[InconsistentFactor]:
        """Give the districts of either that have two values of a variable."""
        yield from self.over.conflicts()
        yield from self.under.conflicts()


def _taken_apart(query: Counterfactual, graph: ADMG) -> _Sides | Contradiction:
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
    if isinstance(atoms, Contradiction):
        return atoms
    over, under = uncancelled(components_of(graph, atoms), components_of(graph, below))
    whole = told(atoms, named(atoms, _values(query)))
    return _Sides(_Side.of(over, query), _Side.of(under, query), whole)


def _inconsistent(
    witness: InconsistentFactor, query: Counterfactual, graph: ADMG, sources: Sources
) -> NotIdentified:
    faults = inconsistent_factor_faults(witness, query, graph)
    if faults:
        raise InternalError(f"{witness} does not hold in {graph!r}: {'; '.join(faults)}.")
    return NotIdentified(query, graph, witness, sources, (NO_EXPERIMENT,))


def _obstructed(
    obstacle: Obstacle,
    district: frozenset[str],
    query: Counterfactual,
    graph: ADMG,
    sources: Sources,
    sides: _Sides,
) -> NotIdentified:
    """Return why a factor does not follow from what is known, and the formula if all were known."""
    check_obstacle(obstacle, graph, district, sources)
    ideal = [
        side.estimand(
            {each: from_experiments(graph, each, read) for each, read in side.factors().items()}
        )
        for side in (sides.over, sides.under)
    ]
    return NotIdentified(query, graph, obstacle, sources, (f"{ALL_EXPERIMENTS}{ratio(*ideal)}",))


def _steps(query: Counterfactual, sides: _Sides) -> list[Step]:
    """Return the steps up to the factors."""
    facts = (*query.facts, *query.given)
    nested = any(isinstance(v, Potential) for fact in facts for _, v in fact.potential.do)
    rule = "unnesting (Correa et al. 2021) and ID*, line 4" if nested else "ID*, line 4"
    because = "what happens and its ancestors, each once, at the values of its parents"
    steps = [Step(rule, because, sides.whole)]
    if query.given:
        because = "components that are the same without the facts cancel"
        steps.append(Step("IDC*, line 5", because, f"{sides.over} / {sides.under}"))
    return steps


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
