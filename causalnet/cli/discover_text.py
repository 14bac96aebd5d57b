"""What a search found, as lines of text and as one JSON object."""

import math
import textwrap
from collections.abc import Iterator

import numpy as np

from causalnet.cli.discover_found import Found, Truth, unit_words
from causalnet.discovery.saving import circuit_json
from causalnet.discovery.scores import Scores
from causalnet.statistics import Interval

__all__ = ["found_json", "found_lines"]

WIDTH = 98
TOP = 8  # units that are listed
NO_SPREAD = 1e-4  # an interval as narrow as this is written as one number
BAR = 20  # characters of the longest bar
INDENT = " " * 10
_BEHAVIOUR = {  # key -> attribute
    "prompts": "prompts",
    "right": "right",
    "right_low": "low",
    "difference": "difference",
    "standard_error": "error",
    "top_1": "first",
}


def found_lines(found: Found) -> Iterator[str]:
    """Yield a summary for a newcomer: what was asked, what was found, how far to trust it."""
    asked = found.circuit.question
    model = asked.net.model
    graph = asked.net.graph.shape
    yield from _line(
        "model",
        f"{model.provenance.source.rsplit('/', 1)[-1]}, {graph.layers} layers x {graph.heads} "
        f"heads, {str(model.dtype).removeprefix('torch.')} on {model.device}",
    )
    yield from _line(
        "task", f"{found.task}, {len(asked.pairs)} pairs that find, seed {asked.pairs.record.seed}"
    )
    yield from _line("does it", str(found.behaviour))
    if not found.behaviour.is_there:
        yield from _line("", "The model does not do this task: what follows explains nothing.")
    yield from _line("asked", _asked(found))
    if found.scores is not None:
        yield from _method(found.scores)
        yield ""
        yield from _strongest(found.scores)
    yield ""
    yield from _circuit(found)
    yield from _beside(found)
    for truth in found.truths:
        yield from _truth(truth, f" under {asked.ablation}" * (truth.name == "live"))
    for note in (*(found.scores.notes if found.scores else ()), *found.notes):
        yield from _line("note", note)


def _line(key: str, text: str) -> Iterator[str]:
    for number, part in enumerate(text.split("\n")):
        head = f" {key if not number else '':<9}"
        yield from textwrap.wrap(
            part, WIDTH, initial_indent=head, subsequent_indent=INDENT, break_long_words=False
        )


def _asked(found: Found) -> str:
    asked = found.circuit.question
    at = ", ".join(map(str, asked.positions)) or "all positions"
    return (
        f"{asked.readout.described} ({asked.readout.unit or 'no unit'}) with {unit_words(asked)} "
        f"removed;"
        f" ablation {asked.ablation}, {asked.direction}, {at}; an effect is patched - unpatched"
    )


def _method(scores: Scores) -> Iterator[str]:
    method = scores.method
    settings = ", ".join(f"{name} {value}" for name, value in scores.settings.items())
    yield from _line("method", f"{method.name}{f' ({settings})' if settings else ''}")
    yield from _line("", f"score: {method.formula}")
    yield from _line("", f"error: {method.error}")
    for each in method.fails[:3]:
        yield from _line("", f"fails: {each}")
    for each in method.measured:
        yield from _line("", f"measured: {each}")
    cost = scores.cost
    skipped = f", {cost.skipped:,} decided without a run" if cost.skipped else ""
    yield from _line(
        "cost",
        f"{cost.forwards:,.1f} forward and {cost.backwards:,} backward passes over a batch, "
        f"{cost.looked_at:,} {unit_words(scores.question)} looked at{skipped}",
    )


def _strongest(scores: Scores) -> Iterator[str]:
    """List the largest scores, each with a bar."""
    scored = int((scores.ranking() > 0).sum())
    top = scores.top(max(1, min(TOP, scored)))
    unit = f" {scores.unit}" if scores.unit else ""
    yield from _line(
        "largest",
        f"{len(top)} of {len(scores):,} {unit_words(scores.question)}"
        f"{' in' + unit if unit else ''}; all removed: {scores.total:+.3g}",
    )
    longest = max((abs(value) for _, value in top), default=0.0) or 1.0
    width = max(len(name) for name, _ in top)
    sign = "+" if scores.sign == "effect" else ""
    for name, value in top:
        bar = "█" * max(1, round(BAR * abs(value) / longest)) if value else ""
        yield f"   {name:<{width}}  {format(value, f'{sign}.3g'):>9}  {bar}".rstrip()
    if scored < min(TOP, len(scores)):
        yield f"   and {len(scores) - len(top):,} that score 0"


def _circuit(found: Found) -> Iterator[str]:
    circuit = found.circuit
    lost = circuit.before - len(circuit)
    connected = f" {lost} of {circuit.before} were dropped: not connected." if lost else ""
    yield from _line(
        "circuit",
        f"{len(circuit):,} of {len(circuit.question.units):,} {unit_words(circuit.question)} "
        f"({circuit.share:.1%}): {circuit.rule}.{connected}",
    )
    names = ", ".join(circuit.names[:40]) + (", …" if len(circuit) > 40 else "")
    yield from _line("", names)
    if found.stability is not None:
        said = str(found.stability).split("\n")
        size = "" if not lost and "grown" not in circuit.rule else ", before connection"
        yield from _line("stable?", "\n".join([said[0] + size, said[1]]))


def _beside(found: Found) -> Iterator[str]:
    scores, asked = found.beside.scores, found.circuit.question
    held_out = found.prompts.held_out
    seed = "" if held_out.record.seed is None else f" (seed {held_out.record.seed})"
    unit = asked.readout.unit
    parts = (scores.model, scores.kept, scores.empty, scores.knocked_out)
    model, kept, empty, gone = (f"{float(np.mean(part)):+.3g}" for part in parts)
    yield from _line(
        "tested",
        f"on {len(held_out)} other prompts{seed}: model {model}, circuit alone {kept}, everything "
        f"removed {empty}, circuit removed {gone} {unit}".rstrip(),
    )
    if found.beside.faithfulness is None:
        yield from _line("", "Faithfulness is undefined: there is no clear difference to keep.")
        return
    yield from _line("", f"faithfulness {_with(scores.faithfulness, found.beside.faithfulness)}")
    yield from _line("", f"goes without it {_with(scores.drop, found.beside.drop)}")


def _with(value: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{value:.3g}"
    if interval.width < NO_SPREAD:
        return f"{value:.4f}, the same on every prompt"
    return f"{interval.estimate_written(value)} {interval}"


def _truth(truth: Truth, under: str) -> Iterator[str]:
    if not truth.units:
        yield from _line("truth", f"{truth.name}{under}: no unit is")
        return
    said = [] if truth.ranking is None else str(truth.ranking).split("\n")
    said += [] if truth.recovery is None else [f"circuit: {truth.recovery}"]
    yield from _line("truth", f"{truth.name}{under}: " + "\n".join(said))


def found_json(found: Found) -> dict[str, object]:
    """Return what was found as JSON values."""
    scores, asked = found.scores, found.circuit.question
    beside = found.beside
    return {
        "task": found.task,
        "question": asked.to_json(),
        "behaviour": {
            key: _finite(getattr(found.behaviour, name)) for key, name in _BEHAVIOUR.items()
        },
        "is_there": found.behaviour.is_there,
        "method": None if scores is None else scores.method.name,
        **_quoted(scores),
        "total": None if scores is None else scores.total,
        "largest": [] if scores is None else [list(each) for each in scores.top(TOP)],
        "circuit": circuit_json(found.circuit),
        "stability": None if found.stability is None else _without_sites(found),
        "tested": {
            "prompts": len(found.prompts.held_out),
            "seed": found.prompts.held_out.record.seed,
            "model": float(beside.scores.model.mean()),
            "kept": float(beside.scores.kept.mean()),
            "empty": float(beside.scores.empty.mean()),
            "knocked_out": float(beside.scores.knocked_out.mean()),
            "faithfulness": _interval(beside.scores.faithfulness, beside.faithfulness),
            "drop": _interval(beside.scores.drop, beside.drop),
        },
        "truths": {truth.name: _truth_json(truth) for truth in found.truths},
        "notes": [*(scores.notes if scores else ()), *found.notes],
    }


def _without_sites(found: Found) -> dict[str, object]:
    assert found.stability is not None
    told = found.stability.to_json()
    sizes = found.stability.sizes
    short = {"low": min(sizes), "high": max(sizes), "mean": float(np.mean(sizes))}
    left_out = ("inclusions", "full")
    return {name: value for name, value in told.items() if name not in left_out} | {"sizes": short}


def _quoted(scores: Scores | None) -> dict[str, object]:
    """Return what is known of the method and its error."""
    names = ("formula", "approximates", "error", "fails", "measured")
    return {name: None if scores is None else getattr(scores.method, name) for name in names}


def _truth_json(truth: Truth) -> dict[str, object]:
    return {
        "units": sorted(truth.units),
        "ranking": None if truth.ranking is None else truth.ranking.to_json(),
        "recovery": None if truth.recovery is None else truth.recovery.to_json(),
    }


def _interval(value: float, interval: Interval | None) -> dict[str, object]:
    told = None if interval is None else interval.to_json()
    return {"estimate": _finite(value), "interval": told}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
