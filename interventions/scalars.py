"""Scalars: one number for each prompt, made of read-outs in worlds.

| scalar | what | leaf |
|---|---|---|
| `Read` | a read-out in a world | yes |
| `Grad` | derivative of a read-out along a direction at a site | yes |
| `Contrast` | a linear combination of scalars | |
| `Apply` | a function of scalars, known by name: ratios, events | |

Leaves need the network; the rest is arithmetic on their values.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import TermError
from causalnet.interventions.markup import term_html
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.terms import Piece, abbreviated, digest_of, separated, written
from causalnet.interventions.worlds import Do, Op, Self, Site, Value, World

__all__ = [
    "FUNCTIONS",
    "Apply",
    "Contrast",
    "Grad",
    "Leaf",
    "Read",
    "Scalar",
    "evaluate_scalar",
    "leaves_of",
]

Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a read-out in a world: one number for each prompt."""

    readout: ReadOut
    world: World

    @property
    def digest(self) -> bytes:
        """What identifies the term."""
        return digest_of("Read", self.readout, self.world)

    def pieces(self) -> tuple[Piece, ...]:
        """Return `name(world)`."""
        return (*self.readout.pieces(), "(", self.world, ")")

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return term_html(self)

    def __str__(self) -> str:
        """Return `name(world)`."""
        return written(self)


@dataclass(frozen=True, slots=True)
class Grad:
    """The derivative of a read-out in a world along a direction at a site.

    It is d/dt of the read-out where the site's value has t times the direction added, on top of the
    world's own layers, at t = 0: the gradient at the site times the direction, summed over the
    site's positions and entries.

    Attributes:
        read: The read-out and the world in which it is differentiated.
        site: Where the direction is added.
        along: The direction; itself held constant.
    """

    read: Read
    site: Site
    along: Value

    @property
    def digest(self) -> bytes:
        """What identifies the term."""
        return digest_of("Grad", self.read, self.site, self.along)

    def pieces(self) -> tuple[Piece, ...]:
        """Return `grad(read; site; along)`."""
        return ("grad(", self.read, f"; {self.site}; ", self.along, ")")

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return term_html(self)

    def __str__(self) -> str:
        """Return `grad(read; site; along)`."""
        return written(self)


Leaf: TypeAlias = Read | Grad

NUDGE = "d/dt"
"""The operation that a derivative is taken along; no name of an operation is spelt like it."""


def nudged(leaf: Grad) -> Do:
    """Return the world in which a derivative's read-out is taken: its direction is added there."""
    return Do(leaf.read.world, ((leaf.site, Op(NUDGE, (Self(), leaf.along))),))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contrast:
    """A linear combination of scalars: one number for each prompt.

    Attributes:
        terms: Weights, which are finite numbers, and scalars.
        digest: What identifies the term.

    Raises:
        TermError: A weight that is not a finite number.
    """

    terms: tuple[tuple[float, "Scalar"], ...]
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Make the weights Python's floats, so that equal terms have one digest, and make it."""
        terms = tuple((_weight(weight), scalar) for weight, scalar in self.terms)
        object.__setattr__(self, "terms", terms)
        flat = (part for pair in terms for part in pair)
        object.__setattr__(self, "digest", digest_of("Contrast", *flat))

    def pieces(self) -> tuple[Piece, ...]:
        """Return the sum as it would be written."""
        shown: list[Piece] = [] if self.terms else ["(0)"]
        for index, (weight, scalar) in enumerate(self.terms):
            size = "" if abs(weight) == 1 else f"{abs(weight)!r} "
            # A sum of one plain term is written with its sign, to differ from the term itself.
            signed = weight < 0 or index or not (size or len(self.terms) > 1)
            sign = "" if not signed else "- " if weight < 0 else "+ "
            wrapped = isinstance(scalar, Contrast)
            shown += [
                f"{' ' if index else ''}{sign}{size}",
                *(("(", scalar, ")") if wrapped else (scalar,)),
            ]
        return tuple(shown)

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return term_html(self)

    def __str__(self) -> str:
        """Return the sum as it would be written."""
        return written(self)

    def __repr__(self) -> str:
        """Return the text, in the class's name."""
        return f"Contrast({abbreviated(self)})"

    def __eq__(self, other: object) -> bool:
        """Return whether two terms are the same."""
        return isinstance(other, Contrast) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)


def _weight(weight: float) -> float:
    if not (isinstance(weight, Real) and math.isfinite(weight)):
        raise TermError(f"The weight {weight!r}.", "A weight is a finite number.")
    return float(weight) + 0.0  # no negative zero


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Apply:
    """A function of scalars, taken prompt by prompt.

    Attributes:
        name: A name of `FUNCTIONS`.
        arguments: What it is applied to.
        digest: What identifies the term.

    Raises:
        TermError: An unknown function, or another number of arguments than it takes.
    """

    name: str
    arguments: tuple["Scalar", ...]
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Check the function and make the digest."""
        if self.name not in FUNCTIONS:
            raise TermError(f"No function {self.name!r}.", f"There are {', '.join(FUNCTIONS)}.")
        wanted = FUNCTIONS[self.name]
        if len(self.arguments) != wanted:
            raise TermError(
                f"{self.name} was given {len(self.arguments)} arguments.", f"It takes {wanted}."
            )
        object.__setattr__(self, "digest", digest_of("Apply", self.name, *self.arguments))

    def pieces(self) -> tuple[Piece, ...]:
        """Return `name(arguments)`."""
        inside = separated((argument,) for argument in self.arguments)
        return (f"{self.name}(", *inside, ")")

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return term_html(self)

    def __str__(self) -> str:
        """Return `name(arguments)`."""
        return written(self)

    def __repr__(self) -> str:
        """Return the text, in the class's name."""
        return f"Apply({abbreviated(self)})"

    def __eq__(self, other: object) -> bool:
        """Return whether two terms are the same."""
        return isinstance(other, Apply) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)


Scalar: TypeAlias = Read | Grad | Contrast | Apply

FUNCTIONS: Mapping[str, int] = {
    "ratio": 2,  # first / second
    "positive": 1,  # 1 where the argument is above 0, else 0
    "not": 1,  # 1 - argument, for events
    "and": 2,  # product, for events
}
"""Functions of scalars and how many arguments they take."""


def leaves_of(scalar: Scalar) -> tuple[Leaf, ...]:
    """Return the reads and derivatives that a scalar is made of, each once, left to right."""
    found: dict[Leaf, None] = {}
    seen: set[Scalar] = set()
    waiting: list[Scalar] = [scalar]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        match current:
            case Read() | Grad():
                found[current] = None
            case Contrast(terms):
                waiting.extend(part for _, part in reversed(terms))
            case Apply(_, arguments):
                waiting.extend(reversed(arguments))
    return tuple(found)


def evaluate_scalar(scalar: Scalar, values: Mapping[Leaf, Numbers]) -> Numbers:
    """Return a scalar's value for each prompt, [n], from those of its leaves.

    Args:
        scalar: The scalar.
        values: The values of its leaves, [n] each.
    """
    done: dict[Scalar, Numbers] = {leaf: value for leaf, value in values.items()}
    waiting: list[Scalar] = [scalar]
    while waiting:
        current = waiting[-1]
        inside = _inside(current)
        missing = [part for part in inside if part not in done]
        if missing:
            waiting.extend(missing)
        else:
            if current not in done:
                done[current] = _value(current, [done[part] for part in inside])
            waiting.pop()
    return done[scalar]


def _inside(scalar: Scalar) -> tuple[Scalar, ...]:
    match scalar:
        case Contrast(terms):
            return tuple(part for _, part in terms)
        case Apply(_, arguments):
            return arguments
        case Read() | Grad():
            return ()


def _value(scalar: Scalar, inside: list[Numbers]) -> Numbers:
    match scalar:
        case Contrast(terms):
            weighted = [weight * part for (weight, _), part in zip(terms, inside, strict=True)]
            return np.sum(weighted, axis=0) if weighted else np.zeros(1)
        case Apply("ratio"):
            return inside[0] / inside[1]
        case Apply("positive"):
            return (inside[0] > 0).astype(np.float64)
        case Apply("not"):
            return 1.0 - inside[0]
        case Apply("and"):
            return inside[0] * inside[1]
    raise TermError(f"{scalar} has no value.", "Its leaves were not evaluated.")
