"""Training that can be made again: seeded, on one thread, stopped and resumed without a trace.

Batches of step n are drawn from a generator that is seeded with the seed and n alone, so that a
training that was interrupted and resumed ends with the weights of one that was not.
"""

import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causalnet.errors import FormatError, NumericalError, ParameterError
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.store import Archive, open_archive, save_archive

__all__ = ["Course", "Look", "Trainer", "fresh", "one_thread", "recipe_digest", "train"]

_KIND = "training"


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast to train (AdamW).

    Attributes:
        steps: At most so many.
        rate: Step size.
        betas: Decay of the means of gradients and of their squares.
        weight_decay: Decoupled.
        clip: Largest norm of a gradient; None for any.
        slow: How much of the slow part of the gradients is added to them, and how slow it is: the
            filter of Grokfast-EMA (Lee et al. 2024), `(2.0, 0.98)`; None for no filter.
        every: Steps between two looks, at which a training may end and is saved.
        seed: Of weights and batches.
    """

    steps: int = 2000
    rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.0
    clip: float | None = 1.0
    slow: tuple[float, float] | None = None
    every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        for name in ("steps", "every"):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f"{name}={getattr(self, name)}.", f"{name} is at least 1.", f"Write {name}=1."
                )
        if not self.rate > 0:
            raise ParameterError(f"rate={self.rate}.", "A rate is above 0.", "Write rate=0.001.")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a training after some steps.

    Attributes:
        step: Steps taken.
        losses: The parts of the loss on the last batch, by name, in nats.
        measures: What is watched, by name.
        seconds: CPU seconds of this process spent on the training, resumed parts included.
    """

    step: int
    losses: Mapping[str, float]
    measures: Mapping[str, float]
    seconds: float

    def __str__(self) -> str:
        """Return one line."""
        shown = {**{f"loss {name}": value for name, value in self.losses.items()}, **self.measures}
        parts = ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
        return f"step {self.step}: {parts} ({self.seconds:.0f} CPU s)"


@dataclass(frozen=True, slots=True)
class Trainer:
    """What is trained, on what, until when.

    Attributes:
        recipe: Everything that decides the weights, as JSON can say it; names a saved training.
        losses: From a generator, to the parts of the loss on one batch; they are added.
        measures: What is watched; called at every look, without gradients.
        is_enough: Whether what is watched ends the training.
    """

    recipe: Mapping[str, object]
    losses: Callable[[torch.Generator], Mapping[str, Tensor]]
    measures: Callable[[], Mapping[str, float]]
    is_enough: Callable[[Mapping[str, float]], bool]


def recipe_digest(recipe: Mapping[str, object]) -> str:
    """Return the sha256 of a recipe, 16 digits of it.

    >>> recipe_digest({"seed": 0, "steps": 1}) == recipe_digest({"steps": 1, "seed": 0})
    True
    """
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, for sums whose order does not depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fresh(
    shape: SmallShape, seed: int, *, gain: float = 0.7, embedding: float = 0.3
) -> SmallTransformer:
    """Return a network whose weights are drawn anew, torch's global generator left as it is.

    Args:
        shape: Of the network.
        seed: To draw with.
        gain: Standard deviation of a weight, times the root of its fan-in; queries' is divided by
            the root of a head's width as well, for scores are not scaled.
        embedding: Standard deviation of the embeddings.
    """
    with torch.random.fork_rng(devices=[]):
        module = SmallTransformer(shape)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
                continue
            spread = gain / weight.shape[1] ** 0.5
            spread = embedding if name in ("tokens.weight", "positions.weight") else spread
            spread /= shape.head_width**0.5 if "query" in name else 1
            weight.normal_(0, spread, generator=generator)
    module.silence()
    return module


def train(
    module: nn.Module,
    trainer: Trainer,
    course: Course,
    *,
    progress: Callable[[Look], None] | None = None,
    checkpoint: Path | None = None,
) -> tuple[Look, ...]:
    """Train a module in place until enough is seen or the steps are used up; return all looks.

    Args:
        module: Whose parameters are trained.
        trainer: The losses, what is watched, and the recipe that names the checkpoint.
        course: How long and how fast.
        progress: Called at every look.
        checkpoint: A file that is written at every look and resumed from where it exists; one of
            a finished training gives its weights and looks at once.  In a folder, the file has
            the digest of the recipe as its name, and is begun anew where it was altered.

    Raises:
        FormatError: The checkpoint is of another recipe, altered, or no checkpoint.
        NumericalError: The loss is no number any more.
    """
    with one_thread():
        state = _State(module, course)
        checkpoint, looks = _begin(state, trainer, checkpoint)
        taken, spent = (looks[-1].step, looks[-1].seconds) if looks else (0, 0.0)
        started = time.process_time() - spent
        while taken < course.steps and not (looks and trainer.is_enough(looks[-1].measures)):
            taken += 1
            losses = trainer.losses(_generator(course.seed, taken))
            state.step(sum(losses.values(), start=torch.zeros(())))
            if taken % course.every == 0 or taken == course.steps:
                with torch.no_grad():
                    measures = dict(trainer.measures())
                parts = {name: float(loss.detach()) for name, loss in losses.items()}
                _check_finite(parts, taken)
                looks.append(Look(taken, parts, measures, time.process_time() - started))
                if checkpoint is not None:
                    _save(state, trainer, looks, checkpoint)
                if progress is not None:
                    progress(looks[-1])
    return tuple(looks)


def _generator(seed: int, step: int) -> torch.Generator:
    """Return the generator of one step's batch."""
    # A plain sum of both would let neighbouring seeds share batches.
    mixed = hashlib.sha256(f"{seed}/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(mixed[:7]))


def _check_finite(losses: Mapping[str, float], step: int) -> None:
    """Refuse to go on with a loss that is no number."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise NumericalError(
                f"The loss {name!r} is {value} after {step} steps.",
                "Every loss is finite.",
                "Take a smaller rate or clip gradients.",
            )


class _State:
    """A module with its optimiser's memory, which names its arrays."""

    def __init__(self, module: nn.Module, course: Course) -> None:
        self.module, self.course = module, course
        self.parameters = dict(module.named_parameters())
        self.slow = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(),
            lr=course.rate,
            betas=course.betas,
            weight_decay=course.weight_decay,
        )

    def step(self, loss: Tensor) -> None:
        """Take one step down a loss."""
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        if self.course.slow is not None:
            self._add_slow(*self.course.slow)
        if self.course.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters.values(), self.course.clip)
        self.optimiser.step()
        if isinstance(self.module, SmallTransformer):
            self.module.silence()  # what is silent has gradients, and stays so

    @torch.no_grad()
    def _add_slow(self, share: float, decay: float) -> None:
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                self.slow[name].lerp_(parameter.grad, 1 - decay)
                parameter.grad.add_(self.slow[name], alpha=share)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights and the optimiser's memory, as `weights/NAME`, `exp_avg/NAME`, …."""
        found = {f"weights/{name}": value for name, value in self.module.state_dict().items()}
        if self.course.slow is not None:
            found |= {f"slow/{name}": value for name, value in self.slow.items()}
        for name, parameter in self.parameters.items():
            memory = self.optimiser.state[parameter]
            found |= {f"{part}/{name}": value for part, value in memory.items()}
        return {name: value.detach().numpy() for name, value in found.items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        parts: dict[str, dict[str, Tensor]] = {}
        for full, array in arrays.items():
            part, _, name = full.partition("/")
            parts.setdefault(part, {})[name] = torch.from_numpy(np.array(array))
        self.module.load_state_dict(parts.pop("weights"))
        self.slow |= parts.pop("slow", {})
        for part, tensors in parts.items():
            for name, value in tensors.items():
                self.optimiser.state[self.parameters[name]][part] = value


def _begin(
    state: _State, trainer: Trainer, checkpoint: Path | None
) -> tuple[Path | None, list[Look]]:
    """Return the file that a training is saved to, and the looks of what was saved there."""
    if checkpoint is None or not checkpoint.is_dir():
        return checkpoint, [] if checkpoint is None else _resume(state, trainer, checkpoint)
    file = checkpoint / f"{recipe_digest(trainer.recipe)}.safetensors"
    try:
        looks = _resume(state, trainer, file)
    except FormatError as refusal:
        warnings.warn(f"{refusal} It is trained again.", stacklevel=3)
        return file, []
    if not looks:
        task = trainer.recipe.get("trained", "a network")
        warnings.warn(f"Training {task}, once; it is kept in {str(file)!r}.", stacklevel=3)
    return file, looks


def _save(state: _State, trainer: Trainer, looks: list[Look], path: Path) -> None:
    """Write what `_resume` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"recipe": trainer.recipe, "looks": [asdict(look) for look in looks]}
    save_archive(Archive(_KIND, content, state.arrays()), path)


def _resume(state: _State, trainer: Trainer, path: Path) -> list[Look]:
    """Restore a saved training and return its looks; none where there is no file."""
    if not path.exists():
        return []
    archive = open_archive(path)
    ours = json.loads(json.dumps(trainer.recipe))
    if archive.kind != _KIND or archive.content["recipe"] != ours:
        theirs = archive.content.get("recipe", {}) if archive.kind == _KIND else {}
        differing = sorted(k for k in {*theirs, *ours} if theirs.get(k) != ours.get(k))
        raise FormatError(
            f"{str(path)!r} is {'a training that differs in ' if theirs else 'no training: it is '}"
            f"{', '.join(differing) if theirs else repr(archive.kind)}.",
            "A training goes on with the recipe that it began with.",
            "Give another file: this one is left as it is.",
        )
    state.restore(archive.arrays)
    return [Look(**look) for look in archive.content["looks"]]
