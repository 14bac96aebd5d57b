"""Whether a feature holds one attribute and leaves the others alone (RAVEL, Huang et al. 2024).

An entity has several attributes, and a prompt asks for one of them.  Swapping the feature of
attribute A with that of another entity should give that entity's A where A is asked for (Cause),
and change nothing where another attribute B is asked for (Isolate_B):

    Disentangle = 1/2 (Cause + mean over B of Isolate_B)
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from causalnet.abstraction.accuracy import interchange_accuracy
from causalnet.abstraction.accuracy_results import InterchangeAccuracy
from causalnet.abstraction.alignment import Alignment
from causalnet.abstraction.examples import Examples
from causalnet.abstraction.expressions import Value
from causalnet.abstraction.high_level import HighLevelModel
from causalnet.abstraction.measuring import Criterion
from causalnet.abstraction.pairs import Interchanges, Predictor, Tuple, draw_classes
from causalnet.abstraction.rates import Rate
from causalnet.abstraction.recalling import Recall
from causalnet.errors import ParameterError
from causalnet.execute import Executor
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork

__all__ = ["Disentanglement", "disentangle"]


@dataclass(frozen=True, slots=True)
class Disentanglement:
    """Whether a feature holds one attribute and no other.

    Attributes:
        attribute: The variable whose feature is swapped.
        accuracy: All rates and controls.
        held_out: Column -> how many of its values were seen before, and are left out.
    """

    attribute: str
    accuracy: InterchangeAccuracy
    held_out: tuple[tuple[str, int], ...]

    @property
    def cause(self) -> Rate:
        """How often the source's attribute is given where it is asked for."""
        return dict(self.accuracy.classes)["cause"]

    @property
    def isolate(self) -> dict[str, Rate]:
        """How often another attribute's answer stays, by what is asked for."""
        listed = self.accuracy.classes
        return {name.removeprefix("isolate "): rate for name, rate in listed if name != "cause"}

    @property
    def score(self) -> float:
        """1/2 (Cause + mean Isolate), in [0, 1]; 1/2 for swapping everything or nothing."""
        return _score(self.accuracy.classes)

    @property
    def controls(self) -> dict[str, float]:
        """The score of every control."""
        return {each.label: _score(each.classes) for each in self.accuracy.controls}

    def to_json(self) -> dict[str, object]:
        """Return everything, as JSON values."""
        return {
            "attribute": self.attribute,
            "cause": self.cause.to_json(),
            "isolate": {name: rate.to_json() for name, rate in self.isolate.items()},
            "disentangle": self.score,
            "controls": self.controls,
            "held_out": dict(self.held_out),
            "accuracy": self.accuracy.to_json(),
        }

    def __str__(self) -> str:
        """Return a few lines."""
        kept = ", ".join(f"{name} {rate.estimate:.3f}" for name, rate in self.isolate.items())
        others = ", ".join(f"{name} {score:.3f}" for name, score in self.controls.items())
        seen = "; ".join(f"{n} values of {name} held out" for name, n in self.held_out)
        return "\n".join(
            [
                f"{self.attribute} at {self.accuracy.alignment}: disentangle {self.score:.3f}",
                f"  cause {self.cause}",
                f"  isolate {kept}",
                f"  controls {others}",
                f"  {self.accuracy.distribution}{'; ' if seen else ''}{seen}",
            ]
        )


def _check_questions(attribute: str, question: str, asked: tuple[Value, ...]) -> None:
    listed = tuple(dict.fromkeys(asked))
    if attribute not in listed or len(listed) == 1:
        raise ParameterError(
            f"{question!r} is {', '.join(map(str, listed))} on these examples.",
            f"Some ask for {attribute!r}, others for another attribute.",
            "Give prompts that ask for both; name the question as the variable is named.",
        )


def _drawn(
    predictor: Predictor,
    attribute: str,
    asked: tuple[Value, ...],
    n: int,
    seed: int,
    within: str,
) -> Interchanges:
    """Draw cause pairs and, for each other question, isolate pairs."""

    def class_of(base: int, sources: tuple[int, ...]) -> str | None:
        setting = predictor.setting((attribute,), sources)
        if setting[0][1] == predictor.values[base][attribute]:
            return None
        is_cause = predictor.after(base, setting) != predictor.before(base)
        if (asked[base] == attribute) != is_cause:
            return None
        return "cause" if is_cause else f"isolate {asked[base]}"

    others = [name for name in dict.fromkeys(asked) if name != attribute]
    share = [(n // 2 + len(others) - 1 - at) // len(others) for at in range(len(others))]
    quotas = {"cause": n - n // 2} | {
        f"isolate {name}": max(1, size) for name, size in zip(others, share, strict=True)
    }
    examples = predictor.examples
    found, searched = draw_classes(examples, 1, quotas, class_of, seed, within)
    lacking = next((name for name in quotas if len(found[name]) < quotas[name]), None)
    if lacking is not None:
        raise ParameterError(
            f"{len(found[lacking])} of {quotas[lacking]} pairs of {lacking!r} were found among "
            f"{searched} drawn.",
            "The sources of pairs have another value of the attribute than the bases.",
            "Give more examples, or fewer pairs.",
        )
    rows = [row for name in quotas for row in found[name]]
    labels = [name for name in quotas for _ in found[name]]
    more = tuple(_answers_of_source(predictor, asked, row) for row in rows)
    return Interchanges.of(predictor, (attribute,), rows, labels, seed, searched, within, more)


def _answers_of_source(
    predictor: Predictor, asked: tuple[Value, ...], row: Tuple
) -> tuple[Value, ...]:
    """Return what the base's question is answered with by the source's attribute."""
    base, sources = row
    return (predictor.after(base, predictor.setting((str(asked[base]),), sources)),)


def _score(classes: tuple[tuple[str, Rate], ...]) -> float:
    rates = dict(classes)
    cause = rates.pop("cause").estimate
    return 0.5 * (cause + sum(rate.estimate for rate in rates.values()) / len(rates))


def disentangle(
    net: LiftedNetwork,
    model: HighLevelModel,
    alignment: Alignment,
    examples: Examples,
    attribute: str,
    n: int = 100,
    *,
    question: str = "question",
    seen: Mapping[str, Collection[Value]] | None = None,
    seed: int = 0,
    within: str = "",
    criterion: Criterion = "top",
    draws: int = 5,
    waive: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    at: Position = "end",
    executor: Executor = "auto",
    batch_size: int = 16,
    recall: Recall | None = None,
) -> Disentanglement:
    """Measure Cause, Isolate and Disentangle of one attribute's feature, on held-out examples.

    Cause pairs ask the base for the attribute, and the source has another value of it.  Isolate
    pairs ask the base for another attribute, and the source has another value of the first too.
    Half of the pairs are of the first kind, and the rest are shared by the other questions.

    Args:
        net: The lifted network.
        model: Its inputs are at least an entity and the question; its variables the attributes;
            its output the one that is asked for.
        alignment: Where the attribute is said to be.
        examples: Prompts with entity and question; the question is named as the variable is.
        attribute: The variable whose feature is swapped.
        n: Pairs.
        question: The column that says what is asked for.
        seen: Column -> values used to find the feature (entities, contexts); examples that have
            one are left out, as bases and as sources.
        seed: Of the draw.
        within: A column on which base and source agree.
        criterion: When an answer is the predicted one.
        draws: How many random alignments.
        waive: Controls that are left out, with the reason.
        alpha: Error probability of each end.
        at: Where answers are read.
        executor: `wavefront`, `hooks` or `auto`.
        batch_size: Most pairs in a batch.
        recall: Where what was run before is found; None to run it.

    Raises:
        ParameterError: No such column, no example that asks for the attribute or for another one,
            or no pair of some class.

    Source: Huang et al. 2024, section 3.
    """
    held = {name: len(set(values)) for name, values in (seen or {}).items()}
    kept = examples.without(seen) if seen else examples
    model.check_is_known([attribute])
    asked = kept.column(question)
    _check_questions(attribute, question, asked)
    pairs = _drawn(Predictor(model, kept), attribute, asked, n, seed, within)
    accuracy = interchange_accuracy(
        net,
        pairs,
        alignment,
        criterion=criterion,
        draws=draws,
        waive=waive,
        alpha=alpha,
        at=at,
        executor=executor,
        batch_size=batch_size,
        recall=recall,
    )
    return Disentanglement(attribute, accuracy, tuple(held.items()))
