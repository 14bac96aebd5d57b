"""Where a verification stands, for whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ProgressReport", "Report"]


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """Where a verification stands.

    Attributes:
        stage: What is being done: `load the model`, `lift the model`, `make prompts`,
            `test claims` on batches of prompts, `run claims` before and after them,
            `compare with random circuits`, `measure other conventions`, `measure single heads`.
        done: Forward passes done in this stage.
        total: At most so many in all; shrinks as claims settle.
        settled: Ids of the claims that are decided.
    """

    stage: str
    done: int = 0
    total: int = 0
    settled: tuple[str, ...] = ()


Report = Callable[[ProgressReport], None]
