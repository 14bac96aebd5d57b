"""The passes of the compiler, from a program to a smaller one with the same values.

| pass | what |
|---|---|
| `share` | versions with equal content become one, as do equal values (normal form) |
| `drop_unchanged` | writes of a value that is there, or that others hide, are left out |
| `drop_unread` | what no read-out depends on is left out, and versions end early (exclusion) |
| `classify` | how each version is born: as a delta, from an edge, or by its stage once more |
"""

from causalnet.compiler.passes.classify import classify
from causalnet.compiler.passes.drop_unchanged import drop_unchanged
from causalnet.compiler.passes.drop_unread import drop_unread
from causalnet.compiler.passes.share import share

__all__ = ["PASSES", "classify", "drop_unchanged", "drop_unread", "share"]

PASSES = (share, drop_unchanged, drop_unread, classify)
