"""Laws of high-level models, on random ones, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.abstraction import HighLevelModel, Variable
from causalnet.errors import CausalNetError, FormatError, GraphError


@st.composite
def models(draw: st.DrawFn) -> HighLevelModel:
    """Random models over numbers modulo 5, each variable a weighted sum of earlier ones."""
    inputs = [f"x{at}" for at in range(draw(st.integers(1, 3)))]
    names, variables = list(inputs), list[Variable]()
    for at in range(draw(st.integers(1, 4))):
        parents = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        weights = draw(st.lists(st.integers(0, 4), min_size=len(parents), max_size=len(parents)))
        variables.append(_weighted(f"v{at}", dict(zip(parents, weights, strict=True))))
        names.append(f"v{at}")
    read = {parent for each in variables for parent in each.parents}
    loose = [name for name in names if name not in read]
    variables.append(_weighted("out", dict.fromkeys(loose, 1)))
    return HighLevelModel("random", tuple(inputs), tuple(draw(st.permutations(variables))), "out")


def _weighted(name: str, weights: dict[str, int]) -> Variable:
    def function(**values: Any) -> int:
        return int(sum(weights[parent] * values[parent] for parent in weights) % 5)

    return Variable.of(name, function, weights)


@st.composite
def models_and_inputs(draw: st.DrawFn) -> tuple[HighLevelModel, list[dict[str, Any]]]:
    model = draw(models())
    rows = [{name: draw(st.integers(0, 4)) for name in model.inputs} for _ in range(3)]
    return model, rows


@given(models_and_inputs(), st.data())
def test_setting_what_is_there_is_the_identity(case: Any, data: st.DataObject) -> None:
    model, (base, *_) = case
    values = model.run(base)
    chosen = data.draw(st.lists(st.sampled_from(model.names), unique=True))
    assert model.run(base, {name: values[name] for name in chosen}) == values
    assert model.interchange(base, dict.fromkeys(chosen, base)) == values["out"]


@given(models_and_inputs())
def test_interchange_of_all_inputs_is_the_source(case: Any) -> None:
    model, (base, source, _) = case
    everything = dict.fromkeys(model.inputs, source)
    assert model.interchange(base, everything) == model.answer(source)
    assert model.interchange(base, {"out": source}) == model.answer(source)


@given(models_and_inputs(), st.data())
def test_what_is_no_ancestor_changes_nothing(case: Any, data: st.DataObject) -> None:
    model, (base, _, _) = case
    name, target = (data.draw(st.sampled_from(model.names)) for _ in range(2))
    before, after = model.run(base), model.run(base, {name: data.draw(st.integers(0, 4))})
    if name != target and name not in model.ancestors(target):
        assert before[target] == after[target]


@given(models_and_inputs(), st.data())
def test_setting_all_parents_cuts_off_the_rest(case: Any, data: st.DataObject) -> None:
    model, (base, source, _) = case
    variable = data.draw(st.sampled_from(model.variables))
    setting = {name: data.draw(st.integers(0, 4)) for name in variable.parents}
    one, other = (model.run(row, setting)[variable.name] for row in (base, source))
    assert one == other


def test_a_file_and_functions_write_the_same_model() -> None:
    written = {
        "inputs": ["a", "b"],
        "variables": {"s": {"sum": ["a", "b"]}, "r": {"mod": ["s", 3]}},
        "output": "r",
    }
    one = HighLevelModel.from_mapping(written)

    def s(a: int, b: int) -> int:
        return a + b

    def r(s: int) -> int:
        return s % 3

    other = HighLevelModel.of("f", inputs=["a", "b"], variables=[r, s], output="r")
    for a in range(4):
        for b in range(4):
            assert one.run({"a": a, "b": b}) == other.run({"a": a, "b": b})
    assert one == HighLevelModel.from_mapping(written) != other
    assert str(one).splitlines()[1] == "  s(a, b) := a b sum/2"


def test_texts_of_a_file_are_names_and_not_programs() -> None:
    with pytest.raises(GraphError, match=r"reads .__import__"):
        HighLevelModel.from_mapping(
            {"inputs": ["a"], "variables": {"v": "__import__('os')"}, "output": "v"}
        )


def one(a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("inputs", "variables", "output", "message"),
    [
        (["a"], {"v": lambda w: w, "w": lambda v: v}, "v", r"in a circle: v -> w -> v|w -> v -> w"),
        (["a"], {"v": lambda b: b}, "v", r"'v' reads 'b', which 'm' does not have. It has a, v"),
        (["a"], {"v": one, "w": one}, "w", r"Nothing in 'm' reads 'v'"),
        (["a", "b"], {"v": one}, "v", r"Nothing in 'm' reads 'b'"),
        (["a"], {"a": lambda: 1}, "a", r"'a' is there twice"),
        (["a", "a"], {"v": one}, "v", r"'a' is there twice"),
        (["a"], {"v v": one}, "v v", r"The name 'v v'"),
        (["a"], {"v": one}, "w", r"output 'w' of 'm' is not computed. Computed are v"),
        (["a"], {"v": one}, "a", r"output 'a' of 'm' is not computed"),
        (["a"], {"v": lambda *parts: parts}, "v", r"has the parameter \*parts"),
    ],
)
def test_what_is_no_model_is_refused(
    inputs: Any, variables: Any, output: str, message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        HighLevelModel.of("m", inputs=inputs, variables=variables, output=output)


def test_a_function_that_fails_is_told_with_its_values() -> None:
    model = HighLevelModel.of("m", inputs=["a"], variables={"v": lambda a: 1 / a}, output="v")
    with pytest.raises(CausalNetError, match=r"'v' of 'm' fails at a=0: ZeroDivisionError"):
        model.answer({"a": 0})
    unhashable = HighLevelModel.of("m", inputs=["a"], variables={"v": lambda a: [a]}, output="v")
    with pytest.raises(CausalNetError, match=r"one hashable value"):
        unhashable.answer({"a": 0})


def test_unknown_names_are_refused() -> None:
    model = HighLevelModel.of("m", inputs=["a"], variables={"v": one}, output="v")
    with pytest.raises(GraphError, match=r"no variable 'w'. It has a, v"):
        model.run({"a": 1}, {"w": 2})
    with pytest.raises(GraphError, match=r"input 'a' of 'm' has no value"):
        model.run({"b": 1})
    with pytest.raises(FormatError, match=r"without 'output'"):
        HighLevelModel.from_mapping({"inputs": ["a"], "variables": {}})
    with pytest.raises(FormatError, match=r"with 'extra'"):
        HighLevelModel.from_mapping({"inputs": [], "variables": {}, "output": "v", "extra": 1})
    with pytest.raises(FormatError, match=r"Variable 'v': There is no operation 'eval'"):
        HighLevelModel.from_mapping(
            {"inputs": ["a"], "variables": {"v": {"eval": ["a"]}}, "output": "v"}
        )
