"""Reports: one HTML file that loads nothing, one picture.

| name | what it does |
|---|---|
| `write_html` | the whole report as one file |
| `write_png` | heat map and verdicts as one picture (extra `plots`) |
| `heatmap_svg`, `verdict_svg`, `sequence_svg` | the drawings alone, for a notebook |
| `convention_table_svg`, `size_curve_svg`, `chance_svg` | those of the evidence beside verdicts |
| `ReportView` and its parts | what is shown, as plain values |

Whatever the strings of a report hold, they come out as text: see `causalnet.report.markup`.
"""

from causalnet.report.convention_table import convention_table_svg
from causalnet.report.evidence import (
    ChanceView,
    ConventionCell,
    ConventionRow,
    ConventionTable,
    FieldsView,
    FieldView,
    GradeItem,
    GradeView,
    SizeCurveView,
    SizePoint,
)
from causalnet.report.heatmap import heatmap_svg
from causalnet.report.picture import write_png
from causalnet.report.size_curve import chance_svg, size_curve_svg
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
    "ChanceView",
    "Circuit",
    "ConventionCell",
    "ConventionRow",
    "ConventionTable",
    "EffectRow",
    "FieldView",
    "FieldsView",
    "GradeItem",
    "GradeView",
    "HeatCell",
    "Heatmap",
    "Member",
    "ProvenanceGroup",
    "ReportView",
    "SizeCurveView",
    "SizePoint",
    "TracePoint",
    "VerdictRow",
    "chance_svg",
    "convention_table_svg",
    "heatmap_svg",
    "sequence_svg",
    "size_curve_svg",
    "verdict_svg",
    "write_html",
    "write_png",
]
