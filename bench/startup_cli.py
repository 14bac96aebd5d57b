"""CPU seconds of `import causalnet` and `causalnet --help`: python -m bench.startup_cli.

The target is 0.4 s for each.  Tests count the modules that are loaded; seconds belong here.
"""

import resource
import subprocess
import sys

RUNS = 7
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import causalnet": ["-c", "import causalnet"],
    "causalnet --help": ["-m", "causalnet", "--help"],
    "causalnet --version": ["-m", "causalnet", "--version"],
}


def cpu_seconds(arguments: list[str]) -> float:
    """User and system seconds of one fresh interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    for name, arguments in PROGRAMS.items():
        seconds = sorted(cpu_seconds(arguments) for _ in range(RUNS))
        print(f"{name:22} least {seconds[0]:.3f} s, median {seconds[RUNS // 2]:.3f} s of CPU")
