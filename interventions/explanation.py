"""What a query means and what it would take, found without prompts, weights or tensors.

>>> from causalnet.graphs import TransformerShape, transformer_graph
>>> from causalnet.interventions.query_parsing import parse_query
>>> graph = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
>>> query = parse_query("nie(L0.H1, L1.H0; at=end)", graph)
>>> print(explain_terms(query, graph).merging)
4 worlds become 4 (at least 3); 168 calls of mechanisms become 100, the lower bound
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from causalnet.graphs import MediatorGraph
from causalnet.interventions.check import check_query
from causalnet.interventions.facts import Facts
from causalnet.interventions.normal_form import normal_form
from causalnet.interventions.plan_worlds import WorldPlan, plan_worlds
from causalnet.interventions.proofs import ZeroEffect, zero_effects
from causalnet.interventions.queries import Query
from causalnet.interventions.scalars import Scalar

__all__ = ["TermExplanation", "explain_scalars", "explain_terms"]

_LINES, _WIDTH = 8, 400
"""Lines and characters of a normal form that are printed."""


@dataclass(frozen=True, slots=True)
class TermExplanation:
    """What some labelled scalars mean on a graph.

    Attributes:
        rows: Labels of all scalars.
        terms: Label, text and normal form of the first ones.
        zero: The scalars that are zero in every model, with reasons.
        plan: Worlds and calls before and after equal ones are merged.
        facts: What was known of the prompts; None where nothing was.
        origin: How the graph came about, where it was traced or declared.
    """

    rows: tuple[str, ...]
    terms: tuple[tuple[str, str, str], ...]
    zero: tuple[ZeroEffect, ...]
    plan: WorldPlan
    facts: Facts | None
    origin: str = ""

    @property
    def merging(self) -> str:
        """Worlds and calls before and after merging, in one line."""
        return str(self.plan)

    def lines(self) -> list[str]:
        """Return the explanation, a few lines for each part."""
        shown = [f"GRAPH     {self.origin}"] if self.origin else []
        for index in range(len(self.terms)):
            first, *rest = self.written(index)
            shown += [f"TERM      {first}", *(f"          {line}" for line in rest)]
        left = len(self.rows) - len(self.terms)
        shown += [f"          and {left} more rows"] if left else []
        shown += [f"ZERO      {self._zeroes()}"]
        shown += [f"          {_cut(line)}" for line in self._reasons()]
        shown += [f"WORLDS    {self.merging}"]
        return shown

    def written(self, index: int = 0) -> tuple[str, ...]:
        """Return a row's term and its normal form, in lines."""
        label, text, form = self.terms[index]
        return (f"{label}: {_cut(text)}", *_normal(form))

    def _reasons(self) -> list[str]:
        """Return one line for effects that are zero for one reason, sites left out."""
        alike: dict[str, list[str]] = {}
        for one in self.zero:
            said = dict.fromkeys(f"{reason}: {text}" for _, reason, text in one.reasons)
            rule = f"rule {one.rule}, " if one.rule else ""
            alike.setdefault(rule + "; ".join(said), []).append(one.label)
        lines = [f"{_listed(labels)}: {why}" for why, labels in alike.items()]
        more = len(lines) - _LINES
        return lines if more <= 0 else [*lines[:_LINES], f"and {more} more reasons"]

    def _zeroes(self) -> str:
        known = "" if self.facts is not None else ", before anything is known of the prompts"
        if not self.zero:
            return f"none of {len(self.rows)} is proved zero{known}"
        return f"{len(self.zero)} of {len(self.rows)} proved zero, whatever the weights are{known}"

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values."""
        origin = {"graph": self.origin} if self.origin else {}
        return {
            **origin,
            "rows": len(self.rows),
            "terms": [
                {"label": label, "term": text, "normal_form": form}
                for label, text, form in self.terms
            ],
            "proved_zero": {one.label: str(one) for one in self.zero},
            "worlds": {
                "before_merging": self.plan.worlds_before,
                "after_merging": len(self.plan.worlds),
                "at_least": self.plan.at_least,
            },
            "calls": {"world_by_world": self.plan.calls_before, "lower_bound": self.plan.calls},
        }


def explain_terms(
    query: Query, graph: MediatorGraph, facts: Facts | None = None, rows: int = 1
) -> TermExplanation:
    """Say what a query means: its normal form, its zero effects, its worlds before and after.

    Args:
        query: The query.
        graph: The graph.
        facts: What is known of the prompts.
        rows: How many rows are written out.

    Raises:
        UnknownMediatorError, TermError: A query that does not fit the graph.
    """
    check_query(query, graph)
    also = [scalar for scalar in (query.denominator, query.given) if scalar is not None]
    return explain_scalars(query.contrasts, graph, facts, rows, also)


def explain_scalars(
    labelled: Sequence[tuple[str, Scalar]],
    graph: MediatorGraph,
    facts: Facts | None = None,
    rows: int = 1,
    also: Sequence[Scalar] = (),
) -> TermExplanation:
    """Say what labelled scalars mean; see `explain_terms`.

    Args:
        labelled: Labels and scalars.
        graph: The graph.
        facts: What is known of the prompts.
        rows: How many are written out.
        also: Scalars that are evaluated as well, without a row.
    """
    form = normal_form([*(scalar for _, scalar in labelled), *also], graph)
    return TermExplanation(
        tuple(label for label, _ in labelled),
        tuple((label, str(scalar), form.text(scalar, _LINES)) for label, scalar in labelled[:rows]),
        zero_effects(labelled, graph, facts),
        plan_worlds(form),
        facts,
        graph.origin,
    )


def _normal(form: str) -> list[str]:
    lines = [_cut(line) for line in form.splitlines()]
    shown = lines if len(lines) <= 2 * _LINES else [*lines[: 2 * _LINES], "..."]
    return [f"= {shown[0]}", *(f"  {line}" for line in shown[1:])]


def _listed(labels: list[str]) -> str:
    if len(labels) <= 6:
        return ", ".join(labels)
    return f"{', '.join(labels[:4])}, ... {len(labels) - 5} ..., {labels[-1]}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 4]} ..."
