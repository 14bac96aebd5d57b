"""Optimal ablation: the constants that harm least, learned jointly for all that is ablated.

Li and Janson 2024.  Means and zeros do not only take information away, they may also insert values
that mislead what reads them; a lower bound over all constants isolates the information.  Constants
are learned on a declared training set by Adam, from the means, through the hook executor; what is
kept is the best of the constants that were looked at on the whole set, so that they are never worse
there than the means.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causalnet.effects.descent import Descent, descend, learning_json
from causalnet.effects.moments import moments_of
from causalnet.effects.reference import digest_of
from causalnet.errors import TermError
from causalnet.execute import Answers, Bindings, Constant
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import (
    READOUTS,
    Ablation,
    AblationKind,
    Base,
    Handle,
    Learning,
    Position,
    Query,
    Read,
    optimal_handle,
    patch,
)
from causalnet.interventions.queries import positions_of
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Learned", "learn_constants", "learned_rows", "optimal"]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Constants for some nodes that are ablated together.

    Attributes:
        constants: The constants by handle, as terms name them.
        ablation: The ablation that they are for, its settings included.
        nodes: The nodes that are set, in order.
        at: Positions at which they are set; none means all.
        start: Mean loss of the means on the training set, in nats.
        loss: Mean loss of the constants there, at most that of the means.
        curve: Mean loss of each step on its own prompts, before the step.
        looks: Steps and mean losses on the whole training set.
        forwards: Forward passes that were run, each over one batch.
    """

    constants: Mapping[Handle, Constant]
    ablation: Ablation
    nodes: tuple[str, ...]
    at: tuple[Position, ...]
    start: float
    loss: float
    curve: tuple[float, ...]
    looks: tuple[tuple[int, float], ...]
    forwards: int

    def to_json(self) -> dict[str, Any]:
        """Return everything but the vectors."""
        return {
            "nodes": list(self.nodes),
            "at": list(self.at),
            **learning_json(self),
        }


def optimal(training: PromptPairs | Prompts, learning: Learning | None = None) -> Ablation:
    """Return the ablation that sets constants learned on a training set.

    Args:
        training: The prompts that they are learned on, the base prompts of pairs; for
            `Learning(loss="loss")` pairs, whose answers are learned too.
        learning: Loss, steps, rate, prompts of a step and seed.

    Raises:
        TermError: A loss of answers on prompts without them.
    """
    settings = learning or Learning()
    if settings.loss != "kl" and not isinstance(training, PromptPairs):
        raise TermError(
            f"Constants were to be learned by {settings.loss!r} on prompts alone.",
            "The loss of answers needs them; 'kl' compares with the intact model.",
            "Give pairs, or write Learning(loss='kl').",
        )
    base = _prompts(training)
    return Ablation(AblationKind.OPTIMAL, digest_of(base), len(base), learning=settings)


def learn_constants(
    net: LiftedNetwork,
    mediators: Sequence[Mediator],
    ablation: Ablation,
    training: PromptPairs | Prompts,
    at: Position | Sequence[Position] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Learned:
    """Return the constants that harm least when mediators are ablated together.

    Each node gets one vector for all positions at which it is set.  Rates are in standard
    deviations of its own values, so that large and small nodes move alike.

    Args:
        net: The lifted network.
        mediators: What is ablated together; constants are learned jointly.
        ablation: `optimal(training)`.
        training: The training set that the ablation names.
        at: Positions at which mediators are set; default all.
        progress: Told about every forward pass: done, and expected in all.

    Raises:
        TermError: Another kind of ablation or training set, or an attention pattern.
        PromptError: A position that the prompts do not have.
        NumericalError: NaN or infinity in an activation.
    """
    settings, pairs = _checked(net, mediators, ablation, training)
    positions = positions_of(at)
    own = ablation.among(mediators, positions)
    nodes = tuple(dict.fromkeys(own.site(mediator) for mediator in mediators))
    world = patch(Base("base"), mediators, own, Base("source"), positions)
    moments = moments_of(nodes, net, _prompts(pairs), positions)
    descent = Descent(
        net,
        Bindings.of(pairs) if isinstance(pairs, PromptPairs) else _bare(pairs),
        Read(READOUTS[settings.loss], world),
        {node: optimal_handle(node, own) for node in nodes},
        settings,
        progress,
        moments.forwards,
    )
    for done in range(moments.forwards if progress is not None else 0):
        assert progress is not None
        progress(done + 1, settings.forwards(len(descent)))
    start = descent.whole(moments.means)
    found = descend(descent, moments, start)
    return Learned(
        constants=descent.bound(found.vectors),
        ablation=own,
        nodes=nodes,
        at=positions,
        start=start,
        loss=found.loss,
        curve=found.curve,
        looks=found.looks,
        forwards=descent.forwards,
    )


def learned_rows(
    query: Query,
    net: LiftedNetwork,
    training: PromptPairs | Prompts | None,
    known: Collection[Handle] = (),
) -> tuple[Learned, ...]:
    """Return the constants of the rows of a query of optimal ablation; none of any other query.

    Args:
        query: The query.
        net: The lifted network.
        training: The training set that its ablation names.
        known: Handles that are bound already; rows that need no other are not learned again.

    Raises:
        TermError: See `learn_constants`.
    """
    ablation = query.ablation
    if ablation is None or training is None or ablation.kind is not AblationKind.OPTIMAL:
        return ()
    rows = []
    for row in dict.fromkeys(query.treated):
        own = ablation.among(row, query.at)
        if any(optimal_handle(own.site(member), own) not in known for member in row):
            rows.append(row)
    return tuple(learn_constants(net, row, ablation, training, query.at) for row in rows)


def _prompts(training: PromptPairs | Prompts) -> Prompts:
    return training.base if isinstance(training, PromptPairs) else training


def _checked(
    net: LiftedNetwork,
    mediators: Sequence[Mediator],
    ablation: Ablation,
    training: PromptPairs | Prompts,
) -> tuple[Learning, PromptPairs | Prompts]:
    """Return the settings and the training set, which must be those of the ablation."""
    if ablation.kind is not AblationKind.OPTIMAL or ablation.learning is None:
        raise TermError(
            f"Constants were to be learned for the ablation {ablation}.",
            "Only optimal ablation learns.",
            "Write cn.optimal(pairs).",
        )
    if digest_of(_prompts(training)) != ablation.reference:
        raise TermError(
            "These training prompts are not those that the ablation was made with.",
            "The set is part of what an ablation means.",
            "Pass the same prompts to both.",
        )
    if ablation.learning.loss != "kl" and not isinstance(training, PromptPairs):
        raise TermError(
            f"The ablation learns by {ablation.learning.loss!r}, which needs answers.",
            "The training set was given as prompts alone.",
            "Pass the pairs that it was made with.",
        )
    patterns = [one for one in mediators if net.graph.find(one.name).kind is Kind.PATTERN]
    if patterns:
        raise TermError(
            f"A constant for {patterns[0]} is to be learned.",
            "Its entries are tokens, which differ from prompt to prompt.",
            "Interchange or resample it, or set it by an operation such as uniform_pattern.",
        )
    return ablation.learning, training


def _bare(prompts: Prompts) -> Bindings:
    none: tuple[tuple[int, ...], ...] = ((),) * len(prompts)
    return Bindings({"base": prompts, "source": prompts}, Answers(none, none, "mean"))
