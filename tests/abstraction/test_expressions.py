"""Expressions as plain values: what they mean, and what is refused."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.abstraction import OPERATORS, parse_expression
from causalnet.errors import FormatError

NUMBERS = st.integers(-9, 9)
# Written expression and the same in Python, side by side.
LEAVES = st.one_of(
    NUMBERS.map(lambda n: (n, str(n))), st.sampled_from("abc").map(lambda name: (name, name))
)


def _joined(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def binary(name: str, sign: str) -> st.SearchStrategy[Any]:
        return st.tuples(children, children).map(
            lambda pair: ({name: [pair[0][0], pair[1][0]]}, f"({pair[0][1]} {sign} {pair[1][1]})")
        )

    return st.one_of(
        binary("sum", "+"),
        binary("difference", "-"),
        binary("product", "*"),
        binary("equal", "=="),
        binary("less", "<"),
        children.map(lambda one: ({"mod": [one[0], 7]}, f"({one[1]} % 7)")),
        st.tuples(children, children, children).map(
            lambda three: (
                {"if": [part[0] for part in three]},
                f"({three[1][1]} if {three[0][1]} else {three[2][1]})",
            )
        ),
        st.tuples(children, children).map(
            lambda two: ({"most": [two[0][0], two[1][0]]}, f"max({two[0][1]}, {two[1][1]})")
        ),
    )


@given(st.recursive(LEAVES, _joined, max_leaves=12), NUMBERS, NUMBERS, NUMBERS)
def test_an_expression_means_what_python_means(pair: Any, a: int, b: int, c: int) -> None:
    written, python = pair
    expression = parse_expression(written)
    assert set(expression.names) == set(re.findall(r"\b[abc]\b", python))
    values = {"a": a, "b": b, "c": c}
    oracle = eval(python, {"__builtins__": {"max": max}}, values)
    assert expression(**values) == oracle


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"find": ["y", "x", "y"]}, 0),
        ({"find": [{"value": "?"}, "x", "y"]}, -1),
        ({"choose": [1, "x", {"value": "second"}]}, "second"),
        ({"first": "x"}, "a"),
        ({"last": ["x"]}, "b"),
        ({"join": ["x", 3]}, ("ab", 3)),
        ({"not": [{"and": [True, False]}]}, True),
        ({"or": [False, {"least": [0, 1]}]}, False),
        ({"lookup": "x", "table": {"ab": "capital"}}, "capital"),
        ({"lookup": ["x", "y"], "table": [[["ab", "ab"], 5]]}, 5),
        ({"lookup": "x", "table": [["z", 1]], "otherwise": 0}, 0),
    ],
)
def test_every_operation(written: object, value: object) -> None:
    assert parse_expression(written)(x="ab", y="ab") == value


def test_a_deep_expression_is_no_deep_recursion() -> None:
    written: object = "a"
    for _ in range(5000):
        written = {"sum": [written, 1]} if written == "a" else {"not": [written]}
    assert parse_expression(written)(a=1) in (True, False)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"__import__": ["os"]}, r"no operation '__import__'. There are sum,"),
        ({"mod": ["a"]}, r"mod of 1 arguments. It takes 2. Write \{mod: \[a, b\]\}"),
        ({"sum": ["a"], "mod": 7}, r"The expression \{'sum'.*one operation"),
        (None, r"The expression None"),
        ({"lookup": "a"}, r"A lookup in None. It has a table"),
        ({"lookup": "a", "table": [[1, 2], [1, 3]]}, r"the key 1 twice"),
        ({"lookup": "a", "table": [[1, 2]], "default": 3}, r"A lookup with 'default'"),
        ({"value": {"a": 1}}, r"The value \{'a': 1\}"),
    ],
)
def test_what_is_none_is_refused(written: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_expression(written)


def test_the_vocabulary_is_documented() -> None:
    import causalnet.abstraction.expressions as room

    assert room.__doc__ is not None
    assert all(f"{{{name}:" in room.__doc__ for name in OPERATORS)
