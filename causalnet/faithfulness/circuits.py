"""Per-prompt scores of a circuit of nodes.

What is run is said by `causalnet.interventions.CircuitTerms`.  Faithfulness is the ratio of means
(kept - empty) / (model - empty); a knock-out's drop is (model - knocked_out) / (model - empty).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from causalnet.effects import Learned, bind, learn_constants
from causalnet.effects.reference import check_reference, mean_constants
from causalnet.errors import AlignmentError
from causalnet.execute import Bindings, Constant, Executor, Padding, Progress, run_leaves
from causalnet.faithfulness.parts import (
    CircuitScores,
    Member,
    PartScores,
    Wanted,
    all_parts,
    conventions_of_scores,
    readout_of,
)
from causalnet.graphs import Mediator
from causalnet.interventions import (
    Ablation,
    AblationKind,
    Cell,
    CircuitTerms,
    Direction,
    Handle,
    Leaf,
    Position,
    Read,
    ReadOut,
    Regime,
    evaluate_scalar,
    leaves_of,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["CircuitScorer"]


@dataclass(frozen=True, slots=True, eq=False)
class CircuitScorer:
    """How circuits are scored: everything that a faithfulness number depends on but the circuit.

    Attributes:
        net: The lifted network.
        readout: The read-out.
        ablation: What mediators are set to when they are not kept.
        universe: The mediators that are ablated when they are not kept, or all cells: mediators at
            positions.
        at: Positions at which they are set; none means all.  Those of cells are among them.
        direction: `noising` or, for values of a run, `denoising`.
        reference: The reference set of means and resampling, the training set of learned constants.
        batch_size: Prompts in a batch.
        padding: The side on which shorter prompts are filled.
        seed: Seed of resampling; draws are fresh for every set of pairs.
        executor: `hooks`, a forward for every world, `wavefront`, one plan for all, or `auto`.
        budget: What waves may hold beside the weights; None for half of what is free.

    Optimal constants are learned for each set that a part ablates, once: the circuit alone, nothing
    and the circuit knocked out each have their own.

    Raises:
        TermError: Denoising with an ablation whose values are of no run, a reference set that is
            missing or another than the ablation's, an empty universe, cells beside nodes, at other
            positions, or with constants that are learned.
    """

    net: LiftedNetwork
    readout: ReadOut
    ablation: Ablation
    universe: tuple[Mediator | Cell, ...]
    at: tuple[Position, ...] = ()
    direction: Direction = "noising"
    reference: Prompts | PromptPairs | None = None
    batch_size: int = 16
    padding: Padding = "right"
    seed: int = 0
    executor: Executor = "hooks"
    budget: str | None = None
    terms: CircuitTerms = field(init=False)
    means: Mapping[Handle, Constant] = field(init=False)
    _learned: dict[str, Learned] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the conventions and compute the means once."""
        own = CircuitTerms(self.readout, self.ablation, self.universe, self.at, self.direction)
        object.__setattr__(self, "terms", own)
        check_reference(self.ablation, self._prompts)
        object.__setattr__(self, "means", self._means())

    @property
    def _prompts(self) -> Prompts | None:
        reference = self.reference
        return reference.base if isinstance(reference, PromptPairs) else reference

    @property
    def conventions(self) -> Mapping[str, str]:
        """What the scores depend on, by name."""
        return conventions_of_scores(
            "nodes", len(self.universe), self.readout, self.ablation, self.at, self.direction
        )

    @property
    def learned(self) -> tuple[Mapping[str, Any], ...]:
        """What was learned so far, as JSON: loss curves of optimal ablation."""
        return tuple(one.to_json() for one in self._learned.values())

    def _means(self) -> Mapping[Handle, Constant]:
        if self._prompts is None or self.ablation.kind not in (
            AblationKind.MEAN,
            AblationKind.MEAN_PER_POSITION,
        ):
            return {}
        nodes = [
            self.ablation.site(one.mediator if isinstance(one, Cell) else one)
            for one in self.universe
        ]
        return mean_constants(nodes, self.ablation, self.net, self._prompts)

    def score(
        self,
        pairs: PromptPairs,
        circuit: Sequence[Mediator | Cell],
        progress: Progress | None = None,
    ) -> CircuitScores:
        """Return all four parts of one circuit."""
        return all_parts(self, pairs, circuit, progress)

    def read(
        self,
        pairs: PromptPairs,
        wanted: Sequence[Wanted],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> PartScores:
        """Return the read-out of several parts on every prompt; equal worlds run once.

        Args:
            pairs: The prompts.
            wanted: Parts and their circuits.
            batch_size: Prompts in a batch, in place of the scorer's own.
            progress: Told about every forward pass.

        Raises:
            AlignmentError: Pairs that do not line up where they must, or cells of which two are one
                place in a prompt.
            NumericalError: NaN or infinity in an activation.
            OutOfMemoryError: Memory ran out with a batch of one prompt.
        """
        if isinstance(self.universe[0], Cell):
            _check_apart(self.at, pairs)
        groups = {one: self._leaves(one) for one in dict.fromkeys(wanted)}
        learning = sum(self._learn(wanted, progress))
        result = run_leaves(
            list(dict.fromkeys(leaf for group in groups.values() for leaf in group)),
            self.net,
            self._bindings(pairs),
            executor=self.executor,
            budget=None if self.executor == "hooks" else self.budget,
            batch_size=batch_size or self.batch_size,
            padding=self.padding,
            progress=progress,
        )
        values = {read: value.cpu().double().numpy() for read, value in result.values.items()}
        means = {
            one: np.asarray(np.mean([values[leaf] for leaf in group], axis=0))
            if isinstance(one, tuple)
            else evaluate_scalar(one, values)
            for one, group in groups.items()
        }
        return PartScores(means, result.forwards + learning, result.batch_size, result.halvings)

    def _learn(self, wanted: Sequence[Wanted], progress: Progress | None) -> Iterator[int]:
        """Learn the constants that parts lack; yields the forward passes of each set."""
        if self.ablation.kind is not AblationKind.OPTIMAL or self.reference is None:
            return
        for one in dict.fromkeys(wanted):
            found = self.terms.changed(one[0], _nodes(one[1])) if isinstance(one, tuple) else ()
            changed = tuple(node for node in found if isinstance(node, Mediator))
            key = self.ablation.among(changed, self.at).jointly
            if changed and key not in self._learned:
                self._learned[key] = learn_constants(
                    self.net, changed, self.ablation, self.reference, self.at, progress
                )
                yield self._learned[key].forwards

    def _leaves(self, wanted: Wanted) -> tuple[Leaf, ...]:
        if isinstance(wanted, tuple):
            return self.reads(wanted[0], _nodes(wanted[1]), readout_of(wanted))
        return leaves_of(wanted)

    def reads(
        self, part: Regime, circuit: Sequence[Mediator | Cell], readout: ReadOut | None = None
    ) -> tuple[Read, ...]:
        """Return the reads of a part: one, or one for each draw of resampling or noise."""
        worlds = (self.terms.world(part, circuit, draw) for draw in range(self.ablation.draws))
        return tuple(dict.fromkeys(Read(readout or self.readout, world) for world in worlds))

    def _bindings(self, pairs: PromptPairs) -> Bindings:
        if self.ablation.kind is AblationKind.RESAMPLE:
            seed = f"{self.seed} {pairs.digest()}"
            return bind(self.ablation, (), self.net, pairs, self._prompts, seed=seed)
        constants = dict(self.means)
        for learned in self._learned.values():
            constants |= learned.constants
        return replace(Bindings.of(pairs), constants=constants)


def _check_apart(at: Sequence[Position], pairs: PromptPairs) -> None:
    """Refuse positions that are one token in a prompt: it cannot be both kept and ablated.

    Raises:
        AlignmentError: Two positions that are one token.
    """
    for side, prompts in (("base", pairs.base), ("source", pairs.source)):
        named = [(name, prompts.positions.get(str(name), ())) for name in at]
        for (one, places), (other, others) in combinations(named, 2):
            ends = zip(places, others, strict=False)  # none, where the prompts lack a name
            same = [row for row, (first, second) in enumerate(ends) if first == second]
            if same:
                raise AlignmentError(
                    f"{one} and {other} are one token in the {side} prompt of pair {same[0]}.",
                    "A node there cannot be kept as the one and ablated as the other.",
                    "Name one of the two, or leave such prompts out.",
                )


def _nodes(members: tuple[Member, ...]) -> tuple[Mediator | Cell, ...]:
    """Return members as nodes; edges are refused as strangers by whoever looks at them."""
    return members  # type: ignore[return-value]  # CircuitTerms names what is not in the universe
