"""Proofs that an effect is zero in every model, each with the reason that a person can check.

| reason | what it says |
|---|---|
| no path | no directed path leads from what is set to what is read |
| own value | what is set has the value that it is set to (composition) |
| cut | every path from what is set passes through what is set as well (shadowing) |
| merged | the values that reach the read-out are equal although others on the way differ |
| same terms | the terms of the contrast cancel |
| dead position | the position that is read sees none of the positions set (V2, V3) |
| padding | the positions set hold no token (V5) |
| equal prefix | what is set and what it is set to agree, as their inputs do up to there (V1) |
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from causalnet.errors import CausalNetError
from causalnet.graphs import MediatorGraph
from causalnet.interventions.facts import Facts
from causalnet.interventions.normal_form import NormalForm, normal_form
from causalnet.interventions.row_reading import combination_at_rows
from causalnet.interventions.scalars import Grad, Scalar, leaves_of
from causalnet.interventions.worlds import (
    Assignment,
    At,
    Edge,
    Node,
    Op,
    Self,
    Site,
    Value,
    World,
    layers_of,
)

__all__ = ["Reason", "ZeroEffect", "zero_effects"]


class Reason(StrEnum):
    """Why an effect is zero."""

    NO_PATH = "no path"
    OWN_VALUE = "own value"
    CUT = "cut"
    MERGED = "merged"
    SAME_TERMS = "same terms"
    DEAD_POSITION = "dead position"
    PADDING = "padding"
    EQUAL_PREFIX = "equal prefix"


@dataclass(frozen=True, slots=True)
class ZeroEffect:
    """An effect that is zero for every prompt, whatever the weights are.

    Attributes:
        label: The label of the effect.
        reasons: For every site that differs between its worlds, why it does nothing; one entry
            without a site where the terms cancel.
        rule: The rule of the second level that was needed, `V1`, `V3` or `V5`; empty where the
            normal form is enough.
        given: What the proof rests on besides the graph's being right about the network: where
            the graph was declared, that; empty otherwise.
    """

    label: str
    reasons: tuple[tuple[str, Reason, str], ...]
    rule: str = ""
    given: str = ""

    @property
    def kinds(self) -> frozenset[Reason]:
        """The reasons, without the sites."""
        return frozenset(reason for _, reason, _ in self.reasons)

    def __str__(self) -> str:
        """Return the label and one line for each reason."""
        said: dict[str, None] = {}
        for site, reason, text in self.reasons:
            said[f"{f'{site}: ' if site else ''}{reason.value}: {text}"] = None
        rule = f" (rule {self.rule})" if self.rule else ""
        given = f" (the graph is {self.given})" if self.given else ""
        return f"{self.label} is 0{rule}; {'; '.join(said)}{given}"


def zero_effects(
    labelled: Iterable[tuple[str, Scalar]], graph: MediatorGraph, facts: Facts | None = None
) -> tuple[ZeroEffect, ...]:
    """Return the effects that are zero in every model, with their reasons.

    Args:
        labelled: Labels and effects: contrasts, as those of a query.
        graph: The graph.
        facts: What is known of the prompts; without it only the normal form is used.

    Raises:
        UnknownMediatorError: A site, a value or a read-out names no mediator.
        TermError: A site on an edge that is not there.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import Base, Contrast, Do, Read, value_of
    >>> graph = plain_graph({"X": (), "Z": ("X",), "Y": ("X",)})
    >>> outcome, base, source = value_of("Y"), Base("base"), Base("source")
    >>> patched = Do(base, ((Node("Z"), At("Z", source)),))
    >>> effect = Contrast(((1.0, Read(outcome, patched)), (-1.0, Read(outcome, base))))
    >>> print(*zero_effects([("Z", effect)], graph))
    Z is 0; Z: no path: no directed path leads from Z to Y
    """
    rows = list(labelled)
    form, paths = normal_form([scalar for _, scalar in rows], graph), _Paths(graph)
    levels = [("", None), *(_levels(facts) if facts is not None else [])]
    found: dict[str, ZeroEffect] = {}
    given = graph.origin if graph.origin.startswith("declared") else ""
    for rule, known in levels:
        open_ = [(label, scalar) for label, scalar in rows if label not in found]
        if known is not None:
            reduced = combination_at_rows(form, [scalar for _, scalar in open_], known)
            zero = [not reduced[scalar] for _, scalar in open_]
        else:
            zero = [not form.combination(scalar) for _, scalar in open_]
        for (label, scalar), is_zero in zip(open_, zero, strict=True):
            if is_zero:
                reasons = _reasons(form, paths, scalar, rule)
                found[label] = ZeroEffect(label, reasons, rule, given)
    return tuple(found[label] for label, _ in rows if label in found)


def _levels(facts: Facts) -> list[tuple[str, Facts]]:
    """Return the rules of the second level in the order in which they are tried."""
    positions = replace(facts, equal_prefix=(), length=None)
    levels = [("V3", positions)]
    if facts.length is not None:
        levels.append(("V5", replace(positions, length=facts.length)))
    if facts.equal_prefix:
        levels.append(("V1", facts))
    return levels


_SECOND = {
    "V3": (Reason.DEAD_POSITION, "the position that is read sees none of the positions set"),
    "V5": (Reason.PADDING, "the positions set hold no token"),
    "V1": (Reason.EQUAL_PREFIX, "its inputs agree up to the positions set"),
}


def _reasons(
    form: NormalForm, paths: "_Paths", scalar: Scalar, rule: str
) -> tuple[tuple[str, Reason, str], ...]:
    """Return why each site that some, but not all, worlds of an effect have does nothing."""
    leaves = leaves_of(scalar)
    reads = [leaf.read if isinstance(leaf, Grad) else leaf for leaf in leaves]
    nudges = [leaf.site for leaf in leaves if isinstance(leaf, Grad)]
    worlds = [read.world for read in reads]
    outcomes = sorted({form.graph.find(read.readout.node).name for read in reads})
    layers = {world: _assignments(world) for world in worlds}
    common = set.intersection(*map(set, layers.values())) if layers else set()
    found = []
    for world, assignments in layers.items():
        for site, value in assignments:
            if (site, value) not in common:
                others = [other for other in worlds if other != world]
                reason, text = _reason(form, paths, (site, value), world, others, outcomes, rule)
                found.append((str(site), reason, text))
    for site in nudges:
        nowhere = paths.none(site, outcomes)
        shadowed = Reason.CUT, f"every path from {site.read_from} passes through what is set"
        found.append((str(site), *(nowhere or (_SECOND[rule] if rule else shadowed))))
    return tuple(dict.fromkeys(found)) or (("", Reason.SAME_TERMS, "the terms are the same"),)


def _assignments(world: World) -> tuple[Assignment, ...]:
    return tuple(pair for layer in layers_of(world)[1] for pair in layer)


def _reason(
    form: NormalForm,
    paths: "_Paths",
    assignment: Assignment,
    world: World,
    others: list[World],
    outcomes: list[str],
    rule: str,
) -> tuple[Reason, str]:
    """Return why one site does nothing."""
    site = assignment[0]
    nowhere = paths.none(site, outcomes)
    if nowhere is not None:
        return nowhere
    if _has_own_value(form, assignment, world, others):
        return Reason.OWN_VALUE, "it is set to the value that it has"
    blocked = _blockers(form, site, world, outcomes)
    if blocked:
        return Reason.CUT, f"every path passes through {', '.join(blocked)}, which is set"
    if rule:
        return _SECOND[rule]
    return Reason.MERGED, f"what reaches {', '.join(outcomes)} is equal"


class _Paths:
    """Whether paths lead from sites to outcomes; the ancestors of an outcome are found once."""

    def __init__(self, graph: MediatorGraph) -> None:
        self.graph = graph
        self._cuts = {cut.name for cut in graph.cuts}
        self._above: dict[str, frozenset[str]] = {}

    def none(self, site: Site, outcomes: list[str]) -> tuple[Reason, str] | None:
        """Return the reason where no path leads from a site to any outcome."""
        start = site.receiver if isinstance(site, Edge) else site.mediator
        if any(self._lead(self.graph.find(start).name, outcome) for outcome in outcomes):
            return None
        return Reason.NO_PATH, f"no directed path leads from {start} to {', '.join(outcomes)}"

    def _lead(self, start: str, outcome: str) -> bool:
        if start in self._cuts:
            return self.graph.is_ancestor(start, outcome)
        if outcome not in self._above:
            self._above[outcome] = self.graph.ancestors(outcome)
        return start in self._above[outcome]


def _has_own_value(
    form: NormalForm, assignment: Assignment, world: World, others: list[World]
) -> bool:
    """Return whether a site is set to what stands there anyway."""
    site, value = assignment
    if isinstance(value, Self):
        return True
    if isinstance(site, Node):
        own = form.id_of(site.mediator, world)
        return bool(others) and all(form.id_of(site.mediator, other) == own for other in others)
    if not isinstance(value, At):
        return False
    new = form.id_of(value.mediator, value.world)
    return form.id_of(site.sender, world) == new


def _is_whole(site: Site, value: Value) -> bool:
    """Return whether nothing of the value below is left."""
    waiting, seen = [value], {value}
    while waiting:
        current = waiting.pop()
        if isinstance(current, Self):
            return False
        if isinstance(current, Op):
            fresh = [part for part in current.arguments if part not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
    return not site.at and site.part is None


def _blockers(form: NormalForm, site: Site, world: World, outcomes: list[str]) -> tuple[str, ...]:
    """Return the whole nodes that are set in a world and lie on every path from a site."""
    graph = form.graph
    start = graph.find(site.receiver if isinstance(site, Edge) else site.mediator).name
    first = start if isinstance(site, Edge) else ""
    whole = {
        graph.find(other.mediator).name
        for other, value in _assignments(world)
        if isinstance(other, Node) and _is_whole(other, value)
    } - ({start} if not first else set())
    edges = {
        (graph.find(other.sender).name, graph.find(other.receiver).name)
        for other, value in _assignments(world)
        if isinstance(other, Edge) and other.slot is None and _is_whole(other, value)
    }
    if not (whole or edges) or start in {cut.name for cut in graph.cuts}:
        return ()
    seen, met, waiting = set(outcomes), set[str](), list(outcomes)
    while waiting:
        current = waiting.pop()
        if current in whole:
            met.add(current)
            continue
        if current == start:
            return ()
        try:
            parents = graph.parents(current)
        except CausalNetError:  # a cut has no slots
            parents = graph.writers_before(current)
        for parent in parents:
            if (parent, current) in edges:
                met.add(f"{parent} -> {current}")
            elif parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return tuple(sorted(met))
