"""Values of read-outs, by the wavefront where it can and by hooks where it cannot."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import torch

from causalnet.compiler import Program, compile_reads
from causalnet.execute.batch import Padding
from causalnet.execute.bindings import Bindings
from causalnet.execute.evaluate import Evaluation, Progress, evaluate
from causalnet.execute.runnable import check_runnable
from causalnet.execute.wavefront.engine import run_batch
from causalnet.execute.wavefront.wave import Counts, Limits
from causalnet.execute.wavefront.weights import Weights
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Grad, Leaf, Read, worlds_needed
from causalnet.lift import LiftedNetwork

__all__ = ["Executor", "run_leaves"]

Executor: TypeAlias = Literal["auto", "wavefront", "hooks"]


def run_leaves(
    leaves: Sequence[Leaf],
    net: LiftedNetwork,
    bindings: Bindings,
    *,
    executor: Executor = "auto",
    budget: str | int | None = None,
    batch_size: int = 16,
    padding: Padding = "right",
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the values of read-outs and derivatives on all prompts."""
    reads = [leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, Read)]
    grads = [leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, Grad)]
    if executor == "hooks" or not reads:
        return evaluate(
            leaves, net, bindings, batch_size=batch_size, padding=padding, progress=progress
        )
    found = _wavefront(reads, net, bindings, batch_size, dtype, progress)
    if grads:
        rest = evaluate(
            grads, net, bindings, batch_size=batch_size, padding=padding, progress=progress
        )
        found = Evaluation(
            {**found.values, **rest.values}, found.forwards + rest.forwards, batch_size, 0
        )
    return found


@lru_cache(maxsize=32)
def _compiled(reads: tuple[Read, ...], graph: MediatorGraph) -> Program:
    return compile_reads(reads, graph)


def _wavefront(reads, net, bindings, batch_size, dtype, progress):
    check_runnable(reads, worlds_needed(reads), net, bindings)
    program = _compiled(tuple(reads), net.graph)
    weights = Weights.of(net, dtype)
    counts = Counts()
    parts = []
    for start in range(0, len(bindings), batch_size):
        rows = range(start, min(start + batch_size, len(bindings)))
        parts.append(run_batch(program, net, weights, bindings, rows, Limits(), counts))
    values = {read: torch.cat([part[i] for part in parts]) for i, read in enumerate(reads)}
    return Evaluation(values, len(parts), batch_size, 0)
