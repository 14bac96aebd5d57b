"""Small transformers, regular or not, against sums written by hand: every edge, every writer."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

import causalnet as cn
from causalnet.execute import Bindings, evaluate
from causalnet.execute.evaluate import record
from causalnet.graphs import PathSet
from causalnet.interventions import At, Base, Do, Edge, Node, Op, Read, Self
from causalnet.interventions.path_effects import causal_diagram
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs
from tests.execute.test_oracle import agree
from tests.toys import net, word_pairs

KINDS = ("small", "encoder")
BASE, SOURCE = Base("base"), Base("source")
Sent: TypeAlias = Callable[[str, str, Tensor], Tensor]
"""From a writer, a receiver and the writer's value to what the receiver gets."""
Written: TypeAlias = Callable[[str, Tensor], Tensor]
"""From a writer and its own value to what it is set to."""


def by_hand(
    network: LiftedNetwork,
    ids: tuple[int, ...],
    read: Sent = lambda writer, receiver, value: value,
    write: Written = lambda writer, value: value,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits at the end, writer by writer: every receiver adds up what each writer sends it."""
    module: Any = network.model.module
    config, length = module.config, len(ids)
    sent: dict[str, Tensor] = {}

    def put(name: str, value: Tensor) -> None:
        if name not in config.silent:
            sent[name] = write(name, value)

    def got(receiver: str) -> Tensor:
        return torch.stack([read(name, receiver, value) for name, value in sent.items()]).sum(0)

    put("embed", module.tokens.weight[list(ids)])
    put("pos_embed", module.positions.weight[:length])
    width = config.head_width
    for layer, block in enumerate(module.blocks):
        attention, outputs = block.attention, {}
        for head in range(config.heads):
            name, own = f"L{layer}.H{head}", slice(head * width, (head + 1) * width)
            q, k, v = (
                got(f"{name}.{letter}") @ side.weight[own].T
                for letter, side in zip(
                    "qkv", (attention.query, attention.key, attention.value), strict=True
                )
            )
            scores = q @ k.T
            if config.causal:
                later = torch.arange(length)[None] > torch.arange(length)[:, None]
                scores = scores.masked_fill(later, -torch.inf)
            outputs[name] = scores.softmax(-1) @ v @ attention.output.weight[:, own].T
        for name, value in outputs.items():
            put(name, value)
        mlp, inner = block.mlp, f"L{layer}.mlp"
        hidden = (got(inner) @ mlp.into.weight.T + mlp.into.bias).clamp_min(0)
        put(inner, hidden @ mlp.out.weight.T + mlp.out.bias)
    logits: Tensor = got("logits")[-1] @ module.unembedding.weight.T
    return logits, sent


def differences(pairs: PromptPairs, logits: list[Tensor]) -> Tensor:
    rows = zip(logits, pairs.answers, pairs.foils, strict=True)
    return torch.stack([row[list(a)].mean() - row[list(f)].mean() for row, a, f in rows])


def carried(edge: tuple[str, str], values: Mapping[str, Tensor]) -> Sent:
    """One edge carries another value of its writer."""
    return lambda writer, receiver, own: values[writer] if (writer, receiver) == edge else own


def halved(own: Tensor) -> Tensor:
    return 0.5 * own


def taken(value: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda _: value


def moved(name: str, fresh: Callable[[Tensor], Tensor], places: tuple[int, ...]) -> Written:
    """One writer is set, at some positions or at all."""

    def write(writer: str, own: Tensor) -> Tensor:
        if writer != name:
            return own
        value, new = own.clone(), fresh(own)
        for place in places or range(len(own)):
            value[place] = new[place]
        return value

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_every_edge(kind: str) -> None:
    """Each residual edge alone carries the source, or for positions twice the base's; 1e-10."""
    network, pairs = net(kind), word_pairs(3, lengths=(5, 7, 6))
    twice = Op("scale", (Self(),), (("factor", 2.0),))
    reads = {
        edge: Read(
            cn.logit_diff,
            Do(BASE, ((Edge(*edge), twice if edge[0] == "pos_embed" else At(edge[0], SOURCE)),)),
        )
        for edge in network.graph.edges()
    }
    values = evaluate([*reads.values()], network, Bindings.of(pairs)).values
    sources = [by_hand(network, ids)[1] for ids in pairs.source.ids]
    for sent in sources:
        sent["pos_embed"] = 2 * sent["pos_embed"]
    for edge, read in reads.items():
        logits = [
            by_hand(network, ids, read=carried(edge, sent))[0]
            for ids, sent in zip(pairs.base.ids, sources, strict=True)
        ]
        torch.testing.assert_close(values[read], differences(pairs, logits), atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [(), (1, "end")])
def test_every_writer(kind: str, at: tuple[int | str, ...]) -> None:
    """Each writer takes its value of the source, positions half of their own; 1e-10."""
    network, pairs = net(kind), word_pairs(3, lengths=(5, 7, 6))
    half = Op("scale", (Self(),), (("factor", 0.5),))
    reads = {
        name: Read(
            cn.logit_diff,
            Do(BASE, ((Node(name, at), half if name == "pos_embed" else At(name, SOURCE)),)),
        )
        for name in network.graph.writers
    }
    values = evaluate([*reads.values()], network, Bindings.of(pairs)).values
    for name, read in reads.items():
        logits = []
        for base, source in zip(pairs.base.ids, pairs.source.ids, strict=True):
            theirs = by_hand(network, source)[1][name]
            fresh = halved if name == "pos_embed" else taken(theirs)
            places = (1, len(base) - 1) if at else ()
            logits.append(by_hand(network, base, write=moved(name, fresh, places))[0])
        torch.testing.assert_close(values[read], differences(pairs, logits), atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_values_and_means(kind: str) -> None:
    """What is recorded is each writer's value; a mean ablation sets its mean over tokens; 1e-10."""
    network, pairs = net(kind), word_pairs(3, lengths=(5, 7, 6))
    writers, recorded = network.graph.writers, dict[str, Tensor]()
    record(writers, network, pairs.base, lambda _, values: recorded.update(values))
    sent = [by_hand(network, ids)[1] for ids in pairs.base.ids]
    for name in writers:
        for row, own in enumerate(sent):
            found = recorded[name][row, : len(own[name])]
            torch.testing.assert_close(found, own[name], atol=1e-10, rtol=0)
    head, reference = network.heads(1)[0], pairs.source
    pooled = torch.cat([by_hand(network, ids)[1][head.name] for ids in reference.ids]).mean(0)
    query = cn.ablation_effect(head, cn.mean(reference))
    found = cn.run(query, network, pairs, reference=reference).values[0]
    logits = [
        by_hand(network, ids, write=moved(head.name, pooled.expand_as, ()))[0]
        for ids in pairs.base.ids
    ]
    plain = [by_hand(network, ids)[0] for ids in pairs.base.ids]
    expected = differences(pairs, logits) - differences(pairs, plain)
    torch.testing.assert_close(torch.tensor(found), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_paths_agree_with_the_interpreter(kind: str) -> None:
    network = net(kind)
    graph = causal_diagram(network.graph)
    head = network.heads(1)[0].name
    paths = PathSet.listed(
        graph,
        [
            ("embed", f"{head}.v", f"{head}.z", head, "logits"),
            ("pos_embed", f"{head}.q", f"{head}.pattern", f"{head}.z", head, "logits"),
        ],
    )
    queries = (
        cn.pse(paths, cn.logit_diff),
        cn.path_patch(network["embed"], network[f"{head}.k"]),
        cn.path_patch(
            network["embed"], network["logits"], convention="heads-frozen", frozen=network.heads()
        ),
    )
    agree(network, [leaf for query in queries for leaf in query.leaves])
