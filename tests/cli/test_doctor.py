"""`causalnet doctor` on small models in folders: what it finds sound, and what it does not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from causalnet.cli.doctor import State, swap_findings
from causalnet.cli.door import run_command_line
from causalnet.lift import lift
from causalnet.models import load
from tests.small_models import tiny_gpt2, tiny_llama, word_tokenizer
from tests.toys import net, word_pairs, words


def saved_model(folder: Path, *, dead: str = "", words: int = 61, kind: Any = tiny_llama) -> Path:
    """Write a small random model to a folder; `dead` is in the names of weights set to 0."""
    module = kind(dtype=torch.float32)
    for name, parameter in module.named_parameters():
        if dead and dead in name:
            parameter.data.zero_()
    module.save_pretrained(folder)
    word_tokenizer([f"word{index}" for index in range(words)]).save_pretrained(folder)
    return folder


Output = pytest.CaptureFixture[str]


def states(output: str) -> dict[str, str]:
    """Name and state of every finding."""
    return {finding["name"]: finding["state"] for finding in json.loads(output)["findings"]}


SOUND = {
    *("embed", "L1.resid_pre", "L1.resid_mid", "L1.resid_post", "L1.mlp"),
    *("L1.H3.q", "L1.H3.pattern", "L1.H3.z", "L1.H3.q.scale", "L1.H3"),
}
KEYS = {tiny_llama: {"L1.KV1.k", "L1.KV1.v"}, tiny_gpt2: {"L1.H3.k", "L1.H3.v"}}


@pytest.mark.parametrize("kind", [tiny_llama, tiny_gpt2])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_sound_model(kind: Any, dtype: str, tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path, kind=kind))
    capsys.readouterr()  # what saving printed
    options = ["--model", model, "--dtype", dtype, "--json", "--quiet"]
    assert run_command_line(["doctor", *options]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.err == ""
    found = states(output.out)
    swaps = {name.removeprefix("swap ") for name in found if name.startswith("swap ")}
    assert swaps == SOUND | KEYS[kind]
    assert {found[f"swap {name}"] for name in swaps} == {"ok"}
    assert found["lift"] == found["swaps"] == "ok"


def test_what_a_network_does_not_have_is_not_swapped() -> None:
    """Attention that is not looked up by name cannot be opened, and without norms is no scale."""
    found = {finding.name: finding.state for finding in swap_findings(net("linear"), word_pairs())}
    assert found["swap L1.H3.v"] is found["swaps"] is State.OK
    assert not [name for name in found if "pattern" in name or "scale" in name]


def test_an_embedding_with_rows_that_no_token_has(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path, words=10))  # 13 tokens, 64 rows
    assert run_command_line(["doctor", "--model", model, "--json", "--quiet"]) == 0
    assert states(capsys.readouterr().out)["swaps"] == "ok"


def test_a_network_of_few_positions_whose_attention_is_open(capsys: Output) -> None:
    """Prompts are as long as it has positions, and its junk heads are a note."""
    model = "known:sort"
    assert run_command_line(["doctor", "--model", model, "--json", "--quiet"]) == 0
    found = states(capsys.readouterr().out)
    assert found["swap L2.H0.pattern"] == found["swaps"] == "ok"
    assert found["swap L2.H2.v"] == "note"
    assert "swap L2.mlp" not in found  # silent


def test_heads_that_nothing_reads_are_a_note(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path, dead="o_proj"))
    assert run_command_line(["doctor", "--model", model, "--json", "--dtype", "float64"]) == 0
    found = states(capsys.readouterr().out)
    tried = ("L1.H3.z", "L1.H0.z", "L0.H3.z", "L0.H0.z", "L1.H3", "L1.H0", "L0.H3", "L0.H0")
    assert {found[f"swap {name}"] for name in tried} == {"note"}
    assert found["swap L1.mlp"] == found["swaps"] == "ok"


def test_a_dead_layer_is_passed_over(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path, dead="layers.1.mlp"))
    assert run_command_line(["doctor", "--model", model, "--json"]) == 0
    found = states(capsys.readouterr().out)
    assert (found["swap L1.mlp"], found["swap L0.mlp"]) == ("note", "ok")


def test_logits_that_never_change_are_the_models_own(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path, dead="lm_head"))
    assert run_command_line(["doctor", "--model", model, "--json", "--dtype", "float64"]) == 0
    assert states(capsys.readouterr().out)["swaps"] == "note"


def test_an_interchange_that_is_not_exact_is_a_failure() -> None:
    module = tiny_llama(dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)

    def noise(_module: Any, _args: Any, out: torch.Tensor) -> torch.Tensor:
        return out + 1e-4 * torch.rand(out.shape, generator=generator)

    net = lift(load(module, tokenizer=words()))
    module.lm_head.register_forward_hook(noise)
    found = {finding.name: finding for finding in swap_findings(net, word_pairs())}
    assert found["swap embed"].state is State.FAILED
    assert "NOT SO: its own value changes no bit" in found["swap embed"].detail


def test_interventions_that_reach_nothing_are_a_failure() -> None:
    module = tiny_llama(dtype=torch.float32)
    net = lift(load(module, tokenizer=words()))
    pairs = word_pairs()
    first = torch.tensor([ids[0] for ids in pairs.base.ids])

    def from_the_prompt(_module: Any, args: Any, named: Any) -> None:
        first.copy_((args[0] if args else named["input_ids"])[:, 0])

    # The logits become a function of the prompt alone, whatever happens in between.
    module.register_forward_pre_hook(from_the_prompt, with_kwargs=True)
    module.lm_head.register_forward_hook(lambda _m, _a, out: 0 * out + first[:, None, None])
    *swaps, last = swap_findings(net, pairs)
    assert {finding.state for finding in swaps} == {State.NOTE}
    assert last.state is State.FAILED
    assert "none of 37 changes the logits" in last.detail


def test_without_json_there_is_a_line_for_each_finding(tmp_path: Path, capsys: Output) -> None:
    assert run_command_line(["doctor", "--model", str(saved_model(tmp_path))]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["determinism", "ok"] in lines
    assert ["torch", "ok"] in lines


def test_a_device_that_is_not_there_is_bad_input(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path))
    assert run_command_line(["doctor", "--model", model, "--device", "cuda:99"]) == 3
    assert "cuda:99" in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_bad_input_and_said_in_silence(
    tmp_path: Path, capsys: Output
) -> None:
    module = tiny_llama(dtype=torch.float32)
    module.model.layers[1].mlp.down_proj.weight.data[0, 0] = float("nan")
    module.save_pretrained(tmp_path)
    words().save_pretrained(tmp_path)
    capsys.readouterr()  # what saving printed
    assert run_command_line(["doctor", "--model", str(tmp_path), "--quiet"]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("causalnet: L1.mlp holds NaN or infinity on prompt 0")
