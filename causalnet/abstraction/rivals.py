"""Two hypotheses compared where they differ: on pairs for which they predict different answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.alignment import Alignment
from causalnet.abstraction.controls import Arm
from causalnet.abstraction.examples import Examples
from causalnet.abstraction.expressions import Value
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.abstraction.measuring import Criterion, measure_arms
from causalnet.abstraction.pairs import Interchanges, Predictor, Tuple, draw_classes
from causalnet.abstraction.rates import PairedWins, Rate
from causalnet.abstraction.recalling import Recall
from causalnet.errors import ParameterError
from causalnet.execute import Executor
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork
from causalnet.statistics.samples import check_alpha

__all__ = ["Rival", "RivalComparison", "compare"]

MOST_TUPLES = 200_000
"""Up to so many tuples of base and sources all are looked at where drawing finds none."""


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """A hypothesis: a high-level model, the variables that are set, and where they are.

    Attributes:
        name: What it is called.
        model: The high-level model.
        variables: Those that are interchanged.
        alignment: Where they are said to be.
    """

    name: str
    model: HighLevelModel
    variables: tuple[str, ...]
    alignment: Alignment


@dataclass(frozen=True, slots=True)
class RivalComparison:
    """How two rivals fare on pairs that tell them apart.

    Attributes:
        names: Of the two.
        first: How often the network does what the first predicts.
        second: How often it does what the second predicts.
        paired: The first against the second, pair by pair.
        n: Distinguishing pairs that were run.
        searched: Pairs that were looked at to find them.
        is_exhaustive: Whether those were all pairs that there are.
        example: A distinguishing pair: base, sources, and what each predicts; "" if none.
        forwards: Forward passes that were run.
    """

    names: tuple[str, str]
    first: Rate
    second: Rate
    paired: PairedWins
    n: int
    searched: int
    is_exhaustive: bool
    example: str
    forwards: int

    @property
    def is_underdetermined(self) -> bool:
        """Whether no pair tells them apart, so that more of the same data decides nothing."""
        return self.n == 0

    @property
    def outcome(self) -> Literal["first", "second", "undecided", "underdetermined"]:
        """Which is shown to be right more often where they differ."""
        if self.is_underdetermined:
            return "underdetermined"
        if self.paired.is_above:
            return "first"
        return "second" if self.paired.reversed().is_above else "undecided"

    def to_json(self) -> dict[str, object]:
        """Return everything, as JSON values."""
        return {
            "rivals": list(self.names),
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "paired": self.paired.to_json(),
            "distinguishing_pairs": self.n,
            "searched": self.searched,
            "is_exhaustive": self.is_exhaustive,
            "outcome": self.outcome,
            "example": self.example,
        }

    def __str__(self) -> str:
        """Return a few lines."""
        one, other = self.names
        looked = f"{'all ' if self.is_exhaustive else ''}{self.searched} pairs"
        if self.is_underdetermined:
            return (
                f"{one} and {other} predict the same on {looked}: these examples cannot tell them "
                "apart"
            )
        said = {"first": f"{one} is favoured", "second": f"{other} is favoured"}
        return "\n".join(
            [
                f"{one} against {other} on {self.n} pairs that tell them apart (of {looked}):",
                f"  {one} {self.first}",
                f"  {other} {self.second}",
                f"  alone right {self.paired}: {said.get(self.outcome, 'undecided')}",
                f"  such as {self.example}",
            ]
        )


def compare(
    net: LiftedNetwork,
    first: Rival,
    second: Rival,
    examples: Examples,
    n: int = 100,
    *,
    seed: int = 0,
    within: str = "",
    criterion: Criterion = "top",
    alpha: float = 0.05,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
    recall: Recall | None = None,
) -> RivalComparison:
    """Compare two rivals on pairs for which they predict different answers, and on no others.

    Both are run on the same bases and sources: the k-th variable of each takes its value from the
    k-th source.  Where both have one alignment, the network is run once for both.

    Args:
        net: The lifted network.
        first: A hypothesis.
        second: Another one.
        examples: Prompts with the inputs of both models.
        n: How many distinguishing pairs are wanted; they are drawn with replacement.
        seed: Of the draw.
        within: A column on which base and sources agree.
        criterion: When an answer is the predicted one, as in `interchange_accuracy`.
        alpha: Error probability of each end.
        at: Where the answer is read.
        executor: `wavefront`, `hooks` or `auto`.
        batch_size: Most pairs in a batch.
        recall: Where what was run before is found; None to run it.

    Returns:
        Paired rates; or that the examples cannot tell them apart, with the number searched.

    Raises:
        ParameterError: n below 1, two rivals of one name, inputs that are not there, or alpha
            outside (0, 0.5).
        GraphError, TermError: Variables that are not in a model or not aligned.

    Source: Geiger et al. 2025, section 2.6, on models that agree on all interventions.

    >>> import causalnet as cn
    >>> from causalnet.abstraction import Examples, HighLevelModel, aligned
    >>> net = cn.lift(cn.load("known:indirect_object"))
    >>> prompts = cn.tasks.make("known:indirect_object", net.model.tokenizer, n=40, seed=0)
    >>> inputs = {"other": {"token": "IO"}, "subject": {"token": "S2"}}
    >>> examples = Examples.from_pairs(prompts, net.model.tokenizer, inputs)
    >>> def model(held):
    ...     steps = {"held": held, "answer": lambda held: held[0]}
    ...     return HighLevelModel.of("names", inputs=inputs, variables=steps, output="answer")
    >>> there = aligned({"held": "L2.H0"}, at="end")
    >>> names = model(lambda other, subject: (other, subject))
    >>> turned = model(lambda other, subject: (subject, other))
    >>> pair = Rival("other", names, ("held",), there), Rival("subject", turned, ("held",), there)
    >>> print(compare(net, *pair, examples, n=20).paired.wins)
    20
    """
    if first.name == second.name or isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ParameterError(
            f"Rivals {first.name!r} and {second.name!r} on n={n!r} pairs.",
            "Two hypotheses with names of their own, on at least one pair.",
            "Write for example compare(net, first, second, examples, n=100).",
        )
    alpha, both = check_alpha(alpha), _Both.of(first, second, examples)
    rows, searched, is_exhaustive = both.distinguishing(n, seed, within)
    names, none = (first.name, second.name), Rate(0, 0, alpha)
    if not rows:
        ties = PairedWins(0, 0, 0, 0, alpha)
        return RivalComparison(names, none, none, ties, 0, searched, is_exhaustive, "", 0)
    hits, forwards = list[NDArray[np.bool_]](), 0
    for which in (0, 1):
        pairs = both.pairs(which, rows, seed, searched, within)
        own = both.rivals[which].alignment.of(pairs.variables)
        scores, passes = measure_arms(
            net,
            pairs,
            [Arm("", "hypothesis", own, str(own))],
            at=at,
            executor=executor,
            batch_size=batch_size,
            recall=recall,
        )
        hits.append(scores["hypothesis"].hits(criterion))
        forwards += passes
    one, other = (Rate.of(each, alpha) for each in hits)
    paired = PairedWins.of(hits[0], hits[1], alpha)
    told = both.told(rows[0])
    return RivalComparison(
        names, one, other, paired, len(rows), searched, is_exhaustive, told, forwards
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    """Two rivals on one table of examples."""

    rivals: tuple[Rival, Rival]
    predictors: tuple[Predictor, Predictor]
    examples: Examples

    @classmethod
    def of(cls, first: Rival, second: Rival, examples: Examples) -> "_Both":
        for rival in (first, second):
            rival.model.check_is_known(rival.variables)
        made = Predictor(first.model, examples), Predictor(second.model, examples)
        return cls((first, second), made, examples)

    @property
    def sources(self) -> int:
        """How many sources a tuple has: each rival takes as many as it has variables."""
        return max(len(rival.variables) for rival in self.rivals)

    def predicted(self, which: int, row: Tuple) -> Value:
        """Return what one of them predicts."""
        variables, predictor = self.rivals[which].variables, self.predictors[which]
        setting = predictor.setting(variables, row[1][: len(variables)])
        return predictor.after(row[0], setting)

    def differ(self, base: int, sources: tuple[int, ...]) -> str | None:
        """Return the class of a tuple: `differ`, or none."""
        row = base, sources
        return "differ" if self.predicted(0, row) != self.predicted(1, row) else None

    def distinguishing(self, n: int, seed: int, within: str) -> tuple[list[Tuple], int, bool]:
        """Return tuples that tell the two apart, how many were looked at, and whether all were."""
        found, searched = draw_classes(
            self.examples, self.sources, {"differ": n}, self.differ, seed, within
        )
        if found["differ"]:
            return found["differ"], searched, False
        rows, everything = _all_that_differ(self.examples, self.sources, within, self.differ)
        if rows:
            drawn = np.random.default_rng([seed, 3]).integers(len(rows), size=n)
            rows = [rows[int(at)] for at in drawn]
        return rows, searched if everything is None else everything, everything is not None

    def pairs(
        self, which: int, rows: Sequence[Tuple], seed: int, searched: int, within: str
    ) -> Interchanges:
        """Return the interchanges of one of them; what the other predicts is a candidate too."""
        variables = self.rivals[which].variables
        return Interchanges.of(
            self.predictors[which],
            variables,
            [(base, sources[: len(variables)]) for base, sources in rows],
            ["differ"] * len(rows),
            seed,
            searched,
            within,
            tuple((self.predicted(1 - which, row),) for row in rows),
        )

    def told(self, row: Tuple) -> str:
        """Return a tuple in words, with what each predicts."""
        texts = self.examples.prompts.texts
        sources = ", ".join(repr(texts[source]) for source in row[1])
        said = (
            f"{one.name} predicts {self.predicted(at, row)!r}" for at, one in enumerate(self.rivals)
        )
        return f"{texts[row[0]]!r} from {sources}: {'; '.join(said)}"


def _all_that_differ(
    examples: Examples,
    sources: int,
    within: str,
    differ: Callable[[int, tuple[int, ...]], str | None],
) -> tuple[list[Tuple], int | None]:
    """Look at all tuples where they are few; return those that differ, and how many there are."""
    n = len(examples)
    if n ** (1 + sources) > MOST_TUPLES:
        return [], None
    groups = examples.column(within) if within else (None,) * n
    found, looked = list[Tuple](), 0
    for base, *given in product(range(n), repeat=1 + sources):
        if any(source == base or groups[source] != groups[base] for source in given):
            continue
        looked += 1
        if differ(base, tuple(given)):
            found.append((base, tuple(given)))
    return found, looked
