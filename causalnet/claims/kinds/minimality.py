"""Claims about single members of a circuit, and about every mediator of a model."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.kinds.base import EVERYTHING, ONLY, WITHOUT, CircuitField, ClaimBase, Part
from causalnet.claims.spec import Name, Names, mistake
from causalnet.statistics import Direction

__all__ = ["MinimalClaim", "SweepClaim"]


class MinimalClaim(ClaimBase):
    """Every member of the circuit matters inside it (Wang et al. 2023).

    The effect of member i in the context K, a set of other members, is the mean of
    (C without K) - (C without K and i), as a share of the mean of M - E.
    """

    kind: Literal["minimal"] = Field(
        description="Every member moves the circuit's read-out by at least `effect`, up or down."
    )
    circuit: CircuitField = None
    effect: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.01,
        description="The least effect of a member, as a share of model - everything ablated.",
    )
    contexts: Annotated[
        tuple[Literal["alone", "class"], ...], Field(strict=False, min_length=1)
    ] = Field(
        default=("alone",),
        description=(
            "Where a member is taken out: `alone` of the whole circuit, `class` when the others of "
            "its class are out already. It matters if it does in one of them: backups matter only "
            "when what they back is gone."
        ),
    )
    classes: dict[Name, Names] = Field(
        default_factory=dict,
        examples=[{"movers": ["L23.H0", "L23.H1"]}],
        description="For the context `class`: members by the name of their class.",
    )

    quantity: ClassVar[str] = "least effect of a member inside the circuit"
    exact_in_range: ClassVar[bool] = True

    @model_validator(mode="after")
    def _classes_where_used(self) -> Self:
        if ("class" in self.contexts) != bool(self.classes):
            raise mistake(
                "classes" if self.classes else "contexts",
                "Classes without the context 'class'."
                if self.classes
                else "The context 'class' without classes.",
                "Classes say which members stand in for each other.",
                "Delete 'classes', or write 'contexts: [alone, class]'."
                if self.classes
                else "Write for example 'classes: {movers: [L23.H0, L23.H1]}'.",
            )
        return self

    @property
    def threshold(self) -> float:
        """The least effect."""
        return self.effect

    @property
    def direction(self) -> Direction:
        """Effects are claimed to be at least so large."""
        return "at_least"

    @property
    def number(self) -> str:
        """The number in words."""
        where = " or ".join(
            "out of the whole circuit" if one == "alone" else "when the rest of its class is out"
            for one in self.contexts
        )
        return (
            "least, over members, of |circuit - circuit without the member| / (model - everything "
            f"ablated), of means; a member is taken {where}; every member must be shown to matter "
            "(intersection-union), one shown not to refutes (Bonferroni)"
        )

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return everything ablated, and the circuit less what each member's contexts take out."""
        sets = {kept for _, before, after in self.removals(circuit) for kept in (before, after)}
        return ((EVERYTHING, ()), *((ONLY, kept) for kept in sorted(sets)))

    def removals(
        self, circuit: tuple[str, ...]
    ) -> tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]:
        """Return each member's number with what is kept before and after it is taken out."""
        found = []
        for index, member in enumerate(circuit):
            for context in self.contexts:
                gone = self._gone(member) if context == "class" else frozenset()
                before = tuple(one for one in circuit if one not in gone)
                after = tuple(one for one in before if one != member)
                found.append((index, before, after))
        return tuple(dict.fromkeys(found))

    def _gone(self, member: str) -> frozenset[str]:
        """Return the others of a member's class; none for one that is in no class."""
        for members in self.classes.values():
            if member in members:
                return frozenset(members) - {member}
        return frozenset()


class SweepClaim(ClaimBase):
    """Which mediators matter, all tested at once: those that are named, and no more errors.

    The effect of a mediator is the mean of M - K, K with it alone ablated, as a share of M - E, up
    or down.  Families of e-processes: Holm over all for the named ones, e-BH for the list.
    """

    kind: Literal["sweep"] = Field(
        description=(
            "Each of `members` has an effect of at least `effect` on the whole model; all that can "
            "be ablated is tested at once, and what else was found is listed."
        )
    )
    circuit: CircuitField = Field(
        default=None, description="The members that are claimed to matter; else the file's circuit."
    )
    effect: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.05,
        description="The least effect of a mediator, as a share of model - everything ablated.",
    )

    quantity: ClassVar[str] = "members shown to matter"

    @property
    def threshold(self) -> float:
        """The least effect."""
        return self.effect

    @property
    def direction(self) -> Direction:
        """Effects are claimed to be at least so large."""
        return "at_least"

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "|model - model without the mediator| / (model - everything ablated), of means, for "
            "every mediator; the named ones shown with the family-wise error held over all (Holm), "
            "the others listed at a false discovery rate (e-BH)"
        )

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return everything ablated, and the circuit's members ablated one by one."""
        return ((EVERYTHING, ()), *((WITHOUT, (member,)) for member in circuit))
