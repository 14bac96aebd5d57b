"""Running the grid on a small random network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalnet.claims.circuits import universe
from causalnet.claims.hearing import Hearing
from causalnet.claims.robustness import GridAsked, grid_numbers, robustness_grid
from causalnet.claims.robustness_grid import Grid
from causalnet.effects import counterfactual, resample, zero
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.tasks import Prompts
from tests.claims.small_case import CLAIMS, claim_file, small_net, write_pairs
from tests.toys import taken_as_it_is

SMALL = {"prompts": 8, "reference_sizes": [4, 12]}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("robustness")
    write_pairs(path / "pairs.jsonl", net, 40)
    return path


def heard(net: LiftedNetwork, folder: Path, **changes: Any) -> Hearing:
    file = claim_file(folder, **{"robustness": SMALL, **changes})
    return Hearing(file, net, tuple(universe(file, net.graph).values()), 0, None, lambda _: None)


@pytest.fixture(scope="module")
def grid(net: LiftedNetwork, folder: Path) -> Grid:
    return robustness_grid(heard(net, folder))


def test_the_default_grid_has_every_convention_and_both_numbers_once(grid: Grid) -> None:
    assert len(grid.conventions) == 11 and grid.n == 8
    assert [(one.quantity, len(one.circuit)) for one in grid.numbers] == [
        ("faithfulness", 5),
        ("necessity", 5),
    ]
    assert [one.name for one in grid.conventions if one.is_own] == ["counterfactual noising"]
    assert all(not one.failed and len(one.model) == 8 for one in grid.conventions)
    sources = {one.source for one in grid.conventions if one.reference == 12}
    assert sources == {"12 source prompts of file pairs.jsonl"}  # none of the 8 that are run


@pytest.mark.parametrize(
    ("name", "ablation", "direction"),
    [
        ("counterfactual noising", counterfactual(), "noising"),
        ("counterfactual denoising", counterfactual(), "denoising"),
        ("zero", zero(), "noising"),
    ],
)
def test_cells_are_the_circuits_own_scores(
    net: LiftedNetwork, folder: Path, grid: Grid, name: str, ablation: Any, direction: Any
) -> None:
    """Oracle: the circuit scored by itself under that convention."""
    pairs = heard(net, folder).pairs("test").rows(range(8))
    scorer = CircuitScorer(net, logit_diff, ablation, net.heads(), direction=direction)
    names = grid.numbers[0].circuit
    scores = scorer.score(pairs, tuple(map(net.graph.find, names)))
    index = next(i for i, one in enumerate(grid.conventions) if one.name == name)
    got = [grid.pairs_of(number, index) for number in grid.numbers]
    whole = scores.model - scores.empty
    np.testing.assert_allclose(got[0], [scores.kept - scores.empty, whole], atol=1e-10)
    np.testing.assert_allclose(got[1], [scores.model - scores.knocked_out, whole], atol=1e-10)


def test_a_convention_of_its_own_is_measured_beside_the_grid(
    net: LiftedNetwork, folder: Path
) -> None:
    reference = {"file": "pairs.jsonl", "n": 6}
    ablation = {"kind": "resample", "reference": reference, "draws": 3}
    hearing = heard(
        net,
        folder,
        ablation=ablation,
        robustness={**SMALL, "conventions": [{"ablation": "resample", "direction": "noising"}]},
    )
    grid = robustness_grid(hearing)
    names = [one.name for one in grid.conventions]
    assert names == [
        "resample noising (6), 3 draws",
        "resample noising (4)",
        "resample noising (12)",
    ]
    assert [one.is_own for one in grid.conventions] == [True, False, False]
    # The file's own reference prompts where there are enough of them, else more of the same.
    assert "4 source prompts" in grid.conventions[1].source
    assert "test prompts" in grid.conventions[1].source  # the first rows of the same file
    assert isinstance(hearing.reference, Prompts)
    pairs = hearing.pairs("test").rows(range(8))
    own = CircuitScorer(
        net, logit_diff, resample(hearing.reference, 3), net.heads(), reference=hearing.reference
    )
    kept = own.score(pairs, tuple(map(net.graph.find, grid.numbers[0].circuit))).kept
    np.testing.assert_allclose(grid.numbers[0].parts[0], kept, atol=1e-10)


def test_what_cannot_be_run_is_named_with_the_reason(net: LiftedNetwork, folder: Path) -> None:
    hearing = heard(
        net,
        folder,
        circuit=["L0.H0 -> logits"],
        ablation={"kind": "counterfactual", "ablate": "edges"},
        robustness={"prompts": 4, "conventions": [{"ablation": "resample", "reference": 4}]},
    )
    grid = robustness_grid(hearing)
    denoising = next(one for one in grid.conventions if one.direction == "denoising")
    assert denoising.failed and denoising.model == ()
    cells = grid.cells(grid.numbers[0])
    assert [bool(one.failed) for one in cells] == [False, False, True]  # its own comes first


def test_every_forward_is_counted(net: LiftedNetwork, folder: Path) -> None:
    calls: list[int] = []
    handle = net.model.module.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        hearing = heard(taken_as_it_is(net), folder)
        robustness_grid(hearing)
    finally:
        handle.remove()
    assert hearing.meter.forwards == len(calls) > 30


def test_nothing_is_run_where_it_is_skipped(net: LiftedNetwork, folder: Path) -> None:
    hearing = heard(net, folder, robustness={"skip": True, "reason": "Done elsewhere."})
    assert robustness_grid(hearing).skipped == "Done elsewhere." and hearing.meter.forwards == 0
    lonely = heard(net, folder, claims=CLAIMS[:1])
    assert "No claim" in robustness_grid(lonely).skipped and lonely.meter.forwards == 0


def test_partial_ablations_have_numbers_of_their_own(net: LiftedNetwork, folder: Path) -> None:
    partial = {**CLAIMS[1], "id": "partial", "kept": {"probability": 0.5, "draws": 3}}
    hearing = heard(net, folder, claims=[CLAIMS[1], partial])
    numbers = grid_numbers(hearing.file, hearing.universe)
    assert [str(one.by_chance or "") for one in numbers] == [
        "",
        "",
        "probability 0.5, 3 draws, seed 0",
    ]
    asked = GridAsked("faithfulness", numbers[0].circuit, numbers[2].by_chance)
    assert len(asked.parts(tuple(hearing.universe))) == 3
