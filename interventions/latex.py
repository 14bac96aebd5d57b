r"""Terms as LaTeX, in the notation of potential outcomes.

A read-out in a world is Y with the world as its subscript: first the input, x for the base and x'
for the source, then what is set.  A mediator that has its value of another world is written as that
value, so that the natural direct effect is Y_{x', M_x} - Y_x; everything else is do(...).
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from causalnet.interventions.queries import Query
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Apply, Contrast, Grad, Read, Scalar, leaves_of
from causalnet.interventions.terms import check_length
from causalnet.interventions.views import Handle, positions_text
from causalnet.interventions.worlds import (
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
    layers_of,
)

__all__ = ["to_latex"]

Term: TypeAlias = World | Value | Scalar | Site
Piece: TypeAlias = "str | Term"

_ESCAPED = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "_#$%&{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
    }
)
_INPUTS = {"base": "x", "source": "x'"}
_SIGNS = {"add": "+", "subtract": "-"}


def to_latex(term: Term | Query, names: Mapping[str, str] | None = None) -> str:
    r"""Return the LaTeX of a term, for math mode; of a query, an `aligned` block of its rows.

    Args:
        term: A world, value, site, scalar or query.
        names: LaTeX for names of mediators, read-outs and inputs.  A scalar or query with one
            read-out calls it Y.

    Raises:
        TermError: More than 50 million characters: parts that a term shares are written each time.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions.contrasts import nde
    >>> [(_, effect)] = nde(plain_graph({"M": ()}).find("M")).contrasts
    >>> print(to_latex(effect, {"M": "M"}))
    Y_{x', M_{x}} - Y_{x}
    """
    scalars = [scalar for _, scalar in term.contrasts] if isinstance(term, Query) else []
    if isinstance(term, Read | Grad | Contrast | Apply):
        scalars = [term]
    leaves = (leaf for scalar in scalars for leaf in leaves_of(scalar))
    outcomes = {(leaf.read if isinstance(leaf, Grad) else leaf).readout for leaf in leaves}
    writer = _Writer(names or {}, outcomes)
    if not isinstance(term, Query):
        return writer.write(term)
    rows = [
        rf"{_upright(term.estimand)}({writer.name(label)}) &= {_averaged(scalar, term, writer)}"
        for label, scalar in term.contrasts
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text).translate(_ESCAPED)


def _upright(text: str) -> str:
    return rf"\mathrm{{{_escaped(text)}}}"


def _words(text: str) -> str:
    return rf"\text{{{_escaped(text)}}}"


def _averaged(scalar: Scalar, query: Query, writer: "_Writer") -> str:
    """Return a row of a query, with the means where it is conditional or a ratio of means."""
    text = writer.write(scalar)
    if query.given is None and query.denominator is None:
        return text
    given = "" if query.given is None else rf" \;\middle|\; {writer.write(query.given)}"
    mean = rf"\mathrm{{E}}\left[{text}{given}\right]"
    if query.denominator is None:
        return mean
    return rf"\frac{{{mean}}}{{\mathrm{{E}}\left[{writer.write(query.denominator)}\right]}}"


class _Writer:
    """Writes terms with a list of what is left to write."""

    def __init__(self, names: Mapping[str, str], outcomes: set[ReadOut]) -> None:
        self.names, self.outcomes = names, outcomes

    def name(self, name: str) -> str:
        return self.names.get(name) or _upright(name)

    def write(self, term: Term) -> str:
        text: list[str] = []
        size = 0
        waiting: list[Piece] = [term]
        while waiting:
            piece = waiting.pop()
            if isinstance(piece, str):
                text.append(piece)
                size += len(piece)
                check_length(size)
            else:
                waiting.extend(reversed(list(self.pieces(piece))))
        return "".join(text)

    def pieces(self, term: Term) -> Iterable[Piece]:
        match term:
            case Base() | Do():
                return self.world(term)
            case Node() | Edge():
                return (self.site(term),)
            case Read(readout, world):
                return (self.readout(readout), "_{", world, "}")
            case Grad(read, site, along):
                at = self.site(site)
                return (rf"\partial_{{{at}}} ", read, r" \cdot \left(", along, r"\right)")
            case Contrast(terms):
                return self.sum(terms)
            case Apply(name, arguments):
                return self.applied(name, arguments)
            case At(mediator, world):
                return (f"{self.name(mediator)}_{{", world, "}")
            case Op():
                return self.operation(term)
            case Const(handle):
                return ("0" if handle is None else self.handle(handle),)
            case Self():
                return (r"\mathrm{self}",)
            case Noise(key):
                return (rf"\varepsilon_{{{_words(key)}}}",)

    def world(self, world: World) -> Iterable[Piece]:
        base, layers = layers_of(world)
        name = self.names.get(base.input) or _INPUTS.get(base.input)
        yield name or rf"x_{{{_words(base.input)}}}"
        if base.key is not None:
            yield rf", \varepsilon_{{{_words(base.key)}}}"
        for index, layer in enumerate(layers):
            for place, (site, value) in enumerate(layer):
                yield r"\,;\, " if index and not place else ", "
                whole = isinstance(site, Node) and not site.at and site.part is None
                if whole and isinstance(value, At) and value.mediator == site.read_from:
                    yield value
                else:
                    yield from (rf"\mathrm{{do}}({self.site(site)} = ", value, ")")

    def site(self, site: Site) -> str:
        if isinstance(site, Edge):
            slot = f":{_upright(site.slot)}" if site.slot is not None else ""
            name = rf"({self.name(site.sender)} \to {self.name(site.receiver)}{slot})"
        else:
            name = self.name(site.mediator)
        view = [_words(positions_text(site.at))] if site.at else []
        view += [_words(str(site.part))] if site.part is not None else []
        return rf"{name}[{';'.join(view)}]" if view else name

    def readout(self, readout: ReadOut) -> str:
        if readout.name in self.names:
            return self.names[readout.name]
        if len(self.outcomes) == 1:
            return "Y"
        return _upright(f"{readout}")

    def handle(self, handle: Handle) -> str:
        return _words(handle.label)

    def sum(self, terms: tuple[tuple[float, Scalar], ...]) -> Iterable[Piece]:
        if not terms:
            yield "0"
        for index, (weight, scalar) in enumerate(terms):
            if index:
                yield " - " if weight < 0 else " + "
            elif weight < 0:
                yield "-"
            yield "" if abs(weight) == 1 else rf"{_number(abs(weight))}\,"
            if isinstance(scalar, Contrast):
                yield from (r"\left(", scalar, r"\right)")
            else:
                yield scalar

    def applied(self, name: str, arguments: tuple[Scalar, ...]) -> Iterable[Piece]:
        match name:
            case "ratio":
                return (r"\frac{", arguments[0], "}{", arguments[1], "}")
            case "positive":
                return (r"\mathbf{1}\left[", arguments[0], r" > 0\right]")
            case "not":
                return (r"\neg\left(", arguments[0], r"\right)")
            case "and":
                return (r"\left(", arguments[0], r"\right) \wedge \left(", arguments[1], r"\right)")
        inside = [piece for argument in arguments for piece in (", ", argument)][1:]
        return (f"{_upright(name)}(", *inside, ")")

    def operation(self, term: Op) -> Iterable[Piece]:
        given = dict(term.parameters)
        if term.name in _SIGNS and len(term.arguments) == 2 and set(given) <= {"factor"}:
            factor = given.get("factor", 1.0)
            scaled = "" if factor == 1 else rf"{self.literal(factor)}\,"
            first, second = term.arguments
            return ("(", first, f" {_SIGNS[term.name]} {scaled}", second, ")")
        inside = [piece for argument in term.arguments for piece in (", ", argument)][1:]
        static = "".join(f"; {_upright(name)}={self.literal(to)}" for name, to in given.items())
        version = f"/v{term.version}" if term.version != 1 else ""
        return (f"{_upright(term.name + version)}(", *inside, f"{static})")

    def literal(self, value: float | str | Handle) -> str:
        if isinstance(value, Handle):
            return self.handle(value)
        return _words(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    mantissa, mark, exponent = f"{value!r}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if mark else mantissa.removesuffix(".0")
