"""What a row is measured with, and what was found."""

from dataclasses import dataclass

__all__ = ["Figures", "Options"]


@dataclass(frozen=True)
class Options:
    """How a row is measured.

    Attributes:
        executor: A name of `EXECUTORS`.
        sample: Worlds on which baselines are run and values are compared.
        repeats: How often a job is run at most; the median counts.
        seed: Seed of the sample.
        beside: Forwards of the model on each side of a job.
        max_diff: The largest difference to the naive loop that is allowed, in logits.
        rms_diff: The largest root mean square that is allowed of the differences to the naive loop
            in float64, or to the naive loop where none was run.
    """

    executor: str = "wavefront"
    sample: int = 24
    repeats: int = 3
    seed: int = 0
    beside: int = 3
    max_diff: float = 5e-5
    rms_diff: float = 1e-5


@dataclass(frozen=True)
class Figures:
    """What a row costs; costs are in the row's unit, forwards of the model or CPU seconds.

    Attributes:
        row: Name of the row.
        title: What was computed.
        batch: The prompts, and what was checked of them.
        pairs: Prompt pairs.
        tokens: Tokens of each prompt.
        unit: `fe` or `s`.
        executor: What computed it.
        worlds: How many worlds were asked for.
        ours: What it cost; None where it is not there.
        ours_last: The same in forwards with logits at the last token only.
        runs: Every run that `ours` is the median of.
        reach: The goal.
        stretch: The goal beyond it.
        peer: The best figure measured of another library.
        naive: The naive hook loop, extrapolated from the sample.
        resume: Each world alone from its first patched block, extrapolated from the sample.
        ratio: How many times cheaper than `resume`.
        at_least: What the ratio should be.
        sample: Worlds in the sample.
        max_diff: Largest difference between our values and the naive loop's, in logits.
        rms_diff: Root mean square of the differences.
        rms_exact: The same for our values and the naive loop's in float64.
        rms_model: The same for the naive loop's values and those in float64: its own rounding.
        baselines_diff: Largest difference between the two baselines.
        peak_mb: The most memory beyond that of the loaded model, MB.
        peak_how: By what it is measured.
        unit_seconds: CPU seconds of one forward.
        allowed: The largest differences that are allowed, maximum and root mean square.
        failed: What went wrong instead, or nothing.
        note: What else there is to say.
    """

    row: str
    title: str
    batch: str
    pairs: int
    tokens: int
    unit: str
    executor: str
    worlds: int = 0
    ours: float | None = None
    ours_last: float | None = None
    runs: tuple[float, ...] = ()
    reach: float | None = None
    stretch: float | None = None
    peer: float | None = None
    naive: float | None = None
    resume: float | None = None
    ratio: float | None = None
    at_least: float | None = None
    sample: int = 0
    max_diff: float | None = None
    rms_diff: float | None = None
    rms_exact: float | None = None
    rms_model: float | None = None
    baselines_diff: float | None = None
    peak_mb: float | None = None
    peak_how: str = ""
    unit_seconds: float | None = None
    allowed: tuple[float, float] = (5e-5, 1e-5)
    failed: str = ""
    note: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the job ended, and the values that were compared are equal up to rounding."""
        if self.failed:
            return False
        rms = self.rms_diff if self.rms_exact is None else self.rms_exact
        found = (self.max_diff or 0.0, rms or 0.0)
        apart = self.baselines_diff or 0.0
        within = all(value <= most for value, most in zip(found, self.allowed, strict=True))
        return within and apart <= self.allowed[0]
