"""`causalnet doctor`: is this installation whole, and can this model be trusted here?"""

import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal
from causalnet.errors import CausalNetError

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["run_doctor"]

PACKAGES = ("causalnet-lab", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy")
OPTIONAL = {"gguf": "gguf", "matplotlib": "plots"}


class State(StrEnum):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        state: How it stands.
        detail: What was found, and what to do about it.
    """

    name: str
    state: State
    detail: str


def run_doctor(
    source: str, seed: int | None, device: str | None, dtype: str | None, terminal: Terminal
) -> Status:
    """Look at everything, print a line for each, and return 0, 3 (the model) or 4 (ours)."""
    findings, status = [], Status.SUPPORTED
    try:
        for finding in _look(source, seed or 0, device or "cpu", dtype or "float32", terminal):
            findings.append(finding)
            terminal.say(f" {finding.name:<14} {finding.state:<8} {finding.detail}")
            if finding.state is State.FAILED:
                status = Status.OUR_ERROR
    except CausalNetError as error:
        findings.append(Finding(type(error).__name__, State.FAILED, str(error)))
        terminal.note(f"causalnet: {error}")
        status = Status.BAD_INPUT
    terminal.result({"exit_status": int(status), "findings": [asdict(each) for each in findings]})
    return status


def _look(source: str, seed: int, device: str, dtype: str, terminal: Terminal) -> Iterator[Finding]:
    yield Finding("python", State.OK, f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    yield _cuda()
    terminal.note(f" loading {source} …")
    from causalnet.lift import lift
    from causalnet.models import load

    model = load(source, device=device, dtype=dtype)
    yield Finding("model", State.OK, repr(model))
    yield Finding("weights", State.OK, f"sha256 {model.provenance.weights_sha256}")
    net = lift(model)
    yield Finding("lift", State.OK, repr(net.check))
    yield from _swaps(net, seed)
    yield _determinism(net, seed)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        yield Finding(name, State.OK, version(name))
    for name, extra in OPTIONAL.items():
        try:
            yield Finding(name, State.OK, version(name))
        except PackageNotFoundError:
            advice = f"not installed: pip install 'causalnet-lab[{extra}]'"
            yield Finding(name, State.WARNING, advice)


def _cuda() -> Finding:
    import torch

    build, threads = torch.version.cuda, torch.get_num_threads()
    if torch.cuda.is_available():
        return Finding("device", State.OK, f"{torch.cuda.get_device_name()}, CUDA {build}")
    if build is None:
        return Finding("device", State.OK, f"CPU build of torch, {threads} threads")
    return Finding(
        "device",
        State.WARNING,
        f"torch is built for CUDA {build} and finds no GPU: the CPU build is 2 GB smaller.",
    )


def _swaps(net: "LiftedNetwork", seed: int) -> Iterator[Finding]:
    from causalnet.cli.self_swap import self_swaps

    for swap in self_swaps(net, seed):
        legs = {
            "its own value changes nothing, bit for bit": swap.is_exact,
            "the source differs": swap.source_differs,
            "the receiver changes": swap.receiver_changes,
        }
        detail = "; ".join(leg if stands else f"NOT: {leg}" for leg, stands in legs.items())
        state = State.OK if swap.stands else State.FAILED
        yield Finding(f"swap {swap.mediator}", state, detail)


def _determinism(net: "LiftedNetwork", seed: int) -> Finding:
    from causalnet.cli.self_swap import is_deterministic

    if is_deterministic(net, seed):
        return Finding("determinism", State.OK, "the same batch twice gives the same bits")
    return Finding("determinism", State.WARNING, "the same batch twice gives other bits here")
