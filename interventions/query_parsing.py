"""Reading queries: macros, scalars, and the whole text of a query.

What claim files and the command line accept: docs/language.md.
"""

from collections.abc import Sequence
from typing import Any

from causalnet.errors import CausalNetError, TermError
from causalnet.graphs import Mediator, MediatorGraph, nearest
from causalnet.graphs.paths import PathSet
from causalnet.interventions.ablation_options import OPTIONS, AblationOption, ablation_of
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.macros import MACROS, Macro, OptionType, RowType
from causalnet.interventions.parsing import TermReader
from causalnet.interventions.path_effects import causal_diagram
from causalnet.interventions.queries import (
    MediatorSet,
    Query,
    Treated,
    importance,
    joint,
    per_total_effect,
)
from causalnet.interventions.reading import Rule
from causalnet.interventions.readouts import READOUTS, ReadOut, is_standard, logit_diff, value_of
from causalnet.interventions.scalars import FUNCTIONS, Grad, Scalar, leaves_of
from causalnet.interventions.tokens import Token
from causalnet.interventions.worlds import Base, Edge, World, layers_of

__all__ = ["QueryReader", "parse_query"]

_MAKERS = {"importance": importance, "per_total_effect": per_total_effect}
_FIELDS = (
    "at",
    "ablation",
    "scale",
    "estimator",
    "convention",
    "error",
    "given",
    "divided",
    "below",
)


def parse_query(text: str, graph: MediatorGraph, *, outcome: ReadOut = logit_diff) -> Query:
    """Return the query that a text describes: a macro, a scalar, or a query as it is printed.

    Args:
        text: For example `nie(L9.H6, {L9.H6, L20.H0}; at=end)`, `te()`, or
            `kl(<base> + {L9.mlp := 0}) - kl(<base>)`.
        graph: The graph whose mediators it names.
        outcome: The read-out of a macro that names none.

    Raises:
        UnknownMediatorError, TermError: A text that is no query, with line and column.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(3, 2, 2, 8, 4, 16, 11))
    >>> parse_query("nie(heads of layer 1, both: {L0.H0, L0.mlp}; at=end)", graph)
    Query(NIE/v1 on logit_difference at [end], noising: L1.H0, L1.H1, both)
    """
    reader = QueryReader(text, graph, outcome)
    return reader.run(reader.query())


class QueryReader(TermReader):
    """Reads queries on a graph."""

    def __init__(self, text: str, graph: MediatorGraph, outcome: ReadOut) -> None:
        """Split the text into words."""
        super().__init__(text)
        self.graph, self.outcome = graph, outcome
        self.found: dict[str, Mediator] = {}

    def query(self) -> Rule[Query]:
        """Read a macro, a printed query, or a scalar."""
        token, following = self.token, self.following()
        if token.kind == "name" and following.text == "(":
            if token.text in MACROS or token.text in _MAKERS:
                query: Query = yield self.macro()
                return query
        printed = (self.following(2) if following.kind == "version" else following).text == "on"
        if token.kind in ("name", "text") and printed:
            whole: Query = yield self.printed()
            return whole
        if token.kind == "name" and not is_standard(token.text) and token.text not in FUNCTIONS:
            if token.text != "grad":
                raise self.no_macro(token)
        self.possible |= dict.fromkeys(MACROS)
        scalar: Scalar = yield self.scalar()
        return self.made(token, _query_of, scalar)

    def no_macro(self, token: Token) -> TermError:
        """Return the error for a query that begins with a word of no known meaning."""
        known = (*MACROS, *_MAKERS)
        if token.text.lower() in known:
            return self.wrong(token, f"found {token.text!r}", f"write '{token.text.lower()}(...)'")
        names = (*known, *FUNCTIONS, "grad", *READOUTS, "value")
        close = nearest(token.text, names)
        suggestion = f"nearest: {', '.join(close)}. " if close else ""
        return self.wrong(
            token,
            f"found {token.text!r}",
            f"{suggestion}There are {', '.join(names)}; a read-out of your own is quoted",
        )

    # -- macros ----------------------------------------------------------------------------------

    def macro(self) -> Rule[Query]:
        """Read `name(rows; option=value; ...)`, or `importance(query)`."""
        start = self.advance()
        self.take("(")
        if start.text in _MAKERS:
            inner: Query = yield self.query()
            given = {}
            if start.text == "per_total_effect" and self.took(";"):
                self.take("ratio")
                self.take("=")
                given["ratio"] = self.name("'of means' or 'prompt by prompt'")
            self.take(")")
            return self.made(start, _MAKERS[start.text], inner, **given)
        macro = MACROS[start.text]
        rows = self.rows(macro.rows)
        options: dict[str, Any] = {"outcome": self.outcome}
        read: set[str] = set()
        self.check_option_mark(start.text, macro)
        while self.took(";"):
            name = self.option_name(start.text, macro, read)
            if name == "outcome":
                options["outcome"] = yield self.readout()
            else:
                options[macro.named.get(name, name)] = self.option_value(macro.options[name])
            self.check_option_mark(start.text, macro, name)
        missing = [name for name in macro.required if name not in read]
        if missing and self.is_next(")"):
            came = f"{start.text} is not told its option {missing[0]!r}"
            raise self.wrong(self.token, came, f"write '; {missing[0]}=...' before ')'")
        self.take(")")
        return self.made(start, self.call, macro, rows, options, "outcome" in read)

    def call(self, macro: Macro, rows: list[Any], options: dict[str, Any], told: bool) -> Query:
        """Return the query of a macro."""
        match macro.rows:
            case "none":
                return macro.make(**options)
            case "each":
                return macro.make(*rows, **options)
            case "paths":
                paths = PathSet.listed(causal_diagram(self.graph), rows)
                if not told and paths.outcome != options["outcome"].node:
                    options["outcome"] = value_of(paths.outcome)
                return macro.make(paths, **options)
            case "sets" | "any sets" | "sets or edges":
                return macro.make(rows, **options)

    def check_option_mark(self, called: str, macro: Macro, after: str = "") -> None:
        """Refuse an option without a semicolon before it, and positions without parentheses.

        Args:
            called: What the macro is called.
            macro: The macro.
            after: The option that was read last; none after the rows.
        """
        token, ahead = self.token, 1 if self.token.text == "," else 0
        if self.following(ahead + 1).text == "=" and token.kind in ("mark", "name"):
            name = self.following(ahead).text
            if token.text != ";" and name in ("outcome", *macro.options):
                came = f"found {token.text!r} before an option" if ahead else f"found {name!r}"
                raise self.wrong(token, came, f"options of {called} follow ';': write '; {name}='")
        if token.text == "," and macro.options.get(after) == "positions":
            told = f"several positions are in parentheses: write '{after}=(end, 3)'"
            raise self.wrong(token, "found ','", told)

    def option_name(self, called: str, macro: Macro, read: set[str]) -> str:
        """Read `name=` and note it."""
        token = self.token
        name = self.name("an option")
        known = ("outcome", *macro.options)
        if name not in known or name in read:
            close = ", ".join(nearest(name, known))
            again = " twice" if name in read else f"; nearest: {close}" if close else ""
            came = f"found the option {name!r}{again}"
            raise self.wrong(token, came, f"the options of {called} are {', '.join(known)}")
        read.add(name)
        self.take("=")
        return name

    def option_value(self, kind: OptionType) -> Any:
        """Read the value of an option."""
        match kind:
            case "positions":
                return self.listed_positions()
            case "ablation":
                return self.ablation()
            case "word":
                return self.words()
            case "whole":
                return self.whole_number("a whole number")
            case "numbers":
                return self.numbers()
            case "rows":
                return self.rows("sets")
            case "mediators":
                return [member for row in self.rows("sets") for member in _members(row)]

    def words(self) -> str:
        """Read a name; words joined by hyphens need no quotes."""
        word = self.name("a word")
        while self.token.text == "-" and self.following().kind == "name":
            self.advance()
            word += f"-{self.advance().text}"
        return word

    def numbers(self) -> tuple[float, ...]:
        """Read `(0.5, 0.5)`."""
        self.take("(")
        found = [float(self.number())]
        while self.took(","):
            found.append(float(self.number()))
        self.take(")")
        return tuple(found)

    def listed_positions(self) -> tuple[str | int, ...]:
        """Read one position, `(end, 3)`, `[end,3]`, or `all`."""
        for left, right in (("(", ")"), ("[", "]")):
            if self.took(left):
                at = () if self.took("*") else self.positions()
                self.take(right)
                return at
        at = () if self.took("*") else (self.position(),)
        return () if at == ("all",) else at

    def ablation(self) -> Ablation:
        """Read `zero`, `mean(reference='...', size=64)`, `steer(vector='v'#1f, factor=2.0)`."""
        token = self.token
        kinds = [kind.value for kind in AblationKind]
        name = self.name(" or ".join(kinds))
        if name not in kinds:
            raise self.wrong(token, f"found {name!r}", f"possible here: {', '.join(kinds)}")
        given: dict[str, Any] = {}
        while self.took(",") if given else self.took("("):
            option = self.name(" or ".join(OPTIONS))
            if option not in OPTIONS:
                word = self.tokens[self.at - 1]
                raise self.wrong(word, f"found {option!r}", f"possible here: {', '.join(OPTIONS)}")
            self.take("=")
            given[option] = self.ablation_option(OPTIONS[option])
        if given:
            self.take(")")
        return self.made(token, ablation_of, AblationKind(name), given)

    def ablation_option(self, kind: AblationOption) -> Any:
        """Read the value of an ablation's option."""
        match kind:
            case "name":
                return self.name("a word or a digest")
            case "whole":
                return self.whole_number("a whole number")
            case "number":
                return float(self.number())
            case "handle":
                return self.handle()
            case "positions":
                return self.listed_positions()

    # -- rows ------------------------------------------------------------------------------------

    def rows(self, kind: RowType) -> list[Any]:
        """Read rows up to a semicolon or a closing parenthesis."""
        found: list[Any] = []
        if kind == "none" or (kind == "any sets" and self.token.text in (";", ")")):
            return found
        while True:
            found += [self.path()] if kind == "paths" else self.row(kind == "sets or edges")
            # A comma before an option is a mistake that the macro explains.
            if self.following(2).text == "=" or not self.took(","):
                return found

    def path(self) -> tuple[str, ...]:
        """Read `X -> M -> Y`."""
        nodes = [self.mediator().name]
        while self.took("->"):
            nodes.append(self.mediator().name)
        return tuple(nodes)

    def row(self, edges: bool) -> Sequence[Treated | Edge]:
        """Read a mediator, `heads of layer 3`, `{A, B}`, `label: {A, B}`, or an edge."""
        token, following = self.token, self.following()
        if token.text == "{":
            return [self.together(None)]
        if token.kind in ("name", "text") and following.text == ":":
            label = self.name("a label")
            self.take(":")
            return [self.together(label)]
        if token.kind == "name" and token.text in ("heads", "mlps") and following.text != "->":
            return self.many()
        if edges and following.text == "->":
            site = self.site()
            self.made(token, self.graph.edge_slots, site.read_from, getattr(site, "receiver", ""))
            return [site] if isinstance(site, Edge) else []
        self.possible |= dict.fromkeys(("'heads'", "'mlps'", "'{'"))
        return [self.mediator()]

    def together(self, label: str | None) -> MediatorSet:
        """Read `{A, heads of layer 3}`: mediators that are set together."""
        start = self.take("{")
        members: list[Mediator] = []
        while True:
            members += [each for row in self.row(False) for each in _members(row)]
            if not self.took(","):
                break
        self.take("}")
        named = " + ".join(each.name for each in members) if label is None else label
        return self.made(start, joint, named, *members)

    def many(self) -> Sequence[Mediator]:
        """Read `heads`, `heads of layer 3`, `mlps of layers 0-5`."""
        start = self.advance()
        listed = self.graph.heads if start.text == "heads" else self.graph.mlps
        if not self.took("of"):
            found: Sequence[Mediator] = self.located(start, listed)
            return found
        if not (self.took("layer") or self.took("layers")):
            raise self.unexpected()
        first = last = self.whole_number("a layer")
        if self.took("-"):
            last = self.whole_number("a layer")
        if last < first or last - first > len(self.graph.nodes):
            raise self.wrong(start, f"found layers {first}-{last}", "layers are counted upwards")
        layers = range(first, last + 1)
        return [each for layer in layers for each in self.located(start, listed, layer)]

    def mediator(self) -> Mediator:
        """Read the name of a mediator of the graph; other libraries' spellings are understood."""
        token = self.token
        name = self.name("a mediator")
        if name not in self.found:
            self.found[name] = self.located(token, self.graph.find, name)
        return self.found[name]

    def located(self, token: Token, make: Any, *given: Any) -> Any:
        """Return what a function of the graph returns; its error says at which word."""
        try:
            return make(*given)
        except CausalNetError as error:
            wrong = self.wrong(token, str(error))
            raise type(error)(str(wrong)) from None

    # -- printed queries -------------------------------------------------------------------------

    def printed(self) -> Rule[Query]:
        """Read a query as it is printed."""
        start = self.token
        estimand = self.name("an estimand")
        version = self.version()
        self.take("on")
        readout: ReadOut = yield self.readout()
        fields: dict[str, Any] = {"at": (), "ablation": None, "direction": "noising"}
        while self.took(";"):
            field, value = yield self.convention()
            fields[field] = value
        rows: list[tuple[str, tuple[Mediator, ...], Scalar]] = []
        while self.token.kind != "end":
            label = self.name("a label")
            members = self.members(label)
            self.take(":")
            rows.append((label, members, (yield self.scalar())))
        return self.made(
            start,
            Query,
            estimand,
            tuple((label, scalar) for label, _, scalar in rows),
            tuple(members for _, members, _ in rows),
            readout,
            version=version,
            **fields,
        )

    def members(self, label: str) -> tuple[Mediator, ...]:
        """Read `{A, B}`, or take the mediator that the label names."""
        if not self.took("{"):
            token = self.tokens[self.at - 1]
            if label not in self.found:
                self.found[label] = self.located(token, self.graph.find, label)
            return (self.found[label],)
        found: list[Mediator] = []
        while not self.took("}"):
            if found:
                self.take(",")
            found.append(self.mediator())
        return tuple(found)

    def convention(self) -> Rule[tuple[str, Any]]:
        """Read one field of a printed query."""
        token = self.token
        words = [*_FIELDS, "noising", "denoising", "effect", "importance"]
        self.possible |= dict.fromkeys(map(repr, words))
        if token.kind != "name" or token.text not in words:
            raise self.unexpected()
        self.advance()
        match token.text:
            case "noising" | "denoising":
                return "direction", token.text
            case "effect" | "importance":
                return "sign", token.text
            case "at":
                return "at", self.listed_positions()
            case "ablation":
                return "ablation", None if self.took("none") else self.ablation()
            case "given":
                return "given", (yield self.scalar())
            case "divided":
                self.take("by")
                return "denominator", (yield self.scalar())
            case "below":
                worlds: list[World] = [(yield self.world())]
                while self.took(","):
                    worlds.append((yield self.world()))
                return "below", tuple(worlds)
            case field:
                return field, self.name("a text")


def _members(row: Any) -> tuple[Mediator, ...]:
    if isinstance(row, MediatorSet):
        return row.members
    return (row,) if isinstance(row, Mediator) else ()


def _query_of(scalar: Scalar) -> Query:
    """Return a query of one row that is a scalar as written."""
    reads = [leaf.read if isinstance(leaf, Grad) else leaf for leaf in leaves_of(scalar)]
    if not reads:
        raise TermError("The scalar reads nothing.", "A query has a read-out in a world.")
    inputs = [layers_of(read.world)[0] for read in reads]
    return Query(
        "CONTRAST",
        (("contrast", scalar),),
        ((),),
        reads[0].readout,
        (),
        None,
        "denoising" if set(inputs) == {Base("source")} else "noising",
    )
