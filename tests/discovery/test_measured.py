"""What methods say was measured of them, measured again on planted mechanisms."""

from collections.abc import Mapping

import numpy as np
import pytest

from causalnet.discovery.methods import METHODS
from causalnet.discovery.trial import put_on_trial
from causalnet.known_circuits.planted import Mechanism, MechanismKind, plant

#: Method -> mean bias of saturated, second backup and conjunction heads; coverage over all heads.
SAID: Mapping[str, tuple[float, float, float, float]] = {
    "eap": (+0.33, -1.05, -0.22, 0.66),
    "eap_ig_inputs": (+0.02, -1.05, +0.26, 0.68),
}
PLANTED = plant(
    [
        Mechanism(kind, 2.0) if kind is MechanismKind.ADDITIVE else Mechanism(kind)
        for kind in MechanismKind
    ]
)


@pytest.mark.parametrize("name", SAID)
def test_errors_are_those_quoted(name: str) -> None:
    found = put_on_trial(METHODS[name].run, PLANTED, sets=40)
    biases = {kind: [row.bias for row in found.of(kind)] for kind in MechanismKind}
    (saturated,), backups = biases[MechanismKind.SATURATED], biases[MechanismKind.BACKUP]
    conjunction = np.mean([float(each or 0.0) for each in biases[MechanismKind.CONJUNCTION]])
    expected = SAID[name]
    assert [saturated, backups[1], conjunction] == pytest.approx(expected[:3], abs=0.01)
    assert found.coverage == pytest.approx(expected[3], abs=0.01)
    (power,) = [row.power for row in found.of(MechanismKind.SATURATED)]
    assert power == (0.0 if name == "eap" else 1.0)
