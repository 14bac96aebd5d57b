"""Which nodes a world computes itself, and which it takes from its base.

A world computes a node where something that reaches it was set; every other value is the base's,
which is computed once for all worlds.  In a sequence of blocks a world whose first site is at block
k starts behind block k; beside branches, what the sites do not reach is taken as it is.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from causalnet.graphs import MediatorGraph
from causalnet.interventions import Base, Edge, Node, Site, Value, World, layers_of

__all__ = ["Assigned", "WorldPlan", "plan_world"]


class Assigned(NamedTuple):
    """A site of a world with its value.

    Attributes:
        layer: Which layer, from the bottom.
        site: The site.
        value: The value; for a derivative the direction.
        factor: Which factor a derivative is taken by; None where the value is set.
    """

    layer: int
    site: Site
    value: Value
    factor: int | None = None


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """What is done for one world.

    Attributes:
        base: The input on which it stands.
        nodes: What is set at nodes, by layers.
        edges: What is set at edges, by sender and receiver.
        order: The nodes that are settled in this world, parents first.
        computed: Those of them whose mechanism is run.
        from_base: The values that are taken from the base.
    """

    base: Base
    nodes: Mapping[str, tuple[Assigned, ...]]
    edges: Mapping[tuple[str, str], tuple[Assigned, ...]]
    order: tuple[str, ...]
    computed: frozenset[str]
    from_base: frozenset[str]


def plan_world(
    world: World,
    wanted: Collection[str],
    graph: MediatorGraph,
    also: Iterable[tuple[Site, Value]] = (),
    reuse: bool = True,
) -> WorldPlan:
    """Return what is done for a world.

    Args:
        world: The world.
        wanted: The nodes whose values are asked for.
        graph: The graph.
        also: Sites with directions of derivatives, on top.
        reuse: Whether to take from the base what no site reaches.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import Const, Do
    >>> graph = plain_graph({"X": (), "A": ("X",), "B": ("A",), "Y": ("B",)})
    >>> plan = plan_world(Do(Base("base"), ((Node("A"), Const()),)), ["Y"], graph)
    >>> plan.order, sorted(plan.computed), sorted(plan.from_base)
    (('A', 'B', 'Y'), ['B', 'Y'], ['A'])
    """
    base, layers = layers_of(world)
    found = [
        Assigned(number, site, value)
        for number, layer in enumerate(layers)
        for site, value in layer
    ]
    found += [
        Assigned(len(layers) + factor, site, value, factor)
        for factor, (site, value) in enumerate(also)
    ]
    nodes: dict[str, list[Assigned]] = {}
    edges: dict[tuple[str, str], list[Assigned]] = {}
    for one in found:
        match one.site:
            case Node(mediator):
                nodes.setdefault(graph.find(mediator).name, []).append(one)
            case Edge(sender, receiver):
                ends = (graph.find(sender).name, graph.find(receiver).name)
                edges.setdefault(ends, []).append(one)
    order, computed, from_base = _walk(wanted, graph, nodes, edges, reuse)
    return WorldPlan(
        base,
        {name: tuple(some) for name, some in nodes.items()},
        {ends: tuple(some) for ends, some in edges.items()},
        order,
        computed,
        from_base,
    )


def _walk(
    wanted: Collection[str],
    graph: MediatorGraph,
    nodes: Collection[str],
    edges: Collection[tuple[str, str]],
    reuse: bool,
) -> tuple[tuple[str, ...], frozenset[str], frozenset[str]]:
    """Return the nodes that are settled, those that are computed, and those taken as they are."""
    receivers = {receiver for _, receiver in edges}
    parents = {node.mediator.name: graph.parents(node.mediator) for node in graph.nodes}
    moved: set[str] = set()  # what the node is computed from may differ from the base
    reached: set[str] = set()  # its value may
    for name, senders in parents.items():
        if not reuse or name in receivers or not reached.isdisjoint(senders):
            moved.add(name)
        if name in moved or name in nodes:
            reached.add(name)
    needed = {graph.find(name).name for name in wanted}
    settled, computed, from_base = [], set(), set()
    for name in reversed(parents):
        if name not in needed:
            continue
        if name in reached:
            settled.append(name)
        if name in moved:
            computed.add(name)
            needed.update(parents[name])
        else:
            from_base.add(name)
    return tuple(reversed(settled)), frozenset(computed), frozenset(from_base)
