"""Greater than: "The war lasted from the year 1732 to the year 17" -> a tens digit above 3.

Hanna et al. 2023 ("How does GPT-2 compute greater-than?"), for tokenizers with one token per
digit: the prompt ends behind the century and the tens digit is the answer.
"""

from random import Random
from typing import Any

from causalnet.tasks.drawing import draw_pairs, filled_pair
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["greater_than"]

NOUNS = tuple(
    "war abduction accord affair agreement appraisal assaults assessment attack campaign captivity "
    "case challenge clash collaboration conflict conquest construction contract cooperation crisis "
    "custody deal debate decline dispute dynasty expedition exploration famine feud imprisonment "
    "investigation journey marriage mission occupation operation outbreak partnership pilgrimage "
    "plague program project quarrel raid rebellion reforms reign relationship research rivalry "
    "sanctions siege slavery strategy struggle survey tour trade treaty trial voyage "
    "wedding".split()
)
TEMPLATE = Template(
    "The {noun} lasted from the year {century1}{tens}{units} to the year {century2}"
)


def greater_than(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return prompts about a later year; the source's start year ends in 01.

    Answers are the digits above the start year's tens digit, foils those below it; the logits of
    a set become one number by log-sum-exp.  Positions: `noun`, `century1`, `tens`, `units`,
    `century2`, `end`.

    Args:
        tokenizer: A Hugging Face tokenizer with one token per digit.
        n: How many aligned pairs.
        seed: Seed of the draw.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: If too few pairs can be used with this tokenizer.
    """
    record = TaskRecord(
        name="greater_than",
        n=n,
        seed=seed,
        corruption="the start year ends in 01",
        templates=(TEMPLATE.text,),
        bos=bos,
        chat_template=chat_template,
    )
    return draw_pairs(tokenizer, _draw, record=record, reduction="logsumexp")


def _draw(random: Random, row: int) -> PairRow:
    noun, century = random.choice(NOUNS), str(random.randint(11, 17))
    # From 2 to 8, so that there are answers and foils and the source's 01 differs in both digits.
    tens, units = random.randint(2, 8), random.randint(2, 8)
    common = {"noun": noun, "century1": century, "century2": century}
    return filled_pair(
        TEMPLATE,
        common | {"tens": str(tens), "units": str(units)},
        common | {"tens": "0", "units": "1"},
        answers=tuple(str(digit) for digit in range(tens + 1, 10)),
        foils=tuple(str(digit) for digit in range(tens)),
    )
