"""`causalnet doctor`: is this installation whole, and can this model be trusted here?"""

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from causalnet.cli.status import Status
from causalnet.cli.terminal import Terminal, write_line
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
    """How a finding stands; a note is about the model, a warning about the installation."""

    OK = "ok"
    NOTE = "note"
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
            terminal.say(f" {finding.name:<20} {finding.state:<8} {finding.detail}")
            if finding.state is State.FAILED:
                status = Status.OUR_ERROR
    except CausalNetError as error:
        findings.append(Finding(type(error).__name__, State.FAILED, str(error)))
        write_line(sys.stderr, f"causalnet: {error}")  # an error is said in silence as well
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
    yield from swap_findings(net, pairs)
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

    # Embeddings are often padded with rows that no token has.
    tokens = min(net.graph.shape.vocabulary, len(net.model.tokenizer))
    most = net.model.declared.get("positions")
    length = min(LENGTH, most) if isinstance(most, int) else LENGTH
    generator = torch.Generator().manual_seed(seed)
    base, source = torch.randint(tokens, (2, PROMPTS, length), generator=generator).tolist()
    rows = [
        {"base": ids, "source": other, "answer": [0], "foil": [1]}
        for ids, other in zip(base, source, strict=True)
    ]
    return PromptPairs.build(net.model.tokenizer, rows)


def swap_findings(net: "LiftedNetwork", pairs: "PromptPairs") -> Iterator[Finding]:
    """Swap one live mediator of each kind, and look at others of the kind where one is dead.

    Args:
        net: The lifted network.
        pairs: Prompts of one length.

    Yields:
        A finding for each mediator that was swapped, and one for all of them: that one swap
        does not change the logits may be the model's own, that none does is a mistake of ours.
    """
    from causalnet.execute import self_swap

    swaps = []
    for names in _candidates(net).values():
        for name in names:
            swap = self_swap(net, pairs, net[name])
            swaps.append(swap)
            yield _swap_finding(swap)
            if swap.is_sound:
                break
    yield _all_swaps(swaps)


def _candidates(net: "LiftedNetwork") -> Mapping[str, list[str]]:
    """Return mediators of each kind in the order to try: the middle layer, the last, the first."""
    from causalnet.execute.attention import can_be_opened

    layers = dict.fromkeys((net.n_layers // 2, net.n_layers - 1, 0))
    heads = dict.fromkeys((net.n_heads - 1, 0))
    each = {
        part: [f"L{layer}.{part}" for layer in layers]
        for part in ("resid_pre", "resid_mid", "resid_post", "mlp")
    }
    outputs = [f"L{layer}.H{head}" for layer in layers for head in heads]
    channels = {
        part: [f"{head}.{part}" for head in outputs] for part in ("q", "pattern", "z", "q.scale")
    }
    groups = [
        (f"L{layer}.KV{group}" if net.graph.shape.shares_keys else f"L{layer}.H{group}")
        for layer in layers
        for group in dict.fromkeys((net.graph.shape.kv_heads - 1, 0))
    ]
    keys = {part: [f"{group}.{part}" for group in groups] for part in ("k", "v")}
    found = {"embed": ["embed"], **each, **channels, **keys, "head": outputs}
    if not can_be_opened(net):
        del found["pattern"]
    known = set(net.graph.names()) | {cut.name for cut in net.graph.cuts}
    return {
        part: names for part, some in found.items() if (names := [n for n in some if n in known])
    }


def _swap_finding(swap: "SelfSwap") -> Finding:
    legs = {
        "its own value changes no bit": swap.no_op_is_exact,
        f"the source differs (by {swap.source_difference:.2g})": swap.source_difference > 0,
        f"the logits change (by {swap.receiver_difference:.2g})": swap.receiver_difference > 0,
    }
    detail = "; ".join(leg if stands else f"NOT SO: {leg}" for leg, stands in legs.items())
    if not swap.no_op_is_exact:
        return Finding(f"swap {swap.mediator}", State.FAILED, detail)
    if swap.is_sound:
        return Finding(f"swap {swap.mediator}", State.OK, detail)
    return Finding(f"swap {swap.mediator}", State.NOTE, f"{detail} (dead in this model?)")


def _all_swaps(swaps: Sequence["SelfSwap"]) -> Finding:
    alive = sum(swap.receiver_difference > 0 for swap in swaps)
    if alive:
        return Finding("swaps", State.OK, f"{alive} of {len(swaps)} change the logits")
    if all(swap.world_difference == 0 for swap in swaps):
        return Finding("swaps", State.NOTE, "the logits are the same whatever the prompt")
    detail = f"none of {len(swaps)} changes the logits, though they differ between prompts"
    return Finding("swaps", State.FAILED, detail)


def _determinism(net: "LiftedNetwork", pairs: "PromptPairs") -> Finding:
    from causalnet.execute import check_determinism

    found = check_determinism(net, pairs)
    rows = f"rows run one by one differ by at most {found.batch_difference:.1e} logits"
    if found.repeats_exactly:
        detail = f"the same batch twice gives the same bits; {rows}"
        return Finding("determinism", State.OK, detail)
    return Finding("determinism", State.WARNING, f"the same batch twice gives other bits; {rows}")
