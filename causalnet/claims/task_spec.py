"""The prompts of a claim file: from a generator, or from the user's own file."""

from typing import Self

from pydantic import Field, model_validator

from causalnet.claims.source_text import nearest_word
from causalnet.claims.spec import Count, Name, Names, Seed, Spec, mistake
from causalnet.tasks import TASKS

__all__ = ["TaskSpec"]

Option = str | int | float | bool | Names


class TaskSpec(Spec):
    """A set of prompt pairs: from a generator, or from the user's own file."""

    name: Name | None = Field(
        default=None,
        description=(
            "A generator of `causalnet.tasks`: ioi, greater_than, successor, induction, capitals, "
            "surnames, colored_objects, or known:NAME, the prompts of a known circuit."
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
