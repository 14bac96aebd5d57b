"""A question as a linear function of the probabilities of one district's response types.

The events of a question come apart by districts: what the copies of one district do depends on its
response types alone, given what the others do.  Where the copies of a district agree with one
experiment, they are a factor Q[C], and if that is identified it is a number.  So if all districts
but one are identified, the question is linear in the types of that one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as pairs_of
from math import prod
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.engine import Engine
from causalnet.identification.bounding.event_copies import Copies, Event, Held, Source, Term
from causalnet.identification.bounding.response_functions import Levels, ResponseTypes
from causalnet.identification.counting import Mechanism
from causalnet.identification.evaluation import Table, evaluate
from causalnet.identification.expressions import (
    Const,
    Difference,
    Prob,
    Product,
    Ratio,
    Sum,
    product,
)
from causalnet.identification.oracle import RandomModel
from causalnet.identification.sources import Distribution, Sources
from causalnet.identification.values import symbol

__all__ = ["Drawn", "Known", "Parts", "coefficients", "parts_in_model", "parts_of_question"]

Numbers: TypeAlias = NDArray[np.float64]
_State: TypeAlias = dict[int, "Levels | int"]

MOST_WORK = 2 * 10**8


@final
@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A factor of a question that the tables determine.

    Attributes:
        array: Its numbers.
        axes: What each axis is about.
    """

    array: Numbers
    axes: tuple[Source, ...]

    def at(self, state: _State) -> "Numbers | float":
        """Return the number where copies have some levels."""
        index = tuple(_level(source, state) for source in self.axes)
        found: Numbers | float = self.array[index]
        return found


@final
@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The copies of one variable in a model in which it has noise of its own and no other.

    Attributes:
        mechanism: How it comes about.
        copies: Each copy, with what its parents are.
    """

    mechanism: Mechanism
    copies: tuple[tuple[int, tuple[Source, ...]], ...]

    def at(self, state: _State) -> "Numbers | float":
        """Return the probability that the copies have some levels, given their parents."""
        total: Numbers | float = 0.0
        for noise, chance in enumerate(self.mechanism.noise):
            happens: Numbers | float = float(chance)
            for copy, sources in self.copies:
                above = tuple(_level(source, state) for source in sources)
                happens = happens * (self.mechanism.table[(*above, noise)] == state[copy])
            total = total + happens
        return total


@final
@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The copies of a question by districts.

    Attributes:
        copies: The copies.
        nodes: Those that matter, each behind those on which it rests.
        within: The graph of the ancestors of what is asked.
        known: The factors that the tables, or a model, determine.
        unknown: The districts, within that graph, whose factors they do not.
    """

    copies: Copies
    nodes: tuple[int, ...]
    within: ADMG
    known: "tuple[Known | Drawn, ...]"
    unknown: tuple[frozenset[str], ...]


def parts_of_question(
    terms: Sequence[Term],
    copies: Copies,
    graph: ADMG,
    tables: Mapping[Distribution, Table],
    kept: Iterable[str] = (),
) -> Parts:
    """Return the factors of a question, district by district.

    Args:
        terms: The question.
        copies: Its copies.
        graph: The graph.
        tables: What is known.
        kept: Variables whose districts are taken as unknown.
    """
    sources = [source for term in terms for source, _ in (*term.events, *term.given)]
    nodes = copies.needed(sources)
    above = graph.ancestors(sorted({copies.nodes[at].variable for at in nodes}))
    within = graph.induced(sorted(above, key=graph.index))
    engine, left = Engine.of(graph, Sources(tuple(tables))), set(kept)
    known, unknown = [], []
    for district in within.districts():
        members = [at for at in nodes if copies.nodes[at].variable in district]
        if not members:
            continue
        found = None if left & district else _known(members, copies, within, engine, tables)
        if found is None:
            unknown.append(district)
        else:
            known += found
    return Parts(copies, tuple(nodes), within, tuple(known), tuple(unknown))


def parts_in_model(
    events: Iterable[Event], copies: Copies, model: RandomModel, laid_out: frozenset[str]
) -> Parts:
    """Return the factors of events in a model, but for some variables.

    Args:
        events: What happens.
        copies: The copies that the events are about.
        model: The model; other variables have no bidirected edges in its graph.
        laid_out: The variables whose response types are open.
    """
    nodes = copies.needed(source for source, _ in events)
    by_variable: dict[str, list[int]] = {}
    for at in nodes:
        by_variable.setdefault(copies.nodes[at].variable, []).append(at)
    known = tuple(
        Drawn(model.mechanisms[name], tuple((at, copies.nodes[at].sources) for at in members))
        for name, members in by_variable.items()
        if name not in laid_out
    )
    return Parts(copies, tuple(nodes), copies.graph, known, (laid_out,))


def _known(
    members: Sequence[int],
    copies: Copies,
    graph: ADMG,
    engine: Engine,
    tables: Mapping[Distribution, Table],
) -> list[Known] | None:
    """Return the factor of some copies as numbers, if they are one and it is identified."""
    meaning: dict[str, Source] = {}
    for at in members:
        if copies.nodes[at].variable in meaning:
            return None  # two copies: no experiment shows both
        meaning[copies.nodes[at].variable] = at
    for at in members:
        copy = copies.nodes[at]
        for parent, source in zip(graph.parents(copy.variable), copy.sources, strict=True):
            if meaning.setdefault(parent, source) != source:
                return None  # two values of one variable in one factor
    variables = sorted(copies.nodes[at].variable for at in members)
    found = []
    for district in graph.induced(variables).districts():
        factor = engine.factor(district)
        if not isinstance(factor, Const | Prob | Product | Sum | Ratio | Difference):
            return None  # a hedge or a thicket
        told = evaluate(product([factor]), tables)
        own = {symbol(name): source for name, source in meaning.items()}
        # A symbol that is neither of the district nor of its parents may have any value.
        index = tuple(slice(None) if axis in own else 0 for axis in told.axes)
        array = told.array[index]
        if np.isnan(array).any():
            return None  # a condition of probability 0
        found.append(Known(array, tuple(own[axis] for axis in told.axes if axis in own)))
    return found


def coefficients(
    parts: Parts, events: Sequence[Event], types: ResponseTypes | None, sizes: Mapping[str, int]
) -> Numbers:
    """Return for each response type the probability of events, given that type.

    Args:
        parts: The question.
        events: What happens.
        types: The types of the unknown districts; None if there are none.
        sizes: How many levels each variable has.

    Raises:
        ParameterError: Too many levels of too many copies.
    """
    copies = parts.copies
    laid_out = set(types.variables) if types else set[str]()
    free = [at for at in parts.nodes if copies.nodes[at].variable not in laid_out]
    shape = [sizes[copies.nodes[at].variable] for at in free]
    count = len(types) if types else 1
    if prod(shape) * count > MOST_WORK:
        raise ParameterError(
            f"{len(free)} copies of variables have {prod(shape):,} levels together, at each of "
            f"{count:,} response types.",
            f"At most {MOST_WORK:,} pairs are gone through.",
            "Leave out variables by projecting the graph.",
        )
    total = np.zeros(count)
    fixed = {at: level for at, level in events if not isinstance(at, Held) and at in free}
    if any(isinstance(at, Held) and at.level != level for at, level in events):
        return total
    ranges = [
        (fixed[at],) if at in fixed else range(size) for at, size in zip(free, shape, strict=True)
    ]
    for levels in pairs_of(*ranges):
        state: _State = dict(zip(free, levels, strict=True))
        for at in parts.nodes:
            if at not in state:
                assert types is not None  # a copy that is not free is laid out
                copy = copies.nodes[at]
                state[at] = types.respond(copy.variable, [_level(s, state) for s in copy.sources])
        weight: Numbers | float = 1.0
        for factor in parts.known:
            weight = weight * factor.at(state)
        for source, level in events:
            weight = weight * (np.asarray(_level(source, state)) == level)
        total += weight
    return total


def _level(source: Source, state: _State) -> "Levels | int":
    return source.level if isinstance(source, Held) else state[source]
