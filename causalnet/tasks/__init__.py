"""Prompt pairs: generators, templates, readers.

A task yields `PromptPairs`: base and source prompts with named positions, answers and foils.
"""

from causalnet.tasks.indirect_object import ioi
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.prompts import PaddedPrompts, Prompts
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import FIELDS

__all__ = [
    "FIELDS",
    "PaddedPrompts",
    "PromptPairs",
    "Prompts",
    "TaskRecord",
    "ioi",
]
