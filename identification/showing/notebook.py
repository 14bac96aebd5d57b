"""What notebooks show: formulas typeset, answers with their evidence."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import assert_never

from causalnet.identification.answers import Answer, Bounds, Identified, NotIdentified
from causalnet.identification.expressions import Expression
from causalnet.identification.formulas.latex import to_latex
from causalnet.identification.queries import Question
from causalnet.identification.showing.drawing import draw_answer
from causalnet.identification.showing.notes import notes_of

__all__ = ["answer_html", "expression_latex"]

_LONGEST = 20_000  # characters that a browser typesets without stalling


def expression_latex(expression: Expression) -> str:
    r"""Return a formula as a notebook typesets it.

    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> print(expression_latex(parse_expression("P(y|x)")))
    $\displaystyle P\left(y \mid x\right)$
    """
    return rf"$\displaystyle {to_latex(expression)}$"


def answer_html(answer: Answer) -> str:
    """Return an answer as HTML: verdict, formula, evidence, notes.

    All text is escaped; formulas are LaTeX between dollar signs, which notebooks typeset.
    """
    return "\n".join(["<div>", *_parts(answer), *_notes(answer), "</div>"])


def _parts(answer: Answer) -> Iterator[str]:
    match answer:
        case Identified(query, _, estimand, derivation):
            yield _verdict("Identified", query)
            yield _typeset(rf"{to_latex(query)} = {to_latex(estimand)}", str(estimand))
            yield f"<p>{escape(str(answer.check))}</p>"
            if derivation.steps:
                steps = "".join(f"<li>{escape(str(step))}</li>" for step in derivation.steps)
                yield f"<details><summary>Derivation</summary><ol>{steps}</ol></details>"
        case NotIdentified(query):
            yield _verdict(f"Not identified from {answer.sources}", query)
            yield f'<pre style="white-space: pre-wrap">{escape(draw_answer(answer))}</pre>'
            if answer.bounds is not None:
                yield from _bounds(answer.bounds)
        case Bounds(query):
            yield _verdict("Bounded", query)
            yield from _bounds(answer)
            if answer.reason:
                yield f"<p>{escape(answer.reason)}</p>"
        case _:
            assert_never(answer)


def _verdict(word: str, query: Question) -> str:
    return f"<p><b>{escape(word)}</b>: <code>{escape(str(query))}</code></p>"


def _bounds(bounds: Bounds) -> Iterator[str]:
    yield from _bound(r"\geq", bounds.query, bounds.lower)
    yield from _bound(r"\leq", bounds.query, bounds.upper)


def _bound(sign: str, query: Question, formulas: Iterable[Expression]) -> Iterator[str]:
    for formula in formulas:
        yield _typeset(rf"{to_latex(query)} {sign} {to_latex(formula)}", str(formula))


def _typeset(latex: str, text: str) -> str:
    """Return a formula between dollar signs, as text where it is too long to be typeset."""
    if len(latex) > _LONGEST:
        return f"<pre>{escape(text)}</pre>"
    shown = escape(rf"\displaystyle {latex}", quote=False)
    return f"<p>${shown}$</p>"


def _notes(answer: Answer) -> Iterator[str]:
    return (f"<p>{escape(note)}</p>" for note in notes_of(answer))
