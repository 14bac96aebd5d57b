"""What a claim file says of a search: its read-out, its ablation, what differs between the two."""

from collections.abc import Iterator, Mapping

from causalnet.discovery.circuits import Circuit
from causalnet.discovery.units import CircuitGrain
from causalnet.effects import embedding_spread
from causalnet.errors import ParameterError
from causalnet.interventions import READOUTS, Ablation, AblationKind, Learning, Noising, Position
from causalnet.lift import LiftedNetwork

__all__ = [
    "circuit_entries",
    "claimed_ablation",
    "claimed_readout",
    "claimed_units",
    "is_of_edges",
    "remarks",
]

_ABLATE = {
    CircuitGrain.HEADS: "heads",
    CircuitGrain.NODES: "heads_and_mlps",
    CircuitGrain.POSITIONS: "heads_and_mlps",
}
_CLAIMABLE = ("logit_difference", "probability", "kl", "loss", "accuracy")


def claimed_readout(circuit: Circuit) -> str:
    """Return the name of the claims' read-out: the search's, or the logit difference for others.

    Raises:
        ParameterError: A read-out at another place, or against other prompts, than claims read.
    """
    readout = circuit.question.readout
    if readout.name not in _CLAIMABLE:
        return "logit_difference"
    if readout.digest != READOUTS[readout.name].digest:
        raise ParameterError(
            f"A claim of a circuit that was scored by {readout}.",
            "Claim files read at the last token, and compare with the base prompt.",
            f"Find the circuit with readout={readout.name!r} as it stands, or without claims.",
        )
    return readout.name


def is_of_edges(circuit: Circuit) -> bool:
    """Whether claims about a circuit are about edges, not nodes."""
    return circuit.question.grain not in _ABLATE


def circuit_entries(circuit: Circuit) -> tuple[str, ...]:
    """Return the entries of a claim's circuit: nodes, nodes at positions, or edges.

    Where the search had one position, nodes stand without it: it is that of the ablation.
    """
    if circuit.question.grain is CircuitGrain.POSITIONS and len(_positions(circuit)) == 1:
        return tuple(name.partition("[")[0] for name in circuit.names)
    return circuit.edges if is_of_edges(circuit) else circuit.names


def claimed_units(circuit: Circuit) -> str:
    """Return how many of what a circuit is: `8 edges`, `3 nodes at S2`, `5 nodes at positions`."""
    if circuit.question.grain is CircuitGrain.POSITIONS:
        places = _positions(circuit)
        return f"{len(circuit)} nodes at {places[0] if len(places) == 1 else 'positions'}"
    return f"{len(circuit)} {circuit.question.grain}"


def _positions(circuit: Circuit) -> tuple[Position, ...]:
    """Return where claims ablate; nothing for everywhere."""
    if circuit.question.grain is CircuitGrain.POSITIONS:
        return circuit.question.units.places
    return circuit.question.positions


def _named(positions: tuple[Position, ...]) -> str | list[str]:
    """Return positions as a claim file writes them."""
    if positions in ((), ("all",)):
        return "all"
    numbers = [each for each in positions if not isinstance(each, str)]
    if numbers:
        raise ParameterError(
            f"A claim about position {numbers[0]}.",
            "A claim file names positions, such as end or S2.",
            "Give prompts whose positions have names, and name them with at=.",
        )
    return "end" if positions == ("end",) else [str(each) for each in positions]


def claimed_ablation(
    circuit: Circuit, reference: Mapping[str, object] | None, side: str
) -> dict[str, object]:
    """Return the ablation of a search as a claim file says it.

    Args:
        circuit: What was found.
        reference: How the file names the prompts of the reference set.
        side: Which of them: `source` or `base`; constants are always learned on the base prompts.

    Raises:
        ParameterError: An ablation or positions that no claim file names, or no reference prompts.
    """
    asked = circuit.question
    ablation = asked.ablation
    if ablation.kind in (AblationKind.CONSTANT, AblationKind.STEER):
        raise ParameterError(
            f"A claim with the ablation {ablation}.",
            "Claim files name zero, means, resample, counterfactual, noise and optimal.",
            "Find the circuit with one of them.",
        )
    said: dict[str, object] = {
        "kind": ablation.kind.value,
        "ablate": _ABLATE.get(_of(circuit), "edges"),
    }
    at = _positions(circuit)
    if at:
        said["at"] = _named(at)
    if ablation.reference is not None:
        if reference is None:
            raise ParameterError(
                f"A claim with the ablation {ablation.kind.value!r} and no reference prompts.",
                "The reference set is part of the claim.",
                "Write ClaimPrompts(..., reference=TaskSpec(...)).",
            )
        learned = ablation.kind is AblationKind.OPTIMAL
        said["reference"] = {**reference} if learned else {**reference, "side": side}
    if ablation.draws > 1:
        said["draws"] = ablation.draws
    if ablation.noise is not None:
        said["noise"] = _noise(ablation.noise, asked.net)
    return said | _learning(ablation)


def _of(circuit: Circuit) -> CircuitGrain:
    return CircuitGrain(circuit.question.grain)


def _noise(noise: Noising, net: LiftedNetwork) -> dict[str, object]:
    """Return noise as claim files measure it: by the spread of the vocabulary's embeddings."""
    is_vocabulary = noise.of == "vocabulary"
    factor = noise.factor if is_vocabulary else noise.sigma / embedding_spread(net)
    where: dict[str, object] = {"at": _named(noise.at)} if noise.at else {}
    return {"factor": factor, **where, "seed": noise.seed}


def _learning(ablation: Ablation) -> dict[str, object]:
    own, usual = ablation.learning, Learning()
    if own is None or own == usual:
        return {}
    names = ("loss", "steps", "rate", "batch", "seed")
    changed = {name: getattr(own, name) for name in names}
    return {"learning": {k: v for k, v in changed.items() if v != getattr(usual, k)}}


def remarks(circuit: Circuit) -> Iterator[str]:
    """Yield in what the claims are about something else than the search scored."""
    asked = circuit.question
    if asked.readout.name not in _CLAIMABLE:
        yield f"The search scored by {asked.readout}, which no claim names;"
        yield "the claims are about the logit difference."
    if asked.ablation.kind is AblationKind.OPTIMAL:
        yield "The search learned constants once, with everything removed; a claim learns those of"
        yield "its own circuit."
