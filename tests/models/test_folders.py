"""Hugging Face folders: read rightly in each number format, damaged or unsafe ones refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from causalnet.errors import ModelFileError, UnsupportedArchitectureError
from causalnet.models import load
from causalnet.models.declared import declared_by_config
from causalnet.models.hashing import module_sha256
from tests.models import tiny_gguf
from tests.small_models import tiny_gpt2, tiny_llama, word_tokenizer

IDS = torch.tensor([[5, 17, 40, 8, 33, 3]])


@pytest.fixture
def folder(tiny: Any, tmp_path: Path) -> Path:
    """A folder of this test's own, to be damaged."""
    return tiny_gguf.write_folder(tmp_path / "model", tiny)


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2])
def test_a_float64_folder_gives_the_networks_logits(
    make: Callable[[], Any], tmp_path: Path
) -> None:
    network = make()
    network.save_pretrained(str(tmp_path))
    model = load(tmp_path, tokenizer=word_tokenizer(["a"]), dtype="float64")
    # Oracle: the network itself.  The loaded one keeps its rotary frequencies in float32, with
    # the same values; that costs a rounding or two of float64.
    torch.testing.assert_close(model.module(IDS).logits, network(IDS).logits, rtol=0, atol=1e-13)
    assert model.dtype == torch.float64
    assert model.provenance.weights_sha256 == module_sha256(network)
    assert model.provenance.kind == "folder"
    assert not any(parameter.requires_grad for parameter in model.module.parameters())


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", torch.float64])
def test_the_number_format_is_the_one_asked_for(dtype: Any, tiny_folder: Path) -> None:
    model = load(tiny_folder, dtype=dtype)
    assert str(model.dtype).removeprefix("torch.") == str(dtype).removeprefix("torch.")
    assert model.provenance.dtype == str(dtype).removeprefix("torch.")


def test_the_hash_is_of_the_file_whatever_the_format_it_is_loaded_in(tiny_folder: Path) -> None:
    hashes = {load(tiny_folder, dtype=d).provenance.weights_sha256 for d in ("float32", "float64")}
    assert len(hashes) == 1


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_attention_is_the_one_asked_for(attention: str, tiny_folder: Path) -> None:
    model = load(tiny_folder, attention=attention)
    config: Any = model.module.config
    assert config._attn_implementation == attention == model.provenance.attention


def test_shards_are_read_and_hashed_as_one(tiny: Any, tmp_path: Path) -> None:
    whole = load(tiny_gguf.write_folder(tmp_path / "whole", tiny))
    folder = tiny_gguf.write_folder(tmp_path / "shards", tiny, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    model = load(folder)
    assert torch.equal(model.module(IDS).logits, whole.module(IDS).logits)
    assert model.provenance.weights_sha256 == whole.provenance.weights_sha256
    next(iter(folder.glob("*.safetensors"))).unlink()
    with pytest.raises(ModelFileError, match=r"lacks the shards model-00"):
        load(folder)


def test_declared_facts_of_gpt2(tmp_path: Path) -> None:
    tiny_gpt2(eps=1e-4).save_pretrained(str(tmp_path))
    model = load(tmp_path, tokenizer=word_tokenizer(["a"]))
    assert dict(model.declared) == {
        "layers": 2,
        "heads": 4,
        "kv_heads": 4,
        "width": 32,
        "head_width": 8,
        "mlp_width": 64,
        "vocabulary": 64,
        "positions": 128,
        "norm_eps": 1e-4,
        "activation": "gelu_new",
        "tied": True,
    }


@pytest.mark.parametrize(
    ("config", "theta"),
    [
        ({"rope_theta": 100_000.0}, 100_000.0),
        ({"rope_parameters": {"rope_theta": 100_000.0, "rope_type": "default"}}, 100_000.0),
        ({"rope_theta": 1.0, "rope_parameters": {"rope_theta": 2.0}}, 2.0),
        ({"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 5e5),
        ({}, 10_000.0),
    ],
)
def test_both_spellings_of_the_rotary_base(config: dict[str, Any], theta: float) -> None:
    facts = declared_by_config({"model_type": "llama", **config})
    assert facts["rope_theta"] == theta
    assert facts.get("rope_scaling") == config.get("rope_scaling")


def test_the_earlier_spelling_of_the_rotary_base_is_read(folder: Path) -> None:
    expected = load(folder).module(IDS).logits

    def respell(config: dict[str, Any]) -> None:
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]

    edit(folder / "config.json", respell)
    model = load(folder)
    assert model.declared["rope_theta"] == tiny_gguf.ROPE_THETA
    assert torch.equal(model.module(IDS).logits, expected)


@pytest.mark.parametrize("cut", [1, 1000])
def test_truncated_weights_name_the_missing_bytes(cut: int, folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-cut])
    with pytest.raises(ModelFileError, match=rf"{cut:,} bytes are missing"):
        load(folder)


@pytest.mark.parametrize("kept", [0, 5, 8, 300])
def test_weights_truncated_in_the_header_are_refused(kept: int, folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match=rf"has {kept:,} bytes, too few"):
        load(folder)


@pytest.mark.parametrize("place", [0, 3, 8, 30, 120])
def test_an_altered_weight_header_is_refused(place: int, folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[place] ^= 0x80
    weights.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        load(folder)


def test_weights_of_another_size_than_the_shape_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    assert b'"shape":[32]' in content
    weights.write_bytes(content.replace(b'"shape":[32]', b'"shape":[31]', 1))
    with pytest.raises(ModelFileError, match=r"128 bytes where F32 \[31\] takes 124"):
        load(folder)


def test_missing_weights_are_refused_and_not_made_up(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match=r"lacks 1 tensors: model\.layers\.1\.self_attn\.q_pr"):
        load(folder)


def test_weights_that_the_network_does_not_know_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = {**load_file(path), "model.layers.0.self_attn.q_proj.bias": torch.ones(32)}
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match=r"unknown to the network, 1 tensors: .*q_proj\.bias"):
        load(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"] = torch.ones(31)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match=r"another shape 1 tensors: .*model\.norm\.weight"):
        load(folder)


def test_weights_altered_after_loading_are_told_before_a_result_leaves(folder: Path) -> None:
    model = load(folder)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"] = torch.ones(32)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match="since they were loaded"):
        _ = model.provenance


class Exploding:
    """A pickle that leaves a trace when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickles_are_refused_and_never_read(name: str, folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"w": Exploding(tmp_path / "exploded")}, folder / name)
    for source in (folder, folder / name):
        with pytest.raises(ModelFileError, match=rf"{name}' is a pickle") as caught:
            load(source)
        assert "save_pretrained" in caught.value.write
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_model_is_refused_and_never_run(
    name: str, folder: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "ran"
    (folder / "modeling_own.py").write_text(f"open({str(trace)!r}, 'w')")
    edit(
        folder / name,
        lambda config: config.update(
            auto_map={
                "AutoModelForCausalLM": "modeling_own.Own",
                "AutoTokenizer": ["own.Own", None],
            }
        ),
    )
    with pytest.raises(UnsupportedArchitectureError, match=rf"{name}.*'auto_map'"):
        load(folder)
    assert not trace.exists()


def test_quantised_folders_are_refused(folder: Path) -> None:
    edit(folder / "config.json", lambda config: config.update(quantization_config={"bits": 4}))
    with pytest.raises(UnsupportedArchitectureError, match="quantised"):
        load(folder)


@pytest.mark.parametrize(("key", "value"), [("hidden_size", "wide"), ("hidden_act", "silly")])
def test_a_configuration_that_makes_no_sense_is_refused(
    key: str, value: object, folder: Path
) -> None:
    edit(folder / "config.json", lambda config: config.update({key: value}))
    with pytest.raises(ModelFileError, match=rf"{value}"):
        load(folder)


def test_an_architecture_that_transformers_lacks_is_refused(folder: Path) -> None:
    edit(folder / "config.json", lambda config: config.update(model_type="frobnicator"))
    with pytest.raises(UnsupportedArchitectureError, match="'frobnicator'"):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_configuration_that_is_no_json_object_is_refused(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"config\.json' is not a JSON object"):
        load(folder)


def test_a_folder_without_a_model_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelFileError, match=r"has no config\.json\. It has notes\.txt"):
        load(tmp_path)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="has no weights"):
        load(folder)


def test_a_folder_without_a_tokenizer_asks_for_one(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelFileError, match=r"no tokenizer.*tokenizer="):
        load(folder)
    assert load(folder, tokenizer=word_tokenizer(["a"])).tokenizer("a").input_ids == [3]


@pytest.mark.parametrize("change", [('"BPE"', '"XPE"'), ('"id": 0', '"id": "a"'), ("}", "")])
def test_a_damaged_tokenizer_is_refused(change: tuple[str, str], folder: Path) -> None:
    path = folder / "tokenizer.json"
    before = path.read_text()
    path.write_text(before.replace(*change, 1))
    assert path.read_text() != before
    with pytest.raises(ModelFileError, match=r"The tokenizer in .* cannot be read"):
        load(folder)


def test_a_file_that_the_system_refuses_to_read_is_named(folder: Path) -> None:
    # A folder in place of a file is refused to every user, a missing permission not to root.
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    with pytest.raises(ModelFileError, match=r"config\.json' cannot be read: Is a directory\."):
        load(folder)
