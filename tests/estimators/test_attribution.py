"""What comes back from an estimator: names, conventions, error statement, its own check."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from causalnet.errors import (
    AlignmentError,
    AnswerError,
    NumericalError,
    OutOfMemoryError,
    ParameterError,
    PromptError,
    TermError,
    UnknownMediatorError,
)
from causalnet.estimators import Attribution, atp, atp_star, eap, eap_ig, mask_ig
from causalnet.estimators.endpoints import bytes_of, endpoints_of
from causalnet.estimators.weights import decoder_of
from causalnet.interventions import accuracy, kl, lens, logit_diff, parse_scalar
from causalnet.lift import lift, raised_casts
from causalnet.lift.places import parameter
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.estimators.pairs import exactly, pairs_sharing
from tests.small_models import tiny_llama
from tests.toys import fresh_net, net, taken_as_it_is, word_pairs, words

ESTIMATORS = (atp, atp_star, eap, eap_ig, mask_ig)


@pytest.fixture(scope="module")
def edges() -> Attribution:
    return eap(net(), pairs_sharing(2), per_prompt=True)


@pytest.fixture(scope="module")
def nodes() -> Attribution:
    return atp(net(), pairs_sharing(2), at=("end", 3), each_position=True)


# -- names -----------------------------------------------------------------------------------------


def test_scores_are_found_by_name(edges: Attribution, nodes: Attribution) -> None:
    number = edges.sites.index("L0.H1 -> L1.H2.q")
    score = edges["L0.H1 -> L1.H2.q"]
    assert (score.mean, score.label) == (edges.scores[number], "L0.H1 -> L1.H2.q")
    assert edges[edges.sites[number]] == score
    assert nodes["L1.H2[end]"].mean == nodes.scores[nodes.sites.index("L1.H2[end]")]
    assert edges["blocks.0.hook_mlp_out -> L1.mlp"] == edges["L0.mlp -> L1.mlp"]


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("L0.H9 -> L1.H2.q", UnknownMediatorError, "L0.H0"),
        ("L0.H1 -> L1.H9.q", UnknownMediatorError, "L1.H2.q|L1.H0.q"),
        ("L0.H1 -> L1.H2.k", UnknownMediatorError, "L1.KV1"),
        ("L1.mlp -> L1.H2.q", TermError, "L1.H2.q"),
        ("L0.H1 -> L1.H2.z", TermError, "does not read"),
        ("L1.H2", TermError, "->"),
    ],
)
def test_names_that_are_none(
    edges: Attribution, name: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        edges[name]


def test_a_node_that_was_not_scored(nodes: Attribution) -> None:
    with pytest.raises(UnknownMediatorError, match=r"L1\.H2\[end\]"):
        nodes["L1.H2[ed]"]


def test_the_largest_come_first(edges: Attribution) -> None:
    top = edges.top(5)
    assert [score.mean for score in top] == sorted(
        (score.mean for score in top), key=abs, reverse=True
    )
    assert abs(top[0].mean) == np.abs(edges.scores).max()
    assert list(edges.ranked(5)) == [edges.sites.index(score.label) for score in top]


# -- conventions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_convention_is_in_the_result(estimator: Any) -> None:
    found = estimator(net(), pairs_sharing(2), direction="denoising")
    conventions, method = found.conventions(), found.method
    assert conventions.direction == "denoising"
    assert conventions.estimand == method.name
    assert conventions.unit == "logits"
    assert "patched - unpatched" in conventions.sign
    assert method.gradient_at in conventions.estimator
    assert method.error in conventions.error
    assert all(each in conventions.error for each in method.fails)
    assert method.fails and method.formula and method.approximates and method.source
    assert ("magnitude" in conventions.sign) == (estimator is atp_star)
    assert not (estimator is atp_star and (found.scores < 0).any())


def test_what_newcomers_see(edges: Attribution, nodes: Attribution) -> None:
    text = repr(edges)
    for told in (
        "EAP/v1",
        "82 scores",
        "mean over 3 pairs",
        "base patched from source",
        "logits",
        "and 74 smaller",
        "approximate",
        ".check()",
        edges.top(1)[0].label,
    ):
        assert told in text
    assert "each of end, 3" in repr(nodes)
    for told in ("gradient at", "stands in for", "fails", "Syed"):
        assert told in str(edges.method)


def test_the_exact_effect_is_a_term_of_the_language(edges: Attribution) -> None:
    term = edges.exact_effect("L0.H1 -> L1.H2.q")
    assert parse_scalar(str(term)) == term
    assert "L0.H1 -> L1.H2.q := L0.H1 in <source>" in str(term)
    nodes = atp(net(), pairs_sharing(2), ["L1.H2"], at="end", direction="denoising")
    assert "<source> + {L1.H2[end] := L1.H2 in <base>}" in str(nodes.exact_effect(0))


def test_a_table_says_that_it_is_approximate(edges: Attribution, tmp_path: Any) -> None:
    from causalnet.effects import open_result

    table = edges.to_effect_table()
    np.testing.assert_allclose(table.means(), edges.scores, atol=1e-12)
    assert table.conventions.estimator != "exact" and table.conventions.error
    table.save(tmp_path / "edges.cn")
    assert open_result(tmp_path / "edges.cn").conventions == table.conventions
    with pytest.raises(ParameterError, match="per_prompt=True"):
        replace(edges, per_prompt=None).to_effect_table()


# -- held to exact effects -------------------------------------------------------------------------


def test_a_sample_is_held_to_exact_effects(edges: Attribution) -> None:
    with raised_casts(net().model.module):
        check = edges.check(sample=12, seed=3)
    assert len(set(check.labels)) == 12
    terms = [edges.exact_effect(label) for label in check.labels]
    exact = exactly(terms, net(), edges.pairs).mean(1)
    np.testing.assert_allclose(check.exact, exact, atol=1e-10)
    scores = np.array([edges[label].mean for label in check.labels])
    np.testing.assert_allclose(check.estimated, scores)
    assert check.rmse == pytest.approx(np.sqrt(((scores - exact) ** 2).mean()))
    assert check.correlation == pytest.approx(np.corrcoef(scores, exact)[0, 1])
    name, estimated, truth = check.worst
    assert abs(estimated - truth) == pytest.approx(np.abs(scores - exact).max())
    assert name in repr(check) and "of 82" in repr(check)
    assert edges.check(sample=2, seed=4).labels != check.labels[:2]
    assert len(edges.check(sample=1000).labels) == 82


def test_a_linear_network_passes_its_own_check() -> None:
    check = eap(net("linear"), pairs_sharing(1)).check(30)
    assert check.rmse < 1e-9 < check.size
    assert check.correlation == pytest.approx(1.0)


def test_magnitudes_are_held_to_magnitudes() -> None:
    check = atp_star(net(), pairs_sharing(2)).check(8)
    assert (check.exact >= 0).all()


# -- bad input -------------------------------------------------------------------------------------


def nothing() -> PromptPairs:
    return word_pairs(2).rows([])


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"readout": accuracy}, TermError, "no gradient"),
        ({"readout": lens(logit_diff, "L0.resid_post")}, TermError, "cn.run"),
        ({"direction": "sideways"}, TermError, "noising"),
        ({"batch_size": 0}, ParameterError, "at least one"),
        ({"batch_size": "8"}, ParameterError, "batch_size is '8'"),
        ({"at": "S3"}, PromptError, "S3"),
        ({"readout": replace(logit_diff, at="S3")}, PromptError, "S3"),
        ({"at": 40}, PromptError, "40"),
    ],
)
def test_what_cannot_be_scored(options: dict[str, Any], error: type[Exception], told: str) -> None:
    for estimator in (eap, atp):
        with pytest.raises(error, match=told):
            estimator(net(), word_pairs(2), **options)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_no_network_and_no_pairs(estimator: Any) -> None:
    with pytest.raises(ParameterError, match=r"LanguageModel was given as the network.*cn\.lift"):
        estimator(net().model, word_pairs(2))
    with pytest.raises(ParameterError, match="str was given as the pairs"):
        estimator(net(), "Hello")


def test_pairs_that_do_not_line_up() -> None:
    pairs = word_pairs(2, align=False, extra=1)
    with pytest.raises(AlignmentError, match="equal length"):
        eap(net(), pairs)
    with pytest.raises(AlignmentError, match="Name positions"):
        atp(net(), word_pairs(2, lengths=(5, 4)), each_position=True)


@pytest.mark.parametrize("node", ["L0.mlp.scale", "logits"])
def test_nodes_that_have_no_score(node: str) -> None:
    with pytest.raises(TermError, match="attribution_patch"):
        atp(net(), word_pairs(2), [node])


def test_no_node_and_no_pair() -> None:
    with pytest.raises(ParameterError, match="No node"):
        atp(net(), word_pairs(2), [])
    with pytest.raises(ParameterError, match="0 pairs"):
        eap(net(), nothing())
    with pytest.raises(ParameterError, match="one layer"):
        atp_star(net("llama", 0, 1), word_pairs(2))


def test_answers_outside_the_vocabulary() -> None:
    pairs = replace(word_pairs(2), foils=((3,), (4000,)))
    with pytest.raises(AnswerError, match="4000"):
        eap(net(), pairs)


def test_nan_is_located() -> None:
    network = fresh_net()
    with torch.no_grad():
        parameter(network.places.mlp_out[1], "weight")[0, 0] = float("nan")
    with pytest.raises(NumericalError, match="the stream before the logits"):
        eap(taken_as_it_is(network), word_pairs(2))


def test_batches_are_halved_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from causalnet.estimators import chunks

    plain, sizes = endpoints_of, list[int]()

    def small(decoder: Any, window: Any, outcome: Any, direction: str) -> Any:
        sizes.append(len(window.below.ids))
        if sizes[-1] > room:
            raise RuntimeError("can't allocate memory")
        return plain(decoder, window, outcome, direction)

    pairs = pairs_sharing(2, n=5)
    whole = eap(net(), pairs)
    monkeypatch.setattr(chunks, "endpoints_of", small)
    room = 2
    halved = eap(net(), pairs, batch_size=5)
    assert sizes == [5, 2, 2, 1]
    np.testing.assert_allclose(halved.scores, whole.scores, atol=1e-12)
    room = 0
    with pytest.raises(OutOfMemoryError, match="one pair"):
        eap(net(), pairs)


def test_long_prompts_are_run_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from causalnet.estimators import chunks

    pairs = pairs_sharing(2, n=5)
    whole = eap(net(), pairs)
    monkeypatch.setattr(chunks, "BUDGET", 2 * bytes_of(decoder_of(net()), 4))
    assert eap(net(), pairs).passes == replace(whole.passes, forwards=6, backwards=3)


def test_bfloat16_keeps_the_ranks() -> None:
    """Eight bits of precision in the values; sums in float32."""
    module = tiny_llama(dtype=torch.bfloat16)
    network = lift(load(module, tokenizer=words(), dtype="bfloat16"))
    pairs = pairs_sharing(2)
    coarse, fine = (eap(each, pairs).scores for each in (network, net()))
    assert np.corrcoef(coarse, fine)[0, 1] > 0.99


def test_kl_to_the_world_itself_has_no_slope() -> None:
    """The failure that the error statement names: noising, and kl against the base."""
    found = eap(net(), pairs_sharing(2), readout=kl)
    assert np.abs(found.scores).max() < 1e-12
    assert any("kl" in each for each in found.method.fails)
    assert np.abs(eap_ig(net(), pairs_sharing(2), readout=kl).scores).max() > 1e-3
