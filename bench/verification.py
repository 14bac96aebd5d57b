"""What a full verification costs, in forwards, and what was foretold.

    python -m bench.verification [--prompts 64] [--circuits 100] > bench/figures/verification.txt

The claims of examples/ioi.yaml and further ones about the same circuit are verified on all their
prompts: with a null distribution of random circuits, every one on every prompt, and with the grid
of other conventions.  The unit is one plain forward of the model over all test prompts, in the same
process; `causalnet explain` foretells the cost in that unit.
"""

import argparse
import statistics
import time

import torch

from causalnet.claims import ClaimFile, explain_claims, read_claim_file, verify
from causalnet.claims.prompts import testing_pairs
from causalnet.execute import make_batch, run_forward
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load


def full_file(prompts: int, circuits: int) -> ClaimFile:
    """Return the example's claims and further ones, on so many prompts."""
    plain = read_claim_file("examples/ioi.yaml").model_dump(mode="json", by_alias=True)
    plain["task"]["n"] = prompts
    plain["batch"] = 16
    del plain["robustness"]  # the grid that a file has which says nothing of it
    about = "The circuit of 20 heads"
    plain["claims"] = [
        {"id": "behaviour", "kind": "exists", "statement": "The model does it.", "at_least": 3.0},
        {"id": "enough", "kind": "faithful", "statement": f"{about} suffices.", "at_least": 0.8},
        {"id": "needed", "kind": "necessary", "statement": f"{about} is needed.", "at_least": 0.8},
        {
            "id": "near",
            "kind": "agreement",
            "measure": "kl",
            "statement": f"{about} writes nearly the same distribution.",
            "at_most": 1.0,
        },
        {
            "id": "first",
            "kind": "agreement",
            "measure": "top1",
            "statement": f"{about} makes the same first choice.",
            "at_least": 0.7,
        },
        {
            "id": "chance",
            "kind": "better_than_random",
            "statement": f"{about} is better than random ones.",
            "fraction": 0.9,
            "min_circuits": circuits,
            "max_circuits": circuits,
            "prompts": prompts,
        },
    ]
    return ClaimFile.model_validate(plain)


def plain_forward(net: LiftedNetwork, file: ClaimFile) -> float:
    """Return the median CPU seconds of one plain forward over all test prompts, of five."""
    pairs = testing_pairs(file, net.model.tokenizer)
    size = file.batch

    def run() -> None:
        for start in range(0, len(pairs), size):
            rows = range(start, min(start + size, len(pairs)))
            run_forward(net, make_batch(pairs.base, rows, net.model.device))

    times = []
    with torch.no_grad():
        run()
        for _ in range(5):
            begun = time.process_time()
            run()
            times.append(time.process_time() - begun)
    return statistics.median(times)


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--circuits", type=int, default=100)
    asked = parser.parse_args()
    file = full_file(asked.prompts, asked.circuits)
    foretold = explain_claims(file)
    net = lift(load(file.model.source, dtype="float32"))
    unit = plain_forward(net, file)
    begun = time.process_time()
    report = verify(file, net=net)
    spent = time.process_time() - begun
    unit = statistics.mean([unit, plain_forward(net, file)])
    low, high = foretold.equivalents
    cost = spent / unit
    print(f"{asked.prompts} test prompts, {asked.circuits} random circuits on all of them, grid of")
    conventions = 0 if report.grid is None else len(report.grid.conventions)
    print(f"{conventions} conventions on {0 if report.grid is None else report.grid.n} prompts")
    for result in report.results:
        print(f"  {result.claim.id:10s} {result.decision.verdict.value}")
    print(f"one plain forward over all test prompts   {unit:8.2f} CPU-s")
    print(f"verification                              {spent:8.1f} CPU-s")
    print(f"forward-equivalents                       {cost:8.1f}   (at most 400)")
    print(f"foretold by explain                       {low:8.1f} to {high:.1f}")
    print(f"measured / foretold                       {cost / high:8.2f} to {cost / low:.2f}")
    print(
        f"forwards, each over one batch             {report.cost.forwards:8d}   foretold", end=" "
    )
    print(f"{foretold.fewest} to {foretold.most}")


if __name__ == "__main__":
    main()
