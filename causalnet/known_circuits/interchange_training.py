"""Networks trained to realise a high-level model, with or without all other nodes kept out of it.

Interchange training (Geiger et al. 2022) asks aligned nodes to carry their variables.  Strict
interchange training (Gupta et al. 2024, InterpBench) asks as well that random subsets of all other
nodes can be given values of another input and the answer stays.  Without it an interchange
accuracy of 1 says nothing about other nodes, and swapping these one at a time says little about
swapping them together.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from causalnet.errors import ParameterError
from causalnet.known_circuits.interchange import (
    HighLevelModel,
    Written,
    columns,
    nodes_of,
    run_swapped,
)
from causalnet.known_circuits.interchange_report import (
    InterchangeReport,
    draw_pairs,
    measure_interchange,
)
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.known_circuits.training import Course, Look, Trainer, fresh, train

__all__ = ["Enough", "TrainedCircuit", "train_strict"]


@dataclass(frozen=True, slots=True)
class Enough:
    """What ends a training, on the watched pairs.

    Attributes:
        accuracy: Share of all inputs that are answered rightly.
        interchange: Interchange accuracy of the worst variable.
        joint: Share of pairs whose answer stays with all other nodes swapped; not asked of the
            plain form.
    """

    accuracy: float = 1.0
    interchange: float = 0.998
    joint: float = 0.995


@dataclass(frozen=True, slots=True, eq=False)
class TrainedCircuit:
    """A trained network, what it is measured to be on held-out pairs, and how it got there."""

    module: SmallTransformer
    report: InterchangeReport
    looks: tuple[Look, ...]


def train_strict(
    shape: SmallShape,
    high: HighLevelModel,
    *,
    strict: float = 1.0,
    detached: bool = False,
    course: Course | None = None,
    batch: int = 256,
    enough: Enough | None = None,
    progress: Callable[[Look], None] | None = None,
    checkpoint: Path | None = None,
) -> TrainedCircuit:
    """Train a network whose circuit is known: the aligned nodes of a high-level model.

    Args:
        shape: Of the network.
        high: What it is to compute, and which nodes are to hold which variable.
        strict: Weight of the loss that keeps other nodes out of it; 0 is the plain form.
        detached: Whether no gradient goes through the values taken from the source.  The form with
            gradients is complete in 200 steps at the size of `bench/known_circuits.py`, where the
            detached one diverges.
        course: How long and how fast.
        batch: Pairs in a batch.
        enough: What ends it early.
        progress: Called at every look.
        checkpoint: A file to save to and to resume from.

    Raises:
        ParameterError: The network cannot read the inputs, or the weight is negative.
        UnknownMediatorError: A variable is aligned with a node that does not write.
        FormatError: The checkpoint is of another training.

    Source: Gupta et al. 2024, section 3; subsets of other nodes have a uniform size.
    """
    course, enough = course or Course(), enough or Enough()
    _check(shape, high, strict)
    module = fresh(shape, course.seed)
    asked = asdict(enough if strict else replace(enough, joint=0.0))
    recipe = {
        "trained": "interchange",
        "version": 1,
        "task": high.name,
        "values": high.digest(),
        "aligned": {variable.name: list(variable.nodes) for variable in high.variables},
        "shape": asdict(shape),
        "course": asdict(course),
        "enough": asked,
        **{"strict": strict, "detached": detached, "batch": batch},
    }
    trainer = Trainer(
        recipe,
        lambda generator: _losses(module, high, batch, generator, strict, detached),
        lambda: measure_interchange(module, high, pairs=500, split="watched").measures(),
        lambda seen: all(seen[name] >= least for name, least in asked.items()),
    )
    looks = train(module, trainer, course, progress=progress, checkpoint=checkpoint)
    return TrainedCircuit(module.eval(), measure_interchange(module, high), looks)


def _check(shape: SmallShape, high: HighLevelModel, strict: float) -> None:
    """Refuse a network that cannot read the inputs, stray nodes and a negative weight."""
    columns(shape, high.aligned())
    tokens, length = int(high.inputs.max()) + 1, high.inputs.shape[1]
    if shape.vocabulary < tokens or shape.length < length:
        raise ParameterError(
            f"A network of {shape.vocabulary} tokens and {shape.length} positions.",
            f"The inputs of {high.name!r} have {tokens} and {length}.",
            f"Write vocabulary={tokens}, length={length} or more.",
        )
    if not strict >= 0:
        raise ParameterError(f"strict={strict}.", "A weight is at least 0.", "Write strict=1.0.")


def _losses(
    module: SmallTransformer,
    high: HighLevelModel,
    batch: int,
    generator: torch.Generator,
    strict: float,
    detached: bool,
) -> dict[str, Tensor]:
    """Return the parts of the loss on one batch of pairs, all worlds in one pass."""
    base, source = draw_pairs(high, batch, "training", generator)
    with torch.set_grad_enabled(not detached):
        _, written = run_swapped(module, source)
    right = high.run(base)["answer"]
    aligned, wanted = _some_variable(module.config, high, base, source, generator)
    worlds = [torch.zeros_like(aligned), aligned]
    if strict:
        worlds.append(_some_others(module.config, high, batch, generator))
    logits, _ = run_swapped(
        module, base.repeat(len(worlds), 1), torch.cat(worlds), _repeated(written, len(worlds))
    )
    answers = {"behaviour": right, "interchange": wanted, "strict": right}
    weights = {"behaviour": 1.0, "interchange": 1.0, "strict": strict}
    by_world = torch.unflatten(logits, 0, (len(worlds), batch))
    return {
        name: weights[name] * cross_entropy(rows, answers[name])
        for name, rows in zip(answers, by_world, strict=False)  # the plain form has no third world
    }


def _some_variable(
    shape: SmallShape,
    high: HighLevelModel,
    base: Tensor,
    source: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw a variable for each pair; return its nodes [B, layers, heads + 1] and answers [B]."""
    nodes = torch.stack([columns(shape, variable.nodes) for variable in high.variables])
    answers = torch.stack(
        [high.interchanged(base, source, variable.name) for variable in high.variables]
    )
    drawn = torch.randint(len(nodes), (len(base),), generator=generator)
    return nodes[drawn], answers[drawn, torch.arange(len(base))]


def _some_others(
    shape: SmallShape, high: HighLevelModel, batch: int, generator: torch.Generator
) -> Tensor:
    """Draw a subset of the nodes that hold no variable for each pair, its size uniform."""
    free = columns(shape, tuple(set(nodes_of(shape)) - high.aligned()))
    share = torch.rand(batch, 1, 1, generator=generator)
    return free & (torch.rand(batch, *free.shape, generator=generator) < share)


def _repeated(written: Written, times: int) -> Written:
    return tuple((heads.repeat(times, 1, 1, 1), mlp.repeat(times, 1, 1)) for heads, mlp in written)
