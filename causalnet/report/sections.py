"""What the page shows, from the heading to the notes, section by section."""

from collections import Counter

from causalnet.report.cards import badge, verdict_card
from causalnet.report.evidence_sections import evidence_sections, field_sections
from causalnet.report.heatmap import heatmap_svg
from causalnet.report.layout import circuit_json
from causalnet.report.markup import Markup, join, script_json, tag
from causalnet.report.numbers import measured
from causalnet.report.palette import VERDICT_SIGNS, variable
from causalnet.report.view import (
    Circuit,
    EffectRow,
    Heatmap,
    ProvenanceGroup,
    ReportView,
    VerdictRow,
)

__all__ = ["sections"]


def sections(view: ReportView) -> list[Markup | None]:
    """Return the sections in their order; what the view lacks is left out."""
    members = [member.mediator for member in view.circuit.members] if view.circuit else []
    return [
        _heading(view),
        *(verdict_card(row) for row in view.verdicts),
        *evidence_sections(view),
        _heatmap(view.heatmap, members) if view.heatmap else None,
        _circuit(view.circuit) if view.circuit else None,
        _effects(view.effects, view.heatmap) if view.effects else None,
        *field_sections(view),
        _provenance(view.provenance) if view.provenance else None,
        _notes(view.notes) if view.notes else None,
        tag(
            "footer",
            "This file is complete in itself: it loads nothing. Its data are in the element "
            "“report-view” as JSON. The circuit is drawn by cytoscape.js (MIT licence).",
        ),
    ]


def _heading(view: ReportView) -> Markup:
    counts: Counter[str] = Counter(row.verdict for row in view.verdicts)
    tally = [
        tag("li", badge(name, f"{counts[name]} {name}", filled=False), class_=name.lower())
        for name in VERDICT_SIGNS
        if counts[name]
    ]
    return tag(
        "header",
        tag("h1", tag("bdi", view.title)),
        tag("p", tag("bdi", view.task), class_="lead") if view.task else None,
        tag("p", tag("bdi", view.model), class_="muted") if view.model else None,
        tag("ul", *tally, class_="tally") if tally else None,
        _expectations(view.verdicts),
    )


def _expectations(rows: tuple[VerdictRow, ...]) -> Markup | None:
    told = [row for row in rows if row.expected is not None]
    if not told:
        return None
    odd = sum(row.expected != row.verdict for row in told)
    if odd:
        words = f"{odd} of {len(told)} verdicts are not the ones that the claim file expects."
        return tag("p", words, class_="surprise expectations")
    words = f"The claim file expects {'these verdicts' if len(told) > 1 else 'this verdict'}."
    return tag("p", words, class_="muted expectations")


def _heatmap(heatmap: Heatmap, members: list[str]) -> Markup:
    parts = [
        f"Each cell is the {heatmap.estimand} of one head on the {heatmap.outcome}",
        f" at {heatmap.at}" if heatmap.at else "",
        f", mean over {heatmap.prompts} prompt pairs" if heatmap.prompts else "",
        f" ({heatmap.method})" if heatmap.method else "",
        ". Effect = patched − unpatched.",
        " Ringed cells belong to the circuit." if members else "",
        f" Brackets are {heatmap.level:.0%} intervals, cell by cell." if heatmap.level else "",
    ]
    return join(
        tag("h2", "Where the effect sits"),
        tag("p", tag("bdi", "".join(parts)), class_="about"),
        tag(
            "div",
            tag("div", Markup(heatmap_svg(heatmap, members)), class_="scroll"),
            class_="card panel",
        ),
    )


def _circuit(circuit: Circuit) -> Markup:
    heads = sum(member.head is not None for member in circuit.members)
    mlps = sum(member.is_mlp for member in circuit.members)
    count = f"{heads} of {circuit.layers * circuit.heads} heads"
    if mlps:
        count += f" and {mlps} of {circuit.layers} MLPs"
    about = (
        f"{count}, early layers below, late ones above. Lines are structural: a member may write "
        "into every later one through the residual stream. No line is a measured effect. Only "
        "neighbouring members are joined; click one to see all that it may read from and write to."
    )
    canvas = tag("div", _zoom(), tag("div", id="circuit"), class_="canvas")
    drawing = tag("div", canvas, _side(), class_="circuit")
    return join(
        tag("h2", "The circuit"),
        tag("p", about, class_="about"),
        tag("div", drawing, _key(circuit), class_="card"),
        tag(
            "script",
            script_json(circuit_json(circuit)),
            type="application/json",
            id="circuit-graph",
        ),
    )


def _zoom() -> Markup:
    buttons = (
        ("zoom-in", "+", "Zoom in"),
        ("zoom-out", "−", "Zoom out"),
        ("zoom-fit", "Fit", "Fit"),
    )
    return tag(
        "div",
        *(
            tag("button", label, id=name, type="button", aria_label=spoken)
            for name, label, spoken in buttons
        ),
        class_="zoom",
    )


def _side() -> Markup:
    unchosen = tag(
        "div",
        tag(
            "p",
            "Click a member, here or in the drawing. Click into the drawing to zoom with the "
            "wheel; drag to move.",
        ),
        tag("h4", "Members"),
        tag("div", id="all-members", class_="chips"),
        id="unchosen",
    )
    chosen = tag(
        "div",
        tag("h3", tag("bdi", id="chosen-name")),
        tag("p", id="chosen-where", class_="muted"),
        tag("p", id="chosen-effect", class_="effect"),
        tag("p", id="chosen-group", class_="muted"),
        tag("h4", "May write into"),
        tag("div", id="chosen-down", class_="chips"),
        tag("h4", "May read from"),
        tag("div", id="chosen-up", class_="chips"),
        tag("h4", "\u00a0"),
        tag("button", "Back to all members", id="release", type="button"),
        id="chosen",
        hidden=True,
    )
    return tag("div", unchosen, chosen, class_="side", id="panel", aria_live="polite")


def _key(circuit: Circuit) -> Markup:
    measured = any(member.effect is not None for member in circuit.members)
    entries = [
        tag("span", tag("i", class_="plain"), "may write into (neighbours)"),
        tag("span", tag("i", class_="up"), "upstream of the chosen member"),
        tag("span", tag("i", class_="down"), "downstream of it"),
        tag("span", "small dots: heads outside the circuit"),
    ]
    if measured:
        entries.append(
            tag("span", "fill: the member's own mean effect, coloured as in the heat map")
        )
    return tag("div", *entries, class_="key")


def _effects(rows: tuple[EffectRow, ...], heatmap: Heatmap | None) -> Markup:
    unit = f" ({heatmap.unit})" if heatmap and heatmap.unit else ""
    head = tag(
        "tr",
        tag("th", "Mediator"),
        tag("th", f"Mean effect{unit}", class_="number"),
        tag("th", "Interval", class_="number"),
        tag("th", "", class_="bar"),
    )
    reach = max((abs(end) for row in rows for end in _ends(row)), default=1.0) or 1.0
    return join(
        tag("h2", "Largest effects"),
        tag("p", "Effect = patched − unpatched; sorted by size.", class_="about"),
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", *(_effect(row, reach) for row in rows))),
            class_="card panel",
        ),
    )


def _ends(row: EffectRow) -> list[float]:
    ends = [row.effect, row.low, row.high]
    return [end for end in ends if end is not None and abs(end) < float("inf")]


def _effect(row: EffectRow, reach: float) -> Markup:
    effect, interval = measured(row.effect, row.low, row.high, sign=True)
    return tag(
        "tr",
        tag("td", tag("bdi", row.mediator)),
        tag("td", effect, class_="number"),
        tag("td", interval, class_="number"),
        tag("td", _bar(row, reach), class_="bar"),
    )


def _bar(row: EffectRow, reach: float) -> Markup:
    def at(value: float) -> float:
        return 100 + max(-1.0, min(1.0, value / reach)) * 96

    colour = variable("negative" if row.effect < 0 else "positive")
    left, right = sorted((at(0), at(row.effect)))
    whisker = None
    if row.low is not None and row.high is not None:
        whisker = tag(
            "line",
            x1=at(row.low),
            y1=8,
            x2=at(row.high),
            y2=8,
            stroke="currentColor",
            stroke_width="1.6",
        )
    return tag(
        "svg",
        tag("line", x1=100, y1=0, x2=100, y2=16, stroke="currentColor", stroke_opacity="0.4"),
        tag("rect", x=left, y=3, width=right - left, height=10, fill=colour, fill_opacity="0.75"),
        whisker,
        viewBox="0 0 200 16",
        class_="cn-figure",
        aria_hidden="true",
    )


def _provenance(groups: tuple[ProvenanceGroup, ...]) -> Markup:
    cards = [
        tag(
            "div",
            tag("h3", tag("bdi", group.title)),
            tag(
                "table",
                *(
                    tag("tr", tag("th", tag("bdi", key), scope="row"), tag("td", tag("bdi", value)))
                    for key, value in group.rows
                ),
            ),
            class_="card panel",
        )
        for group in groups
    ]
    return join(
        tag("h2", "Where this comes from"),
        tag("p", "All that is needed to make the report again.", class_="about"),
        tag("div", *cards, class_="groups"),
    )


def _notes(notes: tuple[str, ...]) -> Markup:
    return join(
        tag("h2", "Notes"),
        tag("ul", *(tag("li", tag("bdi", note)) for note in notes), class_="notes"),
    )
