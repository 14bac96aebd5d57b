"""What a log says about one question: a formula, why there is none, or what was not recorded."""

from dataclasses import dataclass
from typing import TypeAlias, final

from causalnet.identification.answers import (
    Answer,
    Bounds,
    Hedge,
    Identified,
    NotIdentified,
    Witness,
)
from causalnet.identification.networks.recorded_estimators import Suggestion
from causalnet.identification.queries import Question

__all__ = ["FromLogs", "NotInLogs", "Verdict"]

_EDGES, _NODES, _WIDTH = 12, 6, 200  # of a hedge that are drawn, and of a line


@final
@dataclass(frozen=True, slots=True)
class NotInLogs:
    """No formula in what was recorded can say it, as the log lacks what the question is about.

    Attributes:
        reason: Why.
        missing: Variables that would have to be recorded.
        remedy: What to do with them.
    """

    reason: str
    missing: tuple[str, ...] = ()
    remedy: str = "record"

    def __str__(self) -> str:
        """Return the reason, and what to record."""
        names = ", ".join(self.missing)
        return self.reason + (f"; {self.remedy} {names}" if names else "")


Verdict: TypeAlias = Answer | NotInLogs


@final
@dataclass(frozen=True, slots=True)
class FromLogs:
    """What a log says about one question.

    Attributes:
        label: The row of the query; "" for a question of its own.
        world: The world whose outcome is asked for, as text; "" for a question of its own.
        question: The question; None where none about recorded variables says it.
        verdict: A formula, a witness that there is none, bounds, or what the log lacks.
        reasons: Why there is none, in words.
        bounds: Where there is no formula for an effect, bounds that hold whatever the network is.
        suggestion: For a formula, how to estimate it, and whether data support it.
        notes: What the question leaves out.
    """

    label: str
    world: str
    question: Question | None
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    bounds: Bounds | None = None
    suggestion: Suggestion | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_identified(self) -> bool:
        """Whether there is a formula."""
        return isinstance(self.verdict, Identified)

    @property
    def is_supported(self) -> bool:
        """Whether there is a formula, and data for every value that it needs."""
        doubtful = self.suggestion is not None and self.suggestion.positivity
        return self.is_identified and not doubtful

    def lines(self) -> list[str]:
        """Return the answer, a few lines."""
        asked = f"{self.question}" if self.question is not None else self.world
        head = f"{self.label}: {asked}" if self.label else asked
        match self.verdict:
            case Identified(estimand=estimand, check=check):
                told = [f"IDENTIFIED      {head}", f"  = {estimand}", f"  {check}"]
                told += [f"  {line}" for line in self.suggestion.lines()] if self.suggestion else []
            case NotIdentified(witness=witness) as verdict:
                told = [f"NOT IDENTIFIED  {head}"]
                told += [f"  because {reason}" for reason in self.reasons]
                told += [f"  {line}" for line in (*_shortened(witness), *_drawn(verdict))]
            case Bounds() as bounds:
                told = [f"BOUNDED         {head}", *(f"  {x}" for x in _limits(bounds))]
            case NotInLogs() as lacking:
                told = [f"NOT IDENTIFIED  {head}", f"  because {lacking}"]
        if self.bounds is not None:
            told += [
                "  in every network it is",
                *(f"  {x}" for x in _limits(self.bounds)),
            ]
        return told + [f"  note: {note}" for note in self.notes]

    def __str__(self) -> str:
        """Return the answer, a few lines."""
        return "\n".join(self.lines())


def _limits(bounds: Bounds) -> list[str]:
    lower = [f"at least {each}" for each in bounds.lower]
    return lower + [f"at most {each}" for each in bounds.upper]


def _shortened(witness: Witness) -> list[str]:
    """Return a witness in lines, without the names of a hedge of many nodes."""
    if isinstance(witness, Hedge) and len(witness.outer) > _NODES:
        roots = ", ".join(sorted(witness.roots)[:_NODES])
        return [f"hedge of {len(witness.outer)} nodes over {len(witness.inner)}, roots {roots}"]
    lines = str(witness).splitlines()
    return [line if len(line) <= _WIDTH else f"{line[:_WIDTH]} ..." for line in lines]


def _drawn(found: NotIdentified) -> list[str]:
    """Return the edges of a hedge, as they are drawn in text."""
    if not isinstance(found.witness, Hedge):
        return []
    inside = found.graph.induced(sorted(found.witness.outer))
    edges = [f"  {a} -> {b}" for a, b in inside.directed]
    edges += [f"  {a} <-> {b}" for a, b in inside.bidirected]
    if len(edges) > _EDGES:
        return [f"  {len(inside.directed)} edges and {len(inside.bidirected)} bidirected edges"]
    return edges
