"""The text of a query: its conventions on the first line, then a line for each row."""

from html import escape
from typing import TYPE_CHECKING

from causalnet.interventions.ablations import Ablation
from causalnet.interventions.learning import Learning
from causalnet.interventions.markup import term_html
from causalnet.interventions.noising import Noising
from causalnet.interventions.spelling import name_text
from causalnet.interventions.terms import Piece, separated
from causalnet.interventions.views import positions_text

if TYPE_CHECKING:
    from causalnet.interventions.queries import Query

__all__ = ["ablation_text", "query_html", "query_line", "query_pieces"]

_SHOWN, _ROWS = 3, 10  # labels on one line, rows of a table


def ablation_text(ablation: Ablation | None) -> str:
    """Return an ablation with everything that it depends on, so that it can be read back.

    >>> from causalnet.interventions.ablations import AblationKind
    >>> print(ablation_text(Ablation(AblationKind.RESAMPLE, "1f3a", 64, draws=8)))
    resample(reference='1f3a', size=64, draws=8)
    """
    if ablation is None:
        return "none"
    options = []
    if ablation.reference is not None:
        options += [f"reference={ablation.reference!r}", f"size={ablation.reference_size}"]
    options += [f"draws={ablation.draws}"] if ablation.draws != 1 else []
    options += [f"vector={ablation.vector}"] if ablation.vector is not None else []
    options += [f"factor={float(ablation.factor)!r}"] if ablation.factor != 1.0 else []
    options += _noise_options(ablation.noise) if ablation.noise is not None else []
    options += _learning_options(ablation.learning) if ablation.learning is not None else []
    options += [f"jointly={ablation.jointly!r}"] if ablation.jointly else []
    return ablation.kind.value + (f"({', '.join(options)})" if options else "")


def _noise_options(noise: Noising) -> list[str]:
    options = [f"sigma={float(noise.sigma)!r}", f"factor={float(noise.factor)!r}"]
    options += [f"seed={noise.seed}"] if noise.seed else []
    options += [f"positions=[{positions_text(noise.at)}]"] if noise.at else []
    return options + ([f"of={name_text(noise.of)}"] if noise.of != Noising(0.0).of else [])


def _learning_options(learning: Learning) -> list[str]:
    return [
        f"loss={learning.loss}",
        f"steps={learning.steps}",
        f"rate={float(learning.rate)!r}",
        f"batch={learning.batch}",
        f"seed={learning.seed}",
    ]


def query_pieces(query: "Query") -> tuple[Piece, ...]:
    """Return the pieces of a query's text: conventions, with a comment that says them, and rows."""
    options: list[tuple[Piece, ...]] = [
        (f"{name_text(query.estimand)}/v{query.version} on ", query.readout),
        (f"at [{positions_text(query.at) or '*'}]",),
        (f"ablation {ablation_text(query.ablation)}",),
        (query.direction,),
        (query.sign,),
        (f"scale {name_text(query.scale)}",),
        (f"estimator {name_text(query.estimator)}",),
    ]
    options += [(f"convention {name_text(query.convention)}",)] if query.convention else []
    options += [(f"error {name_text(query.error)}",)] if query.error else []
    options += [("given ", query.given)] if query.given is not None else []
    options += [("divided by ", query.denominator)] if query.denominator is not None else []
    if query.below:
        options.append(("below ", *separated((world,) for world in query.below)))
    rows: list[Piece] = []
    for (label, scalar), members in zip(query.contrasts, query.treated, strict=True):
        names = [mediator.name for mediator in members]
        inside = "" if names == [label] else f" {{{', '.join(map(name_text, names))}}}"
        rows += [f"\n  {name_text(label)}{inside}: ", scalar]
    told = " ".join(query.subtraction.split())
    return (*separated(options, "; "), f"  # {query.sign} = {told}", *rows)


def query_line(query: "Query") -> str:
    """Return a query on one line: estimand, outcome, where and how, and the first labels.

    >>> from causalnet.interventions.contrasts import te
    >>> query_line(te())
    'TE/v1 on logit_difference at [*], noising: TE'
    """
    labels = [name_text(label) for label, _ in query.contrasts[:_SHOWN]]
    more = len(query.contrasts) - _SHOWN
    labels += [f"... and {more} more"] if more > 0 else []
    name = f"{name_text(query.estimand)}/v{query.version}"
    places = positions_text(query.at) or "*"
    signed = f" {query.sign}," if query.sign != "effect" else ""
    outcome = name_text(query.readout.name)
    told = f"{name} on {outcome} at [{places}],{signed} {query.direction}"
    return f"{told}: {', '.join(labels)}"


def query_html(query: "Query") -> str:
    """Return a query as a small table: its conventions, and the first ten rows."""
    said = {
        "outcome": f"{query.readout.described}, {query.readout.unit}",
        query.sign: f"{query.subtraction}; {query.direction}; {query.scale}",
        "set at": positions_text(query.at) or "all positions",
        "ablation": ablation_text(query.ablation),
        "estimator": " ".join((query.estimator, query.error)).strip(),
        "convention": query.convention,
    }
    stated = "".join(
        f"<br>{escape(name)}: {escape(value)}" for name, value in said.items() if value
    )
    rows = [
        f"<tr><th>{escape(name_text(label))}</th><td>{term_html(scalar)}</td></tr>"
        for label, scalar in query.contrasts[:_ROWS]
    ]
    more = len(query.contrasts) - _ROWS
    rows += [f"<tr><td colspan='2'>... and {more} more</td></tr>"] if more > 0 else []
    caption = f"<caption><b>{escape(query.name)}</b>{stated}</caption>"
    return f"<table>{caption}{''.join(rows)}</table>"
