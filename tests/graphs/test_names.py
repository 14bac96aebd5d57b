import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import (
    Kind,
    Mediator,
    TransformerShape,
    canonical,
    nearest,
    split_positions,
    transformer_graph,
)
from tests.graphs.textbook import GPT2_SMALL, SMOLLM2, shapes

SMOLLM2_GRAPH = transformer_graph(SMOLLM2)
GPT2_GRAPH = transformer_graph(GPT2_SMALL)
POSITION = st.text("abcS123_", min_size=1, max_size=5)


@given(shapes())
def test_names_are_found_and_printed_alike(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    assert len(set(graph.names())) == len(graph.names())
    for name in graph.names():
        mediator = graph.find(name)
        assert str(mediator) == mediator.name == name == canonical(name)
        assert graph.find(mediator) == mediator


def other_spellings(mediator: Mediator) -> list[str]:
    """How TransformerLens and EAP call a mediator, and how people do."""
    layer, head = mediator.layer, mediator.index
    match mediator.kind:
        case Kind.EMBED:
            return ["input", "hook_embed"]
        case Kind.POSITIONS:
            return ["hook_pos_embed"]
        case Kind.HEAD:
            people = [f"L{layer}H{head}", f"l{layer}.h{head}", f"{layer}.H{head}"]
            return [f"a{layer}.h{head}", f"{mediator}.out", *people]
        case Kind.QUERY:
            return [f"a{layer}.h{head}.q", f"a{layer}.h{head}<q>", f"L{layer}H{head}.q"]
        case Kind.Z | Kind.PATTERN:
            return [f"a{layer}.h{head}.{mediator.name.split('.')[-1]}"]
        case Kind.MLP:
            return [f"m{layer}", f"blocks.{layer}.hook_mlp_out", f"{mediator}.out"]
        case Kind.RESIDUAL:
            return [f"blocks.{layer}.hook_{mediator.name.split('.')[-1]}"]
        case _:
            return []


@given(shapes())
def test_other_spellings_are_read_and_never_printed(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    for name in graph.names():
        for alias in other_spellings(graph.find(name)):
            assert alias not in graph.names()
            assert graph.find(alias) == graph.find(name)
            assert str(graph.find(alias)) == canonical(alias) == name


@given(shapes())
def test_keys_and_values_belong_to_their_group(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    for head in graph.heads():
        for letter, kind in (("k", Kind.KEY), ("v", Kind.VALUE)):
            asked = f"{head}.{letter}"
            if shape.heads == shape.kv_heads:
                assert graph.find(asked) == Mediator(asked, kind, head.layer, head.index)
                continue
            with pytest.raises(UnknownMediatorError) as refused:
                graph.find(asked)
            group = refused.value.write.removeprefix("Write '").removesuffix("'.")
            assert graph.find(group).kind is kind
            reader = f"{head}.pattern" if letter == "k" else f"{head}.z"
            assert group in graph.parents(reader)


def test_a_shared_key_is_refused_with_its_group() -> None:
    with pytest.raises(UnknownMediatorError) as refused:
        SMOLLM2_GRAPH.find("L9.H6.k")
    assert str(refused.value) == (
        "Unknown mediator 'L9.H6.k'. H6, H7, H8 of layer 9 share keys and values, which belong to "
        "their K/V group. Write 'L9.KV2.k'."
    )
    with pytest.raises(UnknownMediatorError, match=r"Write 'L9\.KV2\.v'"):
        SMOLLM2_GRAPH.find("a9.h8<v>")
    assert GPT2_GRAPH.find("L9.H6.k").name == "L9.H6.k"
    with pytest.raises(UnknownMediatorError, match=r"Nearest: 'L9\.H6\.k'"):
        GPT2_GRAPH.find("L9.KV6.k")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("L9.H06", "L9.H0"),
        ("L23.Hl", "L23.H1"),
        ("L23.HO", "L23.H0"),
        ("L9.mpl", "L9.mlp"),
        ("l9.MLP", "L9.mlp"),
        ("mlp9", "L9.mlp"),
        ("0_mlp_out", "L0.mlp"),
        ("blocks.5.attn", "L5.H0"),
        ("blocks.5.attn.hook_z", "L5.H0.z"),
        ("blocks.5.hook_resid_prä", "L5.resid_pre"),
        ("L5.resid", "L5.resid_pre"),
        ("L9.kv2.k", "L9.KV2.k"),
        ("L9.H6.Z", "L9.H6.z"),
        ("L9.H6.patern", "L9.H6.pattern"),
        ("9.6", "L9.H6"),
        ("Embed", "embed"),
        ("logit", "logits"),
    ],
)
def test_a_misspelt_name_gives_the_nearest(wrong: str, meant: str) -> None:
    assert nearest(wrong, SMOLLM2_GRAPH.names())[0] == meant
    with pytest.raises(UnknownMediatorError) as refused:
        SMOLLM2_GRAPH.find(wrong)
    assert repr(meant) in refused.value.possible
    assert "net.heads(layer=...)" in refused.value.write


def test_a_head_that_is_not_there_gives_heads_of_its_layer() -> None:
    with pytest.raises(UnknownMediatorError) as refused:
        SMOLLM2_GRAPH.find("L9.H16")
    assert str(refused.value) == (
        "Unknown mediator 'L9.H16'. Layers are 0..29, heads 0..8, K/V groups 0..2. "
        "Nearest: 'L9.H1', 'L9.H6'. "
        "List them with net.heads(layer=...), net.mlps() or net.graph.names()."
    )


@pytest.mark.parametrize("wrong", ["L9.H9", "L9.H16", "L30.H0", "m30", "L9.KV3.k", "L9.H9.k"])
def test_ranges_are_told(wrong: str) -> None:
    with pytest.raises(UnknownMediatorError) as refused:
        SMOLLM2_GRAPH.find(wrong)
    assert "Layers are 0..29, heads 0..8, K/V groups 0..2." in refused.value.possible


@given(st.text() | st.from_regex(r"[La]?\d+\.?[Hh]\d+(\.[a-z]*)?", fullmatch=True))
def test_any_text_is_found_or_refused(text: str) -> None:
    """Never an error of another kind, and nothing is found under a name that it does not have."""
    graph = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 16, 11))
    try:
        found = graph.find(text)
    except UnknownMediatorError as refused:
        assert refused.came.startswith("Unknown mediator")
    else:
        assert found.name == canonical(text)


WORD = st.text("acmH.9", min_size=1, max_size=10)


@given(st.text(max_size=30) | WORD, st.lists(WORD, max_size=8), st.integers(1, 4))
def test_nearest_names_are_among_the_known(name: str, known: list[str], count: int) -> None:
    found = nearest(name, known, count)
    assert len(found) <= count
    assert set(found) <= set(known)
    for word in known:
        assert nearest(word, known)[0].casefold() == word.casefold()


@given(st.sampled_from(SMOLLM2_GRAPH.names()), st.lists(POSITION, max_size=3))
def test_positions_round_trip(name: str, positions: list[str]) -> None:
    bracket = f"[{', '.join(positions)}]" if positions else ""
    assert split_positions(f" {name}{bracket} ") == (name, tuple(positions))


@pytest.mark.parametrize(
    "text", ["", "L9.H6[", "L9.H6]", "L9.H6[]", "L9.H6[end,]", "[end]", "L9.H6[end]x", "L9[a][b]"]
)
def test_brackets_that_do_not_match_are_refused(text: str) -> None:
    with pytest.raises(TermError, match=r"name with positions in brackets"):
        split_positions(text)
