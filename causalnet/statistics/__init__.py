"""Intervals, confidence sequences and verdicts: the one place for means and tests.

| what | where |
|---|---|
| `Interval` | `interval` |
| `Verdict`, `Reason`, `Decision`, `TracePoint` | `decision` |
"""

from causalnet.statistics.decision import (
    Decision,
    Direction,
    Reason,
    TracePoint,
    Verdict,
    verdict_of,
)
from causalnet.statistics.interval import Interval

__all__ = [
    "Decision",
    "Direction",
    "Interval",
    "Reason",
    "TracePoint",
    "Verdict",
    "verdict_of",
]
