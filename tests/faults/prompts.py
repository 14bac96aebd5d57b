"""Prompts and answers that do not belong together, or not to the model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from causalnet.errors import (
    AlignmentError,
    AnswerError,
    CausalNetError,
    ParameterError,
    PromptError,
)
from causalnet.execute import Bindings
from causalnet.lift import register
from causalnet.lift.architectures import GPT2
from causalnet.tasks import PromptPairs
from tests.faults.table import Work, asking, fault, pairing, running
from tests.small_models import LinearNetwork, linear_network, tiny_gpt2, tiny_llama

# -- pairs that do not line up -------------------------------------------------------------------


@fault(pairing, AlignmentError, "Row 2", "6 tokens", "7")
def a_source_that_is_longer_than_its_base(work: Work) -> None:
    work.rows[2]["source"] = f"{work.rows[2]['source']} w5"


@fault(running, AlignmentError, "Row 2", "6 tokens", "7", "L1.mlp")
def unequal_lengths_at_all_positions(work: Work) -> None:
    work.align = False
    work.rows[2]["source"] = f"{work.rows[2]['source']} w5"


def of_two_templates(folder: Path) -> Work:
    work = Work(folder)
    for number, row in enumerate(work.rows):
        row["template"] = f"template {number % 2}"
    return work


@fault(pairing, PromptError, "Row 0", "'template 0'", "'template 1'", start=of_two_templates)
def sources_in_another_order_than_bases(work: Work) -> None:
    def shuffled(pairs: PromptPairs) -> PromptPairs:
        return replace(pairs, source=pairs.source.rows([3, 0, 1, 2]))

    work.after_building = shuffled


@fault(running, AlignmentError, "input 'base' has 4", "input 'source' has 3")
def inputs_with_other_numbers_of_rows(work: Work) -> None:
    def shortened(bound: Bindings) -> Bindings:
        fewer = bound.inputs["source"].rows([0, 1, 2])
        return replace(bound, inputs={**bound.inputs, "source": fewer})

    work.after_binding = shortened


@fault(running, AlignmentError, "input 'base' has 4", "wrong tokens of 'answers' has 3")
def fewer_foils_than_prompts(work: Work) -> None:
    def shortened(bound: Bindings) -> Bindings:
        return replace(bound, answers=replace(bound.answers, foils=bound.answers.foils[:3]))

    work.after_binding = shortened


# -- positions -----------------------------------------------------------------------------------


@fault(asking, PromptError, "Unknown position 'S2'", "third")
def a_position_that_the_prompts_do_not_name(work: Work) -> None:
    work.query = "nie(L1.H2; at=S2)"


@fault(asking, PromptError, "Row 0 has no token 9", "0..5")
def a_position_counted_in_the_padded_batch(work: Work) -> None:
    work.query = "nie(L1.H2; at=9)"


@fault(pairing, PromptError, "Row 3", "'third'", "no token 12")
def a_named_position_behind_the_prompt(work: Work) -> None:
    work.rows[3]["positions"] = {"third": 12}


# -- tokens --------------------------------------------------------------------------------------


def small_vocabulary(folder: Path) -> Work:
    return Work(folder, tiny_llama(vocabulary=50))


@fault(running, PromptError, "Row 3", "token 61 at position 5", "0..49", start=small_vocabulary)
def the_tokenizer_of_another_model(work: Work) -> None:
    work.rows[3]["base"] = "w3 w9 w13 w8 w7 w58"


@fault(pairing, PromptError, "Row 1", "'Zoroaster'")
def a_word_that_the_tokenizer_does_not_know(work: Work) -> None:
    work.rows[1]["base"] = "w1 w9 Zoroaster w8 w7 w6"


@fault(running, PromptError, "Row 1 has 140 tokens", "128 positions")
def a_prompt_longer_than_the_model_has_positions(work: Work) -> None:
    for side in ("base", "source"):
        work.rows[1][side] = " ".join(["w1"] * 140)


@fault(pairing, AnswerError, "Row 1", "' w30 w31' is 2 tokens")
def an_answer_of_two_tokens(work: Work) -> None:
    work.rows[1]["answer"] = " w30 w31"


@fault(pairing, AnswerError, "Row 2", "'w42' is an answer and a foil")
def an_answer_that_is_its_foil(work: Work) -> None:
    work.rows[2]["answer"] = work.rows[2]["foil"]


@fault(pairing, AnswerError, "Row 0", "no answer is given")
def an_empty_set_of_answers(work: Work) -> None:
    work.rows[0]["answer"] = []


def scored(work: Work, tokens: tuple[int, ...]) -> None:
    """Let the second row be scored by other tokens."""

    def rescored(bound: Bindings) -> Bindings:
        given = bound.answers.answers
        answers = replace(bound.answers, answers=(given[0], tokens, *given[2:]))
        return replace(bound, answers=answers)

    work.after_binding = rescored


@fault(running, AnswerError, "Row 1 scores the tokens (99,)", "0..63")
def an_answer_outside_the_vocabulary(work: Work) -> None:
    scored(work, (99,))


@fault(running, AnswerError, "Row 1 scores the tokens ()", "at least one")
def no_token_to_score(work: Work) -> None:
    scored(work, ())


@fault(running, AnswerError, "'answers' are reduced by 'max'", "mean and logsumexp")
def an_unknown_reduction_of_answers(work: Work) -> None:
    def reduced(bound: Bindings) -> Bindings:
        return replace(bound, answers=replace(bound.answers, reduction="max"))

    work.after_binding = reduced


# -- padding -------------------------------------------------------------------------------------


class Maskless(LinearNetwork):
    """A network whose forward takes no mask."""

    def forward(self, ids: torch.Tensor, attention_mask: Any = None) -> torch.Tensor:
        return super().forward(ids, torch.ones_like(ids))


def maskless(folder: Path) -> Work:
    from causalnet.lift.registry import adapter_for

    network = linear_network()
    register(replace(adapter_for(network), module_class="Maskless", accepts=()))
    network.__class__ = Maskless
    return Work(folder, network)


def ragged(work: Work) -> None:
    for side in ("base", "source"):
        work.rows[2][side] = " ".join(str(work.rows[2][side]).split()[:5])


@fault(
    running,
    CausalNetError,
    "Maskless takes no attention mask",
    "`accepts`",
    start=maskless,
    of_hooks=True,
)
def padding_without_a_mask(work: Work) -> None:
    ragged(work)


def without_positions(folder: Path) -> Work:
    module = tiny_gpt2()
    register(replace(GPT2, module_class="Unpositioned", accepts=("attention_mask",)))
    module.__class__ = type("Unpositioned", (type(module),), {})
    return Work(folder, module, running={"padding": "left"})


@fault(
    running,
    CausalNetError,
    "Row 2",
    "learned positions",
    "right",
    start=without_positions,
    of_hooks=True,
)
def positions_moved_by_padding(work: Work) -> None:
    ragged(work)


@fault(running, PromptError, "'middle'", "left or right", of_hooks=True)
def padding_on_no_side(work: Work) -> None:
    work.running["padding"] = "middle"


@fault(running, ParameterError, "batch_size is 0")
def a_batch_of_no_prompts(work: Work) -> None:
    work.running["batch_size"] = 0


@fault(running, ParameterError, "batch_size is '8'", "whole number")
def a_batch_size_in_quotes(work: Work) -> None:
    work.running["batch_size"] = "8"
