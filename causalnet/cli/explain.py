"""`causalnet explain`: what `verify` would run, and what it would cost."""

from pathlib import Path

from causalnet.claims import explain_claims
from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal

__all__ = ["run_explain"]


def run_explain(
    file: Path, seed: int | None, device: str | None, dtype: str | None, terminal: Terminal
) -> Status:
    """Print the plan of a claim file; no forward is run and no weights are read."""
    explanation = explain_claims(file, seed=seed, device=device, dtype=dtype)
    terminal.say(str(explanation))
    terminal.result(explanation.to_json())
    return Status.SUPPORTED
