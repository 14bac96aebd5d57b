"""Why a log does not say what an intervention does, in words."""

from collections.abc import Iterable

from causalnet.graphs.admg import Edge
from causalnet.graphs.circuits import project
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.answers import Hedge, InconsistentFactor, Thicket, Witness
from causalnet.identification.networks.diagrams import Diagram
from causalnet.identification.networks.network_variables import PROMPT

__all__ = ["why_not"]

_SHOWN = 3  # pairs whose common cause is told


def why_not(witness: Witness, diagram: Diagram) -> tuple[str, ...]:
    """Return in words what is in the way, with the edges that make it.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.identification.networks.access import Logs
    >>> from causalnet.identification.networks.diagrams import network_diagram
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> hedge = Hedge(frozenset("MY"), frozenset("Y"), frozenset("Y"))
    >>> why_not(hedge, network_diagram(graph, Logs(("M", "Y"))))[0]
    'the prompt drives both M and Y, and it is not recorded'
    """
    match witness:
        case Hedge(outer, inner, roots):
            return tuple(_causes(outer, outer - inner, roots, diagram))
        case Thicket(hedges=hedges):
            found = next((each for _, each in hedges if isinstance(each, Hedge)), None)
            return () if found is None else why_not(found, diagram)
        case InconsistentFactor(district, variable, _):
            several = f"{variable} is asked for at two values at once"
            return (several, *_causes(district, {variable}, district - {variable}, diagram))
        case RecantingDistrict(active=active, inactive=inactive):
            both = f"{shown(active, ' -> ')} carries the patch and {shown(inactive, ' -> ')} not"
            return (both, *_causes(witness.district, witness.district, witness.district, diagram))


def _causes(
    district: frozenset[str], one: Iterable[str], other: Iterable[str], diagram: Diagram
) -> list[str]:
    """Return why pairs of nodes are confounded: those of a treatment and an outcome first."""
    graph = diagram.graph.induced(sorted(district))
    first, second = set(one), set(other)
    pairs = [*graph.bidirected]
    between = [p for p in pairs if _joins(p, first, second)] or pairs
    told = [_cause(pair, diagram) for pair in between[:_SHOWN]]
    more = len(between) - len(told)
    return told + ([f"{more} more pairs have such causes"] if more > 0 else [])


def _joins(pair: Edge, one: set[str], other: set[str]) -> bool:
    a, b = pair
    return (a in one and b in other) or (b in one and a in other)


def _cause(pair: Edge, diagram: Diagram) -> str:
    a, b = pair
    whole = diagram.whole
    if whole.has_bidirected(a, b):
        return f"something that is not in the graph drives both {a} and {b}"
    if not diagram.has_noise:
        return f"{_root(pair, diagram)} drives both {a} and {b}, and it is not recorded"
    steps = project(whole, diagram.observed).common_cause(a, b)
    top = next((step.source for step in steps if step.mark == "->"), steps[-1].target)
    return f"{top} drives both {a} and {b}, and it is not recorded"


def _root(pair: Edge, diagram: Diagram) -> str:
    """Return the unrecorded root of a network that drives two variables: the prompt, or noise."""
    ends = {diagram.whole.index(node) for node in pair}
    roots = sorted(diagram.roots.difference(diagram.observed), key=lambda name: name != PROMPT)
    found = next(r for r in roots if ends <= diagram.omitted.reach[diagram.whole.index(r)])
    return f"the {found}" if found == PROMPT else found
