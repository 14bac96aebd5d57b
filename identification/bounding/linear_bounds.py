"""Bounds by linear programming, where what is known does not determine the answer.

| name | what |
|---|---|
| `linear_bounds` | an interval for any question, from tables of numbers |
| `Interval` | the interval, and whether it is sharp |
| `TypeProgram` | a question in terms of response types, which is what is optimised |

Balke and Pearl (1994, 1997), "Bounds on treatment effects from studies with imperfect compliance";
Sachs, Jonzon, Sjölander and Gabriel (2023) for which questions are linear.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.answering import answered
from causalnet.identification.answers import Identified
from causalnet.identification.bounding.event_copies import Copies, levels_for, terms_of
from causalnet.identification.bounding.response_functions import ResponseTypes, count_types
from causalnet.identification.bounding.type_objective import Parts, coefficients, parts_of_question
from causalnet.identification.bounding.type_program import (
    Constraints,
    Extreme,
    constraints_of,
    extremes,
)
from causalnet.identification.evaluation import Table, evaluate
from causalnet.identification.queries import Mediation, Question, variables_in
from causalnet.identification.reading.questions import read_question
from causalnet.identification.sources import Distribution, Sources
from causalnet.identification.values import Value

__all__ = ["Interval", "TypeProgram", "linear_bounds"]

Numbers: TypeAlias = NDArray[np.float64]

MOST_TYPES = 200_000


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """Where an answer lies.

    Attributes:
        lower: It is at least this.
        upper: It is at most this.
        sharp: Whether models of the graph are known to attain both.
        note: What the interval rests on.
        types: How many response types were laid out; 0 if none had to be.
    """

    lower: float
    upper: float
    sharp: bool
    note: str
    types: int = 0

    @property
    def width(self) -> float:
        """Return how wide the interval is."""
        return self.upper - self.lower

    def __str__(self) -> str:
        """Return the interval in one line."""
        kind = "sharp" if self.sharp else "valid, not known to be sharp"
        return f"[{self.lower:.6g}, {self.upper:.6g}], {kind}: {self.note}"


def linear_bounds(
    question: Question | str,
    graph: ADMG,
    tables: Mapping[Distribution, Table],
    *,
    at: Mapping[Value, int] | None = None,
    most_types: int = MOST_TYPES,
) -> Interval:
    """Return an interval that holds the answer in every model of the graph with these tables.

    Variables are discrete, with as many levels as the tables have.  What is identified is a point.
    Otherwise districts whose part of the question the tables determine are numbers, and for the
    others the interval is found over all distributions of response types that agree with the
    tables.

    It is sharp, and says so, where one district is left, every two of its variables share a
    bidirected edge, which is read as one hidden cause of all of them, and the types of the whole
    district in the graph are laid out; or only of those above what is asked, if these have no
    parents outside and nothing but P(V) is known.  Otherwise it is valid and may be too wide:
    several districts that are left are taken as one, and so is a district that lacks bidirected
    edges, as what their absence says of types is not linear.

    Args:
        question: What is asked: effects, counterfactuals, path-specific effects, contrasts and
            probabilities of causation; conditions may be there.
        graph: Of what.
        tables: What is known, of the target population: P(V), experiments, or both.
        at: The level of each symbol of the question.
        most_types: How many response types are laid out at most.

    Raises:
        UnknownMediatorError: A variable that is not in the graph, or not in a table.
        ParameterError: A symbol without a level; too many response types, with their number; tables
            that no model of the graph has; tables of another population.

    >>> from causalnet.identification.queries import Effect
    >>> from causalnet.identification.values import symbol
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> seen = Table(("X", "Y"), np.array([[0.1, 0.3], [0.4, 0.2]]))
    >>> query = Effect((symbol("Y"),), (symbol("X"),))
    >>> levels = {symbol("X"): 1, symbol("Y"): 1}
    >>> print(linear_bounds(query, bow, {Distribution(): seen}, at=levels))
    [0.2, 0.6], sharp: over 8 response types of X, Y
    """
    question = read_question(question, graph)
    graph.indices(sorted(variables_in(question)))
    levels = levels_for(question, at or {}, _sizes(graph, tables))
    point = _point(question, graph, tables, levels)
    if point is not None:
        return Interval(point, point, True, "it is identified")
    return TypeProgram.of(question, graph, tables, levels, most_types).interval()


def _point(
    question: Question,
    graph: ADMG,
    tables: Mapping[Distribution, Table],
    levels: Mapping[Value, int],
) -> float | None:
    """Return the answer where a formula gives it."""
    if len({(value.variable, level) for value, level in levels.items()}) < len(levels):
        return None  # formulas take different symbols of a variable to be different levels
    by_level = {value.variable for value in levels if value.level is not None}
    if any(value.level is None and value.variable in by_level for value in levels):
        return None  # a formula may turn on whether a symbol is that level
    found = answered(question, graph, Sources(tuple(tables)), verify=0)
    if not isinstance(found, Identified):
        return None
    told = evaluate(found.estimand, tables)
    # A symbol that the question does not name may have any level.
    point = told.at({axis: levels.get(axis, 0) for axis in told.axes})
    return None if np.isnan(point) else point


@final
@dataclass(frozen=True, slots=True, eq=False)
class TypeProgram:
    """A question in terms of response types.

    Attributes:
        value: What is asked, or its numerator, for each type.
        given: The denominator; None if nothing is given.
        types: The types; None if every district is known.
        constraints: What tables say of them.
        sharp: Whether the bounds are sharp.
        note: Why they are, or are not.
        question: What is asked.
    """

    value: Numbers
    given: Numbers | None
    types: ResponseTypes | None
    constraints: Constraints | None
    sharp: bool
    note: str
    question: Question

    @staticmethod
    def of(
        question: Question,
        graph: ADMG,
        tables: Mapping[Distribution, Table],
        at: Mapping[Value, int],
        most_types: int,
        kept: Iterable[str] = (),
    ) -> "TypeProgram":
        """Return a question in terms of types; districts of `kept` are laid out in any case.

        Raises:
            UnknownMediatorError: See `linear_bounds`.
            ParameterError: See `linear_bounds`.
        """
        sizes = _sizes(graph, tables)
        copies = Copies(graph, levels_for(question, at, sizes))
        terms = terms_of(question, copies)
        parts = parts_of_question(terms, copies, graph, tables, kept)
        types, sharp, note = _laid_out(parts, graph, tables, sizes, most_types)
        value = sum(
            (
                term.sign * coefficients(parts, (*term.events, *term.given), types, sizes)
                for term in terms
            ),
            start=np.zeros(1),
        )
        given = None
        if terms[0].given:
            given = coefficients(parts, terms[0].given, types, sizes)
        constraints = constraints_of(types, tables) if types else None
        return TypeProgram(value, given, types, constraints, sharp, note, question)

    def extremes(self) -> tuple[Extreme, Extreme]:
        """Return the least and the largest answer, each with a model that has it."""
        if self.constraints is not None:
            return extremes(self.constraints, self.value, self.given)
        value, under = self.value[0], 1.0 if self.given is None else self.given[0]
        if not under:
            raise ParameterError(
                f"The condition of {self.question} has probability 0.",
                "Bounds are on what can be conditioned on.",
                "Check the levels in at=..., or ask without the condition.",
            )
        found = Extreme(float(value / under), np.ones(1))
        return found, found

    def interval(self) -> Interval:
        """Return the interval."""
        least, most = self.extremes()
        floor = -1.0 if isinstance(self.question, Mediation) else 0.0
        lower, upper = (min(max(each.value, floor), 1.0) for each in (least, most))
        count = len(self.types) if self.types else 0
        return Interval(lower, max(lower, upper), self.sharp, self.note, count)


def _laid_out(
    parts: Parts,
    graph: ADMG,
    tables: Mapping[Distribution, Table],
    sizes: Mapping[str, int],
    most_types: int,
) -> tuple[ResponseTypes | None, bool, str]:
    """Return the types to lay out, and whether that gives sharp bounds, and why."""
    if not parts.unknown:
        return None, True, "every factor is identified"
    wanted = sorted(frozenset[str]().union(*parts.unknown))
    if len(parts.unknown) > 1:
        types = ResponseTypes.of(parts.within, wanted, sizes, at_most=most_types)
        named = ", ".join(f"{{{', '.join(sorted(each))}}}" for each in parts.unknown)
        note = f"a relaxation, which takes the districts {named} as confounded with each other"
        return types, False, f"{note}; {_over(types)}"
    whole = graph.district(wanted[0])
    shared = all(graph.has_bidirected(a, b) for a, b in combinations(sorted(whole), 2))
    if shared and count_types(graph, whole, sizes) <= most_types:
        types = ResponseTypes.of(graph, whole, sizes, at_most=most_types)
        return types, True, _over(types)
    types = ResponseTypes.of(parts.within, wanted, sizes, at_most=most_types)
    if not shared:
        note = "a relaxation, as not every two variables of the district share a bidirected edge"
        return types, False, f"{note}; {_over(types)}"
    outside = {parent for name in wanted for parent in parts.within.parents(name)} - set(wanted)
    only_seen = all(not known.do for known in tables)
    if not outside and only_seen:
        return types, True, _over(types)
    left = ", ".join(sorted(whole - set(wanted)))
    return types, False, f"without {left}, which would take too many types; {_over(types)}"


def _over(types: ResponseTypes) -> str:
    return f"over {len(types):,} response types of {', '.join(types.variables)}"


def _sizes(graph: ADMG, tables: Mapping[Distribution, Table]) -> dict[str, int]:
    """Return how many levels each variable has; tables must agree."""
    if not tables:
        raise ParameterError(
            "No table is given.",
            "Bounds rest on at least one.",
            "Write {Distribution(): empirical_table(data)}.",
        )
    found: dict[str, int] = {}
    for known, table in tables.items():
        graph.indices(known.do)
        if known.domain:
            raise ParameterError(
                f"There is a table of {known}.",
                "Bounds are from tables of the population that is asked about.",
                "Leave it out.",
            )
        for name, size in zip(table.variables, table.array.shape, strict=True):
            if found.setdefault(name, size) != size:
                raise ParameterError(
                    f"{name!r} has {found[name]} levels in one table and {size} in another.",
                    "Tables have the same levels.",
                )
    missing = [name for name in graph.nodes if name not in found]
    if missing:
        raise ParameterError(
            f"No table has {missing[0]!r}.",
            "Each variable of the graph is in each table.",
            "Project the graph onto the variables that are there.",
        )
    return found
