"""Two models with the same tables and different answers: that a question is not identified, shown.

A hedge says that there are two such models; here they are, as two distributions over the response
types of one district (Balke and Pearl 1994).

| name | what |
|---|---|
| `certify_not_identified` | looks for them |
| `Certificate`, `NotCertified` | what comes of it |
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.identification.evaluation import Table
from causalnet.identification.event_copies import symbols_of
from causalnet.identification.linear_bounds import Interval, TypeProgram
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Question
from causalnet.identification.response_functions import ResponseTypes
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.type_program import constraints_of
from causalnet.identification.values import Value

__all__ = ["Certificate", "NotCertified", "certify_not_identified"]

Numbers: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """Two models of a graph that agree on all that is known and not on the answer.

    Both have the same mechanisms outside of one district, and differ in how probable the response
    types of that district are.

    Attributes:
        question: What is asked.
        graph: Of what.
        at: The level of each symbol.
        within: The graph of the two models; it has all edges of `graph` or fewer.
        tables: What both models show.
        types: The response types of the district.
        lower: One model's probability of each type.
        upper: The other's.
        interval: Their answers.
    """

    question: Question
    graph: ADMG
    at: Mapping[Value, int]
    within: ADMG
    tables: Mapping[Distribution, Table]
    types: ResponseTypes
    lower: Numbers
    upper: Numbers
    interval: Interval

    def faults(self, tolerance: float = 1e-7) -> tuple[str, ...]:
        """Return what is wrong with the certificate; nothing if it shows what it should."""
        found: list[str] = []
        edges = set(self.graph.directed), {frozenset(edge) for edge in self.graph.bidirected}
        if (
            set(self.within.directed) - edges[0]
            or {frozenset(edge) for edge in self.within.bidirected} - edges[1]
        ):
            found.append("the models have an edge that the graph does not have")
        pairs = combinations(sorted(self.types.variables), 2)
        if not all(self.within.has_bidirected(a, b) for a, b in pairs):
            found.append("two variables of the district do not share a bidirected edge")
        if found:
            return tuple(found)
        constraints = constraints_of(self.types, self.tables)
        answers = []
        program = TypeProgram.of(
            self.question, self.within, self.tables, self.at, len(self.types), self.types.variables
        )
        for name, chances in (("lower", self.lower), ("upper", self.upper)):
            if chances.min() < -tolerance or constraints.violation(chances) > tolerance:
                found.append(f"the {name} model does not have these tables")
            under = 1.0 if program.given is None else float(program.given @ chances)
            answers.append(float(program.value @ chances) / under)
        if answers[1] - answers[0] <= 10 * tolerance:
            found.append("the two models have the same answer")
        return tuple(found)

    def __str__(self) -> str:
        """Return what is certified in one line."""
        return (
            f"{self.question} is {self.interval.lower:.4g} in one model and "
            f"{self.interval.upper:.4g} in another with the same "
            f"{', '.join(map(str, self.tables))}"
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
    question: Question,
    graph: ADMG,
    sources: Sources = OBSERVED,
    *,
    at: Mapping[Value, int] | None = None,
    seeds: Iterable[int] = range(3),
    least_width: float = 1e-3,
    most_types: int = 20_000,
) -> Certificate | NotCertified:
    """Look for two models of a graph with the same tables and different answers.

    Variables are binary.  Tables come from random models, and the two models from the ends of the
    interval that `linear_bounds` finds; as it is sharp and has width, no formula in terms of the
    tables is right.  Bidirected edges between every two nodes of a set are read as one hidden cause
    of all of them.  A district in which two nodes lack an edge is tried by subgraphs that keep the
    bidirected edges within one such set: a model of a subgraph is a model of the graph.

    Args:
        question: What is asked.
        graph: Of what.
        sources: What is known, of the target population.
        at: The level of each symbol; if not said, symbols of a variable get different levels.
        seeds: For each of these a random model is drawn.
        least_width: How far apart the answers must be.
        most_types: How many response types are laid out at most.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: Sources of other populations; more symbols of a variable than levels.

    >>> from causalnet.identification.queries import Effect
    >>> from causalnet.identification.values import symbol
    >>> query = Effect((symbol("Y"),), (symbol("X"),))
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> found = certify_not_identified(query, bow)
    >>> found.faults(), found.interval.sharp
    ((), True)
    >>> chain = ADMG.of(directed=[("X", "Y")])
    >>> print(certify_not_identified(query, chain))
    not certified: every factor is identified (in 3 random models)
    """
    check_admg(graph)
    sources.check(graph)
    levels = _different_levels(question) if at is None else dict(at)
    tried, reasons = 0, dict[str, None]()
    for within in _with_cliques(graph):
        for seed in seeds:
            tried += 1
            model = RandomModel.of(within, seed)
            tables = {known: model.table(known) for known in sources.distributions}
            program = TypeProgram.of(question, within, tables, levels, most_types)
            if program.types is None or not program.sharp:
                reasons[program.note] = None
                continue
            least, most = program.extremes()
            if most.value - least.value > least_width:
                return Certificate(
                    question, graph, levels, within, tables, program.types,
                    least.chances, most.chances, program.interval(),
                )  # fmt: skip
            reasons[f"the answers differ by less than {least_width:g}"] = None
    return NotCertified(f"{'; '.join(reasons)} (in {tried} random models)")


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


def _with_cliques(graph: ADMG) -> Iterator[ADMG]:
    """Yield subgraphs in which every two nodes of a district share a bidirected edge.

    Each district gives up bidirected edges until one largest such set of its nodes is left.
    """
    choices = [_cliques(graph, district) for district in graph.districts() if len(district) > 1]
    for chosen in product(*choices):
        arcs = [edge for edge in graph.bidirected if any(set(edge) <= clique for clique in chosen)]
        yield ADMG.of(directed=graph.directed, bidirected=arcs, nodes=graph.nodes)


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
