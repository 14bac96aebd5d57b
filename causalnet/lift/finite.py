"""Looking for NaN and infinity before anything is compared: neither is a mistake of the graph."""

from collections.abc import Mapping

import torch

from causalnet.errors import NumericalError
from causalnet.lift.rebuild import Rebuilt

__all__ = ["check_finite"]


def check_finite(rebuilt: Rebuilt, own: Mapping[str, torch.Tensor], ids: torch.Tensor) -> None:
    """Check that every value is a finite number, first as the graph computes it in float64.

    Args:
        rebuilt: The values computed from the weights.
        own: The values that the model itself computed, by part.
        ids: The token ids of the prompts [batch, pos].

    Raises:
        NumericalError: NaN or infinity; names the first mediator in the order of the graph, and
            the prompt.
    """
    for name, value in rebuilt.parts.items():
        row = _first_broken_row(value)
        if row is not None:
            raise NumericalError(
                f"{name} holds NaN or infinity {_on_prompt(ids, row)}.",
                "It is the first mediator in the order of the graph that does, also when computed "
                "in float64: weights of its own, or of the norm in front of it, are no numbers.",
                "Fetch or convert the model again.",
            )
    for name, value in own.items():
        row = _first_broken_row(value)
        if row is not None:
            raise NumericalError(
                f"{name} holds NaN or infinity {_on_prompt(ids, row)}, as the model computes it "
                f"in {str(value.dtype).removeprefix('torch.')}.",
                "Computed from the weights in float64, every mediator is finite.",
                "Load the model in a wider type, such as dtype='float32'.",
            )


def _first_broken_row(value: torch.Tensor) -> int | None:
    finite = torch.isfinite(value)
    return None if finite.all() else int((~finite).flatten(1).any(1).nonzero()[0])


def _on_prompt(ids: torch.Tensor, row: int) -> str:
    return f"on prompt {row} of the check (token ids {', '.join(map(str, ids[row].tolist()))})"
