"""Loading models, with their provenance.

| what | module |
|---|---|
| `load`: a package's file, a GGUF file, a folder, a hub name or a network | `loading` |
| `LanguageModel`: network, tokenizer, what the file states, provenance | `language_model` |
| `ModelProvenance`: hashes, configuration, releases; to JSON and back | `provenance` |
| the SHA-256 of weights and tokenizers | `hashing` |
| GGUF files, converted once | `conversion`, `gguf_header` |
| Hugging Face folders and the hub | `folders`, `safetensors_header`, `hub` |
| what a checkpoint's own file states | `declared` |
"""

from causalnet.models.language_model import LanguageModel
from causalnet.models.loading import load
from causalnet.models.provenance import ModelProvenance

__all__ = ["LanguageModel", "ModelProvenance", "load"]
