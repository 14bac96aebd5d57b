"""What is drawn: scales, intervals, colours, places."""

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from causalnet.errors import FormatError
from causalnet.report import (
    Circuit,
    HeatCell,
    Heatmap,
    Member,
    ReportView,
    TracePoint,
    VerdictRow,
    heatmap_svg,
    sequence_svg,
    verdict_svg,
)
from causalnet.report.heatmap import strength
from causalnet.report.layout import circuit_json, stage
from causalnet.report.numbers import measured, plain, signed, ticks
from causalnet.report.palette import MIDDLE
from causalnet.report.verdicts import axis_range
from tests.report.examples import circuit, full_view, heatmap

finite = st.floats(-1e6, 1e6)
ends = st.one_of(finite, st.just(math.inf), st.just(-math.inf))


def row(**fields: object) -> VerdictRow:
    return VerdictRow("s", "k", "SUPPORTED", "r", **fields)  # type: ignore[arg-type]  # a dict


@given(finite, finite)
def test_ticks_are_few_and_inside(first: float, second: float) -> None:
    low, high = min(first, second), max(first, second)
    if high - low < 1e-6:
        return
    found = ticks(low, high)
    slack = (high - low) * 1e-6
    assert 2 <= len(found) <= 12
    assert all(low - slack <= value <= high + slack for value in found)


@given(st.floats(-1e5, 1e5))
def test_written_numbers_read_back_to_half_of_their_last_digit(value: float) -> None:
    read = float(plain(value).replace("−", "-"))
    assert read == pytest.approx(value, rel=0.06, abs=1e-12)


def test_signs_are_written() -> None:
    assert (signed(0.0), signed(1.0), signed(-1.0)) == ("0", "+1.00", "−1.00")
    assert measured(0.25, -math.inf, 0.5, sign=True) == ("+0.250", "(−∞, +0.500]")
    assert measured(0.25, None, None) == ("0.25", "")
    assert measured(None, -0.5, math.nan) == ("", "")
    assert plain(math.nan) == "not a number"


@example(estimate=5e-324, low=None, high=None, threshold=None)
@example(estimate=0.0, low=-5e-324, high=5e-324, threshold=0.0)
@example(estimate=1e5, low=None, high=None, threshold=100000.00000000001)
@given(st.none() | finite, st.none() | ends, st.none() | ends, st.none() | finite)
def test_any_row_can_be_drawn_and_everything_lies_on_the_axis(
    estimate: float | None, low: float | None, high: float | None, threshold: float | None
) -> None:
    one = row(estimate=estimate, low=low, high=high, threshold=threshold)
    start, end = axis_range(one)
    shown = [value for value in (estimate, low, high, threshold) if value is not None]
    assert start < end
    assert all(start <= value <= end for value in shown if math.isfinite(value))
    assert "nan" not in verdict_svg(one)
    places = re.findall(r'(?:x1|x2|cx)="([^"]*)"', verdict_svg(one))
    assert all(0 <= float(place) <= 560 for place in places)


@given(st.lists(st.tuples(finite, ends, ends), min_size=2, max_size=20))
def test_any_sequence_stays_in_its_frame(points: list[tuple[float, float, float]]) -> None:
    trace = tuple(TracePoint(8 * (at + 1), *point) for at, point in enumerate(points))
    drawing = sequence_svg(row(estimate=points[-1][0], threshold=0.5, trace=trace))
    (polygon,) = re.findall(r'<polygon points="([^"]*)"', drawing)
    for place in polygon.split():
        x, y = map(float, place.split(","))
        assert 0 <= x <= 430
        assert 0 <= y <= 148


def test_a_single_look_is_drawn_as_a_bar_and_none_as_nothing() -> None:
    drawing = sequence_svg(row(estimate=1.0, trace=(TracePoint(8, 1.0, 0.5, 1.5),)))
    assert "decided at the first look" in drawing
    assert "<polygon" not in drawing
    assert sequence_svg(row(trace=(TracePoint(8, math.nan, 0.5, 1.5),))) == ""
    assert sequence_svg(row()) == ""


def test_claims_hold_on_the_shaded_side() -> None:
    at_least = row(estimate=0.9, threshold=0.5, direction="at_least")
    at_most = replace(at_least, direction="at_most")

    def shaded(drawing: str) -> tuple[float, float]:
        found = re.search(r'<rect x="([\d.]+)"[^>]*? width="([\d.]+)"', drawing)
        assert found is not None
        return float(found[1]), float(found[1]) + float(found[2])

    assert shaded(verdict_svg(at_least))[1] == pytest.approx(560 - 18, abs=0.02)
    assert shaded(verdict_svg(at_most))[0] == pytest.approx(18, abs=0.02)


def test_sign_decides_the_colour_and_size_its_strength() -> None:
    cells = tuple(HeatCell(f"L0.H{head}", 0, head, value) for head, value in enumerate((-2.0, 1.0)))
    drawing = heatmap_svg(Heatmap(1, 2, cells))
    boxes = re.findall(
        r"<title>(L0\.H\d).*?</title><rect[^>]*fill=\"(.*?)\" fill-opacity=\"(.*?)\"", drawing
    )
    assert boxes == [
        ("L0.H0", f"var(--cn-negative, {MIDDLE['negative']})", "1.000"),
        ("L0.H1", f"var(--cn-positive, {MIDDLE['positive']})", f"{strength(1.0, 2.0):.3f}"),
    ]


def test_cells_that_are_no_number_or_were_not_measured_are_not_coloured() -> None:
    drawing = heatmap_svg(Heatmap(1, 2, (HeatCell("L0.H0", 0, 0, math.nan),)))
    assert "L0.H0: not a number" in drawing
    assert drawing.count('class="cn-cell"') == 1
    assert 'rx="2"' not in drawing


def test_members_are_ringed() -> None:
    assert heatmap_svg(heatmap(), ["L9.H6", "L20.H0"]).count("in the circuit") == 2


def test_an_mlp_has_its_own_row() -> None:
    assert ">MLP<" in heatmap_svg(Heatmap(1, 1, (HeatCell("L0.mlp", 0, None, 1.0),)))
    assert ">MLP<" not in heatmap_svg(Heatmap(1, 1, (HeatCell("L0.H0", 0, 0, 1.0),)))


def test_later_layers_are_higher_and_heads_further_right() -> None:
    nodes = {one["name"]: one for one in json.loads(circuit_json(circuit()))["nodes"]}
    assert nodes["embed"]["y"] > nodes["L9.H6"]["y"] > nodes["L20.H0"]["y"] > nodes["logits"]["y"]
    assert nodes["L14.H0"]["x"] < nodes["L9.H6"]["x"] < nodes["L29.mlp"]["x"]
    assert nodes["L29.mlp"]["y"] < nodes["L29.H1"]["y"]


def test_lines_run_from_earlier_to_later_writers_only() -> None:
    picture = json.loads(circuit_json(circuit()))
    stages = {one["id"]: one["stage"] for one in picture["nodes"]}
    assert picture["lines"]
    assert all(stages[source] < stages[target] for source, target in picture["lines"])


def test_many_members_start_without_lines() -> None:
    members = tuple(Member(f"L{x}.H{y}", x, y) for x in range(4) for y in range(12))
    assert json.loads(circuit_json(Circuit(4, 12, members)))["lines"] == []


def test_a_head_writes_before_the_mlp_of_its_layer() -> None:
    assert stage(Member("L3.H1", 3, 1)) < stage(Member("L3.mlp", 3, is_mlp=True))
    assert stage(Member("L3.mlp", 3, is_mlp=True)) < stage(Member("L4.H1", 4, 1))


def test_members_of_one_place_are_drawn_beside_each_other() -> None:
    members = (Member("L1.H1[S2]", 1, 1), Member("L1.H1[end]", 1, 1))
    first, second = json.loads(circuit_json(Circuit(2, 2, members)))["nodes"][1:3]
    assert (first["x"], first["y"]) != (second["x"], second["y"])


def test_a_head_names_the_group_that_it_shares() -> None:
    nodes = {one["name"]: one for one in json.loads(circuit_json(circuit()))["nodes"]}
    assert nodes["L17.H4"]["group"] == "KV1 (shared by H3–H5)"
    own = json.loads(circuit_json(replace(circuit(), kv_heads=9)))["nodes"]
    assert all(one.get("group") is None for one in own)


def test_views_survive_json_infinities_included() -> None:
    view = full_view()
    odd = replace(view.verdicts[0], low=-math.inf, trace=(TracePoint(8, 1.0, -math.inf, math.inf),))
    view = replace(view, verdicts=(odd, *view.verdicts[1:]))
    assert ReportView.from_json(view.to_json()) == view
    json.loads(view.to_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize("text", ["", "[]", '{"title": 3}', '{"title": "t", "extra": 1}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"The report's field"):
        ReportView.from_json(text)
