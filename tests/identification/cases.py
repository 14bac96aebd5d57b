"""Known answers: a graph, a question, what is known, the verdict and perhaps a formula."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalnet.graphs import ADMG
from causalnet.identification.queries import (
    Counterfactual,
    Effect,
    Fact,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value, symbol


@dataclass(frozen=True)
class Case:
    """A question with a known answer.

    `estimand` is text, "" where there is none; `from_all` is the verdict when every experiment is
    known, where it was given.
    """

    name: str
    kind: str
    graph: ADMG
    question: Question
    sources: Sources
    identified: bool
    estimand: str
    from_all: bool | None

    def __repr__(self) -> str:
        return self.name


def cases(*kinds: str) -> list[Case]:
    """All cases, or those of some kinds: ID, IDC, IDstar, IDCstar, gID, mediation, ..."""
    found = json.loads((Path(__file__).parent / "cases.json").read_text())
    return [_case(each) for each in found if not kinds or each["kind"] in kinds]


def _case(told: dict[str, Any]) -> Case:
    directed = [(a, b) for a, b in told["directed"]]
    bidirected = [(a, b) for a, b in told["bidirected"]]
    return Case(
        told["id"],
        told["kind"],
        ADMG.of(directed, bidirected, told["nodes"]),
        _question(told["query"]),
        _sources(told),
        told["identifiable"],
        told.get("estimand", ""),
        told.get("identifiable_from_all_experiments"),
    )


def _sources(told: dict[str, Any]) -> Sources:
    if "experiments" in told:
        return Sources.of(told["experiments"])
    if "available" in told:
        elsewhere = {name: each for name, each in told["available"].items() if name != "target"}
        differs = {name: told["selection_on"] for name in elsewhere}
        return Sources.of(told["available"].get("target", ()), elsewhere, differs)
    return OBSERVED


def _question(told: dict[str, Any]) -> Question:
    if "events" in told:
        return Counterfactual(
            tuple(map(_fact, told["events"])), tuple(map(_fact, told.get("given", ())))
        )
    outcomes, treatments = (tuple(map(symbol, told[key])) for key in ("outcomes", "treatments"))
    if "active_edges" in told:
        baseline = tuple(symbol(each, 1) for each in told["treatments"])
        edges = tuple((a, b) for a, b in told["active_edges"])
        return PathSpecific(outcomes, treatments, baseline, edges)
    return Effect(outcomes, treatments, tuple(map(symbol, told.get("conditions", ()))))


def _fact(told: dict[str, Any]) -> Fact:
    return Fact(_potential(told), Value(told["var"], told["val"]))


def _potential(told: dict[str, Any]) -> Potential:
    do = {
        name: Value(name, value) if isinstance(value, str) else _potential(value)
        for name, value in told["do"].items()
    }
    return Potential.of(told["var"], do)
