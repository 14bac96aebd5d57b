"""What is measured: CPU time in forwards of the model itself, and peak memory."""

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["Clock", "Memory", "Timed", "cpu"]

Made = TypeVar("Made")
RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def cpu(call: Callable[[], Made]) -> tuple[Made, float]:
    """Return what a call makes, and its CPU seconds in all threads."""
    began = time.process_time()
    made = call()
    return made, time.process_time() - began


@dataclass(frozen=True)
class Timed:
    """One job measured between forwards of the model.

    Attributes:
        seconds: CPU seconds of the job.
        unit: CPU seconds of one forward with logits at all positions, median of those beside it.
        last: CPU seconds of one forward with logits at the last token only, likewise.
    """

    seconds: float
    unit: float
    last: float

    @property
    def forwards(self) -> float:
        """The job in forwards with logits at all positions."""
        return self.seconds / self.unit


class Clock:
    """Measures jobs in forwards of the model on the same batch."""

    def __init__(self, module: Any, ids: Tensor, beside: int = 3) -> None:
        """Keep the model, the ids [B, T] and how many forwards are run on each side of a job."""
        self.module, self.ids, self.beside = module, ids, beside
        self._forwards()  # the first forward in a process pays for more than itself

    def timed(
        self, job: Callable[[], Made], ready: Callable[[], object] = lambda: None
    ) -> tuple[Made, Timed]:
        """Return what a job makes, and what it costs in forwards run just before and after it.

        `ready` is called just before the job, and is not part of it.
        """
        before = self._forwards()
        ready()
        made, seconds = cpu(job)
        after = self._forwards()
        unit, last = (median(x + y) for x, y in zip(before, after, strict=True))
        return made, Timed(seconds, unit, last)

    def _forwards(self) -> tuple[list[float], list[float]]:
        whole, last = [], []
        for _ in range(self.beside):
            whole.append(cpu(self._forward)[1])
            last.append(cpu(lambda: self._forward(logits_to_keep=1))[1])
        return whole, last

    def _forward(self, **options: int) -> None:
        with torch.no_grad():
            self.module(self.ids, use_cache=False, **options)


class Memory:
    """The most memory that a process had since this was made, beyond what it had then."""

    def __init__(self) -> None:
        """Give back what is free, and reset the kernel's high-water mark where it can be."""
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        self.is_reset = RESET.exists()
        if self.is_reset:
            RESET.write_text("5")
        self.start = _status("VmRSS") if self.is_reset else _largest()

    def peak(self) -> float:
        """Return the growth in MB."""
        return (_status("VmHWM") if self.is_reset else _largest()) - self.start

    @property
    def how(self) -> str:
        """By what it is measured."""
        return "VmHWM after a reset" if self.is_reset else "growth of ru_maxrss"


def _status(name: str) -> float:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1e3


def _largest() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
