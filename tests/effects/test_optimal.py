"""Optimal ablation against optima that are known, and against the means that it starts from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import Learned, learn_constants, mean, optimal, run
from causalnet.errors import TermError
from causalnet.execute import Pooled, TokenBatch, record
from causalnet.interventions import (
    Learning,
    LearningLoss,
    ablation_effect,
    joint,
    kl,
    loss,
    parse_query,
)
from causalnet.lift import raised_casts
from causalnet.tasks import Prompts
from tests.toys import net, word_pairs


@pytest.fixture(autouse=True)
def in_float64_throughout() -> Iterator[None]:
    with raised_casts(net("llama").model.module):
        yield


def recorded(node: str, kind: str, prompts: Prompts) -> torch.Tensor:
    """The node's value at the last token of each prompt, [n, d]."""
    rows: list[torch.Tensor] = []

    def keep(batch: TokenBatch, values: object) -> None:
        assert isinstance(values, dict)
        rows.append(values[node][:, -1])

    record([node], net(kind), prompts, keep, batch_size=1)
    return torch.cat(rows)


def vector_of(learned: Learned) -> torch.Tensor:
    [bound] = learned.constants.values()
    assert isinstance(bound, Pooled)
    return bound.vector


def test_the_optimum_of_a_linear_readout_is_found() -> None:
    """Oracle: the divergence is convex in a constant that logits are linear in; LBFGS by hand.

    The last MLP of the linear network is ablated at the last token, so that logits are
    W (r_i + a), with r_i what else is in the stream.
    """
    network, pairs = net("linear"), word_pairs(6, seed=3)
    node, end = network["L1.mlp"], recorded("L1.resid_post", "linear", pairs.base)
    own = recorded("L1.mlp", "linear", pairs.base)
    weight = network.places.unembedding.weight
    assert isinstance(weight, torch.Tensor)
    intact = (end @ weight.T).log_softmax(-1)
    constant = torch.zeros(own.shape[1], dtype=torch.float64, requires_grad=True)

    def divergence() -> torch.Tensor:
        ours = ((end - own + constant) @ weight.T).log_softmax(-1)
        return (intact.exp() * (intact - ours)).sum(-1).mean()

    lbfgs: Any = torch.optim.LBFGS([constant], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        lbfgs.zero_grad()
        value = divergence()
        value.backward()  # type: ignore[no-untyped-call]  # torch annotates nothing here
        return value

    lbfgs.step(closure)
    ablation = optimal(pairs, Learning(steps=150, rate=0.3, batch=6))
    learned = learn_constants(network, [node], ablation, pairs, at="end")
    with torch.no_grad():
        least, set_to = float(divergence()), vector_of(learned)
        constant.copy_(set_to)
        reached = float(divergence())
    assert learned.loss == pytest.approx(reached, abs=1e-9)
    assert least - 1e-6 <= learned.loss <= least + 0.02 * (learned.start - least)


def test_a_descent_that_got_worse_goes_on_from_the_best() -> None:
    """With the whole set in each step, the loss before a step is that of the constants there."""
    network, pairs = net("linear"), word_pairs(4, seed=3)
    ablation = optimal(pairs, Learning(steps=10, rate=1e3, batch=4))
    learned = learn_constants(network, [network["L1.mlp"], network["L0.H2"]], ablation, pairs)
    best, worse = learned.start, 0
    for step, reached in learned.looks[1:]:
        worse += reached >= best
        best = min(best, reached)
        if step < 10:
            assert learned.curve[step] == pytest.approx(best, abs=1e-9)
    assert worse > 0
    assert learned.loss == best


def test_one_prompt_is_reproduced() -> None:
    """A single prompt's own value is the optimum, with divergence 0; 1e-4 nats."""
    network, pairs = net("llama"), word_pairs(1)
    ablation = optimal(pairs, Learning(steps=60, rate=0.3))
    learned = learn_constants(network, [network["L1.mlp"]], ablation, pairs.base, at="end")
    assert learned.loss < 1e-4 < learned.start or learned.start < 1e-12


@settings(max_examples=6)
@given(st.data())
def test_never_worse_than_the_means_on_the_training_set(data: st.DataObject) -> None:
    """Whatever the rate: a wild one keeps the means.  Both losses by the table of effects; 1e-9."""
    network, training = net("llama"), word_pairs(5, seed=data.draw(st.integers(0, 9)))
    nodes = st.sampled_from([*network.heads(), *network.mlps()])
    members = data.draw(st.lists(nodes, min_size=1, max_size=5, unique=True))
    rate = data.draw(st.sampled_from([0.01, 0.1, 100.0]))
    readout = data.draw(st.sampled_from([kl, loss]))
    name: LearningLoss = "kl" if readout is kl else "loss"
    at: Any = data.draw(st.sampled_from([(), ("end",)]))
    learning = Learning(name, data.draw(st.integers(0, 6)), rate, data.draw(st.integers(1, 7)))
    row = joint("set", *members)
    with raised_casts(network.model.module):
        own = run(
            ablation_effect(row, optimal(training, learning), at=at, outcome=readout),
            network,
            training,
            reference=training,
        )
        means = run(
            ablation_effect(row, mean(training.base), at=at, outcome=readout),
            network,
            training,
            reference=training.base,
        )
    best, start = (float((one.values[0] + one.unpatched).mean()) for one in (own, means))
    assert best <= start + 1e-9
    [told] = own.provenance["learned"]
    assert told["loss"] == pytest.approx(best, abs=1e-9)
    assert told["start"] == pytest.approx(start, abs=1e-9)
    assert len(told["curve"]) == learning.steps


def test_the_executor_sets_what_was_learned() -> None:
    """Hooks and the wavefront, learned once and passed on; 1e-9."""
    network, training, pairs = net("llama"), word_pairs(8, seed=2), word_pairs(4)
    ablation = optimal(training, Learning(steps=5, batch=4))
    both = joint("both", network["L0.H1"], network["L1.mlp"])
    learned = learn_constants(network, both.members, ablation, training)
    query = ablation_effect(both, ablation)
    given: dict[str, Any] = {"reference": training.base, "vectors": dict(learned.constants)}
    hooks = run(query, network, pairs, executor="hooks", **given)
    waves = run(query, network, pairs, executor="wavefront", **given)
    np.testing.assert_allclose(hooks.values, waves.values, atol=1e-9)
    assert "learned" not in hooks.provenance
    again = run(query, network, pairs, reference=training)
    np.testing.assert_allclose(again.values, hooks.values, atol=1e-9)
    assert again.provenance["learned"] == [learned.to_json()]
    assert "kl, 5 steps of Adam" in again.conventions.ablation
    assert parse_query(str(query), network.graph) == query


def test_forwards_are_foreseen() -> None:
    network, training = net("llama"), word_pairs(8)
    learning = Learning(steps=7, batch=3)
    told: list[tuple[int, int]] = []
    learned = learn_constants(
        network,
        [network["L0.mlp"]],
        optimal(training, learning),
        training,
        progress=lambda done, total: told.append((done, total)),
    )
    assert learned.forwards == told[-1][0] <= learning.forwards(8) == told[0][1]
    at_end = learn_constants(
        network, [network["L0.mlp"]], optimal(training, learning), training, at="end"
    )
    assert at_end.forwards == learning.forwards(8)


def test_refusals() -> None:
    network, training = net("llama"), word_pairs(3)
    query = ablation_effect(network["L0.mlp"], optimal(training))
    with pytest.raises(TermError, match="needs reference prompts"):
        run(query, network, word_pairs(2))
    with pytest.raises(TermError, match="not those that the ablation was made with"):
        run(query, network, word_pairs(2), reference=word_pairs(3, seed=7))
    with pytest.raises(TermError, match="needs them; 'kl'"):
        optimal(training.base, Learning("loss"))
    with pytest.raises(TermError, match="entries are tokens"):
        learn_constants(network, [network["L0.H0.pattern"]], optimal(training), training)
    with pytest.raises(TermError, match="Only optimal ablation learns"):
        learn_constants(network, network.mlps(), mean(training.base), training)
