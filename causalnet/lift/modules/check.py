"""The self-check of a lifted module: its nodes against the module's own, under interventions.

Two questions are asked of every node, on the module itself, with hooks: does its mechanism make the
value that the module makes, and is that value settled by the node's parents?  For the second, all
inputs and nodes are set to what they are on other examples, but for the parents, which are set to
what they are on the first ones; the node must be what it is on the first ones.  A missing edge
fails that, also one from a node that the parents settle themselves.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from causalnet.errors import LiftError
from causalnet.graphs import MediatorGraph
from causalnet.lift.check import Comparison
from causalnet.lift.modules.hooked import Change, HookedRun, ModuleParts, run_hooked
from causalnet.lift.modules.mechanisms import Mechanisms
from causalnet.lift.modules.places import OUTPUT

__all__ = ["ModuleCheck", "check_module", "check_parents", "check_replay", "check_rows_apart"]

EXACT = 1e-10  # relative to the largest entry of a value, in float64
ROUNDINGS = 1000.0  # how many roundings of a coarser type
MOST_SETTLED = 64  # of a traced graph, whose edges the trace vouches for


@dataclass(frozen=True, slots=True)
class ModuleCheck:
    """How closely a lifted module's graph computes what the module does.

    Attributes:
        rows: How many example inputs there were.
        replayed: Every node recomputed from its parents, against the module; none where the graph
            was declared.
        settled: Nodes of the module, run on other inputs with the parents set, against what they
            are on the first ones: every node of a graph that was declared, and at most 64 of one
            that was traced, evenly spread.
        varied: The inputs that differ between examples; edges from others could not be tried.
    """

    rows: int
    replayed: tuple[Comparison, ...]
    settled: tuple[Comparison, ...]
    varied: tuple[str, ...]

    def __repr__(self) -> str:
        """Return one line."""
        largest = max((one.difference for one in (*self.replayed, *self.settled)), default=0.0)
        return (
            f"ModuleCheck({len(self.replayed)} nodes recomputed, {len(self.settled)} settled by "
            f"their parents on {self.rows} rows; largest difference {largest:.1e})"
        )


def check_module(
    parts: ModuleParts,
    graph: MediatorGraph,
    inputs: Mapping[str, Tensor],
    mechanisms: Mechanisms | None,
) -> ModuleCheck:
    """Check a module's graph, and its mechanisms where it was traced.

    Args:
        parts: The module and its places.
        graph: The graph.
        inputs: Example inputs, [B, ...] each.
        mechanisms: The traced mechanisms, None for a graph that was declared.

    Raises:
        LiftError: Rows that depend on each other or on chance, a node that its mechanism does not
            make, or one that its parents do not settle; the node, and a sender that the graph
            lacks, are named.
    """
    with torch.no_grad():
        natural = run_hooked(parts, inputs)
        check_rows_apart(parts, inputs, natural)
        replayed = check_replay(mechanisms, natural) if mechanisms is not None else ()
        most = None if mechanisms is None else MOST_SETTLED
        settled = check_parents(parts, graph, inputs, natural, most)
    varied = tuple(name for name, value in inputs.items() if not torch.equal(value, _other(value)))
    return ModuleCheck(len(natural.values[OUTPUT]), tuple(replayed), tuple(settled), varied)


def check_rows_apart(parts: ModuleParts, inputs: Mapping[str, Tensor], natural: HookedRun) -> None:
    """Check that a row's values depend on that row alone, and not on chance.

    Raises:
        LiftError: They do not.
    """
    try:
        alone = run_hooked(parts, {name: value[:1] for name, value in inputs.items()})
    except RuntimeError as error:
        raise LiftError(
            f"{type(parts.module).__name__} cannot be run on the first row alone: {error}.",
            "It is run on batches of other sizes than that of the examples.",
            "Take the number of rows from a tensor's shape where it is written as a number.",
        ) from error
    again = run_hooked(parts, inputs)
    for name, value in natural.natural.items():
        for other, what in ((again.natural[name], "chance"), (alone.natural[name], "other rows")):
            if len(value) % len(other) or not _is_within(value[: len(other)], other):
                raise LiftError(
                    f"The value of {name} depends on {what}.",
                    "A node is a function of its parents, row by row.",
                    "Call module.eval(); what mixes the rows of a batch, or draws numbers, cannot "
                    "be lifted.",
                )


def check_replay(mechanisms: Mechanisms, natural: HookedRun) -> Sequence[Comparison]:
    """Compare every node, recomputed from its parents, with the module's own.

    Raises:
        LiftError: A node differs.
    """
    found, known = [], dict[fx.Node, Any]()
    for name in mechanisms.of:
        value = natural.natural[name]
        again = mechanisms.compute(name, natural.values, len(value), known)
        found.append(_compared(name, again, value))
        if not found[-1].difference <= found[-1].tolerance:
            raise LiftError(
                f"{name}, recomputed from its parents, differs from the module's own by "
                f"{found[-1].difference:.1e}; {found[-1].tolerance:.1e} is its rounding.",
                "A traced mechanism computes what the module does on every input of its kind.",
                "Give examples that differ, or declare the module: declare_module.",
            )
    return found


def check_parents(
    parts: ModuleParts,
    graph: MediatorGraph,
    inputs: Mapping[str, Tensor],
    natural: HookedRun,
    most: int | None = None,
) -> Sequence[Comparison]:
    """Compare nodes with what they are when only their parents are as they were.

    Args:
        parts: The module and its places.
        graph: The graph.
        inputs: Example inputs, [B, ...] each.
        natural: The module's run on them.
        most: How many nodes are tried at most; None tries all.

    Raises:
        LiftError: A node moves although all its parents are held; the sender is named where one
            alone moves it.
    """
    found = []
    away = run_hooked(parts, {name: _other(value) for name, value in inputs.items()})
    names = (OUTPUT, *parts.places)
    for name in names[:: -(-len(names) // (most or len(names)))]:
        held = graph.parents(name)
        moved = _run_mixed(parts, natural, away, held)
        found.append(_compared(name, moved.natural[name], natural.natural[name]))
        if not found[-1].difference <= found[-1].tolerance:
            sender = next(_senders(parts, graph, natural, away, name), None)
            told = f"{sender} -> {name}" if sender else f"an edge into {name}"
            raise LiftError(
                f"{name} moves by {found[-1].difference:.1e} while its parents "
                f"({', '.join(held) or 'none'}) are held: the graph lacks {told}.",
                "Every node is settled by its parents; edges that nobody names must not carry "
                "anything.",
                f"Add ({sender!r}, {name!r}) to the edges."
                if sender
                else "Add a node on the way, or the edge.",
            )
    return found


def _run_mixed(
    parts: ModuleParts, here: HookedRun, away: HookedRun, held: Collection[str]
) -> HookedRun:
    """Run with the inputs and nodes that are held as they are here, and all others as away."""
    mixed = {name: (here if name in held else away).values[name] for name in here.values}
    inputs = {name: mixed[name] for name in parts.arguments.names}
    return run_hooked(parts, inputs, {name: _constant(mixed[name]) for name in parts.places})


def _senders(
    parts: ModuleParts,
    graph: MediatorGraph,
    natural: HookedRun,
    away: HookedRun,
    receiver: str,
) -> Iterator[str]:
    """Yield the nodes that alone move a receiver while everything else is held."""
    known, names = set(graph.parents(receiver)), [*parts.arguments.names, *parts.places]
    allowed = _tolerance(natural.natural[receiver])
    for sender in names:
        if sender in known or sender == receiver:
            continue
        held = {*names} - {sender}
        moved = _run_mixed(parts, natural, away, held).natural[receiver]
        if not _difference(moved, natural.natural[receiver]) <= allowed:
            yield sender


def _constant(value: Tensor) -> Change:
    return lambda _: value.clone()


def _other(value: Tensor) -> Tensor:
    """Return the rows of an input in another order: each example has another one's value."""
    return value.roll(1, 0)


def _compared(name: str, found: Tensor, wanted: Tensor) -> Comparison:
    return Comparison(name, _difference(found, wanted), None, _tolerance(wanted))


def _difference(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return float("inf")
    if not wanted.numel():
        return 0.0
    same = (found == wanted) | (found.isnan() & wanted.isnan())
    return float((found.double() - wanted.double()).abs().masked_fill(same, 0.0).max())


def _tolerance(value: Tensor) -> float:
    if not value.is_floating_point() or not value.numel():
        return 0.0
    finite = value[torch.isfinite(value)]
    largest = max(1.0, float(finite.abs().max())) if finite.numel() else 1.0
    if value.dtype == torch.float64:
        return EXACT * largest
    return ROUNDINGS * torch.finfo(value.dtype).eps * largest


def _is_within(found: Tensor, wanted: Tensor) -> bool:
    return _difference(found, wanted) <= _tolerance(wanted)
