"""A search for derivations that knows nothing of ID: what follows from what is known, in turn.

Tikka, Hyttinen and Karvanen (2021), "Causal effect identification from multiple incomplete data
sources: a general search-based approach".

A state is P(A given do(B), C), as three sets of variables.  From the known ones on, a state leads
to others by a rule of the do-calculus for one variable, by taking a variable out of A or behind the
bar, or by a product with another state.  There are 4**n states, so that this is for graphs of at
most eight nodes; it is here to check that what ID refuses cannot be derived.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias, final

from causalnet.errors import InternalError, ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.masks import Masks, bits
from causalnet.identification.derivations.do_derivations import (
    DoDerivation,
    NotDerived,
    asked,
    replaced,
)
from causalnet.identification.derivations.do_rules import DoStep, Fault, Rule, made_step
from causalnet.identification.expressions import Expression, Prob, Ratio, Sum, product
from causalnet.identification.queries import Effect
from causalnet.identification.reading.questions import read_effect
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value, fresh, symbol

__all__ = ["MOST_NODES", "search_derivation"]

MOST_NODES = 8

_State: TypeAlias = tuple[int, int, int]  # A, B, C of P(A | do B, C)


def search_derivation(
    query: Effect | str, graph: ADMG, sources: Sources = OBSERVED, *, states: int = 20_000
) -> DoDerivation | NotDerived:
    """Search breadth first for a derivation of an effect.

    Variables that are no ancestors of the query's, nor of what experiments set, are left out first.

    Args:
        query: What is asked, perhaps as text.
        graph: Of what; at most eight nodes are left.
        sources: What is known, of one population.
        states: After how many states to stop.

    Returns:
        The derivation that was found first; or whether the search came to an end without one, or
        was stopped.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: More nodes than that, or sources of other populations.

    >>> from causalnet.identification.values import symbol
    >>> query = Effect((symbol("Y"),), (symbol("X"),))
    >>> found = search_derivation(query, ADMG.of(directed=[("X", "Y")]))
    >>> print(found.estimand, found.verify(), sep="; ")
    P(y|x); verified: 1 steps, 1 m-separations
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(search_derivation(query, bow))
    P(y | do(x)) is not derived: nothing more follows from P(V) after 6 states
    """
    query = read_effect(query, graph)
    start = asked(query)
    graph.indices([value.variable for value in (*start.of, *start.given, *start.do)])
    sources.check(graph)
    if any(known.domain for known in sources.distributions):
        raise ParameterError(
            f"{sources} names other populations.", "The rules are about one population."
        )
    masks = Masks.of(graph)
    of, given, do = (
        masks.mask(value.variable for value in part) for part in (start.of, start.given, start.do)
    )
    known = [masks.mask(each.do) for each in sources.distributions]
    masks = masks.induced(masks.ancestors(of | given | do | _union(known)))
    count = masks.alive.bit_count()
    if count > MOST_NODES:
        raise ParameterError(
            f"The search is asked for {count} nodes.",
            f"It goes over up to {MOST_NODES}, as it takes 4**n states.",
            "Write derive(query, graph).",
        )
    search = _Search(masks, states)
    goal = (of, do, given)
    for sets in known:
        search.reach((masks.alive & ~sets, sets, 0), "", ())
    search.run(goal)
    if goal in search.origins:
        return DoDerivation(query, graph, _told(search, goal, query, graph, known), sources)
    tried = len(search.origins)
    end = "stopped" if tried >= states else f"nothing more follows from {sources}"
    return NotDerived(query, graph, f"{end} after {tried} states")


def _union(masks: list[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


@final
@dataclass(slots=True, eq=False)
class _Search:
    """What has been reached.

    Attributes:
        masks: The graph.
        most: After how many states to stop.
        origins: For each state the rule and the states from which it follows; none for what is
            known.
        waiting: The states from which one has not gone on yet.
        factors: For each B and C the sets A of states that have them.
        answers: What m-separation said, by surgery and question.
        graphs: The graph after a surgery.
    """

    masks: Masks
    most: int
    origins: dict[_State, tuple[str, tuple[_State, ...]]] = field(default_factory=dict)
    waiting: deque[_State] = field(default_factory=deque)
    factors: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    answers: dict[tuple[int, int, int, int, int], bool] = field(default_factory=dict)
    graphs: dict[tuple[int, int], Masks] = field(default_factory=dict)

    def reach(self, state: _State, rule: str, before: tuple[_State, ...]) -> None:
        """Keep a state that is not known yet."""
        if state[0] and state not in self.origins and len(self.origins) < self.most:
            self.origins[state] = (rule, before)
            self.waiting.append(state)
            of, do, given = state
            self.factors.setdefault((do, given), []).append(of)

    def run(self, goal: _State) -> None:
        """Go on from each state until the goal is there or nothing follows."""
        while self.waiting and goal not in self.origins:
            state = self.waiting.popleft()
            self._by_probability(state)
            self._by_rules(state)

    def _by_probability(self, state: _State) -> None:
        of, do, given = state
        for at in bits(of):
            one = 1 << at
            if of != one:
                self.reach((of & ~one, do, given), "marginalise", (state,))
                self.reach((of & ~one, do, given | one), "condition", (state,))
        for inner in _parts(given):  # P(A | B, C) P(C' | B, C \ C') = P(A, C' | B, C \ C')
            other = (inner, do, given & ~inner)
            if other in self.origins:
                self.reach((of | inner, do, given & ~inner), "chain rule", (state, other))
        for first in tuple(self.factors.get((do, given | of), ())):
            if not first & (of | given | do):
                both = ((first, do, given | of), state)
                self.reach((of | first, do, given), "chain rule", both)

    def _by_rules(self, state: _State) -> None:
        of, do, given = state
        for at in bits(given):
            one, rest = 1 << at, given & ~(1 << at)
            if self.separated(do, 0, of, one, do | rest):
                self.reach((of, do, rest), "rule 1", (state,))
            if self.separated(do, one, of, one, do | rest):
                self.reach((of, do | one, rest), "rule 2", (state,))
        for at in bits(do):
            one, rest = 1 << at, do & ~(1 << at)
            if self.separated(rest, one, of, one, rest | given):
                self.reach((of, rest, given | one), "rule 2", (state,))
            if self.separated(rest | self._cut(one, rest, given), 0, of, one, rest | given):
                self.reach((of, rest, given), "rule 3", (state,))
        for at in bits(self.masks.alive & ~(of | do | given)):
            one = 1 << at
            if self.separated(do, 0, of, one, do | given):
                self.reach((of, do, given | one), "rule 1", (state,))
            if self.separated(do | self._cut(one, do, given), 0, of, one, do | given):
                self.reach((of, do | one, given), "rule 3", (state,))

    def _cut(self, one: int, do: int, given: int) -> int:
        """Return Z(W) of rule 3, for one variable."""
        return 0 if self._graph(do, 0).ancestors(given) & one else one

    def separated(self, heads: int, tails: int, of: int, one: int, given: int) -> bool:
        """Return whether a variable is separated from others after a surgery."""
        key = (heads, tails, of, one, given)
        if key not in self.answers:
            self.answers[key] = self._graph(heads, tails).separated(of, one, given)
        return self.answers[key]

    def _graph(self, heads: int, tails: int) -> Masks:
        if (heads, tails) not in self.graphs:
            self.graphs[heads, tails] = self.masks.cut(heads=heads, tails=tails)
        return self.graphs[heads, tails]


def _parts(mask: int) -> list[int]:
    """Return the subsets but the empty one."""
    found, part = [], mask
    while part:
        found.append(part)
        part = (part - 1) & mask
    return found


def _told(
    search: _Search, goal: _State, query: Effect, graph: ADMG, known: list[int]
) -> tuple[DoStep, ...]:
    """Return the steps from the query back to what is known."""
    start = asked(query)
    own = {value.variable: value for value in (*start.of, *start.given, *start.do)}
    steps: list[DoStep] = []
    whole: Expression = start

    def rewrite(rule: Rule, before: Expression, after: Expression) -> None:
        nonlocal whole
        then = replaced(whole, before, after)
        if then == whole:  # it was rewritten with an equal one
            return
        step = made_step(rule, before, after, graph)
        if isinstance(step, Fault):
            raise InternalError(f"{step} for {query} in {graph!r}.")
        steps.append(step)
        whole = then

    waiting: list[tuple[_State, Prob]] = [(goal, start)]
    while waiting:
        state, term = waiting.pop()
        if state[1] in known:  # a conditional of what is known
            continue
        rule, before = search.origins[state]
        values = own | {value.variable: value for value in (*term.of, *term.given, *term.do)}

        def named(mask: int, values: dict[str, Value] = values) -> tuple[Value, ...]:
            return tuple(values.get(v, symbol(v)) for v in search.masks.names(mask))

        terms = [Prob(named(of), named(given), named(do)) for of, do, given in before]
        match rule:
            case "rule 1" | "rule 2" | "rule 3":
                rewrite(rule, term, terms[0])
                waiting.append((before[0], terms[0]))
            case "marginalise":
                summed, joint = _summed(term, before[0][0] & ~state[0], search.masks, start)
                rewrite("marginalise", term, summed)
                waiting.append((before[0], joint))
            case "condition":
                margin = Prob(named(before[0][0] & ~state[0]), terms[0].given, terms[0].do)
                rewrite("condition", term, Ratio(terms[0], margin))
                summed, joint = _summed(margin, state[0], search.masks, start)
                rewrite("marginalise", margin, summed)
                waiting += [(before[0], terms[0]), (before[0], joint)]
            case "chain rule":
                rewrite("chain rule", term, product(terms))
                waiting += list(zip(before, terms, strict=True))
    return tuple(steps)


def _summed(term: Prob, over: int, masks: Masks, start: Prob) -> tuple[Sum, Prob]:
    """Return a term as a sum over further variables, and what is summed."""
    used = {*term.of, *term.given, *term.do, *start.of, *start.given, *start.do}
    bound = tuple(fresh(name, used) for name in masks.names(over))
    joint = Prob(term.of + bound, term.given, term.do)
    return Sum(bound, joint), joint
