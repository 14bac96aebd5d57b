"""Derivations in the do-calculus as JSON, version 1.

Expressions are a table of nodes, each of which names its parts by their places before it, so that
shared parts are written once and nothing is nested deeply.  What is read is as good as what is in
the file: `.verify()` says whether the steps are right.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from causalnet.errors import CausalNetError, FormatError
from causalnet.graphs.admg import ADMG
from causalnet.identification.derivations.do_derivations import DoDerivation
from causalnet.identification.derivations.do_rules import RULES, DoStep, Separation, Surgery
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    fold,
)
from causalnet.identification.queries import Effect
from causalnet.identification.sources import Distribution, Sources
from causalnet.identification.values import Value

__all__ = ["FORMAT_KEY", "FORMAT_VERSION", "derivation_from_json", "derivation_to_json"]

FORMAT_KEY, FORMAT_VERSION = "causalnet_do_derivation", 1


def derivation_to_json(derivation: DoDerivation) -> str:
    """Return a derivation as JSON; `derivation_from_json` reads it back to an equal one.

    >>> from causalnet.identification.derivations.do_calculus import derive
    >>> from causalnet.identification.values import symbol
    >>> graph = ADMG.of(directed=[("X", "Y")])
    >>> found = derive(Effect((symbol("Y"),), (symbol("X"),)), graph)
    >>> derivation_from_json(derivation_to_json(found)) == found
    True
    """
    table: dict[Expression, int] = {}
    rows: list[list[Any]] = []

    def place(node: Expression, below: tuple[int, ...]) -> int:
        if node not in table:
            table[node] = len(rows)
            rows.append(_row(node, below))
        return table[node]

    steps: list[dict[str, Any]] = []
    for step in derivation.steps:
        before, after = fold(step.before, place), fold(step.after, place)
        row = {
            "rule": step.rule,
            "subject": _pairs(step.subject),
            "cut": _surgery(step.surgery),
            "separated": _separation(step.separation),
            "before": before,
            "after": after,
        }
        steps.append(row)
    query, graph, sources = derivation.query, derivation.graph, derivation.sources
    content = {
        FORMAT_KEY: FORMAT_VERSION,
        "query": [_pairs(part) for part in (query.outcomes, query.treatments, query.given)],
        "graph": {
            "nodes": list(graph.nodes),
            "directed": [list(edge) for edge in graph.directed],
            "bidirected": [list(edge) for edge in graph.bidirected],
        },
        "sources": {
            "distributions": [[list(each.do), each.domain] for each in sources.distributions],
            "differs": [[domain, sorted(names)] for domain, names in sources.differs],
        },
        "expressions": rows,
        "steps": steps,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def derivation_from_json(text: str) -> DoDerivation:
    """Return the derivation that a text holds.

    Raises:
        FormatError: Not JSON, another format, or a part that is not what it should be; named.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"The text is not JSON: {error}.", "A derivation is.") from None
    if not isinstance(content, dict) or content.get(FORMAT_KEY) != FORMAT_VERSION:
        raise FormatError(
            "The text holds no derivation of version 1.",
            f"It begins with {{{json.dumps(FORMAT_KEY)}: {FORMAT_VERSION}.",
            "Write it with derivation_to_json.",
        )
    try:
        return _derivation(content)
    except FormatError:
        raise
    except CausalNetError as error:
        raise FormatError(f"The derivation cannot be read: {error}") from error


def _derivation(content: dict[str, Any]) -> DoDerivation:
    outcomes, treatments, given = (
        _values(part, "query") for part in _listed(content, "query", length=3)
    )
    drawn = _dict(content, "graph")
    graph = ADMG.of(
        directed=[_edge(edge) for edge in _listed(drawn, "directed")],
        bidirected=[_edge(edge) for edge in _listed(drawn, "bidirected")],
        nodes=_names(drawn.get("nodes"), "nodes"),
    )
    known = _dict(content, "sources")
    distributions, differs = [], []
    for row in _listed(known, "distributions"):
        do, domain = _row_of(row, 2, "distributions")
        distributions.append(Distribution(_names(do, "distributions"), _text(domain, "domain")))
    for row in _listed(known, "differs"):
        domain, names = _row_of(row, 2, "differs")
        differs.append((_text(domain, "differs"), frozenset(_names(names, "differs"))))
    expressions: list[Expression] = []
    for row in _listed(content, "expressions"):
        expressions.append(_expression(row, expressions))
    steps = tuple(_step(row, expressions) for row in _listed(content, "steps"))
    sources = Sources(tuple(distributions), tuple(differs))
    return DoDerivation(Effect(outcomes, treatments, given), graph, steps, sources)


# Writing.


def _pairs(values: Iterable[Value]) -> list[list[str]]:
    return [[value.variable, value.name] for value in values]


def _surgery(surgery: Surgery | None) -> list[list[str]] | None:
    return surgery and [sorted(surgery.cut_in), sorted(surgery.cut_out)]


def _separation(found: Separation | None) -> list[list[str]] | None:
    return found and [sorted(found.ys), sorted(found.zs), sorted(found.given)]


def _row(node: Expression, below: tuple[int, ...]) -> list[Any]:
    match node:
        case Const(number):
            return ["const", number]
        case Prob(of, given, do, domain):
            return ["prob", _pairs(of), _pairs(given), _pairs(do), domain]
        case Product():
            return ["product", list(below)]
        case Sum(bound, _):
            return ["sum", _pairs(bound), *below]
        case Ratio():
            return ["ratio", *below]
        case Difference():
            return ["difference", *below]
        case _:
            assert_never(node)


# Reading.


def _expression(row: object, before: Sequence[Expression]) -> Expression:
    match row:
        case ["const", int(number)] if not isinstance(number, bool):
            return Const(number)
        case ["prob", of, given, do, domain]:
            told, behind, held = (_values(part, "expressions") for part in (of, given, do))
            return Prob(told, behind, held, _text(domain, "expressions"))
        case ["product", list(places)] if len(places) > 1:
            return Product(tuple(_at(place, before) for place in places))
        case ["sum", bound, place]:
            return Sum(_values(bound, "expressions"), _at(place, before))
        case ["ratio", one, other]:
            return Ratio(_at(one, before), _at(other, before))
        case ["difference", one, other]:
            return Difference(_at(one, before), _at(other, before))
        case _:
            raise _wrong("expressions", row)


def _step(row: object, expressions: Sequence[Expression]) -> DoStep:
    if not isinstance(row, dict):
        raise _wrong("steps", row)
    rule = row.get("rule")
    known = [each for each in RULES if each == rule]
    if not known:
        raise FormatError(f"There is no rule {rule!r}.", f"The rules are {', '.join(RULES)}.")
    surgery, separation = row.get("cut"), row.get("separated")
    cut = separated = None
    if surgery is not None:
        cut = Surgery(*(frozenset(_names(p, "cut")) for p in _row_of(surgery, 2, "cut")))
    if separation is not None:
        parts = _row_of(separation, 3, "separated")
        separated = Separation(*(frozenset(_names(part, "separated")) for part in parts))
    before, after = (_at(row.get(key), expressions) for key in ("before", "after"))
    return DoStep(known[0], _values(row.get("subject"), "subject"), cut, separated, before, after)


def _at(place: object, expressions: Sequence[Expression]) -> Expression:
    if isinstance(place, bool) or not isinstance(place, int):
        raise _wrong("a place among expressions", place)
    if not 0 <= place < len(expressions):
        raise FormatError(
            f"Expression {place} is not there.", f"Before it there are {len(expressions)}."
        )
    return expressions[place]


def _values(found: object, key: str) -> tuple[Value, ...]:
    if not isinstance(found, list):
        raise _wrong(key, found)
    pairs = [_row_of(row, 2, key) for row in found]
    return tuple(Value(_text(variable, key), _text(name, key)) for variable, name in pairs)


def _edge(found: object) -> tuple[str, str]:
    tail, head = _row_of(found, 2, "graph")
    return _text(tail, "graph"), _text(head, "graph")


def _names(found: object, key: str) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise _wrong(key, found)
    return tuple(_text(name, key) for name in found)


def _text(found: object, key: str) -> str:
    if not isinstance(found, str):
        raise _wrong(key, found)
    return found


def _row_of(found: object, length: int, key: str) -> list[Any]:
    if not isinstance(found, list) or len(found) != length:
        raise _wrong(key, found)
    return found


def _listed(content: dict[str, Any], key: str, length: int | None = None) -> list[Any]:
    found = content.get(key)
    if not isinstance(found, list) or (length is not None and len(found) != length):
        raise _wrong(key, found)
    return found


def _dict(content: dict[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    if not isinstance(found, dict):
        raise _wrong(key, found)
    return found


def _wrong(key: str, found: object) -> FormatError:
    shown = repr(found)
    return FormatError(
        f"{key!r} holds {shown if len(shown) < 60 else shown[:57] + '...'}.",
        "That is not what a derivation has there.",
        "Write it with derivation_to_json.",
    )
