"""Predictors without a claim: what is most frequent, and regression on what can be seen."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.simulation_scores import Questions

__all__ = ["Regression", "fit_regression", "predictions_without"]

Numbers = NDArray[np.float64]
PENALTY = 1.0
"""Weight of the squared coefficients, per coefficient, beside the summed log-loss."""


def predictions_without(
    test: Questions, finding: Questions | None
) -> dict[str, tuple[Hashable, ...]]:
    """Return the predictions of every predictor without the claim, by name, [m] each.

    Args:
        test: What is predicted.
        finding: Questions on other prompts (and other interventions), whose outcomes may be learned
            from; None leaves out what is learned.
    """
    found = dict(test.naive)
    if finding is not None:
        counted = Counter(finding.actual)
        found["majority"] = (max(counted, key=lambda each: (counted[each], str(each))),) * len(test)
        if len(counted) > 1 and test.inputs:
            found["regression on inputs"] = fit_regression(finding).predict(test.inputs)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Multinomial logistic regression on indicators of input values.

    Attributes:
        columns: (input, value) of each indicator.
        outcomes: What is told apart.
        weights: [indicators + 1, outcomes]; the last row is the constant.
    """

    columns: tuple[tuple[str, Hashable], ...]
    outcomes: tuple[Hashable, ...]
    weights: Numbers

    def predict(self, inputs: Mapping[str, Sequence[Hashable]]) -> tuple[Hashable, ...]:
        """Return the likeliest outcome of each question; the first of equals."""
        best = (_indicators(self.columns, inputs) @ self.weights).argmax(1)
        return tuple(self.outcomes[each] for each in best.tolist())


def fit_regression(questions: Questions, penalty: float = PENALTY) -> Regression:
    """Fit a regression to outcomes, its coefficients but the constant shrunk.

    Every value of an input that is seen is an indicator; others are none.  Outcomes are weighted
    so that each counts alike, as in the balanced score.

    Args:
        questions: Inputs and outcomes.
        penalty: Weight of the squared coefficients.

    >>> side = tuple("left" if n % 3 else "right" for n in range(30))
    >>> seen = Questions("forward", tuple(range(30)), ("",) * 30, side, side, {"side": side})
    >>> fit_regression(seen).predict({"side": ("right", "left", "neither")})
    ('right', 'left', 'left')
    """
    from scipy.optimize import minimize

    columns = tuple(
        (name, value)
        for name, column in questions.inputs.items()
        for value in dict.fromkeys(column)
    )
    outcomes = tuple(dict.fromkeys(questions.actual))
    x = _indicators(columns, questions.inputs)
    which = np.array([outcomes.index(each) for each in questions.actual])
    target = np.eye(len(outcomes))[which]
    counts = target.sum(0)
    weight = (len(which) / (len(outcomes) * counts))[which]
    shape = x.shape[1], len(outcomes)

    def cost(flat: Numbers) -> tuple[float, Numbers]:
        coefficients = flat.reshape(shape)
        scores = x @ coefficients
        scores = scores - scores.max(1, keepdims=True)
        chances = np.exp(scores)
        chances = chances / chances.sum(1, keepdims=True)
        shrunk = coefficients.copy()
        shrunk[-1] = 0
        loss = -(weight * np.log(np.maximum(chances[range(len(which)), which], 1e-300))).sum()
        gradient = x.T @ (weight[:, None] * (chances - target)) + penalty * shrunk
        return float(loss + penalty * (shrunk**2).sum() / 2), gradient.ravel()

    found = minimize(cost, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B")
    return Regression(columns, outcomes, np.asarray(found.x, np.float64).reshape(shape))


def _indicators(
    columns: Sequence[tuple[str, Hashable]], inputs: Mapping[str, Sequence[Hashable]]
) -> Numbers:
    """Return which value each question has, and a constant, [m, indicators + 1]."""
    places = {column: number for number, column in enumerate(columns)}
    n = len(next(iter(inputs.values())))
    x = np.zeros((n, len(columns) + 1))
    x[:, -1] = 1
    for name, column in inputs.items():
        for row, value in enumerate(column):
            place = places.get((name, value))
            if place is not None:
                x[row, place] = 1
    return x
