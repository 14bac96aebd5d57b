"""Nodes at positions as members of circuits.

A circuit of nodes keeps or ablates a head wherever it is set; one of cells says at which token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Do, Node, World

__all__ = ["Cell", "patch_cells"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A head or an MLP at one position.

    Attributes:
        mediator: The node.
        at: The position, usually one that the prompts name.

    >>> from causalnet.graphs import Kind
    >>> print(Cell(Mediator("L9.H6", Kind.HEAD, 9, 6), "S2"))
    L9.H6[S2]
    """

    mediator: Mediator
    at: Position

    def __str__(self) -> str:
        """Return the node and its position as claim files have them."""
        return f"{self.mediator.name}[{self.at}]"


def patch_cells(
    world: World, cells: Sequence[Cell], ablation: Ablation, alternative: World, draw: int = 0
) -> Do:
    """Return a world in which nodes are set as an ablation says, each at its own positions.

    Args:
        world: The world that is patched.
        cells: What is set where.
        ablation: What it is set to; not `optimal`, whose constants are learned for one list of
            positions.
        alternative: The world that counterfactual values are read in.
        draw: Which draw of resampling or noise.

    Raises:
        TermError: Optimal constants.

    >>> from causalnet.graphs import Kind
    >>> from causalnet.interventions import Base
    >>> from causalnet.interventions.contrasts import INTERCHANGE
    >>> head = Mediator("L9.H6", Kind.HEAD, 9, 6)
    >>> cells = [Cell(head, "S2"), Cell(head, "end")]
    >>> print(patch_cells(Base("base"), cells, INTERCHANGE, Base("source")))
    <base> + {L9.H6.z[S2,end] := L9.H6.z in <source>}
    """
    places: dict[Mediator, tuple[Position, ...]] = {}
    for cell in cells:
        places[cell.mediator] = (*places.get(cell.mediator, ()), cell.at)
    return Do(
        world,
        tuple(
            (Node(ablation.site(node), at), ablation.value(node, alternative, draw))
            for node, at in places.items()
        ),
    )
