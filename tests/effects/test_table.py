"""What a table carries, and that it comes back whole from a file."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import causalnet as cn
from causalnet.effects import EffectTable, run
from causalnet.errors import CausalNetError, FormatError, UnknownMediatorError
from causalnet.interventions import logit_diff, nie, probability, te
from causalnet.statistics import student_interval
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs, words


@pytest.fixture
def table() -> EffectTable:
    return run(nie(net().heads(), at="end"), net(), word_pairs(6))


def test_conventions_are_stated(table: EffectTable) -> None:
    stated = table.conventions.to_json()
    assert stated["estimand"] == "NIE/v1"
    assert stated["sign"].startswith("patched - unpatched")
    assert stated["direction"] == "noising"
    assert stated["unit"] == "logits"
    assert stated["readout"] == "logit_difference/v1 at end"
    assert stated["ablation"] == "counterfactual"
    assert stated["at"] == "end"
    assert stated["scale"] == "raw"


def test_rows_have_means_and_intervals(table: EffectTable) -> None:
    effect = table["L1.H2"]
    row = table.values[table.rows.index("L1.H2")]
    assert effect.mean == pytest.approx(row.mean())
    assert effect.interval == student_interval(row, 0.95)
    assert effect.n == 6
    assert str(effect).startswith("NIE/v1 of L1.H2: ")
    assert "logits (95 %, n = 6)" in str(effect)
    assert table["a1.h2"] == effect
    assert [e.label for e in table.top(3)] == [
        table.rows[row] for row in np.argsort(-np.abs(table.values.mean(1)))[:3]
    ]
    with pytest.raises(UnknownMediatorError, match=r"No row 'L1.H9'. Nearest: L1\.H"):
        table["L1.H9"]


def test_ledger_names_every_touched_token(table: EffectTable) -> None:
    pairs = word_pairs(6)
    assert len(table.ledger) == 6
    entry = table.ledger[2]
    assert (entry.prompt, entry.position, entry.index) == (pairs.labels[2], "end", 5)
    assert entry.token == pairs.base.ids[2][5]
    assert entry.text.strip() == pairs.base.texts[2].split()[-1]
    everywhere = run(nie(net()["L0.mlp"]), net(), word_pairs(2))
    assert len(everywhere.ledger) == 12


def test_file_round_trip(table: EffectTable, tmp_path: Path) -> None:
    path = table.save(tmp_path / "effects.safetensors")
    opened = cn.open(path)
    assert np.array_equal(opened.values, table.values)
    assert np.array_equal(opened.unpatched, table.unpatched)
    for name in ("rows", "prompts", "conventions", "excluded", "ledger", "provenance"):
        assert getattr(opened, name) == getattr(table, name)
    assert opened["L0.H0"] == table["L0.H0"]


def test_altered_file_is_refused(table: EffectTable, tmp_path: Path) -> None:
    path = table.save(tmp_path / "effects.safetensors")
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(FormatError, match="altered"):
        cn.open(path)
    with pytest.raises(FormatError, match="There is no file"):
        cn.open(tmp_path / "nowhere")


def test_provenance(table: EffectTable) -> None:
    assert len(table.provenance["model"]["weights_sha256"]) == 64
    assert table.provenance["pairs"]["digest"] == word_pairs(6).digest()
    assert table.provenance["graph"] == net().graph.fingerprint()
    assert table.provenance["executor"] == "wavefront"
    assert table.provenance["executed"]["runs"] == table.provenance["forwards"] == 2
    by_hooks = run(nie(net()["L0.H1"]), net(), word_pairs(6), executor="hooks")
    assert by_hooks.provenance["executor"] == "hooks"


def test_frames(table: EffectTable) -> None:
    frame = table.to_pandas()
    assert frame.loc["L0.H1"].tolist() == table.values[1].tolist()
    assert frame.attrs["unit"] == "logits"
    array = table.to_xarray()
    assert array.dims == ("mediator", "prompt")
    assert array.sel(mediator="L0.H1").values.tolist() == table.values[1].tolist()
    assert array.attrs["estimand"] == "NIE/v1"


def test_fraction_is_a_ratio_of_means() -> None:
    pairs = word_pairs(6)
    whole = run(te(), net(), pairs)
    parts = run(nie((net()["embed"], *net().heads())), net(), pairs)
    fractions = parts.fraction_of(whole)
    assert fractions[0].value == pytest.approx(1.0)
    assert fractions[1].value == pytest.approx(parts.values[1].mean() / whole.values.mean())
    with pytest.raises(CausalNetError, match="probability"):
        parts.fraction_of(run(te(probability), net(), pairs))
    with pytest.raises(CausalNetError, match="same prompts"):
        parts.fraction_of(run(te(), net(), word_pairs(5)))
    same = replace(pairs, source=pairs.base)
    nothing = run(nie(net().heads()), net(), same).fraction_of(run(te(), net(), same))[0]
    assert math.isnan(nothing.value)
    assert nothing.interval is None


def test_excluded_prompts_stay_in_the_denominator() -> None:
    network, pairs = net(), word_pairs(6)
    best = [int(network.run(torch_ids(ids))[0, -1].argmax()) for ids in pairs.base.ids]
    rows = [
        {"base": ids, "source": other, "answer": token if row % 2 else 5, "foil": 7}
        for row, (ids, other, token) in enumerate(
            zip(pairs.base.ids, pairs.source.ids, best, strict=True)
        )
    ]
    mixed = PromptPairs.build(words(), rows)
    whole = run(nie(network.heads()), network, mixed)
    part = run(nie(network.heads()), network, mixed, only_correct=True)
    assert len(part.excluded) == 3
    assert part["L0.H0"].n == 6
    assert "3 excluded and counted as 0" in str(part["L0.H0"])
    assert "(3 excluded)" in repr(part)
    assert len(part.to_pandas().attrs["excluded"]) == 3
    assert part.to_xarray().excluded.values.sum() == 3
    with pytest.raises(CausalNetError, match="same excluded prompts"):
        part.fraction_of(run(te(), network, mixed))
    total = run(te(), network, mixed, only_correct=True)
    fraction = part.fraction_of(total)[0]
    assert fraction.value == pytest.approx(part["L0.H0"].mean / total.means()[0])
    assert part["L0.H0"].mean == pytest.approx(whole.values[0, 1::2].sum() / 6)
    assert np.array_equal(part.values, whole.values)


def torch_ids(ids: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor([ids])


def test_displays(table: EffectTable) -> None:
    assert repr(table).startswith("EffectTable(NIE/v1, 8 rows x 6 prompts, logits, largest L")
    html = table._repr_html_()
    assert "<script" not in html
    assert table.top(1)[0].label in html
    explained = str(cn.explain(nie(net().heads()), net(), word_pairs(6)))
    assert "WORLDS    10 worlds become" in explained and "would run 10 forwards" in explained
    assert str(logit_diff) in explained
