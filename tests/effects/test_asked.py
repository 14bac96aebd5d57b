"""Queries, scalars and texts are asked alike, and tables say where they set values."""

from pathlib import Path
from typing import Any

import pytest
import torch

import causalnet as cn
from causalnet.effects import explain, run
from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.execute import Bindings, evaluate, run_leaves
from causalnet.interventions import (
    Base,
    Const,
    Do,
    Edge,
    Node,
    Read,
    ReadOut,
    ablation_effect,
    kl,
    logit_diff,
    nie,
)
from tests.toys import net, word_pairs

PAIRS = word_pairs(4, lengths=(6, 5))
BASE, SOURCE = Base("base"), Base("source")


def test_a_text_is_the_query_that_it_says() -> None:
    table = run("nie(L1.H2; at=end)", net(), PAIRS)
    assert (table.values == run(nie(net()["L1.H2"], at="end"), net(), PAIRS).values).all()
    assert explain("nie(L1.H2; at=end)", net(), PAIRS).forwards == 3


def test_a_scalar_is_a_query_of_one_row() -> None:
    world = Do(BASE, ((Node("L0.mlp", ("end",)), Const()),))
    table = run(Read(kl, world), net(), PAIRS)
    assert (table.values == run(str(Read(kl, world)), net(), PAIRS).values).all()
    assert table.values.min() > 0 and table.conventions.at == "end"


@pytest.mark.parametrize("asked", [3, None, ["nie(L1.H2)"], BASE])
def test_what_is_no_query_is_refused(asked: Any) -> None:
    with pytest.raises(TermError, match="is not a query"):
        run(asked, net(), PAIRS)
    with pytest.raises(TermError, match="is not a query"):
        explain(asked, net(), PAIRS)


@pytest.mark.parametrize("ask", [run, explain])
def test_what_is_no_network_or_no_pairs_is_refused(ask: Any) -> None:
    with pytest.raises(ParameterError, match=r"A LanguageModel was given.*cn\.lift"):
        ask("te()", net().model, PAIRS)
    with pytest.raises(ParameterError, match=r"A str was given as the network"):
        ask("te()", "SmolLM2-135M", PAIRS)
    with pytest.raises(ParameterError, match=r"A str was given as the pairs.*tasks\.ioi"):
        ask("te()", net(), "When Mary and John")
    with pytest.raises(ParameterError, match="A Prompts was given as the pairs"):
        ask("te()", net(), PAIRS.base)
    with pytest.raises(ParameterError, match=r"batch_size is '8'.*batch_size=16"):
        ask("te()", net(), PAIRS, batch_size="8")


def test_vectors_without_their_handles_are_refused() -> None:
    handle, bound = cn.vector("up", torch.ones(32))
    query = ablation_effect(net()["L0.mlp"], cn.constant(handle))
    for given in (torch.ones(32), (handle, bound), [torch.ones(32)]):
        with pytest.raises(TermError, match=r"given as vectors.*Write vectors=dict"):
            run(query, net(), PAIRS, vectors=given)  # type: ignore[arg-type]  # what is tested
    for wrong in ({handle: torch.ones(32)}, {"up": bound}):
        with pytest.raises(TermError, match=r"Under a Handle there is.*Write vectors=dict"):
            run(query, net(), PAIRS, vectors=wrong)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("executor", [evaluate, run_leaves])
def test_a_read_out_that_is_not_known_is_refused_before_anything_runs(executor: Any) -> None:
    started: list[int] = []
    with pytest.raises(TermError, match=r"'logit_dif' is not known\. There are logit_difference,"):
        executor(
            [Read(ReadOut("logit_dif", "", ""), BASE)],
            net(),
            Bindings.of(PAIRS),
            progress=lambda done, expected: started.append(done),
        )
    assert not started


def test_a_text_that_is_no_query_shows_its_place() -> None:
    with pytest.raises(UnknownMediatorError, match="Line 1, column 5"):
        run("nie(L9.H9)", net(), PAIRS)


@pytest.mark.parametrize(
    ("query", "at", "touched"),
    [
        ("nie(L0.mlp; at=end)", "end", {"end": 4}),
        ("path_patch(L0.H1; receivers=L1.H2.q)", "all positions", {"all": 22}),
        ("path_patch(L0.H1; receivers=L1.H2.q; at=end)", "end", {"end": 4}),
        ("pse(embed -> L1.mlp -> logits)", "all positions", {"all": 22}),
        (
            "logit_difference(<base> + {L0.H1 -> L1.H2.q[end] := 0} + {L0.mlp[1] := 0})",
            "end,1",
            {"end": 4, "1": 4},
        ),
        ("grad(logit_difference(<base>); L0.mlp[2]; L0.mlp in <source>)", "2", {"2": 4}),
        ("te()", "all positions", {}),
        ("logit_lens(L0.resid_post)", "all positions", {}),
    ],
)
def test_a_table_says_where_values_are_set(
    query: str, at: str, touched: dict[str, int], tmp_path: Path
) -> None:
    table = run(query, net(), PAIRS)
    counts: dict[str, int] = {}
    for entry in table.ledger:
        counts[entry.position] = counts.get(entry.position, 0) + 1
    assert (table.conventions.at, counts) == (at, touched)
    back = cn.open(table.save(tmp_path / "table"))
    assert (back.conventions, back.ledger) == (table.conventions, table.ledger)


def test_tokens_are_those_of_the_patched_prompts() -> None:
    """A world on the source sets values at the source's tokens."""
    world = Do(SOURCE, ((Edge("embed", "L1.mlp", ("end",)), Const()),))
    table = run(Read(logit_diff, world), net(), PAIRS)
    assert [entry.token for entry in table.ledger] == [ids[-1] for ids in PAIRS.source.ids]
