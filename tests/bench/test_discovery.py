"""The table of rankings: cells of the stored one come out again, and how cells are marked."""

import discovery
import pytest

from causalnet.discovery.trial_table import ABLATIONS
from causalnet.known_circuits import KNOWN
from tests.house.tree import ROOT

STORED = (ROOT / "bench" / "figures" / "discovery.txt").read_text(encoding="utf-8")
ROWS = {
    (line.split(" | ")[0].strip("| "), line.split(" | ")[1]): line.strip().strip("|").split(" | ")
    for line in STORED[: STORED.index("AUPRC")].splitlines()
    if line.startswith("| ") and not line.startswith("| network")
}
NAMES = [column.name for column in discovery.COLUMNS]


def test_all_rows_are_stored_and_none_is_apart_for_no_known_reason() -> None:
    assert set(ROWS) == {(name, ablation) for name in KNOWN for ablation in ABLATIONS}
    assert "!" not in STORED
    marked = {
        (*row, NAMES[number])
        for row, cells in ROWS.items()
        for number, cell in enumerate(cells[5:])
        if "~" in cell
    }
    assert marked == discovery.KNOWN_APART


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (("induction_soft", "counterfactual"), NAMES),
        (("sort", "zero"), ["exact by distance", "EAP", "mask-IG"]),
        (("indirect_object", "counterfactual"), ["EAP", "ACDC"]),
    ],
)
def test_cells_come_out_again(row: tuple[str, str], columns: list[str]) -> None:
    """Within what is allowed of published figures; other processors round otherwise."""
    chosen = [column for column in discovery.COLUMNS if column.name in columns]
    stored = dict(zip(NAMES, (cell.split()[0] for cell in ROWS[row][5:]), strict=True))
    for cell in discovery.cells_of(*row, chosen):
        allowed = discovery.CLOSE_OF_MASKS if cell.column == "masks" else discovery.CLOSE
        expected = [float(area) for area in stored[cell.column].split("/")]
        found = [cell.structural.auroc, cell.live.auroc]
        assert found == pytest.approx(expected, abs=allowed + 0.005), cell.column


def test_masks_may_be_further_apart_than_others() -> None:
    (cell,) = discovery.cells_of("induction", "counterfactual", discovery.COLUMNS[2:3])
    assert cell.mark == "" and str(cell) == "0.64/1.00"
    other = discovery.Cell("x", "zero", "EAP", cell.structural, cell.live, (0.70, 1.0))
    assert other.mark == "!" and "(0.70/1.00)!" in str(other)
    masks = discovery.Cell("x", "zero", "masks", cell.structural, cell.live, (0.70, 1.0))
    assert masks.mark == ""
