"""The self-check of lifting: the graph's own parts against the model's, one by one."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from causalnet.errors import LiftError
from causalnet.lift.casts import float64_copy, raised_casts
from causalnet.lift.finite import check_finite
from causalnet.lift.forward import observed, run_module
from causalnet.lift.machine import check_has_float64, memory_watched
from causalnet.lift.parts import Parts
from causalnet.lift.places import find_places, parameter
from causalnet.lift.rebuild import Rebuilt, rebuild_parts
from causalnet.lift.suspicion import suspicion

__all__ = ["Comparison", "SelfCheck", "check_parts"]

BATCH, LENGTH, SEED = 8, 12, 0
PADDING = 3  # tokens put in front of a prompt
COMPARED = 4  # how many prompts of the batch are run in float64 and compared
ALONE = 2  # how many of them are run by themselves as well
EXACT = 1e-10  # the tolerance in float64, and the finest in any type
TIMES_ROUNDING = 3.0  # the tolerance in any coarser type
TIMES_PADDED = 10.0  # of a padded prompt's logits: both sides are rounded, by other kernels


@dataclass(frozen=True, slots=True)
class Comparison:
    """One part, rebuilt and as the model computed it.

    Attributes:
        part: `L0.q` for all queries of a layer, `L0.attention` for the sum of its heads.
        difference: Largest absolute difference.
        rounding: The model's own rounding of this part; None in float64.
        tolerance: The largest difference that is accepted.
    """

    part: str
    difference: float
    rounding: float | None
    tolerance: float


@dataclass(frozen=True, slots=True, repr=False)
class SelfCheck:
    """How closely a lifted graph rebuilds its model.

    Attributes:
        dtype: The type of the model's weights.
        prompts: How many prompts of how many tokens were compared.
        comparisons: One per part, in the order of the computation; the last is the logits.
    """

    dtype: str
    prompts: tuple[int, int]
    comparisons: tuple[Comparison, ...]

    @property
    def logits(self) -> Comparison:
        """The comparison of the output."""
        return self.comparisons[-1]

    @property
    def closest(self) -> Comparison:
        """The part that came closest to its tolerance."""
        return max(self.comparisons, key=_share)

    @property
    def difference(self) -> float:
        """The largest difference of the logits."""
        return self.logits.difference

    @property
    def tolerance(self) -> float:
        """The difference of the logits that is accepted."""
        return self.logits.tolerance

    @property
    def rounding(self) -> float | None:
        """The model's own rounding of the logits; None in float64."""
        return self.logits.rounding

    def __repr__(self) -> str:
        """Return one line."""
        closest = self.closest
        return (
            f"SelfCheck({self.dtype}, {len(self.comparisons)} parts: logits differ by "
            f"{self.difference:.1e}, tolerance {self.tolerance:.1e}; closest to its tolerance: "
            f"{closest.part}, {closest.difference:.1e} of {closest.tolerance:.1e})"
        )

    def to_json(self) -> dict[str, object]:
        """Return what a report keeps."""
        return {
            "dtype": self.dtype,
            "prompts": list(self.prompts),
            "parts": len(self.comparisons),
            "difference": self.difference,
            "tolerance": self.tolerance,
            "rounding": self.rounding,
            "closest_part": self.closest.part,
            "closest_share": _share(self.closest),
        }


def _share(comparison: Comparison) -> float:
    """Return which share of its tolerance a difference takes."""
    if comparison.difference == 0.0:
        return 0.0
    return comparison.difference / comparison.tolerance if comparison.tolerance else float("inf")


def check_parts(module: nn.Module, parts: Parts) -> SelfCheck:
    """Compare the parts, rebuilt in float64, with the model's own on seeded prompts.

    For a float64 model the tolerance is 1e-10, with its internal float32 casts raised.  In any
    other type it is three times the model's own rounding of that part on the same prompts: the
    larger of one prompt alone against the batch, and the model against itself in float64.  Since
    the rebuilding adds no rounding of its own, a right one takes a third of that.

    Last, a prompt with padding in front must have the logits that it has alone.

    Raises:
        LiftError: A part differs by more; the first one is named, with what may have caused it.
            Or the model is on a device without float64, or reads padding.
        NumericalError: NaN or infinity in a part; the first mediator and the prompt are named.
        OutOfMemoryError: Memory ran out.
    """
    ids = _prompts(parts)
    check_has_float64(ids.device)
    with torch.no_grad(), memory_watched(module):
        own, rounding = _run_with_rounding(module, parts, ids)
        rebuilt = rebuild_parts(parts, ids[:COMPARED], dtype=torch.float64)
        check_finite(rebuilt, own, ids)
        comparisons = tuple(_compare(parts, own, rebuilt, rounding))
        _check_padding(module, parts, ids[:1], comparisons[-1])
    dtype = str(next(module.parameters()).dtype).removeprefix("torch.")
    return SelfCheck(dtype, (COMPARED, ids.shape[1]), comparisons)


def _prompts(parts: Parts) -> torch.Tensor:
    tokens, learned = parts.places.tokens, parts.places.learned_positions
    length = LENGTH if learned is None else min(LENGTH, len(parameter(learned, "weight")))
    device = next(tokens.parameters()).device
    generator = torch.Generator().manual_seed(SEED)
    vocabulary = parts.graph.shape.vocabulary
    return torch.randint(vocabulary, (BATCH, length), generator=generator).to(device)


def _run_with_rounding(
    module: nn.Module, parts: Parts, ids: torch.Tensor
) -> tuple[Mapping[str, torch.Tensor], Mapping[str, float] | None]:
    """Return the model's own parts, and its rounding of each (None in float64)."""
    if next(module.parameters()).dtype == torch.float64:
        with raised_casts(module):
            return _own_parts(module, parts, ids[:COMPARED]), None
    own = {name: value[:COMPARED] for name, value in _own_parts(module, parts, ids).items()}
    rounding = dict.fromkeys(own, 0.0)
    for row in range(ALONE):
        alone = _own_parts(module, parts, ids[row : row + 1])
        for name, value in alone.items():
            rounding[name] = max(rounding[name], _largest(own[name][row : row + 1] - value))
    twin = float64_copy(module, parts.places.blocks)
    with raised_casts(twin):
        for name, value in _own_parts(twin, parts, ids[:COMPARED]).items():
            rounding[name] = max(rounding[name], _largest(own[name].double() - value))
    return own, rounding


def _own_parts(module: nn.Module, parts: Parts, ids: torch.Tensor) -> Mapping[str, torch.Tensor]:
    with observed(find_places(module, parts.adapter), parts) as seen:
        logits = run_module(module, parts.adapter, ids)
    seen["logits"] = logits
    return seen


def _check_padding(module: nn.Module, parts: Parts, ids: torch.Tensor, logits: Comparison) -> None:
    """Check that a prompt's logits do not depend on padding in front of it."""
    adapter, exact = parts.adapter, logits.rounding is None
    counts_padding = adapter.positions == "learned" and "position_ids" not in adapter.accepts
    if "attention_mask" not in adapter.accepts or counts_padding:
        return  # padding that the model would read is refused when it comes
    filling = ids.repeat(1, PADDING)[:, :PADDING]
    padded = torch.cat((filling, ids), dim=1)
    mask = torch.cat((torch.zeros_like(filling), torch.ones_like(ids)), dim=1)
    with raised_casts(module) if exact else nullcontext():
        alone = run_module(module, adapter, ids)
        behind = run_module(module, adapter, padded, mask)[:, PADDING:]
    difference = _largest(behind.double() - alone.double())
    allowed = max(EXACT, TIMES_PADDED * (logits.rounding or 0.0))
    if not difference <= allowed:
        raise LiftError(
            f"The logits of a prompt differ by {difference:.2g} with {PADDING} tokens of padding "
            "in front of it.",
            f"At most {allowed:.2g} is accepted: the model's forward is to leave tokens out where "
            "attention_mask is 0, and to take positions from position_ids.",
            "Name in the adapter's `accepts` only what the model's forward heeds.",
        )


def _largest(difference: torch.Tensor) -> float:
    return float(difference.abs().max())


def _compare(
    parts: Parts,
    own: Mapping[str, torch.Tensor],
    rebuilt: Rebuilt,
    rounding: Mapping[str, float] | None,
) -> Iterator[Comparison]:
    for name, value in _grouped(parts, rebuilt):
        if name not in own:
            raise LiftError(
                f"The model never ran the module of {name}.",
                f"The adapter of {parts.adapter.module_class} names it.",
            )
        if own[name].shape != value.shape:
            raise LiftError(
                f"{name} has the shape {tuple(own[name].shape)} in the model.",
                f"The graph of {parts.adapter.module_class} has {tuple(value.shape)} there.",
                "Name a module in the adapter whose output, or first output, is this value.",
            )
        difference = (own[name].double() - value).abs()
        noise = None if rounding is None else rounding[name]
        allowed = max(EXACT, TIMES_ROUNDING * (noise or 0.0))
        if not bool((difference <= allowed).all()):  # NaN is not within any tolerance
            raise _refusal(parts, name, difference, allowed)
        yield Comparison(name, _largest(difference), noise, allowed)


def _grouped(parts: Parts, rebuilt: Rebuilt) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the rebuilt parts as they can be seen in the model, in the order computed."""
    shape, values = parts.graph.shape, {**rebuilt.parts, **rebuilt.norms}
    yield "embed", values["embed"]
    if shape.positions_apart:
        yield "pos_embed", values["pos_embed"]
    if parts.places.stream is not None:
        yield "L0.resid_pre", values["L0.resid_pre"]
    for layer in range(shape.layers):
        of = f"L{layer}"
        heads = [f"{of}.H{head}" for head in shape.heads_of(layer)]
        owner = "KV" if shape.shares_keys else "H"
        groups = [f"{of}.{owner}{group}" for group in shape.groups_of(layer)]
        if parts.places.attention_norms:
            yield f"{of}.attention_norm", values[f"{of}.attention_norm"]
        for letter, owners in (("q", heads), ("k", groups), ("v", groups), ("z", heads)):
            if owners:
                inside = [values[f"{name}.{letter}"] for name in owners]
                yield f"{of}.{letter}", torch.stack(inside, dim=2)
        written = [*heads, f"{of}.attn_bias"] if shape.attention_bias else heads
        if written:
            yield f"{of}.attention", torch.stack([values[name] for name in written]).sum(0)
        yield f"{of}.resid_mid", values[f"{of}.resid_mid"]
        if shape.has_mlp(layer):
            if parts.adapter.norm != "none":
                yield f"{of}.mlp_norm", values[f"{of}.mlp_norm"]
            yield f"{of}.mlp", values[f"{of}.mlp"]
        yield f"{of}.resid_post", values[f"{of}.resid_post"]
    if parts.places.final_norm is not None:
        yield "final_norm", values["final_norm"]
    yield "logits", values["logits"]


def _refusal(parts: Parts, name: str, difference: torch.Tensor, allowed: float) -> LiftError:
    first = _first_mediator(parts, name, difference, allowed)
    return LiftError(
        f"The graph does not rebuild this {parts.adapter.module_class}: the first part that "
        f"differs is {first}, by {_largest(difference):.2g}.",
        f"At most {allowed:.2g} is accepted. {suspicion(parts, name)}",
    )


def _first_mediator(parts: Parts, name: str, difference: torch.Tensor, allowed: float) -> str:
    """Name the first head or group that differs, where the part has several."""
    layer, _, part = name.partition(".")
    if part in ("q", "k", "v", "z"):
        by_head = difference.transpose(0, 2).flatten(1)
        index = int((~(by_head <= allowed).all(1)).nonzero()[0])
        shape, of_groups = parts.graph.shape, part in "kv"
        present = shape.groups_of if of_groups else shape.heads_of
        owner = "KV" if of_groups and shape.shares_keys else "H"
        return f"{layer}.{owner}{present(int(layer[1:]))[index]}.{part}"
    return name
