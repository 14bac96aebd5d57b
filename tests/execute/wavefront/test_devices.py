"""What the wavefront does on a card, found out without one.

Tensors that have a device and no numbers stand for a card's: whatever looks at a number, and
whatever mixes devices, fails on them.
"""

import sys
import weakref
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from causalnet.compiler import compile_reads
from causalnet.effects import explain, run
from causalnet.errors import NumericalError, OutOfMemoryError, ParameterError
from causalnet.execute import Bindings, evaluate, run_leaves
from causalnet.execute.bindings import Constant, Matrix, PerPosition, Pooled, moved_constants
from causalnet.execute.devices import check_type, on_device, tokens_at_once
from causalnet.execute.wavefront import engine, wave
from causalnet.execute.wavefront.attention import attend
from causalnet.execute.wavefront.checks import Checks
from causalnet.execute.wavefront.engine import prepare, run_batch
from causalnet.execute.wavefront.linear import Projection
from causalnet.execute.wavefront.mlp import Mlp
from causalnet.execute.wavefront.norms import Norm
from causalnet.execute.wavefront.runs import run as plain_run
from causalnet.execute.wavefront.wave import Counts, Limits
from causalnet.execute.wavefront.weights import Block, Weights
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Indices,
    Node,
    Noise,
    Op,
    Read,
    Self,
    Site,
    Subspace,
    Value,
    World,
    accuracy,
    kl,
    logit_diff,
    loss,
    probability,
)
from causalnet.lift import LiftedNetwork, raised_casts
from tests.toys import net, word_pairs

BASE, SOURCE = Base("base"), Base("source")
CARD = torch.device("meta")
MODULE = sys.modules["causalnet.execute.run_leaves"]  # its name is the function's
AS_ON_A_CARD = Limits(merge=False, checks_at_once=False)


def bindings(n: int = 3, lengths: tuple[int, ...] = (6, 5)) -> Bindings:
    return Bindings.of(word_pairs(n, 0, lengths))


def patched(*sites: Site, world: World = BASE) -> World:
    return Do(world, tuple((site, At(site.read_from, SOURCE)) for site in sites))


def heads(network: LiftedNetwork) -> list[Read]:
    """The base, and one world for every head."""
    worlds = [patched(Node(f"{head}.z")) for head in network.graph.heads()]
    return [Read(logit_diff, world) for world in (BASE, *worlds)]


def put(site: Site, value: Value) -> World:
    return Do(BASE, ((site, value),))


# -- a card without a card -------------------------------------------------------------------------


class WaitsError(AssertionError):
    """Something waits for the device."""


class Queueing(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch gives it no types
    """Fails where a card would have to finish its work before Python goes on.

    What reads a number of a tensor that has none fails by itself.

    Attributes:
        copied: How many tensors were brought onto the card without waiting.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.copied, self.may_copy = 0, False

    def on_device(self, value: Tensor, device: torch.device) -> Tensor:
        """Stand for the one function whose copies nobody waits for."""
        self.copied, self.may_copy = self.copied + 1, True
        moved = on_device(value, device)
        self.may_copy = False
        return moved

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        made, name = func(*args, **(kwargs or {})), func.overloadpacket.__name__
        if name in ("_to_copy", "copy_") and not self.may_copy:
            to, of = (made, args[0]) if name == "_to_copy" else args[:2]
            if of.device != to.device:
                raise WaitsError(f"{name} from {of.device} to {to.device}")
        if name in ("index", "index_put", "index_put_") and args[0].device == CARD:
            indices = [index for index in args[1] if index is not None]
            if any(index.device != CARD or index.dtype is torch.bool for index in indices):
                raise WaitsError(f"{name} by a mask, or by numbers that lie elsewhere")
        return made


def on_a_card(value: Any) -> Any:
    """Weights like these on the card."""
    if isinstance(value, Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=CARD)
    if isinstance(value, tuple):
        return tuple(on_a_card(part) for part in value)
    if isinstance(value, Weights | Block | Projection | Norm | Mlp):
        return replace(value, **{f.name: on_a_card(getattr(value, f.name)) for f in fields(value)})
    return value


def queued(
    reads: Sequence[Read],
    network: LiftedNetwork,
    bound: Bindings,
    limits: Limits = AS_ON_A_CARD,
) -> Counts:
    """Run reads on the card up to the one look at its flags; nothing may wait before."""
    counts, looks, queueing = Counts(), list[Checks](), Queueing()
    program, weights = compile_reads(tuple(reads), network.graph), Weights.of(network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checks, "look", lambda checks: looks.append(checks))
        for name, module in list(sys.modules.items()):
            if name.startswith("causalnet.execute.") and hasattr(module, "on_device"):
                patch.setattr(module, "on_device", queueing.on_device)
        with queueing:
            values = prepare(program, network, on_a_card(weights), bound, range(len(bound)))
            answers = run_batch(values, limits, counts, lambda: None)
    assert all(answer.device == CARD and answer.shape == (len(bound),) for answer in answers)
    (checks,) = looks
    assert len(checks.waiting) >= counts.runs and queueing.copied > 0
    return counts


def of_constants() -> dict[Handle, Constant]:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(8, 3, generator=generator, dtype=torch.float64)).Q
    rows = torch.randn(6, 8, generator=generator, dtype=torch.float64)
    by_template = {f"length {length}": rows[:length] for length in (5, 6)}
    return {
        Handle("vector", "v"): Pooled(rows[0]),
        Handle("means", "m"): PerPosition(by_template),
        Handle("basis", "b"): Matrix(basis),
    }


def plain_reads(network: LiftedNetwork) -> list[Read]:
    """Births of every plain kind, with every kind of value and read-out."""
    vector, means, basis = of_constants()
    keys, values = (
        next(n for n in network.graph.names() if n.startswith(layer) and n.endswith(channel))
        for layer, channel in (("L2.", ".k"), ("L1.", ".v"))
    )
    end = ("end",)
    worlds = [
        *(
            patched(Node(f"L{layer}.H{head}.z", at))
            for layer in (0, 1, 2)
            for head, at in ((0, ()), (1, end))
        ),
        patched(Node("L0.H1.z", end), Node("L2.mlp")),
        patched(Node("L1.mlp", (2,)), world=patched(Node("L0.H3.z"))),
        patched(Node("L1.resid_mid", end)),
        patched(Node("L2.resid_pre")),
        patched(Node("embed", (3,))),
        patched(Edge("L0.H1", "L2.H0.q", end)),
        patched(Edge("L0.H1", keys)),
        patched(Edge("embed", values)),
        patched(Edge("L0.H2", "L1.mlp")),
        patched(Edge("L1.H2", "logits")),
        put(Node("L1.H2.z"), Const(None)),
        put(Node("L1.H2.z", end), Const(vector)),
        put(Node("L1.H3.z"), Const(means)),
        put(Node("L0.mlp", end), Op("scale", (Self(),), (("factor", 0.5),))),
        put(Node("L1.H1.z", end), Noise("draw")),
        put(Node("L1.H1.z", (), Indices("feature", (1, 3))), At("L1.H1.z", SOURCE)),
        put(Node("L2.H1.z", end, Subspace(basis, (0, 2))), At("L2.H1.z", SOURCE)),
    ]
    reads = [Read(logit_diff, world) for world in (BASE, *worlds)]
    others = (probability, loss, accuracy, kl)
    return reads + [Read(readout, world) for readout in others for world in worlds[:2]]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_nothing_waits_for_a_card_before_the_end_of_a_batch(kind: str) -> None:
    network = net(kind, 0, 3)
    bound = replace(bindings(3, (6, 5)), constants=of_constants())
    counts = queued(plain_reads(network), network, bound)
    assert counts.births >= 20 and counts.slots >= 3 and counts.general == 0


def test_a_wave_that_looks_is_found() -> None:
    """The test above can fail: merging looks at every birth."""
    network = net("llama", 0, 3)
    looking = replace(AS_ON_A_CARD, merge=True)
    with pytest.raises((RuntimeError, NotImplementedError)):
        queued(plain_reads(network)[:4], network, bindings(), looking)
    with pytest.raises(WaitsError, match="to meta"), Queueing():
        torch.ones(2).to(CARD)
    with pytest.raises(WaitsError, match="mask"), Queueing():
        torch.ones(2, device=CARD)[torch.tensor([0])]


def test_constants_are_moved_once_and_in_the_type_that_is_computed_in() -> None:
    bound = replace(bindings(), constants=of_constants())
    assert moved_constants(bound, torch.device("cpu"), torch.float32) is bound
    for constant in moved_constants(bound, CARD, torch.float32).constants.values():
        match constant:
            case PerPosition(by_template):
                tensors = list(by_template.values())
            case Pooled(value) | Matrix(value):
                tensors = [value]
        assert {(t.device, t.dtype) for t in tensors} == {(CARD, torch.float32)}


@pytest.fixture
def as_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is merged, and flags are looked at together."""
    monkeypatch.setattr(MODULE, "is_accelerator", lambda device: True)


@pytest.mark.usefixtures("as_on_a_card")
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_values_on_a_card_are_those_of_hooks(kind: str) -> None:
    network = net(kind, 0, 3)
    bound = replace(bindings(3, (6, 5)), constants=of_constants())
    reads = plain_reads(network)
    with raised_casts(network.model.module):
        expected = evaluate(reads, network, bound).values
        found = run_leaves(reads, network, bound, executor="wavefront")
    assert found.executed["merged"] == 0
    for read in reads:
        torch.testing.assert_close(found.values[read], expected[read], rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("as_on_a_card")
@pytest.mark.parametrize("name", ["L1.H0.z", "L1.mlp", "L0.resid_mid"])
@pytest.mark.parametrize("bad", [float("nan"), 1e200])
def test_what_is_not_sound_is_located_at_the_end_of_a_batch(name: str, bad: float) -> None:
    network, handle = net("llama"), Handle("bad", "bad")
    width = network.graph.axes(name)[-1].size
    assert width is not None
    vector = torch.full((width,), bad, dtype=torch.float64)
    bound = replace(bindings(), constants={handle: Pooled(vector)})
    worlds = [patched(Node("L0.H1.z")), put(Node(name, ("end",)), Const(handle))]
    with pytest.raises(NumericalError, match="prompt"):
        run_leaves([Read(logit_diff, world) for world in worlds], network, bound)


# -- types -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["wavefront", "hooks"])
def test_autocast_changes_nothing(executor: Any) -> None:
    network, bound = net("llama"), bindings()
    reads = heads(network)[:3]
    plain = run_leaves(reads, network, bound, executor=executor)
    with torch.autocast("cpu", torch.bfloat16):
        found = run_leaves(reads, network, bound, executor=executor)
    assert all(torch.equal(found.values[read], plain.values[read]) for read in reads)


def test_types_that_values_are_computed_in() -> None:
    network, bound = net("llama"), bindings()
    read = heads(network)[1]
    exact = run_leaves([read], network, bound)
    rough = run_leaves([read], network, bound, dtype=torch.bfloat16)
    assert rough.settings["dtype"] == "torch.bfloat16"
    assert exact.settings["tokens_at_once"] == tokens_at_once(torch.device("cpu"))
    assert exact.settings["device"] == "cpu"
    scale = exact.values[read].abs().max()
    assert 0 < float((rough.values[read].double() - exact.values[read]).abs().max()) < 0.2 * scale
    with pytest.raises(
        ParameterError, match=r"torch.float16 was asked for.*There are.*Write dtype"
    ):
        run_leaves([read], network, bound, dtype=torch.float16)


def test_metal_has_no_float64() -> None:
    with pytest.raises(ParameterError, match=r"float64.*'mps'.*no numbers of 64 bits.*Load"):
        check_type(torch.float64, torch.device("mps"))
    check_type(torch.float32, torch.device("mps"))


def test_rotary_tables_have_no_more_than_float32_beside_narrow_weights() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        speeds = Weights.of(net("llama"), dtype).speeds
        assert speeds is not None and speeds.dtype is torch.float32


# -- out of memory ---------------------------------------------------------------------------------


class Full:
    """A kernel that runs out of memory at some calls, and holds a tensor when it does."""

    def __init__(self, kernel: Any, fails: Any) -> None:
        self.kernel, self.fails, self.calls = kernel, fails, 0
        self.held: list[weakref.ref[Tensor]] = []

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.fails(self.calls, arguments):
            held = torch.empty(10)
            self.held.append(weakref.ref(held))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.kernel(*arguments, **named)


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_memory_that_runs_out_in_a_wave_halves_it(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, bound, seen = net("llama", 0, 3), bindings(), list[tuple[int, int]]()
    reads = heads(network)
    whole = run_leaves(reads, network, bound)
    full = Full(attend, lambda calls, _: calls <= failures)
    freed: list[bool] = []
    monkeypatch.setattr(wave, "attend", full)
    monkeypatch.setattr(
        MODULE, "free_memory", lambda _: freed.append(all(ref() is None for ref in full.held))
    )
    found = run_leaves(
        reads, network, bound, progress=lambda done, expected: seen.append((done, expected))
    )
    assert (found.halvings, freed) == (failures, [True] * failures)
    assert any(f"memory ran out {failures} times" in note for note in found.notes)
    same = {"attention", "mlp", "births", "runs"}
    assert {n: found.executed[n] for n in same} == {n: whole.executed[n] for n in same}
    assert found.executed["waves"] > whole.executed["waves"]
    assert seen[-1][0] == seen[-1][1]
    for read in reads:
        torch.testing.assert_close(found.values[read], whole.values[read], rtol=1e-9, atol=1e-12)


def test_memory_that_runs_out_in_a_base_pass_halves_the_prompts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, bound = net("llama", 0, 3), bindings(4)
    reads = heads(network)
    whole = run_leaves(reads, network, bound)
    monkeypatch.setattr(engine, "run", Full(plain_run, lambda _, given: len(given[1]) > 1))
    found = run_leaves(reads, network, bound)
    assert (found.halvings, found.batch_size, found.executed["waves"]) == (2, 1, 4)
    for read in reads:
        torch.testing.assert_close(found.values[read], whole.values[read], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("place", "kernel"), [(wave, "attend"), (engine, "run")])
def test_memory_that_has_no_room_for_one_version_is_an_error(
    place: Any, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = net("llama", 0, 3)
    monkeypatch.setattr(place, kernel, Full(getattr(place, kernel), lambda *_: True))
    with pytest.raises(OutOfMemoryError, match=r"one version at one prompt.*take about .*B.*Use a"):
        run_leaves(heads(network), network, bindings())


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: an illegal instruction was encountered")

    monkeypatch.setattr(wave, "attend", broken)
    with pytest.raises(RuntimeError, match="illegal instruction"):
        run_leaves(heads(net("llama", 0, 3)), net("llama", 0, 3), bindings())


# -- what is said ----------------------------------------------------------------------------------


def test_how_much_is_done_at_once_is_printed_and_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, pairs = net("llama"), word_pairs(2)
    query = "nie(L1.H2; at=end)"
    told, table = explain(query, network, pairs), run(query, network, pairs)
    count = tokens_at_once(torch.device("cpu"))
    assert f"DEVICE    cpu: {count:,} tokens at once" in str(told).splitlines()
    assert table.provenance["settings"]["tokens_at_once"] == count
    assert set(table.provenance["settings"]) == {"device", "dtype", "tokens_at_once"}
    module = sys.modules["causalnet.effects.explain"]
    monkeypatch.setattr(module, "tokens_at_once", lambda device: 8192)
    assert ": 8,192 tokens at once" in str(explain(query, network, pairs))
