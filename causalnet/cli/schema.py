"""`causalnet schema`: the JSON Schema of claim files."""

from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal

__all__ = ["run_schema"]


def run_schema(terminal: Terminal) -> Status:
    """Print the schema."""
    from causalnet.claims.schema import json_schema

    terminal.result(json_schema())
    return Status.SUPPORTED
