"""The real model: float32, grouped-query attention, 30 layers."""

import pytest
import torch

from causalnet.errors import LiftError, UnknownMediatorError
from causalnet.lift import LiftedNetwork, lift, rebuild
from causalnet.models import LanguageModel
from tests.small_models import random_ids


def test_rebuilt_within_three_times_its_own_rounding(smollm2_net: LiftedNetwork) -> None:
    check = smollm2_net.check
    assert check.dtype == "float32"
    assert check.rounding is not None
    assert 1e-5 < check.rounding < 1e-3  # about 1e-4
    assert check.difference <= 3 * check.rounding
    ids = random_ids(4, 14, vocabulary=49_152, seed=3)
    with torch.no_grad():
        own = smollm2_net.run(ids)
    assert float((rebuild(smollm2_net, ids).logits - own).abs().max()) <= check.tolerance


def test_its_keys_belong_to_three_groups(smollm2_net: LiftedNetwork) -> None:
    assert smollm2_net["L9.KV2.k"].name == "L9.KV2.k"
    with pytest.raises(UnknownMediatorError, match=r"Write 'L9\.KV2\.k'"):
        smollm2_net["L9.H6.k"]


def test_the_theta_trap_is_caught(smollm2: LanguageModel) -> None:
    told = {**smollm2.declared, "rope_theta": 10_000.0}  # what other stacks read
    wrong = LanguageModel(smollm2.module, None, told, lambda: smollm2.provenance)
    with pytest.raises(LiftError) as caught:
        lift(wrong)
    assert "first part that differs is L0.H0.z" in str(caught.value)
    assert "rope_theta=10000, the model's rotary table is built with 100000" in str(caught.value)
