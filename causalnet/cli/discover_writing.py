"""The files of a circuit: claims, picture, scores, attribution graph."""

import json
from collections.abc import Iterator
from pathlib import Path

from causalnet.cli.discover_found import Found
from causalnet.cli.terminal import Terminal
from causalnet.discovery.attribution_writing import attribution_of
from causalnet.discovery.claims import ClaimPrompts, claim_text
from causalnet.discovery.saving import circuit_json, save_scores, scores_json
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import CausalNetError, ParameterError
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


def write_found(found: Found, folder: Path, terminal: Terminal) -> list[Path]:
    """Write everything into a folder and return the paths; a picture only where it can be drawn."""
    try:
        written = [_text(folder / "claims.yaml", _claims(found))]
    except ParameterError as error:
        terminal.note(f"causalnet: No claims are written. {error}")
        written = []
    written += [
        _text(folder / "circuit.json", _json(found)),
        _text(
            folder / "attribution.json",
            attribution_text(attribution_of(found.circuit, found.scores)),
        ),
    ]
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
    return written


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
    of_nodes = asked.grain in (CircuitGrain.NODES, CircuitGrain.HEADS)
    edges = () if of_nodes else tuple(_edges(found))
    names = dict.fromkeys(["embed", "logits"])
    if of_nodes:
        names.update(dict.fromkeys(circuit.names))
    for edge in edges:
        names.update(dict.fromkeys((edge.sender, edge.receiver)))
    values = dict(zip(asked.units.names, scores.values.tolist(), strict=True)) if scores else {}
    nodes = tuple(_node(found, name, values.get(name) if of_nodes else None) for name in names)
    ablation = f"ablation {asked.ablation}, {asked.direction}"
    size = f"{len(circuit):,} of {len(asked.units):,} {asked.grain}"
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
    """Return a node with its row: keys and values below heads, heads below the MLP."""
    graph = found.circuit.question.net.graph
    if name in ("embed", "pos_embed", "logits"):
        last = 3 * graph.shape.layers
        return DrawnNode(name, "input", last if name == "logits" else -1)
    layer = int(name[1:].partition(".")[0])
    if ".KV" in name:
        return DrawnNode(name, "kv", 3 * layer)
    kind: NodeKind = "mlp" if graph.find(name).kind is Kind.MLP else "head"
    return DrawnNode(name, kind, 3 * layer + (2 if kind == "mlp" else 1), value)
