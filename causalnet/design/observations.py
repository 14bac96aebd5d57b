"""The effects that a model is fitted to: checked, in a unit of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.design.assumptions import Numbers
from causalnet.effects import Conventions, EffectTable
from causalnet.errors import NumericalError, ParameterError

__all__ = ["Observations", "observe"]

Effects: TypeAlias = EffectTable | ArrayLike
LEAST_GROUPS = 4  # the mean of an approximation has a variance of its own from here on


@final
@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Effects of mediators on prompts, in units in which the typical noise is 1.

    Attributes:
        labels: Every mediator, those without variation included.
        means: Mean of every mediator's effects, in the unit given, [mediators].
        varies: Which mediators are in the model, [mediators].
        scale: What the effects were divided by: the geometric mean of the rows' deviations.
        effects: Effects of the mediators in the model, [rows, prompts].
        approximation: Their approximations, with a root mean square of 1, or None.
        approximation_scale: What the approximations were divided by.
        template_of: Number of each prompt's template, [prompts], or None.
        templates: How many templates there are; 0 where none are given.
        conventions: What the effects mean, if a table was given.
    """

    labels: tuple[str, ...]
    means: Numbers
    varies: NDArray[np.bool_]
    scale: float
    effects: Numbers
    approximation: Numbers | None
    approximation_scale: float
    template_of: NDArray[np.int64] | None
    templates: int
    conventions: Conventions | None

    @property
    def rows(self) -> int:
        """The number of mediators in the model."""
        return len(self.effects)

    @property
    def prompts(self) -> int:
        """The number of prompts."""
        return len(self.effects[0])

    @property
    def slope_scale(self) -> float:
        """Standard deviation of the slope's prior: twice what would carry effects whole."""
        return 2 * float(np.sqrt(np.mean(self.effects**2)))

    @property
    def indicator(self) -> Numbers:
        """Which prompt is of which template, [prompts, templates]."""
        if self.template_of is None:
            return np.zeros((self.prompts, 0))
        return np.eye(self.templates)[self.template_of]

    def approximation_mean(self) -> tuple[Numbers, Numbers, int]:
        """Return each approximation's mean, its standard error and degrees of freedom.

        The mean is over the population of prompts.  Prompts that share a template count together:
        the standard error is that of clusters.
        """
        values = self.approximation
        if values is None:
            return np.zeros(self.rows), np.zeros(self.rows), self.prompts - 1
        mean = values.mean(axis=1)
        clusters = self.indicator if self.templates else np.eye(self.prompts)
        sums = (values - mean[:, None]) @ clusters
        count = clusters.shape[1]
        variance = (sums**2).sum(axis=1) / self.prompts**2 * count / (count - 1)
        return mean, np.sqrt(variance), count - 1


def observe(
    given: Effects,
    approximation: Effects | None = None,
    templates: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> Observations:
    """Check what was given, and scale it.

    Excluded prompts of a table count as 0, as they do in its means.  Mediators whose effect is the
    same on all prompts have nothing to learn, and stay out of the model.

    Raises:
        ParameterError: Shapes that do not fit, too few mediators, prompts or templates.
        NumericalError: An effect or an approximation that is not finite.
    """
    values = _matrix(given, "effects")
    rows = _labels(given, labels, len(values))
    _check_size(values)
    _check_finite(values, rows, "effects")
    deviations = values.std(axis=1, ddof=1)
    largest = np.abs(values).max(axis=1)
    varies = deviations > 1e-12 * largest
    if int(varies.sum()) < 2:
        raise ParameterError(
            f"{int(varies.sum())} of {len(values)} mediators have effects that vary over prompts.",
            "A hierarchy learns from at least two of them.",
            "Give more mediators, or prompts that differ.",
        )
    scale = float(np.exp(np.log(deviations[varies]).mean()))
    approximated = None if approximation is None else _approximation(approximation, given, values)
    size = 1.0
    if approximated is not None:
        _check_finite(approximated, rows, "approximation")
        size = float(np.sqrt(np.mean(approximated[varies] ** 2)))
        approximated = approximated[varies] / _positive(size)
    numbers, count = _numbered(templates, values.shape[1])
    if approximated is not None and (count or values.shape[1]) < LEAST_GROUPS:
        raise ParameterError(
            f"An approximation on {values.shape[1]} prompts of {count or 'no'} templates.",
            f"Its mean over the population is known from at least {LEAST_GROUPS} prompts, and "
            f"{LEAST_GROUPS} templates where those are given.",
            "Give more prompts, or leave the approximation out.",
        )
    return Observations(
        labels=rows,
        means=values.mean(axis=1),
        varies=varies,
        scale=scale,
        effects=values[varies] / scale,
        approximation=approximated,
        approximation_scale=size,
        template_of=numbers,
        templates=count,
        conventions=given.conventions if isinstance(given, EffectTable) else None,
    )


def _matrix(given: Effects, what: str) -> Numbers:
    """Return mediators x prompts."""
    if isinstance(given, EffectTable):
        if given.denominators is not None:
            raise ParameterError(
                f"{given!r} holds ratios of means.",
                "Its cells are no effects of single prompts.",
                "Run the effect itself, and divide by the total effect afterwards.",
            )
        return given.counted
    values = np.array(given, dtype=np.float64)
    if values.ndim != 2:
        raise ParameterError(
            f"The {what} have the shape {values.shape}.",
            "They have two axes: mediators, prompts.",
            "Pass the table of cn.run(cn.nie(net.heads()), net, pairs), or its values.",
        )
    return values


def _labels(given: Effects, labels: Sequence[str] | None, rows: int) -> tuple[str, ...]:
    """Return a name for each row."""
    if isinstance(given, EffectTable):
        own = given.rows
    else:
        own = tuple(map(str, range(rows)))
    named = own if labels is None else tuple(labels)
    if len(named) != rows or len(set(named)) != rows:
        raise ParameterError(
            f"{len(set(named))} different labels for {rows} mediators.",
            "Each mediator has one, and no two the same.",
            "Write labels=[...] with one name for each row.",
        )
    return named


def _check_size(values: Numbers) -> None:
    rows, prompts = values.shape
    if prompts < 2:
        raise ParameterError(
            f"Effects on {prompts} {'prompt' if prompts == 1 else 'prompts'}.",
            "How much effects vary is learnt from at least two.",
            "Run the query on more pairs, for example cn.tasks.ioi(tokenizer, n=64).",
        )
    if rows < 2:
        raise ParameterError(
            f"Effects of {rows} {'mediator' if rows == 1 else 'mediators'}.",
            "A hierarchy learns what is common from at least two.",
            "Give more mediators; table.effects() has the interval of one alone.",
        )


def _check_finite(values: Numbers, rows: tuple[str, ...], what: str) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, prompt = bad[0]
        raise NumericalError(
            f"The {what} of {rows[row]} on prompt {prompt} is {values[row, prompt]} "
            f"({len(bad)} of {values.size} numbers).",
            "Every one of them is finite.",
            "Look at that prompt; a wider dtype, such as float32, often helps.",
        )


def _approximation(approximation: Effects, given: Effects, values: Numbers) -> Numbers:
    """Return the approximation of every row, in the order of the effects."""
    found = _matrix(approximation, "approximation")
    if isinstance(approximation, EffectTable) and isinstance(given, EffectTable):
        places = {label.split("[")[0]: at for at, label in enumerate(approximation.rows)}
        wanted = [label.split("[")[0] for label in given.rows]
        missing = [label for label in wanted if label not in places]
        if missing or len(places) != len(approximation.rows):
            raise ParameterError(
                f"The approximation has no row of its own for {(missing or wanted)[0]}.",
                "It has one for each mediator of the table.",
                "Score the same mediators: cn.atp(net, pairs, net.heads(), per_prompt=True).",
            )
        if approximation.prompts != given.prompts:
            raise ParameterError(
                f"The approximation is of {len(approximation.prompts)} other prompts.",
                f"It is of those of the table, in their order: {len(given.prompts)}.",
                "Score the same pairs.",
            )
        found = found[[places[label] for label in wanted]]
    if found.shape != values.shape:
        raise ParameterError(
            f"The approximation has the shape {found.shape}, the effects {values.shape}.",
            "Both are mediators x prompts.",
            "Pass per_prompt=True to the estimator, then .to_effect_table().",
        )
    return found


def _positive(size: float) -> float:
    if not size > 0:
        raise ParameterError(
            "The approximation is 0 everywhere.",
            "It is a number that varies with the effect.",
            "Leave it out.",
        )
    return size


def _numbered(
    templates: Sequence[str] | None, prompts: int
) -> tuple[NDArray[np.int64] | None, int]:
    """Return the number of each prompt's template, and how many there are."""
    if templates is None:
        return None, 0
    names = list(dict.fromkeys(templates))
    if len(templates) != prompts or not 2 <= len(names) < prompts:
        raise ParameterError(
            f"{len(templates)} templates, {len(names)} of them different, for {prompts} prompts.",
            "One is named for each prompt; there are at least two, and some prompts share one.",
            "Write templates=pairs.base.templates, or leave them out.",
        )
    return np.array([names.index(name) for name in templates], dtype=np.int64), len(names)
