"""Causal scrubbing: resample everything that a hypothesis says does not matter.

Chan et al. 2022.  A hypothesis names the parts of a network that matter, what each is said to
compute, and which parts feed which.  Scrubbing evaluates the output on the base input; each part
that matters is computed on another input that agrees with its reader's on what the part computes,
and everything else that a part reads is computed on yet another input, one for all of a part's
other parents.  If the hypothesis holds, the outcome stays.

The inputs are bound by name when the query runs; `scrubbing_inputs` says with what each must agree.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from causalnet.errors import TermError
from causalnet.interventions.queries import BASE, Patched, Query, effects
from causalnet.interventions.readouts import ReadOut, logit_diff
from causalnet.interventions.worlds import Assignment, At, Base, Do, Edge, World

__all__ = ["Agreement", "Hypothesis", "Interpreted", "causal_scrubbing", "scrubbing_inputs"]

_MOST_CONTEXTS = 10_000


@dataclass(frozen=True, slots=True)
class Interpreted:
    """A part of the network that matters, and what it is said to compute.

    Attributes:
        name: What the hypothesis calls it.
        mediator: The node whose value it is.
        feature: What it is said to compute; inputs agree on it.
        parents: Names of the parts that feed it; none for a part that reads the input.
        enters: The nodes through which they enter, where that is not the mediator itself: the
            query of a head, say.
    """

    name: str
    mediator: str
    feature: str
    parents: tuple[str, ...] = ()
    enters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The parts that matter, the output first.

    Raises:
        TermError: No part, a name twice, a parent that is not a part, or a part that feeds itself.
    """

    parts: tuple[Interpreted, ...]

    def __post_init__(self) -> None:
        """Check that the parts form an acyclic graph."""
        names = [part.name for part in self.parts]
        if not names or len(set(names)) != len(names):
            raise TermError("A hypothesis without parts, or with two of one name.")
        known = set(names)
        odd = [name for name in names if set(name) & set("/,") or not name]
        if odd:
            raise TermError(f"A part called {odd[0]!r}.", "Names have no comma and no slash.")
        for part in self.parts:
            unknown = [name for name in part.parents if name not in known]
            if unknown:
                raise TermError(
                    f"{part.name} is fed by {unknown[0]!r}, which is no part.",
                    f"There are {', '.join(names)}.",
                )
        left = {part.name: set(part.parents) for part in self.parts}
        while left:
            free = [name for name, parents in left.items() if not parents & set(left)]
            if not free:
                raise TermError(f"The parts {', '.join(left)} feed each other in a circle.")
            for name in free:
                del left[name]

    @property
    def by_name(self) -> dict[str, Interpreted]:
        """The parts by their names."""
        return {part.name: part for part in self.parts}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an input of a scrubbed network must be.

    Attributes:
        input: Its name.
        agrees_with: The input with which it agrees.
        feature: On what they agree; None for one drawn at random.
    """

    input: str
    agrees_with: str
    feature: str | None


@dataclass(frozen=True, slots=True)
class _Context:
    """One part, as read by one chain of readers: scrubbed inputs are drawn for each anew."""

    part: Interpreted
    input: str
    reader: int | None

    @property
    def rest(self) -> str:
        """The input of the parents that do not matter."""
        return f"{self.input}, rest"


def _contexts(hypothesis: Hypothesis) -> list[_Context]:
    """Unroll the hypothesis into the tree of who reads whom, readers first."""
    parts = hypothesis.by_name
    found = [_Context(hypothesis.parts[0], "base", None)]
    for number, context in enumerate(found):  # grows while it is walked
        for name in context.part.parents:
            path = f"scrub {name}" if context.reader is None else f"{context.input}/{name}"
            found.append(_Context(parts[name], path, number))
        if len(found) > _MOST_CONTEXTS:
            raise TermError(
                f"The hypothesis unrolls into more than {_MOST_CONTEXTS} contexts.",
                "Each chain of readers is one.",
                "Join parts, or leave out parents that do not matter.",
            )
    return found


def scrubbing_inputs(hypothesis: Hypothesis) -> tuple[Agreement, ...]:
    """Return every input that scrubbing needs besides the base, and what it agrees on.

    Args:
        hypothesis: The hypothesis.
    """
    return tuple(_agreements(_contexts(hypothesis)))


def _agreements(contexts: Sequence[_Context]) -> Iterator[Agreement]:
    for context in contexts:
        if context.reader is not None:
            reader = contexts[context.reader]
            yield Agreement(context.input, reader.input, context.part.feature)
        if context.part.parents:
            yield Agreement(context.rest, context.input, None)


def causal_scrubbing(hypothesis: Hypothesis, outcome: ReadOut = logit_diff) -> Query:
    """Return the effect of scrubbing a network by a hypothesis: scrubbed - base.

    Args:
        hypothesis: What matters; its first part is the read-out's node.
        outcome: The read-out.

    Raises:
        TermError: A hypothesis about another node than the read-out's, or one that unrolls into too
            many contexts.

    >>> parts = (
    ...     Interpreted("out", "Y", "sum", ("left",)),
    ...     Interpreted("left", "A", "sign of the first"),
    ... )
    >>> from causalnet.interventions.readouts import value_of
    >>> query = causal_scrubbing(Hypothesis(parts), value_of("Y"))
    >>> print(query.contrasts[0][1].terms[0][1].world)
    <'base, rest'> + {A -> Y := A in <scrub left>}
    """
    root = hypothesis.parts[0]
    if root.mediator != outcome.node:
        raise TermError(
            f"The hypothesis is about {root.mediator}, and {outcome} reads {outcome.node}.",
            "Its first part is the node that is read.",
        )
    contexts = _contexts(hypothesis)
    children: list[list[int]] = [[] for _ in contexts]
    for number, context in enumerate(contexts):
        if context.reader is not None:
            children[context.reader].append(number)
    worlds: list[World] = [BASE] * len(contexts)
    for number in range(len(contexts) - 1, -1, -1):  # readers come before what they read
        context = contexts[number]
        read = [(contexts[child].part, worlds[child]) for child in children[number]]
        worlds[number] = _world(context, read)
    label = f"scrubbed by {len(hypothesis.parts)} parts"
    return effects(
        "SCRUB",
        [Patched(label, (), (worlds[0],))],
        outcome,
        convention="a new input for each reading of a part, one for the rest of its parents",
    )


def _world(context: _Context, read: Iterable[tuple[Interpreted, World]]) -> World:
    """Return the world in which a part is computed: a leaf on its input, else parent by parent."""
    part = context.part
    if not part.parents:
        return Base(context.input)
    layer: list[Assignment] = [
        (Edge(parent.mediator, receiver), At(parent.mediator, world))
        for parent, world in read
        for receiver in part.enters or (part.mediator,)
    ]
    return Do(Base(context.rest), tuple(layer))
