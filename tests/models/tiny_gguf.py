"""A small random Llama, written as a GGUF file with gguf's own writer and as a folder."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.small_models import tiny_llama

SPECIAL = ("<|endoftext|>", "<|im_start|>")
MERGES = (("Ġ", "t"), ("h", "e"), ("Ġt", "he"))
TOKENS = (*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġt", "he", "Ġthe")
ROPE_THETA = 100_000.0
EPS = 1e-5


def network(seed: int = 0, tied: bool = True) -> Any:
    """Return the network itself, in float32."""
    return tiny_llama(
        seed,
        torch.float32,
        vocabulary=len(TOKENS),
        rope_theta=ROPE_THETA,
        eps=EPS,
        tied=tied,
    )


def tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer itself: bytes, and three merges."""
    ids = {token: index for index, token in enumerate(TOKENS)}
    inner = Tokenizer(models.BPE(vocab=ids, merges=list(MERGES)))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerFast = fast(
        tokenizer_object=inner, eos_token=SPECIAL[0], additional_special_tokens=list(SPECIAL)
    )
    return made


def write_folder(folder: Path, module: Any, **options: Any) -> Path:
    """Write a Hugging Face folder."""
    module.save_pretrained(str(folder), **options)
    tokenizer().save_pretrained(str(folder))
    return folder


def write_gguf(
    path: Path, module: Any, architecture: str = "llama", rope: str | None = None
) -> Path:
    """Write a GGUF file as llama.cpp's own converter does.

    `rope` adds scaled rotary frequencies, in one of the two ways that the format has.
    """
    from gguf import GGUFWriter, RopeScalingType

    config = module.config
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if architecture == "gpt2":
        writer.add_feed_forward_length(config.n_inner)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_rope_freq_base(ROPE_THETA)
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_layer_norm_rms_eps(EPS)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(list(TOKENS))
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_eos_token_id(0)
    if rope == "metadata":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(4.0)
    if rope == "tensor":
        writer.add_tensor("rope_freqs.weight", np.ones(config.head_dim // 2, np.float32))
    tensors = gpt2_tensors(module) if architecture == "gpt2" else llama_tensors(module)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def llama_tensors(module: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return the tensors under GGUF's names, queries and keys in GGUF's order of rows."""
    inner, config = module.model, module.config
    tensors = {
        "token_embd.weight": inner.embed_tokens.weight,
        "output_norm.weight": inner.norm.weight,
    }
    for index, layer in enumerate(inner.layers):
        attention, mlp = layer.self_attn, layer.mlp
        tensors |= {
            f"blk.{index}.attn_norm.weight": layer.input_layernorm.weight,
            f"blk.{index}.ffn_norm.weight": layer.post_attention_layernorm.weight,
            f"blk.{index}.attn_q.weight": interleaved(
                attention.q_proj.weight, config.num_attention_heads
            ),
            f"blk.{index}.attn_k.weight": interleaved(
                attention.k_proj.weight, config.num_key_value_heads
            ),
            f"blk.{index}.attn_v.weight": attention.v_proj.weight,
            f"blk.{index}.attn_output.weight": attention.o_proj.weight,
            f"blk.{index}.ffn_gate.weight": mlp.gate_proj.weight,
            f"blk.{index}.ffn_up.weight": mlp.up_proj.weight,
            f"blk.{index}.ffn_down.weight": mlp.down_proj.weight,
        }
    if not config.tie_word_embeddings:
        tensors["output.weight"] = module.lm_head.weight
    return {name: value.detach().contiguous().numpy() for name, value in tensors.items()}


def gpt2_tensors(module: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return GPT-2's tensors under GGUF's names, its matrices with one row per output."""
    inner = module.transformer
    tensors = {
        "token_embd.weight": inner.wte.weight,
        "position_embd.weight": inner.wpe.weight,
        "output_norm.weight": inner.ln_f.weight,
        "output_norm.bias": inner.ln_f.bias,
    }
    for index, block in enumerate(inner.h):
        parts = {
            "attn_norm": block.ln_1,
            "ffn_norm": block.ln_2,
            "attn_qkv": block.attn.c_attn,
            "attn_output": block.attn.c_proj,
            "ffn_up": block.mlp.c_fc,
            "ffn_down": block.mlp.c_proj,
        }
        for name, part in parts.items():
            tensors[f"blk.{index}.{name}.weight"] = (
                part.weight.t() if "norm" not in name else part.weight
            )
            tensors[f"blk.{index}.{name}.bias"] = part.bias
    return {name: value.detach().contiguous().numpy() for name, value in tensors.items()}


def interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Put the two halves of each head's rotation side by side, as GGUF has them."""
    rows = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, rows, -1).swapaxes(1, 2).reshape(weight.shape)
