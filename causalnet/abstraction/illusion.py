"""Whether a subspace only seems to hold a variable (Makelov et al. 2024; Wu et al. 2024).

A direction v of a value that is read onward through W falls apart into v_null, which W does not
see, and v_row, which it does.  v_null may be where the variable is written though nothing reads it,
and v_row a pathway that sleeps in the intact network; patching v then moves what v_null has along
the sleeping pathway.  Four cheap signs:

1. the share of v in the null space of what reads it;
2. what is left of the effect when v_row alone is patched;
3. how much v_row varies over prompts in the intact network: a sleeping pathway hardly does;
4. more effect than the whole node has.

They are flags and no verdicts: directions that are what they seem may lose most of their effect
with v_null as well (Wu et al. kept 20 %).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causalnet.abstraction.alignment import AlignedSite, Alignment, Basis
from causalnet.abstraction.controls import Arm
from causalnet.abstraction.measuring import Criterion, measure_arms
from causalnet.abstraction.pairs import Interchanges
from causalnet.abstraction.rates import Rate
from causalnet.errors import ParameterError, TermError
from causalnet.execute import Executor, TokenBatch, record
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork
from causalnet.lift.rebuild import output_weight

__all__ = ["SubspaceDiagnostics", "readers_of", "subspace_diagnostics"]

_UNSEEN = 1e-6
"""Share of the largest singular value below which a direction is not seen."""


@dataclass(frozen=True, slots=True)
class SubspaceDiagnostics:
    """Signs that a subspace only seems to hold a variable.

    Attributes:
        site: The subspace.
        null_share: Share of its directions that its readers do not see, in [0, 1].
        whole: Accuracy on cause pairs, the subspace swapped.
        row: The same with the part that is seen alone; None where nothing is.
        node: The same with the whole node.
        effects: Mean change of the predicted answer's lead over the others on cause pairs, in
            logits, of `subspace`, `row` and `node`.
        variance: Variance of the part that is seen over the prompts, for each of its directions,
            over that of the node for each of its own; None where nothing is seen.
        of_node: The subspace's effect over that of the whole node, on those cause pairs on which
            the source's own answer is the predicted one; None where there are none, or where the
            node has no effect.
    """

    site: str
    null_share: float
    whole: Rate
    row: Rate | None
    node: Rate
    effects: Mapping[str, float]
    variance: float | None
    of_node: float | None

    @property
    def flags(self) -> tuple[str, ...]:
        """Every sign that is there, in words."""
        effects, found = self.effects, list[str]()
        if self.null_share > 0.5:
            found.append(f"{self.null_share:.0%} of it is not seen by what reads the node")
        left = effects.get("row", 0.0) / effects["subspace"] if effects["subspace"] > 0 else 1.0
        if left < 0.5:
            found.append(f"the part that is seen keeps {left:.0%} of the effect")
        if self.variance is not None and self.variance < 0.05:
            found.append(f"the part that is seen has {self.variance:.1%} of the node's variance")
        if self.of_node is not None and self.of_node > 1.1:
            found.append(f"it does {self.of_node:.2f} times what the whole node does")
        return tuple(found)

    def to_json(self) -> dict[str, object]:
        """Return everything, as JSON values."""
        return {
            "site": self.site,
            "null_share": self.null_share,
            "cause": self.whole.to_json(),
            "cause_of_row_part": None if self.row is None else self.row.to_json(),
            "cause_of_node": self.node.to_json(),
            "effects": dict(self.effects),
            "variance": self.variance,
            "of_node": self.of_node,
            "flags": list(self.flags),
        }

    def __str__(self) -> str:
        """Return a few lines."""
        told = ", ".join(f"{name} {value:+.2f}" for name, value in self.effects.items())
        varies = (
            "" if self.variance is None else f"; its part that is seen varies {self.variance:.3f}"
        )
        lines = [
            f"{self.site}: {self.null_share:.3f} not seen{varies}",
            f"  effect on cause pairs, logits: {told}",
        ]
        return "\n".join([*lines, *(f"  flag: {flag}" for flag in self.flags)])


def subspace_diagnostics(
    net: LiftedNetwork,
    pairs: Interchanges,
    alignment: Alignment,
    *,
    readers: Tensor | None = None,
    criterion: Criterion = "top",
    alpha: float = 0.05,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
) -> SubspaceDiagnostics:
    """Look for signs that a subspace only seems to hold a variable.

    Args:
        net: The lifted network.
        pairs: Interchanges of one variable, cause pairs among them.
        alignment: The variable at one site, a subspace.
        readers: What reads the node onward, [m, d]; by default `readers_of`.
        criterion: When an answer is the predicted one.
        alpha: Error probability of each end.
        at: Where answers are read.
        executor: `wavefront`, `hooks` or `auto`.
        batch_size: Most pairs in a batch.

    Raises:
        TermError: Several variables or sites, or a whole node.
        ParameterError: Readers of another width, or no cause pair.
    """
    own = alignment.of(pairs.variables)
    sites = [site for listed in own.sites.values() for site in listed]
    if len(sites) != 1 or sites[0].basis is None:
        raise TermError(
            f"The alignment {own}.",
            "A subspace of one node, for one variable, is taken apart.",
            "Write for example aligned({'x': 'L5.resid_post'}, at='end', subspace=rows).",
        )
    (name,), site, basis = pairs.variables, sites[0], sites[0].basis
    rows = basis.rows.detach().double()
    seen = readers_of(net, site.mediator) if readers is None else readers.detach().double()
    if seen.ndim != 2 or seen.shape[1] != rows.shape[1] or not pairs.is_cause.any():
        raise ParameterError(
            f"Readers of shape {list(seen.shape)} and {int(pairs.is_cause.sum())} cause pairs.",
            f"Readers are [m, {rows.shape[1]}], as wide as the node; effects are of cause pairs.",
            "Leave readers out for what the network has.",
        )
    part = rows @ _seen_by(seen)
    kept = _orthonormal(part)
    arms = {
        "nothing": None,
        "subspace": site,
        "node": AlignedSite(site.mediator, site.at),
    }
    if kept is not None:
        row = Basis(kept.to(basis.rows.dtype), f"{basis.label}, seen part")
        arms["row"] = AlignedSite(site.mediator, site.at, row)
    listed = [
        Arm("", label, None if one is None else Alignment({name: (one,)}), label)
        for label, one in arms.items()
    ]
    scores, _ = measure_arms(net, pairs, listed, at=at, executor=executor, batch_size=batch_size)
    cause = pairs.is_cause
    gaps = {label: float(scores[label].gaps()[cause].mean()) for label in arms}
    rates = {label: Rate.of(scores[label].hits(criterion)[cause], alpha) for label in arms}
    return SubspaceDiagnostics(
        str(site),
        float(1 - (part**2).sum() / len(rows)),
        rates["subspace"],
        rates.get("row"),
        rates["node"],
        {label: gaps[label] - gaps["nothing"] for label in arms if label != "nothing"},
        None if kept is None else _variance(net, pairs, site, kept, batch_size),
        _of_node(pairs, {label: each.gaps() for label, each in scores.items()}),
    )


def _of_node(pairs: Interchanges, gaps: Mapping[str, NDArray[np.float64]]) -> float | None:
    """Compare subspace and node where swapping everything has the same prediction."""
    told = zip(pairs.of_sources, pairs.predicted, strict=True)
    same = pairs.is_cause & np.array([one == other for one, other in told])
    if not same.any():
        return None
    own, node = (float((gaps[arm] - gaps["nothing"])[same].mean()) for arm in ("subspace", "node"))
    return own / node if node > 0 else None


def readers_of(net: LiftedNetwork, mediator: str) -> Tensor:
    """Return what reads a node's value onward, row by row, [m, d] in float64.

    For a head's `z` it is the head's part of the output projection; for what is in the residual
    stream, the query, key, value and MLP projections of every later reader, with the gains of
    their norms, and the unembedding.  Which of them attend where is left out.

    Args:
        net: The lifted network.
        mediator: A node that writes into the stream, a residual cut, or a head's `z`.

    Raises:
        UnknownMediatorError: No such mediator.
        TermError: A value that none of these reads.
    """
    found = net.graph.find(mediator)
    if found.kind is Kind.Z and found.layer is not None and found.index is not None:
        own = output_weight(net.parts, found.layer)[found.index]
        return own.detach().double().cpu().T
    rows = [one.detach().double().cpu() for one in _reading(net, _readers(net.graph, mediator))]
    if not rows:
        raise TermError(
            f"What reads {mediator} is not known.",
            "Readers are known of writers into the residual stream, its cuts, and heads' z.",
            "Give them as readers=[m, d].",
        )
    return torch.cat(rows)


def _readers(graph: MediatorGraph, mediator: str) -> set[tuple[Kind, int]]:
    """Return kind and layer of every node that reads the stream behind a place."""
    found = graph.find(mediator)
    if found.kind is Kind.RESIDUAL:
        cut = graph.cut(found)
        stream, first = cut.stream, cut.writers_before
    else:
        where = [
            (each.name, each.writers.index(found.name) + 1)
            for each in graph.streams
            if found.name in each.writers
        ]
        if not where:
            return set()
        stream, first = where[0]
    return {
        (node.mediator.kind, node.mediator.layer or 0)
        for node in graph.nodes
        for slot in node.slots
        if slot.stream == stream
        and slot.writers_before is not None
        and slot.writers_before >= first
    }


def _reading(net: LiftedNetwork, readers: set[tuple[Kind, int]]) -> Iterator[Tensor]:
    places = net.places
    for kind, layer in sorted(readers):
        match kind:
            case Kind.QUERY | Kind.KEY | Kind.VALUE:
                sides = {
                    Kind.QUERY: places.queries,
                    Kind.KEY: places.keys,
                    Kind.VALUE: places.values,
                }
                columns = sides[kind][layer]
                weight = _out_in(net, columns.module)[columns.start : columns.stop]
                yield weight * _gain(places.attention_norms, layer)
            case Kind.MLP:
                gain = _gain(places.mlp_norms, layer)
                yield _out_in(net, places.mlp_in[layer]) * gain
                if places.mlp_gates:
                    yield _out_in(net, places.mlp_gates[layer]) * gain
            case Kind.LOGITS:
                norms = () if places.final_norm is None else (places.final_norm,)
                weight = dict(places.unembedding.named_parameters())["weight"]
                yield weight * _gain(norms, 0)
            case _:
                pass


def _out_in(net: LiftedNetwork, module: nn.Module) -> Tensor:
    weight = dict(module.named_parameters())["weight"]
    return weight if net.adapter.layout == "out_in" else weight.T


def _gain(norms: tuple[nn.Module, ...], layer: int) -> Tensor:
    own = dict(norms[layer].named_parameters(recurse=False)) if norms else {}
    weight = own.get("weight", torch.ones(()))
    return weight if weight.ndim == 1 else torch.ones(())


def _seen_by(readers: Tensor) -> Tensor:
    """Return the projection onto what readers see, [d, d], by their Gram matrix."""
    values, vectors = torch.linalg.eigh(readers.T @ readers)
    sizes = values.clamp_min(0).sqrt()
    seen = vectors[:, sizes > _UNSEEN * sizes[-1]]
    projection: Tensor = seen @ seen.T
    return projection


def _orthonormal(rows: Tensor) -> Tensor | None:
    """Return an orthonormal basis of what rows span, [k', d]; None where that is nothing."""
    _, sizes, basis = torch.linalg.svd(rows, full_matrices=False)
    kept = basis[sizes > 1e-3]
    return kept if len(kept) else None


def _variance(
    net: LiftedNetwork, pairs: Interchanges, site: AlignedSite, rows: Tensor, batch_size: int
) -> float:
    """Return the variance along rows over that of the node, each for one direction."""
    prompts = pairs.examples.prompts.rows(sorted(set(pairs.base.tolist())))
    values: list[Tensor] = []

    def take(batch: TokenBatch, found: Mapping[str, Tensor]) -> None:
        value = found[site.mediator].detach().double().cpu()
        at = site.at or ("end",)
        columns = torch.stack([batch.columns(position).cpu() for position in at], 1)
        values.append(value[torch.arange(len(value))[:, None], columns].flatten(0, 1))

    record([site.mediator], net, prompts, take, batch_size=batch_size)
    centred = torch.cat(values) - torch.cat(values).mean(0)
    along = float(((centred @ rows.T) ** 2).mean())
    whole = float((centred**2).mean())
    return along / whole if whole > np.finfo(np.float64).tiny else 0.0
