"""Reading questions.

| text | what |
|---|---|
| `P(y)`, `P(y given do(x), z)` | `Effect` |
| `P(y{x} given x')`, `P(y{x, M{x'}})`, `P(Y{X=x} = y)` | `Counterfactual` |
| `P(y given do(x along X -> M -> Y, X -> Y; x'))` | `PathSpecific` |
| `te(x, x' -> y)`, `nde(X -> Y; via M)`, `nie(...)`, `cde(X -> Y; m)` | `Mediation` |
| `pn(x, x' -> y, y')`, `ps(X -> Y)`, `pns(X -> Y)` | `Causation` |

"Given" is a bar in text.  The name of a variable stands for its symbol: `P(Y given do(X))`.
Baselines and contraries that are not told are the symbols with the fewest primes that are left.  In
braces a name alone is refused: `m` is a value, and `M{}` the value that M has by itself.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from causalnet.errors import TermError
from causalnet.graphs.edge_lists import Edge
from causalnet.graphs.names import nearest
from causalnet.identification.queries import (
    Causation,
    Contrasted,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Probability,
    Question,
)
from causalnet.identification.reading.value_reading import ValueReader
from causalnet.identification.values import Value, fresh, quoted_name
from causalnet.interventions.reading import Rule
from causalnet.interventions.tokens import Token

__all__ = ["DEEPEST_WORLD", "QuestionReader"]

DEEPEST_WORLD = 100
"""So many worlds may lie inside one another."""

_CONTRASTS: dict[str, Contrasted] = {"te": "TE", "cde": "CDE", "nde": "NDE", "nie": "NIE"}
_PROBABILITIES: dict[str, Probability] = {"pn": "PN", "ps": "PS", "pns": "PNS"}
_FORMS = ("P", *_CONTRASTS, *_PROBABILITIES)


@dataclass(slots=True)
class _Asked:
    """What stands between the parentheses of `P(...)`."""

    facts: list[Fact] = field(default_factory=list)
    given: list[Fact] = field(default_factory=list)
    do: list[Value] = field(default_factory=list)
    edges: tuple[Edge, ...] | None = None
    baseline: tuple[Value, ...] = ()


class QuestionReader(ValueReader):
    """Reads questions about a graph."""

    def question(self) -> Rule[Question]:
        """Read a question of any kind."""
        token = self.token
        word = token.text.lower()
        if token.kind == "name" and self.following().text == "(":
            if token.text == "P":
                asked: Question = yield self.probability()
                return asked
            if word in _CONTRASTS:
                return self.mediation(_CONTRASTS[word])
            if word in _PROBABILITIES:
                return self.causation(_PROBABILITIES[word])
        raise self.no_question(token)

    def no_question(self, token: Token) -> TermError:
        """Return the error for a text that begins otherwise than a question."""
        self.possible |= {f"'{form}('": None for form in _FORMS}
        if token.kind != "name" or token.text in _FORMS:
            if token.kind == "name":
                self.advance()
                self.possible = {"'('": None}
            return self.unexpected()
        close = ", ".join(nearest(token.text, _FORMS))
        suggestion = f"nearest: {close}. " if close else ""
        told = f"{suggestion}Questions begin with {', '.join(_FORMS)}, as in P(y | do(x))"
        return self.wrong(token, f"found {token.text!r}", told)

    # -- P(...) ----------------------------------------------------------------------------------

    def probability(self) -> Rule[Question]:
        """Read `P(...)`: an effect, a counterfactual or a path-specific effect."""
        start = self.advance()
        asked = _Asked()
        self.take("(")
        asked.facts.append((yield self.fact()))
        while self.took(","):
            asked.facts.append((yield self.fact()))
        if self.took("|"):
            yield self.behind_the_bar(asked)
        self.take(")")
        return self.asked(start, asked)

    def behind_the_bar(self, asked: _Asked) -> Rule[None]:
        """Read what is set and what is known."""
        while True:
            if self.token.text == "do" and self.following().kind in ("name", "text"):
                raise self.wrong(self.token, "found 'do' without '('", "write do(x)")
            if self.token.text == "do" and self.following().text == "(":
                self.intervention(asked)
            else:
                asked.given.append((yield self.fact()))
                self.active_along(asked)
            if not self.took(","):
                return

    def intervention(self, asked: _Asked) -> None:
        """Read `do(x)` or `do(x along X -> M, M -> Y; x')`."""
        start = self.advance()
        self.advance()
        values = self.values()
        if self.took("along"):
            if asked.edges is not None:
                raise self.wrong(start, "found a second 'along'", "one do(...) names all edges")
            asked.edges = self.edges()
            asked.baseline = self.values() if self.took(";") else self.others(start, values)
        self.take(")")
        asked.do += values

    def active_along(self, asked: _Asked) -> None:
        """Read the rest of `X active along X -> M, M -> Y`, which says what do(...) says."""
        if self.token.text != "active" or self.following().text != "along":
            return
        start = self.advance()
        self.advance()
        asked.edges = self.edges()
        asked.do += [fact.value for fact in asked.given]
        asked.given.clear()
        asked.baseline = self.others(start, tuple(asked.do))

    def asked(self, start: Token, asked: _Asked) -> Question:
        """Return the question that `P(...)` asks."""
        outcomes = tuple(fact.value for fact in asked.facts)
        given = tuple(fact.value for fact in asked.given)
        if any(fact.potential.do for fact in (*asked.facts, *asked.given)):
            if asked.do:
                raise self.wrong(
                    start,
                    "found both do(...) and worlds in braces",
                    "in a counterfactual query each event tells its own world: P(y{x} | z{x})",
                )
            return self.made(start, Counterfactual, tuple(asked.facts), tuple(asked.given))
        if asked.edges is None:
            return self.made(start, Effect, outcomes, tuple(asked.do), given)
        if given:
            raise self.wrong(
                start,
                "found a condition beside 'along'",
                "no condition, or nested counterfactuals, which take them: P(y{M{x}, x'} | z)",
            )
        return self.made(
            start, PathSpecific, outcomes, tuple(asked.do), asked.baseline, asked.edges
        )

    # -- events ----------------------------------------------------------------------------------

    def fact(self) -> Rule[Fact]:
        """Read `y`, `Y=1`, `y{x}`, `Y=1{x}` or `Y{X=x} = y`."""
        token = self.token
        if token.text == "do" and self.following().text == "(":
            told = "interventions stand behind the bar: P(y | do(x))"
            raise self.wrong(token, "found 'do('", told)
        word = self.word("an outcome such as y, y' or Y=1")
        if self.is_next("{"):
            world: Potential = yield self.world(self.short(token, word).variable)
            value = self.explicit(token, word) if self.took("=") else self.short(token, word)
        elif self.took("="):
            value = self.explicit(token, word)
            world = yield self.world(value.variable)
        else:
            value = self.short(token, word)
            world = Potential(value.variable)
        return self.made(token, Fact, world, value)

    def world(self, variable: str) -> Rule[Potential]:
        """Read `{x, M{x'}}`, the world of a variable; nothing is the world as it is."""
        if not self.is_next("{"):
            return Potential(variable)
        start = self.opened("{", DEEPEST_WORLD)
        do: dict[str, Value | Potential] = {}
        while not self.is_next("}"):
            if do:
                self.take(",")
            token = self.token
            value: Value | Potential = yield self.setting()
            if value.variable in do:
                came = f"found a second value of {quoted_name(value.variable)}"
                raise self.wrong(token, came, "a world sets a variable once")
            do[value.variable] = value
        self.closed("}")
        return self.made(start, Potential.of, variable, do)

    def setting(self) -> Rule["Value | Potential"]:
        """Read what a world sets: `x`, `X=1`, `M{x'}`."""
        token = self.token
        word = self.word("a value such as x, X=1 or M{x'}")
        if self.is_next("{"):
            taken: Potential = yield self.world(self.located(token, self.variables.named, word))
            return taken
        if self.took("="):
            return self.explicit(token, word)
        value = self.short(token, word)
        if word == value.variable and word != word.lower():
            name = quoted_name(word)
            raise self.wrong(
                token,
                f"found {name}, which is no value",
                f"write {value}, or {name}{{}} for the value that it has by itself",
            )
        return value

    # -- edges -----------------------------------------------------------------------------------

    def edges(self) -> tuple[Edge, ...]:
        """Read `X -> M -> Y, X -> Y`, or `no edge`."""
        if self.token.text == "no" and self.following().text == "edge":
            self.advance()
            self.advance()
            return ()
        found = self.chain()
        while self.token.text == "," and self.following(2).text == "->":
            self.advance()
            found += self.chain()
        return tuple(dict.fromkeys(found))

    def chain(self) -> list[Edge]:
        """Read `X -> M -> Y`."""
        start = self.token
        nodes = [self.variable("an edge such as X -> M")]
        while not nodes[1:] or self.is_next("->"):
            self.take("->")
            nodes.append(self.variable())
        graph = self.variables.graph
        for tail, head in pairwise(nodes):
            if graph is not None and not graph.has_edge(tail, head):
                children = ", ".join(map(quoted_name, graph.children(tail))) or "no node"
                came = f"{quoted_name(tail)} -> {quoted_name(head)} is no edge of the graph"
                raise self.wrong(start, came, f"{quoted_name(tail)} leads to {children}")
        return [*pairwise(nodes)]

    # -- contrasts -------------------------------------------------------------------------------

    def mediation(self, kind: Contrasted) -> Question:
        """Read `nde(x, x' -> y; via M)` or `cde(x, x' -> y; m)`."""
        start = self.advance()
        self.take("(")
        active, baseline = self.pairs()
        self.take("->")
        outcomes = self.values()
        mediators: tuple[str, ...] = ()
        held: tuple[Value, ...] = ()
        if self.took(";"):
            has_via = self.token.text == "via" and self.following().kind in (
                "name",
                "text",
                "number",
            )
            if kind == "CDE":
                if has_via:
                    self.advance()
                held = self.values()
                mediators = tuple(value.variable for value in held)
            else:
                if not has_via:
                    self.possible["'via'"] = None
                    raise self.unexpected()
                self.advance()
                mediators = self.names()
        self.take(")")
        return self.made(start, Mediation, kind, outcomes, active, baseline, mediators, held)

    def causation(self, kind: Probability) -> Question:
        """Read `pn(x, x' -> y, y')`."""
        start = self.advance()
        self.take("(")
        treatment, baseline = self.pair()
        self.take("->")
        outcome, contrary = self.pair()
        self.take(")")
        return self.made(start, Causation, kind, outcome, treatment, contrary, baseline)

    def pair(self) -> tuple[Value, Value]:
        """Read a value and the one with which it is compared, of one variable."""
        start = self.token
        active, baseline = self.pairs()
        if len(active) > 1:
            came = f"found {len(active)} variables"
            raise self.wrong(start, came, "a probability of causation is about one on each side")
        return active[0], baseline[0]

    def pairs(self) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """Read values, and those with which they are compared."""
        start = self.token
        values = self.values()
        half = len(values) // 2
        variables = [value.variable for value in values]
        if len(set(variables)) == len(values):
            return values, self.others(start, values)
        if variables[:half] != variables[half:]:
            raise self.wrong(
                start,
                f"found {', '.join(map(str, values))}",
                "first come all values, then as many baselines in the same order: x, w, x', w'",
            )
        return values[:half], values[half:]

    def others(self, start: Token, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return values with which these are compared: symbols with as few primes as can be.

        Raises:
            TermError: One of them is a level, of which nothing says what to compare it with.
        """
        for value in values:
            if value.level is not None:
                came = f"found {value} without what it is compared with"
                raise self.wrong(start, came, "write both levels, as in pn(X=1, X=0 -> Y=1, Y=0)")
        return tuple(fresh(value.variable, {value}) for value in values)
