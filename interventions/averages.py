"""Rule D2: an average over resampled prompts is a run with the mean, or it is refused.

E[m(w with v := v(x''))] over independent draws x'' equals m(w with v := E[v(x'')]) where m is
affine in what v is set to; otherwise the two differ, which is the difference between resample
ablation and mean ablation.
"""

from dataclasses import dataclass

import numpy as np

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions.linearity import NotLinear, linearity
from causalnet.interventions.normal_form import NormalForm, normal_form
from causalnet.interventions.scalars import Read
from causalnet.interventions.views import Handle
from causalnet.interventions.worlds import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Op,
    Value,
    World,
    layers_of,
)

__all__ = ["MergedMean", "Refused", "with_mean"]


@dataclass(frozen=True, slots=True)
class MergedMean:
    """The term with the mean, which is the average over draws exactly.

    Attributes:
        term: The term with the mean.
        rules: The rules that make it exact, D2 first.
        mechanisms: The mechanisms through which the value passes, each affine in it.
    """

    term: Read
    rules: tuple[str, ...]
    mechanisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The average over draws is not a run with the mean.

    Attributes:
        rule: The rule that does not apply, `D2`.
        at: Where its guard fails.
        because: Why, in words.
    """

    rule: str
    at: str
    because: str

    def __str__(self) -> str:
        """Return all in one line."""
        return f"{self.rule} is refused at {self.at}: {self.because}"


def with_mean(
    read: Read,
    mediator: str,
    draw: str,
    mean: Handle,
    graph: MediatorGraph,
    readouts: frozenset[str] = frozenset({"value"}),
) -> MergedMean | Refused:
    """Return a term with a resampled value replaced by its mean, where that is exact.

    Args:
        read: The term; a site of its world is set to the mediator's value in the draw.
        mediator: The mediator whose value is resampled.
        draw: The input that is drawn anew.
        mean: The mean of the mediator over the draws.
        graph: The graph.
        readouts: Read-outs that are affine in what they read; a logit difference is where its
            answer sets are reduced by a mean.

    Raises:
        TermError: The world sets nothing to the mediator's value in the draw.
    """
    drawn = At(mediator, Base(draw))
    replaced = _replaced(read.world, drawn, Const(mean))
    if replaced == read.world:
        raise TermError(
            f"{read} sets nothing to {drawn}.",
            "D2 is about a value that is read in a resampled input.",
        )
    form = normal_form([read, drawn], graph)
    [(_, root)], [(_, value)] = form.combination(read), form.combination(drawn)
    other = _enters_otherwise(form, root, value, draw)
    if other:
        return Refused("D2", other, f"more of {draw} enters than {mediator}")
    found = linearity(form, root, value, readouts)
    if isinstance(found, NotLinear):
        return Refused("D2", found.at, found.because)
    return MergedMean(Read(read.readout, replaced), ("D2", *found.rules), found.mechanisms)


def _enters_otherwise(form: NormalForm, root: int, value: int, draw: str) -> str:
    """Return an input of the draw that reaches the root on another way than through a value."""
    live = np.zeros(len(form), dtype=bool)
    live[root] = True
    for block in reversed(form.blocks):
        for offset in range(len(block) - 1, -1, -1):
            number = block.start + offset
            if live[number] and number != value:
                key = form.key(number)
                live[list(form.parts(number))] = True
                if key[0] == "input" and key[2] == draw:
                    return str(key[1])
    return ""


def _replaced(world: World, old: Value, new: Value) -> World:
    """Return a world with a value replaced in its own layers."""
    base, layers = layers_of(world)
    current: World = base
    for layer in layers:
        assigned: list[Assignment] = [(site, _value(value, old, new)) for site, value in layer]
        current = Do(current, tuple(assigned))
    return current


def _value(value: Value, old: Value, new: Value) -> Value:
    """Return a value with a part replaced, operations within operations included."""
    done: dict[Value, Value] = {old: new}
    waiting = [value]
    while waiting:
        current = waiting[-1]
        if current in done:
            waiting.pop()
            continue
        inside = current.arguments if isinstance(current, Op) else ()
        missing = [part for part in inside if part not in done]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if isinstance(current, Op):
            arguments = tuple(done[part] for part in inside)
            done[current] = Op(current.name, arguments, current.parameters, current.version)
        else:
            done[current] = current
    return done[value]
