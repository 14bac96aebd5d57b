"""Rivals are compared where they differ, and nowhere else."""

import json

import pytest

from causalnet.abstraction import HighLevelModel, Rival, aligned, compare
from causalnet.errors import GraphError, ParameterError, TermError
from tests.abstraction.entities import Functions, colour_of, examples, model, network, shape_of

TRUE = Rival("colour", model(), ("colour",), aligned({"colour": "L0.H0"}))
ELSEWHERE = Rival("elsewhere", model(), ("colour",), aligned({"colour": "L0.H2"}))


def _reversed_colours() -> Rival:
    """A model that says the same of every prompt, and holds the opposite of the colour."""

    def opposite(entity: str) -> str:
        return f"c{2 - int(colour_of(entity)[1:])}"

    def answer(question: str, opposite: str, shape: str) -> str:
        return f"c{2 - int(opposite[1:])}" if question == "colour" else shape

    variables: Functions = {"opposite": opposite, "shape": shape_of, "answer": answer}
    high = HighLevelModel.of(
        "opposite", inputs=["entity", "question"], variables=variables, output="answer"
    )
    return Rival("opposite", high, ("opposite",), aligned({"opposite": "L0.H0"}))


def _shape_where_the_colour_is() -> Rival:
    return Rival("shape", model(), ("shape",), aligned({"shape": "L0.H0"}))


def test_the_true_one_is_favoured() -> None:
    found = compare(network(), TRUE, _shape_where_the_colour_is(), examples(), 60)
    assert found.outcome == "first" and found.n == 60
    assert found.first.estimate == 1.0 and found.second.estimate == 0.0
    assert "colour is favoured" in str(found) and "predicts" in found.example
    assert json.loads(json.dumps(found.to_json()))["outcome"] == "first"


@pytest.mark.parametrize("other", [ELSEWHERE, _shape_where_the_colour_is(), _reversed_colours()])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_antisymmetric(other: Rival, seed: int) -> None:
    one = compare(network(), TRUE, other, examples(), 20, seed=seed)
    back = compare(network(), other, TRUE, examples(), 20, seed=seed)
    assert one.paired == back.paired.reversed()
    assert (one.first, one.second, one.n) == (back.second, back.first, back.n)
    turned = {"first": "second", "second": "first"}
    assert back.outcome == turned.get(one.outcome, one.outcome)


def test_models_that_predict_the_same_cannot_be_told_apart() -> None:
    found = compare(network(), TRUE, _reversed_colours(), examples(), 30)
    assert found.is_underdetermined and found.outcome == "underdetermined"
    assert found.is_exhaustive and found.searched == 18 * 17 and found.forwards == 0
    assert "predict the same on all 306 pairs" in str(found)
    assert found.first.interval is None


def test_one_model_at_two_places_predicts_the_same_too() -> None:
    assert compare(network(), TRUE, ELSEWHERE, examples(), 10).is_underdetermined


def test_few_distinguishing_pairs_are_found_by_looking_at_all() -> None:
    """One pair in 306 that tells them apart: drawing may miss it, looking at all does not."""

    def rare(entity: str, question: str) -> str:
        colour = colour_of(entity)
        return "c2" if (entity, question) == ("e0", "colour") else colour

    def answer(question: str, hue: str, shape: str, entity: str) -> str:
        special = entity == "e1" and hue == "c2"
        return ("c0" if special else hue) if question == "colour" else shape

    variables: Functions = {"hue": rare, "shape": shape_of, "answer": answer}
    high = HighLevelModel.of(
        "rare", inputs=["entity", "question"], variables=variables, output="answer"
    )
    rival = Rival("rare", high, ("hue",), aligned({"hue": "L0.H0"}))
    found = compare(network(), TRUE, rival, examples(), 30)
    assert found.n > 0 and found.first.estimate == 1.0


def test_mistakes() -> None:
    with pytest.raises(ParameterError, match="names of their own"):
        compare(network(), TRUE, TRUE, examples())
    with pytest.raises(ParameterError, match="n=0"):
        compare(network(), TRUE, ELSEWHERE, examples(), 0)
    strange = Rival("x", model(), ("size",), aligned({"size": "L0.H0"}))
    with pytest.raises(GraphError, match="no variable 'size'"):
        compare(network(), TRUE, strange, examples())
    loose = Rival("y", model(), ("shape",), aligned({"colour": "L0.H0"}))
    with pytest.raises(TermError, match="'shape' is not aligned"):
        compare(network(), TRUE, loose, examples())
