"""The architectures that can be lifted, each as one declaration."""

from causalnet.lift.adapter import Adapter

__all__ = ["GPT2", "LLAMA", "SMALL"]

LLAMA = Adapter(
    module_class="LlamaForCausalLM",
    embedding="model.embed_tokens",
    tokens="model.embed_tokens",
    blocks="model.layers",
    attention_norm="input_layernorm",
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    mixer="self_attn.o_proj",
    mlp_norm="post_attention_layernorm",
    mlp="mlp",
    mlp_in="mlp.up_proj",
    mlp_gate="mlp.gate_proj",
    mlp_out="mlp.down_proj",
    final_norm="model.norm",
    unembedding="lm_head",
    norm="rms",
    positions="rotary",
    rotary="model.rotary_emb",
    accepts=("attention_mask", "position_ids", "use_cache"),
)

GPT2 = Adapter(
    module_class="GPT2LMHeadModel",
    # Token plus position embedding; TransformerLens' hook_embed is the token embedding alone.
    embedding="transformer.drop",
    tokens="transformer.wte",
    blocks="transformer.h",
    attention_norm="ln_1",
    fused="attn.c_attn",
    mixer="attn.c_proj",
    mlp_norm="ln_2",
    mlp="mlp",
    mlp_in="mlp.c_fc",
    mlp_out="mlp.c_proj",
    final_norm="transformer.ln_f",
    unembedding="lm_head",
    norm="layer",
    layout="in_out",
    positions="learned",
    learned_positions="transformer.wpe",
    accepts=("attention_mask", "position_ids", "use_cache"),
)

SMALL = Adapter(
    module_class="SmallTransformer",  # causalnet.known_circuits
    embedding="tokens",
    tokens="tokens",
    blocks="blocks",
    query="attention.query",
    key="attention.key",
    value="attention.value",
    mixing="attention.mixing",
    mixer="attention.output",
    mlp="mlp",
    mlp_in="mlp.into",
    mlp_out="mlp.out",
    unembedding="unembedding",
    positions="learned",
    learned_positions="positions",
    positions_apart=True,
    stream="stream",
    scale="one",
    accepts=("attention_mask", "position_ids"),
)
