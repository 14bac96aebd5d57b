"""Planted mechanisms: networks in which the effect of removing each head is known by arithmetic.

A prompt is a value at each of some positions and an end; each head copies the value at one position
to the end, where what it writes enters the outcome in a stated way.  Base prompts draw values from
{1, 1.5, 2} and source prompts from {0, 0.5, 1}, each alike and apart, so that a counterfactual
removes one unit of value on average.  With a and b what the heads of a mechanism bring:

| kind | adds to the outcome | what makes it hard |
|---|---|---|
| `additive` | c a | nothing |
| `backup` | c a + c relu(b - a), of one value | each alone has no effect, both have |
| `conjunction` | c relu(a + b - 2) | the effect of one depends on the other |
| `cancelling` | c a - c b, of one value | both together have no effect |
| `saturated` | c min(a, 0.75) | the gradient is 0 where the base is |
| `balanced` | c a, base and source drawn alike | effects of both signs, their mean is 0 |
| `idle` | 0 | it has no effect, and moves values |
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import torch
from torch import Generator

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row, roles_of
from causalnet.known_circuits.module import SmallTransformer
from causalnet.known_circuits.slots import (
    Layer,
    Match,
    Move,
    Slots,
    Units,
    WrittenHead,
    write_transformer,
)

__all__ = ["Mechanism", "MechanismKind", "Planted", "plant"]

LEVELS = (0.0, 0.5, 1.0, 1.5, 2.0)  # the value of each token
BASE, SOURCE, ALL = (2, 3, 4), (0, 1, 2), (0, 1, 2, 3, 4)  # the tokens that are drawn
SATURATION, SHARPNESS = 0.75, 40.0


class MechanismKind(StrEnum):
    """How the heads of a mechanism enter the outcome; see the text of this module."""

    ADDITIVE = "additive"
    BACKUP = "backup"
    CONJUNCTION = "conjunction"
    CANCELLING = "cancelling"
    SATURATED = "saturated"
    BALANCED = "balanced"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class _Form:
    """A kind: the position that each of its heads looks at, and what they make of the values."""

    places: tuple[int, ...]
    value: Callable[..., float]


_FORMS: Mapping[MechanismKind, _Form] = {
    MechanismKind.ADDITIVE: _Form((0,), lambda a: a),
    MechanismKind.BACKUP: _Form((0, 0), lambda a, b: a + max(b - a, 0.0)),
    MechanismKind.CONJUNCTION: _Form((0, 1), lambda a, b: max(a + b - 2.0, 0.0)),
    MechanismKind.CANCELLING: _Form((0, 0), lambda a, b: a - b),
    MechanismKind.SATURATED: _Form((0,), lambda a: min(a, SATURATION)),
    MechanismKind.BALANCED: _Form((0,), lambda a: a),
    MechanismKind.IDLE: _Form((0,), lambda a: 0.0),
}


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One planted mechanism.

    Attributes:
        kind: How its heads enter the outcome.
        size: What that is multiplied by, in logits.

    >>> Mechanism(MechanismKind.BACKUP, 2.0).heads
    2
    """

    kind: MechanismKind
    size: float = 1.0

    @property
    def heads(self) -> int:
        """How many heads it has."""
        return len(_FORMS[self.kind].places)

    @property
    def positions(self) -> int:
        """How many values it reads."""
        return max(_FORMS[self.kind].places) + 1

    def effect(self, removed: frozenset[int]) -> float:
        """Return the mean effect of removing some of its heads, patched - unpatched, in logits.

        By enumeration of all values that base and source can have.

        Args:
            removed: Numbers of its heads, from 0.
        """
        form = _FORMS[self.kind]
        drawn = (ALL, ALL) if self.kind is MechanismKind.BALANCED else (BASE, SOURCE)
        total, count = 0.0, 0
        for base in itertools.product(drawn[0], repeat=self.positions):
            for source in itertools.product(drawn[1], repeat=self.positions):
                intact = [LEVELS[base[place]] for place in form.places]
                patched = [
                    LEVELS[(source if head in removed else base)[place]]
                    for head, place in enumerate(form.places)
                ]
                total += form.value(*patched) - form.value(*intact)
                count += 1
        return self.size * total / count


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A network with planted mechanisms.

    Attributes:
        circuit: The network, its prompts and its edges.
        mechanisms: What was planted, in the order of the heads.
        heads: For each mechanism the names of its heads.
    """

    circuit: KnownCircuit
    mechanisms: tuple[Mechanism, ...]
    heads: tuple[tuple[str, ...], ...]

    def effect(self, nodes: Iterable[str]) -> float:
        """Return the mean effect of removing heads, all at once, under counterfactual ablation.

        It is that of all prompts that can be drawn, patched - unpatched, in logits: base and source
        are drawn at random, so that a mean over prompts estimates it.

        Raises:
            UnknownMediatorError: A node that is no head of a mechanism.
        """
        wanted, total = set(nodes), 0.0
        for mechanism, names in zip(self.mechanisms, self.heads, strict=True):
            removed = frozenset(i for i, name in enumerate(names) if name in wanted)
            wanted -= set(names)
            total += mechanism.effect(removed)
        if wanted:
            known = [name for names in self.heads for name in names]
            raise UnknownMediatorError(
                f"No mechanism has the head {min(wanted)!r}.",
                f"They have {', '.join(known)}.",
                "Name heads of .heads.",
            )
        return total


def plant(mechanisms: Sequence[Mechanism], name: str = "planted") -> Planted:
    """Build a network of one layer that has the mechanisms, and nothing else.

    Args:
        mechanisms: What is planted; the heads of the first come first.
        name: What the network is called.

    Raises:
        ParameterError: No mechanism.

    >>> planted = plant([Mechanism(MechanismKind.ADDITIVE, 2.0), Mechanism(MechanismKind.BACKUP)])
    >>> planted.heads
    (('L0.H0',), ('L0.H1', 'L0.H2'))
    >>> [planted.effect([head]) for head in ("L0.H0", "L0.H1")], planted.effect(["L0.H1", "L0.H2"])
    ([-2.0, 0.0], -1.0)
    """
    if not mechanisms:
        raise ParameterError(
            "No mechanism is to be planted.",
            f"There are {', '.join(MechanismKind)}.",
            "Write plant([Mechanism(MechanismKind.ADDITIVE, 2.0)]).",
        )
    listed = tuple(mechanisms)
    values = sum(each.positions for each in listed)
    slots = Slots({"value": 1, "position": values + 1, "copies": _copies(listed), "out": 1})
    layer = _layer(slots, listed, values)
    numbers = itertools.count()
    heads = tuple(tuple(f"L0.H{next(numbers)}" for _ in range(each.heads)) for each in listed)
    circuit = KnownCircuit.computed(
        name,
        f"{len(listed)} planted mechanisms: {', '.join(each.kind for each in listed)}.",
        corruption="values drawn anew, smaller",
        roles=roles_of((layer,)),
        words=(*(f"v{level:g}" for level in LEVELS), "end"),
        weights=partial(_weights, slots, layer, values),
        sampler=partial(_rows, listed),
    )
    return Planted(circuit, listed, heads)


def _copies(mechanisms: Sequence[Mechanism]) -> int:
    return sum(each.heads for each in mechanisms)


def _layer(slots: Slots, mechanisms: Sequence[Mechanism], values: int) -> Layer:
    """Return heads that bring values to slots of their own, and an MLP that combines them."""
    one = torch.ones(1, 1, dtype=torch.float64)
    heads: list[WrittenHead] = []
    units: list[tuple[torch.Tensor, float, float]] = []  # what is read, bias, what is written
    place = 0
    for each in mechanisms:
        first = len(heads)
        for number, offset in enumerate(_FORMS[each.kind].places):
            direct = _direct(each, number)
            own = torch.zeros(1, slots.size("copies"), dtype=torch.float64)
            own[0, first + number] = 1.0
            heads.append(
                WrittenHead(
                    f"{each.kind}: brings value {place + offset}",
                    (_looks_at(values, place + offset),),
                    (Move({"value": one}, {"copies": own, "out": direct * one}),),
                    SHARPNESS,
                )
            )
        units += _units(each, first, slots.size("copies"))
        place += each.positions
    if not units:
        return Layer(tuple(heads))
    read = torch.stack([row for row, _, _ in units], 1)
    bias = torch.tensor([bias for _, bias, _ in units], dtype=torch.float64)
    write = torch.tensor([[weight] for _, _, weight in units], dtype=torch.float64)
    mlp = Units("combines what heads bring", {"copies": read}, bias, {"out": write})
    return Layer(tuple(heads), mlp)


def _looks_at(values: int, place: int) -> Match:
    """Return the score of a head that looks from the end to a place."""
    query, key = (torch.zeros(values + 1, 1, dtype=torch.float64) for _ in range(2))
    query[values], key[place] = 1.0, 1.0
    return Match({"position": query}, {"position": key})


def _direct(mechanism: Mechanism, head: int) -> float:
    """Return what a head writes into the outcome itself, for a value of 1."""
    signs: Mapping[MechanismKind, tuple[float, ...]] = {
        MechanismKind.ADDITIVE: (1.0,),
        MechanismKind.BALANCED: (1.0,),
        MechanismKind.BACKUP: (1.0, 0.0),
        MechanismKind.CANCELLING: (1.0, -1.0),
    }
    return mechanism.size * signs.get(mechanism.kind, (0.0, 0.0))[head]


def _units(
    mechanism: Mechanism, first: int, copies: int
) -> list[tuple[torch.Tensor, float, float]]:
    """Return the relu units of a mechanism: what each reads, its bias, what it writes."""

    def reading(*weights: float) -> torch.Tensor:
        row = torch.zeros(copies, dtype=torch.float64)
        row[first : first + len(weights)] = torch.tensor(weights, dtype=torch.float64)
        return row

    size = mechanism.size
    match mechanism.kind:
        case MechanismKind.BACKUP:
            return [(reading(-1.0, 1.0), 0.0, size)]
        case MechanismKind.CONJUNCTION:
            return [(reading(1.0, 1.0), -2.0, size)]
        case MechanismKind.SATURATED:
            return [(reading(1.0), 0.0, size), (reading(1.0), -SATURATION, -size)]
        case _:
            return []


def _weights(slots: Slots, layer: Layer, values: int) -> SmallTransformer:
    levels = torch.tensor([[level] for level in (*LEVELS, 0.0)], dtype=torch.float64)
    places = torch.eye(values + 1, dtype=torch.float64)
    out = torch.ones(1, 1, dtype=torch.float64)
    return write_transformer(slots, {"value": levels}, {"position": places}, (layer,), {"out": out})


def _rows(mechanisms: Sequence[Mechanism], n: int, seed: int) -> tuple[Row, ...]:
    generator = Generator().manual_seed(seed)
    sides: list[list[list[int]]] = []
    for tokens in (BASE, SOURCE):
        columns = []
        for each in mechanisms:
            drawn = torch.tensor(ALL if each.kind is MechanismKind.BALANCED else tokens)
            chosen = torch.randint(0, len(drawn), (n, each.positions), generator=generator)
            columns.append(drawn[chosen])
        end = torch.full((n, 1), len(LEVELS))
        sides.append(torch.cat([*columns, end], 1).tolist())
    return tuple(
        pair_row(base, source, answer=0, foil=1) for base, source in zip(*sides, strict=True)
    )
