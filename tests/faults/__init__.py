"""Seeded faults: mistakes of users and defects of models, each refused and located.

`python -m tests.faults` prints the table.
"""

from tests.faults import changes, files, models, prompts, runs, terms
from tests.faults.table import FAULTS

__all__ = ["FAULTS", "changes", "files", "models", "prompts", "runs", "terms", "waves"]
