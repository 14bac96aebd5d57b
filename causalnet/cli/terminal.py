"""What is printed, and where: results on standard output, progress and logs on standard error.

A reader that goes away (`causalnet verify FILE | head -1`) must not change the exit status, so
what it does not read is dropped.
"""

import json
import math
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = [
    "ProgressLine",
    "Terminal",
    "discard",
    "flush_streams",
    "prepare_streams",
    "without_infinities",
    "write_line",
]

SECONDS_BETWEEN_LINES = 10.0
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def write_line(stream: TextIO | None, text: str) -> None:
    """Write a line at once; drop it when nobody reads the stream any more.

    Control characters of a claim file or a model's name must not steer the terminal, nor turn
    text around: they come out as a replacement sign.

    Raises:
        OSError: The system refuses for another reason, such as a full disk.
    """
    if stream is None:
        return
    try:
        stream.write(CONTROL.sub("\ufffd", text) + "\n")
        stream.flush()
    except BrokenPipeError:
        discard(stream)


def prepare_streams() -> None:
    """Let text that a stream's encoding cannot hold be replaced instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def flush_streams() -> OSError | None:
    """Flush both streams and return what the system refused.

    What cannot be flushed is dropped here, because Python ends with 120 when it meets it later.
    """
    refused = None
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            discard(stream)
            refused = None if isinstance(error, BrokenPipeError) else error
    return refused


def discard(stream: TextIO) -> None:
    """Send what a stream holds, and all that it is given later, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The three things that a command says.

    Args:
        json: Whether the one result object takes the place of all text on standard output.
        quiet: Whether nothing but errors and the result object is printed.
    """

    json: bool = False
    quiet: bool = False

    def say(self, text: str = "") -> None:
        """Print a line of the answer on standard output."""
        if not (self.json or self.quiet):
            write_line(sys.stdout, text)

    def note(self, text: str) -> None:
        """Print a line about the work on standard error."""
        if not self.quiet:
            write_line(sys.stderr, text)

    def result(self, value: object) -> None:
        """Print the one JSON object, when it was asked for."""
        if self.json:
            plain = json.dumps(without_infinities(value), indent=2, allow_nan=False)
            write_line(sys.stdout, plain)

    @contextmanager
    def progress(self) -> Iterator["ProgressLine"]:
        """Yield a bar on a terminal, plain lines otherwise, silence when quiet."""
        if self.quiet or sys.stderr is None:
            yield ProgressLine(silent=True)
        elif sys.stderr.isatty():
            with _bar() as bar:
                line = ProgressLine(bar=bar)
                yield line
                line.finish()
        else:
            yield ProgressLine()


def without_infinities(value: object) -> object:
    """Return a value of JSON with null where a number is infinite or not a number."""
    match value:
        case dict():
            return {key: without_infinities(part) for key, part in value.items()}
        case list() | tuple():
            return [without_infinities(part) for part in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn(" {task.description:<30}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@dataclass(slots=True)
class ProgressLine:
    """How far the work is; called with the stage, what is done and what is to do.

    >>> line = ProgressLine(silent=True)
    >>> line("claim 1", 32, 64)
    """

    bar: "Progress | None" = None
    silent: bool = False
    _task: "TaskID | None" = None
    _last: float = -SECONDS_BETWEEN_LINES
    _last_stage: str = ""

    def __call__(self, stage: str, done: int = 0, total: int = 0, note: str = "") -> None:
        """Show that `done` of `total` forwards are done; 0 of 0 where none are counted."""
        if self.silent:
            return
        if self.bar is not None:
            self._move_bar(self.bar, stage, done, total, note)
        elif self._is_due(stage, done, total):
            counted = f"{done}/{total}" if total else "…"
            write_line(sys.stderr, f" {stage} {counted} {note}".rstrip())

    def _move_bar(self, bar: "Progress", stage: str, done: int, total: int, note: str) -> None:
        from rich.markup import escape

        if stage != self._last_stage:
            self.finish()
            self._last_stage = stage
            self._task = bar.add_task(escape(stage), total=total or None, note="")
        if self._task is not None:
            bar.update(self._task, completed=done, total=total or None, note=escape(note))

    def finish(self) -> None:
        """Show the last stage as done: claims that settle early leave its total unreached."""
        if self.bar is not None and self._task is not None:
            done = max(self.bar.tasks[self._task].completed, 1)
            self.bar.update(self._task, completed=done, total=done)

    def _is_due(self, stage: str, done: int, total: int) -> bool:
        instant = time.monotonic()
        is_due = (
            done >= total
            or stage != self._last_stage
            or instant - self._last >= SECONDS_BETWEEN_LINES
        )
        if is_due:
            self._last, self._last_stage = instant, stage
        return is_due
