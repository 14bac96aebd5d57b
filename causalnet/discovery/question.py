"""What is asked when a circuit is sought: everything that a score depends on but the method."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from causalnet.discovery.units import CircuitGrain, Units, units_of
from causalnet.effects import Conventions
from causalnet.effects.queries import check_asked_of
from causalnet.errors import ParameterError, TermError
from causalnet.graphs.arguments import check_whole
from causalnet.interventions import Ablation, AblationKind, Direction, Position, ReadOut, logit_diff
from causalnet.interventions.queries import positions_of
from causalnet.lift import LiftedNetwork
from causalnet.masked import EdgeRuns, cell_outcomes, learn_edge_constants
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Question"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Question:
    """Which edges or nodes matter, for which outcome, when they carry which other values.

    An effect is patched - unpatched: with a unit removed, less with nothing removed.

    Attributes:
        net: The lifted network.
        pairs: The prompts on which a circuit is sought; test it on others.
        ablation: What removed edges carry.
        readout: The outcome: a read-out of the task such as `logit_diff`, or a distance from the
            intact network, `kl` or `logit_distance`.
        grain: What circuits are made of.
        direction: `noising` removes from the base run, `denoising` restores in the source run.
        at: Positions at which units are removed; none means all.  At the grain of positions each
            is a unit of its own, and none means all that the prompts name.
        reference: The reference set of means and resampling; for optimal ablation the pairs that
            constants are learned on: for scores of units once, with every unit removed; for
            `Circuit.scores` anew for the circuit.
        seed: Seed of everything that is drawn.
        batch_size: Pairs in a batch.
        units: The units of the grain.
        runs: The network under masks.

    Raises:
        TermError, AlignmentError, PromptError, ParameterError: As `EdgeRuns`.
        ParameterError: No such grain.
    """

    net: LiftedNetwork
    pairs: PromptPairs
    ablation: Ablation
    readout: ReadOut = logit_diff
    grain: CircuitGrain | str = CircuitGrain.EDGES
    direction: Direction = "noising"
    at: Position | Sequence[Position] = ()
    reference: Prompts | PromptPairs | None = None
    seed: int = 0
    batch_size: int = 16
    units: Units = field(init=False)
    runs: EdgeRuns = field(init=False)

    def __post_init__(self) -> None:
        """Check what is asked."""
        check_asked_of(self.net, self.pairs)
        if not isinstance(self.ablation, Ablation):
            raise ParameterError(
                f"A {type(self.ablation).__name__} was given as the ablation.",
                "It says what removed units carry.",
                "Write cn.counterfactual(), cn.zero() or cn.mean(pairs.base).",
            )
        check_whole(self.seed, "seed")
        object.__setattr__(self, "at", positions_of(self.at))
        for position in self.positions:
            self.pairs.base.at(position)
        if self.grain == CircuitGrain.POSITIONS and not self.at:
            object.__setattr__(self, "at", _named(self.pairs))
        object.__setattr__(self, "units", units_of(self.net.graph, self.grain, self.positions))
        object.__setattr__(self, "grain", self.units.grain)
        runs = EdgeRuns(
            self.net,
            self.pairs,
            self.ablation,
            self.readout,
            self.direction,
            self.positions,
            self.reference.base if isinstance(self.reference, PromptPairs) else self.reference,
            self.seed,
            self.batch_size,
            self._learned(),
        )
        object.__setattr__(self, "runs", runs)

    def _learned(self) -> Mapping[str, torch.Tensor]:
        """Return the constants of optimal ablation, by sender; none for other ablations."""
        if self.ablation.kind is not AblationKind.OPTIMAL:
            return {}
        if not isinstance(self.reference, PromptPairs):
            raise TermError(
                "Optimal ablation without pairs to learn its constants on.",
                "They are learned where every unit is removed.",
                "Pass the pairs that the ablation was made with: reference=pairs.",
            )
        none = self.units.masks(np.zeros((1, len(self.units))))[0]
        learned = learn_edge_constants(
            self.net, none, self.ablation, self.reference, self.positions
        )
        return learned.constants

    def __repr__(self) -> str:
        """Return one line: what is asked, of whom."""
        name = self.net.model.provenance.source
        return (
            f"Question({len(self.units):,} {self.grain} of {name}; {self.readout.described}; "
            f"{self.ablation}, {self.direction}, {', '.join(map(str, self.positions)) or 'all'} "
            f"positions; {len(self.pairs)} pairs of {self.pairs.record.name})"
        )

    @property
    def positions(self) -> tuple[Position, ...]:
        """The positions at which units are removed; none means all."""
        return positions_of(self.at)

    @property
    def is_distance(self) -> bool:
        """Whether the outcome is a distance from the intact network, which is 0 at the start."""
        return self.readout.name in ("kl", "logit_distance")

    def masks(self, kept: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return what is run for circuits: masks of edges [M, edges] for kept units [M, units].

        Noising runs a circuit with everything else removed; denoising runs the source with the
        circuit restored, which is the mask of everything else.
        """
        chosen = np.asarray(kept, dtype=np.float64)
        own = chosen if self.direction == "noising" else 1.0 - chosen
        found: NDArray[np.float64] = self.units.masks(own).numpy()
        return found

    def outcomes(self, kept: NDArray[np.generic], first: int = 0) -> NDArray[np.float64]:
        """Return outcomes of circuits on every prompt, [M, n] of kept units [M, units].

        Args:
            kept: 1 for units that a circuit keeps.
            first: The first stage that reads any unit that a circuit does not keep (in denoising:
                that it keeps).
        """
        if self.units.cells:
            chosen = np.asarray(kept, dtype=np.float64)
            own = chosen if self.direction == "noising" else 1.0 - chosen
            weights = self.units.cell_weights(own)
            return cell_outcomes(self.runs, weights, self.units.places, first=first)
        return self.runs.outcomes(torch.from_numpy(self.masks(kept)), first=first)

    def intact(self) -> NDArray[np.float64]:
        """Return the outcome of the whole network on the base prompts, [n].

        Denoising runs the source, where the whole network is not the mask of any circuit.
        """
        if self.direction == "noising":
            return np.asarray(self.outcomes(np.ones((1, len(self.units))))[0])
        removes_nothing = Ablation(AblationKind.ZERO)
        runs = EdgeRuns(
            self.net, self.pairs, removes_nothing, self.readout, batch_size=self.batch_size
        )
        return np.asarray(runs.outcomes(torch.ones(1, len(runs.sites)))[0])

    def conventions(self, estimand: str, estimator: str = "", error: str = "") -> Conventions:
        """Return what a number of this question means.

        Args:
            estimand: What is estimated.
            estimator: How, where it is approximate.
            error: What is known of its error.
        """
        return Conventions(
            estimand=estimand,
            sign="patched - unpatched",
            direction=self.direction,
            scale="raw",
            unit=self.readout.unit,
            readout=self.readout.described,
            meaning=self.readout.meaning,
            ablation=str(self.ablation),
            at=",".join(map(str, self.positions)) or "all positions",
            padding="right",
            estimator=estimator or "exact",
            error=error,
        )

    def to_json(self) -> dict[str, object]:
        """Return everything that two people need to ask the same."""
        return {
            "weights": self.net.model.provenance.weights_sha256,
            "graph": self.net.graph.fingerprint(),
            "pairs": self.pairs.digest(),
            "prompts": self._prompts_digest(),
            "ablation": self.ablation.to_json(),
            "readout": self.readout.described,
            "readout_digest": self.readout.digest.hex(),
            "grain": str(self.grain),
            "direction": self.direction,
            "at": [str(position) for position in self.positions],
            "seed": self.seed,
            "dtype": str(self.net.model.dtype),
        }

    def _prompts_digest(self) -> str:
        """Return the sha256 of what prompts are beside their ids: positions, templates, rows."""
        pairs, reference = self.pairs, self.reference
        sides = [pairs.base, pairs.source]
        if reference is not None:
            sides += [reference] if isinstance(reference, Prompts) else [reference.base]
        facts = [[each.ids, each.templates, sorted(each.positions.items())] for each in sides]
        return hashlib.sha256(json.dumps([facts, pairs.record.rows]).encode()).hexdigest()

    def digest(self) -> str:
        """Return the sha256 of the question, by which interrupted work is known again."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def _named(pairs: PromptPairs) -> tuple[Position, ...]:
    """Return the named positions of prompts, each token under its first name."""
    named = pairs.base.positions
    first: dict[tuple[int, ...], str] = {}
    for name, columns in named.items():
        first.setdefault(tuple(columns), name)
    return tuple(first.values())
