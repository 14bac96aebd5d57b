"""Partial ablation: what is outside a circuit kept by chance, what is inside removed by chance.

A circuit alone, or the model without it, runs far from the data.  Zheng et al. 2024 (robust
fidelity) stay near it by random partial ablation, with E_a(X) each member of X by itself with
probability a:

    Fid(a1, +) = f(model) - E f(model without E_a1(circuit))       large where the circuit matters
    Fid(a2, -) = f(model) - E f(circuit with E_a2(the rest))       small where it is enough
    Fid_Delta  = Fid(a1, +) - Fid(a2, -)

a1 = 1 and a2 = 0 are the classical fidelities.  Faithfulness carries over in the same way, to the
curve F_a of (circuit with E_a(the rest) - everything ablated) / (model - everything ablated), where
F_0 is faithfulness and F_1 = 1.  Members are drawn by one uniform number each, so that what is kept
at one probability is kept at every larger one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.execute import Progress
from causalnet.faithfulness.parts import Member, Scorer, Wanted, whole_effect
from causalnet.interventions import Regime
from causalnet.tasks import PromptPairs

__all__ = [
    "PartialFaithfulness",
    "RobustFidelity",
    "draw_with",
    "partial_faithfulness",
    "partly",
    "robust_fidelity",
]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RobustFidelity:
    """Fidelities of a circuit under partial ablation, in the read-out's unit.

    Standard errors are those of the draws, given the prompts.

    Attributes:
        removed: Probability a1 with which each member of the circuit is removed.
        kept: Probability a2 with which each of the rest is kept.
        draws: Draws of each.
        seed: Seed of the draws.
        plus_draws: f(model) - f(model without a part of the circuit), [draws, n].
        minus_draws: f(model) - f(circuit with a part of the rest), [draws, n].
        classical: The same for a1 = 1 and a2 = 0, on average over prompts.
        circuit: How many members the circuit has; Fid+ grows with it.
        conventions: What the numbers depend on, by name.
    """

    removed: float
    kept: float
    draws: int
    seed: int
    plus_draws: Numbers
    minus_draws: Numbers
    classical: tuple[float, float]
    circuit: int
    conventions: Mapping[str, str]

    @property
    def plus(self) -> float:
        """Fid(a1, +): what is lost without a part of the circuit."""
        return float(self.plus_draws.mean())

    @property
    def minus(self) -> float:
        """Fid(a2, -): what is lost without a part of the rest."""
        return float(self.minus_draws.mean())

    @property
    def delta(self) -> float:
        """Fid_Delta: the first minus the second."""
        return self.plus - self.minus

    @property
    def errors(self) -> tuple[float, float, float]:
        """Monte Carlo standard errors of plus, minus and delta; NaN with a single draw."""
        plus, minus = self.plus_draws.mean(1), self.minus_draws.mean(1)
        return _error(plus), _error(minus), _error(plus - minus)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers with everything that they depend on."""
        return {
            "removed": self.removed,
            "kept": self.kept,
            "draws": self.draws,
            "seed": self.seed,
            "prompts": self.plus_draws.shape[1],
            "circuit": self.circuit,
            "plus": self.plus,
            "minus": self.minus,
            "delta": self.delta,
            "standard_errors": [None if np.isnan(one) else one for one in self.errors],
            "classical": list(self.classical),
            "conventions": dict(self.conventions),
        }


@dataclass(frozen=True, slots=True, eq=False)
class PartialFaithfulness:
    """Faithfulness with a part of the rest kept, by the probability with which it is.

    Attributes:
        alphas: The probabilities.
        draws: Draws at each.
        seed: Seed of the draws.
        values: Ratios of means, [alphas, draws].
        circuit: How many members the circuit has.
        prompts: On how many prompts.
        conventions: What the numbers depend on, by name.
    """

    alphas: tuple[float, ...]
    draws: int
    seed: int
    values: Numbers
    circuit: int
    prompts: int
    conventions: Mapping[str, str] = field(default_factory=dict)

    @property
    def faithfulness(self) -> Numbers:
        """F at each probability, [alphas]."""
        return np.asarray(self.values.mean(1))

    @property
    def errors(self) -> Numbers:
        """Monte Carlo standard errors of the draws, given the prompts, [alphas]."""
        return np.array([_error(row) for row in self.values])

    @property
    def slopes(self) -> Numbers:
        """Differences of F between neighbouring probabilities, over theirs, [alphas - 1].

        A straight line has the slope 1 - F(0): a steep start shows what little of the rest is
        needed, a dip what of it does harm.
        """
        return np.diff(self.faithfulness) / np.diff(np.array(self.alphas))

    def to_json(self) -> dict[str, Any]:
        """Return the curve with everything that it depends on."""
        return {
            "alphas": list(self.alphas),
            "faithfulness": self.faithfulness.tolist(),
            "standard_errors": [None if np.isnan(one) else one for one in self.errors.tolist()],
            "draws": self.draws,
            "seed": self.seed,
            "prompts": self.prompts,
            "circuit": self.circuit,
            "conventions": dict(self.conventions),
        }


def robust_fidelity(
    scorer: Scorer,
    pairs: PromptPairs,
    circuit: Sequence[Member],
    *,
    removed: float = 0.1,
    kept: float = 0.9,
    draws: int = 50,
    seed: int = 0,
    progress: Progress | None = None,
) -> RobustFidelity:
    """Return Fid+, Fid- and their difference under partial ablation (Zheng et al. 2024).

    Args:
        scorer: The conventions, of nodes or of edges.
        pairs: The prompts.
        circuit: Members of the scorer's universe.
        removed: Probability a1 with which each member of the circuit is removed.
        kept: Probability a2 with which each of the rest is kept.
        draws: Draws of each, the same for all prompts.
        seed: Seed of the draws.
        progress: Told about every forward pass.

    Raises:
        ParameterError: A probability outside 0 to 1, or no draw.
        TermError: A member that is not in the universe.
    """
    _check((removed, kept), draws)
    members = tuple(circuit)
    whole: Wanted = (Regime.MODEL, ())
    plus = partly(Regime.KNOCKED_OUT, members, scorer.universe, removed, draws, seed)
    minus = partly(Regime.KEPT, members, scorer.universe, kept, draws, seed)
    ends: list[Wanted] = [(Regime.KNOCKED_OUT, members), (Regime.KEPT, members)]
    found = scorer.read(pairs, [whole, *plus, *minus, *ends], progress=progress).values
    model = found[whole]
    first, second = (float((model - found[one]).mean()) for one in ends)
    return RobustFidelity(
        removed=removed,
        kept=kept,
        draws=draws,
        seed=seed,
        plus_draws=np.stack([model - found[one] for one in plus]),
        minus_draws=np.stack([model - found[one] for one in minus]),
        classical=(first, second),
        circuit=len(frozenset(members)),
        conventions=scorer.conventions,
    )


def partial_faithfulness(
    scorer: Scorer,
    pairs: PromptPairs,
    circuit: Sequence[Member],
    alphas: Iterable[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    *,
    draws: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> PartialFaithfulness:
    """Return faithfulness with each of the rest kept with growing probability.

    Args:
        scorer: The conventions, of nodes or of edges.
        pairs: The prompts.
        circuit: Members of the scorer's universe.
        alphas: The probabilities, in rising order.
        draws: Draws at each, the same for all prompts, nested from one probability to the next.
        seed: Seed of the draws.
        progress: Told about every forward pass.

    Raises:
        ParameterError: A probability outside 0 to 1, none, or not in rising order; no draw; model
            and empty that do not differ.
        TermError: A member that is not in the universe.
    """
    given = tuple(alphas)
    _check(given, draws)
    if not given or list(given) != sorted(set(given)):
        raise ParameterError(
            f"The probabilities {given} were given.",
            "There is at least one, and they rise.",
            "Write for example alphas=(0.0, 0.5, 1.0).",
        )
    members = tuple(circuit)
    wanted = [partly(Regime.KEPT, members, scorer.universe, alpha, draws, seed) for alpha in given]
    ends: list[Wanted] = [(Regime.MODEL, ()), (Regime.EMPTY, ())]
    flat = [one for row in wanted for one in row]
    found = scorer.read(pairs, [*ends, *flat], progress=progress).values
    model, empty = (found[one] for one in ends)
    behaviour = whole_effect(model, empty)
    values = [[(found[one] - empty).mean() / behaviour for one in row] for row in wanted]
    return PartialFaithfulness(
        alphas=given,
        draws=draws,
        seed=seed,
        values=np.array(values, dtype=np.float64),
        circuit=len(frozenset(members)),
        prompts=len(pairs),
        conventions=scorer.conventions,
    )


def draw_with(
    universe: Sequence[Member], probability: float, seed: int, draw: int
) -> tuple[Member, ...]:
    """Return each of some members with a probability, in order; larger ones hold smaller ones.

    The numbers of a draw are those of numpy's default generator seeded with (seed, draw), one for
    each member in order.
    """
    numbers = np.random.default_rng((seed, draw)).random(len(universe))
    return tuple(one for one, number in zip(universe, numbers, strict=True) if number < probability)


def partly(
    part: Regime,
    circuit: Sequence[Member],
    universe: Sequence[Member],
    probability: float,
    draws: int,
    seed: int,
) -> list[Wanted]:
    """Return the parts of a partial ablation, one for each draw.

    Args:
        part: KEPT, with each of the rest kept by chance, or KNOCKED_OUT, with each member of the
            circuit removed by chance.
        circuit: Members of the universe.
        universe: Everything that is ablated when it is not kept.
        probability: With which each is kept or removed.
        draws: How many draws.
        seed: Their seed.
    """
    inside = frozenset(circuit)
    parts: list[Wanted] = []
    for draw in range(draws):
        drawn = draw_with(universe, probability, seed, draw)
        if part is Regime.KEPT:
            parts.append((part, _ordered(universe, inside.union(drawn), tuple(circuit))))
        else:
            parts.append((part, tuple(one for one in drawn if one in inside)))
    return parts


def _ordered(
    universe: Sequence[Member], members: frozenset[Member], circuit: tuple[Member, ...]
) -> tuple[Member, ...]:
    """Return members in the universe's order; strangers last, for the scorer to refuse."""
    known = tuple(one for one in universe if one in members)
    if len(known) == len(members):
        return known
    return known + tuple(one for one in dict.fromkeys(circuit) if one not in frozenset(known))


def _check(probabilities: Iterable[float], draws: int) -> None:
    outside = [one for one in probabilities if not 0 <= one <= 1]
    if outside:
        raise ParameterError(
            f"The probability {outside[0]}.", "Probabilities lie between 0 and 1.", "Write 0.1."
        )
    if draws < 1:
        raise ParameterError(f"{draws} draws.", "There is at least one.", "Write draws=20.")


def _error(values: Numbers) -> float:
    """Return the standard error of a mean; NaN for one value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
