"""Hedges and thickets are looked over before they are returned.

Shpitser and Pearl (2006), "Identification of joint interventional distributions in recursive
semi-Markovian causal models", definitions 3 to 6; Lee, Correa and Bareinboim (2019), definition 6.
"""

from collections.abc import Iterable

from causalnet.graphs.admg import ADMG, Names
from causalnet.identification.answers import Hedge, Thicket
from causalnet.identification.sources import Distribution, Sources

__all__ = ["hedge_faults", "thicket_faults"]


def hedge_faults(
    hedge: Hedge, graph: ADMG, treatments: Iterable[str], outcomes: Names
) -> tuple[str, ...]:
    """Return what keeps a hedge from proving that P(outcomes | do(treatments)) is not identified.

    Both sets must be forests of single children that end in the same roots, each connected by
    bidirected edges; as subgraphs have such a forest if and only if every node is an ancestor of
    the roots within its set, and the set is one district, that is what is looked at.

    Returns:
        The faults, in words; none for a hedge that holds.

    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> hedge = Hedge(frozenset("XY"), frozenset("Y"), frozenset("Y"))
    >>> hedge_faults(hedge, bow, ["X"], ["Y"])
    ()
    >>> hedge_faults(hedge, ADMG.of(directed=[("X", "Y")]), ["X"], ["Y"])
    ('the larger set is not one district',)
    """
    set_to = frozenset(treatments)
    above = graph.cut_in(set_to).ancestors(outcomes)
    faults = [
        (hedge.inner < hedge.outer, "the smaller set is not a part of the larger one"),
        (bool(hedge.roots) and hedge.roots <= hedge.inner, "the roots are not in the smaller set"),
        (bool(hedge.outer & set_to), "no treatment is in the larger set"),
        (not hedge.inner & set_to, "a treatment is in the smaller set"),
        (hedge.roots <= above, "a root is no ancestor of the outcomes once treatments are set"),
    ]
    for name, nodes in (("smaller", hedge.inner), ("larger", hedge.outer)):
        part = graph.induced(nodes)
        faults += [
            (len(part.districts()) == 1, f"the {name} set is not one district"),
            (
                hedge.roots <= nodes and part.ancestors(hedge.roots) == nodes,
                f"a node of the {name} set is no ancestor of the roots in it",
            ),
        ]
    return tuple(fault for holds, fault in faults if not holds)


def thicket_faults(
    thicket: Thicket, graph: ADMG, treatments: Iterable[str], outcomes: Names, sources: Sources
) -> tuple[str, ...]:
    """Return what keeps a thicket from proving that no known distribution determines the effect.

    In each distribution either the experiment sets nodes of the factor, or they differ in its
    domain, or there is a hedge over the factor in the graph without the nodes that are set.

    Returns:
        The faults, in words; none for a thicket that holds.
    """
    set_to = tuple(treatments)
    found = dict(thicket.hedges)
    faults = [f"{missing} is not looked at" for missing in sources.distributions
              if missing not in found]  # fmt: skip
    for known, obstacle in thicket.hedges:
        faults += [
            f"{known}: {fault}"
            for fault in _faults(obstacle, thicket.factor, known, graph, set_to, outcomes, sources)
        ]
    return tuple(faults)


def _faults(
    obstacle: Hedge | frozenset[str],
    factor: frozenset[str],
    known: Distribution,
    graph: ADMG,
    treatments: tuple[str, ...],
    outcomes: Names,
    sources: Sources,
) -> tuple[str, ...]:
    if not isinstance(obstacle, Hedge):
        blocked = factor & (frozenset(known.do) | sources.changed(known.domain))
        return () if obstacle and obstacle <= blocked else ("nothing of the factor is set there",)
    if obstacle.inner != factor:
        return ("its hedge is over another factor",)
    left = graph.induced(node for node in graph.nodes if node not in known.do)
    inside = [node for node in treatments if node in left]
    # Roots need not reach the outcomes once the experiment is done, only in the query's world.
    above = graph.cut_in(treatments).ancestors(outcomes)
    if not obstacle.roots <= above:
        return ("a root is no ancestor of the outcomes once treatments are set",)
    return hedge_faults(obstacle, left, inside, sorted(obstacle.roots))
