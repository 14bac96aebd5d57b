"""The report in a real browser: nothing runs, nothing is loaded, and the circuit answers."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from causalnet.report import write_html
from causalnet.report.markup import printable
from tests.report.examples import MEMBERS, full_view, view_of_strings
from tests.report.hostile_strings import HOSTILE, UNPRINTABLE

pytestmark = pytest.mark.browser

ALL_STRINGS = (*HOSTILE, *UNPRINTABLE)
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
SEES_INTO_CIRCUIT = "const cy = document.getElementById('circuit')._cyreg.cy;"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    missing = [str(path) for path in (CHROMIUM, DRIVER) if not path.exists()]
    if missing:
        pytest.fail(
            f"{' and '.join(missing)} not found: the browser tests need Debian's packages "
            "chromium and chromium-driver (apt-get install chromium chromium-driver)."
        )
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    # The driver is on this machine: no proxy of the environment may stand between.
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "localhost"]))
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_html(view_of_strings(ALL_STRINGS), tmp_path_factory.mktemp("report") / "r.html")


@pytest.fixture
def circuit(browser: webdriver.Chrome, tmp_path: Path) -> Any:
    open_report(browser, write_html(full_view(), tmp_path / "report.html"))
    box = browser.find_element(By.ID, "circuit")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
    return box


def open_report(browser: webdriver.Chrome, path: Path) -> None:
    browser.get("about:blank")
    log(browser, "performance")
    log(browser, "browser")
    browser.get(path.as_uri())
    WebDriverWait(browser, 20).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, "#circuit[data-ready]")
    )


def log(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]  # theirs
    return entries


def requests(browser: webdriver.Chrome) -> list[str]:
    events = (json.loads(entry["message"])["message"] for entry in log(browser, "performance"))
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def has_dialog(browser: webdriver.Chrome) -> bool:
    try:
        browser.switch_to.alert.dismiss()
    except NoAlertPresentException:
        return False
    return True


def node_place(browser: webdriver.Chrome, name: str) -> dict[str, float]:
    found: dict[str, float] = browser.execute_script(
        SEES_INTO_CIRCUIT
        + "return cy.nodes('.member').filter(n => n.data('name') === arguments[0])[0]"
        ".renderedPosition()",
        name,
    )
    return found


def click_in(browser: webdriver.Chrome, box: Any, place: dict[str, float]) -> None:
    across, down = place["x"] - box.size["width"] / 2, place["y"] - box.size["height"] / 2
    ActionChains(browser).move_to_element_with_offset(box, int(across), int(down)).click().perform()


def zoom_level(browser: webdriver.Chrome) -> float:
    return float(browser.execute_script(SEES_INTO_CIRCUIT + "return cy.zoom()"))


def test_the_instruments_see_a_dialog_a_request_and_a_violation(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    place = tmp_path / "careless.html"
    place.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\">"
        "<link rel=stylesheet href=other.css><img src=x.png><script>alert(1)</script>"
    )
    browser.get("about:blank")
    log(browser, "browser")
    log(browser, "performance")
    browser.get(place.as_uri())
    assert has_dialog(browser)
    assert any(url.endswith("other.css") for url in requests(browser))
    assert any("violates" in entry["message"] for entry in log(browser, "browser"))


def test_hostile_strings_run_nothing_load_nothing_and_break_nothing(
    browser: webdriver.Chrome, hostile_file: Path
) -> None:
    open_report(browser, hostile_file)
    every_cell_and_member = """
      for (const cell of document.querySelectorAll('.cn-cell'))
        for (const kind of ['pointerenter', 'pointermove', 'mouseover', 'focus', 'pointerleave'])
          cell.dispatchEvent(new PointerEvent(kind, {clientX: 5, clientY: 5}));
      for (const name of document.querySelectorAll('#all-members button')) name.click();
    """
    browser.execute_script(every_cell_and_member)
    assert not has_dialog(browser)
    assert log(browser, "browser") == []
    assert requests(browser) == [hostile_file.as_uri()]


def test_hostile_strings_are_seen_as_they_are(
    browser: webdriver.Chrome, hostile_file: Path
) -> None:
    open_report(browser, hostile_file)
    texts: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('bdi, #all-members button')].map(e => e.textContent)"
    )
    for string in ALL_STRINGS:
        assert printable(string) in texts
    assert not browser.find_elements(By.CSS_SELECTOR, "img, iframe, object, embed, link, base, a")


def test_hostile_names_reach_the_panel_as_text(
    browser: webdriver.Chrome, hostile_file: Path
) -> None:
    open_report(browser, hostile_file)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('#all-members button')].map(button => {"
        " button.click(); const name = document.getElementById('chosen-name');"
        " return [button.textContent, name.textContent, name.childElementCount]; })"
    )
    assert len(shown) == len(ALL_STRINGS) + 2
    assert all(wanted == found and children == 0 for wanted, found, children in shown)


@pytest.mark.parametrize("name", ["L9.H6", "L20.H0", "L29.mlp", "logits"])
def test_clicking_a_member_shows_its_name(
    browser: webdriver.Chrome, circuit: Any, name: str
) -> None:
    panel = browser.find_element(By.ID, "panel")
    assert browser.find_element(By.ID, "chosen").is_displayed() is False
    click_in(browser, circuit, node_place(browser, name))
    WebDriverWait(browser, 5).until(
        lambda driver: driver.find_element(By.ID, "chosen-name").text == name
    )
    assert browser.find_element(By.ID, "chosen").is_displayed()
    if name == "L9.H6":
        assert "−0.420 logits [−0.600, −0.240]" in panel.text
        assert "KV2 (shared by H6–H8)" in panel.text


def test_a_chosen_member_shows_what_it_may_read_and_write(
    browser: webdriver.Chrome, circuit: Any
) -> None:
    click_in(browser, circuit, node_place(browser, "L20.H0"))
    WebDriverWait(browser, 5).until(
        lambda driver: driver.find_element(By.ID, "chosen").is_displayed()
    )

    def names(place: str) -> set[str]:
        return {one.text for one in browser.find_elements(By.CSS_SELECTOR, f"#{place} button")}

    at = MEMBERS.index("L20.H0")
    assert names("chosen-up") == {"embed", *MEMBERS[:at]}
    assert names("chosen-down") == {"logits", *MEMBERS[at + 1 :]}
    lines = browser.execute_script(SEES_INTO_CIRCUIT + "return cy.edges('.extra').length")
    assert lines == len(MEMBERS) + 1
    browser.find_element(By.ID, "release").click()
    assert browser.execute_script(SEES_INTO_CIRCUIT + "return cy.edges('.extra').length") == 0


def test_zooming_by_buttons_and_by_the_wheel_after_a_click(
    browser: webdriver.Chrome, circuit: Any
) -> None:
    start = zoom_level(browser)
    browser.find_element(By.ID, "zoom-in").click()
    closer = zoom_level(browser)
    browser.find_element(By.ID, "zoom-out").click()
    assert closer > start == pytest.approx(zoom_level(browser))
    click_in(browser, circuit, node_place(browser, "L20.H0"))
    wheel = webdriver.common.actions.wheel_input.ScrollOrigin.from_element(circuit)
    ActionChains(browser).scroll_from_origin(wheel, 0, -200).perform()
    WebDriverWait(browser, 5).until(lambda driver: zoom_level(driver) > start)
    browser.find_element(By.ID, "zoom-fit").click()
    assert zoom_level(browser) == pytest.approx(start, rel=0.02)  # a chosen member is drawn larger


def test_the_wheel_scrolls_the_page_until_the_drawing_is_clicked(
    browser: webdriver.Chrome, circuit: Any
) -> None:
    start = zoom_level(browser)
    before = browser.execute_script("return scrollY")
    wheel = webdriver.common.actions.wheel_input.ScrollOrigin.from_element(circuit)
    ActionChains(browser).scroll_from_origin(wheel, 0, 150).perform()
    WebDriverWait(browser, 5).until(lambda driver: driver.execute_script("return scrollY") > before)
    assert zoom_level(browser) == start


def test_hovering_a_cell_shows_its_effect(browser: webdriver.Chrome, circuit: Any) -> None:
    cell = browser.find_element(By.CSS_SELECTOR, '.cn-cell[aria-label^="L9.H6:"]')
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    ActionChains(browser).move_to_element(cell).perform()
    tip = browser.find_element(By.ID, "tip")
    assert tip.is_displayed()
    assert tip.text.startswith("L9.H6: −0.420 logits [−0.600, −0.240]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [800, 1400])
def test_nothing_runs_over_the_edge_and_text_keeps_its_contrast(
    browser: webdriver.Chrome, tmp_path: Path, scheme: str, width: int
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.set_window_size(width, 1000)
    try:
        open_report(browser, write_html(full_view(), tmp_path / "report.html"))
        wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0
        assert contrast(browser, "body", "--ink", "--card") > 7
        for name in ("supported", "refuted", "inconclusive", "undefined"):
            assert contrast(browser, "body", f"--cn-{name}", "--card") > 4.5
            assert contrast(browser, "body", f"--cn-{name}", "--cn-on-strong") > 4.5
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        browser.set_window_size(1400, 1000)


def contrast(browser: webdriver.Chrome, place: str, first: str, second: str) -> float:
    """Return the contrast ratio of WCAG 2 between two CSS variables."""
    found = browser.execute_script(
        "const s = getComputedStyle(document.querySelector(arguments[0]));"
        "return [s.getPropertyValue(arguments[1]), s.getPropertyValue(arguments[2])]",
        place,
        first,
        second,
    )
    bright, dark = sorted((luminance(colour.strip()) for colour in found), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
