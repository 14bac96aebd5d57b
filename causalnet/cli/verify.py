"""`causalnet verify`: the claims of a file, judged."""

import sys
from collections.abc import Callable
from pathlib import Path

from causalnet.claims import ProgressReport, VerificationReport, read_claim_file
from causalnet.claims import verify as verify_claims
from causalnet.cli.report_view import report_view
from causalnet.cli.terminal import ProgressLine, Terminal
from causalnet.cli.verdict_text import heading, summary, verdict_lines
from causalnet.errors import CausalNetError

__all__ = ["follow", "run_verify", "write_report"]

HEATMAP_PAIRS = 8


def run_verify(
    file: Path,
    report: Path | None,
    png: Path | None,
    seed: int | None,
    device: str | None,
    dtype: str | None,
    terminal: Terminal,
) -> int:
    """Judge the claims, print the verdicts, write what was asked for, return the exit status."""
    claims = read_claim_file(file)
    for path in (report, png):
        check_writable(path)
    with terminal.progress() as line:
        result = verify_claims(
            claims,
            seed=seed,
            device=device,
            dtype=dtype,
            heatmap_pairs=HEATMAP_PAIRS if report or png else 0,
            command=["causalnet", *sys.argv[1:]],
            progress=follow(line),
        )
    for text in (*heading(result), "", *verdict_lines(result), "", summary(result)):
        terminal.say(text)
    if report or png:
        for path in write_report(result, report, png):
            terminal.say(f" wrote {path}")
    terminal.result(result.to_json())
    return result.exit_status


def check_writable(path: Path | None) -> None:
    """Refuse a path that nothing can be written to, before anything is computed."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise CausalNetError(
            f"{str(path)!r} cannot be written: {error.strerror}.",
            "A report is a file of its own.",
            "Name a file in a folder that you may write to.",
        ) from error


def write_report(report: VerificationReport, html: Path | None, png: Path | None) -> list[Path]:
    """Write the page and the picture that were asked for, and return their paths."""
    from causalnet.report import write_html, write_png

    view = report_view(report)
    pages = ((write_html, html), (write_png, png))
    return [write(view, path) for write, path in pages if path is not None]


def follow(line: ProgressLine) -> Callable[[ProgressReport], None]:
    """Return a function that shows progress reports on a line."""

    def tell(report: ProgressReport) -> None:
        settled = f"{len(report.settled)} settled" if report.settled else ""
        line(report.stage, report.done, report.total, settled)

    return tell
