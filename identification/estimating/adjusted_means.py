"""Means of an outcome under treatments, adjusted for other variables, which may be continuous.

| method | what | right if |
|---|---|---|
| `Regression` | a model of the outcome, averaged over what is adjusted for | the model is |
| `AIPW` | that, corrected by a model of the treatment; cross-fitted | either model is |

Robins, Rotnitzky and Zhao (1994) for AIPW; Chernozhukov et al. (2018) for cross-fitting.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.arguments import check_whole
from causalnet.identification.adjusting.adjustment import (
    NoAdjustmentSet,
    is_valid_adjustment,
    minimal_adjustment_set,
)
from causalnet.identification.answers import Identified
from causalnet.identification.estimating.arms import Arms
from causalnet.identification.estimating.bootstrap import Clusters, Resamples
from causalnet.identification.estimating.columns import Columns
from causalnet.identification.estimating.estimates import Estimate, Uncertainty
from causalnet.identification.estimating.regressors import (
    Classifier,
    LeastSquares,
    LogisticRegression,
    Regressor,
)
from causalnet.identification.expressions import Expression, Sum, fold
from causalnet.identification.queries import Effect
from causalnet.identification.sources import Distribution

__all__ = ["AIPW", "Regression", "adjusted_means"]

_MOST_REFITS = 5000
_AT_ONCE = 2**22

Numbers = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Outcome regression: a model of the outcome, averaged over what is adjusted for.

    Attributes:
        model: Has `fit` and `predict`; copied before it is fitted.  Least squares if not said.
        adjustment: The variables to adjust for; a valid set is found if not said.
        at: For treatments the values at which to predict; all that come up if not said.
    """

    model: Regressor | None = None
    adjustment: Sequence[str] | None = None
    at: Mapping[str, Sequence[float]] | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class AIPW:
    """Augmented inverse probability weighting, cross-fitted; treatments have few values.

    Attributes:
        outcome: Has `fit` and `predict`; one copy is fitted for each treatment, on each fold.
            Least squares if not said.
        treatment: Has `fit` and `predict_proba`.  Logistic regression if not said.
        adjustment: The variables to adjust for; a valid set is found if not said.
        folds: How many folds; each is judged by models that have not seen it.
        least: Treatment probabilities below are raised to this.
    """

    outcome: Regressor | None = None
    treatment: Classifier | None = None
    adjustment: Sequence[str] | None = None
    folds: int = 5
    least: float = 0.01

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_whole(self.folds, "folds", least=2)
        if not 0 < self.least < 0.5:
            raise ParameterError(f"least={self.least}.", "It lies between 0 and 0.5.")


def adjusted_means(
    identified: Identified,
    data: Mapping[Distribution, Columns],
    method: Regression | AIPW,
    uncertainty: Uncertainty,
) -> Estimate:
    """Return the mean of the outcome under each treatment.

    Where the query names a level of the outcome it is the probability of that level.

    Raises:
        TermError: A query that is no effect of treatments on one outcome, a set that is not valid
            for adjustment, or no samples of P(V).
        UnknownMediatorError: A variable without a column.
        ParameterError: Columns that cannot be read, a treatment with too many values or too few.
    """
    query = _effect(identified)
    if Distribution() not in data:
        raise TermError(
            f"There are samples of: {', '.join(map(str, data))}.",
            "Adjustment is for samples of P(V), without an experiment.",
            "Use method='plugin' for other distributions.",
        )
    columns = data[Distribution()]
    zs = _adjustment(identified, query, method.adjustment)
    told = method.at or {} if isinstance(method, Regression) else {}
    problem = Arms.of(columns, query, zs, told, uncertainty)
    found = (
        _regressed(problem, method, uncertainty)
        if isinstance(method, Regression)
        else _weighted(problem, method, uncertainty)
    )
    low, high = found.resamples.interval(found.value, uncertainty.level, uncertainty.kind)
    pinned = query.outcomes[0].level is not None
    return Estimate(
        identified=identified,
        method="regression" if isinstance(method, Regression) else "AIPW",
        quantity="probability" if pinned else f"mean of {query.outcomes[0].variable}",
        value=problem.laid(found.value),
        low=problem.laid(low),
        high=problem.laid(high),
        samples=len(problem.outcome),
        labels=problem.labels,
        uncertainty=uncertainty,
        resamples=problem.laid_resamples(found.resamples),
        notes=(f"adjusted for {', '.join(zs) or 'nothing'}", *found.notes),
    )


def _effect(identified: Identified) -> Effect:
    query = identified.query
    if not isinstance(query, Effect) or len(query.outcomes) != 1 or query.given:
        raise TermError(
            f"{query} is not the effect of treatments on one outcome.",
            "Means are adjusted for P(y | do(x)), without conditions.",
            "Use method='plugin' for other queries.",
        )
    if not query.treatments:
        raise TermError(f"{query} has no treatment.", "Means are compared between treatments.")
    return query


def _adjustment(
    identified: Identified, query: Effect, told: Sequence[str] | None
) -> tuple[str, ...]:
    """Return a valid adjustment set: what was told, what the formula sums over, or a minimal one.

    Raises:
        TermError: It is not valid, or there is none.
    """
    graph = identified.graph
    xs = [value.variable for value in query.treatments]
    ys = [value.variable for value in query.outcomes]
    if told is not None:
        check = is_valid_adjustment(graph, xs, ys, list(told))
        if not check:
            raise TermError(
                f"{{{', '.join(told)}}} is not valid for adjustment: {check}.",
                "It must block all paths from treatments to outcome but the causal ones.",
                "Leave adjustment out to have a set found.",
            )
        return tuple(sorted(set(told)))
    summed = _summed(identified.estimand) - {*xs, *ys}
    if is_valid_adjustment(graph, xs, ys, sorted(summed)):
        return tuple(sorted(summed))
    found = minimal_adjustment_set(graph, xs, ys)
    if isinstance(found, NoAdjustmentSet):
        raise TermError(
            f"No set is valid for adjustment: {found}.",
            "Regression and AIPW need one.",
            "Use method='plugin'.",
        )
    return tuple(sorted(found))


def _summed(estimand: Expression) -> frozenset[str]:
    """Return the variables that a formula sums over."""

    def visit(node: Expression, below: tuple[frozenset[str], ...]) -> frozenset[str]:
        own = [value.variable for value in node.bound] if isinstance(node, Sum) else []
        return frozenset(own).union(*below)

    return fold(estimand, visit)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """One number for each arm, and what they are made from."""

    value: Numbers
    resamples: Resamples
    notes: tuple[str, ...] = ()


def _regressed(problem: Arms, method: Regression, uncertainty: Uncertainty) -> _Found:
    clusters, treated = problem.clusters, problem.coded()
    arms = [problem.coded(arm) for arm in problem.all()]
    if uncertainty.kind == "bca" and clusters.count > _MOST_REFITS:
        raise ParameterError(
            f"bca would fit the model {clusters.count:,} times, leaving out one sample each.",
            f"At most {_MOST_REFITS:,} are.",
            "Write interval='percentile'.",
        )

    def means(times: NDArray[np.int64]) -> Numbers:
        rows = np.repeat(np.arange(len(clusters.of)), times[clusters.of])
        model = deepcopy(method.model) if method.model is not None else LeastSquares()
        model.fit(
            np.concatenate([treated[rows], problem.covariates[rows]], axis=1), problem.outcome[rows]
        )
        told: list[Numbers] = []
        for arm in arms:
            features = np.concatenate([arm[rows], problem.covariates[rows]], axis=1)
            told.append(np.asarray(model.predict(features), dtype=np.float64).ravel())
        return np.asarray(np.stack(told).mean(axis=1))

    draw = np.random.default_rng(uncertainty.seed)
    once = np.ones(clusters.count, dtype=np.int64)
    draws = [means(clusters.drawn(1, draw)[0]) for _ in range(uncertainty.repetitions)]
    left: list[Numbers] = []
    if uncertainty.kind == "bca" and uncertainty.repetitions:
        left = [means(once - (np.arange(clusters.count) == at)) for at in range(clusters.count)]
    shape = (-1, len(arms))
    return _Found(
        means(once),
        Resamples(
            np.array(draws).reshape(shape), np.array(left).reshape(shape), np.ones(len(left))
        ),
    )


def _weighted(problem: Arms, method: AIPW, uncertainty: Uncertainty) -> _Found:
    scores, raised = _scores(problem, method, uncertainty.seed)
    clusters = problem.clusters
    sums, sizes = clusters.sums(scores), clusters.sums(np.ones((len(scores), 1)))
    draw = np.random.default_rng(uncertainty.seed)
    draws = [np.zeros((0, scores.shape[1]))]
    step = max(1, _AT_ONCE // clusters.count)
    for start in range(0, uncertainty.repetitions, step):
        times = clusters.drawn(min(step, uncertainty.repetitions - start), draw)
        draws.append((times @ sums) / (times @ sizes))
    left = np.zeros((0, scores.shape[1]))
    if uncertainty.kind == "bca" and uncertainty.repetitions:
        left = (sums.sum(axis=0) - sums) / (sizes.sum(axis=0) - sizes)
    notes: tuple[str, ...] = ()
    if raised:
        notes = (
            f"{raised} of {scores.size} treatment probabilities were below {method.least:g}, and "
            "raised to it: treatments are rare somewhere",
        )
    return _Found(
        scores.mean(axis=0), Resamples(np.concatenate(draws), left, np.ones(len(left))), notes
    )


def _scores(problem: Arms, method: AIPW, seed: int) -> tuple[Numbers, int]:
    """Return for each sample and arm an unbiased score, and how many probabilities were raised."""
    arm, outcome, covariates = problem.arm_of_samples(), problem.outcome, problem.covariates
    fold = _folds(problem.clusters, method.folds, seed)
    names = [", ".join(map(str, each)) for each in problem.all()]
    # Samples in arms that are not asked for are in a class of their own.
    classes, codes = np.unique(np.append(arm, np.arange(len(names))), return_inverse=True)
    codes = codes.ravel()[: len(arm)]
    scores = np.zeros((len(outcome), len(names)))
    raised = 0
    for each in range(method.folds):
        seen, judged = fold != each, fold == each
        for number in range(len(names)):
            if not (seen & (arm == number)).any():
                raise ParameterError(
                    f"Treatment {names[number]} has {int((arm == number).sum())} samples.",
                    f"Each of {method.folds} folds needs some among the others.",
                    "Ask for fewer folds, or fewer treatments.",
                )
        classifier = deepcopy(method.treatment) if method.treatment else LogisticRegression()
        classifier.fit(covariates[seen], codes[seen])
        chances = np.asarray(classifier.predict_proba(covariates[judged]), dtype=np.float64)
        for number in range(len(names)):
            chance = chances[:, int(np.searchsorted(classes, number))]
            raised += int((chance < method.least).sum())
            model = deepcopy(method.outcome) if method.outcome else LeastSquares()
            here = seen & (arm == number)
            model.fit(covariates[here], outcome[here])
            told = np.asarray(model.predict(covariates[judged]), dtype=np.float64)
            hit = arm[judged] == number
            off = (outcome[judged] - told) / np.maximum(chance, method.least)
            scores[judged, number] = told + np.where(hit, off, 0.0)
    return scores, raised


def _folds(clusters: Clusters, folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each sample; a cluster is in one fold."""
    if clusters.count < folds:
        raise ParameterError(
            f"{clusters.count} samples or clusters for {folds} folds.",
            "There is at least one in each.",
            "Ask for fewer folds.",
        )
    order = np.random.default_rng(seed).permutation(clusters.count)
    return np.asarray((order % folds)[clusters.of])
