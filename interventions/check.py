"""Static types of terms: whether a world, a scalar or a query makes sense on a graph.

Nothing is run.  A rule refuses with a `TermError`, or with an `UnknownMediatorError` for a name
that the graph does not have.  `RULES` lists them all.  That evaluation ends needs no rule: a world
reads worlds that were built before it, so that terms are finite trees and no world reads itself,
and a graph has no cycle.  Whether named positions differ, prompts line up and an executor can run a
term is known when prompts and network are; the executor says so.
"""

from collections.abc import Iterable, Mapping

from causalnet.errors import TermError
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions.queries import Query
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Apply, Contrast, Grad, Read, Scalar
from causalnet.interventions.sites import check_layer, check_site, check_value
from causalnet.interventions.types import PlaceType, PlaceTypes, check_read_out
from causalnet.interventions.worlds import (
    Assignment,
    Base,
    Do,
    Node,
    World,
    inputs_of,
    layers_of,
    reads_of,
)

__all__ = [
    "RULES",
    "SETTABLE",
    "check_query",
    "check_scalar",
    "check_world",
    "check_worlds",
]

SETTABLE = frozenset(Kind) - {Kind.NOISE}
"""The kinds of mediators that a term can set; what an executor can run is the executor's matter."""

RULES: Mapping[str, str] = {
    "mediators exist": "every name is one of the graph; the nearest names are given",
    "noise is not set": "exogenous noise is shared by noise keys, never set",
    "cuts have writers": "a cut with no writer before it has no value to set or read",
    "edges exist": "an edge leads from a sender into a slot of a receiver that it enters",
    "edges end at nodes": "a cut is not an end of an edge, and a norm scale reads its owner's slot",
    "positions need an axis": "a view at positions needs an axis along which there are any",
    "positions are distinct": "a position is a name or a token index, none twice in one site",
    "indices lie on a free axis": "indices are along a free axis of the value, below its size",
    "subspaces lie in vectors": "a basis spans columns of a last axis of fixed size",
    "sites of a layer are apart": "two names of one place, and an edge beside one of its slots, "
    "overlap unless their views are disjoint",
    "values fit": "a value that is read has the axes of the site; operations keep axes",
    "operations are used as described": "arguments, parameters and version of a known operation",
    "patterns are edited at patterns": "operations on attention patterns stand at patterns",
    "noise has a key": "a draw of noise is named",
    "inputs have names": "the input of a base world, and its noise key, are not empty",
    "regimes are chosen": "a reconstruction error downstream of what is set is recomputed "
    "(`:= self`) or frozen (`:= ... in <base>`), and neither goes without saying",
    "read-outs read": "a score is taken of logits or, by the unembedding, of a residual vector; a "
    "plain value is one number; a divergence has a world that it compares to, no other has",
    "rows are told apart": "a query has one label and one set of mediators for each row",
    "directions are named": "a query is noising or denoising",
    "events are given": "what a query is conditioned on is an event: 0 or 1",
    "prompts are paired": "all inputs of a query are bound to equally many prompts",
}
"""Every rule by its name."""

_EVENTS = frozenset({"positive", "not", "and"})


def check_world(world: World, graph: MediatorGraph) -> None:
    """Check a world and every world that it reads.

    Raises:
        UnknownMediatorError: A name that the graph does not have.
        TermError: A rule that does not hold.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions.parsing import parse_world
    >>> graph = plain_graph({"M": (), "Y": ("M",)})
    >>> check_world(parse_world("<base> + {M -> Y := M in <source>}"), graph)
    """
    check_worlds([world], graph)


def check_worlds(worlds: Iterable[World], graph: MediatorGraph) -> None:
    """Check several worlds, each world that they share once.

    Raises:
        UnknownMediatorError, TermError: See `check_world`.
    """
    _Typing(graph).check(worlds)


def check_scalar(scalar: Scalar, graph: MediatorGraph) -> None:
    """Check a scalar: its read-outs, its derivatives and the worlds that they read.

    Raises:
        UnknownMediatorError, TermError: See `check_world`.
    """
    _Typing(graph).check_scalars([scalar])


def check_query(
    query: Query, graph: MediatorGraph, prompts: Mapping[str, int] | None = None
) -> None:
    """Check a query: its rows, its conditions and everything that they read.

    Args:
        query: The query.
        graph: The graph.
        prompts: How many prompts each input is bound to, where that is known.

    Raises:
        UnknownMediatorError, TermError: See `check_world`.
    """
    if not isinstance(query, Query):
        raise TermError(
            f"{query!r} is no query.", "Scalars are checked by check_scalar.", "Write te()."
        )
    labels = [label for label, _ in query.contrasts]
    if not labels or len(set(labels)) != len(labels) or len(query.treated) != len(labels):
        raise TermError(
            f"{len(labels)} rows with {len(set(labels))} labels and {len(query.treated)} sets of "
            "mediators.",
            "A query has at least one row; each has a label of its own and its mediators.",
        )
    if query.direction not in ("noising", "denoising"):
        raise TermError(
            f"The direction {query.direction!r}.", "There are 'noising' and 'denoising'."
        )
    typing = _Typing(graph)
    for members in query.treated:
        for mediator in members:
            typing.types.place(mediator.name)
    others = [scalar for scalar in (query.given, query.denominator) if scalar is not None]
    typing.check_scalars([*(scalar for _, scalar in query.contrasts), *others, query.unpatched])
    if query.given is not None:
        _check_event(query.given)
    if prompts is not None:
        _check_pairing(query, prompts)


def _check_event(given: Scalar) -> None:
    waiting = [given]
    while waiting:
        match waiting.pop():
            case Apply("positive"):
                pass
            case Apply(name, arguments) if name in _EVENTS:
                waiting.extend(arguments)
            case Read(readout) if readout.name in ("accuracy", "top1_agreement"):
                pass
            case other:
                raise TermError(
                    f"{other!r} is given, and is no event.",
                    "An event is 0 or 1 for each prompt: `positive`, `accuracy`, or `not` and "
                    "`and` of those.",
                )


def _check_pairing(query: Query, prompts: Mapping[str, int]) -> None:
    worlds = dict.fromkeys(read.world for read in query.reads)
    needed = sorted({name for world in worlds for name in inputs_of(world)})
    missing = [name for name in needed if name not in prompts]
    if missing:
        raise TermError(
            f"No prompts are bound to the input {missing[0]!r}.",
            f"There are prompts for {', '.join(map(repr, prompts)) or 'no input'}.",
        )
    counts = {prompts[name]: name for name in needed}
    if len(counts) > 1:
        told = ", ".join(f"{prompts[name]} for {name!r}" for name in needed)
        raise TermError(
            f"The inputs have different numbers of prompts: {told}.",
            "The worlds of a query are compared prompt by prompt.",
        )


class _Typing:
    """A check in progress: what was looked up, and which worlds were seen."""

    def __init__(self, graph: MediatorGraph) -> None:
        self.types = PlaceTypes(graph)
        self.seen: set[World] = set()
        self.whole: set[World] = set()

    def check(self, worlds: Iterable[World]) -> None:
        """Check worlds that are run or read, and those that they read."""
        waiting = list(worlds)
        while waiting:
            world = waiting.pop()
            if world in self.whole:
                continue
            self.whole.add(world)
            if self.types.open:
                self.check_regimes(world)
            below: World = world
            while isinstance(below, Do) and below not in self.seen:
                self.seen.add(below)
                waiting.extend(self.check_layer(below.assignments))
                below = below.world
            if not isinstance(below, Do):
                _check_input(below)

    def check_layer(self, layer: tuple[Assignment, ...]) -> list[World]:
        """Check the sites and values of one layer, and return the worlds that it reads."""
        types, found = self.types, []
        for site, value in layer:
            place = check_site(site, types)
            check_value(value, site, place, types)
            found += [read.world for read in reads_of(value)]
        if len(layer) > 1:
            check_layer([site for site, _ in layer], types)
        return found

    def check_scalars(self, scalars: Iterable[Scalar]) -> None:
        seen: set[Scalar] = set()
        waiting, worlds = list(scalars), dict[World, None]()
        while waiting:
            scalar = waiting.pop()
            if scalar in seen:
                continue
            seen.add(scalar)
            match scalar:
                case Contrast(terms):
                    waiting.extend(part for _, part in terms)
                case Apply(_, arguments):
                    waiting.extend(arguments)
                case Read(ReadOut() as readout, Base() | Do() as world):
                    check_read_out(readout, self.types)
                    worlds |= dict.fromkeys((world, readout.reference or world))
                case Grad(read, site, along):
                    # What the derivative is along acts at its site as a layer on top would.
                    waiting.append(read)
                    worlds[Do(read.world, ((site, along),))] = None
                case _:
                    raise TermError(
                        f"{scalar!r} is no scalar.",
                        "A scalar is a Read, a Grad, a Contrast or an Apply.",
                        "Write for example Read(logit_diff, Base('base')).",
                    )
        self.check(worlds)

    def check_regimes(self, world: World) -> None:
        """Refuse a world in which a reconstruction error may change and nothing says what to do."""
        _, layers = layers_of(world)
        sites = [site for layer in layers for site, _ in layer]
        whole = {
            self.types.place(site.mediator).mediator.name
            for site in sites
            if isinstance(site, Node) and not site.at and site.part is None
        }
        for node in self.types.open:
            name = node.mediator.name
            if name in whole:
                continue
            changed = [site for site in sites if self.acts_on(site, name)]
            if changed:
                raise TermError(
                    f"{changed[0]} acts on {name}, a {node.mediator.kind.value}.",
                    "It is recomputed or frozen, and neither goes without saying.",
                    f"Add '{name} := self' or '{name} := {name} in <base>'.",
                )

    def acts_on(self, site: object, name: str) -> bool:
        """Return whether what is set at a site can change what a node is computed from."""
        place: PlaceType
        if isinstance(site, Node):
            place = self.types.place(site.mediator)
            return place.mediator.name != name and self.types.is_before(place, name)
        receiver = getattr(site, "receiver", "")
        return self.types.is_before(self.types.place(receiver), name)


def _check_input(world: World) -> None:
    if not isinstance(world, Base):
        raise TermError(f"{world!r} is no world.", "A world is a Base or a Do.")
    named = isinstance(world.input, str) and world.input != ""
    if not named or world.key == "" or not isinstance(world.key, str | None):
        wrong = world.key if named else world.input
        told = "an empty" if wrong == "" else f"{wrong!r} as"
        raise TermError(
            f"The world <{world.input}> has {told} {'noise key' if named else 'name'}.",
            "Inputs are named as prompts are bound: 'base', 'source', 'resample 0'.",
        )
