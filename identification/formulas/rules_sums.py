"""Sums that can be carried out.

| name | what |
|---|---|
| `marginalised` | the sum over v of P(v, w given u) is P(w given u), if nothing else has v |
| `eliminated` | the same, once all factors that have v are one probability by the chain rule |
"""

from typing import final

from causalnet.identification.algorithms.masks import bits
from causalnet.identification.formulas.rules_chain import merged, split
from causalnet.identification.formulas.rules_independence import Facts
from causalnet.identification.formulas.sum_products import Atom, SumProduct, mentioned, union

__all__ = ["eliminated", "marginalised"]


def marginalised(term: SumProduct, facts: Facts) -> SumProduct:
    """Carry out all sums over symbols that one probability alone has, and not as a condition.

    Such a probability may become 1.
    """
    if not term.bound:
        return term
    work = _Work(term, facts)
    work.marginalise()
    return work.term()


def eliminated(term: SumProduct, facts: Facts) -> SumProduct:
    """Carry out all sums over symbols whose factors are one probability by the chain rule.

    Symbols that few factors have come first.
    """
    work = _Work(term, facts)
    waiting = work.bound
    while waiting:
        counts = work.counts()
        order = sorted(bits(waiting), key=lambda at: (counts.get(at, 0), at))
        waiting = 0
        for at in order:
            if work.open >> at & 1:
                waiting |= work.without(1 << at)
    return work.term()


@final
class _Work:
    """A sum while symbol after symbol is summed out."""

    def __init__(self, term: SumProduct, facts: Facts) -> None:
        self.bound = term.bound
        self._facts = facts
        self._over = list(term.over)
        self._masks = [mentioned(each) for each in term.over]
        self._under = term.under
        self._divided = union(map(mentioned, term.under))

    @property
    def open(self) -> int:
        """The bound symbols that nothing is divided by."""
        return self.bound & ~self._divided

    def term(self) -> SumProduct:
        return SumProduct(self.bound, tuple(self._over), self._under)

    def counts(self) -> dict[int, int]:
        """Return how many factors have each bound symbol."""
        found: dict[int, int] = {}
        for mask in self._masks:
            for at in bits(mask & self.bound):
                found[at] = found.get(at, 0) + 1
        return found

    def _exchange(self, gone: list[Atom], come: list[Atom]) -> None:
        for each in gone:
            at = self._over.index(each)
            del self._over[at], self._masks[at]
        self._over += come
        self._masks += map(mentioned, come)

    def marginalise(self) -> None:
        """Carry out the sums over symbols that one probability has."""
        facts = self._facts
        while single := self._single():
            pairs = zip(self._over, self._masks, strict=True)
            having = [each for each, mask in pairs if mask & single and isinstance(each, Atom)]
            gone = 0
            for atom in having:
                here = atom.of & single
                if here:
                    left = atom._replace(of=atom.of & ~here)
                    rest = [facts.bounded(left)] if left.of else []
                    facts.note("margin", SumProduct(here, (atom,)), SumProduct(0, tuple(rest)))
                    self._exchange([atom], rest)
                    gone |= here
            if not gone:
                return
            self.bound &= ~gone

    def _single(self) -> int:
        """Return the bound symbols that one factor has."""
        once = twice = 0
        for mask in self._masks:
            twice |= once & mask
            once |= mask
        return once & ~twice & self.open

    def without(self, symbol: int) -> int:
        """Carry out the sum over one symbol, if all that has it is one probability with others.

        Returns:
            The symbols in what came in its place, if it was carried out.
        """
        facts = self._facts
        pairs = zip(self._over, self._masks, strict=True)
        having = [each for each, mask in pairs if mask & symbol]
        here = [each for each in having if isinstance(each, Atom)]
        owners = [each for each in here if each.of & symbol]
        if len(owners) != 1 or len(here) < len(having) or any(each.do & symbol for each in here):
            return 0
        owner = owners[0]
        group = [each for each in here if each is not owner]
        rest: list[Atom] = []
        if group and owner.of != symbol:  # P(v, w | u) = P(w | u) P(v | w, u)
            others = owner.of & ~symbol
            rest = [facts.bounded(owner._replace(of=others))]
            owner = facts.bounded(owner._replace(of=symbol, given=owner.given | others))
        pool = [each for each in self._over if isinstance(each, Atom) and each not in here]
        found = merged([owner, *group], pool + rest, facts) if group else (owner, [owner])
        if found is None:
            return 0
        whole, used = found
        left = whole._replace(of=whole.of & ~symbol)
        kept = [each for each in rest if each not in used]
        gone = [*here, *(each for each in used if each in pool)]
        after = (*kept, left) if left.of else tuple(kept)
        facts.note("elimination", SumProduct(symbol, tuple(gone)), SumProduct(0, after))
        come = kept + (split(left, facts) if left.of else [])
        self.bound &= ~symbol
        self._exchange(gone, come)
        self.marginalise()
        return union(map(mentioned, come)) & self.bound
