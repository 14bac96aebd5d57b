"""Per-prompt scores of a circuit of edges, by masked runs.

Noising runs the base, and every edge that is not kept carries the ablation's value; denoising runs
the source, and every edge that is kept carries the base's.  Edge circuits of the same nodes leave
fewer paths open than node circuits: Wang et al. 2023 specified edges and scored nodes (Miller et
al. 2024).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.effects.reference import check_reference, mean_forwards
from causalnet.errors import OutOfMemoryError, TermError
from causalnet.execute import Bindings, Progress, run_leaves
from causalnet.faithfulness.parts import (
    CircuitScores,
    Member,
    PartScores,
    Wanted,
    all_parts,
    conventions_of_scores,
    readout_of,
)
from causalnet.interventions import (
    Ablation,
    AblationKind,
    Direction,
    Edge,
    Position,
    ReadOut,
    Regime,
    Scalar,
    evaluate_scalar,
    leaves_of,
)
from causalnet.lift import LiftedNetwork
from causalnet.lift.machine import is_out_of_memory
from causalnet.masked import EdgeRuns, SenderConstants, layout_of, learn_edge_constants
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["EdgeCircuitScorer"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeCircuitScorer:
    """How circuits of edges are scored: all that a number depends on but the circuit.

    Attributes:
        net: The lifted network.
        readout: The read-out.
        ablation: What edges carry that are not kept.
        at: Positions at which edges are masked; none means all.
        direction: `noising` or, for counterfactual values, `denoising`.
        reference: The reference set of means and resampling, the training set of learned constants.
        batch_size: Prompts in a batch.
        seed: Seed of resampling; draws are fresh for every set of pairs.

    Raises:
        TermError: A reference set that is missing or another than the ablation's, learning on
            prompts that are no pairs.
    """

    net: LiftedNetwork
    readout: ReadOut
    ablation: Ablation
    at: tuple[Position, ...] = ()
    direction: Direction = "noising"
    reference: Prompts | PromptPairs | None = None
    batch_size: int = 16
    seed: int = 0
    universe: tuple[Edge, ...] = field(init=False)
    _numbers: dict[Edge, int] = field(init=False)
    _kept: dict[str, EdgeRuns] = field(init=False, default_factory=dict)
    _learned: dict[bytes, SenderConstants] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the conventions and number the edges."""
        check_reference(self.ablation, self._prompts)
        learns = self.ablation.kind is AblationKind.OPTIMAL
        if learns and not isinstance(self.reference, PromptPairs):
            raise TermError(
                "Constants of edges are learned on prompts that are no pairs.",
                "Masked runs take pairs.",
                "Pass the pairs that the ablation was made with as reference.",
            )
        sites = layout_of(self.net.graph).sites
        edges = tuple(site for site in sites if isinstance(site, Edge))
        object.__setattr__(self, "universe", edges)
        object.__setattr__(self, "_numbers", {edge: number for number, edge in enumerate(edges)})

    @property
    def _prompts(self) -> Prompts | None:
        reference = self.reference
        return reference.base if isinstance(reference, PromptPairs) else reference

    @property
    def conventions(self) -> Mapping[str, str]:
        """What the scores depend on, by name."""
        return conventions_of_scores(
            "edges", len(self.universe), self.readout, self.ablation, self.at, self.direction
        )

    @property
    def learned(self) -> tuple[Mapping[str, Any], ...]:
        """What was learned so far, as JSON: loss curves of optimal ablation."""
        return tuple(one.to_json() for one in self._learned.values())

    def score(
        self, pairs: PromptPairs, circuit: Sequence[Edge], progress: Progress | None = None
    ) -> CircuitScores:
        """Return all four parts of one circuit."""
        return all_parts(self, pairs, circuit, progress)

    def mask(self, part: Regime, circuit: Sequence[Member]) -> Tensor:
        """Return the mask of a part, [edges]: 1 where an edge carries its sender's own value.

        Raises:
            TermError: A member of the circuit that is no edge of the residual stream.
        """
        strangers = [member for member in circuit if member not in self._numbers]
        if strangers:
            raise TermError(
                f"{strangers[0]} cannot be kept or knocked out.",
                f"There are {len(self.universe)} edges of the residual stream, such as "
                f"{self.universe[0]}.",
                "Name a sender and a receiver behind it: heads, MLPs and embeddings send; queries, "
                "keys, values, MLPs and the logits receive.",
            )
        chosen = torch.zeros(len(self.universe))
        chosen[[self._numbers[member] for member in circuit if isinstance(member, Edge)]] = 1.0
        noising = {
            Regime.MODEL: torch.ones_like(chosen),
            Regime.KEPT: chosen,
            Regime.EMPTY: torch.zeros_like(chosen),
            Regime.KNOCKED_OUT: 1 - chosen,
        }[part]
        return noising if self.direction == "noising" else 1 - noising

    def read(
        self,
        pairs: PromptPairs,
        wanted: Sequence[Wanted],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> PartScores:
        """Return the read-out of several parts on every prompt; equal masks are run once.

        Args:
            pairs: The prompts.
            wanted: Parts and their circuits, or scalars, which are run by hooks.
            batch_size: Prompts in a batch, in place of the scorer's own.
            progress: Told about every forward pass.

        Raises:
            TermError: A member that is no edge, denoising with another ablation than
                counterfactual.
            AlignmentError: Pairs that do not line up where they must.
            NumericalError: NaN or infinity in an outcome.
            OutOfMemoryError: Memory ran out with a batch of one prompt.
        """
        parts: dict[Wanted, Tensor] = {
            one: self.mask(one[0], one[1])
            for one in dict.fromkeys(wanted)
            if isinstance(one, tuple)
        }
        scalars = [one for one in dict.fromkeys(wanted) if not isinstance(one, tuple)]
        size, halvings = batch_size or self.batch_size, 0
        counted = _Count(progress)
        values: dict[Wanted, Numbers] = {}
        while not values and wanted:
            try:
                values = self._by_readout(pairs, parts, size, counted)
                values |= self._by_hooks(pairs, scalars, size, counted)
            except RuntimeError as error:
                values = {}
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise OutOfMemoryError(
                        "Memory ran out with a batch of one prompt.",
                        "A masked run holds what every sender writes, and the reference beside it.",
                        "Use a smaller model, shorter prompts, or another device.",
                    ) from error
                size, halvings = size // 2, halvings + 1
                self._kept.clear()
        return PartScores(values, counted.forwards, size, halvings)

    def _by_readout(
        self, pairs: PromptPairs, parts: Mapping[Wanted, Tensor], size: int, counted: "_Count"
    ) -> dict[Wanted, Numbers]:
        values: dict[Wanted, Numbers] = {}
        for readout in dict.fromkeys(map(readout_of, parts)):
            own = {one: mask for one, mask in parts.items() if readout_of(one) == readout}
            values |= self._masked(pairs, own, size, counted, readout)
        return values

    def _masked(
        self,
        pairs: PromptPairs,
        parts: Mapping[Wanted, Tensor],
        size: int,
        counted: "_Count",
        readout: ReadOut | None,
    ) -> dict[Wanted, Numbers]:
        # The whole model is the base run: restored at some positions alone, the source is another.
        is_apart = self.direction == "denoising" and bool(self.at)
        apart = [one for one in parts if is_apart and _is_whole(one)]
        if apart:
            base = self._whole(pairs, size, counted, readout)
            rest = {one: mask for one, mask in parts.items() if one not in apart}
            return dict.fromkeys(apart, base) | self._masked(pairs, rest, size, counted, readout)
        distinct = {mask.numpy().tobytes(): mask for mask in parts.values()}
        found: dict[bytes, Numbers] = {}
        for runs, keys in self._grouped(pairs, distinct, size, counted):
            rows = runs.outcomes(torch.stack([distinct[key] for key in keys]), readout=readout)
            found |= dict(zip(keys, rows, strict=True))
            counted.add(-(-len(pairs) // size) * len(keys) * self.ablation.draws)
        return {one: found[mask.numpy().tobytes()] for one, mask in parts.items()}

    def _whole(
        self, pairs: PromptPairs, size: int, counted: "_Count", readout: ReadOut | None
    ) -> Numbers:
        """Return the outcome of the base run, [n]."""
        removes_nothing = Ablation(AblationKind.ZERO)
        runs = EdgeRuns(self.net, pairs, removes_nothing, self.readout, batch_size=size)
        counted.add(-(-len(pairs) // size))
        return np.asarray(runs.outcomes(torch.ones(1, len(runs.sites)), readout=readout)[0])

    def _grouped(
        self, pairs: PromptPairs, masks: Mapping[bytes, Tensor], size: int, counted: "_Count"
    ) -> Iterator[tuple[EdgeRuns, list[bytes]]]:
        """Yield runs and the masks that they take: all, or one where constants differ."""
        if not masks:
            return
        if self.ablation.kind is not AblationKind.OPTIMAL:
            yield self._runs(pairs, size, counted), list(masks)
            return
        for key, mask in masks.items():
            yield self._new_runs(pairs, size, self._constants(key, mask, counted)), [key]
            counted.add(-(-len(pairs) // size))

    def _constants(self, key: bytes, mask: Tensor, counted: "_Count") -> Mapping[str, Tensor]:
        """Return what is learned for a mask, once; nothing is where all edges are kept."""
        if bool(mask.all()):
            return {edge.sender: torch.zeros(1) for edge in self.universe}
        if key not in self._learned and isinstance(self.reference, PromptPairs):
            self._learned[key] = learn_edge_constants(
                self.net, mask, self.ablation, self.reference, self.at, counted.one
            )
        return self._learned[key].constants

    def _runs(self, pairs: PromptPairs, size: int, counted: "_Count") -> EdgeRuns:
        sides = hash((pairs.base, pairs.source, pairs.base.templates))
        key = f"{size} {sides} {pairs.digest()} {pairs.record.rows}"
        if key not in self._kept:
            before = next(iter(self._kept.values()), None)
            means = None if before is None else before.references.means_of_reference
            self._kept.clear()
            self._kept[key] = self._new_runs(pairs, size, {}, means or None)
            donors = self.ablation.draws if self.ablation.has_corrupted_run else 0
            counted.add(-(-len(pairs) // size) * (1 + donors))
            if before is None:
                counted.add(mean_forwards(self.ablation))
        return self._kept[key]

    def _new_runs(
        self,
        pairs: PromptPairs,
        size: int,
        constants: Mapping[str, Tensor],
        means: Mapping[str, Tensor] | None = None,
    ) -> EdgeRuns:
        return EdgeRuns(
            self.net,
            pairs,
            self.ablation,
            self.readout,
            direction=self.direction,
            at=self.at,
            reference=self._prompts,
            seed=f"{self.seed} {pairs.digest()}",
            batch_size=size,
            constants=constants,
            means=means,
        )

    def _by_hooks(
        self, pairs: PromptPairs, scalars: Sequence[Scalar], size: int, counted: "_Count"
    ) -> dict[Wanted, Numbers]:
        """Return scalars of their own, which name no masks."""
        leaves = list(dict.fromkeys(leaf for one in scalars for leaf in leaves_of(one)))
        if not leaves:
            return {}
        result = run_leaves(
            leaves, self.net, Bindings.of(pairs), executor="hooks", batch_size=size,
            progress=lambda done, expected: counted.one(),
        )  # fmt: skip
        values = {leaf: value.cpu().double().numpy() for leaf, value in result.values.items()}
        return {one: evaluate_scalar(one, values) for one in scalars}


def _is_whole(wanted: Wanted) -> bool:
    return isinstance(wanted, tuple) and wanted[0] is Regime.MODEL


@dataclass(slots=True)
class _Count:
    """Forward passes so far, and who is told."""

    progress: Progress | None
    forwards: int = 0

    def one(self) -> None:
        """Count one forward pass."""
        self.add(1)

    def add(self, count: int) -> None:
        """Count forward passes."""
        for _ in range(count):
            self.forwards += 1
            if self.progress is not None:
                self.progress(self.forwards, self.forwards)
