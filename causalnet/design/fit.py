"""From effects to their posterior."""

from collections.abc import Mapping, Sequence
from typing import assert_never, get_args

import numpy as np

from causalnet.design.assumptions import Assumptions, is_normal
from causalnet.design.conjugate import solve
from causalnet.design.diagnostics import ClosedForm, Diagnostics
from causalnet.design.marginals import Draws, Marginals, Normals
from causalnet.design.observations import Effects, Observations, observe
from causalnet.design.posterior import EffectPosterior, Method
from causalnet.design.shared import Learnt, known
from causalnet.errors import ParameterError

__all__ = ["effect_posterior"]

Found = tuple[Marginals, Mapping[str, Learnt], Diagnostics]


def effect_posterior(
    effects: Effects,
    *,
    seed: int,
    approximation: Effects | None = None,
    templates: Sequence[str] | None = None,
    method: Method = "nuts",
    assumptions: Assumptions | None = None,
    labels: Sequence[str] | None = None,
    draws: int | None = None,
    warmup: int = 300,
    chains: int = 2,
    steps: int = 2000,
) -> EffectPosterior:
    """Return what per-prompt effects tell of every mediator's mean effect, all fitted together.

    Mediators share how large effects are and how much they vary over prompts: small and uncertain
    effects shrink towards 0, or towards what an approximation says, and large ones stay.  The model
    is that of `causalnet.design.program`; `gaussian` has normal noise of known scale and a normal
    prior of one scale in place of the horseshoe.  The unit of the effects does not matter.

    Args:
        effects: Mediators x prompts, as `cn.run` gives them or as an array.
        seed: Of the draws.  The caller's generators and Pyro's parameters are left as they are.
        approximation: An approximation of the same effects, such as
            `cn.atp(..., per_prompt=True).to_effect_table()`: levels are then what it leaves over.
        templates: The template of every prompt.  Prompts that share one are alike, and intervals
            that do not know of it are too narrow.
        method: `nuts`, by sampling: a few minutes for 300 mediators on 64 prompts; `svi`, by
            independent normals: approximate, in half a minute, with its error in the result;
            `gaussian`, in closed form.
        assumptions: What is known beforehand; by default noise is normal and the rest is learnt.
        labels: Names of the rows of an array.
        draws: Draws that are kept, of all chains together; by default 600 of `nuts`, which are
            costly, and 4,000 of `svi`.
        warmup: Draws of each chain that are thrown away.
        chains: Chains of `nuts`, one after the other.
        steps: Steps of the optimiser of `svi`.

    Raises:
        ParameterError: Shapes that do not fit, fewer than two mediators or prompts, a method that
            there is not, numbers outside their range.
        NumericalError: An effect that is not finite.

    Source: Gelman and Hill 2007, chapter 11 (partial pooling); Carvalho, Polson and Scott 2010.

    >>> effects = [[1.0, 1.2, 0.9, 1.1], [0.1, -0.1, 0.0, 0.2], [0.0, 0.1, -0.2, 0.1]]
    >>> posterior = effect_posterior(effects, labels=["a", "b", "c"], method="gaussian", seed=0)
    >>> posterior.circuit(tau=0.5, fdr=0.05)
    ('a',)
    """
    if method not in get_args(Method):
        raise ParameterError(
            f"No method {method!r}.",
            f"There are {', '.join(get_args(Method))}.",
            "Write method='nuts'.",
        )
    if draws is None:
        draws = 600 if method == "nuts" else 4000
    _check_counts(draws=draws, warmup=warmup, chains=chains, steps=steps)
    assumed = Assumptions() if assumptions is None else assumptions
    seen = observe(effects, approximation, templates, labels)
    found: Found
    match method:
        case "gaussian":
            found = _gaussian(seen, assumed)
        case "nuts":
            from causalnet.design.sampled import by_nuts  # Pyro is loaded where it is used

            found = by_nuts(seen, assumed, seed, draws, warmup, chains)
        case "svi":
            from causalnet.design.sampled import by_svi

            found = by_svi(seen, assumed, seed, draws, steps)
        case _:
            assert_never(method)
    marginals, learnt, diagnostics = found
    return EffectPosterior(
        labels=seen.labels,
        marginals=_complete(marginals, seen),
        sample_means=seen.means,
        fixed=tuple(np.array(seen.labels)[~seen.varies].tolist()),
        prompts=seen.prompts,
        templates=seen.templates,
        method=method,
        assumptions=assumed,
        learnt=learnt,
        diagnostics=diagnostics,
        conventions=seen.conventions,
        seed=seed,
    )


def _check_counts(**counts: int) -> None:
    least = {"draws": 2, "warmup": 10, "chains": 1, "steps": 100}
    for name, count in counts.items():
        if count < least[name]:
            raise ParameterError(
                f"{name} is {count!r}.",
                f"It is a whole number of at least {least[name]}.",
                f"Leave {name} out for the usual number.",
            )


def _gaussian(seen: Observations, assumed: Assumptions) -> Found:
    if not is_normal(assumed.degrees):
        raise ParameterError(
            f"Noise with degrees={assumed.degrees!r}.",
            "The closed form is that of normal noise.",
            "Write degrees=math.inf, or method='nuts'.",
        )
    solved = solve(seen, assumed)
    centre, error, freedom = seen.approximation_mean()
    variance = error**2 * freedom / (freedom - 2) if error.any() else error
    mean, sd = solved.effects(centre, variance)
    per = seen.scale / seen.approximation_scale
    learnt = {
        "spread": known("spread", np.median(solved.spread) * seen.scale),
        "noise": known("noise", np.median(solved.noise) * seen.scale),
    }
    if seen.templates:
        learnt["template_ratio"] = known("template_ratio", solved.template_ratio)
    if seen.approximation is not None:
        learnt["slope"] = known("slope", solved.slope * per, solved.slope_sd * per)
    return Normals(mean * seen.scale, sd * seen.scale), learnt, ClosedForm(solved.learnt)


def _complete(found: Marginals, seen: Observations) -> Marginals:
    """Put mediators that do not vary back in their places, as known."""
    match found:
        case Draws(values):
            whole = np.broadcast_to(seen.means, (len(values), len(seen.means))).copy()
            whole[:, seen.varies] = values
            return Draws(whole)
        case Normals(mean, sd):
            means, deviations = seen.means.copy(), np.zeros_like(seen.means)
            means[seen.varies], deviations[seen.varies] = mean, sd
            return Normals(means, deviations)
        case _:
            assert_never(found)
