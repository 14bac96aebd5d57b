"""Figures as a table, and as a file that is kept."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from execution_parts.outcome import Figures
from execution_parts.rows import ROWS

__all__ = ["from_json", "heading", "line", "stored", "verdicts"]

HEADING = (
    f"{'row':10}{'worlds':>7}{'ours':>9}{'per last':>9}{'reach':>7}{'stretch':>8}{'naive':>9}"
    f"{'resume':>9}{'ratio':>7}{'n':>4}{'max|diff|':>10}{'rms diff':>9}"
    f"{'to f64':>9}{'its own':>9}{'peak MB':>9}{'unit s':>7}"
)


def heading() -> str:
    """Return the line above the rows."""
    return HEADING


def line(row: Figures) -> str:
    """Return the figures of a row; a cost over its goal has a `!`, a wrong value two."""
    over = row.reach is not None and row.ours is not None and row.ours > row.reach
    short = row.at_least is not None and row.ratio is not None and row.ratio < row.at_least
    wrong = "" if row.is_right else "!! " + (row.failed or "values differ")
    flags = f"{'!' if over or short else ''}{wrong}"
    return (
        f"{row.row:10}{row.worlds:>7}{_number(row.ours):>9}{_number(row.ours_last):>9}"
        f"{_number(row.reach):>7}{_number(row.stretch):>8}{_number(row.naive):>9}"
        f"{_number(row.resume):>9}{_number(row.ratio):>7}{row.sample:>4}"
        f"{_small(row.max_diff):>10}{_small(row.rms_diff):>9}{_small(row.rms_exact):>9}"
        f"{_small(row.rms_model):>9}{_number(row.peak_mb):>9}"
        f"{_number(row.unit_seconds):>7}"
        f" {flags} {row.note}"
    ).rstrip()


def _number(value: float | None) -> str:
    """Three digits, or all in front of the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def from_json(found: dict[str, Any]) -> Figures:
    """Return figures from an object that was printed."""
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Figures(**{**found, **lists})


def stored(rows: Sequence[Figures], setting: Mapping[str, object], path: Path) -> None:
    """Put rows into the file of their batch, in place of earlier figures of the same rows.

    Beside the JSON file the whole table is written as text.
    """
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    kept["setting"] = dict(setting)
    kept["rows"] |= {row.row: asdict(row) for row in rows}
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    order = {row.name: place for place, row in enumerate(ROWS)}
    shown = [from_json(kept["rows"][name]) for name in sorted(kept["rows"], key=order.__getitem__)]
    about = ", ".join(f"{name} {value}" for name, value in setting.items())
    lines = [shown[0].batch, about, heading(), *map(line, shown)]
    path.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def verdicts(rows: Iterable[Figures]) -> list[str]:
    """Return a sentence for every row that failed or has a value that is not right."""
    return [_verdict(row) for row in rows if not row.is_right]


def _verdict(row: Figures) -> str:
    if row.failed:
        return f"{row.row}: {row.failed}."
    return (
        f"{row.row}: our values and the naive loop's differ by {_small(row.max_diff)} "
        f"(rms {_small(row.rms_diff)}, to float64 {_small(row.rms_exact)}), "
        f"the baselines by {_small(row.baselines_diff)}; "
        f"allowed are {row.allowed[0]:.0e} and {row.allowed[1]:.0e}."
    )
