"""JUnit XML: what CI services read, parsed back."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.claims import VerificationReport, verify
from causalnet.cli.door import run_command_line
from causalnet.cli.junit import junit_bytes
from causalnet.statistics import Reason, Verdict
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.cli.small_folder import exists, make_folder, write_claims

Output = pytest.CaptureFixture[str]

# The schema that Ant's task writes by, as windyroad wrote it down: children in order, and
# attributes that must and may be there.  Jenkins' schema allows all of it.
CHILDREN = {
    "testsuites": ["testsuite*"],
    "testsuite": ["properties", "testcase*", "system-out", "system-err"],
    "properties": ["property*"],
    "testcase": ["skipped?", "error?", "failure?"],
}
ATTRIBUTES: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": (set(), set()),
    "testsuite": (
        {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"},
        {"skipped"},
    ),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "error": ({"type"}, {"message"}),
    "failure": ({"type"}, {"message"}),
}


def check_shape(element: ET.Element) -> None:
    """Hold an element and all below it against the schema."""
    must, may = ATTRIBUTES.get(element.tag, (set(), set()))
    assert must <= set(element.attrib) <= must | may, element.tag
    names = [child.tag for child in element]
    for spelt in CHILDREN.get(element.tag, []):
        name, most = spelt.rstrip("*?"), {"*": math.inf, "?": 1}.get(spelt[-1], 1)
        count = 0
        while names and names[0] == name:
            names.pop(0)
            count += 1
        assert count <= most and (spelt[-1] in "*?" or count == 1), (element.tag, name)
    assert not names, (element.tag, names)
    for child in element:
        check_shape(child)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> VerificationReport:
    """One claim of each verdict."""
    place, net = tmp_path_factory.mktemp("junit"), small_net()
    write_pairs(place / "pairs.jsonl", net, 40)
    claims = [exists(-1e6, "yes"), exists(1e6, "no"), exists(0.0, "open"), exists(0.0, "none")]
    found = verify(claim_file(place, claims=claims, title='Claims <&> "x"'), net=net)
    yes, no, is_open, none = found.results
    still = replace(is_open.decision, verdict=Verdict.INCONCLUSIVE, reason=Reason.BUDGET)
    undefined = none.decision.undefined(Reason.BEHAVIOUR_ABSENT, "There is no behaviour.")
    results = (yes, no, replace(is_open, decision=still), replace(none, decision=undefined))
    return replace(found, results=results)


def test_verdicts_become_what_ci_shows(report: VerificationReport) -> None:
    root = ET.fromstring(junit_bytes([report, report]))
    check_shape(root)
    first, second = root
    assert (first.get("tests"), first.get("failures"), first.get("errors")) == ("4", "1", "2")
    assert (first.get("id"), second.get("id")) == ("0", "1")
    assert first.get("name") == 'Claims <&> "x"' and first.get("package") == "claims"
    assert len(str(first.get("timestamp"))) == 19
    cases = {case.get("name"): [child.tag for child in case] for case in first.iter("testcase")}
    assert cases == {"yes": [], "no": ["failure"], "open": ["error"], "none": ["error"]}
    [failure] = first.iter("failure")
    assert failure.get("type") == "refuted_by_interval"
    assert str(failure.get("message")).startswith("REFUTED: ")
    assert "It does it." in str(failure.text)
    assert [error.get("type") for error in first.iter("error")] == ["budget", "behaviour_absent"]


def test_numbers_stand_in_properties(report: VerificationReport) -> None:
    root = ET.fromstring(junit_bytes([report]))
    told = {one.get("name"): str(one.get("value")) for one in root.iter("property")}
    decision = report["yes"].decision
    assert decision.interval is not None
    assert float(told["yes.estimate"]) == pytest.approx(decision.estimate, rel=1e-5)
    low, high = told["yes.interval"].strip("[]").split(", ")
    assert float(low) == pytest.approx(decision.interval.low, rel=1e-5)
    assert float(high) == pytest.approx(decision.interval.high, rel=1e-5)
    assert told["no.verdict"] == "REFUTED" and told["none.estimate"] == "nan"
    assert told["yes.reason"] == "supported_by_interval" and told["yes.n"] == str(decision.n)
    assert told["claim_file"].endswith("claims.json") and len(told["weights_sha256"]) == 64


TEXT = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=20)


@given(TEXT)
def test_any_text_can_be_written_and_read(report: VerificationReport, text: str) -> None:
    """Control characters, halves of pairs and what XML has no way to write come out as signs."""
    first = report.results[1]
    claim = first.claim.model_copy(update={"statement": text, "id": text})
    decision = replace(first.decision, sentence=text)
    odd = replace(report, results=(replace(first, claim=claim, decision=decision),))
    root = ET.fromstring(junit_bytes([odd]))
    check_shape(root)
    [failure] = root.iter("failure")
    shown = str(failure.get("message")) + str(failure.text)
    assert not any(ord(one) < 32 and one not in "\t\n\r" for one in shown)
    assert "\u202e" not in shown and "\x1b" not in shown
    plain = "".join(one for one in text if one.isascii() and one.isprintable())
    if plain == text:
        assert text in shown


def test_the_command_writes_it(tmp_path: Path, capsys: Output) -> None:
    folder = make_folder(tmp_path)
    files = [
        str(write_claims(folder, f"{name}.json", title=name, claims=[exists(threshold, name)]))
        for name, threshold in (("low", -1e6), ("high", 1e6))
    ]
    junit = tmp_path / "new" / "junit.xml"
    assert run_command_line(["verify", *files, "--junit", str(junit), "--quiet"]) == 1
    suites: list[Any] = list(ET.parse(junit).getroot())
    assert [suite.get("name") for suite in suites] == ["low", "high"]
    assert [suite.get("failures") for suite in suites] == ["0", "1"]
    capsys.readouterr()
