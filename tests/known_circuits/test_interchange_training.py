"""Strict interchange training at a small size: what it keeps out, and the plain form does not.

Held-out figures are measured twice, by the room's own swaps and by terms on the lifted network.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from causalnet.errors import CausalNetError, FormatError, ParameterError, UnknownMediatorError
from causalnet.examples import strict_interchange
from causalnet.known_circuits.interchange import HighLevelModel, Variable, modular_sum, run_swapped
from causalnet.known_circuits.interchange_report import draw_pairs, measure_interchange
from causalnet.known_circuits.interchange_training import train_strict
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.known_circuits.training import Course, fresh

HIGH = modular_sum(strict_interchange.MODULUS)
PAIRS = 200
TINY = SmallShape(6, 4, width=8, layers=2, heads=2, head_width=4, mlp_width=8)


def agree(module: SmallTransformer) -> None:
    """Ask for the same figures, of the same pairs, by terms on the lifted network."""
    by_terms = strict_interchange.measured_by_terms(strict_interchange.lifted(module), HIGH, PAIRS)
    own = measure_interchange(module, HIGH, pairs=PAIRS)
    expected = {fit.name: fit.accuracy for fit in own.variables}
    expected |= {node.nodes[0]: node.accuracy for node in own.others}
    # Shares of 200 pairs, equal but for ties of two logits, of which none was drawn.
    assert by_terms == pytest.approx(expected | {"all others": own.joint.accuracy}, abs=1e-9)


def test_strict_training_keeps_all_other_nodes_out_of_it() -> None:
    trained = strict_interchange.trained(1.0)
    report = trained.report
    assert report.accuracy == 1.0
    assert report.interchange >= 0.99
    assert min(report.single, report.joint.accuracy) >= 0.98
    # Nothing that other nodes write moves the answer's log probability by 0.1 nats.
    assert max(abs(node.effect) for node in (*report.others, report.joint)) < 0.1
    agree(trained.module)


def test_plain_training_is_as_right_and_leaks() -> None:
    trained = strict_interchange.trained(0.0)
    report = trained.report
    assert report.accuracy == 1.0
    assert report.interchange >= 0.98
    assert report.joint.accuracy <= 0.3
    assert report.joint.effect < -1
    agree(trained.module)


def test_the_three_splits_share_no_pair() -> None:
    drawn = {}
    for split in ("training", "watched", "held out"):
        sides = draw_pairs(HIGH, 400, split, torch.Generator().manual_seed(3))
        drawn[split] = {tuple(row) for row in torch.cat(sides, dim=1).tolist()}
    assert not drawn["training"] & (drawn["watched"] | drawn["held out"])
    assert not drawn["watched"] & drawn["held out"]


def test_no_swap_is_the_network_and_swapping_all_gives_what_the_source_wrote() -> None:
    module = fresh(TINY, seed=0).double()
    base, source = draw_pairs(HIGH, 20, "training", torch.Generator().manual_seed(0))
    plain, written = run_swapped(module, base)
    torch.testing.assert_close(plain, module(base)[:, -1], rtol=0, atol=1e-12)
    _, theirs = run_swapped(module, source)
    everything = torch.ones(20, 2, 3, dtype=torch.bool)
    logits, swapped = run_swapped(module, base, everything, theirs)
    for ours, other in zip(swapped, theirs, strict=True):
        assert torch.equal(ours[0], other[0]) and torch.equal(ours[1], other[1])
    # Both inputs end with the same token, so that all the rest of the stream is the source's.
    torch.testing.assert_close(logits, module(source)[:, -1], rtol=0, atol=1e-12)
    nothing = torch.zeros_like(everything)
    assert torch.equal(run_swapped(module, base, nothing, theirs)[0], plain)
    assert not torch.equal(written[0][0], theirs[0][0])


def test_an_untrained_network_fits_no_variable_beyond_chance() -> None:
    report = measure_interchange(fresh(TINY, seed=0), HIGH, pairs=500)
    assert max(fit.accuracy_on_changed for fit in report.variables) < 0.5
    assert all(0.6 < fit.changed < 0.95 for fit in report.variables)


def test_what_cannot_be_trained_is_refused_before_it_starts() -> None:
    strangers = modular_sum(5, total="L2.mlp")
    with pytest.raises(UnknownMediatorError, match=r"No node 'L2\.mlp' writes.*L0\.H0, L0\.H1"):
        train_strict(TINY, strangers)
    with pytest.raises(ParameterError, match=r"6 tokens and 4 positions.*have 12 and 4"):
        train_strict(TINY, modular_sum(11))
    with pytest.raises(ParameterError, match=r"strict=-1\.0"):
        train_strict(TINY, HIGH, strict=-1.0)
    with pytest.raises(ParameterError, match=r"node 'L0\.H0' is there twice"):
        modular_sum(5, second="L0.H0")
    with pytest.raises(CausalNetError, match=r"Unknown variable 'carry'.*first, second, sum"):
        HIGH.run(HIGH.inputs[:2], carry=torch.zeros(2))
    with pytest.raises(ParameterError, match="steps=0"):
        train_strict(TINY, HIGH, course=Course(steps=0))


def test_another_high_level_model_of_the_same_name_is_another_training(tmp_path: Path) -> None:
    course, file = Course(steps=2), tmp_path / "training.safetensors"
    train_strict(TINY, HIGH, course=course, batch=8, checkpoint=file)
    product = Variable("sum", lambda values: values["first"] * values["second"] % 5, ("L1.mlp",))
    other = replace(HIGH, variables=(*HIGH.variables[:2], product))
    with pytest.raises(FormatError, match="differs in values"):
        train_strict(TINY, other, course=course, batch=8, checkpoint=file)
    assert modular_sum(5).digest() == HIGH.digest() != other.digest()


def test_a_high_level_model_of_ones_own() -> None:
    """The answer is the larger of two tokens, through one variable that two nodes share."""
    inputs = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    larger = Variable("larger", lambda values: values["tokens"].amax(1), ("L0.H0", "L0.mlp"))
    high = HighLevelModel("larger of two", inputs, (larger,), lambda values: values["larger"])
    trained = train_strict(TINY, high, strict=0.0, course=Course(steps=3, every=2), batch=8)
    assert [look.step for look in trained.looks] == [2, 3]
    assert trained.report.variables[0].nodes == ("L0.H0", "L0.mlp")
    assert {node.nodes for node in trained.report.others} == {("L0.H1",)} | {
        (f"L1.{node}",) for node in ("H0", "H1", "mlp")
    }
    assert "strict" not in trained.looks[-1].losses
