"""The chain rule: P(a given b, c) P(b given c) is P(a, b given c), and back.

| name | what |
|---|---|
| `chained` | several probabilities as one, where m-separation lets conditions be added |
| `merged` | the same, with those others that it takes |
| `split` | a probability as conditional ones of single variables, causes first |
| `turned` | P(b given c) P(a given b, c) in place of P(a given c) P(b given a, c): Bayes' rule |
| `freed` | the same wherever it frees a factor of bound symbols |
| `regrouped` | as few probabilities as are found |
"""

from collections.abc import Iterable, Sequence

from causalnet.identification.algorithms.masks import bits
from causalnet.identification.formulas.rules_independence import Facts
from causalnet.identification.formulas.sum_products import (
    Atom,
    Factor,
    SumProduct,
    components,
    mentioned,
    union,
)

__all__ = ["chained", "freed", "merged", "regrouped", "split", "turned"]


def chained(atoms: Sequence[Atom], facts: Facts, given: int = 0) -> Atom | int:
    """Return the one probability that a product is, or on what some factor depends besides.

    The product of P(a_i | b_i) is P(a_1, .., a_k | c), where c are all conditions but the a_i, if
    there is an order in which each b_i is among c and what comes before, and in which each a_i is
    m-separated by b_i from the rest of these.  Whether it holds does not depend on the order.

    Args:
        atoms: The factors, at least one.
        facts: What separates.
        given: Conditions that the probability is to have besides.

    Returns:
        The probability; or symbols among c that a factor would depend on, none where the factors
        fit no order or no probability at all.
    """
    of = 0
    for atom in atoms:
        if of & atom.of:
            return 0
        of |= atom.of
        given |= atom.given
    given &= ~of
    do, domain = atoms[0].do, atoms[0].domain
    if any(atom.do != do or atom.domain != domain for atom in atoms):
        return 0
    if facts.symbols.clash(of | given | do):
        return 0
    waiting = sorted(atoms, key=facts.place)
    earlier = bad = 0
    later = of
    while waiting:
        for ready in waiting:
            if not ready.given & later:
                break
        else:
            return 0
        waiting.remove(ready)
        bad |= facts.depends(ready, earlier | given)
        earlier |= ready.of
        later &= ~ready.of
    return bad & given if bad else Atom(of, given, do, domain)


def merged(
    atoms: Sequence[Atom], pool: Iterable[Atom], facts: Facts
) -> tuple[Atom, list[Atom]] | None:
    """Return the one probability that some factors are together with others, and all of these.

    What a factor depends on besides can only become part of the probability, so the factor that it
    is of has to come in.
    """
    group, others = list(atoms), list(pool)
    first = frozenset(atoms)
    if _fails_again(first, others, facts):
        return None
    while True:
        found = chained(group, facts)
        if isinstance(found, Atom):
            return found, group
        owners = [each for each in others if each.of & found]
        missing = found & ~union(each.of for each in owners)
        if not owners or missing:
            facts.failures[first] = frozenset(group) - first, missing
            return None
        group += owners
        others = [each for each in others if each not in owners]


def _fails_again(first: frozenset[Atom], pool: Sequence[Atom], facts: Facts) -> bool:
    """Return whether factors failed before, with others that are all still there."""
    before = facts.failures.get(first)
    if before is None or not before[0].issubset(pool):
        return False
    return not before[1] or bool(before[1] & ~union(each.of for each in pool))


def split(atom: Atom, facts: Facts) -> list[Atom]:
    """Return a probability as a product of conditional ones of single variables, causes first."""
    if not atom.of & (atom.of - 1):
        return [facts.minimal(atom)]
    found, given = [], atom.given
    for at in sorted(bits(atom.of), key=lambda at: facts.rank[facts.symbols.owner(at)]):
        found.append(facts.bounded(atom._replace(of=1 << at, given=given)))
        given |= 1 << at
    facts.note("chain rule", SumProduct(0, (atom,)), SumProduct(0, tuple(found)))
    return found


def turned(one: Atom, other: Atom, facts: Facts) -> tuple[Atom, Atom] | None:
    """Return P(b | c) and P(a | b, c) for P(a | c) and P(b | a, c), if these fit together."""
    whole = chained((one, other), facts)
    if not isinstance(whole, Atom):
        return None
    first = facts.bounded(whole._replace(of=other.of))
    return first, facts.bounded(whole._replace(of=one.of, given=whole.given | other.of))


def freed(term: SumProduct, facts: Facts) -> SumProduct:
    """Take factors out of a sum, as far as Bayes' rule frees them of all bound symbols.

    P(v) P(a | v), for a bound v, becomes P(a) P(v | a).
    """
    if not term.bound:
        return term
    over = list(term.over)
    for other in term.over:
        if not isinstance(other, Atom) or other.of & term.bound or not other.given & term.bound:
            continue
        for one in over:
            if not isinstance(one, Atom) or not one.of & other.given & term.bound:
                continue
            pair = turned(one, other, facts)
            if pair and not mentioned(pair[0]) & term.bound:
                facts.note("Bayes' rule", SumProduct(0, (one, other)), SumProduct(0, pair))
                over.remove(one)
                over.remove(other)
                over += pair
                break
    return SumProduct(term.bound, tuple(over), term.under)


def regrouped(term: SumProduct, facts: Facts) -> SumProduct:
    """Return a sum with as few atoms as are found by merging two at a time.

    Two are merged if the result has no more conditions than one of them, so that no stratum gets
    thinner; and within one sum, or where a condition of one is the other's variable.
    """
    parts = [part.bound for part in components(term.bound, term.over, term.under) if part.bound]
    over, under = (
        tuple(_grouped(part, parts, term.bound, facts)) for part in (term.over, term.under)
    )
    if len(over) == len(term.over) and len(under) == len(term.under):
        return term
    return SumProduct(term.bound, over, under)


def _grouped(factors: Iterable[Factor], parts: list[int], bound: int, facts: Facts) -> list[Factor]:
    kept = list(factors)
    atoms = [each for each in kept if isinstance(each, Atom)]
    others: list[Factor] = [each for each in kept if not isinstance(each, Atom)]
    atoms.sort(key=facts.place)
    found: list[Atom] = []
    while atoms:  # once more for all that grew
        grown: list[Atom] = []
        for atom in atoms:
            for place, group in enumerate(found):
                whole = _pair(group, atom, parts, bound, facts)
                if whole is not None:
                    facts.note("chain rule", SumProduct(0, (group, atom)), SumProduct(0, (whole,)))
                    del found[place]
                    grown.append(whole)
                    break
            else:
                found.append(atom)
        atoms = grown
    return [*found, *others]


def _pair(one: Atom, other: Atom, parts: list[int], bound: int, facts: Facts) -> Atom | None:
    """Return the product of two atoms, if it is to be one."""
    linked = one.of & other.given or other.of & one.given
    given = (one.given | other.given) & ~(one.of | other.of)
    if given & ~one.given and given & ~other.given:
        return None
    here, there = mentioned(one) & bound, mentioned(other) & bound
    together = here == there == 0 or any(part & here and part & there for part in parts)
    if not together and not (linked and not (here and there)):
        return None
    found = chained((one, other), facts)
    return found if isinstance(found, Atom) else None
