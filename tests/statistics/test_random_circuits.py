from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import ParameterError
from causalnet.statistics import sample_like

LAYERS = {layer: [f"L{layer}.H{head}" for head in range(9)] for layer in range(4)}


@given(st.sets(st.sampled_from(LAYERS[0][:8] + LAYERS[1] + LAYERS[3])), st.integers(0, 99))
def test_a_random_circuit_has_the_same_layerwise_size_and_is_another(
    circuit: set[str], seed: int
) -> None:
    if all(len(circuit & set(heads)) in (0, 9) for heads in LAYERS.values()):
        with pytest.raises(ParameterError, match="all or none"):
            sample_like(circuit, LAYERS, np.random.default_rng(seed))
        return
    drawn = sample_like(circuit, LAYERS, np.random.default_rng(seed))
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) != circuit
    for heads in LAYERS.values():
        assert len(set(drawn) & set(heads)) == len(circuit & set(heads))
    assert drawn == sample_like(sorted(circuit), LAYERS, np.random.default_rng(seed))


def test_all_other_circuits_are_equally_likely() -> None:
    layers, rng = {0: ["a", "b", "c"], 1: ["d", "e"], 2: ["f"]}, np.random.default_rng(0)
    counts = Counter(sample_like(["a", "d", "f"], layers, rng) for _ in range(5000))
    assert len(counts) == 3 * 2 - 1
    expected = 5000 / 5
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 18.5


def test_a_whole_layer_leaves_no_other_circuit() -> None:
    with pytest.raises(ParameterError, match="all or none of every group"):
        sample_like(LAYERS[2], LAYERS, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="all or none of every group"):
        sample_like([], LAYERS, np.random.default_rng(0))


def test_members_must_be_candidates_once() -> None:
    with pytest.raises(ParameterError, match=r"No group holds L0\.H9"):
        sample_like(["L0.H9"], LAYERS, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="listed twice"):
        sample_like(["a"], {0: ["a", "b"], 1: ["b"]}, np.random.default_rng(0))
