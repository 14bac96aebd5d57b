"""The execution benchmark: every row's worlds on a tiny network, held to the naive hook loop."""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import execution
import pytest
import torch
from execution_parts.batches import BATCHES, described, first_difference, pairs_of
from execution_parts.by_hand import Patch, Send, Set
from execution_parts.clock import Memory
from execution_parts.comparing import by_hand, derivatives, drawn, logit_difference
from execution_parts.executors import EXECUTORS, hooks
from execution_parts.measuring import largest_heads, measure
from execution_parts.outcome import Figures, Options
from execution_parts.rows import ROWS, Row, Setting
from execution_parts.table import from_json, heading, line, stored, verdicts
from torch import Tensor

from causalnet.execute import Bindings
from causalnet.interventions import Leaf
from causalnet.lift import LiftedNetwork, lift, raised_casts
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.small_models import tiny_llama
from tests.toys import WORDS, sentence, words

EXACT = 1e-10
LENGTH, FIRST = 7, 4
WORLDS = [row for row in ROWS if row.kind == "worlds"]
TINY = Options(executor="hooks", sample=8, repeats=1, beside=1, max_diff=EXACT, rms_diff=EXACT)


@cache
def setting() -> Setting:
    """Three layers of four heads in two groups; pairs that first differ at their fifth token."""
    net = lift(load(tiny_llama(layers=3), tokenizer=words(), dtype="float64"))
    rng, rows = random.Random(0), []
    for _ in range(2):
        start, (changed, other) = sentence(rng, FIRST), rng.sample(WORDS, 2)
        rest = sentence(rng, LENGTH - FIRST - 1)
        yes, no = rng.sample(WORDS, 2)
        base, source = (f"{start} {word} {rest}" for word in (changed, other))
        rows.append({"base": base, "source": source, "answer": f" {yes}", "foil": f" {no}"})
    found = Setting(net, PromptPairs.build(words(), rows))
    with raised_casts(net.model.module):
        return replace(found, largest=largest_heads(found, TINY)[:4])


def measured(row: Row, options: Options = TINY) -> Figures:
    with raised_casts(setting().net.model.module):
        return measure(row, setting(), options)


WORLDS_OF = {
    "heads": 12,
    "heads_end": 12,
    "cells": 12 * LENGTH,
    "stream": 3 * LENGTH,
    "senders": 8,  # those of two layers
    "pairs": 4 + 6,
    "direct": 12,
    "edges": 11 * (4 + 2 + 2) + 15,  # into q, k and v, and into the MLP, of the third layer
}


def test_every_row_of_worlds_is_counted() -> None:
    assert set(WORLDS_OF) == {row.name for row in WORLDS}


@pytest.mark.parametrize("executor", ["hooks", "wavefront"])
@pytest.mark.parametrize("row", WORLDS, ids=lambda row: row.name)
def test_the_terms_of_a_row_are_the_worlds_of_the_naive_loop(row: Row, executor: str) -> None:
    figures = measured(row, replace(TINY, executor=executor))
    assert figures.worlds == WORLDS_OF[row.name]
    assert figures.sample == 8
    assert figures.max_diff is not None and figures.max_diff < EXACT
    assert figures.rms_exact is not None and figures.rms_exact < EXACT
    assert figures.rms_model is not None and figures.rms_model < EXACT
    assert figures.baselines_diff is not None and figures.baselines_diff < EXACT
    assert figures.is_right and not verdicts([figures])
    costs = (figures.ours, figures.naive, figures.resume, figures.ratio, figures.unit_seconds)
    assert all(cost is not None and cost > 0 for cost in costs)


@pytest.mark.parametrize("row", WORLDS, ids=lambda row: row.name)
def test_the_worlds_of_a_row_are_not_the_base(row: Row) -> None:
    """Otherwise the comparison could not fail."""
    rivals = by_hand(setting())
    cases = row.cases(setting())
    with torch.no_grad():
        rivals.record()
        base = logit_difference(rivals.base.logits, setting())
        moved = [
            float((logit_difference(rivals.naive(case.patches), setting()) - base).abs().max())
            for case in drawn(cases, 8, 0)
        ]
    assert max(moved) > 1e-3


def test_the_planner_leaves_out_what_cannot_change() -> None:
    """Positions before the first difference, and in the last layer those that nobody reads."""
    figures = measured(next(row for row in ROWS if row.name == "planner"))
    live = 3 * 4 * (LENGTH - FIRST) - 4 * (LENGTH - FIRST - 1)
    assert figures.worlds == 12 * LENGTH
    assert figures.note.startswith(f"{live} live versions")
    assert figures.ours is not None and figures.ours > 0


def test_edge_attribution_is_held_to_derivatives() -> None:
    figures = measured(next(row for row in ROWS if row.name == "eap"), replace(TINY, sample=20))
    assert figures.worlds == setting().net.graph.count_edges()
    assert figures.sample == 20 and figures.is_right
    assert figures.max_diff is not None


def test_screening_is_held_to_the_naive_loop() -> None:
    figures = measured(next(row for row in ROWS if row.name == "screen"))
    assert figures.note == "12 verified"
    assert figures.sample == 8 and figures.is_right
    assert figures.max_diff is not None


def test_a_wrong_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(
        leaves: Sequence[Leaf], net: LiftedNetwork, bindings: Bindings
    ) -> Mapping[Leaf, Tensor]:
        found = dict(hooks(leaves, net, bindings))
        found[leaves[-1]] = found[leaves[-1]] + 1e-3
        return found

    monkeypatch.setitem(EXECUTORS, "hooks", wrong)
    figures = measured(WORLDS[0])
    assert figures.max_diff == pytest.approx(1e-3)
    assert not figures.is_right
    assert "differ by 1.0e-03" in verdicts([figures])[0]
    assert "values differ" in line(figures)


@pytest.mark.parametrize(
    ("patches", "first"),
    [
        ([Set("L0.H1")], 0),
        ([Set("L2.H0", (6,)), Set("L1.H3")], 1),
        ([Set("L2.resid_pre", (5,))], 2),
        ([Send("embed", "L2.KV1.k")], 2),
        ([Send("L1.mlp", "L2.mlp", (4,))], 2),
        ([Send("L2.H1", "logits")], 3),
    ],
)
def test_resume_runs_from_the_first_patched_block(patches: list[Patch], first: int) -> None:
    rivals = by_hand(setting())
    calls: list[int] = []
    with torch.no_grad(), raised_casts(rivals.module):
        rivals.record()
        counters = [
            block.register_forward_hook(lambda *_, number=number: calls.append(number))
            for number, block in enumerate(rivals.blocks)
        ]
        resumed = rivals.resumed(patches)
        assert calls == list(range(first, 3))
        calls.clear()
        naive = rivals.naive(patches)
        assert calls == [0, 1, 2]
        for counter in counters:
            counter.remove()
    assert float((resumed - naive).abs().max()) < EXACT


def test_hooks_by_hand_are_removed() -> None:
    rivals = by_hand(setting())
    with torch.no_grad():
        rivals.record()
        before = rivals.module(rivals.base_ids, use_cache=False).logits
        rivals.naive([Set("L0.H1"), Send("embed", "L2.H1.q"), Send("embed", "logits")])
        assert torch.equal(rivals.module(rivals.base_ids, use_cache=False).logits, before)


@pytest.mark.parametrize("name", ["L1.H0.z", "L1.resid_mid", "logits"])
def test_by_hand_refuses_what_it_does_not_know(name: str) -> None:
    rivals = by_hand(setting())
    with torch.no_grad():
        rivals.record()
        with pytest.raises(ValueError, match=name):
            rivals._set(Set(name))


def test_derivatives_are_those_of_small_differences() -> None:
    cases = next(row for row in ROWS if row.name == "eap").cases(setting())
    sample, step = drawn(cases, 6, 1), 1e-5
    rivals = by_hand(setting())
    with raised_casts(rivals.module):
        found = derivatives(sample, setting())
        with torch.no_grad():
            rivals.record()
            for case in sample:
                up, down = (
                    logit_difference(
                        rivals.naive(case.patches, torch.full((2,), sign * step).double()),
                        setting(),
                    )
                    for sign in (1, -1)
                )
                assert torch.allclose(found[case.label], (up - down) / (2 * step), 1e-6, 1e-8)
    assert max(float(value.abs().max()) for value in found.values()) > 1e-3


def test_a_sample_has_one_of_each_stretch() -> None:
    cases = WORLDS[0].cases(setting())
    sample = drawn(cases, 5, 3)
    places = [cases.index(case) for case in sample]
    ends = [12 * number // 5 for number in range(6)]
    assert all(
        low <= place < high for place, (low, high) in zip(places, pairwise(ends), strict=True)
    )
    assert drawn(cases, 5, 3) == sample
    assert drawn(cases, 100, 3) == cases
    assert {tuple(map(cases.index, drawn(cases, 5, seed))) for seed in range(9)} != {tuple(places)}


def test_the_batches_are_what_goals_were_set_for(smollm2_tokenizer: Any) -> None:
    for batch in BATCHES.values():
        pairs = pairs_of(smollm2_tokenizer, batch)
        live = batch.tokens - batch.first
        assert first_difference(pairs) == {batch.first}
        assert f"{live} live positions" in described(pairs) and live == 5
    with pytest.raises(SystemExit, match="should be"):
        pairs_of(smollm2_tokenizer, replace(BATCHES[8], first=10))


def test_figures_are_kept_row_by_row(tmp_path: Path) -> None:
    path, names = tmp_path / "figures.json", ("senders", "heads")
    first, second = (Figures(name, "t", "b", 8, 16, "fe", "hooks", runs=(1.0,)) for name in names)
    stored([first, second], {"threads": 1}, path)
    stored([replace(first, ours=2.0)], {"threads": 1}, path)
    kept = json.loads(path.read_text())
    assert kept["setting"] == {"threads": 1}
    assert from_json(kept["rows"]["senders"]) == replace(first, ours=2.0)
    assert from_json(kept["rows"]["heads"]) == second
    table = path.with_suffix(".txt").read_text().splitlines()
    assert table[:3] == ["b", "threads 1", heading()]
    assert [row.split()[0] for row in table[3:]] == ["heads", "senders"]  # as they are listed


def test_lines_fit_the_heading() -> None:
    figures = Figures(
        "heads", "t", "b", 8, 16, "fe", "wavefront", 270, 33.4, 36.1, (33.4,), 34, 28, 212, 287.3,
        123.4, 3.69, 3.5, 24, 9e-6, 2e-6, 3e-6, 4e-6, 1e-6, 41.3,
    )  # fmt: skip
    assert len(line(figures)) == len(heading())
    assert line(replace(figures, ours=35.0)).endswith("!")
    assert line(replace(figures, ratio=3.4)).endswith("!")


def test_memory_is_the_growth_since_it_was_made() -> None:
    ballast = torch.ones(30_000_000)  # 120 MB that were there before
    memory = Memory()
    before = memory.peak()
    grown = torch.ones(20_000_000)  # 80 MB
    assert 70 < memory.peak() - before < 110
    assert before < 10
    assert float(ballast[0] + grown[0]) == 2


def test_the_list_names_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert execution.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{row.name} " in printed for row in ROWS)


def test_a_row_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The program of the row's own process ends with an error: the benchmark says so, with 1."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert execution.main(["--quick", "--rows", "heads,direct"]) == 1
    told = capfd.readouterr()
    assert told.out.count("!! exit status 1") == 2
    assert "direct: exit status 1." in told.err


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        execution.main(["--rows", "heads,hats"])
    assert "no row 'hats'; there are heads, heads_end" in capsys.readouterr().err


def test_quick_takes_small_samples() -> None:
    asked = execution.parsed(["--quick"])
    assert (asked.sample, asked.repeats) == (6, 1)
    assert asked.rows.split(",") == [row.name for row in ROWS]
