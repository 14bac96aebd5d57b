"""The grid of conventions that `verify` prints, on one circuit with many faithfulness numbers.

    python bench/one_circuit_grid.py > bench/figures/one_circuit_grid.txt

examples/claims/one_circuit.yaml is verified: 60 heads of SmolLM2, 38 prompts in the grid, as in the
table of `one_circuit_many_numbers.py`.  The exit status is 1 where the order of conventions is not
pooled mean and zero below counterfactual and resampling below means per position, within the error
of 38 prompts, or where a band does not hold.
"""

import sys
import time

from causalnet.claims import circuit_of, read_claim_file, verify

FILE = "examples/claims/one_circuit.yaml"


def main() -> int:
    """Verify the file, print its grid and say whether it is as it should be."""
    file = read_claim_file(FILE)
    begun = time.process_time()
    report = verify(file)
    grid = report.grid
    if grid is None:
        print("no grid")
        return 1
    number = grid.find("faithfulness", circuit_of(file, file.claims[0]))
    cells = {cell.convention: cell for cell in grid.cells(number, file.alpha)}
    print(
        f"{len(number.circuit)} of 270 heads, {grid.n} prompts, F with a 90% interval of Fieller:"
    )
    for name, cell in cells.items():
        interval = "undefined" if cell.interval is None else cell.interval.written(0.75)
        print(f"  {name:28s} {cell.estimate:+.3f}  {interval}")
    for result in report.results:
        print(f"{result.claim.id}: {result.decision.verdict.value}")
        print(f"  {result.robustness}")
    shares = {name.split()[0]: cell.estimate for name, cell in cells.items()}
    low = max(shares["mean"], shares["zero"])
    middle = min(shares["counterfactual"], shares["resample"])
    high = max(cell.estimate for name, cell in cells.items() if name.startswith("mean_per"))
    ordered = low < middle and max(shares["counterfactual"], shares["resample"]) < high
    banded = 0.80 <= shares["counterfactual"] <= 0.95 and shares["mean"] < 0.2
    print(f"counterfactual in [0.80, 0.95], pooled mean below 0.2: {'yes' if banded else 'no'}")
    print(f"pooled mean, zero < counterfactual, resample < mean per position: {ordered}")
    print(f"{time.process_time() - begun:.0f} s of CPU, {report.cost.forwards} forwards")
    return 0 if ordered and banded else 1


if __name__ == "__main__":
    sys.exit(main())
