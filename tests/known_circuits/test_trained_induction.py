"""Induction, trained at a small size: both kinds of heads, and what K-composition does."""

import pytest
import torch
from torch import Tensor, nn

from causalnet.errors import ParameterError
from causalnet.known_circuits.trained_induction import (
    Composition,
    InductionSetting,
    Side,
    draw_repeats,
    measure_induction,
    train_induction,
)
from causalnet.known_circuits.training import Course, fresh
from causalnet.lift import lift
from causalnet.models import load

SMALL = InductionSetting(tokens=24, length=24, width=32, heads=2, course=Course(steps=600))


def test_a_small_network_learns_induction_by_k_composition() -> None:
    trained = train_induction(SMALL)
    report = trained.report
    names = lift(load(trained.module)).graph.names()  # refuses if a silent MLP writes
    assert "L1.H1" in names and "L1.mlp" not in names
    assert report.accuracy > 0.98
    assert report.previous_token_heads and report.induction_heads
    assert max(report.previous_token.values()) > 0.5
    assert max(report.prefix_matching.values()) > 0.5
    # Without the previous-token heads in keys it is about a guess how long the repeat is; in
    # queries and values they count for nothing.
    assert report.without["k"] < 0.6
    assert min(report.without["q"], report.without["v"]) > 0.95
    assert str(report).startswith("accuracy on repeats 0.9") or report.accuracy == 1.0


def test_an_untrained_network_has_no_such_heads() -> None:
    report = measure_induction(fresh(SMALL.shape(), seed=0), count=32)
    assert report.previous_token_heads == report.induction_heads == ()
    assert report.accuracy < 0.2
    assert report.without == pytest.approx(dict.fromkeys("kqv", report.accuracy))


def test_repeats_are_repeats_and_everything_else_differs() -> None:
    ids, first = draw_repeats(24, 24, 50, torch.Generator().manual_seed(0))
    for row, repeated in zip(ids.tolist(), first[:, 0].tolist(), strict=True):
        fresh_part = row[:repeated]
        assert len(set(fresh_part)) == repeated  # no token twice before the repeat
        period = repeated - fresh_part.index(row[repeated])
        assert 3 <= period <= 6
        assert all(row[at] == row[at - period] for at in range(repeated, 24))
        assert repeated + period <= 24  # one whole repeat at least


def by_loops(ids: Tensor, first: Tensor, pattern: Tensor) -> float:
    """The mean attention of head 0 behind earlier occurrences, one token at a time."""
    found = []
    for row in range(len(ids)):
        for at in range(int(first[row]), ids.shape[1]):
            seen = [s for s in range(1, at + 1) if ids[row, s - 1] == ids[row, at]]
            found.append(sum(float(pattern[row, at, s]) for s in seen))
    return sum(found) / len(found)


def test_prefix_matching_is_what_its_definition_counts() -> None:
    """The oracle counts token by token, on attention that a plain forward shows; to 1e-6."""
    module = fresh(SMALL.shape(), seed=2)
    report = measure_induction(module, count=4, seed=5)
    ids, first = draw_repeats(24, 24, 4, torch.Generator().manual_seed(5))
    seen: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    second = module.get_submodule("blocks.1.attention.mixing")
    handle = second.register_forward_pre_hook(lambda _, given: seen.append(given))
    with torch.no_grad():
        module(ids)
    handle.remove()
    q, k, _, allowed = seen[0]
    pattern = (q @ k.mT).masked_fill(~allowed, -torch.inf).softmax(-1)[:, 0]
    expected = by_loops(ids, first, pattern)
    assert report.prefix_matching["L1.H0"] == pytest.approx(expected, abs=1e-6)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"10 tokens for sequences of 24.*Give 21 tokens"):
        InductionSetting(tokens=10, length=24)
    with pytest.raises(ParameterError, match="3 heads and a width of 64"):
        InductionSetting(heads=3)


@pytest.mark.parametrize(("side", "projection"), [("k", "key"), ("q", "query"), ("v", "value")])
def test_cutting_an_input_is_what_a_hook_on_that_projection_does(
    side: Side, projection: str
) -> None:
    """The oracle takes head 1 of layer 0 out of one projection's input by a hook; to 1e-10."""
    module = fresh(SMALL.shape(), seed=4, gain=2.0).double()
    ids, _ = draw_repeats(24, 24, 8, torch.Generator().manual_seed(0))
    fetched: list[Tensor] = []
    first, second = (module.get_submodule(f"blocks.{at}.attention") for at in (0, 1))
    output = module.get_parameter("blocks.0.attention.output.weight")

    def without(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        written = fetched[0][:, 1] @ output[:, 16:].T
        return (given[0] - written + written.mean(0),)

    handles = [
        first.get_submodule("mixing").register_forward_hook(lambda _, __, z: fetched.append(z)),
        second.get_submodule(projection).register_forward_pre_hook(without),
    ]
    with torch.no_grad():
        expected = module(ids)
        for handle in handles:
            handle.remove()
        found = Composition(module, ids).logits(side, [False, True], [True, True])
        assert not torch.allclose(found, module(ids), atol=1e-2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
