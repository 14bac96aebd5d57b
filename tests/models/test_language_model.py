"""Networks given in memory, devices, number formats, and the loaded model as a value."""

from typing import Any

import pytest
import torch
from torch import nn

from causalnet.errors import CausalNetError, DeviceError, FormatError
from causalnet.models import LanguageModel, ModelProvenance, load
from causalnet.models.hashing import module_sha256, tokenizer_sha256
from tests.small_models import tiny_gpt2, tiny_llama, word_tokenizer


def test_a_network_in_memory_is_taken_as_it_is() -> None:
    network, tokenizer = tiny_llama(rope_theta=12_345.0), word_tokenizer(["a", "b"])
    model = load(network, tokenizer=tokenizer)
    assert model.module is network
    assert model.tokenizer is tokenizer
    assert (model.dtype, model.device) == (torch.float64, torch.device("cpu"))
    assert model.declared["rope_theta"] == 12_345.0
    record = model.provenance
    assert (record.kind, record.dtype, record.attention) == ("module", "float64", "sdpa")
    assert record.weights_sha256 == module_sha256(network)
    assert record.tokenizer_sha256 == tokenizer_sha256(tokenizer)
    assert "LlamaForCausalLM in memory" in record.source
    assert ModelProvenance.from_json(record.to_json()) == record


def test_a_network_is_frozen_and_in_evaluation_mode() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    model = load(network)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert dict(model.declared) == {}
    with pytest.raises(AttributeError, match="frozen"):
        model.module = nn.Linear(1, 1)


def test_a_network_changes_format_and_attention_when_asked() -> None:
    model = load(tiny_gpt2(), dtype=torch.float32, attention="eager", device="cpu")
    assert model.dtype == torch.float32
    assert model.provenance.attention == "eager"


def test_the_model_prints_on_one_line() -> None:
    model = load(tiny_gpt2(), tokenizer=word_tokenizer(["a"]))
    count = sum(parameter.numel() for parameter in model.module.parameters())
    line = f"LanguageModel(GPT2LMHeadModel, 2 layers, {count:,} parameters, float64 on cpu)"
    assert repr(model) == line


def test_weights_are_hashed_when_first_asked_for_and_once() -> None:
    made: list[int] = []
    record = load(tiny_gpt2()).provenance

    def make() -> ModelProvenance:
        made.append(1)
        return record

    model = LanguageModel(nn.Linear(1, 1), None, {}, make)
    assert made == []
    assert model.provenance is model.provenance is record
    assert made == [1]
    assert LanguageModel(nn.Linear(1, 1), None, {}, record).provenance is record


def missing_devices() -> list[str]:
    names = [f"cuda:{torch.cuda.device_count()}", "frobnicator", "cuda:-1", "meta", "cpu:7"]
    return [*names, *([] if torch.cuda.is_available() else ["cuda"])]


@pytest.mark.parametrize("name", missing_devices())
def test_a_device_that_is_not_there_names_those_that_are(name: str) -> None:
    with pytest.raises(DeviceError, match=rf"There is no device '{name}'.*There is cpu"):
        load(tiny_gpt2(), device=name)


def test_a_device_is_checked_before_any_work(tiny_file: Any, own_cache: Any) -> None:
    with pytest.raises(DeviceError):
        load(tiny_file, device="cuda:99")
    assert not own_cache.exists()


@pytest.mark.parametrize("dtype", ["float16", "int8", torch.int64, "double"])
def test_another_number_format_is_refused(dtype: Any) -> None:
    with pytest.raises(CausalNetError, match=r"There is float32, float64, bfloat16"):
        load(tiny_gpt2(), dtype=dtype)


def test_another_attention_is_refused(tiny_folder: Any) -> None:
    with pytest.raises(CausalNetError, match="There is sdpa and eager"):
        load(tiny_folder, attention="flash_attention_2")
    with pytest.raises(CausalNetError, match="has no attention implementation"):
        load(nn.Linear(1, 1), attention="eager")


@pytest.mark.parametrize("source", [3, None, nn.Identity()])
def test_what_is_no_model_is_refused(source: Any) -> None:
    with pytest.raises(CausalNetError, match="cannot be loaded as a model"):
        load(source)


@pytest.mark.parametrize("fields", [{}, {"source": "x"}, {"colour": "red"}])
def test_a_provenance_record_is_checked(fields: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="model provenance record"):
        ModelProvenance.from_json(fields)
