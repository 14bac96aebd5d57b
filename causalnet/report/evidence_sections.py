"""The sections beside the verdicts: grades, other conventions, sizes, chance, fields."""

from collections.abc import Iterator

from causalnet.report.convention_table import convention_table_svg
from causalnet.report.evidence import (
    ChanceView,
    ConventionTable,
    FieldsView,
    GradeView,
    SizeCurveView,
)
from causalnet.report.markup import Markup, join, tag
from causalnet.report.numbers import precise
from causalnet.report.size_curve import chance_svg, size_curve_svg
from causalnet.report.view import ReportView

__all__ = ["evidence_sections", "field_sections"]

STEPS = ("proposed", "causally suggestive", "supported", "triangulated", "verified")


def evidence_sections(view: ReportView) -> Iterator[Markup]:
    """Yield what comes after the verdicts; what the view lacks is left out."""
    if view.grades:
        yield _grades(view.grades)
    if view.conventions is not None:
        yield _conventions(view.conventions)
    if view.curve is not None:
        yield _curve(view.curve)
    if view.chance:
        yield _chance(view.chance)


def field_sections(view: ReportView) -> Iterator[Markup]:
    """Yield the fields of the report, if there are any."""
    if view.fields:
        yield _fields(view.fields)


def _grades(grades: tuple[GradeView, ...]) -> Markup:
    about = (
        "Computed from this report and never written by hand. Steps: "
        + " < ".join(STEPS)
        + "; a circuit about which a claim is refuted is rejected."
    )
    return join(
        tag("h2", "How far the evidence goes"),
        tag("p", about, class_="about"),
        tag("div", *map(_grade, grades), class_="groups"),
    )


def _grade(grade: GradeView) -> Markup:
    tone = "refuted" if grade.step == 0 else "supported" if grade.step >= 3 else "inconclusive"
    sign = "✗" if grade.step == 0 else "●" * grade.step + "○" * (len(STEPS) - grade.step)
    rows = (
        tag(
            "tr",
            tag("td", "✓" if item.is_there else "–", class_="mark"),
            tag("th", tag("bdi", item.name), scope="row"),
            tag("td", tag("bdi", item.said)),
            class_="there" if item.is_there else "lacking",
        )
        for item in grade.items
    )
    return tag(
        "div",
        tag(
            "h3",
            tag("span", f"{sign} ", class_="sign", aria_hidden="true"),
            tag("bdi", grade.grade),
        ),
        tag("p", tag("bdi", grade.circuit), class_="muted"),
        tag("p", tag("bdi", f"Claims: {', '.join(grade.claims)}"), class_="muted"),
        tag("table", *rows, class_="items"),
        tag("p", tag("bdi", grade.lacking), class_="lacks") if grade.lacking else None,
        class_=f"card panel grade {tone}",
    )


def _conventions(table: ConventionTable) -> Markup:
    heading = tag("h2", "Under other conventions")
    if table.skipped:
        return join(heading, tag("p", tag("bdi", f"Not done: {table.skipped}"), class_="about"))
    about = (
        f"The same circuits on the first {table.prompts} test prompts, under every way to ablate "
        f"that was asked for; intervals of Fieller, {table.level:.0%}, one by one, at a number of "
        "prompts that was fixed before. Dashed: what is claimed. The line under each number runs "
        "from 0 to 1."
    )
    sentences = (
        tag("li", tag("b", tag("bdi", row.claim)), ": ", tag("bdi", row.sentence))
        for row in table.rows
        if row.sentence
    )
    drawing = tag("div", Markup(convention_table_svg(table)), class_="scroll wide")
    return join(
        heading,
        tag("p", about, class_="about"),
        tag("div", drawing, tag("ul", *sentences, class_="notes"), class_="card panel"),
    )


def _curve(curve: SizeCurveView) -> Markup:
    heading = tag("h2", "Faithfulness over circuit size")
    if curve.not_done:
        return join(heading, tag("p", tag("bdi", f"Not done: {curve.not_done}"), class_="about"))
    about = (
        f"Blue: the k units with the largest {curve.ranking}. Orange: the circuits of the claims. "
        f"On the first {curve.prompts} test prompts, with {curve.level:.0%} intervals one by one. "
        "Descriptive: no verdict rests on it."
    )
    return join(
        heading,
        tag("p", tag("bdi", about), class_="about"),
        tag("div", Markup(size_curve_svg(curve)), class_="card panel"),
    )


def _chance(chances: tuple[ChanceView, ...]) -> Markup:
    return join(
        tag("h2", "Beside random circuits"),
        tag(
            "p",
            "How far from the whole model a circuit's read-out is, prompt by prompt, and how far "
            "those of random circuits are; less is better.",
            class_="about",
        ),
        tag("div", *map(_one_chance, chances), class_="groups"),
    )


def _one_chance(chance: ChanceView) -> Markup:
    p_value = "" if chance.p_value is None else f"p = {precise(chance.p_value, 2)}; "
    words = f"{p_value}{len(chance.gaps)} random circuits"
    return tag(
        "div",
        tag("h3", tag("bdi", chance.claim)),
        tag("p", words, class_="muted"),
        tag("p", tag("bdi", chance.drawn), class_="muted") if chance.drawn else None,
        tag("div", Markup(chance_svg(chance)), class_="drawings single"),
        class_="card panel",
    )


def _fields(groups: tuple[FieldsView, ...]) -> Markup:
    cards = (
        tag(
            "div",
            tag("h3", tag("bdi", group.title)),
            tag(
                "table",
                *(
                    tag(
                        "tr",
                        tag("th", tag("bdi", one.name), scope="row"),
                        tag("td", tag("bdi", one.said), class_=None if one.is_done else "undone"),
                    )
                    for one in group.fields
                ),
            ),
            class_="card panel",
        )
        for group in groups
    )
    return join(
        tag("h2", "The report, field by field"),
        tag("p", "Every field holds a value, or says why it was not done.", class_="about"),
        tag("div", *cards, class_="groups fields"),
    )
