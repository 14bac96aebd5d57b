"""A tokenizer that has one token for each word."""

from collections.abc import Sequence
from typing import Any

__all__ = ["word_tokenizer"]


def word_tokenizer(words: Sequence[str]) -> Any:
    """Return a fast tokenizer that has a token for each word, in their order.

    Words stand apart by spaces.  A word that it does not know becomes `[UNK]`, whose id is behind
    the others.

    >>> word_tokenizer(["a", "b"])("b a").input_ids
    [1, 0]
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    unknown = "[UNK]"
    ids = {word: index for index, word in enumerate((*words, unknown))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, unk_token=unknown)
