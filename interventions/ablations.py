"""What a mediator is set to: the reference values of faithfulness studies.

| kind | value | asks |
|---|---|---|
| `zero` | 0 | reproduce the behaviour from nothing |
| `mean` | mean over a reference set, all positions pooled | is there more than the average? |
| `mean_per_position` | mean at each position (of each template) | the same, aligned |
| `resample` | value on an independent prompt of the reference set | remove the information |
| `counterfactual` | value on the paired source prompt | remove what the pair differs in |
| `noise` | value in the base run with noise on its embedding | blur the information |
| `optimal` | the constants that harm least, learned together | is information missing? |
| `constant` | a given vector | |
| `steer` | own value plus a given vector | |

Sources: Wang et al. 2023 (means), Chan et al. 2022 (resampling), Meng et al. 2022 (noise), Li and
Janson 2024 (optimal ablation).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from causalnet.errors import TermError
from causalnet.graphs import Kind, Mediator
from causalnet.interventions.learning import Learning
from causalnet.interventions.noising import Noising
from causalnet.interventions.views import Handle, Position, positions_text
from causalnet.interventions.worlds import At, Base, Const, Op, Self, Value, World

__all__ = ["Ablation", "AblationKind", "mean_handle", "optimal_handle"]


class AblationKind(StrEnum):
    """The kinds of values a mediator can be set to."""

    ZERO = "zero"
    MEAN = "mean"
    MEAN_PER_POSITION = "mean_per_position"
    RESAMPLE = "resample"
    COUNTERFACTUAL = "counterfactual"
    NOISE = "noise"
    OPTIMAL = "optimal"
    CONSTANT = "constant"
    STEER = "steer"


_NEED_REFERENCE = {
    AblationKind.MEAN,
    AblationKind.MEAN_PER_POSITION,
    AblationKind.RESAMPLE,
    AblationKind.OPTIMAL,
}
_DRAWN = {AblationKind.RESAMPLE, AblationKind.NOISE}
_NEED_VECTOR = {AblationKind.CONSTANT, AblationKind.STEER}


@dataclass(frozen=True, slots=True)
class Ablation:
    """One kind of value, with what it depends on.

    Attributes:
        kind: Which value.
        reference: Digest of the reference set, for means, resampling and learning.
        reference_size: Number of prompts in it; part of every claim made with it.
        draws: For resampling and noise, independent draws that are averaged for each prompt.
        vector: For `constant` and `steer`, the handle of the vector.
        factor: For `steer`, what the vector is multiplied by.
        noise: For `noise`, how much falls where.
        learning: For `optimal`, how constants are learned.
        jointly: For `optimal`, the digest of the nodes that constants are learned for, as
            `among` gives it; "" before that is known.

    Raises:
        TermError: Something that the kind needs is missing, or something it does not use is given.

    >>> print(Ablation(AblationKind.ZERO))
    zero
    """

    kind: AblationKind
    reference: str | None = None
    reference_size: int = 0
    draws: int = 1
    vector: Handle | None = None
    factor: float = 1.0
    noise: Noising | None = None
    learning: Learning | None = None
    jointly: str = ""

    def __post_init__(self) -> None:
        """Check that exactly what the kind needs is there."""
        if (self.reference is not None) != (self.kind in _NEED_REFERENCE):
            needs = "needs a" if self.kind in _NEED_REFERENCE else "uses no"
            raise TermError(f"The ablation {self.kind.value!r} {needs} reference set.")
        if (self.vector is not None) != (self.kind in _NEED_VECTOR):
            needs = "needs a" if self.kind in _NEED_VECTOR else "uses no"
            raise TermError(f"The ablation {self.kind.value!r} {needs} vector.")
        if (self.reference_size > 0) != (self.reference is not None):
            raise TermError(
                f"The ablation {self.kind.value!r} has {self.reference_size} reference prompts.",
                "A reference set has at least one, and its size is part of every claim.",
            )
        if self.factor != 1.0 and self.kind is not AblationKind.STEER:
            raise TermError(f"The ablation {self.kind.value!r} uses no factor.")
        if self.draws < 1 or (self.draws > 1 and self.kind not in _DRAWN):
            raise TermError(
                f"The ablation {self.kind.value!r} has {self.draws} draws.",
                "Resampling and noise take one or more, every other kind takes one.",
            )
        if (self.noise is not None) != (self.kind is AblationKind.NOISE):
            needs = "needs" if self.kind is AblationKind.NOISE else "uses no"
            raise TermError(
                f"The ablation {self.kind.value!r} {needs} noise.",
                "",
                "Write cn.noise(net, factor=3.0)." if self.kind is AblationKind.NOISE else "",
            )
        if (self.learning is not None) != (self.kind is AblationKind.OPTIMAL):
            needs = "needs" if self.kind is AblationKind.OPTIMAL else "uses no"
            raise TermError(
                f"The ablation {self.kind.value!r} {needs} settings of learning.",
                "",
                "Write cn.optimal(pairs)." if self.kind is AblationKind.OPTIMAL else "",
            )

    def __str__(self) -> str:
        """Return the kind with its reference set, draws, vector and factor."""
        parts = []
        if self.reference is not None:
            parts.append(f"{self.reference_size} reference prompts {self.reference[:12]}")
        parts += [f"{self.draws} draws"] if self.draws > 1 else []
        parts += [f"{self.vector.label} {self.vector.digest[:12]}"] if self.vector else []
        parts += [f"factor {self.factor:g}"] if self.kind is AblationKind.STEER else []
        parts += [str(self.noise)] if self.noise is not None else []
        parts += [str(self.learning)] if self.learning is not None else []
        return f"{self.kind.value} ({', '.join(parts)})" if parts else self.kind.value

    def to_json(self) -> dict[str, object]:
        """Return everything that two people need to set the same values."""
        return {
            "kind": self.kind.value,
            "reference": self.reference,
            "reference_size": self.reference_size,
            "draws": self.draws,
            "vector": None if self.vector is None else self.vector.label,
            "vector_digest": None if self.vector is None else self.vector.digest,
            "factor": self.factor,
            "noise": None if self.noise is None else asdict(self.noise),
            "learning": None if self.learning is None else asdict(self.learning),
        }

    @property
    def has_corrupted_run(self) -> bool:
        """Whether its values are those of a run, in which others can be restored (denoising)."""
        return self.kind in (AblationKind.COUNTERFACTUAL, AblationKind.RESAMPLE, AblationKind.NOISE)

    def corrupted(self, alternative: World, draw: int = 0) -> World:
        """Return the run that values are taken from, in which denoising restores others.

        Args:
            alternative: The world of counterfactual values.
            draw: Which of the draws.

        Raises:
            TermError: Values that are of no run, such as means.
        """
        match self.kind:
            case AblationKind.COUNTERFACTUAL:
                return alternative
            case AblationKind.RESAMPLE:
                return Base(f"resample {draw}")
            case AblationKind.NOISE if self.noise is not None:
                return self.noise.world(draw)
        raise TermError(
            f"Denoising with the ablation {self}.",
            "Denoising sets base values in another run; "
            "counterfactual, resample and noise have one.",
            "Write ablation counterfactual, or direction noising.",
        )

    def among(self, mediators: Iterable[Mediator], at: tuple[Position, ...]) -> "Ablation":
        """Return the ablation for mediators that are set together at some positions.

        Optimal constants are learned jointly, so that they depend on all of them; every other
        kind is the same whatever else is ablated.
        """
        if self.kind is not AblationKind.OPTIMAL:
            return self
        nodes = sorted({self.site(mediator) for mediator in mediators})
        named = json.dumps([nodes, positions_text(at)]).encode()
        return replace(self, jointly=hashlib.sha256(named).hexdigest())

    def site(self, mediator: Mediator) -> str:
        """Return the node that is set for a mediator.

        A head's output is linear in its z, so zero, means and interchanges of a head are set on z
        and are the same thing there; a constant or a steering vector is set where it is asked for.
        """
        on_z = mediator.kind is Kind.HEAD and self.kind not in _NEED_VECTOR
        return f"{mediator.name}.z" if on_z else mediator.name

    def value(self, mediator: Mediator, alternative: World, draw: int = 0) -> Value:
        """Return the value for a mediator.

        Args:
            mediator: What is set.
            alternative: The world that a counterfactual value is read in.
            draw: Which of the draws.
        """
        node = self.site(mediator)
        match self.kind:
            case AblationKind.ZERO:
                return Const()
            case AblationKind.MEAN | AblationKind.MEAN_PER_POSITION:
                return Const(mean_handle(node, self))
            case AblationKind.RESAMPLE | AblationKind.COUNTERFACTUAL | AblationKind.NOISE:
                return At(node, self.corrupted(alternative, draw))
            case AblationKind.OPTIMAL:
                return Const(optimal_handle(node, self))
            case AblationKind.CONSTANT:
                return Const(self.vector)
            case AblationKind.STEER:
                return Op("add", (Self(), Const(self.vector)), (("factor", self.factor),))


def mean_handle(node: str, ablation: Ablation) -> Handle:
    """Return the handle of a node's mean over the ablation's reference set."""
    per_position = ablation.kind is AblationKind.MEAN_PER_POSITION
    label = f"mean of {node}{' per position' if per_position else ''}"
    return Handle(label, f"{ablation.kind.value}|{node}|{ablation.reference}")


def optimal_handle(node: str, ablation: Ablation) -> Handle:
    """Return the handle of a node's learned constant.

    Raises:
        TermError: It is not said what it is learned with (see `Ablation.among`).
    """
    if not ablation.jointly:
        raise TermError(
            f"The optimal constant of {node} alone.",
            "Constants are learned jointly for all that is ablated together.",
            "Write ablation.among(mediators, positions).",
        )
    made = f"{ablation.kind.value}|{node}|{ablation.reference}|{ablation.learning}"
    return Handle(f"optimal constant of {node}", f"{made}|{ablation.jointly[:16]}")
