"""Known circuits by name: loaded, lifted, with their prompts."""

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from causalnet.errors import CausalNetError, DeviceError, ModelNotFoundError, PromptError
from causalnet.known_circuits import KNOWN, known_circuit
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import LanguageModel, ModelProvenance, load
from causalnet.models.sources import KnownSource, find_source
from causalnet.tasks import TASKS, PromptPairs, TaskRecord, make, remake
from tests.known_circuits.written_truths import WRITTEN


@pytest.fixture(scope="module")
def models() -> dict[str, LanguageModel]:
    return {name: load(f"known:{name}") for name in KNOWN}


@pytest.fixture(scope="module")
def nets(models: dict[str, LanguageModel]) -> dict[str, LiftedNetwork]:
    return {name: lift(model) for name, model in models.items()}


@pytest.mark.parametrize("name", KNOWN)
def test_a_lifted_network_has_the_truth_among_its_edges(
    name: str, nets: dict[str, LiftedNetwork]
) -> None:
    graph, circuit = nets[name].graph, known_circuit(name)
    assert graph.count_edges() == WRITTEN[name][2]
    assert circuit.active <= circuit.truth <= set(graph.edges())
    assert set(circuit.roles) <= set(graph.names())
    assert all(graph.find(node).name == node for node in circuit.roles)


def test_a_name_behind_known_is_a_source() -> None:
    assert find_source("known:sort") == KnownSource("sort")
    with pytest.raises(ModelNotFoundError, match=r"no known circuit 'srot'.*Did you mean 'sort'"):
        load("known:srot")


@pytest.mark.parametrize("name", KNOWN)
def test_a_loaded_network_is_the_built_one(name: str, models: dict[str, LanguageModel]) -> None:
    model, circuit = models[name], known_circuit(name)
    built = circuit.module().state_dict()
    assert all(torch.equal(built[key], value) for key, value in model.module.state_dict().items())
    assert model.dtype == torch.float64
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    record = model.provenance
    assert (record.source, record.kind) == (f"known:{name}", "known")
    assert record.config == circuit.shape.to_dict()
    assert ModelProvenance.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_every_network_has_weights_of_its_own(models: dict[str, LanguageModel]) -> None:
    hashes = {model.provenance.weights_sha256 for model in models.values()}
    assert len(hashes) == len(KNOWN)
    assert load("known:sort").provenance == models["sort"].provenance


def test_a_loaded_network_takes_another_number_format_and_has_one_attention() -> None:
    assert load("known:sort", dtype="float32").dtype == torch.float32
    assert load("known:sort", attention="sdpa").provenance.attention == "eager"
    with pytest.raises(DeviceError, match="no device 'cuda:9'"):
        load("known:sort", device="cuda:9")
    with pytest.raises(CausalNetError, match="attention"):
        load("known:sort", attention="flash")


@pytest.mark.parametrize("name", KNOWN)
def test_the_tokenizer_has_a_token_for_each_word(
    name: str, models: dict[str, LanguageModel]
) -> None:
    tokenizer: Any = models[name].tokenizer
    words = known_circuit(name).words
    assert tokenizer(" ".join(words))["input_ids"] == list(range(len(words)))
    assert tokenizer.decode(range(len(words))) == " ".join(words)
    assert tokenizer("elsewhere")["input_ids"] == [len(words)]


@pytest.mark.parametrize("name", KNOWN)
def test_the_task_draws_the_rows(name: str, models: dict[str, LanguageModel]) -> None:
    tokenizer, rows = models[name].tokenizer, known_circuit(name).rows(12, seed=3)
    pairs = make(f"known:{name}", tokenizer, 12, 3)
    by_hand = PromptPairs.build(tokenizer, rows)
    assert pairs.digest() == by_hand.digest()
    assert pairs.base.positions == by_hand.base.positions
    assert pairs.is_aligned and pairs.dropped == 0
    assert (pairs.record.name, pairs.record.seed) == (f"known:{name}", 3)
    assert TASKS[pairs.record.name].description == KNOWN[name]
    # Its prompts read as text give the same tokens.
    read = [tuple(tokenizer(text)["input_ids"]) for text in pairs.base.texts]
    assert tuple(read) == pairs.base.ids


def test_pairs_can_be_drawn_again_from_their_record(models: dict[str, LanguageModel]) -> None:
    tokenizer = models["indirect_object"].tokenizer
    pairs = make("known:indirect_object", tokenizer, n=8, seed=5).rows([6, 1])
    record = TaskRecord.from_json(json.loads(json.dumps(pairs.record.to_json())))
    assert remake(record, tokenizer) == pairs
    assert pairs.labels == ("known:indirect_object-5-6", "known:indirect_object-5-1")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("known:induction", {}, "with another network's tokenizer"),
        ("known:sort", {"bos": True}, "bos=True, but the tokenizer has no"),
        ("known:sort", {"chat_template": True}, "no chat template"),
        ("known:sort", {"n": 0}, "n=0"),
        ("known:sort", {"seed": -1}, "seed=-1"),
        ("known:sort", {"words": 9}, "Unknown option of 'known:sort': 'words'"),
        ("known:srot", {}, "Unknown task.*Did you mean 'known:sort'"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(
    name: str, options: dict[str, Any], message: str, models: dict[str, LanguageModel]
) -> None:
    with pytest.raises(PromptError, match=message):
        make(name, models["sort"].tokenizer, **options)


def test_listing_names_imports_no_torch() -> None:
    program = (
        "import sys, causalnet.tasks, causalnet.known_circuits as known\n"
        "assert 'known:sort' in causalnet.tasks.TASKS and 'sort' in known.KNOWN\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
