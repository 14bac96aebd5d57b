"""Foretold FLOPs and calls against what the executor does, counted; and against formulas."""

import pytest

from causalnet.compiler import compile_reads, schedule_program
from causalnet.compiler.assuming import assumed_signature
from causalnet.compiler.bound import bound_of
from causalnet.compiler.cost import STAGES, Layout, cost_of, rows_at
from causalnet.compiler.machine import CPU, Machine, Work
from causalnet.compiler.program import Kind
from causalnet.compiler.report import zero_rows
from causalnet.compiler.savings import savings_of
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes
from causalnet.errors import ParameterError
from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import parse_query
from causalnet.lift.sizes import network_sizes
from tests.compiler.measured import measured, queries
from tests.toys import net, word_pairs

SMOLLM2 = Sizes(TransformerShape(30, 9, 3, 576, 64, 1536, 49152))
PLUS = " - logit_difference(<base>)"
JOBS = {
    "heads at end": ("nie(heads; at=end)",),
    "heads": ("nie(heads)",),
    "heads at one token": ("nie(heads; at=2)",),
    "cells": tuple(f"nie(heads; at={token})" for token in range(6)),
    "queries": ("path_patch(L0.H0, L0.H1; receivers=L1.H1.q; at=end)",),
    "MLP to MLP": ("path_patch(L0.H0, L0.mlp; receivers=L1.mlp)",),
    "MLPs": ("nie(mlps)",),
    "MLPs at end": ("nie(mlps; at=end)",),
    "divergence": ("nie(heads; at=end; outcome=kl)",),
    "direct": (
        f"logit_difference(<base> + {{L0.H0 -> logits := L0.H0 in <source>}}){PLUS}",
        f"logit_difference(<base> + {{L1.mlp -> logits := L1.mlp in <source>}}){PLUS}",
    ),
    "probability": ("nie(heads; at=end; outcome=probability)",),
    "two heads": (
        "logit_difference(<base> + {L0.H0.z := L0.H0.z in <source>, L1.H1.z := L1.H1.z in "
        f"<source>}}){PLUS}",
        "nie(heads)",
    ),
    "pattern": (
        f"logit_difference(<base> + {{L0.H0.pattern := L0.H0.pattern in <source>}}){PLUS}",
    ),
    "stream": (
        f"logit_difference(<base> + {{L1.resid_pre[end] := L1.resid_pre in <source>}}){PLUS}",
    ),
    "zero": (f"logit_difference(<base> + {{L0.H0 := 0}}){PLUS}",),
    "nothing": (f"logit_difference(<base> + {{L0.mlp := L0.mlp in <base>}}){PLUS}",),
}


def planned(text: str, sizes: Sizes, prompts: int, tokens: int, first: int) -> Schedule:
    graph = transformer_graph(sizes.shape)
    reads = parse_query(text, graph).reads
    program = compile_reads(reads, graph)
    return schedule_program(program, assumed_signature(program, prompts, tokens, first))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("job", JOBS)
def test_flops_and_calls_are_those_of_the_executor(job: str, kind: str) -> None:
    network = net(kind, layers=3)
    found = measured(queries(JOBS[job], network), network, word_pairs(5))
    cost = cost_of(found.schedule, network_sizes(network))
    assert cost.flops() == pytest.approx(found.flops, rel=0.02)
    stages = found.schedule.program.stages
    rows = [rows_at(found.schedule, wave) for wave in found.schedule.waves]
    attention = sum(int(alive[1 : stages.last : 2].sum()) for alive in rows)
    mlp = sum(int(alive[2 : stages.last : 2].sum()) for alive in rows)
    born = [found.schedule.program.versions[v] for w in found.schedule.waves for v in w.versions]
    # A version that is born inside an MLP, by what it reads, calls it once.
    mlp += sum(
        v.kind in (Kind.SLOT, Kind.GENERAL)
        and 0 < v.born < stages.last
        and not stages.is_attention(v.born)
        for v in born
    )
    assert (attention, mlp) == (found.counts.attention, found.counts.mlp)


def test_ragged_prompts_cost_what_is_foretold() -> None:
    network = net(layers=3)
    pairs = word_pairs(6, lengths=(6, 4, 7))
    for job in ("heads at end", "heads", "queries"):
        found = measured(queries(JOBS[job], network), network, pairs)
        cost = cost_of(found.schedule, network_sizes(network))
        assert cost.flops() == pytest.approx(found.flops, rel=0.02)


def test_all_heads_at_the_end_cost_what_the_formula_says() -> None:
    """H sum_l u_l P with u_l = (L - 1 - l) + mu, mu the MLP's share of a layer."""
    schedule = planned("nie(heads; at=end)", SMOLLM2, 16, 14, 9)
    layers, tokens = SMOLLM2.shape.layers, 16
    after = sum(range(layers))
    without_scores = 9 * tokens * (after * SMOLLM2.layer + layers * SMOLLM2.mlp)
    # The last block's attention counts 13 columns: the own key of one column is no product.
    scores = 9 * after * SMOLLM2.scores(tokens, 13)
    assert cost_of(schedule, SMOLLM2).flops("suffix") == without_scores + scores


def test_stages_add_up() -> None:
    cost = cost_of(planned("nie(heads)", SMOLLM2, 8, 16, 11), SMOLLM2)
    assert sum(cost.flops(stage) for stage in STAGES) == cost.flops()
    assert sum(cost.forwards(stage) for stage in STAGES) == pytest.approx(cost.forwards())


def test_each_rule_saves_and_all_together_are_the_plan() -> None:
    schedule = planned("nie(heads)", SMOLLM2, 8, 16, 11)
    savings = savings_of(schedule, SMOLLM2, 272)
    assert savings[0].left == 272
    assert all(saving.saved >= 0 for saving in savings)
    assert savings[-1].left == pytest.approx(cost_of(schedule, SMOLLM2).flop_forwards())
    by_rule = {saving.rule: saving.saved for saving in savings}
    assert by_rule["V2"] > 0 and by_rule["A3"] > 0 and by_rule["V3"] > 0


def test_positions_before_a_difference_cost_nothing() -> None:
    void = planned("nie(heads; at=3)", SMOLLM2, 8, 16, 11)
    assert void.void == 270
    assert cost_of(void, SMOLLM2).flops("suffix") == 0


def test_a_layout_that_leaves_nothing_out_costs_more() -> None:
    schedule = planned("nie(heads; at=end)", SMOLLM2, 8, 16, 11)
    everything = cost_of(schedule, SMOLLM2, layout=Layout(False, False, False, False, False))
    assert everything.flops() > 10 * cost_of(schedule, SMOLLM2).flops()


@pytest.mark.parametrize(
    "text", ["nie(heads; at=end)", "nie(heads)", "path_patch(L0.H0; receivers=L1.H0.q)"]
)
def test_single_worlds_are_run_at_the_minimum(text: str) -> None:
    sizes = Sizes(TransformerShape(4, 4, 2, 32, 8, 48, 64))
    schedule = planned(text, sizes, 4, 6, 2)
    bound = bound_of(schedule, sizes)
    assert bound.ratio == 1.0 and bound.calls == bound.distinct
    rows = sum(int(rows_at(schedule, wave)[1:-1].sum()) for wave in schedule.waves)
    assert bound.calls == rows


def test_time_grows_with_work_and_falls_with_rate() -> None:
    work = Work("suffix", "product", 256, 10**9)
    assert CPU.seconds(work) == pytest.approx(1e9 / 133e9 + CPU.call)
    slower = Machine("slow", ((16, 1e9), (256, 2e9)), 1e9, 1e9, 0.0, model=((16, 5e8), (256, 1e9)))
    assert slower.seconds(work) == pytest.approx(0.5)
    assert slower.seconds(work, of_model=True) == pytest.approx(1.0)
    assert slower.rate(8) == 5e8 and slower.rate(10**6) == 2e9


def test_prompts_that_cannot_be_are_refused() -> None:
    graph = transformer_graph(SMOLLM2.shape)
    program = compile_reads(parse_query("nie(L0.H0; at=20)", graph).reads, graph)
    assert any(version.kind == Kind.OUTPUT for version in program.versions)
    with pytest.raises(ParameterError, match="Token 20 of prompts with 16 tokens"):
        assumed_signature(program, 8, 16, 0)
    with pytest.raises(ParameterError, match="at least one prompt"):
        assumed_signature(program, 0, 16, 0)


def test_only_what_is_zero_in_every_model_is_called_zero() -> None:
    graph = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11))
    texts = {
        "before": "nie(L0.H0; at=1)",
        "after": "nie(L0.H0; at=3)",
        "own": f"logit_difference(<base> + {{L0.mlp := L0.mlp in <base>}}){PLUS}",
        "event": "positive(logit_difference(<base> + {L0.mlp := 0}))",
    }
    parsed = {name: parse_query(text, graph) for name, text in texts.items()}
    reads = tuple(dict.fromkeys(read for query in parsed.values() for read in query.reads))
    program = compile_reads(reads, graph)
    schedule = schedule_program(program, assumed_signature(program, 4, 6, 2))
    labelled = [(name, query.contrasts[0][1]) for name, query in parsed.items()]
    assert zero_rows(labelled, reads, schedule) == ("before", "own")
