"""`causalnet verify`: the claims of one file or several, judged."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

from causalnet.claims import ClaimFile, ProgressReport, VerificationReport
from causalnet.claims import verify as verify_claims
from causalnet.claims.budget import Spending
from causalnet.claims.networks import load_network, network_key
from causalnet.claims.results import exit_status_of
from causalnet.cli.terminal import ProgressLine, Terminal
from causalnet.cli.verdict_text import heading, summary, verdict_lines
from causalnet.cli.verify_asked import Verification, check_writable
from causalnet.cli.verify_writing import together, write_all, write_report
from causalnet.statistics import Verdict
from causalnet.store import Ledger

__all__ = ["HEATMAP_PAIRS", "check_writable", "follow", "run_verify", "write_report"]

HEATMAP_PAIRS = 8


def run_verify(asked: Verification, terminal: Terminal) -> int:
    """Judge the claims, print the verdicts, write what was asked for, return the exit status.

    Args:
        asked: The files and options.
        terminal: Where verdicts and progress are printed.

    Raises:
        CausalNetError: Bad input, found before anything is run where that can be.
    """
    files = asked.read()
    spending = Spending(asked.spends())
    with nullcontext() if asked.resume is None else Ledger(asked.resume) as ledger:
        reports = _verify_each(asked, files, spending, ledger, terminal)
        for line in _accounts(asked, reports, spending, ledger):
            terminal.say(line)
    for path in write_all(asked, reports):
        terminal.say(f" wrote {path}")
    status = exit_status_of(tuple(result for report in reports for result in report.results))
    terminal.result(together([report.to_json() for report in reports], status))
    return status


def _verify_each(
    asked: Verification,
    files: Sequence[ClaimFile],
    spending: Spending,
    ledger: Ledger | None,
    terminal: Terminal,
) -> list[VerificationReport]:
    """Return one report for each file, in their order; each model is lifted once."""
    groups: dict[object, list[int]] = {}
    for index, file in enumerate(files):
        groups.setdefault(network_key(file, asked.device, asked.dtype), []).append(index)
    reports: dict[int, VerificationReport] = {}
    for group in groups.values():
        net = None  # the model before is let go: one at a time is in memory
        for index in group:
            if len(files) > 1:
                terminal.say(f" file     {asked.files[index]}")
            with terminal.progress() as line:
                tell = follow(line)
                net = net or load_network(files[index], asked.device, asked.dtype, tell)
                report = verify_claims(
                    files[index],
                    net=net,
                    seed=asked.seed,
                    heatmap_pairs=HEATMAP_PAIRS if asked.report or asked.png else 0,
                    command=["causalnet", *sys.argv[1:]],
                    ledger=ledger,
                    budget=spending,
                    progress=tell,
                    allow_code=asked.allow_code,
                )
            reports[index] = report
            for text in (*heading(report), "", *verdict_lines(report), "", summary(report)):
                terminal.say(text)
            if len(files) > 1:
                terminal.say()
    return [reports[index] for index in range(len(files))]


def _accounts(
    asked: Verification,
    reports: Sequence[VerificationReport],
    spending: Spending,
    ledger: Ledger | None,
) -> Iterator[str]:
    """Yield what came of all files together, of the ledger and of the budget."""
    if len(reports) > 1:
        verdicts = [result.decision.verdict for report in reports for result in report.results]
        counts = ", ".join(f"{verdicts.count(each)} {each}" for each in Verdict if each in verdicts)
        yield f" {len(reports)} files: {counts}"
    if ledger is not None:
        total = ledger.reused + ledger.run_now
        ids = ", ".join(run for report in reports if (run := report.run_id))
        yield f" ledger   {ledger.reused} of {total} forwards came from {ledger.path}; run {ids}"
    if spending.is_out:
        where = asked.resume or "LEDGER"
        lost = "" if asked.resume else "; without --resume it begins anew"
        yield f" budget   {spending.budget} ran out; go on with --resume {where}{lost}"


def follow(line: ProgressLine) -> Callable[[ProgressReport], None]:
    """Return a function that shows progress reports on a line."""

    def tell(report: ProgressReport) -> None:
        settled = f"{len(report.settled)} settled" if report.settled else ""
        line(report.stage, report.done, report.total, settled)

    return tell
