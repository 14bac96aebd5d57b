"""Effects as contrasts of worlds: TE, CDE, NDE, NIE, TIE, TDE, MI, and the effect of an ablation.

With x the base input, x' the source input, M mediators and Y a read-out (Pearl 2001; Robins and
Greenland 1992; for networks Vig et al. 2020):

| name | definition |
|---|---|
| TE | Y(x') - Y(x) |
| CDE(m) | Y(x', M := m) - Y(x, M := m) |
| NIE | Y(x, M := M(x')) - Y(x) |
| NDE | Y(x', M := M(x)) - Y(x) |
| TIE | Y(x') - Y(x', M := M(x)) |
| TDE | Y(x') - Y(x, M := M(x')) |
| MI | Y(x') - Y(x', M := M(x)) - Y(x, M := M(x')) + Y(x) |

so TE = NDE + TIE = NIE + TDE = NDE + NIE + MI, exactly, for each prompt.
An ablation effect is patched - unpatched: Y(w, M := value) - Y(w), where w is x for noising and x'
for denoising.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.queries import (
    BASE,
    SOURCE,
    Direction,
    Patched,
    Query,
    Treated,
    difference,
    effects,
    positions_of,
    rows_of,
    worlds_of,
)
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.scalars import Contrast, Read
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Assignment, Do, Node, World

__all__ = [
    "INTERCHANGE",
    "ablation_effect",
    "cde",
    "mi",
    "nde",
    "nie",
    "patch",
    "tde",
    "te",
    "tie",
]

INTERCHANGE = Ablation(AblationKind.COUNTERFACTUAL)
"""Every mediator is set to its value on the paired prompt."""

Terms: TypeAlias = Callable[[Read, Read], tuple[tuple[float, Read], ...]]


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
        draw: Which draw of resampling or noise.
    """
    positions = positions_of(at)
    own = ablation.among(mediators, positions)
    assignments: list[Assignment] = [
        (Node(own.site(mediator), positions), own.value(mediator, alternative, draw))
        for mediator in mediators
    ]
    return Do(world, tuple(assignments))


def te(outcome: ReadOut = logit_diff) -> Query:
    """Return the total effect: source minus base, no mediator touched."""
    contrast = difference(outcome, (SOURCE,), (BASE,))
    return Query("TE", (("TE", contrast),), ((),), outcome, (), None, "noising")


def _mediated(
    estimand: str,
    terms: Terms,
    direction: Direction,
    mediators: Treated | Sequence[Treated],
    at: Position | Sequence[Position],
    outcome: ReadOut,
) -> Query:
    below, other = worlds_of(direction)
    contrasts, treated = [], []
    for row in rows_of(mediators):
        world = patch(below, row.members, INTERCHANGE, other, at)
        contrasts.append((row.label, Contrast(terms(Read(outcome, world), Read(outcome, below)))))
        treated.append(row.members)
    positions = positions_of(at)
    return Query(
        estimand, tuple(contrasts), tuple(treated), outcome, positions, INTERCHANGE, direction
    )


def nie(
    mediators: Treated | Sequence[Treated],
    *,
    via: Treated | Sequence[Treated] = (),
    at: Position | Sequence[Position] = (),
    via_at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return natural indirect effects Y(x, M := M(x')) - Y(x): the noising patch effect.

    With `via` it is path-specific: the part of the effect that goes along paths from M through
    every given mediator in turn, Y(x, V := V(x, M := M(x'))) - Y(x).  A `joint` set stands for any
    of its members.

    Args:
        mediators: One row for each mediator or `joint` set.
        via: Mediators that the paths go through, in their order.
        at: Positions at which they are set; default all.
        via_at: Positions at which the mediators of `via` carry the effect; default all.
        outcome: The read-out.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(3, 2, 2, 8, 4, 16, 11))
    >>> print(nie(graph.find("L0.H1"), via=graph.find("L2.H0.q")).contrasts[0][1].terms[0][1].world)
    <base> + {L2.H0.q := L2.H0.q in <base> + {L0.H1.z := L0.H1.z in <source>}}
    """
    steps = rows_of(via) if via else []
    if not steps:
        return _mediated(
            "NIE",
            lambda patched, plain: ((1.0, patched), (-1.0, plain)),
            "noising",
            mediators,
            at,
            outcome,
        )
    rows = []
    for row in rows_of(mediators):
        world = patch(BASE, row.members, INTERCHANGE, SOURCE, at)
        for step in steps:
            world = patch(BASE, step.members, INTERCHANGE, world, via_at)
        rows.append(Patched(row.label, row.members, (world,)))
    through = " then ".join(step.label for step in steps)
    return effects(
        "PSE",
        rows,
        outcome,
        at=positions_of(at),
        ablation=INTERCHANGE,
        convention=f"paths through {through}",
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


def mi(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return mediated interactions, what TE has beyond NDE and NIE (VanderWeele 2013).

    MI = Y(x') - Y(x', M := M(x)) - Y(x, M := M(x')) + Y(x).
    """
    contrasts, treated = [], []
    for row in rows_of(mediators):
        noised = patch(BASE, row.members, INTERCHANGE, SOURCE, at)
        restored = patch(SOURCE, row.members, INTERCHANGE, BASE, at)
        signs = ((1.0, SOURCE), (-1.0, restored), (-1.0, noised), (1.0, BASE))
        terms = tuple((sign, Read(outcome, world)) for sign, world in signs)
        contrasts.append((row.label, Contrast(terms)))
        treated.append(row.members)
    positions = positions_of(at)
    return Query("MI", tuple(contrasts), tuple(treated), outcome, positions, INTERCHANGE, "noising")


def cde(
    mediators: Treated | Sequence[Treated],
    level: Ablation,
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return controlled direct effects Y(x', M := m) - Y(x, M := m) (Pearl 2001).

    Args:
        mediators: One row for each mediator or `joint` set.
        level: What m is; it does not depend on the input: zero, a mean, or a constant.
        at: Positions at which they are set; default all.
        outcome: The read-out.

    Raises:
        TermError: A level that depends on the input.
    """
    fixed = (AblationKind.ZERO, AblationKind.MEAN, AblationKind.CONSTANT)
    if level.kind not in (*fixed, AblationKind.MEAN_PER_POSITION):
        raise TermError(
            f"The level {level} depends on the input.",
            f"A controlled level is one of {', '.join(fixed)}.",
            "For values on the other input write nde or nie.",
        )
    contrasts, treated = [], []
    for row in rows_of(mediators):
        worlds = [patch(world, row.members, level, world, at) for world in (SOURCE, BASE)]
        contrasts.append((row.label, difference(outcome, worlds[:1], worlds[1:])))
        treated.append(row.members)
    positions = positions_of(at)
    return Query("CDE", tuple(contrasts), tuple(treated), outcome, positions, level, "noising")


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
        ablation: What they are set to; resampling and noise average their draws.
        at: Positions at which they are set; default all.
        outcome: The read-out.
        direction: Noising acts on the base world, denoising on the source world; with noise,
            denoising restores base values in the noised world, as causal tracing does.
    """
    if ablation.kind is AblationKind.NOISE and direction == "denoising":
        return _restored(mediators, ablation, at, outcome)
    below, other = worlds_of(direction)
    rows = [
        Patched(
            row.label,
            row.members,
            tuple(
                patch(below, row.members, ablation, other, at, draw)
                for draw in range(ablation.draws)
            ),
        )
        for row in rows_of(mediators)
    ]
    return effects("AE", rows, outcome, at=positions_of(at), direction=direction, ablation=ablation)


def _restored(
    mediators: Treated | Sequence[Treated],
    ablation: Ablation,
    at: Position | Sequence[Position],
    outcome: ReadOut,
) -> Query:
    """Return effects of base values in the corrupted runs: restored - corrupted."""
    worlds = tuple(ablation.corrupted(SOURCE, draw) for draw in range(ablation.draws))
    rows = [
        Patched(
            row.label,
            row.members,
            tuple(patch(world, row.members, INTERCHANGE, BASE, at) for world in worlds),
        )
        for row in rows_of(mediators)
    ]
    return effects(
        "AE",
        rows,
        outcome,
        at=positions_of(at),
        direction="denoising",
        ablation=ablation,
        below=worlds,
    )
