"""The evidence beside verdicts: what is drawn is what is there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.report import (
    ConventionTable,
    ReportView,
    SizeCurveView,
    chance_svg,
    convention_table_svg,
    heatmap_svg,
    size_curve_svg,
    verdict_svg,
    write_png,
)
from causalnet.report.page import html_text
from causalnet.report.size_curve import bins_of
from tests.report.evidence_examples import chance, convention_table, grades, size_curve
from tests.report.examples import full_view
from tests.report.test_page import Page


def test_the_table_shows_every_cell_with_its_sign() -> None:
    words = Page(convention_table_svg(convention_table())).words
    assert "counterfactual noising · own" in words and "mean (64)" in words
    assert words.count("✓ 0.93 [0.87, 0.99]") == 1 and words.count("not run") == 1
    assert "∅ undefined" in words and "✗ −0.43 [−0.49, −0.37]" in words
    assert "circuit-suffices: Prompts have unequal lengths." in words  # over the cell
    assert "16 source prompts of ioi, seed 6" in words


def test_what_the_page_shows_words_over_has_words() -> None:
    """The page's script reads the title of every such group."""
    view = full_view()
    assert view.heatmap is not None
    drawings = [
        convention_table_svg(convention_table()), size_curve_svg(size_curve()),
        chance_svg(chance()), heatmap_svg(view.heatmap),
    ]  # fmt: skip
    for drawing in drawings:
        groups = re.findall(r'<g class="cn-cell">(.{7})', drawing)
        assert groups and set(groups) == {"<title>"}


def test_a_cell_is_drawn_where_its_number_lies() -> None:
    """Oracle: dots of a column stand in the order of its estimates."""
    table = convention_table()
    table = replace(table, rows=table.rows[:1])
    dots = [float(x) for x in re.findall(r'<circle cx="([0-9.]+)"', convention_table_svg(table))]
    shares = [cell.estimate for cell in table.rows[0].cells if cell.estimate is not None]
    assert len(dots) == len(shares)
    order = sorted(range(len(shares)), key=lambda at: shares[at])
    assert [dots[at] for at in order] == sorted(dots)


def test_the_curve_marks_the_claimed_circuits() -> None:
    curve = size_curve()
    words = " ".join(Page(size_curve_svg(curve)).words)
    assert "circuit-suffices: 0.93" in words and "two-heads-suffice: 0.21" in words
    assert "undefined here" not in words  # nothing to draw
    assert size_curve_svg(curve).count("<circle") == len(curve.points)
    assert size_curve_svg(SizeCurveView()).startswith("<svg")


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.floats(-1e6, 1e6),
    st.integers(1, 20),
)
def test_bins_hold_every_value_and_span_the_circuits_own(
    values: list[float], own: float, count: int
) -> None:
    bins = bins_of(values, own, count)
    assert sum(n for *_, n in bins) == len(values)
    assert bins[0][0] <= min([*values, own])
    assert bins[-1][1] >= max([*values, own]) - 1e-6 * max(1.0, abs(own), *map(abs, values))


def test_the_histogram_has_the_circuit_and_all_others() -> None:
    one = chance()
    drawing = chance_svg(one)
    counted = [int(n) for n in re.findall(r"<title>(\d+) between", drawing)]
    assert sum(counted) == len(one.gaps) == 60
    assert "the circuit: 0.44" in Page(drawing).words


def test_the_page_has_a_section_for_each_and_none_where_there_is_nothing() -> None:
    headings = (
        "How far the evidence goes", "Under other conventions", "Faithfulness over circuit size",
        "Beside random circuits", "The report, field by field",
    )  # fmt: skip
    text = html_text(full_view())
    assert all(heading in text for heading in headings)
    assert not any(heading in html_text(ReportView("Nothing")) for heading in headings)
    page = Page(text)
    assert "not done: weights are read without their licence" in page.words
    assert "●●●○○ " in page.words and "For “triangulated”: control tasks." in page.words
    assert page.words.count("rejected") == 1


def test_what_was_not_done_says_why() -> None:
    view = ReportView(
        "Nothing",
        conventions=ConventionTable(skipped="it costs too much"),
        curve=SizeCurveView(not_done="constants would be learned"),
    )
    words = Page(html_text(view)).words
    assert "Not done: it costs too much" in words
    assert "Not done: constants would be learned" in words
    assert ReportView.from_json(view.to_json()) == view


def test_a_band_is_shaded_between_its_ends() -> None:
    row = replace(full_view().verdicts[1], direction="within", threshold=0.9, upper=1.1)
    drawing = verdict_svg(row)
    assert "claimed 0.9 to 1.1" in Page(drawing).words
    at_least = replace(row, direction="at_least", upper=None)
    (band,) = re.findall(r'<rect x="([0-9.]+)" y="20" width="([0-9.]+)"', drawing)
    (open_end,) = re.findall(r'<rect x="([0-9.]+)" y="20" width="([0-9.]+)"', verdict_svg(at_least))
    assert float(band[1]) < float(open_end[1])


@pytest.mark.parametrize("part", ["conventions", "curve", "chance"])
def test_the_picture_grows_by_what_is_drawn(part: str, tmp_path: Path) -> None:
    from matplotlib import image

    values = {"conventions": convention_table(), "curve": size_curve(), "chance": (chance(),)}
    plain = write_png(ReportView("t"), tmp_path / "plain.png", dpi=40)
    view = ReportView("t", grades=grades(), **{part: values[part]})  # type: ignore[arg-type]
    drawn = write_png(view, tmp_path / "drawn.png", dpi=40)
    assert image.imread(drawn).shape[0] > image.imread(plain).shape[0] + 80
