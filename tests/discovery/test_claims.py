"""Claim files of circuits, and scores in files."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from causalnet.claims import read_claims
from causalnet.claims.schema import ClaimFile
from causalnet.claims.source_text import SourceText
from causalnet.claims.task_spec import TaskSpec
from causalnet.discovery.circuits import Circuit, circuit_of, circuit_of_size
from causalnet.discovery.claims import ClaimPrompts, claim_text, task_of
from causalnet.discovery.exact import exact_patching
from causalnet.discovery.question import Question
from causalnet.discovery.saving import open_circuit, open_scores, save_scores
from causalnet.discovery.scores import Scores
from causalnet.effects import constant, counterfactual, mean, noise, resample, vector, zero
from causalnet.errors import FormatError, ParameterError
from causalnet.interventions import Ablation, kl, logit_distance
from causalnet.tasks import TaskRecord
from tests.toys import net, word_pairs

PAIRS = word_pairs(4, seed=2)
FOUND, TEST = TaskSpec(file="found.jsonl"), TaskSpec(file="test.jsonl")
PROMPTS = ClaimPrompts(FOUND, TEST, TaskSpec(file="reference.jsonl", n=4))


@cache
def scored(grain: str = "nodes") -> Scores:
    return exact_patching(Question(net("llama"), PAIRS, counterfactual(), grain=grain))


def claims_of(circuit: Circuit, behaviour: float = 2.0) -> ClaimFile:
    return read_claims(SourceText("c.yaml", claim_text(circuit, PROMPTS, behaviour=behaviour)))


@pytest.mark.parametrize(
    ("grain", "ablate"),
    [
        ("nodes", "heads_and_mlps"),
        ("heads", "heads"),
        ("edges", "edges"),
        ("receivers", "edges"),
    ],
)
def test_a_claim_file_names_the_circuit(grain: str, ablate: str) -> None:
    circuit = circuit_of_size(scored(grain), 3)
    file = claims_of(circuit)
    wanted = circuit.edges if ablate == "edges" else circuit.names
    assert file.circuit == wanted and file.ablation.ablate == ablate
    kinds = [claim.kind for claim in file.claims]
    assert kinds[:3] == ["exists", "faithful", "necessary"]
    assert ("better_than_random" in kinds) == (ablate != "edges")
    assert file.found.task == FOUND and file.task == TEST
    assert file.model.weights_sha256 == circuit.question.net.model.provenance.weights_sha256


def test_conventions_are_declared() -> None:
    given: list[tuple[Ablation, dict[str, object]]] = [
        (zero(), {"direction": "noising", "at": ("end",)}),
        (mean(PAIRS.source), {"reference": PAIRS.source}),
        (resample(PAIRS.source, draws=3), {"reference": PAIRS.source}),
        (noise(net("llama"), 2.0, seed=7), {}),
        (counterfactual(), {"direction": "denoising", "readout": kl}),
    ]
    for ablation, more in given:
        question = Question(net("llama"), PAIRS, ablation, grain="nodes", **more)  # type: ignore[arg-type]
        file = claims_of(circuit_of(question, ["L0.H1"]))
        assert file.ablation.kind == ablation.kind.value and file.ablation.draws == ablation.draws
        assert file.direction == question.direction
        assert file.readout == question.readout.name
        assert (file.ablation.reference is not None) == (ablation.reference is not None)
        assert file.ablation.at == ("end" if question.at else "all")
        if ablation.noise is not None:
            assert file.ablation.noising.factor == 2.0 and file.ablation.noising.seed == 7
        # the divergence of the model from itself is 0: there is no such behaviour to claim
        assert ("exists" in [one.kind for one in file.claims]) == (question.readout is not kl)


def test_a_distance_finds_and_the_logit_difference_is_claimed() -> None:
    question = Question(net("llama"), PAIRS, zero(), logit_distance, grain="nodes")
    assert claims_of(circuit_of(question, ["L0.H1"])).readout == "logit_difference"


def test_what_cannot_be_claimed_is_refused() -> None:
    question = scored().question
    with pytest.raises(ParameterError, match="nothing left to ablate"):
        claim_text(circuit_of(question, question.units.names), PROMPTS)
    whole = Question(net("llama"), PAIRS, mean(PAIRS.base), grain="nodes", reference=PAIRS.base)
    with pytest.raises(ParameterError, match="no reference prompts"):
        claim_text(circuit_of(whole, ["L0.H1"]), ClaimPrompts(FOUND, TEST))
    with pytest.raises(ParameterError, match="were given"):
        task_of(PAIRS.record)


def test_given_vectors_cannot_be_claimed() -> None:
    handle, _ = vector("v", torch.ones(4))
    asked = replace(scored().question)
    # Masked runs set no given vector, so that only a question made by hand can ask for one.
    object.__setattr__(asked, "ablation", constant(handle))
    with pytest.raises(ParameterError, match="Claim files name"):
        claim_text(circuit_of(asked, ["L0.H1"]), PROMPTS)


def test_a_record_becomes_a_task() -> None:
    record = TaskRecord("ioi", 8, 3, options={"corruption": "abc", "order": "alternate"})
    spec = task_of(record, seed=5)
    assert (spec.name, spec.n, spec.seed, spec.corruption) == ("ioi", 8, 5, "abc")
    assert spec.generator_options == record.options


@pytest.mark.parametrize("grain", ["nodes", "edges"])
def test_scores_come_back_bit_by_bit(grain: str, tmp_path: Path) -> None:
    scores = scored(grain)
    circuit = circuit_of_size(scores, 4)
    path = save_scores(scores, tmp_path / "scores", circuit)
    back = open_scores(path, scores.question)
    assert scores.per_prompt is not None and back.per_prompt is not None
    np.testing.assert_array_equal(back.values, scores.values)
    np.testing.assert_array_equal(back.per_prompt, scores.per_prompt)
    assert (back.method, back.cost, back.total) == (scores.method, scores.cost, scores.total)
    again = open_circuit(path, scores.question)
    assert (again.kept, again.rule, repr(again)) == (circuit.kept, circuit.rule, repr(circuit))


def test_scores_of_another_question_are_refused(tmp_path: Path) -> None:
    path = save_scores(scored(), tmp_path / "scores")
    with pytest.raises(ParameterError, match="another question: grain"):
        open_scores(path, scored("edges").question)
    with pytest.raises(FormatError, match="without a circuit"):
        open_circuit(path, scored().question)
