"""Verdicts as JUnit XML, which CI services show.

One `testsuite` for each claim file, one `testcase` for each claim.  SUPPORTED passes.  REFUTED is
a `failure`: the claim was tested and is false.  INCONCLUSIVE and UNDEFINED are an `error`: nothing
was shown, and a `skipped` would pass silently.  Numbers stand in the suite's properties, since
schemas know none of a testcase, and again in the text of its `system-out`.

The schema that is kept is the stricter of the two that are in use (Ant's, as windyroad wrote it
down, and Jenkins').
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from causalnet.claims import ClaimResult, VerificationReport
from causalnet.cli.terminal import CONTROL
from causalnet.cli.verdict_text import heading, summary, verdict_lines
from causalnet.statistics import Verdict

__all__ = ["junit_bytes"]

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def junit_bytes(reports: Sequence[VerificationReport]) -> bytes:
    """Return the document, in the order of the reports.

    Args:
        reports: One for each claim file.
    """
    root = ET.Element("testsuites")
    for number, report in enumerate(reports):
        root.append(_suite(number, report))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(number: int, report: VerificationReport) -> ET.Element:
    verdicts = [result.decision.verdict for result in report.results]
    refuted = verdicts.count(Verdict.REFUTED)
    supported = verdicts.count(Verdict.SUPPORTED)
    path = _path(report)
    suite = _element(
        "testsuite",
        name=report.claim_file.title,
        id=str(number),
        package=Path(path).stem,
        tests=str(len(verdicts)),
        failures=str(refuted),
        errors=str(len(verdicts) - refuted - supported),
        skipped="0",
        hostname="localhost",
        timestamp=str(report.provenance["time"]).removesuffix("Z"),
        time=f"{report.cost.wall_seconds:.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report, path):
        properties.append(_element("property", name=name, value=value))
    for result in report.results:
        suite.append(_case(result, Path(path).stem))
    lines = (*heading(report), "", *verdict_lines(report), "", summary(report))
    ET.SubElement(suite, "system-out").text = _clean("\n".join(lines))
    ET.SubElement(suite, "system-err").text = ""
    return suite


def _case(result: ClaimResult, package: str) -> ET.Element:
    """Return a claim; its forwards are shared with others, so that it has no time of its own."""
    case = _element("testcase", name=result.claim.id, classname=package or "claims", time="0.000")
    verdict, reason = result.decision.verdict, result.decision.reason
    if verdict is not Verdict.SUPPORTED:
        kind = "failure" if verdict is Verdict.REFUTED else "error"
        told = _element(kind, message=f"{verdict}: {result.decision.sentence}", type=str(reason))
        told.text = _clean(f"{result.claim.statement}\n{result.why}")
        case.append(told)
    return case


def _properties(report: VerificationReport, path: str) -> Iterator[tuple[str, str]]:
    yield "claim_file", path
    yield "model", str(report.provenance["model"]["source"])
    yield "weights_sha256", str(report.provenance["model"]["weights_sha256"])
    yield "forwards", str(report.cost.forwards)
    for result in report.results:
        name, decision = result.claim.id, result.decision
        interval = decision.interval
        yield f"{name}.verdict", decision.verdict.value
        yield f"{name}.reason", decision.reason.value
        yield f"{name}.estimate", f"{decision.estimate:.6g}"
        if interval is not None:
            yield f"{name}.interval", f"[{interval.low:.6g}, {interval.high:.6g}]"
            yield f"{name}.level", f"{interval.level:g}"
        bounds = decision.within or (decision.threshold,)
        yield f"{name}.threshold", f"{decision.direction} {', '.join(f'{b:g}' for b in bounds)}"
        yield f"{name}.unit", result.unit
        yield f"{name}.n", str(decision.n)
        yield f"{name}.why", result.why


def _path(report: VerificationReport) -> str:
    return str((report.provenance["claim_file"] or {}).get("path", "built in Python"))


def _element(tag: str, **attributes: str) -> ET.Element:
    return ET.Element(tag, {name: _clean(value) for name, value in attributes.items()})


def _clean(text: str) -> str:
    """Return text that XML can hold and that steers no terminal."""
    return CONTROL.sub("\ufffd", _NO_XML.sub("\ufffd", text))
