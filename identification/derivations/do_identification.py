"""ID spelled out in the do-calculus: each of its factors is a handful of uses of the rules.

To find Q[C] = P(C | do(the rest)), Identify goes through shrinking sets: A is the ancestors of C
in what is there, T the district of C in A; then the same within T, until T is C.  Read from
right to left, and with do(...) of parents only, this is a rewriting of terms:

| a term | becomes | by |
|---|---|---|
| `P[x](v given earlier)` | `P[b(A)](v given pillow of v in A)` | rules 1, 2, 3 |
| `P[b(A)](v given pillow)` | `P[b(A)](v, pillow) / P[b(A)](pillow)` | condition |
| `P[b(A)](S)` | `P[b(T')](S)`, where A is ancestral in T' | rule 3 |
| `P[b(T')](S)` | a sum of `P[b(T')](v given earlier)` | marginalise, chain rule |

b(A) are the parents of A outside of it, and T' is the T of the round before.

Huang and Valtorta (2006), "Pearl's calculus of intervention is complete"; Shpitser and Pearl (2006)
for the same by way of ID.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import final

from causalnet.errors import InternalError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.engine import Engine
from causalnet.identification.algorithms.masks import Masks, bits
from causalnet.identification.derivations.do_derivations import asked, replaced
from causalnet.identification.derivations.do_rules import DoStep, Fault, Rule, made_step
from causalnet.identification.expressions import Expression, Prob, Product, Ratio, Sum, product
from causalnet.identification.queries import Effect
from causalnet.identification.sources import Distribution, Sources
from causalnet.identification.values import Value, fresh, symbol

__all__ = ["steps_of"]


def steps_of(query: Effect, graph: ADMG, sources: Sources) -> tuple[DoStep, ...] | str:
    """Return the steps of a derivation from sources in one population, or why there are none.

    >>> from causalnet.identification.values import symbol
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> steps_of(Effect((symbol("Y"),), (symbol("X"),)), bow, Sources())
    'hedge {X, Y} over {Y}, roots {Y}'
    """
    engine = Engine.of(graph, sources)
    masks = engine.masks
    start = asked(query)
    if Distribution(tuple(value.variable for value in start.do)) in sources.distributions:
        return ()
    of, do, given = (
        masks.mask(value.variable for value in part) for part in (start.of, start.do, start.given)
    )
    moved = _moved(masks, of, do, given)
    for at in moved:
        do, given = do | 1 << at, given & ~(1 << at)
    for district in _districts(masks, of | given, do):
        if engine.usable(district) is None:
            return str(engine.obstacle(district))
    kept = of | do | given | engine.fixed()
    rewriting = _Rewriting(_smallest(engine, of | given, do, kept), graph, query, start)
    rewriting.query(start, moved)
    return tuple(rewriting.steps)


def _moved(masks: Masks, of: int, do: int, given: int) -> list[int]:
    """Return the conditions that can be made treatments, one after another (IDC, line 1)."""
    found: list[int] = []
    waiting = list(bits(given))
    while waiting:
        at = waiting.pop(0)
        one = 1 << at
        if given & one and masks.cut(heads=do, tails=one).separated(of, one, do | given & ~one):
            found.append(at)
            do, given = do | one, given & ~one
            waiting = list(bits(given))
    return found


def _districts(masks: Masks, of: int, do: int) -> list[int]:
    return masks.districts(masks.ancestors(of, masks.alive & ~do))


def _smallest(engine: Engine, of: int, do: int, kept: int) -> Engine:
    """Leave out variables, as hidden ones, as long as what is left determines the answer."""
    for at in reversed(engine.masks.ordered(engine.masks.alive & ~kept)):
        trial = engine.on(engine.masks.without(1 << at))
        if all(trial.usable(each) is not None for each in _districts(trial.masks, of, do)):
            engine = trial
    return engine


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One round of Identify: the ancestors A of C, the district T of C in A.

    Attributes:
        masks: The graph.
        above: A.
        district: T.
        sets: What is set in the distributions of this round: the parents of A outside of it, or,
            in the first round, what the experiment sets.
    """

    masks: Masks
    above: int
    district: int
    sets: int

    def border(self) -> int:
        """Return the parents of T outside of it."""
        return self.masks.parents_of(self.district) & ~self.district

    def pillow(self, at: int) -> int:
        """Return the district and its parents of a node among those before it in A."""
        before = 0
        for each in self.masks.ordered(self.above):
            before |= 1 << each
            if each == at:
                break
        inside = self.masks.district(1 << at, before)
        return (inside | self.masks.parents_of(inside)) & ~(1 << at)

    def closure(self, wanted: int) -> int:
        """Return the least part of T that has some nodes and, with a node, its pillow in T."""
        found, waiting = wanted, wanted
        while waiting:
            at = waiting.bit_length() - 1
            more = self.pillow(at) & self.district & ~found
            found |= more
            waiting = (waiting ^ (1 << at)) | more
        return found


def _levels(engine: Engine, factor: int) -> list[_Level]:
    """Return the rounds of Identify for a factor, the last of which has it for district."""
    known, masks = engine.usable(factor), engine.masks
    assert known is not None  # it was asked before
    within, sets = masks.alive & ~known.sets, known.sets
    found: list[_Level] = []
    while not found or found[-1].district != factor:
        above = masks.ancestors(factor, within)
        if found:
            sets = masks.parents_of(above) & ~above
        within = masks.district(factor, above)
        found.append(_Level(masks, above, within, sets))
    return found


@final
@dataclass(slots=True, eq=False)
class _Rewriting:
    """The expression as it is, and the steps that led to it.

    Attributes:
        engine: What is known of the graph without the variables that are left out.
        graph: The whole graph.
        asked: The query.
        whole: The expression.
        steps: The steps.
    """

    engine: Engine
    graph: ADMG
    asked: Effect
    whole: Expression
    steps: list[DoStep] = field(default_factory=list)

    def rewrite(self, rule: Rule, before: Expression, after: Expression) -> None:
        """Rewrite where the expression occurs; it may have been rewritten with an equal one."""
        if before == after:
            return
        whole = replaced(self.whole, before, after)
        if whole == self.whole:
            return
        step = made_step(rule, before, after, self.graph)
        if isinstance(step, Fault):
            raise InternalError(f"{step} for {self.asked} in {self.graph!r}.")
        self.whole = whole
        self.steps.append(step)

    def query(self, start: Prob, moved: Iterable[int]) -> None:
        """Rewrite the query, with some conditions made treatments and the others taken off."""
        masks, values, term = self.engine.masks, _Values(self, start), start
        of, do, given = (
            masks.mask(value.variable for value in part)
            for part in (start.of, start.do, start.given)
        )
        for at in moved:  # IDC, line 1
            do, given = do | 1 << at, given & ~(1 << at)
            before, term = term, values.term(of, given, do)
            self.rewrite("rule 2", before, term)
        inside = masks.ancestors(of | given, masks.alive & ~do)
        acting = do & masks.parents_of(inside)
        before, term = term, values.term(of, given, acting)
        self.rewrite("rule 3", before, term)
        if any(known.sets == acting for known in self.engine.known):
            return
        joints = [term]
        if given:  # IDC, line 2
            over, under = values.term(of | given, 0, acting), values.term(given, 0, acting)
            self.rewrite("condition", term, Ratio(over, under))
            bound = self.fresh(of, under)
            summed = Prob(under.of + bound, do=under.do)
            self.rewrite("marginalise", under, Sum(bound, summed))
            joints = [over, summed]
        # Groups come first, and the denominator's chain after the numerator's groups: a rewriting
        # is done wherever the term occurs, and a factor of a group that is rewritten where the rest
        # of the group is not there, or has other values, would be left over.
        parts = [part for each in joints for part in self.joint(each, of | given, inside, acting)]
        for part in parts:
            self.part(part, inside, acting)

    def joint(self, term: Prob, of: int, inside: int, acting: int) -> "list[_Part]":
        """Rewrite P[x](S) as a sum of factors (ID, lines 2 to 4), those of a group as one."""
        values = self.margin(_Values(self, term), of, inside, acting)
        districts = self.engine.masks.districts(inside)
        parts = [_Part(values, each, _levels(self.engine, each)) for each in districts]
        for part in parts:
            if part.grouped():
                self.group(part, inside, acting)
        return parts

    def group(self, part: "_Part", inside: int, do: int) -> None:
        """Rewrite the factors of a district as one."""
        values, last, factors = part.values, part.levels[-1], []
        for at in self.engine.masks.ordered(part.district):
            one, earlier = 1 << at, inside & self.before(at)
            pillow = last.pillow(at) & earlier
            kept = earlier & part.district
            self.pass_(values, one, earlier, do, kept, pillow & ~kept, last.sets)
            factors.append(values.term(one, kept, last.sets))
        if len(factors) > 1:
            whole = values.term(part.district, 0, last.sets)
            self.rewrite("chain rule", Product(tuple(factors)), whole)

    def part(self, part: "_Part", inside: int, do: int) -> None:
        """Rewrite the factors of a district in terms of what is known."""
        values, district, levels = part.values, part.district, part.levels
        if part.grouped():  # Identify, line a
            self.margin_of(values, district, levels[-1].sets, levels[:-1])
            return
        for at in self.engine.masks.ordered(district):
            self.factor(values, at, inside & self.before(at), do, levels)

    def margin_of(self, values: "_Values", of: int, do: int, levels: list[_Level]) -> None:
        """Rewrite P[b(A)](S) in terms of the round before, in which A is ancestral."""
        last = levels[-1]
        border = last.border()
        self.rewrite("rule 3", values.term(of, 0, do), values.term(of, 0, border))
        inside = last.closure(of)
        values = self.margin(values, of, inside, border)
        for at in self.engine.masks.ordered(inside):
            self.factor(values, at, inside & self.before(at), border, levels)

    def margin(self, values: "_Values", of: int, inside: int, do: int) -> "_Values":
        """Rewrite P[x](S) as a sum of a chain of conditionals; return the values in it."""
        masks = self.engine.masks
        term = values.term(of, 0, do)
        bound = self.fresh(inside & ~of, term)
        if bound:
            joint = Prob(term.of + bound, do=term.do)
            self.rewrite("marginalise", term, Sum(bound, joint))
            values, term = _Values(self, joint), joint
        chain = [values.term(1 << at, inside & self.before(at), do) for at in masks.ordered(inside)]
        if len(chain) > 1:
            self.rewrite("chain rule", term, product(chain))
        return values

    def factor(
        self, values: "_Values", at: int, earlier: int, do: int, levels: list[_Level]
    ) -> None:
        """Rewrite P[x](v | earlier) as a conditional of the round, and that as a ratio."""
        last = levels[-1]
        one, pillow = 1 << at, last.pillow(at)
        given = pillow & last.above
        moved = pillow & earlier & ~last.above
        self.pass_(values, one, earlier, do, given & earlier, moved, last.sets, given & ~earlier)
        if len(levels) == 1:
            return
        # Identify, line c: Q[T] from Q[A], by lemma 4 of Tian and Pearl (2002)
        over, under = values.term(one | given, 0, last.sets), None
        if given:
            under = values.term(given, 0, last.sets)
            self.rewrite("condition", values.term(one, given, last.sets), Ratio(over, under))
        self.margin_of(values, one | given, last.sets, levels[:-1])
        if given:
            self.margin_of(values, given, last.sets, levels[:-1])

    def pass_(
        self,
        values: "_Values",
        of: int,
        given: int,
        do: int,
        kept: int,
        moved: int,
        sets: int,
        seen: int = 0,
    ) -> None:
        """Rewrite P[x](v | given) by rule 1, rule 2, rule 3 and rule 2.

        Args:
            values: The values of all these.
            of: The variable.
            given: On what one conditions before.
            do: What is set before.
            kept: What one still conditions on.
            moved: On what one conditioned and what is then set.
            sets: What is set afterwards.
            seen: What was set, and on what one then conditions.
        """
        terms = [
            values.term(of, given, do),
            values.term(of, kept | moved, do),
            values.term(of, kept, do | moved),
            values.term(of, kept, do | moved | sets),
            values.term(of, kept, sets | seen),
            values.term(of, kept | seen, sets),
        ]
        rules: tuple[Rule, ...] = ("rule 1", "rule 2", "rule 3", "rule 3", "rule 2")
        for rule, before, after in zip(rules, terms[:-1], terms[1:], strict=True):
            self.rewrite(rule, before, after)

    def before(self, at: int) -> int:
        """Return the nodes before a node."""
        found = 0
        for each in self.engine.masks.order:
            if each == at:
                return found
            found |= 1 << each
        raise InternalError(f"Node {at} has no place in the order.")

    def fresh(self, variables: int, term: Prob) -> tuple[Value, ...]:
        """Return symbols to be summed over that are neither in a term nor in the query."""
        used = {*term.of, *term.do, *asked(self.asked).free}
        return tuple(fresh(name, used) for name in self.engine.masks.names(variables))


@final
class _Values:
    """The value of each variable in one term; others have that of the query, or their own."""

    def __init__(self, rewriting: _Rewriting, term: Prob) -> None:
        self._masks = rewriting.engine.masks
        start = asked(rewriting.asked)
        self._of = {value.variable: value for value in _all(start)}
        self._of |= {value.variable: value for value in _all(term)}

    def term(self, of: int, given: int, do: int) -> Prob:
        """Return P[do](of | given)."""
        return Prob(self._named(of), self._named(given), self._named(do))

    def _named(self, mask: int) -> tuple[Value, ...]:
        return tuple(self._of.get(name, symbol(name)) for name in self._masks.names(mask))


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A district of a joint probability: its factors in the chain, and how they are found."""

    values: _Values
    district: int
    levels: list[_Level]

    def grouped(self) -> bool:
        """Return whether the district is ancestral in the last round, and so a margin there."""
        return len(self.levels) > 1 and self.levels[-1].above == self.district


def _all(term: Prob) -> Iterable[Value]:
    return (*term.of, *term.given, *term.do)
