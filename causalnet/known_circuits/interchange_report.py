"""How far a network realises a high-level model, and whether by the aligned nodes alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.known_circuits.interchange import HighLevelModel, columns, nodes_of, run_swapped
from causalnet.known_circuits.module import SmallTransformer

__all__ = ["InterchangeReport", "NodeEffect", "VariableFit", "draw_pairs", "measure_interchange"]

#: Pairs of inputs fall into ten classes: one is watched, one is held out, the others train.
_SPLITS: Mapping[str, tuple[int, ...]] = {
    "watched": (0,),
    "held out": (1,),
    "training": (2, 3, 4, 5, 6, 7, 8, 9),
}


@dataclass(frozen=True, slots=True)
class VariableFit:
    """How well nodes hold a variable.

    Attributes:
        name: Of the variable.
        nodes: Aligned with it.
        accuracy: Share of pairs on which the network with these nodes swapped gives the answer of
            the high-level model with the variable swapped.
        changed: Share of pairs on which that is not the answer to the base.
        accuracy_on_changed: The same accuracy among those pairs alone.
    """

    name: str
    nodes: tuple[str, ...]
    accuracy: float
    changed: float
    accuracy_on_changed: float


@dataclass(frozen=True, slots=True)
class NodeEffect:
    """What swapping nodes that hold no variable does.

    Attributes:
        nodes: Swapped at once.
        accuracy: Share of pairs whose answer is still the base's.
        effect: Patched − unpatched log probability of the base's answer, in nats, the mean.
    """

    nodes: tuple[str, ...]
    accuracy: float
    effect: float


@dataclass(frozen=True, slots=True)
class InterchangeReport:
    """How far a network realises a high-level model, and alone by the aligned nodes.

    Attributes:
        model: The high-level model's name.
        pairs: How many pairs of inputs it was measured on.
        accuracy: Share of all inputs that are answered rightly.
        variables: Fits of the variables.
        others: Effects of each other node, swapped alone.
        joint: The effect of all other nodes, swapped at once from one other input.
    """

    model: str
    pairs: int
    accuracy: float
    variables: tuple[VariableFit, ...]
    others: tuple[NodeEffect, ...]
    joint: NodeEffect

    @property
    def interchange(self) -> float:
        """The interchange accuracy of the worst variable."""
        return min((fit.accuracy for fit in self.variables), default=1.0)

    @property
    def single(self) -> float:
        """The share of answers that stay with the worst other node swapped alone."""
        return min((node.accuracy for node in self.others), default=1.0)

    def measures(self) -> dict[str, float]:
        """Return the four figures."""
        return {
            "accuracy": self.accuracy,
            "interchange": self.interchange,
            "single": self.single,
            "joint": self.joint.accuracy,
        }

    def __str__(self) -> str:
        """Return a table."""
        rows = [f"{self.model}: accuracy {self.accuracy:.3f}, on {self.pairs} pairs:"]
        rows += [
            f"  {fit.name} = {', '.join(fit.nodes)}: interchange accuracy {fit.accuracy:.3f}, "
            f"{fit.accuracy_on_changed:.3f} on the {fit.changed:.0%} whose answer changes"
            for fit in self.variables
        ]
        rows += [
            f"  {', '.join(node.nodes)} swapped: {node.accuracy:.3f} stay, {node.effect:+.3f} nats"
            for node in self.others
        ]
        rows.append(
            f"  all {len(self.joint.nodes)} swapped at once: {self.joint.accuracy:.3f} stay, "
            f"{self.joint.effect:+.3f} nats"
        )
        return "\n".join(rows)


def draw_pairs(
    high: HighLevelModel, count: int, split: str, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw base and source inputs of one split of all pairs, [count, T] each.

    Args:
        high: Whose inputs are paired.
        count: How many pairs.
        split: `training`, `watched` or `held out`; no pair is in two of them.
        generator: To draw with.
    """
    classes, kept = torch.tensor(_SPLITS[split]), torch.empty(0, 2, dtype=torch.long)
    while len(kept) < count:
        drawn = torch.randint(len(high.inputs), (2 * count, 2), generator=generator)
        # Large odd numbers spread neighbouring indices over the classes.
        spread = (drawn[:, 0] * 73_856_093 ^ drawn[:, 1] * 19_349_663) % 9973 % 10
        kept = torch.cat([kept, drawn[torch.isin(spread, classes)]])
    base, source = kept[:count].unbind(1)
    return high.inputs[base], high.inputs[source]


@torch.no_grad()
def measure_interchange(
    module: SmallTransformer,
    high: HighLevelModel,
    *,
    pairs: int = 1000,
    split: str = "held out",
    seed: int = 0,
) -> InterchangeReport:
    """Measure interchange accuracies, and what all nodes that hold no variable do.

    Args:
        module: The network.
        high: The high-level model, with its alignment.
        pairs: How many pairs of inputs.
        split: Of which split.
        seed: To draw the pairs with.
    """
    base, source = draw_pairs(high, pairs, split, torch.Generator().manual_seed(seed))
    plain, _ = run_swapped(module, base)
    _, written = run_swapped(module, source)
    right = high.run(base)["answer"]

    def swapped(nodes: tuple[str, ...]) -> Tensor:
        which = columns(module.config, nodes).expand(len(base), -1, -1)
        return run_swapped(module, base, which, written)[0]

    def fit(name: str, nodes: tuple[str, ...]) -> VariableFit:
        wanted = high.interchanged(base, source, name)
        hit, changed = swapped(nodes).argmax(-1) == wanted, wanted != right
        return VariableFit(name, nodes, _share(hit), _share(changed), _share(hit[changed]))

    def effect(nodes: tuple[str, ...]) -> NodeEffect:
        logits = swapped(nodes)
        stays, moved = logits.argmax(-1) == right, _log(logits, right) - _log(plain, right)
        return NodeEffect(nodes, _share(stays), float(moved.mean()))

    others = tuple(node for node in nodes_of(module.config) if node not in high.aligned())
    everywhere = run_swapped(module, high.inputs)[0].argmax(-1)
    return InterchangeReport(
        high.name,
        pairs,
        _share(everywhere == high.run(high.inputs)["answer"]),
        tuple(fit(variable.name, variable.nodes) for variable in high.variables),
        tuple(effect((node,)) for node in others),
        effect(others),
    )


def _share(hits: Tensor) -> float:
    """Return the share of hits; of no trial, 1."""
    return float(hits.double().mean()) if hits.numel() else 1.0


def _log(logits: Tensor, answers: Tensor) -> Tensor:
    """Return the log probabilities of answers, in nats, [B]."""
    return logits.log_softmax(-1).gather(-1, answers[:, None])[:, 0]
