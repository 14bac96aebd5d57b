"""Graphs of plain variables: toys, textbook models, and models of one's own."""

from collections.abc import Iterable, Mapping, Sequence

from causalnet.errors import GraphError
from causalnet.graphs.arguments import check_type, listed, mapped, quoted
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.nodes import Merge, Node, Slot

__all__ = ["plain_graph"]

_PARENTS = "Write {'X': (), 'Y': ('X',)}."
_NOISE = "Write noise=['U']."


def plain_graph(parents: Mapping[str, Sequence[str]], noise: Iterable[str] = ()) -> MediatorGraph:
    """Return a graph of plain variables, with one slot for each parent, named by it.

    Args:
        parents: The parents of every variable, in any order; a variable without parents is an
            input.
        noise: Inputs that are exogenous noise: their value is decided by a world's noise key.

    Raises:
        GraphError: A parent or noise that is not a variable, or a cycle, which is printed.
        ParameterError: Names that are not text.

    >>> plain_graph({"Y": ("X",), "X": ()})
    MediatorGraph(2 nodes, 1 edges)
    """
    parents = _read(parents)
    unknown = sorted({parent for given in parents.values() for parent in given} - set(parents))
    if unknown:
        raise GraphError(
            f"{quoted(unknown[0])} is a parent but not a variable.",
            f"The variables are {shown([*parents], ', ')}.",
            f"Add {quoted(unknown[0])}: () for an input.",
        )
    exogenous = [noise] if isinstance(noise, str) else [*listed(noise, "names", _NOISE)]
    for name in exogenous:
        check_type(name, str, _NOISE)
    if absent := sorted(set(exogenous).difference(parents)):
        raise GraphError(
            f"The noise {quoted(absent[0])} is not a variable.",
            f"The variables are {shown([*parents], ', ')}.",
            f"Add {quoted(absent[0])}: () to them.",
        )
    nodes = []
    for name in _sorted(parents):
        kind = Kind.NOISE if name in exogenous else Kind.VARIABLE
        slots = tuple(Slot(parent, Merge.PLAIN, (parent,)) for parent in parents[name])
        if kind is Kind.NOISE and slots:
            raise GraphError(f"The noise {name!r} has parents.", "Noise has none.")
        nodes.append(Node(Mediator(name, kind), (), slots))
    return MediatorGraph(tuple(nodes))


def _read(parents: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the parents of every variable; one name alone stands for itself."""
    read: dict[str, tuple[str, ...]] = {}
    for name, given in mapped(parents, "variables to parents", _PARENTS).items():
        read[name] = (given,) if isinstance(given, str) else listed(given, "parents", _PARENTS)
        for each in (name, *read[name]):
            check_type(each, str, _PARENTS)
    return read


def _sorted(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the variables parents first, otherwise in the order given."""
    done: dict[str, None] = {}
    for root in parents:
        stack, open_ = [(root, iter(parents[root]))], {root: None}
        if root in done:
            continue
        while stack:
            name, rest = stack[-1]
            following = next((parent for parent in rest if parent not in done), None)
            if following is None:
                done[name] = None
                open_.pop(name)
                stack.pop()
            elif following in open_:
                loop = [*open_][[*open_].index(following) :]
                raise GraphError(
                    f"The graph has a cycle: {shown([*loop, following], ' <- ')}.",
                    "A causal graph has none.",
                )
            else:
                open_[following] = None
                stack.append((following, iter(parents[following])))
    return [*done]
