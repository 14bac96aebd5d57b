"""Tensor bodies of the operations that terms name."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from torch import Tensor

from causalnet.errors import TermError
from causalnet.interventions import Op

__all__ = ["OPERATIONS", "apply_operation"]

Body: TypeAlias = Callable[[tuple[Tensor, ...], Mapping[str, float]], Tensor]


def _add(arguments: tuple[Tensor, ...], parameters: Mapping[str, float]) -> Tensor:
    """Return the first argument plus `factor` times the second."""
    first, second = arguments
    return first + parameters.get("factor", 1.0) * second


def _scale(arguments: tuple[Tensor, ...], parameters: Mapping[str, float]) -> Tensor:
    """Return the argument times `factor`."""
    (value,) = arguments
    return parameters["factor"] * value


OPERATIONS: Mapping[tuple[str, int], Body] = {("add", 1): _add, ("scale", 1): _scale}
"""Bodies by name and version."""


def apply_operation(operation: Op, arguments: tuple[Tensor, ...]) -> Tensor:
    """Return the value of an operation on evaluated arguments.

    Raises:
        TermError: An operation without a body.
    """
    body = OPERATIONS.get((operation.name, operation.version))
    if body is None:
        known = ", ".join(f"{name}/v{version}" for name, version in OPERATIONS)
        raise TermError(
            f"No operation {operation.name}/v{operation.version}.", f"There are {known}."
        )
    return body(arguments, dict(operation.parameters))
