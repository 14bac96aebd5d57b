"""Worlds: an input and layers of interventions; values that may read other worlds.

A world is `Base(input)` or `Do(world, assignments)`.  An assignment gives a site a value: a
constant, the value of a mediator in another world (an interchange), its own value, noise, or an
operation on those.  A site is a node or an edge, cut down to positions and to a part of the value.
Nested counterfactuals need no further construct: a value that reads a world whose own sites read
other worlds is one.  Constants are handles; their tensors are bound when the term is executed, so
that terms stay hashable and free of tensors.

>>> base, source = Base("base"), Base("source")
>>> world = Do(base, ((Node("L9.H6", ("end",)), At("L9.H6", source)),))
>>> print(world)
<base> + {L9.H6[end] := L9.H6 in <source>}
>>> print(Do(base, ((Edge("L9.H6", "L20.H0.q"), At("L9.H6", source)),)))
<base> + {L9.H6 -> L20.H0.q := L9.H6 in <source>}
"""

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import NoReturn, TypeAlias

from causalnet.errors import TermError
from causalnet.interventions.markup import term_html
from causalnet.interventions.spelling import input_text, name_text
from causalnet.interventions.terms import Piece, abbreviated, digest_of, separated, written
from causalnet.interventions.views import Handle, Part, Position, parts_overlap, positions_text

__all__ = [
    "Assignment",
    "At",
    "Base",
    "Const",
    "Do",
    "Edge",
    "Node",
    "Noise",
    "Op",
    "Self",
    "Site",
    "Value",
    "World",
    "inputs_of",
    "layers_of",
    "reads_of",
    "worlds_read_by",
]


@dataclass(frozen=True, slots=True)
class Base:
    """The network run on an input, untouched.

    Attributes:
        input: The name under which the prompts are bound: `base`, `source`, `resample 0`.
        key: The noise key; worlds share their exogenous noise where they share a key (twin
            networks, Balke and Pearl 1994).
    """

    input: str
    key: str | None = None

    def pieces(self) -> tuple[Piece, ...]:
        """Return `<input>` or `<input; key>`."""
        key = "" if self.key is None else f"; {input_text(self.key)}"
        return (f"<{input_text(self.input)}{key}>",)

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return term_html(self)

    def __str__(self) -> str:
        """Return `<input>`."""
        return written(self)


def _refuse_positions(at: object) -> NoReturn:
    wanted = at if isinstance(at, str | int) else "end"
    raise TermError(
        f"The positions {at!r}.", "Positions of a site are a tuple.", f"Write ({wanted!r},)."
    )


def _refuse_world(world: object) -> NoReturn:
    raise TermError(
        f"{world!r} is no world.", "A world is a Base or a Do.", "Write for example Base('base')."
    )


def _view(at: tuple[Position, ...], part: Part | None) -> str:
    """Return `[end,S2; part]`, nothing for a whole value."""
    places = positions_text(at)
    if part is None:
        return f"[{places}]" if at else ""
    return f"[{places or '*'}; {part}]"


@dataclass(frozen=True, slots=True)
class Node:
    """A node site: a mediator's value, whole or in part.

    Attributes:
        mediator: Canonical name of a node or of a residual cut.
        at: Positions; an empty tuple means all.
        part: An index set or a subspace; None means the whole value.

    Raises:
        TermError: Positions that are no tuple.
    """

    mediator: str
    at: tuple[Position, ...] = ()
    part: Part | None = None

    def __post_init__(self) -> None:
        """Refuse positions that are no tuple."""
        if not isinstance(self.at, tuple):
            _refuse_positions(self.at)

    def __str__(self) -> str:
        """Return the site as it is written in claim files."""
        return name_text(self.mediator) + _view(self.at, self.part)

    @property
    def place(self) -> str:
        """What the site sets, its view left out."""
        return self.mediator

    @property
    def read_from(self) -> str:
        """The mediator whose value goes through the site."""
        return self.mediator

    def overlaps(self, other: "Site") -> bool:
        """Return whether both sites set the same entry of one value, as far as names tell."""
        same = isinstance(other, Node) and self.mediator == other.mediator
        return same and parts_overlap(self.at, self.part, other.at, other.part)


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge site: what one mediator sends to one receiver, whole or in part.

    Attributes:
        sender: The node whose value is sent.
        receiver: The node that reads it.
        at: Positions of the sender's value; an empty tuple means all.
        part: An index set or a subspace of the sender's value; None means the whole.
        slot: One slot of the receiver; None means every slot that the sender enters.

    Raises:
        TermError: Positions that are no tuple.
    """

    sender: str
    receiver: str
    at: tuple[Position, ...] = ()
    part: Part | None = None
    slot: str | None = None

    def __post_init__(self) -> None:
        """Refuse positions that are no tuple."""
        if not isinstance(self.at, tuple):
            _refuse_positions(self.at)

    def __str__(self) -> str:
        """Return `sender -> receiver`, with the slot after a colon."""
        slot = f":{name_text(self.slot)}" if self.slot is not None else ""
        ends = f"{name_text(self.sender)} -> {name_text(self.receiver)}"
        return ends + slot + _view(self.at, self.part)

    @property
    def place(self) -> str:
        """What the site sets, its view left out."""
        slot = f":{self.slot}" if self.slot is not None else ""
        return f"{self.sender} -> {self.receiver}{slot}"

    @property
    def read_from(self) -> str:
        """The mediator whose value goes through the site."""
        return self.sender

    def overlaps(self, other: "Site") -> bool:
        """Return whether both sites set the same entry of one value, as far as names tell."""
        if not isinstance(other, Edge):
            return False
        same = (self.sender, self.receiver) == (other.sender, other.receiver)
        slots = self.slot is None or other.slot is None or self.slot == other.slot
        return same and slots and parts_overlap(self.at, self.part, other.at, other.part)


Site: TypeAlias = Node | Edge


@dataclass(frozen=True, slots=True)
class Const:
    """A constant value: zero when it has no handle.

    Attributes:
        handle: The bound constant, or None for zero.
    """

    handle: Handle | None = None

    def pieces(self) -> tuple[Piece, ...]:
        """Return `0` or the handle."""
        return ("0" if self.handle is None else str(self.handle),)

    def __str__(self) -> str:
        """Return `0` or the handle."""
        return written(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class At:
    """The value that a mediator has in another world (interchange).

    Attributes:
        mediator: The node or residual cut that is read.
        world: The world in which it is read, at the positions of the site that is set.
        digest: What identifies the term.

    Raises:
        TermError: What should be a world is none.
    """

    mediator: str
    world: "World"
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Refuse what is no world, and make the digest."""
        if not isinstance(self.world, Base | Do):
            _refuse_world(self.world)
        object.__setattr__(self, "digest", digest_of("At", self.mediator, self.world))

    def pieces(self) -> tuple[Piece, ...]:
        """Return `mediator in world`."""
        return (f"{name_text(self.mediator)} in ", self.world)

    def __str__(self) -> str:
        """Return `mediator in world`."""
        return written(self)

    def __repr__(self) -> str:
        """Return the text, in the class's name."""
        return f"At({abbreviated(self)})"

    def __eq__(self, other: object) -> bool:
        """Return whether two terms are the same."""
        return isinstance(other, At) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)


@dataclass(frozen=True, slots=True)
class Self:
    """The value that the site has in this world, after the layers below."""

    def pieces(self) -> tuple[Piece, ...]:
        """Return `self`."""
        return ("self",)

    def __str__(self) -> str:
        """Return `self`."""
        return "self"


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard normal noise of the site's type; one key is one draw, wherever it is written.

    Attributes:
        key: Names the draw.
    """

    key: str

    def pieces(self) -> tuple[Piece, ...]:
        """Return `noise(key)`."""
        return (f"noise({name_text(self.key)})",)

    def __str__(self) -> str:
        """Return `noise(key)`."""
        return written(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Op:
    """A pure operation on values, known by name, version and static parameters.

    Attributes:
        name: The name under which the executor has its tensor body: `add`, `scale`.
        arguments: The values it acts on.
        parameters: Static parameters, sorted by name: numbers, words, or handles.
        version: Version of the operation's meaning.
        digest: What identifies the term.
    """

    name: str
    arguments: tuple["Value", ...]
    parameters: tuple[tuple[str, "float | str | Handle"], ...] = ()
    version: int = 1
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Sort the parameters and make the digest."""
        named = {name: _static(self.name, name, value) for name, value in self.parameters}
        if len(named) != len(self.parameters):
            raise TermError(f"A parameter of {self.name} was given twice.", "Names differ.")
        object.__setattr__(self, "parameters", tuple(sorted(named.items(), key=_first)))
        own = digest_of("Op", self.name, self.version, self.parameters, *self.arguments)
        object.__setattr__(self, "digest", own)

    def pieces(self) -> tuple[Piece, ...]:
        """Return `name(arguments; parameters)`."""
        version = f"/v{self.version}" if self.version != 1 else ""
        static = "".join(f"; {name_text(name)}={_literal(to)}" for name, to in self.parameters)
        inside = separated((argument,) for argument in self.arguments)
        return (f"{name_text(self.name)}{version}(", *inside, f"{static})")

    def __str__(self) -> str:
        """Return `name(arguments; parameters)`."""
        return written(self)

    def __repr__(self) -> str:
        """Return the text, in the class's name."""
        return f"Op({abbreviated(self)})"

    def __eq__(self, other: object) -> bool:
        """Return whether two terms are the same."""
        return isinstance(other, Op) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)


def _first(pair: tuple[str, object]) -> str:
    return pair[0]


def _static(operation: str, name: str, value: object) -> "float | str | Handle":
    """Return a parameter as a Python number, so that equal terms have one text and digest."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str | Handle):
        return value
    raise TermError(
        f"{operation} was given {name}={value!r}.",
        "A parameter is a number, a text or the handle of a constant.",
    )


def _literal(value: "float | str | Handle") -> str:
    return str(value) if isinstance(value, Handle) else repr(value)


Value: TypeAlias = Const | At | Self | Noise | Op
Assignment: TypeAlias = tuple[Site, Value]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Do:
    """A layer of interventions on top of a world; `Self` is the value after the layers below.

    Attributes:
        world: The world below.
        assignments: Sites and their values; no two sites of one layer overlap.
        digest: What identifies the term.

    Raises:
        TermError: No assignment, two sites that overlap, or something that is no world, no site or
            no value.
    """

    world: "World"
    assignments: tuple[Assignment, ...]
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Refuse empty layers and overlapping sites, and make the digest."""
        if not isinstance(self.world, Base | Do):
            _refuse_world(self.world)
        if not self.assignments:
            raise TermError("A Do with no assignment.", "", "Use the world itself.")
        object.__setattr__(self, "assignments", tuple(self.assignments))
        for assignment in self.assignments:
            _check_assignment(assignment)
        if len(self.assignments) > 1:
            self._check_apart()
        flat = (part for pair in self.assignments for part in pair)
        object.__setattr__(self, "digest", digest_of("Do", self.world, *flat))

    def _check_apart(self) -> None:
        by_place: dict[tuple[str, str], list[Site]] = {}
        for site, _ in self.assignments:
            key = (site.read_from, site.receiver if isinstance(site, Edge) else "")
            for earlier in by_place.setdefault(key, []):
                if earlier.overlaps(site):
                    raise TermError(
                        f"{earlier} and {site} overlap in one layer of interventions.",
                        "Sites of one layer set different values.",
                        "Put one of them into a second Do on top.",
                    )
            by_place[key].append(site)

    def pieces(self) -> tuple[Piece, ...]:
        """Return `world + {site := value, ...}`, all layers of the world at once."""
        base, layers = layers_of(self)
        shown: list[Piece] = [base]
        for layer in layers:
            inside = separated((f"{site} := ", value) for site, value in layer)
            shown += [" + {", *inside, "}"]
        return tuple(shown)

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return term_html(self)

    def __str__(self) -> str:
        """Return `world + {site := value, ...}`."""
        return written(self)

    def __repr__(self) -> str:
        """Return the text, in the class's name."""
        return f"Do({abbreviated(self)})"

    def __eq__(self, other: object) -> bool:
        """Return whether two terms are the same."""
        return isinstance(other, Do) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)


def _check_assignment(assignment: Assignment) -> None:
    match assignment:
        case (Node() | Edge(), Const() | At() | Self() | Noise() | Op()):
            return
    raise TermError(
        f"{assignment!r} assigns nothing.",
        "An assignment is a Node or an Edge, and a value: Const, At, Self, Noise or Op.",
        "Write for example (Node('L9.mlp'), Const()).",
    )


World: TypeAlias = Base | Do


def layers_of(world: World) -> tuple[Base, tuple[tuple[Assignment, ...], ...]]:
    """Return a world's input and its layers of assignments, bottom first."""
    layers: list[tuple[Assignment, ...]] = []
    while isinstance(world, Do):
        layers.append(world.assignments)
        world = world.world
    return world, tuple(reversed(layers))


def reads_of(value: Value) -> tuple[At, ...]:
    """Return every `At` in a value once, left to right, not those inside the worlds they read."""
    if isinstance(value, At):
        return (value,)
    seen: dict[Value, None] = {}  # operations may share arguments: a walk of the tree may not end
    waiting: list[Value] = [value]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen[current] = None
            if isinstance(current, Op):
                waiting.extend(reversed(current.arguments))
    return tuple(found for found in seen if isinstance(found, At))


def worlds_read_by(world: World) -> tuple[At, ...]:
    """Return every `At` in a world's own layers (not those inside the worlds that they read)."""
    _, layers = layers_of(world)
    reads = (read for layer in layers for _, value in layer for read in reads_of(value))
    return tuple(dict.fromkeys(reads))


def inputs_of(world: World) -> frozenset[str]:
    """Return the names of all inputs that a world needs, those of the worlds it reads included."""
    seen: set[World] = set()
    waiting: list[World] = [world]
    inputs: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        inputs.add(layers_of(current)[0].input)
        waiting.extend(read.world for read in worlds_read_by(current))
    return frozenset(inputs)
