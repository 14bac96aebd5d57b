"""`causalnet doctor` on small models in folders: what it finds sound, and what it does not."""

import json
from pathlib import Path

import pytest
import torch

from causalnet.cli.door import run_command_line
from tests.small_models import tiny_llama, word_tokenizer


def saved_model(folder: Path, *, dead: str = "") -> Path:
    """Write a small random Llama to a folder; `dead` names the weights that are set to 0."""
    module = tiny_llama(dtype=torch.float32)
    for name, parameter in module.named_parameters():
        if dead and dead in name:
            parameter.data.zero_()
    module.save_pretrained(folder)
    word_tokenizer([f"word{index}" for index in range(61)]).save_pretrained(folder)
    return folder


Output = pytest.CaptureFixture[str]


def states(output: str) -> dict[str, str]:
    """Name and state of every finding."""
    return {finding["name"]: finding["state"] for finding in json.loads(output)["findings"]}


def test_a_sound_model(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path))
    capsys.readouterr()  # what saving printed
    assert run_command_line(["doctor", "--model", model, "--json", "--quiet"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    found = states(output.out)
    assert {found[name] for name in ("lift", "determinism", "swap embed", "swap L1.mlp")} == {"ok"}


def test_a_head_that_nothing_reads_is_found(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path, dead="o_proj"))
    assert run_command_line(["doctor", "--model", model, "--json", "--dtype", "float64"]) == 4
    output = capsys.readouterr().out
    assert json.loads(output)["exit_status"] == 4
    assert states(output)["swap L1.H3.z"] == "failed"
    assert states(output)["swap L1.mlp"] == "ok"


def test_without_json_there_is_a_line_for_each_finding(tmp_path: Path, capsys: Output) -> None:
    assert run_command_line(["doctor", "--model", str(saved_model(tmp_path))]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["determinism", "ok"] in lines
    assert ["torch", "ok"] in lines


def test_a_device_that_is_not_there_is_bad_input(tmp_path: Path, capsys: Output) -> None:
    model = str(saved_model(tmp_path))
    assert run_command_line(["doctor", "--model", model, "--device", "cuda:99"]) == 3
    assert "cuda:99" in capsys.readouterr().err
