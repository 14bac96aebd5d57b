"""From scores to a circuit: of a size, above a threshold, connected; and what the circuit does."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.connecting import connected_edges, greedily_connected
from causalnet.discovery.exact import outcome_of
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.discovery.scoring import Convention
from causalnet.discovery.units import CircuitGrain, Units
from causalnet.errors import ParameterError
from causalnet.faithfulness import CircuitScorer, CircuitScores, EdgeCircuitScorer
from causalnet.interventions import AblationKind, Edge
from causalnet.tasks import PromptPairs

__all__ = ["Circuit", "Connect", "asked_of", "circuit_above", "circuit_of", "circuit_of_size"]

Connect: TypeAlias = Literal["no", "prune", "greedy"]
"""`prune` drops edges on no path from input to logits; `greedy` grows from the logits."""

_SHOWN = 12


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Circuit:
    """Some units of a network, with the question they answer and the rule that chose them.

    Attributes:
        question: What was asked when it was found.
        kept: The numbers of its units, ascending.
        method: The method whose scores chose it, or "given".
        rule: How it was chosen of the scores, in words.
        before: How many units were chosen before what is not connected was dropped.
    """

    question: Question
    kept: tuple[int, ...]
    method: str
    rule: str
    before: int

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.kept)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its units."""
        names = self.question.units.names
        return tuple(names[number] for number in self.kept)

    @property
    def edges(self) -> tuple[str, ...]:
        """The names of its edges, for any grain; those that are always kept are left out."""
        units = self.question.units
        return tuple(units.sites.label(int(number)) for number in units.edges(self.kept))

    @property
    def share(self) -> float:
        """The share of all units that it keeps."""
        return len(self.kept) / len(self.question.units)

    def row(self) -> NDArray[np.float64]:
        """Return 1 for its units and 0 for others, [units]."""
        found = np.zeros(len(self.question.units))
        found[list(self.kept)] = 1.0
        return found

    def scores(self, pairs: PromptPairs | None = None) -> CircuitScores:
        """Return the outcome of the model, of the circuit, of nothing and of the rest, by prompt.

        Constants of optimal ablation are learned anew for each of these parts.

        Args:
            pairs: Other prompts than those it was found on, which is what a test needs.

        Raises:
            ParameterError: Optimal ablation at a grain for which no constants are learned.
        """
        asked = self.question if pairs is None else asked_of(self.question, pairs)
        if asked.ablation.kind is AblationKind.OPTIMAL:
            return _learned_scores(asked, self.kept)
        own = self.row()
        rows = np.stack([own, np.zeros_like(own), 1.0 - own])
        kept, empty, rest = outcome_of(asked, rows)
        return CircuitScores(asked.intact(), kept, empty, rest)

    def __repr__(self) -> str:
        """Return its size, how it was found, and its first units."""
        asked, names = self.question, self.names
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        dropped = f", {self.before - len(self)} of {self.before} dropped" * (
            self.before > len(self)
        )
        return (
            f"Circuit({len(self):,} of {len(asked.units):,} {asked.grain} by {self.method}: "
            f"{self.rule}{dropped}; ablation {asked.ablation}, {asked.direction}: {shown})"
        )


def _learned_scores(asked: Question, kept: Sequence[int]) -> CircuitScores:
    """Return scores under optimal ablation, whose constants are those of each part's own mask."""
    units, pairs = asked.units, asked.reference
    assert isinstance(pairs, PromptPairs)  # or no question could be asked
    if units.grain is CircuitGrain.EDGES:
        members = [units.sites[number] for number in kept]
        by_edges = EdgeCircuitScorer(
            asked.net, asked.readout, asked.ablation, asked.positions, reference=pairs
        )
        return by_edges.score(asked.pairs, [one for one in members if isinstance(one, Edge)])
    if units.grain in (CircuitGrain.HEADS, CircuitGrain.NODES):
        universe = tuple(asked.net[name] for name in units.names)
        by_nodes = CircuitScorer(
            asked.net,
            asked.readout,
            asked.ablation,
            universe,
            asked.positions,
            reference=pairs,
        )
        return by_nodes.score(asked.pairs, [universe[number] for number in kept])
    raise ParameterError(
        f"A circuit of {units.grain} under optimal ablation.",
        "Constants are learned for circuits of edges, nodes and heads.",
        "Write grain='edges', or another ablation.",
    )


def asked_of(question: Question, pairs: PromptPairs) -> Question:
    """Return the same question on other prompts."""
    return Question(
        question.net,
        pairs,
        question.ablation,
        question.readout,
        question.grain,
        question.direction,
        question.positions,
        question.reference,
        question.seed,
        question.batch_size,
    )


def circuit_of(question: Question, names: Sequence[str]) -> Circuit:
    """Return the circuit of given units.

    Raises:
        UnknownMediatorError: No such unit; near names are given.
        ParameterError: No unit.
    """
    numbers = sorted({question.units.index(name) for name in names})
    if not numbers:
        raise ParameterError(
            "A circuit of no units.", "It keeps one at least.", "Name the units that it keeps."
        )
    return Circuit(question, tuple(numbers), "given", "as given", len(numbers))


def circuit_of_size(
    scores: Scores, size: int, *, connect: Connect = "no", by: Convention = "absolute"
) -> Circuit:
    """Return the circuit of the units that rank highest.

    Args:
        scores: The scores.
        size: How many units are chosen, before any that are not connected are dropped.
        connect: Whether the circuit has to hang together; edges only.
        by: Rank by size, or by how much a unit helps.

    Raises:
        ParameterError: A size below 1 or beyond the graph, connection asked of another grain than
            edges, a rule that is none.
    """
    units = scores.question.units
    check_size(size, units)
    _check(connect, by, units.grain)
    words, ranked = f"the {size:,} {_words(by)}", scores.ranking(by)
    idle = size - int((ranked > 0).sum()) if by == "absolute" else 0
    if idle > 0:
        words += f" ({idle:,} of them score 0 and are taken in the order of the graph)"
    if connect == "greedy":
        layout = scores.question.runs.layout
        kept = greedily_connected(layout, scores.ranking(by), size)
        numbers = np.flatnonzero(kept)
        rule = f"{words}, grown from the logits"
        return _circuit(scores, numbers, rule, "prune")
    return _circuit(scores, scores.order(by)[:size], words, connect)


def check_size(size: int, units: Units) -> None:
    """Check that a circuit can have a size.

    Raises:
        ParameterError: A size that is no whole number, below 1 or beyond the graph.
    """
    if not isinstance(size, Integral) or isinstance(size, bool) or not 1 <= size <= len(units):
        raise ParameterError(
            f"A circuit of {size} {units.grain}.",
            f"The graph has {len(units):,}, and a circuit has one at least.",
            f"Write a whole number from 1 to {len(units)}.",
        )


def circuit_above(
    scores: Scores, threshold: float, *, connect: Connect = "no", by: Convention = "absolute"
) -> Circuit:
    """Return the circuit of the units that rank above a threshold, in the unit of the scores.

    Args:
        scores: The scores.
        threshold: Units with a larger number are kept.
        connect: `no` or `prune`.
        by: Rank by size, or by how much a unit helps.

    Raises:
        ParameterError: A threshold that no unit passes, connection asked of another grain than
            edges, a rule that is none.
    """
    _check(connect, by, scores.question.units.grain)
    if connect == "greedy":
        raise ParameterError(
            "A threshold with connect='greedy'.",
            "Growing from the logits ends at a size.",
            "Write size=..., or connect='prune'.",
        )
    ranked = scores.ranking(by)
    numbers = np.flatnonzero(ranked > threshold)
    if not len(numbers):
        best = int(np.argmax(ranked))
        raise ParameterError(
            f"No unit has a score above {threshold:g} by {scores.method.name}.",
            f"The largest of {len(ranked):,} is {ranked[best]:.3g}, of "
            f"{scores.question.units.names[best]}.",
            f"Write a threshold below {ranked[best]:.3g}, or a size.",
        )
    return _circuit(scores, numbers, f"{_words(by)} above {threshold:g}", connect)


def _circuit(scores: Scores, numbers: NDArray[np.int64], rule: str, connect: Connect) -> Circuit:
    asked = scores.question
    chosen = sorted(int(number) for number in numbers)
    before = len(chosen)
    if connect == "prune":
        kept = np.zeros(len(asked.units), dtype=bool)
        kept[chosen] = True
        chosen = np.flatnonzero(connected_edges(asked.runs.layout, kept)).tolist()
        rule = f"{rule}, connected"
    if not chosen:
        raise ParameterError(
            f"None of the {before:,} edges of {scores.method.name} lies on a path from the "
            "embedding to the logits.",
            "A connected circuit has one path at least.",
            "Take more edges, write connect='greedy', or connect='no'.",
        )
    return Circuit(asked, tuple(chosen), scores.method.name, rule, before)


def _check(connect: str, by: str, grain: CircuitGrain | str) -> None:
    if connect not in ("no", "prune", "greedy") or by not in ("absolute", "signed"):
        raise ParameterError(
            f"connect={connect!r}, by={by!r}.",
            "connect is 'no', 'prune' or 'greedy'; by is 'absolute' or 'signed'.",
            "Write connect='no', by='absolute'.",
        )
    if connect != "no" and grain != CircuitGrain.EDGES:
        raise ParameterError(
            f"connect={connect!r} at the grain {str(grain)!r}.",
            "Nodes are connected by all edges between them; edges may not be.",
            "Write connect='no', or grain='edges'.",
        )


def _words(by: Convention) -> str:
    return "largest scores" if by == "absolute" else "scores that help most"
