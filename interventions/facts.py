"""Facts about the prompts that a caller states, so that rules may use them without the prompts."""

from dataclasses import dataclass

from causalnet.errors import TermError
from causalnet.interventions.views import Position

__all__ = ["Facts"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the tokens of all prompts of a query.

    Attributes:
        equal_prefix: Pairs of inputs, and how many leading tokens every prompt of one shares with
            its partner in the other.
        columns: Named positions that are at one column in every prompt, and the column.
        length: A number of tokens that no prompt exceeds; what lies beyond is padding, which the
            mask keeps from every other position.  None where it is not known.

    Raises:
        TermError: A negative number, or a name with two columns.

    >>> facts = Facts(equal_prefix=(("base", "source", 9),), columns=(("end", 13),))
    >>> facts.column("end"), facts.column("S2"), facts.representative("source", 8)
    (13, None, 'base')
    """

    equal_prefix: tuple[tuple[str, str, int], ...] = ()
    columns: tuple[tuple[str, int], ...] = ()
    length: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        counts = [*(count for _, _, count in self.equal_prefix), *(at for _, at in self.columns)]
        counts += [] if self.length is None else [self.length]
        if any(count < 0 for count in counts):
            raise TermError(f"{self} has a negative number.", "Tokens are counted from 0.")
        if len(dict(self.columns)) != len(set(self.columns)):
            raise TermError(f"{self.columns} gives one position two columns.")

    def column(self, position: Position) -> int | None:
        """Return the column of a position, None where it is not known."""
        return position if isinstance(position, int) else dict(self.columns).get(position)

    def is_padding(self, position: Position) -> bool:
        """Return whether a position holds no token in any prompt."""
        column = self.column(position)
        return column is not None and self.length is not None and column >= self.length

    def representative(self, name: str, column: int) -> str:
        """Return one name for all inputs whose tokens agree with an input's up to a column."""
        alike, grown = {name}, True
        while grown:
            more = {
                other
                for pair in self.equal_prefix
                if pair[2] > column and alike & set(pair[:2])
                for other in pair[:2]
            }
            grown = not more <= alike
            alike |= more
        return min(alike)

    def without_prefix(self) -> "Facts":
        """Return the facts about positions only."""
        return Facts((), self.columns, self.length)
