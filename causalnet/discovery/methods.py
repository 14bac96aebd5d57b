"""The methods of discovery by name, and the one door to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from causalnet.discovery.acdc import acdc
from causalnet.discovery.behaviour import behaviour_of, is_written
from causalnet.discovery.exact import Progress, exact_patching
from causalnet.discovery.gradients import clean_corrupted, eap
from causalnet.discovery.greedy import greedy_search
from causalnet.discovery.information_flow import information_flow
from causalnet.discovery.integrated import eap_ig_activations, eap_ig_inputs, mask_ig
from causalnet.discovery.journal import Journal
from causalnet.discovery.learned_masks import edge_pruning, subnetwork_probing
from causalnet.discovery.node_attribution import atp, atp_star, hisp
from causalnet.discovery.options import check_option
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.discovery.screening import verified
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.graphs import nearest

__all__ = ["METHODS", "DiscoveryMethod", "discover", "method_of", "screen_then_verify"]

EXACT_GRAINS = tuple(CircuitGrain)
ALL = tuple(grain for grain in CircuitGrain if grain is not CircuitGrain.POSITIONS)
NODES = (CircuitGrain.NODES, CircuitGrain.HEADS)
NOT_EDGES = (*NODES, CircuitGrain.RECEIVERS)


@dataclass(frozen=True, slots=True)
class DiscoveryMethod:
    """A way to score units.

    Attributes:
        name: What it is called.
        run: Called with a question, its options, and `progress` and, where it keeps one, `journal`.
        text: What it does, in a line.
        options: What can be chosen beside the question.
        grains: The grains that it knows.
        any_ablation: Whether it takes any ablation; otherwise the counterfactual one.
        slope_at_start: Whether it needs a gradient where nothing is removed, which a distance from
            the intact network does not have.
        keeps_journal: Whether it can go on where it was stopped.
    """

    name: str
    run: Callable[..., Scores]
    text: str
    options: tuple[str, ...] = ()
    grains: tuple[CircuitGrain, ...] = ALL
    any_ablation: bool = True
    slope_at_start: bool = False
    keeps_journal: bool = True

    def __str__(self) -> str:
        """Return `eap: one backward pass; grains edges, ...; any ablation`."""
        grains = "all grains" if self.grains == EXACT_GRAINS else ", ".join(self.grains)
        ablation = "any ablation" if self.any_ablation else "counterfactual ablation"
        chosen = f"; options {', '.join(self.options)}" if self.options else ""
        return f"{self.name}: {self.text}; {grains}; {ablation}{chosen}"


def discover(
    question: Question,
    method: str = "eap_ig_inputs",
    *,
    progress: Progress | None = None,
    journal: Journal | None = None,
    **options: object,
) -> Scores:
    """Score the units of a question by a method of `METHODS`.

    Where the network does not do the task of the pairs, a note of the scores says so with the
    figure; `check_behaviour` refuses.

    Args:
        question: What is asked.
        method: The method's name.
        progress: Told how much is done: of how much.
        journal: A file in which a long search keeps what it has found.
        **options: The method's own.

    Raises:
        ParameterError: No such method or option (near names are given), a grain or an ablation that
            the method does not know, a journal for a method that keeps none.
        TermError, NumericalError: As the method.
    """
    if not isinstance(question, Question):
        raise ParameterError(
            f"A {type(question).__name__} was given as the question.",
            "It says of which network, on which pairs and under which ablation.",
            "Write discover(Question(net, pairs, counterfactual()), method).",
        )
    found = _discovered(question, method, options, progress, journal)
    behaviour = behaviour_of(question)
    if behaviour.is_there or is_written(question):
        return found
    warning = f"the network does not do this task, so there is no circuit of it: {behaviour}"
    return replace(found, notes=(*found.notes, warning))


def _discovered(
    question: Question,
    method: str,
    options: Mapping[str, object],
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Check what is asked of a method and run it."""
    known = method_of(method)
    for option in options:
        if option not in known.options:
            listed = ", ".join(known.options) or "none"
            raise ParameterError(
                f"The method {method!r} has no option {option!r}.",
                f"Its options: {listed}.",
                _did_you_mean(option, known.options) or f"Leave {option!r} out.",
            )
        check_option(method, option, options[option])
    if question.grain not in known.grains:
        fitting = [name for name, each in METHODS.items() if question.grain in each.grains]
        raise ParameterError(
            f"The method {method!r} at the grain {str(question.grain)!r}.",
            f"It knows {', '.join(known.grains)}. Methods that know {question.grain}: "
            f"{', '.join(fitting)}.",
            f"Write grain={str(known.grains[0])!r}, or another method.",
        )
    if journal is not None and not known.keeps_journal:
        keeping = ", ".join(name for name, each in METHODS.items() if each.keeps_journal)
        raise ParameterError(
            f"A journal for the method {method!r}.",
            f"It runs in one go; journals are kept by {keeping}.",
            "Leave journal= out.",
        )
    kept = {"journal": journal} if known.keeps_journal else {}
    return known.run(question, **options, progress=progress, **kept)


def method_of(name: str) -> DiscoveryMethod:
    """Return a method by its name.

    Raises:
        ParameterError: No such method; near names are given.

    >>> print(method_of("hisp"))
    hisp: mean magnitude of AtP; nodes, heads; any ablation; options normalised
    """
    if name not in METHODS:
        raise ParameterError(
            f"No method {name!r}.",
            f"There are {', '.join(METHODS)}.",
            _did_you_mean(name, METHODS) or "Write method='eap_ig_inputs'.",
        )
    return METHODS[name]


def screen_then_verify(
    question: Question,
    by: str = "eap",
    k: int = 40,
    *,
    control: int = 20,
    tau: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    by_options: Mapping[str, object] = MappingProxyType({}),
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Rank units by any method, run the first k and a random sample of the others exactly.

    Args:
        question: What is asked.
        by: The method that ranks.
        k: How many units are run because they rank high; all where they are fewer.
        control: How many of the others are run because they were drawn.
        tau: The size of an effect that is not to be missed; by default the smallest of the first k.
        alpha: The probability that the bound on what was missed is too small.
        seed: Seed of the control sample.
        by_options: Options of the method that ranks.
        progress: Told after every group of units that are run exactly.
        journal: Where exact effects are kept.

    Raises:
        ParameterError: As `discover`, and as `causalnet.discovery.screening.verified`.
    """
    if by in ("screen_then_verify", "exact_patching"):
        raise ParameterError(
            f"Screening by {by!r}.", "A screen is cheaper than what it screens for.", "Write 'eap'."
        )
    ranked = _discovered(question, by, by_options)
    k = min(k, len(ranked)) if k > 0 else k
    return verified(
        ranked,
        k,
        control=control,
        tau=tau,
        alpha=alpha,
        seed=seed,
        progress=progress,
        journal=journal,
    )


def _did_you_mean(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    close = nearest(name, known)
    return f"Did you mean {' or '.join(map(repr, close[:2]))}?" if close else ""


#: Name -> method.
METHODS: Mapping[str, DiscoveryMethod] = MappingProxyType(
    {
        each.name: each
        for each in (
            DiscoveryMethod(
                "exact_patching",
                exact_patching,
                "every unit removed alone, one run each",
                grains=EXACT_GRAINS,
            ),
            DiscoveryMethod("eap", eap, "one backward pass", slope_at_start=True),
            DiscoveryMethod(
                "clean_corrupted",
                clean_corrupted,
                "EAP with the mean of the gradients of both prompts",
                any_ablation=False,
                slope_at_start=True,
            ),
            DiscoveryMethod(
                "eap_ig_inputs",
                eap_ig_inputs,
                "EAP with gradients on the way of the embeddings",
                ("steps",),
                any_ablation=False,
            ),
            DiscoveryMethod(
                "eap_ig_activations",
                eap_ig_activations,
                "EAP with gradients on the way of what the sender's stage writes",
                ("steps",),
            ),
            DiscoveryMethod(
                "mask_ig",
                mask_ig,
                "the integral of the gradient of all masks together; adds up to the total effect",
                ("steps",),
            ),
            DiscoveryMethod(
                "atp", atp, "AtP: EAP of what nodes write", grains=NODES, slope_at_start=True
            ),
            DiscoveryMethod(
                "atp_star",
                atp_star,
                "AtP with patterns computed again and gradients dropped",
                ("grad_drop",),
                NOT_EDGES,
                any_ablation=False,
                slope_at_start=True,
                keeps_journal=False,
            ),
            DiscoveryMethod(
                "hisp", hisp, "mean magnitude of AtP", ("normalised",), NODES, slope_at_start=True
            ),
            DiscoveryMethod(
                "acdc",
                acdc,
                "units removed one after the other while the outcome stays within tau",
                ("tau", "senders", "early", "at_once"),
            ),
            DiscoveryMethod(
                "subnetwork_probing",
                subnetwork_probing,
                "gates learned for the outcome and a price on those that are open",
                ("strength", "steps", "rate", "seed"),
            ),
            DiscoveryMethod(
                "edge_pruning",
                edge_pruning,
                "gates learned for the outcome at a size",
                ("size", "steps", "rate", "multiplier_rate", "seed"),
            ),
            DiscoveryMethod(
                "greedy_search",
                greedy_search,
                "a smallest knock-out: units removed one by one, what moves the outcome most first",
                ("size", "by", "candidates"),
                grains=EXACT_GRAINS,
            ),
            DiscoveryMethod(
                "information_flow",
                information_flow,
                "routes of what is read, from the logits down; no contrast, no outcome",
                ("tau",),
            ),
            DiscoveryMethod(
                "screen_then_verify",
                screen_then_verify,
                "units ranked by another method, the first run exactly",
                ("by", "k", "control", "tau", "alpha", "seed", "by_options"),
            ),
        )
    }
)
