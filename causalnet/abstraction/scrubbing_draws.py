"""Which datum each node of an interpretation is computed on: conditional resampling.

A node's datum agrees with its reader's on the node's feature; what does not matter is computed on
any datum.  With one datum for each path from the output, a node that two others read is computed
on two data (the treeification of Chan et al. 2022).  With one for each node, a datum must agree
with all that read it; so what several read keeps the value that it has on the base, and the data
of all that depend on it agree on that too.
"""

import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.abstraction.interpretation import (
    Datum,
    Interpretation,
    InterpretationNode,
)
from causalnet.errors import ParameterError, TermError

__all__ = [
    "PUBLISHED",
    "Among",
    "Context",
    "Population",
    "Resampling",
    "Rows",
    "Sharing",
    "Unimportant",
    "agreements_of",
    "contexts_of",
    "generator",
]

Unimportant: TypeAlias = Literal["jointly", "independently"]
"""Whether what does not matter to a node is computed on one datum, or each sender on its own."""

Sharing: TypeAlias = Literal["per path", "per node"]
"""Whether a node has a datum for each path from the output, or one in all."""

Among: TypeAlias = Literal["same length", "same template", "all"]
"""Which data may stand for each other, whatever their features."""

Rows = NDArray[np.int64]

_MOST_CONTEXTS = 10_000
_VARIANTS = {
    "unimportant": ("jointly", "independently"),
    "data": ("per path", "per node"),
    "among": ("same length", "same template", "all"),
    "floor": ("shuffled", "scrubbed"),
}


@dataclass(frozen=True, slots=True)
class Resampling:
    """A variant of causal scrubbing; every field changes the number.

    Attributes:
        unimportant: `jointly` keeps the correlations of what does not matter, `independently`
            breaks them, and claims more.
        data: `per path` or `per node`.
        again: Whether the datum itself may be drawn.  If not, and no other agrees, it is.
        among: Data are exchanged where prompts have the same length, the same template (and
            length), or all; sites without positions need the same length.
        floor: What 0 is: `shuffled`, the model's outcome on a random datum (Chan et al. 2022), or
            `scrubbed`, that of the hypothesis that nothing matters, in the same variant.
        draws: How often everything is drawn anew for each item.

    Raises:
        ParameterError: A variant that there is not, or no draw.
    """

    unimportant: Unimportant = "jointly"
    data: Sharing = "per path"
    again: bool = True
    among: Among = "same length"
    floor: Literal["shuffled", "scrubbed"] = "shuffled"
    draws: int = 1

    def __post_init__(self) -> None:
        """Check the variant."""
        for name, known in _VARIANTS.items():
            if getattr(self, name) not in known:
                raise ParameterError(
                    came=f"{name}={getattr(self, name)!r}.",
                    possible=f"It is one of {', '.join(known)}.",
                    write=f"Write {name}={known[0]!r}.",
                )
        if isinstance(self.draws, bool) or not isinstance(self.draws, int) or self.draws < 1:
            raise ParameterError(
                came=f"draws={self.draws!r}.",
                possible="A whole number from 1 on.",
                write="Write for example draws=4.",
            )

    def described(self) -> dict[str, str]:
        """Return the variant in words, by name."""
        return {
            "unimportant inputs": f"resampled {self.unimportant}"
            + (", one datum for each node" if self.unimportant == "jointly" else ", one each"),
            "data": "one for each path of readers (treeified)"
            if self.data == "per path"
            else "one for each node; what several read keeps the base's value",
            "the datum itself": "may be drawn" if self.again else "is drawn only where it is alone",
            "exchanged among": {
                "same length": "prompts of the same length",
                "same template": "prompts of the same template and length",
                "all": "all prompts",
            }[self.among],
            "floor": "the model on a random datum"
            if self.floor == "shuffled"
            else "the hypothesis that nothing matters, scrubbed in the same way",
            "draws": f"{self.draws} for each item",
        }


PUBLISHED = Resampling()
"""The variant of Chan et al. 2022: one datum for each path, what does not matter jointly."""


@dataclass(frozen=True, slots=True)
class Context:
    """A node as one of its readers sees it, computed on an input of its own.

    Attributes:
        node: The node.
        input: The name of its datum.
        agrees: The number of the context whose datum it agrees with; None for the output.
        readers: The numbers of the contexts that read it.
    """

    node: InterpretationNode
    input: str
    agrees: int | None
    readers: tuple[int, ...]

    @property
    def rest(self) -> str:
        """The name of the datum of what does not matter."""
        return f"{self.input}, rest"


def contexts_of(interpretation: Interpretation, data: Sharing) -> tuple[Context, ...]:
    """Return the contexts of all nodes, readers before what they read.

    Raises:
        TermError: More than 10,000 paths of readers.
    """
    nodes = interpretation.by_name
    found = [Context(interpretation.nodes[0], "base", None, ())]
    if data == "per node":
        for node in interpretation.readers_first()[1:]:
            readers = tuple(at for at, each in enumerate(found) if node.name in each.node.parents)
            agrees = readers[0] if len(readers) == 1 else 0
            found.append(Context(node, f"scrub {node.name}", agrees, readers))
        return tuple(found)
    for number, context in enumerate(found):  # grows while it is walked
        for name in dict.fromkeys(context.node.parents):
            path = f"scrub {name}" if context.agrees is None else f"{context.input}/{name}"
            found.append(Context(nodes[name], path, number, (number,)))
        if len(found) > _MOST_CONTEXTS:
            raise TermError(
                f"The hypothesis unrolls into more than {_MOST_CONTEXTS} paths of readers.",
                "With one datum for each path, every chain of readers is computed apart.",
                "Write Resampling(data='per node'), or join nodes.",
            )
    return tuple(found)


def agreements_of(
    interpretation: Interpretation, data: Sharing
) -> dict[str, tuple[InterpretationNode, ...]]:
    """Return on the features of which nodes a node's datum agrees with its reader's.

    >>> from causalnet.abstraction.interpretation import anything
    >>> made = [("out", "ab"), ("a", "c"), ("b", "c"), ("c", "")]
    >>> graph = Interpretation(
    ...     tuple(InterpretationNode(n, (n,), anything, tuple(parents)) for n, parents in made)
    ... )
    >>> {name: [n.name for n in nodes] for name, nodes in agreements_of(graph, "per node").items()}
    {'a': ['a', 'c'], 'b': ['b', 'c'], 'c': ['c']}
    """
    order = interpretation.readers_first()
    if data == "per path":
        return {node.name: (node,) for node in order[1:]}
    readers = [parent for node in order for parent in dict.fromkeys(node.parents)]
    pinned: dict[str, dict[str, None]] = {}
    for node in reversed(order):
        own = [node.name] if readers.count(node.name) > 1 else []
        below = [name for parent in node.parents for name in pinned[parent]]
        pinned[node.name] = dict.fromkeys([*own, *below])
    nodes = interpretation.by_name
    return {
        node.name: tuple(nodes[name] for name in dict.fromkeys([node.name, *pinned[node.name]]))
        for node in order[1:]
    }


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """The data that are drawn from, and the items that are scrubbed, in one list.

    Attributes:
        data: All of them; items that are not in the population stand behind it.
        drawn: How many of them, from the first on, may be drawn.
        among: Which may stand for each other.
        strata: What each has in common with those.
    """

    data: tuple[Datum, ...]
    drawn: int
    among: Among
    strata: tuple[Hashable, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Sort the data into strata."""
        strata: dict[str, tuple[Hashable, ...]] = {
            "same length": tuple(len(datum.ids) for datum in self.data),
            "same template": tuple((datum.template, len(datum.ids)) for datum in self.data),
            "all": tuple(None for _ in self.data),
        }
        object.__setattr__(self, "strata", strata[self.among])

    def labels(self, nodes: Sequence[InterpretationNode]) -> tuple[Hashable, ...]:
        """Return the features of some nodes of every datum, together.

        Raises:
            TermError: A value that is not hashable.
        """
        columns = [self._labels(node) for node in nodes]
        return columns[0] if len(columns) == 1 else tuple(zip(*columns, strict=True))

    def _labels(self, node: InterpretationNode) -> tuple[Hashable, ...]:
        """Return a node's feature of every datum.

        Raises:
            TermError: A value that is not hashable.
        """
        labels = tuple(node.feature.of(datum) for datum in self.data)
        for label in labels:
            try:
                hash(label)
            except TypeError:
                kind = type(label).__name__
                raise TermError(
                    f"The feature {node.feature.name!r} of {node.name} is a {kind}.",
                    "Features are compared for equality: numbers, texts, tuples of them.",
                    "Return for example tuple(...) or int(...).",
                ) from None
        return labels

    def draw(
        self,
        rows: Rows,
        labels: Sequence[Hashable] | None,
        again: bool,
        rng: np.random.Generator,
    ) -> Rows:
        """Draw for each datum one that agrees with it, uniformly; itself where there is none.

        Args:
            rows: The data that are replaced, [n].
            labels: What must agree, of all data; None for no more than the stratum.
            again: Whether the datum itself may be drawn.
            rng: Where the chance comes from.
        """
        keys = list(zip(self.strata, labels, strict=True)) if labels else list(self.strata)
        classes: dict[Hashable, list[int]] = {}
        for number in range(self.drawn):
            classes.setdefault(keys[number], []).append(number)
        drawn = np.empty(len(rows), np.int64)
        for place, (row, chance) in enumerate(zip(rows, rng.random(len(rows)), strict=True)):
            members = classes.get(keys[row], [])
            left = len(members) - (not again and row < self.drawn)
            if not left:
                drawn[place] = row
                continue
            chosen = members[int(chance * left)]
            # The members are in order: leaving one out moves those behind it up by one.
            if left < len(members) and chosen >= row:
                chosen = members[int(chance * left) + 1]
            drawn[place] = chosen
        return drawn


def generator(seed: int, draw: int, name: str) -> np.random.Generator:
    """Return the chance of one input, the same whatever else a hypothesis holds."""
    return np.random.default_rng([seed, draw, zlib.crc32(name.encode())])
