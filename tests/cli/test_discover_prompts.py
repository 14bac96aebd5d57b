"""Prompts of a search: what a model with few words is told when a task does not fit it."""

import pytest

from causalnet.cli.discover_prompts import prompts_for
from causalnet.errors import PromptError
from causalnet.models import load

MODEL = "known:induction"


def test_a_known_model_names_its_own_task_first() -> None:
    tokenizer = load(MODEL).tokenizer
    with pytest.raises(PromptError) as told:
        prompts_for(
            "ioi",
            tokenizer,
            n=4,
            seed=0,
            reference=4,
            options={},
            must_align=True,
            known=MODEL,
        )
    assert told.value.possible == "Its own prompts are the task known:induction."
    assert told.value.write.startswith("Leave TASK out.")
