"""Does what is bound fit the terms: constants, bases, operations, answers?

All of it is known before anything is run, and a mistake in the last world of many is told at once.
"""

from collections.abc import Iterable, Sequence

from torch import Tensor

from causalnet.errors import AnswerError, TermError
from causalnet.execute.bindings import (
    Answers,
    Bindings,
    Matrix,
    PerPosition,
    Pooled,
    check_is_value,
)
from causalnet.execute.operations import body_of
from causalnet.execute.readouts import REDUCTIONS
from causalnet.execute.views import is_attended, projector_of
from causalnet.graphs import MediatorGraph, Role
from causalnet.interventions import (
    Const,
    Grad,
    Handle,
    Leaf,
    Op,
    Site,
    Subspace,
    Value,
    World,
    layers_of,
)

__all__ = ["check_answers", "check_values"]

SCORED = {
    "logit_difference": ("answers", "foils"),
    "probability": ("answers",),
    "loss": ("answers",),
}
"""Which sets of tokens a read-out takes logits of."""


def check_values(worlds: Iterable[World], graph: MediatorGraph, bindings: Bindings) -> None:
    """Check the views and values that worlds set.

    Raises:
        TermError: A constant, basis or dictionary that is not bound or does not fit its site, or
            an operation without a body.
    """
    views, values = set[tuple[str, Subspace]](), set[tuple[str, Value]]()
    for world in worlds:
        for layer in layers_of(world)[1]:
            for site, value in layer:
                if isinstance(site.part, Subspace) and (site.read_from, site.part) not in views:
                    views.add((site.read_from, site.part))
                    projector_of(site, site.part, graph, bindings)
                if (site.read_from, value) not in values:
                    values.add((site.read_from, value))
                    _check_value(site, value, graph, bindings)


def _check_value(site: Site, value: Value, graph: MediatorGraph, bindings: Bindings) -> None:
    waiting: list[Value] = [value]
    while waiting:  # operations may be nested deeply
        match waiting.pop():
            case Const(handle) if handle is not None:
                _check_constant(bindings.constant(handle), site, graph)
            case Op() as operation:
                body_of(operation)
                for _, parameter in operation.parameters:
                    if isinstance(parameter, Handle):
                        bindings.tensor(parameter)
                waiting.extend(operation.arguments)
            case _:
                pass


def _check_constant(constant: object, site: Site, graph: MediatorGraph) -> None:
    if not isinstance(constant, Pooled | PerPosition | Matrix):
        raise TermError(
            f"A {type(constant).__name__} is bound to a constant of {site}.",
            "Bound are Pooled, PerPosition and Matrix.",
            "Write Pooled(vector), as cn.vector does.",
        )
    check_is_value(constant, is_attended(site.read_from, graph))
    if isinstance(constant, Pooled):
        axes = graph.axes(site.read_from)
        size = axes[-1].size if axes and axes[-1].role is Role.FREE else None
        _check_vector(constant.vector, site, size)


def _check_vector(vector: Tensor, site: Site, size: int | None) -> None:
    if vector.ndim != 1 or vector.is_complex():
        kind = " of complex numbers" if vector.is_complex() else ""
        raise TermError(
            f"A constant of shape {list(vector.shape)}{kind} was given for {site}.",
            "It is one vector of real numbers, for every prompt and position.",
            "For a vector at each position, bind PerPosition.",
        )
    if size is not None and len(vector) != size:
        raise TermError(
            f"A constant of width {len(vector)} was given for {site}.",
            f"The value that it replaces is {size} wide.",
        )


def check_answers(leaves: Iterable[Leaf], bindings: Bindings, vocabulary: int) -> None:
    """Check the token sets that read-outs score.

    Raises:
        AnswerError: A token outside the vocabulary, or an empty set, whose row is named; or an
            unknown reduction.
        TermError: Answers that are not bound.
    """
    reads = [leaf.read if isinstance(leaf, Grad) else leaf for leaf in leaves]
    named = dict.fromkeys((read.readout.name, read.readout.answers) for read in reads)
    for name, bound in named:
        answers = bindings.answers_named(bound)
        if answers.reduction not in REDUCTIONS:
            raise AnswerError(
                f"The answers {bound!r} are reduced by {answers.reduction!r}.",
                f"There are {' and '.join(REDUCTIONS)}.",
            )
        for which in SCORED.get(name, ()):
            _check_tokens(_sets(answers, which), vocabulary)


def _sets(answers: Answers, which: str) -> Sequence[tuple[int, ...]]:
    return answers.answers if which == "answers" else answers.foils


def _check_tokens(sets: Sequence[tuple[int, ...]], vocabulary: int) -> None:
    for row, tokens in enumerate(sets):
        if not tokens or not all(0 <= token < vocabulary for token in tokens):
            raise AnswerError(
                f"Row {row} scores the tokens {tokens}.",
                f"The vocabulary has tokens 0..{vocabulary - 1}, and a set has at least one.",
            )
