"""What `causalnet verify` writes: pages, pictures, JUnit XML, results."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from causalnet.claims import VerificationReport
from causalnet.claims.results import exit_status_of
from causalnet.cli.junit import junit_bytes
from causalnet.cli.report_view import report_view
from causalnet.cli.terminal import without_infinities
from causalnet.cli.verify_asked import Verification
from causalnet.errors import CausalNetError

__all__ = ["together", "write_all", "write_report"]


def together(plain: Sequence[dict[str, Any]], exit_status: int) -> dict[str, Any]:
    """Return the one JSON object: the report of one claim file, or the reports of several.

    >>> together([{"report": 1}], 0)
    {'report': 1}
    """
    if len(plain) == 1:
        return plain[0]
    return {"exit_status": exit_status, "reports": list(plain)}


def write_all(asked: Verification, reports: Sequence[VerificationReport]) -> Iterator[Path]:
    """Write everything that was asked for, and yield the paths.

    Raises:
        CausalNetError: The system refuses.
    """
    if asked.report or asked.png:
        yield from write_report(reports[0], asked.report, asked.png)
    if asked.junit is not None:
        yield _replace(asked.junit, junit_bytes(reports))
    if asked.results is not None:
        yield _replace(asked.results, _results_bytes(reports))


def write_report(report: VerificationReport, html: Path | None, png: Path | None) -> list[Path]:
    """Write the page and the picture that were asked for, and return their paths."""
    from causalnet.report import write_html, write_png

    view = report_view(report)
    pages = ((write_html, html), (write_png, png))
    return [write(view, path) for write, path in pages if path is not None]


def _results_bytes(reports: Sequence[VerificationReport]) -> bytes:
    """Return results without what differs from run to run, one spelling for one content."""
    status = exit_status_of(tuple(result for report in reports for result in report.results))
    content = together([report.to_json(run=False) for report in reports], status)
    plain = without_infinities(content)
    return (json.dumps(plain, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _replace(path: Path, content: bytes) -> Path:
    """Write beside the path, then rename: a reader sees the old file or the new one."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe is written to, not replaced
            path.write_bytes(content)
            return path
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CausalNetError(
            f"{str(path)!r} cannot be written: {error.strerror}.",
            "Results are a file of their own, on a disk with room.",
            "Name a file in a folder that you may write to.",
        ) from error
    return path
