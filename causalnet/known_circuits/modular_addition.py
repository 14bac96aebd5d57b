"""One layer that adds modulo a prime, by rotations at a few frequencies (Nanda et al. 2023).

The circuit is sparse in Fourier subspaces of the embedding and not in nodes: a few frequencies
carry all of it, and every head and the MLP are needed.  Which frequencies, differs from seed to
seed, and so may the algorithm (Zhong et al. 2023).
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from causalnet.errors import ParameterError
from causalnet.known_circuits.interchange import columns, nodes_of, run_swapped
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.known_circuits.training import Course, Look, Trainer, fresh, train

__all__ = [
    "AdditionReport",
    "AdditionSetting",
    "TrainedAddition",
    "frequency_powers",
    "key_frequencies",
    "measure_addition",
    "train_addition",
    "with_frequencies",
]

_COURSE = Course(steps=6000, rate=5e-3, weight_decay=2.0, every=50)


@dataclass(frozen=True, slots=True)
class AdditionSetting:
    """What decides a training.

    Attributes:
        modulus: An odd number; its token is that of `=`.
        share: Of all pairs of summands that train; the others test.
        width: Of the stream.
        heads: In the one layer.
        mlp_width: Of the MLP's hidden layer.
        course: How long and how fast, every step on all training pairs.
    """

    modulus: int = 53
    share: float = 0.5
    width: int = 64
    heads: int = 4
    mlp_width: int = 256
    course: Course = _COURSE

    def __post_init__(self) -> None:
        """Refuse what has no frequencies or no test."""
        if self.modulus < 5 or self.modulus % 2 == 0:
            raise ParameterError(
                f"modulus={self.modulus}.", "An odd number, at least 5.", "Write modulus=53."
            )
        if not 0 < self.share < 1:
            raise ParameterError(
                f"share={self.share}.", "A share lies between 0 and 1.", "Write share=0.5."
            )
        if self.width % self.heads:
            raise ParameterError(
                f"{self.heads} heads and a width of {self.width}.",
                "The heads share the width evenly.",
                f"Write width={self.heads * max(1, self.width // self.heads)}.",
            )

    def shape(self) -> SmallShape:
        """Return the network's sizes: three positions, one layer."""
        head_width = self.width // self.heads
        return SmallShape(
            self.modulus + 1, 3, self.width, 1, self.heads, head_width, self.mlp_width
        )

    def recipe(self) -> dict[str, object]:
        """Return what names a saved training."""
        return {"trained": "modular addition", "version": 1, **asdict(self)}

    def pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return all inputs [N, 3], their answers [N], and which of them train, bool [N]."""
        digits = torch.arange(self.modulus)
        summands = torch.cartesian_prod(digits, digits)
        ids = torch.cat([summands, torch.full((len(summands), 1), self.modulus)], dim=1)
        generator = torch.Generator().manual_seed(self.course.seed)
        order = torch.randperm(len(ids), generator=generator)
        return ids, summands.sum(1) % self.modulus, order < self.share * len(ids)


@dataclass(frozen=True, slots=True)
class AdditionReport:
    """What a trained network turned out to do; all accuracies on pairs it was not trained on.

    Attributes:
        accuracy: Of the network.
        training_accuracy: On the training pairs.
        key: The key frequencies of the embedding, in turns per modulus.
        frequencies: How many frequencies there are.
        power: Share of the embedding's power that the key frequencies hold.
        key_only: Accuracy with all other frequencies taken out of the embedding.
        without_key: Accuracy with the key frequencies taken out.
        without_one: Accuracy with one key frequency taken out, by frequency.
        without_node: Accuracy with one node set to its mean over all pairs, by node.
    """

    accuracy: float
    training_accuracy: float
    key: tuple[int, ...]
    frequencies: int
    power: float
    key_only: float
    without_key: float
    without_one: Mapping[int, float]
    without_node: Mapping[str, float]

    def __str__(self) -> str:
        """Return a few lines."""
        ones = ", ".join(f"{key}: {share:.3f}" for key, share in self.without_one.items())
        nodes = ", ".join(f"{name} {share:.3f}" for name, share in self.without_node.items())
        return (
            f"test accuracy {self.accuracy:.4f}, training {self.training_accuracy:.4f}\n"
            f"{len(self.key)} of {self.frequencies} frequencies hold {self.power:.3f} of the "
            f"embedding's power: {', '.join(map(str, self.key))}\n"
            f"accuracy with these alone {self.key_only:.4f}, without them {self.without_key:.4f}, "
            f"without one of them {ones}\n"
            f"accuracy with one node at its mean: {nodes}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class TrainedAddition:
    """A trained network, what it does, and how it got there."""

    module: SmallTransformer
    report: AdditionReport
    looks: tuple[Look, ...]


def frequency_powers(embedding: Tensor) -> Tensor:
    """Return the share of power of each frequency 1 … (m - 1) / 2 in an embedding [m, width].

    >>> turns = torch.arange(7) * 2 * torch.pi / 7
    >>> frequency_powers(torch.stack([(2 * turns).cos(), (2 * turns).sin()], dim=1)).round()
    tensor([0., 1., 0.])
    """
    powers: Tensor = torch.fft.rfft(embedding, dim=0).abs().square().sum(1)[1:]
    return powers / powers.sum()


def key_frequencies(embedding: Tensor, share: float = 0.9) -> tuple[int, ...]:
    """Return the fewest frequencies that hold a share of the power, in ascending order.

    Args:
        embedding: Of the m digits, [m, width].
        share: Of the power that is not in the mean.
    """
    powers, order = frequency_powers(embedding).sort(descending=True)
    count = int((powers.cumsum(0) < share).sum()) + 1
    return tuple(sorted((order[:count] + 1).tolist()))


def with_frequencies(embedding: Tensor, kept: tuple[int, ...]) -> Tensor:
    """Return an embedding [m, width] with its mean and some frequencies alone.

    >>> embedding = torch.randn(7, 4)
    >>> torch.allclose(with_frequencies(embedding, (1, 2, 3)), embedding, atol=1e-5)
    True
    """
    spectrum = torch.fft.rfft(embedding, dim=0)
    mask = torch.zeros(len(spectrum), 1)
    mask[[0, *kept]] = 1
    kept_alone: Tensor = torch.fft.irfft(spectrum * mask, n=len(embedding), dim=0)
    return kept_alone


def train_addition(
    setting: AdditionSetting | None = None,
    *,
    progress: Callable[[Look], None] | None = None,
    checkpoint: Path | None = None,
) -> TrainedAddition:
    """Train one layer to add modulo m, far beyond the point where training pairs are known.

    Args:
        setting: What decides the training.
        progress: Called at every look.
        checkpoint: A file to save to and to resume from.

    Raises:
        FormatError: The checkpoint is of another training.
    """
    setting = setting or AdditionSetting()
    module = fresh(setting.shape(), setting.course.seed, gain=0.4, embedding=0.1)
    ids, answers, trains = setting.pairs()

    def losses(_: torch.Generator) -> dict[str, Tensor]:
        logits, _written = run_swapped(module, ids[trains])
        return {"training": cross_entropy(logits, answers[trains])}

    def measures() -> dict[str, float]:
        logits, _ = run_swapped(module, ids)
        return {
            "training accuracy": _accuracy(logits[trains], answers[trains]),
            "test accuracy": _accuracy(logits[~trains], answers[~trains]),
            "test loss": float(cross_entropy(logits[~trains], answers[~trains])),
            "key frequencies": float(len(key_frequencies(_digits(module)))),
        }

    def is_enough(seen: Mapping[str, float]) -> bool:
        return seen["test accuracy"] > 0.999 and seen["test loss"] < 0.01

    trainer = Trainer(setting.recipe(), losses, measures, is_enough)
    looks = train(module, trainer, setting.course, progress=progress, checkpoint=checkpoint)
    return TrainedAddition(module.eval(), measure_addition(module, setting), looks)


@torch.no_grad()
def measure_addition(module: SmallTransformer, setting: AdditionSetting) -> AdditionReport:
    """Measure what the frequencies of the embedding and the nodes are needed for.

    Args:
        module: The network.
        setting: That it was trained by, which says which pairs test.
    """
    ids, answers, trains = setting.pairs()
    embedding = _digits(module)
    powers, key = frequency_powers(embedding), key_frequencies(embedding)
    all_of_them = tuple(range(1, len(powers) + 1))

    def accuracy(kept: tuple[int, ...] = all_of_them, node: str | None = None) -> float:
        edited = deepcopy(module)
        _digits(edited).copy_(with_frequencies(embedding, kept))
        logits, written = run_swapped(edited, ids)
        if node is not None:
            means = tuple((h.mean(0, keepdim=True), o.mean(0, keepdim=True)) for h, o in written)
            swap = columns(module.config, (node,)).expand(len(ids), -1, -1)
            logits, _ = run_swapped(edited, ids, swap, means)
        return _accuracy(logits[~trains], answers[~trains])

    def but(left_out: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(one for one in all_of_them if one not in left_out)

    plain, _ = run_swapped(module, ids)
    return AdditionReport(
        accuracy=_accuracy(plain[~trains], answers[~trains]),
        training_accuracy=_accuracy(plain[trains], answers[trains]),
        key=key,
        frequencies=len(powers),
        power=float(powers[[one - 1 for one in key]].sum()),
        key_only=accuracy(key),
        without_key=accuracy(but(key)),
        without_one={one: accuracy(but((one,))) for one in key},
        without_node={node: accuracy(node=node) for node in nodes_of(module.config)},
    )


def _digits(module: SmallTransformer) -> Tensor:
    """Return the embedding of the digits, without that of `=`, [m, width]: a view."""
    return module.tokens.weight.detach()[:-1]


def _accuracy(logits: Tensor, answers: Tensor) -> float:
    """Return the share of right answers."""
    return float((logits.argmax(-1) == answers).double().mean())
