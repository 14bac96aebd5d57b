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
    from causalnet.execute import SelfSwap
    from causalnet.lift import LiftedNetwork
    from causalnet.tasks import PromptPairs

__all__ = ["run_doctor"]

PACKAGES = ("causalnet-lab", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy")
PROMPTS, LENGTH = 4, 10
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
            terminal.say(f" {finding.name:<18} {finding.state:<8} {finding.detail}")
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
    pairs = _random_pairs(net, seed)
    yield from _swaps(net, pairs)
    yield _determinism(net, pairs)


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


def _random_pairs(net: "LiftedNetwork", seed: int) -> "PromptPairs":
    """Pairs of random tokens, so that any tokenizer will do."""
    import torch

    from causalnet.tasks import PromptPairs

    generator = torch.Generator().manual_seed(seed)
    size = (2, PROMPTS, LENGTH)
    base, source = torch.randint(net.graph.shape.vocabulary, size, generator=generator).tolist()
    rows = [
        {"base": ids, "source": other, "answer": [0], "foil": [1]}
        for ids, other in zip(base, source, strict=True)
    ]
    return PromptPairs.build(net.model.tokenizer, rows)


def _swaps(net: "LiftedNetwork", pairs: "PromptPairs") -> Iterator[Finding]:
    """Look at one mediator of each kind in the middle of the network."""
    from causalnet.execute import self_swap

    layer = net.n_layers // 2
    head = f"L{layer}.H{net.n_heads - 1}"
    for name in ("embed", f"L{layer}.resid_pre", f"{head}.z", head, f"L{layer}.mlp"):
        swap = self_swap(net, pairs, net[name])
        legs = {
            "its own value changes no bit": swap.no_op_is_exact,
            f"the source differs (by {swap.source_difference:.2g})": swap.source_difference > 0,
            f"the logits change (by {swap.receiver_difference:.2g})": swap.receiver_difference > 0,
        }
        detail = "; ".join(leg if stands else f"NOT SO: {leg}" for leg, stands in legs.items())
        yield Finding(f"swap {swap.mediator}", _state(swap), detail)


def _state(swap: "SelfSwap") -> State:
    if swap.no_op_is_exact and swap.source_difference == 0:
        return State.WARNING  # a mediator that never varies proves nothing, and is no mistake
    return State.OK if swap.is_sound else State.FAILED


def _determinism(net: "LiftedNetwork", pairs: "PromptPairs") -> Finding:
    from causalnet.execute import check_determinism

    found = check_determinism(net, pairs)
    rows = f"rows run one by one differ by at most {found.batch_difference:.1e} logits"
    if found.repeats_exactly:
        detail = f"the same batch twice gives the same bits; {rows}"
        return Finding("determinism", State.OK, detail)
    return Finding("determinism", State.WARNING, f"the same batch twice gives other bits; {rows}")
