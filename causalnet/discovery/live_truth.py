"""Which edges of a known circuit are live: what an edge does depends on ablation and data.

A true edge is live where removing it from the circuit of all true edges changes an output.  Under
the usual counterfactual of an induction task only the edges are live that carry what the two
prompts differ in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from causalnet.discovery.question import Question
from causalnet.discovery.scores import ROUNDINGS
from causalnet.errors import ParameterError

__all__ = ["LiveTruth", "live_truth"]

LIVE = 1e-6  # the least change of a logit that counts: hard attention leaks less than that


@dataclass(frozen=True, slots=True)
class LiveTruth:
    """The edges of a known circuit, under one ablation on some prompts.

    Attributes:
        structural: All edges of the circuit, by name.
        live: Those whose removal from the circuit changes a logit of some prompt.
        changes: The largest change of a logit by removing each, by name.
        distance: The largest difference of a logit between the circuit and the whole network.
        ablation: What removed edges carry, in words.
        prompts: How many prompts were looked at.
    """

    structural: frozenset[str]
    live: frozenset[str]
    changes: tuple[tuple[str, float], ...]
    distance: float
    ablation: str
    prompts: int

    def __str__(self) -> str:
        """Return the live edges and what the others are."""
        dormant = sorted(self.structural - self.live)
        lines = [
            f"{len(self.live)} of {len(self.structural)} true edges are live under {self.ablation} "
            f"on {self.prompts} prompts; circuit and network differ by {self.distance:.1e}",
            *(f"  {name}: a logit changes by {change:.3g}" for name, change in self.changes),
        ]
        lines += [f"  not live: {', '.join(dormant)}"] if dormant else []
        return "\n".join(lines)


def live_truth(
    question: Question, truth: Iterable[tuple[str, str]], least: float = LIVE
) -> LiveTruth:
    """Return which edges of a known circuit are live under a question's ablation and prompts.

    Args:
        question: Ablation, prompts and positions; logits are read at all tokens.
        truth: The circuit's edges, sender and receiver.
        least: The least change of a logit that counts; never less than rounding in the type of the
            weights.

    Raises:
        UnknownMediatorError: An edge that the graph does not have.
        ParameterError: No edge.
    """
    asked = replace(question, grain="edges", readout=replace(question.readout, at="all"))
    names = [f"{sender} -> {receiver}" for sender, receiver in truth]
    if not names:
        raise ParameterError(
            "A truth of no edges.",
            "A circuit has one edge at least.",
            "Give pairs of sender and receiver, as known_circuit(name).truth does.",
        )
    members = sorted({asked.units.index(name) for name in names})
    circuit = np.zeros(len(asked.units))
    circuit[members] = 1.0
    rows = np.tile(circuit, (len(members) + 2, 1))
    rows[0] = 1.0
    rows[np.arange(2, len(rows)), members] = 0.0
    batches = asked.runs.logits(torch.from_numpy(asked.masks(rows)))
    distance = max(float((each[1] - each[0]).abs().nan_to_num().max()) for each in batches)
    by_batch = [(each[2:] - each[1]).abs().nan_to_num().flatten(1).amax(1) for each in batches]
    changes = torch.stack(by_batch).amax(0).tolist()
    labelled = [(asked.units.names[m], change) for m, change in zip(members, changes, strict=True)]
    labelled.sort(key=lambda each: -each[1])
    largest = max(float(each[0].abs().nan_to_num().max()) for each in batches)
    least = max(least, ROUNDINGS * torch.finfo(asked.net.model.dtype).eps * largest)
    return LiveTruth(
        frozenset(name for name, _ in labelled),
        frozenset(name for name, change in labelled if change > least),
        tuple(labelled),
        distance,
        str(asked.ablation),
        len(asked.pairs),
    )
