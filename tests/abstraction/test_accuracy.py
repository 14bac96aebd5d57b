"""Interchange accuracy on a network that is known: the truth passes, all else is told from it."""

import json

import numpy as np
import pytest
import torch

from causalnet.abstraction import (
    AlignedSite,
    Alignment,
    Basis,
    InterchangeAccuracy,
    aligned,
    draw_interchanges,
    interchange_accuracy,
)
from causalnet.abstraction.controls import CONTROLS, Arm, arms_of
from causalnet.abstraction.measuring import measure_arms
from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from tests.abstraction.entities import TRUE, examples, model, network, slot_basis

PAIRS = {
    name: draw_interchanges(model(), examples(), name, 80, seed=3) for name in ("colour", "shape")
}


def measured(
    alignment: Alignment, variable: str = "colour", **options: object
) -> InterchangeAccuracy:
    waive = {"random": "two heads are left"} if "waive" not in options else {}
    return interchange_accuracy(
        network(),
        PAIRS[variable],
        alignment,
        **{"waive": waive, **options},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("variable", ["colour", "shape"])
@pytest.mark.parametrize("criterion", ["top", "candidates"])
def test_the_true_alignment_is_right_on_every_pair(variable: str, criterion: str) -> None:
    found = measured(aligned(TRUE), variable, criterion=criterion, waive={})
    assert found.cause.estimate == found.isolate.estimate == found.base.estimate == 1.0
    assert found.eps == 0.0 and found.worst.gap > 0
    assert found.is_above_controls and not found.not_beaten and not found.waived
    assert {each.control for each in found.controls} == set(CONTROLS)


def test_controls_do_what_the_hypothesis_says_they_would() -> None:
    found = measured(aligned(TRUE))
    for each in found.controls:
        assert each.cause.estimate == pytest.approx(each.expected), each.label
    by_name = {each.label: each for each in found.controls}
    assert by_name["no intervention"].cause.estimate == 0.0
    assert by_name["no intervention"].isolate.estimate == 1.0
    assert by_name["shuffled source"].cause.estimate < 0.7


def test_swapping_a_cut_is_swapping_everything() -> None:
    """The stream at the end behind the last layer: the high-level swap of all inputs."""
    pairs = PAIRS["colour"]
    arms, _ = arms_of(
        aligned({"colour": "L0.H0"}, at="end"), network().graph, draws=1, seed=0, waive={}
    )
    full = next(arm for arm in arms if arm.control == "full swap")
    scores, _ = measure_arms(network(), pairs, [full])
    everything = [
        pairs.model.interchange(
            pairs.examples.row(base),
            {name: pairs.examples.row(source) for name in pairs.model.inputs},
        )
        for base, (source,) in zip(pairs.base.tolist(), pairs.sources.tolist(), strict=True)
    ]
    assert tuple(everything) == pairs.of_sources
    given = [one == other for one, other in zip(everything, pairs.predicted, strict=True)]
    assert scores["full swap"].is_top.tolist() == given


def test_a_wrong_alignment_is_no_better_than_its_controls() -> None:
    found = measured(aligned({"colour": "L0.H2"}), waive={})
    assert found.cause.estimate == 0.0 and found.isolate.estimate == 1.0
    assert not found.is_above_controls
    assert {"no intervention", "shuffled source"} <= set(found.not_beaten)
    assert found.worst.is_cause and found.worst.gap < 0
    assert found.worst.predicted != found.worst.answered


def test_a_node_that_holds_too_much_fails_on_isolate_pairs() -> None:
    found = measured(aligned({"colour": ["L0.H0", "L0.H1"]}), waive={"random": "one is left"})
    assert found.cause.estimate == 1.0
    assert found.isolate.estimate < 1.0
    assert found.worst_stratum[0] == "isolate"


def test_subspaces_and_random_subspaces_of_equal_rank() -> None:
    site = AlignedSite("L0.resid_mid", ("end",), Basis(slot_basis("colour"), "colour slot"))
    found = measured(Alignment({"colour": (site,)}), waive={}, draws=3)
    assert found.eps == 0.0 and found.is_above_controls
    random = [each for each in found.controls if each.control == "random"]
    assert len(random) == 3 and all("(3-d random subspace)" in each.text for each in random)
    assert max(each.cause.estimate for each in random) < 0.5


def test_a_whole_basis_is_the_whole_node() -> None:
    eye = torch.eye(slot_basis("out").shape[1], dtype=torch.float64)
    arms = [
        Alignment({"colour": (AlignedSite("L0.resid_mid", ("end",), basis),)})
        for basis in (None, Basis(eye))
    ]
    one, other = (measured(each, waive={"random": "a cut", "full swap": "a cut"}) for each in arms)
    assert (one.cause, one.isolate) == (other.cause, other.isolate)
    assert one.worst.gap == pytest.approx(other.worst.gap)


def test_the_answer_itself_cannot_be_told_from_a_full_swap() -> None:
    pairs = draw_interchanges(model(), examples(), "answer", 60, seed=0)
    found = interchange_accuracy(network(), pairs, aligned({"answer": "L0.mlp"}, at="end"))
    full = next(each for each in found.controls if each.control == "full swap")
    assert found.eps == 0.0 and full.expected == 1.0 and not full.can_tell
    assert [each.control for each in found.unavailable] == ["random"]
    assert found.not_beaten == ("random",) and not found.is_above_controls
    waive = {"random": "there is one MLP"}
    again = interchange_accuracy(
        network(), pairs, aligned({"answer": "L0.mlp"}, at="end"), waive=waive
    )
    assert again.is_above_controls and again.waived == (("random", "there is one MLP"),)
    assert again.to_json()["waived"] == waive


def test_several_variables_from_several_sources() -> None:
    pairs = draw_interchanges(model(), examples(), ["colour", "shape"], 60, seed=1)
    assert (pairs.sources[:, 0] != pairs.sources[:, 1]).any()
    found = interchange_accuracy(network(), pairs, aligned(TRUE), waive={"random": "one is left"})
    assert found.eps == 0.0 and found.is_above_controls
    # Both heads widen to one place, which can be set from one source: the later variable's.
    full = next(each for each in found.controls if each.control == "full swap")
    assert full.text == "shape = L0.resid_post" and full.expected is None
    swapped = aligned({"colour": TRUE["shape"], "shape": TRUE["colour"]})
    wrong = interchange_accuracy(network(), pairs, swapped, waive={"random": "one is left"})
    assert wrong.cause.estimate < 0.5


def test_results_are_the_same_again_and_plain_values() -> None:
    one, other = (measured(aligned(TRUE), waive={}) for _ in range(2))
    assert one == other
    assert json.loads(json.dumps(one.to_json())) == one.to_json()
    assert "beaten" in str(one) and "worst" in str(one)


def test_intervals_are_exact_and_say_so() -> None:
    rate = measured(aligned(TRUE)).cause
    anytime, fixed = rate.interval, rate.at_fixed_n
    assert anytime is not None and fixed is not None
    assert fixed.low == pytest.approx(0.05 ** (1 / 40)) and fixed.high == 1.0  # 40 of 40
    assert anytime.low < fixed.low


def test_mistakes_are_told_in_three_parts() -> None:
    with pytest.raises(ParameterError, match=r"no control 'chance'.*Controls are no intervention"):
        measured(aligned(TRUE), waive={"chance": "why"})
    with pytest.raises(ParameterError, match=r"'random' is waived without a reason"):
        measured(aligned(TRUE), waive={"random": " "})
    with pytest.raises(TermError, match=r"'colour' is not aligned. Aligned are shape"):
        measured(aligned({"shape": "L0.H1"}))
    with pytest.raises(TermError, match=r"L0.H0 is aligned with 'colour' and with 'shape'"):
        aligned({"colour": "L0.H0", "shape": "L0.H0"})
    with pytest.raises(ParameterError, match=r"off orthonormal by 1.0e\+00"):
        aligned({"colour": "L0.H0"}, subspace=torch.ones(1, 2))
    with pytest.raises(ParameterError, match=r"vectors 4 wide at L0.H0"):
        measured(aligned({"colour": "L0.H0"}, subspace=torch.eye(4)))
    with pytest.raises(UnknownMediatorError):
        measured(aligned({"colour": "L7.H0"}))
    with pytest.raises(ParameterError, match="alpha"):
        measured(aligned(TRUE), alpha=0.7)
    with pytest.raises(ParameterError, match="draws=0"):
        measured(aligned(TRUE), draws=0)
    with pytest.raises(ParameterError, match="criterion 'best'"):
        measured(aligned(TRUE), criterion="best")


def test_the_worst_pair_is_the_one_furthest_off() -> None:
    width = slot_basis("out").shape[1]
    rows = torch.linalg.qr(torch.randn(width, 12, dtype=torch.float64, generator=_seeded())).Q.T
    site = AlignedSite("L0.resid_mid", ("end",), Basis(rows, "any"))
    alignment, pairs = Alignment({"colour": (site,)}), PAIRS["colour"]
    scores, _ = measure_arms(network(), pairs, [Arm("", "hypothesis", alignment, "")])
    wrong = ~scores["hypothesis"].hits("top")
    gaps = scores["hypothesis"].gaps()[wrong]
    assert gaps.max() - gaps.min() > 0.1
    assert measured(alignment, waive={}).worst.gap == pytest.approx(gaps.min())


def test_random_nodes_are_of_the_layer_where_it_has_others() -> None:
    from tests.toys import net

    graph = net("gpt2").graph

    def drawn(nodes: list[str], draws: int = 8) -> list[list[str]]:
        alignment = aligned({"x": nodes}, at="end")
        arms, missing = arms_of(alignment, graph, draws=draws, seed=0, waive={})
        assert not missing
        return [
            [site.mediator for site in arm.alignment.sites["x"]]
            for arm in arms
            if arm.control == "random" and arm.alignment is not None
        ]

    one = drawn(["L1.H0"])
    assert sorted(one) == [["L1.H1"], ["L1.H2"], ["L1.H3"]]  # all that there are
    two = drawn(["L0.H0", "L1.H3"])
    assert all(low.startswith("L0.") and high.startswith("L1.") for low, high in two)
    assert len({*map(tuple, two)}) == len(two) > 3
    assert all(
        {*each} <= {f"L0.H{h}" for h in range(4)} for each in drawn([f"L1.H{h}" for h in range(4)])
    )
    assert drawn(["L0.mlp"]) == [["L1.mlp"]]
    _, missing = arms_of(aligned({"x": ["L0.mlp", "L1.mlp"]}), graph, draws=2, seed=0, waive={})
    assert [each.control for each in missing] == ["random"] and "L0.mlp (mlp)" in missing[0].reason


def test_hooks_and_the_wavefront_agree() -> None:
    """Oracle: the hook executor, on a random regular network, in float64."""
    from causalnet.abstraction import Examples, HighLevelModel
    from tests.toys import net, words

    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 5, size=4)) for _ in range(12)]
    rows = [{"prompt": text, "last": text.split()[-1], "two": text.split()[1]} for text in texts]
    table = Examples.from_rows(words(), rows)
    high = HighLevelModel.of(
        "toy", inputs=["last", "two"], variables={"y": lambda last, two: max(last, two)}, output="y"
    )
    pairs = draw_interchanges(high, table, ["two", "last"], 10)
    basis = torch.linalg.qr(torch.randn(32, 2, dtype=torch.float64, generator=_seeded())).Q.T
    sites = {
        "two": (AlignedSite("L0.H1", ("end",)),),
        "last": (AlignedSite("L1.resid_mid", ("end",), Basis(basis)),),
    }
    arm = Arm("", "hypothesis", Alignment(sites), "")
    one, _ = measure_arms(net("gpt2"), pairs, [arm], executor="hooks")
    other, _ = measure_arms(net("gpt2"), pairs, [arm], executor="wavefront")
    np.testing.assert_allclose(
        one["hypothesis"].logits, other["hypothesis"].logits, rtol=0, atol=1e-10
    )


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
