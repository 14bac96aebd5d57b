"""Answers as JSON objects, for programs that read them."""

from typing import Any, assert_never

from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.answers import (
    Answer,
    Bounds,
    Hedge,
    Identified,
    InconsistentFactor,
    NotIdentified,
    Thicket,
    Witness,
)
from causalnet.identification.formulas.latex import to_latex
from causalnet.identification.showing.meaning import meaning_of
from causalnet.identification.showing.notes import notes_of

__all__ = ["answer_json"]


def answer_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as a JSON object: verdict, evidence, and what was asked of what.

    Formulas and the question are texts that `parse_expression` and `parse_question` read.

    >>> from causalnet.graphs.admg import ADMG
    >>> from causalnet.identification.door import identify
    >>> chain = ADMG.of(directed=[("X", "Y")])
    >>> told = answer_json(identify("P(y | do(x))", chain))
    >>> told["verdict"], told["formula"]
    ('identified', 'P(y|x)')
    """
    return {**_verdict(answer), **_asked(answer)}


def _verdict(answer: Answer) -> dict[str, Any]:
    match answer:
        case Identified(_, _, estimand, derivation):
            check = answer.check
            steps = [
                {"rule": step.rule, "because": step.because, "result": step.result}
                for step in derivation.steps
            ]
            return {
                "verdict": "identified",
                "formula": str(estimand),
                "steps": steps,
                "check": {"models": check.models, "worst": check.worst, "reason": check.reason},
            }
        case NotIdentified(_, _, witness):
            return {
                "verdict": "not identified",
                "witness": _witness(witness),
                **_extremes(answer.bounds),
            }
        case Bounds():
            return {
                "verdict": "bounded",
                **_extremes(answer),
                "reason": answer.reason,
            }
        case _:
            assert_never(answer)


def _extremes(bounds: Bounds | None) -> dict[str, list[str]]:
    """Return the formulas below and above; none of either where there are no bounds."""
    lower, upper = (bounds.lower, bounds.upper) if bounds else ((), ())
    return {"lower": [str(each) for each in lower], "upper": [str(each) for each in upper]}


def _asked(answer: Answer) -> dict[str, Any]:
    graph, sources = answer.graph, answer.sources
    return {
        "question": str(answer.query),
        "meaning": meaning_of(answer.query),
        "graph": {
            "nodes": list(graph.nodes),
            "directed": [list(edge) for edge in graph.directed],
            "bidirected": [list(edge) for edge in graph.bidirected],
        },
        "known": {
            "distributions": [
                {"do": list(each.do), "domain": each.domain} for each in sources.distributions
            ],
            "differs": {name: sorted(variables) for name, variables in sources.differs},
        },
        "latex": to_latex(answer),
        "notes": list(notes_of(answer)),
    }


def _witness(witness: Witness) -> dict[str, Any]:
    match witness:
        case Hedge(outer, inner, roots):
            sets = {"outer": sorted(outer), "inner": sorted(inner), "roots": sorted(roots)}
            return {"kind": "hedge", **sets}
        case Thicket(factor, hedges):
            found = [
                {
                    "do": list(known.do),
                    "domain": known.domain,
                    "obstacle": _witness(obstacle)
                    if isinstance(obstacle, Hedge)
                    else {"kind": "set or different", "nodes": sorted(obstacle)},
                }
                for known, obstacle in hedges
            ]
            return {"kind": "thicket", "factor": sorted(factor), "distributions": found}
        case InconsistentFactor(district, variable, values):
            return {
                "kind": "inconsistent factor",
                "district": sorted(district),
                "variable": variable,
                "values": list(map(str, values)),
            }
        case RecantingDistrict(district, active, inactive):
            paths = {"active": list(active), "inactive": list(inactive)}
            return {"kind": "recanting district", "district": sorted(district), **paths}
        case _:
            assert_never(witness)
