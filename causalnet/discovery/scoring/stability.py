"""Would other items of the same kind have given the same circuit?  A bootstrap over items.

Circuit discovery is an estimate from a sample of items (Méloux et al. 2025): here the items are
drawn anew with replacement, the circuit is taken from the mean scores of each draw, and circuits
are compared pair by pair.  Méloux et al. take a mean Jaccard of at least 0.8 over at least 100
resamples as the guideline for a stable circuit.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.discovery.scoring.agreement import (
    jaccard_with,
    mean_of_pairs,
    pairwise_jaccard,
    wilson_interval,
)
from causalnet.discovery.scoring.chance import Sizes, expected_jaccard
from causalnet.discovery.scoring.conventions import Array
from causalnet.discovery.scoring.wording import percent, share
from causalnet.errors import ParameterError
from causalnet.statistics import Interval

__all__ = ["GUIDELINE", "Inclusion", "Rule", "Stability", "bootstrap_stability"]

Rule = Callable[[Array], Collection[int]]

GUIDELINE = 0.8
GUIDELINE_RESAMPLES = 100
CORE = 0.95  # the inclusion frequency from which a site counts as always there


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How often one site was in the circuit.

    Attributes:
        site: Its index among the scores.
        name: Its name, or its index as text.
        count: Resamples whose circuit holds it.
        frequency: The same as a share of all resamples, with a 95 % Wilson interval for what
            endless resampling of these items would give.
        interval: That interval; it knows of the resamples' number, not of the items'.
    """

    site: int
    name: str
    count: int
    frequency: float
    interval: Interval

    def __str__(self) -> str:
        """Print the name, the frequency and its interval."""
        return f"{self.name} {share(self.frequency)} {self.interval}"

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        return {
            "site": self.site,
            "name": self.name,
            "count": self.count,
            "frequency": self.frequency,
            "interval": self.interval.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Stability:
    """How much the circuits of bootstrap resamples agree.

    Attributes:
        jaccard: The mean Jaccard index over all pairs of resamples; a pair of two empty circuits
            counts 0.
        error: Its Monte Carlo standard error (jackknife over resamples); more resamples shrink
            it, more items do not.
        chance: The mean Jaccard index of two random circuits of the size of `full`: a circuit
            of 90 % of the graph reaches the guideline by chance.
        jaccard_with_full: The mean Jaccard index of resamples with the circuit of all items.
        full: Indices of that circuit, ascending.
        inclusions: The sites that were ever in a circuit, most frequent first.
        sizes: The size of every resample's circuit, in the order of the draws.
        items: How many items there are.
        clusters: How many clusters were drawn from; None where items were.
        seed: Where the draws came from.
    """

    jaccard: float
    error: float
    chance: float
    jaccard_with_full: float
    full: tuple[int, ...]
    inclusions: tuple[Inclusion, ...]
    sizes: tuple[int, ...]
    items: int
    clusters: int | None
    seed: int

    @property
    def resamples(self) -> int:
        """How many resamples were drawn."""
        return len(self.sizes)

    @property
    def empty(self) -> int:
        """Resamples that gave no circuit."""
        return self.sizes.count(0)

    @property
    def is_stable(self) -> bool:
        """Whether the mean Jaccard index reaches the guideline of Méloux et al. 2025."""
        return self.jaccard >= GUIDELINE

    def core(self, frequency: float = CORE) -> tuple[str, ...]:
        """Return the names of sites in at least this share of circuits, most frequent first."""
        return tuple(one.name for one in self.inclusions if one.frequency >= frequency)

    def __str__(self) -> str:
        """Print the agreement, the guideline, the sizes and how many sites are always there."""
        verdict = "reaches" if self.is_stable else "below"
        drawn = f"{self.items} items"
        if self.clusters is not None:
            drawn = f"{self.clusters} clusters of {drawn}"
        lines = [
            f"mean pairwise Jaccard {share(self.jaccard)} (Monte Carlo error {self.error:.3f}) "
            f"over {self.resamples} bootstrap resamples of {drawn}",
            f"{verdict} the guideline of {GUIDELINE:g} (Méloux et al. 2025); "
            f"{share(self.jaccard_with_full)} with the circuit of all items, "
            f"{share(self.chance)} between random ones of its size",
            f"sizes {min(self.sizes)} to {max(self.sizes)}, median {median(self.sizes):g}, with "
            f"all items {len(self.full)}; {len(self.core())} sites in at least {percent(CORE)} of "
            f"circuits, {len(self.inclusions)} in any",
        ]
        if self.empty:
            lines.append(f"{self.empty} resamples gave no circuit")
        if self.resamples < GUIDELINE_RESAMPLES:
            lines.append(f"the guideline asks for at least {GUIDELINE_RESAMPLES} resamples")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        return {
            "jaccard": self.jaccard,
            "error": self.error,
            "chance": self.chance,
            "jaccard_with_full": self.jaccard_with_full,
            "guideline": GUIDELINE,
            "full": list(self.full),
            "inclusions": [one.to_json() for one in self.inclusions],
            "sizes": list(self.sizes),
            "items": self.items,
            "clusters": self.clusters,
            "seed": self.seed,
        }


def bootstrap_stability(
    scores: ArrayLike,
    rule: Rule,
    *,
    seed: int,
    resamples: int = 200,
    names: Sequence[str] | None = None,
    clusters: Sequence[Hashable] | None = None,
) -> Stability:
    """Take the circuit of many resamples of the items, and compare them.

    Args:
        scores: One score per site and item, signed, shape (sites, items).
        rule: From the mean scores, shape (sites), to the indices of a circuit's sites.
        seed: Where the draws come from.
        resamples: How many, at least 3.
        names: The names of sites, for printing.
        clusters: The cluster of every item, e.g. its template: whole clusters are then drawn, and
            a mean weighs every drawn item alike.

    Raises:
        ParameterError: Scores of another shape or not finite, fewer than 3 resamples, 2 items
            or 2 clusters, names or clusters that do not fit, a rule that gives no circuit with all
            items, or something else than indices.

    >>> noise = np.random.default_rng(0).normal(size=(6, 50))
    >>> scores = noise + np.array([[3.0], [3.0], [0.2], [0.0], [0.0], [0.0]])
    >>> def two_largest(means):
    ...     return np.argsort(-means)[:2]
    >>> print(bootstrap_stability(scores, two_largest, seed=1))
    mean pairwise Jaccard 1.000 (Monte Carlo error 0.000) over 200 bootstrap resamples of 50 items
    reaches the guideline of 0.8 (Méloux et al. 2025); 1.000 with the circuit of all items, \
0.244 between random ones of its size
    sizes 2 to 2, median 2, with all items 2; 2 sites in at least 95 % of circuits, 2 in any
    """
    table = _checked_scores(scores)
    labels = _checked_names(names, table.shape[0])
    groups = _groups(clusters, table.shape[1])
    if resamples < 3:
        came = f"{resamples} resamples were asked for."
        raise _refuse(came, "A mean of pairs and its error need at least 3.", "resamples=200")
    full = _circuit(rule, table.mean(axis=1))
    if not full.any():
        raise ParameterError(
            came="The rule gives no circuit for all items together.",
            possible="Circuits of resamples are compared where there is one to begin with.",
            write="Lower the rule's threshold.",
        )
    rng, count = np.random.default_rng(seed), int(groups.max()) + 1
    drawn = np.zeros((resamples, table.shape[0]), dtype=np.bool_)
    for row in drawn:
        weights = np.bincount(rng.integers(count, size=count), minlength=count)[groups]
        # As floats: an integer vector would keep the product from BLAS.
        row[:] = _circuit(rule, table @ weights.astype(np.float64) / weights.sum())
    jaccard, error = mean_of_pairs(pairwise_jaccard(drawn))
    size = int(full.sum())
    return Stability(
        jaccard=jaccard,
        error=error,
        chance=expected_jaccard(Sizes(size, size, full.size)),
        jaccard_with_full=float(np.mean(jaccard_with(drawn, full))),
        full=tuple(np.flatnonzero(full).tolist()),
        inclusions=_inclusions(drawn, labels),
        sizes=tuple(drawn.sum(axis=1).tolist()),
        items=table.shape[1],
        clusters=None if clusters is None else count,
        seed=seed,
    )


def _inclusions(circuits: NDArray[np.bool_], names: Sequence[str]) -> tuple[Inclusion, ...]:
    n, counts = len(circuits), circuits.sum(axis=0)
    often = sorted(np.flatnonzero(counts).tolist(), key=lambda site: (-counts[site], site))
    return tuple(
        Inclusion(
            site,
            names[site],
            int(counts[site]),
            int(counts[site]) / n,
            wilson_interval(int(counts[site]), n),
        )
        for site in often
    )


def _circuit(rule: Rule, means: Array) -> NDArray[np.bool_]:
    """Return the sites that a rule keeps, as a mask of shape (sites)."""
    given = rule(means)
    sites = np.asarray(given if isinstance(given, np.ndarray) else list(given))
    mask = np.zeros(means.size, dtype=np.bool_)
    if sites.size == 0:
        return mask
    if sites.ndim != 1 or sites.dtype.kind not in "iu":
        came = f"The rule gave {sites.dtype} of shape {sites.shape}."
        raise _refuse(came, "It gives indices of sites.", "np.flatnonzero(means > 0.1)")
    if sites.min() < 0 or sites.max() >= means.size:
        came = f"The rule gave the sites {sites.min()} to {sites.max()}."
        raise _refuse(came, f"There are sites 0 to {means.size - 1}.", "np.argsort(-means)[:10]")
    mask[sites] = True
    return mask


def _checked_scores(scores: ArrayLike) -> Array:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2:
        came = f"The scores have the shape {table.shape}."
        raise _refuse(came, "It is (sites, items), with at least 2 items.", "scores.T")
    bad = np.argwhere(~np.isfinite(table))
    if bad.size:
        site, item = bad[0]
        came = f"The score of site {site} for item {item} is {table[site, item]}."
        raise _refuse(came, "Every score is finite.", "np.isfinite(scores).all(axis=1)")
    return table


def _checked_names(names: Sequence[str] | None, sites: int) -> Sequence[str]:
    if names is None:
        return [str(site) for site in range(sites)]
    if len(names) != sites:
        came = f"There are {len(names)} names for {sites} sites."
        raise _refuse(came, "Every site has one name.", "names=None")
    return names


def _groups(clusters: Sequence[Hashable] | None, items: int) -> NDArray[np.int64]:
    """Return the number of each item's cluster, in the order of their first items."""
    if clusters is None:
        return np.arange(items)
    if len(clusters) != items:
        came = f"There are {len(clusters)} clusters for {items} items."
        raise _refuse(came, "Every item is in one cluster.", "[item.template for item in items]")
    order = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    if len(order) < 2:
        came = "All items are in one cluster."
        raise _refuse(came, "At least 2 clusters are drawn from.", "clusters=None")
    return np.array([order[cluster] for cluster in clusters])


def _refuse(came: str, possible: str, write: str) -> ParameterError:
    return ParameterError(came=came, possible=possible, write=f"Write for example {write}.")
