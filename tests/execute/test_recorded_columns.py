"""Activations become columns, from any type of number."""

import numpy as np
import pytest
import torch

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.execute.recorded_columns import samples_from_activations
from causalnet.graphs import ADMG
from causalnet.identification.answers import Identified
from causalnet.identification.door import identify
from causalnet.identification.estimating.columns import columns_of, discretise
from causalnet.identification.estimating.estimation import estimate


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_every_place_has_a_column(dtype: torch.dtype) -> None:
    tensor = torch.arange(12).reshape(2, 2, 3).to(dtype).requires_grad_()
    columns = samples_from_activations({"H": tensor, "token": torch.tensor([7, 8])})
    assert list(columns) == [*(f"H[{i},{j}]" for i in range(2) for j in range(3)), "token"]
    assert columns["H[1,2]"].tolist() == [5, 11]
    assert columns["H[1,2]"].dtype == np.float64
    assert columns["token"].dtype == np.int64
    assert set(columns_of(columns)) == set(columns)


def test_directions_make_one_column() -> None:
    draw = torch.Generator().manual_seed(0)
    heads = torch.randn(5, 4, generator=draw)
    direction = torch.randn(4, generator=draw)
    columns = samples_from_activations({"H": heads}, {"H": direction})
    assert np.allclose(columns["H"], (heads @ direction).numpy(), atol=1e-6)
    assert columns["H"].dtype == np.float64


def test_activations_are_estimated_from() -> None:
    draw = torch.Generator().manual_seed(0)
    token = torch.randint(2, (400,), generator=draw)
    head = token + torch.randn(400, generator=draw)
    logit = (2 * head - token + 0.1 * torch.randn(400, generator=draw)).to(torch.bfloat16)
    columns = samples_from_activations({"token": token, "head": head, "logit": logit})
    graph = ADMG.of([("token", "head"), ("token", "logit"), ("head", "logit")])
    found = identify("P(logit=y | do(head=x))", graph)
    assert isinstance(found, Identified)
    cut = discretise(columns, {"head": 2}).columns
    told = estimate(found, {**columns, "head": cut["head"]}, method="aipw", bootstrap=50)
    low, high = (told.at({"head=x": level}).value for level in (0, 1))
    assert high - low > 2
    table = estimate(found, discretise(columns, {"head": 3, "logit": 2}).columns, bootstrap=50)
    at = [axis.variable for axis in table.value.axes].index("logit")
    assert np.allclose(table.value.array.sum(axis=at), 1)


@pytest.mark.parametrize(
    ("activations", "directions", "error", "match"),
    [
        ({"H": torch.zeros(2), "G": torch.zeros(3)}, None, ParameterError, "H for 2, G for 3"),
        ({"H": torch.zeros(())}, None, ParameterError, "one number"),
        ({"H": torch.zeros(2, 3)}, {"H": torch.zeros(2)}, ParameterError, r"shape \(2,\)"),
        ({"H": torch.zeros(2, 3)}, {"G": torch.zeros(3)}, UnknownMediatorError, "'G'"),
    ],
)
def test_what_does_not_line_up_is_refused(
    activations: dict[str, torch.Tensor],
    directions: dict[str, torch.Tensor] | None,
    error: type[Exception],
    match: str,
) -> None:
    with pytest.raises(error, match=match):
        samples_from_activations(activations, directions)
