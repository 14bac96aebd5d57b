"""What is known of a diagram, as options of the command line tell it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from causalnet.cli.named_nodes import nodes_named
from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.sources import Sources

__all__ = ["OBSERVATIONS", "Known", "sources_of"]


@dataclass(frozen=True, slots=True)
class Known:
    """The options.

    Attributes:
        experiments: Variables that an experiment sets, as `X` or `X,Z`.
        is_observed: Whether P(V) is known beside the experiments.
        domains: Other domains with what is known there: `a` for P(V), `a:X` under do(X).
        selections: Where other domains differ: `a:Z`.
    """

    experiments: Sequence[str] = ()
    is_observed: bool = True
    domains: Sequence[str] = ()
    selections: Sequence[str] = ()


OBSERVATIONS = Known()


def sources_of(known: Known, graph: ADMG) -> Sources:
    """Return what is known.

    Raises:
        ParameterError: A domain without a name, or of which nothing is known; nothing known at all.
        TermError: Variables that cannot be read.
        UnknownMediatorError: A variable that is not in the graph.
    """
    experiments = [nodes_named("--experiment", text, graph) for text in known.experiments]
    if known.is_observed:
        experiments.insert(0, ())
    elsewhere: dict[str, list[tuple[str, ...]]] = {}
    for domain, variables in _told("--domain", known.domains, graph):
        elsewhere.setdefault(domain, []).append(variables)
    differs: dict[str, set[str]] = {domain: set() for domain in elsewhere}
    for domain, variables in _told("--selection", known.selections, graph):
        if domain not in elsewhere:
            raise ParameterError(
                f"--selection names the domain {domain!r}, of which nothing is known.",
                "Domains that help are those with data.",
                f"Add --domain {domain} if it was observed, or --domain {domain}:X if there was "
                "an experiment on X.",
            )
        differs[domain].update(variables)
    if not experiments and not elsewhere:
        raise ParameterError(
            "--no-observations leaves nothing that is known.",
            "There is at least one distribution.",
            "Add --experiment X or --domain a.",
        )
    return Sources.of(experiments, elsewhere, differs)


def _told(option: str, texts: Iterable[str], graph: ADMG) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Yield the domain and the variables of each `a:X,Z`."""
    for text in texts:
        domain, _, variables = text.partition(":")
        if not domain.strip():
            raise ParameterError(
                f"{option} {text!r} names no domain.",
                "A domain stands before a colon.",
                f"Write {option} a:X.",
            )
        where = domain.strip()
        yield where, nodes_named(option, variables, graph, where) if variables.strip() else ()
