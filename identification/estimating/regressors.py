"""Models of an outcome and of a treatment; any with `fit` and `predict` will do in their place.

| name | what |
|---|---|
| `Regressor` | what predicts a number: `fit(features, numbers)`, `predict(features)` |
| `Classifier` | what predicts a class: `fit`, `predict_proba(features)` |
| `LeastSquares` | a linear model |
| `LogisticRegression` | a multinomial logistic model |

Models of scikit-learn have these methods.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Classifier", "LeastSquares", "LogisticRegression", "Regressor"]

Numbers = NDArray[np.float64]


class Regressor(Protocol):
    """What predicts a number."""

    def fit(self, features: Any, numbers: Any, /) -> Any:
        """Learn from samples: one row of features and one number for each."""
        ...

    def predict(self, features: Any, /) -> ArrayLike:
        """Return a number for each row."""
        ...


class Classifier(Protocol):
    """What predicts the probabilities of classes 0, 1, ..."""

    def fit(self, features: Any, classes: Any, /) -> Any:
        """Learn from samples: one row of features and one class for each."""
        ...

    def predict_proba(self, features: Any, /) -> ArrayLike:
        """Return for each row a probability for each class."""
        ...


@final
@dataclass(slots=True, eq=False)
class LeastSquares:
    """A linear model, fitted by least squares.

    Attributes:
        weights: The intercept, then one weight for each feature; empty before `fit`.

    >>> LeastSquares().fit([[0.0], [1.0]], [1.0, 3.0]).predict([[2.0]]).round(9).tolist()
    [5.0]
    """

    weights: Numbers = field(default_factory=lambda: np.zeros(0))

    def fit(self, features: ArrayLike, numbers: ArrayLike) -> "LeastSquares":
        """Learn from samples."""
        found = np.linalg.lstsq(_with_one(features), np.asarray(numbers, dtype=np.float64))
        self.weights = np.asarray(found[0], dtype=np.float64)
        return self

    def predict(self, features: ArrayLike) -> Numbers:
        """Return a number for each row."""
        return np.asarray(_with_one(features) @ self.weights)


@final
@dataclass(slots=True, eq=False)
class LogisticRegression:
    """A multinomial logistic model, fitted by maximum likelihood with a small penalty.

    Attributes:
        penalty: How much squared weights count against the mean log-likelihood, on features that
            are scaled to a standard deviation of 1; the intercept is free.
        weights: For each class but the first the intercept and the weights; empty before `fit`.
    """

    penalty: float = 1e-6
    weights: Numbers = field(default_factory=lambda: np.zeros((0, 0)))

    def fit(self, features: ArrayLike, classes: ArrayLike) -> "LogisticRegression":
        """Learn from samples; classes are 0, 1, ..."""
        from scipy.optimize import minimize

        rows, told = _with_one(features), np.asarray(classes, dtype=np.int64)
        scale = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
        middle = np.where(rows.std(axis=0) > 0, rows.mean(axis=0), 0.0)
        laid = (rows - middle) / scale
        count = int(told.max()) + 1
        hits = np.eye(count)[told]

        def loss(flat: Numbers) -> tuple[float, Numbers]:
            weights = flat.reshape(count - 1, -1)
            chances, log_total = _softmax(laid @ weights.T)
            scores = np.concatenate([np.zeros((len(laid), 1)), laid @ weights.T], axis=1)
            likelihood = (scores[np.arange(len(told)), told] - log_total).mean()
            shrunk = np.concatenate([np.zeros((count - 1, 1)), weights[:, 1:]], axis=1)
            slope = (chances - hits)[:, 1:].T @ laid / len(laid) + 2 * self.penalty * shrunk
            return self.penalty * float((shrunk**2).sum()) - float(likelihood), slope.ravel()

        start = np.zeros((count - 1) * laid.shape[1])
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
        weights = np.asarray(found.x).reshape(count - 1, -1) / scale
        weights[:, 0] -= (weights[:, 1:] * middle[1:]).sum(axis=1)
        self.weights = weights
        return self

    def predict_proba(self, features: ArrayLike) -> Numbers:
        """Return for each row a probability for each class."""
        return _softmax(_with_one(features) @ self.weights.T)[0]


def _with_one(features: ArrayLike) -> Numbers:
    rows = np.asarray(features, dtype=np.float64)
    return np.concatenate([np.ones((len(rows), 1)), rows], axis=1)


def _softmax(scores: Numbers) -> tuple[Numbers, Numbers]:
    """Return probabilities of classes, the first of which has score 0, and the log of the sum."""
    full = np.concatenate([np.zeros((len(scores), 1)), scores], axis=1)
    top = full.max(axis=1, keepdims=True)
    raised = np.exp(full - top)
    total = raised.sum(axis=1, keepdims=True)
    return raised / total, (top + np.log(total))[:, 0]
