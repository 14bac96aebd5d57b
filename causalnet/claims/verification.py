"""`verify`: from a claim file to verdicts."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.claims.circuits import check_against_graph, circuit_of, place_error, universe
from causalnet.claims.conventions import conventions_of
from causalnet.claims.effects import level_of, queries_of, units_of
from causalnet.claims.prompts import (
    finding_digests,
    reference_prompts,
    shared_with_reference,
    testing_pairs,
)
from causalnet.claims.reading import read_claim_file
from causalnet.claims.results import ClaimResult, Cost, VerificationReport
from causalnet.claims.schema import ClaimFile
from causalnet.statistics import Decision, Reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from causalnet.claims.measuring import Meter
    from causalnet.claims.trials import Gate, RandomTrial, Trial
    from causalnet.effects import EffectTable
    from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Wanted
    from causalnet.lift import LiftedNetwork
    from causalnet.models import LanguageModel
    from causalnet.tasks import PromptPairs

__all__ = ["ProgressReport", "verify"]


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """Where a verification stands.

    Attributes:
        stage: What is being done: `load the model`, `lift the model`, `make prompts`,
            `test claims`, `compare with random circuits`, `measure single heads`.
        done: Forward passes done in this stage.
        total: At most so many in all; shrinks as claims settle.
        settled: Ids of the claims that are decided.
    """

    stage: str
    done: int = 0
    total: int = 0
    settled: tuple[str, ...] = ()


Report = Callable[[ProgressReport], None]


def verify(
    claim_file: ClaimFile | str | Path,
    *,
    net: "LiftedNetwork | None" = None,
    seed: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    heatmap_pairs: int = 0,
    command: Sequence[str] = (),
    progress: Report | None = None,
) -> VerificationReport:
    """Test every claim of a file on its prompts, batch by batch, until each is settled.

    All claims share the forwards of a batch; a claim that is settled asks for no more.

    Args:
        claim_file: The file, or its path.
        net: A lifted network in place of the file's model.
        seed: Replaces the seed of the file's prompts.
        device: Where the model runs, such as `cuda:0`.
        dtype: Replaces the file's number type.
        heatmap_pairs: On how many pairs the exact effect of every single head is measured for the
            heat map; 0 for none.
        command: What was typed, for provenance.
        progress: Told where the verification stands.

    Raises:
        ClaimFileError: A file that cannot be read, a circuit of another model.
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made or do not line up.
        ModelNotFoundError, ModelFileError, LiftError, DeviceError: A model that cannot be used.
        NumericalError: NaN or infinity in an activation.
        OutOfMemoryError: Memory ran out with a batch of one prompt.
    """
    tell: Report = progress or (lambda _: None)
    file = claim_file if isinstance(claim_file, ClaimFile) else read_claim_file(claim_file)
    lifted = net if net is not None else _load(file, device, dtype, tell)
    started = time.perf_counter(), time.process_time()
    case = _prepare(file, lifted, seed, tell)
    decisions = _hear(case)
    effects = _single_heads(case, heatmap_pairs)
    results = tuple(
        ClaimResult(
            claim=trial.claim,
            decision=_qualified(case, trial, decision),
            circuit=tuple(map(str, trial.circuit)),
            conventions=conventions_of(
                file, trial.claim, tuple(map(str, trial.circuit)), len(case.scorer.universe), level
            ),
            means=dict(trial.means),
            readout_unit=units[0],
            unit=units[1],
        )
        for trial, decision, units, level in zip(
            case.trials, decisions, case.units, case.levels, strict=True
        )
    )
    cost = Cost(
        forwards=case.meter.forwards,
        prompts=case.used,
        prompts_declared=len(case.pairs),
        batch_size=case.meter.batch_size,
        halvings=case.meter.halvings,
        wall_seconds=time.perf_counter() - started[0],
        cpu_seconds=time.process_time() - started[1],
    )
    return VerificationReport(
        claim_file=file,
        results=results,
        circuit=circuit_of(file),
        provenance=_provenance(case, command),
        cost=cost,
        effects=effects,
        notes=_notes(case, cost),
    )


@dataclass(slots=True)
class _Case:
    """Everything that is needed to hear the claims."""

    file: ClaimFile
    net: "LiftedNetwork"
    pairs: "PromptPairs"
    scorer: "CircuitScorer | EdgeCircuitScorer"
    meter: "Meter"
    trials: tuple["Trial", ...]
    units: tuple[tuple[str, str], ...]
    levels: tuple[str, ...]
    gate: "Gate"
    overlap: int | None
    shared: int
    seed: int
    tell: Report
    used: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0

    def begin(self, stage: str, total: int) -> None:
        """Enter a stage with at most so many forwards."""
        self.stage, self.done, self.total = stage, 0, total
        self.report()

    def count(self) -> None:
        """Count one forward."""
        self.done += 1
        self.report()

    def report(self) -> None:
        """Say where the verification stands."""
        settled = tuple(trial.claim.id for trial in self.trials if trial.is_settled)
        self.tell(ProgressReport(self.stage, self.done, max(self.done, self.total), settled))


def _load(file: ClaimFile, device: str | None, dtype: str | None, tell: Report) -> "LiftedNetwork":
    from causalnet.lift import lift
    from causalnet.models import load

    tell(ProgressReport("load the model"))
    spec = file.model
    beside = None if file.source is None else Path(file.source.path).parent / spec.source
    source = str(beside) if beside is not None and beside.exists() else spec.source
    model = load(source, device=device, dtype=dtype or spec.dtype, attention=spec.attention)
    tell(ProgressReport("lift the model"))  # whose self-check runs the first forwards
    return lift(model)


def _prepare(file: ClaimFile, net: "LiftedNetwork", seed: int | None, tell: Report) -> _Case:
    from causalnet.claims.measuring import Meter, scorer_of
    from causalnet.claims.trials import Gate, trial_of

    _check_weights(file, net.model)
    check_against_graph(file, net.graph)
    tell(ProgressReport("make prompts"))
    tokenizer = net.model.tokenizer
    pairs = testing_pairs(file, tokenizer, seed)
    found = finding_digests(file, tokenizer)
    known = universe(file, net.graph)
    chance = seed if seed is not None else (file.task.seed or 0)
    reference = reference_prompts(file, tokenizer)
    scorer = scorer_of(file, net, tuple(known.values()), reference, chance)

    queries = queries_of(file, net.graph)

    def trial(index: int) -> "Trial":
        claim = file.claims[index]
        names = circuit_of(file, claim)
        circuit = tuple(mediator for name, mediator in known.items() if name in names)
        return trial_of(claim, file, circuit, scorer.universe, (chance, index), queries[index])

    case = _Case(
        file=file,
        net=net,
        pairs=pairs,
        scorer=scorer,
        meter=Meter(scorer, lambda: case.count()),
        trials=tuple(trial(index) for index in range(len(file.claims))),
        units=tuple(units_of(file, *pair) for pair in zip(file.claims, queries, strict=True)),
        levels=tuple(level_of(file, *pair) for pair in zip(file.claims, queries, strict=True)),
        gate=Gate(file),
        overlap=None if found is None else sum(one in found for one in pairs.prompt_digests()),
        shared=shared_with_reference(pairs, reference),
        seed=chance,
        tell=tell,
    )
    return case


def _check_weights(file: ClaimFile, model: "LanguageModel") -> None:
    wanted = file.model.weights_sha256
    if wanted is None:
        return
    found = model.provenance.weights_sha256
    if found != wanted:
        raise place_error(
            file,
            ("model", "weights_sha256"),
            f"The model's weights have the hash {found}.",
            "The claims are about the weights with the hash in the file.",
            "Fetch those weights again, or write the hash of these and test the claims anew.",
        )


def _hear(case: _Case) -> tuple[Decision, ...]:
    """Feed all trials batch by batch, then compare with random circuits."""
    from causalnet.claims.trials import RandomTrial

    random_trials = [trial for trial in case.trials if isinstance(trial, RandomTrial)]
    hearing = (*case.trials, *((case.gate,) if random_trials else ()))
    batch, count = case.file.batch, len(case.pairs)
    for start in range(0, count, batch):
        wanted = dict.fromkeys(part for one in hearing for part in one.wants())
        if not wanted:
            break
        each = len(wanted) + 1  # the source prompts, whose values are set
        if case.stage == "test claims":
            case.total = case.done + each * -(-(count - start) // batch)
        else:
            case.begin("test claims", each * -(-count // batch))
        rows = range(start, min(start + batch, count))
        scores = case.meter.read(case.pairs.rows(rows), tuple(wanted))
        for one in hearing:
            one.take(scores)
        case.used = rows.stop
    return tuple(
        _compare(case, trial) if isinstance(trial, RandomTrial) else trial.decision()
        for trial in case.trials
    )


def _compare(case: _Case, trial: "RandomTrial") -> Decision:
    """Run random circuits until the trial is settled; UNDEFINED where there is no behaviour."""
    undefined = trial.gated(case.gate.decision())
    if undefined is not None:
        return undefined
    pairs = case.pairs.rows(range(min(trial.settings.prompts, len(case.pairs))))
    case.used = max(case.used, len(pairs))
    batches = -(-len(pairs) // case.file.batch)
    case.begin("compare with random circuits", (trial.settings.max_circuits + 4) * batches)
    scores: dict[Wanted, NDArray[np.float64]] = {}
    for wanted, rivals in trial.rounds():
        scores |= case.meter.read(pairs, wanted)
        trial.judge(scores, rivals)
    return trial.decision()


def _qualified(case: _Case, trial: "Trial", decision: Decision) -> Decision:
    """Take SUPPORTED back, or add a caveat, where test prompts may have found the circuit."""
    if case.overlap:
        return decision.capped(
            Reason.FIND_TEST_OVERLAP,
            f"{case.overlap} of the {len(case.pairs)} test prompts also found the circuit, so that "
            "they cannot support a claim; test on a fresh seed. On these prompts: "
            f"{decision.sentence}",
        )
    if case.overlap == 0 or not trial.circuit:
        return decision
    if case.file.found.is_given:
        return decision.with_caveat(
            "The circuit was given, and the file names no prompts that it was found on: that none "
            "of them tests it here is the author's word."
        )
    return decision.capped(
        Reason.FINDING_PROMPTS_UNKNOWN,
        "The file does not name the prompts that the circuit was found on, so that the test "
        "prompts may be among them and cannot support a claim; name them with "
        f"'found: {{task: …}}'. On these prompts: {decision.sentence}",
    )


def _single_heads(case: _Case, count: int) -> "EffectTable | None":
    """Measure the exact effect of ablating every single head, for the heat map."""
    if count <= 0 or case.file.ablation.kind == "optimal":  # every head would be learned for
        return None
    from causalnet.effects import run
    from causalnet.interventions import ablation_effect, nie

    scorer, heads = case.scorer, case.net.heads()
    pairs = case.pairs.rows(range(min(count, len(case.pairs))))
    batches = -(-len(pairs) // case.meter.batch_size)
    case.begin("measure single heads", (len(heads) + 2) * batches)
    interchange = case.file.ablation.kind == "counterfactual" and case.file.direction == "noising"
    query = (
        nie(heads, at=scorer.at, outcome=scorer.readout)
        if interchange
        else ablation_effect(
            heads, scorer.ablation, at=scorer.at, outcome=scorer.readout, direction=scorer.direction
        )
    )
    return run(
        query,
        case.net,
        pairs,
        reference=scorer.reference,
        batch_size=case.meter.batch_size,
        seed=case.seed,
        progress=lambda done, total: case.count(),
    )


def _provenance(case: _Case, command: Sequence[str]) -> dict[str, Any]:
    import torch

    source = case.file.source
    return {
        "claim_file": None if source is None else {"path": source.path, "sha256": source.sha256},
        "command": list(command) or list(sys.argv),
        "seed": case.seed,
        "model": case.net.model.provenance.to_json(),
        "graph": case.net.graph.fingerprint(),
        "self_check": case.net.check.to_json(),
        "shape": {
            "layers": case.net.graph.shape.layers,
            "heads": case.net.graph.shape.heads,
            "kv_heads": case.net.graph.shape.kv_heads,
        },
        "pairs": {"digest": case.pairs.digest(), "record": case.pairs.record.to_json()},
        "found": case.file.found.model_dump(mode="json", exclude_none=True),
        "overlap": case.overlap,
        "reference": case.scorer.ablation.reference,
        "ablation": case.scorer.ablation.to_json(),
        "level": case.file.ablation.level,
        "learned": list(case.scorer.learned),
        "executor": "masked runs" if case.file.ablation.level == "edges" else "hooks",
        "python": sys.version.split()[0],
        "threads": torch.get_num_threads(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _notes(case: _Case, cost: Cost) -> tuple[str, ...]:
    notes = []
    if case.overlap is None:
        notes.append(
            "The file does not name the prompts on which the circuit was found, so that an "
            "overlap with the test prompts cannot be ruled out."
        )
    elif case.overlap:
        notes.append(f"{case.overlap} of {len(case.pairs)} test prompts also found the circuit.")
    if case.shared:
        notes.append(
            f"{case.shared} prompts of the ablation's reference set are test prompts: what is "
            "ablated is set to values that these prompts themselves had."
            if case.file.ablation.kind != "optimal"
            else f"{case.shared} prompts that constants were learned on are test prompts."
        )
    if cost.halvings:
        notes.append(
            f"Memory ran out and the batch was halved {cost.halvings} times, "
            f"from {case.file.batch} to {cost.batch_size} prompts."
        )
    if case.pairs.dropped:
        reasons = ", ".join(f"{name}: {n}" for name, n in case.pairs.drop_reasons.items())
        notes.append(f"{case.pairs.dropped} drawn pairs were left out ({reasons}).")
    return tuple(notes)
