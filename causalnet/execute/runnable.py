"""All that can be refused before anything is run, in one place for every executor."""

from collections.abc import Sequence

from causalnet.errors import ParameterError, TermError
from causalnet.execute.alignment import check_lengths, check_positions, check_rows, check_tokens
from causalnet.execute.bindings import Bindings
from causalnet.execute.fitting import check_answers, check_values
from causalnet.interventions import READOUTS, Contrast, Grad, Leaf, Read, World, check_scalar
from causalnet.lift import LiftedNetwork, check_unchanged
from causalnet.tasks import Prompts

__all__ = ["check_batch_size", "check_leaves", "check_readable", "check_runnable"]


def check_leaves(leaves: Sequence[object]) -> None:
    """Check that what is asked for can be computed: read-outs in worlds, and derivatives.

    Raises:
        TermError: Something else; it is named with its place in the list.  Or a read-out that is
            not known.
    """
    for place, leaf in enumerate(leaves):
        if not isinstance(leaf, Read | Grad):
            raise TermError(
                f"Number {place} of what is asked for is a {type(leaf).__name__}: "
                f"{str(leaf)[:60]}.",
                "An executor computes a Read or a Grad.",
                "Write for example Read(logit_diff, world).",
            )
        name = (leaf.read if isinstance(leaf, Grad) else leaf).readout.name
        if name != "value" and name not in READOUTS:
            raise TermError(
                f"The read-out {name!r} is not known.",
                f"There are {', '.join(READOUTS)} and value.",
                "Write for example cn.logit_diff, or cn.lens(cn.logit_diff, node).",
            )


def check_batch_size(batch_size: object, of: str = "prompts") -> None:
    """Check that a batch is a whole number of prompts, or of what else it has.

    Raises:
        ParameterError: It is no whole number, or below 1.
    """
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise ParameterError(
            f"batch_size is {batch_size!r}.",
            f"A batch is a whole number of {of}, at least one.",
            "Write for example batch_size=16.",
        )


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
