"""The normal form of terms: two terms with one form have equal values in every causal model.

The form of a term is a graph of numbered keys (`numbering`): mechanisms called at numbered
arguments, running sums, and what sites bring in.  It is sound and complete for deterministic
models: forms are equal if and only if values are equal whatever the mechanisms are (in the free
model, whose mechanisms build their call trees, they are equal only then).  Composition,
effectiveness, exclusion and consistency (Galles and Pearl 1998; Halpern 2000) follow from it, and
are not rules of their own.  A linear combination is a map from numbers to weights, so that a
contrast whose two sides coincide is empty.

>>> from causalnet.graphs import plain_graph
>>> from causalnet.interventions import At, Base, Contrast, Do, Node, Read, value_of
>>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
>>> base = Base("base")
>>> again = Do(base, ((Node("M"), At("M", base)),))
>>> effect = Contrast(((1.0, Read(value_of("Y"), again)), (-1.0, Read(value_of("Y"), base))))
>>> normal_form([effect], graph).combination(effect)
()
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions.facts import Facts
from causalnet.interventions.form_text import FormText
from causalnet.interventions.mixes import PARTS, POSITIONS
from causalnet.interventions.numbering import Block, Key
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.row_numbering import RowNumbering, columns_set
from causalnet.interventions.scalars import (
    Apply,
    Contrast,
    Grad,
    Leaf,
    Read,
    Scalar,
    leaves_of,
    nudged,
)
from causalnet.interventions.value_numbering import ValueNumbering
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import At, Base, Do, World

__all__ = ["Combination", "NormalForm", "Term", "are_equal", "normal_form", "parts_of_key"]

Term: TypeAlias = Read | Grad | Contrast | Apply | At | Base | Do
"""What has a normal form: scalars, a mediator's value in a world, whole worlds."""

Combination: TypeAlias = tuple[tuple[Fraction, int], ...]
"""Weights and numbers, in ascending order of the numbers; no weight is 0."""


def normal_form(terms: Iterable[Term], graph: MediatorGraph) -> "NormalForm":
    """Return the normal form of some terms on a graph.

    Args:
        terms: Scalars, values of mediators in worlds (`At`), or worlds.
        graph: The graph.

    Raises:
        UnknownMediatorError: A site, a value or a read-out names no mediator.
        TermError: A site on an edge that is not there, or a cut before the first writer.
    """
    listed = tuple(terms)
    values = ValueNumbering(_worlds_of(listed), graph)
    return NormalForm(listed, graph, values)


def are_equal(first: Term, second: Term, graph: MediatorGraph) -> bool:
    """Return whether two terms have equal values in every model on a graph.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import Const, Node
    >>> graph = plain_graph({"X": (), "Y": ("X",), "Z": ("X",)})
    >>> zeroed = Do(Base("base"), ((Node("Z"), Const()),))
    >>> are_equal(At("Y", zeroed), At("Y", Base("base")), graph)
    True
    """
    form = normal_form((first, second), graph)
    if isinstance(first, Base | Do) and isinstance(second, Base | Do):
        names = [node.mediator.name for node in graph.nodes]
        names += [cut.name for cut in graph.cuts if cut.writers_before]
        return all(form.id_of(name, first) == form.id_of(name, second) for name in names)
    if isinstance(first, Base | Do) or isinstance(second, Base | Do):
        raise TermError(
            "A world was compared with a value.", "Worlds are equal to worlds, values to values."
        )
    return form.combination(first) == form.combination(second)


def _worlds_of(terms: tuple[Term, ...]) -> Iterator[World]:
    for term in terms:
        match term:
            case Base() | Do():
                yield term
            case At(_, world):
                yield world
            case _:
                for leaf in leaves_of(term):
                    yield from _worlds_of_leaf(leaf)


def _worlds_of_leaf(leaf: Leaf) -> Iterator[World]:
    read = leaf.read if isinstance(leaf, Grad) else leaf
    yield read.world
    if read.readout.reference is not None:
        yield read.readout.reference
    if isinstance(leaf, Grad):
        yield nudged(leaf)


class NormalForm:
    """Some terms, with every value in them numbered by how it comes about.

    Numbers are those of this form; they are compared within it.

    Args:
        terms: The terms.
        graph: The graph they are about.
        values: The numbers of all mediators in all worlds of the terms.
    """

    def __init__(
        self, terms: tuple[Term, ...], graph: MediatorGraph, values: ValueNumbering
    ) -> None:
        """Number the read-outs."""
        self.terms = terms
        self.graph = graph
        self._values = values
        self._numbering = values.numbering
        self._text: FormText | None = None
        self._combinations: dict[Scalar | At, Combination] = {}
        for term in terms:
            if not isinstance(term, Base | Do):
                self._combine(term)

    def __repr__(self) -> str:
        """Return the counts in one line."""
        return f"NormalForm({len(self.terms)} terms, {len(self.worlds)} worlds, {len(self)} values)"

    def __len__(self) -> int:
        """Return how many distinct values have been numbered."""
        return self._numbering.size

    @property
    def worlds(self) -> tuple[World, ...]:
        """Every distinct world of the terms and of what they read, those read first."""
        return tuple(self._values.order.index)

    # -- numbers ---------------------------------------------------------------------------------

    def id_of(self, mediator: str, world: World) -> int:
        """Return the number of a node or a residual cut in a world.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: A world that is in none of the terms.
        """
        if world not in self._values.order.index:
            raise TermError(
                f"{world} is in none of the terms.",
                f"There are {len(self.worlds)} worlds.",
                "Give it to normal_form as a term.",
            )
        return self._values.number(mediator, world)

    def combination(self, term: Scalar | At) -> Combination:
        """Return a term as a linear combination of numbers; empty where it is 0 in every model.

        Raises:
            TermError: A term that was not given.
        """
        if term not in self._combinations:
            raise TermError(
                f"{term} is not among the terms.", "", "Give it to normal_form as a term."
            )
        return self._combinations[term]

    def _combine(self, term: Scalar | At) -> None:
        waiting: list[Scalar | At] = [term]
        while waiting:
            current = waiting[-1]
            inside = _inside(current)
            missing = [part for part in inside if part not in self._combinations]
            if current not in self._combinations and missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            if current not in self._combinations:
                self._combinations[current] = self._combination(current)

    def _combination(self, term: Scalar | At) -> Combination:
        match term:
            case At(mediator, world):
                return _one(self._values.number(mediator, world))
            case Read(readout, world):
                return _one(self._read(readout, world))
            case Grad(read, _, _):
                there = self._read(read.readout, nudged(term))
                # No nudge reaches the read-out: its derivative is 0.
                here = self._read(read.readout, read.world)
                if there == here:
                    return ()
                return _one(self._numbering.single(("gradient", there, here)))
            case Contrast(terms):
                return self._summed(terms)
            case Apply(name, arguments):
                inside = tuple(self._combinations[argument] for argument in arguments)
                return _one(self._numbering.single(("apply", name, inside)))

    def _summed(self, terms: tuple[tuple[float, Scalar], ...]) -> Combination:
        weights: dict[int, Fraction] = {}
        for weight, part in terms:
            exact = _exact(weight)
            for own, number in self._combinations[part]:
                weights[number] = weights.get(number, Fraction(0)) + exact * own
        return tuple((weights[number], number) for number in sorted(weights) if weights[number])

    def _read(self, readout: ReadOut, world: World) -> int:
        reference = readout.reference
        value = self._values.number(readout.node, world)
        plain = readout.node == "logits" or readout.name == "value"
        other = () if reference is None else (self._values.number(readout.node, reference),)
        how = (readout.name, readout.version, readout.at, readout.answers, plain)
        return self._numbering.single(("read", how, (value, *other)))

    # -- keys ------------------------------------------------------------------------------------

    def key(self, number: int) -> Key:
        """Return how a value comes about; its arguments are numbers.

        | key | what |
        |---|---|
        | `("input", node, input)` | an input node |
        | `("noise variable", node, key)` | an exogenous noise node |
        | `("parameter", node)` | a constant of the network |
        | `("call", node, argument, ...)` | a mechanism at the values of its slots |
        | `("plus", sum, term)` | a running sum with one more term |
        | `("empty",)` | the sum of nothing |
        | `("const", handle)`, `("noise", key)` | what a site was set to |
        | `("op", name, version, parameters, arguments)` | an operation on values |
        | `("positions", positions, values, other)` | other values at some positions |
        | `("parts", family, indices, values, other)` | other values in some parts |
        | `("read", how, values)` | a read-out |
        | `("gradient", nudged, read)` | the derivative of a read-out along the nudge in it |
        | `("apply", name, combinations)` | a function of scalars |

        Raises:
            TermError: No such number.
        """
        if not 0 <= number < len(self):
            raise TermError(f"There is no value {number}.", f"Values are 0..{len(self) - 1}.")
        return self._numbering.key(number)

    def text(self, term: "int | Scalar | At", at_most: int = 30) -> str:
        """Return the text of a number or of a given term, its parts on lines of their own.

        Args:
            term: A number, or a term that was given; 0 where a term is empty.
            at_most: How many lines a number takes.

        >>> from causalnet.graphs import plain_graph
        >>> from causalnet.interventions import Edge
        >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
        >>> path = Do(Base("base"), ((Edge("M", "Y"), At("M", Base("source"))),))
        >>> print(normal_form([At("Y", path)], graph).text(At("Y", path)))
        Y(X in <base>, M in <source>)

        Raises:
            TermError: No such number, or a term that was not given.
        """
        if self._text is None:
            self._text = FormText(self.graph, self._values)
        if isinstance(term, int):
            self.key(term)
            return self._text.text(term, at_most)
        return self._text.combination(self.combination(term), at_most)

    def at_positions(
        self, roots: Mapping[Position, Sequence[int]], facts: Facts
    ) -> Mapping[Position, RowNumbering]:
        """Return what values are at positions, as far as facts about the prompts tell.

        Args:
            roots: Positions, and the numbers of the values that are wanted there.
            facts: What is known of the prompts.
        """
        earlier: dict[int, RowNumbering] = {}

        def at(position: Position, numbers: Sequence[int]) -> RowNumbering:
            needed = self.live(numbers)
            return RowNumbering(self._numbering, self.graph, facts, position, needed, earlier)

        untouched = self.untouched
        for column, values in columns_set(self._numbering, facts).items():
            # Untouched values are equal there only where their inputs' tokens are up to there.
            prefix = any(count > column for _, _, count in facts.equal_prefix)
            if prefix or not untouched[list(values)].all():
                earlier[column] = at(column, values)
        return {position: at(position, numbers) for position, numbers in roots.items()}

    @property
    def untouched(self) -> NDArray[np.bool_]:
        """Whether each number is that of a node or a running sum in a base world, [len(self)]."""
        found = np.zeros(len(self), dtype=bool)
        sums = (ids for column in self._values.ground_sums.values() for ids in column)
        for ids in (*self._values.ground, *sums):
            found[ids] = True
        return found

    def parts(self, number: int) -> tuple[int, ...]:
        """Return the numbers that a value is made of.

        Raises:
            TermError: No such number.
        """
        return parts_of_key(self.key(number))

    @property
    def blocks(self) -> Sequence[Block]:
        """The numbers in tables, those first that others are made of."""
        return self._numbering.blocks

    def callers(self) -> NDArray[np.int64]:
        """Return for every number of a call which world makes it first, [len(self)].

        Worlds are counted as in `worlds`, and the bases after them; -1 for other numbers.
        """
        return self._values.callers()

    @property
    def roots(self) -> tuple[int, ...]:
        """The numbers of which the terms are combinations, each once."""
        found = (
            number
            for term in self.terms
            if not isinstance(term, Base | Do)
            for _, number in self._combinations[term]
        )
        return tuple(dict.fromkeys(found))

    @property
    def reads(self) -> tuple[int, ...]:
        """The numbers of all read-outs of the terms."""
        known = self._numbering.known
        return tuple(number for key, number in known.items() if key[0] == "read")

    def live(self, roots: Iterable[int] | None = None) -> NDArray[np.bool_]:
        """Return which numbers are needed for some values, [len(self)].

        Args:
            roots: The numbers of the values; by default those of all terms.
        """
        needed = np.zeros(len(self), dtype=bool)
        needed[list(self.roots if roots is None else roots)] = True
        for block in reversed(self._numbering.blocks):
            if block.table is None:  # a single key may be made of the single keys before it
                for offset in range(len(block) - 1, -1, -1):
                    if needed[block.start + offset]:
                        needed[list(parts_of_key(block.keys[offset]))] = True
                continue
            here = np.flatnonzero(needed[block.start : block.start + len(block)])
            for column in block.arguments:
                needed[column[here]] = True
        return needed

    def versions(self, node: str, live: NDArray[np.bool_] | None = None) -> tuple[int, ...]:
        """Return the distinct calls of a node's mechanism that are needed for the terms.

        Args:
            node: The node.
            live: Which numbers are needed, where it is known already.

        Raises:
            UnknownMediatorError: No such node.
        """
        needed = self.live() if live is None else live
        table = self._values.tables[self.graph.rank(self.graph.node(node).mediator)]
        return tuple(
            int(number) + block.start
            for block in table.blocks
            for number in np.flatnonzero(needed[block.start : block.start + len(block)])
        )

    def count_calls(self, roots: Iterable[int] | None = None) -> dict[str, int]:
        """Return how many distinct calls of every mechanism some values need, by node.

        This is a lower bound for every algorithm that knows nothing of the mechanisms.
        """
        needed = self.live(roots)
        return {
            table.name[1]: sum(
                int(np.count_nonzero(needed[block.start : block.start + len(block)]))
                for block in table.blocks
            )
            for table in self._values.tables
        }


def _one(number: int) -> Combination:
    return ((Fraction(1), number),)


def _inside(term: Scalar | At) -> tuple[Scalar, ...]:
    match term:
        case Contrast(terms):
            return tuple(part for _, part in terms)
        case Apply(_, arguments):
            return arguments
        case _:
            return ()


def _exact(weight: float) -> Fraction:
    """Return the fraction that a weight was meant as: 1/3 for the float nearest to it."""
    simple = Fraction(weight).limit_denominator(1_000_000)
    return simple if float(simple) == float(weight) else Fraction(weight)


def parts_of_key(key: Key) -> tuple[int, ...]:
    """Return the numbers that a key is made of.

    >>> parts_of_key(("call", "Y", 3, 4)), parts_of_key(("positions", (0,), (7,), 5))
    ((3, 4), (7, 5))
    """
    match key[0]:
        case "call":
            return key[2:]
        case "plus":
            return key[1:]
        case "op":
            return tuple(key[4])
        case "read":
            return tuple(key[2])
        case "gradient":
            return (key[1],)  # the read-out itself is what the nudged one is where nothing nudges
        case "apply":
            return tuple(number for inside in key[2] for _, number in inside)
        case name if name in (POSITIONS, PARTS):
            return (*key[-2], key[-1])
        case _:
            return ()
