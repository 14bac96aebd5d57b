"""Random causal models on a graph, for tests of terms: hashes, tables and small ReLU networks.

Values are arrays [positions, width].  In a hash model every mechanism and every sum is an injective
mixing of its arguments (up to collisions), so that two reads are equal only if they must be; in a
table model values are few, so that they are equal often; a ReLU model is a network in miniature.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs import MediatorGraph
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.views import Handle, Indices, Position, Subspace
from causalnet.interventions.worlds import Site

__all__ = ["hash_scm", "relu_scm", "table_scm"]

Whole: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float64]

_PRIME = 2_147_483_647  # products of two residues fit into 64 bits
_NAMED = {"end": -1, "S1": 0, "S2": 1}


def _drawn(count: int, modulus: int, *parts: object) -> Whole:
    """Return whole numbers below the modulus that are a hash of some parts."""
    content = b"|".join(
        part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode() for part in parts
    )
    raw = np.frombuffer(hashlib.shake_128(content).digest(8 * count), dtype=np.uint64)
    return (raw % np.uint64(modulus)).astype(np.int64)


def hash_scm(
    graph: MediatorGraph, seed: int, *, positions: int = 3, width: int = 3, causal: bool = False
) -> SCM:
    """Return a model whose mechanisms and sums are hashes: values are equal only if they must be.

    Args:
        graph: The graph.
        seed: Which model.
        positions: Rows of every value; `S1`, `S2` and `end` name the first, second and last.
        width: Columns of every value.
        causal: Whether position p of a value depends on positions up to p only.
    """
    return _whole_scm(graph, seed, _PRIME, positions, width, causal, sums=False)


def table_scm(
    graph: MediatorGraph, seed: int, *, values: int = 2, positions: int = 3, width: int = 3
) -> SCM:
    """Return a model of random tables over few values, with sums taken modulo their number."""
    return _whole_scm(graph, seed, values, positions, width, causal=False, sums=True)


def _whole_scm(
    graph: MediatorGraph,
    seed: int,
    modulus: int,
    positions: int,
    width: int,
    causal: bool,
    sums: bool,
) -> SCM:
    shape, size = (positions, width), positions * width

    def draw(*parts: object) -> Whole:
        return _drawn(size, modulus, seed, *parts).reshape(shape)

    def mechanism(name: str, slots: Mapping[str, Any]) -> Whole:
        flat = [
            (key, np.stack(value) if isinstance(value, tuple) else value)
            for key, value in slots.items()
        ]
        if not causal:
            return draw(name, *(part for pair in flat for part in pair))
        rows = []
        for last in range(1, positions + 1):
            seen = (part for key, value in flat for part in (key, value[..., :last, :].copy()))
            rows.append(_drawn(width, modulus, seed, name, *seen))
        return np.stack(rows)

    def plus(total: Whole, term: Whole) -> Whole:
        return (total + term) % modulus if sums else mechanism("plus", {"a": total, "b": term})

    def operate(name: str, arguments: tuple[Any, ...], parameters: Mapping[str, Any]) -> Whole:
        shown = sorted((key, getattr(value, "digest", value)) for key, value in parameters.items())
        return mechanism(f"op {name} {shown}", {str(i): part for i, part in enumerate(arguments)})

    return SCM(
        graph,
        {
            node.mediator.name: partial(mechanism, node.mediator.name)
            for node in graph.nodes
            if node.slots
        },
        lambda node, name: draw("input", node, name),
        lambda handle: draw("constant", handle.digest),
        _Every(operate),
        noise=lambda key, like: draw("noise", key, like if isinstance(like, str) else ""),
        mix=partial(_whole_mix, modulus=modulus, seed=seed),
        plus=plus,
    )


class _Every(Mapping[str, Any]):
    """Bodies for operations of every name."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body

    def __getitem__(self, name: str) -> Any:
        return partial(self.body, name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def _rows(at: tuple[Position, ...], count: int) -> NDArray[np.bool_]:
    chosen = np.zeros(count, dtype=bool)
    if not at:
        chosen[:] = True
    for position in at:
        chosen[_NAMED[position] if isinstance(position, str) else position] = True
    return chosen[:, None]


def _whole_mix(site: Site, new: Whole, below: Whole, *, modulus: int, seed: int) -> Whole:
    """Mix whole numbers: a subspace is a projection modulo a prime, exact and of its rank."""
    change = (new - below) % modulus
    match site.part:
        case None:
            projected = change
        case Indices(_, indices):
            projected = np.zeros_like(change)
            projected[:, list(indices)] = change[:, list(indices)]
        case Subspace(basis, columns, _):
            matrix = _projection(basis, columns, below.shape[-1], modulus, seed)
            projected = (change[:, :, None] * matrix[None] % modulus).sum(1) % modulus
    return np.where(_rows(site.at, len(below)), (below + projected) % modulus, below)


@lru_cache(maxsize=256)
def _projection(
    basis: Handle, columns: tuple[int, ...], width: int, modulus: int, seed: int
) -> Whole:
    """Return M_c N_c: columns of a random matrix M and the same rows of its inverse N."""
    lower, lower_inverse = _unit_triangular(width, modulus, seed, basis.digest, "lower")
    other, other_inverse = _unit_triangular(width, modulus, seed, basis.digest, "upper")
    matrix = _product(lower, other.T, modulus)
    inverse = _product(other_inverse.T, lower_inverse, modulus)
    chosen = list(columns)
    return _product(matrix[:, chosen], inverse[chosen], modulus)


def _product(first: Whole, second: Whole, modulus: int) -> Whole:
    product: Whole = (first[:, :, None] * second[None] % modulus).sum(1) % modulus
    return product


def _unit_triangular(width: int, modulus: int, *parts: object) -> tuple[Whole, Whole]:
    """Return a random lower triangular matrix with a diagonal of ones, and its inverse."""
    lower = np.tril(_drawn(width * width, modulus, *parts).reshape(width, width), -1)
    lower = lower + np.eye(width, dtype=np.int64)
    inverse = np.eye(width, dtype=np.int64)
    for row in range(width):  # forward substitution, modulo the modulus
        for earlier in range(row):
            inverse[row] = (inverse[row] - lower[row, earlier] * inverse[earlier]) % modulus
    return lower, inverse


def relu_scm(graph: MediatorGraph, seed: int, *, positions: int = 3, width: int = 3) -> SCM:
    """Return a model whose mechanisms are random ReLU networks with one hidden layer."""

    def normal(*parts: object, shape: tuple[int, ...]) -> Real:
        number = int(_drawn(1, _PRIME, seed, *parts)[0])
        return np.random.default_rng(number).normal(size=shape)

    def mechanism(name: str, slots: Mapping[str, Any]) -> Any:
        hidden: Any = normal(name, "bias", shape=(8,))
        for slot, value in slots.items():
            for index, part in enumerate(value if isinstance(value, tuple) else (value,)):
                weight = normal(name, slot, index, shape=(width, 8)) / width**0.5
                hidden = hidden + _mixed_rows(part) @ weight
        # The real part decides, so that a complex step goes through where the unit is active.
        return np.where(np.real(hidden) > 0, hidden, 0) @ normal(name, "out", shape=(8, width)) / 2

    def basis(handle: Handle) -> Real:
        return np.linalg.qr(normal("basis", handle.digest, shape=(width, width)))[0]

    rows = partial(normal, shape=(positions, width))
    return SCM(
        graph,
        {
            node.mediator.name: partial(mechanism, node.mediator.name)
            for node in graph.nodes
            if node.slots
        },
        lambda node, name: rows("input", node, name),
        lambda handle: rows("constant", handle.digest),
        noise=lambda key, like: rows("noise", key, like if isinstance(like, str) else ""),
        mix=partial(_real_mix, basis=basis),
    )


def _mixed_rows(value: Any) -> Any:
    """Let every position see the earlier ones."""
    return np.cumsum(value, axis=-2) / np.arange(1, value.shape[-2] + 1)[:, None]


def _real_mix(site: Site, new: Any, below: Any, *, basis: Callable[[Handle], Real]) -> Any:
    change = new - below
    match site.part:
        case None:
            projected = change
        case Indices(_, indices):
            projected = np.zeros_like(change)
            projected[:, list(indices)] = change[:, list(indices)]
        case Subspace(named, columns, _):
            span = basis(named)[:, list(columns)]
            projected = change @ span @ span.T
    return np.where(_rows(site.at, len(below)), below + projected, below)
