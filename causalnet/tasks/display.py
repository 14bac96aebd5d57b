"""Prompt pairs for people: one line, or a small table in a notebook."""

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet.tasks.pairs import PromptPairs

__all__ = ["pairs_html", "pairs_line"]

_SHOWN = 8


def pairs_line(pairs: "PromptPairs") -> str:
    """Return one line: the task, how many pairs, how long, how many were dropped."""
    record = pairs.record
    what = [record.name, record.corruption, "" if record.seed is None else f"seed {record.seed}"]
    lengths = pairs.base.lengths + pairs.source.lengths
    low, high = min(lengths, default=0), max(lengths, default=0)
    long = f"{low}" if low == high else f"{low}..{high}"
    distinct = len(set(pairs.base.ids))
    repeated = "" if distinct == len(pairs) else f" ({distinct} distinct bases)"
    dropped = f", {pairs.dropped} dropped" if pairs.dropped else ""
    return (
        f"PromptPairs({', '.join(part for part in what if part)}: {len(pairs)} pairs{repeated} "
        f"of {long} tokens{dropped})"
    )


def pairs_html(pairs: "PromptPairs") -> str:
    """Return a table of the first pairs, every text escaped."""
    head = "".join(f"<th>{name}</th>" for name in ("label", "base", "source", "answer", "foil"))
    body = "".join(_row(pairs, row) for row in range(min(len(pairs), _SHOWN)))
    rest = len(pairs) - _SHOWN
    more = f"<p>… and {rest} more.</p>" if rest > 0 else ""
    return (
        f"<div><p>{escape(pairs_line(pairs))}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{more}</div>"
    )


def _row(pairs: "PromptPairs", row: int) -> str:
    cells = (
        pairs.labels[row],
        pairs.base.texts[row],
        pairs.source.texts[row],
        " | ".join(pairs.answer_texts[row]),
        " | ".join(pairs.foil_texts[row]),
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
