"""Sums of products over products, on sets of bits: the form in which formulas are simplified.

Every formula is a sum, over some symbols, of a product that is divided by a product; symbols are
numbered, and a set of them is an integer, so that rules cost a few operations whatever the size.

| name | what |
|---|---|
| `Symbols` | which number is which value |
| `Atom` | a probability |
| `Opaque` | what no rule looks into: a difference, a number |
| `SumProduct` | a sum of factors over factors; itself a factor where it is divided by |
| `components`, `signature`, `joined`, `refreshed` | parts that share no bound symbol; a key that \
does not depend on bound symbols; a product; other bound symbols |
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, assert_never, final

from causalnet.identification.algorithms.masks import bits
from causalnet.identification.expressions import ZERO, Expression
from causalnet.identification.renaming import renamed
from causalnet.identification.values import Value, symbol

__all__ = [
    "NOTHING",
    "Atom",
    "Factor",
    "Opaque",
    "SumProduct",
    "Symbols",
    "components",
    "is_zero",
    "joined",
    "mentioned",
    "refreshed",
    "signature",
    "union",
]


class Atom(NamedTuple):
    """P(of | given, do) in a domain, by sets of symbols."""

    of: int
    given: int
    do: int = 0
    domain: str = ""


class Opaque(NamedTuple):
    """An expression that is moved about as a whole, with its free symbols."""

    expression: Expression
    free: int


class SumProduct(NamedTuple):
    """The sum over `bound` of the product of `over`, divided by that of `under`."""

    bound: int
    over: "tuple[Factor, ...]"
    under: "tuple[Factor, ...]" = ()


Factor: TypeAlias = Atom | Opaque | SumProduct

NOTHING = SumProduct(0, ())


@final
class Symbols:
    """The values of a formula by number; the first of each variable has the variable's number.

    Attributes:
        variables: Names, those of a graph first.
        values: For each number its value, once there is one.
        known: How many variables the graph has.
    """

    def __init__(self, nodes: Sequence[str], others: Iterable[str] = ()) -> None:
        """Number the variables of a graph, then others."""
        self.known = len(nodes)
        self.variables = (*nodes, *sorted(set(others).difference(nodes)))
        self._places = {name: at for at, name in enumerate(self.variables)}
        count = len(self.variables)
        self.values: list[Value | None] = [None] * count
        self._owners = list(range(count))
        self._numbers: dict[Value, int] = {}
        self._firsts = (1 << count) - 1

    def bit(self, value: Value) -> int:
        """Return the set that holds a value alone."""
        at = self._numbers.get(value)
        if at is None:
            place = self._places[value.variable]
            if self.values[place] is None:
                at = place
                self.values[at] = value
            else:
                at = len(self.values)
                self.values.append(value)
                self._owners.append(place)
            self._numbers[value] = at
        return 1 << at

    def mask(self, values: Iterable[Value]) -> int:
        """Return the set of some values."""
        found = 0
        for value in values:
            found |= self.bit(value)
        return found

    def value(self, at: int) -> Value:
        """Return the value with a number."""
        found = self.values[at]
        assert found is not None  # numbers are given out with values
        return found

    def listed(self, mask: int) -> tuple[Value, ...]:
        """Return the values in a set."""
        return tuple(self.value(at) for at in bits(mask))

    def another(self, at: int) -> int:
        """Return a set with a new symbol of the same variable."""
        variable, primes = self.variables[self._owners[at]], 0
        while symbol(variable, primes) in self._numbers:
            primes += 1
        return self.bit(symbol(variable, primes))

    def owner(self, at: int) -> int:
        """Return the number of a symbol's variable."""
        return self._owners[at]

    def variables_of(self, mask: int) -> int:
        """Return the set of variables of some symbols."""
        found = mask & self._firsts
        for at in bits(mask ^ found):
            found |= 1 << self._owners[at]
        return found

    def among(self, mask: int, variables: int) -> int:
        """Return those of some symbols whose variable is in a set."""
        found = mask & self._firsts & variables
        for at in bits(mask & ~self._firsts):
            if variables >> self._owners[at] & 1:
                found |= 1 << at
        return found

    def clash(self, mask: int) -> bool:
        """Return whether two symbols of some are of one variable, and fit in no probability."""
        return mask > self._firsts and self.variables_of(mask).bit_count() < mask.bit_count()


def union(masks: Iterable[int]) -> int:
    """Return the union of sets."""
    found = 0
    for mask in masks:
        found |= mask
    return found


def mentioned(factor: Factor) -> int:
    """Return the free symbols of a factor, levels included."""
    match factor:
        case Atom(of, given, do, _):
            return of | given | do
        case Opaque(_, free):
            return free
        case SumProduct(bound, over, under):
            return union(map(mentioned, over + under)) & ~bound
        case _:
            assert_never(factor)


def is_zero(term: SumProduct) -> bool:
    """Return whether a factor of the product is 0."""
    return any(isinstance(each, Opaque) and each.expression == ZERO for each in term.over)


def components(
    bound: int, over: Iterable[Factor], under: Iterable[Factor] = ()
) -> list[SumProduct]:
    """Return the smallest sums whose product is a sum; those without bound symbols last."""
    found: list[tuple[int, list[Factor], list[Factor]]] = []
    for side, factors in enumerate((over, under), start=1):
        for factor in factors:
            here: tuple[int, list[Factor], list[Factor]]
            here = (mentioned(factor) & bound, [], [])
            apart = []
            for each in found:
                if each[0] & here[0]:
                    here = (here[0] | each[0], each[1] + here[1], each[2] + here[2])
                else:
                    apart.append(each)
            (here[1] if side == 1 else here[2]).append(factor)
            found = [*apart, here]
    for at in bits(bound & ~union(each[0] for each in found)):
        found.append((1 << at, [], []))
    found.sort(key=lambda each: not each[0])
    return [SumProduct(mask, tuple(one), tuple(other)) for mask, one, other in found]


def joined(one: SumProduct, other: SumProduct, symbols: Symbols) -> SumProduct:
    """Return a product as one sum; bound symbols of the second make way."""
    if other.bound:
        outside = one.bound | union(map(mentioned, one.over + one.under))
        other = refreshed(other, other.bound & outside, symbols)
    if one.bound:
        outside = union(map(mentioned, other.over + other.under)) & ~other.bound
        one = refreshed(one, one.bound & outside, symbols)
    return SumProduct(one.bound | other.bound, one.over + other.over, one.under + other.under)


def refreshed(term: SumProduct, changed: int, symbols: Symbols) -> SumProduct:
    """Return a sum with new symbols in place of some that it binds."""
    if not changed:
        return term
    names = {1 << at: symbols.another(at) for at in bits(changed)}
    over, under = (
        tuple(_renamed(each, names, changed, symbols) for each in part)
        for part in (term.over, term.under)
    )
    return SumProduct(_mapped(term.bound, names, changed), over, under)


def _mapped(mask: int, names: Mapping[int, int], changed: int) -> int:
    for at in bits(mask & changed):
        mask = mask & ~(1 << at) | names[1 << at]
    return mask


def _renamed(factor: Factor, names: Mapping[int, int], changed: int, symbols: Symbols) -> Factor:
    """Return a factor with other free symbols, all of them new; nested at most a few times."""
    if not mentioned(factor) & changed:
        return factor
    match factor:
        case Atom(of, given, do, domain):
            of, given, do = (_mapped(part, names, changed) for part in (of, given, do))
            return Atom(of, given, do, domain)
        case Opaque(expression, free):
            values = {
                symbols.value(at): symbols.value(names[1 << at].bit_length() - 1)
                for at in bits(free & changed)
            }
            return Opaque(renamed(expression, values), _mapped(free, names, changed))
        case SumProduct(bound, over, under):
            inner = changed & ~bound
            one, other = (
                tuple(_renamed(each, names, inner, symbols) for each in part)
                for part in (over, under)
            )
            return SumProduct(bound, one, other)
        case _:
            assert_never(factor)


def signature(term: SumProduct, symbols: Symbols, outer: tuple[int, ...] = ()) -> Hashable:
    """Return a key that sums have in common only if they differ in bound symbols alone.

    A bound symbol is known by its variable and by the sum that binds it.  Several of one variable
    are ranked by the atoms in which they occur.
    """
    layers = tuple(layer & ~term.bound for layer in outer) + _layers(term, symbols)
    sides = (
        frozenset(Counter(_signature(each, symbols, layers) for each in part).items())
        for part in (term.over, term.under)
    )
    return (*(symbols.variables_of(layer) for layer in layers), *sides)


def _signature(factor: Factor, symbols: Symbols, layers: tuple[int, ...]) -> Hashable:
    match factor:
        case Atom(of, given, do, domain):
            return (*(_layered(part, symbols, layers) for part in (of, given, do)), domain)
        case Opaque(expression, free):
            return expression, _layered(free, symbols, layers)
        case SumProduct():
            return signature(factor, symbols, layers)
        case _:
            assert_never(factor)


def _layered(mask: int, symbols: Symbols, layers: tuple[int, ...]) -> tuple[int, ...]:
    within = tuple(symbols.variables_of(mask & layer) for layer in layers)
    return (mask & ~union(layers), *within)


def _layers(term: SumProduct, symbols: Symbols) -> tuple[int, ...]:
    """Return the bound symbols, at most one of each variable at a time."""
    if not symbols.clash(term.bound):
        return (term.bound,)
    atoms = [each for each in term.over if isinstance(each, Atom)]

    def rank(at: int) -> list[tuple[int, ...]]:
        bit = 1 << at
        return sorted(
            tuple(symbols.variables_of(part) for part in (each.of & bit, each.of, each.given))
            for each in atoms
            if (each.of | each.given) & bit
        )

    layers: list[int] = []
    for at in sorted(bits(term.bound), key=rank):
        for place, layer in enumerate(layers):
            if not symbols.clash(layer | 1 << at):
                layers[place] |= 1 << at
                break
        else:
            layers.append(1 << at)
    return tuple(layers)
