"""The trained networks as known circuits: trained when first used, kept in the user's folder.

What is kept is named by the digest of its recipe, so another recipe is another file, and an
interrupted training goes on where it stopped.  Their truths are not read off the weights, all of
which differ from zero: they are all edges among the nodes that take part.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import torch

from causalnet.errors import CausalNetError
from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row
from causalnet.known_circuits.interchange import modular_sum, nodes_of
from causalnet.known_circuits.interchange_training import train_strict
from causalnet.known_circuits.modular_addition import AdditionSetting, train_addition
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.known_circuits.trained_induction import (
    InductionReport,
    InductionSetting,
    TrainedInduction,
    draw_repeats,
    train_induction,
)
from causalnet.known_circuits.training import Course
from causalnet.known_circuits.truth import Edge
from causalnet.store import user_folder

__all__ = ["edges_among", "kept_folder", "learned_addition", "learned_induction", "learned_sum"]

_SUM = SmallShape(8, 4, width=48, layers=2, heads=4, head_width=12, mlp_width=192)


def kept_folder() -> Path:
    """Return the folder of trained networks, which is made if need be.

    Raises:
        CausalNetError: It cannot be made.
    """
    folder = user_folder() / "trained"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise CausalNetError(
            f"A trained network cannot be kept in {str(folder)!r} ({refusal}).",
            possible="It is trained when it is first asked for, and kept as a file.",
            write="Set CAUSALNET_CACHE to a folder with room in it that you may write to.",
        ) from None
    return folder


def learned_sum(name: str, *, strict: float = 1.0, seed: int = 0) -> KnownCircuit:
    """Return the sum modulo 7 of two digits, learned with or without other nodes kept out.

    Args:
        name: Behind `known:`.
        strict: Weight of the loss that keeps them out.
        seed: Of the training.
    """
    high = modular_sum(7)
    course = Course(steps=1000, seed=seed)

    def weights() -> SmallTransformer:
        trained = train_strict(_SUM, high, strict=strict, course=course, checkpoint=kept_folder())
        return trained.module.double()

    held = {node: variable.name for variable in high.variables for node in variable.nodes}
    kept_out = "kept out of it" if strict else "not kept out of it"
    return _circuit(
        name,
        "(first + second) mod 7 of `first second distractor =`",
        "all three digits are drawn anew",
        _SUM,
        {node: held.get(node, kept_out) for node in nodes_of(_SUM)},
        edges_among(held),
        (*map(str, range(7)), "="),
        weights,
        partial(_sums, 7, 1),
    )


def learned_addition(name: str, *, seed: int = 0) -> KnownCircuit:
    """Return addition modulo 53, learned by one layer, all of whose nodes take part.

    Args:
        name: Behind `known:`.
        seed: Of the training.
    """
    setting = AdditionSetting(course=replace(AdditionSetting().course, seed=seed))
    nodes = nodes_of(setting.shape())
    return _circuit(
        name,
        "(first + second) mod 53 of `first second =`",
        "both summands are drawn anew",
        setting.shape(),
        dict.fromkeys(nodes, "rotations at all key frequencies"),
        edges_among(nodes),
        (*map(str, range(setting.modulus)), "="),
        lambda: train_addition(setting, checkpoint=kept_folder()).module.double(),
        partial(_sums, setting.modulus, 0),
    )


def learned_induction(name: str, *, seed: int = 0) -> KnownCircuit:
    """Return induction, learned by two layers of attention; which heads do what is measured.

    Args:
        name: Behind `known:`.
        seed: Of the training.
    """
    setting = InductionSetting(course=replace(InductionSetting().course, seed=seed))

    def train() -> TrainedInduction:
        return train_induction(setting, checkpoint=kept_folder())

    report = train().report
    roles = dict.fromkeys(nodes_of(setting.shape()), "neither kind of head")
    roles |= dict.fromkeys(report.previous_token_heads, "previous token")
    roles |= dict.fromkeys(report.induction_heads, "induction")
    return _circuit(
        name,
        "A B ... A -> B in stretches that are repeated",
        "the token to be copied is another one",
        setting.shape(),
        roles,
        _composed(report),
        tuple(f"t{token}" for token in range(setting.tokens)),
        lambda: train().module.double(),
        partial(_repeats, setting.tokens, setting.length),
    )


def _circuit(
    name: str,
    description: str,
    corruption: str,
    shape: SmallShape,
    roles: Mapping[str, str],
    truth: frozenset[Edge],
    words: tuple[str, ...],
    weights: Callable[[], SmallTransformer],
    sampler: Callable[[int, int], tuple[Row, ...]],
) -> KnownCircuit:
    inputs = {"embed": "token embedding", "pos_embed": "position embedding"}
    return KnownCircuit(
        name=name,
        description=description,
        corruption=corruption,
        shape=shape,
        truth=truth,
        active=truth,
        roles={**inputs, **roles},
        words=words,
        weights=weights,
        sampler=sampler,
    )


def edges_among(nodes: Iterable[str]) -> frozenset[Edge]:
    """Return all edges among some nodes, both embeddings and the logits.

    Args:
        nodes: Heads and MLPs by name, `L0.H1` or `L1.mlp`.

    >>> sorted(edges_among(["L0.mlp"]))
    [('L0.mlp', 'logits'), ('embed', 'L0.mlp'), ('embed', 'logits'), ('pos_embed', 'L0.mlp'), \
('pos_embed', 'logits')]
    """
    stages = {"embed": -1, "pos_embed": -1} | {node: _stage(node) for node in nodes}
    readers = [
        (stages[node], channel) for node in stages if stages[node] >= 0 for channel in _reads(node)
    ]
    last = (max(stages.values()) + 1, "logits")
    return frozenset(
        (sender, channel)
        for sender, (stage, channel) in product(stages, [*readers, last])
        if stages[sender] < stage
    )


def _stage(node: str) -> int:
    layer, kind = node.removeprefix("L").split(".")
    return 2 * int(layer) + (kind == "mlp")


def _reads(node: str) -> tuple[str, ...]:
    return (node,) if node.endswith("mlp") else tuple(f"{node}.{side}" for side in "qkv")


def _composed(report: InductionReport) -> frozenset[Edge]:
    """Return the edges of induction by K-composition, from tokens and positions to logits."""
    before, behind = report.previous_token_heads, report.induction_heads
    edges = {(sender, f"{head}.k") for sender in before for head in behind}
    for head in (*before, *behind):
        edges |= {(sender, f"{head}.{side}") for sender in ("embed", "pos_embed") for side in "qkv"}
    return frozenset(edges | {(head, "logits") for head in behind})


def _sums(modulus: int, distractors: int, n: int, seed: int) -> tuple[Row, ...]:
    """Draw pairs of sums with different answers."""
    generator = torch.Generator().manual_seed(seed)
    rows: list[Row] = []
    while len(rows) < n:
        drawn = torch.randint(modulus, (2, 2 + distractors), generator=generator)
        answer, foil = (drawn[:, :2].sum(1) % modulus).tolist()
        if answer != foil:
            base, source = ([*side, modulus] for side in drawn.tolist())
            rows.append(pair_row(base, source, answer, foil, {"first": 0, "second": 1}))
    return tuple(rows)


def _repeats(tokens: int, length: int, n: int, seed: int) -> tuple[Row, ...]:
    """Draw repeats whose next token is asked for, and the same with another token in its place."""
    generator = torch.Generator().manual_seed(seed)
    drawn, _ = draw_repeats(tokens, length, n, generator)
    return tuple(_repeat(row, tokens, generator) for row in drawn.tolist())


def _repeat(row: list[int], tokens: int, generator: torch.Generator) -> Row:
    earlier = max(at for at in range(len(row) - 1) if row[at] == row[-1])
    answer = row[earlier + 1]
    unused = sorted(set(range(tokens)) - set(row))
    foil = unused[int(torch.randint(len(unused), (1,), generator=generator))]
    source = [foil if token == answer else token for token in row]
    return pair_row(row, source, answer, foil, {"copied": earlier + 1})
