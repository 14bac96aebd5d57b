"""How an effect table looks in a notebook."""

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet.effects.table import Effect, EffectTable

__all__ = ["table_html"]

_SHOWN = 12


def table_html(table: "EffectTable") -> str:
    """Return the conventions and the largest effects as an HTML fragment without scripts."""
    conventions = table.conventions
    head = (
        f"<b>{escape(conventions.estimand)}</b> on {escape(conventions.readout)}: "
        f"{escape(conventions.sign)}, {escape(conventions.unit)}, set at {escape(conventions.at)}, "
        f"ablation {escape(conventions.ablation)}, {len(table.prompts)} prompts"
    )
    stated = {
        "convention": conventions.convention,
        "estimator": "" if conventions.estimator == "exact" else conventions.estimator,
        "given": conventions.given,
    }
    head += "".join(f", {name} {escape(text)}" for name, text in stated.items() if text)
    if table.excluded:
        head += f", {len(table.excluded)} excluded (counted as 0)"
    rows = "".join(_row(effect) for effect in table.top(_SHOWN))
    more = len(table) - _SHOWN
    tail = f"<p>and {more} smaller</p>" if more > 0 else ""
    return (
        f"<div><p>{head}</p><table><thead><tr><th>mediator</th><th>mean</th><th>interval</th>"
        f"</tr></thead><tbody>{rows}</tbody></table>{tail}</div>"
    )


def _row(effect: "Effect") -> str:
    interval = effect.interval
    mean = (
        f"{effect.mean:+.3g}"
        if interval is None
        else interval.estimate_written(effect.mean, sign=True)
    )
    span = "" if interval is None else interval.written(sign=True)
    return f"<tr><td>{escape(effect.label)}</td><td>{mean}</td><td>{span}</td></tr>"
