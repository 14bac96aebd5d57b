"""Verify the claim library again: every verdict of examples/claims against what its file expects.

    python bench/claim_library.py                  all files
    python bench/claim_library.py capitals sort    those whose names contain one of these
    python bench/claim_library.py --least          only the claims, no grid of other conventions

The exit status is 1 if a verdict is not the expected one, or if prompts that found a circuit are
among those that test it.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from causalnet.claims import ClaimResult, VerificationReport, read_claim_file, verify
from causalnet.claims.robustness_spec import RobustnessSpec
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load

LIBRARY = Path(__file__).parents[1] / "examples" / "claims"
UNASKED = RobustnessSpec(skip=True, reason="left out by --least")


def chosen(words: list[str]) -> list[Path]:
    """Return the files whose names contain one of the words; all without words."""
    files = sorted(LIBRARY.glob("*.yaml"))
    claims = [path for path in files if not path.name.endswith(".heads.yaml")]
    return [path for path in claims if not words or any(word in path.stem for word in words)]


def network(source: str, known: dict[str, LiftedNetwork]) -> LiftedNetwork:
    """Load a model once; several files are about one."""
    if source not in known:
        known[source] = lift(load(source, dtype="float32", device="cpu", attention="sdpa"))
    return known[source]


def lines(report: VerificationReport) -> Iterator[str]:
    """Say what came out, a line for each claim."""
    for one in report.results:
        decision = one.decision
        mark = "  " if one.is_expected else "!!"
        span = "" if decision.interval is None else str(decision.interval)
        yield (
            f"{mark} {one.claim.id:22} {one.claim.kind:20} {decision.verdict:12} "
            f"{decision.estimate:9.4g} {span:28} {decision.n:5} {held(one)}"
        )


def held(one: ClaimResult) -> str:
    """Return under how many other conventions a claim holds, where that was measured."""
    found = re.search(r"(\d+ of \d+) conventions", one.robustness)
    return found[1] if found else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", metavar="name")
    parser.add_argument("--least", action="store_true", help="leave out other conventions")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    networks: dict[str, LiftedNetwork] = {}
    wrong = claims = 0
    seconds = 0.0
    for path in chosen(asked.words):
        file = read_claim_file(path)
        if asked.least:
            file = file.model_copy(update={"robustness": UNASKED})
        of_package = file.model.source.startswith("package://")
        net = network(file.model.source, networks) if of_package else None
        report = verify(file, net=net)
        overlap = report.provenance["overlap"]
        unexpected = sum(not one.is_expected for one in report.results) + bool(overlap)
        wrong, claims = wrong + unexpected, claims + len(report.results)
        seconds += report.cost.cpu_seconds
        shared = "given" if overlap is None else f"{overlap} prompts shared"
        print(
            f"{path.stem}: {len(report.circuit)} of the circuit, {report.cost.prompts} prompts, "
            f"{shared}, {report.cost.forwards} forwards, {report.cost.cpu_seconds:.0f} s of CPU"
        )
        print("\n".join(lines(report)), flush=True)
    print(f"\n{claims} claims, {wrong} not as expected; {seconds:.0f} s of CPU, loading left out")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
