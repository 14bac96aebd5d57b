"""The benchmark of a card, on a small network without a card."""

from argparse import Namespace

import gpu
import pytest
from execution_parts.rows import ROWS

from causalnet.lift import raised_casts
from tests.bench.test_execution import setting

ASKED = Namespace(quick=True, repeats=1, sample=4, dtype="float64", max_diff=1e-10)
ROOF = gpu.Roof(flops=1e11, bandwidth=1e10)


@pytest.mark.parametrize("name", gpu.WORLDS)
def test_a_row_is_held_to_the_naive_loop(name: str) -> None:
    row = next(row for row in ROWS if row.name == name)
    with raised_casts(setting().net.model.module):
        line = gpu.measured(row, setting(), ROOF, ASKED)
    assert line.max_diff is not None and line.max_diff < 1e-10
    assert line.worlds == 12 and line.naive is not None and line.peak_mb is None
    assert 0 < line.of_peak < (line.of_roof or 0)
    assert len(str(line)) == len(gpu.HEADING)


def test_edges_and_the_sweep_run() -> None:
    line = gpu.attribution(setting(), ROOF, ASKED)
    assert line is not None and line.of_peak > 0
    assert set(gpu.sweep(setting(), ASKED)) == set(gpu.SWEPT)


def test_elementwise_work_follows_products_at_the_roof() -> None:
    assert ROOF.seconds(flops=1e11, moved=2e10) == 3.0


def test_rows_that_are_not_there_are_refused() -> None:
    with pytest.raises(SystemExit):
        gpu.parsed(["--rows", "nothing"])
    assert gpu.parsed(["--quick"]).repeats == 1
