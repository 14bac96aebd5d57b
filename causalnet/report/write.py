"""Writing a report to disk."""

from pathlib import Path

from causalnet.report.page import html_text
from causalnet.report.view import ReportView

__all__ = ["write_html"]


def write_html(report: ReportView, path: str | Path) -> Path:
    """Write the report as one HTML file that needs no network, and return its path.

    Args:
        report: What to show.
        path: Where to write; missing folders are made.

    Raises:
        FormatError: A field of the report is not of its declared type.
    """
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Bytes, so that no platform turns a newline into two characters: the policy hashes them.
    place.write_bytes(html_text(report.checked()).encode())
    return place
