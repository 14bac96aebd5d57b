"""GGUF files: read rightly, converted once, damaged ones refused."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from causalnet.errors import CausalNetError, ModelFileError, UnsupportedArchitectureError
from causalnet.models import conversion, load
from causalnet.models.gguf_header import read_gguf_header
from causalnet.models.hashing import file_sha256, module_sha256
from causalnet.models.safetensors_header import read_entries
from causalnet.store import user_folder
from tests.models import tiny_gguf
from tests.small_models import tiny_gpt2

IDS = torch.tensor([[5, 17, 40, 8, 99, 3]])


def damaged(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("tied", [True, False])
def test_gguf_folder_and_network_give_the_same_logits(
    tied: bool, tmp_path: Path, own_cache: Path
) -> None:
    # Oracle: the network itself, whose weights both files hold in float32.  Tolerance: none.
    network = tiny_gguf.network(seed=1, tied=tied)
    from_file = load(tiny_gguf.write_gguf(tmp_path / "m.gguf", network))
    from_folder = load(tiny_gguf.write_folder(tmp_path / "folder", network))
    expected = network(IDS).logits
    assert torch.equal(from_file.module(IDS).logits, expected)
    assert torch.equal(from_folder.module(IDS).logits, expected)
    text = "the cat<|im_start|> and the dog, é"
    ids = tiny_gguf.tokenizer()(text).input_ids
    assert from_file.tokenizer(text).input_ids == ids
    assert from_folder.tokenizer(text).input_ids == ids
    hashes = {model.provenance.weights_sha256 for model in (from_file, from_folder)}
    assert hashes == {module_sha256(network)}


def test_gpt2_as_gguf_gives_the_networks_logits(tmp_path: Path, own_cache: Path) -> None:
    network = tiny_gpt2(
        dtype=torch.float32, mlp_width=128, vocabulary=len(tiny_gguf.TOKENS), eps=1e-4
    )
    # transformers reads GPT-2's number of positions and MLP width from no GGUF file: as in GPT-2
    network.config.n_positions = 1024
    network.transformer.wpe = torch.nn.Embedding(1024, 32).requires_grad_(False)
    model = load(tiny_gguf.write_gguf(tmp_path / "gpt2.gguf", network, architecture="gpt2"))
    assert torch.equal(model.module(IDS).logits, network(IDS).logits)
    assert model.declared["norm_eps"] == pytest.approx(1e-4, rel=1e-6)
    assert [model.declared[name] for name in ("heads", "kv_heads", "mlp_width")] == [4, 4, 128]
    assert (model.declared["activation"], model.declared["tied"]) == ("gelu_new", True)


def test_declared_facts_are_the_files_own(tiny_file: Path, tiny: Any, own_cache: Path) -> None:
    model = load(tiny_file)
    assert model.declared["norm_eps"] == pytest.approx(tiny_gguf.EPS, rel=1e-6)  # float32 in GGUF
    assert {key: value for key, value in model.declared.items() if key != "norm_eps"} == {
        "rope_theta": tiny_gguf.ROPE_THETA,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "width": 32,
        "head_width": 8,
        "mlp_width": 48,
        "vocabulary": len(tiny_gguf.TOKENS),
        "positions": 128,
        "activation": "silu",
        "tied": True,
    }


def test_provenance_of_a_gguf_file(tiny_file: Path, own_cache: Path) -> None:
    record = load(tiny_file, attention="eager").provenance
    assert record.kind == "gguf"
    assert record.source == str(tiny_file)
    assert record.file_sha256 == file_sha256(tiny_file)
    assert record.config["llama.rope.freq_base"] == tiny_gguf.ROPE_THETA
    assert (record.dtype, record.device, record.attention) == ("float32", "cpu", "eager")
    assert record.versions["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert len(record.tokenizer_sha256) == 64


def test_header_agrees_with_the_gguf_package(tiny_file: Path) -> None:
    from gguf import GGUFReader

    reader, header = GGUFReader(tiny_file), read_gguf_header(tiny_file)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            assert header.metadata[key] == field.contents(), key
    assert [(t.name, t.start, t.end - t.start) for t in header.tensors] == [
        (t.name, t.data_offset, t.n_bytes) for t in reader.tensors
    ]
    assert [t.shape for t in header.tensors] == [
        tuple(int(extent) for extent in reversed(t.shape)) for t in reader.tensors
    ]


def test_second_load_converts_nothing(
    tiny_file: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tiny_file)
    calls: list[object] = []
    monkeypatch.setattr(conversion, "_convert", lambda *given: calls.append(given))
    load(tiny_file)
    assert calls == []
    assert [path.name for path in own_cache.glob("models/*/")].count(".partial") == 0


def test_an_altered_file_is_another_model(tiny_file: Path, tmp_path: Path, own_cache: Path) -> None:
    first = load(tiny_file).provenance
    content = bytearray(tiny_file.read_bytes())
    content[-5] ^= 1  # in the last tensor's data
    second = load(damaged(tmp_path, bytes(content))).provenance
    assert first.file_sha256 != second.file_sha256
    assert first.weights_sha256 != second.weights_sha256


@pytest.mark.parametrize("kept", [0, 3, 23, 24, 100, 2000])
def test_truncated_header_is_refused(
    kept: int, tiny_file: Path, tmp_path: Path, own_cache: Path
) -> None:
    path = damaged(tmp_path, tiny_file.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match=rf"has {kept:,} bytes") as caught:
        load(path)
    assert "truncated" in caught.value.possible


def test_truncated_data_names_the_tensor_and_the_missing_bytes(
    tiny_file: Path, tmp_path: Path, own_cache: Path
) -> None:
    content = tiny_file.read_bytes()
    last = read_gguf_header(tiny_file).tensors[-1]
    path = damaged(tmp_path, content[: last.end - 10])
    message = rf"its tensor '{last.name}' ends at byte {last.end:,}: 10 bytes are missing"
    with pytest.raises(ModelFileError, match=message):
        load(path)
    assert not list(own_cache.glob("models/*/*"))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"PK\x03\x04", "begins with"),
        (4, b"\x07", "GGUF version 7"),
        (16, b"\xff\xff\xff\xff", "damaged|inside its header|UTF-8|unknown|bytes"),
        (24, b"\xff\xff\xff\xff", "says at byte 24"),
    ],
)
def test_altered_header_is_refused(
    place: int, value: bytes, message: str, tiny_file: Path, tmp_path: Path, own_cache: Path
) -> None:
    content = bytearray(tiny_file.read_bytes())
    content[place : place + len(value)] = value
    with pytest.raises(ModelFileError, match=message):
        load(damaged(tmp_path, bytes(content)))


def test_no_flipped_byte_of_the_header_crashes_the_reader(tiny_file: Path, tmp_path: Path) -> None:
    content = tiny_file.read_bytes()
    header_end = min(tensor.start for tensor in read_gguf_header(tiny_file).tensors)
    random = np.random.default_rng(0)
    refused = 0
    for place in random.choice(header_end, 400, replace=False):
        altered = bytearray(content)
        altered[place] ^= int(random.integers(1, 256))
        try:
            read_gguf_header(damaged(tmp_path, bytes(altered)))
        except ModelFileError:
            refused += 1
    assert 0 < refused < 400  # letters of the vocabulary may change; lengths may not


def test_an_unknown_architecture_is_refused(tiny: Any, tmp_path: Path, own_cache: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "odd.gguf", tiny, architecture="frobnicator")
    with pytest.raises(UnsupportedArchitectureError, match=r"'frobnicator'.*llama"):
        load(path)


@pytest.mark.parametrize("rope", ["metadata", "tensor"])
def test_scaled_rotary_frequencies_are_refused_and_not_dropped(
    rope: str, tiny: Any, tmp_path: Path, own_cache: Path
) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "scaled.gguf", tiny, rope=rope)
    with pytest.raises(UnsupportedArchitectureError, match="scales its rotary frequencies"):
        load(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, own_cache: Path) -> None:
    network = tiny_gguf.network()
    network.model.layers[1].mlp.up_proj.weight[3, 4] = math.nan
    with pytest.raises(ModelFileError, match=r"layers\.1\.mlp\.up_proj.*NaN"):
        load(tiny_gguf.write_gguf(tmp_path / "nan.gguf", network))


def altered_weights(own_cache: Path, keep_time: bool) -> Path:
    (weights,) = own_cache.glob("models/*/model.safetensors")
    status = weights.stat()
    content = bytearray(weights.read_bytes())
    content[-3] ^= 0x10
    weights.write_bytes(content)
    later = 0 if keep_time else 5_000_000_000
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns + later))
    return weights


def test_an_altered_conversion_is_converted_again_and_says_so(
    tiny_file: Path, own_cache: Path
) -> None:
    expected = load(tiny_file).provenance.weights_sha256
    altered_weights(own_cache, keep_time=False)
    with pytest.warns(UserWarning, match="was altered or is incomplete"):
        model = load(tiny_file)
    assert model.provenance.weights_sha256 == expected == module_sha256(model.module)


def test_an_alteration_that_keeps_the_time_is_found_before_a_result_leaves(
    tiny_file: Path, own_cache: Path
) -> None:
    load(tiny_file)
    weights = altered_weights(own_cache, keep_time=True)
    with pytest.raises(ModelFileError, match="were altered") as caught:
        _ = load(tiny_file).provenance
    assert str(weights.parent) in caught.value.write


def test_a_conversion_with_a_lost_file_is_converted_again(tiny_file: Path, own_cache: Path) -> None:
    load(tiny_file)
    (manifest,) = own_cache.glob("models/*/causalnet.json")
    manifest.write_text("{")
    with pytest.warns(UserWarning, match="converted again"):
        load(tiny_file)
    assert json.loads(manifest.read_text())["file"] == tiny_file.name


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_an_altered_small_file_is_made_again(name: str, tiny_file: Path, own_cache: Path) -> None:
    load(tiny_file)
    (small,) = own_cache.glob(f"models/*/{name}")
    before = small.read_text()
    small.write_text(before.replace("1", "2", 1))
    with pytest.warns(UserWarning, match="was altered or is incomplete"):
        load(tiny_file)
    assert small.read_text() == before


def test_a_fact_that_transformers_reads_differently_is_refused(
    tiny_file: Path, own_cache: Path
) -> None:
    # The trap: releases of transformers read one file with rope_theta 10,000 and 100,000.
    # Here the reading stays, and what the file is said to state is changed.
    load(tiny_file)
    (manifest,) = own_cache.glob("models/*/causalnet.json")
    record = json.loads(manifest.read_text())
    record["declared"]["rope_theta"] = 10_000.0
    manifest.write_text(json.dumps(record))
    with pytest.raises(ModelFileError, match=r"rope_theta = 10000\.0, .* reads it as 100000\.0"):
        load(tiny_file)


def test_a_folder_that_cannot_be_written_is_named(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("CAUSALNET_CACHE", str(blocked))
    with pytest.raises(CausalNetError, match="CAUSALNET_CACHE"):
        load(tiny_file)


@pytest.mark.parametrize(
    ("own", "general", "expected"),
    [("own", "general", "own"), ("", "general", "general/causalnet"), ("", "", ".cache/causalnet")],
)
def test_the_users_folder(
    own: str, general: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSALNET_CACHE", own and str(tmp_path / own))
    monkeypatch.setenv("XDG_CACHE_HOME", general and str(tmp_path / general))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_folder() == tmp_path / expected


def test_two_processes_convert_once_between_them(tiny_file: Path, own_cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from causalnet.models import conversion;"
        "real = conversion._convert;"
        "conversion._convert = lambda *given: (print('converts'), real(*given));"
        "folder, manifest = conversion.converted_folder(Path(sys.argv[1]));"
        "print(folder, manifest['weights_sha256'])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tiny_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CAUSALNET_CACHE": str(own_cache)},
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    lines = [line for out, _ in answers for line in out.splitlines()]
    assert lines.count("converts") == 1
    assert len(set(lines) - {"converts"}) == 1
    assert len([path for path in own_cache.glob("models/*") if path.is_dir()]) == 1


@pytest.mark.parametrize("read", [read_gguf_header, file_sha256, read_entries])
def test_what_the_system_refuses_to_read_is_told_with_its_reason(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    # A folder in place of a file is refused to every user, a missing permission not to root.
    (tmp_path / "m.gguf").mkdir()
    with pytest.raises(ModelFileError, match=r"m\.gguf' cannot be read: Is a directory\."):
        read(tmp_path / "m.gguf")


def test_a_converted_model_with_a_folder_in_place_of_a_file_is_made_again(
    tiny_file: Path, own_cache: Path
) -> None:
    expected = load(tiny_file).provenance.weights_sha256
    (config,) = own_cache.glob("models/*/config.json")
    config.unlink()
    config.mkdir()
    with pytest.warns(UserWarning, match="converted again"):
        assert load(tiny_file).provenance.weights_sha256 == expected
