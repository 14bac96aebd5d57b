"""The statements that DOT and dagitty text share: nodes, chains of edges, groups, attributes.

Both are the language of Graphviz (https://graphviz.org/doc/info/lang.html); dagitty's dialect is
that of Textor et al. (2016), "Robust causal inference using directed acyclic graphs: the R package
'dagitty'".  A dialect says how words look and what some attributes mean.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import final

from causalnet.errors import FormatError
from causalnet.graphs.formats.carried import Scalar
from causalnet.graphs.formats.collecting import Collector
from causalnet.graphs.formats.graph_file import RESERVED, GraphFile
from causalnet.graphs.formats.numerals import numeral
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import MAX_DEPTH, FrozenMapping

__all__ = ["Dialect", "Token", "parse_statements"]

_MOST_SPREAD = 2_000_000  # edges and attributes that chains and groups may stand for
_READ = ("->", "<-", "<->")
_NOT_READ = ("--", "@->", "<-@", "--@", "@--", "@-@", "o->", "<-o", "o-o")
_DIRECTIONS = ("forward", "back", "both")


@final
@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text and the index at which it begins.

    Attributes:
        kind: word, quoted, html, mark or end.
        text: The text as it stands.
        at: The index of its first character.
    """

    kind: str
    text: str
    at: int


@final
@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between DOT and dagitty text.

    Attributes:
        name: The format's name, for messages.
        headers: The words with which a graph may begin, the usual one first.
        tokens: The regular expression of one token, with the groups skip, word, quoted, html, mark.
        meaning: Returns what a quoted text means, and in words what is lost of it.
        flags: Node attributes without value, and the role that each gives.
        graphviz: Whether there are default attributes, ports and `dir`, as in DOT.
    """

    name: str
    headers: tuple[str, ...]
    tokens: re.Pattern[str]
    meaning: Callable[[str], tuple[str, str]]
    flags: Mapping[str, str]
    graphviz: bool


def parse_statements(source: Source, dialect: Dialect) -> GraphFile:
    """Return the graph of a text in a dialect, in time linear in the text and its edges.

    Raises:
        FormatError: Anything that is not a graph of the dialect, with its line; edges without a
            direction; groups that stand for too many edges; nesting deeper than 64 levels.
    """
    return _Parser(source, dialect).file()


@dataclass(slots=True)
class _Scope:
    """What holds inside one pair of braces."""

    depth: int
    direction: str = "forward"
    observed: bool = True
    members: dict[int, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Operand:
    """One end of an edge statement: a node, with a port perhaps, or a group of nodes."""

    members: tuple[int, ...]
    is_group: bool
    port: str | None = None


class _Words:
    """The tokens of a text, with one token of look-ahead."""

    def __init__(self, source: Source, dialect: Dialect, collector: Collector) -> None:
        self.source, self.dialect, self.collector = source, dialect, collector
        self.tokens = self.scan()
        self.ahead = self.following()

    def scan(self) -> Iterator[Token]:
        text, at = self.source.text, 0
        while at < len(text):
            match = self.dialect.tokens.match(text, at)
            if match is None or match.lastgroup is None:
                raise self.source.error(
                    at,
                    f"{text[at : at + 20]!r} is not {self.dialect.name}.",
                    "Names are words, or stand in quotes that are closed.",
                    'Write the name in quotes: "…".',
                )
            if match.lastgroup != "skip":
                yield Token(match.lastgroup, match[0], at)
            at = match.end()

    def following(self) -> Token:
        return next(self.tokens, Token("end", "", len(self.source.text)))

    def take(self) -> Token:
        token, self.ahead = self.ahead, self.following()
        return token

    def sees(self, *marks: str) -> bool:
        return self.ahead.kind == "mark" and self.ahead.text in marks

    def sees_word(self, *words: str) -> bool:
        return self.ahead.kind == "word" and self.ahead.text.lower() in words

    def accept(self, mark: str) -> bool:
        found = self.sees(mark)
        if found:
            self.take()
        return found

    def expect(self, mark: str, where: str) -> None:
        if not self.accept(mark):
            raise self.unexpected(f"{mark!r} stands {where}.", f"Write {mark!r}.")

    def unexpected(self, possible: str, write: str) -> FormatError:
        came = "The text ends" if self.ahead.kind == "end" else f"Found {self.ahead.text!r:.60}"
        return self.source.error(self.ahead.at, f"{came}.", possible, write)

    def id(self) -> Token:
        """Take a name or a value: a word, or quoted texts joined by plus signs."""
        if self.ahead.kind not in ("word", "quoted", "html"):
            raise self.unexpected("A name or a value stands here.", 'Write a word or "a text".')
        token = self.take()
        if token.kind == "html":
            self.collector.note("HTML is kept as text.")
        if token.kind != "quoted":
            return token
        parts = [self.meaning(token)]
        while self.accept("+"):
            if self.ahead.kind != "quoted":
                raise self.unexpected("A quoted text follows '+'.", 'Write "a text".')
            parts.append(self.meaning(self.take()))
        return Token("quoted", "".join(parts), token.at)

    def meaning(self, token: Token) -> str:
        text, lost = self.dialect.meaning(token.text)
        if lost:
            self.collector.note(lost)
        return text

    def value(self) -> Scalar:
        """Take a value: a word may be a number or a truth value, a quoted text is a text."""
        token = self.id()
        if token.kind == "word":
            if token.text in ("true", "false"):
                return token.text == "true"
            number = numeral(token.text)
            if isinstance(number, float) or (number is not None and str(number) == token.text):
                return number
        return token.text


@final
class _Parser:
    """Recurses over braces, at most `MAX_DEPTH` deep."""

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self.source, self.dialect = source, dialect
        self.collector = Collector(source)
        self.words = _Words(source, dialect, self.collector)
        self.spread = 0

    def file(self) -> GraphFile:
        words, headers = self.words, self.dialect.headers
        if words.sees_word("strict"):
            words.take()
        if not words.sees_word(*headers):
            raise words.unexpected(
                f"A graph in {self.dialect.name} begins with one of {', '.join(headers)}.",
                f"Write {headers[0]} {{ … }}.",
            )
        kind = words.take().text.lower()
        if kind != headers[0] and not self.dialect.graphviz:
            self.collector.graph_attributes["type"] = kind
        if not words.sees("{"):
            self.collector.graph_attributes["name"] = words.id().text
        self.braces(_Scope(1))
        if words.ahead.kind != "end":
            raise words.unexpected("The text ends with the graph.", "Write one graph in a file.")
        return self.collector.file()

    def braces(self, scope: _Scope) -> None:
        self.words.expect("{", "here")
        if scope.depth > MAX_DEPTH:
            raise self.source.error(
                self.words.ahead.at,
                f"Groups are nested deeper than {MAX_DEPTH} levels.",
                "Groups of groups are rare.",
                "Flatten them.",
            )
        while not self.words.sees("}"):
            if self.words.ahead.kind == "end":
                raise self.words.unexpected("Braces are closed.", "Write '}'.")
            if not (self.words.accept(";") or self.words.accept(",")):
                self.statement(scope)
        self.words.take()

    def statement(self, scope: _Scope) -> None:
        if self.dialect.graphviz and self.words.sees_word("graph", "node", "edge"):
            self.defaults(scope)
            return
        if self.begins_group():
            first = self.group(scope)
        else:
            name = self.words.id()
            if self.words.accept("="):
                self.describe_graph(scope, {name.text: self.words.value()})
                return
            if not self.dialect.graphviz:
                if self.words.sees("{"):  # a group with a name
                    self.collector.note("Names of groups are not kept.")
                    first = self.group(scope)
                    self.chain(scope, first, name.at)
                    return
                if name.text == "graph":  # in dagitty these are options of the graph
                    self.describe_graph(scope, self.attributes())
                    return
            first = self.named(scope, name)
            if not self.words.sees(*_READ, *_NOT_READ):
                self.describe_node(name, first)
                return
        self.chain(scope, first, self.words.ahead.at)

    def begins_group(self) -> bool:
        return self.words.sees("{") or (self.dialect.graphviz and self.words.sees_word("subgraph"))

    def group(self, scope: _Scope) -> _Operand:
        if self.words.sees_word("subgraph"):
            self.words.take()
            if not self.words.sees("{"):
                self.words.id()
                self.collector.note("Names of groups are not kept.")
        inner = _Scope(scope.depth + 1, scope.direction, scope.observed)
        self.braces(inner)
        scope.members.update(inner.members)
        return _Operand(tuple(inner.members), is_group=True)

    def operand(self, scope: _Scope) -> _Operand:
        return self.group(scope) if self.begins_group() else self.named(scope, self.words.id())

    def named(self, scope: _Scope, name: Token) -> _Operand:
        if name.text not in self.collector and not scope.observed:
            self.collector.role(name.text, "latent")
        number = self.collector.node(name.text, name.at)
        scope.members[number] = None
        port = None
        while self.dialect.graphviz and self.words.accept(":"):
            more = self.words.id().text
            port = more if port is None else f"{port}:{more}"
        return _Operand((number,), False, port)

    # What statements say.

    def attributes(self, *, of_node: str | None = None) -> dict[str, Scalar]:
        """Take the lists in brackets; flags of a node become its roles."""
        found: dict[str, Scalar] = {}
        while self.words.accept("["):
            while not self.words.accept("]"):
                key = self.words.id()
                value = self.words.value() if self.words.accept("=") else None
                if of_node is not None and key.text in self.dialect.flags:
                    self.collector.role(of_node, self.dialect.flags[key.text])
                elif value is not None:
                    found[key.text] = value
                elif self.dialect.graphviz:
                    found[key.text] = True  # Graphviz reads [key] as [key=true]
                else:
                    self.collector.note(f"The mark {key.text!r:.60} is not kept.")
                while self.words.accept(",") or self.words.accept(";"):
                    pass
        return found

    def defaults(self, scope: _Scope) -> None:
        what = self.words.take().text.lower()
        found = self.attributes()
        if what == "graph":
            self.describe_graph(scope, found)
            return
        if what == "edge" and "dir" in found:
            scope.direction = str(found.pop("dir"))
        if what == "node" and "observed" in found:
            scope.observed = found.pop("observed") != "no"
        for name in [name for name in found if name.startswith(RESERVED)]:
            raise self.source.error(
                self.words.ahead.at,
                f"{name!r} as a default.",
                "It describes one node or edge.",
                "Write it there.",
            )
        if scope.depth > 1:
            self.collector.note("Default attributes inside groups are not kept.")
        elif found:
            kept = self.collector.graph_attributes.get(what, FrozenMapping({}))
            before = kept if isinstance(kept, FrozenMapping) else FrozenMapping({})
            self.collector.graph_attributes[what] = FrozenMapping({**before, **found})

    def describe_graph(self, scope: _Scope, found: Mapping[str, Scalar]) -> None:
        if scope.depth > 1:
            self.collector.note("Attributes of groups are not kept.")
        else:
            self.collector.graph_attributes.update(found)

    def describe_node(self, name: Token, node: _Operand) -> None:
        if node.port is not None:
            self.collector.note("Ports of nodes without an edge are not kept.")
        found = self.attributes(of_node=name.text)
        self.collector.describe(node.members[0], found, name.at)

    def chain(self, scope: _Scope, first: _Operand, at: int) -> None:
        operands, marks = [first], list[str]()
        while self.words.sees(*_READ, *_NOT_READ):
            marks.append(self.edge_mark())
            operands.append(self.operand(scope))
        found = self.attributes()
        if not marks and found:
            self.collector.note("Attributes of groups are not kept.")
        for mark, (left, right) in zip(marks, pairwise(operands), strict=True):
            self.join(left, right, self.directed(scope, mark, dict(found), at), at)

    def edge_mark(self) -> str:
        token = self.words.take()
        if token.text in _NOT_READ:
            raise self.source.error(
                token.at,
                f"An edge {token.text!r}.",
                "Edges of an acyclic directed mixed graph are directed or bidirected.",
                "Write -> or <-, or for a hidden common cause "
                + ("-> with [dir=both]." if self.dialect.graphviz else "<->."),
            )
        return token.text

    def directed(
        self, scope: _Scope, mark: str, attributes: dict[str, Scalar], at: int
    ) -> tuple[str, dict[str, Scalar]]:
        """Return the mark that an edge has after `dir`, and its attributes without it."""
        if not self.dialect.graphviz or mark != "->":
            return mark, attributes
        direction = attributes.pop("dir", scope.direction)
        if direction not in _DIRECTIONS:
            raise self.source.error(
                at,
                f"An edge with dir={direction!r:.60}.",
                f"Directions are {', '.join(_DIRECTIONS)}.",
                "Give the edge a direction.",
            )
        return {"forward": "->", "back": "<-", "both": "<->"}[str(direction)], attributes

    def join(
        self, left: _Operand, right: _Operand, told: tuple[str, dict[str, Scalar]], at: int
    ) -> None:
        mark, attributes = told
        for key, operand in (("tailport", left), ("headport", right)):
            if operand.port is not None:
                attributes.setdefault(key, operand.port)
        count = len(left.members) * len(right.members)
        self.spread += (count if left.is_group or right.is_group else 0) + count * len(attributes)
        if self.spread > _MOST_SPREAD:
            raise self.source.error(
                at,
                f"Groups and chains stand for more than {_MOST_SPREAD:,} edges and attributes.",
                "Groups join a few nodes.",
                "Write the edges one by one.",
            )
        for a in left.members:
            for b in right.members:
                tail, head = (b, a) if mark == "<-" else (a, b)
                self.collector.edge(
                    tail, head, bidirected=mark == "<->", attributes=attributes, at=at
                )
