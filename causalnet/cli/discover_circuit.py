"""The circuit that the command line asks for: of scores, or of an attribution graph."""

from typing import TYPE_CHECKING

from causalnet.discovery.attribution_graphs import circuit_of_graph
from causalnet.discovery.circuits import Circuit, circuit_above, circuit_of_size
from causalnet.discovery.influence import pruned
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.errors import ParameterError
from causalnet.graphs.formats import read_graph

if TYPE_CHECKING:
    from causalnet.cli.discover import Search

__all__ = ["chosen_circuit"]

SHARE, LEAST, MOST = 0.1, 5, 100  # of units, where no size is asked for


def chosen_circuit(
    asked: "Search", question: Question, scores: Scores | None
) -> tuple[Circuit, tuple[str, ...]]:
    """Return the circuit that was asked for, and what should be said of it.

    Raises:
        ParameterError: A size beyond the graph, a threshold that nothing passes, a connection that
            is impossible.
    """
    if scores is None:
        return _from_graph(asked, question)
    notes: list[str] = []
    size = asked.size
    if asked.threshold is None and size is None:
        size, said = _default_size(scores)
        notes.append(said)

    def chosen(connect: str) -> Circuit:
        if asked.threshold is not None:
            return circuit_above(scores, asked.threshold, connect=connect)  # type: ignore[arg-type]  # _one_of
        assert size is not None
        return circuit_of_size(scores, size, connect=connect)  # type: ignore[arg-type]  # _one_of

    if asked.connect is not None or question.grain != "edges":
        circuit = chosen(asked.connect or "no")
    else:
        loose = chosen("no")
        try:
            circuit = chosen("prune" if asked.threshold is not None else "greedy")
        except ParameterError:
            circuit = loose
            notes.append("The edges hang together nowhere from embedding to logits; none dropped.")
    empty = int((scores.ranking()[list(circuit.kept)] == 0).sum())
    if empty:
        noted = f"{empty} of the {len(circuit)} units score 0: order chose them, not evidence."
        notes.append(noted)
    return circuit, tuple(notes)


def _default_size(scores: Scores) -> tuple[int, str]:
    """Return all that a search let survive, or a tenth of the units, none of which scores 0."""
    total, scored = len(scores), int((scores.ranking() != 0).sum())
    if scores.sign == "survival" and set(scores.values.tolist()) == {0.0, 1.0}:
        return scored, f"All {scored} units that survived the search are the circuit."
    size = max(1, min(max(round(SHARE * total), LEAST), MOST, total - 1, scored))
    return size, f"The size {size} is a default, not a finding; choose one with --size."


def _from_graph(asked: "Search", question: Question) -> tuple[Circuit, tuple[str, ...]]:
    """Return the circuit that an attribution graph says, and what it does not."""
    assert asked.graph is not None
    if asked.graph.suffix in (".yaml", ".yml"):
        raise ParameterError(
            f"--from {str(asked.graph)!r}.",
            "It takes an attribution graph (attribution.json).",
            f"For a claim file write causalnet verify {asked.graph}.",
        )
    graph = read_graph(asked.graph, "attribution")
    mapped = circuit_of_graph(pruned(graph) if asked.prune else graph, question)
    kept = f"{mapped.kept} units of attention are kept: the graph says nothing of them."
    notes = (
        *([kept] if mapped.kept else []),
        *(f"Left out: {count} {reason}." for reason, count in mapped.left_out.items()),
        *(f"{note[:1].upper()}{note[1:]}." for note in mapped.notes),
    )
    return mapped.circuit, notes
