"""Holding mediators at the values they have where nothing is patched.

With its attention patterns and norm scales held, a network is linear along the paths between them
(Elhage et al. 2021), so that effects add up; without, an effect also goes through what is attended
to.  Both are asked for, and the term says which it is.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from causalnet.graphs import Kind, Mediator, MediatorGraph
from causalnet.interventions.contrasts import INTERCHANGE
from causalnet.interventions.queries import Query, worlds_of
from causalnet.interventions.scalars import Apply, Contrast, Grad, Read, Scalar
from causalnet.interventions.worlds import At, Base, Do, Node, World

__all__ = ["held", "hold", "nonlinear"]


def hold(world: World, mediators: Iterable[Mediator], values_in: World | None = None) -> World:
    """Return a world in which mediators are held at the values they have in another.

    Args:
        world: The world on top of which they are held.
        mediators: What is held; a head is held at its z.
        values_in: Where the values come from; default the input of the world, untouched.
    """
    source = _input_of(world) if values_in is None else values_in
    nodes = dict.fromkeys(INTERCHANGE.site(mediator) for mediator in mediators)
    layer = tuple((Node(node), At(node, source)) for node in nodes)
    return Do(world, layer) if layer else world


def _input_of(world: World) -> Base:
    while isinstance(world, Do):
        world = world.world
    return world


def nonlinear(graph: MediatorGraph) -> tuple[Mediator, ...]:
    """Return the attention patterns, norm scales and reconstruction errors of a graph.

    With them held, everything between the MLPs, or between their features, is linear in what it
    reads.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(1, 1, 1, 4, 4, 4, 9))
    >>> [each.name for each in nonlinear(graph)][2:]
    ['L0.H0.q.scale', 'L0.H0.pattern', 'L0.mlp.scale', 'logits.scale']
    """
    kinds = (Kind.PATTERN, Kind.SCALE, Kind.ERROR)
    return tuple(node.mediator for node in graph.nodes if node.mediator.kind in kinds)


def held(query: Query, mediators: Iterable[Mediator]) -> Query:
    """Return the same query with mediators held at the values they have where nothing is patched.

    They are held below the query's own interventions, in every world that it reads; worlds that
    values come from are left as they are.

    Args:
        query: Whose worlds are changed.
        mediators: Patterns, norm scales, MLPs, or anything else.
    """
    listed = tuple(mediators)
    unpatched = set(query.below or worlds_of(query.direction)[:1])

    def change(world: World, always: bool) -> World:
        above: list[Do] = []
        below = world
        while isinstance(below, Do) and below not in unpatched:
            above.append(below)
            below = below.world
        if below not in unpatched or not (above or always):
            return world
        made = hold(below, listed, below)
        for layer in reversed(above):
            made = Do(made, layer.assignments)
        return made

    contrasts = tuple((label, _changed(scalar, change)) for label, scalar in query.contrasts)
    names = ", ".join(mediator.name for mediator in listed[:3])
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    told = f"{query.convention}; " if query.convention else ""
    return replace(query, contrasts=contrasts, convention=f"{told}held: {names}{more}")


def _changed(scalar: Scalar, change: Callable[[World, bool], World]) -> Scalar:
    """Return a scalar whose reads are in changed worlds; parts before wholes, with a stack."""
    done: dict[Scalar, Scalar] = {}
    waiting: list[Scalar] = [scalar]
    while waiting:
        current = waiting.pop()
        match current:
            case Read(readout, world):
                done[current] = Read(readout, change(world, False))
            case Grad(Read(readout, world), site, along):
                # A derivative is one in the world: what is held matters where nothing is patched.
                done[current] = Grad(Read(readout, change(world, True)), site, along)
            case Contrast(terms):
                missing = [part for _, part in terms if part not in done]
                if missing:
                    waiting += [current, *missing]
                else:
                    done[current] = Contrast(tuple((w, done[part]) for w, part in terms))
            case Apply(name, arguments):
                missing = [part for part in arguments if part not in done]
                if missing:
                    waiting += [current, *missing]
                else:
                    done[current] = Apply(name, tuple(done[part] for part in arguments))
    return done[scalar]
