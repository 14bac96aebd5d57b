"""Path patching, ACDC steps and causal tracing: conventions held to sets of paths."""

from functools import partial

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs.paths import PathSet
from causalnet.interventions import (
    Contrast,
    Do,
    Edge,
    Read,
    World,
    acdc_step,
    causal_diagram,
    causal_trace,
    kl,
    noised,
    noising,
    path_patch,
    per_total_effect,
    pse,
    value_of,
    windows,
    without_edge,
)
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.random_models import hash_scm, relu_scm
from tests.interventions.technique_cases import (
    BASE,
    HEAD,
    LOGITS,
    MLP,
    NET,
    QUERY,
    SOURCE,
    fields,
    logits,
    values,
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("receivers", [("L2.H0.q",), ("L2.H1.v", "L2.mlp"), ("logits",)])
def test_freezing_everything_makes_the_conventions_one(
    receivers: tuple[str, ...], seed: int
) -> None:
    model, ends = hash_scm(NET, seed), [NET.find(name) for name in receivers]
    direct = path_patch(HEAD, ends, outcome=LOGITS)
    frozen = partial(path_patch, HEAD, ends, convention="heads-frozen", outcome=LOGITS)
    everything = frozen(frozen=(*NET.heads(), *NET.mlps()))
    if len(receivers) == 1:  # with two, the second sees the first's change only by edges
        assert np.array_equal(logits(direct, model), logits(everything, model))
    heads_only = frozen(frozen=NET.heads())
    assert not np.array_equal(logits(direct, model), logits(heads_only, model))


def test_without_an_mlp_between_the_conventions_agree() -> None:
    model, receiver = hash_scm(NET, 0), NET.find("L0.mlp")
    direct = path_patch(HEAD, receiver, outcome=LOGITS)
    published = path_patch(
        HEAD, receiver, convention="heads-frozen", frozen=NET.heads(), outcome=LOGITS
    )
    assert np.array_equal(logits(direct, model), logits(published, model))


@pytest.mark.parametrize("seed", range(3))
def test_each_convention_is_a_set_of_paths(seed: int) -> None:
    """Receiver-only: sender, receiver, on.  Heads frozen: MLPs may lie between, heads may not."""
    model, diagram = hash_scm(NET, seed), causal_diagram(NET)
    through = PathSet.through_each(diagram, "L0.H1.z", "logits", ["L2.H0.q"])
    others = [f"L1.H{head}.{part}" for head in (0, 1) for part in "qkv"]
    no_heads = through - PathSet.through(diagram, "L0.H1.z", "logits", others)
    nothing = no_heads - PathSet.through(diagram, "L0.H1.z", "logits", ["L0.mlp", "L1.mlp"])
    published = path_patch(
        HEAD, QUERY, convention="heads-frozen", frozen=NET.heads(), outcome=LOGITS
    )
    for paths, query in ((no_heads, published), (nothing, path_patch(HEAD, QUERY, outcome=LOGITS))):
        assert np.array_equal(logits(pse(paths, LOGITS), model), logits(query, model))


def test_all_edges_out_of_a_head_are_the_head() -> None:
    model = hash_scm(NET, 1)
    own = [node.mediator for node in NET.nodes for slot in node.slots if slot.stream]
    scales = {name for name in NET.names() if name.endswith(".scale")}
    ends = [
        each
        for each in dict.fromkeys(own)
        if each.name not in scales and "L0.H1" in NET.parents(each)
    ]
    by_edges = path_patch(HEAD, ends, outcome=LOGITS)
    assert np.array_equal(logits(by_edges, model), logits(noising(HEAD, outcome=LOGITS), model))


def test_path_patches_that_are_not_one_are_refused() -> None:
    with pytest.raises(TermError, match=r"head L2\.H0 does not read.*net\['L2\.H0\.q'\]"):
        path_patch(HEAD, NET.find("L2.H0"))
    with pytest.raises(TermError, match="There are 'receiver-only' and 'heads-frozen'"):
        path_patch(HEAD, QUERY, convention="direct")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TermError, match=r"nothing frozen.*frozen=net\.heads\(\)"):
        path_patch(HEAD, QUERY, convention="heads-frozen")
    with pytest.raises(TermError, match="No receiver"):
        path_patch(HEAD, [])
    for named in ("L2.H0.q", ["L2.H0.q"]):
        with pytest.raises(TermError, match=r"'L2\.H0\.q' is not a mediator"):
            path_patch(HEAD, named)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TermError, match="is not an edge"):
        acdc_step([("L0.H1", "logits")])  # type: ignore[list-item]  # the mistake
    with pytest.raises(TermError, match="0 rows"):
        acdc_step([])
    with pytest.raises(TermError, match="positions of its sender"):
        path_patch(HEAD, QUERY, receiver_at="end")


def test_edges_removed_one_by_one_leave_the_source() -> None:
    """ACDC's chain: with every edge of a cut removed, the outcome is that of the source."""
    model = hash_scm(NET, 0)
    kept: World = BASE
    for sender in NET.writers:
        edge = Edge(sender, "logits")
        [(label, contrast)] = acdc_step([edge], kept, outcome=LOGITS).contrasts
        assert label == str(edge)
        removed = without_edge(kept, edge)
        assert contrast == Contrast(((1.0, Read(LOGITS, removed)), (-1.0, Read(LOGITS, kept))))
        kept = removed
    assert np.array_equal(model.value("logits", kept), model.value("logits", SOURCE))
    assert acdc_step([Edge("embed", "logits")], kept).unpatched == Read(kl, kept)


def test_tracing_without_noise_changes_nothing() -> None:
    model = hash_scm(NET, 0)
    world = noised("S1", 0.0)
    noiseless = SCM(**{**fields(model), "operations": {"add": lambda values, _: values[0]}})
    assert np.array_equal(noiseless.value("logits", world), model.value("logits", BASE))


def test_restoring_what_was_noised_restores_everything() -> None:
    model = relu_scm(NET, 0)
    outcome = value_of("logits")
    embed = NET.find("embed")
    options = {"sigma": 0.5, "draws": 3, "outcome": outcome}
    restored = causal_trace(embed, "S1", **options)  # type: ignore[arg-type]  # a mixed mapping
    [at_subject] = values(restored, model)
    total = per_total_effect(restored).denominator
    assert total is not None
    np.testing.assert_allclose(at_subject, model.scalar(total), atol=1e-12)
    assert np.abs(at_subject).max() > 1e-3
    mlps = causal_trace(windows(NET.mlps(), 2), "S1", **options)  # type: ignore[arg-type]
    assert [label for label, _ in mlps.contrasts] == ["around L0", "around L1", "around L2"]
    assert len(mlps.treated[2]) == 2


def test_a_restored_world_shares_the_noise_of_the_noised_one() -> None:
    [(_, contrast)] = causal_trace(MLP, "S1", sigma=0.1, draws=2).contrasts
    assert isinstance(contrast, Contrast)
    worlds = [read.world for _, read in contrast.terms if isinstance(read, Read)]
    assert worlds[2:] == [noised("S1", 0.1, f"trace {draw}") for draw in (0, 1)]
    assert [world.world for world in worlds[:2] if isinstance(world, Do)] == worlds[2:]
    assert [weight for weight, _ in contrast.terms] == [0.5, 0.5, -0.5, -0.5]
    with pytest.raises(TermError, match="0 draws"):
        causal_trace(MLP, "S1", sigma=0.1, draws=0)
    with pytest.raises(TermError, match="deviation -1"):
        noised("S1", -1)
    with pytest.raises(TermError, match="at least one layer"):
        windows(NET.mlps(), 0)
    with pytest.raises(TermError, match="embed has no layer"):
        windows([NET.find("embed")])
