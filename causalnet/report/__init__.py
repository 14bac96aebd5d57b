"""Reports: one HTML file that loads nothing, one picture.

| name | what it does |
|---|---|
| `write_html` | the whole report as one file |
| `write_png` | heat map and verdicts as one picture (extra `plots`) |
| `heatmap_svg`, `verdict_svg`, `sequence_svg` | the drawings alone, for a notebook |
| `ReportView` and its parts | what is shown, as plain values |

Whatever the strings of a report hold, they come out as text: see `causalnet.report.markup`.
"""

from causalnet.report.heatmap import heatmap_svg
from causalnet.report.picture import write_png
from causalnet.report.verdicts import sequence_svg, verdict_svg
from causalnet.report.view import (
    Circuit,
    EffectRow,
    HeatCell,
    Heatmap,
    Member,
    ProvenanceGroup,
    ReportView,
    TracePoint,
    VerdictRow,
)
from causalnet.report.write import write_html

__all__ = [
    "Circuit",
    "EffectRow",
    "HeatCell",
    "Heatmap",
    "Member",
    "ProvenanceGroup",
    "ReportView",
    "TracePoint",
    "VerdictRow",
    "heatmap_svg",
    "sequence_svg",
    "verdict_svg",
    "write_html",
    "write_png",
]
