"""Approximate abstraction: how far a high-level model holds, intervention by intervention.

A model with its alignment is an eps-abstraction of a network on a distribution of pairs where
interchange accuracy is at least 1 - eps (Geiger et al. 2025, section 2.5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from causalnet.abstraction.accuracy import interchange_accuracy
from causalnet.abstraction.accuracy_results import InterchangeAccuracy, WorstPair
from causalnet.abstraction.alignment import AlignedSite, Alignment
from causalnet.abstraction.controls import Arm
from causalnet.abstraction.examples import Examples
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.abstraction.measuring import Criterion, base_hits, measure_arms
from causalnet.abstraction.pairs import Interchanges, draw_interchanges
from causalnet.abstraction.rates import Rate
from causalnet.execute import Executor
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork

__all__ = ["ApproximateAbstraction", "approximate_abstraction"]


@dataclass(frozen=True, slots=True)
class ApproximateAbstraction:
    """How far a high-level model holds, for each intervention.

    Attributes:
        model: Its name.
        parts: The accuracy of each intervention, with its controls.
        others: How often answers stay when all heads and MLPs that hold no variable are swapped at
            once; None where that was not asked.
    """

    model: str
    parts: tuple[InterchangeAccuracy, ...]
    others: Rate | None

    @property
    def eps(self) -> dict[str, float]:
        """1 - accuracy by intervention: variables joined by `+`."""
        return {"+".join(part.variables): part.eps for part in self.parts}

    @property
    def worst(self) -> InterchangeAccuracy:
        """The intervention with the largest eps."""
        return max(self.parts, key=lambda part: part.eps)

    @property
    def worst_pair(self) -> WorstPair:
        """The pair on which the network is furthest from what is predicted."""
        found = (part.worst for part in self.parts)
        return min(found, key=lambda pair: (pair.is_right, pair.gap))

    @property
    def is_above_controls(self) -> bool:
        """Whether every intervention does better than its controls."""
        return all(part.is_above_controls for part in self.parts)

    def to_json(self) -> dict[str, object]:
        """Return everything, as JSON values."""
        return {
            "model": self.model,
            "eps": self.eps,
            "worst": "+".join(self.worst.variables),
            "worst_pair": self.worst_pair.to_json(),
            "is_above_controls": self.is_above_controls,
            "others_stay": None if self.others is None else self.others.to_json(),
            "interventions": [part.to_json() for part in self.parts],
        }

    def __str__(self) -> str:
        """Return a line for each intervention."""
        lines = [f"{self.model}: eps by intervention"]
        for part in self.parts:
            beaten = "above controls" if part.is_above_controls else "not above controls"
            lines.append(
                f"  {'+'.join(part.variables)}: {part.eps:.3f}, accuracy {part.overall}, cause "
                f"{part.cause.estimate:.3f}, isolate {part.isolate.estimate:.3f}, {beaten}"
            )
        if self.others is not None:
            lines.append(f"  everything else swapped at once: {self.others} stay")
        return "\n".join([*lines, f"  worst pair: {self.worst_pair}"])


def approximate_abstraction(
    net: LiftedNetwork,
    model: HighLevelModel,
    alignment: Alignment,
    examples: Examples,
    interventions: Sequence[Sequence[str]] | None = None,
    n: int = 100,
    *,
    seed: int = 0,
    within: str = "",
    others: bool = False,
    criterion: Criterion = "top",
    draws: int = 5,
    waive: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
) -> ApproximateAbstraction:
    """Measure interchange accuracy of variables alone and together.

    Args:
        net: The lifted network.
        model: The high-level model.
        alignment: Where its variables are said to be.
        examples: Prompts with its inputs.
        interventions: Sets of variables; by default each aligned variable, and all of them at
            once, each from a source of its own.
        n: Pairs of each intervention.
        seed: Of the draws.
        within: A column on which base and sources agree.
        others: Also swap all heads and MLPs that hold no variable, at all positions: where the
            aligned nodes alone do the work, answers stay.
        criterion: When an answer is the predicted one.
        draws: How many random alignments.
        waive: Controls that are left out, with the reason.
        alpha: Error probability of each end.
        at: Where answers are read.
        executor: `wavefront`, `hooks` or `auto`.
        batch_size: Most pairs in a batch.

    Raises:
        GraphError, TermError, ParameterError, AlignmentError: As in `interchange_accuracy`.

    >>> import causalnet as cn
    >>> from causalnet.abstraction import Examples, HighLevelModel, aligned
    >>> net = cn.lift(cn.load("known:indirect_object"))
    >>> prompts = cn.tasks.make("known:indirect_object", net.model.tokenizer, n=40, seed=0)
    >>> inputs = {"other": {"token": "IO"}}
    >>> examples = Examples.from_pairs(prompts, net.model.tokenizer, inputs)
    >>> steps = {"held": lambda other: other, "answer": lambda held: held}
    >>> mover = HighLevelModel.of("mover", inputs=inputs, variables=steps, output="answer")
    >>> there = aligned({"held": "L2.H0"}, at="end")
    >>> graded = approximate_abstraction(net, mover, there, examples, n=20)
    >>> print(str(graded).split(", cause")[0])
    mover: eps by intervention
      held: 0.000, accuracy 1.000 [0.829, 1.000] (90 %), 20 of 20
    """
    aligned = tuple(alignment.sites)
    sets: Sequence[Sequence[str]] = [
        *((name,) for name in aligned),
        *((aligned,) if len(aligned) > 1 else ()),
    ]
    sets = sets if interventions is None else interventions
    parts: list[InterchangeAccuracy] = []
    pairs: Interchanges | None = None
    for variables in sets:
        pairs = draw_interchanges(model, examples, tuple(variables), n, seed=seed, within=within)
        parts.append(
            interchange_accuracy(
                net,
                pairs,
                alignment,
                criterion=criterion,
                draws=draws,
                waive=waive,
                alpha=alpha,
                at=at,
                executor=executor,
                batch_size=batch_size,
            )
        )
    stay: Rate | None = None
    if others and pairs is not None:
        free = Alignment({"others": _others(alignment, net.graph)})
        arm = Arm("", "others", free, "all heads and MLPs that hold no variable")
        alone = replace(pairs, variables=pairs.variables[:1], sources=pairs.sources[:, :1])
        scores, _ = measure_arms(net, alone, [arm], at=at, executor=executor, batch_size=batch_size)
        stay = Rate.of(base_hits(alone, scores["others"], criterion), alpha)
    return ApproximateAbstraction(model.name, tuple(parts), stay)


def _others(alignment: Alignment, graph: MediatorGraph) -> tuple[AlignedSite, ...]:
    held = {graph.find(name).name.split(".z")[0] for name in alignment.mediators()}
    kinds = (Kind.HEAD, Kind.MLP)
    nodes = (node.mediator for node in graph.nodes if node.mediator.kind in kinds)
    return tuple(AlignedSite(node.name) for node in nodes if node.name not in held)
