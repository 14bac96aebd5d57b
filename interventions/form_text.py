"""The text of normal forms: a value by how it comes about, each shared part on a line of its own.

What a node is in an untouched world is written `M in <base>`; of a running sum only the terms are
written that are not those of its base.  Parts are named v1, v2, ... in the order of their mention.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from causalnet.graphs import MediatorGraph
from causalnet.interventions.numbering import EMPTY, Key, Numbering
from causalnet.interventions.value_numbering import ValueNumbering

if TYPE_CHECKING:
    from causalnet.interventions.normal_form import Combination

__all__ = ["FormText"]


class FormText:
    """Writes the values of one normal form.

    Args:
        graph: The graph.
        values: The numbers of all mediators in all worlds.
    """

    def __init__(self, graph: MediatorGraph, values: ValueNumbering) -> None:
        """Name what every node and every sum is in the untouched worlds."""
        self.graph = graph
        self.numbering: Numbering = values.numbering
        self._untouched: dict[int, str] = {}
        for base, column in values.bases.items():
            for node, ids in zip(graph.nodes, values.ground, strict=True):
                name = f"{node.mediator.name} in {base}"
                self._untouched.setdefault(int(ids[column]), name)
            for stream, sums in values.ground_sums.items():
                cuts = {cut.writers_before: cut.name for cut in graph.cuts if cut.stream == stream}
                for count, ids in enumerate(sums):
                    name = cuts.get(count, f"{stream} after {count} writers")
                    self._untouched.setdefault(int(ids[column]), f"{name} in {base}")
        self._untouched[EMPTY] = "0 (nothing written)"

    def text(self, number: int, at_most: int = 30) -> str:
        """Return a value's text: one line, then one for each part, at most so many."""
        names: dict[int, str] = {}
        lines: list[str] = [self._line(number, names, top=True)]
        done = 0
        while done < len(names) and len(lines) < at_most:
            part, name = list(names.items())[done]
            lines.append(f"  {name} = {self._line(part, names, top=True)}")
            done += 1
        if done < len(names):
            lines.append(f"  ... {len(names) - done} more")
        return "\n".join(lines)

    def combination(self, terms: "Combination", at_most: int = 30) -> str:
        """Return the text of a linear combination: `0` where it is empty."""
        return _signed(terms, lambda number: self.text(number, at_most), "\n")

    def _line(self, number: int, names: dict[int, str], top: bool = False) -> str:
        """Return a value in one line, its calls by name unless it is asked for itself."""
        if number in self._untouched:
            return self._untouched[number]
        key = self.numbering.key(number)
        if key[0] in ("call", "plus", "op", "positions", "parts", "apply") and not top:
            return names.setdefault(number, f"v{len(names) + 1}")
        return self._written(number, key, names)

    def _written(self, number: int, key: Key, names: dict[int, str]) -> str:
        def line(part: int) -> str:
            return self._line(part, names)

        match key:
            case ("call", name, *arguments):
                return f"{name}({', '.join(map(line, arguments))})"
            case ("plus", *_):
                return self._sum(number, names)
            case ("input" | "noise variable" as how, name, decides):
                return f"{name} in <{decides}>" if how == "input" else f"{name} <; {decides}>"
            case ("parameter", name):
                return str(name)
            case ("const", handle):
                return "0" if handle is None else str(handle)
            case ("noise", key_):
                return f"noise({key_})"
            case ("op", name, _, parameters, arguments):
                static = "".join(f"; {label}={value}" for label, value in parameters)
                return f"{name}({', '.join(map(line, arguments))}{static})"
            case ("positions" | "parts", *_):
                return self._cells(key, names)
            case ("read", (name, *_), values):
                return f"{name}({' against '.join(map(line, values))})"
            case ("gradient", read, _):
                return f"gradient of {line(read)}"
            case ("apply", name, combinations):
                return f"{name}({', '.join(_signed(each, line) for each in combinations)})"
        return str(key)

    def _cells(self, key: Key, names: dict[int, str]) -> str:
        *_, cells, values, other = key
        set_ = ", ".join(
            f"{_cell(cell)} := {self._line(value, names)}"
            for cell, value in zip(cells, values, strict=True)
        )
        where = f"{key[1][1]} " if key[0] == "parts" else ""
        return f"{self._line(other, names)} [{where}{set_}]"

    def _sum(self, number: int, names: dict[int, str]) -> str:
        """Return an untouched sum and the terms that were added to it."""
        terms: list[int] = []
        current = number
        while current not in self._untouched:
            key = self.numbering.key(current)
            if key[0] != "plus":
                break
            terms.append(key[2])
            current = key[1]
        terms.reverse()
        others = [term for term in terms if term not in self._untouched]
        plain = [term for term in terms if term in self._untouched]
        shown = [self._line(current, names)]
        for group in (others, plain):
            shown += _shortened(group, lambda term: self._line(term, names))
        return " + ".join(shown)


def _signed(terms: "Combination", text: Callable[[int], str], between: str = " ") -> str:
    """Return a linear combination: `0` where it is empty."""
    shown = []
    for index, (weight, number) in enumerate(terms):
        sign = ("-" if weight < 0 else "+" if index else "") + (" " if index else "")
        size = "" if abs(weight) == 1 else f"{abs(weight)} "
        shown.append(f"{sign}{size}{text(number)}")
    return between.join(shown) or "0"


def _shortened(terms: list[int], line: Callable[[int], str]) -> list[str]:
    """Return the lines of terms, of many only the first two and the last."""
    if len(terms) <= 4:
        return [line(term) for term in terms]
    return [*map(line, terms[:2]), f"... {len(terms) - 3} ...", line(terms[-1])]


def _cell(cell: object) -> str:
    return ",".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)
