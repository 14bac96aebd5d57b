"""Numbers for identified queries, from data.

| method | for | right if |
|---|---|---|
| `plugin` | any formula; discrete samples | there are samples of all that it conditions on |
| `Regression`, `regression` | effects by adjustment | the outcome's model is right |
| `AIPW`, `aipw` | the same, for treatments with few values | one of two models is right |

Intervals come from samples that are drawn again; clusters, such as the samples of one prompt, are
drawn whole.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

from numpy.typing import ArrayLike

from causalnet.errors import ParameterError
from causalnet.graphs.arguments import check_type
from causalnet.identification.answers import Bounds, Identified, NotIdentified
from causalnet.identification.estimating.adjusted_means import AIPW, Regression, adjusted_means
from causalnet.identification.estimating.bootstrap import Interval, IntervalKind
from causalnet.identification.estimating.columns import Columns
from causalnet.identification.estimating.estimates import Estimate, Uncertainty
from causalnet.identification.estimating.plug_in import plugged_in
from causalnet.identification.estimating.samples import Labels
from causalnet.identification.sources import Distribution

__all__ = ["AIPW", "Estimate", "Interval", "Method", "Regression", "estimate"]

Method: TypeAlias = Literal["plugin", "regression", "aipw"] | Regression | AIPW


def estimate(
    identified: Identified,
    data: Columns | Mapping[Distribution, Columns],
    *,
    method: Method = "plugin",
    bootstrap: int = 1000,
    level: float = 0.95,
    interval: IntervalKind = "percentile",
    seed: int = 0,
    clusters: str | ArrayLike | None = None,
    smoothing: float = 0.0,
    labels: Labels | None = None,
) -> Estimate:
    """Return numbers for an identified query, with intervals.

    Args:
        identified: A query with its formula, from `identify`.
        data: Columns of samples of P(V), or for each distribution its columns.
        method: `plugin`, `regression`, `aipw`, or a `Regression` or `AIPW` with models of your own.
        bootstrap: How often samples are drawn again; 0 for no intervals.
        level: How often an interval should hold the truth.
        interval: `percentile`, or `bca`, which corrects for bias and skewness.
        seed: From which samples are drawn, and folds are made.
        clusters: For each sample which cluster it is in, or the name of the column that says so.
        smoothing: For `plugin`, what is added to the count of each combination of levels.
        labels: For `plugin`, the labels of some variables' levels in order, or how many they have.

    Raises:
        TermError: A distribution without samples; a query to which a method does not apply.
        UnknownMediatorError: A variable without a column.
        ParameterError: Samples that cannot be used: missing values, columns that are constant or of
            different lengths, levels that are not among the labels; numbers out of range.

    >>> from causalnet.graphs.admg import ADMG
    >>> from causalnet.identification.door import identify
    >>> graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    >>> data = {"Z": [0, 0, 0, 0, 1, 1], "X": [0, 0, 1, 1, 0, 1], "Y": [0, 1, 1, 1, 0, 0]}
    >>> found = estimate(identify("P(y | do(x))", graph), data, bootstrap=0)
    >>> round(found.at({"x": 1, "y": 1}).value, 6)
    0.666667
    """
    if isinstance(identified, NotIdentified | Bounds):
        raise ParameterError(
            f"{identified.query} is not identified.",
            "Only what has a formula is estimated.",
            "Bounds in numbers: linear_bounds(question, graph, {Distribution(): "
            "empirical_table(data)}, at=...).",
        )
    check_type(identified, Identified, "Write estimate(identify('P(y | do(x))', graph), data).")
    known = _by_distribution(data)
    how = Uncertainty(bootstrap, level, interval, seed, clusters)
    if method == "plugin":
        return plugged_in(identified, known, how, smoothing=smoothing, labels=labels)
    if smoothing or labels:
        raise ParameterError(
            f"smoothing and labels with method={method!r}.",
            "They are for 'plugin'.",
            "Leave them out.",
        )
    if method == "regression":
        return adjusted_means(identified, known, Regression(), how)
    if method == "aipw":
        return adjusted_means(identified, known, AIPW(), how)
    if isinstance(method, Regression | AIPW):
        return adjusted_means(identified, known, method, how)
    raise ParameterError(
        f"method={method!r}.",
        "It is 'plugin', 'regression', 'aipw', Regression(...) or AIPW(...).",
        "Write method='plugin'.",
    )


def _by_distribution(
    data: Columns | Mapping[Distribution, Columns],
) -> dict[Distribution, Columns]:
    if isinstance(data, Mapping) and data and all(isinstance(key, Distribution) for key in data):
        return dict(data)
    return {Distribution(): cast(Columns, data)}  # the keys are names of variables
