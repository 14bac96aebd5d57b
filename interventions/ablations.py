"""What a mediator is set to: the reference values of faithfulness studies.

| kind | value | asks |
|---|---|---|
| `zero` | 0 | reproduce the behaviour from nothing |
| `mean` | mean over a reference set, all positions pooled | is there more than the average? |
| `mean_per_position` | mean at each position (of each template) | the same, aligned |
| `resample` | value on an independent prompt of the reference set | remove the information |
| `counterfactual` | value on the paired source prompt | remove what the pair differs in |
| `constant` | a given vector | |
| `steer` | own value plus a given vector | |
"""

from dataclasses import dataclass
from enum import StrEnum

from causalnet.errors import TermError
from causalnet.graphs import Kind, Mediator
from causalnet.interventions.views import Handle
from causalnet.interventions.worlds import At, Base, Const, Op, Self, Value, World

__all__ = ["Ablation", "AblationKind", "mean_handle"]


class AblationKind(StrEnum):
    """The kinds of values a mediator can be set to."""

    ZERO = "zero"
    MEAN = "mean"
    MEAN_PER_POSITION = "mean_per_position"
    RESAMPLE = "resample"
    COUNTERFACTUAL = "counterfactual"
    CONSTANT = "constant"
    STEER = "steer"


_NEED_REFERENCE = {AblationKind.MEAN, AblationKind.MEAN_PER_POSITION, AblationKind.RESAMPLE}
_NEED_VECTOR = {AblationKind.CONSTANT, AblationKind.STEER}


@dataclass(frozen=True, slots=True)
class Ablation:
    """One kind of value, with what it depends on.

    Attributes:
        kind: Which value.
        reference: Digest of the reference set, for means and resampling.
        reference_size: Number of prompts in it; part of every claim made with it.
        draws: For resampling, independent draws that are averaged for each prompt.
        vector: For `constant` and `steer`, the handle of the vector.
        factor: For `steer`, what the vector is multiplied by.

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
        if self.draws < 1 or (self.draws > 1 and self.kind is not AblationKind.RESAMPLE):
            raise TermError(
                f"The ablation {self.kind.value!r} has {self.draws} draws.",
                "Resampling takes one or more, every other kind takes one.",
            )

    def __str__(self) -> str:
        """Return the kind with its reference set, draws, vector and factor."""
        parts = []
        if self.reference is not None:
            parts.append(f"{self.reference_size} reference prompts {self.reference[:12]}")
        parts += [f"{self.draws} draws"] if self.draws > 1 else []
        parts += [f"{self.vector.label} {self.vector.digest[:12]}"] if self.vector else []
        parts += [f"factor {self.factor:g}"] if self.kind is AblationKind.STEER else []
        return f"{self.kind.value} ({', '.join(parts)})" if parts else self.kind.value

    def to_json(self) -> dict[str, str | int | float | None]:
        """Return everything that two people need to set the same values."""
        return {
            "kind": self.kind.value,
            "reference": self.reference,
            "reference_size": self.reference_size,
            "draws": self.draws,
            "vector": None if self.vector is None else self.vector.label,
            "vector_digest": None if self.vector is None else self.vector.digest,
            "factor": self.factor,
        }

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
            draw: Which of the resampling draws.
        """
        node = self.site(mediator)
        match self.kind:
            case AblationKind.ZERO:
                return Const()
            case AblationKind.MEAN | AblationKind.MEAN_PER_POSITION:
                return Const(mean_handle(node, self))
            case AblationKind.RESAMPLE:
                return At(node, Base(f"resample {draw}"))
            case AblationKind.COUNTERFACTUAL:
                return At(node, alternative)
            case AblationKind.CONSTANT:
                return Const(self.vector)
            case AblationKind.STEER:
                return Op("add", (Self(), Const(self.vector)), (("factor", self.factor),))


def mean_handle(node: str, ablation: Ablation) -> Handle:
    """Return the handle of a node's mean over the ablation's reference set."""
    per_position = ablation.kind is AblationKind.MEAN_PER_POSITION
    label = f"mean of {node}{' per position' if per_position else ''}"
    return Handle(label, f"{ablation.kind.value}|{node}|{ablation.reference}")
