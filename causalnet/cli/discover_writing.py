"""The files of a circuit: claims, picture, scores, attribution graph."""

import json
from collections.abc import Iterator
from pathlib import Path

from causalnet.cli.discover_found import Found, unit_words
from causalnet.cli.terminal import Terminal
from causalnet.discovery.attribution_writing import attribution_of
from causalnet.discovery.claims import ClaimPrompts, claim_text
from causalnet.discovery.saving import circuit_json, save_scores, scores_json
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import CausalNetError, ClaimFileError, ParameterError
from causalnet.graphs import Kind
from causalnet.graphs.formats.attribution_json import attribution_text
from causalnet.report.circuit_picture import (
    CircuitPicture,
    DrawnEdge,
    DrawnNode,
    NodeKind,
    write_circuit_png,
)

__all__ = ["picture_of", "write_found"]


def write_found(
    found: Found, folder: Path, terminal: Terminal
) -> tuple[list[Path], tuple[str, ...]]:
    """Write everything that can be written into a folder; return the paths, and what cannot be.

    Args:
        found: What was found.
        folder: A folder that is there.
        terminal: Told what cannot be written.
    """
    written = [_text(folder / "circuit.json", _json(found))]
    unwritten: list[str] = []
    try:
        written.insert(0, _text(folder / "claims.yaml", _claims(found)))
    except (ClaimFileError, ParameterError) as error:
        unwritten.append(f"No claims are written. {error}")
    try:
        graph = attribution_of(found.circuit, found.scores)
        written.append(_text(folder / "attribution.json", attribution_text(graph)))
    except ParameterError as error:
        unwritten.append(f"No attribution graph is written. {error}")
    for each in unwritten:
        terminal.note(f"causalnet: {each}")
    for name, pairs in found.prompts.files.items():
        pairs.to_jsonl(folder / name)
        written.append(folder / name)
    if found.scores is not None:
        path = folder / "scores.safetensors"
        written.append(save_scores(found.scores, path, found.circuit))
    try:
        written.append(write_circuit_png(picture_of(found), folder / "circuit.png"))
    except CausalNetError as error:
        terminal.note(f"causalnet: {error}")
    return written, tuple(unwritten)


def _text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _claims(found: Found) -> str:
    prompts = found.prompts
    is_given = found.scores is None
    named = ClaimPrompts(
        None if is_given else prompts.found_spec,
        prompts.test_spec,
        prompts.reference_spec,
        prompts.side,
    )
    whole = float(found.beside.scores.model.mean())
    if found.circuit.question.readout.name in ("logit_difference", "logit_distance"):
        whole = found.behaviour.difference
    return claim_text(found.circuit, named, behaviour=whole)


def _json(found: Found) -> str:
    told: dict[str, object] = {"circuit": circuit_json(found.circuit)}
    if found.scores is not None:
        told |= scores_json(found.scores)
    else:
        told["question"] = found.circuit.question.to_json()
    return json.dumps(told, indent=1, allow_nan=False) + "\n"


def picture_of(found: Found) -> CircuitPicture:
    """Return the picture of a circuit: its edges, or its nodes."""
    circuit, scores = found.circuit, found.scores
    asked = circuit.question
    of_nodes = asked.grain in (CircuitGrain.NODES, CircuitGrain.HEADS, CircuitGrain.POSITIONS)
    edges = () if of_nodes else tuple(_edges(found))
    names = dict.fromkeys(["embed", "logits"])
    if of_nodes:
        names.update(dict.fromkeys(circuit.names))
    for edge in edges:
        names.update(dict.fromkeys((edge.sender, edge.receiver)))
    values = dict(zip(asked.units.names, scores.values.tolist(), strict=True)) if scores else {}
    nodes = tuple(_node(found, name, values.get(name) if of_nodes else None) for name in names)
    ablation = f"ablation {asked.ablation}, {asked.direction}"
    size = f"{len(circuit):,} of {len(asked.units):,} {unit_words(asked)}"
    model = asked.net.model.provenance.source.rsplit("/", 1)[-1]
    return CircuitPicture(
        f"{found.task}: {size}" if found.task == model else f"{found.task} in {model}: {size}",
        f"{circuit.method}: {circuit.rule}; {asked.readout.described}, {ablation}, mean over "
        f"{len(asked.pairs)} prompts. Faithfulness on {len(found.prompts.held_out)} others: "
        f"{found.beside.scores.faithfulness:.2f}",
        nodes,
        (*edges, *_shared(found, names)),
        scores.unit if scores else "",
        scores is None or scores.sign == "effect",
        ("Nodes are connected by all edges between them, which are not drawn.",) * of_nodes,
    )


def _edges(found: Found) -> Iterator[DrawnEdge]:
    circuit, scores = found.circuit, found.scores
    units = circuit.question.units
    for label in circuit.edges:
        sender, _, receiver = label.partition(" -> ")
        unit = label if units.grain is CircuitGrain.EDGES else receiver
        value = 0.0 if scores is None else float(scores.values[units.index(unit)])
        owner, channel = (
            (receiver[:-2], receiver[-1]) if receiver[-2:] in (".q", ".k", ".v") else (receiver, "")
        )
        yield DrawnEdge(sender, owner, channel, value)


def _shared(found: Found, names: dict[str, None]) -> Iterator[DrawnEdge]:
    """Join shared keys and values to the heads of the picture that read them."""
    shape = found.circuit.question.net.graph.shape
    for name in names:
        layer, dot, group = name.partition(".KV")
        if not dot:
            continue
        for head in shape.heads_of(int(layer[1:])):
            if shape.group_of(head) == int(group) and f"{layer}.H{head}" in names:
                yield DrawnEdge(name, f"{layer}.H{head}")


def _node(found: Found, name: str, value: float | None) -> DrawnNode:
    """Return a node with its row: keys and values below heads, heads below the MLP.

    The name may end in a position, as `L9.H6[S2]`.
    """
    graph = found.circuit.question.net.graph
    if name in ("embed", "pos_embed", "logits"):
        last = 3 * graph.shape.layers
        return DrawnNode(name, "input", last if name == "logits" else -1)
    layer = int(name[1:].partition(".")[0])
    if ".KV" in name:
        return DrawnNode(name, "kv", 3 * layer)
    kind: NodeKind = "mlp" if graph.find(name.partition("[")[0]).kind is Kind.MLP else "head"
    return DrawnNode(name, kind, 3 * layer + (2 if kind == "mlp" else 1), value)
