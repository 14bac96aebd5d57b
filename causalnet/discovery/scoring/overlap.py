"""How much two circuits, or the tops of two rankings, share, and what chance would share.

Merullo et al. (2024) keep the first 2 % of heads per task and count shared ones, without a fixed
denominator; here every denominator is given (counts, Jaccard, overlap coefficient), with the
number expected by chance, an exact one-sided p-value and a sweep of thresholds.  The null is that
one circuit is drawn uniformly among all of its size; with layers given, among all of its size in
every layer, since circuits of late heads overlap more than circuits of any heads.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.scoring.chance import Chance, Sizes, chance_of, holm
from causalnet.discovery.scoring.conventions import Array, Convention, Site, check_known, ranked_by
from causalnet.discovery.scoring.selection import counts_of, top_sites
from causalnet.discovery.scoring.wording import percent, probability, share
from causalnet.errors import ParameterError

__all__ = ["Overlap", "OverlapSweep", "SweepRow", "overlap_of_circuits", "overlap_of_rankings"]

THRESHOLDS = (0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two circuits share.

    Attributes:
        size_first: Sites of the first circuit.
        size_second: Sites of the second circuit.
        shared: Sites of both.
        total: All sites that a circuit could have had.
        by_size: What chance would share, given the two sizes.
        by_layer: The same given the sizes in every layer; None without layers.
    """

    size_first: int
    size_second: int
    shared: int
    total: int
    by_size: Chance
    by_layer: Chance | None

    @property
    def jaccard(self) -> float | None:
        """Shared sites as a share of those in either circuit; None where both are empty."""
        either = self.size_first + self.size_second - self.shared
        return self.shared / either if either else None

    @property
    def coefficient(self) -> float | None:
        """Shared sites as a share of the smaller circuit; None where that is empty."""
        smaller = min(self.size_first, self.size_second)
        return self.shared / smaller if smaller else None

    def __str__(self) -> str:
        """Print counts, shares of them, and chance."""
        jaccard, coefficient = _or_undefined(self.jaccard), _or_undefined(self.coefficient)
        layers = "" if self.by_layer is None else f"; with layers matched {self.by_layer}"
        return (
            f"{self.shared} shared of {self.size_first} and {self.size_second} among {self.total}: "
            f"Jaccard {jaccard}, overlap coefficient {coefficient}; {self.by_size}{layers}"
        )

    def to_json(self) -> dict[str, object]:
        """Give JSON values; null where a share is undefined or no layers were given."""
        return {
            "size_first": self.size_first,
            "size_second": self.size_second,
            "shared": self.shared,
            "total": self.total,
            "jaccard": self.jaccard,
            "overlap_coefficient": self.coefficient,
            "by_size": self.by_size.to_json(),
            "by_layer": None if self.by_layer is None else self.by_layer.to_json(),
        }


@dataclass(frozen=True, slots=True)
class SweepRow:
    """The overlap at one threshold.

    Attributes:
        threshold: As it was given: a share or a count.
        count: How many sites of each ranking it asks for; ties at the cut may leave fewer.
        overlap: What the tops share.
        holm_by_size: The p-value given sizes, adjusted for the sweep.
        holm_by_layer: The p-value given sizes in every layer, adjusted; None without layers.
    """

    threshold: float
    count: int
    overlap: Overlap
    holm_by_size: float
    holm_by_layer: float | None

    def __str__(self) -> str:
        """Print the threshold, the overlap and the adjusted p-values."""
        asked = f" ({percent(self.threshold)})" if isinstance(self.threshold, float) else ""
        layers = (
            ""
            if self.holm_by_layer is None
            else f", with layers matched {probability(self.holm_by_layer)}"
        )
        adjusted = f"adjusted p = {probability(self.holm_by_size)}{layers}"
        least = min(self.overlap.size_first, self.overlap.size_second)
        ties = "; ties at the cut are left out" if least < self.count else ""
        return f"first {self.count}{asked}: {self.overlap}; {adjusted}{ties}"

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        return {
            "threshold": self.threshold,
            "count": self.count,
            "overlap": self.overlap.to_json(),
            "holm_by_size": self.holm_by_size,
            "holm_by_layer": self.holm_by_layer,
        }


@dataclass(frozen=True, slots=True)
class OverlapSweep:
    """The overlap of two rankings at several thresholds.

    Attributes:
        rows: One per distinct count, ascending.
        rank_correlation: Spearman's, over all sites, with mid-ranks for ties; in [-1, 1].
        total: Sites of each ranking.
        convention: Which values were ranked, largest first.
    """

    rows: tuple[SweepRow, ...]
    rank_correlation: float
    total: int
    convention: Convention

    def __str__(self) -> str:
        """Print the rank correlation and one line per threshold."""
        head = (
            f"rank correlation {self.rank_correlation:.3f} over {self.total} sites, by "
            f"{self.convention} score"
        )
        return "\n".join([head, *map(str, self.rows)])

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "rank_correlation": self.rank_correlation,
            "total": self.total,
            "convention": self.convention,
        }


def overlap_of_circuits(
    first: Collection[Site],
    second: Collection[Site],
    sites: Collection[Site],
    *,
    layers: Mapping[Site, Hashable] | None = None,
) -> Overlap:
    """Compare two circuits of the same graph.

    Args:
        first: The sites of one circuit.
        second: The sites of the other.
        sites: All sites that a circuit could have had: chance depends on them.
        layers: The layer of every site, or any other group that chance should respect.

    Raises:
        ParameterError: An empty circuit, a member that is not among the sites, a site without a
            layer.

    >>> heads = [f"L{layer}.H{head}" for layer in range(4) for head in range(4)]
    >>> late = {head: head[:2] for head in heads}
    >>> ours, theirs = ["L3.H0", "L3.H1", "L3.H2"], ["L3.H0", "L3.H1", "L3.H3"]
    >>> print(overlap_of_circuits(ours, theirs, heads, layers=late))  # doctest: +ELLIPSIS
    2 shared of 3 and 3 among 16: Jaccard 0.500, overlap coefficient 0.667; 0.56 expected, \
p = 0.071; with layers matched 2.25 expected, p = 1
    """
    all_sites = frozenset(sites)
    one = check_known(first, all_sites, "the first circuit", "The graph")
    other = check_known(second, all_sites, "the second circuit", "The graph")
    if not one or not other:
        raise ParameterError(
            came=f"The {'second' if one else 'first'} circuit is empty.",
            possible="Two circuits with at least one site each are compared.",
            write="Take a larger size or a lower threshold.",
        )
    return _overlap(one, other, all_sites, _checked_layers(layers, all_sites))


def overlap_of_rankings(
    first: Mapping[Site, float],
    second: Mapping[Site, float],
    *,
    convention: Convention,
    thresholds: Sequence[float] = THRESHOLDS,
    layers: Mapping[Site, Hashable] | None = None,
) -> OverlapSweep:
    """Compare the tops of two rankings of the same sites, at several thresholds.

    Sites that tie across a cut are left out of that top, see `top_sites`.

    Args:
        first: The score of every site in one ranking.
        second: The score of every site in the other, in any order.
        convention: Which values are ranked, largest first.
        thresholds: Shares (floats) or counts (whole numbers) of the sites.
        layers: The layer of every site, or any other group that chance should respect.

    Raises:
        ParameterError: Rankings of different sites, NaN, a threshold outside its range, a site
            without a layer, or a ranking in which all sites tie (its rank correlation is
            undefined).

    >>> one = {f"L0.H{i}": float(-i) for i in range(20)}
    >>> print(overlap_of_rankings(one, one, convention="signed", thresholds=(2, 1.0)))
    rank correlation 1.000 over 20 sites, by signed score
    first 2: 2 shared of 2 and 2 among 20: Jaccard 1.000, overlap coefficient 1.000; \
0.20 expected, p = 0.005; adjusted p = 0.011
    first 20 (100 %): 20 shared of 20 and 20 among 20: Jaccard 1.000, overlap coefficient 1.000; \
20.00 expected, p = 1; adjusted p = 1
    """
    check_known(first, second, "the first ranking", "The second ranking")
    check_known(second, first, "the second ranking", "The first ranking")
    aligned = {site: second[site] for site in first}
    sites = frozenset(first)
    groups = _checked_layers(layers, sites)
    correlation = _rank_correlation(ranked_by(first, convention), ranked_by(aligned, convention))
    counts = sorted(counts_of(thresholds, len(sites)).items())
    overlaps = [
        _overlap(
            top_sites(first, count, convention=convention),
            top_sites(aligned, count, convention=convention),
            sites,
            groups,
        )
        for count, _ in counts
    ]
    by_size = holm([one.by_size.p_value for one in overlaps])
    by_layer = holm([one.by_layer.p_value for one in overlaps if one.by_layer is not None])
    rows = tuple(
        SweepRow(threshold, count, overlaps[i], by_size[i], by_layer[i] if by_layer else None)
        for i, (count, threshold) in enumerate(counts)
    )
    return OverlapSweep(rows, correlation, len(sites), convention)


def _overlap(
    one: frozenset[Site],
    other: frozenset[Site],
    sites: frozenset[Site],
    layers: Mapping[Site, Hashable] | None,
) -> Overlap:
    shared = len(one & other)
    by_size = chance_of(shared, [Sizes(len(one), len(other), len(sites))])
    by_layer = None
    if layers is not None:
        first, second = (Counter(layers[site] for site in circuit) for circuit in (one, other))
        totals = Counter(layers[site] for site in sites)
        strata = [Sizes(first[layer], second[layer], totals[layer]) for layer in totals]
        by_layer = chance_of(shared, strata)
    return Overlap(len(one), len(other), shared, len(sites), by_size, by_layer)


def _checked_layers(
    layers: Mapping[Site, Hashable] | None, sites: frozenset[Site]
) -> Mapping[Site, Hashable] | None:
    if layers is not None:
        check_known(sites, layers, "the graph", "The table of layers")
    return layers


def _rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's correlation from doubled, centred mid-ranks, which are whole numbers."""
    one, other = _centred_ranks(first), _centred_ranks(second)
    product, square, other_square = (
        sum((x * y).tolist()) for x, y in ((one, other), (one, one), (other, other))
    )
    if not square or not other_square:
        raise ParameterError(
            came=f"All {one.size} sites of the {'second' if square else 'first'} ranking tie.",
            possible="A ranking is compared where at least two of its values differ.",
            write="Look at the scores: a read-out without a gradient gives all zeros.",
        )
    correlation: float = product / (square * other_square) ** 0.5
    return min(1.0, max(-1.0, correlation))


def _centred_ranks(values: Array) -> NDArray[np.int64]:
    _, block, sizes = np.unique(values, return_inverse=True, return_counts=True)
    doubled = 2 * np.cumsum(sizes) - sizes + 1  # twice the mid-rank of a block
    return (doubled[block] - values.size - 1).astype(np.int64)


def _or_undefined(value: float | None) -> str:
    return "undefined" if value is None else share(value)
