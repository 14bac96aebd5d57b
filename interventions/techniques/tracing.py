"""Causal tracing: add noise to the subject, restore mediators, see what comes back.

Meng et al. 2022 (ROME).  Noise has keys: the noised world and the restored one share each draw,
and several draws are averaged before anything is divided.
"""

from collections.abc import Sequence

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.contrasts import INTERCHANGE, patch
from causalnet.interventions.noising import noised_world
from causalnet.interventions.queries import (
    BASE,
    MediatorSet,
    Patched,
    Query,
    Treated,
    effects,
    positions_of,
    rows_of,
)
from causalnet.interventions.readouts import ReadOut, probability
from causalnet.interventions.views import Position
from causalnet.interventions.worlds import Do

__all__ = ["causal_trace", "noised", "windows"]


def noised(
    subject: Position | Sequence[Position],
    sigma: float,
    key: str = "trace 0",
    site: str = "embed",
) -> Do:
    """Return the base world with Gaussian noise added to the subject's embedding.

    Args:
        subject: Positions of the subject's tokens.
        sigma: Standard deviation of the noise; published: 3 times that of the embeddings.
        key: Names the draw.
        site: Where the noise is added.

    Raises:
        TermError: A standard deviation below 0.

    >>> print(noised("S1", 0.3))
    <base> + {embed[S1] := add(self, noise('trace 0'); factor=0.3)}
    """
    return noised_world(positions_of(subject), sigma, key, site)


def causal_trace(
    mediators: Treated | Sequence[Treated],
    subject: Position | Sequence[Position],
    *,
    sigma: float,
    draws: int = 10,
    key: str = "trace",
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = probability,
    site: str = "embed",
) -> Query:
    """Return effects of restoring mediators in the noised world: restored - noised.

    `per_total_effect` divides by base - noised, averaged over the same draws.

    Args:
        mediators: One row for each mediator or joint set; see `windows`.
        subject: Positions of the subject's tokens.
        sigma: Standard deviation of the noise.
        draws: Number of draws of noise, averaged.
        key: Names the draws, `trace 0`, `trace 1`, ...
        at: Positions at which mediators are restored.
        outcome: The read-out.
        site: Where the noise is added.

    Raises:
        TermError: No draw, or a standard deviation below 0.
    """
    if draws < 1:
        raise TermError(f"{draws} draws of noise.", "There is at least one.")
    worlds = tuple(noised(subject, sigma, f"{key} {draw}", site) for draw in range(draws))
    rows = [
        Patched(
            row.label,
            row.members,
            tuple(patch(world, row.members, INTERCHANGE, BASE, at) for world in worlds),
        )
        for row in rows_of(mediators)
    ]
    return effects(
        "TRACE",
        rows,
        outcome,
        at=positions_of(at),
        direction="denoising",
        below=worlds,
        convention=f"noise {sigma!r} on {site}[{','.join(map(str, positions_of(subject)))}], "
        f"{draws} draws {key!r}",
    )


def windows(mediators: Sequence[Mediator], width: int = 10) -> list[MediatorSet]:
    """Return for every layer the mediators of a window of layers around it, restored together.

    A window of width w around layer l holds layers l - w // 2 to l - w // 2 + w - 1, those that
    there are.

    Args:
        mediators: Mediators with layers: `net.mlps()`, `net.heads()`.
        width: Number of layers in a window.

    Raises:
        TermError: A width below 1, or a mediator without a layer.

    >>> from causalnet.graphs import Kind
    >>> mlps = [Mediator(f"L{layer}.mlp", Kind.MLP, layer) for layer in range(4)]
    >>> for row in windows(mlps, 2):
    ...     print(row.label, [each.name for each in row.members])
    around L0 ['L0.mlp']
    around L1 ['L0.mlp', 'L1.mlp']
    around L2 ['L1.mlp', 'L2.mlp']
    around L3 ['L2.mlp', 'L3.mlp']
    """
    by_layer: dict[int, list[Mediator]] = {}
    for mediator in mediators:
        if mediator.layer is None:
            raise TermError(f"{mediator} has no layer.", "Windows are of layers.")
        by_layer.setdefault(mediator.layer, []).append(mediator)
    if width < 1:
        raise TermError(f"Windows of {width} layers.", "A window has at least one layer.")
    rows = []
    for centre in sorted(by_layer):
        first = centre - width // 2
        near = (layer for layer in sorted(by_layer) if first <= layer < first + width)
        members = tuple(member for layer in near for member in by_layer[layer])
        rows.append(MediatorSet(f"around L{centre}", members))
    return rows
