"""Small modules of many shapes, and small networks trained on scikit-learn's digits."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from causalnet.lift import LiftedModule, lift_module

Tensors = dict[str, Tensor]
ENCODER: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "num_labels": 10,
}


class Cnn(nn.Module):
    """Two convolutions with a skip, an activation in place that is called twice, a dead branch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.act, self.pool = nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.aux, self.out = nn.Linear(128, 3), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.first(x))
        h = h + self.act(self.norm(self.second(h)))
        h = self.pool(h).flatten(1)
        self.aux(h)
        out: Tensor = self.out(h)
        return out


class Blocks(nn.Module):
    """A sequence of residual blocks: h + tanh(linear(h))."""

    def __init__(self, count: int = 4, width: int = 5, inputs: int = 6, classes: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(count))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        for block in self.blocks:
            h = h + torch.tanh(block(h))
        out: Tensor = self.head(h)
        return out


class Branches(nn.Module):
    """Two inputs, two branches, a gate, and a skip from the first input to the end."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, width), nn.Linear(2, width)
        self.gate, self.idle = nn.Linear(width, width), nn.Linear(width, 2)
        self.out, self.skip = nn.Linear(width, 2), nn.Linear(3, 2, bias=False)

    def forward(self, a: Tensor, b: Tensor, scale: float = 2.0) -> Tensor:
        left, right = self.left(a), self.right(b)
        self.idle(right)
        mixed = left * torch.sigmoid(self.gate(right)) * scale
        mixed += right  # in place
        out: Tensor = self.out(mixed) + self.skip(a) + torch.zeros_like(b)
        return out


class Pair(nn.Module):
    """Returns two tensors and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, int, Tensor]:
        return self.a(x), 7, self.b(x)


class Tuples(nn.Module):
    """Reads both tensors of a pair, and returns a mapping."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.same, self.out = Pair(), nn.Identity(), nn.Linear(3, 2)

    def forward(self, x: Tensor, flags: tuple[Tensor, str]) -> dict[str, Tensor]:
        first, number, second = self.pair(x)
        assert number == 7 and flags[1] == "word"
        second.mul_(flags[0])  # in place, after the module returned it
        return {"logits": self.out(self.same(first + second)), "hidden": first}


class Choosing(nn.Module):
    """Goes one of two ways by the sign of what it computes: it cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.plus, self.minus = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
        self.out = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        plus, minus = self.plus(h), self.minus(h)
        rows = [
            p if float(h[row].sum()) > 0 else m
            for row, (p, m) in enumerate(zip(plus, minus, strict=True))
        ]
        out: Tensor = self.out(torch.stack(rows))
        return out


def randomised(module: Any, seed: int = 0, scale: float = 0.7) -> Any:
    """Draw every parameter in float64 and leave the module in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval().requires_grad_(False)
    for parameter in module.parameters():
        parameter.normal_(0.0, scale, generator=generator)
    return module


@lru_cache
def digits() -> tuple[Tensor, Tensor]:
    """Return scikit-learn's digits, [1797, 8, 8] between 0 and 1, and their labels."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return torch.tensor(loaded.images / 16.0), torch.tensor(loaded.target)


def _mlp() -> Any:
    return nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
    )


def _bert() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    facts = ENCODER | {"vocab_size": 17, "max_position_embeddings": 16}
    return BertForSequenceClassification(BertConfig(**facts))


def _vit() -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    facts = ENCODER | {"image_size": 8, "patch_size": 2, "num_channels": 1}
    return ViTForImageClassification(ViTConfig(**facts))


def as_vectors(images: Tensor) -> Tensors:
    return {"input": images.flatten(1)}


def as_images(images: Tensor) -> Tensors:
    return {"x": images[:, None]}


def as_pixels(images: Tensor) -> Tensors:
    return {"pixel_values": images[:, None]}


def as_tokens(images: Tensor) -> Tensors:
    """Return the brightness of every other row and column as tokens, a mask of those not black."""
    ids = (images[:, ::2, ::2].flatten(1) * 16).long()
    mask = (ids > 0).long()
    mask[:, 0] = 1
    return {"input_ids": ids, "attention_mask": mask}


KINDS: dict[str, tuple[Callable[[], Any], Callable[[Tensor], Tensors], int]] = {
    "mlp": (_mlp, as_vectors, 60),
    "cnn": (Cnn, as_images, 40),
    "bert": (_bert, as_tokens, 140),
    "vit": (_vit, as_pixels, 60),
}


@lru_cache
def trained(kind: str) -> Any:
    """Return a network that was trained for a second or two, in float64 and evaluation mode."""
    make, given, steps = KINDS[kind]
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        module = make()
        images, labels = digits()
        optimiser = torch.optim.Adam(module.parameters(), lr=3e-3)
        for _ in range(steps):
            rows = torch.randint(1500, (128,))
            inputs = {
                name: value.float() if value.is_floating_point() else value
                for name, value in given(images[rows]).items()
            }
            loss = nn.functional.cross_entropy(logits_of(module(**inputs)), labels[rows])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    return module.double().eval().requires_grad_(False)


@lru_cache
def lifted(kind: str) -> LiftedModule:
    """Return a trained network, lifted; heads of a ViT are parts of `o_proj/in`."""
    tokens = {"vit": ("vit.layers.*",), "bert": ("bert.e*",)}.get(kind, ())
    return lift_module(
        trained(kind),
        examples(kind, slice(0, 4))[0],
        axes={pattern: ("pos", "feature") for pattern in tokens},
        inputs_of=["*.o_proj"] if kind == "vit" else (),
    )


def logits_of(result: Any) -> Tensor:
    logits: Tensor = result if isinstance(result, Tensor) else result.logits
    return logits


def examples(kind: str, rows: slice) -> tuple[Tensors, Tensor]:
    """Return a network's inputs and labels for rows of the digits that it was not trained on."""
    images, labels = digits()
    held = slice(1500 + rows.start, 1500 + rows.stop)
    return KINDS[kind][1](images[held]), labels[held]
