"""Gaussian noise on the embedding: the corrupted world of causal tracing.

Meng et al. 2022 (ROME) add noise of 3 standard deviations of the token embeddings to the subject's
tokens; an ablation has no subject, so that its noise falls on every token unless positions are
declared.  A prompt's draw is decided by the key and the prompt's number, never by its batch.
"""

from dataclasses import dataclass

from causalnet.errors import TermError
from causalnet.interventions.views import Position, positions_text
from causalnet.interventions.worlds import Base, Do, Node, Noise, Op, Self

__all__ = ["Noising", "noised_world"]


def noised_world(
    at: tuple[Position, ...], sigma: float, key: str, site: str = "embed", world: Base | None = None
) -> Do:
    """Return a world, the base by default, with Gaussian noise added to a node.

    Args:
        at: Positions that get noise; none means every token.
        sigma: Standard deviation of the noise.
        key: Names the draw.
        site: The node that noise is added to.
        world: The world without the noise.

    Raises:
        TermError: A standard deviation below 0 or not finite.

    >>> print(noised_world((), 0.3, "noise 0 0"))
    <base> + {embed := add(self, noise('noise 0 0'); factor=0.3)}
    """
    if not 0 <= sigma < float("inf"):
        raise TermError(f"The standard deviation {sigma}.", "It is finite, and 0 or more.")
    value = Op("add", (Self(), Noise(key)), (("factor", float(sigma)),))
    return Do(world or Base("base"), ((Node(site, at), value),))


@dataclass(frozen=True, slots=True)
class Noising:
    """How much noise falls where.

    Attributes:
        sigma: Standard deviation of the noise, in the units of the embedding.
        factor: How many standard deviations of the embedding that is.
        seed: Seed of the draws.
        at: Positions that get noise; none means every token.
        of: Which embeddings the standard deviation is of.

    Raises:
        TermError: A standard deviation below 0 or not finite, or a factor below 0.

    >>> print(Noising(0.42, 3.0, seed=1, at=("S1",)))
    noise of 0.42, 3 times the standard deviation of the vocabulary, on S1, seed 1
    """

    sigma: float
    factor: float = 3.0
    seed: int = 0
    at: tuple[Position, ...] = ()
    of: str = "vocabulary"

    def __post_init__(self) -> None:
        """Refuse what is no standard deviation."""
        self.world()
        if not 0 <= self.factor < float("inf"):
            raise TermError(
                f"Noise of {self.factor} standard deviations.", "It is finite, and 0 or more."
            )

    def __str__(self) -> str:
        """Return the noise in words."""
        where = positions_text(self.at) or "every token"
        return (
            f"noise of {self.sigma:.4g}, {self.factor:g} times the standard deviation of the "
            f"{self.of}, on {where}, seed {self.seed}"
        )

    def world(self, draw: int = 0) -> Do:
        """Return the noised base world of a draw."""
        return noised_world(self.at, self.sigma, self.key(draw))

    def key(self, draw: int = 0) -> str:
        """Return what names a draw."""
        return f"noise {self.seed} {draw}"
