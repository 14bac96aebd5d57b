"""Nodes that write nothing: declared by the model, and shown by their weights."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from causalnet.errors import LiftError
from causalnet.graphs import TransformerShape
from causalnet.lift.adapter import Adapter
from causalnet.lift.places import Places, parameter

__all__ = ["check_silent", "declared_silent"]


def declared_silent(facts: Mapping[str, object]) -> tuple[str, ...]:
    """Return the nodes that a model declares silent, `L0.H2` and `L1.mlp`.

    Raises:
        LiftError: What it declares are no names.

    >>> declared_silent({"silent": ["L1.mlp"]}), declared_silent({})
    (('L1.mlp',), ())
    """
    declared = facts.get("silent", ())
    names = tuple(declared) if isinstance(declared, list | tuple) else (declared,)
    if not all(isinstance(name, str) for name in names):
        raise LiftError(
            f"The model declares silent={declared!r}.",
            "They are names of heads and MLPs.",
            "Write silent=('L0.H2', 'L1.mlp').",
        )
    return tuple(map(str, names))


def check_silent(places: Places, adapter: Adapter, shape: TransformerShape) -> None:
    """Check that the weights with which silent nodes write are exactly zero.

    Then a graph without them computes what the model does.

    Raises:
        LiftError: One is not; the first is named.
    """
    for name in shape.silent:
        for weight in _writing(name, places, adapter, shape):
            if bool(weight.any()):
                raise LiftError(
                    f"{name} is declared silent, and the weights with which it writes reach "
                    f"{float(weight.abs().max()):.2g}.",
                    "The graph leaves a silent node out, so it must write exact zeros.",
                    f"Take {name!r} out of the model's `silent`, or set those weights to zero.",
                )


def _writing(
    name: str, places: Places, adapter: Adapter, shape: TransformerShape
) -> Iterator[Tensor]:
    """Yield the weights with which a head or an MLP writes."""
    layer, _, node = name.removeprefix("L").partition(".")
    if node == "mlp":
        yield from places.mlp_out[int(layer)].parameters(recurse=False)
        return
    head = int(node.removeprefix("H"))
    read = slice(head * shape.d_head, (head + 1) * shape.d_head)
    weight = parameter(places.mixers[int(layer)], "weight")
    yield weight[:, read] if adapter.layout == "out_in" else weight[read]
