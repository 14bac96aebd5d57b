"""Pairs: of the kinds that they are said to be, drawn alike by a seed."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.abstraction import Examples, HighLevelModel, Reading, draw_interchanges
from causalnet.abstraction.pairs import draw_classes
from causalnet.errors import AnswerError, GraphError, ParameterError, PromptError
from causalnet.known_circuits.words import word_tokenizer
from causalnet.tasks import make
from tests.abstraction.entities import examples, model

TOKENIZER = word_tokenizer(["a", "b", "c", "0", "1", "yes", "no"])


@given(
    st.integers(2, 60),
    st.integers(0, 10_000),
    st.lists(st.sampled_from(["colour", "shape"]), min_size=1, unique=True),
)
def test_kinds_are_what_the_model_says(n: int, seed: int, variables: list[str]) -> None:
    pairs = draw_interchanges(model(), examples(), variables, n, seed=seed)
    assert len(pairs) == n and pairs.is_cause.sum() == (n + 1) // 2
    for at, (base, sources) in enumerate(zip(pairs.base, pairs.sources, strict=True)):
        rows = {name: examples().row(s) for name, s in zip(variables, sources, strict=True)}
        after, before = model().interchange(examples().row(base), rows), pairs.before[at]
        assert pairs.predicted[at] == after == pairs.candidates[at][0]
        assert before == model().answer(examples().row(base))
        assert (after != before) == pairs.is_cause[at] == (pairs.labels[at] == "cause")
        assert before in pairs.candidates[at] and len(pairs.candidates[at]) > 1
        assert base not in sources


def test_a_seed_is_a_draw() -> None:
    one, same, other = (
        draw_interchanges(model(), examples(), "colour", 40, seed=seed) for seed in (1, 1, 2)
    )
    assert (one.base == same.base).all() and (one.sources == same.sources).all()
    assert (one.shuffled() == same.shuffled()).all()
    assert (one.base != other.base).any()


def test_every_pair_of_a_kind_is_as_likely() -> None:
    """Oracle: all pairs, counted; chi squared at 0.001."""
    pairs = draw_interchanges(model(), examples(), "colour", 3000, seed=5, kinds=["cause"])
    seen = Counter(zip(pairs.base.tolist(), pairs.sources[:, 0].tolist(), strict=True))
    possible = [
        (base, source)
        for base in range(18)
        for source in range(18)
        if examples().inputs["question"][base] == "colour"
        and base != source
        and model().run(examples().row(base))["colour"]
        != model().run(examples().row(source))["colour"]
    ]
    assert set(seen) == set(possible)
    expected = 3000 / len(possible)
    statistic = sum((seen[pair] - expected) ** 2 / expected for pair in possible)
    from scipy.stats import chi2

    assert statistic < chi2.ppf(0.999, len(possible) - 1)


def test_tuples_are_as_likely_in_groups_of_unequal_sizes() -> None:
    """Ten examples in a group of 7 and one of 3: 42 of 48 ordered pairs are in the larger."""
    table = examples().rows(range(10)).with_column("group", ["a"] * 7 + ["b"] * 3)
    found, searched = draw_classes(table, 1, {"any": 2000}, lambda base, sources: "any", 0, "group")
    larger = sum(base < 7 for base, _ in found["any"])
    assert searched == 2000
    # Oracle: the binomial distribution; four standard deviations.
    assert abs(larger - 2000 * 42 / 48) < 4 * (2000 * 42 / 48 * 6 / 48) ** 0.5


def test_base_and_source_agree_where_they_are_asked_to() -> None:
    pairs = draw_interchanges(model(), examples(), "colour", 40, within="question")
    asked = np.array(examples().column("question"))
    assert (asked[pairs.base] == asked[pairs.sources[:, 0]]).all()
    assert (asked[pairs.base] == asked[pairs.shuffled()[:, 0]]).all()
    assert "that agree on question" in pairs.distribution()


def test_shuffled_sources_are_those_of_other_pairs_of_the_kind() -> None:
    pairs = draw_interchanges(model(), examples(), ["colour", "shape"], 50)
    shuffled = pairs.shuffled()
    for kind in (True, False):
        own = pairs.is_cause == kind
        assert sorted(map(tuple, shuffled[own])) == sorted(map(tuple, pairs.sources[own]))
    assert (shuffled != pairs.sources).any(axis=1).mean() > 0.8


def test_a_pair_that_is_alone_in_its_kind_gets_another_source_of_its_group() -> None:
    pairs = draw_interchanges(model(), examples(), "colour", 2, seed=4, within="question")
    asked = np.array(examples().column("question"))
    assert (asked[pairs.base] == asked[pairs.shuffled()[:, 0]]).all()


def test_a_kind_that_does_not_exist_is_an_error() -> None:
    alike = examples().rows([row for row in range(18) if examples().inputs["entity"][row] == "e4"])
    with pytest.raises(ParameterError, match=r"0 of 5 pairs.*changes the answer.*kinds=\['isolate"):
        draw_interchanges(model(), alike, "colour", 10)
    assert len(draw_interchanges(model(), alike, "colour", 10, kinds=["isolate"])) == 10
    with pytest.raises(ParameterError, match=r"among 0 drawn"):
        draw_interchanges(model(), examples().rows([0]), "colour", 10)


def test_mistakes() -> None:
    for options, message in (
        ({"n": 1}, "n=1"),
        ({"n": True}, "n=True"),
        ({"kinds": []}, "The kinds"),
        ({"kinds": ["causes"]}, "The kinds"),
        ({"within": "word"}, "no column 'word'"),
    ):
        with pytest.raises(ParameterError, match=message):
            draw_interchanges(model(), examples(), "colour", **options)
    with pytest.raises(ParameterError, match="At least one, none twice"):
        draw_interchanges(model(), examples(), ["colour", "colour"])
    with pytest.raises(GraphError, match="no variable 'size'"):
        draw_interchanges(model(), examples(), "size")
    lacking = Examples.from_rows(TOKENIZER, [{"prompt": "a", "word": 1}])
    with pytest.raises(ParameterError, match="no column 'entity', which 'entities' reads"):
        draw_interchanges(model(), lacking, "colour")


def test_inputs_are_read_off_prompts() -> None:
    from causalnet.known_circuits import known_circuit

    tokenizer = known_circuit("indirect_object").tokenizer()
    pairs = make("known:indirect_object", tokenizer, n=6, seed=0)
    read: dict[str, Any] = {
        "first": {"token": ["IO", "S1"]},
        "second": {"token": ["IO", "S1"], "nth": 1},
        "third": {"token": "S2"},
        "place": {"index": "S1"},
        "template": "template",
        "length": "length",
    }
    table = Examples.from_pairs(pairs, tokenizer, read)
    for row, text in enumerate(table.prompts.texts):
        words = text.split()
        found = table.row(row)
        assert (found["first"], found["second"], found["third"]) == (words[1], words[3], words[5])
        assert words[int(str(found["place"]))] == words[5] and found["length"] == 8
    other = Examples.from_pairs(pairs, tokenizer, {"third": {"token": "S2"}}, side="source")
    assert other.inputs["third"] != table.inputs["third"]
    assert table.digest() != other.digest() == other.rows(range(6)).digest()
    kept = table.without({"third": {table.inputs["third"][0]}})
    assert 0 < len(kept) < 6 and table.inputs["third"][0] not in kept.inputs["third"]
    names = table.with_column(
        "names", lambda row: tuple(sorted([str(row["first"]), str(row["second"])]))
    )
    assert all(isinstance(pair, tuple) and pair[0] < pair[1] for pair in names.inputs["names"])


def test_readings_that_are_none() -> None:
    wrong: list[object] = [
        {"word": "S1"},
        {"token": []},
        "prompt",
        {"token": "S1", "at": "S2"},
        None,
    ]
    for written in wrong:
        with pytest.raises(ParameterError):
            Reading.of(written)
    with pytest.raises(ParameterError, match="Number 2 of the positions"):
        Reading("token", ("S1", "S2"), 2)
    table = Examples.from_rows(TOKENIZER, [{"prompt": "a 1", "positions": {"n": "1", "w": 0}}])
    assert Reading.of({"number": "n"}).values(table.prompts) == (1,)
    with pytest.raises(PromptError, match="'a' of 'a 1' is no whole number"):
        Reading.of({"number": "w"}).values(table.prompts)


def test_tables_that_are_none() -> None:
    for rows, message in (
        ([], "no examples"),
        ([{"word": 1}], "neither prompt nor prompt_ids"),
        ([{"prompt": "a", "x": 1}, {"prompt": "b"}], "Row 1 has other columns"),
        ([{"prompt": "a", "positions": {"x": "b"}}], "'b' does not stand in 'a'"),
        ([{"prompt": "a", "positions": {"x": 0}}, {"prompt": "b"}], "the same positions"),
    ):
        with pytest.raises(PromptError, match=message):
            Examples.from_rows(TOKENIZER, rows)  # type: ignore[arg-type]
    table = Examples.from_rows(TOKENIZER, [{"prompt": "a", "x": 1}, {"prompt": "b", "x": 2}])
    with pytest.raises(ParameterError, match="All 2 examples have a value that was seen"):
        table.without({"x": {1, 2}})
    with pytest.raises(ParameterError, match="no column 'y'"):
        table.without({"y": {1}})


def test_outputs_are_single_tokens_of_their_own() -> None:
    table = Examples.from_rows(TOKENIZER, [{"prompt": "a", "x": 1}], tokens={True: 5})
    assert table.spelling.tokens_of([True, "no"], [0]) == {True: 5, "no": 6}
    with pytest.raises(AnswerError, match="'yes no', written ' yes no', is 2 known tokens"):
        table.spelling.tokens_of(["yes no"], [0])
    with pytest.raises(AnswerError, match="both token 5"):
        table.spelling.tokens_of([True, "yes"], [0])
    with pytest.raises(AnswerError, match="'unheard', written ' unheard', is"):
        table.spelling.tokens_of(["unheard"], [0])


def test_a_model_without_another_answer_is_refused() -> None:
    from causalnet.abstraction import aligned, interchange_accuracy
    from tests.abstraction.entities import network

    same = HighLevelModel.of(
        "same", inputs=["entity"], variables={"answer": lambda entity: "c0"}, output="answer"
    )
    pairs = draw_interchanges(same, examples(), "entity", 4, kinds=["isolate"])
    with pytest.raises(ParameterError, match="The answer is 'c0' whatever is swapped"):
        interchange_accuracy(network(), pairs, aligned({"entity": "L0.H0"}))
