"""Claims that nothing of a behaviour is left outside a circuit: completeness, and backups."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.kinds.base import (
    BEHAVIOUR,
    EVERYTHING,
    ONLY,
    WHOLE_MODEL,
    WITHOUT,
    Bounded,
    Calls,
    CircuitField,
    ClaimBase,
    Part,
)
from causalnet.claims.spec import Name, Names, mistake
from causalnet.statistics import Direction

__all__ = ["CompleteClaim", "NoBackupsClaim"]

_OWN = {
    "remainder": (),
    "random": ("size", "prompts"),
    "classes": ("classes",),
    "adversarial": ("budget",),
}


class CompleteClaim(Bounded):
    """Nothing is left outside the circuit (Wang et al. 2023, of sets K of members).

    Without K, the circuit should be as far from whole as the model without K: inc(K) is the mean of
    (circuit without K) - (model without K).
    """

    kind: Literal["complete"] = Field(description="What the circuit lacks, measured as `by` says.")
    circuit: CircuitField = None
    by: Literal["remainder", "random", "classes", "adversarial"] = Field(
        description=(
            "`remainder`: (model without the circuit - everything ablated) / (model - everything "
            "ablated), a ratio of means, `at_most` or `within` (which excludes over-correction); "
            "`random`: the share of sets K of `size` members, each drawn afresh and tried on fresh "
            "prompts, with |circuit without K - model without K| within the tolerance, `at_least`; "
            "`classes`: that difference is within the tolerance for each of `classes`; "
            "`adversarial`: it is for the worst K that a search on the finding prompts comes to "
            "within `budget`."
        )
    )
    tolerance: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        examples=[0.5],
        description=(
            "For all but `remainder`: the largest difference of means, in the read-out's unit."
        ),
    )
    epsilon: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        examples=[0.2],
        description=(
            "In place of `tolerance`: it as a share of |mean of the model - mean of everything "
            "ablated| on the prompts that found the circuit, so that it is fixed before the test."
        ),
    )
    size: Annotated[int, Field(ge=1)] | None = Field(
        default=None, examples=[2], description="For `random`: how many members K has."
    )
    prompts: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None,
        examples=[4],
        description="For `random`: how many fresh prompts each K is tried on; 4.",
    )
    classes: dict[Name, Names] | None = Field(
        default=None,
        examples=[{"movers": ["L23.H0", "L23.H1"]}],
        description="For `classes`: members by the name of their class.",
    )
    budget: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        examples=[200],
        description="For `adversarial`: how many sets K the search may try; 200.",
    )

    quantity: ClassVar[str] = "completeness"
    exact_in_range: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        given = [key for key in ("at_least", "at_most", "within") if getattr(self, key) is not None]
        fits = {"remainder": ("at_most", "within"), "random": ("at_least",)}.get(self.by, ())
        for key in given:
            if key not in fits:
                raise mistake(
                    key,
                    f"The key {key!r} with 'by: {self.by}'.",
                    f"A claim by {self.by} "
                    + (f"says {' or '.join(fits)}." if fits else "is judged by its tolerance."),
                    f"Write for example {_EXAMPLES[self.by]}.",
                )
        if len(given) > 1 or (fits and not given):
            raise mistake(
                given[1] if given else "",
                f"Both {given[0]!r} and {given[1]!r}." if given else "There is no threshold.",
                f"A claim by {self.by} has one: {' or '.join(fits)}.",
                f"Write for example {_EXAMPLES[self.by]}.",
            )
        if self.by == "random" and not 0 < self.threshold < 1:
            raise mistake(
                "at_least",
                f"The threshold {self.threshold:g} for a share of sets.",
                "It lies above 0 and below 1: no number of sets shows an end itself.",
                "Write for example 'at_least: 0.8'.",
            )
        self._check_band()
        return self

    @model_validator(mode="after")
    def _fits_way(self) -> Self:
        for way, keys in _OWN.items():
            for key in keys:
                if way != self.by and getattr(self, key) is not None:
                    raise mistake(
                        key,
                        f"The key {key!r} with 'by: {self.by}'.",
                        f"It is for 'by: {way}'.",
                        f"Delete {key!r}, or write 'by: {way}'.",
                    )
        lacking = {"random": "size", "classes": "classes"}.get(self.by)
        if lacking is not None and not getattr(self, lacking):
            raise mistake(
                lacking if self.classes == {} else "",
                f"There is no {lacking!r}.",
                f"'by: {self.by}' needs it.",
                f"Write for example {_EXAMPLES[self.by]}.",
            )
        given = [key for key in ("tolerance", "epsilon") if getattr(self, key) is not None]
        if self.by == "remainder" and given:
            raise mistake(
                given[0],
                f"The key {given[0]!r} with 'by: remainder'.",
                "The remainder is a share of the behaviour, with a threshold of its own.",
                "Write for example 'at_most: 0.1'.",
            )
        if self.by != "remainder" and len(given) != 1:
            raise mistake(
                given[1] if given else "",
                "Both 'tolerance' and 'epsilon'."
                if given
                else "Neither 'tolerance' nor 'epsilon'.",
                "One of the two says which difference does not matter: in the read-out's unit, or "
                "as a share of the behaviour.",
                "Delete one of them." if given else "Write for example 'epsilon: 0.2'.",
            )
        return self

    @property
    def reads_model(self) -> bool:
        """Whether the whole model is read on each batch of test prompts."""
        return self.by == "remainder"

    @property
    def is_family(self) -> bool:
        """Whether the claim is that a difference of means is within a tolerance for sets K."""
        return self.by in ("classes", "adversarial")

    @property
    def tried_on(self) -> int:
        """How many fresh prompts each random K is tried on."""
        return self.prompts or 4

    @property
    def tries(self) -> int:
        """How many sets K the search may try."""
        return self.budget or 200

    @property
    def threshold(self) -> float:
        """The number that the claim compares with; of a band its lower end."""
        if self.is_family:
            return self.tolerance or self.epsilon or 0.0
        values = (self.at_least, self.at_most, self.within and self.within[0])
        return next((value for value in values if value is not None), 0.0)

    @property
    def direction(self) -> Direction:
        """Whether the claim says at least, at most, or within."""
        if self.within is not None:
            return "within"
        return "at_least" if self.by == "random" else "at_most"

    @property
    def bound(self) -> str:
        """The way and its threshold in words."""
        share = " of the behaviour" if self.is_family and self.epsilon is not None else ""
        return f"by {self.by} {super().bound}{share}"

    @property
    def number(self) -> str:
        """The number in words."""
        gap = "|circuit without K - model without K|, of means"
        near = (
            f"{self.tolerance:g}"
            if self.tolerance is not None
            else f"{self.epsilon or 0:g} of the behaviour on the finding prompts"
        )
        match self.by:
            case "remainder":
                return (
                    "(model without the circuit - everything ablated) / (model - everything "
                    "ablated), of means"
                )
            case "random":
                return (
                    f"share of sets K of {self.size} members, drawn uniformly and each on "
                    f"{self.tried_on} prompts of its own, with {gap}, of at most {near}"
                )
            case "classes":
                return (
                    f"largest, over {len(self.classes or ())} classes K, of {gap}; each within "
                    f"{near} by two one-sided tests (intersection-union), one beyond refutes (Holm)"
                )
            case "adversarial":
                return (
                    f"{gap}, for the K of the largest one that a greedy search with {self.tries} "
                    f"sets found on the finding prompts; within {near} by two one-sided tests"
                )

    def is_rate(self, readout: str) -> bool:
        """Whether the number is a share of sets."""
        return self.by == "random"

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return the runs on each batch of test prompts."""
        match self.by:
            case "remainder":
                return ((EVERYTHING, ()), (WITHOUT, circuit))
            case "random":
                return ()
            case "classes":
                sets = list((self.classes or {}).values())
            case "adversarial":
                sets = [("the worst set found",)]
        return tuple(part for members in sets for part in _without(circuit, members))

    def besides(
        self, circuit: tuple[str, ...], universe: tuple[str, ...], n: int
    ) -> tuple[Calls, ...]:
        """Return what measures the tolerance, the draws of sets, and the search for one."""
        scale = () if self.epsilon is None else (Calls(BEHAVIOUR, (WHOLE_MODEL, (EVERYTHING, ()))),)
        pair = ((ONLY, ("rest",)), (WITHOUT, ("set",)))
        if self.by == "random":
            sets = n // self.tried_on
            what = f"at most {sets} random sets, on {self.tried_on} test prompts each"
            return (*scale, Calls(what, pair, self.tried_on, min(1, sets), sets))
        if self.by != "adversarial":
            return scale
        return (*scale, *_steps(len(circuit), self.tries))


_EXAMPLES = {
    "remainder": "'by: remainder' with 'at_most: 0.1', or 'within: [-0.1, 0.1]'",
    "random": "'by: random' with 'size: 2', 'epsilon: 0.2' and 'at_least: 0.8'",
    "classes": "'by: classes' with 'classes: {movers: [L23.H0, L23.H1]}' and 'epsilon: 0.2'",
    "adversarial": "'by: adversarial' with 'budget: 200' and 'epsilon: 0.2'",
}


class NoBackupsClaim(ClaimBase):
    """Nothing outside the circuit takes over once it is gone (conditional co-ablation).

    The takeover of a unit v is its effect once the circuit is ablated less its effect in the whole
    model, [K - (K without v)] - [M - (M without v)] with K the model without the circuit, as a
    share of M - E: above 0 for what waits for the circuit to fail, 0 for what does its own part all
    along, upstream of the circuit for example.
    """

    kind: Literal["no_backups"] = Field(
        description=(
            "No unit outside the circuit gains more than `at_most` of the behaviour once the "
            "circuit is ablated: screened on the finding prompts, the largest tested on the others."
        )
    )
    circuit: CircuitField = None
    at_most: Annotated[float, Field(gt=0.0, le=2.0)] = Field(
        examples=[0.1],
        description=(
            "The largest takeover that is no backup, as a share of model - everything ablated."
        ),
    )
    candidates: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=5,
        description="How many of the screened units, those that gain most, are tested.",
    )
    prompts: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        examples=[16],
        description="On how many finding prompts units are screened; all of them.",
    )

    quantity: ClassVar[str] = "largest takeover of a unit outside the circuit"
    exact_in_range: ClassVar[bool] = True

    @property
    def threshold(self) -> float:
        """The largest takeover that is claimed."""
        return self.at_most

    @property
    def direction(self) -> Direction:
        """Takeovers are claimed to be at most so large."""
        return "at_most"

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "largest, over the candidates v outside the circuit, of (effect of v without the "
            "circuit - effect of v in the whole model) / (model - everything ablated), of means; "
            "candidates are those that gained most on the finding prompts; each at most the "
            "threshold (intersection-union), one beyond refutes (Holm)"
        )

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return the runs on each batch of test prompts, candidates by their rank."""
        ranks = [f"candidate {rank + 1}" for rank in range(self.candidates)]
        tried = (part for rank in ranks for part in _with_and_without(circuit, rank))
        return ((EVERYTHING, ()), (WITHOUT, circuit), *tried)

    def besides(
        self, circuit: tuple[str, ...], universe: tuple[str, ...], n: int
    ) -> tuple[Calls, ...]:
        """Return the screening of all that is outside the circuit."""
        others = (name for name in universe if name not in circuit)
        tried = (part for name in others for part in _with_and_without(circuit, name))
        what = "all that is outside the circuit, one by one, on finding prompts"
        return (Calls(what, (WHOLE_MODEL, (WITHOUT, circuit), *tried), self.prompts),)


def _with_and_without(circuit: tuple[str, ...], name: str) -> tuple[Part, ...]:
    """Return a unit's ablation with the circuit's and alone."""
    return (WITHOUT, (*circuit, name)), (WITHOUT, (name,))


def _without(circuit: tuple[str, ...], members: tuple[str, ...]) -> tuple[Part, ...]:
    """Return the circuit without some members, and the model without them."""
    return (ONLY, tuple(one for one in circuit if one not in members)), (WITHOUT, members)


def _steps(members: int, tries: int) -> tuple[Calls, ...]:
    """Return the steps of a greedy search, each over the members that are not yet in the set."""
    found = []
    for step in range(members):
        count = min(members - step, tries)
        if count == 0:
            break
        sets = [f"set {index}" for index in range(count)]
        found.append(
            Calls(
                "a search for the worst set, on the finding prompts",
                tuple(part for one in sets for part in ((ONLY, (one,)), (WITHOUT, (one,)))),
            )
        )
        tries -= count
    return tuple(found)
