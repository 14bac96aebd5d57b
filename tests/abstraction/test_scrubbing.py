"""Laws of causal scrubbing, on networks whose circuits are known."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.abstraction.interpretation import (
    Datum,
    Feature,
    Interpretation,
    InterpretationNode,
    answer,
    anything,
    data_of,
    everything,
    identity,
    nothing,
    receivers_of,
    token_at,
)
from causalnet.abstraction.scrubbing import scrub
from causalnet.abstraction.scrubbing_draws import Among, Population, Resampling, Sharing, generator
from causalnet.errors import AlignmentError, ParameterError, TermError
from causalnet.interventions import logit_distance, loss
from causalnet.known_circuits import Mechanism, MechanismKind, plant
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import PromptPairs, make
from tests.toys import net, word_pairs

NAMES = Feature("both names", lambda datum: (datum.token("IO"), datum.token("S1")))
REPEATED = token_at("S2")
VARIANTS = [
    Resampling(unimportant, data, again)  # type: ignore[arg-type]  # product forgets literals
    for unimportant, data, again in product(
        ("jointly", "independently"), ("per path", "per node"), (True, False)
    )
]


@cache
def known(name: str, n: int, seed: int = 1) -> tuple[LiftedNetwork, PromptPairs]:
    network = lift(load(f"known:{name}"))
    return network, make(f"known:{name}", network.model.tokenizer, n=n, seed=seed)


def indirect_object(
    mover: Feature = answer, inhibits: Feature = REPEATED, duplicate: Feature = REPEATED
) -> Interpretation:
    """What the hand-built network computes, head by head."""
    return Interpretation(
        (
            InterpretationNode("out", ("logits",), identity, ("mover",)),
            InterpretationNode("mover", ("L2.H0",), mover, ("inhibits", "names"), at=("end",)),
            InterpretationNode("inhibits", ("L1.H0",), inhibits, ("duplicate",), at=("end",)),
            InterpretationNode("duplicate", ("L0.H0",), duplicate, at=("S2",)),
            InterpretationNode("names", ("embed",), NAMES, at=("IO", "S1", "S2")),
        )
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_true_hypothesis_recovers_the_behaviour_in_every_variant(variant: Resampling) -> None:
    network, pairs = known("indirect_object", 48)
    found = scrub(network, indirect_object(), pairs, resampling=variant)
    assert found.recovered == pytest.approx(1, abs=1e-3)
    assert found.agreement == 1
    assert found.gap < 1e-3
    exchanged = {node.name: 1 - node.unchanged for node in found.nodes}
    assert min(exchanged.values()) > 0.2  # it was put to the test


@pytest.mark.parametrize("data", ["per path", "per node"])
@pytest.mark.parametrize(
    "wrong",
    [
        indirect_object(mover=REPEATED),
        indirect_object(inhibits=answer),
        indirect_object(duplicate=token_at(2)),
    ],
    ids=["mover", "inhibits", "duplicate"],
)
def test_a_wrong_feature_loses_it(wrong: Interpretation, data: Sharing) -> None:
    network, pairs = known("indirect_object", 48)
    found = scrub(network, wrong, pairs, resampling=Resampling(data=data))
    assert found.interval is not None and found.interval.high < 0.9
    assert found.agreement < 0.8


@pytest.mark.parametrize("variant", VARIANTS[::2], ids=str)
def test_that_nothing_matters_recovers_nothing(variant: Resampling) -> None:
    network, pairs = known("indirect_object", 96)
    found = scrub(network, nothing(), pairs, resampling=variant)
    assert found.recovered is not None and found.interval is not None
    assert 0 in found.interval
    assert found.interval.width < 0.8


@pytest.mark.parametrize("kind", ["llama", "gpt2", "small"])
def test_that_all_matters_wholly_recovers_all(kind: str) -> None:
    """Identity features exchange nothing, and say so."""
    network, pairs = net(kind), word_pairs(12)
    variant = Resampling(data="per node")
    found = scrub(network, everything(network.graph), pairs, resampling=variant, readout=loss)
    np.testing.assert_allclose(found.scrubbed[0], found.model, atol=1e-6)
    assert all(node.itself == 1 for node in found.nodes)
    assert "were the same prompt" in found.warnings[-1]


def test_what_cancels_jointly_does_not_independently() -> None:
    """Two heads that cancel do so on one random datum, not on two."""
    mechanisms = [Mechanism(MechanismKind.ADDITIVE, 2.0), Mechanism(MechanismKind.CANCELLING, 2.0)]
    planted = plant(mechanisms).circuit
    network = lift(load(planted.module(), tokenizer=planted.tokenizer()))
    pairs = PromptPairs.build(planted.tokenizer(), planted.rows(64, 0))
    hypothesis = Interpretation(
        (
            InterpretationNode("out", ("logits",), identity, ("adds",)),
            InterpretationNode("adds", ("L0.H0",), token_at(0), at=("end",)),
        )
    )
    jointly, independently = (
        scrub(network, hypothesis, pairs, resampling=Resampling(how), readout=logit_distance)
        for how in ("jointly", "independently")
    )
    assert jointly.recovered == pytest.approx(1, abs=1e-6)
    assert independently.interval is not None and independently.interval.high < 0.7


def test_signs_that_cancel_in_the_mean_are_told() -> None:
    """Half of the items lose what the other half gains."""
    network, pairs = known("indirect_object", 64)
    found = scrub(network, indirect_object(), pairs)
    noisy = found.model + np.where(np.arange(64) % 2, 0.5, -0.5) * found.whole
    cancelling = replace(found, scrubbed=noisy[None])
    assert cancelling.recovered == pytest.approx(1, abs=0.01)
    assert cancelling.agreement == 0
    assert any("cancel" in warning for warning in cancelling.warnings)


def test_more_than_all_is_told() -> None:
    """A negative mover that is left out: without it the answer is clearer than it is."""
    network, pairs = known("indirect_object_backup_negative", 64)
    found = scrub(
        network,
        Interpretation(
            (
                InterpretationNode("out", ("logits",), identity, ("mover",)),
                InterpretationNode("mover", ("L2.H0",), answer, at=("end",)),
            )
        ),
        pairs,
    )
    assert found.interval is not None and found.interval.low > 1.1
    assert any("More than all" in warning for warning in found.warnings)


def test_floors_are_random_data_or_that_nothing_matters() -> None:
    """They are the same where what does not matter is one datum, and differ where it is many."""
    network, pairs = known("indirect_object", 32)

    def floor(**options: Any) -> Any:
        return scrub(network, nothing(), pairs, resampling=Resampling(**options)).random

    np.testing.assert_array_equal(floor(), floor(floor="scrubbed"))
    apart = floor(unimportant="independently", floor="scrubbed")
    assert (apart != floor(unimportant="independently")).any()


def test_controls_show_a_feature_that_does_not_matter() -> None:
    network, pairs = known("indirect_object", 64)
    true = scrub(network, indirect_object(), pairs, controls=2)
    assert max(control.recovered for control in true.controls) < 0.6
    assert not any("permuted" in warning for warning in true.warnings)
    loose = Interpretation(
        (
            InterpretationNode("out", ("logits",), identity, ("junk",), rest="own"),
            InterpretationNode("junk", ("L0.H1",), answer),
        )
    )
    idle = scrub(network, loose, pairs, controls=2)
    assert idle.recovered == pytest.approx(1, abs=1e-6)
    assert any("permuted" in warning for warning in idle.warnings)


def test_a_feature_that_never_distinguishes_is_told() -> None:
    network, pairs = known("indirect_object", 32)
    found = scrub(network, indirect_object(duplicate=anything), pairs)
    assert any("duplicate: all data agree" in warning for warning in found.warnings)


def test_no_share_where_there_is_no_behaviour() -> None:
    """A random network does not know the answers."""
    found = scrub(net("gpt2"), nothing(), word_pairs(24))
    assert found.recovered is None and found.interval is None
    assert "undefined" in found.summary and "no share" in found.warnings[0]
    assert found.to_json()["recovered"] is None


def test_a_population_of_its_own_is_drawn_from() -> None:
    network, pairs = known("indirect_object", 24)
    population = known("indirect_object", 60, seed=5)[1]
    found = scrub(network, indirect_object(), pairs, population=population)
    assert found.recovered == pytest.approx(1, abs=1e-3)
    below = [rows for name, rows in found.drawn.items() if name != "base"]
    alone = {node.name: node.alone for node in found.nodes}
    assert all((rows < 60).mean() >= 1 - max(alone.values()) for rows in below)
    assert found.conventions["population"] == "60 data, a set of its own"


def test_one_seed_is_one_draw_whatever_else_is_scrubbed() -> None:
    network, pairs = known("indirect_object", 16)
    first, again, other = (scrub(network, indirect_object(), pairs, seed=s) for s in (3, 3, 4))
    assert all(np.array_equal(first.drawn[name], again.drawn[name]) for name in first.drawn)
    np.testing.assert_array_equal(first.scrubbed, again.scrubbed)
    assert any(not np.array_equal(first.drawn[name], other.drawn[name]) for name in first.drawn)
    fewer = Interpretation(
        (
            InterpretationNode("out", ("logits",), identity, ("mover",)),
            InterpretationNode("mover", ("L2.H0",), answer, at=("end",)),
        )
    )
    alone = scrub(network, fewer, pairs, seed=3)
    np.testing.assert_array_equal(alone.drawn["scrub mover"], first.drawn["scrub mover"])


def test_one_datum_for_each_node_agrees_with_all_its_readers() -> None:
    """What several read keeps the base's value; along a chain it need not."""
    network, pairs = known("indirect_object", 64)
    shared = indirect_object().nodes
    nodes = (
        shared[0],
        *(replace(n, parents=(*n.parents, "names")) for n in shared[1:3]),
        *shared[3:],
    )
    variant = Resampling(data="per node")
    found = scrub(network, Interpretation(nodes), pairs, resampling=variant)
    data = data_of(pairs)
    for name in ("scrub mover", "scrub inhibits", "scrub names"):
        drawn = found.drawn[name][0]
        assert [NAMES.of(data[row]) for row in drawn] == [NAMES.of(each) for each in data]
        assert (drawn != np.arange(64)).any()
    chain = scrub(network, indirect_object(), pairs, resampling=variant)
    mover, names = chain.drawn["scrub mover"][0], chain.drawn["scrub names"][0]
    assert [NAMES.of(data[row]) for row in names] == [NAMES.of(data[row]) for row in mover]
    assert any(NAMES.of(data[row]) != NAMES.of(each) for row, each in zip(mover, data, strict=True))


def datum(number: int, length: int) -> Datum:
    return Datum(str(number), (number,) * length, (), (("end", length - 1),), "", (0,), (1,))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2)), min_size=1, max_size=12), st.data()
)
def test_drawn_data_agree(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    again = data.draw(st.booleans())
    drawn_from = data.draw(st.integers(1, len(rows)))
    people = Population(
        tuple(datum(n, length) for n, (_, length) in enumerate(rows)), drawn_from, "same length"
    )
    labels = [label for label, _ in rows]
    own = np.arange(len(rows))
    drawn = people.draw(own, labels, again, generator(data.draw(st.integers(0, 99)), 0, "x"))
    for before, after in enumerate(drawn):
        assert rows[before] == rows[after]
        others = [n for n in range(drawn_from) if rows[n] == rows[before] and n != before]
        assert after < drawn_from or after == before
        if not again and others:
            assert after != before


def test_draws_are_uniform_among_those_that_agree() -> None:
    people = Population(tuple(datum(n, 1) for n in range(6)), 5, "all")
    labels = ["a", "b", "a", "a", "b", "a"]
    for again, expected in ((True, {0, 2, 3}), (False, {0, 3})):
        rows = np.full(6000, 2)
        drawn = people.draw(rows, labels, again, generator(0, 0, str(again)))
        counts = np.bincount(drawn, minlength=6)
        assert set(np.flatnonzero(counts)) == expected
        share = counts[sorted(expected)] / len(rows)
        np.testing.assert_allclose(share, 1 / len(expected), atol=0.03)


def test_hypotheses_that_do_not_fit_are_refused() -> None:
    network, pairs = known("indirect_object", 4)
    made: Any = InterpretationNode
    out, a = made("out", ("logits",), identity, ("a",)), made("a", ("L2.H0",), identity)
    unread = made("b", ("embed",), answer)
    backwards = (made("a", ("L0.H0",), identity, ("b",)), made("b", ("L1.H0",), identity))
    unhashable: Any = Feature("list", lambda datum: [datum.ids])  # type: ignore[arg-type, return-value]  # on purpose
    deep = net("llama", layers=6)
    broken: list[tuple[Callable[[], object], str]] = [
        (lambda: Interpretation((out,)), "no part"),
        (lambda: Interpretation((out, a, unread)), "reads 'b'"),
        (lambda: made("a", "L2.H0", identity), "stands for 'L2.H0'"),
        (lambda: made("a", ("L2.H0",), identity, rest="none"), "rest of a"),
        (lambda: scrub(network, Interpretation((a,)), pairs), "is about L2.H0"),
        (lambda: scrub(network, Interpretation((out, *backwards)), pairs), "of b does not enter a"),
        (lambda: scrub(network, indirect_object(mover=unhashable), pairs), "is a list"),
        (lambda: scrub(deep, everything(deep.graph), word_pairs(4)), "more than 10000 paths"),
    ]
    for attempt, told in broken:
        with pytest.raises(TermError, match=told):
            attempt()
    variant: Any = Resampling
    for options in ({"unimportant": "alone"}, {"draws": 0}, {"data": "once"}, {"draws": True}):
        with pytest.raises(ParameterError):
            variant(**options)
    scrubbing: Any = scrub
    for wrong in ({"controls": -1}, {"within": 0.0}, {"level": 1.5}):
        with pytest.raises(ParameterError):
            scrubbing(network, nothing(), pairs, **wrong)


def test_data_are_exchanged_among_those_that_line_up() -> None:
    network, pairs = net("gpt2"), word_pairs(8, lengths=(5, 6))
    first = Interpretation(
        (
            InterpretationNode("out", ("logits",), identity, ("head",), rest="own"),
            InterpretationNode("head", ("L1.H1",), anything),
        )
    )
    choices: tuple[Among, ...] = ("same length", "same template")
    for among in choices:
        found = scrub(network, first, pairs, resampling=Resampling(among=among))
        drawn = found.drawn["scrub head"][0]
        assert [row % 2 for row in drawn] == [row % 2 for row in range(8)]  # lengths in turn
    with pytest.raises(AlignmentError):
        scrub(network, first, pairs, resampling=Resampling(among="all"), seed=1)


def test_receivers_are_found_through_what_a_head_is_made_of() -> None:
    graph = net("llama").graph
    assert receivers_of(graph, ["L1.H3"])[-1] == "L1.H3.q"
    assert receivers_of(graph, ["L1.mlp"]) == ("L1.mlp",)
    assert receivers_of(graph, ["logits"]) == ("logits",)
    assert receivers_of(graph, ["embed"]) == ()
