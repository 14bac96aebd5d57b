"""Variables in worlds: what a counterfactual question is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from causalnet.errors import TermError
from causalnet.graphs.arguments import check_type
from causalnet.identification.values import Value, quoted_name

__all__ = ["Fact", "Potential", "check_all"]

_DEEPEST, _LARGEST = 100, 50_000


@final
@dataclass(frozen=True, slots=True)
class Potential:
    """A variable in the world of an intervention, whose values may come from other worlds.

    Attributes:
        variable: The variable.
        do: The variables that are set, sorted, each with its value or with the counterfactual
            variable from which it takes it.
        depth: How many worlds are nested, this one included; at most 100.
        size: How many counterfactual variables it is made of, written out; at most 50,000.

    Raises:
        TermError: More of them.

    >>> from causalnet.identification.values import symbol
    >>> m = Potential.of("M", {"X": symbol("X", 1)})
    >>> print(Potential.of("Y", {"X": symbol("X"), "M": m}))
    Y{M{x'}, x}
    """

    variable: str
    do: "tuple[tuple[str, Value | Potential], ...]" = ()
    depth: int = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what is nested too deep, or too often, to be written and compared."""
        inside = [each for _, each in self.do if isinstance(each, Potential)]
        object.__setattr__(self, "depth", 1 + max((each.depth for each in inside), default=0))
        object.__setattr__(self, "size", 1 + sum(each.size for each in inside))
        if self.depth > _DEEPEST or self.size > _LARGEST:
            raise TermError(
                f"{self.variable!r} is in a world of {self.size} variables, nested {self.depth} "
                "deep.",
                f"A world takes values of others, up to {_LARGEST} of them and {_DEEPEST} deep.",
            )

    @staticmethod
    def of(variable: str, do: "Mapping[str, Value | Potential] | None" = None) -> "Potential":
        """Return the variable in the world in which others are set.

        Raises:
            TermError: A variable set to a value of another.
        """
        for name, value in (do or {}).items():
            if value.variable != name:
                raise TermError(
                    f"{quoted_name(name)} is set to {value}, which is of {value.variable!r}.",
                    "A variable takes values of its own.",
                    "Write Potential.of('Y', {'X': symbol('X')}).",
                )
        return Potential(variable, tuple(sorted((do or {}).items(), key=lambda item: item[0])))

    def __str__(self) -> str:
        """Return the variable with its world, as text; `M{}` in the actual one."""
        return f"{quoted_name(self.variable)}{{{', '.join(str(value) for _, value in self.do)}}}"


@final
@dataclass(frozen=True, slots=True)
class Fact:
    """A variable takes a value in a world.

    Attributes:
        potential: The variable and its world.
        value: A value of this variable.

    >>> from causalnet.identification.values import symbol
    >>> print(Fact(Potential.of("Y", {"X": symbol("X")}), symbol("Y")))
    y{x}
    """

    potential: Potential
    value: Value

    def __post_init__(self) -> None:
        """Check that the value is one of the variable."""
        check_all(Potential, (self.potential,))
        check_all(Value, (self.value,))
        if self.value.variable != self.potential.variable:
            raise TermError(
                f"{self.value} is no value of {self.potential.variable!r}.",
                "A variable takes values of its own.",
                "Write Fact(Potential('Y'), symbol('Y')).",
            )

    def __str__(self) -> str:
        """Return the event as text."""
        inside = ", ".join(str(value) for _, value in self.potential.do)
        return str(self.value) + (f"{{{inside}}}" if inside else "")


def check_all(kind: type, *groups: object) -> None:
    """Refuse what is no tuple of a kind; names of variables are text.

    Raises:
        ParameterError: Something else.
    """
    write = "Write symbol('X') for a value, Potential.of('Y', {'X': symbol('X')}) for a variable."
    for group in groups:
        check_type(group, tuple, f"{write} There are tuples of them.")
        for each in group:  # type: ignore[attr-defined]  # it is a tuple
            check_type(each, kind, write)
            if isinstance(each, Value | Potential):
                check_type(each.variable, str, write)
            if isinstance(each, Value):
                check_type(each.name, str, write)
