"""Running the command as its users do: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("causalnet")


def causalnet(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `causalnet` and return what it printed and its exit status."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
