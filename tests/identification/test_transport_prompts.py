"""Other prompts by reweighting, other weights by rule T."""

from random import Random
from typing import Any

import numpy as np
import pytest

from causalnet.effects import run
from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.graphs import plain_graph
from causalnet.identification.networks.transport_prompts import Refused, Reweighted, reweighted
from causalnet.identification.networks.transport_weights import unchanged_terms
from causalnet.interventions import (
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Handle,
    Node,
    Query,
    Read,
    World,
    ablation_effect,
    lens,
    logit_diff,
    nie,
    parse_query,
    value_of,
)
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.interpreter import SCM
from causalnet.lift import lift
from causalnet.lift.changed import changed_mechanisms
from causalnet.models import load
from tests.small_models import tiny_llama
from tests.toys import net, word_pairs, words

ZERO = Handle("zero", "0")


# -- other prompts -------------------------------------------------------------------------------


def test_reweighting_is_the_mean_on_the_other_distribution() -> None:
    """Effects depend on the label and on chance: the mean of what is drawn there, within 4 SE."""
    draw = np.random.default_rng(0)
    means, chances = {"a": 1.0, "b": -2.0, "c": 4.0}, {"a": 0.1, "b": 0.6, "c": 0.3}
    labels = [str(each) for each in draw.choice(["a", "b", "c"], 3000, p=[0.6, 0.3, 0.1])]
    effects = np.array([means[each] for each in labels]) + draw.normal(0, 1.5, 3000)
    found = reweighted(np.stack([effects, 2 * effects]), labels, chances)
    assert isinstance(found, Reweighted)
    truth = sum(chances[each] * means[each] for each in means)
    assert abs(found.means[0] - truth) < 4 * found.errors[0] < 0.3
    assert found.means[1] == pytest.approx(2 * found.means[0])
    assert found.errors[1] == pytest.approx(2 * found.errors[0])
    assert abs(float(np.mean(effects)) - truth) > 4 * found.errors[0]  # without weights


def test_standard_errors_are_those_of_repeated_draws() -> None:
    draw = np.random.default_rng(1)
    labels = ["a"] * 30 + ["b"] * 70
    told = []
    for _ in range(400):
        effects = np.where(np.array(labels) == "a", draw.normal(0, 2, 100), draw.normal(3, 1, 100))
        found = reweighted(effects, labels, {"a": 0.7, "b": 0.3})
        assert isinstance(found, Reweighted)
        told.append((found.means[0], found.errors[0]))
    means, errors = np.array(told).T
    assert errors.mean() == pytest.approx(means.std(), rel=0.12)


def test_weights_sum_to_one_and_equal_laws_lose_nothing() -> None:
    found = reweighted(np.arange(20.0), ["a", "b"] * 10, {"a": 0.5, "b": 0.5})
    assert isinstance(found, Reweighted)
    assert found.weights.sum() == pytest.approx(1) and found.effective == pytest.approx(20)
    assert found.means[0] == pytest.approx(np.arange(20).mean())
    assert str(found).endswith("worth 20.0 of 20 prompts")


def test_thin_data_are_refused() -> None:
    labels = ["a"] * 98 + ["b"] * 2
    thin = reweighted(np.arange(100.0), labels, {"a": 0.01, "b": 0.99})
    assert isinstance(thin, Refused) and thin.effective == pytest.approx(2.04, abs=0.01)
    assert "at least 10 are wanted" in str(thin)
    assert isinstance(reweighted(np.arange(100.0), labels, {"a": 1, "b": 0}), Reweighted)
    none = reweighted(np.arange(100.0), labels, {"a": 0.5, "c": 0.5})
    assert isinstance(none, Refused) and "no prompt has the label c" in none.reason
    single = reweighted(np.arange(20.0), ["a"] * 19 + ["b"], {"a": 0.97, "b": 0.03})
    assert isinstance(single, Refused) and "nothing tells its spread" in single.reason


@pytest.mark.parametrize(
    ("effects", "labels", "target", "floor"),
    [
        ([1.0, 2.0], ["a"], {"a": 1.0}, 10),
        ([1.0, np.nan], ["a", "a"], {"a": 1.0}, 10),
        ([1.0, 2.0], ["a", "a"], {"a": 0.5}, 10),
        ([1.0, 2.0], ["a", "b"], {"a": 1.5, "b": -0.5}, 10),
        ([1.0, 2.0], ["a", "a"], {"a": 1.0}, 0),
        ([], [], {"a": 1.0}, 10),
    ],
)
def test_bad_numbers_are_refused(effects: Any, labels: Any, target: Any, floor: float) -> None:
    with pytest.raises(ParameterError):
        reweighted(effects, labels, target, floor=floor)


# -- other weights -------------------------------------------------------------------------------


def free_model(parents: dict[str, tuple[str, ...]], changed: frozenset[str]) -> SCM:
    """Mechanisms without accidental equalities; those that changed are others."""

    def mechanism(name: str) -> Any:
        version = name in changed
        return lambda slots: hash((name, version, tuple(slots[each] for each in parents[name])))

    rules = {name: mechanism(name) for name, above in parents.items() if above}
    inputs = {
        side: {name: hash((name, side)) for name in parents if not parents[name]}
        for side in ("base", "source")
    }
    return SCM(plain_graph(parents), rules, inputs, {ZERO: 0}, zero=lambda like: 0)


def random_world(names: list[str], parents: dict[str, tuple[str, ...]], random: Random) -> World:
    world: World = Base(random.choice(["base", "source"]))
    for _ in range(random.randint(0, 2)):
        node = random.choice(names)
        above = parents[node]
        site = Edge(random.choice(above), node) if above and random.random() < 0.5 else Node(node)
        inner: World = Base(random.choice(["base", "source"]))
        if random.random() < 0.4:
            inner = Do(inner, ((Node(random.choice(names)), Const()),))
        value = At(site.read_from, inner) if random.random() < 0.7 else Const()
        world = Do(world, ((site, value),))
    return world


def test_rule_t_is_sound_and_complete_in_the_free_model() -> None:
    """Rows proved unchanged are equal on both networks, and all others differ."""
    verdicts = [0, 0]
    for seed in range(250):
        random = Random(seed)
        names = [f"V{at}" for at in range(random.randint(3, 6))]
        parents = {
            name: tuple(other for other in names[:at] if random.random() < 0.5)
            for at, name in enumerate(names)
        }
        changed = frozenset(n for n in names if parents[n] and random.random() < 0.3)
        outcome = value_of(random.choice(names))
        scalar = Read(outcome, random_world(names, parents, random))
        query = Query("CONTRAST", (("row", scalar),), ((),), outcome, (), None, "noising")
        report = unchanged_terms(query, plain_graph(parents), changed)
        one, other = (free_model(parents, each).scalar(scalar) for each in (frozenset(), changed))
        assert report.rows[0].is_unchanged == (one == other)
        assert bool(report.rows[0].marked) != report.rows[0].is_unchanged
        assert set(report.rows[0].marked) <= changed
        verdicts[report.rows[0].is_unchanged] += 1
        alike = {
            name
            for name in names
            if all(
                free_model(parents, frozenset()).value(name, Base(side))
                == free_model(parents, changed).value(name, Base(side))
                for side in ("base", "source")
            )
        }
        assert alike == set(report.reusable)
    assert min(verdicts) > 40


def test_what_is_proved_unchanged_is_equal_on_real_networks() -> None:
    """Layer 1 fine-tuned: inner read-outs of layer 0 keep every bit, those behind it do not."""
    module = tiny_llama()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state["model.layers.1.mlp.up_proj.weight"].mul_(1.3)
    tuned = tiny_llama()
    tuned.load_state_dict(state)
    one = net("llama")
    other = lift(load(tuned, tokenizer=words(), dtype="float64"))
    changed = changed_mechanisms(one, other.model.module.state_dict())
    assert changed == ("L1.mlp",)
    pairs = word_pairs()
    inner = nie(one.heads(0), outcome=lens(logit_diff, "L1.resid_mid"))
    proved = unchanged_terms(inner, one.graph, changed)
    assert proved.unchanged == tuple(head.name for head in one.heads(0))
    assert proved.shared == proved.calls
    np.testing.assert_array_equal(run(inner, one, pairs).values, run(inner, other, pairs).values)
    outer = nie(one.heads(0))
    report = unchanged_terms(outer, one.graph, changed)
    assert report.unchanged == () and 0 < report.shared < report.calls
    assert report.rows[0].marked == ("L1.mlp",)
    differ = run(outer, one, pairs).values - run(outer, other, pairs).values
    assert np.abs(differ).max(axis=1).min() > 0


def test_a_lens_reads_by_the_final_norm_and_the_unembedding() -> None:
    graph = net("llama").graph
    inner = nie(graph.heads(0), outcome=lens(logit_diff, "L1.resid_mid"))
    report = unchanged_terms(inner, graph, ["logits"])
    assert report.unchanged == () and report.rows[0].marked == ("logits",)


def test_means_over_a_reference_set_change_with_what_they_are_means_of() -> None:
    graph = net("llama").graph
    mean = Ablation(AblationKind.MEAN, "digest", 8)
    outcome = value_of("L1.H0.q")
    query = ablation_effect([graph.find("L0.mlp")], mean, outcome=outcome)
    effect = query.contrasts[0][1]
    assert isinstance(effect, Contrast)
    row = ("L0.mlp", effect.terms[0][1])  # the ablated world alone
    held = Query("AE", (row,), query.treated, outcome, (), mean, "noising")
    everything = [f"L0.H{head}" for head in range(4)]
    assert unchanged_terms(held, graph, ["L0.mlp"]).unchanged == ()  # its mean is another
    assert unchanged_terms(held, graph, ["L1.mlp"]).unchanged == ("L0.mlp",)
    assert unchanged_terms(held, graph, everything).unchanged == ()


def test_the_report_names_what_is_shared() -> None:
    graph = net("llama").graph
    report = unchanged_terms(parse_query("nie(heads; at=end)", graph), graph, ["L1.mlp"])
    assert "0 of 8 rows are proved unchanged (rule T)" in str(report)
    assert "calls have the same value in both networks" in str(report)
    assert "and 2 more rows" in str(report)
    with pytest.raises(UnknownMediatorError):
        unchanged_terms(parse_query("te()", graph), graph, ["L9.mlp"])
