"""A network whose circuit is known: what it computes, by which nodes, on which prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from causalnet.errors import ParameterError
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.known_circuits.slots import Layer
from causalnet.known_circuits.truth import Edge, active_truth, structural_truth
from causalnet.known_circuits.words import word_tokenizer

__all__ = ["KnownCircuit", "Row", "pair_row", "roles_of"]

Row = Mapping[str, object]
"""A pair of prompts with the fields that `PromptPairs.build` takes: base_ids, source_ids,
answer_ids, foil_ids, positions."""

_ROWS = 64  # that say what runs in the intact network


@dataclass(frozen=True, slots=True, repr=False)
class KnownCircuit:
    """A network whose circuit is known.

    Args:
        name: The name behind `known:`.
        description: What it computes, in a line.
        corruption: How the source prompts differ from the base prompts, in words.
        shape: The sizes of the network.
        truth: The edges that its weights connect, computed from them: see `structural_truth`.
            What a method can be asked to find depends on ablation and prompts besides.
        active: Those of them that run in the intact network, computed on rows of seed 0.
        roles: Node -> what it is for; every node that is not silent has one.
        words: The text of each token.
        weights: Builds the network.
        sampler: Draws rows, called with their number and a seed.

    >>> from causalnet.known_circuits import known_circuit
    >>> circuit = known_circuit("induction")
    >>> circuit
    KnownCircuit('induction': 2 layers x 4 heads, 7 true edges)
    >>> circuit.roles["L0.H0"]
    'previous token: brings the token before'
    >>> circuit.rows(1)[0]["answer_ids"]
    [7]
    """

    name: str
    description: str
    corruption: str
    shape: SmallShape
    truth: frozenset[Edge]
    active: frozenset[Edge]
    roles: Mapping[str, str] = field(hash=False)
    words: tuple[str, ...]
    weights: Callable[[], SmallTransformer] = field(compare=False)
    sampler: Callable[[int, int], tuple[Row, ...]] = field(compare=False)

    def __post_init__(self) -> None:
        """Hold the roles as they are."""
        object.__setattr__(self, "roles", MappingProxyType(dict(self.roles)))

    def __repr__(self) -> str:
        """Return one line."""
        size = f"{self.shape.layers} layers x {self.shape.heads} heads"
        return f"KnownCircuit({self.name!r}: {size}, {len(self.truth)} true edges)"

    @classmethod
    def computed(
        cls,
        name: str,
        description: str,
        *,
        corruption: str,
        roles: Mapping[str, str],
        words: tuple[str, ...],
        weights: Callable[[], SmallTransformer],
        sampler: Callable[[int, int], tuple[Row, ...]],
    ) -> "KnownCircuit":
        """Make one, its truths computed from the weights and from rows of seed 0."""
        module = weights()
        ids = torch.tensor([row["base_ids"] for row in sampler(_ROWS, 0)])
        return cls(
            name=name,
            description=description,
            corruption=corruption,
            shape=module.config,
            truth=structural_truth(module),
            active=active_truth(module, ids),
            roles=roles,
            words=words,
            weights=weights,
            sampler=sampler,
        )

    def module(self) -> SmallTransformer:
        """Return the network, built anew, in float64 on the CPU."""
        return self.weights()

    def rows(self, n: int, seed: int = 0) -> tuple[Row, ...]:
        """Draw pairs of prompts, as `PromptPairs.build(circuit.tokenizer(), rows)` takes them.

        Args:
            n: How many.
            seed: Seed of the draw.

        Raises:
            ParameterError: `n` below 1 or `seed` below 0.
        """
        for name, value, least in (("n", n, 1), ("seed", seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ParameterError(
                    came=f"{name}={value!r}.",
                    possible=f"A whole number from {least} on.",
                    write=f"Write for example {name}={64 * least}.",
                )
        return self.sampler(n, seed)

    def tokenizer(self) -> Any:
        """Return a fast tokenizer that has a token for each word, in the order of `words`.

        Words stand apart by spaces.  A word that it does not know becomes `[UNK]`, whose id is
        behind those that the network reads.
        """
        return word_tokenizer(self.words)


def pair_row(
    base: Sequence[int],
    source: Sequence[int],
    answer: int,
    foil: int,
    positions: Mapping[str, int] = MappingProxyType({}),
) -> Row:
    """Return a pair in the fields that `PromptPairs.build` takes.

    Args:
        base: Token ids of the prompt whose answer is `answer`.
        source: Token ids of the other one, as many.
        answer: A token id.
        foil: A token id.
        positions: Named position -> token index, in both.
    """
    return {
        "base_ids": list(base),
        "source_ids": list(source),
        "answer_ids": [answer],
        "foil_ids": [foil],
        "positions": dict(positions),
    }


def roles_of(layers: Sequence[Layer]) -> dict[str, str]:
    """Return the role of each node of written layers, by its name in the lifted graph."""
    roles = {"embed": "token embedding", "pos_embed": "position embedding"}
    for at, layer in enumerate(layers):
        roles |= {f"L{at}.H{head}": one.role for head, one in enumerate(layer.heads)}
        if layer.mlp is not None:
            roles[f"L{at}.mlp"] = layer.mlp.role
    return roles
