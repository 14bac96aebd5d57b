"""What a claim file runs: the forward passes of its claims, counted before anything is run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from causalnet.claims.circuits import circuit_of
from causalnet.claims.kinds import (
    BetterThanRandomClaim,
    Claim,
    FaithfulClaim,
    NecessaryClaim,
    Part,
    RobustClaim,
)
from causalnet.claims.kinds.agreement import READ_BY
from causalnet.claims.kinds.base import EVERYTHING, ONLY, WHOLE_MODEL, WITHOUT, Calls
from causalnet.claims.schema import ClaimFile
from causalnet.claims.task_spec import TaskSpec
from causalnet.errors import ClaimFileError
from causalnet.interventions import Query, runs_of
from causalnet.statistics.mixture import MINIMUM_N
from causalnet.statistics.wins import expected_wins_stop

__all__ = [
    "Count",
    "Run",
    "batches_of",
    "claim_forwards",
    "prompts_of",
    "runs_of_claim",
    "together",
]

LOOK = 8
"""Random circuits for each look."""

RECORDED = 16
"""Prompts of a forward that means are taken from."""

Run = Part

_WHOLE = "whole model"
_PARTS = (EVERYTHING, ONLY, WITHOUT)


@dataclass(frozen=True, slots=True)
class Count:
    """Forward passes.

    Attributes:
        plain: Over a batch of the file's prompts each.
        learned: Over the prompts of a learning step or look each.
        steps: Steps of learning, which go backward too.
        prompts: Prompts that all plain ones run together, a prompt once for each run.
    """

    plain: int = 0
    learned: int = 0
    steps: int = 0
    prompts: int = 0

    @classmethod
    def of(cls, runs: int, prompts: int, batch: int) -> "Count":
        """Return so many runs over so many prompts, in batches."""
        return cls(runs * -(-prompts // batch), prompts=runs * prompts)

    def __add__(self, other: "Count") -> "Count":
        """Return the sum."""
        return Count(
            self.plain + other.plain,
            self.learned + other.learned,
            self.steps + other.steps,
            self.prompts + other.prompts,
        )

    def __mul__(self, times: int) -> "Count":
        """Return so many times the count."""
        return Count(
            self.plain * times, self.learned * times, self.steps * times, self.prompts * times
        )

    @property
    def forwards(self) -> int:
        """All forward passes."""
        return self.plain + self.learned

    def equivalents(self, file: ClaimFile, n: int) -> float:
        """Return the count in forwards over all `n` test prompts; a backward is taken for two."""
        learning = self.learned + 2 * self.steps
        learned = learning * file.ablation.learns.batch if learning else 0
        return (self.prompts + learned) / max(n, 1)


def prompts_of(file: ClaimFile, spec: TaskSpec) -> int:
    """Return how many prompts there are at most; rows of a file are counted by its lines.

    Raises:
        ClaimFileError: A file of prompts that cannot be read.
    """
    if spec.file is None:
        return spec.n or 0
    here = Path(file.source.path).parent if file.source else Path()
    try:
        with open(here / spec.file, "rb") as rows:
            lines = sum(1 for line in rows if line.strip())
    except OSError as error:
        raise ClaimFileError(
            f"The file of prompts {spec.file!r} cannot be read: {error.strerror}.",
            "It lies beside the claim file.",
            "Write the name of a file that is there: 'task: {file: pairs.jsonl}'.",
        ) from error
    return min(lines, spec.n or lines)


def batches_of(file: ClaimFile, n: int) -> tuple[int, int]:
    """Return after how many batches a claim can be settled first, and how many there are."""
    last = -(-n // file.batch)
    return min(last, -(-MINIMUM_N // file.batch)), last


def runs_of_claim(file: ClaimFile, claim: Claim, query: Query | None) -> tuple[Run, ...]:
    """Return the runs that a claim needs on each batch of test prompts.

    A comparison with random circuits needs there what tells whether there is a behaviour at all.
    """
    of_edges = file.ablation.level == "edges"
    if query is not None:
        by = " by hooks" if of_edges else ""
        return tuple((f"{name}{by}", ()) for name in runs_of(query.leaves))
    parts = list(claim.parts(circuit_of(file, claim) if claim.about_circuit else ()))
    own = _called(file, parts, claim.reads_model)
    controls = range(len(claim.control_tasks))
    return own + tuple((f"{name}, control {c}", about) for c in controls for name, about in own)


def _called(file: ClaimFile, parts: list[Run], reads_model: bool) -> tuple[Run, ...]:
    """Return the runs of a call: of parts, and of the whole model where it is read."""
    of_edges = file.ablation.level == "edges"
    if not parts and not reads_model:
        return ()
    runs = _of_edges(file, parts) if of_edges else _of_nodes(file, parts)
    # Denoising restores values of the base run, and a divergence is one from it.
    runs_base = file.direction == "denoising" or file.readout == "kl"
    if reads_model or (not of_edges and runs_base):
        return runs
    return tuple(run for run in runs if run[0] != (_WHOLE if of_edges else "base"))


def _of_nodes(file: ClaimFile, parts: list[Run]) -> tuple[Run, ...]:
    base: Run = ("base", ())
    if not parts:
        return (base,)
    donors: list[Run] = [(name, ()) for name in _donors(file)]
    if file.direction == "denoising":  # the corrupted run is what everything ablated is
        rest = [part for part in parts if not part[0].startswith(EVERYTHING)]
        donors, parts = donors if len(rest) < len(parts) else [], rest
    # Another read-out is another reading of the same run.
    runs = dict.fromkeys((name.partition(READ_BY)[0], about) for name, about in parts)
    return (base, *donors, *_drawn(file, runs))


def _of_edges(file: ClaimFile, parts: list[Run]) -> tuple[Run, ...]:
    """Return the runs of masks: what is known of the prompts, then a run for each mask."""
    masks = _drawn(file, [(_WHOLE, ()), *parts])
    if file.ablation.kind == "optimal":
        return tuple(run for mask in masks for run in ((f"base for {mask[0]}", mask[1]), mask))
    known = "base" if file.direction == "noising" else "source"
    donors = ("base",) if file.direction == "denoising" else _donors(file)
    return ((known, ()), *((name, ()) for name in donors), *masks)


def _drawn(file: ClaimFile, parts: Iterable[Run]) -> tuple[Run, ...]:
    """Return parts, one for each draw where there are several."""
    draws = file.ablation.draws
    if draws == 1:
        return tuple(parts)
    return tuple((f"{name}, draw {d}", about) for name, about in parts for d in range(draws))


def _donors(file: ClaimFile) -> tuple[str, ...]:
    """Return the runs that values are taken from."""
    draws = range(file.ablation.draws)
    match file.ablation.kind:
        case "counterfactual":
            return ("source",)
        case "resample":
            return tuple(f"reference prompts, draw {d}" for d in draws)
        case "noise":
            return tuple(f"noised base, draw {d}" for d in draws)
    return ()


def claim_forwards(
    file: ClaimFile, claim: Claim, runs: Sequence[Run], n: int, known: tuple[str, ...]
) -> tuple[Count, Count]:
    """Return the forwards of one claim if it is settled first, and if it never is.

    Args:
        file: The claim file.
        claim: The claim.
        runs: What it needs on each batch of test prompts.
        n: How many test prompts there are at most.
        known: The names of all that can be ablated.
    """
    return _with_random(file, [claim], set(runs), n, known)


def together(
    file: ClaimFile, runs: Sequence[tuple[Run, ...]], n: int, known: tuple[str, ...]
) -> tuple[Count, Count]:
    """Return forwards of all claims, runs that they share counted once."""
    every = {run for own in runs for run in own}
    fewest, most = _with_random(file, file.claims, every, n, known)
    grid = grid_count(file)
    fewest, most = fewest + grid, most + grid
    reference = file.ablation.reference
    means = file.ablation.kind in ("mean", "mean_per_position")
    if reference is None or not means:
        return fewest, most
    recorded = Count.of(1, prompts_of(file, reference), RECORDED)
    return fewest + recorded, most + recorded


def _with_random(
    file: ClaimFile, claims: Iterable[Claim], runs: set[Run], n: int, known: tuple[str, ...]
) -> tuple[Count, Count]:
    first, _ = batches_of(file, n)
    learned = _learning(file) * sum(name.startswith(_PARTS) for name, _ in runs)
    least = min(first * file.batch, n)
    fewest = Count.of(len(runs), least, file.batch) + learned
    most = Count.of(len(runs), n, file.batch) + learned
    for claim in claims:
        if isinstance(claim, BetterThanRandomClaim):
            compared = _random_forwards(file, claim, n)
            fewest, most = fewest + compared[0], most + compared[1]
        circuit = circuit_of(file, claim) if claim.about_circuit else ()
        for calls in claim.besides(circuit, known, n):
            each = _call(file, calls)
            fewest, most = fewest + each * calls.fewest, most + each * calls.most
    return fewest, most


def grid_count(file: ClaimFile) -> Count:
    """Return what the grid of other conventions runs; nothing where no claim is measured in it."""
    spec, shares = file.robustness, _shares(file)
    if spec.skip or not shares:
        return Count()
    prompts = min(spec.prompts, prompts_of(file, file.task))
    count = Count()
    of_edges = file.ablation.level == "edges"
    for one in spec.planned():
        donors = 1 if one.ablation in ("counterfactual", "resample") else 0
        emptied = 0 if one.direction == "denoising" and not of_edges else 1
        count += Count.of(1 + of_edges + donors + emptied + shares, prompts, file.batch)
        if one.ablation.startswith("mean"):
            count += Count.of(1, one.reference or 0, RECORDED)
    return count


def _shares(file: ClaimFile) -> int:
    """Return how many runs of circuits a convention of the grid has."""
    runs: dict[tuple[str, tuple[str, ...]], int] = {}
    for claim in file.claims:
        if isinstance(claim, FaithfulClaim | NecessaryClaim | RobustClaim):
            circuit = circuit_of(file, claim)
            drawn = None if isinstance(claim, RobustClaim) else claim.by_chance
            for share in ("faithfulness", "necessity"):
                runs.setdefault((share, circuit), 1)
            if drawn is not None:
                runs[f"{claim.share} {drawn}", circuit] = drawn.draws
    return sum(runs.values())


def _call(file: ClaimFile, calls: Calls) -> Count:
    """Return the forwards of one call beside the test's batches."""
    finding = file.found.task or file.task
    prompts = prompts_of(file, finding) if calls.prompts is None else calls.prompts
    parts = [part for part in calls.parts if part != WHOLE_MODEL]
    runs = _called(file, parts, WHOLE_MODEL in calls.parts)
    learned = _learning(file) * sum(name.startswith(_PARTS) for name, _ in parts)
    return Count.of(len(runs), prompts, file.batch) + learned


def _learning(file: ClaimFile) -> Count:
    """Return what learning the constants of one set runs; nothing where nothing is learned."""
    spec = file.ablation
    if spec.kind != "optimal" or spec.reference is None:
        return Count()
    everywhere = spec.positions is None
    of_edges = spec.level == "edges"
    prompts = prompts_of(file, spec.reference)
    forwards = spec.learns.forwards(prompts, of_edges=of_edges, everywhere=everywhere)
    return Count(0, forwards, spec.learns.steps)


def _random_forwards(file: ClaimFile, claim: BetterThanRandomClaim, n: int) -> tuple[Count, Count]:
    """Return forwards of a comparison: a few that are shared, and one for each circuit and draw."""
    prompts = min(claim.prompts, n)
    straight = expected_wins_stop(1.0, claim.fraction, file.alpha) or claim.max_circuits
    donors, draws = len(_donors(file)), file.ablation.draws
    of_edges = file.ablation.level == "edges"

    def forwards(circuits: int) -> Count:
        learned = _learning(file) * (circuits + 1)
        if of_edges and file.ablation.kind == "optimal":
            return Count.of(2 * (3 + circuits), prompts, file.batch) + learned
        if of_edges:
            return Count.of(1 + donors + draws * (3 + circuits), prompts, file.batch)
        looks = -(-circuits // LOOK)
        runs = 1 + 2 * draws + donors * looks + circuits * draws
        return Count.of(runs, prompts, file.batch) + learned

    straight = max(straight, claim.min_circuits)
    fewest = min(-(-straight // LOOK) * LOOK, claim.max_circuits)
    return forwards(fewest), forwards(claim.max_circuits)
