"""Prompt pairs to JSON Lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet.tasks.pairs import PromptPairs

__all__ = ["HEADER", "write_pairs"]

HEADER = "causalnet_pairs"
"""The key that marks a file's first line as the record of the pairs, with the format's version."""


def write_pairs(pairs: "PromptPairs", path: Path) -> None:
    """Write one line with the record, then one line per pair with texts, ids and positions."""
    lines = (json.dumps(line, ensure_ascii=False) for line in _lines(pairs))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _lines(pairs: "PromptPairs") -> Iterator[dict[str, object]]:
    yield {
        HEADER: 1,
        "record": pairs.record.to_json(),
        "reduction": pairs.reduction,
        "drop_reasons": dict(pairs.drop_reasons),
    }
    for row in range(len(pairs)):
        yield {
            "label": pairs.labels[row],
            "base": pairs.base.texts[row],
            "source": pairs.source.texts[row],
            "base_ids": pairs.base.ids[row],
            "source_ids": pairs.source.ids[row],
            "answers": pairs.answer_texts[row],
            "answer_ids": pairs.answers[row],
            "foils": pairs.foil_texts[row],
            "foil_ids": pairs.foils[row],
            "positions": {
                name: {"base": places[row], "source": pairs.source.positions[name][row]}
                for name, places in pairs.base.positions.items()
            },
            "template": pairs.base.templates[row],
        }
