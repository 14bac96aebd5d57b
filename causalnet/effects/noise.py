"""Noise ablation: its size is that of a network's own embeddings."""

from collections.abc import Sequence

import torch

from causalnet.errors import TermError
from causalnet.interventions import Ablation, AblationKind, Noising, Position
from causalnet.interventions.queries import positions_of
from causalnet.lift import LiftedNetwork
from causalnet.lift.places import parameter
from causalnet.tasks import Prompts

__all__ = ["embedding_spread", "noise"]


def noise(
    net: LiftedNetwork,
    factor: float = 3.0,
    *,
    at: Position | Sequence[Position] = (),
    draws: int = 1,
    seed: int = 0,
    spread_of: Prompts | None = None,
) -> Ablation:
    """Return the ablation that sets values of the base run with Gaussian noise on its embedding.

    Meng et al. 2022 take 3 standard deviations of the embeddings of the subjects' tokens and put
    noise on these tokens: `at="S1", spread_of=pairs.base`.  Zhang and Nanda 2024 show that noise
    disturbs mechanisms themselves, and finds other heads than a counterfactual does.

    Args:
        net: The lifted network.
        factor: Standard deviations of the embeddings in one of the noise.
        at: Positions that get noise; none means every token.
        draws: Independent draws for each prompt, whose effects are averaged.
        seed: Seed of the draws; a prompt's draw does not depend on its batch.
        spread_of: Prompts whose tokens, at `at`, the standard deviation is of; without them it is
            that of the whole vocabulary.

    Raises:
        TermError: A factor below 0, no draw, or embeddings that are all alike.
        PromptError: A position that the prompts do not have.
    """
    positions = positions_of(at)
    spread = embedding_spread(net, spread_of, positions)
    of = "vocabulary" if spread_of is None else f"tokens of {len(spread_of)} prompts"
    noising = Noising(factor * spread, factor, seed, positions, of)
    return Ablation(AblationKind.NOISE, draws=draws, noise=noising)


def embedding_spread(
    net: LiftedNetwork, prompts: Prompts | None = None, at: tuple[Position, ...] = ()
) -> float:
    """Return the standard deviation of all entries of token embeddings, in float64.

    Args:
        net: The lifted network.
        prompts: Prompts whose tokens are embedded, each occurrence counted; without them every
            token of the vocabulary counts once.
        at: Positions of the prompts; none means every token.

    Raises:
        PromptError: A position that the prompts do not have.
        TermError: Embeddings that are all alike.
    """
    embedded = parameter(net.places.tokens, "weight").detach()
    if prompts is not None:
        embedded = embedded[torch.tensor(_tokens(prompts, at), device=embedded.device)]
    spread = float(embedded.to("cpu", torch.float64).std(correction=0))
    if not spread > 0:
        raise TermError(
            f"The standard deviation of {embedded.numel()} entries of the embedding is {spread}.",
            "Noise is measured in it, and it is above 0.",
            "Take it of more tokens: leave spread_of out.",
        )
    return spread


def _tokens(prompts: Prompts, at: tuple[Position, ...]) -> list[int]:
    """Return the tokens of prompts at some positions, all of them where there are none."""
    if not at:
        return [token for ids in prompts.ids for token in ids]
    return [
        ids[index]
        for position in at
        for ids, index in zip(prompts.ids, prompts.at(position), strict=True)
    ]
