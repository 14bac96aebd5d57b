"""The engine below every algorithm: factors Q[C] = P(C | do(the rest)) from what is known.

Tian and Pearl (2002), "A general identification condition for causal effects"; Huang and Valtorta
(2006) for completeness; Lee, Correa and Bareinboim (2019), "General identifiability with arbitrary
surrogate experiments", and (2020) for several domains.

| the paper's | here |
|---|---|
| Q[C] | a factor |
| c-component | district |
| Identify(C, T, Q[T]) | `_Known.factors` |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.kernels import Factor, conditional, summed
from causalnet.identification.algorithms.masks import Masks, bits
from causalnet.identification.answers import Hedge, Thicket
from causalnet.identification.expressions import Expression, Prob, product
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value, symbol

__all__ = ["Engine", "Obstacle"]

Obstacle: TypeAlias = Hedge | Thicket


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """One distribution: the nodes that its experiment sets, and those that differ in its domain."""

    distribution: Distribution
    sets: int
    differs: int

    def stuck(self, masks: Masks, factor: int) -> int:
        """Return the larger part of a hedge for a factor; 0 if there is none.

        From T on, Identify goes to the ancestors A of C in T, and to the district of C in A; where
        neither makes T smaller, T and C are a hedge.
        """
        within = masks.alive & ~self.sets
        if masks.district(factor, within) == factor:  # as most are; ancestors cost more to find
            return 0
        while True:
            smaller = masks.district(factor, masks.ancestors(factor, within))
            if smaller == factor:
                return 0
            if smaller == within:
                return smaller
            within = smaller

    def factors(self, masks: Masks, factor: int, symbols: Sequence[Value]) -> list[Factor]:
        """Return Q[C] as a product of factors; there must be no hedge."""
        chain, district = self._first(masks, factor, symbols)
        while district != factor:
            above = masks.ancestors(factor, district)
            over = district & ~above
            if above == factor:  # Identify, line a
                return summed(chain, over, symbols)
            smaller = masks.district(factor, above)
            later, links = above, []
            for at in masks.ordered(above):  # Identify, line c: Q[T'] by lemma 4
                later &= ~(1 << at)
                if smaller >> at & 1:
                    links.append(conditional(chain, over, 1 << at, later, symbols))
            chain, district = links, smaller
        return list(chain)

    def _first(
        self, masks: Masks, factor: int, symbols: Sequence[Value]
    ) -> tuple[list[Factor], int]:
        """Return Q[T] for the district T of a factor among its ancestors: P(v | Markov pillow)."""
        within = masks.alive & ~self.sets
        above = masks.ancestors(factor, within)
        district = masks.district(factor, above)
        do = tuple(symbols[at] for at in bits(self.sets))
        before, links = 0, []
        for at in masks.ordered(above):
            before |= 1 << at
            if district >> at & 1:
                inside = masks.district(1 << at, before)
                pillow = (inside | masks.parents_of(inside) & within) & ~(1 << at)
                given = tuple(symbols[each] for each in bits(pillow))
                term = Prob((symbols[at],), given, do, self.distribution.domain)
                links.append(Factor(term, pillow | 1 << at | self.sets, 1 << at))
        return links, district


@final
@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """What is known of a graph, and the factors that follow.

    Attributes:
        masks: The graph.
        symbols: The symbol of each node.
        known: The distributions, P(V) and small experiments first.

    >>> front_door = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")])
    >>> Engine.of(front_door).factor(frozenset({"Y"}))
    sum[x](P(x) * P(y|x,z))
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(Engine.of(bow).factor(frozenset({"Y"})))
    hedge {X, Y} over {Y}, roots {Y}
    """

    masks: Masks
    symbols: tuple[Value, ...]
    known: tuple[_Known, ...]

    @staticmethod
    def of(graph: ADMG, sources: Sources = OBSERVED) -> "Engine":
        """Return the engine for a graph and what is known of it.

        Raises:
            UnknownMediatorError: A variable of the sources that is not in the graph.
        """
        sources.check(graph)
        masks = Masks.of(graph)
        ranked = sorted(sources.distributions, key=lambda d: (bool(d.domain), len(d.do), d))
        known = tuple(
            _Known(each, masks.mask(each.do), masks.mask(sources.changed(each.domain)))
            for each in ranked
        )
        return Engine(masks, tuple(map(symbol, graph.nodes)), known)

    def on(self, masks: Masks) -> "Engine":
        """Return the engine for another graph on the same nodes."""
        return Engine(masks, self.symbols, self.known)

    def fixed(self) -> int:
        """Return the nodes that an experiment sets or that differ in a domain."""
        found = 0
        for known in self.known:
            found |= known.sets | known.differs
        return found

    def usable(self, factor: int) -> "_Known | None":
        """Return the first distribution from which a factor follows, if there is one."""
        for known in self.known:
            if not factor & (known.sets | known.differs) and not known.stuck(self.masks, factor):
                return known
        return None

    def factors(self, factor: int) -> list[Factor]:
        """Return Q[C] as factors whose product it is; it must follow from a distribution."""
        known = self.usable(factor)
        assert known is not None  # whoever asks has looked
        return known.factors(self.masks, factor, self.symbols)

    def reduced(self, kept: int, holds: "Callable[[Engine], bool]") -> "Engine":
        """Return the engine for a latent projection that omits as much as it can.

        What a set of variables determines, a larger set determines too; so a variable that cannot
        be omitted at one time cannot be omitted later, and parts are tried from large to small.
        Effects are tried before their causes, which mostly leaves fewer.

        Args:
            kept: Nodes that stay; so do those that experiments set or that differ in a domain.
            holds: Whether an engine is still enough; it is for this one.
        """
        engine = self
        waiting = [self.masks.ordered(self.masks.alive & ~(kept | self.fixed()))[::-1]]
        while waiting:
            part = waiting.pop()
            omitted = 0
            for at in part:
                omitted |= 1 << at
            trial = engine.on(engine.masks.without(omitted))
            if holds(trial):
                engine = trial
            elif len(part) > 1:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
        return engine

    def factor(self, district: frozenset[str]) -> "Expression | Obstacle":
        """Return Q[C] in the symbols of C and its parents, or why it does not follow.

        The expression may hold further free symbols, on whose values it does not depend.

        Args:
            district: A set C of nodes that is connected by bidirected edges.
        """
        mask = self.masks.mask(district)
        if self.usable(mask) is None:
            return self.obstacle(mask)
        kept = mask | self.masks.parents_of(mask)
        relevant = self.masks.ancestors(mask) | self.fixed()
        smaller = self.on(self.masks.induced(relevant))
        smaller = smaller.reduced(kept, lambda trial: trial.usable(mask) is not None)
        return product(factor.expression for factor in smaller.factors(mask))

    def obstacle(self, factor: int) -> Obstacle:
        """Return what is in the way of a factor in each distribution; there must be something."""
        found: list[tuple[Distribution, Hedge | frozenset[str]]] = []
        for known in self.known:
            blocked = factor & (known.sets | known.differs)
            if blocked:
                found.append((known.distribution, frozenset(self.masks.names(blocked))))
            else:
                outer = known.stuck(self.masks, factor)
                found.append((known.distribution, self._hedge(outer, factor)))
        if len(found) == 1 and isinstance(found[0][1], Hedge):
            return found[0][1]
        return Thicket(frozenset(self.masks.names(factor)), tuple(found))

    def _hedge(self, outer: int, inner: int) -> Hedge:
        masks = self.masks
        roots = [at for at in bits(inner) if not masks.children[at] & inner]
        return Hedge(
            frozenset(masks.names(outer)),
            frozenset(masks.names(inner)),
            frozenset(masks.nodes[at] for at in roots),
        )
