"""`causalnet demo`: a known circuit on a real model, from claims to a report."""

import sys
import time
from importlib.resources import as_file, files
from pathlib import Path

from causalnet.claims import (
    ClaimFile,
    ProgressReport,
    VerificationReport,
    read_claim_file,
    verify,
)
from causalnet.cli.status import Status
from causalnet.cli.terminal import ProgressLine, Terminal
from causalnet.cli.verdict_text import heading, summary, verdict_lines
from causalnet.cli.verify import HEATMAP_PAIRS, check_writable, follow, write_report
from causalnet.errors import CausalNetError

__all__ = ["run_demo", "show_claims"]

STRONGEST = 6  # heads that are listed
BAR = 24  # characters of the longest bar
UNEXPECTED = "causalnet: a verdict is not the expected one; please report it."
OTHERWISE_ASKED = (
    "causalnet: a verdict is not the one that is expected for seed {seed} in {dtype} on a CPU: "
    "other prompts, and rarely other number types or devices, may give another."
)
NEXT = """\
 next     open {}
          write a claim file of your own (`causalnet schema` lists its keys), then
          causalnet explain FILE; causalnet verify FILE"""


def run_demo(
    output: Path, seed: int | None, device: str | None, dtype: str | None, terminal: Terminal
) -> Status:
    """Check the demo's claims and write its report; see `show_claims`."""
    with as_file(files("causalnet.examples") / "ioi.yaml") as file:
        claims = read_claim_file(file)
    return show_claims(claims, output, seed, device, dtype, terminal)


def show_claims(
    claims: ClaimFile,
    output: Path,
    seed: int | None,
    device: str | None,
    dtype: str | None,
    terminal: Terminal,
) -> Status:
    """Check claims, print verdicts and strongest heads, write page and picture.

    Returns:
        0 when every verdict is the one that the file expects, or when other prompts, another
        number type or another device were asked for; else 4.
    """
    html, png = output / "report.html", output / "report.png"
    check_writable(html)
    terminal.say(f" {claims.title}")
    terminal.say(f" loading  {claims.model.source}")
    clock = _Clock()
    with terminal.progress() as line:
        result = verify(
            claims,
            seed=seed,
            device=device,
            dtype=dtype,
            heatmap_pairs=HEATMAP_PAIRS,
            command=["causalnet", *sys.argv[1:]],
            progress=clock.watching(line),
        )
    for text in (*list(heading(result))[1:], "", *verdict_lines(result), "", *_heads(result), ""):
        terminal.say(text)
    written = _write(result, html, png, terminal)
    for path in written:
        terminal.say(f" wrote    {path}")
    terminal.say(summary(result))
    terminal.say(f" CPU      {clock.first:.1f} s to the first forward, {_cpu():.1f} s in all")
    terminal.say(NEXT.format(html))
    status = Status.SUPPORTED
    if not result.is_expected:
        own = {"seed": claims.task.seed, "device": "cpu", "dtype": claims.model.dtype}
        asked = {"seed": seed, "device": device, "dtype": dtype}
        if any(asked[key] not in (None, own[key]) for key in own):
            terminal.note(OTHERWISE_ASKED.format(**own))
        else:
            terminal.note(UNEXPECTED)
            status = Status.OUR_ERROR
    terminal.result(
        {
            "exit_status": int(status),
            "report": result.to_json(),
            "files": [str(path) for path in written],
            "cpu_seconds": {"to_first_forward": clock.first, "in_all": _cpu()},
        }
    )
    return status


def _write(report: VerificationReport, html: Path, png: Path, terminal: Terminal) -> list[Path]:
    """Write the page, and the picture where matplotlib is there to draw it."""
    written = write_report(report, html, None)
    try:
        return [*written, *write_report(report, None, png)]
    except CausalNetError as error:
        terminal.note(f"causalnet: {error}")
        return written


def _cpu() -> float:
    """CPU seconds of this process so far, start-up and imports included."""
    return time.process_time()


class _Clock:
    """Notes the CPU seconds at which the first forward begins, that of the lift's self-check."""

    def __init__(self) -> None:
        self.first = 0.0

    def watching(self, line: ProgressLine) -> "_Watch":
        return _Watch(self, line)


class _Watch:
    """Shows progress, and lets the clock see it."""

    def __init__(self, clock: _Clock, line: ProgressLine) -> None:
        self._clock, self._show = clock, follow(line)

    def __call__(self, report: ProgressReport) -> None:
        if not self._clock.first and report.stage == "lift the model":
            self._clock.first = _cpu()
        self._show(report)


def _heads(report: VerificationReport) -> list[str]:
    """Return the largest effects of single heads, each with a bar."""
    table = report.effects
    if table is None:
        return []
    said = table.conventions
    top = table.top(STRONGEST)
    longest = max(abs(effect.mean) for effect in top) or 1.0
    lines = [
        f" heads    {said.estimand} on {said.readout.split('/')[0]}, patched − unpatched, exact on "
        f"{len(table.prompts)} pairs: the largest of {len(table)}"
    ]
    for effect in top:
        bar = "█" * max(1, round(BAR * abs(effect.mean) / longest))
        mean, ends = f"{effect.mean:+.3g}", ""
        if effect.interval is not None:
            mean = effect.interval.estimate_written(effect.mean, sign=True)
            ends = effect.interval.written(sign=True)
        lines.append(f"   {effect.label:<8} {mean:>8} {ends:<26} {bar}")
    return lines
