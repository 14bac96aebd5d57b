"""What the hand-written networks compute, as formulas over tokens: no slots, no weights."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NAMES, BEGIN, END = 8, 12, 13


def looks(scores: Array, causal: bool = True) -> Array:
    """Softmax over the positions that are seen."""
    seen = np.tril(np.ones_like(scores)) if causal else np.ones_like(scores)
    weights = np.where(seen > 0, np.exp(scores - scores.max(-1, keepdims=True)), 0.0)
    shares: Array = weights / weights.sum(-1, keepdims=True)
    return shares


def one_hot(ids: list[int], size: int) -> Array:
    return np.eye(size)[ids]


def induction(ids: list[int], sharpness: float) -> Array:
    n, tokens = len(ids), one_hot(ids, 10)
    wanted = np.array([[j == max(i - 1, 0) for j in range(n)] for i in range(n)])
    before = looks(sharpness * wanted) @ tokens
    matches = np.array([[before[j, ids[i]] for j in range(n)] for i in range(n)])
    logits: Array = 10 * looks(sharpness * matches) @ tokens
    return logits


def proportion(ids: list[int]) -> Array:
    logits = np.zeros((len(ids), 5))
    logits[:, 0] = [ids[: at + 1].count(0) / (at + 1) for at in range(len(ids))]
    return logits


def sort(ids: list[int], sharpness: float) -> Array:
    ranks = [sum(other < one for other in ids) for one in ids]
    fits = np.array([[float(rank == at) for rank in ranks] for at in range(len(ids))])
    logits: Array = 10 * looks(sharpness * fits, causal=False) @ one_hot(ids, 9)
    return logits


def brackets(ids: list[int]) -> Array:
    steps = [1 - 2 * one for one in ids]
    depths = [sum(steps[: at + 1]) / (at + 1) for at in range(len(ids))]
    below = [max(0.0, -10 * depth) for depth in depths]
    logits = np.zeros((len(ids), 2))
    for at, depth in enumerate(depths):
        violations = 10 * sum(below[: at + 1]) / (at + 1)
        logits[at, 0] = -violations - max(0.0, 10 * depth)
    return logits


def indirect_object(
    ids: list[int], sharpness: float, backup: bool = False, negative: float = 0.0
) -> Array:
    n, is_name = len(ids), np.array([float(one < NAMES) for one in ids])
    names = np.array([np.eye(NAMES)[one] if one < NAMES else np.zeros(NAMES) for one in ids])
    begins, ends = np.array([[float(one == mark) for one in ids] for mark in (BEGIN, END)])
    later = np.array([[float(j >= i) for j in range(n)] for i in range(n)])

    found = looks(sharpness * (2 * names @ names.T - 4 * later + begins))
    duplicate, is_duplicate = found @ names, found @ is_name
    inhibited = looks(sharpness * (2 * np.outer(ends, is_duplicate) + begins)) @ duplicate

    def mover(held_back: Array) -> Array:
        asks = np.outer(2 * ends - held_back, is_name) - 3 * inhibited @ names.T
        return looks(sharpness * (asks + begins))

    moves = mover(np.zeros(n))
    out = moves @ names - negative * (moves @ names)
    if backup:
        out = out + mover(2 * (moves @ is_name)) @ names
    return np.pad(10 * out, ((0, 0), (0, 14 - NAMES)))


FORMULAS: dict[str, Callable[[list[int]], Array]] = {
    "induction": lambda ids: induction(ids, 30.0),
    "induction_soft": lambda ids: induction(ids, 6.0),
    "proportion": proportion,
    "sort": lambda ids: sort(ids, 40.0),
    "sort_soft": lambda ids: sort(ids, 4.0),
    "brackets": brackets,
    "indirect_object": lambda ids: indirect_object(ids, 20.0),
    "indirect_object_soft": lambda ids: indirect_object(ids, 2.0),
    "indirect_object_backup_negative": lambda ids: indirect_object(ids, 20.0, True, 0.25),
}
