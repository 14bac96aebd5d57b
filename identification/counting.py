"""Probabilities counted over all states of a model's noise and hidden variables.

| name | what |
|---|---|
| `Mechanism` | a variable as a table of its parents, hidden variables and noise |
| `Units` | all that a model is made of |
| `probability` | of events in several worlds, or along some edges |

A unit is one state of the noise and the hidden variables; it has a value for each variable in each
world.  All units and all assignments of the symbols are computed at once, in portions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.admg import ADMG
from causalnet.identification.contraction import Evaluated, check_level
from causalnet.identification.queries import Counterfactual, Fact, PathSpecific, Potential
from causalnet.identification.values import Value

__all__ = ["EXOGENOUS_STATES", "Mechanism", "Units", "needed", "probability", "values_of"]

EXOGENOUS_STATES = 1_300_000
_AT_ONCE = 2**20
_DEEPEST = 50

Levels: TypeAlias = NDArray[np.int64]
Chances: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mechanism:
    """A variable as a table of its parents, hidden variables and noise.

    Attributes:
        parents: Its parents.
        hidden: The numbers of the bidirected edges at it.
        table: Its level: one axis for each parent, then for each hidden variable, then the noise.
        noise: The probabilities of the noise.
    """

    parents: tuple[str, ...]
    hidden: tuple[int, ...]
    table: Levels
    noise: Chances

    def conditional(self, levels: int) -> Chances:
        """Return P(v | parents, hidden variables); the axis of v is the last one."""
        takes = self.table[..., None] == np.arange(levels)
        return np.asarray(self.noise @ takes)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """All that a model is made of.

    Attributes:
        graph: The graph.
        levels: How many levels each variable has.
        hidden: For each bidirected edge the probabilities of its hidden variable.
        mechanisms: How each variable comes about.
    """

    graph: ADMG
    levels: Mapping[str, int]
    hidden: tuple[Chances, ...]
    mechanisms: Mapping[str, Mechanism]


def probability(
    units: Units, question: Counterfactual | PathSpecific, at_most: int = EXOGENOUS_STATES
) -> Evaluated:
    """Return the probability at all assignments of the question's symbols.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: More states of noise and hidden variables than `at_most`.
        TermError: Counterfactuals nested more than 50 deep.
    """
    values = values_of(question)
    units.graph.indices(sorted({value.variable for value in values}))
    for value in values:
        if value.level is not None:
            check_level(value, value.level, units.levels[value.variable])
    axes = tuple(sorted({value for value in values if value.level is None}))
    above = needed(units.graph, question)
    sizes = tuple(units.levels[axis.variable] for axis in axes)
    both, below = np.zeros(sizes), np.zeros(sizes)
    for part in _portions(units, above, at_most, prod(sizes)):
        counted = _Portion(units, above, axes, part)
        happened, among = counted.weights(question)
        both += happened
        below += among
    if isinstance(question, Counterfactual) and question.given:
        out = np.full(sizes, np.nan)
        both = np.divide(both, below, out=out, where=below > 0)
    return Evaluated(axes, both)


def values_of(question: Counterfactual | PathSpecific) -> list[Value]:
    """Return all values that a question names, symbols and levels.

    Raises:
        TermError: Counterfactuals nested more than 50 deep.
    """
    if isinstance(question, PathSpecific):
        return [*question.outcomes, *question.active, *question.baseline]
    found = [fact.value for fact in (*question.facts, *question.given)]
    waiting = [(fact.potential, 1) for fact in (*question.facts, *question.given)]
    while waiting:
        potential, depth = waiting.pop()
        if depth > _DEEPEST:
            raise TermError(
                f"Counterfactuals are nested more than {_DEEPEST} deep.",
                "Each level of nesting is one world more.",
            )
        for _, value in potential.do:
            if isinstance(value, Value):
                found.append(value)
            else:
                waiting.append((value, depth + 1))
    return found


def needed(graph: ADMG, question: Counterfactual | PathSpecific) -> frozenset[str]:
    """Return the variables that are asked about in any world, and all their ancestors."""
    if isinstance(question, PathSpecific):
        asked = {v.variable for v in (*question.outcomes, *question.active)}
        return graph.ancestors(sorted(asked))
    asked = set()
    waiting = [fact.potential for fact in (*question.facts, *question.given)]
    while waiting:
        potential = waiting.pop()
        asked.add(potential.variable)
        waiting += [value for _, value in potential.do if isinstance(value, Potential)]
    return graph.ancestors(sorted(asked))


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some units: their probabilities, hidden variables and noise."""

    weights: Chances
    hidden: Mapping[int, Levels]
    noise: Mapping[str, Levels]


def _portions(
    units: Units, above: frozenset[str], at_most: int, assignments: int
) -> Iterator[_Part]:
    edges = [at for at, (a, b) in enumerate(units.graph.bidirected) if a in above or b in above]
    names = sorted(above)
    chances = [*(units.hidden[at] for at in edges), *(units.mechanisms[v].noise for v in names)]
    shape = [len(each) for each in chances]
    states = prod(shape)
    if states > at_most:
        raise ParameterError(
            f"Noise and hidden variables of {len(names)} variables have {states:,} states.",
            f"At most {at_most:,} are counted.",
            "Ask of a smaller graph, such as a latent projection, or raise at_most.",
        )
    step = max(1, _AT_ONCE // assignments)
    for start in range(0, states, step):
        found = np.unravel_index(np.arange(start, min(start + step, states)), shape)
        weights = np.ones(len(found[0]))
        for each, state in zip(chances, found, strict=True):
            weights *= each[state]
        hidden = dict(zip(edges, found, strict=False))
        yield _Part(weights, hidden, dict(zip(names, found[len(edges) :], strict=True)))


class _Portion:
    """Values of variables in worlds, for some units: one axis for each symbol, then the units."""

    def __init__(
        self, units: Units, above: frozenset[str], axes: Sequence[Value], part: _Part
    ) -> None:
        self._graph, self._mechanisms = units.graph, units.mechanisms
        self._levels = units.levels
        self._order = [name for name in units.graph.topological_order() if name in above]
        self._axes, self._part = axes, part
        self._found: dict[Potential, Levels] = {}

    def weights(self, question: Counterfactual | PathSpecific) -> tuple[Chances, Chances]:
        """Return how probable it is that all happens, and that the conditions hold."""
        if isinstance(question, PathSpecific):
            along = self._along(question)
            events = [along[y.variable] == self._level(y) for y in question.outcomes]
            return self._weight(events), self._weight([])
        given = [self._happens(fact) for fact in question.given]
        facts = [self._happens(fact) for fact in question.facts]
        return self._weight(given + facts), self._weight(given)

    def _weight(self, events: Sequence[NDArray[np.bool_]]) -> Chances:
        told = np.ones((1,) * (len(self._axes) + 1), dtype=np.bool_)
        for event in events:
            told = told & event
        full = np.broadcast_to(told, (*told.shape[:-1], len(self._part.weights)))
        return np.asarray(full @ self._part.weights)

    def _level(self, value: Value) -> Levels:
        """Return a level, or all levels of a symbol along its axis."""
        shape = [1] * (len(self._axes) + 1)
        if value.level is not None:
            return np.full(shape, value.level)
        size = self._levels[value.variable]
        shape[self._axes.index(value)] = size
        return np.arange(size).reshape(shape)

    def _happens(self, fact: Fact) -> NDArray[np.bool_]:
        return np.asarray(self._value(fact.potential) == self._level(fact.value))

    def _value(self, asked: Potential) -> Levels:
        """Return a variable in its world, the worlds from which it takes values first."""
        waiting = [asked]
        while waiting:
            potential = waiting[-1]
            nested = [value for _, value in potential.do if isinstance(value, Potential)]
            missing = [value for value in nested if value not in self._found]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if potential not in self._found:
                held = {
                    name: self._found[value] if isinstance(value, Potential) else self._level(value)
                    for name, value in potential.do
                }
                self._found[potential] = self._world(held, potential.variable)[potential.variable]
        return self._found[asked]

    def _world(self, held: Mapping[str, Levels], asked: str | None = None) -> dict[str, Levels]:
        """Return the variables above one, or all that are needed, where some are held."""
        among = self._order if asked is None else self._above(asked, held)
        world: dict[str, Levels] = {}
        for name in among:
            if name in held:
                world[name] = held[name]
            else:
                read = [world[parent] for parent in self._mechanisms[name].parents]
                world[name] = self._made(name, read)
        return world

    def _above(self, asked: str, held: Mapping[str, Levels]) -> list[str]:
        above = self._graph.cut_in(sorted(held)).ancestors([asked])
        return [name for name in self._order if name in above]

    def _along(self, question: PathSpecific) -> dict[str, Levels]:
        """Return the values where treatments are active along some edges only."""
        active = {value.variable: self._level(value) for value in question.active}
        held = {value.variable: self._level(value) for value in question.baseline}
        base, edges = self._world(held), frozenset(question.edges)
        act = dict(active)
        for name in self._order:
            if name not in active:
                read = [
                    (act if (parent, name) in edges else base)[parent]
                    for parent in self._mechanisms[name].parents
                ]
                act[name] = self._made(name, read)
        return act

    def _made(self, name: str, read: Sequence[Levels]) -> Levels:
        mechanism = self._mechanisms[name]
        hidden = [self._part.hidden[at] for at in mechanism.hidden]
        return np.asarray(mechanism.table[(*read, *hidden, self._part.noise[name])])
