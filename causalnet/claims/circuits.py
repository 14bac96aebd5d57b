"""The circuit of a claim: its names, from the claim file or from a file of their own."""

import re
from collections.abc import Callable
from pathlib import Path

from causalnet.claims.ablation_spec import AblationSpec
from causalnet.claims.kinds import Claim
from causalnet.claims.schema import ClaimFile
from causalnet.claims.source_text import Place, SourceText, read_source
from causalnet.claims.tree import KeyPath, PlacedTree, parse
from causalnet.claims.validity_specs import circuit_in, is_validity_spec
from causalnet.errors import CausalNetError, ClaimFileError
from causalnet.graphs import Kind, Mediator, MediatorGraph, canonical, nearest
from causalnet.interventions import Cell, Edge

__all__ = ["check_against_graph", "circuit_of", "is_of_cells", "place_error", "universe"]

_MEMBER = re.compile(r"L\d{1,4}\.(?:H\d{1,4}|mlp)")
_CELL = re.compile(r"([^\[\]]+)\[([^\[\]]*)\]")
_SENDER = re.compile(r"embed|pos_embed|L\d{1,4}\.(?:H\d{1,4}|mlp|attn_bias)")
_RECEIVER = re.compile(r"logits|L\d{1,4}\.(?:H\d{1,4}\.[qkv]|KV\d{1,4}\.[kv]|mlp)")

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
            heads are ablated, an edge where nodes are ablated or the reverse, nodes at positions
            beside nodes or at positions that are not ablated, an empty list, a circuit file that
            is not there or not a list.
    """
    own = None if claim is None else claim.own_circuit
    place: Locate = locate if locate is not None and (own or claim is None) else _nowhere
    entries, source, place = _entries(claim_file, claim_file.circuit if own is None else own, place)
    at_positions = is_of_cells(claim_file)
    found: dict[str, None] = {}
    for index, text in enumerate(entries):
        name, here = _spelt(text), place((index,))
        wrong = _wrong_entry(text, name, claim_file.ablation, at_positions)
        if wrong is not None:
            raise source.error(here, *wrong)
        if name in found:
            raise source.error(
                here,
                f"{text!r} is in the circuit twice.",
                "A circuit is a set.",
                "Delete one of the two.",
            )
        found[name] = None
    return tuple(found)


def is_of_cells(claim_file: ClaimFile) -> bool:
    """Say whether a file's circuits are of nodes at positions, as its first entry is.

    Raises:
        ClaimFileError: A circuit file that is not there or not a list.
    """
    if claim_file.ablation.ablate == "edges":
        return False
    entries, _, _ = _entries(claim_file, claim_file.circuit, _nowhere)
    return "[" in entries[0]


def _entries(
    claim_file: ClaimFile, given: tuple[str, ...] | str, place: Locate
) -> tuple[tuple[str, ...], SourceText, Locate]:
    """Return the entries as they are written, and where."""
    source = claim_file.source or SourceText("", "")
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
    return given, source, place


def _nowhere(item: tuple[int, ...]) -> Place:
    return Place(0, 0)


def _from_file(source: SourceText) -> tuple[SourceText, tuple[str, ...], Locate]:
    """Read a list of names, a mapping with the single key `circuit`, or a specification."""
    tree: PlacedTree = parse(source)
    if is_validity_spec(tree.value):
        return source, tuple(circuit_in(tree.value, source)), _nowhere
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


def _spelt(text: str) -> str:
    """Return a node, a node at a position, or an edge, spelt canonically."""
    cell = _CELL.fullmatch(text.strip())
    if cell is not None and "->" not in text:
        return f"{canonical(cell[1].strip())}[{cell[2].strip()}]"
    return " -> ".join(canonical(part.strip()) for part in text.split("->"))


def _wrong_entry(
    text: str, name: str, ablation: AblationSpec, at_positions: bool
) -> tuple[str, str, str] | None:
    """Say what is wrong with an entry of a circuit, if anything is."""
    ablate = ablation.ablate
    is_edge = "->" in name
    if is_edge != (ablate == "edges"):
        return (
            f"{text[:100]!r} is {'an edge' if is_edge else 'a node'}, but "
            f"{'edges' if ablate == 'edges' else 'nodes'} are ablated.",
            "All entries of a file's circuits are nodes, or all are edges.",
            "Write 'ablation: {ablate: edges}' and edges such as 'L0.H0 -> L1.H0.k', or nodes.",
        )
    if is_edge:
        sender, _, receiver = name.partition(" -> ")
        if not (_SENDER.fullmatch(sender) and _RECEIVER.fullmatch(receiver)):
            return (
                f"{text[:100]!r} is no edge of the residual stream.",
                "Senders are embed, heads and MLPs; receivers are the queries, keys and values of "
                "heads (of K/V groups where these are shared), MLPs and logits; positions are "
                "given once, with 'ablation: {at: …}'.",
                "Write for example 'L0.H0 -> L1.H0.k', 'L0.H0 -> L1.KV0.k' or 'L3.mlp -> logits'.",
            )
        return None
    cell = _CELL.fullmatch(name)
    node = name if cell is None else cell[1]
    if not _MEMBER.fullmatch(node):
        return (
            f"{text[:100]!r} cannot be in a circuit.",
            "A circuit holds heads such as L20.H0 and MLPs such as L3.mlp, all of them or none at "
            "one of the positions of 'ablation: {at: …}', such as 'L20.H0[end]'.",
            "Write the name of a head or an MLP.",
        )
    wrong = _wrong_position(text, None if cell is None else cell[2], ablation, at_positions)
    if wrong is not None:
        return wrong
    if ablate == "heads" and node.endswith(".mlp"):
        return (
            f"{text!r} is in the circuit, but only heads are ablated.",
            "With 'ablate: heads' every MLP is kept.",
            "Delete it, or write 'ablation: {ablate: heads_and_mlps}'.",
        )
    return None


def _wrong_position(
    text: str, position: str | None, ablation: AblationSpec, at_positions: bool
) -> tuple[str, str, str] | None:
    """Say what is wrong with the position of a node, or with its having none."""
    listed = _listed(ablation)
    if (position is not None) != at_positions:
        return (
            f"{text[:100]!r} has {'no' if position is None else 'a'} position, and the first entry "
            f"of the file's circuit has {'one' if at_positions else 'none'}.",
            "All entries of a file's circuits are nodes at positions, or none is.",
            "Write every node once for each of its positions, such as 'L20.H0[end]', or leave out "
            "all brackets.",
        )
    if position is None:
        return None
    if not listed:
        return (
            f"{text[:100]!r} is at a position, and every position is ablated.",
            "Nodes at positions need the list of positions that are ablated.",
            "Write for example 'ablation: {at: [S2, end]}', or leave out the brackets.",
        )
    if position not in listed:
        return (
            f"{text[:100]!r} is at {position!r}, which is not ablated.",
            f"'ablation: {{at: …}}' has {', '.join(listed)}.",
            f"Write one of these, such as '[{listed[0]}]', or list {position or 'it'!r} there.",
        )
    if ablation.kind == "optimal":
        return (
            f"{text[:100]!r} is at a position, and the ablation is 'optimal'.",
            "Its constants are learned for nodes at one list of positions.",
            "Leave out all brackets, or write another 'kind'.",
        )
    return None


def _listed(ablation: AblationSpec) -> tuple[str, ...]:
    """Return the positions that are ablated, each once; none for everywhere."""
    listed = ablation.positions or ()
    return () if listed == ("all",) else tuple(dict.fromkeys(listed))


def universe(claim_file: ClaimFile, graph: MediatorGraph) -> dict[str, Mediator | Edge | Cell]:
    """Return everything that can be ablated, by name, in order.

    Heads, or MLPs too; each of them at each position where circuits are of such; or edges.
    """
    if claim_file.ablation.ablate == "edges":
        from causalnet.estimators.sites import edge_sites

        return {str(site): site for site in edge_sites(graph) if isinstance(site, Edge)}
    kinds = {Kind.HEAD} if claim_file.ablation.ablate == "heads" else {Kind.HEAD, Kind.MLP}
    mediators = [node.mediator for node in graph.nodes if node.mediator.kind in kinds]
    if is_of_cells(claim_file):
        listed = _listed(claim_file.ablation)
        return {str(cell): cell for cell in (Cell(one, at) for one in mediators for at in listed)}
    return {mediator.name: mediator for mediator in mediators}


def check_against_graph(claim_file: ClaimFile, graph: MediatorGraph) -> None:
    """Refuse a circuit that this model does not have, or that is all of it.

    Raises:
        ClaimFileError: A circuit of another model or a misspelt name (the nearest is given), or a
            circuit of everything that can be ablated, about which no claim could fail.
    """
    known = universe(claim_file, graph)
    unit = "edges" if claim_file.ablation.ablate == "edges" else "mediators"
    unit += " at positions" * is_of_cells(claim_file)
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
                f"The circuit is all {len(known)} {unit} that can be ablated.",
                "With nothing left to ablate every such claim is true.",
                "Name a part of the model.",
            )


def _unknown(
    claim_file: ClaimFile, path: KeyPath, name: str, graph: MediatorGraph
) -> ClaimFileError:
    shape = graph.shape
    if "->" in name:
        try:
            graph.edge(*name.split(" -> "))
        except CausalNetError as error:
            return place_error(claim_file, path, error.came, error.possible, error.write)
    node, _, place = name.partition("[")
    close = [f"{one}[{place}" if place else one for one in nearest(node, graph.names(), 1)]
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
