"""How the constants of optimal ablation are learned."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from causalnet.errors import TermError

__all__ = ["LOOKS", "Learning", "LearningLoss"]

LOOKS = 5
"""How often the whole training set is looked at beside the start."""

_RECORDED = 16  # prompts of a forward that means are taken from

LearningLoss: TypeAlias = Literal["kl", "loss"]
"""The read-out that is minimised: the divergence from the intact model, or the answers' loss."""


@dataclass(frozen=True, slots=True)
class Learning:
    """Settings of a gradient descent from the means; constants that are never worse are kept.

    Attributes:
        loss: `kl`, the divergence of the ablated model from the intact one at the scored position,
            or `loss`, minus the log-probability of the answers.
        steps: Steps of Adam.
        rate: Its learning rate at the start, which falls to 0 in a straight line and is halved
            where the whole set got worse, in standard deviations of each node's own values.
        batch: Training prompts for each step.
        seed: Seed of the order in which they come.

    Raises:
        TermError: Another loss, no steps or prompts, or a rate that is not above 0.

    >>> print(Learning(steps=40))
    kl, 40 steps of Adam at 0.03 standard deviations falling to 0, 16 prompts each, seed 0
    """

    loss: LearningLoss = "kl"
    steps: int = 100
    rate: float = 0.03
    batch: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that learn nothing."""
        if self.loss not in get_args(LearningLoss):
            raise TermError(
                f"Constants were to be learned by {self.loss!r}.",
                f"There is {' and '.join(get_args(LearningLoss))}.",
                "Write loss='kl': the divergence from the intact model.",
            )
        if self.steps < 0 or self.batch < 1 or not 0 < self.rate < float("inf"):
            raise TermError(
                f"{self.steps} steps at the rate {self.rate} with {self.batch} prompts each.",
                "Steps are 0 or more, 0 keeps the means; the rate is above 0; a step takes at "
                "least one prompt.",
            )

    def __str__(self) -> str:
        """Return the settings in words."""
        return (
            f"{self.loss}, {self.steps} steps of Adam at {self.rate:g} standard deviations "
            f"falling to 0, {self.batch} prompts each, seed {self.seed}"
        )

    @property
    def every(self) -> int:
        """After how many steps the whole training set is looked at."""
        return max(1, -(-self.steps // LOOKS))

    def forwards(self, prompts: int, *, of_edges: bool = False, everywhere: bool = False) -> int:
        """Return the most forward passes that learning for one set takes.

        A step runs the ablated model on its prompts and, for `kl` and for edges, the intact one; a
        look does so on the whole set.  Steps also go backward, which costs about twice a forward.

        Args:
            prompts: Training prompts.
            of_edges: Whether constants are those of edges.
            everywhere: Whether all positions are set, so that there is one start to look at.

        >>> Learning(steps=10, batch=16).forwards(64)
        80
        """
        each = 2 if of_edges or self.loss == "kl" else 1
        looks = (1 if everywhere else 2) + -(-self.steps // self.every)
        batches = -(-prompts // self.batch)
        first = batches if of_edges else -(-prompts // _RECORDED)
        return first + each * (self.steps + looks * batches)
