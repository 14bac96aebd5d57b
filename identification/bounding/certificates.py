"""Two models with the same tables and different answers: that a question is not identified, shown.

A hedge says that there are two such models; here they are.  All but one set of variables has fixed
mechanisms in both, and so have hidden causes outside that set.  The models differ in how probable
the response types of the set are, and what they show is linear in that (Balke and Pearl 1994).

| name | what |
|---|---|
| `certify_not_identified` | looks for them |
| `Certificate`, `NotCertified` | what comes of it |
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG, Edge
from causalnet.graphs.projection import latent_projection
from causalnet.identification.bounding.event_copies import (
    Copies,
    Event,
    Held,
    levels_for,
    symbols_of,
    terms_of,
)
from causalnet.identification.bounding.response_functions import (
    ResponseTypes,
    assignments,
    count_types,
)
from causalnet.identification.bounding.type_objective import coefficients, parts_in_model
from causalnet.identification.bounding.type_program import Constraints, extremes
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Question, variables_in
from causalnet.identification.reading.questions import read_question
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value

__all__ = ["Certificate", "NotCertified", "certify_not_identified"]

Numbers: TypeAlias = NDArray[np.float64]

MOST_VARIABLES = 8


@final
@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """Two models of a graph that agree on all that is known and not on the answer.

    Attributes:
        question: What is asked, perhaps as text.
        graph: Of what.
        sources: What is known.
        at: The level of each symbol.
        model: The mechanisms that both models share; its graph holds, of what is above the
            question, the graph's nodes and a node for each bidirected edge outside the set below.
        types: The response types of the set of variables in which the models differ.
        lower: One model's probability of each type.
        upper: The other's.
        answers: Their answers.
    """

    question: Question
    graph: ADMG
    sources: Sources
    at: Mapping[Value, int]
    model: RandomModel
    types: ResponseTypes
    lower: Numbers
    upper: Numbers
    answers: tuple[float, float]

    def faults(self, tolerance: float = 1e-7) -> tuple[str, ...]:
        """Return what is wrong with the certificate; nothing if it shows what it should."""
        found = self._structure()
        if found:
            return tuple(found)
        program = _Program.of(
            self.question, self.model, self.types, self.at, self.sources, self.graph
        )
        answers = []
        for name, chances in (("lower", self.lower), ("upper", self.upper)):
            if chances.min() < -tolerance or program.constraints.violation(chances) > tolerance:
                found.append(f"the {name} model does not have these tables")
            under = 1.0 if program.given is None else float(program.given @ chances)
            answers.append(float(program.value @ chances) / under)
        if abs(answers[1] - answers[0]) <= 10 * tolerance:
            found.append("the two models have the same answer")
        if not np.allclose(answers, self.answers, atol=10 * tolerance):
            found.append(f"the answers are {answers[0]:g} and {answers[1]:g}")
        return tuple(found)

    def _structure(self) -> list[str]:
        """Return why these are no models of the graph."""
        found = []
        within = self.model.graph
        seen = [name for name in within.nodes if name in self.graph]
        drawn = latent_projection(within, seen)
        ours = {frozenset(edge) for edge in self.graph.bidirected}
        if set(drawn.directed) - set(self.graph.directed) or any(
            frozenset(edge) not in ours for edge in drawn.bidirected
        ):
            found.append("the models have an edge that the graph does not have")
        if self.graph.ancestors(seen) != set(seen):
            found.append("the models lack causes of what they are about")
        pairs = list(combinations(sorted(self.types.variables), 2))
        if any(not within.has_bidirected(a, b) for a, b in pairs):
            found.append("two variables whose types are open do not share a bidirected edge")
        if any(not set(edge) <= set(self.types.variables) for edge in within.bidirected):
            found.append("a hidden cause has no mechanism")
        return found

    def __str__(self) -> str:
        """Return what is certified in one line."""
        low, high = self.answers
        return (
            f"{self.question} is {low:.4g} in one model and {high:.4g} in another with the same "
            f"{self.sources}"
        )


@final
@dataclass(frozen=True, slots=True)
class NotCertified:
    """No two models were found; which does not mean that there are none.

    Attributes:
        reason: What was tried.
    """

    reason: str

    def __str__(self) -> str:
        """Return the reason."""
        return f"not certified: {self.reason}"


def certify_not_identified(
    question: Question | str,
    graph: ADMG,
    sources: Sources = OBSERVED,
    *,
    at: Mapping[Value, int] | None = None,
    seeds: Iterable[int] = range(3),
    least_width: float = 1e-4,
    most_types: int = 5_000,
) -> Certificate | NotCertified:
    """Look for two models of a graph with the same tables and different answers.

    Variables are binary.  For each largest set of variables of which every two share a bidirected
    edge, and each seed, all mechanisms outside of the set are drawn at random, those of hidden
    causes included, and the least and the largest answer over all distributions of the set's
    response types are sought that leave the tables as they are.  Where they differ, no formula in
    terms of the tables is right.  Bidirected edges between every two variables of a set are read as
    one hidden cause of all of them.

    Args:
        question: What is asked.
        graph: Of what; at most eight variables are above the question.
        sources: What is known, of the target population.
        at: The level of each symbol; if not said, symbols of a variable get different levels.
        seeds: For each of these random mechanisms are drawn.
        least_width: How far apart the answers must be.
        most_types: Sets with more response types are passed over.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: More variables than that; sources of other populations; more symbols of a
            variable than levels.

    >>> from causalnet.identification.queries import Effect
    >>> from causalnet.identification.values import symbol
    >>> query = Effect((symbol("Y"),), (symbol("X"),))
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(certify_not_identified(query, bow))
    P(y | do(x)) is 0.2434 in one model and 0.4718 in another with the same P(V)
    >>> chain = ADMG.of(directed=[("X", "Y")])
    >>> print(certify_not_identified(query, chain))
    not certified: the answers were the same in each of 6 attempts
    """
    question = read_question(question, graph)
    sources.check(graph)
    if any(known.domain for known in sources.distributions):
        raise ParameterError(f"{sources} names other populations.", "Certificates are about one.")
    names = sorted(variables_in(question))
    graph.indices(names)
    wanted = _different_levels(question) if at is None else at
    levels = levels_for(question, wanted, dict.fromkeys(graph.nodes, 2))
    above = graph.induced(sorted(graph.ancestors(names), key=graph.index))
    if len(above) > MOST_VARIABLES:
        raise ParameterError(
            f"{len(above)} variables are above {question}.",
            f"Certificates go through all levels of up to {MOST_VARIABLES}.",
            "Project the graph first.",
        )
    tried = passed_over = 0
    for within, open_ in _explicit(above):
        if count_types(within, open_, dict.fromkeys(within.nodes, 2)) > most_types:
            passed_over += 1
            continue
        for seed in seeds:
            tried += 1
            model = RandomModel.of(within, seed)
            types = ResponseTypes.of(within, open_, model.levels)
            program = _Program.of(question, model, types, levels, sources, graph)
            if program.given is not None and not program.given.any():
                continue  # the condition does not happen in models that share these mechanisms
            least, most = extremes(program.constraints, program.value, program.given)
            if most.value - least.value > least_width:
                return Certificate(
                    question, graph, sources, levels, model, types,
                    least.chances, most.chances, (least.value, most.value),
                )  # fmt: skip
    same = f"the answers were the same in each of {tried} attempts"
    large = f"{passed_over} sets have more than {most_types:,} response types"
    return NotCertified(f"{same}; {large}" if passed_over else same)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """A question and tables, as functions of the probabilities of types.

    Attributes:
        value: What is asked, or its numerator, for each type.
        given: The denominator; None if nothing is given.
        constraints: The tables.
    """

    value: Numbers
    given: Numbers | None
    constraints: Constraints

    @staticmethod
    def of(
        question: Question,
        model: RandomModel,
        types: ResponseTypes,
        levels: Mapping[Value, int],
        sources: Sources,
        graph: ADMG,
    ) -> "_Program":
        """Return the program of a question, in models that share all but the types."""
        copies, open_ = Copies(model.graph, levels), frozenset(types.variables)

        def chance(events: tuple[Event, ...]) -> Numbers:
            parts = parts_in_model(events, copies, model, open_)
            return coefficients(parts, events, types, model.levels)

        terms = terms_of(question, copies)
        value = np.zeros(len(types))
        for term in terms:
            value += term.sign * chance((*term.events, *term.given))
        given = chance(terms[0].given) if terms[0].given else None
        rows, sums = [np.ones(len(types))], [1.0]
        seen = [name for name in model.graph.nodes if name in graph]
        for known in sources.distributions:
            for cell, probability in _cells(model, known, seen):
                held = {name: Held(cell[name]) for name in known.do if name in cell}
                world = copies.world(held)
                rows.append(chance(tuple((world[name], level) for name, level in cell.items())))
                sums.append(probability)
        matrix = np.stack(rows)
        at, columns = np.nonzero(matrix)
        constraints = Constraints(at, columns, matrix[at, columns], np.array(sums), len(types))
        return _Program(value, given, constraints)


def _cells(
    model: RandomModel, known: Distribution, seen: list[str]
) -> Iterator[tuple[dict[str, int], float]]:
    """Yield all levels of what is seen in a table, and their probability."""
    table = model.table(Distribution(tuple(name for name in known.do if name in seen)))
    hidden = tuple(at for at, name in enumerate(table.variables) if name not in seen)
    joint = table.array.sum(axis=hidden)
    for levels in assignments(seen, model.levels):
        yield levels, float(joint[tuple(levels[name] for name in seen)])


def _explicit(graph: ADMG) -> Iterator[tuple[ADMG, frozenset[str]]]:
    """Yield graphs with hidden nodes in place of the bidirected edges outside a set, and the set.

    Edges from outside into the set are kept, or left out to have fewer types.
    """
    for district in graph.districts():
        for open_ in _cliques(graph, district):
            for kept in (True, False):
                inside = [edge for edge in graph.bidirected if set(edge) <= open_]
                outside = [
                    edge
                    for edge in graph.bidirected
                    if edge not in inside and (kept or not open_ & set(edge))
                ]
                hidden = [(name, end) for name, edge in _named(outside, graph) for end in edge]
                yield ADMG.of([*graph.directed, *hidden], inside, graph.nodes), open_
                if all(not open_ & set(edge) for edge in outside):
                    break


def _different_levels(question: Question) -> dict[Value, int]:
    """Return a level for each symbol: 1 for the first of a variable, 0 for the other."""
    found: dict[Value, int] = {}
    taken: dict[str, set[int]] = {}
    for value in symbols_of(question):
        if value.level is not None:
            taken.setdefault(value.variable, set()).add(value.level)
    for value in symbols_of(question):
        if value.level is None:
            left = {0, 1} - taken.setdefault(value.variable, set())
            if not left:
                raise ParameterError(
                    f"{value} is a third value of {value.variable!r}.",
                    "Certificates are for binary variables.",
                    "Write at={symbol('X'): 1, ...}, with equal levels where they may be.",
                )
            found[value] = max(left)
            taken[value.variable].add(max(left))
    return found


def _named(edges: list[Edge], graph: ADMG) -> Iterator[tuple[str, Edge]]:
    """Yield names that are no node's for the hidden causes of edges."""
    for a, b in edges:
        name = f"{a} <-> {b}"
        while name in graph:
            name += "'"
        yield name, (a, b)


def _cliques(graph: ADMG, district: frozenset[str]) -> list[frozenset[str]]:
    """Return the sets of nodes joined by all bidirected edges that no node can be added to.

    Larger ones come first (Bron and Kerbosch 1973).
    """
    beside = {name: frozenset(graph.siblings(name)) for name in district}
    found: list[frozenset[str]] = []
    waiting = [(frozenset[str](), district, frozenset[str]())]
    while waiting:
        clique, rest, excluded = waiting.pop()
        if not rest and not excluded:
            found.append(clique)
        for name in sorted(rest):
            waiting.append((clique | {name}, rest & beside[name], excluded & beside[name]))
            rest, excluded = rest - {name}, excluded | {name}
    return sorted(found, key=lambda clique: (-len(clique), sorted(clique)))
