"""Contrasts after rules V1, V2, V3 and V5: read-outs by the row that they read."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from causalnet.interventions.facts import Facts
from causalnet.interventions.normal_form import Combination, NormalForm
from causalnet.interventions.numbering import Key
from causalnet.interventions.scalars import Scalar
from causalnet.interventions.views import Position

__all__ = ["combination_at_rows", "merged_reads"]


def combination_at_rows(
    form: NormalForm, terms: Iterable[Scalar], facts: Facts
) -> Mapping[Scalar, Combination]:
    """Return terms as combinations of numbers, read-outs of equal rows merged.

    Args:
        form: A normal form that has the terms.
        terms: Terms of the form.
        facts: What is known of the prompts.
    """
    wanted = list(terms)
    merged = _Merged(form, facts)
    return {term: merged.combination(form.combination(term)) for term in wanted}


def merged_reads(form: NormalForm, facts: Facts) -> Mapping[int, int | None]:
    """Return for every read-out of a normal form the first that reads an equal row.

    Args:
        form: The normal form.
        facts: What is known of the prompts.
    """
    merged = _Merged(form, facts)
    return {number: merged.number(number) for number in form.reads}


class _Merged:
    """The first read-out of each class of those that read equal rows."""

    def __init__(self, form: NormalForm, facts: Facts) -> None:
        self.form, self.facts = form, facts
        self.at = form.at_positions(_values_read(form), facts)
        self.first: dict[Key, int] = {}
        self.known: dict[int, int | None] = {}

    def combination(self, terms: Combination) -> Combination:
        weights: dict[int, Fraction] = {}
        for weight, number in terms:
            found = self.number(number)
            if found is not None:
                weights[found] = weights.get(found, Fraction(0)) + weight
        return tuple((weights[number], number) for number in sorted(weights) if weights[number])

    def number(self, number: int) -> int | None:
        """Return the number that stands for a read-out's class; None for a derivative of 0."""
        if number not in self.known:
            key = self._key(number, self.form.key(number))
            self.known[number] = None if key is None else self.first.setdefault(key, number)
        return self.known[number]

    def _key(self, number: int, key: Key) -> Key | None:
        match key:
            case ("read", how, values):
                rows = self.at[how[2]]
                return ("read", how, tuple(rows.number(value) for value in values))
            case ("gradient", *reads):
                nudged, plain = (self._key(read, self.form.key(read)) for read in reads)
                return None if nudged == plain else ("gradient", nudged, plain)
            case ("apply", name, combinations):
                return ("apply", name, tuple(self.combination(each) for each in combinations))
        return ("whole", number)


def _values_read(form: NormalForm) -> Mapping[Position, list[int]]:
    """Return the values that the terms read, by position."""
    found: dict[Position, list[int]] = {}
    for number in form.reads:
        _, how, values = form.key(number)
        found.setdefault(how[2], []).extend(values)
    return found
