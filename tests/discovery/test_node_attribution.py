"""AtP, AtP* and HISP at the grains of nodes against the estimators and small steps; float64."""

import numpy as np
import pytest

from causalnet.discovery.exact import outcome_of
from causalnet.discovery.node_attribution import atp, atp_star, hisp
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual, zero
from causalnet.errors import ParameterError
from causalnet.estimators import atp as atp_by_hand
from causalnet.estimators import atp_star as atp_star_by_hand
from causalnet.interventions import Direction, kl
from tests.toys import net, word_pairs

EXACT = 1e-10
PAIRS = word_pairs(4, seed=5, lengths=(5,))


def question_of(model: str, grain: str = "nodes", direction: Direction = "noising") -> Question:
    return Question(net(model), PAIRS, counterfactual(), grain=grain, direction=direction)


@pytest.mark.parametrize("model", ["llama", "gpt2"])
@pytest.mark.parametrize("direction", ["noising", "denoising"])
def test_sums_over_edges_are_atp_of_the_node(model: str, direction: Direction) -> None:
    question = question_of(model, "nodes", direction)
    names = list(question.units.names)
    expected = atp_by_hand(net(model), PAIRS, names, direction=direction, per_prompt=True)
    found = atp(question)
    assert found.per_prompt is not None and expected.per_prompt is not None
    np.testing.assert_allclose(found.per_prompt, expected.per_prompt, atol=EXACT, rtol=0)


def test_atp_is_the_slope_of_removing_a_little_under_other_ablations() -> None:
    question = Question(net("small"), PAIRS, zero(), grain="heads")
    found, little = atp(question).per_prompt, 1e-5
    assert found is not None
    for unit in range(len(question.units)):
        kept = np.ones((2, len(question.units)))
        kept[:, unit] += (little, -little)
        more, less = outcome_of(question, kept)
        np.testing.assert_allclose(found[unit], (less - more) / (2 * little), atol=1e-6)


def test_hisp_is_the_mean_size_of_atp() -> None:
    question = question_of("gpt2")
    signed, sizes = atp(question), hisp(question)
    assert signed.per_prompt is not None
    np.testing.assert_allclose(sizes.values, np.abs(signed.per_prompt).mean(1), atol=EXACT)
    assert (sizes.values >= np.abs(signed.values) - EXACT).all()
    assert (sizes.sign, sizes.unit) == ("magnitude", "logits")


def test_normalised_layers_have_length_1() -> None:
    question = question_of("llama")
    plain, found = hisp(question), hisp(question, normalised=True)
    layers = np.array([name.split(".")[0] for name in question.units.names])
    for layer in set(layers):
        mine = layers == layer
        assert np.square(found.values[mine]).sum() == pytest.approx(1)
        ratio = found.values[mine] / plain.values[mine]
        np.testing.assert_allclose(ratio, ratio[0])
    assert found.unit == ""


@pytest.mark.parametrize("grad_drop", [True, False])
@pytest.mark.parametrize("grain", ["nodes", "receivers"])
def test_atp_star_is_the_estimators(grain: str, grad_drop: bool) -> None:
    question = question_of("llama", grain)
    names = [name for name in question.units.names if name != "logits"]
    expected = atp_star_by_hand(net("llama"), PAIRS, names, grad_drop=grad_drop, per_prompt=True)
    found = atp_star(question, grad_drop)
    for name, score in zip(names, expected.scores, strict=True):
        assert found[name] == pytest.approx(score, abs=EXACT)
    assert found.sign == ("magnitude" if grad_drop else "effect")
    if grain == "receivers":
        assert abs(found["logits"]) == pytest.approx(
            np.abs(expected.total).mean() if grad_drop else abs(found.total), abs=EXACT
        )


def test_what_cannot_be_asked_says_what_can() -> None:
    for method in (atp, hisp):
        with pytest.raises(ParameterError, match=r"grain 'edges'.*grain='nodes'.*use eap"):
            method(question_of("llama", "edges"))
        with pytest.raises(ParameterError, match=r"gradient there is 0"):
            method(Question(net("llama"), PAIRS, zero(), kl, "nodes"))
    with pytest.raises(ParameterError, match=r"grain 'edges'"):
        atp_star(question_of("llama", "edges"))
    with pytest.raises(ParameterError, match=r"ablation zero.*Use atp, hisp or eap"):
        atp_star(Question(net("llama"), PAIRS, zero(), grain="nodes"))
    with pytest.raises(ParameterError, match=r"silent nodes.*regular decoders"):
        atp_star(question_of("small"))
