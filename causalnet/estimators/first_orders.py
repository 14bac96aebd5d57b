"""First orders of the rows of a query, for ranking: each row's scalar, expanded where it patches.

Where every row interchanges nodes between base and source, `atp` gives them over the columns that
differ only; else they are derivatives of the language, taken by one backward pass for each
unpatched read-out.  The numbers are the same.
"""

import numpy as np

from causalnet.errors import ParameterError, TermError
from causalnet.estimators.atp import atp
from causalnet.estimators.query_rows import Numbers, QueryRows
from causalnet.interventions import (
    Apply,
    At,
    Base,
    Contrast,
    Do,
    Grad,
    Leaf,
    Node,
    Op,
    Position,
    Read,
    Scalar,
    Self,
    World,
    layers_of,
    worlds_read_by,
)
from causalnet.interventions.queries import BASE, SOURCE, Direction

__all__ = ["first_order", "first_order_means"]


def first_order_means(rows: QueryRows) -> Numbers:
    """Return the first order of every row, averaged over prompts, [rows].

    Raises:
        ParameterError: A row that has none, see `first_order`.
    """
    expanded = [first_order(scalar, label) for label, scalar in rows.query.contrasts]
    leaves = tuple(dict.fromkeys(leaf for row in expanded for leaf in row))
    known = _by_attribution(rows, leaves)
    if known is None:
        means = rows.values(leaves).mean(axis=1)
        known = dict(zip(leaves, means.tolist(), strict=True))
    return np.array([sum(weight * known[leaf] for leaf, weight in row.items()) for row in expanded])


def _by_attribution(rows: QueryRows, leaves: tuple[Leaf, ...]) -> dict[Leaf, float] | None:
    """Return means of derivatives along interchanges that are alike, or None where they are not."""
    nodes: dict[Leaf, str] = {}
    shared: set[tuple[Read, tuple[Position, ...]]] = set()
    for leaf in leaves:
        match leaf:
            case Grad(Read(world=Base() as below) as read, Node(name, at, None), along):
                other = SOURCE if below == BASE else BASE
                if along != Op("subtract", (At(name, other), Self())):
                    return None
                nodes[leaf] = name
                shared.add((read, at))
            case _:
                return None
    if len(shared) != 1:
        return None
    [(read, at)] = shared
    if read.world not in (BASE, SOURCE) or read.readout.answers != "answers":
        return None
    direction: Direction = "noising" if read.world == BASE else "denoising"
    names = tuple(nodes.values())
    try:
        found = atp(rows.net, rows.pairs, names, readout=read.readout, at=at, direction=direction)
    except TermError:  # a node or read-out that only the language's own derivatives reach
        return None
    return dict(zip(nodes, found.scores.tolist(), strict=True))


def first_order(scalar: Scalar, label: str = "the row") -> dict[Leaf, float]:
    """Return the first order of a scalar in everything that its worlds set, as leaves and weights.

    A read-out in a world that sets sites becomes the read-out where nothing is set, plus its
    derivative at every site along (value that is set) - (value that is there).  Read-outs that
    cancel are left out, so that a contrast of patched and unpatched costs no forward pass of its
    own.

    Args:
        scalar: A linear combination of read-outs and derivatives.
        label: What it is called in messages.

    Raises:
        ParameterError: A ratio or an event, a read-out whose first order is 0 (kl in its own
            reference world, accuracy), or a world with several layers or values read in worlds
            that are patched themselves.

    >>> from causalnet.interventions import parse_scalar
    >>> effect = "kl(<source> + {L0.mlp := 0}) - kl(<source>)"
    >>> [(weight, str(leaf)) for leaf, weight in first_order(parse_scalar(effect)).items()]
    [(1.0, 'grad(kl(<source>); L0.mlp; subtract(0, self))')]
    """
    weights: dict[Leaf, float] = {}
    waiting: list[tuple[float, Scalar]] = [(1.0, scalar)]
    while waiting:
        weight, current = waiting.pop()
        match current:
            case Contrast(terms):
                waiting += [(weight * inner, part) for inner, part in terms]
            case Read(readout, Do() as world):
                below = _cheap_base(world, label)
                read = Read(readout, below)
                if _is_flat(read):
                    raise _no_first_order(label, f"reads {readout.name}, whose first order is 0")
                waiting.append((weight, read))
                for site, value in layers_of(world)[1][0]:
                    grad = Grad(read, site, Op("subtract", (value, Self())))
                    waiting.append((weight, grad))
            case Read() | Grad():
                weights[current] = weights.get(current, 0.0) + weight
            case Apply(name):
                raise _no_first_order(label, f"applies {name!r}, which is not linear")
    return {leaf: weight for leaf, weight in weights.items() if weight != 0}


def _cheap_base(world: World, label: str) -> Base:
    """Return the input of a world whose values are read in untouched networks only."""
    base, layers = layers_of(world)
    if len(layers) > 1:
        raise _no_first_order(label, "sets sites in several layers")
    if any(isinstance(read.world, Do) for read in worlds_read_by(world)):
        raise _no_first_order(label, "reads values in worlds that are patched themselves")
    return base


def _is_flat(read: Read) -> bool:
    """Return whether derivatives of a read-out are 0 everywhere, or at its least value."""
    own = read.readout.reference == read.world
    is_least = own and read.readout.name in ("kl", "logit_distance")
    return is_least or read.readout.name in ("accuracy", "top1_agreement")


def _no_first_order(label: str, why: str) -> ParameterError:
    return ParameterError(
        f"{label} {why}.",
        "First orders rank rows that set one layer of sites to values of untouched networks, by a "
        "read-out that has a slope there.",
        "Rank by 'bf16', or by a function from the labels of rows to scores.",
    )
