"""What mediators or edges are set to when they are ablated, as a claim file says it."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.spec import Names, Seed, Spec, mistake
from causalnet.claims.task_spec import TaskSpec
from causalnet.interventions import Learning, LearningLoss

__all__ = ["AblationSpec", "LearningSpec", "NoiseSpec", "ReferenceSpec"]

AblationName = Literal[
    "counterfactual", "zero", "mean", "mean_per_position", "resample", "noise", "optimal"
]


class ReferenceSpec(TaskSpec):
    """The prompts that means are taken over, values resampled from, or constants learned on."""

    side: Literal["source", "base"] | None = Field(
        default=None,
        examples=["source"],
        description=(
            "Which prompt of each pair: the source prompts (other names), as where nothing is "
            "said, or the base ones; `optimal` learns on the base prompts."
        ),
    )


class NoiseSpec(Spec):
    """How much Gaussian noise falls on the embedding, and where."""

    factor: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        default=3.0,
        description=(
            "Its standard deviation, in standard deviations of the vocabulary's embeddings."
        ),
    )
    at: Literal["end", "all"] | Names = Field(
        examples=[["S1"], "all"],
        default="all",
        description="Tokens that get noise: `all`, `end` or a list such as [S1]; see `ablation.at` "
        "for where values are then set.",
    )
    seed: Seed = Field(
        default=0, description="Seed of the noise; a prompt's draw does not depend on its batch."
    )

    @property
    def positions(self) -> tuple[str, ...] | None:
        """The named positions, or None for all."""
        return _positions(self.at)


class LearningSpec(Spec):
    """How the constants of `optimal` are learned: Adam, from the means."""

    loss: LearningLoss = Field(
        default="kl",
        description=(
            "What is minimised on the reference set: `kl`, the divergence from the intact model at "
            "the last token, or `loss`, minus the log-probability of the answers."
        ),
    )
    steps: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=Learning().steps, description="Steps; constants never worse than the means stay."
    )
    rate: Annotated[float, Field(gt=0.0, le=1000.0)] = Field(
        default=Learning().rate,
        description="Rate at the start, in standard deviations of each node's values; falls to 0.",
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=Learning().batch, description="Prompts of each step."
    )
    seed: Seed = Field(default=0, description="Seed of the order of the prompts.")

    def settings(self) -> Learning:
        """Return the settings as the interventions have them."""
        return Learning(self.loss, self.steps, self.rate, self.batch, self.seed)


class AblationSpec(Spec):
    """What mediators, or edges, are set to when they are ablated."""

    kind: AblationName = Field(
        description=(
            "`counterfactual`: the value on the pair's other prompt; `zero`; `mean` over a "
            "reference set, all positions pooled; `mean_per_position`; `resample`: the value "
            "on a reference prompt; `noise`: the value on the same prompt with a noised "
            "embedding; `optimal`: the constants that harm least, learned on a reference set "
            "together for all that is ablated."
        )
    )
    ablate: Literal["heads", "heads_and_mlps", "edges"] = Field(
        default="heads",
        description=(
            "What is ablated outside the circuit: `heads` (every MLP is kept), `heads_and_mlps`, "
            "or `edges`: every edge of the residual stream, for circuits of edges such as "
            "`L0.H0 -> L1.H0.k`."
        ),
    )
    at: Literal["end", "all"] | Names = Field(
        examples=[["S2", "end"], "end"],
        default="all",
        description=(
            "Positions that are ablated: `all`, `end` (the last token) or a list such as [S2, end]."
        ),
    )
    reference: ReferenceSpec | None = Field(
        default=None,
        description=(
            "The prompts of the reference set; needed by `mean`, `mean_per_position`, `resample` "
            "and `optimal`."
        ),
    )
    draws: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1,
        description=(
            "For `resample` and `noise`, how many reference prompts, or how much noise, are drawn "
            "for each prompt and averaged."
        ),
    )
    noise: NoiseSpec | None = Field(
        default=None, description="For `noise`, how much falls where; 3 standard deviations."
    )
    learning: LearningSpec | None = Field(
        default=None, description="For `optimal`, how constants are learned."
    )

    _NEED_REFERENCE: ClassVar = ("mean", "mean_per_position", "resample", "optimal")
    _DRAWN: ClassVar = ("resample", "noise")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        needs = self.kind in self._NEED_REFERENCE
        if needs and self.reference is None:
            raise mistake(
                "kind",
                f"The ablation {self.kind!r} without 'reference'.",
                "Its values come from a declared set of prompts, whose size is part of the claim.",
                "Write for example 'reference: {name: ioi, n: 64, seed: 5, corruption: names}'.",
            )
        if not needs and self.reference is not None:
            raise mistake(
                "reference",
                f"The ablation {self.kind!r} uses no reference set.",
                f"Those that do are {', '.join(self._NEED_REFERENCE)}.",
                "Delete 'reference', or write another 'kind'.",
            )
        if self.draws > 1 and self.kind not in self._DRAWN:
            raise mistake(
                "draws",
                f"The ablation {self.kind!r} draws nothing.",
                "Only 'resample' and 'noise' draw.",
                "Delete 'draws', or write 'kind: resample'.",
            )
        return self

    @model_validator(mode="after")
    def _settings_of_kind(self) -> Self:
        for key, kind in (("noise", "noise"), ("learning", "optimal")):
            if getattr(self, key) is not None and self.kind != kind:
                raise mistake(
                    key,
                    f"The key {key!r} with the ablation {self.kind!r}.",
                    f"It is for 'kind: {kind}'.",
                    f"Delete {key!r}, or write 'kind: {kind}'.",
                )
        reference = self.reference
        if self.kind == "optimal" and reference is not None:
            if reference.side == "source":
                raise mistake(
                    "reference.side",
                    "Optimal constants were to be learned on source prompts.",
                    "They are learned on the base prompts, where circuits are run.",
                    "Delete 'side'.",
                )
        return self

    @property
    def noising(self) -> NoiseSpec:
        """How much noise falls where, as given or by default."""
        return self.noise or NoiseSpec()

    @property
    def learns(self) -> Learning:
        """How constants are learned, as given or by default."""
        return (self.learning or LearningSpec()).settings()

    @property
    def has_corrupted_run(self) -> bool:
        """Whether values are those of a run, in which others can be restored (denoising)."""
        if self.ablate == "edges":
            return self.kind == "counterfactual"
        return self.kind in ("counterfactual", "resample", "noise")

    @property
    def side(self) -> Literal["source", "base"]:
        """Which prompts of the pairs the reference set is: those of one side."""
        given = None if self.reference is None else self.reference.side
        return given or ("base" if self.kind == "optimal" else "source")

    @property
    def level(self) -> Literal["nodes", "edges"]:
        """Whether circuits are sets of nodes or of edges."""
        return "edges" if self.ablate == "edges" else "nodes"

    @property
    def positions(self) -> tuple[str, ...] | None:
        """The named positions, or None for all."""
        return _positions(self.at)


def _positions(at: str | tuple[str, ...]) -> tuple[str, ...] | None:
    """Return named positions, or None for all."""
    if isinstance(at, str):
        return None if at == "all" else (at,)
    return tuple(at)
