"""What a search found, and how good it is on other prompts and against a known circuit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalnet.cli.discover_prompts import SearchPrompts
from causalnet.discovery.behaviour import Behaviour
from causalnet.discovery.circuits import Circuit
from causalnet.discovery.evaluation import ranking_score, stability
from causalnet.discovery.live_truth import live_truth
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.discovery.scoring import RankingScore, Recovery, Stability, compare_with_truth
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.faithfulness import CircuitScores
from causalnet.statistics import Interval, ratio_interval

if TYPE_CHECKING:
    from causalnet.known_circuits import KnownCircuit

__all__ = ["Beside", "Found", "Truth", "unit_words"]

KNOWN = "known:"
NO_VERDICT = (
    "Every other prompt gives the same numbers, as in networks whose weights are written: nothing "
    "is known of their spread, so that causalnet verify is INCONCLUSIVE where it needs one."
)
ALONE = 200  # resamples of the bootstrap


@dataclass(frozen=True, slots=True)
class Beside:
    """The circuit on prompts that did not find it.

    Attributes:
        scores: Its parts, prompt by prompt.
        faithfulness: Fieller's interval of F; None where there is no behaviour to keep.
        drop: Fieller's interval of what goes without it.
    """

    scores: CircuitScores
    faithfulness: Interval | None
    drop: Interval | None


@dataclass(frozen=True, slots=True)
class Truth:
    """The ranking and the circuit against a known circuit.

    Attributes:
        name: `structural`, or `live` under the ablation and prompts of the search.
        units: The true units.
        ranking: AUROC and AUPRC; None where nothing was ranked, or all or no units are true.
        recovery: What the circuit has of it; None where no unit is true.
    """

    name: str
    units: frozenset[str]
    ranking: RankingScore | None
    recovery: Recovery | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        circuit: The circuit.
        scores: The scores; None for a circuit that was given.
        prompts: The prompts.
        behaviour: How well the model does the task.
        beside: The circuit on other prompts.
        stability: How alike circuits of resampled prompts are, where that is known.
        truths: Known circuits to compare with.
        notes: What a reader should know.
        task: The task, as it was named.
    """

    circuit: Circuit
    scores: Scores | None
    prompts: SearchPrompts
    behaviour: Behaviour
    beside: Beside
    stability: Stability | None
    truths: tuple[Truth, ...]
    notes: tuple[str, ...]
    task: str

    @classmethod
    def of(
        cls,
        circuit: Circuit,
        scores: Scores | None,
        prompts: SearchPrompts,
        behaviour: Behaviour,
        notes: tuple[str, ...],
        task: str,
        seed: int,
    ) -> "Found":
        """Test a circuit on other prompts, and against the truth where it is known."""
        beside = _beside(circuit, prompts)
        if len(prompts.held_out) > 1 and not _has_spread(beside.scores):
            notes = (*notes, NO_VERDICT)
        return cls(
            circuit,
            scores,
            prompts,
            behaviour,
            beside,
            None if scores is None else _stability(circuit, scores, seed),
            tuple(_truths(circuit, scores)),
            notes,
            task,
        )


def unit_words(question: Question) -> str:
    """Return what units are called: `edges`, or `nodes at positions`."""
    is_cells = question.grain is CircuitGrain.POSITIONS
    return "nodes at positions" if is_cells else str(question.grain)


def _has_spread(scores: CircuitScores) -> bool:
    """Whether prompts differ in any outcome of a circuit, beyond rounding of float32."""
    parts = (scores.model, scores.kept, scores.empty, scores.knocked_out)
    return any(float(np.ptp(part)) > 1e-6 * max(1.0, float(np.abs(part).max())) for part in parts)


def _beside(circuit: Circuit, prompts: SearchPrompts) -> Beside:
    found = circuit.scores(prompts.held_out)
    whole = found.model - found.empty
    # A read-out such as kl falls from nothing to the whole model: F is the same share either way.
    sign = -1.0 if whole.mean() < 0 else 1.0
    kept, gone = found.kept - found.empty, found.model - found.knocked_out
    return Beside(
        found,
        ratio_interval(sign * kept, sign * whole),
        ratio_interval(sign * gone, sign * whole),
    )


def _stability(circuit: Circuit, scores: Scores, seed: int) -> Stability | None:
    if scores.per_prompt is None or scores.sign == "survival" or len(scores.question.pairs) < 2:
        return None
    return stability(scores, circuit.before, seed=seed, resamples=ALONE)


def _truths(circuit: Circuit, scores: Scores | None) -> list[Truth]:
    asked = circuit.question
    source = asked.net.model.provenance.source
    if not source.startswith(KNOWN) or asked.grain is CircuitGrain.POSITIONS:
        return []  # known circuits are edges: of positions they say nothing
    from causalnet.known_circuits import known_circuit

    known: KnownCircuit = known_circuit(source.removeprefix(KNOWN))
    structural = frozenset(f"{a} -> {b}" for a, b in known.truth)
    live = live_truth(asked, known.truth).live
    return [
        _truth("structural", structural, circuit, scores),
        _truth("live", live, circuit, scores),
    ]


def _truth(name: str, edges: frozenset[str], circuit: Circuit, scores: Scores | None) -> Truth:
    units = _units(circuit.question, edges)
    recovery = (
        compare_with_truth(circuit.names, units, circuit.question.units.names) if units else None
    )
    try:
        ranking = None if scores is None or not units else ranking_score(scores, units)
    except ParameterError:  # all units are true: there is nothing to rank
        ranking = None
    return Truth(name, units, ranking, recovery)


def _units(question: Question, edges: frozenset[str]) -> frozenset[str]:
    """Return the units that true edges make true: themselves, their receivers or their senders."""
    units = question.units
    if units.grain is CircuitGrain.EDGES:
        return edges
    owners = (units.owner[units.sites.index(edge)] for edge in edges)
    return frozenset(units.names[owner] for owner in owners if owner >= 0)
