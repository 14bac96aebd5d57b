"""Effects as signed sums of read-outs: identities hold term by term, before any number is known."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import (
    READOUTS,
    Ablation,
    AblationKind,
    At,
    Base,
    Const,
    Contrast,
    Direction,
    Do,
    Handle,
    Learning,
    MediatorSet,
    Node,
    Noising,
    Op,
    Position,
    Query,
    Read,
    ReadOut,
    Scalar,
    Self,
    ablation_effect,
    joint,
    kl,
    logit_diff,
    loss,
    nde,
    nie,
    patch,
    tde,
    te,
    tie,
)
from causalnet.interventions.techniques import causal_trace, noised
from tests.interventions.terms import GRAPH, POSITIONS, mediator_sets

BASE, SOURCE = Base("base"), Base("source")
HEAD, MLP = GRAPH.find("L1.H2"), GRAPH.find("L0.mlp")
INTERCHANGE = Ablation(AblationKind.COUNTERFACTUAL)
VECTOR = Handle("v", "digest")
Rows: TypeAlias = list[Mediator | MediatorSet]
Effect: TypeAlias = Callable[..., Query]
READ_OUTS = st.sampled_from(sorted(READOUTS.values(), key=str))


def terms(*contrasts: Scalar) -> dict[Scalar, float]:
    """The sum of contrasts, with equal read-outs added up and those that cancel left out."""
    total: dict[Scalar, float] = {}
    for contrast in contrasts:
        assert isinstance(contrast, Contrast)
        for weight, read in contrast.terms:
            total[read] = total.get(read, 0.0) + weight
    return {read: weight for read, weight in total.items() if weight}


def minus(contrast: Scalar) -> Contrast:
    assert isinstance(contrast, Contrast)
    return Contrast(tuple((-weight, read) for weight, read in contrast.terms))


@given(mediator_sets(), POSITIONS, READ_OUTS)
def test_effects_add_up_term_by_term(
    rows: Rows, at: tuple[Position, ...], outcome: ReadOut
) -> None:
    """TE = NDE + TIE = NIE + TDE, as linear combinations of symbols."""
    [(_, total)] = te(outcome).contrasts
    effects = [query(rows, at=at, outcome=outcome) for query in (nde, tie, nie, tde)]
    for direct, total_indirect, indirect, total_direct in zip(
        *(query.contrasts for query in effects), strict=True
    ):
        assert terms(direct[1], total_indirect[1]) == terms(total)
        assert terms(indirect[1], total_direct[1]) == terms(total)
        assert terms(indirect[1]) != terms(total)


@given(mediator_sets(), POSITIONS, READ_OUTS)
def test_interchange_is_an_ablation(rows: Rows, at: tuple[Position, ...], outcome: ReadOut) -> None:
    """Noising with the paired value is NIE; denoising with it is -TIE."""
    noising = ablation_effect(rows, INTERCHANGE, at=at, outcome=outcome)
    denoising = ablation_effect(rows, INTERCHANGE, at=at, outcome=outcome, direction="denoising")
    for harmed, indirect, denoised, total_indirect in zip(
        noising.contrasts,
        nie(rows, at=at, outcome=outcome).contrasts,
        denoising.contrasts,
        tie(rows, at=at, outcome=outcome).contrasts,
        strict=True,
    ):
        assert terms(harmed[1]) == terms(indirect[1])
        assert terms(denoised[1]) == terms(minus(total_indirect[1]))


@given(mediator_sets(), st.sampled_from([nde, nie, tde, tie]))
def test_rows_keep_their_labels_and_members(rows: Rows, query: Effect) -> None:
    made = query(rows)
    labels = [row.label if isinstance(row, MediatorSet) else row.name for row in rows]
    members = [row.members if isinstance(row, MediatorSet) else (row,) for row in rows]
    assert [label for label, _ in made.contrasts] == labels
    assert list(made.treated) == members


def swapped(below: Base, other: Base) -> Do:
    """Head and MLP at S2 set to their values in another world; the head on its z."""
    return Do(
        below,
        tuple((Node(name, ("S2",)), At(name, other)) for name in ("L1.H2.z", "L0.mlp")),
    )


@pytest.mark.parametrize(
    ("query", "expected", "direction"),
    [
        (nie, {swapped(BASE, SOURCE): 1, BASE: -1}, "noising"),
        (nde, {swapped(SOURCE, BASE): 1, BASE: -1}, "denoising"),
        (tie, {SOURCE: 1, swapped(SOURCE, BASE): -1}, "denoising"),
        (tde, {SOURCE: 1, swapped(BASE, SOURCE): -1}, "noising"),
    ],
    ids=["NIE", "NDE", "TIE", "TDE"],
)
def test_definitions(query: Effect, expected: dict[Base | Do, int], direction: str) -> None:
    made = query(joint("both", HEAD, MLP), at="S2", outcome=loss)
    [(label, contrast)] = made.contrasts
    assert label == "both"
    assert terms(contrast) == {Read(loss, world): sign for world, sign in expected.items()}
    assert (made.direction, made.readout, made.at) == (direction, loss, ("S2",))
    assert made.ablation == INTERCHANGE


def test_the_total_effect_is_source_minus_base() -> None:
    query = te()
    [(label, contrast)] = query.contrasts
    assert label == query.estimand == "TE"
    assert terms(contrast) == {Read(logit_diff, SOURCE): 1, Read(logit_diff, BASE): -1}
    assert (query.treated, query.ablation, query.at) == (((),), None, ())


@given(
    mediator_sets(),
    st.integers(1, 7),
    POSITIONS,
    st.sampled_from(("noising", "denoising")),
)
def test_draws_are_averaged(
    rows: Rows, draws: int, at: tuple[Position, ...], direction: Direction
) -> None:
    resample = Ablation(AblationKind.RESAMPLE, "digest", 64, draws)
    below = BASE if direction == "noising" else SOURCE
    query = ablation_effect(rows, resample, at=at, direction=direction)
    assert (query.estimand, query.direction, query.ablation) == ("AE", direction, resample)
    for (_, contrast), members in zip(query.contrasts, query.treated, strict=True):
        expected = [(-1.0, Read(logit_diff, below))]
        for draw in reversed(range(draws)):
            sites = [Node(resample.site(member), at) for member in members]
            values = [At(site.mediator, Base(f"resample {draw}")) for site in sites]
            world = Do(below, tuple(zip(sites, values, strict=True)))
            expected.insert(0, (1 / draws, Read(logit_diff, world)))
        assert contrast == Contrast(tuple(expected))


@pytest.mark.parametrize(
    ("ablation", "on_head", "on_mlp"),
    [
        (Ablation(AblationKind.ZERO), Const(), Const()),
        (INTERCHANGE, At("L1.H2.z", SOURCE), At("L0.mlp", SOURCE)),
        (
            Ablation(AblationKind.MEAN, "d", 8),
            Const(Handle("mean of L1.H2.z", "mean|L1.H2.z|d")),
            Const(Handle("mean of L0.mlp", "mean|L0.mlp|d")),
        ),
        (
            Ablation(AblationKind.MEAN_PER_POSITION, "d", 8),
            Const(Handle("mean of L1.H2.z per position", "mean_per_position|L1.H2.z|d")),
            Const(Handle("mean of L0.mlp per position", "mean_per_position|L0.mlp|d")),
        ),
        (Ablation(AblationKind.CONSTANT, vector=VECTOR), Const(VECTOR), Const(VECTOR)),
        (
            Ablation(AblationKind.STEER, vector=VECTOR, factor=-2.0),
            Op("add", (Self(), Const(VECTOR)), (("factor", -2.0),)),
            Op("add", (Self(), Const(VECTOR)), (("factor", -2.0),)),
        ),
    ],
    ids=lambda given: str(given) if isinstance(given, Ablation) else "",
)
def test_what_ablations_set(ablation: Ablation, on_head: object, on_mlp: object) -> None:
    """A head is set on its z, where that is the same; a given vector where it is asked for."""
    world = patch(BASE, (HEAD, MLP), ablation, SOURCE, at=("end",))
    given_vector = ablation.kind in (AblationKind.CONSTANT, AblationKind.STEER)
    head = Node("L1.H2" if given_vector else "L1.H2.z", ("end",))
    assert world.assignments == ((head, on_head), (Node("L0.mlp", ("end",)), on_mlp))


def test_all_positions_have_one_spelling() -> None:
    everywhere = nie(HEAD)
    assert nie(HEAD, at="all") == nie(HEAD, at=("all",)) == nie(HEAD, at=()) == everywhere
    assert nie(HEAD, at="end") == nie(HEAD, at=("end",)) == nie(HEAD, at=["end"])
    assert nie(HEAD, at=3).at == (3,)
    assert nie(HEAD, at=0).at == (0,) != everywhere.at
    assert nie(HEAD) == nie([HEAD]) == nie((HEAD,))


@pytest.mark.parametrize(
    ("reason", "kind", "reference", "size", "draws", "vector", "factor"),
    [
        ("needs a reference", AblationKind.MEAN, None, 0, 1, None, 1.0),
        ("needs a reference", AblationKind.MEAN_PER_POSITION, None, 0, 1, None, 1.0),
        ("needs a reference", AblationKind.RESAMPLE, None, 0, 3, None, 1.0),
        ("uses no reference", AblationKind.ZERO, "d", 4, 1, None, 1.0),
        ("uses no reference", AblationKind.COUNTERFACTUAL, "d", 4, 1, None, 1.0),
        ("uses no reference", AblationKind.STEER, "d", 4, 1, VECTOR, 1.0),
        ("has 0 reference prompts", AblationKind.MEAN, "d", 0, 1, None, 1.0),
        ("has 4 reference prompts", AblationKind.ZERO, None, 4, 1, None, 1.0),
        ("needs a vector", AblationKind.CONSTANT, None, 0, 1, None, 1.0),
        ("needs a vector", AblationKind.STEER, None, 0, 1, None, 2.0),
        ("uses no vector", AblationKind.ZERO, None, 0, 1, VECTOR, 1.0),
        ("uses no vector", AblationKind.MEAN, "d", 4, 1, VECTOR, 1.0),
        ("has 0 draws", AblationKind.RESAMPLE, "d", 4, 0, None, 1.0),
        ("has 2 draws", AblationKind.MEAN, "d", 4, 2, None, 1.0),
        ("uses no factor", AblationKind.CONSTANT, None, 0, 1, VECTOR, 2.0),
    ],
)
def test_ablations_hold_exactly_what_they_need(
    reason: str,
    kind: AblationKind,
    reference: str | None,
    size: int,
    draws: int,
    vector: Handle | None,
    factor: float,
) -> None:
    with pytest.raises(TermError, match=reason):
        Ablation(kind, reference, size, draws, vector, factor)


@pytest.mark.parametrize(
    ("ablation", "text"),
    [
        (Ablation(AblationKind.ZERO), "zero"),
        (INTERCHANGE, "counterfactual"),
        (Ablation(AblationKind.MEAN, "d", 8), "mean (8 reference prompts d)"),
        (Ablation(AblationKind.RESAMPLE, "d", 64), "resample (64 reference prompts d)"),
        (
            Ablation(AblationKind.RESAMPLE, "d", 64, 4),
            "resample (64 reference prompts d, 4 draws)",
        ),
        (Ablation(AblationKind.CONSTANT, vector=VECTOR), "constant (v digest)"),
        (Ablation(AblationKind.STEER, vector=VECTOR, factor=-0.5), "steer (v digest, factor -0.5)"),
    ],
)
def test_ablations_print_their_conventions(ablation: Ablation, text: str) -> None:
    assert str(ablation) == text


def test_contrasts_print_as_sums() -> None:
    resample = Ablation(AblationKind.RESAMPLE, "d", 8, draws=2)
    [(_, contrast)] = ablation_effect(MLP, resample).contrasts
    assert str(contrast) == (
        "0.5 logit_difference(<base> + {L0.mlp := L0.mlp in <resample 0>}) "
        "+ 0.5 logit_difference(<base> + {L0.mlp := L0.mlp in <resample 1>}) "
        "- logit_difference(<base>)"
    )
    [(_, negative)] = tie(MLP).contrasts
    assert str(minus(negative)).startswith("- logit_difference(<source>) + logit_difference(")


@given(mediator_sets(), POSITIONS)
def test_equal_queries_are_one_key(rows: Rows, at: tuple[Position, ...]) -> None:
    assert {nie(rows, at=at): "found"}[nie(list(rows), at=list(at))] == "found"
    assert nie(rows, at=at) != nde(rows, at=at)
    assert nie(rows, at=at) != nie(rows, at=at, outcome=kl)


@pytest.mark.parametrize("query", [nde, nie, tde, tie])
def test_rows_that_cannot_be_told_apart_are_refused(query: Effect) -> None:
    with pytest.raises(TermError, match="Two rows have one label"):
        query([HEAD, MLP, HEAD])
    with pytest.raises(TermError, match="Two rows have one label"):
        query([HEAD, joint("L1.H2", MLP)])
    with pytest.raises(TermError, match=r"No mediator was given.*net\.heads\(\)"):
        query([])


def test_sets_name_each_mediator_once() -> None:
    with pytest.raises(TermError, match="'pair' is empty or names a mediator twice"):
        joint("pair", HEAD, MLP, HEAD)
    with pytest.raises(TermError, match="'none' is empty"):
        joint("none")
    z = Mediator("L1.H2.z", Kind.Z, 1, 2)
    with pytest.raises(TermError, match=r"L1\.H2\.z and L1\.H2\.z overlap"):
        nie(joint("a head and its z", HEAD, z))


@pytest.mark.parametrize("at", [2.5, (2.5,), True, None])
def test_positions_are_names_or_indices(at: object) -> None:
    with pytest.raises(TermError, match=f"{at if at != (2.5,) else 2.5} is not a position"):
        nie(MLP, at=at)  # type: ignore[arg-type]  # the mistake


NOISE = Ablation(AblationKind.NOISE, draws=2, noise=Noising(0.5, at=("S1",), seed=3))


def test_noise_is_read_in_the_noised_base_and_restored_in_it() -> None:
    """Denoising with noise is causal tracing, whose corrupted runs are those of the ablation."""
    noised_runs = [noised("S1", 0.5, f"noise 3 {draw}") for draw in range(2)]
    assert [NOISE.corrupted(SOURCE, draw) for draw in range(2)] == noised_runs
    assert NOISE.value(HEAD, SOURCE, 1) == At("L1.H2.z", noised_runs[1])
    restored = ablation_effect(MLP, NOISE, at="end", direction="denoising")
    traced = causal_trace(
        MLP, "S1", sigma=0.5, draws=2, key="noise 3", at="end", outcome=logit_diff
    )
    assert restored.contrasts == traced.contrasts
    assert restored.below == traced.below
    assert str(NOISE) == (
        "noise (2 draws, noise of 0.5, 3 times the standard deviation of the vocabulary, on S1, "
        "seed 3)"
    )


def test_optimal_constants_are_of_what_is_ablated_together() -> None:
    optimal = Ablation(AblationKind.OPTIMAL, "d", 8, learning=Learning())
    both, alone = patch(BASE, (HEAD, MLP), optimal, SOURCE), patch(BASE, (HEAD,), optimal, SOURCE)
    swapped = patch(BASE, (MLP, HEAD), optimal, SOURCE)
    assert dict(both.assignments) == dict(swapped.assignments)
    assert both.assignments[0][1] != alone.assignments[0][1]
    assert (
        patch(BASE, (HEAD,), optimal, SOURCE, at="end").assignments[0][1]
        != (alone.assignments[0][1])
    )
    with pytest.raises(TermError, match="learned jointly"):
        optimal.value(HEAD, SOURCE)
    with pytest.raises(TermError, match="needs settings of learning"):
        Ablation(AblationKind.OPTIMAL, "d", 8)
    with pytest.raises(TermError, match="needs noise"):
        Ablation(AblationKind.NOISE)
    with pytest.raises(TermError, match="There is kl and loss"):
        Learning("accuracy")  # type: ignore[arg-type]  # a user's typing error
    with pytest.raises(TermError, match="finite, and 0 or more"):
        Noising(-0.1)
