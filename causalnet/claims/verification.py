"""`verify`: from a claim file to verdicts."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.claims.budget import Budget, Spending
from causalnet.claims.circuits import check_against_graph, circuit_of, place_error, universe
from causalnet.claims.conventions import conventions_of
from causalnet.claims.effects import level_of, queries_of, units_of
from causalnet.claims.networks import load_network
from causalnet.claims.progress import ProgressReport, Report
from causalnet.claims.prompts import (
    check_seed,
    found_on,
    repeated,
    shared_with_reference,
)
from causalnet.claims.reading import read_claim_file
from causalnet.claims.results import ClaimResult, Cost, VerificationReport
from causalnet.claims.robustness_grid import Grid
from causalnet.claims.robustness_verdict import robustness_sentence
from causalnet.claims.runs import begin_run, end_run
from causalnet.claims.schema import ClaimFile
from causalnet.interventions import Query
from causalnet.statistics import Decision, Reason
from causalnet.store import Ledger

if TYPE_CHECKING:
    from causalnet.claims.hearing import Hearing
    from causalnet.claims.trials import Trial
    from causalnet.lift import LiftedNetwork
    from causalnet.models import LanguageModel

__all__ = ["verify"]


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
    ledger: Ledger | None = None,
    budget: Budget | Spending | str | None = None,
    allow_code: bool = False,
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
        ledger: Where the model's answers are kept and found again, and the report as a run.
        budget: What may be run, such as `300fe` or `10min`; claims that are not settled by then
            are INCONCLUSIVE.  What is found in the ledger costs nothing.
        allow_code: Whether Python code that the file names, for a hypothesis, may be run.

    Raises:
        ClaimFileError: A file that cannot be read, a circuit of another model.
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made or do not line up.
        ModelNotFoundError, ModelFileError, LiftError, DeviceError: A model that cannot be used.
        NumericalError: NaN or infinity in an activation.
        OutOfMemoryError: Memory ran out with a batch of one prompt.
        ParameterError: The ledger of another model, a budget that is none.
        FormatError: A ledger that was altered or cannot be written.

    >>> from causalnet.claims.reading import read_claims
    >>> from causalnet.claims.source_text import SourceText
    >>> source = "known:indirect_object"
    >>> text = f'''
    ... schema: 1
    ... model: {{source: {source}}}
    ... task: {{name: {source}, n: 64, seed: 3}}
    ... circuit: [L0.H0, L1.H0, L2.H0]
    ... found: {{method: given, note: read off the weights}}
    ... ablation: {{kind: zero}}
    ... range: [-12, 12]
    ... robustness: {{skip: true, reason: an example}}
    ... claims: [{{id: half, kind: faithful, statement: They keep half of it., at_least: 0.5}}]
    ... '''
    >>> [half] = verify(read_claims(SourceText("claims.yaml", text))).results
    >>> print(half.decision.verdict, half.decision.reason)
    SUPPORTED supported_by_interval
    """
    from causalnet.claims.reporting_curve import size_curve
    from causalnet.claims.robustness import robustness_grid
    from causalnet.claims.single_heads import single_heads
    from causalnet.claims.trying import hear

    tell: Report = progress or (lambda _: None)
    file = claim_file if isinstance(claim_file, ClaimFile) else read_claim_file(claim_file)
    spending = _spending(budget)
    lifted = net if net is not None else load_network(file, device, dtype, tell)
    started = time.perf_counter(), time.process_time()
    run_id = "" if ledger is None else begin_run(ledger, file, lifted, seed)
    case = _prepare(file, lifted, seed, tell, ledger, spending, allow_code)
    decisions = hear(case.hearing, case.trials)
    hearing = case.hearing
    grid = robustness_grid(hearing)
    decisions = _with_grid(case, decisions, grid)
    effects = None if spending.is_out else single_heads(hearing, heatmap_pairs)
    curve = size_curve(hearing) if heatmap_pairs else None
    results = tuple(
        _result(case, index, decision, grid) for index, decision in enumerate(decisions)
    )
    cost = Cost(
        forwards=hearing.meter.forwards,
        prompts=hearing.used,
        prompts_declared=len(hearing.pairs("test")),
        batch_size=hearing.meter.batch_size,
        halvings=hearing.meter.halvings,
        wall_seconds=time.perf_counter() - started[0],
        cpu_seconds=time.process_time() - started[1],
        reused=hearing.meter.reused,
    )
    report = VerificationReport(
        claim_file=file,
        results=results,
        circuit=circuit_of(file),
        provenance=_provenance(case, command),
        cost=cost,
        effects=effects,
        notes=_notes(case, cost),
        run_id=run_id,
        grid=grid,
        curve=curve,
    )
    if ledger is not None:
        end_run(ledger, report, is_out=spending.is_out)
    return report


def _spending(budget: Budget | Spending | str | None) -> Spending:
    if isinstance(budget, Spending):
        return budget
    return Spending(Budget() if budget is None else Budget.of(budget))


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """The claims of a file, each on trial, and what they share."""

    hearing: "Hearing"
    trials: tuple["Trial", ...]
    queries: tuple[Query | None, ...]
    overlap: int | None
    shared: int
    loose: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> ClaimFile:
        """The claim file."""
        return self.hearing.file


def _with_grid(case: _Case, decisions: tuple[Decision, ...], grid: Grid) -> tuple[Decision, ...]:
    """Return the decisions, those that are about the grid judged by it."""
    from causalnet.claims.trials import RobustTrial

    for trial in case.trials:
        if isinstance(trial, RobustTrial) and not grid.skipped:
            trial.judge(grid)
    pairs = zip(case.trials, decisions, strict=True)
    return tuple(
        trial.decision() if isinstance(trial, RobustTrial) else decision
        for trial, decision in pairs
    )


def _result(case: _Case, index: int, decision: Decision, grid: Grid) -> ClaimResult:
    file, trial, query = case.file, case.trials[index], case.queries[index]
    circuit = tuple(map(str, trial.circuit))
    readout_unit, unit = units_of(file, trial.claim, query)
    level = level_of(file, trial.claim, query)
    qualified = _qualified(case, trial, decision)
    return ClaimResult(
        claim=trial.claim,
        decision=qualified,
        circuit=circuit,
        conventions=conventions_of(file, trial.claim, circuit, len(case.hearing.universe), level),
        means=dict(trial.means),
        evidence=dict(trial.evidence),
        readout_unit=readout_unit,
        unit=unit,
        robustness=robustness_sentence(grid, trial.claim, circuit, qualified),
    )


def _prepare(
    file: ClaimFile,
    net: "LiftedNetwork",
    seed: int | None,
    tell: Report,
    ledger: Ledger | None,
    spending: Spending,
    allow_code: bool,
) -> _Case:
    from causalnet.claims.hearing import Hearing
    from causalnet.claims.trials import Context, trial_of

    _check_weights(file, net.model)
    check_against_graph(file, net.graph)
    check_seed(file, seed)
    tell(ProgressReport("make prompts"))
    known = universe(file, net.graph)
    chance = seed if seed is not None else (file.task.seed or 0)
    trials: list[Trial] = []

    def settled() -> tuple[str, ...]:
        return tuple(trial.claim.id for trial in trials if trial.is_settled)

    hearing = Hearing(
        file,
        net,
        tuple(known.values()),
        chance,
        seed,
        tell,
        settled,
        ledger,
        spending,
        allow_code,
    )
    queries = queries_of(file, net.graph)
    for index, (claim, query) in enumerate(zip(file.claims, queries, strict=True)):
        names = circuit_of(file, claim)
        circuit = tuple(mediator for name, mediator in known.items() if name in names)
        about = circuit if claim.about_circuit else ()
        trials.append(trial_of(claim, Context(hearing, about, (chance, index), query)))
    pairs = hearing.pairs("test")
    return _Case(
        hearing=hearing,
        trials=tuple(trials),
        queries=queries,
        overlap=found_on(file, net.model.tokenizer, pairs),
        shared=shared_with_reference(pairs, hearing.reference),
        loose=_loose(file, net, trials),
    )


def _loose(
    file: ClaimFile, net: "LiftedNetwork", trials: "Sequence[Trial]"
) -> tuple[tuple[str, str], ...]:
    """Return claims whose circuits have edges on no path, with which."""
    from causalnet.faithfulness import connection

    found = []
    for trial in trials:
        if file.ablation.level != "edges" or not (trial.claim.about_circuit and trial.circuit):
            continue
        if trial.claim.kind in ("necessary", "sweep"):  # a part can be needed that is no path
            continue
        told = connection(net.graph, trial.circuit)
        if not told.is_connected:
            whole = "" if told.pruned else "The circuit is disconnected. "
            found.append((trial.claim.id, f"{whole}{told}"))
    return tuple(found)


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


def _qualified(case: _Case, trial: "Trial", decision: Decision) -> Decision:
    """Take SUPPORTED back, or add a caveat, where test prompts may have found the circuit."""
    if not trial.claim.is_tested:
        return decision
    if case.overlap:
        tested = len(case.hearing.pairs("test"))
        return decision.capped(
            Reason.FIND_TEST_OVERLAP,
            f"{case.overlap} of the {tested} test prompts also found the circuit, so that "
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


def _provenance(case: _Case, command: Sequence[str]) -> dict[str, Any]:
    import torch

    hearing = case.hearing
    net, scorer, pairs = hearing.net, hearing.scorer, hearing.pairs("test")
    source = case.file.source
    return {
        "claim_file": None if source is None else {"path": source.path, "sha256": source.sha256},
        "command": list(command) or list(sys.argv),
        "seed": hearing.chance,
        "model": net.model.provenance.to_json(),
        "graph": net.graph.fingerprint(),
        "self_check": net.check.to_json(),
        "shape": {
            "layers": net.graph.shape.layers,
            "heads": net.graph.shape.heads,
            "kv_heads": net.graph.shape.kv_heads,
        },
        "pairs": {"digest": pairs.digest(), "record": pairs.record.to_json()},
        "found": case.file.found.model_dump(mode="json", exclude_none=True),
        "overlap": case.overlap,
        "reference": scorer.ablation.reference,
        "ablation": scorer.ablation.to_json(),
        "level": case.file.ablation.level,
        "learned": hearing.meter.learned,
        "executor": "masked runs" if case.file.ablation.level == "edges" else "hooks",
        "python": sys.version.split()[0],
        "threads": torch.get_num_threads(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _notes(case: _Case, cost: Cost) -> tuple[str, ...]:
    notes = []
    pairs = case.hearing.pairs("test")
    if case.overlap is None:
        notes.append(
            "The file does not name the prompts on which the circuit was found, so that an "
            "overlap with the test prompts cannot be ruled out."
        )
    elif case.overlap:
        notes.append(f"{case.overlap} of {len(pairs)} test prompts also found the circuit.")
    if case.shared:
        notes.append(
            f"{case.shared} prompts of the ablation's reference set are test prompts: what is "
            "ablated is set to values that these prompts themselves had."
            if case.file.ablation.kind != "optimal"
            else f"{case.shared} prompts that constants were learned on are test prompts."
        )
    notes += [f"Left out of the specification: {told}." for told in case.file.left_out]
    again = len(repeated(pairs))
    if again:
        notes.append(
            f"{again} of {len(pairs)} test pairs were drawn before: the generator has few, and "
            "verdicts are about its draws with replacement."
        )
    notes += [
        f"{claim_id}: {told} They can change nothing, whatever the model does."
        for claim_id, told in case.loose
    ]
    if cost.halvings:
        notes.append(
            f"Memory ran out and the batch was halved {cost.halvings} times, "
            f"from {case.file.batch} to {cost.batch_size} prompts."
        )
    if pairs.dropped:
        reasons = ", ".join(f"{name}: {n}" for name, n in pairs.drop_reasons.items())
        notes.append(f"{pairs.dropped} drawn pairs were left out ({reasons}).")
    return tuple(notes)
