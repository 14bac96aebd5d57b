"""The grid of conventions: what it says of a claim, by laws, and what it measures, by oracles."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from causalnet.claims.kinds import FaithfulClaim, NecessaryClaim
from causalnet.claims.robustness_grid import Bounds, Grid, GridConvention, GridNumber
from causalnet.claims.robustness_spec import Convention, ConventionSpec, RobustnessSpec
from causalnet.claims.robustness_verdict import robust_decision, robustness_sentence
from causalnet.errors import FormatError, ParameterError
from causalnet.statistics import Interval, Reason, Verdict, ratio_interval

N = 12
SPECS = [ConventionSpec(ablation="zero"), ConventionSpec(ablation="mean")]


def grid_of(*shares: float | str | None, spread: float = 0.1, own: int = 0) -> Grid:
    """A grid of cells with faithfulness near these shares; None: no behaviour, a text: not run."""
    rng = np.random.default_rng(len(shares))
    plans = RobustnessSpec(reference_sizes=(4, 8)).planned()[: len(shares)]
    conventions, parts = [], []
    for index, (plan, share) in enumerate(zip(plans, shares, strict=True)):
        model = rng.normal(4.0, 0.5, N) * (-1.0 if share is None else 1.0)
        one = GridConvention(
            str(plan), plan.ablation, plan.direction, plan.reference, is_own=index == own
        )
        if isinstance(share, str):
            conventions.append(replace(one, failed=share))
            parts.append(())
            continue
        conventions.append(replace(one, model=tuple(model), ablated=(0.0,) * N))
        parts.append(tuple(model * (share or 0.5) + rng.normal(0.0, spread, N)))
    number = GridNumber("faithfulness", ("L0.H0",), "", tuple(parts))
    return Grid(N, 1.0, tuple(conventions), (number,))


cell_kinds = st.one_of(st.floats(0.1, 1.2), st.none(), st.just("Prompts do not line up."))
grids = st.lists(cell_kinds, min_size=1, max_size=6).map(lambda shares: grid_of(*shares))


@given(grids, st.floats(0.2, 1.0))
@settings(max_examples=60, deadline=None)
def test_robust_is_an_intersection_union_test(grid: Grid, threshold: float) -> None:
    """Law: SUPPORTED exactly where every cell is; REFUTED exactly where one is at alpha / m."""
    number, bounds = grid.numbers[0], Bounds(low=threshold)
    decision = robust_decision(grid, number, bounds)
    verdicts = grid.verdicts(number, bounds)
    strict = grid.verdicts(number, bounds, 0.05 / len(grid.conventions))
    assert (decision.verdict is Verdict.REFUTED) == (Verdict.REFUTED in strict)
    everywhere = all(one is Verdict.SUPPORTED for one in verdicts)
    assert (decision.verdict is Verdict.SUPPORTED) == everywhere
    if decision.interval is not None:
        assert decision.interval.low <= decision.estimate <= decision.interval.high


@given(grids, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_conventions_does_not_matter(grid: Grid, random: Any) -> None:
    order = list(range(len(grid.conventions)))
    random.shuffle(order)
    number = grid.numbers[0]
    moved = replace(number, parts=tuple(number.parts[index] for index in order))
    other = replace(
        grid, conventions=tuple(grid.conventions[index] for index in order), numbers=(moved,)
    )
    one, two = (robust_decision(g, g.numbers[0], Bounds(low=0.6)) for g in (grid, other))
    assert (one.verdict, one.reason) == (two.verdict, two.reason)
    assert one.estimate == two.estimate or (math.isnan(one.estimate) and math.isnan(two.estimate))


@given(grids)
@settings(max_examples=30, deadline=None)
def test_json_gives_the_grid_back(grid: Grid) -> None:
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


def test_one_refuting_convention_refutes_whatever_the_others_say() -> None:
    grid = grid_of(0.95, 0.9, 0.1)
    decision = robust_decision(grid, grid.numbers[0], Bounds(low=0.8))
    assert decision.verdict is Verdict.REFUTED
    assert decision.estimate == pytest.approx(0.1, abs=0.03)
    assert f"Refuted under {grid.conventions[2].name}, at alpha / 3" in decision.sentence
    held = robust_decision(
        grid,
        grid.numbers[0],
        Bounds(low=0.8),
        under=[ConventionSpec(ablation="counterfactual")],
    )
    assert held.verdict is Verdict.SUPPORTED and held.n == N


def test_a_convention_that_refutes_only_before_correction_leaves_it_underdetermined() -> None:
    """Between alpha and alpha / m: conventions contradict, and no error rate allows to refute."""
    base = grid_of(0.95, 0.9, 0.95, 0.95, 0.95)
    number, bounds = base.numbers[0], Bounds(low=0.8)
    rng = np.random.default_rng(0)
    for share in np.linspace(0.79, 0.6, 200):
        model = np.array(base.conventions[1].model)
        part = tuple(model * share + rng.normal(0.0, 0.5, N))
        grid = replace(
            base, numbers=(replace(number, parts=(number.parts[0], part, *number.parts[2:])),)
        )
        loose = grid.verdicts(grid.numbers[0], bounds)[1]
        strict = grid.verdicts(grid.numbers[0], bounds, 0.05 / 5)[1]
        if loose is Verdict.REFUTED and strict is Verdict.INCONCLUSIVE:
            break
    else:
        raise AssertionError("no such draw")
    decision = robust_decision(grid, grid.numbers[0], bounds)
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.UNDERDETERMINED)
    assert "contradict each other" in decision.sentence


@pytest.mark.parametrize(
    ("shares", "verdict", "reason"),
    [
        ((None, None), Verdict.UNDEFINED, Reason.BEHAVIOUR_ABSENT),
        ((0.95, None), Verdict.INCONCLUSIVE, Reason.UNDERDETERMINED),
        ((0.95, "Lengths differ."), Verdict.INCONCLUSIVE, Reason.UNDERDETERMINED),
        ((0.95, 0.8), Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS),
        (("Lengths differ.",), Verdict.INCONCLUSIVE, Reason.UNDERDETERMINED),
    ],
)
def test_what_is_neither(
    shares: tuple[float | str | None, ...], verdict: Verdict, reason: Reason
) -> None:
    grid = grid_of(*shares)
    decision = robust_decision(grid, grid.numbers[0], Bounds(low=0.8))
    assert (decision.verdict, decision.reason) == (verdict, reason), decision.sentence


def test_a_declared_convention_that_the_grid_lacks_is_refused() -> None:
    grid = grid_of(0.9, 0.9)
    with pytest.raises(ParameterError, match=r"no convention 'zero'.*counterfactual noising"):
        robust_decision(grid, grid.numbers[0], Bounds(low=0.8), under=SPECS)
    with pytest.raises(ParameterError, match="no conventions"):
        robust_decision(Grid(0, 1.0, (), grid.numbers), grid.numbers[0], Bounds(low=0.8))


def test_the_sentence_says_when_a_claim_holds_under_its_own_convention_alone() -> None:
    grid = grid_of(0.95, 0.3, 0.8, None, "Lengths differ.")
    sentence = grid.sentence(grid.numbers[0], Bounds(low=0.8))
    assert sentence.startswith(
        "On the first 12 prompts it holds in 1 of 5 conventions: counterfactual noising; fails "
        "under counterfactual denoising; undecided under"
    )
    assert "holds under its own convention alone, counterfactual noising" in sentence
    other = grid_of(0.95, 0.3, own=1)
    assert "Its own convention, counterfactual denoising, is not among" in other.sentence(
        other.numbers[0], Bounds(low=0.8)
    )
    broad = grid_of(0.95, 0.95)
    assert "own convention" not in broad.sentence(broad.numbers[0], Bounds(low=0.8))
    assert grid_of("x").sentence(grid_of("x").numbers[0], Bounds(low=0.8)) == ""


def test_a_claim_finds_its_own_number() -> None:
    grid = grid_of(0.95, 0.3)
    decision = robust_decision(grid, grid.numbers[0], Bounds(low=0.8))
    own = FaithfulClaim(id="a", kind="faithful", statement="It is enough.", at_least=0.8)
    other = NecessaryClaim(id="b", kind="necessary", statement="It is needed.", at_least=0.8)
    assert "1 of 2 conventions" in robustness_sentence(grid, own, ["L0.H0"], decision)
    assert robustness_sentence(grid, own, ["L0.H1"], decision) == ""
    assert robustness_sentence(grid, other, ["L0.H0"], decision) == ""
    assert robustness_sentence(None, own, ["L0.H0"], decision) == ""


@given(st.floats(0.0, 1.0), st.floats(0.0, 0.4), st.floats(0.0, 1.0), st.floats(0.0, 0.4))
def test_a_band_is_supported_where_both_of_its_bounds_are(
    middle: float, half: float, low: float, width: float
) -> None:
    interval = Interval(middle - half, middle + half, 0.9, "fieller_t")
    band = Bounds(low, low + width)
    sides = Bounds(low=low).verdict(interval), Bounds(high=low + width).verdict(interval)
    assert (band.verdict(interval) is Verdict.SUPPORTED) == (set(sides) == {Verdict.SUPPORTED})


def test_cells_are_fiellers_intervals_of_the_read_outs() -> None:
    grid = grid_of(0.7)
    own = grid.conventions[0]
    expected = ratio_interval(grid.numbers[0].parts[0], own.model, 0.8)
    assert grid.cell(grid.numbers[0], 0, 0.1).interval == expected
    # Of a read-out that is better when smaller the same ratio comes out.
    turned = replace(
        grid,
        sign=-1.0,
        conventions=(replace(own, model=tuple(-x for x in own.model)),),
        numbers=(replace(grid.numbers[0], parts=(tuple(-x for x in grid.numbers[0].parts[0]),)),),
    )
    assert turned.cell(turned.numbers[0], 0, 0.1).interval == expected
    assert grid.find("faithfulness", ["L0.H0"]) == grid.numbers[0]
    with pytest.raises(FormatError, match="no necessity of this circuit of 1"):
        grid.find("necessity", ["L0.H0"])


def test_planned_conventions_are_unique_and_selected_by_what_planned_them() -> None:
    plans = RobustnessSpec().planned()
    assert len(plans) == len(set(plans)) == 11
    spec = ConventionSpec(ablation="resample", direction="denoising", reference=64)
    assert [one for one in plans if spec.selects(one)] == [Convention("resample", "denoising", 64)]
    both = RobustnessSpec(conventions=(spec, ConventionSpec(ablation="resample")))
    assert len(both.planned()) == 4 and both.planned()[0] == Convention("resample", "denoising", 64)
    assert RobustnessSpec(skip=True, reason="It costs too much.").planned() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"skip": True},
        {"reason": "no need"},
        {"prompts": 1},
        {"reference_sizes": [16, 16]},
        {"conventions": []},
        {"conventions": [{"ablation": "zero", "direction": "denoising"}]},
        {"conventions": [{"ablation": "zero", "reference": 4}]},
        {"conventions": [{"ablation": "optimal"}]},
        {"convention": []},
    ],
)
def test_grids_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RobustnessSpec.model_validate(wrong)
