"""What versions have at the end."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Final", "UnsoundError"]


@dataclass(frozen=True, slots=True, eq=False)
class Final:
    """What a version has at the end, at the read columns.

    Attributes:
        stream: The stream in front of the final norm, [B, R, d]; None where another is given.
        normed: What the logits read, where it is not the norm of the stream.
        logits: Logits that were set, [B, R, vocabulary].
    """

    stream: Tensor | None = None
    normed: Tensor | None = None
    logits: Tensor | None = None


class UnsoundError(Exception):
    """A stream is not finite; turned into a `NumericalError` that names where it came from."""

    def __init__(self, version: int, row: int) -> None:
        """Keep the version and the row of the batch."""
        super().__init__(f"version {version}, row {row}")
        self.version, self.row = version, row
