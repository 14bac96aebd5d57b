"""Sampling that leaves the caller's state as it was: generators, parameters, settings."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pyro
import torch

__all__ = ["isolated"]


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Run a block from a seed, on one thread of the CPU, with a parameter store of its own.

    The generator is seeded alone: `torch.manual_seed` would seed those of accelerators as well.
    Tensors are small here, and a second thread costs more than it does.
    """
    elsewhere = torch.get_default_device().type != "cpu"
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.device("cpu") if elsewhere else nullcontext(),
        pyro.get_param_store().scope(),
        pyro.poutine.block(),
        pyro.validation_enabled(False),
        _one_thread(),
    ):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
