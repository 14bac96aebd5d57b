"""Queries: labelled scalars of one kind, with the conventions under which they are numbers.

Every effect is patched - unpatched.  What a query subtracts, where it patches, what one unit is and
whether it is exact are fields of it, and are printed with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation
from causalnet.interventions.query_text import query_html, query_line, query_pieces
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Apply, Contrast, Grad, Leaf, Read, Scalar, leaves_of
from causalnet.interventions.terms import Piece, written
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Base, World

__all__ = [
    "BASE",
    "ESTIMANDS",
    "SOURCE",
    "Direction",
    "MediatorSet",
    "Patched",
    "Query",
    "Treated",
    "difference",
    "effects",
    "importance",
    "joint",
    "mean_of",
    "per_total_effect",
    "positions_of",
    "rows_of",
    "worlds_of",
]

Direction: TypeAlias = Literal["noising", "denoising"]
BASE, SOURCE = Base("base"), Base("source")

ESTIMANDS: Mapping[str, str] = {
    "TE": "source - base",
    "CDE": "Y(source, M := m) - Y(base, M := m)",
    "NIE": "patched - unpatched (base patched from source)",
    "NDE": "Y(source, M := M(base)) - Y(base)",
    "TIE": "Y(source) - Y(source, M := M(base))",
    "TDE": "Y(source) - Y(base, M := M(source))",
    "MI": "Y(source) - Y(source, M := M(base)) - Y(base, M := M(source)) + Y(base)",
    "PSE": "patched - unpatched (the given paths carry the other input)",
    "INT": "sum over subsets R of S of (-1)^(|S| - |R|) Y(R patched)",
    "SHAPLEY": "weighted mean over coalitions S of Y(S + i patched) - Y(S patched)",
    "PN": "fraction without the event when patched, among those with it unpatched",
    "PS": "fraction with the event when patched, among those without it unpatched",
    "PNS": "fraction with the event under the treatment and without it under the control",
    "AE": "patched - unpatched",
    "CONTRAST": "as each row says",
    "PATH": "patched - unpatched (path patching)",
    "ACDC": "divergence with the edge removed as well - divergence of the world before",
    "TRACE": "restored - noised",
    "SCRUB": "scrubbed - base",
    "ATP": "first order of patched - unpatched",
    "IG": "path integral of the first order of patched - unpatched",
    "DLA": "patched - unpatched (the path to the logits cut)",
    "LINEAR": "derivative along the sender's value, attention and norm scales held",
    "LENS": "the read-out itself; nothing is set and nothing subtracted",
    "IIA": "the read-out of the patched world itself; nothing is subtracted",
}
"""What each estimand subtracts."""


@dataclass(frozen=True, slots=True)
class MediatorSet:
    """Several mediators that are set together, under one label."""

    label: str
    members: tuple[Mediator, ...]


Treated: TypeAlias = Mediator | MediatorSet


@dataclass(frozen=True, slots=True, repr=False)
class Query:
    """A labelled set of scalars of one kind, and the conventions they share.

    Attributes:
        estimand: A name of `ESTIMANDS`: TE, NIE, ..., AE (ablation effect), PATH, ATP.
        contrasts: Label and scalar of every row.
        treated: The mediators of every row, in the same order; none for TE.
        readout: The outcome.
        at: Positions at which mediators are set; an empty tuple means all.
        ablation: What the mediators are set to, where it is one kind of value for all.
        direction: Noising patches into the base world, denoising into the source world.
        version: Version of the estimand's definition.
        scale: What one unit is: `raw`, `per total effect, prompt by prompt`, or `per total effect,
            ratio of means`.
        estimator: `exact`, or the name of an approximation with what it depends on.
        given: For conditional means, an event (0 or 1 for each prompt); None means all prompts.
        sign: Whether rows are effects (patched - unpatched) or importances, the negative.
        convention: The published convention that a technique follows, by name; "" where there is
            one only.
        error: What is known of the error of an estimator; "" for exact ones.
        denominator: What the mean of a row is divided by, as a ratio of means; None for a mean.
        below: The worlds that are patched, where they are neither the base nor the source; several
            (draws of noise) are averaged.
    """

    estimand: str
    contrasts: tuple[tuple[str, Scalar], ...]
    treated: tuple[tuple[Mediator, ...], ...]
    readout: ReadOut
    at: tuple[Position, ...]
    ablation: Ablation | None
    direction: Direction
    version: int = 1
    scale: str = "raw"
    estimator: str = "exact"
    given: Scalar | None = None
    sign: Literal["effect", "importance"] = "effect"
    convention: str = ""
    error: str = ""
    denominator: Scalar | None = None
    below: tuple[World, ...] = ()

    @property
    def name(self) -> str:
        """The versioned name of the estimand, `NIE/v1`."""
        return f"{self.estimand}/v{self.version}"

    @property
    def unit(self) -> str:
        """The unit of the mean of a row."""
        if self.estimand in ("PN", "PS", "PNS"):
            return "probability"
        return self.readout.unit if self.scale == "raw" else "of the total effect"

    @property
    def subtraction(self) -> str:
        """What is subtracted from what, in words."""
        told = ESTIMANDS.get(self.estimand, "patched - unpatched")
        return f"-({told})" if self.sign == "importance" else told

    @property
    def unpatched(self) -> Scalar:
        """The outcome where nothing is patched: in the base, or for denoising in the source."""
        return mean_of(self.readout, self.below or worlds_of(self.direction)[:1])

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every read and derivative that a table of this query needs, each once."""
        scalars: list[Scalar] = [contrast for _, contrast in self.contrasts]
        scalars += [scalar for scalar in (self.given, self.denominator) if scalar is not None]
        scalars.append(self.unpatched)
        return tuple(dict.fromkeys(leaf for scalar in scalars for leaf in leaves_of(scalar)))

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every read-out in a world that a table of this query needs, each once."""
        found = (leaf.read if isinstance(leaf, Grad) else leaf for leaf in self.leaves)
        return tuple(dict.fromkeys(found))

    def pieces(self) -> tuple[Piece, ...]:
        """Return the conventions, and a line for each row."""
        return query_pieces(self)

    def _repr_html_(self) -> str:
        """Return the text for notebooks."""
        return query_html(self)

    def __str__(self) -> str:
        """Return the conventions, and a line for each row."""
        return written(self)

    def __repr__(self) -> str:
        """Return one line."""
        return f"Query({query_line(self)})"


def joint(label: str, *mediators: Mediator) -> MediatorSet:
    """Return mediators that are set together and give one effect.

    Raises:
        TermError: No mediator, or one twice.
    """
    if not mediators or len(set(mediators)) != len(mediators):
        raise TermError(f"The set {label!r} is empty or names a mediator twice.")
    return MediatorSet(label, mediators)


def rows_of(treated: Treated | Sequence[Treated]) -> list[MediatorSet]:
    """Return the rows of a query: a set of its own for every single mediator.

    Raises:
        TermError: Something that is no mediator, no row at all, or two rows with one label.
    """
    if isinstance(treated, Mediator | MediatorSet | str):
        treated = (treated,)
    names = [row for row in treated if not isinstance(row, Mediator | MediatorSet)]
    if names:
        raise TermError(
            f"{names[0]!r} is not a mediator of a graph.",
            "Effects are of mediators, or of sets made by `joint`.",
            f"Write net[{str(names[0])!r}].",
        )
    sets = [
        row if isinstance(row, MediatorSet) else MediatorSet(row.name, (row,)) for row in treated
    ]
    if not sets:
        raise TermError("No mediator was given.", "", "Write for example net.heads().")
    if len({row.label for row in sets}) != len(sets):
        raise TermError("Two rows have one label.", "Labels of rows differ.")
    return sets


def positions_of(at: Position | Sequence[Position]) -> tuple[Position, ...]:
    """Return positions as a tuple; none, or "all", means every position.

    Raises:
        TermError: Something that is neither a name nor an index.
    """
    listed = tuple(at) if isinstance(at, Sequence) and not isinstance(at, str) else (at,)
    wrong = [
        place for place in listed if isinstance(place, bool) or not isinstance(place, str | int)
    ]
    if wrong:
        raise TermError(
            f"{wrong[0]!r} is not a position.",
            "A position is a name of the prompts or the index of a token.",
            "Write for example at='end' or at=(0, 3).",
        )
    return () if listed == ("all",) else listed


def worlds_of(direction: Direction) -> tuple[Base, Base]:
    """Return the world that is patched, and the one that values come from.

    Raises:
        TermError: Another direction.

    >>> print(*worlds_of("denoising"))
    <source> <base>
    """
    if direction == "noising":
        return BASE, SOURCE
    if direction == "denoising":
        return SOURCE, BASE
    raise TermError(
        f"The direction {direction!r}.",
        "Noising patches the base from the source, denoising the source from the base.",
    )


def mean_of(outcome: ReadOut, worlds: Sequence[World]) -> Scalar:
    """Return the outcome averaged over worlds, such as draws of noise."""
    reads = [Read(outcome, world) for world in worlds]
    return reads[0] if len(reads) == 1 else Contrast(tuple((1 / len(reads), r) for r in reads))


def difference(outcome: ReadOut, patched: Sequence[World], unpatched: Sequence[World]) -> Contrast:
    """Return the outcome averaged over some worlds minus that averaged over others."""
    plus = ((1 / len(patched), Read(outcome, world)) for world in patched)
    minus = ((-1 / len(unpatched), Read(outcome, world)) for world in unpatched)
    return Contrast((*plus, *minus))


class Patched(NamedTuple):
    """A row of a query: its label, the mediators that are set, and the patched worlds."""

    label: str
    members: tuple[Mediator, ...]
    worlds: tuple[World, ...]


def effects(
    estimand: str,
    rows: Iterable[Patched],
    outcome: ReadOut,
    *,
    at: tuple[Position, ...] = (),
    direction: Direction = "noising",
    ablation: Ablation | None = None,
    below: tuple[World, ...] = (),
    convention: str = "",
) -> Query:
    """Return a query whose rows are patched - unpatched.

    Args:
        estimand: Its name.
        rows: Label, mediators and patched worlds of each; several worlds are averaged.
        outcome: The read-out.
        at: Positions at which mediators are set.
        direction: Which input's world is patched.
        ablation: What mediators are set to, where it is one kind of value for all.
        below: The unpatched worlds, where they are not that of the input alone.
        convention: The published convention, by name.

    Raises:
        TermError: No row, or two with one label.
    """
    listed = list(rows)
    labels = [row.label for row in listed]
    if not listed or len(set(labels)) != len(labels):
        raise TermError(
            f"{len(listed)} rows with {len(set(labels))} labels.",
            "A query has at least one row, and their labels differ.",
        )
    unpatched = below or worlds_of(direction)[:1]
    return Query(
        estimand,
        tuple((row.label, difference(outcome, row.worlds, unpatched)) for row in listed),
        tuple(row.members for row in listed),
        outcome,
        at,
        ablation,
        direction,
        convention=convention,
        below=below,
    )


def importance(query: Query) -> Query:
    """Return the negative of every effect, named so: what is lost when mediators are patched.

    Raises:
        TermError: The query is one of importances already.
    """
    if query.sign == "importance":
        raise TermError(f"{query.name} is one of importances already.", "", "Use it as it is.")
    negative = tuple((label, Contrast(((-1.0, scalar),))) for label, scalar in query.contrasts)
    return replace(query, contrasts=negative, sign="importance")


def per_total_effect(
    query: Query, ratio: Literal["of means", "prompt by prompt"] = "of means"
) -> Query:
    """Return effects as fractions of the total effect in the query's direction.

    Noising is divided by Y(source) - Y(base) and denoising by Y(base) - Y(source), so that a patch
    that does all that the other input does is 1.  A ratio of means is that of the means over
    prompts; a ratio taken prompt by prompt explodes where a pair's total effect is small.

    Args:
        query: Raw effects.
        ratio: What is divided: means, or the values of each prompt.

    Raises:
        TermError: The query has a scale already, or another ratio.
    """
    if query.scale != "raw":
        raise TermError(f"{query.name} is {query.scale} already.", "Raw effects can be divided.")
    below, other = worlds_of(query.direction)
    total = difference(query.readout, (other,), query.below or (below,))
    scale = f"per total effect, {'ratio of means' if ratio == 'of means' else ratio}"
    if ratio == "of means":
        return replace(query, denominator=total, scale=scale)
    if ratio != "prompt by prompt":
        raise TermError(f"The ratio {ratio!r}.", "There are 'of means' and 'prompt by prompt'.")
    divided = tuple((label, Apply("ratio", (row, total))) for label, row in query.contrasts)
    return replace(query, contrasts=divided, scale=scale)
