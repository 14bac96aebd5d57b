"""At which level a mediator of a sweep is shown to lie on the other side."""

import numpy as np
import pytest

from causalnet.errors import ParameterError
from causalnet.statistics import SweepJudge


def _share_ever_contradicted(names: list[str], level: float, runs: int = 200) -> float:
    """How often any of some mediators at the threshold itself is shown to be below it."""
    rng, ever = np.random.default_rng(0), 0
    for _ in range(runs):
        judge = SweepJudge(names, alpha=0.05, otherwise=dict.fromkeys(names, level))
        for _ in range(10):
            judge.add(rng.normal(size=(20, len(names))))
        ever += any(one.stopped == "shown_otherwise" for one in judge.findings())
    return ever / runs


def test_the_union_over_mediators_is_held_at_its_level() -> None:
    """All 30 nulls are true at their edge; two standard errors of 200 runs are 0.03."""
    names = [f"L{index}" for index in range(30)]
    assert _share_ever_contradicted(names, 0.05 / 30) <= 0.05 + 0.03
    assert _share_ever_contradicted(names, 0.05) > 0.2  # each by itself


def test_levels_are_of_known_names() -> None:
    with pytest.raises(ParameterError, match="No mediator is called L9"):
        SweepJudge(["L0"], otherwise={"L9": 0.01})
