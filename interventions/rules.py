"""Rules of the second level: what is exact beyond the free theory, with guards, and where it holds.

The normal form knows nothing of sums, projections, masks or prompts.  These rules do.  Rules of
class A are algebra that a graph declares, those of class V need facts about the prompts, those of
class D are about averages.  A4 is part of how views are numbered, A5 of the numbering itself; A1 to
A3, A6, A7 mark calls that have a cheaper implementation; V1 to V5 and D3 merge.  What is not exact,
first-order expansions and samples of prompts, is an estimator and never a rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs import Kind, Merge
from causalnet.graphs import Node as GraphNode
from causalnet.interventions.facts import Facts
from causalnet.interventions.mixes import PARTS, POSITIONS
from causalnet.interventions.normal_form import NormalForm
from causalnet.interventions.numbering import Block
from causalnet.interventions.row_reading import merged_reads
from causalnet.interventions.scalars import Apply, Contrast, Grad, Read, leaves_of

__all__ = ["SECOND_LEVEL", "Applied", "Rule", "RuleClass", "applied_rules"]


class RuleClass(StrEnum):
    """Why a rule is exact."""

    ALGEBRA = "A"
    VALUES = "V"
    DISTRIBUTIONS = "D"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the second level.

    Attributes:
        name: `A1` to `D4`.
        says: What it says.
        guard: When it applies.
    """

    name: str
    says: str
    guard: str

    @property
    def kind(self) -> RuleClass:
        """Why the rule is exact."""
        return RuleClass(self.name[0])


SECOND_LEVEL = (
    Rule("A1", "a sum is its base's sum and the terms that differ", "a stream, or a sum slot"),
    Rule("A2", "a head's change is the change of z times its output matrix", "a head, linear in z"),
    Rule("A3", "a difference of read-outs is the read-out of the difference", "linear read-out"),
    Rule("A4", "views: set twice, covered, disjoint, without effect", "known from descriptions"),
    Rule("A5", "a site that is set to what stands there is dropped", "equal numbers (composition)"),
    Rule("A6", "attention output is linear in the values", "the pattern is the base's"),
    Rule("A7", "a receiver is linear in its stream", "the norm's scale is the base's"),
    Rule("A8", "a mean over fixed prompts is a constant", "a handle with their digest"),
    Rule("V1", "values agree where the tokens up to there do", "causal axes, a stated prefix"),
    Rule("V2", "positions before a site keep their values", "causal axes, known columns"),
    Rule(
        "V3", "a position that no later node at the read position sees is dead", "pointwise nodes"
    ),
    Rule("V4", "a difference that is 0 at run time ends a world", "seen by the executor only"),
    Rule("V5", "padding does nothing", "a stated number of tokens"),
    Rule("D1", "terms that contrasts share are run once", "linearity of averages"),
    Rule("D2", "an average over draws is a run with the mean", "a linear path, else refused"),
    Rule("D3", "a contrast whose sides coincide is 0", "equal numbers"),
    Rule("D4", "separated variables are not associated in logs", "logs only, no interventions"),
)
"""Every rule; V4 and D4 are applied where runs and logs are."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Where a rule applied.

    Attributes:
        rule: The rule.
        count: How often.
        what: What is counted.
    """

    rule: Rule
    count: int
    what: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.rule.name}: {self.count} {self.what}"


def applied_rules(
    form: NormalForm,
    facts: Facts | None = None,
    readouts: frozenset[str] = frozenset({"value"}),
) -> tuple[Applied, ...]:
    """Return the rules that apply to the terms of a normal form, and how often.

    Args:
        form: The normal form.
        facts: What is known of the prompts.
        readouts: Read-outs that are linear in what they read.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> from causalnet.interventions import At, Base, Do, Node, logit_diff, normal_form
    >>> graph = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
    >>> patched = Do(Base("base"), ((Node("L0.H1.v"), At("L0.H1.v", Base("source"))),))
    >>> for rule in applied_rules(normal_form([Read(logit_diff, patched)], graph)):
    ...     print(rule)
    A1: 5 sums that differ from an untouched one
    A2: 3 outputs of heads that differ from an untouched one
    A6: 1 attention outputs under an untouched pattern
    """
    counted = {**_marks(form), **_terms(form, facts, readouts)}
    return tuple(
        Applied(rule, *counted[rule.name])
        for rule in SECOND_LEVEL
        if rule.name in counted and counted[rule.name][0]
    )


def _marks(form: NormalForm) -> dict[str, tuple[int, str]]:
    """Count the calls that algebra makes cheaper."""
    live, untouched = form.live(), form.untouched
    sums = heads = patterns = scales = mixes = constants = 0
    for block in form.blocks:
        here = np.flatnonzero(live[block.start : block.start + len(block)])
        if block.table is None:
            names = [block.keys[offset] for offset in here]
            mixes += sum(key[0] in (POSITIONS, PARTS) for key in names)
            constants += sum(key[0] == "const" and key[1] is not None for key in names)
            continue
        changed = here[~untouched[block.start + here]]
        if block.table.name[0] == "plus":
            sums += len(changed)
            continue
        node = form.graph.node(block.table.name[1])
        heads += len(changed) if node.mediator.kind is Kind.HEAD else 0
        patterns += _held(block, node, changed, untouched, "pattern")
        scales += _held(block, node, changed, untouched, "scale")
    return {
        "A1": (sums, "sums that differ from an untouched one"),
        "A2": (heads, "outputs of heads that differ from an untouched one"),
        "A4": (mixes, "values of which views were set"),
        "A6": (patterns, "attention outputs under an untouched pattern"),
        "A7": (scales, "receivers under an untouched norm scale"),
        "A8": (constants, "constants"),
    }


def _held(
    block: Block,
    node: GraphNode,
    changed: NDArray[np.intp],
    untouched: NDArray[np.bool_],
    slot: str,
) -> int:
    """Return how many changed calls have one argument untouched, in which no other is linear."""
    if not any(own.name == slot for own in node.slots) or not node.linear_in:
        return 0
    place = next(index for index, name in enumerate(_arguments(node)) if name == slot)
    return int(np.count_nonzero(untouched[block.arguments[place][changed]]))


def _arguments(node: GraphNode) -> Iterator[str]:
    """Yield the slot of every argument of a node's mechanism."""
    for slot in node.slots:
        for _ in range(len(slot.parents) if slot.merge is Merge.CONCAT else 1):
            yield slot.name


def _terms(
    form: NormalForm, facts: Facts | None, readouts: frozenset[str]
) -> dict[str, tuple[int, str]]:
    """Count what is linear, shared, zero or merged among the terms."""
    scalars = [term for term in form.terms if isinstance(term, Read | Grad | Contrast | Apply)]
    mentioned = sum(len(leaves_of(scalar)) for scalar in scalars)
    zeros = sum(not form.combination(scalar) for scalar in scalars)
    linear = sum(form.key(number)[1][0] in readouts for number in form.reads)
    counted = {
        "A3": (linear if len(form.reads) > 1 else 0, "linear read-outs"),
        "D1": (max(0, mentioned - len(form.roots)), "read-outs that were run already"),
        "D3": (zeros, "contrasts that are 0"),
    }
    if facts is not None:
        counted |= _merges(form, facts)
    return counted


def _merges(form: NormalForm, facts: Facts) -> dict[str, tuple[int, str]]:
    """Count the read-outs that facts about the prompts merge, rule by rule."""
    before = len(form.reads)
    found = {}
    for rule, known, what in (
        ("V3", Facts((), facts.columns), "read-outs merged at the position that is read"),
        ("V5", Facts((), facts.columns, facts.length), "read-outs merged as padding does nothing"),
        ("V1", facts, "read-outs merged by an equal prefix"),
    ):
        after = len(set(merged_reads(form, known).values()))
        found[rule] = (before - after, what)
        before = after
    return found
