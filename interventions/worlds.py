"""Worlds: an input and layers of interventions; values that may read other worlds.

A world is `Base(input)` or `Do(world, assignments)`.  An assignment gives a node site a value:
a constant, the value of a node in another world (an interchange), its own natural value, or an
operation on those.  Nested counterfactuals need no further construct: a value that reads a world
whose own sites read other worlds is one.  Constants are handles; their tensors are bound when the
term is executed, so that terms stay hashable and free of tensors.

>>> base, source = Base("base"), Base("source")
>>> world = Do(base, ((Node("L9.H6", ("end",)), At("L9.H6", source)),))
>>> print(world)
<base> + {L9.H6[end] := L9.H6 in <source>}
"""

from dataclasses import dataclass
from typing import TypeAlias

from causalnet.errors import TermError

__all__ = [
    "Assignment",
    "At",
    "Base",
    "Const",
    "Do",
    "Handle",
    "Node",
    "Op",
    "Position",
    "Self",
    "Value",
    "World",
    "inputs_of",
    "layers_of",
    "reads_of",
    "worlds_read_by",
]

Position: TypeAlias = str | int
"""A named position (`end`, `S2`) or the index of a token, counted without padding."""


@dataclass(frozen=True, slots=True)
class Base:
    """The network run on an input, untouched.

    Attributes:
        input: The name under which the prompts are bound: `base`, `source`, `reference 0`.
    """

    input: str

    def __str__(self) -> str:
        """Return `<input>`."""
        return f"<{self.input}>"


@dataclass(frozen=True, slots=True)
class Node:
    """A node site: a mediator, at every position (no position given) or at some.

    Attributes:
        mediator: Canonical name of a node or of a residual cut.
        at: Positions; an empty tuple means all.
    """

    mediator: str
    at: tuple[Position, ...] = ()

    def __str__(self) -> str:
        """Return the site as it is written in claim files."""
        return f"{self.mediator}[{','.join(map(str, self.at))}]" if self.at else self.mediator

    def overlaps(self, other: "Node") -> bool:
        """Return whether both sites set the same value at a position that they share by name."""
        if self.mediator != other.mediator:
            return False
        return not self.at or not other.at or bool(set(self.at) & set(other.at))


@dataclass(frozen=True, slots=True)
class Handle:
    """A constant's identity; its tensor is bound when the term is executed.

    Attributes:
        label: What people call it: `mean of L9.H6.z`.
        digest: What identifies its content.
    """

    label: str
    digest: str


@dataclass(frozen=True, slots=True)
class Const:
    """A constant value: zero when it has no handle.

    Attributes:
        handle: The bound constant, or None for zero.
    """

    handle: Handle | None = None

    def __str__(self) -> str:
        """Return `0` or the handle's label."""
        return "0" if self.handle is None else self.handle.label


@dataclass(frozen=True, slots=True)
class At:
    """The value that a node has in another world (interchange).

    Attributes:
        mediator: The node that is read.
        world: The world in which it is read, at the positions of the site that is set.
    """

    mediator: str
    world: "World"

    def __str__(self) -> str:
        """Return `node in world`."""
        return f"{self.mediator} in {self.world}"


@dataclass(frozen=True, slots=True)
class Self:
    """The value that the site has in this world, after the layers below."""

    def __str__(self) -> str:
        """Return `self`."""
        return "self"


@dataclass(frozen=True, slots=True)
class Op:
    """A pure operation on values, known by name, version and static parameters.

    Attributes:
        name: The name under which the executor has its tensor body: `add`, `scale`.
        arguments: The values it acts on.
        parameters: Static parameters, as sorted pairs.
        version: Version of the operation's meaning.
    """

    name: str
    arguments: tuple["Value", ...]
    parameters: tuple[tuple[str, float], ...] = ()
    version: int = 1

    def __str__(self) -> str:
        """Return `name(arguments; parameters)`."""
        inside = ", ".join(map(str, self.arguments))
        static = "".join(f"; {name}={value:g}" for name, value in self.parameters)
        return f"{self.name}({inside}{static})"


Value: TypeAlias = Const | At | Self | Op
Assignment: TypeAlias = tuple[Node, Value]


@dataclass(frozen=True, slots=True)
class Do:
    """A layer of interventions on top of a world; `Self` is the value after the layers below.

    Attributes:
        world: The world below.
        assignments: Sites and their values; no two sites of one layer overlap.

    Raises:
        TermError: No assignment, or two sites that overlap.
    """

    world: "World"
    assignments: tuple[Assignment, ...]

    def __post_init__(self) -> None:
        """Refuse empty layers and overlapping sites."""
        if not self.assignments:
            raise TermError("A Do with no assignment.", "", "Use the world itself.")
        by_mediator: dict[str, list[Node]] = {}
        for site, _ in self.assignments:
            for earlier in by_mediator.setdefault(site.mediator, []):
                if earlier.overlaps(site):
                    raise TermError(
                        f"{earlier} and {site} overlap in one layer of interventions.",
                        "Sites of one layer set different values.",
                        "Put one of them into a second Do on top.",
                    )
            by_mediator[site.mediator].append(site)

    def __str__(self) -> str:
        """Return `world + {site := value, ...}`."""
        inside = ", ".join(f"{site} := {value}" for site, value in self.assignments)
        return f"{self.world} + {{{inside}}}"


World: TypeAlias = Base | Do


def layers_of(world: World) -> tuple[Base, tuple[tuple[Assignment, ...], ...]]:
    """Return a world's input and its layers of assignments, bottom first."""
    layers: list[tuple[Assignment, ...]] = []
    while isinstance(world, Do):
        layers.append(world.assignments)
        world = world.world
    return world, tuple(reversed(layers))


def reads_of(value: Value) -> tuple[At, ...]:
    """Return every `At` in a value, not those inside the worlds that they read."""
    match value:
        case At():
            return (value,)
        case Op():
            return tuple(read for argument in value.arguments for read in reads_of(argument))
        case Const() | Self():
            return ()


def worlds_read_by(world: World) -> tuple[At, ...]:
    """Return every `At` in a world's own layers (not those inside the worlds that they read)."""
    _, layers = layers_of(world)
    reads = (read for layer in layers for _, value in layer for read in reads_of(value))
    return tuple(dict.fromkeys(reads))


def inputs_of(world: World) -> frozenset[str]:
    """Return the names of all inputs that a world needs, those of the worlds it reads included."""
    base, _ = layers_of(world)
    nested = (inputs_of(read.world) for read in worlds_read_by(world))
    return frozenset({base.input}).union(*nested)
