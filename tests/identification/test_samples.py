"""Samples are read as they are, or refused with what is wrong with them."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.identification.estimating.columns import columns_of, discretise
from causalnet.identification.estimating.samples import Samples, empirical_table, unsupported
from causalnet.identification.evaluation import evaluate
from causalnet.identification.reading.parsing import parse_expression

COLUMNS = st.integers(1, 30).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 2), min_size=n, max_size=n), min_size=1, max_size=3)
)


@given(COLUMNS, st.sampled_from([0.0, 0.5]))
def test_tables_are_shares_of_counts(columns: list[list[int]], smoothing: float) -> None:
    data = dict(zip("XYZ", columns, strict=False))
    table = empirical_table(data, {name: 3 for name in data}, smoothing=smoothing)
    counts = Counter(zip(*data.values(), strict=True))
    total = len(columns[0]) + smoothing * 3 ** len(data)
    for at in np.ndindex(*table.array.shape):
        assert table.array[at] == pytest.approx((counts[at] + smoothing) / total)


@given(COLUMNS)
def test_what_an_experiment_sets_is_a_parameter(columns: list[list[int]]) -> None:
    data = dict(zip("XYZ", columns, strict=False))
    table = empirical_table(data, {name: 3 for name in data}, do=["X"])
    for x in range(3):
        number = columns[0].count(x)
        expected = 1 if number else np.nan
        assert table.array[x].sum() == pytest.approx(expected, nan_ok=True)


def test_weights_count() -> None:
    table = empirical_table({"X": [0, 1, 1]}, weights=[2.0, 1.0, 1.0])
    assert table.array.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("values", "levels", "labels"),
    [
        ([2, 0, 2], [2, 0, 2], (0, 1, 2)),
        ([2.0, 0.0], [2, 0], (0, 1, 2)),
        ([-1, 1, -1], [0, 1, 0], (-1, 1)),
        ([50256, 11, 11], [1, 0, 0], (11, 50256)),
        ([True, False], [1, 0], (False, True)),
        ([True, True], [1, 1], (False, True)),
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        (np.array(["b", "a"], dtype=object), [1, 0], ("a", "b")),
        (pd.Series(["low", "high"]), [1, 0], ("high", "low")),
    ],
)
def test_levels_are_read(values: Any, levels: list[int], labels: tuple[object, ...]) -> None:
    found = Samples.of({"X": values})
    assert found.columns["X"].tolist() == levels
    assert found.labels["X"] == labels
    assert [found.labels["X"][level] for level in levels] == list(values)


def test_labels_can_be_named() -> None:
    found = Samples.of({"X": ["a", "b"], "Y": [0, 1]}, labels={"X": ["b", "a"], "Y": 4})
    assert found.columns["X"].tolist() == [1, 0]
    assert (found.levels("X"), found.levels("Y")) == (2, 4)
    assert found.level_of("X", "a") == 1
    with pytest.raises(ParameterError, match="'X' is never 'c'"):
        found.level_of("X", "c")


def test_frames_are_read() -> None:
    frame = pd.DataFrame({"X": [0, 1, 1], "Y": ["a", "b", "b"], "other": [0.1, 0.2, 0.3]})
    found = Samples.of(frame, ["X", "Y"])
    assert len(found) == 3
    assert Samples.of(found, ["Y"]).columns["Y"].tolist() == [0, 1, 1]
    assert Samples.of({"X": [1, 1]}).constant() == ("X",)


@pytest.mark.parametrize(
    ("data", "labels", "error", "match"),
    [
        ({"X": [0, 1]}, None, UnknownMediatorError, "no column 'Q'. Nearest: 'X'"),
        ({"Q": [0.5, np.nan, np.nan]}, None, ParameterError, "nan in row 1, and in 2 rows"),
        ({"Q": [0.5, np.inf]}, None, ParameterError, "inf in row 1"),
        ({"Q": ["a", None]}, None, ParameterError, "None in row 1"),
        ({"Q": [0.5, 1.5]}, None, ParameterError, "continuous"),
        ({"Q": [0, 1, 2]}, {"Q": 2}, ParameterError, "'Q' is 2 in a sample"),
        ({"Q": ["a", "c"]}, {"Q": ["a", "b"]}, ParameterError, "'Q' is 'c' in a sample"),
        ({"Q": ["a", "c"]}, {"Q": 2}, ParameterError, "'Q' is 'a' in a sample"),
        ({"Q": [[0], [1]]}, None, ParameterError, r"shape \(2, 1\)"),
        ({"Q": []}, None, ParameterError, "no samples"),
    ],
)
def test_what_cannot_be_read_is_refused(
    data: Any, labels: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        Samples.of(data, ["Q"], labels)


def test_columns_are_of_one_length() -> None:
    with pytest.raises(ParameterError, match="X has 1, Y has 2"):
        columns_of({"X": [0], "Y": [0, 1]})
    with pytest.raises(ParameterError, match="no samples"):
        columns_of({})


def test_tables_have_bounds() -> None:
    with pytest.raises(ParameterError, match="smoothing=-1"):
        empirical_table({"X": [0, 1]}, smoothing=-1)
    with pytest.raises(UnknownMediatorError, match="'Z'"):
        empirical_table({"X": [0, 1]}, do=["Z"])
    with pytest.raises(ParameterError, match=r"100,000,000 combinations"):
        empirical_table({name: [0, 1] for name in "ABCD"}, {name: 100 for name in "ABCD"})


def test_conditions_without_samples_are_named() -> None:
    found = Samples.of({"X": ["a", "a", "b"], "Z": [0, 1, 1], "Y": [0, 1, 1]})
    formula = parse_expression("sum[z](P(y|x,z) * P(z))")
    (told,) = unsupported(formula, found.margins(), found.labels)
    assert told.missing == ((("X", "b"), ("Z", 0)),)
    assert str(told) == "P(y|x,z) has no support: no sample with X = b, Z = 0"
    assert np.isnan(evaluate(formula, found.margins()).array[1]).all()
    assert not unsupported(parse_expression("P(y|x)"), found.margins(), found.labels)
    assert not unsupported(formula, found.margins(smoothing=1.0), found.labels)


def test_experiments_without_samples_are_named() -> None:
    found = Samples.of({"X": [0, 0], "Y": [0, 1]}, labels={"X": 2})
    (told,) = unsupported(parse_expression("P[x](y)"), found.margins(do=["X"]), found.labels)
    assert told.missing == ((("X", 1),),)


def test_margins_are_those_of_the_whole_table() -> None:
    draw = np.random.default_rng(0)
    data = {name: draw.integers(3, size=40) for name in "XYZ"}
    formula = parse_expression("sum[z](P(y|x,z) * P(z))")
    for smoothing in (0.0, 0.5):
        whole = empirical_table(data, smoothing=smoothing)
        found = evaluate(formula, Samples.of(data).margins(smoothing=smoothing))
        assert np.allclose(found.array, evaluate(formula, lambda _, whole=whole: whole).array)


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=60, unique=True), st.integers(2, 4))
def test_levels_have_about_as_many_samples_each(values: list[float], bins: int) -> None:
    found = discretise({"X": values}, {"X": bins})
    edges, levels = found.edges["X"], found.columns["X"]
    assert list(edges) == sorted(set(edges))
    for value, level in zip(values, levels.tolist(), strict=True):
        assert level == sum(edge <= value for edge in edges)
    sizes = Counter(levels.tolist())
    assert max(sizes.values()) - min(sizes.values()) <= 2
    again = found.again({"X": values[:2], "Y": [1, 2]})
    assert again.columns["X"].tolist() == levels[:2].tolist()
    assert again.columns["Y"].tolist() == [1, 2]


def test_only_what_is_not_whole_is_cut() -> None:
    found = discretise({"X": [0.5, 1.5, 2.5], "Y": [0, 5, 7], "Z": ["a", "b", "a"]}, 3)
    assert set(found.edges) == {"X"}
    assert found.columns["Y"].tolist() == [0, 5, 7]
    assert found.interval("X", 0).startswith("X < ")
    assert found.interval("X", 2).endswith("<= X")
    with pytest.raises(ParameterError, match="X=3 is at level 3"):
        found.interval("X", 3)


@pytest.mark.parametrize(
    ("data", "bins", "error", "match"),
    [
        ({"X": [1.0, 2.0]}, {"Q": 2}, UnknownMediatorError, "no column 'Q'"),
        ({"X": [1.0, 2.0]}, {"X": [2.0, 1.0]}, ParameterError, "finite and rise"),
        ({"X": [1.0, 2.0]}, {"X": [np.nan]}, ParameterError, "finite and rise"),
        ({"X": [1.0, 2.0]}, {"X": 1}, ParameterError, "one level"),
        ({"X": [1.0, 1.0]}, {"X": 3}, ParameterError, "one level"),
        ({"X": ["a", "b"]}, {"X": 2}, ParameterError, "holds no numbers"),
    ],
)
def test_what_cannot_be_cut_is_refused(
    data: Any, bins: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        discretise(data, bins)
