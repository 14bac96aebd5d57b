"""Variables that a formula can do without, found by asking again in smaller graphs."""

from collections.abc import Callable, Iterable

from causalnet.graphs.admg import ADMG
from causalnet.graphs.projection import latent_projection

__all__ = ["without_needless"]


def without_needless(graph: ADMG, kept: Iterable[str], holds: Callable[[ADMG], bool]) -> ADMG:
    """Return a latent projection that omits as much as it can.

    What a set of variables determines, a larger set determines too; so a variable that cannot be
    omitted at one time cannot be omitted later, and parts are tried from large to small; effects
    before their causes, which mostly leaves fewer.

    Args:
        graph: The graph.
        kept: Nodes that stay.
        holds: Whether a smaller graph is still enough; it is asked once for each trial, about
            k log2(n) times for k needed ones among n.

    >>> chain = ADMG.of(directed=[("A", "B"), ("B", "C"), ("C", "D")])
    >>> without_needless(chain, ["A", "D"], lambda smaller: "C" in smaller)
    ADMG(A -> C, C -> D)
    """
    stay = set(kept)
    waiting = [[node for node in reversed(graph.topological_order()) if node not in stay]]
    while waiting:
        part = waiting.pop()
        if not part:
            continue
        omitted = set(part)
        trial = latent_projection(graph, [node for node in graph.nodes if node not in omitted])
        if holds(trial):
            graph = trial
        elif len(part) > 1:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
    return graph
