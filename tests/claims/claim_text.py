"""A valid claim file, and how to change one line of it."""

from causalnet.claims import ClaimFile, read_claims
from causalnet.claims.source_text import SourceText

VALID = """\
schema: 1
title: Indirect objects
model:
  source: some/model
prompts:
  bos: false
task:
  name: ioi
  n: 96
  seed: 2
  corruption: abc
readout: logit_difference
circuit: [L1.H0, L1.H2, L0.H3]
found:
  method: largest effects of single heads
  task: {name: ioi, n: 24, seed: 1, corruption: abc}
ablation:
  kind: counterfactual
  ablate: heads
  at: end
direction: noising
alpha: 0.05
batch: 16
claims:
  - id: task
    kind: exists
    statement: The model knows who gets it.
    at_least: 1.5
  - id: enough
    kind: faithful
    statement: The circuit alone does it.
    at_least: 0.8
    expected: SUPPORTED
  - id: needed
    kind: necessary
    statement: Without the circuit it is gone.
    at_least: 0.5
    circuit: [L1.H0]
  - id: special
    kind: better_than_random
    statement: Random circuits do not do it.
    fraction: 0.8
"""


def replaced(old: str, new: str) -> str:
    """Return the valid text with one piece replaced; the piece must be there once."""
    assert VALID.count(old) == 1, old
    return VALID.replace(old, new)


def read(text: str, path: str = "claims.yaml") -> ClaimFile:
    return read_claims(SourceText(path, text))
