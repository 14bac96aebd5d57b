"""What another checkpoint leaves as it was: proofs on the normal form, and work that is shared.

The selection diagram of a fine-tuned network is known: what differs are the mechanisms whose
weights differ.  A value whose calls all use mechanisms that do not differ is the same in both
networks, whatever the weights are (rule T); so an effect that is made of such values need not be
computed again, and values in front of the first difference can be reused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.identification.networks.world_questions import labelled_scalars
from causalnet.interventions.ablations import AblationKind, mean_handle, optimal_handle
from causalnet.interventions.normal_form import NormalForm, normal_form, parts_of_key
from causalnet.interventions.numbering import Key
from causalnet.interventions.queries import Query
from causalnet.interventions.scalars import Grad, Scalar, leaves_of

__all__ = ["TermOnBoth", "WeightsReport", "unchanged_terms"]

Marks: TypeAlias = NDArray[np.bool_]

_SHOWN = 6
_MEANS = (AblationKind.MEAN, AblationKind.MEAN_PER_POSITION)


@final
@dataclass(frozen=True, slots=True)
class TermOnBoth:
    """A row of a query on two networks.

    Attributes:
        label: The row.
        is_unchanged: Whether it has the same value in both, proved.
        marked: Mechanisms that differ and that it calls, in the order of the graph.
    """

    label: str
    is_unchanged: bool
    marked: tuple[str, ...]

    def __str__(self) -> str:
        """Return the row and its verdict."""
        if self.is_unchanged:
            return f"{self.label}: unchanged, proved: no call of a mechanism that differs"
        more = ", ..." if len(self.marked) > _SHOWN else ""
        return f"{self.label}: calls {', '.join(self.marked[:_SHOWN])}{more}"


@final
@dataclass(frozen=True, slots=True)
class WeightsReport:
    """A query on a network and on another one, some of whose mechanisms differ.

    Attributes:
        changed: The mechanisms that differ.
        rows: What is known of each row.
        calls: Distinct calls of mechanisms that the query needs on one network.
        shared: How many of them have the same value on the other.
        reusable: Nodes whose value in every base world is the same in both.
    """

    changed: tuple[str, ...]
    rows: tuple[TermOnBoth, ...]
    calls: int
    shared: int
    reusable: tuple[str, ...]

    @property
    def unchanged(self) -> tuple[str, ...]:
        """The labels of rows that are proved unchanged."""
        return tuple(row.label for row in self.rows if row.is_unchanged)

    def lines(self) -> list[str]:
        """Return the report, a few lines."""
        proved = f"{len(self.unchanged)} of {len(self.rows)} rows are proved unchanged (rule T)"
        share = f"{self.shared:,} of {self.calls:,} calls have the same value in both networks"
        shown = [f"  {row}" for row in self.rows[:_SHOWN]]
        more = len(self.rows) - len(shown)
        return [proved, *shown, *([f"  and {more} more rows"] if more > 0 else []), share]

    def __str__(self) -> str:
        """Return the report, a few lines."""
        return "\n".join(self.lines())


def unchanged_terms(query: Query, graph: MediatorGraph, changed: Iterable[str]) -> WeightsReport:
    """Say which rows of a query have the same value in a network with other weights.

    Args:
        query: The query.
        graph: The graph of both networks.
        changed: The nodes whose mechanism differs.

    Raises:
        UnknownMediatorError: A name that the graph does not have.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import nie, value_of
    >>> graph = plain_graph({"X": (), "M": ("X",), "Z": ("M",), "Y": ("X", "Z")})
    >>> print(unchanged_terms(nie(graph.find("M"), outcome=value_of("Z")), graph, ["Y"]))
    1 of 1 rows are proved unchanged (rule T)
      M: unchanged, proved: no call of a mechanism that differs
    4 of 4 calls have the same value in both networks
    """
    names = {graph.node(name).mediator.name for name in changed}
    below = _below(graph, names)
    scalars = labelled_scalars(query)
    form = normal_form([scalar for _, scalar in scalars], graph)
    marks = _marks(form, names, _means_that_differ(query, below))
    live = form.live()
    rows = tuple(_row(label, scalar, form, marks, names) for label, scalar in scalars)
    calls = [
        (live[at] & ~marks[at], live[at])
        for block in form.blocks
        if block.table is not None and block.table.name[0] == "call"
        for at in [slice(block.start, block.start + len(block))]
    ]
    return WeightsReport(
        tuple(node.mediator.name for node in graph.nodes if node.mediator.name in names),
        rows,
        sum(int(np.count_nonzero(needed)) for _, needed in calls),
        sum(int(np.count_nonzero(same)) for same, _ in calls),
        tuple(node.mediator.name for node in graph.nodes if node.mediator.name not in below),
    )


def _below(graph: MediatorGraph, changed: set[str]) -> set[str]:
    """Return the nodes whose value depends on a mechanism that differs, themselves included."""
    found: set[str] = set()
    reached: dict[str, int] = {}  # of each stream, the first writer whose value may differ
    place = {s.name: {name: at for at, name in enumerate(s.writers)} for s in graph.streams}
    for node in graph.nodes:
        name = node.mediator.name
        reads = (
            reached.get(slot.stream, slot.writers_before) < slot.writers_before
            or not found.isdisjoint(slot.parents)
            for slot in node.slots
        )
        if name in changed or any(reads):
            found.add(name)
            for stream, writers in place.items():
                if name in writers:
                    reached[stream] = min(reached.get(stream, writers[name]), writers[name])
    return found


def _means_that_differ(query: Query, below: set[str]) -> frozenset[object]:
    """Return the constants that are means of nodes whose values differ, or learned from outputs."""
    ablation = query.ablation
    if ablation is not None and ablation.kind is AblationKind.OPTIMAL:
        rows = [(ablation.among(row, query.at), row) for row in query.treated]
        return frozenset(optimal_handle(own.site(each), own) for own, row in rows for each in row)
    if ablation is None or ablation.kind not in _MEANS:
        return frozenset()
    nodes = {ablation.site(mediator) for row in query.treated for mediator in row}
    return frozenset(mean_handle(node, ablation) for node in nodes & below)


def _marks(form: NormalForm, changed: set[str], means: frozenset[object]) -> Marks:
    """Return for each number whether a mechanism that differs is called on the way to it."""
    marks = np.zeros(len(form), dtype=bool)
    for block in form.blocks:
        if block.table is None:
            for offset, key in enumerate(block.keys):
                marks[block.start + offset] = _is_marked(key, marks, changed, means)
            continue
        name = block.table.name
        at = slice(block.start, block.start + len(block))
        marks[at] = name[0] == "call" and name[1] in changed
        for column in block.arguments:
            marks[at] |= marks[column]
    return marks


def _is_marked(key: Key, marks: Marks, changed: set[str], means: frozenset[object]) -> bool:
    match key:
        case ("input" | "parameter" | "noise variable", node, *_) if node in changed:
            return True
        case ("const", handle):
            return handle in means
        case ("read", (*_, False), _) if "logits" in changed:
            return True  # a lens reads by the final norm and the unembedding
        case _:
            return bool(marks[list(parts_of_key(key))].any())


def _row(
    label: str, scalar: Scalar, form: NormalForm, marks: Marks, changed: set[str]
) -> TermOnBoth:
    roots = [number for _, number in form.combination(scalar)]
    if not marks[roots].any():
        return TermOnBoth(label, True, ())
    called = {name for name, count in form.count_calls(roots).items() if count}
    inputs = {node.mediator.name for node in form.graph.nodes if not node.slots}
    lens = {"logits"} if any(_is_lens(scalar)) else set[str]()
    marked = changed & (called | inputs | lens)
    order = (node.mediator.name for node in form.graph.nodes)
    return TermOnBoth(label, False, tuple(name for name in order if name in marked))


def _is_lens(scalar: Scalar) -> Iterable[bool]:
    for leaf in leaves_of(scalar):
        readout = (leaf.read if isinstance(leaf, Grad) else leaf).readout
        yield readout.node != "logits" and readout.name != "value"
