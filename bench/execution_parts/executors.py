"""What is measured: the one place that knows how causalnet is called."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.compiler import Schedule, Signature, compile_reads, schedule_program
from causalnet.estimators import Attribution, eap, screen_then_verify
from causalnet.execute import Bindings, evaluate, run_leaves
from causalnet.interventions import Leaf, Read, nie
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = [
    "EXECUTORS",
    "Ours",
    "attributed",
    "forget",
    "hooks",
    "planned",
    "screened",
    "wavefront",
]

Ours: TypeAlias = Callable[[Sequence[Leaf], LiftedNetwork, Bindings], Mapping[Leaf, Tensor]]


def forget() -> None:
    """Empty every memory of earlier plans, so that a job plans for itself."""
    rooms = tuple(f"causalnet.{room}" for room in ("compiler", "execute", "estimators"))
    for name, module in list(sys.modules.items()):
        if name.startswith(rooms):
            for value in vars(module).values():
                if isinstance(value, _lru_cache_wrapper):
                    value.cache_clear()


def wavefront(
    leaves: Sequence[Leaf], net: LiftedNetwork, bindings: Bindings
) -> Mapping[Leaf, Tensor]:
    """Run terms by the compiler and the wavefront executor."""
    return run_leaves(leaves, net, bindings, executor="wavefront").values


def hooks(leaves: Sequence[Leaf], net: LiftedNetwork, bindings: Bindings) -> Mapping[Leaf, Tensor]:
    """Run terms by the hook executor: a forward for every world."""
    return evaluate(leaves, net, bindings).values


EXECUTORS: dict[str, Ours] = {"wavefront": wavefront, "hooks": hooks}


def planned(reads: Sequence[Read], net: LiftedNetwork, pairs: PromptPairs, first: int) -> Schedule:
    """Compile terms and schedule them for pairs of one length that first differ at one token."""
    length, inputs = pairs.base.lengths[0], ("base", "source")
    named: list[tuple[int | str, int]] = [(at, at) for at in range(length)]
    named.append(("end", length - 1))
    signature = Signature(
        prompts=len(pairs),
        columns=length,
        first_different=(("base", "source", first),),
        places=tuple((name, at, column, column) for name in inputs for at, column in named),
        aligned=frozenset(
            (one, other, at) for one in inputs for other in inputs for at, _ in named
        ),
    )
    return schedule_program(compile_reads(reads, net.graph), signature)


@dataclass(frozen=True)
class Scores:
    """Mean scores by `sender -> receiver`, looked up one by one: there are many."""

    attribution: Attribution

    def __getitem__(self, edge: str) -> float:
        return float(self.attribution[edge].mean)


def attributed(net: LiftedNetwork, pairs: PromptPairs) -> Callable[[], Scores]:
    """Return EAP of every edge as a job."""
    return lambda: Scores(eap(net, pairs))


def screened(net: LiftedNetwork, pairs: PromptPairs) -> Callable[[], Mapping[str, Tensor]]:
    """Return screening all heads at END as a job, verified heads to effects [B].

    Heads are ranked by first orders; the 40 largest and a control sample of 20 are exact.
    In small networks the largest are two thirds of all.
    """

    def job() -> Mapping[str, Tensor]:
        heads = net.heads()
        k = min(40, 2 * len(heads) // 3)
        query = nie(heads, at="end")
        exact = screen_then_verify(net, query, pairs, rank="atp", k=k, control=20).exact
        return dict(zip(exact.rows, map(torch.from_numpy, exact.values), strict=True))

    return job
