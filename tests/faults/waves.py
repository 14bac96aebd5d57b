"""What can only go wrong in the wavefront executor: memory."""

from typing import Any

import torch

from causalnet.errors import OutOfMemoryError
from tests.faults.table import Work, fault, in_waves


@fault(in_waves, OutOfMemoryError, "A budget of", "at one prompt", "Write budget=", forwards=True)
def a_budget_smaller_than_one_world(work: Work) -> None:
    work.running["budget"] = "1KB"


@fault(in_waves, OutOfMemoryError, "one version at one prompt", "shorter", forwards=True)
def memory_that_runs_out_with_one_prompt_in_a_wave(work: Work) -> None:
    work.running["batch_size"] = 1
    work.running["progress"] = out_of_memory


def out_of_memory(*_: Any) -> None:
    raise torch.OutOfMemoryError("Tried to allocate 1 TiB.")
