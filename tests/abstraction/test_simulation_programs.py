"""High-level models as simulators, on a network that is known."""

from collections.abc import Callable

import pytest

from causalnet.abstraction.alignment import aligned
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.abstraction.simulation import simulatability
from causalnet.abstraction.simulation_programs import ProgramSimulator
from causalnet.errors import ParameterError
from tests.abstraction.entities import TRUE, colour_of, examples, model, network, shape_of

FINDING, TEST = examples().rows([0, 3, 4, 7, 8, 11, 13, 14]), examples()


def program(claim: HighLevelModel | None = None, **options: object) -> ProgramSimulator:
    named = {"held_out": (("colour", "shape"),), "used": (("colour",), ("shape",)), **options}
    sites = aligned(named.pop("sites", TRUE))  # type: ignore[arg-type]
    return ProgramSimulator(network(), claim or model(), sites, n=60, **named)  # type: ignore[arg-type]


def test_a_true_program_foretells_what_no_one_else_does() -> None:
    found = simulatability(program(), TEST, FINDING)
    assert found.left_out == len(FINDING)
    assert found.forward.questions == len(TEST) - len(FINDING)
    assert found.forward.claim.balanced == 1
    counterfactual = found.counterfactual
    assert counterfactual is not None and counterfactual.claim.balanced == 1
    without = {score.name: score.balanced for score in counterfactual.without}
    assert without["unchanged"] == pytest.approx(0.5, abs=0.01)
    assert counterfactual.effect.value > 0.1 and counterfactual.effect.interval.low > 0
    assert {"majority", "regression on inputs", "the last source's"} <= set(without)


def test_a_wrong_program_and_a_wrong_alignment_do_not() -> None:
    def answer(question: str, colour: str, shape: str) -> str:
        return shape if question == "colour" else colour

    variables: dict[str, Callable[..., str]] = {"colour": colour_of, "shape": shape_of}
    swapped = HighLevelModel.of(
        "swapped",
        inputs=["entity", "question"],
        variables=variables | {"answer": answer},
        output="answer",
    )
    wrong = simulatability(program(swapped), TEST, FINDING)
    assert wrong.forward.claim.balanced == 0
    assert wrong.forward.effect.value < 0
    elsewhere = simulatability(program(sites={"colour": "L0.H2", "shape": "L0.H1"}), TEST, FINDING)
    assert elsewhere.forward.claim.balanced == 1  # no site is touched
    assert elsewhere.counterfactual is not None
    assert elsewhere.counterfactual.claim.balanced < 0.9


def test_several_sets_are_asked_together() -> None:
    claim = program(held_out=(("colour",), ("colour", "shape")), used=(("shape",),))
    asked = claim.ask(TEST, "counterfactual", True)
    assert asked is not None and len(asked) == 120
    assert set(asked.interventions) == {"colour", "colour and shape"}
    assert None in asked.inputs["source 2: token -1"]
    assert asked.claimed == asked.actual


def test_sets_that_were_used_are_not_asked() -> None:
    with pytest.raises(ParameterError, match="colour is held out, and was used"):
        program(held_out=(("colour",),))
    with pytest.raises(ParameterError, match="no variable is held out"):
        program(held_out=())
    assert program(used=()).ask(TEST, "counterfactual", False) is None
