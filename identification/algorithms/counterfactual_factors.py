"""Counterfactual events as factors of districts: ID* as ctf-ID.

Correa, Lee and Bareinboim (2021), "Nested counterfactual identification from arbitrary surrogate
experiments"; Shpitser and Pearl (2007, 2008) for ID* and its lines.

| the papers' | here |
|---|---|
| events of make-cg's graph; the ancestral set in factor form | `Atom`s, by `settled` |
| INCONSISTENT (ID*, lines 2 and 5) | `Contradiction` |
| a factor of a district (ID*, line 6) | `Factor` |
| an inconsistent factor (ID*, line 8) | `Conflict` |

Different symbols of one variable are different values, and so are different levels.  Whether a
symbol is a level is not known: where the answer turns on it, the query is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import TypeAlias, TypeVar, final

from causalnet.errors import TermError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.unnesting import Copies, Input, Inputs
from causalnet.identification.values import Value, fresh

__all__ = [
    "Atom",
    "Conflict",
    "Contradiction",
    "Event",
    "Factor",
    "Numbers",
    "factors_of",
    "named",
    "settled",
    "told",
    "value_of",
]

Event: TypeAlias = tuple[Input, Value]
Numbers: TypeAlias = dict[tuple[str, Inputs], int]


@final
@dataclass(frozen=True, slots=True)
class Atom:
    """A variable whose parents have values takes a value: a given one, or each in turn.

    Attributes:
        number: By which a value that is summed over is known; equal inputs, equal number.
        variable: The variable.
        inputs: For each parent its value, or the number of the atom whose value it takes.
        value: The value; None where one sums over all of them.
    """

    number: int
    variable: str
    inputs: Inputs
    value: Value | None

    @property
    def output(self) -> Input:
        """Return the value, or the number of this atom if one sums over it."""
        return self.number if self.value is None else self.value


@final
@dataclass(frozen=True, slots=True)
class Contradiction:
    """Events that cannot happen together, in any model of the graph.

    Attributes:
        rule: The line of ID* that says so.
        because: Why.
    """

    rule: str
    because: str


@final
@dataclass(frozen=True, slots=True)
class Factor:
    """Q[C] at some values: the probability of a district where its parents are set.

    Attributes:
        district: The variables, C.
        values: The value, or the number of the atom, of each of them and of each parent.
    """

    district: frozenset[str]
    values: Mapping[str, Input]


@final
@dataclass(frozen=True, slots=True)
class Conflict:
    """A district for which a variable would have two values at once.

    Attributes:
        district: The variables of the district.
        variable: The one with two values, in the district or a parent of it.
        inputs: The two: values, or numbers of atoms.
    """

    district: frozenset[str]
    variable: str
    inputs: tuple[Input, Input]


def settled(
    copies: Copies, events: Sequence[Event], numbers: Numbers
) -> tuple[Atom, ...] | Contradiction:
    """Return events and all above them as atoms: each ancestor once, at the values of its parents.

    Going down in topological order, copies whose parents have the same values are one atom; an
    event fixes its value, for itself and for its children.

    Args:
        copies: Where the events' variables are.
        events: What happens: the value of a copy, or of what a world sets to a value.
        numbers: The numbers of atoms, shared by sets of events that are to be compared.

    Raises:
        TermError: Whether the events contradict each other turns on whether a symbol is a level.

    >>> from causalnet.identification.queries import Potential
    >>> from causalnet.identification.values import symbol
    >>> copies = Copies.of(ADMG.of(directed=[("X", "M"), ("M", "Y")]))
    >>> effect = copies.numbered(Potential.of("Y", {"X": symbol("X")}))
    >>> atoms = settled(copies, [(effect, symbol("Y"))], {})
    >>> told(atoms, named(atoms, ()))
    'sum[m](P(m{x}, y{m}))'
    >>> settled(copies, [(symbol("X"), symbol("X", 1))], {}).because
    "a world sets x, which is not x'"
    """
    known: dict[int, list[Value]] = {}
    for place, value in events:
        if isinstance(place, int):
            known.setdefault(place, []).append(value)
        elif place != value:
            place, value = _two((place, value))
            return Contradiction("ID*, line 2", f"a world sets {place}, which is not {value}")
    atoms: dict[int, Atom] = {}
    outputs: dict[int, Input] = {}
    order = copies.above(known)
    for variable, group in groupby(order, key=copies.variables.__getitem__):
        members: dict[int, list[int]] = {}
        inputs: dict[int, Inputs] = {}
        for copy in group:
            given = tuple((p, _resolved(value, outputs)) for p, value in copies.inputs[copy])
            number = numbers.setdefault((variable, given), len(numbers))
            members.setdefault(number, []).append(copy)
            inputs[number] = given
        for number, same in members.items():
            values = list(dict.fromkeys(v for copy in same for v in known.get(copy, ())))
            if len(values) > 1:
                one, other = _two(values)
                because = f"{one} and {other} are of one copy, whose parents agree"
                return Contradiction("ID*, line 5", because)
            atoms[number] = Atom(number, variable, inputs[number], values[0] if values else None)
            outputs |= dict.fromkeys(same, atoms[number].output)
    return tuple(atoms.values())


def _resolved(value: Input, outputs: Mapping[int, Input]) -> Input:
    return outputs[value] if isinstance(value, int) else value


Two = TypeVar("Two", Value, Input)


def _two(values: Iterable[Two]) -> tuple[Two, Two]:
    """Return two of some values that differ: symbols, levels, or what is summed over.

    Raises:
        TermError: There is a symbol and a level, and nothing else.
    """
    pairs = list(combinations(values, 2))
    for one, other in pairs:
        if isinstance(one, int) or isinstance(other, int):
            return one, other
        if (one.level is None) == (other.level is None):
            return one, other
    one, other = pairs[0]
    raise TermError(
        f"The answer turns on whether {one} is {other}.",
        "Symbols differ from symbols and levels from levels; a symbol may be a level.",
        "Write levels only, or symbols only, for the variable.",
    )


def factors_of(graph: ADMG, atoms: Sequence[Atom]) -> tuple[Factor | Conflict, ...]:
    """Return the factor of each district, or why it has none, in the order of the atoms.

    Raises:
        TermError: Whether a district has two values of a variable turns on whether a symbol is a
            level.

    >>> x, other = Value("X", "x"), Value("X", "x'")
    >>> atoms = [Atom(0, "X", (), other), Atom(1, "Y", (("X", x),), Value("Y", "y"))]
    >>> [sorted(each.district) for each in factors_of(ADMG.of([("X", "Y")]), atoms)]
    [['X'], ['Y']]
    >>> factors_of(ADMG.of([("X", "Y")], [("X", "Y")]), atoms)[0].variable
    'X'
    """
    variables = tuple(dict.fromkeys(atom.variable for atom in atoms))
    homes = {
        name: district for district in graph.induced(variables).districts() for name in district
    }
    inside: dict[frozenset[str], list[Atom]] = {}
    for atom in atoms:
        inside.setdefault(homes[atom.variable], []).append(atom)
    place = {name: at for at, name in enumerate(graph.topological_order())}
    return tuple(_factor(district, members, place) for district, members in inside.items())


def _factor(
    district: frozenset[str], atoms: Sequence[Atom], place: Mapping[str, int]
) -> Factor | Conflict:
    values: dict[str, dict[Input, None]] = {}  # in the order in which they are met
    for atom in atoms:
        for name, value in (*atom.inputs, (atom.variable, atom.output)):
            values.setdefault(name, {})[value] = None
    conflicts = [name for name, each in values.items() if len(each) > 1]
    if not conflicts:
        return Factor(district, {name: next(iter(each)) for name, each in values.items()})
    # Copies below the first one may differ only because it does, so it is the one that counts.
    first = min(conflicts, key=place.__getitem__)
    return Conflict(district, first, _two(values[first]))


def named(atoms: Iterable[Atom], used: Iterable[Value]) -> dict[int, Value]:
    """Return a symbol for each atom over whose values one sums; none of those in use.

    >>> print(named([Atom(3, "M", (), None)], [Value("M", "m")])[3])
    m'
    """
    taken = set(used)
    names: dict[int, Value] = {}
    for atom in atoms:
        if atom.value is None:
            names[atom.number] = fresh(atom.variable, taken)
            taken.add(names[atom.number])
    return names


def told(atoms: Sequence[Atom], names: Mapping[int, Value]) -> str:
    """Return the probability of atoms as text: `sum[m](P(m{x'}, y{m, x}))`."""
    if not atoms:
        return "1"
    shown = []
    for atom in atoms:
        inside = ", ".join(str(value_of(value, names)) for _, value in atom.inputs)
        shown.append(f"{value_of(atom.output, names)}{f'{{{inside}}}' if inside else ''}")
    bound = ",".join(str(names[atom.number]) for atom in atoms if atom.value is None)
    joint = f"P({', '.join(shown)})"
    return f"sum[{bound}]({joint})" if bound else joint


def value_of(value: Input, names: Mapping[int, Value]) -> Value:
    """Return a value, by its name if one sums over it."""
    return names[value] if isinstance(value, int) else value
