"""The four controls of an interchange, as alignments that the same pairs are run with.

| control | what is done in place of the interchange |
|---|---|
| `no intervention` | nothing |
| `full swap` | more than the hypothesis says: the whole node of a subspace; of a whole node the \
residual stream behind its layer, at the same positions |
| `random` | as much elsewhere: a random subspace of equal rank, other nodes of the same kind |
| `shuffled source` | the same sites, from the sources of other pairs |

A hypothesis is worth something where it does better than each (Geiger et al. 2025; for subspaces
see Makelov et al. 2024, Wu et al. 2024).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from causalnet.abstraction.alignment import AlignedSite, Alignment, Basis
from causalnet.errors import ParameterError
from causalnet.graphs import Kind, Mediator, MediatorGraph

__all__ = ["CONTROLS", "Arm", "Unavailable", "arms_of", "check_waivers"]

CONTROLS = ("no intervention", "full swap", "random", "shuffled source")
"""The controls, by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One way to treat the pairs.

    Attributes:
        control: Which control it is; "" for the hypothesis itself.
        label: The name it is told by: of several draws `random 1`, `random 2`, ...
        alignment: What is swapped; None for nothing.
        text: What is done, in words.
        is_shuffled: Whether values come from the sources of other pairs.
    """

    control: str
    label: str
    alignment: Alignment | None
    text: str
    is_shuffled: bool = False


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A control that cannot be run, and why."""

    control: str
    reason: str


def check_waivers(waive: Mapping[str, str]) -> dict[str, str]:
    """Return which controls are left out, with the reason for each.

    Raises:
        ParameterError: No such control, or no reason.
    """
    strange = [name for name in waive if name not in CONTROLS]
    silent = [name for name, why in waive.items() if not (isinstance(why, str) and why.strip())]
    if strange or silent:
        raise ParameterError(
            f"There is no control {strange[0]!r}."
            if strange
            else f"The control {silent[0]!r} is waived without a reason.",
            f"Controls are {', '.join(CONTROLS)}; a waiver says why, and stands in the result.",
            "Write for example waive={'random': 'the layer has one MLP'}.",
        )
    return dict(waive)


def arms_of(
    alignment: Alignment,
    graph: MediatorGraph,
    *,
    draws: int,
    seed: int,
    waive: Mapping[str, str],
) -> tuple[list[Arm], list[Unavailable]]:
    """Return the hypothesis and its controls, and the controls that there cannot be.

    Args:
        alignment: Of the variables that are interchanged.
        graph: The network's graph.
        draws: How many random alignments, fewer where there are no more different ones.
        seed: Of the draws.
        waive: Controls that are left out.

    Raises:
        UnknownMediatorError: A site that the graph does not have.
        ParameterError: A subspace of another width than its node.
    """
    _check_widths(alignment, graph)
    arms = [Arm("", "hypothesis", alignment, str(alignment))]
    missing: list[Unavailable] = []
    if "no intervention" not in waive:
        arms.append(Arm("no intervention", "no intervention", None, "nothing is swapped"))
    if "full swap" not in waive:
        wide = _widened(alignment, graph)
        if _same(wide, alignment):
            why = "the hypothesis swaps the whole residual stream already"
            missing.append(Unavailable("full swap", why))
        else:
            arms.append(Arm("full swap", "full swap", wide, str(wide)))
    if "random" not in waive:
        rng = np.random.default_rng([seed, 2])
        drawn = _random_alignments(alignment, graph, draws, rng)
        if isinstance(drawn, str):
            missing.append(Unavailable("random", drawn))
        else:
            arms += [
                Arm("random", f"random {at + 1}", each, str(each)) for at, each in enumerate(drawn)
            ]
    if "shuffled source" not in waive:
        text = f"{alignment}, from sources of other pairs"
        arms.append(Arm("shuffled source", "shuffled source", alignment, text, is_shuffled=True))
    return arms, missing


def _check_widths(alignment: Alignment, graph: MediatorGraph) -> None:
    for sites in alignment.sites.values():
        for site in sites:
            mediator, axes = graph.find(site.mediator), graph.axes(site.mediator)
            width = axes[-1].size if axes else None
            given = None if site.basis is None else int(site.basis.rows.shape[1])
            if given is not None and width is not None and given != width:
                raise ParameterError(
                    f"A subspace of vectors {given} wide at {mediator}.",
                    f"{mediator} is {width} wide.",
                    f"Give a basis [k, {width}].",
                )


def _widened(alignment: Alignment, graph: MediatorGraph) -> Alignment:
    """Return whole nodes for subspaces, and for whole nodes the stream behind their layer."""
    found: dict[str, tuple[AlignedSite, ...]] = {}
    taken: set[tuple[str, tuple[object, ...]]] = set()
    # From the last variable on: where two come to the same place, the later one's source is taken.
    for name, sites in reversed(list(alignment.sites.items())):
        wide: list[AlignedSite] = []
        for site in sites:
            mediator = graph.find(site.mediator)
            whole = site.basis is not None or mediator.kind is Kind.RESIDUAL
            place = site.mediator if whole else _stream_behind(mediator)
            if (place, site.at) not in taken:
                taken.add((place, site.at))
                wide.append(AlignedSite(place, site.at))
        if wide:
            found[name] = tuple(wide)
    return Alignment({name: found.get(name, ()) for name in alignment.sites if name in found})


def _stream_behind(mediator: Mediator) -> str:
    return "L0.resid_pre" if mediator.layer is None else f"L{mediator.layer}.resid_post"


def _same(one: Alignment, other: Alignment) -> bool:
    return str(one) == str(other)


def _random_alignments(
    alignment: Alignment, graph: MediatorGraph, draws: int, rng: np.random.Generator
) -> list[Alignment] | str:
    """Return random alignments, or why there are none."""
    held, found = alignment.mediators(), list[Alignment]()
    pools = dict[str, list[str]]()
    for name in sorted(held):
        mediator = graph.find(name)
        alike = [each.mediator for each in graph.nodes if each.mediator.kind is mediator.kind]
        alike = [each for each in alike if each.name not in held]
        near = [each.name for each in alike if each.layer == mediator.layer]
        pools[name] = near or [each.name for each in alike]
    whole = {
        site.mediator for sites in alignment.sites.values() for site in sites if site.basis is None
    }
    by_pool = defaultdict[tuple[str, ...], list[str]](list)
    for name in sorted(whole):
        by_pool[tuple(pools[name])].append(name)
    short = [names for pool, names in by_pool.items() if len(pool) < len(names)]
    if short:
        kind = graph.find(short[0][0]).kind
        return f"there are too few other nodes of the kind of {short[0][0]} ({kind})"
    for _ in range(20 * draws):  # there may be fewer than that many different ones
        stand_in = dict[str, str]()
        for pool, names in by_pool.items():
            chosen = rng.choice(len(pool), size=len(names), replace=False)
            stand_in |= {name: pool[int(at)] for name, at in zip(names, chosen, strict=True)}
        sites = {
            name: [_random_site(site, stand_in, rng) for site in listed]
            for name, listed in alignment.sites.items()
        }
        drawn = alignment.with_sites(sites)
        if str(drawn) not in map(str, found) or drawn.has_subspace:
            found.append(drawn)
        if len(found) == draws:
            break
    return found


def _random_site(
    site: AlignedSite, stand_in: Mapping[str, str], rng: np.random.Generator
) -> AlignedSite:
    if site.basis is None:
        return AlignedSite(stand_in[site.mediator], site.at)
    rank, width = site.basis.rows.shape
    columns = np.linalg.qr(rng.standard_normal((width, rank)))[0]
    rows = torch.from_numpy(columns.T.copy()).to(site.basis.rows.dtype)
    return AlignedSite(site.mediator, site.at, Basis(rows, "random subspace"))
