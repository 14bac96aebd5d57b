"""Every error that causalnet raises.

Two kinds: `CausalNetError` is about what the user gave, and its message has three parts, what
came, what was possible, what to write.  `InternalError` is a broken invariant of our own.

>>> raise UnknownMediatorError(
...     came="Unknown mediator 'L9.H16'.",
...     possible="Layer 9 has heads 0..8.",
...     write="List them with net.heads(layer=9).",
... )
Traceback (most recent call last):
...
causalnet.errors.UnknownMediatorError: Unknown mediator 'L9.H16'. Layer 9 has heads 0..8. \
List them with net.heads(layer=9).
"""

__all__ = [
    "AlignmentError",
    "AnswerError",
    "CausalNetError",
    "ClaimFileError",
    "DeviceError",
    "FireCountError",
    "FormatError",
    "GraphError",
    "InternalError",
    "LiftError",
    "ModelFileError",
    "ModelNotFoundError",
    "NumericalError",
    "OutOfMemoryError",
    "ParameterError",
    "PromptError",
    "TermError",
    "UnknownMediatorError",
    "UnsupportedArchitectureError",
]


class CausalNetError(Exception):
    """Something the user gave cannot be used; the message says what to write instead.

    Args:
        came: What was found, quoted.
        possible: What would have been accepted.
        write: What to write or run now.
    """

    def __init__(self, came: str, possible: str = "", write: str = "") -> None:
        """Join the three parts into one message."""
        super().__init__(" ".join(part for part in (came, possible, write) if part))
        self.came, self.possible, self.write = came, possible, write


class UnknownMediatorError(CausalNetError, KeyError):
    """A name that is not a mediator of the graph; carries the nearest names."""

    def __str__(self) -> str:  # KeyError would print the repr
        """Return the message as written."""
        return str(self.args[0])


class GraphError(CausalNetError):
    """A graph that is not well formed: a cycle, an edge to a node that is not there."""


class TermError(CausalNetError):
    """A query that is not well formed: overlapping sites, an unknown world, a wrong value."""


class AlignmentError(CausalNetError):
    """Prompts whose tokens or positions do not line up where they must."""


class AnswerError(CausalNetError):
    """An answer or foil that is not a single token of the tokenizer."""


class PromptError(CausalNetError):
    """Prompts that cannot be read or built."""


class ModelNotFoundError(CausalNetError):
    """No such package, file, folder or hub model."""


class ModelFileError(CausalNetError):
    """A model file that is truncated, altered or not of the stated format."""


class UnsupportedArchitectureError(CausalNetError):
    """A model for which no adapter is registered."""


class LiftError(CausalNetError):
    """The graph's parts do not rebuild the model's output; names the first part that differs."""


class DeviceError(CausalNetError):
    """A device that is not there."""


class FireCountError(CausalNetError):
    """An intervention that fired more or less often than it must in one forward pass."""


class NumericalError(CausalNetError):
    """NaN or infinity in an activation; names the first mediator and prompt."""


class ParameterError(CausalNetError, ValueError):
    """A parameter outside its range, or parameters that do not go together."""


class OutOfMemoryError(CausalNetError):
    """Memory ran out even with a batch of one prompt."""


class FormatError(CausalNetError):
    """A file that is not in the format it should be in."""


class ClaimFileError(FormatError):
    """A claim file with a mistake; knows its file, line and column.

    Args:
        came: What was found.
        possible: What would have been accepted.
        write: What to write.
        path: The file.
        line: The line, from 1.
        column: The column, from 1.
    """

    def __init__(
        self,
        came: str,
        possible: str = "",
        write: str = "",
        *,
        path: str = "",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        """Put the place in front of the message."""
        place = ":".join(str(part) for part in (path or None, line, column) if part is not None)
        super().__init__(f"{place}: {came}" if place else came, possible, write)
        self.path, self.line, self.column = path, line, column


class InternalError(Exception):
    """An invariant of causalnet itself does not hold: please report it with this message."""

    def __init__(self, broken: str) -> None:
        """Say what broke and ask for a report."""
        super().__init__(
            f"{broken} This is a mistake in causalnet, not in your input: please report it with "
            "this message and the command that you ran."
        )
