"""The facts that a checkpoint's own file states, independent of how `transformers` reads it.

Releases of `transformers` have read one and the same file with different rotary bases, in
silence.  So what a model should compute is taken from the file here, in one spelling, and the
lift rebuilds the network with it.

Keys (those that apply): rope_theta, rope_scaling, norm_eps, layers, heads, kv_heads, width,
head_width, mlp_width, vocabulary, positions, activation, tied, window, attention_softcap,
logit_softcap, causal (False where tokens attend to later ones), silent (names of heads and MLPs
that write nothing).
"""

from collections.abc import Mapping

from causalnet.models.gguf_header import GGUFHeader

__all__ = ["declared_by_config", "declared_by_gguf"]

#: Our name to the spellings in config.json, GPT-2's second.
_SPELLINGS = {
    "layers": ("num_hidden_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads",),
    "width": ("hidden_size", "n_embd"),
    "head_width": ("head_dim",),
    "mlp_width": ("intermediate_size", "n_inner"),
    "vocabulary": ("vocab_size",),
    "positions": ("max_position_embeddings", "n_positions"),
    "norm_eps": ("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps"),
    "activation": ("hidden_act", "activation_function"),
    "tied": ("tie_word_embeddings",),
    "rope_theta": ("rope_theta",),
    "window": ("sliding_window",),
    "attention_softcap": ("attn_logit_softcapping",),
    "logit_softcap": ("final_logit_softcapping",),
    "causal": ("causal",),
    "silent": ("silent",),
}

#: What a config.json that leaves a key out means, by its model_type.
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "llama": {"rope_theta": 10000.0, "norm_eps": 1e-6, "activation": "silu", "tied": False},
    "gpt2": {"norm_eps": 1e-5, "activation": "gelu_new", "tied": True},
}

#: GGUF files do not state the activation: it belongs to the architecture.
_GGUF_ACTIVATIONS = {"llama": "silu", "gpt2": "gelu_new"}


def declared_by_config(config: Mapping[str, object]) -> dict[str, object]:
    """Return what a raw config.json states.

    Args:
        config: The parsed JSON, with either spelling of the rotary base.

    >>> declared_by_config({"model_type": "llama", "rope_parameters": {"rope_theta": 1e5},
    ...                     "hidden_size": 8, "num_attention_heads": 2})["rope_theta"]
    100000.0
    >>> declared_by_config({"model_type": "gpt2", "n_embd": 8, "n_head": 2})["mlp_width"]
    32
    """
    facts = dict(_DEFAULTS.get(str(config.get("model_type")), {}))
    for name, spellings in _SPELLINGS.items():
        for spelling in spellings:
            if config.get(spelling) is not None:
                facts[name] = config[spelling]
    if config.get("use_sliding_window") is False:
        facts.pop("window", None)
    facts.update(_rope_facts(config))
    return _completed(facts, four_fold_mlp=config.get("model_type") == "gpt2")


def _rope_facts(config: Mapping[str, object]) -> dict[str, object]:
    """Return the rotary facts of either spelling; `rope_parameters` is the later one and wins."""
    facts: dict[str, object] = {}
    for spelling in ("rope_scaling", "rope_parameters"):
        block = config.get(spelling)
        if not isinstance(block, Mapping):
            continue
        if "rope_theta" in block:
            facts["rope_theta"] = block["rope_theta"]
        if block.get("rope_type", block.get("type", "default")) != "default":
            facts["rope_scaling"] = dict(block)
    return facts


def declared_by_gguf(header: GGUFHeader) -> dict[str, object]:
    """Return what a GGUF file's metadata and table of tensors state."""
    prefix, metadata = header.architecture, header.metadata
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    keys = {
        "layers": "block_count",
        "heads": "attention.head_count",
        "kv_heads": "attention.head_count_kv",
        "width": "embedding_length",
        "head_width": "attention.key_length",
        "mlp_width": "feed_forward_length",
        "positions": "context_length",
        "rope_theta": "rope.freq_base",
    }
    facts: dict[str, object] = {"tied": "output.weight" not in shapes}
    if prefix == "llama":
        facts["rope_theta"] = 10000.0  # what the format means by leaving it out
    if prefix in _GGUF_ACTIVATIONS:
        facts["activation"] = _GGUF_ACTIVATIONS[prefix]
    for name, key in keys.items():
        if f"{prefix}.{key}" in metadata:
            facts[name] = metadata[f"{prefix}.{key}"]
    for key in ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"):
        if f"{prefix}.{key}" in metadata:
            facts["norm_eps"] = metadata[f"{prefix}.{key}"]
    if "token_embd.weight" in shapes:
        facts["vocabulary"] = shapes["token_embd.weight"][0]
    scaling = metadata.get(f"{prefix}.rope.scaling.type", "none")
    if scaling != "none" or "rope_freqs.weight" in shapes:
        facts["rope_scaling"] = {"rope_type": scaling, "factors": "rope_freqs.weight" in shapes}
    return _completed(facts, four_fold_mlp=False)


def _completed(facts: dict[str, object], four_fold_mlp: bool) -> dict[str, object]:
    """Fill in what the other facts fix: K/V heads, the width of a head, GPT-2's MLP."""
    heads, width = facts.get("heads"), facts.get("width")
    if isinstance(heads, int) and heads > 0:
        facts.setdefault("kv_heads", heads)
        if isinstance(width, int):
            facts.setdefault("head_width", width // heads)
    if four_fold_mlp and isinstance(width, int):
        facts.setdefault("mlp_width", 4 * width)
    return facts
