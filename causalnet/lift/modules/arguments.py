"""How a module is called, and which of its outputs is the one that read-outs score."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree  # torch has no public name for it

from causalnet.errors import LiftError, TermError

__all__ = ["Arguments", "ExampleInputs", "check_rows", "key_text", "pick_output", "read_arguments"]

ExampleInputs: TypeAlias = Tensor | Sequence[Any] | Mapping[str, Any]
"""One tensor, a sequence of positional arguments, or a mapping of keyword arguments."""

LEAST_ROWS = 2


@dataclass(frozen=True, slots=True)
class _Named:
    """The place of a tensor among the arguments."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Arguments:
    """How a module is called.

    Attributes:
        names: The tensors among the arguments, which are the inputs of the graph.
        leaves: Everything that is passed; what is no tensor is the same in every call.
        spec: How the leaves make positional and keyword arguments.
        sizes: The sizes of the tensors, the number of rows left out.
        types: Their types.
    """

    names: tuple[str, ...]
    leaves: tuple[Any, ...]
    spec: pytree.TreeSpec
    sizes: Mapping[str, tuple[int, ...]]
    types: Mapping[str, torch.dtype]

    def check(self, inputs: Mapping[str, Tensor]) -> None:
        """Check that tensors by name are as those with which the module was lifted.

        Raises:
            TermError: A tensor that is missing or unknown, or of another size or type.
        """
        if set(inputs) != set(self.names):
            raise TermError(
                f"The inputs {', '.join(sorted(inputs)) or 'none'} were given.",
                f"The module was lifted with {', '.join(self.names)}.",
                "Give a tensor for each of these.",
            )
        for name, value in inputs.items():
            if (tuple(value.shape[1:]), value.dtype) != (self.sizes[name], self.types[name]):
                raise TermError(
                    f"{name} is {list(value.shape)} of {value.dtype}.",
                    f"The module was lifted with {['rows', *self.sizes[name]]} of "
                    f"{self.types[name]}.",
                    "Give tensors of that size, or lift the module with examples of this one.",
                )

    def call(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
        """Call a module on tensors by name, [B, ...] each."""
        filled = [inputs[one.name] if isinstance(one, _Named) else one for one in self.leaves]
        args, kwargs = pytree.tree_unflatten(filled, self.spec)
        return module(*args, **kwargs)


def read_arguments(
    module: nn.Module, example_inputs: ExampleInputs, least: int = LEAST_ROWS
) -> tuple[Arguments, dict[str, Tensor]]:
    """Return how a module is called, and the tensors by name, [B, ...] each.

    An argument keeps the name that the module's `forward` gives it; tensors inside a tuple, list
    or mapping have the place in it after a slash, as `pixels/0`.

    Args:
        module: The module.
        example_inputs: What it is called with.
        least: How many rows there are at least.

    Raises:
        LiftError: Arguments that `forward` does not take, no tensor among them, or tensors whose
            first axes differ in length or are too short.

    >>> arguments, tensors = read_arguments(nn.Linear(3, 2), torch.zeros(4, 3))
    >>> arguments.names, tensors["input"].shape
    (('input',), torch.Size([4, 3]))
    """
    args, kwargs = _split(example_inputs)
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
    except TypeError as refused:
        raise LiftError(
            f"{type(module).__name__} cannot be called with these example_inputs: {refused}.",
            f"Its forward is {type(module).__name__}{inspect.signature(module.forward)}.",
            "Give a tensor, a tuple of positional arguments or a mapping of keyword arguments.",
        ) from refused
    order = _positional_names(bound, len(args))
    pairs, spec = pytree.tree_flatten_with_path((tuple(args), dict(kwargs)))
    leaves: list[Any] = []
    tensors: dict[str, Tensor] = {}
    for (_, first, *rest), value in pairs:
        start = order[first.idx] if isinstance(first, pytree.SequenceKey) else key_text((first,))
        name = "/".join([start, *([key_text(tuple(rest))] if rest else [])])
        leaves.append(_Named(name) if isinstance(value, Tensor) else value)
        if isinstance(value, Tensor):
            tensors[name] = value.detach()
    check_rows(tensors, least)
    sizes = {name: tuple(value.shape[1:]) for name, value in tensors.items()}
    types = {name: value.dtype for name, value in tensors.items()}
    return Arguments(tuple(tensors), tuple(leaves), spec, sizes, types), tensors


def _split(example_inputs: ExampleInputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
    match example_inputs:
        case Tensor():
            return (example_inputs,), {}
        case Mapping():
            return (), dict(example_inputs)
        case list() | tuple():
            return tuple(example_inputs), {}
    raise LiftError(
        f"example_inputs is a {type(example_inputs).__name__}.",
        "It is a tensor, a tuple of positional arguments or a mapping of keyword arguments.",
        "Write lift_module(module, images), or lift_module(module, {'input_ids': ids}).",
    )


def _positional_names(bound: inspect.BoundArguments, count: int) -> list[str]:
    """Return a name for every positional argument."""
    names: list[str] = []
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}/{index}" for index in range(count - len(names))]
        else:
            names.append(name)
    return names[:count]


def check_rows(tensors: Mapping[str, Tensor], least: int) -> int:
    """Return how many rows tensors have, the same for all.

    Raises:
        LiftError: No tensor, one without rows, fewer rows than `least`, or unequal numbers.
    """
    rows = {name: len(value) if value.ndim else 0 for name, value in tensors.items()}
    if not rows or min(rows.values()) < least or len(set(rows.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise LiftError(
            f"The example inputs have too few rows, or no common number of rows: "
            f"{told or 'there is no tensor'}.",
            f"Every tensor has a row for each example along its first axis, and there are {least} "
            "or more, which differ.",
            "Give a batch of examples; what is the same for all belongs into a buffer.",
        )
    return next(iter(rows.values()))


def key_text(path: tuple[Any, ...]) -> str:
    """Return a place inside a nested value as text: `0/logits`.

    >>> key_text((pytree.SequenceKey(0), pytree.MappingKey("logits")))
    '0/logits'
    """
    parts = []
    for key in path:
        named = [getattr(key, field, None) for field in ("idx", "key", "name")]
        parts.append(next(str(one) for one in named if one is not None))
    return "/".join(parts)


def pick_output(result: Any, wanted: str | None) -> Tensor:
    """Return the tensor of a module's result that read-outs score.

    Args:
        result: What the module returned: a tensor, or tensors in tuples, mappings, dataclasses.
        wanted: The place of the tensor in it: `1`, `logits`.  None takes the only tensor there
            is, or else the one called `logits`.

    Raises:
        LiftError: There is no such tensor, or none is named and there are several.

    >>> pick_output({"logits": torch.ones(2), "hidden": torch.zeros(3)}, None).shape
    torch.Size([2])
    """
    pairs = pytree.tree_flatten_with_path(result)[0]
    found = {key_text(path): value for path, value in pairs if isinstance(value, Tensor)}
    if wanted is None and len(found) == 1:
        return next(iter(found.values()))
    chosen = found.get("logits" if wanted is None else wanted)
    if chosen is None:
        what = "no output was chosen" if wanted is None else f"there is no output {wanted!r}"
        raise LiftError(
            f"The module returned {len(found)} tensors, and {what}.",
            f"It returned {', '.join(found) or type(result).__name__}.",
            f"Write output={next(iter(found), 'logits')!r}."
            if found
            else "Wrap it in a module that returns a tensor.",
        )
    return chosen
