"""Why a claim failed, as lines of text."""

import textwrap
from collections.abc import Iterator, Sequence

from causalnet.claims import VerificationReport
from causalnet.claims.why_values import Explanation, Noise, Split, Suspect
from causalnet.cli.report_view import model_line, task_line
from causalnet.statistics.digits import fixed, shared_decimals

__all__ = ["explanation_lines"]

WIDTH, BAR = 96, 20
SHOWN_IDLE = 8


def explanation_lines(
    report: VerificationReport, explained: Sequence[Explanation]
) -> Iterator[str]:
    """Yield everything that was found about the claims of one file."""
    yield f" {report.claim_file.title}"
    yield f" model    {model_line(report)}"
    yield f" prompts  {task_line(report)}"
    if not explained:
        yield ""
        yield " Every claim is SUPPORTED; name one to have it explained all the same."
    for one in explained:
        yield ""
        yield from _claim(one)


def _claim(one: Explanation) -> Iterator[str]:
    yield f" {one.claim}  {one.verdict}"
    yield from _wrapped("", one.sentence)
    if one.noise is not None:
        yield from _wrapped("noise", _noise(one.noise))
    if one.no_search:
        yield from _wrapped("search", f"Nothing was searched: {one.no_search}")
    else:
        yield from _missing(one)
        yield from _members(one)
    worst = one.worst_template
    if worst is not None:
        yield from _wrapped("template", _templates(one.splits, worst))
    if one.conventions:
        yield from _wrapped("grid", one.conventions)
    yield f"    {'cost':<9}{one.forwards} forwards"


def _wrapped(name: str, text: str) -> Iterator[str]:
    if not name:
        yield from textwrap.wrap(text, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
        return
    start = f"    {name:<9}"
    yield from textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _noise(noise: Noise) -> str:
    said = (
        f"the estimate is {noise.distance:.3g} from the claimed bound, and the interval reaches "
        f"{noise.half_width:.3g} to either side after {noise.n} looked at"
    )
    if noise.needed is not None:
        return f"{said}; about {noise.needed} would decide if the estimate holds."
    if noise.half_width < noise.distance:
        return f"{said}: it is not for want of prompts."
    return f"{said}."


def _missing(one: Explanation) -> Iterator[str]:
    said = (
        f"what is outside the circuit, added alone, by its gain in {one.number}: "
        f"{one.measured} measured on {one.prompts}"
    )
    if one.left_out:
        said += f", {one.left_out} not ({one.order}; --budget)"
    none = "" if one.missing else "; none brings it nearer to the claim"
    yield from _wrapped("missing", f"{said}{none}.")
    yield from _suspects(one.missing)
    if one.missing:
        yield from _wrapped(
            "",
            "These are the largest of many, each with an interval of its own: a circuit with them "
            "is a new claim, to be tested on prompts that none of this saw.",
        )


def _members(one: Explanation) -> Iterator[str]:
    if not one.members:
        return
    idle = one.idle
    if not idle:
        yield from _wrapped("idle", f"none: each of {len(one.members)} members contributes.")
        return
    shown = idle[:SHOWN_IDLE]
    more = f", of which {len(shown)} are shown" if len(idle) > len(shown) else ""
    yield from _wrapped(
        "idle",
        f"{len(idle)} of {len(one.members)} members whose contribution to {one.number} may be "
        f"0{more}:",
    )
    yield from _suspects(shown)


def _suspects(suspects: Sequence[Suspect]) -> Iterator[str]:
    longest = max((abs(one.gain) for one in suspects), default=0.0) or 1.0
    width = max((len(one.name) for one in suspects), default=0)
    for one in suspects:
        gain, ends = f"{one.gain:+.3f}", ""
        if one.low is not None and one.high is not None:
            decimals = shared_decimals(one.low, one.high)
            gain = fixed(one.gain, decimals, sign=True)
            low, high = (fixed(end, decimals, sign=True) for end in (one.low, one.high))
            ends = f"[{low}, {high}]"
        bar = "█" * round(BAR * abs(one.gain) / longest)
        yield f"{' ' * 13}{one.name:<{width}} {gain:>8} {ends:<20} {bar}".rstrip()


def _templates(splits: Sequence[Split], worst: Split) -> str:
    defined = [one for one in splits if one.estimate is not None]
    best = defined[-1] if defined else worst
    return (
        f"worst of {len(splits)}: {_split(worst)} on “{worst.template}” ({worst.n} prompts); best: "
        f"{_split(best)} on “{best.template}” ({best.n} prompts)."
    )


def _split(one: Split) -> str:
    if one.estimate is None:
        return "undefined"
    if one.low is None or one.high is None:
        return f"{one.estimate:.3g}"
    decimals = shared_decimals(one.low, one.high)
    low, high = (fixed(end, decimals) for end in (one.low, one.high))
    return f"{fixed(one.estimate, decimals)} [{low}, {high}]"
