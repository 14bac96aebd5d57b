"""The variables of a counterfactual query, each in its world, nested ones included.

A copy of a variable is known by what its parents give it: a value that its world sets, or another
copy.  Copies with equal inputs are one, which is the exclusion restriction; what a world sets the
copy's own variable to is its value, which is effectiveness; and a nested variable is an input like
any other, so that nothing needs to be unfolded.  Copies are numbered, inputs first.

| Correa, Lee and Bareinboim (2021), "Nested counterfactual identification" | here |
|---|---|
| a nested counterfactual, and unnesting it | an input that is a copy of another world |
| exclusion: the interventions that matter to a variable | equal inputs, equal copy |
| An(Y_x), the ancestors of a counterfactual variable | a copy, its inputs, theirs, ... |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, final

from causalnet.errors import TermError
from causalnet.graphs.admg import ADMG
from causalnet.identification.queries import Potential
from causalnet.identification.values import Value, quoted_name

__all__ = ["Copies", "Input", "Inputs", "plain"]

Input: TypeAlias = Value | int
Inputs: TypeAlias = tuple[tuple[str, Input], ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Copies of variables in several worlds; more are added as they are asked for.

    Attributes:
        graph: The graph of one world.
        places: For each variable its place in topological order.
        variables: For each copy its variable.
        inputs: For each copy what its parents give it: a value, or the number of a copy.
        numbers: The copies by their variable and inputs.

    >>> from causalnet.identification.values import symbol
    >>> copies = Copies.of(ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")]))
    >>> m = Potential.of("M", {"X": symbol("X", 1)})
    >>> copies.numbered(Potential.of("Y", {"X": symbol("X"), "M": m}))
    1
    >>> [copies.variables[at] for at in copies.above([1])]
    ['M', 'Y']
    """

    graph: ADMG
    places: Mapping[str, int]
    variables: list[str] = field(default_factory=list)
    inputs: list[Inputs] = field(default_factory=list)
    numbers: dict[tuple[str, Inputs], int] = field(default_factory=dict)

    @staticmethod
    def of(graph: ADMG) -> "Copies":
        """Return no copies yet."""
        return Copies(graph, {name: at for at, name in enumerate(graph.topological_order())})

    def numbered(self, potential: Potential) -> Input:
        """Return the copy that a variable in a world is; its value where the world sets it.

        Takes time linear in the graph for each potential that it is nested of.

        Raises:
            UnknownMediatorError: A variable that is not in the graph.
            TermError: A variable that is set twice, or to a value of another.
        """
        found: dict[int, Input] = {}  # by identity: nested potentials may be shared many times
        waiting = [potential]
        while waiting:
            node = waiting[-1]
            nested = [value for _, value in node.do if isinstance(value, Potential)]
            missing = [value for value in nested if id(value) not in found]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if id(node) not in found:
                _check(node)
                do = {
                    name: plain(value) if isinstance(value, Value) else found[id(value)]
                    for name, value in node.do
                }
                found[id(node)] = self._copy(node.variable, do)
        return found[id(potential)]

    def _copy(self, variable: str, do: Mapping[str, Input]) -> Input:
        """Return the copy of a variable in one world, after those of its ancestors there."""
        self.graph.indices([variable, *do])
        if variable in do:
            return do[variable]
        reached, waiting = {variable}, [variable]
        while waiting:
            above = {p for p in self.graph.parents(waiting.pop()) if p not in do} - reached
            reached |= above
            waiting += above
        here: dict[str, Input] = dict(do)
        for node in sorted(reached, key=self.places.__getitem__):
            inputs = tuple((parent, here[parent]) for parent in self.graph.parents(node))
            number = self.numbers.setdefault((node, inputs), len(self.variables))
            if number == len(self.variables):
                self.variables.append(node)
                self.inputs.append(inputs)
            here[node] = number
        return here[variable]

    def above(self, numbers: Iterable[int]) -> list[int]:
        """Return copies and all copies above them, in topological order of their variables."""
        found = set(numbers)
        waiting = list(found)
        while waiting:
            inputs = {value for _, value in self.inputs[waiting.pop()] if isinstance(value, int)}
            waiting += inputs - found
            found |= inputs
        return sorted(found, key=lambda at: (self.places[self.variables[at]], at))


def plain(value: Value) -> Value:
    """Return a value with levels written one way: 1 for 01.

    >>> print(plain(Value("Y", "01")))
    Y=1
    """
    return value if value.level is None else Value(value.variable, str(value.level))


def _check(potential: Potential) -> None:
    names = [name for name, _ in potential.do]
    for name, value in potential.do:
        if value.variable != name or names.count(name) > 1:
            raise TermError(
                f"A world sets {quoted_name(name)} twice, or to a value of another variable.",
                "A world sets a variable once, to a value of its own.",
                'Write Potential.of("Y", {"X": symbol("X")}).',
            )
