"""What a question is about: copies of variables, one for each way in which they come about.

A copy of a variable is known by what each of its parents is for it: another copy, or a level at
which the world holds the parent.  Two worlds in which a variable has the same parents share its
copy, as both worlds have the same noise.  A question is then about copies taking levels.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never, final

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.counting import values_of
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.values import Value

__all__ = [
    "Copies",
    "Copy",
    "Event",
    "Held",
    "Source",
    "Term",
    "levels_for",
    "symbols_of",
    "terms_of",
]


@final
@dataclass(frozen=True, slots=True)
class Held:
    """A level at which a world holds a variable.

    Attributes:
        level: The level.
    """

    level: int


Source: TypeAlias = Held | int  # a level, or the number of a copy
Event: TypeAlias = tuple[Source, int]  # something takes a level


@final
@dataclass(frozen=True, slots=True)
class Copy:
    """A variable as it comes about in some world.

    Attributes:
        variable: The variable.
        sources: What each of its parents is, in the order of the graph's parents.
    """

    variable: str
    sources: tuple[Source, ...]


@final
@dataclass(frozen=True, slots=True)
class Term:
    """One probability of events given others, and its sign.

    Attributes:
        events: What happens.
        given: What is known to happen.
        sign: 1, or -1 for what a contrast subtracts.
    """

    events: tuple[Event, ...]
    given: tuple[Event, ...] = ()
    sign: int = 1


@final
@dataclass(slots=True, eq=False)
class Copies:
    """The copies of a question, each behind those from which it takes its parents.

    Attributes:
        graph: The graph.
        levels: The level of each value that the question names.
        nodes: The copies.
        numbers: The number of each.
    """

    graph: ADMG
    levels: Mapping[Value, int]
    nodes: list[Copy] = field(default_factory=list)
    numbers: dict[Copy, int] = field(default_factory=dict)

    def add(self, variable: str, sources: Iterable[Source]) -> int:
        """Return the number of a copy."""
        copy = Copy(variable, tuple(sources))
        if copy not in self.numbers:
            self.numbers[copy] = len(self.nodes)
            self.nodes.append(copy)
        return self.numbers[copy]

    def world(self, do: Mapping[str, Source]) -> dict[str, Source]:
        """Return what each variable is in the world in which some are held or follow others."""
        found: dict[str, Source] = {}
        for name in self.graph.topological_order():
            above = (found[parent] for parent in self.graph.parents(name))
            found[name] = do[name] if name in do else self.add(name, above)
        return found

    def level(self, value: Value) -> Held:
        """Return the level of a value."""
        return Held(self.levels[value])

    def potential(self, potential: Potential) -> Source:
        """Return what a counterfactual variable is; nesting is bounded by `values_of`."""
        do = {
            name: self.level(value) if isinstance(value, Value) else self.potential(value)
            for name, value in potential.do
        }
        return self.world(do)[potential.variable]

    def event(self, fact: Fact) -> Event:
        """Return a fact as an event."""
        return self.potential(fact.potential), self.levels[fact.value]

    def along(self, question: PathSpecific) -> dict[str, Source]:
        """Return what each variable is where treatments are active along some edges only."""
        active: dict[str, Source] = {v.variable: self.level(v) for v in question.active}
        baseline: dict[str, Source] = {v.variable: self.level(v) for v in question.baseline}
        base, edges = self.world(baseline), set(question.edges)
        found = dict(active)
        for name in self.graph.topological_order():
            if name not in active:
                above = [
                    found[parent] if (parent, name) in edges else base[parent]
                    for parent in self.graph.parents(name)
                ]
                found[name] = self.add(name, above)
        return found

    def needed(self, sources: Iterable[Source]) -> list[int]:
        """Return the copies that some sources rest on, each behind those that it rests on."""
        waiting = [source for source in sources if not isinstance(source, Held)]
        found: set[int] = set()
        while waiting:
            at = waiting.pop()
            if at not in found:
                found.add(at)
                waiting += [s for s in self.nodes[at].sources if not isinstance(s, Held)]
        return sorted(found)


def terms_of(question: Question, copies: Copies) -> tuple[Term, ...]:
    """Return the probabilities of events whose signed sum a question asks for."""
    match question:
        case Effect(outcomes, treatments, given):
            world = copies.world({v.variable: copies.level(v) for v in treatments})
            told, known = (
                tuple((world[v.variable], copies.levels[v]) for v in part)
                for part in (outcomes, given)
            )
            return (Term(told, known),)
        case Counterfactual(facts, given_facts):
            return (Term(tuple(map(copies.event, facts)), tuple(map(copies.event, given_facts))),)
        case Causation():
            return terms_of(question.counterfactual(), copies)
        case Mediation():
            one, other = question.terms()
            (first,), (second,) = terms_of(one, copies), terms_of(other, copies)
            return first, Term(second.events, second.given, -1)
        case PathSpecific():
            world = copies.along(question)
            return (Term(tuple((world[v.variable], copies.levels[v]) for v in question.outcomes)),)
        case _:
            assert_never(question)


def symbols_of(question: Question) -> tuple[Value, ...]:
    """Return all values that a question names, symbols and levels, each once; sorted."""
    found: set[Value] = set()
    for part in _parts(question):
        if isinstance(part, Effect):
            found.update(part.outcomes, part.treatments, part.given)
        else:
            found.update(values_of(part))
    return tuple(sorted(found))


def _parts(question: Question) -> Iterator[Effect | Counterfactual | PathSpecific]:
    match question:
        case Mediation():
            yield from question.terms()
        case Causation():
            yield question.counterfactual()
        case _:
            yield question


def levels_for(
    question: Question, at: Mapping[Value, int], sizes: Mapping[str, int]
) -> dict[Value, int]:
    """Return the level of each value of a question.

    Raises:
        ParameterError: A symbol without a level, or a level that its variable does not have.
    """
    found: dict[Value, int] = {}
    for value in symbols_of(question):
        level = at.get(value) if value.level is None else value.level
        if level is None:
            raise ParameterError(
                f"{value} has no level.",
                f"The question is about one level of {value.variable!r}.",
                "Write at={symbol('X'): 1, ...}.",
            )
        if not 0 <= level < sizes[value.variable]:
            raise ParameterError(
                f"{value.variable!r} has no level {level}.",
                f"It has {sizes[value.variable]}, from 0 on.",
            )
        found[value] = level
    return found
