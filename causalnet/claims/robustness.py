"""Running the grid: every circuit's faithfulness and necessity under other conventions, at small n.

Prompts are the first of those that test.  Reference sets are the file's own where it has one; else
source prompts of the same task, drawn with another seed, or, of a file, from its other rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.ablation_spec import AblationSpec, ReferenceSpec
from causalnet.claims.budget import RAN_OUT, OutOfBudget
from causalnet.claims.circuits import circuit_of
from causalnet.claims.conventions import describe_task
from causalnet.claims.hearing import Hearing
from causalnet.claims.kinds import ByChance, FaithfulClaim, NecessaryClaim, RobustClaim
from causalnet.claims.measuring import scorer_of
from causalnet.claims.prompts import pairs_of
from causalnet.claims.robustness_grid import Grid, GridConvention, GridNumber, Quantity, Values
from causalnet.claims.robustness_spec import Convention, RobustnessSpec
from causalnet.claims.schema import ClaimFile
from causalnet.effects.reference import digest_of, mean_forwards
from causalnet.errors import (
    AlignmentError,
    AnswerError,
    NumericalError,
    ParameterError,
    PromptError,
    TermError,
)
from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Member, Regime, Wanted, partly
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["GridAsked", "grid_forwards", "grid_numbers", "robustness_grid"]

WHOLE: Wanted = (Regime.MODEL, ())
EMPTY: Wanted = (Regime.EMPTY, ())
_NEED_REFERENCE = ("resample", "mean", "mean_per_position")
# What a convention may not fit; a network that cannot be run at all is an error of the whole.
_UNFIT = (AlignmentError, AnswerError, NumericalError, ParameterError, PromptError, TermError)


@dataclass(frozen=True, slots=True)
class GridAsked:
    """A number that the grid is to have.

    Attributes:
        quantity: ``faithfulness`` or ``necessity``.
        circuit: The members, in the universe's order.
        by_chance: What is kept or removed by chance; None where nothing is.
        is_claimed: Whether a claim is about it; others are measured where that is cheap.
    """

    quantity: Quantity
    circuit: tuple[Member, ...]
    by_chance: ByChance | None = None
    is_claimed: bool = True

    def parts(self, universe: Sequence[Member]) -> tuple[Wanted, ...]:
        """Return the parts whose mean it is about."""
        regime = Regime.KEPT if self.quantity == "faithfulness" else Regime.KNOCKED_OUT
        drawn = self.by_chance
        if drawn is None:
            return ((regime, self.circuit),)
        return tuple(
            partly(regime, self.circuit, universe, drawn.probability, drawn.draws, drawn.seed)
        )


def grid_numbers(file: ClaimFile, universe: Iterable[Member]) -> tuple[GridAsked, ...]:
    """Return the numbers of faithful and necessary claims, and the other one of each circuit."""
    known = tuple(universe)
    found: dict[tuple[Quantity, tuple[Member, ...], str], GridAsked] = {}
    for claim in file.claims:
        if not isinstance(claim, FaithfulClaim | NecessaryClaim | RobustClaim):
            continue
        names = frozenset(circuit_of(file, claim))
        circuit = tuple(one for one in known if str(one) in names)
        own: Quantity = claim.share
        other: Quantity = "necessity" if own == "faithfulness" else "faithfulness"
        drawn = None if isinstance(claim, RobustClaim) else claim.by_chance
        found[own, circuit, str(drawn or "")] = GridAsked(own, circuit, drawn)
        found.setdefault((other, circuit, ""), GridAsked(other, circuit, is_claimed=False))
    return tuple(found.values())


def grid_forwards(file: ClaimFile, numbers: int) -> int:
    """Return about how many forward passes a grid of so many numbers takes, at most."""
    spec = file.robustness
    batches = -(-spec.prompts // file.batch)
    plans = spec.planned()
    means = sum(-(-(one.reference or 0) // 16) for one in plans if one.ablation.startswith("mean"))
    return len(plans) * batches * (3 + numbers) + means


def robustness_grid(hearing: Hearing, asked: Sequence[GridAsked] | None = None) -> Grid:
    """Measure circuits under every convention that the file plans, and under its own.

    Args:
        hearing: The prompts that test, the network, and whoever runs it; forwards are counted
            there, and remembered.
        asked: Which numbers; None for those of the file's faithful and necessary claims.

    Returns:
        The grid.  A convention that cannot be run, for example means per position over prompts of
        unequal lengths, is in it with the reason.
    """
    file, spec = hearing.file, hearing.file.robustness
    numbers = grid_numbers(file, hearing.universe) if asked is None else tuple(asked)
    skipped = _skipped(spec, numbers)
    if skipped:
        return Grid(0, 1.0, (), (), skipped)
    test = hearing.pairs("test")
    pairs = test.rows(range(min(spec.prompts, len(test))))
    hearing.expect("measure other conventions", grid_forwards(file, len(numbers)))
    columns = [_measured(hearing, plan, pairs, numbers) for plan in _plans(file)]
    return Grid(
        n=len(pairs),
        sign=-1.0 if file.readout in ("kl", "loss") else 1.0,
        conventions=tuple(convention for convention, _ in columns),
        numbers=tuple(
            GridNumber(
                one.quantity,
                tuple(map(str, one.circuit)),
                "" if one.by_chance is None else str(one.by_chance),
                tuple(parts[index] for _, parts in columns),
            )
            for index, one in enumerate(numbers)
        ),
    )


def _skipped(spec: RobustnessSpec, numbers: Sequence[GridAsked]) -> str:
    if spec.skip:
        return spec.reason or "The claim file says so."
    return "" if numbers else "No claim is about the faithfulness or necessity of a circuit."


@dataclass(frozen=True, slots=True)
class _Plan:
    """A convention to be run: the grid's, or the file's own with all its settings."""

    convention: Convention
    is_own: bool = False


def _plans(file: ClaimFile) -> Iterator[_Plan]:
    """Yield the file's own convention first where the grid lacks it, then those of the grid."""
    spec = file.ablation
    size = None if spec.reference is None else spec.reference.n
    own = Convention(spec.kind, file.direction, size)
    planned = file.robustness.planned()
    in_grid = own in planned and spec.draws == 1
    if not in_grid:
        yield _Plan(own, is_own=True)
    for one in planned:
        yield _Plan(one, is_own=in_grid and one == own)


def _measured(
    hearing: Hearing, plan: _Plan, pairs: PromptPairs, numbers: Sequence[GridAsked]
) -> tuple[GridConvention, tuple[Values, ...]]:
    """Return a convention, and of each number what it gave, [n]; () where it gave nothing."""
    one = plan.convention
    name = str(one)
    if plan.is_own and hearing.file.ablation.draws > 1:
        name = f"{name}, {hearing.file.ablation.draws} draws"
    about = GridConvention(name, one.ablation, one.direction, one.reference, is_own=plan.is_own)
    try:
        reference, source = _reference(hearing, plan, pairs)
        about = replace(about, source=source)
        arrays = _run(hearing, plan, pairs, numbers, reference)
    except OutOfBudget:
        return replace(about, failed=RAN_OUT), ((),) * len(numbers)
    except _UNFIT as error:
        return replace(about, failed=f"{error.came} {error.possible}".strip()), ((),) * len(numbers)
    values = {name: tuple(map(float, array)) for name, array in arrays.items()}
    measured = replace(about, model=values["model"], ablated=values["ablated"])
    return measured, tuple(values.get(str(index), ()) for index in range(len(numbers)))


def _run(
    hearing: Hearing,
    plan: _Plan,
    pairs: PromptPairs,
    numbers: Sequence[GridAsked],
    reference: Prompts | PromptPairs | None,
) -> Mapping[str, NDArray[np.float64]]:
    file = hearing.file if plan.is_own else _under(hearing.file, plan.convention)
    universe: tuple[Member, ...] = tuple(hearing.universe)
    wanted = {
        index: one.parts(universe)
        for index, one in enumerate(numbers)
        # Learning constants for a set takes longer than all else together.
        if one.is_claimed or plan.convention.ablation != "optimal"
    }

    def compute() -> tuple[Mapping[str, NDArray[np.float64]], int]:
        if plan.is_own:
            return _read(hearing.scorer, pairs, wanted, hearing.meter.batch_size)
        scorer = scorer_of(file, hearing.net, universe, reference, hearing.chance)
        arrays, forwards = _read(scorer, pairs, wanted, hearing.meter.batch_size)
        return arrays, forwards + mean_forwards(scorer.ablation)

    program = " | ".join(
        (
            "robustness",
            file.readout,
            file.ablation.model_dump_json(exclude={"reference"}),
            file.direction,
            _digest(reference),
            str(hearing.chance),
            *(
                f"{index} {part[0].value} {', '.join(map(str, part[1]))}"
                for index, parts in wanted.items()
                for part in parts
                if isinstance(part, tuple)
            ),
        )
    )
    return hearing.remember(program, pairs, compute)


def _read(
    scorer: CircuitScorer | EdgeCircuitScorer,
    pairs: PromptPairs,
    wanted: Mapping[int, Sequence[Wanted]],
    batch_size: int,
) -> tuple[Mapping[str, NDArray[np.float64]], int]:
    parts = dict.fromkeys(part for own in wanted.values() for part in own)
    scores = scorer.read(pairs, (WHOLE, EMPTY, *parts), batch_size=batch_size)
    arrays = {"model": scores.values[WHOLE], "ablated": scores.values[EMPTY]}
    for index, own in wanted.items():
        arrays[str(index)] = np.asarray(np.mean([scores.values[part] for part in own], axis=0))
    return arrays, scores.forwards


def _under(file: ClaimFile, convention: Convention) -> ClaimFile:
    """Return the file with another ablation and direction; nodes, positions and seeds stay."""
    own = file.ablation
    reference = None
    if convention.ablation in _NEED_REFERENCE:
        reference = ReferenceSpec(name="ioi", n=convention.reference, seed=0)  # replaced by prompts
    ablation = AblationSpec.model_construct(
        kind=convention.ablation, ablate=own.ablate, at=own.at, reference=reference, draws=1,
        noise=None, learning=None,
    )  # fmt: skip
    return file.model_copy(update={"ablation": ablation, "direction": convention.direction})


def _reference(
    hearing: Hearing, plan: _Plan, pairs: PromptPairs
) -> tuple[Prompts | PromptPairs | None, str]:
    """Return the reference prompts of a convention, and which they are, in words."""
    file, size = hearing.file, plan.convention.reference
    if plan.is_own:
        own = file.ablation.reference
        return hearing.reference, "" if own is None else _said(own, hearing.reference, pairs)
    if plan.convention.ablation not in _NEED_REFERENCE or size is None:
        return None, ""
    given = file.ablation.reference
    if isinstance(hearing.reference, Prompts) and given is not None:
        if len(hearing.reference) >= size:
            prompts = hearing.reference.rows(range(size))
            return prompts, _said(given, prompts, pairs)
        spec = given if given.file else given.model_copy(update={"n": size})
    else:
        spec = _elsewhere(file, size, hearing.chance)
    drawn = pairs_of(file, spec, hearing.net.model.tokenizer)
    found = drawn.base if spec.side == "base" else drawn.source
    if spec.file is not None:  # rows of a file: those that the grid does not run
        known = {*pairs.base.ids, *pairs.source.ids}
        others = [row for row, ids in enumerate(found.ids) if ids not in known]
        found = found.rows((others or range(len(found)))[:size])
    return found, _said(spec, found, pairs)


def _elsewhere(file: ClaimFile, size: int, chance: int) -> ReferenceSpec:
    """Return other prompts of the test's task: another seed, or all rows of its file."""
    task = file.task.model_dump(exclude_none=True)
    if file.task.file is not None:
        return ReferenceSpec.model_validate({**task, "side": "source"} | {"n": None})
    found = file.found.task
    seeds = [chance, file.task.seed or 0, 0 if found is None else found.seed or 0]
    return ReferenceSpec.model_validate(
        {**task, "n": size, "seed": max(seeds) + 1, "side": "source"}
    )


def _said(spec: ReferenceSpec, prompts: Prompts | PromptPairs | None, pairs: PromptPairs) -> str:
    if prompts is None:
        return ""
    side = prompts.base if isinstance(prompts, PromptPairs) else prompts
    tested = {*pairs.base.ids, *pairs.source.ids}
    shared = sum(ids in tested for ids in side.ids)
    words = f"{len(side)} {spec.side or 'source'} prompts of {describe_task(spec)}"
    return f"{words}; {shared} of them are test prompts" if shared else words


def _digest(reference: Prompts | PromptPairs | None) -> str:
    if reference is None:
        return "no reference"
    return reference.digest() if isinstance(reference, PromptPairs) else digest_of(reference)
