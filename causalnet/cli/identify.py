"""`causalnet identify`: what data say of a causal diagram, and why, or why not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from causalnet.cli.diagrams import Diagram, diagram_of, projected
from causalnet.cli.folding import folded, terminal_width
from causalnet.cli.known import OBSERVATIONS, Known, sources_of
from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal
from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.identification.answers import Answer, Bounds, Identified, NotIdentified
from causalnet.identification.door import identify
from causalnet.identification.expressions import Expression, Prob, Sum, parts_of
from causalnet.identification.formulas.latex import to_latex
from causalnet.identification.queries import Effect
from causalnet.identification.reading.graph_text import graph_line
from causalnet.identification.reading.parsing import parse_question
from causalnet.identification.showing.answer_json import answer_json
from causalnet.identification.showing.dot import answer_dot
from causalnet.identification.showing.drawing import draw_answer
from causalnet.identification.showing.meaning import meaning_of
from causalnet.identification.showing.notes import notes_of
from causalnet.identification.showing.short_text import shortened
from causalnet.identification.sources import Distribution, Sources
from causalnet.identification.values import quoted_name

__all__ = ["Asked", "Form", "run_identify"]

_SHOWN = 30  # edges that are written on one line
_TRIED = 30  # nodes of the largest graph for which experiments are tried
_LONGEST_STEP = 600  # characters of a step that are printed
_LABEL = " " * 10


class Form(StrEnum):
    """What is printed."""

    TEXT = "text"
    LATEX = "latex"
    DOT = "dot"

    @staticmethod
    def of(latex: bool, dot: bool) -> "Form":
        """Return what options ask for.

        Raises:
            ParameterError: Two at once.
        """
        if latex and dot:
            raise ParameterError("--latex and --dot.", "One of them is printed.", "Leave one out.")
        return Form.LATEX if latex else Form.DOT if dot else Form.TEXT


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a diagram.

    Attributes:
        graph: A file, text such as `X -> Y`, or the name of a textbook graph.
        question: The question; "" for the one that comes with the graph.
        latent: Nodes that are not observed.
        observed: Nodes that are, if that is said.
        known: What is known of the others.
        verify: On how many random models a formula is compared with enumeration.
    """

    graph: str
    question: str = ""
    latent: Sequence[str] = ()
    observed: Sequence[str] = ()
    known: Known = OBSERVATIONS
    verify: int | None = None


def run_identify(asked: Asked, form: Form, terminal: Terminal) -> Status:
    """Print whether data determine what is asked: a formula, bounds, or why there is none.

    Raises:
        CausalNetError: A graph, a question or options that cannot be; JSON and another form.
    """
    if terminal.json and form is not Form.TEXT:
        raise ParameterError(
            f"--json and --{form}.",
            "One of them is printed.",
            "Leave one out; the JSON object holds the LaTeX, too.",
        )
    diagram = projected(diagram_of(asked.graph), asked.latent, asked.observed)
    sources = sources_of(asked.known, diagram.graph)
    answer = _answer(asked, diagram, sources)
    match form:
        case Form.TEXT:
            text = shortened("\n".join(_lines(answer, diagram)), diagram.graph)
            terminal.say(folded(text, terminal_width()))
        case Form.LATEX:
            terminal.say(to_latex(answer))
        case Form.DOT:
            terminal.say(answer_dot(answer))
        case _:
            assert_never(form)
    status = Status.SUPPORTED if isinstance(answer, Identified) else Status.UNDECIDED
    if terminal.json:
        notes = [*notes_of(answer), *filter(None, diagram.notes)]
        told = {"latent": list(diagram.latent), "notes": notes, "exit_status": int(status)}
        terminal.result(answer_json(answer) | told)
    return status


def _answer(asked: Asked, diagram: Diagram, sources: Sources) -> Answer:
    text = asked.question or diagram.question
    if not text.strip():
        raise TermError(
            "Nothing was asked.",
            "A question is about variables of the graph.",
            "Write for example 'P(y | do(x))' behind the graph.",
        )
    if asked.verify is not None and asked.verify < 0:
        raise ParameterError(
            f"--verify {asked.verify}.", "It is a number of models, from 0.", "Write --verify 20."
        )
    try:
        question = parse_question(text, diagram.graph)
    except UnknownMediatorError as error:
        if not diagram.latent:
            raise
        latent = ", ".join(diagram.latent)
        raise UnknownMediatorError(
            f"{error}\nLatent, and not to be asked of: {latent}.",
            "A question is about observed nodes.",
            "Leave --latent out, or mark the node as observed in the file.",
        ) from None
    return identify(question, diagram.graph, sources=sources, verify=asked.verify)


# -- text ------------------------------------------------------------------------------------------


def _lines(answer: Answer, diagram: Diagram) -> Iterator[str]:
    yield from _labelled("QUESTION", [str(answer.query), meaning_of(answer.query)])
    yield from _labelled("GRAPH", [_graph(diagram)])
    if diagram.latent:
        yield f"{_LABEL}{', '.join(diagram.latent)} not observed, and left out; <-> stands for it"
    yield from _labelled("KNOWN", _known(answer.sources))
    match answer:
        case Identified():
            yield from _labelled("VERDICT", ["identified: the data determine it, by this formula"])
            yield from _labelled("FORMULA", [str(answer.estimand), *_key(answer.estimand)])
            yield from _labelled("CHECK", [str(answer.check)])
            yield from _labelled("STEPS", map(_cut, str(answer.derivation).splitlines()))
        case NotIdentified():
            told = "not identified: no formula in what is known is right in all models of the graph"
            yield from _labelled("VERDICT", [told])
            yield from _labelled("WHY", draw_answer(answer).splitlines())
            yield from _bounds(answer.bounds)
            yield from _labelled("REMEDY", _remedies(answer))
        case Bounds():
            yield from _labelled("VERDICT", ["bounded: the data leave a range, between"])
            yield from _bounds(answer)
            yield from _labelled("WHY", [answer.reason] if answer.reason else [])
        case _:
            assert_never(answer)
    yield from _labelled("NOTES", [*notes_of(answer), *filter(None, diagram.notes)])


def _remedies(answer: NotIdentified) -> Iterator[str]:
    """Say which experiments on one variable would do, looking at graphs of up to 30 nodes."""
    query, graph, sources = answer.query, answer.graph, answer.sources
    if not isinstance(query, Effect) or len(graph) > _TRIED:
        return
    outcomes = {value.variable for value in query.outcomes}
    treatments = {value.variable for value in query.treatments}
    others = [node for node in graph.nodes if node not in outcomes | treatments]
    enough = [
        node
        for node in [*others, *sorted(treatments)]
        if isinstance(identify(query, graph, sources=_with_experiment(sources, node), verify=0),
                      Identified)
    ]  # fmt: skip
    if enough:
        named = ", or on ".join(map(quoted_name, enough)) + ("," if len(enough) > 1 else "")
        yield f"an experiment on {named} would identify it: --experiment {quoted_name(enough[0])}"


def _with_experiment(sources: Sources, node: str) -> Sources:
    known = dict.fromkeys((*sources.distributions, Distribution((node,))))
    return replace(sources, distributions=tuple(known))


def _key(formula: Expression) -> Iterator[str]:
    """Say how a formula is read."""
    nodes = _nodes(formula)
    sums = next((node for node in nodes if isinstance(node, Sum)), None)
    probabilities = [node for node in nodes if isinstance(node, Prob)]
    told = []
    if sums is not None:
        first = sums.bound[0]
        told.append(f"sum[{first}] adds up over all values of {quoted_name(first.variable)}")
    if done := next((node for node in probabilities if node.do), None):
        do = ",".join(map(str, done.do))
        told.append(f"P[{do}] is P under do({do})")
    for domain in sorted({node.domain for node in probabilities} - {""}):
        told.append(f"P{{{quoted_name(domain)}}} is P in domain {domain}")
    if told:
        yield f"where {', and '.join(told)}"


def _nodes(formula: Expression) -> list[Expression]:
    """Return all parts of a formula, each once."""
    found = {formula: None}
    waiting = [formula]
    while waiting:
        new = [part for part in parts_of(waiting.pop()) if part not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return [*found]


def _bounds(bounds: Bounds | None) -> Iterator[str]:
    if bounds is not None:
        yield from _labelled("AT LEAST", _extremes("the largest of", bounds.lower))
        yield from _labelled("AT MOST", _extremes("the smallest of", bounds.upper))


def _extremes(which: str, formulas: tuple[Expression, ...]) -> Iterator[str]:
    if len(formulas) > 1:
        yield which
    yield from (f"  {each}" if len(formulas) > 1 else str(each) for each in formulas)


def _labelled(label: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines behind a label, which stands before the first."""
    for at, line in enumerate(lines):
        yield f"{label if at == 0 else '':<10}{line}"


def _cut(step: str) -> str:
    """Return a step without its middle if it is long, as where thousands of variables went."""
    half = _LONGEST_STEP // 2
    if len(step) <= _LONGEST_STEP:
        return step
    return f"{step[:half]} … (in full with --json) … {step[-half:]}"


def _graph(diagram: Diagram) -> str:
    graph = diagram.graph
    edges = len(graph.directed) + len(graph.bidirected)
    return graph_line(graph) if edges <= _SHOWN else repr(graph)


def _known(sources: Sources) -> Iterator[str]:
    for each in sources.distributions:
        where = f" in domain {each.domain}" if each.domain else ""
        if each.do:
            yield f"{each}: an experiment on {', '.join(each.do)}{where}"
        else:
            yield f"{each}: all variables of the graph, observed together{where}"
    for domain, variables in sources.differs:
        differs = ", ".join(sorted(variables)) or "nothing"
        yield f"domain {domain} differs in what makes {differs}"
