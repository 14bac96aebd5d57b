"""The verdict on "the number is at least (at most) a threshold under every declared convention".

| verdict | when |
|---|---|
| SUPPORTED | the claim is supported under every one, each at alpha: an intersection-union test, \
without correction (Berger 1982) |
| REFUTED | it is refuted under one of them at alpha / m, for m conventions (Bonferroni) |
| UNDEFINED | the number is undefined under every one, since there is no behaviour |
| INCONCLUSIVE, underdetermined | some refute at alpha, none at alpha / m, and others support; or \
under some it is undefined or could not be run: more prompts of this kind would not help |
| INCONCLUSIVE, too few prompts | else |
"""

import math
from collections.abc import Sequence

from causalnet.claims.budget import RAN_OUT
from causalnet.claims.kinds import Claim, FaithfulClaim, NecessaryClaim, RobustClaim
from causalnet.claims.robustness_grid import Bounds, Grid, GridCell, GridNumber, Quantity
from causalnet.claims.robustness_spec import ConventionSpec
from causalnet.errors import ParameterError
from causalnet.statistics import Decision, Reason, Verdict

__all__ = ["declared", "grid_number", "robust_decision", "robustness_sentence"]


def grid_number(grid: Grid | None, claim: Claim, circuit: Sequence[str]) -> GridNumber | None:
    """Return the number of a grid that a claim is about; None where it is about none."""
    if grid is None:
        return None
    wanted: tuple[Quantity, str, frozenset[str]]
    match claim:
        case FaithfulClaim(by_chance=drawn):
            wanted = "faithfulness", str(drawn or ""), frozenset(circuit)
        case NecessaryClaim(by_chance=drawn):
            wanted = "necessity", str(drawn or ""), frozenset(circuit)
        case RobustClaim(share=share):
            wanted = share, "", frozenset(circuit)
        case _:
            return None
    for one in grid.numbers:
        if (one.quantity, one.by_chance, frozenset(one.circuit)) == wanted:
            return one
    return None


def robustness_sentence(
    grid: Grid | None, claim: Claim, circuit: Sequence[str], decision: Decision
) -> str:
    """Say under which conventions a claim about a circuit holds; "" where none was measured."""
    number = grid_number(grid, claim, circuit)
    if grid is None or number is None:
        return ""
    return grid.sentence(number, Bounds.of(decision), decision.alpha)


def declared(grid: Grid, under: Sequence[ConventionSpec] = ()) -> tuple[int, ...]:
    """Return which conventions of a grid are meant, by index; all of them where none is named.

    Raises:
        ParameterError: A convention that the grid does not have, or a grid without any.
    """
    for spec in under:
        if not any(spec.selects(one.key) for one in grid.conventions):
            known = ", ".join(one.name for one in grid.conventions)
            raise ParameterError(
                f"The grid has no convention {str(spec)!r}.",
                f"It has {known or 'none'}.",
                "Name one of them, or add it to 'robustness: {conventions: […]}'.",
            )
    found = tuple(
        index
        for index, one in enumerate(grid.conventions)
        if not under or any(spec.selects(one.key) for spec in under)
    )
    if not found:
        raise ParameterError(
            "The grid has no conventions.",
            "A claim that a number is robust is about several.",
            "Delete 'skip' from 'robustness'.",
        )
    return found


def robust_decision(
    grid: Grid,
    number: GridNumber,
    bounds: Bounds,
    alpha: float = 0.05,
    under: Sequence[ConventionSpec] = (),
) -> Decision:
    """Judge that a number lies on one side of a threshold under every declared convention.

    Args:
        grid: What was measured.
        number: A number of the grid.
        bounds: What is claimed of it.
        alpha: Probability of a false SUPPORTED, and of a false REFUTED: asymptotic, at one look.
        under: The declared conventions; none means every one of the grid.

    Returns:
        The decision, whose estimate and interval are those of the worst convention.

    Raises:
        ParameterError: A declared convention that the grid does not have.
    """
    chosen = declared(grid, under)
    cells = [grid.cell(number, index, alpha) for index in chosen]
    strict = [grid.cell(number, index, alpha / len(chosen)) for index in chosen]
    verdicts = [one.verdict(bounds) for one in cells]
    refuting = [one for one in strict if one.verdict(bounds) is Verdict.REFUTED]
    worst = _worst(refuting or cells, bounds)
    verdict, reason, sentence = _answer(cells, verdicts, refuting)
    measured = [one for one in cells if not one.failed]
    return Decision(
        verdict=verdict,
        reason=reason,
        sentence=f"{sentence} {_extent(cells, worst)}".strip(),
        estimate=math.nan if worst is None or verdict is Verdict.UNDEFINED else worst.estimate,
        interval=None if worst is None or verdict is Verdict.UNDEFINED else worst.interval,
        threshold=bounds.threshold,
        direction=bounds.direction,
        alpha=alpha,
        n=grid.n if measured else 0,
        within=bounds.within,
    )


def _answer(
    cells: Sequence[GridCell], verdicts: Sequence[Verdict | None], refuting: Sequence[GridCell]
) -> tuple[Verdict, Reason, str]:
    def named(wanted: Verdict | None) -> list[str]:
        return [one.convention for one, got in zip(cells, verdicts, strict=True) if got is wanted]

    m = len(cells)
    if refuting:
        names = ", ".join(one.convention for one in refuting)
        return (
            Verdict.REFUTED,
            Reason.REFUTED_BY_INTERVAL,
            f"Refuted under {names}, at alpha / {m}: the claim is about each of {m} conventions.",
        )
    if all(one is Verdict.SUPPORTED for one in verdicts):
        return (
            Verdict.SUPPORTED,
            Reason.SUPPORTED_BY_INTERVAL,
            f"Supported under each of {m} conventions.",
        )
    absent = [one for one in cells if one.absent]
    if len(absent) == m:
        return (
            Verdict.UNDEFINED,
            Reason.BEHAVIOUR_ABSENT,
            f"Undefined under each of {m} conventions: {absent[0].undefined}.",
        )
    holds, fails = named(Verdict.SUPPORTED), named(Verdict.REFUTED)
    if holds and fails:
        return (
            Verdict.INCONCLUSIVE,
            Reason.UNDERDETERMINED,
            f"Conventions contradict each other: it holds under {', '.join(holds)} and fails under "
            f"{', '.join(fails)}, though not at alpha / {m}.",
        )
    cut = [one.convention for one in cells if one.failed == RAN_OUT]
    if cut:
        return (
            Verdict.INCONCLUSIVE,
            Reason.BUDGET,
            f"The budget ran out before it was measured under {', '.join(cut)}.",
        )
    blocked = [*(one.convention for one in absent), *named(None)]
    if blocked:
        why = next(one.failed or one.undefined for one in cells if one.convention in blocked)
        return (
            Verdict.INCONCLUSIVE,
            Reason.UNDERDETERMINED,
            f"More prompts would not decide it: there is no number under {', '.join(blocked)} "
            f"({why.rstrip('.')}).",
        )
    doubt = [*named(Verdict.INCONCLUSIVE), *named(Verdict.UNDEFINED), *fails]
    return (
        Verdict.INCONCLUSIVE,
        Reason.TOO_FEW_PROMPTS,
        f"Undecided under {', '.join(doubt)}; 'robustness: {{prompts: …}}' measures on more.",
    )


def _worst(cells: Sequence[GridCell], bounds: Bounds) -> GridCell | None:
    known = [one for one in cells if one.interval is not None]
    return min(known, key=lambda one: bounds.slack(one.estimate), default=None)


def _extent(cells: Sequence[GridCell], worst: GridCell | None) -> str:
    """Say between which numbers the estimates lie."""
    known = sorted(one.estimate for one in cells if one.interval is not None)
    if worst is None or worst.interval is None:
        return ""
    spread = f"; estimates lie between {known[0]:.3g} and {known[-1]:.3g}" if known[1:] else ""
    written = worst.interval.estimate_written(worst.estimate)
    return f"Worst: {written} {worst.interval.written()} under {worst.convention}{spread}."
