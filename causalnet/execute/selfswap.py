"""Is an intervention what it says?  The self-swap in three legs, and determinism.

Leg 1: setting a mediator to its own value changes no bit of the logits.
Leg 2: the mediator's value in the source world differs from that in the base world.
Leg 3: setting it to the source world's value changes the logits.
A hook that never fires passes legs 1 and 2 alone; one that always disturbs fails leg 1.  A mediator
that nothing downstream reads (a pruned head) fails leg 3 rightly.
"""

from dataclasses import dataclass

import torch

from causalnet.execute.bindings import Bindings
from causalnet.execute.chunk import Chunk
from causalnet.execute.schedule import Step
from causalnet.graphs import Mediator
from causalnet.interventions import At, Base, Do, Node, World
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["Determinism", "SelfSwap", "check_determinism", "self_swap"]

BASE, SOURCE = Base("base"), Base("source")


@dataclass(frozen=True, slots=True)
class SelfSwap:
    """The three legs for one mediator.

    Attributes:
        mediator: The mediator.
        no_op_is_exact: Leg 1: no bit of the logits changed.
        source_difference: Leg 2: largest absolute difference between the worlds' values.
        receiver_difference: Leg 3: largest absolute difference of the logits.
        world_difference: Largest absolute difference between the worlds' logits; where it is 0
            leg 3 cannot hold.
    """

    mediator: str
    no_op_is_exact: bool
    source_difference: float
    receiver_difference: float
    world_difference: float

    @property
    def is_sound(self) -> bool:
        """Whether all three legs hold."""
        return self.no_op_is_exact and self.source_difference > 0 and self.receiver_difference > 0


@dataclass(frozen=True, slots=True)
class Determinism:
    """What repeating a batch changes.

    Attributes:
        repeats_exactly: The same batch twice gives the same bits.
        batch_difference: Largest absolute difference of logits between one batch and its rows
            run one by one.
    """

    repeats_exactly: bool
    batch_difference: float


def self_swap(net: LiftedNetwork, pairs: PromptPairs, mediator: Mediator) -> SelfSwap:
    """Run the three legs for one mediator at all positions.

    The mediator is set where it is named: a head at the mixer's output, its z at the input.

    Args:
        net: The lifted network.
        pairs: Aligned prompt pairs; all are one batch.
        mediator: A head, z, MLP, residual cut or the embedding.

    Raises:
        FireCountError: An intervention did not fire exactly once.
    """
    node = mediator.name
    own, theirs = _interchanged(node, BASE), _interchanged(node, SOURCE)
    chunk = Chunk(net, Bindings.of(pairs), range(len(pairs)))
    worlds = (BASE, SOURCE, own, theirs)
    with torch.no_grad():
        chunk.run([Step(world, (node,), ("end",), ()) for world in worlds], lambda: None)
    plain, other, noop, swapped = (chunk.logits[world, "end"] for world in worlds)
    values = [chunk.values[world][node] for world in (BASE, SOURCE)]
    return SelfSwap(
        node,
        no_op_is_exact=bool(torch.equal(plain, noop)),
        source_difference=_largest(values[0] - values[1]),
        receiver_difference=_largest(plain - swapped),
        world_difference=_largest(plain - other),
    )


def _interchanged(node: str, world: World) -> Do:
    """Return the base world with a node set to its value in a world."""
    return Do(BASE, ((Node(node), At(node, world)),))


def check_determinism(net: LiftedNetwork, pairs: PromptPairs) -> Determinism:
    """Run one batch twice, and its rows one by one."""
    step = (Step(BASE, (), ("end",), ()),)
    bindings = Bindings.of(pairs)

    def logits(rows: range) -> torch.Tensor:
        chunk = Chunk(net, bindings, rows)
        with torch.no_grad():
            chunk.run(step, lambda: None)
        return chunk.logits[BASE, "end"]

    together = logits(range(len(pairs)))
    again = logits(range(len(pairs)))
    alone = torch.cat([logits(range(row, row + 1)) for row in range(len(pairs))])
    return Determinism(bool(torch.equal(together, again)), _largest(together - alone))


def _largest(difference: torch.Tensor) -> float:
    return float(difference.abs().max())
