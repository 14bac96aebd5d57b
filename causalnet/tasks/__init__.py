"""Prompt pairs: base and source prompts with named positions, answers and foils.

| name | what it is |
|---|---|
| `PromptPairs` | pairs of prompts; `PromptPairs.build` makes them from texts or ids |
| `Prompts`, `PaddedPrompts` | one side of them; as a rectangle with its mask |
| `TaskRecord` | where pairs come from; `remake` draws them again |
| `ioi` | indirect object (Wang et al. 2022) |
| `greater_than` | a later year (Hanna et al. 2023) |
| `successor` | days, months, numbers, letters, digits (Gould et al. 2023) |
| `induction` | copying what came before (Olsson et al. 2022) |
| `capitals` | facts about countries |
| `known:NAME` | prompts of a network whose circuit is known; see `causalnet.known_circuits` |
| `surnames` | the surname that stood behind a first name |
| `colored_objects` | which colour an object has (Merullo et al. 2024) |
| `TASKS`, `make` | the generators by name |
| `read_pairs` | a user's own JSON Lines or CSV file; `FIELDS` says what it may hold |
"""

from causalnet.tasks.colors import colored_objects
from causalnet.tasks.copying import induction
from causalnet.tasks.countries import capitals
from causalnet.tasks.indirect_object import ioi
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.people import surnames
from causalnet.tasks.prompts import PaddedPrompts, Prompts
from causalnet.tasks.reading import read_pairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.registry import TASKS, Task, make, remake
from causalnet.tasks.rows import FIELDS
from causalnet.tasks.sequences import successor
from causalnet.tasks.years import greater_than

__all__ = [
    "FIELDS",
    "TASKS",
    "PaddedPrompts",
    "PromptPairs",
    "Prompts",
    "Task",
    "TaskRecord",
    "capitals",
    "colored_objects",
    "greater_than",
    "induction",
    "ioi",
    "make",
    "read_pairs",
    "remake",
    "successor",
    "surnames",
]
