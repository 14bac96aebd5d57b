"""The trial itself on trial: an exact estimator is unbiased and covers, and known failures show."""

import pytest

from causalnet.discovery.exact import exact_patching
from causalnet.discovery.gradients import eap
from causalnet.discovery.trial import put_on_trial
from causalnet.errors import ParameterError
from causalnet.known_circuits.planted import Mechanism, MechanismKind, plant

PLANTED = plant(
    [
        Mechanism(MechanismKind.ADDITIVE, 2.0),
        Mechanism(MechanismKind.BACKUP),
        Mechanism(MechanismKind.SATURATED),
        Mechanism(MechanismKind.IDLE),
    ]
)


def test_exact_patching_is_unbiased_and_its_intervals_cover() -> None:
    found = put_on_trial(exact_patching, PLANTED, sets=60)
    for row in found.rows:
        assert row.bias == pytest.approx(0, abs=4 * row.spread / 60**0.5 + 1e-9)
    # 5 heads x 60 sets; 0.95 less three standard errors of one head's share
    assert all(row.coverage is not None and row.coverage > 0.86 for row in found.rows)
    assert found.power == 1.0 and found.false_finds == 0.0
    assert "coverage" in str(found)


def test_gradients_miss_what_is_saturated_and_see_the_backup_that_does_nothing() -> None:
    found = put_on_trial(eap, PLANTED, sets=20)
    (saturated,) = found.of("saturated")
    assert saturated.coverage == 0.0 and saturated.power == 0.0
    assert saturated.bias == pytest.approx(-saturated.effect)
    assert any(row.power == 1.0 for row in found.of("backup"))


def test_too_few_prompts_are_refused() -> None:
    with pytest.raises(ParameterError, match="An interval needs 2 prompts"):
        put_on_trial(exact_patching, PLANTED, prompts=1)
