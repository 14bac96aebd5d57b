"""Noise and learned constants on edges against the hook executor, in float64 at 1e-9."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import mean, noise, optimal
from causalnet.errors import TermError
from causalnet.execute import Bindings, Pooled, run_leaves
from causalnet.interventions import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Learning,
    Read,
    Value,
    kl,
    logit_diff,
)
from causalnet.lift import raised_casts
from causalnet.masked import EdgeRuns, learn_edge_constants
from tests.toys import net, word_pairs

PAIRS = word_pairs(4, seed=3, lengths=(6, 4))


def by_hooks(
    runs: EdgeRuns, mask: torch.Tensor, values: Sequence[Mapping[str, Value]], **constants: Any
) -> np.ndarray[Any, Any]:
    """Every removed edge set in one world by the senders' values, averaged over draws."""
    found = []
    with raised_casts(runs.net.model.module):
        bindings = Bindings.of(runs.pairs, constants.get("constants"))
        for draw in values:
            layer: list[Assignment] = []
            for number in (mask == 0).nonzero()[:, 0].tolist():
                edge = runs.sites[number]
                assert isinstance(edge, Edge)
                layer.append((Edge(edge.sender, edge.receiver, runs.at), draw[edge.sender]))
            read = Read(runs.readout, Do(Base("base"), tuple(layer)))
            result = run_leaves([read], runs.net, bindings, executor="hooks")
            found.append(result.values[read].double().numpy())
    return np.asarray(np.mean(found, axis=0))


@settings(max_examples=6)
@given(st.data())
def test_noised_edges_carry_what_senders_have_on_the_noised_embedding(data: st.DataObject) -> None:
    network = net(data.draw(st.sampled_from(["llama", "gpt2"])))
    pairs = PAIRS.rows(data.draw(st.sampled_from([(0, 1, 2, 3), (3, 1)])))
    where: Any = data.draw(st.sampled_from([(), ("end",), (1, 2)]))
    at: Any = data.draw(st.sampled_from([(), ("end",)]))
    ablation = noise(network, 2.0, at=where, draws=data.draw(st.integers(1, 2)), seed=4)
    runs = EdgeRuns(network, pairs, ablation, logit_diff, at=at, batch_size=3)
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    mask = (torch.rand(len(runs.sites), generator=generator) < 0.7).double()
    values = [
        {name: At(name, ablation.corrupted(Base("source"), draw)) for name in runs.layout.senders}
        for draw in range(ablation.draws)
    ]
    expected = by_hooks(runs, mask, values)
    np.testing.assert_allclose(runs.outcomes(mask[None])[0], expected, atol=1e-9)


@pytest.mark.parametrize(("kind", "at", "rate"), [("llama", (), 0.1), ("gpt2", ("end",), 3.0)])
def test_learned_edges_are_set_as_learned_and_no_worse_than_means(
    kind: str, at: tuple[str, ...], rate: float
) -> None:
    """Oracles: the hook executor with the constants, and the edges' means on the training set."""
    network, training = net(kind), word_pairs(5, seed=6)
    ablation = optimal(training, Learning(steps=8, rate=rate, batch=3))
    count = len(EdgeRuns(network, training, mean(training.base), kl, reference=training.base).sites)
    mask = (torch.rand(count, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    learned = learn_edge_constants(network, mask, ablation, training, at)

    def divergence(**options: Any) -> float:
        runs = EdgeRuns(network, training, readout=kl, at=at, reference=training.base, **options)
        return float(runs.outcomes(mask[None]).mean())

    assert learned.start == pytest.approx(divergence(ablation=mean(training.base)), abs=1e-9)
    reached = divergence(ablation=ablation, constants=learned.constants)
    assert learned.loss == pytest.approx(reached, abs=1e-9)
    assert reached < learned.start
    assert learned.loss == min(loss for _, loss in learned.looks)
    assert learned.kept == int(mask.sum())
    assert (learned.looks[0], len(learned.curve)) == ((0, learned.start), 8)

    runs = EdgeRuns(
        network,
        PAIRS,
        ablation,
        logit_diff,
        at=at,
        reference=training.base,
        constants=learned.constants,
    )
    handles = {name: Handle(name, f"of {name}") for name in runs.layout.senders}
    bound = {handles[name]: Pooled(value) for name, value in learned.constants.items()}
    values = [{name: Const(handle) for name, handle in handles.items()}]
    expected = by_hooks(runs, mask, values, constants=bound)
    np.testing.assert_allclose(runs.outcomes(mask[None])[0], expected, atol=1e-9)


def test_refusals() -> None:
    network, training = net("llama"), word_pairs(3)
    ablation = optimal(training)
    with pytest.raises(TermError, match="have no learned constant"):
        EdgeRuns(network, training, ablation, kl, reference=training.base)
    with pytest.raises(TermError, match="made with the same pairs"):
        learn_edge_constants(network, torch.zeros(1), ablation, word_pairs(2, seed=5))
    with pytest.raises(TermError, match="Denoising with the ablation noise"):
        EdgeRuns(network, training, noise(network), kl, direction="denoising")
