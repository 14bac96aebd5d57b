"""Views: parts of values, several of them in one layer, layers on layers; noise; positions."""

import re

import pytest
import torch

from causalnet.errors import AlignmentError, TermError
from causalnet.execute import Bindings, Matrix, evaluate, record
from causalnet.execute.batch import make_batch
from causalnet.execute.values import noise_rows
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
    Part,
    Read,
    Self,
    Site,
    Subspace,
    Value,
    World,
    logit_diff,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs

BASE, SOURCE = Base("base"), Base("source")
ROTATION = Handle("rotation", "r")


def rotation(width: int = 32, columns: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    square = torch.randn(width, width, generator=generator, dtype=torch.float64)
    orthonormal: torch.Tensor = torch.linalg.qr(square).Q
    return orthonormal[:, :columns]


def reading(
    world: World,
    network: LiftedNetwork,
    pairs: PromptPairs | None = None,
    basis: torch.Tensor | None = None,
    **options: object,
) -> torch.Tensor:
    read = Read(logit_diff, world)
    bound = {ROTATION: Matrix(rotation() if basis is None else basis)}
    bindings = Bindings.of(pairs or word_pairs(3), bound)
    result = evaluate([read], network, bindings, **options)  # type: ignore[arg-type]  # options
    value: torch.Tensor = result.values[read]
    return value


def interchange(site: Site, world: World = SOURCE) -> tuple[Site, At]:
    return site, At(site.read_from, world)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("edge", [False, True])
def test_disjoint_parts_make_the_whole_in_one_layer_or_in_two(kind: str, edge: bool) -> None:
    network = net(kind)

    def site(part: Part | None) -> Site:
        if edge:
            return Edge("L0.H1", "L1.mlp", ("end", 1), part)
        return Node("L0.H1", ("end", 1), part)

    splits: list[tuple[Part, Part]] = [
        (Indices("feature", tuple(range(10))), Indices("feature", tuple(range(10, 32)))),
        (Subspace(ROTATION, tuple(range(5))), Subspace(ROTATION, tuple(range(5, 32)))),
    ]
    whole = reading(Do(BASE, (interchange(site(None)),)), network)
    for first, second in splits:
        together = Do(BASE, (interchange(site(first)), interchange(site(second))))
        layered = Do(Do(BASE, (interchange(site(first)),)), (interchange(site(second)),))
        for world in (together, layered):
            torch.testing.assert_close(reading(world, network), whole, atol=1e-10, rtol=0)
        half = reading(Do(BASE, (interchange(site(first)),)), network)
        assert float((half - whole).abs().max()) > 1e-6


def test_sites_of_one_layer_see_the_value_below_the_layer() -> None:
    """Not what another site of the layer sets: masked rows are scaled by all that is left."""
    network, name = net(), "L1.H0.pattern"
    first, second = (Node(name, ("end",), Indices("attended", part)) for part in ((0, 1), (2, 3)))

    def masked(value: Value, key: str) -> Op:
        return Op("mask_pattern", (value,), (("keys", key),))

    both = Do(BASE, ((first, masked(Self(), "2")), (second, masked(Self(), "0"))))
    below = At(name, BASE)
    by_hand = Do(Do(BASE, ((first, masked(below, "2")),)), ((second, masked(below, "0")),))
    layered = Do(Do(BASE, ((first, masked(Self(), "2")),)), ((second, masked(Self(), "0")),))
    assert torch.equal(reading(both, network), reading(by_hand, network))
    assert float((reading(both, network) - reading(layered, network)).abs().max()) > 1e-6


def test_a_layer_on_a_subspace_keeps_the_one_below() -> None:
    """Ablate, then steer within a subspace: what lies outside it stays ablated."""
    network = net()
    ablated = Do(BASE, ((Node("L0.mlp"), Const()),))
    part = Subspace(ROTATION, (0, 1, 2))
    steered = Do(ablated, (interchange(Node("L0.mlp", (), part)),))
    # With P the projection and s the source's value: s - (1 - P) s = P s.
    rest = At("L0.mlp", Do(SOURCE, ((Node("L0.mlp", (), part), Const()),)))
    projected = Op("subtract", (At("L0.mlp", SOURCE), rest))
    by_hand = Do(BASE, ((Node("L0.mlp"), projected),))
    ours, theirs = reading(steered, network), reading(by_hand, network)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)
    unablated = Do(BASE, (interchange(Node("L0.mlp", (), part)),))
    assert float((ours - reading(unablated, network)).abs().max()) > 1e-6


def test_a_layer_on_some_positions_keeps_the_one_below() -> None:
    network = net()
    first = Do(BASE, (interchange(Node("L0.H1.q")),))
    undone = Do(first, (interchange(Node("L0.H1.q", (0, 1, 2, 3, 4)), BASE),))
    last = Do(BASE, (interchange(Node("L0.H1.q", (5,))),))
    assert torch.equal(reading(undone, network), reading(last, network))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("padding", ["left", "right"])
def test_padding_and_batches_change_nothing(kind: str, padding: str) -> None:
    network, pairs = net(kind), word_pairs(5, lengths=(4, 7, 6))
    owner = "KV0" if network.graph.shape.shares_keys else "H0"
    keys = (("keys", "1,end"),)
    sites: list[tuple[Site, object]] = [
        (Node("L1.H0.pattern", ("end",)), Op("mask_pattern", (Self(),), keys)),
        (Node("L0.H1.pattern"), Op("uniform_pattern", (Self(),))),
        (Node("L0.H2.pattern", ("end",)), Op("redirect", (Self(),), (("keys", "0,2"),))),
        (Node("L0.H3.pattern", (), Indices("attended", (0, 2))), At("L0.H3.pattern", SOURCE)),
        (Node("L0.H3.z"), Noise("one")),
        (Node("L1.H3.pattern"), Noise("one")),
        (Edge(f"L1.{owner}.k", "L1.H0.pattern"), At(f"L1.{owner}.k", SOURCE)),
        (Edge("L0.mlp", "L1.H1.q", ("end", 0)), At("L0.mlp", SOURCE)),
        (Node("L1.mlp.scale", ("end",)), At("L1.mlp.scale", SOURCE)),
    ]
    for site, value in sites:
        world = Do(BASE, ((site, value),))  # type: ignore[arg-type]  # values of several types
        alone = reading(world, network, pairs, batch_size=1)
        padded = reading(world, network, pairs, batch_size=5, padding=padding)
        torch.testing.assert_close(padded, alone, atol=1e-10, rtol=0)
        plain = reading(BASE, network, pairs)
        assert float((plain - alone).abs().max()) > 1e-7, str(site)


def test_noise_is_standard_normal_and_decided_by_key_and_prompt() -> None:
    pairs = word_pairs(64)
    batch = make_batch(pairs.base, range(64), torch.device("cpu"))
    like = torch.zeros(64, 6, 32, dtype=torch.float64)
    drawn = noise_rows("key", batch, range(64), like)
    assert abs(float(drawn.mean())) < 5 / 12288**0.5
    assert abs(float(drawn.var()) - 1) < 0.1
    assert torch.equal(drawn, noise_rows("key", batch, range(64), like))
    assert not torch.equal(drawn, noise_rows("other", batch, range(64), like))
    some = make_batch(pairs.base, range(8, 12), torch.device("cpu"))
    assert torch.equal(drawn[8:12], noise_rows("key", some, range(8, 12), like[:4]))
    assert float(torch.corrcoef(drawn.flatten(1))[0, 1].abs()) < 0.4


def test_one_key_is_one_draw_and_two_are_two() -> None:
    network = net()

    def noisy(first: str, second: str) -> World:
        return Do(BASE, ((Node("L0.H0"), Noise(first)), (Node("L0.H1"), Noise(second))))

    twice = Do(noisy("a", "a"), ((Node("L0.H1"), At("L0.H0", noisy("a", "b"))),))
    assert torch.equal(reading(noisy("a", "a"), network), reading(twice, network))
    assert not torch.equal(reading(noisy("a", "a"), network), reading(noisy("a", "b"), network))


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        (torch.eye(32, dtype=torch.float64)[:, :4] * 1.1, "not orthonormal.*off one by 2.1e-01"),
        (torch.ones(32, 3, dtype=torch.float64), "not orthonormal"),
        (torch.full((32, 2), float("nan"), dtype=torch.float64), "not orthonormal"),
        (torch.eye(8, dtype=torch.float64), r"shape \(8, 8\).*32 wide"),
        (torch.eye(32, dtype=torch.float64)[:, :1], r"column 1.*columns 0\.\.0"),
    ],
)
def test_a_basis_that_does_not_fit(basis: torch.Tensor, said: str) -> None:
    world = Do(BASE, (interchange(Node("L0.mlp", (), Subspace(ROTATION, (0, 1)))),))
    with pytest.raises(TermError, match=said):
        reading(world, net(), basis=basis)


def test_an_index_that_a_short_prompt_does_not_have() -> None:
    site = Node("L0.H1.pattern", (), Indices("attended", (4,)))
    world = Do(BASE, (interchange(site),))
    reading(world, net(), word_pairs(2, lengths=(5, 6)))
    with pytest.raises(TermError, match=re.escape("entries 0..3 in the shortest prompt")):
        reading(world, net(), word_pairs(2, lengths=(5, 4)))


def test_positions_of_unequal_prompts() -> None:
    network, pairs = net(), word_pairs(3, align=False, extra=2)
    for site in (Node("L0.H1.q", ("end",)), Edge("L0.mlp", "L1.H1.q", ("end", 0))):
        reading(Do(BASE, (interchange(site),)), network, pairs)
    for broken in (Edge("L0.mlp", "L1.H1.q"), Node("L0.H1.q")):
        with pytest.raises(AlignmentError, match=r"at all positions.*at='end'"):
            reading(Do(BASE, (interchange(broken),)), network, pairs)
    with pytest.raises(AlignmentError, match="a pattern has an entry for each token"):
        reading(Do(BASE, (interchange(Node("L0.H1.pattern", ("end",))),)), network, pairs)


def test_a_noise_key_of_a_world_is_refused() -> None:
    with pytest.raises(TermError, match="no noise nodes"):
        reading(Base("base", "u"), net())


def test_patterns_and_scales_can_be_recorded() -> None:
    seen: dict[str, torch.Tensor] = {}
    names = ("L0.H1.pattern", "L1.mlp.scale", "logits.scale", "L0.KV1.k", "logits")
    record(names, net(), word_pairs(2).base, lambda _, values: seen.update(values))
    shapes = {name: tuple(value.shape) for name, value in seen.items()}
    assert shapes == {
        "L0.H1.pattern": (2, 6, 6),
        "L1.mlp.scale": (2, 6, 1),
        "logits.scale": (2, 6, 1),
        "L0.KV1.k": (2, 6, 8),
        "logits": (2, 6, 64),
    }
    pattern = seen["L0.H1.pattern"]
    torch.testing.assert_close(pattern.sum(-1), torch.ones(2, 6, dtype=torch.float64))
    assert float(pattern.triu(1).abs().max()) == 0
