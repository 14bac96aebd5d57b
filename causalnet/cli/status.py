"""Exit statuses."""

from enum import IntEnum

__all__ = ["Status"]


class Status(IntEnum):
    """What the process ends with; nothing but a verdict ends with 1 or 2."""

    SUPPORTED = 0  # also: a command that judges nothing did what it should
    REFUTED = 1
    UNDECIDED = 2
    BAD_INPUT = 3
    OUR_ERROR = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141  # as the shell shows for SIGPIPE; only where nothing was judged
