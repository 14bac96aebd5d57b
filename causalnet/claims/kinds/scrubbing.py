"""The claim that an interpretation survives causal scrubbing (Chan et al. 2022)."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.kinds.base import Bounded
from causalnet.claims.spec import Name, Names, Seed, Spec, mistake

__all__ = ["FeatureSpec", "NodeSpec", "ScrubbedClaim"]

FeatureName = Literal["identity", "anything", "answer"]


class FeatureSpec(Spec):
    """A feature that is read off a prompt."""

    token: Name = Field(
        examples=["S1"], description="The token at a named position: data agree that share it."
    )


class NodeSpec(Spec):
    """A node of an interpretation: what it is said to compute, and where."""

    name: Name = Field(description="What the hypothesis calls it.")
    mediators: Names = Field(
        examples=[["L23.H0", "L23.H1"]],
        description="The mediators whose value it is, scrubbed together; `logits` for the output.",
    )
    feature: FeatureName | FeatureSpec = Field(
        description=(
            "What it is said to compute: data are exchanged that agree on it. `identity`: the "
            "prompt itself; `anything`: nothing; `answer`: the right answer; `{token: S1}`."
        )
    )
    parents: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        default=(), description="Names of the nodes that feed it."
    )
    at: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        default=(), description="Positions of its mediators that are read; none means all."
    )
    enters: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        default=(),
        examples=[["L23.H0.q"]],
        description="Receivers through which the parents enter; none means all.",
    )


class ScrubbedClaim(Bounded):
    """Data that the interpretation says are alike may be exchanged, and the behaviour stays."""

    kind: Literal["scrubbed"] = Field(
        description=(
            "The share of the behaviour that is recovered when all data are exchanged for others "
            "that agree on what the interpretation says."
        )
    )
    interpretation: Annotated[tuple[NodeSpec, ...], Field(strict=False, min_length=1)] = Field(
        description="The interpretation's nodes, the output first."
    )
    unimportant: Literal["jointly", "independently"] = Field(
        default="jointly",
        description="Whether what does not matter comes from one datum, or from one for each part.",
    )
    data: Literal["per path", "per node"] = Field(
        default="per path", description="Whether a node has a datum for each path, or one."
    )
    population: Literal["find", "test"] = Field(
        default="find",
        description=(
            "What data are drawn from: the finding prompts (held while test prompts vary), or the "
            "test prompts themselves, whose intervals are too narrow unless `again` is false."
        ),
    )
    again: bool = Field(default=True, description="Whether the datum itself may be drawn.")
    among: Literal["same length", "same template", "all"] = Field(
        default="same length", description="Among which prompts data are exchanged."
    )
    floor: Literal["shuffled", "scrubbed"] = Field(
        default="shuffled",
        description="What 0 is: the model on a random datum, or the claim that nothing matters.",
    )
    draws: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="How often everything is drawn for each prompt, and averaged."
    )
    seed: Seed = Field(default=0, description="Seed of the draws.")

    quantity: ClassVar[str] = "share recovered by scrubbing"
    about_circuit: ClassVar[bool] = False

    @model_validator(mode="after")
    def _known_parents(self) -> Self:
        names = [node.name for node in self.interpretation]
        for index, node in enumerate(self.interpretation):
            for place, parent in enumerate(node.parents):
                if parent not in names:
                    raise mistake(
                        f"interpretation.{index}.parents.{place}",
                        f"{node.name!r} is fed by {parent!r}, which is no node.",
                        f"Nodes are {', '.join(names)}.",
                        "Name one of those, or add it.",
                    )
        return self

    @property
    def number(self) -> str:
        """The number in words."""
        own = "the datum itself among them" if self.again else "never the datum itself"
        return (
            "(scrubbed - floor) / (model - floor), of means; what does not matter is drawn "
            f"{self.unimportant}, data {self.data}, among prompts of {self.among}, {own}; floor: "
            f"{self.floor}; {self.draws} draws, seed {self.seed}; data are drawn from the "
            f"{self.population}{'ing' if self.population == 'find' else ''} prompts, which the "
            "interval takes as given"
        )
