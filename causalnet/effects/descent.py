"""Gradient descent of constants through the hook executor."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, final

import torch
from torch import Tensor

from causalnet.effects.moments import Moments
from causalnet.execute import Answers, Bindings, Constant, Pooled, evaluate
from causalnet.interventions import Ablation, Handle, Learning, Read
from causalnet.lift import LiftedNetwork

__all__ = ["Descent", "Found", "Learner", "Learnt", "descend", "learning_json"]


class Learner(Protocol):
    """What constants are learned for: the loss of a training set under them."""

    settings: Learning

    def __len__(self) -> int:
        """Return the number of training prompts."""

    def losses(self, vectors: Mapping[str, Tensor], rows: Sequence[int], learns: bool) -> Tensor:
        """Return the loss on each of some training prompts, [n], with a graph where it learns."""

    def whole(self, vectors: Mapping[str, Tensor]) -> float:
        """Return the mean loss on the whole training set."""


class Learnt(Protocol):
    """What was learned, and how: the fields that a record of it has in common."""

    @property
    def ablation(self) -> Ablation:
        """The ablation, its settings included."""

    @property
    def start(self) -> float:
        """Mean loss of the means on the training set."""

    @property
    def loss(self) -> float:
        """Mean loss of the constants there."""

    @property
    def curve(self) -> tuple[float, ...]:
        """Mean loss of each step."""

    @property
    def looks(self) -> tuple[tuple[int, float], ...]:
        """Steps and mean losses on the whole training set."""

    @property
    def forwards(self) -> int:
        """Forward passes that were run."""


def learning_json(learnt: Learnt) -> dict[str, object]:
    """Return how constants were learned, as JSON."""
    ablation = learnt.ablation
    return {
        "training_set": ablation.reference,
        "training_prompts": ablation.reference_size,
        "learning": None if ablation.learning is None else asdict(ablation.learning),
        "start": learnt.start,
        "loss": learnt.loss,
        "curve": list(learnt.curve),
        "looks": [list(look) for look in learnt.looks],
        "forwards": learnt.forwards,
    }


@final
@dataclass(slots=True, eq=False)
class Descent:
    """Constants on their way, and what the training set says of them."""

    net: LiftedNetwork
    bindings: Bindings
    read: Read
    handles: Mapping[str, Handle]
    settings: Learning
    progress: Callable[[int, int], None] | None
    forwards: int = 0

    def __len__(self) -> int:
        """Return the number of training prompts."""
        return len(self.bindings)

    def bound(self, vectors: Mapping[str, Tensor]) -> dict[Handle, Constant]:
        """Return vectors under the handles of their nodes."""
        return {handle: Pooled(vectors[node]) for node, handle in self.handles.items()}

    def losses(self, vectors: Mapping[str, Tensor], rows: Sequence[int], learns: bool) -> Tensor:
        """Return the loss on each of some training prompts, [n]."""
        inputs = {name: prompts.rows(rows) for name, prompts in self.bindings.inputs.items()}
        known = self.bindings.answers
        answers = Answers(
            tuple(known.answers[row] for row in rows),
            tuple(known.foils[row] for row in rows),
            known.reduction,
        )
        bindings = Bindings(inputs, answers, self.bound(vectors))
        result = evaluate(
            [self.read],
            self.net,
            bindings,
            batch_size=self.settings.batch,
            gradients=learns,
            progress=self._count,
        )
        return result.values[self.read]

    def whole(self, vectors: Mapping[str, Tensor]) -> float:
        """Return the mean loss on the whole training set."""
        rows = range(len(self))
        return float(self.losses(vectors, rows, learns=False).double().mean())

    def _count(self, done: int, expected: int) -> None:
        self.forwards += 1
        if self.progress is not None:
            expected_in_all = self.settings.forwards(len(self))
            self.progress(self.forwards, max(self.forwards, expected_in_all))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The best constants that were looked at."""

    vectors: dict[str, Tensor]
    loss: float
    curve: tuple[float, ...]
    looks: tuple[tuple[int, float], ...]


def descend(learner: Learner, moments: Moments, start: float) -> Found:
    """Take the steps, and keep the best constants that were looked at on the whole set.

    Where a look is worse than the best, the descent goes on from the best at half the rate.

    Args:
        learner: The loss.
        moments: Where to start: the means, or those where nodes are set if these are better.
        start: The mean loss of the means on the whole training set.
    """
    settings = learner.settings
    best, least, looks = moments.means, start, [(0, start)]
    if any(not torch.equal(moments.means[node], moments.means_where_set[node]) for node in best):
        looks.append((0, learner.whole(moments.means_where_set)))
        if looks[-1][1] < least:
            best, least = moments.means_where_set, looks[-1][1]
    going = _Going(best, moments.spreads)
    share, curve = 1.0, []
    for step, rows in enumerate(_orders(len(learner), settings), start=1):
        left = 1 - (step - 1) / settings.steps
        loss = learner.losses(going.vectors(), rows, learns=True).mean()
        going.take(loss, settings.rate * share * left)
        curve.append(loss.item())
        if step % settings.every == 0 or step == settings.steps:
            reached = {node: vector.detach() for node, vector in going.vectors().items()}
            looks.append((step, learner.whole(reached)))
            if looks[-1][1] < least:
                best, least = reached, looks[-1][1]
            else:
                share, going = share / 2, _Going(best, moments.spreads)
    return Found(best, least, tuple(curve), tuple(looks))


class _Going:
    """Vectors on their way, in units of their spreads.

    Args:
        origin: Where they begin.
        spreads: The units.
    """

    def __init__(self, origin: Mapping[str, Tensor], spreads: Mapping[str, float]) -> None:
        """Begin there."""
        self.origin, self.spreads = origin, spreads
        self.moved = {node: torch.zeros_like(at).requires_grad_() for node, at in origin.items()}
        self.adam = torch.optim.Adam(self.moved.values())

    def vectors(self) -> dict[str, Tensor]:
        """Return where they are."""
        return {
            node: at + self.spreads[node] * self.moved[node] for node, at in self.origin.items()
        }

    def take(self, loss: Tensor, rate: float) -> None:
        """Take one step."""
        self.adam.zero_grad()
        self.adam.param_groups[0]["lr"] = rate
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates nothing here
        self.adam.step()


def _orders(prompts: int, settings: Learning) -> Iterator[list[int]]:
    """Yield the training prompts of each step: the set in ever new orders, cut into batches."""
    drawn = random.Random(settings.seed)
    waiting: list[int] = []
    size = min(settings.batch, prompts)
    for _ in range(settings.steps):
        if len(waiting) < size:
            waiting = drawn.sample(range(prompts), prompts)
        yield sorted(waiting[:size])
        waiting = waiting[size:]
