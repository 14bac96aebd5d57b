"""What was run before is found again: the same numbers, and no forward."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from causalnet.abstraction import (
    aligned,
    compare,
    disentangle,
    draw_interchanges,
    interchange_accuracy,
)
from tests.abstraction.entities import TRUE, examples, model, network
from tests.abstraction.test_rivals import TRUE as COLOUR
from tests.abstraction.test_rivals import _shape_where_the_colour_is

ALIGNED = aligned(TRUE)


class Kept:
    """A ledger in memory, which counts what it had to run."""

    def __init__(self) -> None:
        self.found: dict[str, Mapping[str, Any]] = {}
        self.ran = 0

    def __call__(
        self, program: object, batch: object, compute: Callable[[], tuple[Mapping[str, Any], int]]
    ) -> Mapping[str, Any]:
        key = json.dumps([program, batch])
        if key not in self.found:
            self.found[key], _ = compute()
            self.ran += 1
        return self.found[key]


def _accuracy(recall: Any) -> object:
    pairs = draw_interchanges(model(), examples(), "colour", 20)
    return interchange_accuracy(network(), pairs, ALIGNED, recall=recall)


def _compared(recall: Any) -> object:
    other = _shape_where_the_colour_is()
    return compare(network(), COLOUR, other, examples(), 20, recall=recall)


def _disentangled(recall: Any) -> object:
    return disentangle(network(), model(), ALIGNED, examples(), "colour", 20, recall=recall)


@pytest.mark.parametrize("ask", [_accuracy, _compared, _disentangled])
def test_what_was_run_is_found_again(ask: Callable[[Any], object]) -> None:
    kept = Kept()
    first, ran = ask(kept), kept.ran
    assert ran > 0
    assert ask(kept) == first == ask(None) and kept.ran == ran


def test_another_alignment_is_another_program() -> None:
    kept, pairs = Kept(), draw_interchanges(model(), examples(), "colour", 20)
    for head in ("L0.H0", "L0.H1", "L0.H0"):
        interchange_accuracy(network(), pairs, aligned({"colour": head}), recall=kept)
    assert kept.ran == 2
