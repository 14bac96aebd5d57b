"""Exit statuses, and how verdicts become one.

>>> exit_status(["supported", "supported"])
<Status.SUPPORTED: 0>
>>> exit_status(["supported", "inconclusive", "refuted"])
<Status.REFUTED: 1>
>>> exit_status(["supported", "undefined"])
<Status.UNDECIDED: 2>
"""

from collections.abc import Iterable
from enum import IntEnum

__all__ = ["Status", "exit_status"]


class Status(IntEnum):
    """What the process ends with."""

    SUPPORTED = 0  # also: a command that judges nothing did what it should
    REFUTED = 1
    UNDECIDED = 2
    BAD_INPUT = 3
    OUR_ERROR = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141  # as the shell shows for SIGPIPE; only where nothing was judged


def exit_status(verdicts: Iterable[str]) -> Status:
    """Return 0 when all are supported, 1 when any is refuted, else 2."""
    found = set(verdicts)
    if "refuted" in found:
        return Status.REFUTED
    return Status.SUPPORTED if found == {"supported"} else Status.UNDECIDED
