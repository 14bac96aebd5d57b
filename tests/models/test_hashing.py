"""The weight hash: the same for the same weights, another for any other bit, name or shape."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from causalnet.models.hashing import (
    file_sha256,
    module_sha256,
    safetensors_sha256,
    tokenizer_sha256,
)
from tests.small_models import tiny_gpt2, tiny_llama, word_tokenizer


def test_the_hash_is_the_one_that_the_docstring_describes(tmp_path: Path) -> None:
    # Oracle: the definition, written out on two tensors.
    path = tmp_path / "two.safetensors"
    first, second = torch.arange(6.0).reshape(2, 3), torch.tensor([1, 2], dtype=torch.int64)
    save_file({"b.second": second, "a.first": first}, path)
    spelled = b'"a.first" F32 [2, 3]\n' + first.numpy().tobytes()
    spelled += b'"b.second" I64 [2]\n' + second.numpy().tobytes()
    assert safetensors_sha256([path]) == hashlib.sha256(spelled).hexdigest()


def test_a_tensor_longer_than_the_buffer_is_hashed_whole(tmp_path: Path) -> None:
    path, long = tmp_path / "long.safetensors", torch.arange(300_001, dtype=torch.float64)
    save_file({"long": long, "none": torch.zeros(0, 3)}, path)
    spelled = b'"long" F64 [300001]\n' + long.numpy().tobytes() + b'"none" F32 [0, 3]\n'
    assert safetensors_sha256([path]) == hashlib.sha256(spelled).hexdigest()


def test_file_and_network_agree(tmp_path: Path) -> None:
    for index, network in enumerate((tiny_llama(tied=True), tiny_llama(bias=True), tiny_gpt2())):
        folder = tmp_path / str(index)
        network.save_pretrained(str(folder))
        assert safetensors_sha256([folder / "model.safetensors"]) == module_sha256(network)


def test_every_change_changes_the_hash() -> None:
    def network(rows: int = 2, columns: int = 3) -> nn.Linear:
        made = nn.Linear(columns, rows, bias=False)
        made.weight.data = torch.arange(6.0).reshape(rows, columns)
        return made

    plain = module_sha256(network())
    one_bit, renamed = network(), nn.Sequential(network())
    one_bit.weight.data[0, 0] = torch.finfo(torch.float32).tiny
    others = (one_bit, renamed, network(3, 2), network().double(), network().bfloat16())
    assert plain == module_sha256(network())
    assert len({plain, *(module_sha256(other) for other in others)}) == 6


def test_a_view_is_hashed_by_its_values() -> None:
    network, other = nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)
    other.weight.data = network.weight.data.t()  # not row-major in memory
    plain = nn.Linear(3, 2, bias=False)
    plain.weight.data = network.weight.data.t().contiguous()
    assert module_sha256(other) == module_sha256(plain)


def test_tokenizer_hash_is_of_its_vocabulary_and_rules() -> None:
    words = ["a", "b"]
    hashes = [
        tokenizer_sha256(word_tokenizer(words)),
        tokenizer_sha256(word_tokenizer(words[::-1])),
        tokenizer_sha256(word_tokenizer(words, bos=True)),
        tokenizer_sha256(None),
    ]
    assert len(set(hashes)) == 4
    assert hashes[0] == tokenizer_sha256(word_tokenizer(words))


def test_tokenizer_hash_without_a_backend_is_of_the_vocabulary() -> None:
    class Slow:
        def get_vocab(self) -> dict[str, int]:
            return {"b": 1, "a": 0}

    assert (
        tokenizer_sha256(Slow())
        == hashlib.sha256(json.dumps({"a": 0, "b": 1}).encode()).hexdigest()
    )


def test_file_hash(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(256)) * 10_000)
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
