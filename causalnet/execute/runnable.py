"""All that can be refused before anything is run, in one place for every executor."""

from collections.abc import Sequence

from causalnet.execute.alignment import check_lengths, check_positions, check_rows, check_tokens
from causalnet.execute.bindings import Bindings
from causalnet.execute.fitting import check_answers, check_values
from causalnet.interventions import Contrast, Leaf, World, check_scalar
from causalnet.lift import LiftedNetwork, check_unchanged
from causalnet.tasks import Prompts

__all__ = ["check_readable", "check_runnable"]


def check_runnable(
    leaves: Sequence[Leaf], worlds: Sequence[World], net: LiftedNetwork, bindings: Bindings
) -> None:
    """Check that terms fit a network and what is bound, without running it.

    Args:
        leaves: Read-outs in worlds, and derivatives.
        worlds: Every world that they need; where a derivative is taken, with its direction added.
        net: The lifted network.
        bindings: Prompts behind inputs, answers, constants.

    Raises:
        LiftError: The model was changed after it was lifted.
        UnknownMediatorError, TermError: A world that does not fit the network or what is bound.
        AlignmentError: Prompts that do not line up, or inputs and answers with different rows.
        PromptError: A prompt that the model cannot read, or without a position that is named.
        AnswerError: A token to score that the model does not have.
    """
    check_unchanged(net)
    check_rows(bindings)
    check_scalar(Contrast(tuple((1.0, leaf) for leaf in leaves)), net.graph)
    for world in worlds:
        check_positions(world, net.graph, bindings)
    check_values(worlds, net.graph, bindings)
    check_answers(leaves, bindings, net.graph.shape.vocabulary)
    for prompts in bindings.inputs.values():
        check_readable(prompts, net)


def check_readable(prompts: Prompts, net: LiftedNetwork) -> None:
    """Check that a network can read prompts.

    Raises:
        PromptError: A prompt that is too long, or has a token that the model does not have.
    """
    check_lengths(prompts, net.model.declared)
    check_tokens(prompts, net.vocabulary)
