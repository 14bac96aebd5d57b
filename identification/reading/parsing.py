"""Reading formulas and questions: what `print` shows of them is read back as the same.

| text | what |
|---|---|
| `x`, `x'`, `Smoking=s`, `Y=1` | a value: a symbol or a level |
| `P{a}[x](y given z)` | a probability; in the domain a, under do(x) |
| `sum[z](...)`, `... * ...`, `... / ...`, `... - ...`, `0`, `1` | formulas of them |

"Given" is a bar in text, and formulas take `P(y given do(x), z)` as well.  Questions are told in
`question_reading`.
"""

from collections.abc import Iterable

from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.arguments import check_type, listed
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from causalnet.identification.queries import Question
from causalnet.identification.reading.question_reading import QuestionReader
from causalnet.identification.reading.value_reading import ValueReader, Variables
from causalnet.identification.values import Value
from causalnet.interventions.reading import Rule

__all__ = ["parse_expression", "parse_question"]


def parse_expression(text: str, variables: Iterable[str] | None = None) -> Expression:
    """Return the formula that a text describes.

    Args:
        text: For example `sum[z](P(y|x,z) * P(z))`.
        variables: The variables there are: a symbol such as x' is of the one that is called x but
            for case.  Without them it is of X, in upper case.

    Raises:
        TermError: A text that is no formula, with line, column and what was possible there.
        UnknownMediatorError: A value of a variable that there is not.

    >>> parse_expression("sum[z](P(y|x,z) * P(z))")
    sum[z](P(y|x,z) * P(z))
    >>> parse_expression("P(cancer | smoking')", ["Smoking", "Cancer"])
    P(Cancer=cancer|Smoking=smoking')
    >>> parse_expression("P(y|x,)")
    Traceback (most recent call last):
    ...
    causalnet.errors.TermError: Line 1, column 7: found ')'. Possible here: a value such as y, \
y' or Y=1.
      P(y|x,)
            ^
    """
    check_type(text, str, "Write 'P(y|x)'.")
    graph = None
    if variables is not None:
        graph = ADMG.of(nodes=listed(variables, "variables", "Write ['X', 'Y']."))
    reader = _ExpressionReader(text, Variables.of(graph))
    return reader.run(reader.expression())


def parse_question(text: str, graph: ADMG) -> Question:
    """Return the question that a text asks of a graph.

    Args:
        text: For example `P(y | do(x))`, `P(y{x} | x')` or `nde(X -> Y; via M)`.
        graph: The graph whose variables it names.

    Raises:
        TermError: A text that is no question, with line, column and what was possible there; a
            variable in two roles.
        UnknownMediatorError: A name that is not in the graph; the nearest ones are given.

    >>> graph = ADMG.of(directed=[("Smoking", "Tar"), ("Tar", "Cancer")])
    >>> print(parse_question("P(Cancer | do(Smoking=1))", graph))
    P(Cancer=cancer | do(Smoking=1))
    >>> print(parse_question("nde(Smoking -> Cancer; via Tar)", graph))
    nde(Smoking=smoking, Smoking=smoking' -> Cancer=cancer; via Tar)
    """
    check_type(text, str, "Write 'P(y | do(x))'.")
    check_admg(graph)
    reader = QuestionReader(text, Variables.of(graph))
    return reader.run(reader.question())


class _ExpressionReader(ValueReader):
    """Reads formulas."""

    def expression(self) -> Rule[Expression]:
        """Read terms with minus signs between them, from the left."""
        found: Expression = yield self.term()
        while self.took("-"):
            found = Difference(found, (yield self.term()))
        return found

    def term(self) -> Rule[Expression]:
        """Read factors, multiplied or divided, from the left."""
        first: Expression = yield self.factor()
        factors = [first]
        while True:
            if self.took("*"):
                factors.append((yield self.factor()))
            elif self.took("/"):
                factors = [Ratio(_together(factors), (yield self.factor()))]
            else:
                return _together(factors)

    def factor(self) -> Rule[Expression]:
        """Read a probability, a sum, a number or what stands in parentheses."""
        self.possible |= dict.fromkeys(("'P'", "'sum'", "'('", "a number"))
        token, following = self.token, self.following()
        if token.kind == "number":
            return Const(int(self.word("a number")))
        if token.text == "-" and following.kind == "number":
            self.advance()
            return Const(-int(self.word("a number")))
        if token.kind == "name" and token.text == "P":
            return self.probability()
        if token.kind == "name" and token.text == "sum":
            self.advance()
            self.take("[")
            bound = self.values("a symbol such as z")
            self.take("]")
            body: Expression = yield self.enclosed()
            return self.made(token, Sum, bound, body)
        if token.kind != "mark" or token.text != "(":
            raise self.unexpected()
        inside: Expression = yield self.enclosed()
        return inside

    def enclosed(self) -> Rule[Expression]:
        """Read an expression in parentheses."""
        self.opened("(")
        inside: Expression = yield self.expression()
        self.closed(")")
        return inside

    def probability(self) -> Prob:
        """Read `P{a}[x](y given z)`."""
        start = self.advance()
        domain = ""
        if self.took("{"):
            domain = self.word("a domain")
            self.take("}")
        do: tuple[Value, ...] = ()
        if self.took("["):
            do = self.values()
            self.take("]")
        self.take("(")
        of = self.values()
        given: tuple[Value, ...] = ()
        if self.took("|"):
            given, set_ = self.behind_the_bar()
            do += set_
        self.take(")")
        return self.made(start, Prob, of, given, do, domain)

    def behind_the_bar(self) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """Read the values on which one conditions, and those in do(...)."""
        given: list[Value] = []
        do: list[Value] = []
        while True:
            if self.token.text == "do" and self.following().text == "(":
                self.advance()
                self.advance()
                do += self.values()
                self.take(")")
            else:
                given.append(self.value())
            if not self.took(","):
                return tuple(given), tuple(do)


def _together(factors: list[Expression]) -> Expression:
    return factors[0] if len(factors) == 1 else Product(tuple(factors))
