"""Claims that a network computes what a high-level causal model does (Geiger et al. 2025)."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.kinds.base import ClaimBase
from causalnet.claims.spec import Name, Names, Seed, Sha256, Spec, Text, mistake
from causalnet.errors import CausalNetError
from causalnet.statistics import Direction

__all__ = [
    "AbstractionClaim",
    "AbstractsClaim",
    "DisentanglesClaim",
    "HypothesisSpec",
    "PrefersClaim",
]

Criterion = Literal["top", "candidates"]
Control = Literal["no intervention", "full swap", "random subspace", "shuffled source"]


class HypothesisSpec(Spec):
    """A high-level causal model, how its inputs are read off prompts, and where it is said to be.

    It is written as expressions (`variables` and `output`), or as a Python function beside the
    file (`python` and `sha256`) that returns a `causalnet.abstraction.HighLevelModel`.
    """

    name: Name = Field(description="What the hypothesis is called.")
    inputs: dict[Name, Any] = Field(
        examples=[{"first": {"token": "S1"}}],
        description=(
            "Each input and how it is read off a prompt: `{token: S1}`, `{token: [IO, S1], nth: "
            "0}`, `{number: first}`, `{index: S1}`, `template` or `length`."
        ),
    )
    variables: dict[Name, Any] = Field(
        default_factory=dict,
        examples=[{"answer": {"choose": ["place", "second", "first"]}}],
        description="Each variable as an expression of inputs and other variables.",
    )
    output: Name | None = Field(default=None, description="The variable that is the answer.")
    python: Name | None = Field(
        default=None,
        examples=["hypothesis.py:model"],
        description="In place of `variables`: a file beside this one, and a function in it.",
    )
    sha256: Sha256 | None = Field(
        default=None, description="Hash of that file; another content is refused."
    )
    alignment: dict[Name, Names] = Field(
        examples=[{"place": ["L20.H0", "L19.H2"]}],
        description="Each variable that is interchanged, and the mediators that hold it.",
    )
    at: Literal["end", "all"] | Names = Field(
        default="all", description="Positions of those mediators."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.python is None) != (self.sha256 is None):
            raise mistake(
                "sha256" if self.python is None else "python",
                "One of 'python' and 'sha256' without the other.",
                "Code is pinned by the hash of its file.",
                "Write both: 'python: hypothesis.py:model' and 'sha256: …'.",
            )
        written = bool(self.variables) and self.output is not None
        if written == (self.python is not None):
            raise mistake(
                "python" if written else "",
                "Both 'variables' and 'python'."
                if written
                else "Neither 'variables' nor 'python'.",
                "A hypothesis is written in one form: expressions with an 'output', or a function.",
                "Write for example 'variables: {answer: {sum: [a, b]}}' and 'output: answer'.",
            )
        for variable in self.alignment:
            if self.variables and variable not in self.variables:
                raise mistake(
                    f"alignment.{variable}",
                    f"The variable {variable!r} is aligned, and the hypothesis has none of it.",
                    f"It has {', '.join(self.variables)}.",
                    "Align one of those.",
                )
        if self.variables:
            self._check_expressions()
        if not self.alignment:
            raise mistake(
                "alignment",
                "No variable is aligned.",
                "What is interchanged lies in mediators.",
                "Write for example 'alignment: {place: [L20.H0, L19.H2]}'.",
            )
        return self

    def _check_expressions(self) -> None:
        from causalnet.abstraction import HighLevelModel  # only files with a hypothesis need it

        written = {"name": self.name, "inputs": list(self.inputs), "output": self.output}
        try:
            HighLevelModel.from_mapping({**written, "variables": dict(self.variables)})
        except CausalNetError as error:
            key = "variables" if self.output in self.variables else "output"
            raise mistake(key, error.came, error.possible, error.write) from error

    @property
    def positions(self) -> tuple[str, ...]:
        """The named positions; none means all."""
        if isinstance(self.at, str):
            return () if self.at == "all" else (self.at,)
        return self.at


class AbstractionClaim(ClaimBase):
    """A claim about interchanges between the test prompts: base and sources are base prompts."""

    answer: Text = Field(
        default=" {}", description="How an answer is written behind a prompt; {} is its value."
    )
    pairs: Annotated[int, Field(ge=2, le=100_000)] = Field(
        default=200, description="How many pairs of base and sources are drawn."
    )
    seed: Seed = Field(default=0, description="Seed of the draw.")
    alike: Literal["", "template", "length"] = Field(
        default="",
        description="On what base and sources agree; needed where all positions are swapped.",
    )
    criterion: Criterion = Field(
        default="candidates",
        description=(
            "When an answer is the predicted one: `top`, of the whole vocabulary; `candidates`, of "
            "the answers that the interchange could have given."
        ),
    )

    about_circuit: ClassVar[bool] = False

    @property
    def hypotheses(self) -> tuple[HypothesisSpec, ...]:
        """The hypotheses that the claim is about."""
        raise NotImplementedError

    @property
    def direction(self) -> Direction:
        """Accuracies are claimed to be at least so large."""
        return "at_least"

    def is_rate(self, readout: str) -> bool:
        """Whether it is judged by rates of right answers, exactly."""
        return True


class _Controlled(AbstractionClaim):
    """A claim about one hypothesis, beside four controls."""

    hypothesis: HypothesisSpec = Field(description="The hypothesis.")
    at_least: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        examples=[0.9], description="The claim: the number is at least this."
    )
    waive: dict[Control, Text] = Field(
        default_factory=dict,
        description="Controls that are left out, each with the reason; all four are run else.",
    )
    draws: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5, description="How many random alignments of equal rank."
    )

    @property
    def hypotheses(self) -> tuple[HypothesisSpec, ...]:
        """The one hypothesis."""
        return (self.hypothesis,)

    @property
    def threshold(self) -> float:
        """The least accuracy."""
        return self.at_least


class AbstractsClaim(_Controlled):
    """Interchanging the mediators of variables does what the high-level model says."""

    kind: Literal["abstracts"] = Field(
        description=(
            "Interchange accuracy on pairs whose answer should change, and on pairs whose answer "
            "should stay, is at least so large, and above every control."
        )
    )
    variables: Names | None = Field(
        default=None,
        description="Variables that are interchanged together; else all that are aligned.",
    )

    quantity: ClassVar[str] = "interchange accuracy"

    @property
    def swapped(self) -> tuple[str, ...]:
        """The variables that are interchanged together."""
        return self.variables or tuple(self.hypothesis.alignment)

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        for place, name in enumerate(self.swapped):
            if name not in self.hypothesis.alignment:
                raise mistake(
                    f"variables.{place}",
                    f"The variable {name!r} is interchanged, and is aligned to nothing.",
                    f"Aligned are {', '.join(self.hypothesis.alignment)}.",
                    "Name one of those, or align it.",
                )
        return self

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "smaller of the shares of right answers after interchanging "
            f"{', '.join(self.swapped)}, on pairs whose answer should change and on pairs whose "
            "answer should stay, drawn with replacement from the test prompts, of which the rates "
            "are; above every control on the former"
        )


class PrefersClaim(AbstractionClaim):
    """One hypothesis predicts better than a rival, on the pairs that tell them apart."""

    kind: Literal["prefers"] = Field(
        description="Where two hypotheses predict different answers, the first is right more often."
    )
    hypothesis: HypothesisSpec = Field(description="The hypothesis.")
    rival: HypothesisSpec = Field(description="The other one, on the same inputs.")

    quantity: ClassVar[str] = "share of distinguishing pairs that the hypothesis wins"

    @model_validator(mode="after")
    def _two_names(self) -> Self:
        if self.hypothesis.name == self.rival.name:
            raise mistake(
                "rival.name",
                f"Both hypotheses are called {self.rival.name!r}.",
                "Two hypotheses have names of their own, by which the verdict tells them apart.",
                f"Write for example 'name: {self.rival.name}-2'.",
            )
        return self

    @property
    def hypotheses(self) -> tuple[HypothesisSpec, ...]:
        """The hypothesis and its rival."""
        return (self.hypothesis, self.rival)

    @property
    def threshold(self) -> float:
        """More than half of the wins."""
        return 0.5

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            f"share of pairs won by {self.hypothesis.name!r} among those on which it and "
            f"{self.rival.name!r} predict different answers and one alone is right; pairs are "
            "drawn with replacement from the test prompts, of which the rate is"
        )


class DisentanglesClaim(_Controlled):
    """The mediators hold one attribute and no other (Huang et al. 2024)."""

    kind: Literal["disentangles"] = Field(
        description="The score 1/2 (Cause + mean Isolate) of one attribute is at least so large."
    )
    attribute: Name = Field(description="The variable whose mediators are swapped.")
    question: Name = Field(description="The input that says which attribute is asked for.")
    seen: dict[Name, tuple[Any, ...]] = Field(
        default_factory=dict,
        description="Input -> values on which the mediators were found; prompts with one are left "
        "out.",
    )

    quantity: ClassVar[str] = "disentangle score"

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            f"1/2 (Cause + mean over other attributes of Isolate) of {self.attribute}: shares of "
            "right answers after swapping its mediators"
        )

    def is_rate(self, readout: str) -> bool:
        """A mean of rates, whose ends are combined by a union bound."""
        return True
