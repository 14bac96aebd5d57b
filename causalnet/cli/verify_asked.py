"""What `causalnet verify` was asked, checked before anything is run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from causalnet.claims import ClaimFile, read_claim_file
from causalnet.claims.budget import Budget
from causalnet.errors import CausalNetError, ParameterError

__all__ = ["Verification", "check_writable"]


@dataclass(frozen=True, slots=True)
class Verification:
    """The files and options of one command.

    Attributes:
        files: Claim files, verified one after the other.
        report: Where an HTML page goes.
        png: Where a picture goes.
        junit: Where JUnit XML goes.
        results: Where the results go, as JSON whose bytes are the same however they came about.
        resume: The ledger to go on with, or to begin.
        budget: What may be run, as text.
        seed: Seed of the prompts, in place of the files'.
        device: Where models run.
        dtype: Number type, in place of the files'.
        allow_code: Whether Python code that the files name may be run.
    """

    files: tuple[Path, ...]
    report: Path | None = None
    png: Path | None = None
    junit: Path | None = None
    results: Path | None = None
    resume: Path | None = None
    budget: str | None = None
    seed: int | None = None
    device: str | None = None
    dtype: str | None = None
    allow_code: bool = False

    def read(self) -> tuple[ClaimFile, ...]:
        """Read the claim files, and refuse what the options cannot mean.

        Raises:
            ClaimFileError: A claim file that cannot be read.
            ParameterError: A file given twice, a path that is written to and read, a page of
                several files.
            CausalNetError: A path that cannot be written to.
        """
        _check_twice(self.files)
        read = tuple(map(read_claim_file, self.files))
        if len(self.files) > 1 and (self.report or self.png):
            raise ParameterError(
                f"{'--report' if self.report else '--png'} with {len(self.files)} claim files.",
                "A page or a picture shows one claim file.",
                "Give the files one at a time, or write --junit and --results of all.",
            )
        self._check_apart()
        for _, path in self._written():
            check_writable(path)
        return read

    def spends(self) -> Budget:
        """Return the budget; nothing is bounded where none was given.

        Raises:
            ParameterError: A text that is no budget.
        """
        return Budget() if self.budget is None else Budget.of(self.budget)

    def _written(self) -> Iterator[tuple[str, Path]]:
        """Yield the paths that are written at the end, with their options."""
        options = (
            ("--report", self.report),
            ("--png", self.png),
            ("--junit", self.junit),
            ("--results", self.results),
        )
        yield from ((name, path) for name, path in options if path is not None)

    def _check_apart(self) -> None:
        """Refuse to write to a path that is read, or twice to the same."""
        taken = {_place(path): f"the claim file {str(path)!r}" for path in self.files}
        ledger = [("--resume", self.resume)] if self.resume is not None else []
        for name, path in (*ledger, *self._written()):
            place = _place(path)
            if place in taken:
                raise ParameterError(
                    f"{name} {str(path)!r} is {taken[place]}.",
                    "Every path is read or written for one purpose.",
                    f"Name another file behind {name}.",
                )
            taken[place] = f"also the path of {name}"


def check_writable(path: Path | None) -> None:
    """Refuse a path that nothing can be written to, before anything is computed."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise CausalNetError(
            f"{str(path)!r} cannot be written: {error.strerror}.",
            "A report is a file of its own.",
            "Name a file in a folder that you may write to.",
        ) from error


def _check_twice(files: Sequence[Path]) -> None:
    seen: dict[Path, Path] = {}
    for path in files:
        first = seen.setdefault(_place(path), path)
        if first is not path:
            raise ParameterError(
                f"The claim file {str(path)!r} is given twice"
                + (f", also as {str(first)!r}." if str(first) != str(path) else "."),
                "Every claim file is verified once.",
                "Leave one of them out.",
            )


def _place(path: Path) -> Path:
    """Return where a path leads, links followed."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links, which reading will name
        return path.absolute()
