"""Causal scrubbing: which inputs are drawn, and what survives."""

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs import plain_graph
from causalnet.interventions import (
    Agreement,
    At,
    Base,
    Do,
    Edge,
    Hypothesis,
    Interpreted,
    causal_scrubbing,
    scrubbing_inputs,
    value_of,
)
from causalnet.interventions.interpreter import SCM
from tests.interventions.technique_cases import (
    BASE,
    Rule,
    patched_world,
    values,
)


def scrubbed_model() -> SCM:
    """Y = sign(A) + 10 B where B is not used by the first hypothesis; A = X1, B = 0 * X2."""
    graph = plain_graph({"X1": (), "X2": (), "A": ("X1",), "B": ("X2",), "Y": ("A", "B")})
    rules: dict[str, Rule] = {
        "A": lambda slots: slots["X1"],
        "B": lambda slots: slots["X2"],
        "Y": lambda slots: np.sign(slots["A"]) + 0 * slots["B"],
    }
    inputs = {
        "base": {"X1": 3.0, "X2": 1.0},
        "scrub a": {"X1": 8.0, "X2": -4.0},  # agrees on the sign of X1
        "base, rest": {"X1": -5.0, "X2": 6.0},
    }
    return SCM(graph, rules, inputs)


def test_a_true_hypothesis_survives_scrubbing() -> None:
    reads_a = Hypothesis(
        (Interpreted("out", "Y", "sign", ("a",)), Interpreted("a", "A", "the sign of X1"))
    )
    assert values(causal_scrubbing(reads_a, value_of("Y")), scrubbed_model()) == [0]
    nothing = Hypothesis((Interpreted("out", "Y", "sign"),))
    assert patched_world(causal_scrubbing(nothing, value_of("Y"))) == BASE
    model = scrubbed_model()
    reads_b = Hypothesis(
        (Interpreted("out", "Y", "sign", ("a",)), Interpreted("a", "B", "the sign of X1"))
    )
    assert values(causal_scrubbing(reads_b, value_of("Y")), model) == [-2]


def test_scrubbing_follows_the_tree_of_readers() -> None:
    """A part that two others read is drawn anew for each of them."""
    hypothesis = Hypothesis(
        (
            Interpreted("out", "logits", "answer", ("mover", "induction")),
            Interpreted("mover", "L2.H0", "name", ("induction",), enters=("L2.H0.q", "L2.H0.k")),
            Interpreted("induction", "L1.H1", "token before"),
        )
    )
    inner = Do(
        Base("scrub mover, rest"),
        tuple(
            (Edge("L1.H1", enters), At("L1.H1", Base("scrub mover/induction")))
            for enters in ("L2.H0.q", "L2.H0.k")
        ),
    )
    outer = (
        (Edge("L2.H0", "logits"), At("L2.H0", inner)),
        (Edge("L1.H1", "logits"), At("L1.H1", Base("scrub induction"))),
    )
    assert patched_world(causal_scrubbing(hypothesis)) == Do(Base("base, rest"), outer)
    assert scrubbing_inputs(hypothesis) == (
        Agreement("base, rest", "base", None),
        Agreement("scrub mover", "base", "name"),
        Agreement("scrub mover, rest", "scrub mover", None),
        Agreement("scrub induction", "base", "token before"),
        Agreement("scrub mover/induction", "scrub mover", "token before"),
    )


def test_hypotheses_that_cannot_be_scrubbed_are_refused() -> None:
    out = Interpreted("out", "logits", "answer", ("a",))
    for broken, told in [
        ((), "without parts"),
        ((out, out), "two of one name"),
        ((out,), "'a', which is no part"),
        ((out, Interpreted("a", "L0.H1", "x", ("a",))), "feed each other in a circle"),
        ((out, Interpreted("a", "L0.H1", "x"), Interpreted("b/c", "L0.H1", "x")), "no slash"),
    ]:
        with pytest.raises(TermError, match=told):
            Hypothesis(broken)
    with pytest.raises(TermError, match=r"is about L0\.H1"):
        causal_scrubbing(Hypothesis((Interpreted("a", "L0.H1", "x"),)))
    doubling = [out]
    for level in range(20):
        name = "a" if level == 0 else f"n{level}"
        following = (f"n{level + 1}", f"m{level + 1}") if level < 19 else ()
        doubling.append(Interpreted(name, "L0.H1", "x", following))
        if level:
            doubling.append(Interpreted(f"m{level}", "L0.H1", "x", following))
    with pytest.raises(TermError, match="more than 10000 contexts"):
        causal_scrubbing(Hypothesis(tuple(doubling)))
