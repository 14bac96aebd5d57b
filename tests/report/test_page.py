"""The HTML file: what it may run and load, and that strings stay strings."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from causalnet.errors import FormatError
from causalnet.report import ReportView, heatmap_svg, sequence_svg, verdict_svg, write_html
from causalnet.report.markup import printable
from causalnet.report.page import html_text
from tests.report.examples import full_view, heatmap, view_of_strings
from tests.report.hostile_strings import HOSTILE, UNPRINTABLE

ALL_STRINGS = (*HOSTILE, *UNPRINTABLE)
LOADING = {
    "src",
    "href",
    "srcset",
    "data",
    "action",
    "formaction",
    "poster",
    "xlink:href",
    "srcdoc",
}
ELEMENTS = set(
    "html head meta title style body main header section footer h1 h2 h3 h4 p b bdi i span div ul"
    " li dl dt dd table thead tbody tr th td figure figcaption script button svg g rect line text"
    " circle polygon polyline".split()
)


class Page(HTMLParser):
    """What a browser's parser would find: elements, attributes, text, scripts, sheets."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._open: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = (tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if self._open and tag == self._open[0]:
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.raw.append((*self._open, data))
        else:
            self.words.append(data)

    def block(self, name: str) -> str:
        return "".join(text for _, attributes, text in self.raw if attributes.get("id") == name)

    @property
    def policy(self) -> dict[str, str]:
        metas = [attributes for tag, attributes in self.elements if tag == "meta"]
        (found,) = [one for one in metas if one.get("http-equiv") == "Content-Security-Policy"]
        parts = (part.strip().partition(" ") for part in str(found["content"]).split(";"))
        return {name: value for name, _, value in parts}


@pytest.fixture(scope="module")
def plain_page() -> Page:
    return Page(html_text(full_view()))


@pytest.fixture(scope="module")
def hostile_page() -> Page:
    return Page(html_text(view_of_strings(ALL_STRINGS)))


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_there_are_enough_hostile_strings() -> None:
    assert len(set(HOSTILE)) >= 40


def test_policy_allows_nothing_but_the_listed_scripts_and_sheets(plain_page: Page) -> None:
    policy = plain_page.policy
    scripts = [
        text for tag, attrs, text in plain_page.raw if tag == "script" and "type" not in attrs
    ]
    sheets = [text for tag, _, text in plain_page.raw if tag == "style"]
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].split() == [digest(text) for text in scripts]
    assert policy["style-src"].split() == [digest(text) for text in sheets]
    assert policy["img-src"] == "data:"
    assert "unsafe" not in " ".join(policy.values())
    assert policy["base-uri"] == policy["form-action"] == "'none'"


def test_policy_comes_before_anything_it_governs(plain_page: Page) -> None:
    order = [tag for tag, _ in plain_page.elements]
    metas = [attributes for tag, attributes in plain_page.elements if tag == "meta"]
    assert metas[1].get("http-equiv") == "Content-Security-Policy"
    assert order.index("meta") < min(order.index("style"), order.index("script"))


def test_hashed_text_has_no_carriage_return_that_a_parser_would_change(tmp_path: Path) -> None:
    assert b"\r" not in write_html(full_view(), tmp_path / "report.html").read_bytes()


@pytest.mark.parametrize("which", ["plain_page", "hostile_page"])
def test_only_known_elements_and_inert_attributes(
    which: str, request: pytest.FixtureRequest
) -> None:
    page: Page = request.getfixturevalue(which)
    for tag, attributes in page.elements:
        assert tag in ELEMENTS
        assert not LOADING & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "style" not in attributes


def test_hostile_page_has_the_same_scripts_as_a_harmless_one(
    plain_page: Page, hostile_page: Page
) -> None:
    def scripts(page: Page) -> list[str]:
        return [text for tag, attrs, text in page.raw if tag == "script" and "type" not in attrs]

    assert scripts(hostile_page) == scripts(plain_page)
    assert hostile_page.policy == plain_page.policy


@pytest.mark.parametrize("string", ALL_STRINGS)
def test_every_string_is_there_as_text(string: str, hostile_page: Page) -> None:
    assert printable(string) in hostile_page.words


@pytest.fixture(scope="module")
def shape_of_a_harmless_page() -> list[tuple[str, set[str]]]:
    return shape(Page(html_text(view_of_strings(["harmless"]))))


def shape(page: Page) -> list[tuple[str, set[str]]]:
    return [(tag, set(attributes)) for tag, attributes in page.elements]


@pytest.mark.parametrize("string", ALL_STRINGS)
def test_one_string_in_every_field_adds_no_element(
    string: str, shape_of_a_harmless_page: list[tuple[str, set[str]]]
) -> None:
    assert shape(Page(html_text(view_of_strings([string])))) == shape_of_a_harmless_page


def test_embedded_json_holds_no_character_that_markup_or_old_scripts_mind(
    hostile_page: Page,
) -> None:
    for name in ("report-view", "circuit-graph"):
        text = hostile_page.block(name)
        assert not re.search("[<>&\u2028\u2029\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert json.loads(text)


def test_the_view_can_be_read_back_from_the_page(hostile_page: Page) -> None:
    view = view_of_strings(ALL_STRINGS)
    assert ReportView.from_json(hostile_page.block("report-view")) == view


def test_the_page_names_no_address_to_load_from() -> None:
    text = html_text(full_view())
    # A name space and the notices of cytoscape.js; the policy would forbid loading them anyway.
    assert set(re.findall(r"https?:[^\s\"'<>)]*", text)) == {
        "http://www.w3.org/2000/svg",
        "http://en.wikipedia.org/wiki/MIT_License",
        "http://engelschall.com",
        "http://opensource.org/licenses/MIT",
    }
    for name in ("report.css", "report.js"):
        own = files("causalnet.report").joinpath("assets", name).read_text("utf-8")
        assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(|innerHTML", own)


def test_one_file_below_a_megabyte(tmp_path: Path) -> None:
    assert write_html(full_view(), tmp_path / "report.html").stat().st_size < 1_000_000


def test_a_page_without_a_circuit_carries_no_graph_library() -> None:
    text = html_text(ReportView("Title"))
    assert "cytoscape(" not in text.split("report-view")[0]
    assert len(text) < 40_000


def test_folders_are_made(tmp_path: Path) -> None:
    place = tmp_path / "one" / "two" / "report.html"
    assert write_html(full_view(), place) == place
    assert place.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_two_writings_are_equal_byte_for_byte(tmp_path: Path) -> None:
    first, second = (write_html(full_view(), tmp_path / f"{name}.html") for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_field_of_another_type_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wrong = ReportView("Title", notes=(3,))  # type: ignore[arg-type]  # what is tested
    with pytest.raises(FormatError, match=r"notes\.0.*holds 3"):
        write_html(wrong, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_bytes_of_a_file_name_that_are_no_text_become_replacement_characters(
    tmp_path: Path,
) -> None:
    place = write_html(view_of_strings(["report-\udcff.html"]), tmp_path / "report.html")
    assert "report-\ufffd.html" in Page(place.read_text("utf-8")).words


def test_drawings_alone_are_inert_and_complete() -> None:
    view = view_of_strings(ALL_STRINGS)
    assert view.heatmap is not None
    drawings = [heatmap_svg(view.heatmap, ["x"]), *map(verdict_svg, view.verdicts)]
    drawings += map(sequence_svg, view.verdicts)
    for drawing in drawings:
        page = Page(drawing)
        assert page.elements[0][0] == "svg"
        assert {tag for tag, _ in page.elements} <= ELEMENTS
        assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_a_cell_says_its_effect_unit_and_interval() -> None:
    cell = next(one for one in heatmap().cells if one.mediator == "L9.H6")
    assert cell.effect == -0.42
    assert "L9.H6: −0.420 logits [−0.600, −0.240]" in Page(heatmap_svg(heatmap())).words
