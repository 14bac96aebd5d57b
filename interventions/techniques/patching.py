"""Activation patching, of whole values, subspaces and dictionary features, and steering.

All are effects: patched - unpatched.  Noising patches the base world with values of the source, so
it finds what the behaviour needs; denoising patches the source world with values of the base, so it
finds what is enough to bring the behaviour back (Zhang and Nanda 2024; Heimersheim and Nanda 2024).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from causalnet.errors import TermError
from causalnet.graphs import Mediator
from causalnet.interventions.ablations import Ablation, AblationKind
from causalnet.interventions.contrasts import INTERCHANGE, ablation_effect, patch
from causalnet.interventions.queries import (
    Direction,
    Patched,
    Query,
    Treated,
    effects,
    positions_of,
    rows_of,
    worlds_of,
)
from causalnet.interventions.readouts import ReadOut, accuracy, logit_diff
from causalnet.interventions.scalars import Read
from causalnet.interventions.terms import digest_of
from causalnet.interventions.views import Handle, Position, Subspace
from causalnet.interventions.worlds import Assignment, At, Const, Do, Node, Op, Self, World

__all__ = [
    "Dictionary",
    "contrastive_steering",
    "denoising",
    "interchange_accuracy",
    "mean_difference",
    "noising",
    "sae_feature_patch",
    "steering",
    "subspace_patch",
]


def noising(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return effects of patching the base world from the source (interchange, Vig et al. 2020).

    Each is the natural indirect effect: Y(base, M := M(source)) - Y(base).
    """
    return ablation_effect(mediators, INTERCHANGE, at=at, outcome=outcome)


def denoising(
    mediators: Treated | Sequence[Treated],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return effects of patching the source world from the base (Meng et al. 2022).

    Each is Y(source, M := M(base)) - Y(source), the negative of the total indirect effect;
    `per_total_effect` makes it 1 where all of the behaviour comes back.
    """
    return ablation_effect(mediators, INTERCHANGE, at=at, outcome=outcome, direction="denoising")


def _set_by(
    rows: Treated | Sequence[Treated],
    layer: Callable[[Mediator, World], Assignment],
    direction: Direction,
) -> list[Patched]:
    """Return rows whose members are set as a function of mediator and other world says."""
    below, other = worlds_of(direction)
    return [
        Patched(
            row.label,
            row.members,
            (Do(below, tuple(layer(member, other) for member in row.members)),),
        )
        for row in rows_of(rows)
    ]


def subspace_patch(
    mediators: Treated | Sequence[Treated],
    basis: Handle,
    columns: Sequence[int],
    *,
    dual: Handle | None = None,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of interchanging a subspace: (1 - P) M(x) + P M(x').

    With a learned orthonormal basis it is the distributed interchange intervention of DAS (Geiger
    et al. 2024).  The basis spans a subspace of the mediator's own values.

    Args:
        mediators: One row for each mediator or joint set.
        basis: Handle of the basis [d, k].
        columns: Which of its columns.
        dual: For a basis that is not orthonormal, the handle of its dual.
        at: Positions at which mediators are set.
        outcome: The read-out.
        direction: Which input's world is patched.
    """
    positions, part = positions_of(at), Subspace(basis, tuple(columns), dual)

    def layer(mediator: Mediator, other: World) -> Assignment:
        return Node(mediator.name, positions, part), At(mediator.name, other)

    rows = _set_by(mediators, layer, direction)
    named = f"subspace {part}"
    return effects("AE", rows, outcome, at=positions, direction=direction, convention=named)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A sparse dictionary of a mediator's values (SAE, transcoder), by the handles of its parts.

    Attributes:
        encoder: [d, k].
        decoder: [k, d].
        bias: [k], added before the activation.
        centre: [d], subtracted before the encoder.
        activation: `relu`, `jumprelu` (needs a threshold) or `topk` (needs `top`).
        threshold: [k], below which a pre-activation is 0.
        top: How many features stay active.

    Raises:
        TermError: An unknown activation, or one without what it needs.
    """

    encoder: Handle
    decoder: Handle
    bias: Handle | None = None
    centre: Handle | None = None
    activation: str = "relu"
    threshold: Handle | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        """Check that the activation has what it needs, and nothing else."""
        needs = {"relu": (False, False), "jumprelu": (True, False), "topk": (False, True)}
        given = (self.threshold is not None, self.top is not None)
        if needs.get(self.activation) != given:
            raise TermError(
                f"A dictionary with activation {self.activation!r}, "
                f"threshold {self.threshold} and top {self.top}.",
                "There are 'relu', 'jumprelu' with a threshold, and 'topk' with a number.",
            )

    def parameters(self, features: Sequence[int]) -> tuple[tuple[str, float | str | Handle], ...]:
        """Return the parameters of `sae_feature_patch` for some features."""
        parts = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "bias": self.bias,
            "centre": self.centre,
            "activation": self.activation,
            "threshold": self.threshold,
            "top": self.top,
        }
        listed = ",".join(map(str, sorted(features)))
        given = ((name, part) for name, part in parts.items() if part is not None)
        return (("features", listed), *given)


def sae_feature_patch(
    mediators: Treated | Sequence[Treated],
    dictionary: Dictionary,
    features: Sequence[int],
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
    direction: Direction = "noising",
) -> Query:
    """Return effects of interchanging some features of a dictionary.

    The mediator's value v becomes v + sum over features k of (a_k(v') - a_k(v)) decoder_k, so that
    its reconstruction error stays what it was (Marks et al. 2025).

    Args:
        mediators: One row for each mediator or joint set; all are read by the dictionary.
        dictionary: The dictionary.
        features: Which features are interchanged together.
        at: Positions at which mediators are set.
        outcome: The read-out.
        direction: Which input's world is patched.

    Raises:
        TermError: No feature, one twice, or a negative one.
    """
    if not features or len(set(features)) != len(features) or min(features) < 0:
        raise TermError(
            f"The features {tuple(features)}.", "At least one, none twice, counted from 0."
        )
    positions, parameters = positions_of(at), dictionary.parameters(features)

    def layer(mediator: Mediator, other: World) -> Assignment:
        values = (Self(), At(mediator.name, other))
        return Node(mediator.name, positions), Op("sae_feature_patch", values, parameters)

    rows = _set_by(mediators, layer, direction)
    named = f"features {parameters[0][1]}, error node held"
    return effects("AE", rows, outcome, at=positions, direction=direction, convention=named)


def steering(
    mediators: Treated | Sequence[Treated],
    vector: Handle,
    factor: float = 1.0,
    *,
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return effects of adding a vector, M := M + factor vector (Turner et al. 2023)."""
    ablation = Ablation(AblationKind.STEER, vector=vector, factor=factor)
    return ablation_effect(mediators, ablation, at=at, outcome=outcome)


def mean_difference(mediator: Mediator, at: Position | Sequence[Position] = "end") -> Handle:
    """Return the handle of a mediator's mean over pairs of its value in base minus in source.

    >>> from causalnet.graphs import Kind
    >>> print(mean_difference(Mediator("L9.mlp", Kind.MLP, 9)).label)
    mean of L9.mlp[end] in <base> - in <source>
    """
    site = Node(mediator.name, positions_of(at))
    label = f"mean of {site} in <base> - in <source>"
    return Handle(label, digest_of("mean difference", str(site)).hex())


def contrastive_steering(
    mediators: Treated | Sequence[Treated],
    factor: float = 1.0,
    *,
    read_at: Position | Sequence[Position] = "end",
    at: Position | Sequence[Position] = (),
    outcome: ReadOut = logit_diff,
) -> Query:
    """Return effects of adding each mediator's own mean difference of base and source (CAA).

    The vector is that of `mean_difference`, over the pairs that it is bound to (Panickssery et al.
    2024); it is added to the source world, whose behaviour it is to turn into that of the base.

    Args:
        mediators: One row for each mediator or joint set.
        factor: What the vector is multiplied by.
        read_at: Positions at which the difference is taken.
        at: Positions at which it is added.
        outcome: The read-out.
    """
    positions = positions_of(at)

    def layer(mediator: Mediator, _: World) -> Assignment:
        vector = Const(mean_difference(mediator, read_at))
        return Node(mediator.name, positions), Op("add", (Self(), vector), (("factor", factor),))

    rows = _set_by(mediators, layer, "denoising")
    named = f"contrastive activation addition, factor {factor!r}"
    return effects("AE", rows, outcome, at=positions, direction="denoising", convention=named)


def interchange_accuracy(
    mediators: Treated | Sequence[Treated],
    *,
    part: Subspace | None = None,
    answers: str = "interchange",
    at: Position | Sequence[Position] = (),
    direction: Direction = "noising",
) -> Query:
    """Return interchange intervention accuracies (Geiger et al. 2021, 2024).

    Each prompt counts 1 where the patched network's first choice is the answer that the high-level
    model gives when its variable is interchanged likewise.  Those answers are bound under a name.

    Args:
        mediators: What is aligned with the high-level variable.
        part: A subspace, for distributed alignment; None for whole values.
        answers: The name under which the high-level model's answers are bound.
        at: Positions at which mediators are set.
        direction: Which input's world is patched.
    """
    outcome = replace(
        accuracy,
        answers=answers,
        meaning="1 where the most likely token is the answer of the interchanged high-level model",
    )
    positions = positions_of(at)
    below, other = worlds_of(direction)
    contrasts, treated = [], []
    for row in rows_of(mediators):
        if part is None:
            world = patch(below, row.members, INTERCHANGE, other, positions)
        else:
            sites = (Node(member.name, positions, part) for member in row.members)
            world = Do(below, tuple((site, At(site.mediator, other)) for site in sites))
        contrasts.append((row.label, Read(outcome, world)))
        treated.append(row.members)
    return Query(
        "IIA", tuple(contrasts), tuple(treated), outcome, positions, INTERCHANGE, direction
    )
