"""A verdict's card: the claim, why it came out as it did, the drawings, the conventions."""

from causalnet.report.markup import Markup, tag
from causalnet.report.numbers import measured, precise
from causalnet.report.palette import VERDICT_SIGNS
from causalnet.report.verdicts import sequence_svg, verdict_svg
from causalnet.report.view import VerdictRow

__all__ = ["badge", "verdict_card"]


def badge(verdict: str, words: str, *, filled: bool = True) -> Markup:
    """Return a verdict's sign and `words` in a pill."""
    sign = tag("span", VERDICT_SIGNS[verdict], class_="sign", aria_hidden="true")
    return tag("span", sign, words, class_="badge filled" if filled else "badge")


def verdict_card(row: VerdictRow) -> Markup:
    """Return the card of one claim."""
    heading = tag(
        "div",
        tag("h3", tag("bdi", row.statement)),
        tag("p", tag("bdi", row.kind), _expectation(row), class_="kind"),
    )
    return tag(
        "section",
        tag("header", heading, badge(row.verdict, row.verdict)),
        tag("p", tag("b", "Why: "), tag("bdi", row.reason), class_="why"),
        _drawings(row),
        _numbers(row),
        _conventions(row),
        class_=f"card verdict {row.verdict.lower()}",
    )


def _expectation(row: VerdictRow) -> Markup | None:
    if row.expected is None:
        return None
    if row.expected == row.verdict:
        return tag("span", " · as the claim file expects")
    return tag("span", f" · the claim file expects {row.expected}", class_="surprise")


def _drawings(row: VerdictRow) -> Markup:
    level = f"{row.level:.0%} confidence sequence" if row.level is not None else "Estimate"
    interval = tag(
        "figure",
        tag("figcaption", f"{level}; shaded: where the claim holds"),
        Markup(verdict_svg(row)),
    )
    funnel = sequence_svg(row)
    if not funnel:
        return tag("div", interval, class_="drawings single")
    sequence = tag(
        "figure",
        tag("figcaption", f"The same sequence over the {row.counted}"),
        Markup(funnel),
    )
    return tag("div", interval, sequence, class_="drawings")


def _numbers(row: VerdictRow) -> Markup:
    unit = f" {row.unit}" if row.unit else ""
    shown: list[tuple[str, str]] = []
    estimate, interval = measured(row.estimate, row.low, row.high, row.threshold)
    if estimate:
        shown.append(("Estimate", estimate + unit))
    if interval:
        level = f" ({row.level:.0%})" if row.level is not None else ""
        shown.append(("Interval" + level, interval + unit))
    if row.threshold is not None:
        shown.append(("Claimed", f"{_claimed(row)}{unit}"))
    if row.alpha is not None:
        shown.append(("Error rate", f"{row.alpha:g} ({row.guarantee})"))
    shown.append((row.counted.capitalize(), f"{row.n:,}"))
    if row.grade:
        shown.append(("Evidence for its circuit", row.grade))
    return tag("dl", *map(_definition, shown), class_="numbers")


def _claimed(row: VerdictRow) -> str:
    at = precise(row.threshold or 0.0)
    if row.upper is not None:
        return f"within {at} to {precise(row.upper)}"
    return f"at least {at}" if row.direction == "at_least" else f"at most {at}"


def _conventions(row: VerdictRow) -> Markup | None:
    if not row.conventions:
        return None
    return tag("dl", *map(_definition, row.conventions), class_="choices")


def _definition(pair: tuple[str, str]) -> Markup:
    return tag("div", tag("dt", tag("bdi", pair[0])), tag("dd", tag("bdi", pair[1])))
