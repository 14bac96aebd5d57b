r"""Formulas, questions and answers as LaTeX, for math mode.

| text | LaTeX |
|---|---|
| `P{a}[x](y given z)` | `P^{\mathrm{a}}\left(y \mid \operatorname{do}\left(x\right), z\right)` |
| `sum[x'](...)` | `\sum_{x'} ...` |
| `... / ...` | `\frac{...}{...}` |
| `x1`, `Smoking=smoking`, `Y=1` | `x_{1}`, `\mathrm{smoking}`, `Y = 1` |
| `y{x, M{x'}}` | `y_{x, M_{x'}}` |

"Given" is a bar in text.  Odd characters of names are escaped, and every name but letters with
numbers is upright.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never, final

from causalnet.identification.answers import Answer, Bounds, Identified, NotIdentified
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    fold,
    parts_of,
)
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.values import Value
from causalnet.interventions.terms import check_length

__all__ = ["to_latex"]

_NUMBERED = re.compile(r"([A-Za-z])(\d*)")
# In braces: a letter behind a command would become part of its name.
_ESCAPED = {
    **{mark: rf"{{\{mark}}}" for mark in "_#$%&{}"},
    "\\": r"{\backslash}",
    "^": r"{\wedge}",
    "~": r"{\sim}",
    "-": "{-}",
    '"': "{''}",
    "`": r"{\grave{\ }}",
    " ": r"\ ",
}

_Piece: TypeAlias = str | Value | Potential


def to_latex(term: Expression | Question | Answer) -> str:
    r"""Return the LaTeX of a formula, a question or an answer, for math mode.

    A symbol stands alone where that says its variable; else as `X = x`.

    Raises:
        TermError: More than 50 million characters: parts that a formula shares are written each
            time.

    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> print(to_latex(parse_expression("sum[z](P(y|x1,z) * P(z))")))
    \sum_{z} P\left(y \mid x_{1}, z\right) \, P\left(z\right)
    >>> print(to_latex(parse_expression("P(Smoking=s) / P(Y=1)")))
    \frac{P\left(\mathrm{Smoking} = s\right)}{P\left(Y = 1\right)}
    """
    writer = _Writer(_alike(term))
    match term:
        case Identified(query, _, estimand):
            return f"{writer.question(query)} = {writer.expression(estimand)}"
        case NotIdentified(query):
            told = rf"{writer.question(query)}\ \mathrm{{is\ not\ identified}}"
            return rf"{told};\quad {_bounds(term.bounds, writer)}" if term.bounds else told
        case Bounds():
            return _bounds(term, writer)
        case Const() | Prob() | Product() | Sum() | Ratio() | Difference():
            return writer.expression(term)
        case Effect() | Counterfactual() | PathSpecific() | Mediation() | Causation():
            return writer.question(term)
        case _:
            assert_never(term)


def _bounds(answer: Bounds, writer: "_Writer") -> str:
    lower = [writer.expression(each) for each in answer.lower]
    upper = [writer.expression(each) for each in answer.upper]
    middle = writer.question(answer.query)
    return r" \leq ".join(filter(None, [_extreme("max", lower), middle, _extreme("min", upper)]))


def _extreme(word: str, formulas: list[str]) -> str:
    if len(formulas) < 2:
        return "".join(formulas)
    return rf"\{word}\left\{{{', '.join(formulas)}\right\}}"


@final
@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes terms.

    Attributes:
        alike: Variables whose symbols another variable has, too: these are told in full.
    """

    alike: frozenset[str]

    # -- values ----------------------------------------------------------------------------------

    def value(self, value: Value) -> str:
        return _named(value.name) if self.is_short(value) else self.full(value, "")

    def is_short(self, value: Value) -> bool:
        own = value.name.rstrip("'") == value.variable.lower()
        return own and value.level is None and value.variable not in self.alike

    def full(self, value: Value, world: str) -> str:
        return f"{_below(_named(value.variable), world)} = {_named(value.name)}"

    def values(self, values: Iterable[Value]) -> str:
        return ", ".join(map(self.value, values))

    # -- formulas --------------------------------------------------------------------------------

    def expression(self, expression: Expression) -> str:
        return fold(expression, self.node)

    def node(self, node: Expression, below: tuple[str, ...]) -> str:
        check_length(sum(map(len, below)))
        match node:
            case Const(number):
                return str(number)
            case Prob():
                return self.probability(node)
            case Product(factors):
                dots = any(isinstance(factor, Const) for factor in factors)
                last = len(factors) - 1
                inside = [
                    _factor(factor, text, at == last)
                    for at, (factor, text) in enumerate(zip(factors, below, strict=True))
                ]
                return (r" \cdot " if dots else r" \, ").join(inside)
            case Sum(bound, body):
                text = _enclosed(below[0]) if isinstance(body, Difference) else below[0]
                return rf"\sum_{{{self.values(bound)}}} {text}"
            case Ratio():
                return rf"\frac{{{below[0]}}}{{{below[1]}}}"
            case Difference(_, subtracted):
                is_signed = isinstance(subtracted, Difference) or _is_negative(subtracted)
                return f"{below[0]} - {_enclosed(below[1]) if is_signed else below[1]}"
            case _:
                assert_never(node)

    def probability(self, node: Prob) -> str:
        domain = f"^{{{_upright(node.domain)}}}" if node.domain else ""
        given = map(self.value, node.given)
        return f"P{domain}{self.conditioned(self.values(node.of), node.do, given)}"

    def conditioned(self, of: str, do: tuple[Value, ...], given: Iterable[str]) -> str:
        set_ = [rf"\operatorname{{do}}{_enclosed(self.values(do))}"] if do else []
        behind = ", ".join([*set_, *given])
        return _enclosed(rf"{of} \mid {behind}" if behind else of)

    # -- questions -------------------------------------------------------------------------------

    def question(self, query: Question) -> str:
        match query:
            case Effect(outcomes, treatments, given):
                known = map(self.value, given)
                return f"P{self.conditioned(self.values(outcomes), treatments, known)}"
            case Counterfactual(facts, given):
                events = ", ".join(map(self.fact, facts))
                return f"P{self.conditioned(events, (), map(self.fact, given))}"
            case PathSpecific():
                return self.path_specific(query)
            case Mediation():
                return self.mediation(query)
            case Causation(kind, outcome, treatment, contrary, baseline):
                compared = self.values((treatment, baseline))
                inside = rf"{compared} \to {self.values((outcome, contrary))}"
                return rf"\operatorname{{{kind}}}{_enclosed(inside)}"
            case _:
                assert_never(query)

    def path_specific(self, query: PathSpecific) -> str:
        edges = [rf"{_named(a)} \to {_named(b)}" for a, b in query.edges]
        along = ", ".join(edges) or _upright("no edge")
        active, baseline = self.values(query.active), self.values(query.baseline)
        do = _enclosed(rf"{active}\ \mathrm{{along}}\ {along};\ {baseline}")
        inside = rf"{self.values(query.outcomes)} \mid \operatorname{{do}}{do}"
        return f"P{_enclosed(inside)}"

    def mediation(self, query: Mediation) -> str:
        head = rf"{self.values(query.active + query.baseline)} \to {self.values(query.outcomes)}"
        if query.held:
            head += rf";\ {self.values(query.held)}"
        elif query.mediators:
            head += rf";\ \mathrm{{via}}\ {', '.join(map(_named, query.mediators))}"
        return rf"\operatorname{{{query.kind}}}{_enclosed(head)}"

    def fact(self, fact: Fact) -> str:
        world = self.world(fact.potential)
        if self.is_short(fact.value):
            return _below(_named(fact.value.name), world)
        return self.full(fact.value, world)

    def world(self, potential: Potential) -> str:
        """Return what a world sets; worlds in worlds are on a list, not on the stack."""
        text: list[str] = []
        waiting: list[_Piece] = [*self.settings(potential)][::-1]
        while waiting:
            match waiting.pop():
                case str(piece):
                    text.append(piece)
                case Value() as value:
                    text.append(self.value(value))
                case Potential() as inner:
                    world = ("_{", *self.settings(inner), "}") if inner.do else ()
                    waiting += reversed((_below(_named(inner.variable), ""), *world))
        return "".join(text)

    def settings(self, potential: Potential) -> Iterator[_Piece]:
        for at, (_, value) in enumerate(potential.do):
            yield from (", ", value) if at else (value,)


def _factor(node: Expression, text: str, is_last: bool) -> str:
    """Return a factor; a sum would take in what follows it."""
    open_ended = node
    while isinstance(open_ended, Product):
        open_ended = open_ended.factors[-1]
    swallows = isinstance(open_ended, Sum) and not is_last
    return (
        _enclosed(text) if swallows or isinstance(node, Difference) or _is_negative(node) else text
    )


def _is_negative(node: Expression) -> bool:
    return isinstance(node, Const) and node.number < 0


def _enclosed(text: str) -> str:
    return rf"\left({text}\right)"


def _below(name: str, world: str) -> str:
    """Return a name with its world as an index; one with an index of its own is in braces."""
    base = f"{{{name}}}" if "_" in name else name
    return f"{base}_{{{world}}}" if world else base


def _named(name: str) -> str:
    """Return the name of a variable or of a symbol, its primes behind it."""
    base = name.rstrip("'")
    primes = name[len(base) :]
    numbered = _NUMBERED.fullmatch(base)
    if numbered:
        letter, number = numbered.groups()
        return f"{letter}_{{{number}}}{primes}" if number else f"{letter}{primes}"
    if base.isdecimal():
        return f"{base}{primes}"
    return f"{_upright(base)}{primes}"


def _upright(text: str) -> str:
    shown = (each if each.isprintable() else " " for each in text)
    return rf"\mathrm{{{''.join(_ESCAPED.get(each, each) for each in shown)}}}"


# -- which symbols are of several variables --------------------------------------------------------


def _alike(term: Expression | Question | Answer) -> frozenset[str]:
    """Return the variables of a term whose names differ in case only."""
    variables = frozenset(value.variable for value in _values(term))
    counted = Counter(variable.lower() for variable in variables)
    return frozenset(variable for variable in variables if counted[variable.lower()] > 1)


def _values(term: Expression | Question | Answer) -> Iterator[Value]:
    match term:
        case Identified(query, _, estimand):
            yield from _values(query)
            yield from _values(estimand)
        case NotIdentified(query):
            yield from _values(query)
            if term.bounds is not None:
                yield from _values(term.bounds)
        case Bounds():
            yield from _values(term.query)
            for each in term.lower + term.upper:
                yield from _values(each)
        case Effect(outcomes, treatments, given):
            yield from outcomes + treatments + given
        case Counterfactual(facts, given):
            yield from _values_of_facts(facts + given)
        case PathSpecific(outcomes, active, baseline, _):
            yield from outcomes + active + baseline
        case Mediation():
            yield from term.outcomes + term.active + term.baseline + term.held
        case Causation(_, outcome, treatment, contrary, baseline):
            yield from (outcome, treatment, contrary, baseline)
        case _:
            yield from _values_of_formula(term)


def _values_of_facts(facts: Iterable[Fact]) -> Iterator[Value]:
    waiting: list[Value | Potential] = []
    for fact in facts:
        yield fact.value
        waiting.append(fact.potential)
    while waiting:
        match waiting.pop():
            case Value() as value:
                yield value
            case Potential(_, do):
                waiting += [value for _, value in do]


def _values_of_formula(expression: Expression) -> Iterator[Value]:
    seen: set[Expression] = set()
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Prob):
            yield from node.of + node.given + node.do
        elif isinstance(node, Sum):
            yield from node.bound
        waiting += parts_of(node)
