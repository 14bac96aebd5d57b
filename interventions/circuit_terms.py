"""Circuits as worlds: the whole model, the circuit alone, nothing, the rest alone.

With U the mediators that are ablated when they are not kept and C the circuit:

| part | noising: the base run with | denoising: the corrupted run with |
|---|---|---|
| `model` | nothing set (the base run itself) | (the base run itself) |
| `kept` | U without C ablated | C set to its base values |
| `empty` | U ablated | nothing set |
| `knocked_out` | C ablated | U without C set to its base values |

The corrupted run is that which the ablation takes its values from: the source, a resampled prompt,
the noised base.  Zero, means and learned constants are of no run and cannot be denoised.
Mediators outside U, usually the MLPs, are never touched.  Source: Wang et al. 2023; Miller et al.
2024 for what the conventions change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation
from causalnet.interventions.contrasts import INTERCHANGE, patch
from causalnet.interventions.queries import BASE, SOURCE, Direction
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Apply, Contrast, Read, Scalar
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import World

__all__ = ["CircuitTerms", "Regime"]


class Regime(StrEnum):
    """What is run."""

    MODEL = "model"
    KEPT = "kept"
    EMPTY = "empty"
    KNOCKED_OUT = "knocked_out"


@dataclass(frozen=True, slots=True)
class CircuitTerms:
    """The conventions under which circuits become terms.

    Attributes:
        readout: The read-out.
        ablation: What mediators are set to when they are not kept.
        universe: The mediators that are ablated when they are not kept.
        at: Positions at which they are set; none means all.
        direction: `noising` or, for values of a run, `denoising`.

    Raises:
        TermError: Denoising with an ablation whose values are of no run, or an empty universe.
    """

    readout: ReadOut
    ablation: Ablation
    universe: tuple[Mediator, ...]
    at: tuple[Position, ...] = ()
    direction: Direction = "noising"

    def __post_init__(self) -> None:
        """Check that the conventions fit together."""
        if self.direction == "denoising":
            self.ablation.corrupted(SOURCE)
        if not self.universe:
            raise TermError("No mediator may be ablated: the universe is empty.")

    def world(self, part: Regime, circuit: Sequence[Mediator], draw: int = 0) -> World:
        """Return the world of a part.

        Raises:
            TermError: A member of the circuit that is not in the universe.
        """
        changed = self.changed(part, circuit)
        if part is Regime.MODEL:
            return BASE
        if self.direction == "denoising":
            corrupted = self.ablation.corrupted(SOURCE, draw)
            return patch(corrupted, changed, INTERCHANGE, BASE, self.at) if changed else corrupted
        return patch(BASE, changed, self.ablation, SOURCE, self.at, draw) if changed else BASE

    def changed(self, part: Regime, circuit: Sequence[Mediator]) -> tuple[Mediator, ...]:
        """Return what a part ablates or, in denoising, restores, in the universe's order.

        Raises:
            TermError: A member of the circuit that is not in the universe.
        """
        inside = frozenset(circuit)
        strangers = inside.difference(self.universe)
        if strangers:
            raise TermError(
                f"{', '.join(sorted(map(str, strangers)))} cannot be kept or knocked out.",
                "They are not among the mediators that are ablated.",
                "Ablate heads_and_mlps, or leave them out of the circuit.",
            )
        others = tuple(mediator for mediator in self.universe if mediator not in inside)
        members = tuple(mediator for mediator in self.universe if mediator in inside)
        if part is Regime.MODEL:
            return ()
        if self.direction == "denoising":
            return {Regime.KEPT: members, Regime.EMPTY: (), Regime.KNOCKED_OUT: others}[part]
        return {
            Regime.KEPT: others,
            Regime.EMPTY: self.universe,
            Regime.KNOCKED_OUT: members,
        }[part]

    def score(self, part: Regime, circuit: Sequence[Mediator]) -> Contrast:
        """Return a part's read-out: one read, or the mean over the ablation's draws."""
        draws = range(self.ablation.draws)
        worlds = dict.fromkeys(self.world(part, circuit, draw) for draw in draws)
        return Contrast(tuple((1 / len(worlds), Read(self.readout, world)) for world in worlds))

    def faithfulness(self, circuit: Sequence[Mediator]) -> Scalar:
        """Return (kept - empty) / (model - empty); over prompts it is a ratio of means."""
        return self._fraction(Regime.KEPT, Regime.EMPTY, circuit)

    def necessity(self, circuit: Sequence[Mediator]) -> Scalar:
        """Return (model - knocked out) / (model - empty); over prompts it is a ratio of means."""
        return self._fraction(Regime.MODEL, Regime.KNOCKED_OUT, circuit)

    def _fraction(self, first: Regime, second: Regime, circuit: Sequence[Mediator]) -> Apply:
        def difference(one: Regime, other: Regime) -> Contrast:
            signed = ((1.0, self.score(one, circuit)), (-1.0, self.score(other, circuit)))
            return Contrast(tuple((sign * w, s) for sign, c in signed for w, s in c.terms))

        return Apply("ratio", (difference(first, second), difference(Regime.MODEL, Regime.EMPTY)))
