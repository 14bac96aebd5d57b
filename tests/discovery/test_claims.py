"""Claim files of circuits, and scores in files."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from causalnet.claims import read_claims
from causalnet.claims.circuits import universe
from causalnet.claims.kinds import ExistsClaim
from causalnet.claims.measuring import scorer_of
from causalnet.claims.schema import ClaimFile
from causalnet.claims.source_text import SourceText
from causalnet.claims.task_spec import TaskSpec
from causalnet.discovery.circuits import Circuit, circuit_of, circuit_of_size
from causalnet.discovery.claims import ClaimPrompts, claim_text, task_of
from causalnet.discovery.exact import exact_patching
from causalnet.discovery.question import Question
from causalnet.discovery.saving import open_circuit, open_scores, save_scores
from causalnet.discovery.scores import Scores
from causalnet.effects import (
    constant,
    counterfactual,
    embedding_spread,
    mean,
    noise,
    optimal,
    resample,
    vector,
    zero,
)
from causalnet.errors import FormatError, ParameterError
from causalnet.interventions import (
    Ablation,
    Base,
    Learning,
    ReadOut,
    accuracy,
    kl,
    logit_diff,
    logit_distance,
    loss,
    probability,
)
from causalnet.tasks import PromptPairs, TaskRecord
from tests.toys import net, word_pairs

PAIRS = word_pairs(4, seed=2)
FOUND, TEST = TaskSpec(file="found.jsonl"), TaskSpec(file="test.jsonl")
PROMPTS = ClaimPrompts(FOUND, TEST, TaskSpec(file="reference.jsonl", n=4))


@cache
def scored(grain: str = "nodes") -> Scores:
    return exact_patching(Question(net("llama"), PAIRS, counterfactual(), grain=grain))


def with_places(pairs: PromptPairs) -> PromptPairs:
    """Pairs whose third token has a name."""
    places = {"S2": (2,) * len(pairs)}
    base = replace(pairs.base, positions={**pairs.base.positions, **places})
    source = replace(pairs.source, positions={**pairs.source.positions, **places})
    return replace(pairs, base=base, source=source)


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


@pytest.mark.parametrize("at", [(), ("end",), ("end", "S2")])
@pytest.mark.parametrize("of_tokens", [False, True])
def test_the_noise_of_the_claims_is_that_of_the_search(
    at: tuple[str, ...], of_tokens: bool
) -> None:
    pairs = with_places(PAIRS)
    own = noise(net("llama"), 2.0, at=at, seed=7, spread_of=pairs.base if of_tokens else None)
    question = Question(net("llama"), pairs, own, grain="nodes")
    told = claims_of(circuit_of(question, ["L0.H1"])).ablation.noising
    assert own.noise is not None
    assert (told.positions or (), told.seed) == (own.noise.at, 7)
    sigma = told.factor * embedding_spread(net("llama"))
    assert sigma == pytest.approx(own.noise.sigma, rel=1e-12)


@pytest.mark.parametrize(
    "readout",
    [
        replace(logit_diff, at="all"),
        replace(probability, at="S2"),
        replace(kl, reference=Base("source")),
    ],
    ids=str,
)
def test_read_outs_that_no_claim_file_can_say_are_refused(readout: ReadOut) -> None:
    question = Question(net("llama"), with_places(PAIRS), counterfactual(), readout, "nodes")
    with pytest.raises(ParameterError, match="Claim files read at the last token") as error:
        claim_text(circuit_of(question, ["L0.H1"]), PROMPTS)
    assert str(readout) in str(error.value)


def test_positions_by_number_cannot_be_claimed() -> None:
    question = Question(net("llama"), PAIRS, zero(), grain="nodes", at=(2,))
    with pytest.raises(ParameterError, match="names positions"):
        claim_text(circuit_of(question, ["L0.H1"]), PROMPTS)


@pytest.mark.parametrize("readout", [loss, accuracy, probability])
def test_the_behaviour_is_claimed_the_right_way_round(readout: ReadOut) -> None:
    """A network that does the task better passes, one that does it much worse does not."""
    question = Question(net("llama"), PAIRS, zero(), readout, "nodes")
    text = claim_text(circuit_of(question, ["L0.H1"]), PROMPTS, behaviour=0.4)
    first = read_claims(SourceText("c.yaml", text)).claims[0]
    assert isinstance(first, ExistsClaim)
    if readout is loss:
        assert (first.at_least, first.at_most) == (None, 0.8)
        assert "a mean loss of at most 0.8 nats" in first.statement
    else:
        assert (first.at_least, first.at_most) == (0.2, None)


def test_learned_constants_are_claimed_as_the_search_learned_them() -> None:
    learning = Learning("loss", steps=3, seed=4)
    own = optimal(PAIRS, learning)
    question = Question(net("llama"), PAIRS, own, grain="nodes", reference=PAIRS)
    circuit = circuit_of(question, ["L0.H1"])
    file = claims_of(circuit)
    assert file.ablation.kind == "optimal" and file.ablation.learns == learning
    assert file.ablation.reference is not None and file.ablation.side == "base"
    # Constants would be learned for every random circuit.
    assert "better_than_random" not in [claim.kind for claim in file.claims]
    assert "learned constants once" in claim_text(circuit, PROMPTS)


def at_places(*places: str) -> Question:
    pairs = with_places(PAIRS)
    return Question(net("llama"), pairs, counterfactual(), logit_diff, "positions", at=places)


def test_nodes_at_one_position_are_claimed_there() -> None:
    """Oracle: the scorer of claims, at 1e-5 (norms cast to float32)."""
    circuit = circuit_of(at_places("S2"), ["L0.H1[S2]", "L1.mlp[S2]"])
    file = claims_of(circuit)
    assert file.circuit == ("L0.H1", "L1.mlp") and file.ablation.positions == ("S2",)
    assert "2 nodes at S2" in file.claims[1].statement
    network, pairs = net("llama"), circuit.question.pairs
    known = universe(file, network.graph)
    scorer = scorer_of(file, network, tuple(known.values()), None, 0)
    theirs = scorer.score(pairs, [known[name] for name in file.circuit])  # type: ignore[misc]
    ours = circuit.scores()
    for part in ("model", "kept", "empty", "knocked_out"):
        np.testing.assert_allclose(getattr(ours, part), getattr(theirs, part), atol=1e-5)


def test_nodes_at_several_positions_are_claimed_each_where_it_is() -> None:
    """Oracle: the scorer of claims, at 1e-5 (norms cast to float32)."""
    circuit = circuit_of(at_places("S2", "end"), ["L0.H1[S2]", "L1.mlp[S2]", "L1.H2[end]"])
    file = claims_of(circuit)
    assert set(file.circuit) == {"L0.H1[S2]", "L1.mlp[S2]", "L1.H2[end]"}
    assert file.ablation.positions == ("S2", "end")
    assert "With everything else at S2, end ablated" in file.claims[1].statement
    network = net("llama")
    known = universe(file, network.graph)
    scorer = scorer_of(file, network, tuple(known.values()), None, 0)
    theirs = scorer.score(circuit.question.pairs, [known[name] for name in file.circuit])  # type: ignore[misc]
    ours = circuit.scores()
    for part in ("model", "kept", "empty", "knocked_out"):
        np.testing.assert_allclose(getattr(ours, part), getattr(theirs, part), atol=1e-5)


def test_all_nodes_at_one_of_two_positions_are_a_part() -> None:
    question = at_places("S2", "end")
    everyone = [name for name in question.units.names if name.endswith("[S2]")]
    assert len(claims_of(circuit_of(question, everyone)).circuit) == len(everyone)
    with pytest.raises(ParameterError, match="nothing left to ablate"):
        claim_text(circuit_of(question, question.units.names), PROMPTS)


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
