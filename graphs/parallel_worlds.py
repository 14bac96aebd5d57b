"""Several worlds side by side, as one graph in which they share their noise.

| graph | what | source |
|---|---|---|
| `parallel_worlds` | a copy of every variable for every world | Avin, Shpitser and Pearl (2005) |
| `twin_network` | the actual world and one other | Balke and Pearl (1994) |

A world is named by its interventions, do(X = x).  Copies of one variable, and copies of two
variables with a hidden common cause, have bidirected edges between them, in all worlds in which
neither is set.  m-separation in these graphs is sound; it misses what follows from two copies being
equal, which `counterfactual_graph` merges.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import TypeAlias, final

from causalnet.errors import GraphError, ParameterError
from causalnet.graphs.admg import ADMG, Edge, Names, check_admg
from causalnet.graphs.arguments import listed, mapped, quoted
from causalnet.graphs.separation import is_m_separated

__all__ = ["Copy", "Do", "ParallelWorlds", "parallel_worlds", "twin_network"]

Do: TypeAlias = tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True, slots=True)
class Copy:
    """A variable in a world.

    Attributes:
        variable: Its name in the graph of one world.
        do: The variables that are set in the world, sorted, each with its value; () is the actual
            world.

    >>> print(Copy.of("Y", {"X": "x"}), Copy.of("Y"))
    Y{X=x} Y
    """

    variable: str
    do: Do = ()

    @staticmethod
    def of(variable: str, do: Mapping[str, str] | None = None) -> "Copy":
        """Return the copy of a variable in the world of an intervention.

        Raises:
            ParameterError: Not a mapping of names to values, both of them text.
        """
        return Copy(variable, _settings({} if do is None else do))

    @property
    def setting(self) -> str | None:
        """Return the value to which the world sets this variable; None where it is free."""
        return dict(self.do).get(self.variable)

    def __str__(self) -> str:
        """Return the variable with its world, as `Y{X=x}`."""
        inside = ",".join(f"{name}={value}" for name, value in self.do)
        return f"{self.variable}{{{inside}}}" if inside else self.variable


@final
@dataclass(frozen=True, slots=True)
class ParallelWorlds:
    """The graph of several worlds; its nodes are named as copies are printed.

    Attributes:
        graph: One node for each copy.
        worlds: The worlds.
        copies: The copy for which each node of the graph stands.
        fixed: The nodes that their world sets.
    """

    graph: ADMG
    worlds: tuple[Do, ...]
    copies: tuple[Copy, ...]
    fixed: frozenset[str]

    def is_separated(self, xs: Names, ys: Names, given: Names = ()) -> bool:
        """Return whether nodes are m-separated, knowing that what a world sets does not vary.

        Raises:
            UnknownMediatorError: No such node.
            TermError: A node in two of the three sets.
        """
        return separated_among(self.graph, self.fixed, xs, ys, given)


def parallel_worlds(graph: ADMG, worlds: Iterable[Mapping[str, str]]) -> ParallelWorlds:
    """Return one graph of several worlds; worlds that are the same are one.

    Its size is the graph's times the number of worlds for directed edges, times its square for
    bidirected ones.

    Args:
        graph: The graph of one world.
        worlds: For each world the variables that are set, with their values.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: No world.
        GraphError: Names of variables that make two copies look alike.

    >>> worlds = parallel_worlds(ADMG.of(directed=[("X", "Y")]), [{}, {"X": "x"}])
    >>> worlds.graph
    ADMG(X -> Y, X{X=x} -> Y{X=x}, Y <-> Y{X=x})
    """
    check_admg(graph)
    given = listed(worlds, "worlds", "Write [{}, {'X': 'x'}].")
    named = tuple(dict.fromkeys(map(_settings, given)))
    if not named:
        raise ParameterError(
            "No world.", "There is at least one.", "Write [{}] for the actual one."
        )
    for variable in chain.from_iterable(dict(world) for world in named):
        graph.index(variable)
    copies = tuple(Copy(variable, world) for world in named for variable in graph.nodes)
    check_names(map(str, copies))
    free: dict[str, list[str]] = {variable: [] for variable in graph.nodes}
    for copy in copies:
        if copy.setting is None:
            free[copy.variable].append(str(copy))
    directed = [
        (str(Copy(tail, world)), str(Copy(head, world)))
        for world in named
        for tail, head in graph.directed
        if head not in dict(world)
    ]
    names = [str(copy) for copy in copies]
    return ParallelWorlds(
        ADMG.of(directed, shared_noise(graph, free), names),
        named,
        copies,
        frozenset(str(copy) for copy in copies if copy.setting is not None),
    )


def _settings(do: Mapping[str, str]) -> Do:
    write = "Write {'X': 'x'} for do(X = x)."
    settings = mapped(do, "variables to values", write)
    for each in chain.from_iterable(settings.items()):
        if not isinstance(each, str):
            raise ParameterError(
                f"{quoted(each)} in an intervention.", "Variables and values are text.", write
            )
    return tuple(sorted(settings.items()))


def twin_network(graph: ADMG, do: Mapping[str, str]) -> ParallelWorlds:
    """Return the graph of the actual world and of one in which variables are set.

    Args:
        graph: The graph of one world.
        do: The variables that are set in the other world, with their values.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        GraphError: Names of variables that make two copies look alike.

    >>> confounded = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    >>> twin = twin_network(confounded, {"X": "x"})
    >>> twin.is_separated("X", "Y{X=x}"), twin.is_separated("X", "Y{X=x}", given="Z")
    (False, True)
    """
    return parallel_worlds(graph, ({}, do))


def shared_noise(graph: ADMG, free: Mapping[str, list[str]]) -> Iterator[Edge]:
    """Yield the bidirected edges between nodes that share noise.

    Args:
        graph: The graph of one world.
        free: For each variable its nodes that no world sets.
    """
    for nodes in free.values():
        yield from combinations(nodes, 2)
    for a, b in graph.bidirected:
        yield from product(free.get(a, ()), free.get(b, ()))


def separated_among(graph: ADMG, fixed: frozenset[str], xs: Names, ys: Names, given: Names) -> bool:
    """Return whether nodes are m-separated given some and, always, those that are fixed.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node in two of the three sets.
    """
    ends = {*graph.names_of(graph.indices(xs)), *graph.names_of(graph.indices(ys))}
    known = (fixed - ends) | set(graph.names_of(graph.indices(given)))
    return is_m_separated(graph, xs, ys, known)


def check_names(names: Iterable[str]) -> None:
    """Refuse two nodes with one name.

    Raises:
        GraphError: A name that comes twice.
    """
    seen = set()
    for name in names:
        if name in seen:
            raise GraphError(
                f"Two copies of variables are both called {name}.",
                "Copies are told apart by the name of the variable and what its world sets.",
                "Rename variables with '{', '=' or ',' in their names.",
            )
        seen.add(name)
