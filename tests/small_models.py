"""Small random Llama and GPT-2 models, and a tokenizer with one token per word.

Every parameter is drawn from a generator seeded with `seed`, biases and norm weights included, and
large enough that attention is far from uniform: a dropped bias or a wrong rotation shows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

SPECIAL = ("[PAD]", "[UNK]", "[BOS]")


def tiny_llama(
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    width: int = 32,
    mlp_width: int = 48,
    vocabulary: int = 64,
    rope_theta: float = 10_000.0,
    eps: float = 1e-5,
    attention: str = "sdpa",
    bias: bool = False,
    tied: bool = False,
    head_width: int | None = None,
    rope_scaling: Mapping[str, object] | None = None,
) -> Any:
    """Return a random LlamaForCausalLM in eval mode, its parameters frozen."""
    from transformers import LlamaConfig, LlamaForCausalLM

    facts: dict[str, Any] = dict(
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        hidden_size=width,
        head_dim=head_width or width // heads,
        intermediate_size=mlp_width,
        vocab_size=vocabulary,
        rope_parameters={
            "rope_theta": rope_theta,
            "rope_type": "default",
            **(rope_scaling or {}),
        },
        rms_norm_eps=eps,
        max_position_embeddings=128,
        attention_bias=bias,
        mlp_bias=bias,
        tie_word_embeddings=tied,
        attn_implementation=attention,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=0,
    )
    return _randomised(LlamaForCausalLM(LlamaConfig(**facts)), seed, dtype)


def tiny_gpt2(
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    layers: int = 2,
    heads: int = 4,
    width: int = 32,
    mlp_width: int = 64,
    vocabulary: int = 64,
    eps: float = 1e-5,
    attention: str = "sdpa",
) -> Any:
    """Return a random GPT2LMHeadModel in eval mode, its parameters frozen."""
    from transformers import GPT2Config, GPT2LMHeadModel

    facts: dict[str, Any] = dict(
        n_layer=layers,
        n_head=heads,
        n_embd=width,
        n_inner=mlp_width,
        vocab_size=vocabulary,
        n_positions=128,
        layer_norm_epsilon=eps,
        attn_implementation=attention,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=0,
    )
    return _randomised(GPT2LMHeadModel(GPT2Config(**facts)), seed, dtype)


class LinearBlock(nn.Module):
    """Attention that looks everywhere alike (its queries and keys are zero), then a linear MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.mlp = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(2)))

    def forward(self, x: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            side(x).view(*x.shape[:2], self.heads, -1).transpose(1, 2)
            for side in (self.q, self.k, self.v)
        )
        seen = (
            attention_mask.bool()[:, None, None] & torch.ones_like(x @ x.mT).bool().tril()[:, None]
        )
        scores = (q @ k.mT * q.shape[-1] ** -0.5).masked_fill(~seen, torch.finfo(x.dtype).min)
        x = x + self.o((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        out: torch.Tensor = x + self.mlp(x)
        return out


class LinearNetwork(nn.Module):
    """A network whose logits are linear in its embedding: no norms, uniform attention."""

    def __init__(self, layers: int, heads: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(LinearBlock(width, heads) for _ in range(layers))
        self.unembed = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, attention_mask)
        logits: torch.Tensor = self.unembed(x)
        return logits


def linear_network(
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    layers: int = 2,
    heads: int = 4,
    width: int = 32,
    vocabulary: int = 64,
) -> nn.Module:
    """Return a random linear network, its architecture registered for lifting."""
    from causalnet.lift import Adapter, register

    register(
        Adapter(
            module_class="LinearNetwork",
            embedding="embed",
            tokens="embed",
            blocks="blocks",
            query="q",
            key="k",
            value="v",
            mixer="o",
            mlp="mlp",
            mlp_in="mlp.0",
            mlp_out="mlp.1",
            unembedding="unembed",
            activation="identity",
            accepts=("attention_mask",),
            declared=(("heads", heads),),
        )
    )
    network = _randomised(LinearNetwork(layers, heads, width, vocabulary), seed, dtype)
    for name, parameter in network.named_parameters():
        if name.endswith(("q.weight", "k.weight")):
            parameter.zero_()
    return network


def small_transformer(
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    causal: bool = True,
    silent: tuple[str, ...] = (),
    layers: int = 2,
    heads: int = 4,
    width: int = 32,
    mlp_width: int = 48,
    vocabulary: int = 64,
    length: int = 9,
) -> Any:
    """Return a random SmallTransformer in eval mode, its parameters frozen, silent nodes silent."""
    from causalnet.known_circuits.module import SmallShape, SmallTransformer

    sizes = (vocabulary, length, width, layers, heads, width // heads, mlp_width)
    module = SmallTransformer(SmallShape(*sizes, causal, silent))
    _randomised(module, seed, dtype)
    module.silence()
    return module


def _randomised(module: nn.Module, seed: int, dtype: torch.dtype) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if "norm" in name or "ln_" in name:
                value = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
            elif parameter.ndim == 1:
                value = 0.3 * noise
            else:
                value = noise * (1.5 / parameter.shape[-1] ** 0.5)
            parameter.copy_(value)
    return module.to(dtype).eval().requires_grad_(False)


def word_tokenizer(words: Iterable[str], bos: bool = False) -> Any:
    """Return a fast tokenizer with one token per word (or mark), after [PAD], [UNK] and [BOS].

    `bos` puts [BOS] in front of every text that is read with special tokens.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(dict.fromkeys((*SPECIAL, *words)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[BOS] $A", special_tokens=[("[BOS]", vocabulary["[BOS]"])]
        )
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[PAD]",
    )


def random_ids(
    batch: int, length: int, vocabulary: int = 64, seed: int = 0, first: int = len(SPECIAL)
) -> torch.Tensor:
    """Return seeded random token ids [batch, length], without the special tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(first, vocabulary, (batch, length), generator=generator)
