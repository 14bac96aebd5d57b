"""The least that any exact plan has to do: every distinct call of a mechanism, once.

An algorithm that knows nothing of the mechanisms has to make each call whose value a read-out
depends on, or it would be wrong on the network in which that call alone is otherwise.  Calls are
counted as attention and MLPs of a block at live columns; two rows that read streams of one number
make one call.
"""

from dataclasses import dataclass

import numpy as np

from causalnet.compiler.contents import Contents, contents_of
from causalnet.compiler.program import Kind
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes

__all__ = ["Bound", "bound_of"]


@dataclass(frozen=True, slots=True)
class Bound:
    """Calls of blocks in waves, and how many of them differ.

    Attributes:
        calls: Attentions and MLPs that versions go through.
        distinct: Those of them that read different streams.
        ratio: FLOPs of all by those of the distinct ones; 1 is the minimum.
    """

    calls: int
    distinct: int
    ratio: float

    def __str__(self) -> str:
        """Return the ratio in one line."""
        return (
            f"{self.ratio:.2f} times the least possible: {self.calls:,} calls of attentions and "
            f"MLPs in waves, {self.distinct:,} of them distinct"
        )


def bound_of(schedule: Schedule, sizes: Sizes, contents: Contents | None = None) -> Bound:
    """Return how far a schedule's waves are from the least that has to be called.

    Args:
        schedule: The schedule.
        sizes: The network.
        contents: The numbers of its program, where they are known.
    """
    contents = contents or contents_of(schedule.program)
    rows = _Rows(schedule)
    calls = distinct = 0
    done = least = 0.0
    for stage in range(1, schedule.program.stages.last):
        is_attention = schedule.program.stages.is_attention(stage)
        price = sizes.projections if is_attention else sizes.mlp
        alive = (rows.first <= stage) & (stage <= rows.until)
        if not alive.any():
            continue
        columns = rows.columns[alive]
        _, first = np.unique(contents.entering[stage][rows.numbers[alive]], return_index=True)
        calls, distinct = calls + len(columns), distinct + len(first)
        done += price * float(columns.sum())
        least += price * float(columns[first].sum())
    return Bound(calls, distinct, done / least if least else 1.0)


class _Rows:
    """The versions of all waves: numbers, first and last stage of their own, live columns."""

    def __init__(self, schedule: Schedule) -> None:
        versions, columns = schedule.program.versions, schedule.signature.columns
        listed = [(n, columns - wave.start) for wave in schedule.waves for n in wave.versions]
        numbers = [number for number, _ in listed]
        self.numbers = np.asarray(numbers, dtype=np.intp)
        self.columns = np.asarray([live for _, live in listed], dtype=np.intp)
        self.until = np.asarray([schedule.until[number] for number in numbers], dtype=np.intp)
        self.first = np.asarray(
            [versions[n].born + (versions[n].kind != Kind.CUT) for n in numbers], dtype=np.intp
        )
