"""Pairs for interchanges: a base, a source for each variable, and what the hypothesis predicts."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.examples import Examples
from causalnet.abstraction.expressions import Value
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.errors import ParameterError

__all__ = [
    "Interchanges",
    "PairKind",
    "Predictor",
    "Tuple",
    "draw_classes",
    "draw_interchanges",
]

PairKind = Literal["cause", "isolate"]
"""`cause`: by the hypothesis the interchange changes the answer; `isolate`: it does not."""

Tuple: TypeAlias = tuple[int, tuple[int, ...]]
"""A base and the source of each variable, as rows of the examples."""

MOST_CANDIDATES = 32
"""Values of the variables that are tried to find the answers an interchange could have given."""

MOST_OUTPUTS = 12
"""Outputs up to which all are told apart on each pair."""


class Predictor:
    """A high-level model on a table of examples; what was computed is kept.

    Args:
        model: The model.
        examples: Where its inputs are columns.

    Raises:
        ParameterError: An input of the model that is no column.
    """

    def __init__(self, model: HighLevelModel, examples: Examples) -> None:
        """Run the model on every example."""
        lacking = [name for name in model.inputs if name not in examples.inputs]
        if lacking:
            raise ParameterError(
                f"The examples have no column {lacking[0]!r}, which {model.name!r} reads.",
                f"They have {', '.join(examples.inputs) or 'none'}.",
                "Give it as a column, or say how it is read off the prompts.",
            )
        self.model, self.examples = model, examples
        self._inputs = [
            {name: examples.inputs[name][row] for name in model.inputs}
            for row in range(len(examples))
        ]
        self.values = [model.run(inputs) for inputs in self._inputs]
        self._answers: dict[tuple[int, tuple[tuple[str, Value], ...]], Value] = {}

    def before(self, row: int) -> Value:
        """Return the answer to an example."""
        return self.values[row][self.model.output]

    def setting(
        self, variables: Sequence[str], sources: Sequence[int]
    ) -> tuple[tuple[str, Value], ...]:
        """Return what variables are on their sources."""
        pairs = zip(variables, sources, strict=True)
        return tuple((name, self.values[source][name]) for name, source in pairs)

    def after(self, base: int, setting: tuple[tuple[str, Value], ...]) -> Value:
        """Return the answer to an example with variables set."""
        key = base, setting
        if key not in self._answers:
            self._answers[key] = self.model.answer(self._inputs[base], dict(setting))
        return self._answers[key]


@dataclass(frozen=True, eq=False)  # without slots: answers are computed once, and kept
class Interchanges:
    """Interchanges of one set of variables: which examples, and what is predicted.

    Attributes:
        predictor: The high-level model on the examples.
        variables: What is interchanged together, each from a source of its own.
        base: The base of each, [n].
        sources: The source of each variable, [n, variables].
        is_cause: Whether the answer changes by the hypothesis, [n].
        labels: The class of each: `cause`, `isolate`, or a finer one.
        seed: They were drawn with.
        searched: How many were looked at.
        within: The column on which base and sources agree; "" for none.
        more: Further answers that are told apart on each pair.
    """

    predictor: Predictor
    variables: tuple[str, ...]
    base: NDArray[np.int64]
    sources: NDArray[np.int64]
    is_cause: NDArray[np.bool_]
    labels: tuple[str, ...]
    seed: int
    searched: int
    within: str = ""
    more: tuple[tuple[Value, ...], ...] = ()

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.base)

    @property
    def model(self) -> HighLevelModel:
        """The high-level model."""
        return self.predictor.model

    @property
    def examples(self) -> Examples:
        """The examples."""
        return self.predictor.examples

    @classmethod
    def of(
        cls,
        predictor: Predictor,
        variables: Sequence[str],
        rows: Sequence[Tuple],
        labels: Sequence[str],
        seed: int,
        searched: int,
        within: str = "",
        more: tuple[tuple[Value, ...], ...] = (),
    ) -> "Interchanges":
        """Return interchanges of tuples of base and sources."""
        listed = tuple(variables)
        is_cause = [
            predictor.after(base, predictor.setting(listed, sources)) != predictor.before(base)
            for base, sources in rows
        ]
        return cls(
            predictor,
            listed,
            np.array([base for base, _ in rows], dtype=np.int64),
            np.array([sources for _, sources in rows], dtype=np.int64).reshape(len(rows), -1),
            np.array(is_cause, dtype=bool),
            tuple(labels),
            seed,
            searched,
            within,
            more,
        )

    @cached_property
    def before(self) -> tuple[Value, ...]:
        """The answers to the bases, nothing set."""
        return tuple(self.predictor.before(row) for row in self.base.tolist())

    @cached_property
    def predicted(self) -> tuple[Value, ...]:
        """The answers that the hypothesis predicts."""
        return self.predicted_with(self.sources)

    @cached_property
    def of_sources(self) -> tuple[Value, ...]:
        """The answers to the last source of each, nothing set."""
        return tuple(self.predictor.before(row) for row in self.sources[:, -1].tolist())

    def predicted_with(self, sources: NDArray[np.int64]) -> tuple[Value, ...]:
        """Return what the hypothesis predicts with other sources, [n, variables]."""
        return tuple(
            self.predictor.after(base, self.predictor.setting(self.variables, each))
            for base, each in zip(self.base.tolist(), sources.tolist(), strict=True)
        )

    @cached_property
    def candidates(self) -> tuple[tuple[Value, ...], ...]:
        """The answers that are told apart on each pair, the predicted one first.

        They are the answers to base and source, those that the interchange would give with any
        other value that the variables have on examples that could be the source (up to 32), and
        all that examples have, where these are at most 12.
        """
        rows = range(len(self.examples))
        seen = tuple(dict.fromkeys(self.predictor.before(row) for row in rows))
        groups = _groups(self.examples, self.within)
        by_group = {group: self._settings(own) for group, own in groups.members.items()}
        found = []
        for at, base in enumerate(self.base.tolist()):
            settings = by_group[groups.of_row[base]]
            others = (self.predictor.after(base, setting) for setting in settings)
            more = self.more[at] if self.more else ()
            named = (self.predicted[at], self.before[at], self.of_sources[at], *more, *others)
            each = tuple(dict.fromkeys(named))
            if len(each) == 1 or len(seen) <= MOST_OUTPUTS:
                each += tuple(value for value in seen if value not in each)[:MOST_OUTPUTS]
            found.append(each)
        return tuple(found)

    def _settings(self, rows: NDArray[np.int64]) -> list[tuple[tuple[str, Value], ...]]:
        """Return what the variables are on some examples, each once; none where they are many."""
        every = dict.fromkeys(
            self.predictor.setting(self.variables, (row,) * len(self.variables))
            for row in rows.tolist()
        )
        return list(every) if len(every) <= MOST_CANDIDATES else []

    def shuffled(self) -> NDArray[np.int64]:
        """Return sources that belong to other pairs of the same kind, [n, variables].

        A pair that is alone in its kind (and group, where base and source agree on a column) gets
        examples drawn from its group.
        """
        rng, found = np.random.default_rng([self.seed, 1]), self.sources.copy()
        groups = _groups(self.examples, self.within)
        classes = defaultdict[tuple[bool, object], list[int]](list)
        for at, base in enumerate(self.base.tolist()):
            classes[bool(self.is_cause[at]), groups.of_row[base]].append(at)
        for (_, group), members in classes.items():
            if len(members) == 1:
                found[members[0]] = rng.choice(groups.members[group], size=len(self.variables))
                continue
            order = rng.permutation(members)
            found[order] = self.sources[np.roll(order, 1)]
        return found

    def distribution(self) -> str:
        """Return in words which pairs these are a sample of."""
        causes, n = int(self.is_cause.sum()), len(self)
        agree = f" that agree on {self.within}" if self.within else ""
        return (
            f"{n} pairs of {len(self.examples)} examples{agree}, drawn with replacement, seed "
            f"{self.seed}: {causes} whose answer changes, {n - causes} whose answer does not"
        )


@dataclass(frozen=True, slots=True)
class _Groups:
    of_row: tuple[object, ...]
    members: dict[object, NDArray[np.int64]]


def _groups(examples: Examples, within: str) -> _Groups:
    of_row = examples.column(within) if within else (None,) * len(examples)
    listed = defaultdict[object, list[int]](list)
    for row, group in enumerate(of_row):
        listed[group].append(row)
    return _Groups(of_row, {group: np.array(rows) for group, rows in listed.items()})


def draw_interchanges(
    model: HighLevelModel,
    examples: Examples,
    variables: str | Sequence[str],
    n: int = 100,
    *,
    seed: int = 0,
    kinds: Sequence[PairKind] = ("cause", "isolate"),
    within: str = "",
) -> Interchanges:
    """Draw interchanges, as many that change the answer as that do not.

    Each kind is drawn uniformly, with replacement, from all tuples of base and sources of that
    kind, no source being its base; so rates are exact for that distribution.

    Args:
        model: The high-level model.
        examples: Prompts with its inputs.
        variables: What is interchanged; several are set together, each from a source of its own.
        n: How many; of an odd number the first kind has one more.
        seed: Of the draw.
        kinds: Which kinds: both, or one alone.
        within: A column, `template` or `length`, on which base and sources agree; needed where
            nodes are swapped at all positions.

    Raises:
        ParameterError: A number or kind that is none, or a kind of which no pair is found.
        GraphError: No such variable.

    >>> import causalnet as cn
    >>> from causalnet.abstraction import Examples, HighLevelModel
    >>> net = cn.lift(cn.load("known:indirect_object"))
    >>> prompts = cn.tasks.make("known:indirect_object", net.model.tokenizer, n=40, seed=0)
    >>> inputs = {"other": {"token": "IO"}}
    >>> examples = Examples.from_pairs(prompts, net.model.tokenizer, inputs)
    >>> steps = {"held": lambda other: other, "answer": lambda held: held}
    >>> mover = HighLevelModel.of("mover", inputs=inputs, variables=steps, output="answer")
    >>> draw_interchanges(mover, examples, "held", n=20).labels.count("cause")
    10
    """
    listed = (variables,) if isinstance(variables, str) else tuple(variables)
    _check(listed, n, kinds)
    model.check_is_known(listed)
    predictor = Predictor(model, examples)
    quotas = {str(kind): (n + len(kinds) - 1 - at) // len(kinds) for at, kind in enumerate(kinds)}

    def kind_of(base: int, sources: tuple[int, ...]) -> str:
        after = predictor.after(base, predictor.setting(listed, sources))
        return "cause" if after != predictor.before(base) else "isolate"

    found, searched = draw_classes(examples, len(listed), quotas, kind_of, seed, within)
    for kind in quotas:
        if len(found[kind]) < quotas[kind]:
            raise _too_few(kind, len(found[kind]), quotas[kind], searched, listed, model)
    rows = [row for kind in quotas for row in found[kind]]
    labels = [kind for kind in quotas for _ in found[kind]]
    return Interchanges.of(predictor, listed, rows, labels, seed, searched, within)


def draw_classes(
    examples: Examples,
    variables: int,
    quotas: Mapping[str, int],
    class_of: Callable[[int, tuple[int, ...]], str | None],
    seed: int,
    within: str,
) -> tuple[dict[str, list[Tuple]], int]:
    """Draw tuples of base and sources until each class has its number, or too many were drawn.

    Args:
        examples: What base and sources are rows of.
        variables: How many sources a base has.
        quotas: Class -> how many are wanted.
        class_of: The class of a tuple; None for one that is in none.
        seed: Of the draw.
        within: The column on which base and sources agree; "" for none.

    Returns:
        Class -> its tuples, fewer than wanted where they were not found; how many were drawn.
    """
    found: dict[str, list[Tuple]] = {name: [] for name in quotas}
    searched, most = 0, 1000 + 400 * sum(quotas.values())
    rng = np.random.default_rng([seed, 0])
    for base, sources in _drawn(_groups(examples, within), variables, rng):
        if searched == most or all(len(found[name]) >= quotas[name] for name in quotas):
            break
        searched += 1
        name = class_of(base, sources)
        if name is not None and name in quotas and len(found[name]) < quotas[name]:
            found[name].append((base, sources))
    return found, searched


def _drawn(
    groups: _Groups, variables: int, rng: np.random.Generator
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield tuples of base and sources, uniformly; none where no group has two examples."""
    sizes = {group: len(rows) for group, rows in groups.members.items() if len(rows) > 1}
    # Uniform over tuples: a group of size s has s (s - 1)^variables of them.
    weights = np.array([float(s) * float(s - 1) ** variables for s in sizes.values()])
    names = list(sizes)
    while names:
        rows = groups.members[names[rng.choice(len(names), p=weights / weights.sum())]]
        base = int(rng.integers(len(rows)))
        others = rng.integers(len(rows) - 1, size=variables)
        sources = tuple(int(rows[other + (other >= base)]) for other in others.tolist())
        yield int(rows[base]), sources


def _check(variables: tuple[str, ...], n: int, kinds: Sequence[str]) -> None:
    if not variables or len(set(variables)) != len(variables):
        raise ParameterError(
            f"The variables {list(variables)}.",
            "At least one, none twice.",
            "Write for example variables=['place'].",
        )
    if not set(kinds) or set(kinds) - set(get_args(PairKind)) or len(set(kinds)) != len(kinds):
        raise ParameterError(
            f"The kinds {list(kinds)}.",
            f"There are {' and '.join(get_args(PairKind))}.",
            "Leave them out for both.",
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < len(kinds):
        raise ParameterError(
            f"n={n!r}.",
            f"A whole number from {len(kinds)} on: each kind has a pair.",
            "Write for example n=100.",
        )


def _too_few(
    kind: str, found: int, wanted: int, searched: int, variables: tuple[str, ...], model: object
) -> ParameterError:
    does = "changes" if kind == "cause" else "does not change"
    name = getattr(model, "name", "")
    return ParameterError(
        f"{found} of {wanted} pairs were found, among {searched} drawn, on which setting "
        f"{' and '.join(variables)} of {name!r} {does} the answer.",
        "An accuracy is measured on pairs of both kinds: on the one the answer changes, on the "
        "other it stays.",
        f"Give examples on which {' and '.join(variables)} differ more, or write "
        f"kinds=[{'isolate' if kind == 'cause' else 'cause'!r}] and say so.",
    )
