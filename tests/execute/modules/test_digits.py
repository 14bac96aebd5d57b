"""Patching small networks trained on digits: values against hooks written by hand, and counts."""

from typing import Any

import pytest
import torch
from torch import Tensor

from causalnet.effects import zero
from causalnet.errors import LiftError, NumericalError, ParameterError, TermError
from causalnet.execute import Pooled
from causalnet.execute.modules import Examples, ModuleBindings, evaluate_module, evaluate_query
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Indices,
    Node,
    Op,
    Read,
    ReadOut,
    Self,
    World,
    ablation_effect,
    accuracy,
    logit_diff,
    nie,
    probability,
    te,
    value_of,
)
from causalnet.lift import head_part
from tests.lift.modules.networks import examples, lifted, logits_of, trained

BASE, SOURCE = Base("base"), Base("source")
ROWS = 6


def bindings(kind: str) -> ModuleBindings:
    """Rows 0..5 patched from rows 6..11, whose labels are the foils."""
    base, right = examples(kind, slice(0, ROWS))
    source, wrong = examples(kind, slice(ROWS, 2 * ROWS))
    return ModuleBindings.of(
        lifted(kind), base, source, answers=right.tolist(), foils=wrong.tolist()
    )


def read(kind: str, world: World, **options: Any) -> Tensor:
    leaf = Read(logit_diff, world)
    return evaluate_module([leaf], lifted(kind), bindings(kind), **options).values[leaf]


def difference(kind: str, logits: Tensor) -> Tensor:
    at, (_, right), (_, wrong) = (
        torch.arange(ROWS),
        examples(kind, slice(0, ROWS)),
        examples(kind, slice(ROWS, 2 * ROWS)),
    )
    return logits[at, right] - logits[at, wrong]


def submodule(kind: str, path: str) -> Any:
    return trained(kind).get_submodule(path)


def first(output: Any) -> Tensor:
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def seen(kind: str, path: str, rows: slice) -> Tensor:
    """What a submodule returns on some rows."""
    kept: list[Tensor] = []
    hook = submodule(kind, path).register_forward_hook(
        lambda _, __, out: kept.append(first(out).clone())
    )
    with torch.no_grad():
        trained(kind)(**examples(kind, rows)[0])
    hook.remove()
    return kept[0]


def patched(kind: str, path: str, change: Any) -> Tensor:
    """The logits of the base rows with a submodule's output changed."""

    def hook(_: Any, __: Any, out: Any) -> Any:
        new = change(first(out).clone())
        return (new, *out[1:]) if isinstance(out, tuple) else new

    handle = submodule(kind, path).register_forward_hook(hook)
    with torch.no_grad():
        logits = logits_of(trained(kind)(**examples(kind, slice(0, ROWS))[0]))
    handle.remove()
    return logits


PATCHED = {
    "mlp": ("0", "2"),
    "cnn": ("first", "norm", "pool"),
    "bert": ("bert.embeddings", "bert.encoder.layer.0.attention.output", "bert.encoder.layer.1"),
    "vit": ("vit.layers.0.attention.o_proj", "vit.layers.0.mlp", "vit.layers.1"),
}
CASES = [(kind, path) for kind, paths in PATCHED.items() for path in paths]


@pytest.mark.parametrize("kind", PATCHED)
def test_the_networks_know_digits(kind: str) -> None:
    inputs, labels = examples(kind, slice(0, 200))
    with torch.no_grad():
        right = logits_of(trained(kind)(**inputs)).argmax(-1) == labels
    assert right.double().mean() > 0.4
    values = ModuleBindings.of(lifted(kind), inputs, answers=labels.tolist())
    leaf = Read(accuracy, BASE)
    assert torch.equal(evaluate_module([leaf], lifted(kind), values).values[leaf], right.double())


@pytest.mark.parametrize("kind, path", CASES)
def test_interchange_and_ablation_are_those_of_hooks_by_hand(kind: str, path: str) -> None:
    theirs = seen(kind, path, slice(ROWS, 2 * ROWS))
    wanted = difference(kind, patched(kind, path, lambda _: theirs))
    found = read(kind, Do(BASE, ((Node(path), At(path, SOURCE)),)), batch_size=4)
    assert (found - wanted).abs().max() < 1e-10
    natural = difference(kind, patched(kind, path, lambda own: own))
    assert (wanted - natural).abs().max() > 1e-3  # the patch does something
    zeroed = difference(kind, patched(kind, path, torch.zeros_like))
    found = read(kind, Do(BASE, ((Node(path), Const()),)))
    assert (found - zeroed).abs().max() < 1e-10


def test_positions_heads_and_channels_are_parts_of_values() -> None:
    path = "vit.layers.0.attention.o_proj"
    theirs: list[Tensor] = []
    before = submodule("vit", path).register_forward_pre_hook(
        lambda _, args: theirs.append(args[0].clone())
    )
    with torch.no_grad():
        trained("vit")(**examples("vit", slice(ROWS, 2 * ROWS))[0])
    before.remove()

    def one_head(_: Any, args: Any) -> Any:
        own = args[0].clone()
        own[:, (0, 3), 8:16] = theirs[0][:, (0, 3), 8:16]
        return (own,)

    handle = submodule("vit", path).register_forward_pre_hook(one_head)
    with torch.no_grad():
        logits = trained("vit")(**examples("vit", slice(0, ROWS))[0]).logits
    handle.remove()
    site = Node(f"{path}/in", (0, 3), head_part(1, 4, 32))
    found = read("vit", Do(BASE, ((site, At(f"{path}/in", SOURCE)),)))
    assert (found - difference("vit", logits)).abs().max() < 1e-10

    def channels(own: Tensor) -> Tensor:
        own[:, (1, 5)] *= 3.0
        return own

    scaled = Op("scale", (Self(),), (("factor", 3.0),))
    found = read("cnn", Do(BASE, ((Node("first", (), Indices("channel", (1, 5))), scaled),)))
    wanted = difference("cnn", patched("cnn", "first", channels))
    assert (found - wanted).abs().max() < 1e-10


def test_an_edge_through_a_residual_sum_is_that_receivers_alone() -> None:
    """layer 1's first norm reads the embeddings of the source; all others read the base's."""
    layers = trained("vit").vit.layers
    with torch.no_grad():
        inner = trained("vit").vit
        pixels, others = (
            examples("vit", rows)[0]["pixel_values"]
            for rows in (slice(0, ROWS), slice(ROWS, 2 * ROWS))
        )
        here, there = (inner.embeddings(each) for each in (pixels, others))
        first_, second = layers

        def attended(layer: Any, value: Tensor) -> Tensor:
            found: Tensor = layer.attention(layer.layernorm_before(value))[0]
            return found

        middle = attended(first_, here) + here
        own = attended(first_, here)
        changed = middle - here + there
        mlp = first_.mlp(first_.layernorm_after(changed))
        after = own + here + mlp
        last = attended(second, after) + after
        last = second.mlp(second.layernorm_after(last)) + last
        logits = trained("vit").classifier(inner.layernorm(last)[:, 0])
    site = Edge("vit.embeddings", "vit.layers.0.layernorm_after")
    found = read("vit", Do(BASE, ((site, At("vit.embeddings", SOURCE)),)))
    assert (found - difference("vit", logits)).abs().max() < 1e-10
    whole = read("vit", Do(BASE, ((Node("vit.embeddings"), At("vit.embeddings", SOURCE)),)))
    assert (found - whole).abs().max() > 1e-3


def test_named_positions_differ_from_row_to_row() -> None:
    net, (base, labels) = lifted("bert"), examples("bert", slice(0, ROWS))
    source, _ = examples("bert", slice(ROWS, 2 * ROWS))
    ours, theirs = (1, 2, 3, 4, 5, 6), (9, 8, 7, 6, 5, 4)
    from causalnet.execute import Answers

    named = ModuleBindings(
        {"base": Examples(base, {"S": ours}), "source": Examples(source, {"S": theirs})},
        Answers(tuple((int(one),) for one in labels), ((),) * ROWS, "mean"),
    )
    path = "bert.encoder.layer.0.output"
    there = seen("bert", path, slice(ROWS, 2 * ROWS))
    at = torch.arange(ROWS)

    def moved(own: Tensor) -> Tensor:
        own[at, list(ours)] = there[at, list(theirs)]
        return own

    leaf = Read(probability, Do(BASE, ((Node(path, ("S",)), At(path, SOURCE)),)))
    found = evaluate_module([leaf], net, named, batch_size=4).values[leaf]
    wanted = patched("bert", path, moved).softmax(-1)[at, labels]
    assert (found - wanted).abs().max() < 1e-10


@pytest.mark.parametrize("kind", PATCHED)
def test_queries_of_the_language_run_on_modules(kind: str) -> None:
    net = lifted(kind)
    chosen = [net[path] for path in PATCHED[kind]]
    total = evaluate_query(te(), net, bindings(kind))["TE"]
    effects = evaluate_query(nie(chosen), net, bindings(kind))
    assert [*effects] == [*PATCHED[kind]]
    if kind == "cnn":  # everything passes the pool
        assert abs(effects["pool"] - total).max() < 1e-10
    ablated = evaluate_query(ablation_effect(chosen, zero()), net, bindings(kind))
    first_ = read(kind, Do(BASE, ((Node(PATCHED[kind][0]), Const()),))) - read(kind, BASE)
    assert abs(ablated[PATCHED[kind][0]] - first_.numpy()).max() < 1e-10


def test_constants_are_set_whole_or_along_the_last_axis() -> None:
    handle, image = Handle("c", "1"), Handle("i", "2")
    vector, full = torch.linspace(-1, 1, 32).double(), torch.full((8, 8, 8), 0.25).double()
    given = bindings("mlp")
    with_constant = ModuleBindings(given.inputs, given.answers, {handle: Pooled(vector)})
    leaf = Read(logit_diff, Do(BASE, ((Node("0"), Const(handle)),)))
    found = evaluate_module([leaf], lifted("mlp"), with_constant).values[leaf]
    wanted = difference("mlp", patched("mlp", "0", lambda own: vector.expand_as(own)))
    assert (found - wanted).abs().max() < 1e-10
    given = bindings("cnn")
    with_constant = ModuleBindings(given.inputs, given.answers, {image: Pooled(full)})
    leaf = Read(logit_diff, Do(BASE, ((Node("first"), Const(image)),)))
    found = evaluate_module([leaf], lifted("cnn"), with_constant).values[leaf]
    wanted = difference("cnn", patched("cnn", "first", lambda own: full.repeat(len(own), 1, 1, 1)))
    assert (found - wanted).abs().max() < 1e-10
    wrong = ModuleBindings(given.inputs, given.answers, {image: Pooled(vector)})
    with pytest.raises(TermError, match="The value that it replaces is"):
        evaluate_module([leaf], lifted("cnn"), wrong)


def test_what_does_not_fit_is_refused() -> None:
    net, given = lifted("vit"), bindings("vit")

    def run(world: World, readout: Any = logit_diff) -> None:
        evaluate_module([Read(readout, world)], net, given)

    with pytest.raises(TermError, match="positions"):
        run(Do(BASE, ((Node("classifier", (0,)), Const()),)))
    with pytest.raises(TermError, match=r"no position 17|There is no position 17"):
        run(Do(BASE, ((Node("vit.layers.0", (17,)), Const()),)))
    with pytest.raises(TermError, match="There is no position 'S'"):
        run(Do(BASE, ((Node("vit.layers.0", ("S",)), Const()),)))
    with pytest.raises(TermError, match=r"no edge|reads"):
        run(Do(BASE, ((Edge("vit.layers.0", "vit.embeddings"), Const()),)))
    with pytest.raises(TermError, match="noise key"):
        run(Base("base", "k"))
    with pytest.raises(TermError, match="'other' is not bound"):
        run(Base("other"))
    with pytest.raises(TermError, match="not one number"):
        run(BASE, value_of("vit.layers.0"))
    with pytest.raises(TermError, match=r"'logit_dif' is not known\. There are logit_difference,"):
        run(BASE, ReadOut("logit_dif", "", ""))
    with pytest.raises(ParameterError, match=r"batch_size is '8'\. A batch is a .* number of rows"):
        evaluate_module([Read(logit_diff, BASE)], net, given, batch_size="8")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(NumericalError, match="row 0"):
        huge = Op("scale", (Self(),), (("factor", float("inf")),))
        run(Do(BASE, ((Node("vit.layers.0"), huge),)))
    with pytest.raises(LiftError, match="cannot be called"):
        ModuleBindings.of(net, (1, 2, 3, 4, 5, 6, 7, 8, 9), answers=[0])
    with pytest.raises(TermError, match="was lifted with"):
        ModuleBindings.of(net, torch.zeros(2, 1, 8, 9).double(), answers=[0, 1])
    with pytest.raises(TermError, match="rows of answers"):
        ModuleBindings.of(net, examples("vit", slice(0, 3))[0], answers=[0, 1])
