"""High-level models as simulators: the program says what the network answers."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalnet.abstraction.alignment import Alignment
from causalnet.abstraction.controls import Arm
from causalnet.abstraction.examples import Examples
from causalnet.abstraction.expressions import Value
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.abstraction.measuring import ArmScores, measure_arms
from causalnet.abstraction.pairs import (
    MOST_CANDIDATES,
    Interchanges,
    Predictor,
    Tuple,
    draw_interchanges,
)
from causalnet.abstraction.simulation_scores import Kind, Questions
from causalnet.errors import ParameterError
from causalnet.execute import Executor
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork
from causalnet.tasks import Prompts

__all__ = ["ProgramSimulator", "Variables"]

Variables = tuple[str, ...]
"""Variables that are interchanged together."""

_PLAIN = Arm("no intervention", "no intervention", None, "nothing is swapped")


@dataclass(frozen=True, slots=True, eq=False)
class ProgramSimulator:
    """A high-level model, aligned with a network, as a program that predicts its answers.

    The network's answer is the likeliest of all answers that the model gives on the examples, so
    that there is one to every question.  Forward questions are about every example.

    Attributes:
        net: The network.
        model: The high-level model.
        alignment: Which sites hold which variable.
        held_out: Sets of variables whose interchanges are asked about.
        used: Sets that the claim was made from: those that sites were sought or trained with.
        n: Interchanges of each set.
        seed: Of their draws.
        within: A column, `template` or `length`, on which base and sources agree.
        at: Where the answer is read.
        executor: What runs the network.
        batch_size: Most pairs in a batch.

    Raises:
        ParameterError: A set that is held out and used, or none that is held out.

    >>> from causalnet.abstraction.alignment import aligned
    >>> from causalnet.abstraction.simulation import simulatability
    >>> from causalnet.lift import lift
    >>> from causalnet.models import load
    >>> from causalnet.tasks import make
    >>> net = lift(load("known:indirect_object"))
    >>> pairs = make("known:indirect_object", net.model.tokenizer, n=24)
    >>> named = {"first": 0, "second": 1}
    >>> readings = {name: {"token": ["IO", "S1"], "nth": nth} for name, nth in named.items()}
    >>> readings["third"] = {"token": "S2"}
    >>> examples = Examples.from_pairs(pairs, net.model.tokenizer, readings)
    >>> model = HighLevelModel.of(
    ...     "indirect object",
    ...     inputs=["first", "second", "third"],
    ...     variables={
    ...         "left": lambda first, second, third: second if third == first else first,
    ...         "answer": lambda left: left,
    ...     },
    ...     output="answer",
    ... )
    >>> sites = aligned({"left": "L2.H0"}, at="end")
    >>> claim = ProgramSimulator(net, model, sites, held_out=(("left",),), n=20)
    >>> simulatability(claim, examples).counterfactual.claim.balanced
    1.0
    """

    net: LiftedNetwork
    model: HighLevelModel
    alignment: Alignment
    held_out: tuple[Variables, ...]
    used: tuple[Variables, ...] = ()
    n: int = 100
    seed: int = 0
    within: str = ""
    at: Position = "end"
    executor: Executor = "auto"
    batch_size: int = 16

    def __post_init__(self) -> None:
        """Check the sets of variables."""
        both = {frozenset(each) for each in self.held_out} & {frozenset(each) for each in self.used}
        if both or not self.held_out:
            names = " and ".join(sorted(next(iter(both)))) if both else "no variable"
            raise ParameterError(
                came=f"The interchange of {names} is held out"
                + (", and was used." if both else "."),
                possible="Counterfactuals are asked of sets that the claim was not made from.",
                write="Write for example held_out=(('first', 'second'),), used=(('first',),).",
            )

    @property
    def conventions(self) -> dict[str, str]:
        """What the predictions depend on, by name."""
        sets = "; ".join(" and ".join(each) for each in self.held_out)
        used = "; ".join(" and ".join(each) for each in self.used) or "none"
        return {
            "outcome": "the likeliest of all answers that the high-level model gives",
            "simulator": self.model.name,
            "alignment": str(self.alignment),
            "interventions": f"interchanges of {sets}; used: {used}; {self.n} each, half of them "
            "to change the answer by the hypothesis",
        }

    def seen(self, data: Examples) -> tuple[Hashable, ...]:
        """Return the token ids of each prompt."""
        return data.prompts.ids

    def only(self, data: Examples, rows: Sequence[int]) -> Examples:
        """Return some rows."""
        return data.rows(rows)

    def ask(self, data: Examples, kind: Kind, held_out: bool) -> Questions | None:
        """Return questions with answers of the network and of the program.

        Args:
            data: Prompts with the values of the model's inputs.
            kind: Which questions.
            held_out: Whether interchanges are of the held-out sets; None where there are none.
        """
        predictor = Predictor(self.model, data)
        if kind == "forward":
            return self._forward(predictor)
        sets = self.held_out if held_out else self.used
        asked = [self._counterfactual(predictor, variables) for variables in sets]
        return _joined(asked) if asked else None

    def _forward(self, predictor: Predictor) -> Questions:
        n = len(predictor.examples)
        rows: list[Tuple] = [(row, (row,)) for row in range(n)]
        variable = self.held_out[0][:1]  # no arm swaps it
        pairs = Interchanges.of(
            predictor, variable, rows, ("",) * n, self.seed, n, more=self._answers(predictor, n)
        )
        scores = self._measured(pairs, [_PLAIN])
        return Questions(
            "forward",
            tuple(range(n)),
            ("",) * n,
            _answered(pairs, scores[_PLAIN.label]),
            pairs.before,
            _tokens(predictor.examples.prompts, ""),
        )

    def _counterfactual(self, predictor: Predictor, variables: Variables) -> Questions:
        examples = predictor.examples
        drawn = draw_interchanges(
            self.model, examples, variables, self.n, seed=self.seed, within=self.within
        )
        pairs = replace(drawn, more=self._answers(predictor, len(drawn)))
        swapped = Arm("", "hypothesis", self.alignment.of(variables), "")
        scores = self._measured(pairs, [_PLAIN, swapped])
        before = _answered(pairs, scores[_PLAIN.label])
        rows = tuple(pairs.base.tolist())
        inputs = _tokens(examples.prompts.rows(rows), "")
        inputs |= {"before": before, "answer to the last source": pairs.of_sources}
        for number in range(len(variables)):
            source = examples.prompts.rows(pairs.sources[:, number].tolist())
            inputs |= _tokens(source, f"source {number + 1}: ")
        return Questions(
            "counterfactual",
            rows,
            (" and ".join(variables),) * len(rows),
            _answered(pairs, scores[swapped.label]),
            pairs.predicted,
            inputs,
            {"unchanged": before, "the last source's": pairs.of_sources},
            before,
        )

    def _measured(self, pairs: Interchanges, arms: Sequence[Arm]) -> Mapping[str, ArmScores]:
        return measure_arms(
            self.net, pairs, arms, at=self.at, executor=self.executor, batch_size=self.batch_size
        )[0]

    def _answers(self, predictor: Predictor, n: int) -> tuple[tuple[Value, ...], ...]:
        """Return all answers that the model gives, for each of `n` pairs."""
        rows = range(len(predictor.examples))
        answers = tuple(dict.fromkeys(predictor.before(row) for row in rows))
        if len(answers) > MOST_CANDIDATES:
            raise ParameterError(
                came=f"{self.model.name!r} gives {len(answers)} answers on these examples.",
                possible=f"Up to {MOST_CANDIDATES} are told apart.",
                write="Use examples with fewer answers.",
            )
        return (answers,) * n


def _answered(pairs: Interchanges, scores: ArmScores) -> tuple[Value, ...]:
    """Return the likeliest candidate of each pair."""
    best = np.nanargmax(scores.logits, axis=1).tolist()
    return tuple(each[at] for each, at in zip(pairs.candidates, best, strict=True))


def _tokens(prompts: Prompts, prefix: str) -> dict[str, tuple[Hashable, ...]]:
    """Return every token by its place from the end."""
    widest = max(prompts.lengths)
    return {
        f"{prefix}token -{back}": tuple(
            ids[-back] if len(ids) >= back else None for ids in prompts.ids
        )
        for back in range(1, widest + 1)
    }


def _joined(asked: Sequence[Questions]) -> Questions:
    """Return the questions of all sets in one; what some sets do not have is None for them."""
    names = dict.fromkeys(name for each in asked for name in each.inputs)
    inputs = {
        name: tuple(value for each in asked for value in each.inputs.get(name, (None,) * len(each)))
        for name in names
    }
    return Questions(
        "counterfactual",
        tuple(value for each in asked for value in each.prompts),
        tuple(value for each in asked for value in each.interventions),
        tuple(value for each in asked for value in each.actual),
        tuple(value for each in asked for value in each.claimed),
        inputs,
        {
            name: tuple(value for each in asked for value in each.naive[name])
            for name in asked[0].naive
        },
        tuple(value for each in asked for value in each.before),
    )
