"""Effects as contrasts of worlds: TE, NDE, NIE, TIE, TDE, and the effect of an ablation.

With x the base input, x' the source input, M mediators and Y a read-out (Pearl 2001; Robins and
Greenland 1992; for networks Vig et al. 2020):

| name | definition |
|---|---|
| TE | Y(x') - Y(x) |
| NIE | Y(x, M := M(x')) - Y(x) |
| NDE | Y(x', M := M(x)) - Y(x) |
| TIE | Y(x') - Y(x', M := M(x)) |
| TDE | Y(x') - Y(x, M := M(x')) |

so TE = NDE + TIE = NIE + TDE, exactly, for each prompt.
An ablation effect is patched - unpatched: Y(w, M := value) - Y(w), where w is x for noising and x'
for denoising.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.scalars import Contrast, Grad, Leaf, Read, Scalar, leaves_of
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Assignment, Base, Do, Node, World

__all__ = [
    "Direction",
    "MediatorSet",
    "Query",
    "ablation_effect",
    "joint",
    "nde",
    "nie",
    "patch",
    "tde",
    "te",
    "tie",
]

Direction: TypeAlias = Literal["noising", "denoising"]
BASE, SOURCE = Base("base"), Base("source")


@dataclass(frozen=True, slots=True)
class MediatorSet:
    """Several mediators that are set together, under one label."""

    label: str
    members: tuple[Mediator, ...]


Treated: TypeAlias = Mediator | MediatorSet


@dataclass(frozen=True, slots=True)
class Query:
    """A labelled set of contrasts of one kind, and the conventions they share.

    Attributes:
        estimand: TE, NIE, NDE, TIE, TDE or AE (ablation effect).
        contrasts: Label and contrast of every row.
        treated: The mediators of every row, in the same order; none for TE.
        readout: The outcome.
        at: Positions at which mediators are set; an empty tuple means all.
        ablation: What the mediators are set to; None for TE.
        direction: Noising patches into the base world, denoising into the source world.
        version: Version of the estimand's definition.
        scale: What one unit is: `raw`, or `per total effect`.
        estimator: `exact`, or the name of an approximation with what it depends on.
        given: For conditional means, an event (0 or 1 for each prompt); None means all prompts.
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

    @property
    def name(self) -> str:
        """The versioned name of the estimand, `NIE/v1`."""
        return f"{self.estimand}/v{self.version}"

    @property
    def unpatched(self) -> Read:
        """The outcome where nothing is set: in the base, or for denoising in the source."""
        return Read(self.readout, BASE if self.direction == "noising" else SOURCE)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every read and derivative that a table of this query needs, each once."""
        scalars: list[Scalar] = [contrast for _, contrast in self.contrasts]
        scalars += [] if self.given is None else [self.given]
        found = (leaf for scalar in scalars for leaf in leaves_of(scalar))
        return tuple(dict.fromkeys((*found, self.unpatched)))

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every read-out in a world that a table of this query needs, each once."""
        found = (leaf.read if isinstance(leaf, Grad) else leaf for leaf in self.leaves)
        return tuple(dict.fromkeys(found))

    def __str__(self) -> str:
        """Return the conventions and the first contrasts, a line each."""
        places = ",".join(map(str, self.at)) or "all positions"
        lines = [f"{self.name} of {len(self.contrasts)} on {self.readout}, set at {places}"]
        lines += [f"  {label}: {contrast}" for label, contrast in self.contrasts[:3]]
        return "\n".join(lines + (["  ..."] if len(self.contrasts) > 3 else []))


def joint(label: str, *mediators: Mediator) -> MediatorSet:
    """Return mediators that are set together and give one effect.

    Raises:
        TermError: No mediator, or one twice.
    """
    if not mediators or len(set(mediators)) != len(mediators):
        raise TermError(f"The set {label!r} is empty or names a mediator twice.")
    return MediatorSet(label, mediators)


def _rows(treated: Treated | Sequence[Treated]) -> list[MediatorSet]:
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


def _positions(at: Position | Sequence[Position]) -> tuple[Position, ...]:
    listed = (at,) if isinstance(at, str | int) else tuple(at)
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


def patch(
    world: World,
    mediators: Sequence[Mediator],
    ablation: Ablation,
    alternative: World,
    at: Position | Sequence[Position] = (),
    draw: int = 0,
) -> Do:
    """Return a world in which mediators are set as an ablation says.

    Args:
        world: The world that is patched.
        mediators: What is set.
        ablation: What it is set to.
        alternative: The world that counterfactual values are read in.
        at: Positions; none, or "all", means every position.
        draw: Which resampling draw.
    """
    positions = _positions(at)
    assignments: list[Assignment] = [
        (Node(ablation.site(mediator), positions), ablation.value(mediator, alternative, draw))
        for mediator in mediators
    ]
    return Do(world, tuple(assignments))


_INTERCHANGE = Ablation(AblationKind.COUNTERFACTUAL)


def te(outcome: ReadOut = logit_diff) -> Query:
    """Return the total effect: source minus base, no mediator touched."""
    contrast = Contrast(((1.0, Read(outcome, SOURCE)), (-1.0, Read(outcome, BASE))))
    return Query("TE", (("TE", contrast),), ((),), outcome, (), None, "noising")


def _mediated(
    estimand: str,
    terms: Callable[[Read, Read], tuple[tuple[float, Read], ...]],
    direction: Direction,
    mediators: Treated | Sequence[Treated],
    at: Position | Sequence[Position],
    outcome: ReadOut,
) -> Query:
    below, other = (BASE, SOURCE) if direction == "noising" else (SOURCE, BASE)
    contrasts, treated = [], []
    for row in _rows(mediators):
        world = patch(below, row.members, _INTERCHANGE, other, at)
        contrasts.append((row.label, Contrast(terms(Read(outcome, world), Read(outcome, below)))))
        treated.append(row.members)
    return Query(
        estimand,
        tuple(contrasts),
        tuple(treated),
        outcome,
        _positions(at),
        _INTERCHANGE,
        direction,
    )


def nie(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return natural indirect effects Y(x, M := M(x')) - Y(x): the noising patch effect.

    Args:
        mediators: One row for each mediator or `joint` set.
        at: Positions at which they are set; default all.
        outcome: The read-out.
    """
    return _mediated(
        "NIE",
        lambda patched, plain: ((1.0, patched), (-1.0, plain)),
        "noising",
        mediators,
        at,
        outcome,
    )


def nde(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return natural direct effects Y(x', M := M(x)) - Y(x)."""
    base = Read(outcome, BASE)
    return _mediated(
        "NDE",
        lambda patched, _: ((1.0, patched), (-1.0, base)),
        "denoising",
        mediators,
        at,
        outcome,
    )


def tie(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return total indirect effects Y(x') - Y(x', M := M(x))."""
    return _mediated(
        "TIE",
        lambda patched, plain: ((1.0, plain), (-1.0, patched)),
        "denoising",
        mediators,
        at,
        outcome,
    )


def tde(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return total direct effects Y(x') - Y(x, M := M(x'))."""
    source = Read(outcome, SOURCE)
    return _mediated(
        "TDE",
        lambda patched, _: ((1.0, source), (-1.0, patched)),
        "noising",
        mediators,
        at,
        outcome,
    )


def ablation_effect(
    mediators: Treated | Sequence[Treated],
    ablation: Ablation,
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of setting mediators: patched - unpatched.

    Args:
        mediators: One row for each mediator or `joint` set.
        ablation: What they are set to; resampling averages its draws.
        at: Positions at which they are set; default all.
        outcome: The read-out.
        direction: Noising acts on the base world, denoising on the source world.
    """
    below, other = (BASE, SOURCE) if direction == "noising" else (SOURCE, BASE)
    contrasts, treated = [], []
    for row in _rows(mediators):
        worlds = [
            patch(below, row.members, ablation, other, at, draw) for draw in range(ablation.draws)
        ]
        terms = [(1.0 / ablation.draws, Read(outcome, world)) for world in worlds]
        contrasts.append((row.label, Contrast((*terms, (-1.0, Read(outcome, below))))))
        treated.append(row.members)
    return Query(
        "AE", tuple(contrasts), tuple(treated), outcome, _positions(at), ablation, direction
    )
