"""Verdicts as lines of text."""

import math
import textwrap
from collections.abc import Iterator

from causalnet.claims import ClaimResult, VerificationReport
from causalnet.claims.grades import missing_for
from causalnet.claims.reporting import reporting_of
from causalnet.cli.report_view import model_line, task_line
from causalnet.statistics import Decision

__all__ = ["heading", "summary", "verdict_lines"]

WIDTH = 96


def heading(report: VerificationReport) -> Iterator[str]:
    """Yield what was tested: title, model, prompts, circuit."""
    circuit = ", ".join(report.circuit)
    yield f" {report.claim_file.title}"
    yield f" model    {model_line(report)}"
    yield f" prompts  {task_line(report)}"
    size = len(report.circuit)
    counted = f"{size} mediator{'' if size == 1 else 's'}: {circuit}"
    yield from textwrap.wrap(
        counted, WIDTH, initial_indent=" circuit  ", subsequent_indent=" " * 10
    )


def verdict_lines(report: VerificationReport) -> Iterator[str]:
    """Yield every claim with its verdict, number, interval, threshold, and why."""
    width = max(len(result.claim.id) for result in report.results)
    for result in report.results:
        unexpected = "" if result.is_expected else f"   expected {result.expected}"
        numbers = _numbers(result.decision, result)
        yield f" {result.claim.id:<{width}}  {result.decision.verdict:<12}  {numbers}{unexpected}"
        for text in (f"“{result.claim.statement}”", result.why):
            yield from textwrap.wrap(text, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
    for index, words in enumerate(_grades(report)):
        start = " evidence " if index == 0 else " " * 10
        yield from textwrap.wrap(words, WIDTH, initial_indent=start, subsequent_indent=" " * 10)
    for note in report.notes:
        yield from textwrap.wrap(note, WIDTH, initial_indent=" note: ", subsequent_indent=" " * 7)


def _numbers(decision: Decision, result: ClaimResult) -> str:
    unit = f" {result.unit}" if result.unit else ""
    bound = f"claimed {_claimed(decision)}{unit}"
    if math.isnan(decision.estimate):
        return f"{bound}   n = {decision.n}"
    number, ends = f"{decision.estimate:.3g}", "(no interval)"
    if decision.interval is not None:
        number = decision.interval.estimate_written(decision.estimate, decision.threshold)
        ends = decision.interval.written(decision.threshold)
    counted = "circuits" if result.claim.kind == "better_than_random" else "prompts"
    return f"{number} {ends}   {bound}   after {decision.n} {counted}"


def _claimed(decision: Decision) -> str:
    """Return what is claimed of the number."""
    if decision.within is not None:
        low, high = decision.within
        return f"{low:g} to {high:g}"
    return f"{'≤' if decision.direction == 'at_most' else '≥'} {decision.threshold:g}"


def _grades(report: VerificationReport) -> Iterator[str]:
    """Yield how far the evidence for every circuit goes, and what the next step lacks."""
    for one in reporting_of(report).circuits:
        size = len(one.circuit)
        named = f"{size} member{'' if size == 1 else 's'} ({', '.join(one.claims)})"
        after = missing_for(one.evidence)
        lacking = "" if after is None else f"; {after[0]} needs {', '.join(after[1])}"
        yield f"{one.grade}: {named}{lacking}"


def summary(report: VerificationReport) -> str:
    """Return the last line: how many of which verdict, and what they cost."""
    verdicts = [result.decision.verdict for result in report.results]
    counts = (f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    cost = report.cost
    return f" {', '.join(counts)} · {cost.forwards} forwards, {cost.cpu_seconds:.0f} s of CPU"
