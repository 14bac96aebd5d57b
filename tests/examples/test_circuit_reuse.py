"""Circuit reuse on SmolLM2: direct effects, a second task, and a repair with heads of the first.

Oracle: figures measured with plain hooks on the same prompts, by other code.  Tolerances are 0.003
for shares of the logit difference and 0.01 for attention; for accuracies of 40 prompts the bounds
are those that were stated before.
"""

import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

import causalnet as cn
from causalnet.examples import circuit_reuse as example
from causalnet.lift import LiftedNetwork
from causalnet.tasks.indirect_object import ACCEPTANCE_NAMES

DIRECT = {
    "L23.H3": -0.459,
    "L29.H1": -0.252,
    "L24.H4": 0.179,
    "L29.H0": 0.176,
    "L23.H0": -0.154,
    "L23.H1": -0.094,
    "L23.H2": -0.089,
    "L24.H5": 0.053,
    "L23.H7": -0.047,
}
ATTENDS = {("L23.H3", "S2"): 0.66, ("L23.H0", "IO"): 0.66, ("L20.H0", "S2"): 0.80}
COPIES = {("L23.H3", -1): 1.0, ("L23.H3", 1): 0.0, ("L23.H0", 1): 28 / 30, ("L24.H4", -1): 28 / 30}


@pytest.fixture(scope="module")
def told(smollm2_net: LiftedNetwork) -> tuple[example.Findings, str]:
    out = StringIO()
    with redirect_stdout(out):
        findings = example.main(smollm2_net)
    return findings, out.getvalue()


@pytest.fixture(scope="module")
def effects(told: tuple[example.Findings, str]) -> Mapping[str, float]:
    return told[0].effects


@pytest.fixture(scope="module")
def repaired(told: tuple[example.Findings, str]) -> Mapping[str, example.Repaired]:
    return told[0].repaired


def test_the_example_tells_the_caveat_beside_the_figures(
    told: tuple[example.Findings, str],
) -> None:
    findings, text = told
    assert "L23.H3  -0.459   attends to IO 0.04, S1 0.04, S2 0.66" in text
    for name, arm in findings.repaired.items():
        assert re.search(rf"{name} +{arm.accuracy:.3f} \[", text)
    assert text.endswith(f"{example.CAVEAT}\n")


def test_the_direct_effects_are_those_known_for_the_model(effects: Mapping[str, float]) -> None:
    assert example.largest(effects, len(DIRECT)) == list(DIRECT)
    for head, share in DIRECT.items():
        assert effects[head] == pytest.approx(share, abs=0.003)


def test_the_largest_head_suppresses_the_subject(smollm2_net: LiftedNetwork) -> None:
    prompts = example.ioi_pairs(smollm2_net).base
    looks = example.attention(smollm2_net, prompts, ("L23.H3", "L23.H0", "L20.H0"))
    for (head, key), weight in ATTENDS.items():
        assert looks[head][key] == pytest.approx(weight, abs=0.01)
    for (head, sign), score in COPIES.items():
        found = example.copy_score(smollm2_net, head, ACCEPTANCE_NAMES, sign)
        assert found == pytest.approx(score, abs=1e-6)


def test_inhibition_heads_are_the_largest_into_the_movers_queries(
    smollm2_net: LiftedNetwork,
) -> None:
    pairs = example.ioi_pairs(smollm2_net)
    effects = example.into_queries(smollm2_net, pairs)
    assert example.largest(effects, 2) == list(example.INHIBITION)
    assert effects["L20.H0"] == pytest.approx(-0.126, abs=0.003)
    assert effects["L19.H2"] == pytest.approx(-0.079, abs=0.003)


def test_surname_induction_shares_movers_and_not_the_suppression_head(
    told: tuple[example.Findings, str], effects: Mapping[str, float]
) -> None:
    others = told[0].others
    (row,) = example.overlap(effects, others, (10,)).rows
    assert row.overlap.shared >= 6
    assert row.overlap.by_size.expected == pytest.approx(100 / 270)
    # Late heads are large in both: chance that knows the layers shares far more, and still less.
    assert row.overlap.by_layer is not None
    assert 2 < row.overlap.by_layer.expected < 4
    assert row.overlap.by_layer.p_value < 0.05
    assert example.SUPPRESSION not in example.largest(others, 10)
    assert abs(others[example.SUPPRESSION]) < 0.02 < abs(effects[example.SUPPRESSION])


def test_found_heads_repair_a_task_that_the_model_does_not_do(
    repaired: Mapping[str, example.Repaired],
) -> None:
    accuracies = {name: arm.accuracy for name, arm in repaired.items()}
    assert accuracies["none"] <= 0.45
    assert accuracies["both -> wrong"] >= 0.70
    assert accuracies["both -> random"] <= 0.50
    assert accuracies["both -> right"] <= 0.10
    assert repaired["none"].interval[1] < repaired["both -> wrong"].interval[0]


def test_most_of_the_repair_is_direct_output_of_one_head(
    repaired: Mapping[str, example.Repaired],
) -> None:
    """The caveat that stands beside the figures, in logits gained."""
    gained = {
        name: arm.logit_difference - repaired["none"].logit_difference
        for name, arm in repaired.items()
    }
    assert gained["suppression -> wrong, to the logits"] > 0.6 * gained["both -> wrong"]
    assert gained["inhibition -> wrong"] < 0.2 * gained["both -> wrong"]
    assert abs(gained["inhibition -> wrong, to the logits"]) < 0.05


@pytest.mark.parametrize(
    "arm", [arm for arm in example.ARMS if arm.heads], ids=lambda arm: arm.name
)
def test_arms_are_redirects(smollm2_net: LiftedNetwork, arm: example.Arm) -> None:
    outcome = replace(cn.logit_diff, answers="wrong_1")
    heads = cn.joint(arm.name, *(smollm2_net[head] for head in arm.heads))
    query = cn.attention_redirect(heads, arm.keys, at="end", outcome=outcome)
    text = "logit_difference{{answers=wrong_1}}({})"
    written = f"{text.format(arm.world)} - {text.format('<base>')}"
    assert query.contrasts == ((arm.name, cn.parse(written)),)


def test_intervals_are_wilsons() -> None:
    """Oracle: the formula, for 33 of 40 and for none."""
    for hits, total in ((33, 40), (0, 40)):
        differences = np.where(np.arange(total) < hits, 1.0, -1.0)[None].repeat(2, axis=0)
        arm = example.Repaired("", differences)
        z, share = 1.959963984540054, hits / total
        centre = (share + z * z / (2 * total)) / (1 + z * z / total)
        half = z * (share * (1 - share) / total + z * z / (4 * total**2)) ** 0.5
        half /= 1 + z * z / total
        assert arm.accuracy == share
        assert arm.interval == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_one_wrong_colour_above_the_right_one_is_a_miss() -> None:
    arm = example.Repaired("", np.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]]))
    assert arm.hits.tolist() == [True, False, False, False]
    assert arm.logit_difference == 0.0
