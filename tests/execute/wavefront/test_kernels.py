"""The wavefront's kernels against plain formulas on random small networks.

Oracles: `rebuild`, which computes every node from the weights and is itself held to the models, and
full attention written out in this file.  In float64 to 1e-12 of the largest value.
"""

from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from causalnet.errors import InternalError, LiftError
from causalnet.execute.wavefront.attention import attend, mixed, patterns
from causalnet.execute.wavefront.linear import Projection, linear
from causalnet.execute.wavefront.mlp import ACTIVATIONS, activation
from causalnet.execute.wavefront.norms import Norm
from causalnet.execute.wavefront.runs import Run, Wanted, run
from causalnet.execute.wavefront.weights import Weights
from causalnet.lift import LiftedNetwork, positions_of, rebuild
from causalnet.lift.rebuild import ACTIVATIONS as FORMULAS
from causalnet.lift.rebuild import Rebuilt
from tests.small_models import random_ids
from tests.toys import net as toy

KINDS = ("llama", "gpt2", "linear")
LAYERS = 2


@cache
def net(kind: str) -> LiftedNetwork:
    return toy(kind, layers=LAYERS)


@cache
def weights(kind: str, dtype: torch.dtype | None = None) -> Weights:
    return Weights.of(net(kind), dtype)


def close(got: Tensor, wanted: Tensor, tolerance: float = 1e-12) -> None:
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= tolerance * wanted.abs().max().clamp_min(1e-30)


def ragged(batch: int, length: int, shortest: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ids and a mask, padded on the left; the first prompt is full."""
    ids = random_ids(batch, length, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    padding = torch.randint(0, length - shortest + 1, (batch,), generator=generator)
    padding[0] = 0
    return ids, (torch.arange(length) >= padding[:, None]).long()


def everything(layers: int = LAYERS, **other: Any) -> Wanted:
    all_layers = frozenset(range(layers))
    return Wanted(layers, kv=layers, pre=all_layers, mid=all_layers, z=all_layers, **other)


def stacked(rebuilt: Rebuilt, layer: int, part: str, heads: int) -> Tensor:
    return torch.stack([rebuilt.parts[f"L{layer}.H{h}.{part}"] for h in range(heads)], 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_padded", [False, True])
def test_a_run_is_what_rebuild_computes(kind: str, is_padded: bool) -> None:
    ids, mask = ragged(3, 7, 3, seed=1)
    given_mask = mask if is_padded else None
    w, rebuilt = weights(kind), rebuild(net(kind), ids, given_mask)
    positions = positions_of(ids, given_mask)
    found = run(w, ids, positions, given_mask, everything())
    for layer in range(LAYERS):
        close(found.pre[layer], rebuilt.parts[f"L{layer}.resid_pre"])
        close(found.mid[layer], rebuilt.parts[f"L{layer}.resid_mid"])
        close(found.z[layer], stacked(rebuilt, layer, "z", w.shape.heads))
        owner = "KV" if w.shape.shares_keys else "H"
        groups = range(w.shape.kv_heads)
        k, v = (
            torch.stack([rebuilt.parts[f"L{layer}.{owner}{g}.{side}"] for g in groups], 2)
            for side in ("k", "v")
        )
        close(found.k[layer], w.rotate(k, w.angles(positions)))
        close(found.v[layer], v)
        mlp = w.blocks[layer].mlp(w.blocks[layer].mlp_norm(found.mid[layer]))
        close(mlp, rebuilt.parts[f"L{layer}.mlp"])
    assert found.post_last is not None
    close(found.post_last, rebuilt.parts[f"L{LAYERS - 1}.resid_post"])
    close(w.unembed(found.post_last), rebuilt.logits)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_the_unembedding_are_the_logits_of_tokens(kind: str) -> None:
    ids, w = random_ids(2, 5), weights(kind)
    logits = rebuild(net(kind), ids).logits[:, -1]
    stream = run(w, ids, positions_of(ids, None), None, Wanted(LAYERS, last_from=-1)).post_last
    assert stream is not None
    tokens = torch.tensor([[3, 9], [40, 3]])
    rows, bias = w.unembed_columns(tokens)
    found = torch.einsum("bkd,bd->bk", rows, w.final_norm(stream[:, -1]))
    close(found if bias is None else found + bias, logits.gather(1, tokens))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_scales_of_norms_are_the_graphs(kind: str) -> None:
    ids, w = random_ids(2, 5), weights(kind)
    parts = rebuild(net(kind), ids).parts
    stream, scale = parts["L1.resid_pre"], parts["L1.H0.q.scale"]
    norm = w.blocks[1].attention_norm
    close(norm.scale(stream), scale)
    assert torch.equal(Norm("none").scale(stream), torch.ones_like(scale))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_those_of_rebuild(name: str) -> None:
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    close(activation(name)(x.clone()), FORMULAS[name](x), 1e-14)


def test_an_unknown_activation_is_refused_with_the_known_ones() -> None:
    assert ACTIVATIONS.keys() == FORMULAS.keys()
    with pytest.raises(LiftError, match="gelu_new"):
        activation("softsign")


def test_weights_are_the_models_own_memory_unless_cast() -> None:
    for kind in ("llama", "gpt2"):
        own = {p.untyped_storage().data_ptr() for p in net(kind).model.module.parameters()}
        w, cast = weights(kind), weights(kind, torch.float32)
        block, other = w.blocks[0], cast.blocks[0]
        for value in (block.q.weight, block.k.weight, block.o, block.mlp.out.weight, w.tokens):
            assert value.untyped_storage().data_ptr() in own
            assert not value.requires_grad
        assert other.q.weight.dtype is cast.dtype is torch.float32
        assert other.q.weight.untyped_storage().data_ptr() not in own
        if kind == "gpt2":  # one fused matrix is cast once
            assert other.q.weight.untyped_storage().data_ptr() == (
                other.v.weight.untyped_storage().data_ptr()
            )
        assert (w.unembedding.weight.data_ptr() == w.tokens.data_ptr()) == (
            cast.unembedding.weight.data_ptr() == cast.tokens.data_ptr()
        )


def plain_attention(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor, factor: float) -> Tensor:
    """z [N, B, T, H, d] of full sequences; k and v have as many heads; allowed [B, T, T]."""
    scores = torch.einsum("nbthd,nbshd->nbhts", q, k) * factor
    scores = scores.masked_fill(~allowed[None, :, None], torch.finfo(scores.dtype).min)
    return torch.einsum("nbhts,nbshd->nbthd", scores.softmax(-1), v)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    length = draw(st.integers(1, 7))
    start = draw(st.integers(0, length - 1))
    columns = length - start
    first = draw(st.integers(0, columns - 1))
    return {
        "kind": draw(st.sampled_from(KINDS)),
        "length": length,
        "start": start,
        "queries": draw(st.sampled_from([None, slice(first, None), slice(first, first + 1)])),
        "worlds": draw(st.integers(1, 4)),
        "batch": draw(st.integers(1, 3)),
        "padded": draw(st.booleans()),
        "chunk": draw(st.sampled_from([1, 8, 1024])),
        "seed": draw(st.integers(0, 99)),
    }


@settings(max_examples=80, deadline=None, derandomize=True)
@given(windows())
def test_windows_attend_as_whole_worlds_do(case: dict[str, Any]) -> None:
    """Each world of its own stream in the window, whole, with plain attention."""
    w, start, length = weights(case["kind"]), case["start"], case["length"]
    block, shape = w.blocks[1], w.shape
    ids, mask = ragged(case["batch"], length, 1, case["seed"])
    positions = positions_of(ids, mask if case["padded"] else None)
    generator = torch.Generator().manual_seed(case["seed"])
    sizes = (case["worlds"], case["batch"], length, shape.d_model)
    x = torch.randn(sizes, generator=generator, dtype=torch.float64)
    x[:, :, :start] = x[:1, :, :start]  # all worlds share the prefix
    angles = w.angles(positions)
    normed = block.attention_norm(x)
    q = w.rotate(torch.unflatten(block.q(normed), -1, (shape.heads, -1)), angles)
    k = w.rotate(torch.unflatten(block.k(normed), -1, (shape.kv_heads, -1)), angles)
    v = torch.unflatten(block.v(normed), -1, (shape.kv_heads, -1))
    allowed = torch.ones(length, length, dtype=torch.bool).tril().expand(len(ids), -1, -1)
    allowed = allowed & mask.bool()[:, None] if case["padded"] else allowed
    wide_k, wide_v = (side.repeat_interleave(shape.heads_per_group, 3) for side in (k, v))
    wanted = plain_attention(q, wide_k, wide_v, allowed, w.factor)[:, :, start:]
    queries = case["queries"]
    found = attend(
        block,
        w,
        x[:, :, start:],
        k[0, :, :start],
        v[0, :, :start],
        w.angles(positions[:, start:]),
        allowed[:, start:] if case["padded"] else None,
        queries,
        chunk_tokens=case["chunk"],
    )
    close(found, wanted if queries is None else wanted[:, :, queries])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(windows(), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_jobs_of_one_head_attend_as_plain_attention_does(
    case: dict[str, Any], shared: tuple[bool, bool, bool]
) -> None:
    """Any of q, k and v may be one value for all jobs, as an expanded view."""
    length, start, jobs, batch = (case[name] for name in ("length", "start", "worlds", "batch"))
    generator = torch.Generator().manual_seed(case["seed"])

    def drawn(is_shared: bool) -> Tensor:
        sizes = (1 if is_shared else jobs, batch, length, 8)
        return torch.randn(sizes, generator=generator, dtype=torch.float64).expand(jobs, -1, -1, -1)

    q, k, v = (drawn(is_shared) for is_shared in shared)
    before = torch.randn(2, batch, start, 8, generator=generator, dtype=torch.float64)
    k, v = (
        torch.cat((side.expand(jobs, *side.shape), own[:, :, start:]), 2)
        for side, own in zip(before, (k, v), strict=True)
    )
    _, mask = ragged(batch, length, 1, case["seed"])
    allowed = torch.ones(length, length, dtype=torch.bool).tril().expand(batch, -1, -1)
    allowed = allowed & mask.bool()[:, None] if case["padded"] else allowed
    one_head = [side[:, :, :, None] for side in (q, k, v)]
    wanted = plain_attention(one_head[0], one_head[1], one_head[2], allowed, 0.3)
    queries = case["queries"] or slice(None)
    windows_of_jobs = [side[:, :, start:] for side in (k, v)]
    for index in (0, 1):
        if shared[index + 1]:
            windows_of_jobs[index] = windows_of_jobs[index][:1].expand(jobs, -1, -1, -1)
    found = mixed(
        q[:, :, start:][:, :, queries],
        windows_of_jobs[0],
        windows_of_jobs[1],
        before[0],
        before[1],
        factor=0.3,
        allowed=allowed[:, start:] if case["padded"] else None,
        queries=queries,
    )
    close(found, wanted[:, :, start:, 0][:, :, queries])


def test_queries_of_jobs_are_the_last_columns_by_default() -> None:
    q, k = torch.randn(2, 1, 1, 4), torch.randn(2, 1, 3, 4)
    nothing = torch.zeros(1, 0, 4)
    assert torch.equal(
        patterns(q, k, nothing, 1.0), patterns(q, k, nothing, 1.0, queries=slice(2, 3))
    )
    assert (patterns(q, k, nothing, 1.0) > 0).all()
    assert (patterns(q, k, nothing, 1.0, queries=slice(0, 1))[..., 1:] == 0).all()


def equal_runs(found: Run, wanted: Run, mask: Tensor) -> None:
    """Compare runs where prompts have tokens: what stands in padding is any finite number."""

    def compare(left: Tensor, right: Tensor) -> None:
        assert left.isfinite().all()
        tokens = mask[:, -left.shape[1] :].view(*left.shape[:2], *[1] * (left.ndim - 2))
        close(left * tokens, right * tokens)

    assert (found.layers, found.last_from) == (wanted.layers, wanted.last_from)
    for kind in ("pre", "mid", "z"):
        left, right = getattr(found, kind), getattr(wanted, kind)
        assert left.keys() == right.keys()
        for layer in left:
            compare(left[layer], right[layer])
    for left, right in ((found.k, wanted.k), (found.v, wanted.v)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            compare(one, other)
    assert (found.post_last is None) == (wanted.post_last is None)
    if found.post_last is not None and wanted.post_last is not None:
        compare(found.post_last, wanted.post_last)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 6),
    st.sampled_from([0, 3, -1]),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_run_that_shares_a_prefix_is_the_run_alone(
    kind: str, first_different: int, last_from: int, is_padded: bool, seed: int
) -> None:
    w, (ids, mask) = weights(kind), ragged(2, 6, 2, seed)
    given_mask = mask if is_padded else None
    other = ids.clone()
    other[:, first_different:] = random_ids(2, 6, seed=seed + 1)[:, first_different:]
    positions, wanted = positions_of(ids, given_mask), everything(last_from=last_from)
    base = run(w, ids, positions, given_mask, wanted)
    alone = run(w, other, positions, given_mask, wanted)
    tokens = mask if is_padded else torch.ones_like(mask)
    equal_runs(run(w, other, positions, given_mask, wanted, base, first_different), alone, tokens)
    deep = run(w, ids, positions, given_mask, everything())
    shallow = Wanted(1, kv=1, mid=frozenset({0}), post=False, last_from=last_from)
    equal_runs(
        run(w, other, positions, given_mask, shallow, deep, first_different),
        run(w, other, positions, given_mask, shallow),
        tokens,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_wanted_is_kept_and_computed(kind: str) -> None:
    w, ids = weights(kind), random_ids(2, 5)
    positions = positions_of(ids, None)
    full = run(w, ids, positions, None, everything())
    only_keys = run(w, ids, positions, None, Wanted(2, kv=2, post=False))
    assert not (only_keys.pre or only_keys.mid or only_keys.z) and only_keys.post_last is None
    close(only_keys.k[1], full.k[1])
    only_input = run(w, ids, positions, None, Wanted(2, pre=frozenset({1}), post=False))
    assert not only_input.k and list(only_input.pre) == [1]
    close(only_input.pre[1], full.pre[1])
    end = run(w, ids, positions, None, Wanted(2, z=frozenset({0, 1}), last_from=3))
    assert end.post_last is not None and full.post_last is not None
    close(end.post_last, full.post_last[:, 3:])
    close(end.z[0], full.z[0])
    close(end.z[1], full.z[1][:, 3:])
    assert (end.first_column(0), end.first_column(1)) == (0, 3)


def test_a_prefix_that_was_not_kept_is_our_own_mistake() -> None:
    w, ids = weights("llama"), random_ids(2, 5)
    positions, wanted = positions_of(ids, None), everything()
    for poor in (
        Wanted(2, kv=1),
        Wanted(2, kv=2, pre=wanted.pre, mid=wanted.mid),
        Wanted(2, kv=2, pre=wanted.pre, mid=wanted.mid, z=wanted.z, post=False),
        Wanted(2, kv=2, pre=wanted.pre, mid=wanted.mid, z=wanted.z, last_from=1),
    ):
        with pytest.raises(InternalError, match="has not kept"):
            run(w, ids, positions, None, wanted, run(w, ids, positions, None, poor), 3)


def test_a_run_of_which_only_embeddings_are_read_has_no_layers() -> None:
    ids = random_ids(2, 5)
    found = run(weights("llama"), ids, positions_of(ids, None), None, Wanted(0, post=False))
    assert (found.k, found.v, dict(found.mid), found.post_last) == ((), (), {}, None)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_float32_and_bfloat16_stay_within_their_rounding(kind: str) -> None:
    ids, mask = ragged(3, 6, 3, seed=4)
    wanted = rebuild(net(kind), ids, mask).logits[:, -1]
    for dtype, tolerance in ((torch.float32, 2e-5), (torch.bfloat16, 0.1)):
        w = weights(kind, dtype)
        found = run(w, ids, positions_of(ids, mask), mask, Wanted(LAYERS, last_from=-1)).post_last
        assert found is not None and found.dtype is dtype
        close(w.unembed(found)[:, -1].double(), wanted, tolerance)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("columns", [1, 3])
def test_attention_in_float32_stays_within_its_rounding(kind: str, columns: int) -> None:
    start, found = 5 - columns, {}
    x = torch.randn(3, 2, columns, 32, generator=torch.Generator().manual_seed(0)).double()
    for dtype in (torch.float64, torch.float32):
        w, ids = weights(kind, dtype), random_ids(2, 5)
        base = run(w, ids, positions_of(ids, None), None, Wanted(2, kv=2))
        angles = w.angles(positions_of(ids, None)[:, start:])
        k, v = base.k[1][:, :start], base.v[1][:, :start]
        found[dtype] = attend(w.blocks[1], w, x.to(dtype), k, v, angles)
    close(found[torch.float32].double(), found[torch.float64], 2e-5)


def test_products_are_equal_whatever_the_strides_of_the_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    x, whole = (torch.randn(sizes, generator=generator) for sizes in ((4, 5, 16), (16, 24)))
    bias = torch.randn(8, generator=generator)
    wanted = x @ whole[:, 8:16] + bias
    for weight in (whole[:, 8:16].T, whole[:, 8:16].T.contiguous(), whole[:, 8:16].contiguous().T):
        close(linear(x, weight, bias), wanted, 1e-5)
    close(Projection(whole.T).columns(8, 16)(x) + bias, wanted, 1e-5)
    assert linear(x[:0], whole.T).shape == (0, 5, 24)
    needing = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(linear(needing, whole.T).sum(), needing)
    close(gradient, whole.sum(1).expand_as(x), 1e-5)


def test_the_mlp_adds_in_place_chunk_by_chunk() -> None:
    for kind in KINDS:
        mlp = weights(kind).blocks[0].mlp
        x = torch.randn(2, 3, 5, 32, generator=torch.Generator().manual_seed(0)).double()
        wanted = x + mlp(mlp.norm(x))
        for chunk in (1, 7, 1024):
            got = x.clone()
            assert mlp.add_(got, chunk) is got
            close(got, wanted)


def test_layer_norm_and_rms_norm_take_no_weights_too() -> None:
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double()
    close(Norm("layer", eps=1e-5)(x), F.layer_norm(x, (6,), eps=1e-5))
    close(Norm("rms", eps=1e-5)(x), F.rms_norm(x, (6,), eps=1e-5))
