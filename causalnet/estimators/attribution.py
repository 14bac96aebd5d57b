"""Scores of nodes or edges, with everything that is needed to read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causalnet.effects import Conventions, EffectTable
from causalnet.errors import ParameterError
from causalnet.estimators.methods import Method
from causalnet.estimators.sites import Sites
from causalnet.interventions import At, Base, Contrast, Direction, Do, Read, ReadOut, Site
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

if TYPE_CHECKING:
    from causalnet.estimators.checking import Check

__all__ = ["Attribution", "Passes", "Score", "exact_effect"]

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Passes:
    """What an attribution cost: passes over a batch, and how far each of them went.

    Attributes:
        forwards: Forward passes of one world over one batch, those of both worlds included.
        backwards: Backward passes over one batch.
        columns: Columns of the windows over which they went, over all columns of the prompts.
    """

    forwards: int
    backwards: int
    columns: float


@dataclass(frozen=True, slots=True)
class Score:
    """One score.

    Attributes:
        label: The node or edge.
        mean: Mean over prompts.
        standard_error: Of that mean; NaN with one prompt.
        unit: The unit of both.
    """

    label: str
    mean: float
    standard_error: float
    unit: str

    def __str__(self) -> str:
        """Return `L9.H6 -> L20.H0.q: -0.42 (standard error 0.05) logits`."""
        error = f"(standard error {self.standard_error:.2g})"
        return f"{self.label}: {self.mean:+.3g} {error} {self.unit}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Attribution:
    """Approximate effects of nodes or edges, and the conventions that make them numbers.

    Scores are approximations of patched - unpatched: noising patches the base from the source,
    denoising the source from the base.  A mean is over prompts, and within a prompt scores are
    summed over the positions of a site.

    Attributes:
        method: The estimator, with its error statement.
        sites: What the scores belong to.
        scores: Mean over prompts of every score, [sites].
        standard_errors: Of these means, [sites]; NaN with one prompt.
        per_prompt: Every prompt's scores, [sites, prompts], or None where they were not kept.
        direction: Which world is patched.
        readout: The outcome.
        unpatched: The outcome with nothing patched, [prompts].
        total: The outcome of the other world minus that, [prompts].
        settings: What else was chosen, as words.
        passes: What it cost.
        net: The network.
        pairs: The prompts.
    """

    method: Method
    sites: Sites
    scores: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    per_prompt: NDArray[np.float64] | None
    direction: Direction
    readout: ReadOut
    unpatched: NDArray[np.float64]
    total: NDArray[np.float64]
    passes: Passes
    net: LiftedNetwork
    pairs: PromptPairs
    settings: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many scores there are."""
        return len(self.sites)

    def __getitem__(self, name: str | Site) -> Score:
        """Return the score of a node, `L9.H6[end]`, or an edge, `L9.H6 -> L20.H0.q`.

        Raises:
            UnknownMediatorError: No score has that name; near names are given.
            TermError: The text is no edge, or there is no such edge.
        """
        return self._score(self.sites.index(str(name)))

    def _score(self, index: int) -> Score:
        return Score(
            self.sites.label(index),
            float(self.scores[index]),
            float(self.standard_errors[index]),
            self.readout.unit,
        )

    def ranked(self, count: int | None = None) -> NDArray[np.int64]:
        """Return the numbers of the largest scores by magnitude, largest first."""
        order = np.argsort(-np.abs(self.scores), kind="stable")
        return order[:count].astype(np.int64)

    def top(self, count: int = 10) -> tuple[Score, ...]:
        """Return the scores of largest magnitude, largest first."""
        return tuple(self._score(int(index)) for index in self.ranked(count))

    def conventions(self) -> Conventions:
        """Return what a score means: estimand, sign, direction, unit, estimator and its error."""
        method, at = self.method, getattr(self.sites, "at", ())
        return Conventions(
            estimand=method.name,
            sign="magnitude of the first order of patched - unpatched"
            if method.sign == "magnitude"
            else "first order of patched - unpatched",
            direction=self.direction,
            scale="raw",
            unit=self.readout.unit,
            readout=self.readout.described,
            meaning=self.readout.meaning,
            ablation="counterfactual",
            at=",".join(map(str, at)) or self.settings.get("at", "all positions"),
            padding="left",
            estimator=f"{method.name}; gradient at {method.gradient_at}",
            error="; ".join(
                (method.error, *(f"fails with {each}" for each in method.fails), *method.measured)
            ),
        )

    def exact_effect(self, name: str | Site | int) -> Contrast:
        """Return the exact effect that a score stands in for, as a term: patched - unpatched.

        Args:
            name: A node, an edge or its number.
        """
        index = name if isinstance(name, int) else self.sites.index(str(name))
        return exact_effect(self.sites[index], self.direction, self.readout)

    def check(self, sample: int = 20, seed: int = 0, batch_size: int = 16) -> "Check":
        """Compare a random sample of scores with exact effects.

        Args:
            sample: How many sites are drawn, each with the same chance.
            seed: Of the draw.
            batch_size: Prompts in a batch of the exact executor.
        """
        from causalnet.estimators.checking import check

        return check(self, sample=sample, seed=seed, batch_size=batch_size)

    def to_effect_table(self) -> EffectTable:
        """Return the scores as a table, which says by its conventions that they are approximate.

        Raises:
            ParameterError: Scores of single prompts were not kept.
        """
        if self.per_prompt is None:
            raise ParameterError(
                "Scores of single prompts were not kept.",
                "A table has a value for each prompt.",
                "Pass per_prompt=True to the estimator.",
            )
        return EffectTable(
            values=self.per_prompt,
            rows=tuple(self.sites.label(index) for index in range(len(self))),
            prompts=self.pairs.labels,
            conventions=self.conventions(),
            unpatched=self.unpatched,
            provenance={
                "model": self.net.model.provenance.to_json(),
                "graph": self.net.graph.fingerprint(),
                "pairs": {"digest": self.pairs.digest(), "record": self.pairs.record.to_json()},
                "executor": "gradients",
                "forwards": self.passes.forwards,
                "backwards": self.passes.backwards,
                "settings": dict(self.settings),
            },
        )

    def __repr__(self) -> str:
        """Return what the scores are and the largest of them."""
        sign = "magnitudes, " if self.method.sign == "magnitude" else ""
        chosen = "".join(f", {name} {value}" for name, value in self.settings.items())
        patched = (
            "base patched from source"
            if self.direction == "noising"
            else ("source patched from base")
        )
        head = (
            f"Attribution({self.method.name}: {len(self):,} scores, {sign}mean over "
            f"{len(self.pairs)} pairs of {self.readout.described}, {self.direction} "
            f"({patched}){chosen})"
        )
        total = f"whole effect of the input: {self.total.mean():+.3g} {self.readout.unit}"
        lines = [head, f"  {total}", *(f"  {score}" for score in self.top(_SHOWN))]
        more = len(self) - _SHOWN
        lines += [f"  and {more:,} smaller"] if more > 0 else []
        lines.append(f"  approximate: {self.method.error}; .check() compares a sample with exact")
        return "\n".join(lines)


def exact_effect(site: Site, direction: Direction, readout: ReadOut) -> Contrast:
    """Return the effect of setting a site to its value in the other world, patched - unpatched.

    >>> from causalnet.interventions import Node, logit_diff
    >>> print(exact_effect(Node("L0.mlp"), "noising", logit_diff))
    logit_difference(<base> + {L0.mlp := L0.mlp in <source>}) - logit_difference(<base>)
    """
    worlds = Base("base"), Base("source")
    below, other = worlds if direction == "noising" else worlds[::-1]
    patched = Do(below, ((site, At(site.read_from, other)),))
    return Contrast(((1.0, Read(readout, patched)), (-1.0, Read(readout, below))))
