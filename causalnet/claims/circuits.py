"""The circuit of a claim: its names, from the claim file or from a file of their own."""

import re
from collections.abc import Callable
from pathlib import Path

from causalnet.claims.schema import Claim, ClaimFile, EffectClaim, ExistsClaim
from causalnet.claims.source_text import Place, SourceText, read_source
from causalnet.claims.tree import KeyPath, PlacedTree, parse
from causalnet.errors import ClaimFileError
from causalnet.graphs import Kind, Mediator, MediatorGraph, canonical, nearest

__all__ = ["check_against_graph", "circuit_of", "place_error", "universe"]

_MEMBER = re.compile(r"L\d{1,4}\.(?:H\d{1,4}|mlp)")

Locate = Callable[[tuple[int, ...]], Place]


def circuit_of(
    claim_file: ClaimFile, claim: Claim | None = None, locate: Locate | None = None
) -> tuple[str, ...]:
    """Return the names of a claim's circuit, spelt canonically.

    Args:
        claim_file: The file; circuit files are sought beside it.
        claim: The claim; without one, or where it names no circuit, the file's circuit.
        locate: Gives the place of the circuit, and of an entry of it, for errors.

    Raises:
        ClaimFileError: A name that can be in no circuit, a name given twice, an MLP where only
            heads are ablated, an empty list, a circuit file that is not there or not a list.
    """
    own = None if isinstance(claim, ExistsClaim | EffectClaim | None) else claim.circuit
    given = claim_file.circuit if own is None else own
    source = claim_file.source or SourceText("", "")
    place: Locate = locate if locate is not None and (own or claim is None) else _nowhere
    if isinstance(given, str):
        file = Path(source.path).parent / given
        if not file.is_file():
            raise source.error(
                place(()),
                f"There is no circuit file {given!r}.",
                "A circuit is a list of mediators, or a JSON or YAML file beside the claim file.",
                "Write for example 'circuit: [L20.H0, L19.H2]'.",
            )
        source, given, place = _from_file(read_source(file))
    heads_only = claim_file.ablation.ablate == "heads"
    return _checked(given, heads_only, source, place)


def _nowhere(item: tuple[int, ...]) -> Place:
    return Place(0, 0)


def _from_file(source: SourceText) -> tuple[SourceText, tuple[str, ...], Locate]:
    """Read a list of names, or a mapping with the single key `circuit`."""
    tree: PlacedTree = parse(source)
    wrapped = isinstance(tree.value, dict) and list(tree.value) == ["circuit"]
    base: tuple[str, ...] = ("circuit",) if wrapped else ()
    names = tree.value["circuit"] if isinstance(tree.value, dict) and wrapped else tree.value
    if not isinstance(names, list) or not names:
        raise source.error(
            tree.place(base),
            "The circuit is empty." if names == [] else "The circuit file holds no list.",
            "It holds a list of mediators, or the key 'circuit' with such a list.",
            "Write for example [L20.H0, L19.H2].",
        )
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise source.error(
                tree.place((*base, index)),
                f"{name!r} is not a mediator.",
                "Mediators are names.",
                "Write for example L20.H0.",
            )
    return source, tuple(names), lambda item: tree.place((*base, *item))


def _checked(
    given: tuple[str, ...], heads_only: bool, source: SourceText, place: Locate
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for index, text in enumerate(given):
        name, here = canonical(text), place((index,))
        if not _MEMBER.fullmatch(name):
            raise source.error(
                here,
                f"{text[:100]!r} cannot be in a circuit.",
                "A circuit holds heads such as L20.H0 and MLPs such as L3.mlp; positions are "
                "given once, with 'ablation: {at: …}'.",
                "Write the name of a head or an MLP.",
            )
        if name in found:
            raise source.error(
                here,
                f"{text!r} is in the circuit twice.",
                "A circuit is a set.",
                "Delete one of the two.",
            )
        if heads_only and name.endswith(".mlp"):
            raise source.error(
                here,
                f"{text!r} is in the circuit, but only heads are ablated.",
                "With 'ablate: heads' every MLP is kept.",
                "Delete it, or write 'ablation: {ablate: heads_and_mlps}'.",
            )
        found[name] = None
    return tuple(found)


def universe(claim_file: ClaimFile, graph: MediatorGraph) -> dict[str, Mediator]:
    """Return everything that can be ablated, by name: heads, or heads and MLPs, in order."""
    kinds = {Kind.HEAD} if claim_file.ablation.ablate == "heads" else {Kind.HEAD, Kind.MLP}
    mediators = (node.mediator for node in graph.nodes)
    return {mediator.name: mediator for mediator in mediators if mediator.kind in kinds}


def check_against_graph(claim_file: ClaimFile, graph: MediatorGraph) -> None:
    """Refuse a circuit that this model does not have, or that is all of it.

    Raises:
        ClaimFileError: A circuit of another model or a misspelt name (the nearest is given), or a
            circuit of everything that can be ablated, about which no claim could fail.
    """
    known = universe(claim_file, graph)
    for index, claim in enumerate((None, *claim_file.claims)):
        path: KeyPath = ("circuit",) if claim is None else ("claims", index - 1, "circuit")
        circuit = circuit_of(claim_file, claim)
        for position, name in enumerate(circuit):
            if name not in known:
                raise _unknown(claim_file, (*path, position), name, graph)
        if len(circuit) == len(known):
            raise place_error(
                claim_file,
                path,
                f"The circuit is all {len(known)} mediators that can be ablated.",
                "With nothing left to ablate every such claim is true.",
                "Name a part of the model.",
            )


def _unknown(
    claim_file: ClaimFile, path: KeyPath, name: str, graph: MediatorGraph
) -> ClaimFileError:
    shape = graph.shape
    close = nearest(name, graph.names(), 1)
    return place_error(
        claim_file,
        path,
        f"The circuit names {name!r}, which this model does not have.",
        f"It has layers 0..{shape.layers - 1} with heads 0..{shape.heads - 1}; a circuit of "
        "another model cannot be tested on it.",
        (f"Did you mean {close[0]!r}? " if close else "") + "Check 'model: {source: …}'.",
    )


def place_error(
    claim_file: ClaimFile, path: KeyPath, came: str, possible: str = "", write: str = ""
) -> ClaimFileError:
    """Make an error about a value that was already read, with its place where there is one."""
    if claim_file.source is None:
        return ClaimFileError(came, possible, write)
    tree = parse(claim_file.source)
    return tree.source.error(tree.place(path), came, possible, write)
