"""What goes wrong only while a network runs on some prompts, and not on those of the check."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from causalnet.effects import vector
from causalnet.errors import FireCountError, NumericalError, OutOfMemoryError
from causalnet.interventions import At, Base, Const, Node
from tests.faults.table import Work, fault, running
from tests.small_models import tiny_llama

LONG = 20  # tokens; more than the prompts of the check have


def longer(work: Work) -> None:
    """Let the prompts be longer than those on which the lift was checked."""
    for row in work.rows:
        for side in ("base", "source"):
            row[side] = " ".join([str(row[side])] * 4)


def where_long(change: Callable[[Any, torch.Tensor], torch.Tensor]) -> Callable[[Path], Work]:
    """Start with a model whose second MLP is called in another way on long prompts."""

    def start(folder: Path) -> Work:
        work = Work(folder)
        block = work.module.model.layers[1]

        def forward(self: Any, hidden_states: torch.Tensor, **named: Any) -> torch.Tensor:
            normed = self.input_layernorm(hidden_states)
            middle = hidden_states + self.self_attn(hidden_states=normed, **named)[0]
            normed = self.post_attention_layernorm(middle)
            is_long = normed.shape[1] > LONG
            out: torch.Tensor = middle + (change if is_long else plain)(self.mlp, normed)
            return out

        block.forward = types.MethodType(forward, block)
        return work

    return start


def plain(mlp: nn.Module, x: torch.Tensor) -> torch.Tensor:
    value: torch.Tensor = mlp(x)
    return value


def skipped(mlp: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x)  # as in models that leave layers early


def chunked(mlp: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([mlp(part) for part in x.chunk(2, dim=1)], dim=1)


def overflowing(mlp: nn.Module, x: torch.Tensor) -> torch.Tensor:
    value: torch.Tensor = mlp(x)
    value[2] = float("nan")
    return value


@fault(running, FireCountError, "L1.mlp fired 0 times", start=where_long(skipped), forwards=True)
def a_module_that_is_skipped_on_long_prompts(work: Work) -> None:
    longer(work)


@fault(running, FireCountError, "L1.mlp fired 2 times", start=where_long(chunked), forwards=True)
def a_module_that_runs_in_chunks_on_long_prompts(work: Work) -> None:
    longer(work)


@fault(
    running,
    NumericalError,
    "L1.resid_post",
    "prompt 'w2 w9 ",
    start=where_long(overflowing),
    forwards=True,
)
def nan_on_one_long_prompt(work: Work) -> None:
    longer(work)
    work.site, work.value = Node("L0.mlp"), At("L0.mlp", Base("source"))


@fault(running, NumericalError, "embed holds NaN", "prompt 'w1 w9 ", forwards=True)
def nan_in_the_embedding_of_one_token(work: Work) -> None:
    checked = torch.randint(64, (8, 12), generator=torch.Generator().manual_seed(0))
    token = next(token for token in range(3, 63) if token not in checked[:4])
    work.rows[1]["base"] = f"w1 w9 w{token - 3} w8 w7 w6"  # three special tokens come first
    work.module.model.embed_tokens.weight.data[token] = float("nan")


def float32(folder: Path) -> Work:
    return Work(folder, tiny_llama(dtype=torch.float32))


@fault(
    running,
    NumericalError,
    "value set at L1.mlp",
    "too large to be squared",
    "prompt 'w0 w9 ",
    start=float32,
    forwards=True,
)
def a_vector_whose_square_overflows(work: Work) -> None:
    handle, bound = vector("huge", torch.full((32,), 1e20))
    work.value, work.constants = Const(handle), {handle: bound}


def greedy(folder: Path) -> Work:
    work = Work(folder)

    def ask(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if args[0].shape[1] > LONG:
            torch.empty(1 << 50)

    work.module.model.embed_tokens.register_forward_pre_hook(ask)
    return work


@fault(running, OutOfMemoryError, "a batch of one prompt", "shorter", start=greedy, forwards=True)
def memory_that_runs_out_with_one_prompt(work: Work) -> None:
    longer(work)
