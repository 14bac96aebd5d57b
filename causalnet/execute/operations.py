"""Tensor bodies of the operations that terms name; their meaning is in `interventions.operations`.

A body is given the evaluated arguments [B, T, d], the parameters with handles replaced by the
tensors they are bound to, and the setting: the prompts, and the tokens that are set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalnet.errors import TermError
from causalnet.execute.batch import TokenBatch
from causalnet.execute.bindings import Bindings
from causalnet.interventions import Handle, Op, Operation
from causalnet.interventions.operations import describe_operation

__all__ = ["OPERATIONS", "Body", "Setting", "apply_operation", "body_of", "register_operation"]


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Where an operation's value is set.

    Attributes:
        batch: The prompts of the world.
        selected: The tokens that are set, [B, T].
        causal: Whether a token attends to earlier ones and itself alone.
    """

    batch: TokenBatch
    selected: Tensor
    causal: bool = True

    def columns(self, listed: str) -> tuple[Tensor, ...]:
        """Return the columns, [B] each, of positions that are listed as `S2,3`.

        Raises:
            PromptError: A position that the prompts do not have.
        """
        names = (part.strip() for part in listed.split(","))
        at = (int(name) if name.lstrip("-").isdigit() else name for name in names)
        return tuple(self.batch.columns(position) for position in at)


Body: TypeAlias = Callable[[tuple[Tensor, ...], Mapping[str, Any], Setting], Tensor]


def _add(arguments: tuple[Tensor, ...], parameters: Mapping[str, Any], _: Setting) -> Tensor:
    first, second = arguments
    factor: float = parameters.get("factor", 1.0)
    return first + factor * second


def _scale(arguments: tuple[Tensor, ...], parameters: Mapping[str, Any], _: Setting) -> Tensor:
    (value,) = arguments
    factor: float = parameters["factor"]
    return factor * value


def _subtract(arguments: tuple[Tensor, ...], _: Mapping[str, Any], __: Setting) -> Tensor:
    first, second = arguments
    return first - second


def _lerp(arguments: tuple[Tensor, ...], parameters: Mapping[str, Any], _: Setting) -> Tensor:
    first, second = arguments
    factor: float = parameters["factor"]
    return (1 - factor) * first + factor * second


def _mask_pattern(
    arguments: tuple[Tensor, ...], parameters: Mapping[str, Any], setting: Setting
) -> Tensor:
    """Return a pattern with 0 at the keys and what is left of each row summing to 1."""
    (pattern,) = arguments
    rows = torch.arange(len(pattern), device=pattern.device)
    kept = torch.ones(pattern.shape[0], pattern.shape[2], dtype=torch.bool, device=pattern.device)
    for columns in setting.columns(parameters["keys"]):
        kept[rows, columns] = False
    left = pattern * kept[:, None]
    total = left.sum(-1, keepdim=True)
    return torch.where(total != 0, left / torch.where(total != 0, total, 1.0), 0.0)


def _redirect(
    arguments: tuple[Tensor, ...], parameters: Mapping[str, Any], setting: Setting
) -> Tensor:
    """Return a pattern whose every row has the weights at the keys."""
    (pattern,) = arguments
    columns = setting.columns(parameters["keys"])
    given = parameters.get("weights")
    weights = (
        [float(part) for part in given.split(",")] if given else [1 / len(columns)] * len(columns)
    )
    if len(weights) != len(columns):
        raise TermError(
            f"redirect was given {len(columns)} keys and {len(weights)} weights.",
            "There is one weight for each key.",
        )
    rows = torch.arange(len(pattern), device=pattern.device)
    here = torch.arange(pattern.shape[1], device=pattern.device)
    fresh = torch.zeros_like(pattern)
    for column, weight in zip(columns, weights, strict=True):
        early = setting.selected & (here < column[:, None])
        if setting.causal and early.any():
            row, place = (int(index) for index in early.nonzero()[0])
            own = place - setting.batch.starts[row]
            raise TermError(
                f"redirect sends token {own} of {setting.batch.prompts.texts[row][:60]!r} to a key "
                f"after it ({parameters['keys']}).",
                "A token attends to itself and to earlier ones.",
                "Set the pattern at later positions, for example at='end'.",
            )
        fresh[rows, :, column] += weight
    return fresh


def _uniform_pattern(
    arguments: tuple[Tensor, ...], _: Mapping[str, Any], setting: Setting
) -> Tensor:
    """Return a pattern that is equal on what each row may see."""
    (pattern,) = arguments
    mask = setting.batch.mask
    seen = torch.ones_like(pattern)
    seen = (seen.tril() if setting.causal else seen) * mask[:, None].to(pattern)
    return seen / seen.sum(-1, keepdim=True).clamp_min(1.0)


def _sae_feature_patch(
    arguments: tuple[Tensor, ...], parameters: Mapping[str, Any], _: Setting
) -> Tensor:
    """Return the first with some features' activations as the second has them."""
    first, second = arguments
    _check_dictionary(parameters, first.shape[-1])
    features = [int(part) for part in parameters["features"].split(",")]
    change = _activations(second, parameters) - _activations(first, parameters)
    decoder: Tensor = parameters["decoder"].to(first)
    return first + change[..., features] @ decoder[features]


def _check_dictionary(parameters: Mapping[str, Any], width: int) -> None:
    encoder, decoder = parameters["encoder"], parameters["decoder"]
    size = encoder.shape[-1]
    if tuple(encoder.shape) != (width, size) or tuple(decoder.shape) != (size, width):
        raise TermError(
            f"The dictionary's encoder is {list(encoder.shape)}, its decoder "
            f"{list(decoder.shape)}.",
            f"For a value {width} wide they are [{width}, k] and [k, {width}].",
        )
    largest = max(int(part) for part in parameters["features"].split(","))
    if largest >= size:
        raise TermError(f"There is no feature {largest}.", f"Features are 0..{size - 1}.")


def _activations(value: Tensor, parameters: Mapping[str, Any]) -> Tensor:
    """Return activation((value - centre) @ encoder + bias), [B, T, k]."""
    centred = value - parameters["centre"].to(value) if "centre" in parameters else value
    encoder: Tensor = parameters["encoder"].to(value)
    before = centred @ encoder
    before = before + parameters["bias"].to(value) if "bias" in parameters else before
    match parameters.get("activation", "relu"):
        case "relu":
            return before.relu()
        case "jumprelu" if "threshold" in parameters:
            return torch.where(before > parameters["threshold"].to(value), before, 0.0)
        case "topk" if "top" in parameters:
            kept = before.topk(int(parameters["top"]), dim=-1)
            return torch.zeros_like(before).scatter(-1, kept.indices, kept.values.relu())
        case name:
            raise TermError(
                f"The activation {name!r} cannot be computed.",
                "There are relu, jumprelu with a threshold, and topk with top.",
            )


# The one table that users may add to: an operation is known to the whole process.
OPERATIONS: dict[tuple[str, int], Body] = {
    ("add", 1): _add,
    ("scale", 1): _scale,
    ("subtract", 1): _subtract,
    ("lerp", 1): _lerp,
    ("mask_pattern", 1): _mask_pattern,
    ("redirect", 1): _redirect,
    ("uniform_pattern", 1): _uniform_pattern,
    ("sae_feature_patch", 1): _sae_feature_patch,
}
"""Bodies by name and version."""


def register_operation(operation: Operation, body: Body) -> None:
    """Make an operation of your own known, with its tensor body.

    Args:
        operation: Its name, version, number of arguments, parameters and meaning.
        body: From evaluated arguments, parameters and setting to the value, [B, T, d].

    Raises:
        TermError: The name and version have another meaning or another body.
    """
    describe_operation(operation)
    name = f"{operation.name}/v{operation.version}"
    if OPERATIONS.setdefault((operation.name, operation.version), body) is not body:
        raise TermError(
            f"The operation {name} has another body.",
            "One name and version mean one thing.",
            "Register another version.",
        )


def body_of(operation: Op) -> Body:
    """Return the tensor body of an operation.

    Raises:
        TermError: An operation without a body.
    """
    body = OPERATIONS.get((operation.name, operation.version))
    if body is None:
        known = ", ".join(f"{name}/v{version}" for name, version in OPERATIONS)
        raise TermError(
            f"No operation {operation.name}/v{operation.version}.", f"There are {known}."
        )
    return body


def apply_operation(
    operation: Op, arguments: tuple[Tensor, ...], setting: Setting, bindings: Bindings
) -> Tensor:
    """Return the value of an operation on evaluated arguments.

    Raises:
        TermError: An operation without a body, or a handle that is not bound.
    """
    parameters = {
        name: bindings.tensor(value) if isinstance(value, Handle) else value
        for name, value in operation.parameters
    }
    return body_of(operation)(arguments, parameters, setting)
