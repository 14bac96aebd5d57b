"""Reading terms from text: the grammar of docs/language.md, one method for each rule.

What `print` shows of a term is read back as the same term.
"""

from collections.abc import Callable
from typing import TypeAlias

from causalnet.errors import TermError
from causalnet.graphs.names import nearest
from causalnet.interventions.reading import Reader, Rule
from causalnet.interventions.readouts import READOUTS, ReadOut, is_standard, standard_readout
from causalnet.interventions.scalars import FUNCTIONS, Apply, Contrast, Grad, Read, Scalar
from causalnet.interventions.spelling import unquoted
from causalnet.interventions.tokens import Token
from causalnet.interventions.views import Handle, Indices, Part, Position, Subspace
from causalnet.interventions.worlds import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Edge,
    Node,
    Noise,
    Op,
    Self,
    Site,
    Value,
    World,
)

__all__ = [
    "TermReader",
    "parse_readout",
    "parse_scalar",
    "parse_site",
    "parse_value",
    "parse_world",
]

_INPUT, _POSITION = "an input such as <base>", "a position"
_LITERALS = {"inf": float("inf"), "nan": float("nan")}
Parts: TypeAlias = list[tuple[float, Scalar]]


def parse_world(text: str) -> World:
    """Return the world that a text describes.

    Raises:
        TermError: A text that is no world, with line, column and what was possible there.

    >>> parse_world("<base> + {L9.H6[end] := L9.H6 in <source>}")
    Do(<base> + {L9.H6[end] := L9.H6 in <source>})
    """
    reader = TermReader(text)
    return reader.run(reader.world())


def parse_value(text: str) -> Value:
    """Return the value that a text describes.

    Raises:
        TermError: A text that is no value.

    >>> parse_value("add(self, 'direction'#1f3a; factor=-2.0)").arguments[0]
    Self()
    """
    reader = TermReader(text)
    return reader.run(reader.value())


def parse_site(text: str) -> Site:
    """Return the site that a text describes.

    Raises:
        TermError: A text that is no site.

    >>> parse_site("L9.H6 -> L20.H0.q[end,3]")
    Edge(sender='L9.H6', receiver='L20.H0.q', at=('end', 3), part=None, slot=None)
    """
    reader = TermReader(text)
    return reader.run(_only(reader.site))


def parse_readout(text: str) -> ReadOut:
    """Return the read-out that a text describes.

    Raises:
        TermError: A text that is no read-out.

    >>> print(parse_readout("kl{[S2]; against <source>}").described)
    kl/v1 at S2
    """
    reader = TermReader(text)
    return reader.run(reader.readout())


def parse_scalar(text: str) -> Scalar:
    """Return the scalar that a text describes.

    Raises:
        TermError: A text that is no scalar.

    >>> parse_scalar("ratio(value{Y}(<base>), 2.0 value{X}(<base>) - value{Y}(<source>))")
    Apply(ratio(value{Y}(<base>), 2.0 value{X}(<base>) - value{Y}(<source>)))
    """
    reader = TermReader(text)
    return reader.run(reader.scalar())


def _only(take: Callable[[], Site]) -> Rule[Site]:
    """Make a rule of a method that needs no rules inside it."""
    yield from ()
    return take()


class TermReader(Reader):
    """Reads worlds, values, sites, read-outs and scalars."""

    # -- worlds ----------------------------------------------------------------------------------

    def world(self) -> Rule[World]:
        """Read `<input> + {site := value, ...} + ...`."""
        world: World = self.base()
        while self.is_next("+"):
            start = self.advance()
            self.take("{")
            layer: tuple[Assignment, ...] = yield self.layer()
            world = self.made(start, Do, world, layer)
        return world

    def base(self) -> Base:
        """Read `<input>` or `<input; key>`."""
        token = self.take_kind("input", _INPUT)
        inside = token.text[1:-1].strip()
        name, rest = self._words(inside)
        key = self._words(rest[1:].strip())[0] if rest else None
        return Base(name, key)

    def _words(self, text: str) -> tuple[str, str]:
        """Split off a quoted text, or what stands before a semicolon."""
        if text[:1] not in ("'", '"'):
            name, mark, rest = text.partition(";")
            return name.strip(), mark + rest
        end = 1
        while text[end] != text[0]:
            end += 2 if text[end] == "\\" else 1
        said = self.made(self.tokens[self.at - 1], unquoted, text[: end + 1])
        return said, text[end + 1 :].strip()

    def layer(self) -> Rule[tuple[Assignment, ...]]:
        """Read `site := value, ...}`."""
        found: list[Assignment] = []
        while True:
            site = self.site()
            self.take(":=")
            value: Value = yield self.value()
            found.append((site, value))
            if not self.took(","):
                break
        self.take("}")
        return tuple(found)

    # -- sites -----------------------------------------------------------------------------------

    def site(self) -> Site:
        """Read `mediator` or `sender -> receiver:slot`, with positions and a part in brackets."""
        start = self.name("a mediator")
        if not self.took("->"):
            return Node(start, *self.view())
        receiver = self.name("a receiver")
        slot = self.name("a slot") if self.took(":") else None
        return Edge(start, receiver, *self.view(), slot)

    def view(self) -> tuple[tuple[Position, ...], Part | None]:
        """Read `[positions; part]`, or nothing."""
        if not self.took("["):
            return (), None
        at: tuple[Position, ...] = ()
        if not self.took("*"):
            at = self.positions()
        part = self.part() if self.took(";") else None
        self.take("]")
        return at, part

    def positions(self) -> tuple[Position, ...]:
        """Read positions, separated by commas."""
        found = [self.position()]
        while self.took(","):
            found.append(self.position())
        return tuple(found)

    def position(self) -> Position:
        """Read a name or the index of a token."""
        if self.token.kind == "number" or self.is_next("-"):
            return self.whole_number(_POSITION)
        return self.name(_POSITION)

    def part(self) -> Part:
        """Read `axis 0,3` or `'basis'#digest 0,1 | 'dual'#digest`."""
        start = self.token
        if start.kind != "text" or self.following().kind != "digest":
            axis = self.name("an axis or a basis")
            return self.made(start, Indices, axis, self.indices())
        basis, columns = self.handle(), self.indices()
        dual = self.handle() if self.took("|") else None
        return self.made(start, Subspace, basis, columns, dual)

    def indices(self) -> tuple[int, ...]:
        """Read indices, separated by commas."""
        found = [self.whole_number("an index")]
        while self.took(","):
            found.append(self.whole_number("an index"))
        return tuple(found)

    def handle(self) -> Handle:
        """Read `'label'#digest`."""
        return Handle(self.quoted(), self.digest())

    # -- values ----------------------------------------------------------------------------------

    def value(self) -> Rule[Value]:
        """Read `0`, a handle, `self`, `noise(key)`, `mediator in world` or an operation."""
        token = self.token
        if token.kind == "text" and self.following().kind == "digest":
            return Const(self.handle())
        if token.kind == "number" and token.text == "0":
            self.advance()
            return Const()
        if self.took("self"):
            return Self()
        if self.took("noise"):
            self.take("(")
            key = self.name("the key of a draw")
            self.take(")")
            return Noise(key)
        self.possible |= dict.fromkeys(("'0'", "a constant such as 'label'#digest"))
        name = self.name("a mediator or an operation")
        if self.took("in"):
            world: World = yield self.world()
            return At(name, world)
        operation: Op = yield self.operation(name)
        return operation

    def operation(self, name: str) -> Rule[Op]:
        """Read `/v2(arguments; parameter=value; ...)` after the name."""
        token, version = self.token, self.version()
        self.take("(")
        arguments: list[Value] = []
        while not (self.is_next(";") or self.is_next(")")):
            if arguments:
                self.take(",")
            arguments.append((yield self.value()))
        parameters = []
        while self.took(";"):
            parameter = self.name("a parameter")
            self.take("=")
            parameters.append((parameter, self.literal()))
        self.take(")")
        return self.made(token, Op, name, tuple(arguments), tuple(parameters), version)

    def literal(self) -> float | str | Handle:
        """Read a number, a quoted text, or a handle."""
        if self.token.kind == "text":
            handle = self.following().kind == "digest"
            return self.handle() if handle else self.quoted()
        negative = self.is_next("-") and self.following().text in _LITERALS
        if negative or self.token.text in _LITERALS:
            sign = -1 if self.took("-") else 1
            return sign * _LITERALS[self.advance().text]
        self.possible["a quoted text"] = None
        return self.number()

    # -- read-outs -------------------------------------------------------------------------------

    def readout(self) -> Rule[ReadOut]:
        """Read `name/v2{node[position]; answers=names; against world; unit=''; meaning=''}`."""
        token = self.token
        name = self.name("a read-out")
        if token.kind == "name" and not is_standard(name):
            raise self.unknown(token, (*READOUTS, "value"))
        version = self.version() if self.token.kind == "version" else None
        inside = self.took("{")
        node, at = self.place() if inside else ("logits", None)
        standard = standard_readout(name, node)
        fields = {"unit": standard.unit, "meaning": standard.meaning, "answers": standard.answers}
        reference = standard.reference
        while inside and not self.took("}"):
            if self.took("against"):
                reference = None if self.took("none") else (yield self.world())
            else:
                self.option(fields)
            if not self.is_next("}"):
                self.take(";")
        return ReadOut(
            name,
            fields["unit"],
            fields["meaning"],
            standard.at if at is None else at,
            reference,
            standard.version if version is None else version,
            node,
            fields["answers"],
        )

    def place(self) -> tuple[str, Position | None]:
        """Read `node[position];`, or what of it there is."""
        node, at = "logits", None
        option = self.following().text == "=" or self.token.text == "against"
        if self.token.kind in ("name", "text") and not (option and self.token.kind == "name"):
            node = self.name("a node")
        elif not self.is_next("["):
            return node, at
        if self.took("["):
            at = self.position()
            self.take("]")
        if not self.is_next("}"):
            self.take(";")
        return node, at

    def option(self, fields: dict[str, str]) -> None:
        """Read `unit='...'`, `meaning='...'` or `answers=...`."""
        for field in fields:
            if self.took(field):
                self.take("=")
                fields[field] = self.name("a text")
                return
        raise self.unexpected()

    # -- scalars ---------------------------------------------------------------------------------

    def scalar(self) -> Rule[Scalar]:
        """Read a sum of weighted scalars; one term without sign and weight is that term."""
        terms: Parts = []
        plain = not (self.is_next("-") or self.is_next("+"))
        if self.token.text == "0" and self.following().text in ("", ")", ",", ";", "}"):
            self.advance()
            return Contrast(())
        start = self.token
        while True:
            weight = -1.0 if self.took("-") else 1.0
            if weight > 0:
                self.took("+")
            if self.token.kind == "number":
                plain = False
                weight *= float(self.advance().text)
                self.took("*")
            terms.append((weight, (yield self.atom())))
            if not (self.is_next("+") or self.is_next("-")):
                break
        if plain and len(terms) == 1:
            return terms[0][1]
        return self.made(start, Contrast, tuple(terms))

    def atom(self) -> Rule[Scalar]:
        """Read `(scalar)`, `grad(read; site; value)`, `function(scalars)` or `readout(world)`."""
        token = self.token
        if self.took("("):
            scalar: Scalar = yield self.scalar()
            self.take(")")
            return scalar
        if token.kind == "name" and self.took("grad"):
            gradient: Grad = yield self.gradient()
            return gradient
        if token.kind == "name" and token.text in FUNCTIONS:
            self.advance()
            applied: Apply = yield self.function(token.text)
            return applied
        if token.kind == "name" and not is_standard(token.text):
            raise self.unknown(token, (*FUNCTIONS, "grad", *READOUTS, "value"))
        self.possible |= dict.fromkeys(("a number", "a function of scalars"))
        read: Read = yield self.read()
        return read

    def read(self) -> Rule[Read]:
        """Read `readout(world)`."""
        readout: ReadOut = yield self.readout()
        self.take("(")
        world: World = yield self.world()
        self.take(")")
        return Read(readout, world)

    def gradient(self) -> Rule[Grad]:
        """Read `(read; site; value)`."""
        self.take("(")
        read: Read = yield self.read()
        self.take(";")
        site = self.site()
        self.take(";")
        along: Value = yield self.value()
        self.take(")")
        return Grad(read, site, along)

    def function(self, name: str) -> Rule[Apply]:
        """Read `(scalar, ...)`."""
        start = self.take("(")
        arguments: list[Scalar] = []
        while not self.took(")"):
            if arguments:
                self.take(",")
            arguments.append((yield self.scalar()))
        return self.made(start, Apply, name, tuple(arguments))

    # -- errors ----------------------------------------------------------------------------------

    def unknown(self, token: Token, names: tuple[str, ...]) -> TermError:
        """Return the error for a name that is no read-out and no function."""
        close = nearest(token.text, names)
        suggestion = f"nearest: {', '.join(close)}. " if close else ""
        return self.wrong(
            token,
            f"found {token.text!r}",
            f"{suggestion}There are {', '.join(names)}; a read-out of your own is quoted",
        )
