"""A circuit is sought of a behaviour that is there; what was written by hand is there."""

import pytest

from causalnet.discovery.behaviour import behaviour_of, check_behaviour
from causalnet.discovery.methods import discover
from causalnet.discovery.question import Question
from causalnet.effects import zero
from causalnet.errors import ParameterError
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import make
from tests.toys import net, word_pairs


def test_a_task_that_is_not_done_is_refused_with_the_figure_unless_forced() -> None:
    question = Question(net("llama"), word_pairs(6, seed=5), zero(), grain="nodes")
    found = behaviour_of(question)
    assert not found.is_there
    with pytest.raises(ParameterError, match=f"above foil on {found.right:.0%} of 6 prompts"):
        check_behaviour(question)
    assert check_behaviour(question, force=True) == found


@pytest.mark.parametrize("name", ["brackets", "indirect_object"])
def test_what_was_written_by_hand_is_there(name: str) -> None:
    network = lift(load(f"known:{name}"))
    pairs = make(f"known:{name}", network.model.tokenizer, n=8, seed=0)
    question = Question(network, pairs, zero(), grain="nodes")
    check_behaviour(question)
    assert not any("does not do" in note for note in discover(question, "eap").notes)
    if name == "indirect_object":
        assert behaviour_of(question).is_there and behaviour_of(question).first == 1.0
