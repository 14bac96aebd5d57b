"""Random models over a graph, in which every question has an answer that can be counted.

Each bidirected edge is a hidden variable with two levels.  Each variable has noise of its own: at
one level of the noise it follows a random table of its parents and hidden variables, at the next
ones it differs from that table by 1, 2, ..., and at the last it follows another table; so all
conditional probabilities are positive.  The first table depends on each of its inputs: where it did
not, a wrong formula could agree with the truth.  In small graphs the other one leaves one input
out: where all depended on all, a variable could never stay as it is while a parent changes.

| name | what |
|---|---|
| `RandomModel` | a model: tables of distributions, samples, and the truth |
| `distinct` | where different symbols of one variable have different values |
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import prod
from typing import assert_never, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.identification.contraction import (
    Evaluated,
    check_level,
    contracted,
    elimination,
    multiplied,
    subtracted,
)
from causalnet.identification.counting import EXOGENOUS_STATES, Mechanism, Units, probability
from causalnet.identification.evaluation import Margins, Table, Tables, evaluate
from causalnet.identification.expressions import Prob
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Mediation,
    PathSpecific,
    Question,
)
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value

__all__ = ["EXOGENOUS_STATES", "SMALL", "RandomModel", "distinct", "table_cost"]

SMALL = 2**12  # entries of a table that is made whole
_SURE = 0.36  # shared by the levels of a variable's noise, so that none is rare
_COUNTED = (
    12  # nodes up to which counterfactuals can be counted; in longer chains effects would fade
)
_NOISY = 6  # in graphs of more nodes there is less noise, as effects would fade into rounding


@final
@dataclass(frozen=True, slots=True, eq=False)
class RandomModel:
    """A discrete structural model, drawn at random over a graph.

    Attributes:
        graph: The graph.
        levels: How many levels each variable has.
        hidden: For each bidirected edge the probabilities of its hidden variable.
        mechanisms: How each variable comes about.
        elsewhere: For other domains the mechanisms that differ there.
        seed: From which all is drawn.

    >>> from causalnet.identification.values import symbol
    >>> model = RandomModel.of(ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")]), seed=0)
    >>> model.exogenous_states
    18
    >>> model.truth(Effect((symbol("Y"),), (symbol("X"),))).array.sum(axis=1).round(12).tolist()
    [1.0, 1.0]
    """

    graph: ADMG
    levels: Mapping[str, int]
    hidden: tuple[NDArray[np.float64], ...]
    mechanisms: Mapping[str, Mechanism]
    elsewhere: Mapping[str, Mapping[str, Mechanism]] = field(default_factory=dict)
    seed: int = 0

    @staticmethod
    def of(
        graph: ADMG,
        seed: int,
        *,
        cardinalities: int | Mapping[str, int] = 2,
        differs: Mapping[str, Sequence[str] | frozenset[str]] | None = None,
    ) -> "RandomModel":
        """Draw a model.

        Args:
            graph: The graph.
            seed: From which all is drawn; the same seed gives the same model.
            cardinalities: How many levels variables have, 2 for those that are not named.
            differs: For each other domain the variables whose mechanism is drawn anew there.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            ParameterError: A variable with fewer than two levels.
        """
        check_admg(graph)
        levels = _levels(graph, cardinalities)
        draw = np.random.default_rng(seed)
        hidden = tuple(draw.dirichlet((4.0, 4.0)) for _ in graph.bidirected)
        mechanisms = {name: _drawn(graph, name, levels, draw) for name in graph.nodes}
        elsewhere = {}
        for domain, variables in (differs or {}).items():
            graph.indices(sorted(variables))
            other = np.random.default_rng([seed, *blake2b(domain.encode()).digest()[:8]])
            elsewhere[domain] = {
                name: _drawn(graph, name, levels, other) for name in sorted(variables)
            }
        return RandomModel(graph, levels, hidden, mechanisms, elsewhere, seed)

    @property
    def exogenous_states(self) -> int:
        """Return in how many ways hidden variables and noise come together."""
        noise = (len(mechanism.noise) for mechanism in self.mechanisms.values())
        return int(2 ** len(self.hidden) * prod(noise))

    def mechanism(self, variable: str, domain: str = "") -> Mechanism:
        """Return how a variable comes about in a domain.

        Raises:
            ParameterError: A domain that the model does not have.
        """
        if domain and domain not in self.elsewhere:
            raise ParameterError(
                f"The model has no domain {domain!r}.",
                f"It has: {', '.join(map(repr, ['', *self.elsewhere]))}.",
                "Name what differs there in RandomModel.of(..., differs={...}).",
            )
        return self.elsewhere.get(domain, {}).get(variable) or self.mechanisms[variable]

    def table(self, distribution: Distribution) -> Table:
        """Return a distribution, noise and hidden variables summed out.

        Raises:
            UnknownMediatorError: A variable that is not in the graph.
            ParameterError: A domain that is not there, or too large a table.
        """
        return self.margin(distribution, self.graph.nodes)

    @property
    def tables(self) -> Tables:
        """Return the distributions for `evaluate`; of large ones only the margins it needs."""
        if prod(self.levels.values()) <= SMALL:
            return self.table

        def levels(variable: str) -> int:
            self.graph.index(variable)
            return self.levels[variable]

        return Margins(self.margin, levels)

    def margin(self, distribution: Distribution, variables: Iterable[str]) -> Table:
        """Return the distribution of some variables, all else summed out.

        Args:
            distribution: The distribution.
            variables: Some variables; those that the experiment sets are axes as well.

        Raises:
            UnknownMediatorError: A variable that is not in the graph.
            ParameterError: A domain that is not there, or too large a table.
        """
        wanted = frozenset(variables).union(distribution.do)
        self.graph.indices(sorted(wanted))
        above = self.graph.cut_in(distribution.do).ancestors(sorted(wanted))
        edges = [_hidden_value(a, b) for a, b in self.graph.bidirected]
        factors = [
            self._conditional(name, distribution.domain, edges)
            for name in sorted(above.difference(distribution.do))
        ]
        axes = [Value(name, "") for name in self.graph.nodes if name in wanted]
        needed = {axis for factor in factors for axis in factor.axes}
        factors += [
            Evaluated((edge,), chances)
            for edge, chances in zip(edges, self.hidden, strict=True)
            if edge in needed
        ]
        left = contracted(factors, needed.difference(axes), lambda _: 2)
        names = tuple(axis.variable for axis in axes)
        joint = multiplied(left).aligned(axes)
        return Table(names, np.broadcast_to(joint, [self.levels[name] for name in names]))

    def _conditional(self, name: str, domain: str, edges: Sequence[Value]) -> Evaluated:
        """Return P(v | parents, hidden variables)."""
        mechanism = self.mechanism(name, domain)
        axes = [
            *(Value(parent, "") for parent in mechanism.parents),
            *(edges[at] for at in mechanism.hidden),
            Value(name, ""),
        ]
        array = mechanism.conditional(self.levels[name])
        order = sorted(range(len(axes)), key=lambda at: axes[at])
        return Evaluated(tuple(axes[at] for at in order), array.transpose(order))

    def truth(self, question: Question, *, at_most: int = EXOGENOUS_STATES) -> Evaluated:
        """Return the answer at all assignments of the question's symbols; nan where it has none.

        Effects come from the table under the intervention; all else is counted, over all states
        of the noise and of the hidden variables above what is asked.

        Args:
            question: What is asked; of the target domain.
            at_most: How many such states are counted through.

        Raises:
            UnknownMediatorError: A variable that is not in the graph.
            ParameterError: More states than that.
        """
        match question:
            case Effect(outcomes, treatments, given):
                self.graph.indices([v.variable for v in (*outcomes, *treatments, *given)])
                return evaluate(Prob(outcomes, given, treatments), self.tables)
            case Causation():
                return self.truth(question.counterfactual(), at_most=at_most)
            case Mediation():
                one, other = (self.truth(q, at_most=at_most) for q in question.terms())
                return subtracted(one, other)
            case Counterfactual() | PathSpecific():
                units = Units(self.graph, self.levels, self.hidden, self.mechanisms)
                return probability(units, question, at_most)
            case _:
                assert_never(question)

    def sample(
        self, number: int, seed: int = 0, *, do: Mapping[str, int] | None = None, domain: str = ""
    ) -> dict[str, NDArray[np.int64]]:
        """Return samples of all variables, one column for each.

        Args:
            number: How many.
            seed: From which they are drawn.
            do: Levels to which an experiment sets variables.
            domain: The population.

        Raises:
            UnknownMediatorError: A variable that is not in the graph.
            ParameterError: A domain that the model does not have, or a level.
        """
        held = dict(do or {})
        self.graph.indices(sorted(held))
        for name, level in held.items():
            check_level(Value(name, str(level)), level, self.levels[name])
        draw = np.random.default_rng(seed)
        hidden = [draw.choice(2, size=number, p=chances) for chances in self.hidden]
        found: dict[str, NDArray[np.int64]] = {}
        for name in self.graph.topological_order():
            mechanism = self.mechanism(name, domain)
            noise = draw.choice(len(mechanism.noise), size=number, p=mechanism.noise)
            if name in held:
                found[name] = np.full(number, held[name], dtype=np.int64)
                continue
            parents = [found[parent] for parent in mechanism.parents]
            found[name] = mechanism.table[
                (*parents, *(hidden[at] for at in mechanism.hidden), noise)
            ]
        return {name: found[name] for name in self.graph.nodes}


def table_cost(
    graph: ADMG, levels: Mapping[str, int], distribution: Distribution, variables: Iterable[str]
) -> int:
    """Return how many numbers come up when `RandomModel.margin` makes a table.

    >>> chain = ADMG.of(directed=[(f"V{k}", f"V{k + 1}") for k in range(40)])
    >>> table_cost(chain, dict.fromkeys(chain.nodes, 2), Distribution(), ["V0", "V40"])
    478
    """
    wanted = frozenset(variables).union(distribution.do)
    above = graph.cut_in(distribution.do).ancestors(sorted(wanted))
    made = sorted(above.difference(distribution.do))
    hidden = [(edge, _hidden_value(*edge)) for edge in graph.bidirected]
    scopes = [
        [Value(each, "") for each in (name, *graph.parents(name))]
        + [value for edge, value in hidden if name in edge]
        for name in made
    ]
    axes = {axis for scope in scopes for axis in scope}
    sizes = {axis: 2 if axis.name else levels[axis.variable] for axis in axes}
    bound = {axis for axis in axes if axis.name or axis.variable not in wanted}
    drawn = sum(prod(sizes[axis] for axis in scope) for scope in scopes)
    whole = prod(levels[name] for name in wanted)
    return drawn + elimination(scopes, bound, sizes)[1] + whole


def distinct(told: Evaluated, levels: Sequence[Value] = ()) -> NDArray[np.bool_]:
    """Return where different symbols of one variable have different values.

    A counterfactual query takes x and x' to be different, and so do the formulas that answer it.

    Args:
        told: Numbers, whose axes are symbols.
        levels: Levels that the query names, from which symbols differ as well.

    >>> from causalnet.identification.values import symbol
    >>> distinct(Evaluated((symbol("X"), symbol("X", 1)), np.zeros((2, 2)))).tolist()
    [[False, True], [True, False]]
    """
    mask = np.ones(told.array.shape, dtype=np.bool_)
    grids = np.indices(told.array.shape, sparse=True)
    for at, one in enumerate(told.axes):
        for other_at, other in enumerate(told.axes[:at]):
            if one.variable == other.variable:
                mask &= grids[at] != grids[other_at]
        for value in levels:
            if value.variable == one.variable and value.level is not None:
                mask &= grids[at] != value.level
    return mask


def _levels(graph: ADMG, cardinalities: int | Mapping[str, int]) -> dict[str, int]:
    if isinstance(cardinalities, Mapping):
        graph.indices(sorted(cardinalities))
        levels = {name: cardinalities.get(name, 2) for name in graph.nodes}
    else:
        levels = dict.fromkeys(graph.nodes, cardinalities)
    for name, size in levels.items():
        if size < 2:
            raise ParameterError(f"{name!r} has {size} levels.", "A variable has at least two.")
    return levels


def _drawn(
    graph: ADMG, name: str, levels: Mapping[str, int], draw: np.random.Generator
) -> Mechanism:
    parents = graph.parents(name)
    hidden = tuple(at for at, edge in enumerate(graph.bidirected) if name in edge)
    size = levels[name]
    shape = [*(levels[parent] for parent in parents), *(2 for _ in hidden)]
    drawn = _without_one if len(graph) <= _COUNTED else _table
    first, last = _table(size, shape, draw), drawn(size, shape, draw)
    fading = min(1.0, (_NOISY / len(graph)) ** 1.5)
    chances = draw.dirichlet([fading] * (size + 1))
    noise = fading * _SURE / (size + 1) + (1 - fading * _SURE) * chances
    table = np.stack([*((first + step) % size for step in range(size)), last], axis=-1)
    return Mechanism(parents, hidden, table, noise)


def _without_one(size: int, shape: Sequence[int], draw: np.random.Generator) -> NDArray[np.int64]:
    """Return a random table that depends on each of its inputs but one."""
    if not shape:
        return _table(size, shape, draw)
    left_out = int(draw.integers(len(shape)))
    rest = _table(size, [*shape[:left_out], *shape[left_out + 1 :]], draw)
    return np.broadcast_to(np.expand_dims(rest, left_out), shape)


def _hidden_value(a: str, b: str) -> Value:
    return Value(f"{a}<->{b}", "hidden")


def _table(size: int, shape: Sequence[int], draw: np.random.Generator) -> NDArray[np.int64]:
    """Return a random table that depends on each of its inputs: some wrong formulas need that."""
    while True:
        table = draw.integers(size, size=shape)
        if all((table.max(at) != table.min(at)).any() for at in range(table.ndim)):
            return np.asarray(table)
