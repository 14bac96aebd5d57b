"""The one door: every way out of a command becomes one exit status.

typer ends with 1 when it is interrupted and with 2 on a misspelt option, which here would read as
"refuted" and "undecided"; so it runs with `standalone_mode=False` and what it raises is met here.
"""

import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal, flush_streams, prepare_streams, write_line
from causalnet.errors import CausalNetError, InternalError

if TYPE_CHECKING:
    import typer

__all__ = ["run_command_line"]

COMMANDS = ("demo", "discover", "verify", "why", "explain", "identify", "schema", "doctor")


def run_command_line(arguments: Sequence[str], commands: "typer.Typer | None" = None) -> int:
    """Run the arguments as a command and return the exit status; never raises.

    Args:
        arguments: What stands behind `causalnet` on the command line.
        commands: Other commands than causalnet's.
    """
    prepare_streams()
    # Threads of torch that wait for each other spin otherwise: on a busy machine that took 15
    # times the CPU time and 4 times the time on the clock.  Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = _run(arguments, commands)
    except KeyboardInterrupt:
        status = _report("Interrupted.", Status.INTERRUPTED, arguments)
    except Exception as error:  # the outermost door: whatever is left is a mistake of ours
        status = _report(_our_mistake(error), Status.OUR_ERROR, arguments, error)
    refused = flush_streams()
    return status if refused is None else Status.OUR_ERROR


def _run(arguments: Sequence[str], commands: "typer.Typer | None") -> int:
    import typer
    from typer.main import get_command

    from causalnet.cli.app import app

    try:
        answer = get_command(commands or app).main(
            args=list(arguments), prog_name="causalnet", standalone_mode=False
        )
    except CausalNetError as error:
        return _report(str(error), Status.BAD_INPUT, arguments, error)
    except typer.TyperException as error:
        return _report(_usage(error, arguments), Status.BAD_INPUT, arguments, error)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except SystemExit as error:  # typer's way to leave when its own reader is gone
        return Status.SUPPORTED if error.code in (0, None) else Status.PIPE_CLOSED
    if answer == Status.INTERRUPTED:  # typer turns KeyboardInterrupt into this
        raise KeyboardInterrupt
    return Status.SUPPORTED if answer is None else int(answer)


def _usage(error: "typer.TyperException", arguments: Sequence[str]) -> str:
    """Return typer's message with its suggestion as a question and the place of the help."""
    message = re.sub(r" \(Possible options: (.+)\)$", r". Did you mean \1?", error.format_message())
    message = message if message.endswith((".", "?")) else f"{message}."
    command = next((word for word in arguments[:1] if word in COMMANDS), "")
    return f"{message} Try '{' '.join(('causalnet', command)).strip()} --help'."


def _our_mistake(error: Exception) -> str:
    if isinstance(error, InternalError):
        return str(error)
    if isinstance(error, OSError):
        return f"The system refused: {error}."
    return str(InternalError(f"{type(error).__name__}: {error}."))


def _report(
    message: str, status: Status, arguments: Sequence[str], error: Exception | None = None
) -> Status:
    lines = [f"causalnet: {message}"]
    if os.environ.get("CAUSALNET_DEBUG") and error is not None:
        lines.insert(0, "".join(traceback.format_exception(error)).rstrip())
    elif status is Status.OUR_ERROR:
        lines.append("CAUSALNET_DEBUG=1 shows where it happened.")
    kind = "Interrupted" if error is None else type(error).__name__
    failure = {"exit_status": int(status), "error": {"kind": kind, "message": message}}
    try:
        write_line(sys.stderr, "\n".join(lines))
        Terminal(json="--json" in arguments).result(failure)
    except OSError:
        pass  # nobody can be told; the status stands
    return status
