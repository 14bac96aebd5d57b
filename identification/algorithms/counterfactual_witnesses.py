"""Inconsistent factors and recanting districts are looked over before they are returned.

| witness | how it is certified |
|---|---|
| `InconsistentFactor` | found again in the counterfactual graph of the unnested events |
| `RecantingDistrict` | a district, and two proper causal paths into it, one active and one not |

Neither uses the code that found the witness.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from causalnet.graphs.admg import ADMG
from causalnet.graphs.counterfactual_graph import (
    CounterfactualGraph,
    Event,
    Inconsistent,
    counterfactual_graph,
)
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.algorithms.unnesting import plain
from causalnet.identification.answers import InconsistentFactor
from causalnet.identification.queries import Counterfactual, Fact, PathSpecific, Potential
from causalnet.identification.values import Value

__all__ = ["inconsistent_factor_faults", "recanting_district_faults"]

_MOST_COPIES = 2_000

_Node: TypeAlias = tuple[str, str]


def inconsistent_factor_faults(
    witness: InconsistentFactor, query: Counterfactual, graph: ADMG
) -> tuple[str, ...]:
    """Return what keeps a factor from proving that no experiment identifies the query.

    The district is sought in the counterfactual graph (Shpitser and Pearl 2008, ID*, lines 4 to
    8), of all events or of the conditions alone; up to 2000 copies of variables are drawn.

    Returns:
        The faults, in words; none for a witness that holds.

    >>> from causalnet.identification.values import symbol
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> x, other, y = symbol("X"), symbol("X", 1), symbol("Y")
    >>> cured = Fact(Potential.of("Y", {"X": x}), y)
    >>> query = Counterfactual((cured,), (Fact(Potential("X"), other),))
    >>> witness = InconsistentFactor(frozenset("XY"), "X", (x, other))
    >>> inconsistent_factor_faults(witness, query, bow)
    ()
    >>> inconsistent_factor_faults(replace(witness, variable="Y"), query, bow)
    ('the two values are not two of the variable', 'the district has one value of the variable')
    """
    faults = []
    one, other = witness.values
    if one == other or {one.variable, other.variable} != {witness.variable}:
        faults.append("the two values are not two of the variable")
    if len(graph.induced(sorted(witness.district)).districts()) != 1:
        faults.append("its variables are not one district")
    labels = {name: f"V{at}" for at, name in enumerate(graph.nodes)}  # which tell copies apart
    drawn = [
        _drawn(facts, graph, labels)
        for facts in ((*query.facts, *query.given), query.given)
        if facts
    ]
    district = {labels[name] for name in witness.district}
    values = [
        _values(each, district, labels[witness.variable]) for each in drawn if each is not None
    ]
    if None not in drawn and all(len(each) < 2 for each in values):
        faults.append("the district has one value of the variable")
    return tuple(faults)


def _drawn(
    facts: Sequence[Fact], graph: ADMG, labels: Mapping[str, str]
) -> CounterfactualGraph | None:
    """Return the counterfactual graph of facts, unnested; None if it would be too large."""
    events = _unnested(facts, graph, labels)
    seen = {event.copy.variable for event in events}
    above = graph.ancestors([name for name, label in labels.items() if label in seen])
    if len({event.copy.do for event in events}) * len(above) > _MOST_COPIES:
        return None
    whole = graph.induced(sorted(above))
    part = ADMG.of(
        [(labels[a], labels[b]) for a, b in whole.directed],
        [(labels[a], labels[b]) for a, b in whole.bidirected],
        [labels[node] for node in whole.nodes],
    )
    while True:
        found = counterfactual_graph(part, events)
        if not isinstance(found, Inconsistent):
            return found
        # One of the two values is summed over, and makes way for the other everywhere.
        first = found.events[0]
        values = [event.value for event in found.events]
        if len(values) == 1:
            values.append(str(first.copy.setting))
        old = next(value for value in values if value.startswith(_SUMMED))
        new = values[1 - values.index(old)]
        events = [_with(each, (first.copy.variable, old), new) for each in events]


_SUMMED = "summed "


def _given(value: Value) -> str:
    """Return the name of a value that is not summed over, unlike that of any that is."""
    return f"given {plain(value).name}"


def _unnested(facts: Iterable[Fact], graph: ADMG, labels: Mapping[str, str]) -> list[Event]:
    """Return facts as events, a nested variable as the event that it takes a summed value.

    What a world sets to no effect on the variable is left out (exclusion).
    """
    events: list[Event] = []
    names: dict[int, str] = {}
    waiting: list[tuple[Potential, str]] = [(fact.potential, _given(fact.value)) for fact in facts]
    while waiting:
        potential, value = waiting.pop()
        do: dict[str, str] = {}
        matters = graph.cut_in([name for name, _ in potential.do]).ancestors([potential.variable])
        for name, source in potential.do:
            if name not in matters:
                continue
            if isinstance(source, Value):
                do[labels[name]] = _given(source)
                continue
            if id(source) not in names:
                names[id(source)] = f"{_SUMMED}{len(names)}"
                waiting.append((source, names[id(source)]))
            do[labels[name]] = names[id(source)]
        events.append(Event.of(labels[potential.variable], value, do))
    return events


def _with(event: Event, old: _Node, new: str) -> Event:
    """Return an event with another value of one variable, in its world as well."""
    variable, value = old
    do = tuple((n, new if (n, v) == (variable, value) else v) for n, v in event.copy.do)
    here = (event.copy.variable, event.value) == (variable, value)
    return Event(replace(event.copy, do=do), new if here else event.value)


def _values(drawn: CounterfactualGraph, district: set[str], variable: str) -> set[str]:
    """Return the values of a variable that a district has or reads."""
    variables = dict(zip(drawn.graph.nodes, (c[0].variable for c in drawn.copies), strict=True))
    known = dict(drawn.events)
    for node, copies in zip(drawn.graph.nodes, drawn.copies, strict=True):
        setting = copies[0].setting
        if setting is not None:
            known[node] = setting
    free = [node for node in drawn.graph.nodes if node not in drawn.fixed]
    for part in drawn.graph.induced(free).districts():
        if {variables[node] for node in part} == district:
            read = part.union(*(drawn.graph.parents(node) for node in part))
            # A node without a known value is a value of its own: one sums over it.
            return {known.get(node, f"of {node}") for node in read if variables[node] == variable}
    return set()


def recanting_district_faults(
    witness: RecantingDistrict, query: PathSpecific, graph: ADMG
) -> tuple[str, ...]:
    """Return what keeps a district from proving that no experiment identifies the query.

    Shpitser (2013), "Counterfactual graphical models for longitudinal mediation analysis with
    unobserved confounding", theorem 3, for several outcomes.

    Returns:
        The faults, in words; none for a witness that holds.

    >>> from causalnet.identification.values import symbol
    >>> graph = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    >>> edges = (("X", "W"), ("W", "Y"))
    >>> query = PathSpecific((symbol("Y"),), (symbol("X"),), (symbol("X", 1),), edges)
    >>> paths = ("X", "W", "Y"), ("X", "W", "Z", "Y")
    >>> recanting_district_faults(RecantingDistrict(frozenset("W"), *paths), query, graph)
    ()
    >>> recanting_district_faults(RecantingDistrict(frozenset("Z"), *paths), query, graph)[0]
    'the active path does not lead through the district to an outcome'
    """
    treatments = {value.variable for value in query.active}
    varied = {a.variable for a, b in zip(query.active, query.baseline, strict=True) if a != b}
    outcomes = {value.variable for value in query.outcomes}
    left = graph.induced(node for node in graph.nodes if node not in treatments)
    above = left.ancestors(sorted(outcomes))
    faults = []
    if witness.district not in left.induced(sorted(above)).districts():
        faults.append("the district is none of the outcomes' ancestors without the treatments")
    if witness.active[:1] != witness.inactive[:1] or not varied.issuperset(witness.active[:1]):
        faults.append("the paths do not start at one treatment that has two values")
    for name, path in (("active", witness.active), ("inactive", witness.inactive)):
        edges = list(pairwise(path))
        if not all(graph.has_edge(*edge) for edge in edges) or treatments & set(path[1:]):
            faults.append(f"the {name} path is no proper causal path")
        if len(path) < 2 or path[1] not in witness.district or path[-1] not in outcomes:
            faults.append(f"the {name} path does not lead through the district to an outcome")
        if (set(edges) <= set(query.edges)) != (name == "active"):
            faults.append(f"the {name} path is not {name}")
    return tuple(faults)
