"""Every technique and contrast of the language on small networks, against the interpreter."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from causalnet.effects import contrastive_vector, matrix, run, vector, zero
from causalnet.execute import Answers, Bindings
from causalnet.execute.bindings import Constant
from causalnet.graphs.paths import PathSet
from causalnet.interventions import (
    Edge,
    Handle,
    Query,
    cde,
    evaluate_scalar,
    importance,
    interaction,
    joint,
    kl,
    leaves_of,
    logit_diff,
    mi,
    nde,
    nie,
    per_total_effect,
    pn,
    pns,
    ps,
    pse,
    shapley,
    tde,
    te,
    tie,
)
from causalnet.interventions import techniques as t
from causalnet.interventions.path_effects import causal_diagram
from causalnet.lift import LiftedNetwork, raised_casts
from causalnet.tasks import PromptPairs
from tests.execute.numpy_transformer import model_of_row
from tests.toys import net, word_pairs

KINDS = ("llama", "gpt2")


def tensors(network: LiftedNetwork, pairs: PromptPairs) -> dict[Handle, Constant]:
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    bound: dict[Handle, Constant] = {}
    bound |= dict([vector("steer", drawn(32)), matrix("basis", torch.linalg.qr(drawn(32, 4)).Q)])
    bound |= dict([matrix("encoder", drawn(32, 9)), matrix("decoder", drawn(9, 32))])
    bound |= dict([contrastive_vector(network["L0.mlp"], network, pairs)])
    return bound


def contrasts(network: LiftedNetwork) -> Iterator[Query]:
    heads, mlps = network.heads(), network.mlps()
    some = (heads[1], heads[6], joint("two", heads[2], mlps[0]))
    yield te()
    yield mi(some)
    yield cde(some, zero(), at=(1, "end"))
    for effect in (nde, nie, tie, tde):
        yield effect(some, at="end")
    yield interaction(heads[1], heads[6], mlps[1])
    yield shapley((heads[1], heads[6], mlps[0]))
    diagram = causal_diagram(network.graph)
    edges = [("L0.H1", "L1.H2.q"), ("L1.H2.q", "L1.H2.pattern"), ("L1.H2.pattern", "L1.H2.z")]
    edges += [("L1.H2.z", "L1.H2"), ("L1.H2", "logits")]
    yield pse(PathSet.along(diagram, ("L0.H1",), "logits", edges), logit_diff)
    for probability in (pn, ps, pns):
        yield probability(some)


def techniques(network: LiftedNetwork, bound: dict[Handle, Constant]) -> Iterator[Query]:
    named = {handle.label: handle for handle in bound}
    heads, mlps, graph = network.heads(), network.mlps(), network.graph
    some = (heads[1], heads[6], mlps[0])
    edges = [Edge("L0.H1", "L1.H2.q"), Edge("L0.mlp", "logits"), Edge("L1.H2.q", "L1.H2.pattern")]
    yield t.noising(some)
    yield t.denoising(some, at="end")
    yield per_total_effect(t.causal_trace(mlps, (1, 2), sigma=0.5, draws=2))
    yield t.path_patch(heads[:2], (network["L1.H2.q"], network["L1.mlp"]))
    yield t.path_patch(heads[:2], network["L1.H2.q"], convention="heads-frozen", frozen=heads)
    yield t.acdc_step(edges)
    yield t.attribution_patch([*some, *edges], at="end")
    yield t.attribution_patch(some, outcome=kl, direction="denoising")
    yield t.integrated_gradients([*some[:2], *edges[:1]], steps=2)
    yield t.integrated_gradients(some[:2], along="activations", steps=2)
    yield t.direct_logit_attribution([*some, network["embed"]], norm="frozen")
    yield t.direct_logit_attribution(some, norm="recomputed")
    yield t.steering(mlps, named["steer"], 2.0)
    yield t.contrastive_steering(mlps[:1], 1.5, at="end")
    yield t.subspace_patch((mlps[0], heads[1]), named["basis"], (0, 2))
    yield t.attention_knockout(heads[4:6], ("end", 1), at="end")
    yield t.undifferentiated_attention(heads[:2])
    yield t.logit_lens([network["L0.resid_post"], network["L1.H2"]])
    yield t.interchange_accuracy(some)
    yield t.transcoder_edge(mlps[0], network["L1.mlp.scale"], held=t.nonlinear(graph)[:5])
    yield t.held(nie(some), [network["L1.H0.pattern"], network["logits.scale"]])
    yield importance(t.held(t.attribution_patch(heads[:2]), t.nonlinear(graph)))
    output = t.Interpreted("out", "logits", "answer", ("mover",))
    mover = t.Interpreted("mover", "L1.H2", "name")
    yield t.causal_scrubbing(t.Hypothesis((output, mover)))


def agree(network: LiftedNetwork, query: Query, bound: dict[Handle, Constant]) -> None:
    pairs = word_pairs(2, lengths=(5, 4))
    extra = {"base, rest": pairs.source, "scrub mover": pairs.source}
    other = Answers(pairs.foils, pairs.answers, "mean")
    with raised_casts(network.model.module):
        table = run(
            query, network, pairs, vectors=bound, inputs=extra, answers={"interchange": other}
        )
    inputs = {"base": pairs.base, "source": pairs.source, **extra}
    bindings = Bindings(
        inputs,
        Answers(pairs.answers, pairs.foils, pairs.reduction),
        bound,
        {"interchange": other},
    )
    for row in range(2):
        model = model_of_row(network, bindings, row)
        for index, (label, scalar) in enumerate(query.contrasts):
            values = {leaf: np.array([np.real(model.scalar(leaf))]) for leaf in leaves_of(scalar)}
            expected = float(evaluate_scalar(scalar, values)[0])
            if query.given is not None:
                expected *= float(model.scalar(query.given))
            found = float(table.values[index, row])
            assert found == pytest.approx(expected, abs=1e-10, rel=1e-10), (query.name, label)


@pytest.mark.parametrize("kind", KINDS)
def test_contrasts(kind: str) -> None:
    for query in contrasts(net(kind)):
        agree(net(kind), query, {})


@pytest.mark.parametrize("kind", KINDS)
def test_techniques(kind: str) -> None:
    network = net(kind)
    bound = tensors(network, word_pairs(2, lengths=(5, 4)))
    for query in techniques(network, bound):
        agree(network, query, bound)
