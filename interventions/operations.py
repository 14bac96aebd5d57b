"""The operations that values may name: how many arguments, which parameters, what they mean.

An operation is known by name and version; its tensor body is registered with the executor under the
same name.  Positions among parameters are written as in a site, separated by commas: `S2,3`.

| operation | meaning | used by |
|---|---|---|
| `add` | first + factor second | steering, noise |
| `scale` | factor value | scaling a contribution |
| `subtract` | first - second | attribution patching |
| `lerp` | (1 - factor) first + factor second | integrated gradients |
| `mask_pattern` | given keys zeroed, rows scaled to sum to 1 again | attention knock-out |
| `redirect` | each row set on given keys | attention redirect |
| `uniform_pattern` | each row equal on the keys it may see | undifferentiated attention |
| `sae_feature_patch` | first, with some features' activations as second has them | SAE patching |
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from causalnet.errors import TermError
from causalnet.interventions.views import Handle
from causalnet.interventions.worlds import Op

__all__ = [
    "OPERATIONS",
    "Operation",
    "Parameter",
    "check_operation",
    "describe_operation",
    "is_described",
]

ParameterType: TypeAlias = Literal["number", "words", "positions", "numbers", "indices", "handle"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A static parameter of an operation.

    Attributes:
        name: How terms write it.
        type: A number, a word, a handle, or text that lists positions (`S2,3`), numbers
            (`0.5,0.5`) or indices (`3,17`).
        meaning: What it decides, with the shape of what a handle is bound to.
        required: Whether it must be given.
    """

    name: str
    type: ParameterType
    meaning: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """A pure operation on values.

    Attributes:
        name: How terms and the executor know it.
        arguments: How many values it takes.
        meaning: What its value is, in terms of its arguments and parameters.
        parameters: Its static parameters.
        version: Version of its meaning.
    """

    name: str
    arguments: int
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    version: int = 1


_DESCRIBED = (
    Operation(
        "add",
        2,
        "first + factor * second",
        (Parameter("factor", "number", "what the second is multiplied by; 1 if not given", False),),
    ),
    Operation(
        "scale",
        1,
        "factor * value",
        (Parameter("factor", "number", "what the value is multiplied by"),),
    ),
    Operation("subtract", 2, "first - second"),
    Operation(
        "lerp",
        2,
        "(1 - factor) * first + factor * second",
        (Parameter("factor", "number", "0 gives the first, 1 the second"),),
    ),
    Operation(
        "mask_pattern",
        1,
        "an attention pattern [batch, pos, attended] whose entries at the keys are 0 and whose "
        "rows are divided by what is left of them; a row of which nothing is left is 0. "
        "It equals scores of minus infinity at the keys",
        (Parameter("keys", "positions", "the attended positions that are masked"),),
    ),
    Operation(
        "redirect",
        1,
        "an attention pattern whose every row has the weights at the keys and 0 elsewhere; "
        "a key that a row may not see, because it comes later, is refused",
        (
            Parameter("keys", "positions", "the attended positions that get all the attention"),
            Parameter("weights", "numbers", "one for each key; equal if not given", False),
        ),
    ),
    Operation(
        "uniform_pattern",
        1,
        "an attention pattern whose every row is equal on the positions that it may see (itself "
        "and earlier ones, no padding) and sums to 1",
    ),
    Operation(
        "sae_feature_patch",
        2,
        "first + sum over the features k of (a_k(second) - a_k(first)) * decoder[k], where "
        "a(x) = activation((x - centre) @ encoder + bias); what the dictionary does not "
        "reconstruct (its error node) stays as in the first",
        (
            Parameter("features", "indices", "which features"),
            Parameter("encoder", "handle", "[d, k]"),
            Parameter("decoder", "handle", "[k, d]"),
            Parameter("bias", "handle", "[k], added before the activation; 0 if not given", False),
            Parameter("centre", "handle", "[d], subtracted before the encoder; 0 if not", False),
            Parameter("activation", "words", "relu (if not given), jumprelu or topk", False),
            Parameter("threshold", "handle", "[k], jumprelu: smaller pre-activations are 0", False),
            Parameter("top", "number", "topk: how many features stay active", False),
        ),
    ),
)

# The one table that users may add to, as they may to `functools.singledispatch`: what a name and
# version mean is the same in the whole process, is never changed, and is only ever added.
OPERATIONS: dict[tuple[str, int], Operation] = {
    (operation.name, operation.version): operation for operation in _DESCRIBED
}
"""Every operation by name and version."""


def is_described(name: str) -> bool:
    """Return whether some version of an operation has a known meaning."""
    return any(name == described for described, _ in OPERATIONS)


def describe_operation(operation: Operation) -> None:
    """Make an operation known, so that terms may name it.

    Raises:
        TermError: Another operation has its name and version.
    """
    if OPERATIONS.setdefault((operation.name, operation.version), operation) != operation:
        raise TermError(
            f"The operation {operation.name}/v{operation.version} means something else.",
            "One name and version mean one thing.",
            "Describe another version.",
        )


def check_operation(operation: Op) -> None:
    """Check that a term's operation exists and is given what it takes.

    Raises:
        TermError: An unknown operation or version, another number of arguments, or a parameter that
            is missing, unknown or of another type.

    >>> from causalnet.interventions.worlds import Const, Self
    >>> check_operation(Op("add", (Self(), Const()), (("factor", 2.0),)))
    """
    described = OPERATIONS.get((operation.name, operation.version))
    if described is None:
        known = ", ".join(f"{name}/v{version}" for name, version in OPERATIONS)
        raise TermError(
            f"No operation {operation.name}/v{operation.version}.", f"There are {known}."
        )
    if len(operation.arguments) != described.arguments:
        raise TermError(
            f"{operation.name} was given {len(operation.arguments)} arguments.",
            f"It takes {described.arguments}: {described.meaning}.",
        )
    given = dict(operation.parameters)
    types = {parameter.name: parameter for parameter in described.parameters}
    needed = [parameter.name for parameter in described.parameters if parameter.required]
    missing = [name for name in needed if name not in given]
    wrong = [name for name in given if name not in types]
    if missing or wrong or len(given) != len(operation.parameters):
        told = f"no {missing[0]}" if missing else f"{wrong[0]}" if wrong else "one twice"
        raise TermError(
            f"{operation.name} was given {told}.",
            f"Its parameters are {', '.join(types) or 'none'}.",
        )
    for name, value in given.items():
        _check_parameter(operation.name, types[name], value)


def _check_parameter(operation: str, parameter: Parameter, value: float | str | Handle) -> None:
    match parameter.type:
        case "number":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        case "handle":
            fits = isinstance(value, Handle)
        case "words":
            fits = isinstance(value, str)
        case "positions":
            fits = isinstance(value, str) and all(value.split(","))
        case "numbers":
            fits = isinstance(value, str) and all(map(_is_number, value.split(",")))
        case "indices":
            fits = isinstance(value, str) and all(part.isdigit() for part in value.split(","))
    if not fits:
        raise TermError(
            f"{operation} was given {parameter.name}={value}.",
            f"It is {parameter.type}: {parameter.meaning}.",
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
