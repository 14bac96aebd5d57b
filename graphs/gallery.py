"""Textbook graphs, each with its source, a query, and what is known about it.

| name | what |
|---|---|
| `EXAMPLES` | all of them |
| `example` | one of them, by its name |
| `Example`, `EffectQuery`, `PathQuery`, `EventsQuery`, `Independence` | in `textbook` |

Estimands are written as `sum[z](P(y|x,z) * P(z))`; x is the active value and x' the baseline.

>>> print(example("front-door"))
front-door: X -> Z -> Y, X <-> Y
  P(Y | do(X)): identified, sum[z](P(z|x) * sum[x'](P(y|x',z) * P(x')))
  Pearl (1995), Causal diagrams for empirical research, Biometrika 82
"""

from causalnet.errors import ParameterError
from causalnet.graphs.arguments import check_type, quoted
from causalnet.graphs.names import nearest
from causalnet.graphs.textbook import Example
from causalnet.graphs.textbook_effects import EFFECTS
from causalnet.graphs.textbook_paths import PATHS

__all__ = ["EXAMPLES", "example"]

EXAMPLES: tuple[Example, ...] = EFFECTS + PATHS


def example(name: str) -> Example:
    """Return a textbook graph by its name.

    Raises:
        ParameterError: No such name; the nearest ones are given.
    """
    check_type(name, str, "Write example('front-door').")
    for found in EXAMPLES:
        if found.name == name:
            return found
    names = [found.name for found in EXAMPLES]
    raise ParameterError(
        f"Unknown example {quoted(name)}.",
        f"Nearest: {', '.join(nearest(name, names) or names)}.",
        "List them with [each.name for each in EXAMPLES].",
    )
