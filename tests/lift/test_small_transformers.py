"""Small transformers: positions apart, silent nodes, attention to later tokens, and their check."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from causalnet.errors import LiftError, ParameterError
from causalnet.graphs import Kind
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.lift import LiftedNetwork, changed_mechanisms, lift, rebuild
from causalnet.models import load
from tests.small_models import random_ids, small_transformer

TYPES = (torch.float64, torch.float32)


@st.composite
def networks(draw: st.DrawFn) -> LiftedNetwork:
    layers, heads = draw(st.integers(1, 3)), draw(st.sampled_from((1, 2, 4)))
    parts = (*(f"H{head}" for head in range(heads)), "mlp")
    nodes = [f"L{layer}.{part}" for layer in range(layers) for part in parts]
    module = small_transformer(
        draw(st.integers(0, 99)),
        causal=draw(st.booleans()),
        silent=tuple(draw(st.sets(st.sampled_from(nodes)))),
        layers=layers,
        heads=heads,
        width=8,
        mlp_width=draw(st.integers(1, 5)),
        vocabulary=7,
        length=draw(st.integers(1, 6)),
        dtype=draw(st.sampled_from(TYPES)),
    )
    return lift(load(module))


@settings(max_examples=30, deadline=None)
@given(networks())
def test_any_small_transformer_is_lifted(net: LiftedNetwork) -> None:
    """The check passes, and the graph has what the configuration says."""
    config, shape = net.model.module.config, net.graph.shape
    assert isinstance(config, SmallShape)
    assert set(shape.silent) == set(config.silent)
    assert (shape.causal, shape.positions_apart, shape.normed) == (config.causal, True, False)
    names = {node.mediator.name for node in net.graph.nodes}
    assert {"embed", "pos_embed", "logits"} <= names
    assert not names & set(config.silent)
    every = config.layers * (config.heads + 1)
    assert len(net.heads()) + len(net.mlps()) == every - len(set(config.silent))
    assert not [node for node in net.graph.nodes if node.mediator.kind is Kind.SCALE]
    assert net.check.prompts[1] == min(config.length, 12)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_prompts_of_unequal_length_are_rebuilt(causal: bool, side: str) -> None:
    """Oracle: the model on each prompt by itself, to 1e-10."""
    net = lift(load(small_transformer(causal=causal, silent=("L0.mlp", "L1.H2"))))
    ids, mask = random_ids(3, 8), torch.ones(3, 8, dtype=torch.long)
    for row, length in enumerate((8, 5, 2)):
        mask[row, : 8 - length] = 0
    mask = mask if side == "left" else mask.flip(1)
    for computed in (rebuild(net, ids, mask).logits, net.run(ids, mask)):
        for row in range(3):
            kept = mask[row].bool()
            alone = net.run(ids[row : row + 1, kept])[0]
            assert float((computed[row, kept] - alone).abs().max()) <= 1e-10


def test_what_is_not_causal_depends_on_later_tokens() -> None:
    """What makes the checks of causality able to fail."""
    ids = random_ids(1, 6)
    other = torch.cat((ids[:, :-1], (ids[:, -1:] + 1) % 64), dim=1)
    for causal in (True, False):
        net = lift(load(small_transformer(causal=causal)))
        moved = (net.run(ids) - net.run(other))[0, 0].abs().max()
        assert bool(moved == 0) == causal


class Hidden(SmallTransformer):
    """Something else than the class says; lifted under that class's name."""


Hidden.__name__ = "SmallTransformer"


def refusal(module: nn.Module) -> str:
    with pytest.raises(LiftError) as caught:
        lift(load(module))
    return str(caught.value)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("causal", [True, False])
def test_attention_that_is_not_as_declared(causal: bool, dtype: torch.dtype) -> None:
    module = small_transformer(causal=causal, dtype=dtype)
    module.blocks[1].attention.causal = not causal
    told = refusal(module)
    assert "the first part that differs is L1.H0.z" in told
    assert "q, k and v agree, so its pattern differs" in told


@pytest.mark.parametrize(
    ("silent", "weight"),
    [
        ("L1.H2", "blocks.1.attention.output.weight"),
        ("L0.mlp", "blocks.0.mlp.out.weight"),
        ("L0.mlp", "blocks.0.mlp.out.bias"),
    ],
)
def test_a_silent_node_that_writes(silent: str, weight: str) -> None:
    module = small_transformer(silent=(silent,))
    with torch.no_grad():
        module.get_parameter(weight).view(-1)[16] = 1e-30  # head 2 of 4, whatever is measured
    assert f"{silent} is declared silent, and the weights with which it writes" in refusal(module)


def test_what_a_silent_node_reads_with_does_not_matter() -> None:
    net = lift(load(small_transformer(silent=("L1.H2", "L0.mlp"))))
    module = net.model.module
    assert bool(module.get_parameter("blocks.1.attention.query.weight")[16:24].any())
    assert "L1.H2.q" not in net.graph.names()


def test_positions_that_are_combined_otherwise() -> None:
    class Doubled(Hidden):
        def forward(self, ids, attention_mask=None, position_ids=None):  # type: ignore[no-untyped-def]  # as above
            x = self.stream(self.tokens(ids) + 2 * self.positions(position_ids))
            for block in self.blocks:
                x = block(x, attention_mask)
            return self.unembedding(x)

    Doubled.__name__ = "SmallTransformer"
    module = Doubled(SmallShape(7, 6, 8, 1, 2, 4))
    told = refusal(module.double())
    assert "the first part that differs is L0.resid_pre" in told
    assert "Tokens and positions agree" in told


def test_positions_that_are_learned_otherwise() -> None:
    module = small_transformer()
    module.positions.register_forward_hook(lambda _module, _ids, found: 2 * found)
    told = refusal(module)
    assert "the first part that differs is pos_embed" in told
    assert "Positions are learned in another way" in told


def test_scores_that_are_scaled() -> None:
    module = small_transformer()
    mixing = module.blocks[0].attention.mixing
    plain = mixing.pattern
    mixing.pattern = lambda q, k, seen: plain(q / 2, k, seen)
    assert "the first part that differs is L0.H0.z" in refusal(module)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"causal": "no"}, "declares causal='no'. It is True or False"),
        ({"silent": "L0.mlp"}, ""),
        ({"silent": [3]}, "declares silent=[3]. They are names"),
    ],
)
def test_facts_that_are_none(declared: dict[str, object], told: str) -> None:
    module = small_transformer(silent=("L0.mlp",))
    model = load(module)
    stated = type(model)(module, None, {**model.declared, **declared}, lambda: model.provenance)
    if not told:
        assert lift(stated).graph.shape.silent == ("L0.mlp",)
        return
    with pytest.raises(LiftError) as caught:
        lift(stated)
    assert told in str(caught.value)


def test_weights_that_differ_are_those_of_nodes() -> None:
    net = lift(load(small_transformer(silent=("L1.H2", "L0.mlp"))))
    state = {name: tensor.clone() for name, tensor in net.model.module.state_dict().items()}
    for name, nodes in (
        ("positions.weight", ("pos_embed",)),
        ("tokens.weight", ("embed",)),
        ("blocks.0.mlp.into.weight", ()),  # of a silent MLP
    ):
        assert changed_mechanisms(net, {**state, name: state[name] + 1}) == nodes
    for name, node in (
        ("blocks.0.mlp.out.bias", "L0.mlp"),
        ("blocks.1.attention.output.weight", "L1.H2"),
    ):
        with pytest.raises(ParameterError, match=rf"{node} is silent in the lifted network"):
            changed_mechanisms(net, {**state, name: state[name] + 1})


def test_the_module_may_be_of_any_size_the_shape_has() -> None:
    shape = replace(SmallShape(5, 1, 4, 1, 1, 3, causal=False), silent=("L0.H0", "L0.mlp"))
    net = lift(load(SmallTransformer(shape)))
    assert net.graph.edges() == (("embed", "logits"), ("pos_embed", "logits"))
