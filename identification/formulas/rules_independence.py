"""Rules that rest on m-separation: conditions that do not matter, and experiments that do not.

| name | what | rule |
|---|---|---|
| `Facts.minimal` | P(a given b, c) is P(a given c), down to the Markov pillow | m-separation |
| `Facts.reached` | what a probability depends on besides | m-separation |
| `Facts.observed` | P(a given b) under do(x) is P(a given b, x), or P(a given b) | rules 2 and 3 |

In a domain that differs from the target the same variables are separated, as what differs are
mechanisms, not edges.  Under do(x) the edges into x are cut.  Conditional probabilities are taken
to have values: the distributions are positive.
"""

from collections.abc import Iterable
from typing import final

from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.masks import Masks, bits
from causalnet.identification.formulas.sum_products import Atom, SumProduct, Symbols

__all__ = ["Facts"]

_ALL = -1


@final
class Facts:
    """What rules know: the graph, the symbols, and what has been concluded from them.

    Attributes:
        symbols: The symbols.
        log: For each rule that was applied its name, and the part of the formula before and after.
        rank: For each variable its place in an order of causes.
        failures: For factors that were not one probability, even with others, these others, and
            what would have had to be a further one's variable.
    """

    def __init__(self, graph: ADMG | None, variables: Iterable[str] = ()) -> None:
        """Take a graph, or none, and the variables of a formula."""
        self.symbols = Symbols(graph.nodes if graph is not None else (), variables)
        self.log: list[tuple[str, SumProduct, SumProduct]] = []
        self.failures: dict[frozenset[Atom], tuple[frozenset[Atom], int]] = {}
        self._masks = None if graph is None else Masks.of(graph)
        order = self._masks.order if self._masks is not None else ()
        self.rank = {at: place for place, at in enumerate(order)}
        self.rank |= {at: at for at in range(len(order), len(self.symbols.variables))}
        self._above = _ancestors(self._masks)
        self._reached: dict[tuple[int, int, int], int] = {}
        self._by_atom: dict[Atom, int] = {}
        self._ranks: dict[Atom, int] = {}
        self._bounded: dict[Atom, Atom] = {}
        self._experiments: dict[str, set[int]] = {}

    def note(self, rule: str, before: SumProduct, after: SumProduct) -> None:
        """Write down that a rule was applied."""
        self.log.append((rule, before, after))

    def admit(self, domain: str, do: int) -> None:
        """Let probabilities be written under an experiment, given by symbols, of a domain."""
        self._experiments.setdefault(domain, set()).add(self.symbols.variables_of(do))

    def reached(self, atom: Atom) -> int:
        """Return the variables that are not m-separated from those of an atom by its conditions.

        Of the conditions these are the ones that matter.  Without a graph, or where a variable is
        not in it, all are.
        """
        found = self._by_atom.get(atom)
        if found is None:
            found = self._by_atom[atom] = self._reached_by(atom)
        return found

    def _reached_by(self, atom: Atom) -> int:
        of, given, do = (self.symbols.variables_of(part) for part in atom[:3])
        key = of, given, do
        found = self._reached.get(key)
        if found is None:
            masks = self._masks
            if masks is None or (of | given | do) >> self.symbols.known:
                found = _ALL
            else:
                found = _reached(masks, self._above, of, given, do) | _ALL << self.symbols.known
            self._reached[key] = found
        return found

    def place(self, atom: Atom) -> int:
        """Return the place, in an order of causes, of the last variable of an atom."""
        found = self._ranks.get(atom)
        if found is None:
            found = max(self.rank[self.symbols.owner(at)] for at in bits(atom.of))
            self._ranks[atom] = found
        return found

    def depends(self, atom: Atom, symbols: int) -> int:
        """Return those of further symbols on which an atom would depend as conditions."""
        further = symbols & ~atom.given
        return self.symbols.among(further, self.reached(atom)) if further else 0

    def minimal(self, atom: Atom) -> Atom:
        """Return an atom without the conditions that do not matter, and note which these were."""
        found = self.bounded(atom)
        if found is not atom:
            self.note("m-separation", SumProduct(0, (atom,)), SumProduct(0, (found,)))
        return found

    def bounded(self, atom: Atom) -> Atom:
        """Return an atom with its Markov boundary among its conditions.

        It is the same in whatever order conditions are dropped, as m-separation has the
        intersection property.
        """
        if not atom.given:
            return atom
        found = self._bounded.get(atom)
        if found is None:
            given = self.symbols.among(atom.given, self.reached(atom))
            found = atom if given == atom.given else atom._replace(given=given)
            self._bounded[atom] = found
        return found

    def observed(self, atom: Atom) -> Atom:
        """Return an atom under an experiment that sets less and is admitted, if it may be."""
        symbols, masks = self.symbols, self._masks
        do = symbols.variables_of(atom.do)
        if masks is None or not do or symbols.variables_of(_all(atom)) >> symbols.known:
            return atom
        for target in sorted(self._experiments.get(atom.domain, ()), key=int.bit_count):
            if target & ~do or target == do:
                continue
            found = self._exchanged(masks, atom, do & ~target)
            if found is not None:
                self.note("do-calculus", SumProduct(0, (atom,)), SumProduct(0, (found,)))
                return found
        return atom

    def _exchanged(self, masks: Masks, atom: Atom, dropped: int) -> Atom | None:
        """Return an atom with some variables seen, or not mentioned, in place of set."""
        symbols = self.symbols
        for at in bits(dropped):
            of, given, do = (symbols.variables_of(part) for part in atom[:3])
            here, rest = 1 << at, do & ~(1 << at)
            value = symbols.among(atom.do, here)
            left = atom._replace(do=atom.do & ~value)
            if _unset(masks, here, of, given, rest):  # rule 3
                atom = left
            elif masks.cut(rest, here).separated(here, of, given | rest):  # rule 2
                atom = left._replace(given=left.given | value)
            else:
                return None
        return atom


def _unset(masks: Masks, here: int, of: int, given: int, rest: int) -> bool:
    """Return whether rule 3 drops do(x)."""
    cut = masks.cut(heads=rest)
    heads = here & ~cut.ancestors(given)
    return masks.cut(heads=rest | heads).separated(here, of, given | rest)


def _all(atom: Atom) -> int:
    return atom.of | atom.given | atom.do


def _ancestors(masks: Masks | None) -> list[int]:
    """Return for each node its ancestors and itself."""
    if masks is None:
        return []
    found = [0] * len(masks.nodes)
    for at in masks.order:
        above = 1 << at
        for parent in bits(masks.parents[at]):
            above |= found[parent]
        found[at] = above
    return found


def _reached(masks: Masks, above: list[int], of: int, given: int, do: int) -> int:
    """Return where open walks lead from some nodes; a walk may end at a node that is given.

    Bayes-ball (Shachter 1998) with bidirected edges (Richardson 2003).  The nodes of `do` have no
    edges into them and are given, so that no walk goes through them.
    """
    opened = 0
    if do:
        opened = masks.ancestors(given, ~do)
    else:
        for at in bits(given):
            opened |= above[at]
    children, parents, siblings = masks.children, masks.parents, masks.siblings
    by_head, by_tail = 0, of  # how nodes were arrived at
    heads, tails = 0, of  # those from which walks have still to go on
    within = ~do
    while heads or tails:
        to_heads = to_tails = 0
        while tails:
            low = tails & -tails
            tails ^= low
            at = low.bit_length() - 1
            to_heads |= children[at] | siblings[at]
            to_tails |= parents[at]
        while heads:
            low = heads & -heads
            heads ^= low
            at = low.bit_length() - 1
            if not given & low:
                to_heads |= children[at]
            if opened & low:
                to_heads |= siblings[at]
                to_tails |= parents[at]
        heads = to_heads & within & ~by_head
        tails = to_tails & within & ~by_tail
        by_head |= heads
        by_tail |= tails
        tails &= ~given
    return (by_head | by_tail) & ~of
