"""Tokenizers for these tests: whole words, words in pieces, bytes."""

import re
from collections.abc import Iterable
from typing import Any

from causalnet.tasks import colors, copying, countries, indirect_object, people, sequences
from tests.small_models import word_tokenizer


def task_words() -> tuple[str, ...]:
    """Return every word and mark that the word-based generators can write."""
    texts = [
        *". , : ? '".split(),
        *indirect_object.TEMPLATES,
        *indirect_object.NAMES,
        *indirect_object.ACCEPTANCE_NAMES,
        *indirect_object.PLACES,
        *indirect_object.ACCEPTANCE_PLACES,
        *indirect_object.OBJECTS,
        *indirect_object.ACCEPTANCE_OBJECTS,
        *(word for items in sequences.KINDS.values() for word in items),
        *(template.text for template in sequences.TEMPLATES),
        *copying.WORDS,
        people.TEMPLATE,
        *people.SURNAMES,
        colors.TEMPLATE,
        *("a", "an", *colors.SURFACES, *colors.OPENINGS, *colors.OBJECTS, *colors.COLORS),
        *(color.title() for color in colors.COLORS),
        *(text for texts in countries.TEMPLATES.values() for text in texts),
        *(text for facts in countries.KINDS.values() for pair in facts.items() for text in pair),
    ]
    return tuple(
        dict.fromkeys(word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text))
    )


def task_tokenizer() -> Any:
    """Return a tokenizer with one token for each of these words."""
    return word_tokenizer(task_words())


def piece_tokenizer(words: Iterable[str], split: Iterable[str]) -> Any:
    """Return a tokenizer that writes the words of `split` in two pieces, the others whole."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    cut = set(split)
    pieces = ["[PAD]", "[UNK]", *(word for word in words if word not in cut)]
    pieces += [piece for word in sorted(cut) for piece in (f"{word[:2]}", f"##{word[2:]}")]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")


def spaced_tokenizer(words: Iterable[str]) -> Any:
    """Return a tokenizer that writes a word with the space before it, as SentencePiece does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = [piece for word in words for piece in (f"\u2581{word}", word)]
    vocabulary = {piece: index for index, piece in enumerate(("[UNK]", "\u2581", *pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, unk_token="[UNK]")


def byte_tokenizer() -> Any:
    """Return a tokenizer without offsets: one token per byte, written in Python."""
    from transformers import ByT5Tokenizer

    slow: Any = ByT5Tokenizer
    return slow()
