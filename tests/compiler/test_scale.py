"""Large programs: what is done grows with what is asked, and no network needs to be there."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from causalnet.compiler import compile_reads, contents
from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import At, Base, Do, Node, Read, logit_diff

SMALL = TransformerShape(30, 9, 3, 576, 64, 1536, 49152)
LARGE = TransformerShape(80, 64, 8, 8192, 128, 28672, 128256)
BASE, SOURCE = Base("base"), Base("source")


def cells(shape: TransformerShape, positions: Sequence[int | str]) -> list[Read]:
    """One world for every head and position."""
    sites = [
        Node(f"L{layer}.H{head}.z", (position,))
        for layer in range(shape.layers)
        for head in range(shape.heads)
        for position in positions
    ]
    return [Read(logit_diff, Do(BASE, ((site, At(site.mediator, SOURCE)),))) for site in sites]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the births that are numbered, and the nodes of them."""
    counted: Counter[str] = Counter()
    birth: Any = contents._Birth
    run, settle = birth.run, birth.settle

    def counted_run(self: Any) -> int:
        counted["births"] += 1
        return int(run(self))

    def counted_settle(self: Any, *arguments: Any) -> int:
        counted["nodes"] += 1
        return int(settle(self, *arguments))

    monkeypatch.setattr(birth, "run", counted_run)
    monkeypatch.setattr(birth, "settle", counted_settle)
    return counted


def test_every_birth_of_4000_cells_is_numbered_once(calls: Counter[str]) -> None:
    reads = cells(SMALL, range(15))[:4_000]
    program = compile_reads(reads, transformer_graph(SMALL))
    assert len(program.births) == 4_000
    assert calls == {"births": 4_000, "nodes": 8_000}  # z, and the head


def test_all_heads_of_a_large_network(calls: Counter[str]) -> None:
    program = compile_reads(cells(LARGE, ["end"]), transformer_graph(LARGE))
    assert len(program.births) == len(program.reads) == 80 * 64
    assert calls == {"births": 80 * 64, "nodes": 2 * 80 * 64}
