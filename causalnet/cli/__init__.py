"""The command `causalnet`.

| command | what it does |
|---|---|
| `demo` | checks the claims of a known circuit on a real model and writes a report |
| `verify FILE` | checks a claim file; the exit status is the verdict |
| `why RUN` | says why claims failed: what is missing, the noise, other conventions |
| `explain FILE` | says what `verify` would run and what it would cost; runs nothing |
| `schema` | prints the JSON Schema of claim files |
| `doctor` | checks the installation, a model's lift, interchange and determinism |

Exit status: see `causalnet.cli.status`.  No command imports torch before it needs it.
"""

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and end the process with its exit status."""
    # Imported here: an installation too broken to import must not end with 1, a refuted claim.
    try:
        from causalnet.cli.door import run_command_line
    except Exception as error:
        print(f"causalnet is not installed whole: {error!r}", file=sys.stderr)
        sys.exit(4)
    sys.exit(run_command_line(sys.argv[1:]))
