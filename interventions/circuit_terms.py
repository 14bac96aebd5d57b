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
Mediators outside U, usually the MLPs, are never touched.  U is of nodes, which are set at all
positions `at`, or of cells, which are nodes at positions of their own.  Source: Wang et al. 2023;
Miller et al. 2024 for what the conventions change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.cells import Cell, patch_cells
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
        universe: The mediators that are ablated when they are not kept, or all cells of them.
        at: Positions at which they are set; none means all.  Those of cells are among them.
        direction: `noising` or, for values of a run, `denoising`.

    Raises:
        TermError: Denoising with an ablation whose values are of no run, an empty universe, or
            cells beside nodes, at other positions, or with optimal constants.
    """

    readout: ReadOut
    ablation: Ablation
    universe: tuple[Mediator | Cell, ...]
    at: tuple[Position, ...] = ()
    direction: Direction = "noising"

    def __post_init__(self) -> None:
        """Check that the conventions fit together."""
        if self.direction == "denoising":
            self.ablation.corrupted(SOURCE)
        if not self.universe:
            raise TermError("No mediator may be ablated: the universe is empty.")
        cells = [one for one in self.universe if isinstance(one, Cell)]
        if cells:
            self._check_cells(cells)

    def _check_cells(self, cells: Sequence[Cell]) -> None:
        if len(cells) < len(self.universe):
            raise TermError(
                f"The universe has nodes at positions, such as {cells[0]}, and nodes as a whole.",
                "All of it is of one sort.",
                "Give every node at every position as a Cell.",
            )
        outside = [cell for cell in cells if cell.at not in self.at]
        if outside:
            raise TermError(
                f"{outside[0]} is at a position that is not ablated.",
                f"Positions that are: {', '.join(map(str, self.at)) or 'none is listed'}.",
                "Give at= every position of the cells.",
            )
        if self.ablation.kind is AblationKind.OPTIMAL:
            raise TermError(
                "Nodes at positions with optimal constants.",
                "Constants are learned for nodes at one list of positions.",
                "Give nodes and at=, or another ablation.",
            )

    def world(self, part: Regime, circuit: Sequence[Mediator | Cell], draw: int = 0) -> World:
        """Return the world of a part.

        Raises:
            TermError: A member of the circuit that is not in the universe.
        """
        changed = self.changed(part, circuit)
        if part is Regime.MODEL:
            return BASE
        if self.direction == "denoising":
            corrupted = self.ablation.corrupted(SOURCE, draw)
            return self._set(corrupted, changed, INTERCHANGE, BASE) if changed else corrupted
        return self._set(BASE, changed, self.ablation, SOURCE, draw) if changed else BASE

    def _set(
        self,
        world: World,
        changed: Sequence[Mediator | Cell],
        ablation: Ablation,
        alternative: World,
        draw: int = 0,
    ) -> World:
        cells = [one for one in changed if isinstance(one, Cell)]
        if cells:
            return patch_cells(world, cells, ablation, alternative, draw)
        nodes = [one for one in changed if isinstance(one, Mediator)]
        return patch(world, nodes, ablation, alternative, self.at, draw)

    def changed(
        self, part: Regime, circuit: Sequence[Mediator | Cell]
    ) -> tuple[Mediator | Cell, ...]:
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

    def score(self, part: Regime, circuit: Sequence[Mediator | Cell]) -> Contrast:
        """Return a part's read-out: one read, or the mean over the ablation's draws."""
        draws = range(self.ablation.draws)
        worlds = dict.fromkeys(self.world(part, circuit, draw) for draw in draws)
        return Contrast(tuple((1 / len(worlds), Read(self.readout, world)) for world in worlds))

    def faithfulness(self, circuit: Sequence[Mediator | Cell]) -> Scalar:
        """Return (kept - empty) / (model - empty); over prompts it is a ratio of means."""
        return self._fraction(Regime.KEPT, Regime.EMPTY, circuit)

    def necessity(self, circuit: Sequence[Mediator | Cell]) -> Scalar:
        """Return (model - knocked out) / (model - empty); over prompts it is a ratio of means."""
        return self._fraction(Regime.MODEL, Regime.KNOCKED_OUT, circuit)

    def _fraction(self, first: Regime, second: Regime, circuit: Sequence[Mediator | Cell]) -> Apply:
        def difference(one: Regime, other: Regime) -> Contrast:
            signed = ((1.0, self.score(one, circuit)), (-1.0, self.score(other, circuit)))
            return Contrast(tuple((sign * w, s) for sign, c in signed for w, s in c.terms))

        return Apply("ratio", (difference(first, second), difference(Regime.MODEL, Regime.EMPTY)))
