"""Drawing an answer for a terminal: its graph, and the witness marked and told in words."""

from collections.abc import Iterable
from typing import assert_never

from causalnet.graphs.admg import ADMG
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.answers import (
    Answer,
    Hedge,
    InconsistentFactor,
    NotIdentified,
    Thicket,
    Witness,
)
from causalnet.identification.queries import Question
from causalnet.identification.showing.marking import Marks, marks_of
from causalnet.identification.showing.roles import roles_in
from causalnet.identification.sources import Distribution, Sources

__all__ = ["draw_answer"]

_LISTED = 40  # nodes that are drawn one by one


def draw_answer(answer: Answer) -> str:
    """Return the graph of an answer as text, each node with its children and what it does.

    Nodes come parents first.  A witness is marked, and what it says is told in words, each sentence
    on a line that is not folded.  Of a graph of more than 40 nodes those are drawn that the
    question or the witness names.

    >>> from causalnet.identification.reading.parsing import parse_question
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> hedge = Hedge(frozenset("XY"), frozenset("Y"), frozenset("Y"))
    >>> print(draw_answer(NotIdentified(parse_question("P(y | do(x))", bow), bow, hedge)))
    treatment  F     X -> Y
    outcome    F F'  Y
               F     X <-> Y
    F = {X, Y} and F' = {Y} are a hedge.
    Hidden common causes (<->) join the nodes of each, and within each all nodes lead to Y.
    The treatment X is in F and not in F'.
    So there are two models with the same P(V) and different answers.
    """
    marks = marks_of(answer)
    graph = answer.graph
    drawn = _drawn(graph, marks)
    rows = [(", ".join(marks.words.get(node, ())), marks.beside(node), _node(graph, node))
            for node in graph.topological_order() if node in drawn]  # fmt: skip
    rows += [
        ("", marks.beside(a, b), f"{_name(a)} <-> {_name(b)}")
        for a, b in graph.bidirected
        if a in drawn and b in drawn
    ]
    lines = _aligned(rows)
    if len(drawn) < len(graph):
        lines.append(f"and {len(graph) - len(drawn)} more nodes")
    if isinstance(answer, NotIdentified):
        lines += _told(answer.witness, answer.query, answer.sources)
    return "\n".join(lines)


def _name(node: str) -> str:
    """Return a name on one line, whatever characters it has."""
    return "".join(each if each.isprintable() else "\ufffd" for each in node)


def _node(graph: ADMG, node: str) -> str:
    children = [_name(child) for child in graph.children(node)]
    return f"{_name(node)} -> {shown(children, ', ')}" if children else _name(node)


def _drawn(graph: ADMG, marks: Marks) -> frozenset[str]:
    if len(graph) <= _LISTED:
        return frozenset(graph.nodes)
    return frozenset((*marks.words, *marks.outer, *marks.inner))


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    """Return lines with the last column behind the widest of the others."""
    first, second = (max((len(row[at]) for row in rows), default=0) for at in (0, 1))
    gaps = (2 if first else 0), (2 if second else 0)
    return [
        f"{role:<{first}}{'':{gaps[0]}}{sets:<{second}}{'':{gaps[1]}}{node}"
        for role, sets, node in rows
    ]


# -- what a witness says ---------------------------------------------------------------------------


def _told(witness: Witness, question: Question, sources: Sources) -> list[str]:
    """Return what a witness says, in words."""
    match witness:
        case Hedge():
            return [*_hedge(witness, question), _models(str(sources))]
        case Thicket(factor, hedges):
            head = f"C = {_braced(factor)} has to be known as a whole, and nothing gives it:"
            lines = [head]
            for known, obstacle in hedges:
                first, *more = (
                    _hedge(obstacle, question)
                    if isinstance(obstacle, Hedge)
                    else [_set_or_differs(obstacle, known)]
                )
                lines += [f"  {known}: {first}", *(f"    {sentence}" for sentence in more)]
            return [*lines, _models("distributions")]
        case InconsistentFactor(district, variable, (one, other)):
            joined = (
                "hidden common causes (<->) join its nodes, and"
                if len(district) > 1
                else "its noise is the same in all worlds, and"
            )
            return [
                f"D = {_braced(district)}: {joined} the question needs {variable} to be {one} and "
                f"{other} there at once.",
                "No data and no experiment shows it at both.",
            ]
        case RecantingDistrict():
            return _recanting(witness)
        case _:
            assert_never(witness)


def _hedge(hedge: Hedge, question: Question) -> list[str]:
    roles = roles_in(question)
    set_ = [node for node in sorted(hedge.outer - hedge.inner)
            if {"treatment", "set"} & {*roles.get(node, ())}]  # fmt: skip
    one = len(set_) == 1
    noun, verb = ("treatment", "is") if one else ("treatments", "are")
    where = [f"The {noun} {_listed(set_)} {verb} in F and not in F'."] if set_ else []
    return [
        f"F = {_braced(hedge.outer)} and F' = {_braced(hedge.inner)} are a hedge.",
        "Hidden common causes (<->) join the nodes of each, and within each all nodes lead to "
        f"{_listed(sorted(hedge.roots))}.",
        *where,
    ]


def _set_or_differs(nodes: frozenset[str], known: Distribution) -> str:
    set_ = sorted(nodes.intersection(known.do))
    differs = sorted(nodes.difference(known.do))
    parts = [f"the experiment sets {_listed(set_)}"] if set_ else []
    parts += [f"domain {known.domain} differs in what makes {_listed(differs)}"] if differs else []
    return f"{' and '.join(parts)}."


def _models(known: str) -> str:
    return f"So there are two models with the same {known} and different answers."


def _recanting(witness: RecantingDistrict) -> list[str]:
    nodes, treatment = sorted(witness.district), witness.active[0]
    if len(nodes) == 1:
        head = f"D = {_braced(nodes)}: {nodes[0]} is a recanting witness."
    else:
        joined = "hidden common causes (<->) join its nodes."
        head = f"D = {_braced(nodes)} is a recanting district: {joined}"
    return [
        head,
        f"  asked about:  {' -> '.join(map(_name, witness.active))}",
        f"  left out:     {' -> '.join(map(_name, witness.inactive))}",
        f"So D has to react to two values of {treatment} at once, which no data and no experiment "
        "on these variables shows.",
    ]


def _braced(nodes: Iterable[str]) -> str:
    return f"{{{_listed(sorted(nodes))}}}"


def _listed(nodes: Iterable[str]) -> str:
    return shown([_name(node) for node in nodes], ", ")
