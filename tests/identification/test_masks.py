"""Sets of bits say the same as graphs on arrays."""

from hypothesis import given
from hypothesis import strategies as st

from causalnet.graphs import ADMG, is_m_separated, latent_projection
from causalnet.identification.algorithms.masks import Masks
from tests.graphs.random_admgs import admgs

PARTS = st.lists(st.integers(0, 4), min_size=8, max_size=8)


def parts(graph: ADMG, chosen: list[int]) -> list[list[str]]:
    return [
        [v for v, part in zip(graph.nodes, chosen, strict=False) if part == k] for k in range(5)
    ]


@given(admgs(2, 8), PARTS)
def test_what_is_reached(graph: ADMG, chosen: list[int]) -> None:
    masks = Masks.of(graph)
    some = parts(graph, chosen)[0]
    mask = masks.mask(some)
    assert set(masks.names(masks.ancestors(mask))) == graph.ancestors(some)
    assert set(masks.names(masks.descendants(mask))) == graph.descendants(some)
    districts = {frozenset(masks.names(each)) for each in masks.districts(masks.alive)}
    assert districts == set(graph.districts())
    assert masks.ordered(masks.alive) == list(masks.order)


@given(admgs(2, 8), PARTS)
def test_separation_after_surgery(graph: ADMG, chosen: list[int]) -> None:
    xs, ys, given_nodes, heads, tails = parts(graph, chosen)
    cut = graph.cut_in(heads).cut_out(tails)
    masks = Masks.of(graph)
    cut_masks = masks.cut(masks.mask(heads), masks.mask(tails))
    separated = cut_masks.separated(*map(masks.mask, (xs, ys, given_nodes)))
    assert separated == is_m_separated(cut, xs, ys, given_nodes)


@given(admgs(2, 8), PARTS)
def test_omitting_nodes_is_latent_projection(graph: ADMG, chosen: list[int]) -> None:
    omitted = parts(graph, chosen)[0]
    masks = Masks.of(graph)
    masks = masks.without(masks.mask(omitted))
    kept = [v for v in graph.nodes if v not in omitted]
    projected = latent_projection(graph, kept)
    expected = Masks.of(ADMG.of(projected.directed, projected.bidirected, graph.nodes))
    assert (masks.parents, masks.children, masks.siblings) == (
        expected.parents,
        expected.children,
        expected.siblings,
    )
    assert set(masks.names(masks.alive)) == set(kept)


@given(admgs(2, 8), PARTS)
def test_subgraphs(graph: ADMG, chosen: list[int]) -> None:
    some = parts(graph, chosen)[0]
    masks = Masks.of(graph)
    induced = graph.induced(some)
    expected = Masks.of(ADMG.of(induced.directed, induced.bidirected, graph.nodes))
    found = masks.induced(masks.mask(some))
    assert (found.parents, found.siblings) == (expected.parents, expected.siblings)
